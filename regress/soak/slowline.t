#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A line of 1 Mbit/s whose windows are all full, in real time, does not look
like a death: with our client in both directions, with the existing one in the
direction that relayd fills (it ends a tunnel itself when its own writes wait
for 10 s)."""

import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
from harness import GoClient, OurClient, Relayd, Tap, Targets, until
from line import Line

# A fifth of the other soaks': two minutes.
SECONDS = float(os.environ.get("RELAYD_SOAK_SECONDS", "600")) / 5
RATE = 125000                   # bytes a second
STREAMS = 8
t = Tap()


def busy(d, sid, cookie, method):
    """A request that never ends; its socket."""
    s = d.connect()
    host = d.proxy_host(sid)
    path = "/sha" if method == "POST" else "/bytes?n=%d&sum=no" % (1 << 40)
    s.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nOrigin: "
               "http://%s\r\n%s\r\n" % (
                   method, path, host, cookie, host,
                   "Content-Length: %d\r\n" % (1 << 40)
                   if method == "POST" else "")).encode())

    def fill():
        block = b"u" * 65536
        try:
            while True:
                s.sendall(block)
        except OSError:
            pass

    def drain():
        try:
            while s.recv(65536):
                pass
        except OSError:
            pass
    threading.Thread(target=fill if method == "POST" else drain,
                     daemon=True).start()
    return s


def soak(d, line, name, start, methods):
    key, secret = d.add_system(name)
    with start(key, secret) as c:
        def mine():
            return [s["session"] for s in d.sessions()
                    if s["tunnel"] == "up" and s["session"] not in known]
        sid = until(mine, "the session of " + name)[0]
        known.add(sid)
        token = d.token(lifetime="2h")
        until(lambda: "web" in (d.api(
            "GET", "/support-sessions/%s/services" % sid, token)
            [1]["data"] or {}).get("services", {}), "the service")
        cookie = d.cookie(sid, token)
        socks = [busy(d, sid, cookie, m) for m in methods
                 for _ in range(STREAMS)]
        # Full is a line whose windows have no room left for new bytes.
        until(lambda: line.down > 2 * RATE or line.up > 2 * RATE,
              "a full line")
        mark = d.log.mark()
        begin = time.monotonic()
        down, up, answers = line.down, line.up, line.requests
        while time.monotonic() - begin < SECONDS:
            time.sleep(1)
            if line.count != 1:
                break
        took = time.monotonic() - begin
        t.diag("%s: %.0f s, %.0f bytes/s to the client, %.0f from it, "
               "%d pings of relayd" % (
                   name, took, (line.down - down) / took,
                   (line.up - up) / took, line.requests - answers))
        t.ok(line.count == 1 and not d.log.has("session %s: lost" % sid,
                                               mark),
             "tunnel-26(partial): %s: %d s of a full line of 1 Mbit/s do not "
             "end the tunnel" % (name, took))
        if "POST" in methods:
            t.ok((line.down - down) / took > RATE * 0.7,
                 "%s: the line to the client was full" % name)
        if "GET" in methods:
            t.ok((line.up - up) / took > RATE * 0.7,
                 "%s: the line from the client was full" % name)
        for s in socks:
            s.close()


known = set()
with Targets() as targets, Relayd(t) as d:
    web = "web=127.0.0.1:%d" % targets.http
    with Line(d.port, RATE) as line:
        soak(d, line, "our client", lambda k, s: OurClient(line, k, s, web),
             ("GET", "POST"))
    with Line(d.port, RATE) as line:
        soak(d, line, "the existing client", lambda k, s: GoClient(
            line, k, s, web, extra=["-keepalive", "30ns"]), ("POST",))
t.done()
