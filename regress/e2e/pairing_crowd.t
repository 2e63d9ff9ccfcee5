#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Ten thousand connections, and one more; in the build without sanitizers."""

import resource
import selectors
import time

from harness import FAST_BUILD, Relayd, Tap, until
from pairing import Device, one_port

t = Tap()
port, LISTEN = one_port()
FULL = 10000
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard < FULL + 1000:
    print("1..0 # SKIP %d open files are not enough" % hard)
    raise SystemExit
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def dev(n):
    """The n-th, of 50 from each address."""
    return Device(port, "127.1.%d.%d" % (n // 50 // 250, n // 50 % 250 + 1))


def memory(pid):
    with open("/proc/%d/status" % pid) as f:
        return [int(x.split()[1]) for x in f if x.startswith("VmRSS")][0]


with Relayd(t, build=FAST_BUILD, listeners=LISTEN, proxyds=2,
            verbose=False) as d:
    pid = d.pid_of("paird")
    before, start = memory(pid), time.monotonic()
    many = [dev(n) for n in range(FULL)]
    t.equal(len([x for x in many if x.status != 101]), 0, "all are let in")
    t.diag("%.0f connections a second, %d KiB for %d" % (
        FULL / (time.monotonic() - start), memory(pid) - before, FULL))
    x = dev(FULL)
    t.equal((x.status, x.ended()), (101, ([], 1013, "too_many_connections")),
            "pairing-49(partial): the 10,001st")
    for i in range(20000):
        dev(FULL + 50 + i % 1000).gone()
    many.pop().gone()

    def admitted():
        w = dev(FULL)
        try:
            return w if w.quiet() else None
        except (ConnectionError, OSError):
            return None
    many.append(until(admitted, "room for one"))
    y = dev(FULL + 1)
    t.equal(y.ended(), ([], 1013, "too_many_connections"),
            "pairing-49(partial): after 20,000 refusals there is room for "
            "who leaves, and no more")
    t.equal(d.request("GET", "/health")[0], 200,
            "pairing-1: /health answers when all places are taken")
    start = time.monotonic()
    for i in range(0, FULL - 1, 2):
        a, b = many[i:i + 2]
        a.say("listen", otc="%06d" % i)
    for i in range(0, FULL - 1, 2):
        many[i].hear()
        many[i + 1].say("connect", otc="%06d" % i)
    good = sum(many[i].hear() == many[i + 1].hear() == {"type": "peer_found"}
               for i in range(0, FULL - 1, 2))
    t.ok(good >= 1000, "%d pairs at once" % good)
t.done()
