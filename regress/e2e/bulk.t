#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Much data: both directions in constant memory, an operator that does not
read, many at once, many given up, and much coming and going. Memory is
measured in the build without sanitizers, by the kernel's numbers for each
process."""

import base64
import hashlib
import json
import os
import resource
import socket
import struct
import sys
import threading
import time

from harness import (FAST_BUILD, GoClient, Relayd, Tap, Targets, WebSocket,
                     until)
from transfer import Bystander

t = Tap()
MIB = 1 << 20


def sanitized():
    """Whether the build that is measured has sanitizers: their numbers say
    nothing about ours."""
    try:
        with open(os.path.join(FAST_BUILD, "config.mk")) as f:
            return "-fsanitize" in f.read()
    except OSError:
        return False


SLOW = sanitized()
BIG = int(os.environ.get("RELAYD_BULK_MIB", "256" if SLOW else "2048")) * MIB
# What a process may grow by while any amount passes through it. For muxd the
# window of one stream at its largest, and its buffers; proxyd keeps no more
# than a buffer each way.
MUXD_GROWTH = 20 * MIB
PROXYD_GROWTH = 4 * MIB


def small(good, text):
    """A test line about memory."""
    if SLOW:
        t.skip("no build without sanitizers, see RELAYD_FAST_BUILD", text)
    else:
        t.ok(good, text)


def memory(pid):
    """(peak, now) of a process: VmHWM and RssAnon, in bytes."""
    out = {}
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            k, v = line.split(":", 1)
            if k in ("VmHWM", "RssAnon"):
                out[k] = int(v.split()[0]) * 1024
    return out["VmHWM"], out["RssAnon"]


def descriptors(pid):
    """How many are open; 0 where only root may look."""
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except PermissionError:
        return 0


class Meter:
    """The processes of a relayd: what they have grown by."""

    def __init__(self, d, session):
        self.pids = {}
        for p in d.processes():
            if p["role"] == "muxd" and p["session"] != session:
                continue
            if p["role"] in ("muxd", "proxyd", "authd", "parent"):
                self.pids["%s %s" % (p["role"], p["pid"])] = int(p["pid"])
        self.start = {n: memory(p) for n, p in self.pids.items()}

    def grown(self, name):
        """(role, growth of the peak, growth of what is private now)."""
        for n, p in sorted(self.pids.items()):
            a, b = self.start[n], memory(p)
            peak, now = b[0] - a[0], b[1] - a[1]
            t.diag("%s: %s: peak +%d KiB to %d KiB, anonymous +%d KiB" % (
                name, n, peak >> 10, b[0] >> 10, now >> 10))
            yield n.split()[0], peak, now

    def check(self, name):
        limits = {"muxd": MUXD_GROWTH, "proxyd": PROXYD_GROWTH,
                  "authd": 4 * MIB, "parent": 4 * MIB}
        worst = {}
        for role, peak, now in self.grown(name):
            worst[role] = max(worst.get(role, 0), peak)
        for role in ("muxd", "proxyd"):
            small(worst[role] <= limits[role], "%s: %s in constant memory "
                  "(+%d KiB, limit %d)" % (name, role, worst[role] >> 10,
                                           limits[role] >> 10))


class Pair:
    """A system with services, its session, an operator."""

    def __init__(self, d, targets):
        self.d = d
        self.c = GoClient(d, *d.add_system("bulk"), "web=127.0.0.1:%d" %
                          targets.http)
        up = self.c.event("connected")
        self.c.event("accepting")
        self.id = up["headers"]["X-Support-Session-Id"]
        self.token = d.token()
        until(lambda: "web" in d.api(
            "GET", "/support-sessions/%s/services" % self.id,
            self.token)[1]["data"]["services"], "the service")
        self.cookie = d.cookie(self.id, self.token)
        self.host = d.proxy_host(self.id)

    def begin(self, path, method="GET", more="", rcvbuf=None):
        s = socket.socket()
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.settimeout(300)
        s.connect(("127.0.0.1", self.d.port))
        s.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n"
                   "Cookie: %s\r\n%s\r\n" % (
                       method, path, self.host, self.host, self.cookie,
                       more)).encode())
        return s

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.c.stop()


def head(s):
    """(status, header fields, first bytes of the body)."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = s.recv(65536)
        if not part:
            raise ConnectionError("closed before a head: %r" % got[:200])
        got += part
    h, rest = got.split(b"\r\n\r\n", 1)
    lines = h.decode("latin-1").split("\r\n")
    return int(lines[0].split(" ")[1]), {
        k.lower(): v for k, v in (x.split(": ", 1) for x in lines[1:])}, rest


def download(p, size, seed=5):
    """(bytes, sum is right) of a download."""
    s = p.begin("/bytes?n=%d&seed=%d" % (size, seed))
    st, h, rest = head(s)
    if st != 200:
        return st, False
    got = hashlib.sha256(rest)
    n = len(rest)
    buf = bytearray(MIB)
    while n < size:
        k = s.recv_into(buf)
        if k == 0:
            break
        got.update(memoryview(buf)[:k])
        n += k
    s.close()
    return n, got.hexdigest() == h["x-sha256"]


