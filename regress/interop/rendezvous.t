#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Relay sessions whose peers speak WebSocket by libraries that others wrote."""

import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
from harness import Relayd, Tap, until
from libraries import libraries
from peers import Relay

t = Tap()


def start(r, s, side, argv):
    return subprocess.Popen(
        [*argv, "ws://127.0.0.1:%d/relay/%s" % (r.d.port, s["id"]),
         s[side + "_token"]], stdout=subprocess.PIPE, text=True)


def echo(r, name, argv):
    s = r.create()
    p = start(r, s, "responder", argv)
    until(lambda: r.status(s)["responder_connected"], name)
    a = r.join(s, "initiator")
    sent = 0
    for op, data in ((1, b""), (1, "gr\u00fc\u00df".encode()), (2, b""),
                     (2, b"\0\xff"), (2, os.urandom(70000)),
                     (2, os.urandom(3 << 20))):
        a.send(data, op)
        sent += 1
        got = a.recv()
        t.equal((got[0], hashlib.sha256(got[1]).digest()),
                (op, hashlib.sha256(data).digest()),
                "%s: %d bytes of type %d, there and back" %
                (name, len(data), op))
    a.send("in", 1, False)
    a.send(b" two", 0, True)
    t.equal(a.recv(), (1, b"in two"), name + ": fragments")
    for i in range(500):
        a.send("%d" % i)
    t.equal([a.recv()[1] for _ in range(500)],
            [b"%d" % i for i in range(500)], name + ": 500, in order")
    sent += 501
    a.close(1000, "done")
    end = json.loads(p.communicate(timeout=60)[0])
    t.equal((end["code"], end["reason"], end["messages"], end["pings"]),
            (1000, "peer disconnected", sent, 1),
            "%s: the end, and a ping's answer" % name)
    if "protocol" in end:
        t.equal(end["protocol"], "a", name + ": the subprotocol")


def lone(r, argv):
    """Past what its pings would wait, which the clock cannot make shorter."""
    s = r.create()
    p = start(r, s, "responder", argv)
    until(lambda: r.status(s)["responder_connected"], "a lone one")
    for _ in range(4):
        r.d.move_clock(25000)
        r.d.request("GET", "/healthz")
    t.equal((r.state(s), p.poll()), ("half_open", None), "rendezvous-33: a "
            "lone client on coder/websocket is there after 100 s")
    a = r.join(s, "initiator")
    a.send("late")
    t.equal(a.recv(), (1, b"late"), "and is met")
    a.close(1000)
    p.communicate(timeout=60)


def killed(r, name, argv):
    s = r.create()
    p = start(r, s, "responder", argv)
    until(lambda: r.status(s)["responder_connected"], name)
    a = r.join(s, "initiator")
    a.send("x")
    a.recv()
    p.kill()
    t.equal(a.closed(), (1001, "peer connection lost"), "rendezvous-39: %s, "
            "kill -9" % name)
    p.communicate()


with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    r = Relay(d)
    for name, argv in libraries(t, "relaypeer"):
        echo(r, name, argv)
        killed(r, name, argv)
        if argv[-1] == "coder":
            lone(r, argv)
t.done()
