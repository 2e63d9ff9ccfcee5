#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""regress/e2e/front.list has each end-to-end test: whether it runs through a haproxy
before three members, and if not, why."""

import glob
import os
import re

SRC = os.environ["RELAYD_SRC"]
E2E = os.path.join(SRC, "regress", "e2e")
n = 0


def ok(wrong, text):
    global n
    n += 1
    print("%sok %d - %s" % ("not " if wrong else "", n, text))
    for x in wrong:
        print("#", x)


with open(os.path.join(E2E, "front.list")) as f:
    lines = [x.rstrip("\n") for x in f if not x.startswith("#")]
names = [x.split()[0] for x in lines]
there = {os.path.basename(x) for x in glob.glob(E2E + "/*.t")}
ok(sorted(there - set(names)), "each test of regress/e2e is in front.list")
ok(sorted(set(names) - there), "each of front.list is there")
ok(sorted(x for x in set(names) if names.count(x) > 1), "once")
ok([x for x in lines if not re.fullmatch(
    r"\S+\.t +(check|whole|no\t\S.+)", x)],
   "each has its word, and one that is not run says why")
run = [x.split()[0] for x in lines if not x.split("\t")[0].endswith("no")]


def makes_own(name):
    """It could not be run so: what it makes is not what the harness makes."""
    with open(os.path.join(E2E, name)) as f:
        return re.search(r"\b(Cluster|Broken)\(|\bstore=", f.read())


ok([x for x in run if makes_own(x)],
   "none that is run has members, stores or broken processes of its own")
ok([] if len(run) >= 15 else run, "there are some: %d" % len(run))
print("1..%d" % n)
