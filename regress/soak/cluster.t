#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Three thousand idle tunnels and fifty busy ones at three members, while one
after the other is drained, killed, stopped, cut off from the store, and back with a wrong
clock. RELAYD_SOAK_TUNNELS and RELAYD_SOAK_BUSY make it smaller. There have to be
almost two processes for each tunnel (pids.max), since those of a stopped member
stay; where there is no room for them it says so, and takes what fits."""

import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
import postgres
from clusterload import Load, fitting
from harness import Tap

t = Tap()
if postgres.programs() is None or shutil.which("haproxy") is None:
    t.skip("there is no PostgreSQL or no haproxy", "a cluster under load")
else:
    busy = int(os.environ.get("RELAYD_SOAK_BUSY", "50"))
    idle = int(os.environ.get("RELAYD_SOAK_TUNNELS", "3000"))
    with Load(t, fitting(t, idle, busy), busy) as load:
        load.all()
t.done()
