#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""SIGTERM at every moment of an upgrade: relayd ends wholly, with exit 0, its
control socket gone and none of its processes left."""

import os
import shutil
import signal
import time

from harness import GoClient, Relayd, Tap, Targets, until
from transfer import Transfer
from upgrades import Fault, looks, of_process, own_programs, running

t = Tap()
place = own_programs()
fault = Fault(place)


def named(name, but):
    return [p for p in running(place) if p not in but and
            of_process(p, "comm").strip() == name]


def is_new(d):
    return b"RELAYD_TABLE=new" in of_process(d.pid, "environ")


def ended(d, what):
    t.equal(d.p.wait(60), 0, "%s: SIGTERM: exit 0" % what)
    t.ok(d.log.wait("stopped$"), "it says so")
    t.ok(not os.path.exists(d.sock), "the control socket is gone")
    t.equal(running(place), [], "no process is left")


def term(d):
    os.kill(d.pid, signal.SIGTERM)


def asked(d):
    os.kill(d.pid, signal.SIGUSR2)


with Targets() as targets:
    # The new program looks at the configuration, for as long as it likes.
    with Relayd(t, build=place) as d:
        fault.word("look")
        asked(d)
        until(lambda: looks(place), "the new program to look")
        term(d)
        ended(d, "while the new program looks")

    # It is there, and has not read its table; then it goes on.
    with Relayd(t, build=place) as d:
        fault.word("wait")
        asked(d)
        until(lambda: is_new(d), "the new program")
        term(d)
        fault.word("")
        ended(d, "before it takes over")
        t.ok(not d.log.has("upgraded from"), "it has not come to its end")

    # Then it crashes, and the old one finds the signal.
    for fall, why in (("crash", "signal 11"), ("exit", "gave up"),
                      ("hang", "took too long")):
        with Relayd(t, build=place) as d:
            fault.word("wait")
            asked(d)
            until(lambda: is_new(d), "the new program")
            term(d)
            fault.word(fall)
            ended(d, "on the way back, after " + fall)
            t.ok(d.log.has("upgrade: not done: .*" + why),
                 "by the old program")
    fault.word("")

    # The old authd hangs, and the new one waits for it.
    with Relayd(t, build=place) as d:
        hangs = d.pid_of("authd")
        os.kill(hangs, signal.SIGSTOP)
        asked(d)
        new = until(lambda: [p for p in named(b"authd", (hangs,))
                             if d.log.has(r"authd\[%d\] \d+: starting -> ready"
                                          % p)], "the new authd")
        t.ok(new, "the new authd is there, the old one hangs")
        term(d)
        ended(d, "while two authds are there")

    # A new proxyd hangs as it starts, and nobody has been told of success.
    with Relayd(t, build=place) as d:
        before = [int(p["pid"]) for p in d.processes("proxyd")]
        asked(d)
        new = until(lambda: named(b"proxyd", before), "a new proxyd")
        for p in new:
            os.kill(p, signal.SIGSTOP)
        term(d)
        ended(d, "while a new proxyd hangs")

    # It is over, but for an old proxyd that has something to finish.
    with Relayd(t, build=place) as d:
        key, secret = d.add_system("box")
        with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
            c.event("manifest_sent")
            s = d.wait_session()["session"]
            Transfer(d, s, d.cookie(s, d.token()), rate=1 << 20,
                     size=64 << 20)
            asked(d)
            d.log.wait("upgraded from")
            t.ok([p for p in d.processes("proxyd") if p["program"] == "old"],
                 "an old proxyd has something to finish")
            term(d)
            ended(d, "while an old proxyd finishes")

    # And at whatever moment it comes.
    for ms in (0, 30, 80, 150, 300, 600, 1000, 2500):
        with Relayd(t, build=place) as d:
            asked(d)
            time.sleep(ms / 1000)
            term(d)
            ended(d, "random: %d ms later" % ms)

shutil.rmtree(place, ignore_errors=True)
t.done()
