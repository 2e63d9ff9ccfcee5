#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Plain TCP: tickets, bytes both ways, each kind of end, who is let in."""

import hashlib
import json
import os
import re
import signal
import socket
import threading
import time

from clienttest import Target, counter, echo
from harness import GoClient, OurClient, Relayd, Tap, Targets, until

t = Tap()
HALF = {"Sec-WebSocket-Protocol": "half-close"}


def message(w):
    return json.loads(w.body())["message"]


def rows(d, more=""):
    return [(r[0], r[1] is not None, json.loads(r[2])) for r in
            d.rows("select operator_name, disconnected_at, metadata from "
                   "support_access_logs where access_type = 'tcp' " + more +
                   " order by connected_at")]


def talker(s):
    """Says its part, closes its side, and says what it then heard."""
    s.sendall(b"banner")
    s.shutdown(socket.SHUT_WR)
    talker.heard = b""
    while True:
        data = s.recv(65536)
        if not data:
            break
        talker.heard += data
    talker.done.set()


talker.done = threading.Event()


def resetter(s):
    """Goes with a reset in the middle."""
    s.recv(1)
    s.sendall(b"some")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 b"\1\0\0\0\0\0\0\0")


def tickets(d, sid, token):
    w = d.tcp(sid, "echo", "")
    t.equal((w.status, message(w)), (401, "ticket required"), "no ticket: 401")
    w = d.tcp(sid, "echo", "0" * 64)
    t.equal((w.status, message(w)), (401, "invalid or expired ticket"),
            "an unknown ticket: 401")
    ticket = d.tcp_ticket(sid, token, "echo")
    w = d.tcp(sid, "echo", ticket)
    t.equal(w.status, 101, "a ticket opens its service")
    w.close()
    t.equal(d.tcp(sid, "echo", ticket).status, 401, "once")
    w = d.tcp(sid, "echo", d.ticket(sid, token))
    t.equal((w.status, message(w)), (403, "ticket does not match service"),
            "a terminal's ticket opens no TCP")
    ticket = d.tcp_ticket(sid, token, "echo")
    t.equal(d.terminal(sid, ticket).status, 403, "nor one for TCP a terminal")
    t.equal(d.tcp(sid, "echo", ticket).status, 401, "and is used up by that")
    w = d.tcp(sid, "count", d.tcp_ticket(sid, token, "echo"))
    t.equal((w.status, message(w)), (403, "ticket does not match service"),
            "another service: 403")
    w = d.tcp("00000000-0000-4000-8000-000000000000", "echo",
              d.tcp_ticket(sid, token, "echo"))
    # A session that nobody has is asked for at any member.
    t.ok((w.status, message(w)) == (403, "ticket does not match session") or
         (d.members > 1 and w.status == 401),
         "another session: 403, or 401 from who does not know the ticket")
    for name in "terminal", "x" * 64, "x" * 65, "%65cho", "a%00b":
        w = d.tcp(sid, name, d.tcp_ticket(sid, token, "echo"))
        t.equal(w.status, 403, "a ticket is not for %s" % name[:10])
    ticket = d.tcp_ticket(sid, token, "echo")
    d.move_clock(31000)
    t.equal(d.tcp(sid, "echo", ticket).status, 401, "it ends after 30 s")
    ticket = d.tcp_ticket(sid, token, "echo")
    w = d.tcp(sid, "echo", ticket, {"Origin": "https://evil.test"})
    t.equal(w.status, 403, "a foreign Origin: 403")
    w = d.tcp(sid, "echo", ticket)
    t.equal(w.status, 101, "which uses nothing up")
    w.close()
    for service, want in ("none", 404), ("terminal", 400), ("", 400):
        st, env = d.api("POST", "/support-sessions/%s/tcp-ticket" % sid,
                        token, {"service": service})
        t.equal(st, want, "a ticket for %r: %d" % (service, want))
    other = d.token(user="bob", role="customer", org="elsewhere")
    st, env = d.api("POST", "/support-sessions/%s/tcp-ticket" % sid, other,
                    {"service": "echo"})
    t.equal(st, 404, "operator-7(partial): or out of scope: 404")
    w = d.tcp(sid, "closed", d.tcp_ticket(sid, token, "closed"))
    t.equal(w.status, 502, "a target that refuses: 502")
    t.match(message(w), r"service not available: failed to connect to .*"
            r"refused", "with the client's reason")
    st, env = d.api("POST", "/support-sessions/%s/proxy-token" % sid, token,
                    {"service": "echo"})
    t.equal((st, env["message"]), (400, "service is plain TCP and no web "
                                   "service"),
            "no proxy token for a service that is declared tcp")
    cookie = d.cookie(sid, token, "web")
    st, h, body = d.request("GET", "/", d.proxy_host(sid, "echo"),
                            {"Cookie": cookie, "Accept": "text/html"})
    t.equal(st, 400, "nor pages")
    t.match(body.decode(), "plain TCP", "which a page says")
    st, env = d.api("GET", "/support-sessions/%s/services" % sid, token)
    t.equal([n for n, s in env["data"]["services"].items() if s.get("tcp")],
            ["closed", "count", "echo", "reset", "stall", "talk"],
            "the API says which are tcp")


