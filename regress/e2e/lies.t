#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A client that lies: about WebSocket frames, about yamux, about replies. The
server's words are compared byte for byte. Another tunnel's transfer runs all
the time and must arrive intact."""

import http.client
import struct
import sys
import threading
import time

from harness import Relayd, Tap, Targets, until
from transfer import Bystander, creep
from yamuxraw import (ACK, DATA, FIN, GOAWAY, INITIAL, PING, RST, SYN, WINDOW,
                      Raw, Stream, header, manifest_text, ws_frame)

t = Tap()
WEB = {"web": "127.0.0.1:1"}


class Ask(threading.Thread):
    """One operator's request, and what became of it."""

    def __init__(self, d, session, cookie, path="/", method="GET",
                 body=None):
        super().__init__(daemon=True)
        self.d, self.session, self.cookie = d, session, cookie
        self.path, self.method, self.body = path, method, body
        self.result = self.error = None
        self.start()

    def run(self):
        h = {"Origin": "http://" + self.d.proxy_host(self.session)} \
            if self.method != "GET" else {}
        try:
            self.result = self.d.via(self.session, self.cookie, self.path,
                                     self.method, headers=h, body=self.body)
        except (OSError, http.client.HTTPException) as e:
            self.error = e

    def get(self):
        """(status, headers, body), or raises what the caller saw."""
        self.join(60)
        if self.error:
            raise self.error
        if self.result is None:
            raise TimeoutError("no answer for the operator")
        return self.result


class Scene:
    """One system with a raw client, and an operator."""

    n = 0

    def __init__(self, d, token, **kw):
        Scene.n += 1
        self.d, self.token = d, token
        self.mark = d.log.mark()
        self.r = Raw(d, *d.add_system("liar-%d" % Scene.n), **kw)
        if self.r.status != 101:
            raise RuntimeError("login: %d %r" % (self.r.status,
                                                 self.r.ws.body()))
        self.id = self.r.session

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.r.close()

    def serving(self):
        """With a service `web`; returns this."""
        self.r.manifest(WEB)
        self.d.log.wait(r"session %s: manifest 1: 1 service" % self.id,
                        self.mark)
        until(lambda: "web" in (self.d.api(
            "GET", "/support-sessions/%s/services" % self.id, self.token)
            [1]["data"] or {}).get("services", {}), "the service")
        self.cookie = self.d.cookie(self.id, self.token)
        return self

    def ask(self, path="/", **kw):
        return Ask(self.d, self.id, self.cookie, path, **kw)

    def logged(self, pattern):
        try:
            self.d.log.wait(r"session %s: %s" % (self.id, pattern), self.mark)
            return True
        except TimeoutError:
            t.diag(self.d.log.text()[-2000:])
            return False


def reply(body, extra=""):
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" +
            extra.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def websocket_lies(d, token):
    """Each ends this tunnel with the right code, and no other."""
    cases = [
        ("tunnel-13: an unmasked frame", 1002,
         ws_frame(header(PING, SYN, 0, 1), masked=False)),
        ("tunnel-13: a reserved bit", 1002,
         ws_frame(header(PING, SYN, 0, 1), rsv=4)),
        ("tunnel-13: a control frame over 125 bytes", 1002,
         ws_frame(b"x" * 126, op=9)),
        ("tunnel-13: a 64-bit length with the top bit set", 1002,
         ws_frame(b"", length=1 << 63 | 5, form=127)),
        ("tunnel-13: a reserved opcode", 1002, ws_frame(b"x", op=3)),
        ("tunnel-13: a control frame in fragments", 1002,
         ws_frame(b"x", op=9, fin=False)),
        ("tunnel-13: a continuation of nothing", 1002,
         ws_frame(b"x", op=0)),
        ("tunnel-13: a message within a message", 1002,
         ws_frame(b"", fin=False) + ws_frame(b"")),
        ("tunnel-13: a length not in its shortest form", 1002,
         ws_frame(b"x", form=126)),
        ("tunnel-13: a close code that nobody may send", 1002,
         ws_frame(struct.pack(">H", 1005), op=8)),
        ("a text message", 1003, ws_frame(b"{}", op=1)),
    ]
    for name, want, data in cases:
        with Scene(d, token) as s:
            t.ok(s.r.alive(), "%s: the tunnel was up before" % name)
            s.r.raw(data)
            t.equal(s.r.ended()[0], want, "%s: close %d" % (name, want))
            t.ok(s.logged(r"closing: %d " % want), "%s: and a log line that "
                 "says so" % name)
            t.ok(not any(m.masked for m in s.r.messages),
                 "tunnel-14(partial): no frame of the server is masked")


