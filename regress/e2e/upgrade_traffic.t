#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Several upgrades while everything goes on: no byte is wrong, no tunnel drops,
no request fails."""

import shutil
import time

from harness import Relayd, Tap, Targets
from traffic import RATES, Tunnels
from upgrades import own_programs, upgrade

IDLE = 10
ROUNDS = 4

t = Tap()
place = own_programs()

with Targets() as targets, Relayd(t, build=place, operator=RATES) as d, \
        Tunnels(d, targets, IDLE) as tunnels:
    for i in range(ROUNDS):
        upgrade(t, d, "round %d" % (i + 1))
        time.sleep(1.5)         # of all that goes on, between two
    tunnels.over(t, "%d upgrades" % ROUNDS, ROUNDS)

shutil.rmtree(place, ignore_errors=True)
t.done()
