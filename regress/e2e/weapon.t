#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A descriptor as a weapon: a broken child sends a socket whose last close()
waits for twenty seconds, by each way that there is, and nobody waits. With
what the kernel refuses, and on kernels that do not refuse it."""

import os
import time

from harness import Broken, Tap, until

t = Tap()
QUICK = 5           # seconds; a weapon that goes off takes 20


def answers(d, word, who):
    """The parent and authd answer at once."""
    begun = time.monotonic()
    for what in "processes", "sessions":
        until(lambda: d.ctl_try("show", what) is not None, what)
    took = time.monotonic() - begun
    if not t.ok(took < QUICK, "%s, %s: nobody waits" % (word, who)):
        t.diag("%.1f s" % took)


def each(d, who):
    for word in ("log", "surplus", "flood", "link", "offence",
                 "link-offence"):
        d.order(word, d.pid_of("authd") if "link" in word else d.pid)
        answers(d, word, who)
        # Whoever had to be ended is there again.
        until(lambda: [p for p in d.processes("proxyd")
                       if p["state"] == "ready"], "the stand-in")


def run(who):
    with Broken(t, proxyds=1) as d:
        authd = d.pid_of("authd")
        each(d, who)
        t.equal(d.pid_of("authd"), authd, "%s: the same authd" % who)


run("refused")
os.environ["RELAYD_TEST_NO_PASSRIGHTS"] = "1"
run("kernel before 6.16")
t.done()