def conversation(d, sid, token, targets):
    w = d.tcp_open(sid, "echo", token)
    t.equal(w.headers.get("sec-websocket-protocol"), "half-close",
            "the subprotocol is agreed upon")
    w.send(b"hello")
    t.equal(w.recv_bytes(5), b"hello", "bytes go and come")
    w.send(b"a", fin=False)
    w.send(b"", op=0, fin=False)
    w.send(b"b", op=0)
    w.send(b"")
    t.equal(w.recv_bytes(2), b"ab", "where messages begin and end is nothing")
    w.send(b"ping", op=9)
    op, p = w.recv()
    t.equal((op, p), (10, b"ping"), "a ping is answered")
    w.send(b"", op=1)
    t.equal(w.recv_close(), (1000, "", []), "a half-close reaches the "
            "service, and when that has ended, too, it is 1000")

    w = d.tcp_open(sid, "count", token)
    for _ in range(3):
        w.send(b"x" * 100000)
    w.send(b"", op=1)
    t.equal(w.recv_close()[2], [b"300000 bytes\n"], "what is said after "
            "a half-close arrives")
    w = d.tcp_open(sid, "count", token, half=False)
    w.send(b"x" * 1000)
    w.send(b"", op=1)
    t.equal(w.recv_close(), (1000, "", [b"1000 bytes\n"]), "without the "
            "subprotocol, too")
    w = d.tcp_open(sid, "talk", token)
    t.equal([w.recv(), w.recv()], [(2, b"banner"), (1, b"")],
            "a service that has said all is heard")
    w.send(b"more")
    w.send(b"", op=1)
    t.equal(w.recv_close()[0], 1000, "and closed when we have")
    t.ok(talker.done.wait(60) and talker.heard == b"more",
         "it hears what we say meanwhile")
    talker.done.clear()
    w = d.tcp_open(sid, "talk", token, half=False)
    t.equal(w.recv_close(), (1000, "", [b"banner"]), "who does not know "
            "half-closes is closed by the service's")
    t.ok(talker.done.wait(60), "the service sees our end")
    w = d.tcp_open(sid, "count", token, half=False)
    n = targets["count"].seen = threading.Event()
    w.send(b"y" * 5000)
    w.send(b"\x03\xe8", op=8)
    t.ok(n.wait(60) and targets["count"].n == 5000, "what was said before a "
         "close arrives whole, with its end")
    w = d.tcp_open(sid, "reset", token)
    w.send(b"x")
    code, reason, got = w.recv_close()
    t.equal((code, reason), (1011, "connection to the service was lost"),
            "a service's reset: 1011, never a clean end")
    w = d.tcp_open(sid, "echo", token)
    w.send(b"no", op=1)
    t.equal(w.recv_close()[0], 1003, "text that is not empty: 1003")
    w = d.tcp_open(sid, "echo", token)
    w.send(b"", op=1)
    w.send(b"more")
    code = w.recv_close()[0]
    t.ok(code in (1000, 1002), "data behind the end: refused, or too late")