def yamux_lies(d, token):
    syn1 = header(WINDOW, SYN, 1, 0)
    cases = [
        ("tunnel-19: version 1", header(WINDOW, SYN, 1, 0, version=1)),
        ("tunnel-19: type 4", header(4, 0, 1, 0)),
        ("tunnel-19: SYN for an id in use", syn1 + syn1),
        ("tunnel-19: SYN for an id used before", None),
        ("tunnel-19: an even id from the client", header(WINDOW, SYN, 2, 0)),
        ("tunnel-19: id 0", header(WINDOW, SYN, 0, 0)),
        ("tunnel-21: one byte over the window",
         syn1 + header(DATA, 0, 1, INITIAL + 1)),
        ("tunnel-21: a length of 4 GiB",
         syn1 + header(DATA, 0, 1, 0xffffffff)),
        ("tunnel-21: SYN on data over the window",
         header(DATA, SYN, 1, INITIAL + 1)),
        ("a second FIN", syn1 + header(DATA, 0, 1, 1) + b"{" +
         header(WINDOW, FIN, 1, 0) + header(WINDOW, FIN, 1, 0)),
        ("a window over 2^32-1", syn1 + header(WINDOW, 0, 1, 0xffffffff)),
    ]
    for name, data in cases:
        with Scene(d, token) as s:
            if data is None:
                sid = s.r.manifest(WEB)
                s.r.answered(sid)
                data = header(WINDOW, SYN, sid, 0)
            s.r.raw(ws_frame(data))
            t.equal(s.r.ended(), (1002, 1), "%s: go-away 1 and close" % name)
            t.ok(s.logged(r"closing: 1002 "), "%s: and a log line" % name)

    for code in (1, 2, 77):
        with Scene(d, token) as s:
            s.r.send(GOAWAY, 0, 0, code)
            s.r.ended()
            t.ok(s.logged(r"(closing: 1001|lost)"),
                 "go-away %d from the client ends the tunnel" % code)

    with Scene(d, token) as s:
        # Nothing is known of 99 and 100: both are skipped.
        s.r.raw(ws_frame(header(DATA, 0, 99, 1000) + b"x" * 1000 +
                         header(DATA, 0, 100, 70000) + b"y" * 70000 +
                         header(WINDOW, 0, 99, 5) + header(WINDOW, RST, 99,
                                                           0)))
        t.ok(s.r.alive(), "tunnel-20: data for an unknown id is skipped and "
             "the next frame is parsed")
        t.ok(not s.r.has(lambda f: f.id in (99, 100)),
             "tunnel-20: and nothing is said about it")
        doc = b" " * (INITIAL - 60)
        doc = manifest_text(WEB) + doc
        doc = doc[:INITIAL]
        s.r.raw(ws_frame(header(WINDOW, SYN, 1, 0) +
                         header(DATA, 0, 1, INITIAL) + doc +
                         header(WINDOW, FIN, 1, 0)))
        t.ok(s.logged(r"manifest 1: 1 service"),
             "tunnel-21: exactly the window is fine")
        t.ok(s.r.alive(), "tunnel-21: and the tunnel is up")

    with Scene(d, token) as s:
        doc = manifest_text(WEB)
        s.r.streams[1] = Stream(1)
        s.r.raw(ws_frame(header(DATA, SYN, 1, len(doc)) + doc +
                         header(WINDOW, FIN, 1, 0)))
        t.ok(s.logged(r"manifest 1: 1 service"),
             "tunnel-17: SYN on a data frame opens a stream")
        t.equal(s.r.answered(1), "fin", "the answer to a manifest is FIN")
        s.r.alive()
        st = s.r.streams[1]
        t.equal((st.acks, st.fins, st.late, bytes(st.data)), (1, 1, 0, b""),
                "tunnel-23: one ACK, one FIN, nothing behind them")


