#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Listening sockets: a broken proxyd does to its own what it can, and the
healthy one beside it serves on; nothing of that outlives it. The port is never
given up, and never shared with another relayd."""

import os
import socket
import subprocess

from harness import Broken, Relayd, Tap, until

t = Tap()


def ask(d):
    """One connection, one request: True when served, False when sent away."""
    with socket.create_connection(("127.0.0.1", d.port), 3) as s:
        s.settimeout(3)
        try:
            s.sendall(b"GET /api/none HTTP/1.1\r\nHost: x\r\n"
                      b"Connection: close\r\n\r\n")
            return s.recv(100).startswith(b"HTTP/1.1 404")
        except ConnectionError:
            return False


def serves(d, word):
    served = slow = 0
    for _ in range(40):
        try:
            served += ask(d)
        except OSError:
            slow += 1
    t.ok(slow == 0 and served > 0, "%s: the healthy one serves on" % word)
    t.diag("%d of 40 served, %d without an answer" % (served, slow))


FRESH = r"door: open 1 nonblock 1 linger 0 low water 1$"

with Broken(t, proxyds=2, also_real=True) as d:
    healthy = [int(p["pid"]) for p in d.processes("proxyd")
               if int(p["pid"]) != d.broken_pid()]
    for word in "door-blocks", "door-waits", "door-lingers", "door-shuts":
        d.order(word)
        serves(d, word)
        d.replace_broken()
        mark = d.log.mark()
        d.order("door-tells")
        t.ok(d.log.wait(r"door: .*", mark) and d.log.has(FRESH, mark),
             "%s: nothing of it is left for the next one" % word)
    t.equal([int(p["pid"]) for p in d.processes("proxyd")
             if int(p["pid"]) != d.broken_pid()], healthy,
            "the healthy one is who it was")

with Relayd(t, proxyds=1) as d:
    # Between two lives of the only one connections wait.
    d.kill(d.pid_of("proxyd"))
    until(lambda: not d.processes("proxyd"), "its end", every=0.001)
    t.ok(ask(d), "between two proxyds a connection waits for the next one")
    # A second relayd there.
    conf = os.path.join(d.dir, "second.conf")
    with open(conf, "w") as f:
        f.write(d.text.replace("store/relayd.db", "store2/relayd.db")
                .replace("control.sock", "second.sock"))
    os.chmod(conf, 0o600)
    r = subprocess.run([os.path.join(d.build, "bin", "relayd"), "-d", "-f",
                        conf, "-L", d.libexec], stderr=subprocess.PIPE,
                       text=True, timeout=30)
    t.equal(r.returncode, 1, "a second relayd on the port does not start")
    t.match(r.stderr, r"listen on 127.0.0.1 port %d: bind: Address already "
            "in use" % d.port, "and says why")
t.done()
