#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a balancer needs to see that a member drains, by the examples that there are,
is less than what the member waits before it asks its clients to come again."""

import os
import re

SRC = os.environ["RELAYD_SRC"]
FILES = ("etc/front-haproxy.cfg", "doc/front-proxy.md", "regress/e2e/cluster.py")
LOOK_MS = 500           # for the answers, and for haproxy itself
n = 0


def ok(good, text):
    global n
    n += 1
    print("%sok %d - %s" % ("" if good else "not ", n, text))


def read(name):
    with open(os.path.join(SRC, name)) as f:
        return f.read()


def ms(text):
    """A time as haproxy has it: milliseconds where it has no unit."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)?", text).groups()
    return int(number) * {None: 1, "ms": 1, "s": 1000, "m": 60000}[unit]


def seen_ms(line):
    """The longest time from a change until this many checks have failed: the first
    is asked right before it, those behind the first failure come by fastinter."""
    words = line.split()
    said = {w: words[i + 1] for i, w in enumerate(words[:-1])
            if w in ("inter", "fastinter", "fall")}
    inter = ms(said.get("inter", "2s"))
    return inter + (int(said.get("fall", 3)) - 1) * ms(
        said.get("fastinter", str(inter)))


waits = int(re.search(r"#define FIRST_MS\s+(\d+)",
                      read("authd/msg/drain.c")).group(1))
for name in FILES:
    lines = re.findall(r"default-server .*\bcheck\b.*", read(name))
    ok(lines, "%s has checks" % name)
    for x in lines:
        ok(seen_ms(x) + LOOK_MS <= waits, "%s: seen within %d ms of %d" % (
            name, seen_ms(x), waits))
every = re.findall(r"health_interval (\w+)", read("etc/front-Caddyfile"))
ok(len(every) == 1 and ms(every[0]) + LOOK_MS <= waits,
   "etc/front-Caddyfile: seen within %s of %d ms" % (every, waits))
for name in "etc/front-haproxy.cfg", "doc/front-proxy.md":
    ok(re.search(r"\b%d s\b.*\bwaits\b|\bwaits %d s\b" % (
        waits / 1000, waits / 1000), read(name)),
       "%s says for how long a member waits" % name)
print("1..%d" % n)