def shapes(d, token):
    """Legal, but cut in unusual ways."""
    with Scene(d, token) as s:
        doc = manifest_text({"web%d" % i: "127.0.0.1:%d" % (i + 1)
                             for i in range(200)})
        head = header(WINDOW, SYN, 1, 0)
        # A header over messages, the first of them empty.
        pieces = [ws_frame(b"")] + [ws_frame(head[i:i + 3])
                                    for i in range(0, 12, 3)]
        whole = header(DATA, 0, 1, len(doc)) + doc
        at, n = 0, 0
        for size in (4000, 4096):
            while at < len(whole) // 2 * (1 if size == 4000 else 2):
                part = whole[at:at + size]
                at += len(part)
                pieces.append(ws_frame(part, op=2 if n == 0 else 0,
                                       fin=at >= len(whole)))
                n += 1
                pieces.append(ws_frame(b"hi", op=9))
        s.r.together(pieces)
        s.r.raw(ws_frame(header(WINDOW, FIN, 1, 0) +
                         header(PING, SYN, 0, 7) + header(PING, SYN, 0, 8)))
        t.ok(s.logged(r"manifest 1: 200 services"),
             "tunnel-12: fragments of 4000 and 4096 with pings between them, "
             "a header over messages")
        for v in (7, 8):
            s.r.wait(lambda f: f.type == PING and f.flags == ACK and
                     f.length == v, "ping answer")
        t.ok(True, "tunnel-12: several frames in one message")
        s.r.until(lambda: any(m.op == 10 for m in s.r.messages), "a pong")
        t.ok(all(m.length == 2 and m.head == b"\x8a\x02"
                 for m in s.r.messages if m.op == 10),
             "tunnel-14(partial): a ping `hi` is answered by a pong `hi`")


