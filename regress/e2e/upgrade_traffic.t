#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Several upgrades while everything goes on: no byte is wrong, no tunnel drops,
no request fails."""

import os
import shutil
import tempfile
import time

import harness
from harness import GoClient, Relayd, Tap, Targets, until
from traffic import Traffic
from upgrades import programs, upgrade

IDLE = 10
ROUNDS = 4

t = Tap()
place = tempfile.mkdtemp(prefix="relayd-programs-")
os.chmod(place, 0o755)
programs(harness.BUILD, place)

with Targets() as targets, Relayd(t, build=place) as d:
    keys = [d.add_system("box%d" % i) for i in range(IDLE + 1)]
    clients = [GoClient(d, k, s, "web=127.0.0.1:%d" % targets.http)
               for k, s in keys]
    try:
        for c in clients:
            c.event("manifest_sent")
        until(lambda: len([s for s in d.sessions() if s["tunnel"] == "up"]) ==
              IDLE + 1, "all tunnels")
        session = [s for s in d.sessions()
                   if keys[0][0] in s["system"] or s["system"] == "box0"
                   ][0]["session"]
        muxds = {p["pid"] for p in d.processes("muxd")}
        traffic = Traffic(d, session, d.token(lifetime="2h"))
        for i in range(ROUNDS):
            upgrade(t, d, "round %d" % (i + 1))
            time.sleep(1.5)         # of all that goes on, between two
        traffic.over(t, "%d upgrades" % ROUNDS)
        t.equal({p["pid"] for p in d.processes("muxd")}, muxds,
                "all tunnels have the process that they had")
        t.ok(not any(c.out.has('"event":"closed"') for c in clients),
             "no client lost its tunnel")
    finally:
        for c in clients:
            c.stop()

shutil.rmtree(place, ignore_errors=True)
t.done()
