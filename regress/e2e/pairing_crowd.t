#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Ten thousand connections, and one more; in the build without sanitizers."""

import resource
import socket
import time

from harness import FAST_BUILD, WAIT, Relayd, Tap, until
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


def refuse(n):
    """So many that are one too many, by a hundred at once."""
    head = ("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()
    let_in = 0
    for i in range(0, n, 100):
        some = [socket.create_connection(
            ("127.0.0.1", port), WAIT, ("127.2.%d.%d" % (k % 40, i // 100 % 250
                                                         + 1), 0))
            for k in range(100)]
        for s in some:
            s.sendall(head)
        for s in some:
            got = b""
            while b"too_many_connections" not in got and b" 503 " not in got:
                more = s.recv(4096)
                if not more:
                    break
                got += more
            else:
                let_in -= 1
            let_in += 1
            s.close()
    return let_in


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
            "the 10,001st")
    t.equal(refuse(100000), 0, "100,000 more are refused")
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
            "pairing-49: after 100,000 refusals there is room for who leaves, "
            "and no more")
    t.equal(d.request("GET", "/health")[0], 200,
            "pairing-1: /health answers when all places are taken")
    start = time.monotonic()
    for i in range(0, FULL - 1, 2):
        a, b = many[i:i + 2]
        a.say("listen", otc="%06d" % i)
    for i in range(0, FULL - 1, 2):
        many[i].hear()
        many[i + 1].say("connect", otc="%06d" % i)
    found = {"type": "peer_found"}      # an address has 30 a minute
    good = sum(many[i + 1].hear() == found and many[i].hear() == found
               for i in range(0, FULL - 1, 2))
    t.ok(good >= 1000, "%d pairs at once" % good)
t.done()