def serving(d, token):
    with Scene(d, token, ack=False).serving() as s:
        r = s.r
        a = s.ask("/first?x=%26")
        sid, line, rest = r.line()
        r.until(lambda: b"\r\n\r\n" in r.streams[sid].data, "the request")
        rest = bytes(r.streams[sid].data).split(b"\n", 1)[1]
        t.equal(line, b"CONNECT web\n", "the first line of a stream")
        t.ok(rest.startswith(b"GET /first?x=%26 HTTP/1.1\r\n"),
             "tunnel-38: the request follows in the same flight, before ACK "
             "and reply")
        first = [f for f in r.frames if f.id == sid][0]
        t.ok(first.flags == SYN, "the first frame of a stream has SYN")
        t.equal(sid % 2, 0, "tunnel-19(partial): even ids from the server")
        # As a client that provisions for 20 s.
        creep(d, 20000)
        t.ok(a.is_alive(), "tunnel-28: a stream without ACK waits")
        t.ok(r.alive(), "tunnel-28: the tunnel is not closed")
        r.send(WINDOW, ACK, sid)
        r.data(sid, b"OK\n" + reply(b"late"))
        t.equal(a.get()[::2], (200, b"late"),
                "tunnel-28: and works once the client accepts")

        # The kept stream first; then RST makes the next one fresh.
        a = s.ask("/second")
        r.until(lambda: b"GET /second" in r.streams[sid].data or
                any(b"GET /second" in x.data for x in r.streams.values()),
                "the second request")
        t.ok(b"GET /second" in r.streams[sid].data,
             "operator-51(partial): a second request uses the kept stream")
        # A frame of exactly the window, all in one.
        have = r.streams[sid]
        body = b"z" * 200000
        r.data(sid, reply(body))
        t.equal(a.get()[2], body, "a reply in one frame of 200 kB")
        r.ack = True
        used = set(r.streams)
        r.send(WINDOW, RST, sid)
        t.ok(r.alive(), "RST by the client: the tunnel is up")
        late = have.late

        a = s.ask("/third")
        sid, line, _ = r.line(used)
        r.data(sid, b"ERROR no such thing as <web>\n")
        st, h, body = a.get()
        t.equal(st, 502, "tunnel-39: the client's ERROR is a 502")
        t.ok(b"no such thing as" in body, "tunnel-39: its text reaches the "
             "caller")
        t.ok(s.logged(r"stream \d+: web: client says: no such thing"),
             "tunnel-39: and the log")
        used |= set(r.streams)

        for n, want in ((1024, 502), (1025, 502), (300000, 502)):
            a = s.ask("/long")
            sid, line, _ = r.line(used)
            used.add(sid)
            text = b"ERROR " + b"e" * (n - 6) + b"\n"
            for i in range(0, len(text), 65536):
                r.data(sid, text[i:i + 65536])
            st, h, body = a.get()
            t.equal(st, want, "tunnel-39: a reply line of %d bytes: %d" %
                    (n, want))
            t.equal(b"eeee" in body, n == 1024, "tunnel-39: %s" % (
                "at the limit the text is passed on" if n == 1024 else
                "over it, it is a failure"))
        for bad in (b"\n", b"OK \n", b"OK\r\n", b"\0\1\2\n", b"ERROR\n",
                    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
            a = s.ask("/bad")
            sid, line, _ = r.line(used)
            used.add(sid)
            r.data(sid, bad)
            t.equal(a.get()[0], 502, "a reply line %r is a failure" % bad[:9])
            r.until(lambda: r.streams[sid].rst or r.streams[sid].fin,
                    "the end of the stream")
        a = s.ask("/cut")
        sid, line, _ = r.line(used)
        used.add(sid)
        r.data(sid, b"OK")
        r.send(WINDOW, FIN, sid)
        t.equal(a.get()[0], 502, "a reply line cut short by FIN is a failure")

        # RST and FIN in the middle of a reply.
        for flag, name in ((RST, "RST"), (FIN, "FIN")):
            a = s.ask("/half")
            sid, line, _ = r.line(used)
            used.add(sid)
            r.data(sid, b"OK\n" + reply(b"x" * 5000)[:-100])
            r.send(WINDOW, flag, sid)
            try:
                st, h, body = a.get()
                good = st == 502
            except http.client.IncompleteRead:
                good = True
            except OSError:
                good = True
            t.ok(good, "tunnel-24(partial) operator-52(partial): %s in the "
                 "middle of a reply is never a short 200" % name)
        t.ok(r.alive(), "tunnel-24: the tunnel is up after all of it")
        t.equal([x.late for x in r.streams.values() if x.rst and x.late], [],
                "tunnel-24: nothing is sent on an id after RST")
        t.equal([(x.id, x.fins) for x in r.streams.values() if x.fins > 1],
                [], "tunnel-23: never a second FIN")
        t.equal(late, 0, "nothing follows the end of a stream")
        t.equal(r.straddles, 0, "tunnel-14: each message holds header and "
                "body")

        # A frame of exactly the window on a stream of the server's.
        a = s.ask("/exact")
        sid, line, _ = r.line(used)
        used.add(sid)
        data = b"OK\n" + reply(b"w" * (INITIAL - 200))
        head, body = data.split(b"\r\n\r\n", 1)
        body = b"w" * (INITIAL - len(head) - 4)
        data = head.replace(b"%d" % (INITIAL - 200), b"%d" % len(body)) + \
            b"\r\n\r\n" + body
        t.equal(len(data), INITIAL, "the frame is exactly the window")
        r.data(sid, data)
        t.equal(a.get()[2], body, "tunnel-21: exactly the window arrives")
        r.send(WINDOW, RST, sid)
        a = s.ask("/over")
        sid, line, _ = r.line(used)
        r.data(sid, b"OK\n" + b"w" * (INITIAL - 2))
        t.equal(r.ended(), (1002, 1), "tunnel-21: one byte over it: go-away "
                "1 and close")
        try:
            good = a.get()[0] == 502
        except (OSError, http.client.HTTPException):
            good = True
        t.ok(good, "its caller sees a failure")

    # The tunnel's deadlines for a reply line.
    with Scene(d, token).serving() as s:
        a = s.ask("/one")
        sid, _, _ = s.r.line()
        s.r.data(sid, b"OK\n" + reply(b"1"))
        a.get()
        s.r.send(WINDOW, RST, sid)
        a = s.ask("/two")
        sid, _, _ = s.r.line({sid})
        s.r.until(lambda: s.r.streams[sid].data.count(b"\n") > 2, "request")
        creep(d, 16000)
        st, h, body = a.get()
        t.ok(st == 502 and b"no answer from the client" in body,
             "no reply line in 15 s from a client that accepts: 502 with the "
             "reason")
        t.ok(s.logged(r"stream \d+: web: no answer from the client"),
             "and a log line")
        s.r.until(lambda: s.r.streams[sid].rst, "RST")
        t.ok(s.r.alive(), "and RST for that stream only")
    with Scene(d, token, ack=False).serving() as s:
        a = s.ask("/one")
        sid, _, _ = s.r.line()
        creep(d, 61000)
        t.equal(a.get()[0], 504, "no reply line in 60 s at all: 504 for the "
                "operator")
        t.ok(s.r.alive(), "tunnel-28: and the tunnel stays")

    # Go-away 0.
    with Scene(d, token).serving() as s:
        a = s.ask("/old")
        sid, _, _ = s.r.line()
        s.r.data(sid, b"OK\n" + reply(b"o" * 1000)[:-500])
        s.r.send(GOAWAY, 0, 0, 0)
        t.ok(s.logged("the client takes no new streams"), "go-away 0 is "
             "logged")
        st = s.ask("/new").get()[0]
        t.ok(st in (502, 503), "tunnel-27: no new streams (%d)" % st)
        t.ok(not s.r.has(lambda f: f.type in (DATA, WINDOW) and f.flags & SYN
                         and f.id != sid), "tunnel-27: the client sees none")
        s.r.data(sid, b"o" * 500)
        t.equal(a.get()[2], b"o" * 1000, "tunnel-27: old ones finish")

    # The operator closes.
    with Scene(d, token, echo=False).serving() as s:
        st, env = d.api("DELETE", "/support-sessions/" + s.id, token)
        t.equal(st, 200, "the operator closes the session")
        s.r.until(lambda: s.r.raw_close, "close frame")
        t.equal(s.r.raw_close, bytes.fromhex(
            "88100fa073657373696f6e5f636c6f736564"),
            "tunnel-15(partial): exactly these 18 bytes")
        s.r.raw(ws_frame(struct.pack(">H", 4000), op=8))
        s.r.ended()
        t.ok(True, "and the end after the echo")


def silence(d, token):
    """No answer to the server's pings."""
    with Scene(d, token, pong=False) as s:
        s.r.wait(lambda f: f.type == PING and f.flags == SYN, "a ping")
        creep(d, 6000)
        t.ok(not s.r.eof, "tunnel-26(partial): a silent client has 10 s")
        creep(d, 6000)
        s.r.ended()
        t.ok(s.logged(r"lost: peer is silent"), "tunnel-26(partial): silence "
             "for 10 s after our ping ends the tunnel, and the log says so")
        until(lambda: [x for x in d.sessions() if x["session"] == s.id and
                       x["status"] == "active" and x["tunnel"] == "down"],
              "grace")
        t.ok(True, "tunnel-26(partial): grace starts")
    with Scene(d, token, pong=False) as s:
        s.r.wait(lambda f: f.type == PING and f.flags == SYN, "a ping")
        for _ in range(50):
            s.r.send(WINDOW, 0, 99, 0)
            d.move_clock(1000)
        t.ok(not s.r.eof, "tunnel-26(partial): while bytes come an answer "
             "may be late")
        for _ in range(12):
            s.r.send(WINDOW, 0, 99, 0)
            d.move_clock(1000)
        s.r.ended()
        t.ok(s.logged(r"lost: peer does not answer pings"),
             "tunnel-26(partial): for 60 s")


def saturated(d, token):
    """64 streams as busy as they can be, in both directions."""
    with Scene(d, token, keep=False).serving() as s:
        r = s.r
        stop = threading.Event()
        seen = set()
        socks = []
        head = "%s /%d HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nOrigin: " \
            "http://%s\r\n%s\r\n"
        host = d.proxy_host(s.id)

        def sink(c):
            try:
                while not stop.is_set() and c.recv(1 << 18):
                    pass
            except OSError:
                pass

        def source(c):
            block = b"u" * 65536
            try:
                while not stop.is_set():
                    c.sendall(block)
            except OSError:
                pass

        r.keep = True
        workers = []
        for i in range(64):
            c = d.connect()
            socks.append(c)
            up = i % 2
            c.sendall((head % ("POST" if up else "GET", i, host, s.cookie,
                               host, "Content-Length: %d\r\n" % (1 << 40)
                               if up else "")).encode())
            workers.append(threading.Thread(target=source if up else sink,
                                            args=(c,), daemon=True))

        def all_open():
            for sid, st in list(r.streams.items()):
                if sid % 2 == 0 and sid not in seen and \
                        b"HTTP/1.1\r\n" in st.data:
                    seen.add(sid)
            return len(seen) == 64
        r.until(all_open, "64 streams")
        t.equal(len(seen), 64, "64 streams are open")
        down = [x for x in seen if b"\nGET " in r.streams[x].data]
        r.keep = False
        for sid in seen:
            r.data(sid, b"OK\n")
            r.streams[sid].credit -= 3
        for sid in down:
            h = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 40)
            r.data(sid, h)
            r.streams[sid].credit -= len(h)
        for w in workers:
            w.start()

        def flood():
            block = b"d" * 32768
            while not stop.is_set() and not r.eof:
                busy = False
                for sid in down:
                    st = r.streams[sid]
                    if st.credit >= len(block):
                        with r.lock:
                            st.credit -= len(block)
                        r.data(sid, block)
                        busy = True
                if not busy:
                    with r.cond:
                        r.cond.wait(0.05)

        fl = threading.Thread(target=flood, daemon=True)
        fl.start()
        up = [x for x in seen if x not in down]
        r.until(lambda: sum(r.streams[x].total for x in up) > 8 << 20,
                "bulk data")
        times = []
        for i in range(5):
            start = r.mark()
            before = time.monotonic()
            r.send(PING, SYN, 0, 100 + i)
            r.wait(lambda f: f.type == PING and not f.flags & SYN and
                   f.length == 100 + i, "ping answer", start)
            times.append(time.monotonic() - before)
        t.diag("ping answers after %s s" % ", ".join("%.3f" % x
                                                     for x in times))
        t.ok(sorted(times)[2] < 1, "tunnel-26(partial): a ping is answered "
             "within 1 s while 64 streams are saturated")
        times = []
        for i in range(5):
            start = r.mark()
            before = time.monotonic()
            sid = r.open()
            r.wait(lambda f: f.id == sid and f.flags & (ACK | RST),
                   "answer to SYN", start)
            times.append(time.monotonic() - before)
            r.send(WINDOW, RST, sid)
        t.diag("SYNs answered after %s s" % ", ".join("%.3f" % x
                                                      for x in times))
        t.ok(sorted(times)[2] < 1, "tunnel-17: SYN is answered within 1 s "
             "under full load")
        t.equal(r.straddles, 0, "tunnel-14: each message holds header and "
                "body, also under load")
        st = s.ask("/65").get()[0]
        t.equal(st, 429, "operator-27(partial) tunnel-41: the 65th stream: "
                "429")
        t.ok(not r.has(lambda f: f.flags & SYN and f.type != PING and
                       f.id % 2 == 0 and f.id not in seen),
             "tunnel-41: and nothing is sent for it")
        stop.set()
        for c in socks:
            c.close()


