#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A member that is drained while something runs through each of its tunnels at
every moment gets empty all the same, and no request fails for it, at whichever
member it comes in; nor where there are pauses between requests."""

import shutil

import postgres
from cluster import Cluster, Draining, Front
from drainload import Load, none_failed
from harness import OurClient, Tap, Targets, until
from transfer import Transfer

t = Tap()
CLIENTS = 6


def state(d):
    return d.ctl("show", "drain")[0]


def main(targets):
    c = Cluster(t)
    with c:
        for m in c.members.values():
            c.wait_seen(m, c.names)
        web = "web=127.0.0.1:%d" % targets.http
        with Front(c, shuts=False, patience="5s") as front:
            clients = []
            for n in range(CLIENTS):
                key, secret = c["a"].add_system("s%d" % n)
                clients.append(OurClient(front, key, secret,
                                         web).__enter__())
            try:
                until(lambda: len(c.had()) == CLIENTS and
                      c.had() == sorted(c.holders().items()),
                      "all clients in their sessions")
                drained(c)
            finally:
                for cl in clients:
                    cl.__exit__(None, None, None)


def drained(c):
    was = sorted(c.holders())
    mine = [s for s, m in c.had() if m == "b"]
    b = c["b"]
    for s in was:
        at = c[c.holders()[s]]
        until(lambda: at.ctl("show", "services", s), "its services")
    t.ok(len(mine) > 0, "b has %d tunnels" % len(mine))
    with Load(c, was) as load:
        load.more(3)
        rows = [r for r in b.ctl("show", "sessions") if r["session"] in mine]
        t.ok(all(r["streams"] != "0" for r in rows),
             "something runs through each")
        # Longer than anybody waits for a tunnel that is to run empty.
        long = Transfer(b, mine[0], b.cookie(mine[0], b.token()),
                        rate=1 << 20, size=12 << 20)
        d = Draining(b, "time", "4m")
        until(lambda: state(b)["state"] != "no", "the drain to have begun")
        until(lambda: int(state(b)["oldest"]) >= 5, "one to be old", 60)
        row = state(b)
        t.ok(int(row["busy"]) >= 1 and int(row["tunnels"]) >= 1,
             "show drain says how many tunnels are in use, and how long the "
             "oldest stream is there: %r" % row)
        t.equal((long.intact(), long.error), (True, None),
                "a transfer that takes longer than that is not cut off")
        t.equal(d.end(5 * 60), (0, "drained", ""),
                "the drain ends, though requests never cease")
        load.more(3)
    none_failed(t, c, load)
    until(lambda: c.had() == sorted(c.holders().items()) and
          len(c.had()) == CLIENTS, "all to be where the store says")
    t.equal((sorted(c.holders()), [s for s, m in c.had() if m == "b"]),
            (was, []), "all clients are in their sessions, at other members")
    c["b"].ctl("drain", "cancel")
    until(lambda: state(c["b"])["state"] == "no", "b to be one of them again")
    paused(c, was)


def paused(c, was):
    """A tunnel through which nothing runs just then: who comes to it as it goes
    is not to find it gone, nor not yet all there."""
    mine = [s for s, m in c.had() if m == "c"]
    t.ok(len(mine) > 0, "c has %d tunnels" % len(mine))
    with Load(c, was, pause=1.5) as load:
        load.more(3)
        d = Draining(c["c"], "time", "4m")
        t.equal(d.end(5 * 60), (0, "drained", ""), "a drain between requests "
                "ends")
        load.more(3)
    none_failed(t, c, load)
    c["c"].ctl("drain", "cancel")


if postgres.programs() is None or shutil.which("haproxy") is None:
    t.skip("there is no PostgreSQL or no haproxy", "a drain under load")
else:
    with Targets() as targets:
        main(targets)
t.done()