def bulk(d, sid, token):
    data = os.urandom(1 << 20)
    want, got = hashlib.sha256(), hashlib.sha256()
    w = d.tcp_open(sid, "echo", token)

    def send():
        for _ in range(32):
            want.update(data)
            w.send(data)
        w.send(b"", op=1)
    x = threading.Thread(target=send)
    x.start()
    n = 0
    while True:
        op, p = w.recv()
        if op == 8:
            break
        if op == 2:
            n += len(p)
            got.update(p)
    x.join()
    t.equal((n, got.digest()), (32 << 20, want.digest()),
            "32 MB there and back are the same")


def rss(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * 4096


def backpressure(d, sid, token, stall):
    """A side that does not read stops the other, and nothing grows."""
    w = d.tcp_open(sid, "stall", token)
    pid = max(int(p["pid"]) for p in d.processes("tcpd"))
    w.send(b"x")
    before = rss(pid)
    w.s.setblocking(False)
    n, end = 0, time.monotonic() + 20
    chunk = b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"\0\0\0\0"
    chunk += bytes(1 << 20)
    quiet = time.monotonic()
    while time.monotonic() - quiet < 1.5 and time.monotonic() < end:
        try:
            n += w.s.send(chunk)
            chunk = chunk[-(1 << 20):]
            quiet = time.monotonic()
        except BlockingIOError:
            time.sleep(0.05)
    t.ok(n < 64 << 20, "a service that does not read stops the operator: "
         "%d KiB" % (n >> 10))
    t.ok(rss(pid) - before < 1 << 20, "tcpd does not grow: %d KiB" %
         ((rss(pid) - before) >> 10))
    w.close()
    stall.go.set()
    w = d.tcp_open(sid, "stall", token)
    pid = max(int(p["pid"]) for p in d.processes("tcpd"))
    before = rss(pid)
    stall.talk.set()
    last = -1
    while stall.said != last or last < 1 << 20:
        last = stall.said
        time.sleep(1.5)
    t.ok(stall.said < 64 << 20, "an operator that does not read stops the "
         "service: %d KiB" % (stall.said >> 10))
    t.ok(rss(pid) - before < 1 << 20, "nor does it grow by that: %d KiB" %
         ((rss(pid) - before) >> 10))
    n = len(w.recv_bytes(stall.said + 100000))
    t.ok(n > 0, "and goes on when it reads")
    w.close()


class Stall:
    """Reads nothing; once told to, the next one writes without end."""

    def __init__(self):
        self.go, self.talk = threading.Event(), threading.Event()
        self.said = 0

    def __call__(self, s):
        if not self.go.is_set():
            self.go.wait()
            return
        self.talk.wait()
        while True:
            s.sendall(b"z" * 65536)
            self.said += 65536


class Counter:
    seen = None
    n = 0

    def __call__(self, s):
        n = 0
        while True:
            data = s.recv(65536)
            if not data:
                break
            n += len(data)
        self.n = n
        if self.seen:
            self.seen.set()
        s.sendall(b"%d bytes\n" % n)


def live(d, sid, token):
    """The bytes of what is open, while it is open."""
    w = d.tcp_open(sid, "echo", token)
    w.send(bytes(100000))
    heard = 0
    while heard < 100000:
        heard += len(w.recv()[1])

    def mine():
        return [x for x in d.ctl("show", "streams")
                if x["kind"] == "tcp" and x["service"] == "echo" and
                int(x["bytes_in"]) >= 100000 and
                int(x["bytes_out"]) >= 100000]
    t.equal(len(until(mine, "the bytes")), 1,
            "show streams: what an open one has moved until now")
    w.close()


def ends(d, sid, token):
    # A worker that dies.
    one, two = d.tcp_open(sid, "echo", token), None
    pids = {int(p["pid"]) for p in d.processes("tcpd")}
    two = d.tcp_open(sid, "echo", token)
    new = {int(p["pid"]) for p in d.processes("tcpd")} - pids
    t.equal(len(new), 1, "a process for each connection")
    d.kill(new.pop())
    try:
        two.recv_close()
        t.ok(False, "its connection breaks")
    except ConnectionError:
        t.ok(True, "a tcpd dies: its connection breaks")
    one.send(b"on")
    t.equal(one.recv_bytes(2), b"on", "the others go on")
    until(lambda: [r for r in rows(d) if not r[1]] == [rows(d)[-2]],
          "its row to be closed")
    # authd's end.
    until(lambda: rows(d)[-2][2]["bytes_in"] == 2 + 3, "its bytes in the row")
    mark = d.log.mark()
    d.kill_all("authd")
    d.log.wait(r"tunnel is back after restart, 1 stream\b", mark)
    one.send(b"still")
    t.equal(one.recv_bytes(5), b"still", "they outlive authd")
    one.send(b"", op=1)
    t.equal(one.recv_close()[0], 1000, "and end as they should")
    until(lambda: all(r[1] for r in rows(d)), "closed rows")
    t.equal((rows(d)[-2][2]["bytes_in"], rows(d)[-2][2]["outcome"]),
            (7 + 3, "finished"), "in the row that was theirs, and none twice")
    # Idle time.
    token = d.token(lifetime="24h")
    w = d.tcp_open(sid, "echo", token)
    for _ in range(3):
        d.move_clock(3600 * 1000)
        w.send(b"x")
        w.recv_bytes(1)
    t.ok(True, "bytes keep it open")
    d.move_clock(7201 * 1000)
    t.equal(w.recv_close()[:2], (1008, "closed due to inactivity"),
            "without any it ends after two hours")
    # Revocation.
    w = d.tcp_open(sid, "echo", token)
    d.ctl("-f", "token", "revoke", "user", "alice")
    t.ok(w.recv_close()[0] in (1008, 1011), "a revoked user's ends")


with Targets() as web, Relayd(t, operator="\tapi rate 100000\n"
                              "\tticket rate 1000\n\ttcp ticket rate 1000\n"
                              '\tconsole origin "https://console.test"') as d:
    key, secret = d.add_system("box")
    count, stall = Counter(), Stall()
    with Target(echo) as e, Target(count) as n, Target(talker) as k, \
            Target(resetter) as r, Target(stall) as s:
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))
        spec = ",".join("%s=127.0.0.1:%d:tcp" % x for x in (
            ("echo", e.port), ("count", n.port), ("talk", k.port),
            ("reset", r.port), ("stall", s.port),
            ("closed", closed.getsockname()[1])))
        with OurClient(d, key, secret,
                       spec + ",web=127.0.0.1:%d" % web.http) as c:
            sid = d.wait_session()["session"]
            token = d.token(lifetime="24h")
            tickets(d, sid, token)
            conversation(d, sid, token, {"count": count})
            bulk(d, sid, token)
            backpressure(d, sid, token, stall)
            w = d.tcp_open(sid, "web", token, half=False)
            w.send(b"GET /status HTTP/1.0\r\n\r\n")
            t.match(b"".join(w.recv_close()[2]).decode("latin-1"),
                    r"^HTTP/1\.[01] ", "a web service has bytes, too")
            d.log.wait(r"info authd.*: tcp echo opened by alice.* from "
                       r"127\.0\.0\.1")
            d.log.wait(r"info tcpd.*: tcp echo of alice.* closed: \w")
            t.ok(True, "the log says who came and went")
            live(d, sid, token)
            ends(d, sid, d.token(lifetime="24h"))
            until(lambda: all(x[1] for x in rows(d)), "closed rows")
            mine = [x for x in rows(d) if x[2]["service"] == "count"]
            t.equal([(x[0], x[2]["bytes_out"]) for x in mine][:2],
                    [("alice", 14 + 300000), ("alice", 14 + 1000)],
                    "each has its row, with its bytes, and CONNECT's")
            t.equal({x[2]["outcome"] for x in mine}, {"finished"},
                    "and how it ended")
t.done()