def odd_texts(d, token):
    """What no text can have, in the strings of documents and outside."""
    with Scene(d, token) as s:
        def told(what, member):
            return until(lambda: (d.api(
                "GET", "/support-sessions/%s/%s" % (s.id, what), token)
                [1]["data"] or {}).get(member), what)

        s.r.document(b'{"services":{"caf\xe9":{"target":"127.0.0.1:1"},'
                     b'"web":{"target":"127.0.0.1:1","label":"K\xfcche"}}}')
        t.ok(s.logged(r"manifest 1: 1 service\b"), "tunnel-30: a manifest "
             "with bytes of Latin-1 is taken")
        t.ok(s.logged(r'manifest: service "caf.*" left out: bad name'),
             "but for the service that has one in its name")
        t.equal({k: v["label"] for k, v in told("services",
                                                "services").items()},
                {"web": "K\ufffdche"}, "and the label of the other is shown")
        s.r.document(
            b'DIAGNOSTICS 1\n{"overall_status":"warning","plugins":[{"id":'
            b'"p","status":"ok","summary":"a\\u0000b","checks":[{"name":'
            b'"host","status":"ok","value":"caf\xe9 \\ud800"}]}]}')
        got = told("diagnostics", "diagnostics")
        t.equal((got["overall_status"], got["plugins"]),
                ("warning", [{"id": "p", "status": "ok",
                              "summary": "a\ufffdb", "checks": [
                                  {"name": "host", "status": "ok",
                                   "value": "caf\ufffd \ufffd"}]}]),
                "tunnel-30: diagnostics with \\u0000 show all that they say")
        s.r.document(
            b'USERS 1\n{"users":{"platform":"ns8","local_users":[{"username":'
            b'"u\xe9","password":"one"},{"username":"v","password":"two"}],'
            b'"apps":[{"id":"a","name":"K\xfcche"}]}}')
        got = told("users", "users")["users"]
        t.equal((got["platform"], got["local_users"], got["apps"]),
                ("ns8", [{"username": "v", "password": "two"}],
                 [{"id": "a", "name": "K\ufffdche"}]),
                "tunnel-30: users, but for whose name is not what it was")
        s.r.document(b'DIAGNOSTICS 1\n{"plugins":[],\xe9}')
        t.ok(s.logged("diagnostics refused: not a JSON object"),
             "outside of strings it is no JSON")
        t.ok(s.r.alive(), "and the tunnel is up")


with Targets() as targets, Relayd(t, proxyds=1) as d, \
        Bystander(t, d, targets) as by:
    for name, part in (("WebSocket lies", websocket_lies),
                       ("yamux lies", yamux_lies),
                       ("unusual shapes", shapes),
                       ("lies in replies", serving),
                       ("odd texts", odd_texts),
                       ("silence", silence),
                       ("64 busy streams", saturated)):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        by.start()
        part(d, by.token)
        by.intact(name)
t.done()
