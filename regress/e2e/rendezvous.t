#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: two peers meet, through all processes; the admin API."""

import json

from harness import Relayd, Tap, until
from peers import Relay

t = Tap()


def walk(r):
    """The first: made, joined by both, bytes both ways, closed."""
    s = r.create()
    t.equal(r.d.processes("rendd"), [], "no process for a session that "
            "nobody has joined")
    t.equal(r.state(s), "pending", "rendezvous-30(partial): pending")
    a = r.join(s, "initiator")
    until(lambda: r.state(s) == "half_open", "half_open")
    b = r.join(s, "responder")
    until(lambda: r.state(s) == "open", "open")
    t.equal(len(r.d.processes("rendd")), 1, "one process has both")
    a.send("text")
    b.send(b"binary")
    t.equal((b.recv(), a.recv()), ((1, b"text"), (2, b"binary")),
            "messages go both ways, as what they were")
    a.close(4001, "done")
    t.equal(b.closed(), (1000, "peer disconnected"), "the other is told")
    until(lambda: r.state(s) == "pending", "pending")
    t.ok(True, "rendezvous-30: pending, half_open, open, and pending again "
         "when they have left")
    until(lambda: r.d.processes("rendd") == [], "no process")
    t.ok(True, "no process when nobody is there any more")


with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    walk(Relay(d))
t.done()
