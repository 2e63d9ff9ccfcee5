#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""common/yamux/yamux.c against hashicorp/yamux, over WebSocket, in both roles.

The C end is regress/interop/yamux_peer, the Go end cmd/yamuxpeer; both open
and accept streams at the same time, and each compares what came back with the
SHA-256 of what it sent."""

import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
from harness import BUILD, Program, Tap, go_program

if shutil.which("go") is None:
    print("1..0 # SKIP no Go toolchain for the yamux peer")
    sys.exit(0)

subprocess.run(["make", "-s", "-C", BUILD, "regress/interop/yamux_peer"],
               check=True, stdout=sys.stderr)
C = os.path.join(BUILD, "regress", "interop", "yamux_peer")
GO = go_program("yamuxpeer")
t = Tap()


def result(p):
    """The counters a program ends with."""
    try:
        r = json.loads(p.out.wait(r"^\{").string)
        p.wait()
    except (TimeoutError, subprocess.TimeoutExpired) as e:
        t.diag("%s\n%s" % (e, p.err.text()))
        return {}
    t.diag("%s: %s" % (os.path.basename(p.argv[0]), json.dumps(r)))
    if p.err.text():
        t.diag(p.err.text())
    return r


def port(p):
    return p.out.wait(r"^port (\d+)").group(1)


def c_listens(c_role, go_role, *go_args):
    with Program([C, "-r", c_role]) as c:
        with Program([GO, "-connect", port(c), "-role", go_role,
                      *go_args]) as g:
            return result(c), result(g)


def mix(name, c, g):
    """1,000 streams from each side, 64 at once."""
    t.ok(c.get("bad") == 0 and c.get("error") == "" and
         c.get("opened", 0) >= 1000 and c["good"] == c["opened"],
         "tunnel-22(partial) tunnel-23(partial): %s: all streams that C "
         "opened ended well, bytes compared" % name)
    t.ok(g.get("bad") == 0 and g.get("error") == "" and
         g.get("opened") == 1000 and g["good"] == 1000,
         "tunnel-17(partial) tunnel-23(partial): %s: all streams that Go "
         "opened ended well, nothing was logged" % name)
    t.ok(c.get("resets", 0) > 0 and g.get("resets", 0) > c["resets"],
         "tunnel-24(partial): %s: resets arrive" % name)
    t.ok(c.get("rtt_ms", 0) > 0 and g.get("rtt_ms", 0) > 0,
         "tunnel-26(partial): %s: pings are answered both ways" % name)
    t.ok(c.get("goaway_stops_open") and g.get("goaway_stops_open"),
         "tunnel-27(partial): %s: go-away 0 stops opening, both ways" % name)
    t.ok(c.get("streams_left") == 0 and c.get("credit_left") == 0,
         "%s: nothing is left of a stream" % name)


c, g = c_listens("mix", "mix")
mix("C server, Go client", c, g)

with Program([GO, "-role", "mix"]) as go:
    with Program([C, "-c", port(go), "-r", "mix"]) as cc:
        c, g = result(cc), result(go)
mix("Go server, C client", c, g)

# A Go client that opens 300 streams from as many goroutines.
c, g = c_listens("accept", "open")
t.ok(c.get("accepted") == 256 and c.get("refused_in") == 44,
     "tunnel-18(partial): 256 of 300 SYNs of a Go client are accepted")
t.ok(g.get("good") == 256 and g.get("refused") == 44 and g.get("bad") == 0,
     "tunnel-18(partial): the rest is reset, the accepted and the "
     "connection live")

# A Go client that accepts nothing yet: its backlog is 256.
with Program([C, "-r", "backlog"]) as cc:
    with Program([GO, "-connect", port(cc), "-role", "backlog"],
                 stdin=subprocess.PIPE) as go:
        refused = cc.out.wait(r"^refused (\d+)").group(1)
        go.p.stdin.write(b"accept\n")
        go.p.stdin.flush()
        c, g = result(cc), result(go)
t.equal(refused, "44",
        "tunnel-28(partial): a Go client with a full backlog resets")
t.ok(c.get("good") == 256 and c.get("bad") == 0,
     "tunnel-28(partial): the streams that waited for it then work")

# The ping loop: the next ping 30 ns after each answer.
c, g = c_listens("pings", "pings", "-keepalive", "30ns")
t.ok(c.get("pings_in") == 9 and c.get("seconds", 0) >= 3,
     "tunnel-25(partial): the Go ping loop gets five answers, then one "
     "per second")
t.ok(c.get("peer_code") == 1000 and c.get("error") == "",
     "tunnel-25(partial): and stays connected")

# How fast, for the record: a long line needs large windows.
with Program([C, "-r", "accept"]) as cc:
    with Program([GO, "-delay", "50ms", "-connect", port(cc)]) as line:
        with Program([GO, "-connect", port(line), "-role", "bulk",
                      "-for", "3s"]) as go:
            g, c = result(go), result(cc)
t.ok(g.get("bad") == 0 and g.get("error") == "" and c.get("error") == "",
     "bytes over a line of 100 ms arrive, all of them")
t.ok(262144 < c.get("credit_peak", 0) <= 64 << 20,
     "the window has grown, to 64 MiB at most")
t.diag("one stream at 100 ms: %.1f MB/s" % g.get("mb_per_s", 0))
t.done()
