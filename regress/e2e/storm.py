# SPDX-License-Identifier: ISC
"""Connections one after another, as fast as they can be had, for one request each."""

import socket
import threading

from harness import DOMAIN, WAIT

HEAD = ("GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" %
        DOMAIN).encode()


def plain(port):
    s = socket.create_connection(("127.0.0.1", port), WAIT)
    s.settimeout(WAIT)
    return s


def encrypted(port, trusting):
    return trusting.wrap_socket(plain(port), server_hostname=DOMAIN)


def answer(s):
    """The status line of what comes until the end."""
    got = b""
    while True:
        part = s.recv(65536)
        if not part:
            return got.split(b"\r\n")[0]
        got += part


class Storm:
    """Several at once; `wrong`: what was no 200."""

    def __init__(self, connect, threads=6):
        self.connect = connect
        self.over = threading.Event()
        self.n = 0
        self.wrong = []
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(threads)]
        for x in self.threads:
            x.start()

    def run(self):
        while not self.over.is_set():
            try:
                with self.connect() as s:
                    s.sendall(HEAD)
                    said = answer(s)
                if b" 200 " not in said:
                    self.wrong.append(said)
            except OSError as e:
                self.wrong.append(repr(e))
            self.n += 1

    def stop(self):
        self.over.set()
        for x in self.threads:
            x.join(2 * WAIT)
