#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An orderly stop: what runs through a tunnel is finished before the tunnel
goes, and the client hears why it goes."""

import socket
import threading

from harness import OurClient, Relayd, Tap

PIECE, PIECES = b"x" * 1000, 12


class Slow:
    """A service whose answer takes its time, as long as it is let."""

    def __init__(self):
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.go = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c, _ = self.s.accept()
            with c:
                c.recv(65536)
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" %
                          (len(PIECE) * PIECES))
                c.sendall(PIECE)
                self.go.wait(20)
                for _ in range(PIECES - 1):
                    c.sendall(PIECE)


t = Tap()
slow = Slow()
with Relayd(t) as d:
    key, secret = d.add_system("Office")
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % slow.port) as c:
        sid = d.wait_session()["session"]
        cookie = d.cookie(sid, d.token())
        s = socket.create_connection(("127.0.0.1", d.port))
        s.settimeout(20)
        s.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n" %
                   (d.proxy_host(sid), cookie)).encode())
        got = b""
        while PIECE not in got:
            got += s.recv(65536)
        mark = c.err.mark()
        stopper = threading.Thread(target=d.stop)
        stopper.start()
        d.log.wait("stopping")
        # The proxyds have been told when they accept no more.
        while True:
            try:
                socket.create_connection(("127.0.0.1", d.port), 1).close()
            except OSError:
                break
        t.ok(not c.err.has("closed by the server", mark),
             "the tunnel is there while a request runs through it")
        slow.go.set()
        while True:
            b = s.recv(65536)
            if not b:
                break
            got += b
        s.close()
        body = got.split(b"\r\n\r\n", 1)[1]
        t.equal(len(body), len(PIECE) * PIECES, "the answer is whole")
        c.err.wait(r"closed by the server: 1001 \(?stopping", mark)
        t.ok(True, "then the client hears why")
        stopper.join()
t.done()
