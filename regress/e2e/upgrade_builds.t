#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""There and back between two builds with different messages: the second one has
a message in the middle of the list, and fields in the middle of others
(--enable-next-messages), so that what is not translated is an offence."""

import shutil
import time

import harness
from harness import GoClient, Relayd, Tap, Targets, until
from traffic import RATES, Traffic
from upgrades import next_build, own_programs, programs, upgrade

ROUNDS = 2

t = Tap()


builds = {"next": next_build(t), "ours": harness.BUILD}
place = own_programs()

with Targets() as targets, Relayd(t, build=place, operator=RATES) as d:
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        session = d.wait_session()["session"]
        token = d.token(lifetime="2h")
        first = {p["pid"] for p in d.processes("muxd")}
        traffic = Traffic(d, session, token)
        for i in range(ROUNDS):
            programs(builds["next"], place)
            upgrade(t, d, "round %d, to more messages" % (i + 1))
            t.ok(first <= {p["pid"] for p in d.processes("muxd")},
                 "the tunnel's process is the same")
            # One that begins here speaks the newer one, and then the older.
            k, s = d.add_system("later%d" % i)
            with GoClient(d, k, s, "web=127.0.0.1:%d" % targets.http) as later:
                later.event("manifest_sent")
                mine = until(lambda: [
                    x["session"] for x in d.sessions()
                    if x["tunnel"] == "up" and x["session"] != session],
                    "its session")[0]
                time.sleep(1)
                programs(builds["ours"], place)
                upgrade(t, d, "round %d, and back" % (i + 1))
                t.equal(d.via(mine, d.cookie(mine, token), "/")[0], 200,
                        "a page through a tunnel of the newer version")
                t.ok(not later.out.has('"event":"closed"'),
                     "which has not been lost")
            time.sleep(1)
        traffic.over(t, "%d times there and back" % ROUNDS, 2 * ROUNDS)
        t.ok(not c.out.has('"event":"closed"'),
             "the first tunnel has not been lost")
        text = d.log.text()
        t.ok("killed:" not in text and "offence" not in text,
             "nobody said what the other does not understand")

shutil.rmtree(place, ignore_errors=True)
t.done()
