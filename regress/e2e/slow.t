#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Services that do not answer or answer nonsense, clients that vanish, are
killed, or are there only in half. For each: what the caller sees, the log
line, and another tunnel's transfer that arrives intact."""

import hashlib
import http.client
import os
import signal
import socket
import sys
import threading

from harness import GoClient, Relayd, Tap, Targets, free_port, until
from transfer import Bystander, creep
from yamuxraw import Raw

t = Tap()
IDLE = 120      # seconds: `proxied idle timeout` here


class Office:
    """A system with the existing client's stand-in, an operator's cookies."""

    n = 0

    def __init__(self, d, by, targets, dead):
        Office.n += 1
        self.d, self.token = d, by.token
        self.key, self.secret = d.add_system("office-%d" % Office.n)
        self.services = "web=127.0.0.1:%d,dead=127.0.0.1:%d,echo=127.0.0." \
            "1:%d" % (targets.http, dead, targets.echo)
        self.dial()
        self.cookie = {s: d.cookie(self.id, self.token, s)
                       for s in ("web", "dead", "echo")}

    def dial(self):
        self.mark = self.d.log.mark()
        self.c = GoClient(self.d, self.key, self.secret, self.services,
                          extra=["-reconnect-delay", "200ms"])
        up = self.c.event("connected")
        self.c.event("accepting")
        self.id = up["headers"]["X-Support-Session-Id"]
        until(lambda: "web" in self.d.api(
            "GET", "/support-sessions/%s/services" % self.id,
            self.token)[1]["data"]["services"], "the services")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.c.p.send_signal(signal.SIGCONT)
        self.c.stop()

    def get(self, path, service="web", **kw):
        return self.d.via(self.id, self.cookie[service], path,
                          service=service, **kw)

    def begin(self, path, service="web", method="GET", more=""):
        """A request on a connection of its own, not read."""
        s = self.d.connect()
        host = self.d.proxy_host(self.id, service)
        s.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n"
                   "Cookie: %s\r\n%s\r\n" % (
                       method, path, host, host, self.cookie[service],
                       more)).encode())
        return s

    def logged(self, pattern, name):
        try:
            self.d.log.wait(pattern, self.mark)
            t.ok(True, name)
        except TimeoutError as e:
            t.ok(False, name)
            t.diag(str(e)[-2000:])

    def up(self):
        return [x for x in self.d.sessions() if x["session"] == self.id and
                x["status"] == "active" and x["tunnel"] == "up"]