def upload(p, size):
    """(bytes, sum is right) as the service saw it."""
    block = os.urandom(MIB)
    got = hashlib.sha256()
    s = p.begin("/sha", "POST", "Content-Length: %d\r\n" % size)
    left = size
    while left > 0:
        part = block if left >= MIB else block[:left]
        s.sendall(part)
        got.update(part)
        left -= len(part)
    st, h, rest = head(s)
    n = int(h["content-length"])
    while len(rest) < n:
        rest += s.recv(65536)
    s.close()
    answer = json.loads(rest)
    return answer["bytes"], answer["sha256"] == got.hexdigest()


def big(d, targets):
    with Pair(d, targets) as p:
        download(p, 16 * MIB)
        upload(p, 16 * MIB)
        for name, f in (("a download of %d MiB" % (BIG // MIB), download),
                        ("an upload of %d MiB" % (BIG // MIB), upload)):
            m = Meter(d, p.id)
            begin = time.monotonic()
            n, good = f(p, BIG)
            t.equal((n, good), (BIG, True), "operator-49(partial): %s "
                    "arrives, SHA-256 right" % name)
            t.diag("%s: %.0f MB/s" % (name, BIG / 1e6 / (time.monotonic() -
                                                         begin)))
            m.check(name)
        s = p.begin("/sse?n=40&ms=25")
        st, h, rest = head(s)
        early = b"event 39" not in rest
        while b"event 39" not in rest:
            rest += s.recv(65536)
        t.ok(st == 200 and early, "operator-49(partial): an event stream "
             "comes event by event")
        s.close()
        t.ok(not p.c.out.has('"closed"'), "the tunnel has borne it")


def unread(d, targets):
    """A download that nobody reads, and another that flows beside it."""
    with Pair(d, targets) as p:
        download(p, 64 * MIB)
        m = Meter(d, p.id)
        stuck = [p.begin("/bytes?n=%d&sum=no" % (1 << 34), rcvbuf=65536)
                 for _ in range(4)]
        for s in stuck:
            st = head(s)[0]
        begin = time.monotonic()
        n, good = download(p, 512 * MIB, 6)
        took = time.monotonic() - begin
        t.equal((n, good), (512 * MIB, True), "four downloads that nobody "
                "reads: another of the same tunnel flows")
        t.diag("%.0f MB/s beside them" % (n / 1e6 / took))
        m.check("four unread downloads")
        before = {n: memory(x)[1] for n, x in m.pids.items()}
        download(p, 64 * MIB, 6)
        grown = {n: memory(x)[1] - before[n] for n, x in m.pids.items()}
        small(all(x < MIB for x in grown.values()), "and they do not grow "
              "with time (%s)" % ", ".join("%s %+d KiB" % (k, v >> 10)
                                           for k, v in grown.items()))
        # An upload to a service that does not read it.
        up = p.begin("/never", "POST", "Content-Length: %d\r\n" % (1 << 34))
        up.setblocking(False)
        block, sent, still = b"u" * MIB, 0, time.monotonic()
        while time.monotonic() - still < 1:
            try:
                sent += up.send(block)
                still = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        t.ok(sent < 64 * MIB, "an upload that nobody reads stops after %d "
             "KiB" % (sent >> 10))
        n, good = upload(p, 64 * MIB)
        t.equal((n, good), (64 * MIB, True), "another upload flows beside it")
        m.check("an unread upload too")
        for s in stuck + [up]:
            s.close()

        def idle():
            x = [x for x in d.sessions() if x["session"] == p.id][0]
            return int(x["streams"]) <= 2
        until(idle, "the streams' end")
        t.ok(not p.c.out.has('"closed"'), "the tunnel has borne it")


def many(d, targets):
    with Pair(d, targets) as p:
        results = {}

        def one(i):
            results[i] = download(p, 4 * MIB, 20 + i % 4)
        m = Meter(d, p.id)
        threads = [threading.Thread(target=one, args=(i,)) for i in range(64)]
        for x in threads:
            x.start()
        for x in threads:
            x.join(120)
        good = [i for i in results if results[i] == (4 * MIB, True)]
        t.equal(len(good), 64, "64 downloads at once on one tunnel, all "
                "intact")
        if len(good) != 64:
            t.diag({i: r for i, r in results.items() if i not in good})
        for role, peak, now in m.grown("64 downloads"):
            if role in ("muxd", "proxyd"):
                small(peak <= 80 * MIB, "64 downloads: %s within the budget "
                      "of a tunnel (+%d KiB)" % (role, peak >> 10))


def given_up(d, targets):
    """Given up half-way, 500 times; what is left is what was there."""
    with Pair(d, targets) as p:
        def some(n):
            for i in range(n):
                s = p.begin("/bytes?n=%d&sum=no" % (8 * MIB))
                st, h, rest = head(s)
                if st != 200:
                    raise ConnectionError("%d: %d" % (i, st))
                got = len(rest)
                while got < (i % 32 + 1) * 16384:
                    got += len(s.recv(65536))
                if i % 2:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
                s.close()

        def idle():
            x = [x for x in d.sessions() if x["session"] == p.id][0]
            return int(x["streams"]) == 0
        some(100)
        until(idle, "no stream")
        m = Meter(d, p.id)
        fds = {n: descriptors(x) for n, x in m.pids.items()}
        some(500)
        until(idle, "no stream after 500")

        def same():
            return all(descriptors(x) <= fds[n] for n, x in m.pids.items())
        try:
            until(same, "the descriptors", 60)
        except TimeoutError:
            pass
        now = {n: descriptors(x) for n, x in m.pids.items()}
        t.equal({n: now[n] <= fds[n] for n in fds}, {n: True for n in fds},
                "500 downloads given up: descriptors are what they were "
                "(%s)" % ", ".join("%s %d" % x for x in sorted(now.items())))
        # Buffers are given back after 2 s of quiet.
        def back():
            return all(memory(x)[1] - m.start[n][1] < MIB
                       for n, x in m.pids.items())
        try:
            until(lambda: SLOW or back(), "the memory", 20)
        except TimeoutError:
            pass
        for role, peak, grown in m.grown("500 given up"):
            small(grown < MIB, "500 downloads given up: %s is as large as "
                  "before (%+d KiB)" % (role, grown >> 10))
        n, good = download(p, 16 * MIB)
        t.equal((n, good), (16 * MIB, True), "and the next download is whole")
        t.ok(not p.c.out.has('"closed"'), "the tunnel has borne it")


def churn(d, targets):
    """Tunnels, terminals and upgrades that come and go."""
    with Pair(d, targets) as p:
        key, secret = d.add_system("churn")
        auth = base64.b64encode(("%s:%s" % (key, secret)).encode()).decode()

        def tunnel(i):
            """One of: a good one, a wrong secret, gone before the answer,
            gone in mid-head."""
            s = d.connect()
            text = ("GET /api/tunnel?node_id=%d HTTP/1.1\r\nHost: x\r\n"
                    "Authorization: Basic %s\r\nConnection: Upgrade\r\n"
                    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % (
                        i % 16, auth if i % 4 != 1 else "eDp5")).encode()
            s.sendall(text if i % 4 != 3 else text[:-20])
            if i % 4 < 2:
                s.recv(100)
            s.close()

        def terminal(i):
            w = d.terminal(p.id, d.ticket(p.id, p.token))
            if i % 3:
                w.send(b"\0exit\r" if i % 3 == 1 else b"\0echo x\r")
            w.close()

        def upgrade(i):
            w = WebSocket(d.connect(), p.host, "/ws", {
                "Cookie": p.cookie, "Origin": "http://" + p.host})
            if w.status != 101:
                raise ConnectionError("upgrade: %d" % w.status)
            w.send(b"x" * i)
            if i % 2:
                w.recv()
            w.close()

        def quiet():
            x = [x for x in d.sessions() if x["session"] == p.id][0]
            return (int(x["streams"]) == 0 and len(d.processes("muxd")) == 2
                    and not d.processes("termd"))

        def rounds(n):
            for i in range(n):
                tunnel(i)
                if i % 4 == 0:
                    upgrade(i)
                if i % 10 == 0:
                    terminal(i // 10)
        rounds(60)
        until(quiet, "quiet")
        m = Meter(d, p.id)
        fds = {n: descriptors(x) for n, x in m.pids.items()}
        rounds(240)
        until(quiet, "quiet after more")

        def settled():
            return all(descriptors(x) <= fds[n] for n, x in m.pids.items())
        try:
            until(settled, "the descriptors", 60)
        except TimeoutError:
            pass
        now = {n: descriptors(x) for n, x in m.pids.items()}
        t.equal({n: now[n] <= fds[n] for n in fds}, {n: True for n in fds},
                "240 tunnels, 60 upgrades, 24 terminals come and go: "
                "descriptors are what they were (%s)" % ", ".join(
                    "%s %d" % x for x in sorted(now.items())))
        for role, peak, grown in m.grown("churn"):
            small(grown < MIB, "and %s is as large as before (%+d KiB)" % (
                role, grown >> 10))
        t.ok(not p.c.out.has('"closed"'), "a tunnel beside them stays")


resource.setrlimit(resource.RLIMIT_NOFILE, (
    min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
    resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
with Targets() as targets, Relayd(t, build=FAST_BUILD, proxyds=2,
                                  verbose=False) as d, \
        Bystander(t, d, targets) as by:
    for name, part in (("big", big), ("unread", unread), ("many", many),
                       ("given up", given_up), ("churn", churn)):
        if not sys.argv[1:] or name in sys.argv[1:]:
            by.start()
            part(d, targets)
            by.intact(name)
t.done()
