#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The fields behind a chunked body, through the subdomain proxy: nobody has
looked at them as at a head's, so none arrive, in either direction."""

import socket
import threading

from harness import OurClient, Relayd, Tap, rest, until

t = Tap()
LIES = (b"Set-Cookie: a=1; Domain=.support.test\r\n"
        b"Access-Control-Allow-Origin: *\r\nX-Sum: 1\r\n")
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
          b"Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
          b"5;x=y\r\nhello\r\n0\r\n" + LIES + b"\r\n")
FRAMES = b"5;x=y\r\nhello\r\n0\r\n\r\n"


class Service:
    """Keeps what it is asked, up to an empty chunk's end; answers the same
    always, in pieces that end where `cut` says."""

    def __init__(self):
        self.asked, self.cut, self.late = [], None, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            s = self.listener.accept()[0]
            threading.Thread(target=self.serve, args=(s,),
                             daemon=True).start()

    def serve(self, s):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got = b""
        while True:
            part = s.recv(65536)
            if not part:
                return
            got += part
            while self.whole(got):
                one, got = self.whole(got)
                self.asked.append(one)
                s.sendall(ANSWER[:self.cut])
                if self.cut:
                    # What came is on its way before the rest is written.
                    self.late = not self.gate.wait(60)
                    s.sendall(ANSWER[self.cut:])

    @staticmethod
    def whole(got):
        """The first request and what is behind it."""
        head, found, body = got.partition(b"\r\n\r\n")
        if not found:
            return None
        if b"chunked" not in head:
            return head, body
        body, found, behind = body.partition(b"\r\n0\r\n")
        if not found or b"\r\n" not in behind:
            return None
        if behind.startswith(b"\r\n"):
            return head + b"\r\n\r\n" + body, behind[2:]
        fields, found, behind = behind.partition(b"\r\n\r\n")
        return (head + b"\r\n\r\n" + body + fields, behind) if found else None


service = Service()
with Relayd(t, proxyds=1) as d:
    key, secret = d.add_system()
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % service.port):
        sid = d.wait_session()["session"]
        until(lambda: d.ctl("show", "services", sid), "the manifest")
        cookie = d.cookie(sid, d.token())
        common = "Host: %s\r\nCookie: %s\r\n" % (d.proxy_host(sid), cookie)

        def upload(fields):
            return ("POST /up HTTP/1.1\r\n%sTrailer: Host\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n%s"
                    "\r\n" % (common, fields)).encode()

        evil = "X-Forwarded-For: 192.0.2.1\r\nHost: evil.test\r\n"
        last = ("GET /last HTTP/1.1\r\n%sConnection: close\r\n\r\n" %
                common).encode()
        s = d.connect()
        s.sendall(upload(evil) + upload("") + last)
        got = rest(s)
        heads = [x.split(b"\r\n")[0] for x in service.asked]
        t.equal(heads, [b"POST /up HTTP/1.1"] * 2 + [b"GET /last HTTP/1.1"],
                "what comes behind a request's trailers is the next request")
        seen = b"".join(service.asked).lower()
        t.ok(b"evil.test" not in seen and b"192.0.2.1" not in seen and
             b"\r\ntrailer:" not in seen,
             "7.6: a field that a service must not get does not come behind "
             "the body")
        t.equal(got.count(FRAMES), 3, "of an answer the chunks are as they "
                "were")
        low = got.lower()
        t.ok(b"set-cookie" not in low and b"access-control" not in low and
             b"x-sum" not in low and b"trailer" not in low,
             "7.5 and 7.9: no field of an answer's trailers arrives")

        # Byte by byte, and answers that stop within the trailers.
        del service.asked[:]
        s = d.connect()
        for b in upload(evil):
            s.sendall(bytes([b]))
        s.sendall(last)
        t.equal((rest(s).count(FRAMES), len(service.asked)), (2, 2),
                "trailers that come byte by byte")
        t.ok(b"evil" not in service.asked[0], "are gone as well")
        start = ANSWER.index(LIES)
        for at in (start, start + 1, start + 11, start + len(LIES) - 1,
                   start + len(LIES), len(ANSWER) - 1):
            service.cut, service.gate = at, threading.Event()
            s = d.connect()
            s.sendall(last)
            got = b""
            # The line of its last chunk may wait for what ends it.
            while b"hello\r\n" not in got:
                part = s.recv(65536)
                if not part:
                    break
                got += part
            service.gate.set()
            got += rest(s)
            t.ok(got.endswith(b"\r\n\r\n" + FRAMES) and not service.late,
                 "an answer that waits %d bytes into its trailers, and not its "
                 "data" % (at - start))

        # HTTPHEAD_TRAILER_MAX is 16 KiB.
        service.cut = None
        s = d.connect()
        s.sendall(upload("X: y\r\n" * 4000))
        t.match(rest(s).decode("latin-1"), "^HTTP/1.1 (400|502) ",
                "trailers of 24 kB are refused")
t.done()