def head(s):
    """(status, rest) once a response head is there."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = s.recv(65536)
        if not part:
            return 0, got
        got += part
    h, rest = got.split(b"\r\n\r\n", 1)
    return int(h.split(b" ")[1]), rest


def drain(s):
    """Bytes until the other side closes or resets."""
    n = 0
    try:
        while True:
            part = s.recv(262144)
            if not part:
                return n
            n += len(part)
    except OSError:
        return n


def services(d, by, targets, dead):
    with Office(d, by, targets, dead) as o:
        # Never answers.
        s = o.begin("/never")
        st = o.get("/bytes?n=10")[0]
        t.equal(st, 200, "while one service's answer is awaited others come")
        creep(d, IDLE * 500)
        p = s.gettimeout()
        s.settimeout(0.05)
        try:
            early = s.recv(1)
        except TimeoutError:
            early = None
        t.equal(early, None, "a service that never answers has its time")
        s.settimeout(p)
        creep(d, IDLE * 500 + 1000)
        st, rest = head(s)
        t.equal(st, 504, "a service that never answers: 504")
        t.ok(b"did not answer in time" in rest, "with the reason")
        o.logged(r"stream .*web.*ended|did not answer in time",
                 "and a log line")
        s.close()
        t.equal(o.get("/bytes?n=10")[0], 200, "the next request is served")

        # Garbage.
        st, h, body = o.get("/garbage")
        t.equal(st, 502, "a service that answers garbage: 502")
        t.ok(b"begin with a status line" in body, "with the reason")
        o.logged(r"session %s: web: answer refused: it does not begin" %
                 o.id, "and a log line")

        def raw_service(answer, shut=True):
            """A TCP service with one answer for one request, as `dead`."""
            l = socket.socket()
            l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            l.bind(("127.0.0.1", dead))
            l.listen(8)

            def serve():
                c, _ = l.accept()
                c.recv(65536)
                try:
                    c.sendall(answer)
                except OSError:
                    pass
                if shut:
                    c.close()
            th = threading.Thread(target=serve, daemon=True)
            th.start()
            return l
        cases = [
            ("a head without end", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 270000,
             502),
            ("nothing at all", b"", 502),
            ("half a head", b"HTTP/1.1 200 OK\r\nContent-Le", 502),
            ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
             b"Content-Length: 2\r\n\r\nab", 502),
            ("a length that is none (browsers read to the end)",
             b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200),
            ("a status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n", 502),
            ("a NUL in the head", b"HTTP/1.1 200 OK\r\nX: a\0b\r\n"
             b"Content-Length: 0\r\n\r\n", 502),
        ]
        for name, answer, want in cases:
            l = raw_service(answer)
            try:
                st = o.get("/", "dead")[0]
            except http.client.HTTPException as e:
                st = repr(e)
            t.equal(st, want, "a service that answers %s: %d" % (name, want))
            l.close()
        l = raw_service(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                        b"\r\n5\r\nhello\r\nzz\r\n")
        try:
            good = o.get("/", "dead")[0] == 502
        except (OSError, http.client.HTTPException):
            good = True
        t.ok(good, "garbage where a chunk should be: never a short 200")
        o.logged(r"session %s: dead: answer (refused|broken off): malformed "
                 r"chunks: what should be a size is none" % o.id,
                 "and a log line says which")
        l.close()

        # Chunks as old devices say them.
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for name, answer in (
                ("lines that end in LF", b"5\nhello\n6\n world\n0\n\n"),
                ("no last line", b"b\r\nhello world\r\n0\r\n"),
                ("blanks behind a size", b"b  \r\nhello world\r\n0\r\n\r\n"),
                ("strict ones first", b"5\r\nhello\r\n6\n world\n0\n")):
            l = raw_service(chunked + answer)
            st, h, body = o.get("/", "dead")
            t.equal((st, body), (200, b"hello world"),
                    "chunks of old servers: %s" % name)
            l.close()

        # Broken transfers, and one that ends by closing.
        for path in ("/close-mid?n=1000000", "/reset?n=1000000"):
            try:
                st, h, body = o.get(path)
                good = st == 502
            except (OSError, http.client.HTTPException):
                good = True
            t.ok(good, "operator-52: %s: never a short 200" % path)
        st, h, body = o.get("/nolength?n=3000000")
        t.equal((st, len(body), hashlib.sha256(body).hexdigest()),
                (200, 3000000, h["X-SHA256"]), "a response that ends with "
                "the connection is whole")
        st, h, body = o.get("/chunked?n=3000000")
        t.equal(hashlib.sha256(body).hexdigest(), h["X-SHA256"],
                "one in chunks too")

        st, h, body = o.get("/", "dead")
        t.equal(st, 502, "operator-52: target down: 502")
        t.ok(b"refused" in body, "operator-52: with the client's reason")
        o.logged(r"dead: client says: ", "and a log line")
        t.ok(o.up() and not o.c.out.has('"closed"'),
             "the tunnel has borne all of it")


def vanished(d, by, targets, dead):
    # Stopped: the kernel still acknowledges, nobody answers.
    with Office(d, by, targets, dead) as o:
        down = o.begin("/bytes?n=200000000&sum=no")
        st, rest = head(down)
        t.equal(st, 200, "a download begins")
        o.c.p.send_signal(signal.SIGSTOP)
        got = []
        reader = threading.Thread(target=lambda: got.append(drain(down)),
                                  daemon=True)
        reader.start()
        upload = o.begin("/discard", method="POST",
                         more="Content-Length: 50000000\r\n")
        sent = [0]

        def push():
            try:
                while sent[0] < 50000000:
                    sent[0] += upload.send(b"u" * 65536)
            except OSError:
                pass
        pusher = threading.Thread(target=push, daemon=True)
        pusher.start()
        for _ in range(40):
            if not o.up():
                break
            d.move_clock(1000)
        until(lambda: not o.up(), "the end of the tunnel")
        t.ok(True, "tunnel-26(partial): a client that vanishes without FIN "
             "is noticed")
        o.logged(r"session %s: lost: peer (is silent|does not answer)" % o.id,
                 "and a log line says so")
        reader.join(60)
        t.ok(got and got[0] + len(rest) < 200000000,
             "a download that ran is visibly broken")
        pusher.join(60)
        try:
            st = head(upload)[0]
        except OSError:
            st = 0
        t.ok(st in (0, 502), "an upload that ran is told so (%d)" % st)
        upload.close()
        st = o.get("/")[0]
        t.equal(st, 404, "the next request: no tunnel")
        o.c.p.send_signal(signal.SIGCONT)
        until(o.up, "the return")
        st = until(lambda: (lambda r: r[0] == 200 and r)(
            o.get("/bytes?n=10")), "service again")[0]
        t.equal(st, 200, "the client returns into its session")


def killed(d, by, targets, dead):
    with Office(d, by, targets, dead) as o:
        down = o.begin("/bytes?n=200000000&sum=no")
        st, rest = head(down)
        o.c.p.kill()
        o.c.p.wait()
        n = drain(down) + len(rest)
        t.ok(st == 200 and n < 200000000, "a client killed -9: a download "
             "that ran is visibly broken")
        until(lambda: not o.up(), "the end of the tunnel")
        o.logged(r"session %s: lost: " % o.id, "and a log line")
        st, env = d.api("GET", "/support-sessions/" + o.id, by.token)
        t.equal((env["data"]["status"], env["data"]["tunnel_connected"]),
                ("active", False), "the session has its grace")
        before = o.id
        o.dial()
        t.equal(o.id, before, "a new client gets the same session")
        t.equal(o.get("/bytes?n=10")[0], 200, "and serves")
        until(lambda: not [p for p in d.processes("muxd")
                           if p["session"] not in (o.id, by.session)],
              "no worker of old")
        t.equal(len(d.processes("muxd")), 2, "no worker is left over")


def halves(d, by, targets, dead):
    """Each side closes one direction and keeps the other."""
    with Office(d, by, targets, dead) as o:
        s = o.begin("/bytes?n=5000000&seed=3")
        s.shutdown(socket.SHUT_WR)
        st, rest = head(s)
        n = len(rest) + drain(s) if st else 0
        t.ok(st == 0 or n == 5000000, "an operator who half-closes behind "
             "its request gets all or nothing (%d, %d bytes)" % (st, n))
        s.close()

        # The operator goes without a word, in the middle of a download.
        for how in ("close", "reset"):
            s = o.begin("/bytes?n=100000000&sum=no")
            st, rest = head(s)
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b"\1\0\0\0\0\0\0\0")
            s.close()

            def idle():
                x = [x for x in d.sessions() if x["session"] == o.id][0]
                return int(x["streams"]) == 0
            until(idle, "the stream's end")
            t.ok(True, "an operator who goes in mid-download (%s) leaves no "
                 "stream behind" % how)
        # And in the middle of an upload: the service must see it broken.
        s = o.begin("/sha", method="POST",
                    more="Content-Length: 1000000\r\n")
        s.sendall(b"x" * 500000)
        s.close()
        until(idle, "the upload's end")
        t.ok(True, "and in mid-upload")
        t.equal(o.get("/bytes?n=10")[0], 200, "the tunnel serves on")


def hung(d, by, targets, dead):
    """authd lives but says nothing: deadlines, and late answers."""
    with Office(d, by, targets, dead) as o:
        slow = d.token("slow")
        st, env = d.api("POST", "/support-sessions/%s/proxy-token" % o.id,
                        slow, {"service": "web"})
        exchange = "/?token=" + env["data"]["token"]
        pids = sorted((p["role"], p["pid"]) for p in d.processes())
        pid = int([p for r, p in pids if r == "authd"][0])
        os.kill(pid, signal.SIGSTOP)
        try:
            st, h, body = d.request("GET", exchange, d.proxy_host(o.id))
            t.equal(st, 503, "authd does not answer: a new grant gets 503 "
                    "after its 2 s")
            st, env = d.api("GET", "/support-sessions/" + o.id, slow)
            t.equal(st, 503, "an API call after its 10 s")
            r = d.ctl_raw("show", "sessions")
            t.ok(r.returncode != 0 and r.stderr.strip(), "relayctl says so: "
                 "%s" % r.stderr.strip())
            st, h, body = d.request("GET", "/api/tunnel", None, {
                "Authorization": "Basic eDp5", "Connection": "Upgrade",
                "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
            t.equal(st, 503, "a client that wants a tunnel too")
            t.ok(h["Retry-After"], "with Retry-After")
            t.ok(by.transfer.error is None, "what runs goes on")
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: d.request("GET", exchange, d.proxy_host(o.id))[0] ==
              302, "the grant")
        t.ok(True, "when it speaks again, late answers do no harm")
        t.equal(o.get("/bytes?n=10")[0], 200, "and requests are served")
        t.equal(sorted((p["role"], p["pid"]) for p in d.processes()), pids,
                "with the processes that were there before")


def stopped(d, by, targets, dead):
    """An orderly stop and a new start: no transfer outlives that."""
    with Office(d, by, targets, dead) as o:
        o.c.stop(signal.SIGKILL)
        until(lambda: not o.up(), "the loss of the client")
        lost = o.id
        raw = Raw(d, *d.add_system("raw"), echo=False)
        until(lambda: raw.session in [x["session"] for x in d.sessions()
                                      if x["status"] == "active"], "it")
        with GoClient(d, *d.add_system("closed"),
                      "web=127.0.0.1:1") as c:
            up = c.event("connected")
            c.event("accepting")
            for sid in (raw.session,
                        up["headers"]["X-Support-Session-Id"]):
                st = d.api("DELETE", "/support-sessions/" + sid, by.token)[0]
                if st != 200:
                    t.diag("DELETE: %d" % st)
            raw.until(lambda: raw.raw_close, "close frame")
            closed = raw.raw_close, c.wait()
        raw.close()
        mark = by.client.out.mark()
        t.equal(d.stop(), 0, "an orderly stop: exit 0")
        gone = by.client.event("closed", mark)
        again = by.client.out.mark()
        d.start()
        up = by.client.event("connected", again)
        t.equal(closed + (gone["code"],),
                (bytes.fromhex("88100fa073657373696f6e5f636c6f736564"), 0,
                 1001), "tunnel-15: operator close: 18 bytes, the Go client "
                "exits 0; server stop: 1001, and it is back")
        t.equal(up["headers"]["X-Support-Session-Id"], by.session,
                "tunnel-52(partial): the client is back in the same session")
        st, env = d.api("GET", "/support-sessions/" + lost, by.token)
        t.equal(env["data"]["status"], "active", "a session without its "
                "client waits")
        # It is 330 s, and runs on by itself while the steps are made.
        creep(d, 270000)
        env = d.api("GET", "/support-sessions/" + lost, by.token)[1]
        t.equal(env["data"]["status"], "active", "for the start-up grace")
        creep(d, 65000)
        env = d.api("GET", "/support-sessions/" + lost, by.token)[1]
        t.equal((env["data"]["status"], env["data"]["closed_by"],
                 up["headers"]["X-Support-Session-Id"]),
                ("closed", "disconnect", by.session),
                "tunnel-52: after a restart a client is back in its session; "
                "without one it closes after the start-up grace")


# The watchdog would end an authd that is to hang for longer.
os.environ["RELAYD_TEST_NO_WATCHDOG"] = "1"
with Targets() as targets, Relayd(
        t, proxyds=2, operator="\tproxied idle timeout %ds\n" % IDLE) as d, \
        Bystander(t, d, targets, ["-reconnect-delay", "300ms"]) as by:
    closed = free_port()
    for name, part in (("services", services), ("vanished", vanished),
                       ("killed", killed), ("halves", halves), ("hung", hung),
                       ("stopped", stopped)):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        if part is stopped:
            part(d, by, targets, closed)
            continue
        # One long one where new streams cannot be had.
        by.start(*[96 << 20, 2 << 20] if part is hung else [])
        part(d, by, targets, closed)
        by.intact(name)
t.done()
