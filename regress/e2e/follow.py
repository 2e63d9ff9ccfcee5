# SPDX-License-Identifier: ISC
"""Who follows GET /api/events."""

import json
import re
import socket
import threading

from harness import until


class Events:
    """A reader of the stream: `heard` is a list of (event, data)."""

    def __init__(self, d, token, minor=1, method="GET", read=True):
        self.s = d.connect()
        self.s.sendall(("%s /api/events HTTP/1.%d\r\nHost: a\r\n"
                        "Authorization: Bearer %s\r\n\r\n" % (
                            method, minor, token)).encode())
        self.head, self.heard, self.text = b"", [], b""
        self.over = None
        while b"\r\n\r\n" not in self.head:
            more = self.s.recv(1)
            if not more:
                raise ConnectionError(self.head)
            self.head += more
        self.status = int(self.head.split()[1])
        self.chunked = b"Transfer-Encoding: chunked" in self.head
        if read and self.status == 200 and method == "GET":
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()

    def run(self):
        f = self.s.makefile("rb")
        self.s.settimeout(600)
        try:
            while True:
                piece = self.piece(f)
                if not piece:
                    break
                self.text += piece
                while b"\n\n" in self.text:
                    one, self.text = self.text.split(b"\n\n", 1)
                    self.take(one.decode())
            self.over = "end"
        except (ConnectionError, ValueError) as e:
            self.over = "cut: %s" % e

    def piece(self, f):
        if not self.chunked:
            return f.read1(4096)
        line = f.readline()
        if not line:
            raise ConnectionError("no last chunk")
        n = int(line, 16)
        data = f.read(n)
        f.readline()
        return data

    def take(self, one):
        m = re.match(r"event: (\w+)\ndata: (.*)$", one)
        if m:
            self.heard.append((m.group(1), json.loads(m.group(2))))
        else:
            self.heard.append((one, None))

    def wait(self, what, text):
        until(lambda: any(what(k, v) for k, v in self.heard), text)

    def close(self):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
