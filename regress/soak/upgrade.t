#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program is replaced ten times in ten minutes, every other time by an older
one with other messages, under traffic and 200 idle tunnels: no byte is wrong, no
tunnel drops, no request fails."""

import os
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
import harness
from harness import GoClient, Relayd, Tap, Targets, until
from traffic import Traffic
from upgrades import next_build, programs, upgrade

SECONDS = float(os.environ.get("RELAYD_SOAK_SECONDS", "600"))
IDLE = 200
TIMES = 10

t = Tap()
builds = [next_build(t), harness.BUILD]
place = tempfile.mkdtemp(prefix="relayd-programs-")
os.chmod(place, 0o755)
programs(harness.BUILD, place)

with Targets() as targets, Relayd(t, build=place, verbose=False) as d:
    key, secret = d.add_system("busy")
    idle = [d.add_system("idle%d" % i) for i in range(IDLE)]
    clients = [GoClient(d, k, s, "web=127.0.0.1:%d" % targets.http)
               for k, s in [(key, secret)] + idle]
    try:
        until(lambda: len([s for s in d.sessions() if s["tunnel"] == "up"]) ==
              IDLE + 1, "all tunnels", 120)
        session = [s for s in d.sessions()
                   if key in s["system"] or s["system"] == "busy"
                   ][0]["session"]
        muxds = {p["pid"] for p in d.processes("muxd")}
        traffic = Traffic(d, session, d.token(lifetime="2h"))
        begin = time.monotonic()
        for i in range(TIMES):
            time.sleep(max(0, begin + SECONDS * (i + 0.5) / TIMES -
                           time.monotonic()))
            programs(builds[i % 2], place)
            upgrade(t, d, "upgrade %d" % (i + 1))
        time.sleep(max(0, begin + SECONDS - time.monotonic()))
        traffic.over(t, "%d upgrades in %d s" % (TIMES, SECONDS))
        t.equal({p["pid"] for p in d.processes("muxd")}, muxds,
                "all %d tunnels have the process that they had" % (IDLE + 1))
        t.ok(not any(c.out.has('"event":"closed"') for c in clients),
             "no client lost its tunnel")
    finally:
        for c in clients:
            c.stop()

shutil.rmtree(place, ignore_errors=True)
t.done()
