#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every limit of the front door, of control streams and of yamux, crossed: the
error seen, the log line, and another tunnel's transfer that arrives intact."""

import json
import resource
import select
import socket
import sys

from harness import GoClient, Relayd, Tap, Targets, until
from transfer import Bystander, creep
from yamuxraw import (ACK, FIN, PING, RST, SYN, WINDOW, Raw, header,
                      manifest_text, ws_frame)

t = Tap()
resource.setrlimit(resource.RLIMIT_NOFILE, (
    min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
    resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def dial(d, source=None):
    """A connection, from an address of 127.0.0.0/8."""
    s = socket.socket()
    s.settimeout(60)
    if source:
        s.bind((source, 0))
    s.connect(("127.0.0.1", d.port))
    return s


def to_end(s):
    """All that comes until the other side closes."""
    got = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return got
            got += part
    except ConnectionResetError:
        return got + b"<reset>"


def gone(s):
    """Closed by the other side, without waiting."""
    p = select.poll()
    p.register(s, select.POLLIN)
    if not p.poll(0):
        return False
    try:
        return s.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def heads(d, by):
    mark = d.log.mark()
    quiet, half, drip = dial(d), dial(d), dial(d)
    half.sendall(b"GET / HTTP/1.1\r\nHost: half.te")
    drip.sendall(b"GET /")
    t.ok(not gone(half), "half a request head: the server waits")
    for i in range(11):
        if i < 10:
            drip.sendall(b"x")
        d.move_clock(1000)
    answer = to_end(half)
    t.match(answer.decode("latin-1"), r"^HTTP/1.1 408 .*",
            "half a request head, then silence: 408 and close after 10 s")
    t.match(to_end(drip).decode("latin-1"), r"^HTTP/1.1 408 ",
            "a byte a second does not prolong it")
    t.equal(to_end(quiet), b"", "not a byte at all: closed without a word")
    t.ok(d.log.wait(r"proxyd.*request refused: request not complete in time", mark),
         "and a log line")

    mark = d.log.mark()
    s = dial(d)
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: ")
    try:
        for _ in range(16):
            s.sendall(b"y" * 65536)
        s.sendall(b"\r\n\r\n")
    except OSError:
        pass        # it may say no before the end
    answer = to_end(s)
    t.match(answer.decode("latin-1"), r"^HTTP/1.1 431 ",
            "a head of 1 MiB: 431 and close")
    t.ok(d.log.wait(r"proxyd.*request refused: ", mark), "and a log line")

    def padded(n):
        base = b"GET /api/nothing HTTP/1.1\r\nHost: x\r\nX-P: \r\n\r\n"
        return base.replace(b"X-P: ", b"X-P: " + b"p" * (n - len(base)))
    for n, want in ((16384, b"404"), (16385, b"431")):
        s = dial(d)
        s.sendall(padded(n))
        got = b""
        while b"\r\n\r\n" not in got:
            got += s.recv(65536)
        t.equal(got.split(b" ")[1], want, "a head of %d bytes: %s" % (
            n, want.decode()))
        s.close()

    # Bodies of the API.
    path = "/support-sessions/%s/proxy-token" % by.session
    auth = {"Authorization": "Bearer " + by.token,
            "Content-Type": "application/json"}
    body = json.dumps({"service": "web"}).encode()
    full = body + b" " * (4096 - len(body))
    st, h, got = d.request("POST", "/api" + path, None, auth, full)
    t.equal(st, 200, "an API body of exactly 4 KiB is read")
    s = dial(d)
    s.sendall(("POST /api%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s"
               "\r\nContent-Length: %d\r\n\r\n" % (path, by.token,
                                                   4097)).encode())
    t.match(to_end_or_body(s), r"^HTTP/1.1 413 ", "an API body over 4 KiB: "
            "413, before it is read")
    s = dial(d)
    s.sendall(("POST /api%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s"
               "\r\nTransfer-Encoding: chunked\r\n\r\n" % (
                   path, by.token)).encode())
    try:
        for _ in range(17):
            s.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
    except OSError:
        pass
    t.match(to_end_or_body(s), r"^HTTP/1.1 413 ", "the same in chunks: 413")


def to_end_or_body(s):
    """An answer's head, as text."""
    got = b""
    try:
        while b"\r\n\r\n" not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except OSError:
        pass
    s.close()
    return got.decode("latin-1")


def crowds(d, by):
    kept = dial(d, "127.0.0.9")         # classified: it has asked before
    kept.sendall(b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    t.match(kept.recv(65536).decode("latin-1"), r"^HTTP/1.1 404 ",
            "a connection that has asked")

    mark = d.log.mark()
    socks = [dial(d, "127.0.0.5") for _ in range(65)]
    until(lambda: any(gone(s) for s in socks), "the 65th to be dropped")
    t.equal(len([s for s in socks if gone(s)]), 1,
            "64 connections of one address wait for a head, the 65th is "
            "closed")
    t.ok(d.log.wait(r"proxyd.*connections dropped early", mark),
         "and a log line")
    s = dial(d, "127.0.0.6")
    s.sendall(b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    t.match(to_head(s), r"^HTTP/1.1 404 ", "another address is served")
    socks[0].sendall(b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    t.match(to_head(socks[0]), r"^HTTP/1.1 404 ", "so is one of the 64")
    s = dial(d, "127.0.0.5")
    s.sendall(b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    t.match(to_head(s), r"^HTTP/1.1 404 ", "which makes room for one more")
    for s in socks:
        s.close()

    # From a hundred addresses, more than fit.
    socks = []
    want = min(7000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    for i in range(want):
        s = dial(d, "127.1.%d.1" % (i // 60 + 1))
        socks.append(s)
    kept.sendall(b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    t.match(kept.recv(65536).decode("latin-1"), r"^HTTP/1.1 404 ",
            "in a crowd, who is known is served")

    def settled():
        """The backlog has been taken when the last one's fate is known."""
        alive = len([s for s in socks if not gone(s)])
        return alive if alive <= 4096 else 0
    alive = until(settled, "the crowd to be thinned")
    t.ok(2048 <= alive <= 4096, "of %d connections without a head %d stay: "
         "early drop above half of 4096" % (want, alive))
    for s in socks:
        s.close()

    def served():
        s = dial(d, "127.0.0.7")
        s.sendall(b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        return "404" in to_head(s)
    until(served, "newcomers to be served")
    t.ok(True, "and when they have gone, newcomers are served")
    kept.close()


def to_head(s):
    got = b""
    try:
        while b"\r\n\r\n" not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except OSError:
        pass
    return got.decode("latin-1")


def streams(d, by, targets):
    """64 downloads that nobody reads, and one more."""
    key, secret = d.add_system("many")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        start = c.event("connected")
        c.event("accepting")
        sid = start["headers"]["X-Support-Session-Id"]
        until(lambda: "web" in d.api(
            "GET", "/support-sessions/%s/services" % sid,
            by.token)[1]["data"]["services"], "the service")
        cookie = d.cookie(sid, by.token)
        socks = []
        for _ in range(64):
            s = dial(d)
            s.sendall(("GET /bytes?n=100000000&sum=no HTTP/1.1\r\nHost: %s"
                       "\r\nCookie: %s\r\n\r\n" % (
                           d.proxy_host(sid), cookie)).encode())
            socks.append(s)
        good = [to_head(s).startswith("HTTP/1.1 200") for s in socks]
        t.equal(sum(good), 64, "64 streams at once")
        st, h, body = d.via(sid, cookie, "/")
        t.equal(st, 429, "tunnel-41 operator-27: the 65th concurrent stream: "
                "429")
        t.ok(b"too many concurrent streams on this tunnel" in body,
             "with its reason")
        socks.pop().close()
        r = until(lambda: (lambda r: r if r[0] == 200 else None)(
            d.via(sid, cookie, "/bytes?n=10")), "a free stream")
        t.equal(len(r[2]), 10, "operator-27: after one ends it works")
        for s in socks:
            s.close()


class Tunnel:
    """A raw client's tunnel."""

    n = 0

    def __init__(self, d):
        Tunnel.n += 1
        self.d, self.mark = d, d.log.mark()
        self.key, self.secret = d.add_system("limits-%d" % Tunnel.n)
        self.r = Raw(d, self.key, self.secret)
        self.id = self.r.session

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.r.close()

    def log(self, pattern, name, mark=None):
        try:
            self.d.log.wait(r"session %s: %s" % (self.id, pattern),
                            self.mark if mark is None else mark)
            t.ok(True, name)
        except TimeoutError:
            t.ok(False, name)
            t.diag(self.d.log.text()[-3000:])


def documents(d, by):
    doc = manifest_text({"web": "127.0.0.1:1"})
    for n, fine in ((1 << 20, True), ((1 << 20) + 1, False),
                    (2 << 20, False)):
        with Tunnel(d) as u:
            sid = u.r.document(doc + b" " * (n - len(doc)))
            if fine:
                u.log(r"manifest 1: 1 service\b", "a manifest of exactly "
                      "1 MiB is taken")
                continue
            u.log(r"control stream %d: too long" % sid,
                  "tunnel-29: a manifest of %d bytes is refused" % n)
            t.ok(u.r.alive(), "tunnel-29: the tunnel is alive")
            u.r.manifest({"web": "127.0.0.1:1"})
            u.log(r"manifest 1: 1 service\b", "and the next one is taken")

    with Tunnel(d) as u:
        u.r.manifest({"s%03d" % i: "127.0.0.1:%d" % (i + 1)
                      for i in range(501)})
        u.log(r"manifest 1: 500 services", "tunnel-29: of 501 services 500 "
              "are kept")
        until(lambda: len(d.api(
            "GET", "/support-sessions/%s/services" % u.id,
            by.token)[1]["data"]["services"]) == 500, "500 services")
        t.ok(True, "tunnel-29: and listed")
        # The second manifest waits its time, the newest one counts.
        creep(d, 1000)
        u.r.manifest({"a": "127.0.0.1:1"})
        sid = u.r.manifest({"b": "127.0.0.1:2"})
        u.r.answered(sid)
        u.r.alive()
        t.ok(not d.log.has(r"session %s: manifest 2" % u.id, u.mark),
             "tunnel-32: an early manifest waits")
        creep(d, 9500)
        u.log(r"manifest 2: 1 service\b", "tunnel-32: and is visible at the "
              "latest 10 s after the first")
        names = until(lambda: (lambda s: s if len(s) == 1 else None)(d.api(
            "GET", "/support-sessions/%s/services" % u.id,
            by.token)[1]["data"]["services"]), "the new table")
        t.equal(list(names), ["b"], "tunnel-32: the newest of two")

    with Tunnel(d) as u:
        u.r.manifest({"good": "127.0.0.1:1", "meta": "169.254.169.254:80",
                      "bad name": "127.0.0.1:1", "terminal": "127.0.0.1:1",
                      "host": {"target": "127.0.0.1:1", "host": "-bad",
                               "tls": False, "label": ""},
                      "noport": "127.0.0.1"})
        u.log(r"manifest 1: 1 service\b", "tunnel-30: refused targets, hosts "
              "and names are left out, the others kept")

    # Diagnostics.
    def report(n, status="ok"):
        doc = {"collected_at": "2031-05-06T07:08:09Z", "duration_ms": 1,
               "overall_status": status, "unknown": 1, "plugins": [
                   {"id": "system", "name": "System", "status": status,
                    "checks": [{"name": "os", "status": "ok", "value": "v",
                                "details": {"x": "y" * 5000}}]}]}
        text = json.dumps(doc).encode()
        return text + b" " * (n - len(text))

    def stored(u):
        row = d.rows("SELECT diagnostics FROM support_sessions WHERE id = ?",
                     u.id)
        return row[0][0] if row else None

    with Tunnel(d) as u:
        sid = u.r.document(b"DIAGNOSTICS 1\n" + report((512 << 10) + 1))
        u.log(r"control stream %d: too long" % sid,
              "tunnel-34: diagnostics of 512 KiB + 1 are refused")
        t.ok(u.r.alive(), "the tunnel is alive")
        t.equal(stored(u), None, "tunnel-34: and not stored")
        u.r.document(b"DIAGNOSTICS 1\n" + report(512 << 10))
        doc = json.loads(until(lambda: stored(u), "the report"))
        t.ok(True, "tunnel-34: of exactly 512 KiB they are stored")
        t.ok("unknown" not in doc and "yyy" not in json.dumps(doc),
             "tunnel-34: unknown members and oversized details are not")
        creep(d, 5000)
        u.r.answered(u.r.document(b"DIAGNOSTICS 1\n" + report(
            1000, "critical")))
        u.r.close()
        u.r = Raw(d, u.key, u.secret)
        t.equal(u.r.session, u.id, "a reconnect")
        u.r.answered(u.r.document(b"DIAGNOSTICS 1\n" + report(
            1000, "critical")))
        u.r.alive()
        d.ctl("show", "stats")
        t.equal(json.loads(stored(u))["overall_status"], "ok",
                "tunnel-34: a second report within 30 s is ignored, also "
                "after a reconnect")
        creep(d, 31000)
        u.r.document(b"DIAGNOSTICS 1\n" + report(1000, "critical"))
        until(lambda: json.loads(stored(u))["overall_status"] == "critical",
              "the later report")
        t.ok(True, "tunnel-34: a later one replaces it")

        # Users.
        sid = u.r.document(b"USERS 1\n" + b"{" + b" " * (256 << 10))
        mark = u.mark
        u.log(r"control stream %d: too long" % sid, "tunnel-35(partial): "
              "users of 256 KiB + 1 are refused", mark)
        sid = u.r.open()
        u.r.data(sid, b"USERS_FETCH 1\n")
        t.equal((u.r.answered(sid), bytes(u.r.streams[sid].data)),
                ("fin", b"{}\n"), "tunnel-36(partial): USERS_FETCH without "
                "data gives exactly {} and FIN")
        u.r.send(WINDOW, FIN, sid)

        # Headers that nobody knows.
        for head in (b"DIAGNOSTICS 2\n{}", b"USERS\n{}", b"DIAG x\n{}",
                     b"U" * 5000, b"DIAGNOSTICS 1 2\n{}", b"D", b"U\0SERS 1\n"):
            before = stored(u)
            sid = u.r.document(head)
            t.equal(u.r.answered(sid), "fin", "tunnel-33: %r is closed"
                    % head[:15])
            t.equal(stored(u), before, "tunnel-33: without effect")
        t.ok(u.r.alive(), "tunnel-33: and the tunnel is alive")


def yamux_limits(d, by):
    with Tunnel(d) as u:
        # A control stream that says nothing more.
        quiet = u.r.open()
        u.r.data(quiet, b'{"version":1,"serv')
        nothing = u.r.open()
        u.r.manifest({"web": "127.0.0.1:1"})
        u.log(r"manifest 1: 1 service\b", "tunnel-37: a silent control stream "
              "does not delay another one")
        creep(d, 25000)
        t.ok(u.r.alive() and not u.r.streams[quiet].rst, "it has 30 s")
        creep(d, 6000)
        t.equal(u.r.answered(quiet), "rst", "then it is reset")
        t.equal(u.r.answered(nothing), "rst", "also with no byte at all")
        u.log(r"control stream %d: not complete after 30 s" % quiet,
              "and a log line says so")

    with Tunnel(d) as u:
        r = u.r
        data = b""
        ids = []
        for _ in range(300):
            ids.append(r.next)
            data += header(WINDOW, SYN, r.next, 0)
            r.next += 2
        r.raw(ws_frame(data))

        def answered():
            acks = [f.id for f in r.frames if f.flags & ACK and
                    f.type == WINDOW]
            rsts = [f.id for f in r.frames if f.flags & RST]
            return len(acks) + len(rsts) >= 300 and (acks, rsts)
        acks, rsts = r.until(answered, "300 answers")
        t.equal((len(acks), len(rsts)), (256, 44), "tunnel-18: of 300 SYNs "
                "at once 256 are accepted, the rest RST")
        t.ok(r.alive(), "tunnel-18: the tunnel is alive")
        for sid in acks[:2]:
            r.send(WINDOW, RST, sid)
        t.ok(r.alive(), "after two of them end")
        r.manifest({"web": "127.0.0.1:1"})
        u.log(r"manifest 1: 1 service\b", "tunnel-18: there is room again")

    # Opened and reset, again and again; then without reading the answers.
    with Tunnel(d) as u:
        r = u.r
        for _ in range(40):
            data = b""
            for _ in range(1000):
                data += header(WINDOW, SYN, r.next, 0) + \
                    header(WINDOW, RST, r.next, 0)
                r.next += 2
            r.raw(ws_frame(data))
        t.ok(r.alive(), "40,000 streams opened and reset: the tunnel is "
             "alive")
        r.manifest({"web": "127.0.0.1:1"})
        u.log(r"manifest 1: 1 service\b", "and has room for more")
    with Tunnel(d) as u:
        r = u.r
        r.deaf = True
        r.send(PING, SYN, 0, 1)         # the reader stops behind its answer
        for _ in range(400):
            if r.broken:
                break
            data = b""
            for _ in range(2000):
                data += header(WINDOW, SYN, r.next, 0)
                r.next += 2
            r.raw(ws_frame(data))
        try:
            d.log.wait(r"session %s: (closing: 1008 too many refused streams|"
                       r"lost)" % u.id, u.mark)
            good = True
        except TimeoutError:
            good = False
        t.ok(good, "SYNs without end from a client that does not read: the "
             "tunnel ends")
        r.deaf = False

    # 5 are answered at once, 64 may wait, one a second.
    with Tunnel(d) as u:
        u.r.raw(ws_frame(b"".join(header(PING, SYN, 0, i)
                                  for i in range(69))))
        u.r.wait(lambda f: f.type == PING and f.flags == ACK and
                 f.length == 4, "the fifth answer")
        sid = u.r.manifest({"web": "127.0.0.1:1"})
        u.r.answered(sid)
        t.ok(True, "tunnel-25(partial): 64 unanswered ping requests are "
             "borne")
        n = len([f for f in u.r.frames if f.type == PING and f.flags == ACK])
        t.ok(n <= 30, "and their answers paced (%d of 69 so far)" % n)
        u.r.raw(ws_frame(b"".join(header(PING, SYN, 0, 200 + i)
                                  for i in range(65))))
        t.equal(u.r.ended()[0], 1008, "tunnel-25(partial): 65 unanswered "
                "requests end the tunnel with 1008")
        u.log(r"closing: 1008 too many unanswered pings", "and a log line")


def overlong(d):
    """A head that cannot be read, and then one of somebody who names no host."""
    pid, told = d.pid_of("proxyd"), []
    for name in (b"Host: x\r\n", b"") * 2:
        s = d.connect()
        s.sendall(b"GET / HTTP/1.1\r\n" + name + b"X: y\r\n" * 300 + b"\r\n")
        told.append(to_end(s).split(b" ")[1:2])
    t.equal(told, [[b"431"]] * 4, "too many fields: 431")
    t.equal(d.pid_of("proxyd"), pid, "and nobody ends by that")


with Targets() as targets, Relayd(t, proxyds=1) as d, \
        Bystander(t, d, targets) as by:
    for name, part in (("heads", lambda: heads(d, by)),
                       ("crowds", lambda: crowds(d, by)),
                       ("65 streams", lambda: streams(d, by, targets)),
                       ("documents", lambda: documents(d, by)),
                       ("yamux limits", lambda: yamux_limits(d, by))):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        by.start()
        part()
        by.intact(name)
with Relayd(t, proxyds=1, front=443) as d:
    overlong(d)
t.done()
