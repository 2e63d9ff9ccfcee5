#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Bad lines between a client, ours and the existing one, and relayd: segments that
are lost and late, a byte at a time, silence, resets, and a line of which one half has
gone. What arrives is what was sent, by SHA-256; a session that lost its tunnel has it
again; and whoever waits hears an end."""

import hashlib
import json
import os
import threading
import time

from harness import GoClient, OurClient, Relayd, Tap, Targets, is_up, until
from weather import Weather

SEED = os.environ.get("RELAYD_SEED", "5")
PATIENCE = 120          # s; under sanitizers, with others beside it
t = Tap()
print("# again: RELAYD_SEED=%s" % SEED, flush=True)


class Side:
    """One client behind a line of its own."""

    def __init__(self, d, name, kind, targets, **kw):
        self.d, self.name = d, name
        self.line = Weather(d.port, SEED + name)
        known = {s["session"] for s in d.sessions()}
        self.c = kind(self.line, *d.add_system(name),
                      "web=127.0.0.1:%d" % targets.http, **kw)
        self.id = d.wait_session(but=known)["session"]
        self.token = d.token(lifetime="2h")
        self.cookie = d.cookie(self.id, self.token)
        self.bad = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.c.stop()
        self.line.__exit__()

    def is_up(self):
        return any(s["session"] == self.id and is_up(s)
                   for s in self.d.sessions())

    def serves(self):
        """Back, with the table of its services."""
        return self.is_up() and "web" in (self.d.api(
            "GET", "/support-sessions/%s/services" % self.id, self.token)
            [1]["data"] or {}).get("services", {})

    def transfer(self, size):
        """Down and up; what was wrong, or None."""
        st, h, data = self.d.via(self.id, self.cookie,
                                 "/bytes?n=%d&seed=%d" % (size, size))
        if (st, len(data)) != (200, size) or \
                hashlib.sha256(data).hexdigest() != h.get("x-sha256"):
            return "down: %d, %d bytes" % (st, len(data))
        st, _, got = self.d.via(self.id, self.cookie, "/sha", "POST",
                                body=data, headers={
            "Origin": "http://" + self.d.proxy_host(self.id)})
        if st != 200 or json.loads(got)["sha256"] != \
                hashlib.sha256(data).hexdigest():
            return "up: %d %r" % (st, got[:100])
        return None

    def run(self, f):
        try:
            self.bad = f(self)
        except Exception as e:          # told by both()
            self.bad = repr(e)


def both(sides, f, text):
    """At the same time; whoever has not done it by then hangs."""
    threads = [threading.Thread(target=s.run, args=(f,), daemon=True)
               for s in sides]
    for s, x in zip(sides, threads):
        s.bad = "hangs"
        x.start()
    end = time.monotonic() + PATIENCE
    for x in threads:
        x.join(max(0, end - time.monotonic()))
    for s in sides:
        t.equal(s.bad, None, "%s: %s" % (s.name, text))


def weather(sides, kind, size, text):
    """Transfers in it, over the same connection as before."""
    was = [(s.line.count, s.line.passed) for s in sides]
    for s in sides:
        s.line.is_now(kind)
    both(sides, lambda s: s.transfer(size), text)
    for s, (count, passed) in zip(sides, was):
        t.ok(s.line.count == count and s.is_up(),
             "%s: %s: with the tunnel that it had" % (s.name, kind))
        t.ok(s.line.passed > passed or kind == "bytes",
             "%s: %s: there was some" % (s.name, kind))
        s.line.is_now("clear")


def begun(side, size):
    """A download of which the first bytes are here; its socket."""
    s = side.d.connect()
    s.settimeout(PATIENCE)
    s.sendall(("GET /bytes?n=%d&seed=1 HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n"
               "\r\n" % (size, side.d.proxy_host(side.id),
                         side.cookie)).encode())
    n = len(s.recv(65536))
    if n == 0:
        raise ConnectionError("refused")
    return s, n


def rest(s):
    """Until its end, or a reset."""
    n = 0
    try:
        while part := s.recv(1 << 16):
            n += len(part)
    except ConnectionResetError:
        pass
    return n


def silence(sides):
    """Less than what a tunnel is taken for dead after."""
    for s in sides:
        s.line.is_now("still")
    timer = threading.Timer(4, lambda: [s.line.is_now("clear")
                                        for s in sides])
    timer.start()
    both(sides, lambda s: s.transfer(1 << 16),
         "tunnel-26(partial): 4 s of silence: a transfer waits, and is whole")
    timer.join()
    for s in sides:
        t.ok(s.is_up(), "%s: and the tunnel is there" % s.name)


def resets(sides):
    def one(s):
        sock, n = begun(s, 64 << 20)
        count = s.line.count
        s.line.reset()
        n += rest(sock)
        if n >= 64 << 20:
            return "was not cut"
        until(lambda: s.line.count > count and s.serves(), "its return",
              PATIENCE)
        return s.transfer(1 << 16)
    both(sides, one, "tunnel-44(partial): a reset amid a download: it ends, the "
         "session comes back and serves")


def half(d, sides):
    """The server hears the client, which hears nothing, and no end."""
    socks = [begun(s, 1 << 30) for s in sides]
    counts = [s.line.count for s in sides]
    for s in sides:
        s.line.is_now("half")

    def server(s):
        # It does not hear its pings answered; a minute and more, in steps
        # that nobody else takes for silence.
        for _ in range(40):
            if not s.is_up():
                break
            d.move_clock(5000)
            time.sleep(0.2)
        else:
            return "is still up"
        n = rest(socks[sides.index(s)][0])
        return "was not cut" if n >= 1 << 30 else None
    both(sides, server, "tunnel-26(partial): half a line: relayd ends it, and who "
         "downloads hears so")

    def back(s):
        s.line.is_now("clear")
        until(lambda: s.line.count > counts[sides.index(s)] and s.serves(),
              "its return", PATIENCE)
        return s.transfer(1 << 16)
    both(sides, back, "and the client notices and comes back to its session")


with Targets() as targets, Relayd(t) as d, \
        Side(d, "ours", OurClient, targets) as ours, \
        Side(d, "go", GoClient, targets,
             extra=["-reconnect-delay", "200ms", "-keepalive", "5s"]) as go:
    sides = [ours, go]
    both(sides, lambda s: s.transfer(1 << 20), "a clear line")
    weather(sides, "loss", 1 << 20, "2 in 100 segments lost: all is whole")
    weather(sides, "jitter", 1 << 20, "each segment late by chance: all is whole")
    weather(sides, "bytes", 20000, "one byte at a time: all is whole")
    silence(sides)
    resets(sides)
    half(d, sides)
    t.equal(sorted(s["session"] for s in d.sessions() if is_up(s)),
            sorted(s.id for s in sides), "both sessions are there, and no other")
t.done()
