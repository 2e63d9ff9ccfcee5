#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""All members are drained, stopped and started again, one right after the other,
as an upgrade of a cluster is done. Pages, pages by their path, terminals and TCP
that come through the balancer meanwhile are all served."""

import shutil
import time

import postgres
from clienttest import Target, echo
from cluster import Cluster, Draining, Front
from drainload import Load, Visits, none_failed
from harness import OurClient, Tap, Targets, until

t = Tap()
CLIENTS = 4


def main(targets, tcp):
    with Cluster(t) as c:
        for m in c.members.values():
            c.wait_seen(m, c.names)
        services = "web=127.0.0.1:%d,echo=127.0.0.1:%d:tcp" % (
            targets.http, tcp.port)
        with Front(c, shuts=False, patience="5s") as front:
            clients = []
            try:
                for n in range(CLIENTS):
                    key, secret = c["a"].add_system("s%d" % n)
                    clients.append(OurClient(front, key, secret,
                                             services).__enter__())
                all_there(c)
                expected(c)
                rolled(c, front)
            finally:
                for cl in clients:
                    cl.__exit__(None, None, None)


def all_there(c):
    def are():
        had = c.had()
        return len(had) == CLIENTS and had == sorted(c.holders().items()) and \
            all(c[m].ctl_try("show", "services", s) for s, m in had)
    until(are, "all clients in their sessions, with their services")


def expected(c):
    """Only the member that gave a ticket out knows it: it waits for who has one,
    and he for nothing."""
    at = [m for _, m in c.had()]
    name = max(c.names, key=at.count)
    d = c[name]
    sid = [s for s, m in c.had() if m == name][0]
    ticket = d.ticket(sid, d.token())
    waits = Draining(d, "time", "4m")
    until(lambda: int(d.ctl("show", "drain")[0]["moved"]) == at.count(name) - 1,
          "all others to have gone")
    w = d.terminal(sid, ticket)
    t.equal(w.status, 101, "operator-21(partial): a ticket is good though its "
            "member drains")
    w.send(b"\0" + b"exit\r")
    w.s.close()
    t.equal(waits.end(5 * 60), (0, "drained", ""), "then the last one goes")
    d.ctl("drain", "cancel")
    until(d.is_ready, "it to be one of them again")
    all_there(c)


def rolled(c, front):
    was = sorted(c.holders())
    door = {"front": front.port}
    with Load(c, was, 1, door, keeps=False) as pages, \
            Load(c, was[:2], 1, door, keeps=False, by_path=True) as paths, \
            Visits(c, was, front.port) as visits:
        for x in pages, paths, visits:
            x.more(2)
        began = time.monotonic()
        for name in c.names:
            d = c[name]
            t.equal(Draining(d, "time", "4m").end(5 * 60),
                    (0, "drained", ""), "%s is drained" % name)
            d.stop()
            d.start()
            until(d.is_ready, "it to be one of them again")
        t.diag("all three within %.1f s" % (time.monotonic() - began))
        for x in pages, paths, visits:
            x.more(2)
    none_failed(t, c, pages)
    none_failed(t, c, paths)
    none_failed(t, c, visits)
    all_there(c)
    t.equal(sorted(c.holders()), was, "all clients are in their sessions")


if postgres.programs() is None or shutil.which("haproxy") is None:
    t.skip("there is no PostgreSQL or no haproxy", "members drained in turn")
else:
    with Targets() as targets, Target(echo) as tcp:
        main(targets, tcp)
t.done()
