#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program is replaced ten times in ten minutes, every other time by an older
one with other messages, under traffic and 200 idle tunnels: no byte is wrong, no
tunnel drops, no request fails."""

import os
import shutil
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
import harness
from harness import Relayd, Tap, Targets
from traffic import RATES, Tunnels
from upgrades import next_build, own_programs, programs, upgrade

SECONDS = float(os.environ.get("RELAYD_SOAK_SECONDS", "600"))
IDLE = 200
TIMES = 10

t = Tap()
builds = [next_build(t), harness.BUILD]
place = own_programs()

with Targets() as targets, Relayd(t, build=place, verbose=False,
                                  operator=RATES) as d, \
        Tunnels(d, targets, IDLE) as tunnels:
    begin = time.monotonic()
    for i in range(TIMES):
        time.sleep(max(0, begin + SECONDS * (i + 0.5) / TIMES -
                       time.monotonic()))
        programs(builds[i % 2], place)
        upgrade(t, d, "upgrade %d" % (i + 1))
    time.sleep(max(0, begin + SECONDS - time.monotonic()))
    # One a second is a tenth of what is asked for.
    tunnels.over(t, "%d upgrades in %d s" % (TIMES, SECONDS), int(SECONDS))

shutil.rmtree(place, ignore_errors=True)
t.done()
