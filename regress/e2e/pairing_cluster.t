#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Tokens of pairing are used once by all members of a cluster together, whoever
of them pairs: the lowest dies, stands still and wakes, loses the store, comes
back, or has a clock of its own."""

import os

import postgres
from cluster import Cluster
from harness import Tap, free_port, until
from pairing import Device, listeners

t = Tap()
NAMES = "abc"
TOKEN = "amesh-bt-v1.e30.e30.c2ln"
ports = {n: free_port() for n in NAMES}


def jti():
    return "bt_" + os.urandom(16).hex()


def init(d, j):
    d.say("bootstrap_init", jti=j, token=TOKEN, targetPubKey="A1b2")


def served(name):
    """A device at this member, or wherever it passes it on to."""
    def one():
        try:
            d = Device(ports[name])
            return d if d.status == 101 and d.quiet() else None
        except (ConnectionError, OSError):
            return None
    return until(one, "pairing at " + name)


class Meeting:
    """Who waits for a token at a member, and who brings it there."""

    def __init__(self, name, j=None):
        self.j = j or jti()
        self.a, self.b = served(name), served(name)
        self.got = {}
        said = self.a.ask("bootstrap_watch", jti=self.j)
        if said != {"type": "bootstrap_watching", "jti": self.j}:
            raise RuntimeError("%r" % (said,))

    def bring(self):
        init(self.b, self.j)

    def heard(self):
        """What has come to both of them by now."""
        for who in (self.a, self.b):
            try:
                who.say("ping")
                m = who.hear()
                while m.get("code") != "unknown_type":
                    self.got[m["type"]] = m.get("error")
                    m = who.hear()
            except (ConnectionError, OSError) as e:
                self.got["%d" % (who is self.b)] = str(e)
        return self.got

    def given(self):
        """Has it come to who waits? If not, it was used, or all of them were
        asked to meet elsewhere: one of these is said, in the end."""
        got = until(self.heard, "a word on what was brought")
        if "bootstrap_init" not in got and \
                got.get("bootstrap_reject", USED) != USED:
            raise RuntimeError("%r" % (got,))
        return "bootstrap_init" in got

    def gone(self):
        self.a.gone(), self.b.gone()

    def use(self):
        """Brought, and there."""
        self.bring()
        m = self.a.hear()
        return (m.get("type"), m.get("jti")) == ("bootstrap_init", self.j)


def use(name, j=None):
    m = Meeting(name, j)
    r = m.use()
    m.gone()
    return m.j if r else None


def brought(name, j):
    """A token, to somebody who waits for it at this member."""
    m = Meeting(name, j)
    m.bring()
    r = m.b.hear()
    m.gone()
    return r.get("error", r)


def of_nobody(name, j):
    """A token that nobody waits for."""
    d = served(name)
    init(d, j)
    r = d.hear()["error"]
    d.gone()
    return r


def first_is(c, name, gone):
    until(lambda: all(set(c.seen(c[n], "gone")) >= set(gone) for n in NAMES
                      if n not in gone), "%s to be gone" % gone)


USED = "token_already_used"


def standing_still(c):
    """The one that pairs is stopped; another takes over; it wakes, with devices
    that have waited there all the time."""
    before = use("a")
    t.ok(before, "pairing-40: a token is brought, at the lowest member")
    waiting = [Meeting("a") for _ in range(4)]
    both = [Meeting("a") for _ in range(4)]
    go_on = c.pause("a")
    try:
        first_is(c, "b", "a")
        t.equal(of_nobody("b", before), USED,
                "pairing-42: used before, for who pairs now")
        t.equal(brought("c", before), USED, "whoever waits for it there")
        for m in waiting:
            use("b", m.j)
        there = [Meeting("b", m.j) for m in both]
    finally:
        go_on()
    for m in waiting:
        m.bring()
    t.equal([m.b.hear()["error"] for m in waiting], [USED] * 4,
            "one that wakes does not take what was used meanwhile")
    # Both are asked at once, each with somebody who waits.
    for m, n in zip(both, there):
        m.bring(), n.bring()
    got = []
    for m, n in zip(both, there):
        got.append(sum(x.given() for x in (m, n)))
    if not t.equal(got, [1] * 4,
                   "of two members that pair one alone gives it"):
        t.diag("%r" % [(m.got, n.got) for m, n in zip(both, there)])
    for m in waiting + both + there:
        m.gone()
    until(lambda: c.seen(c["b"]) == list(NAMES), "a to be there again")
    return before


def killed(c, before):
    mine = use("a")
    c.kill("a")
    first_is(c, "b", "a")
    t.equal([brought("b", j) for j in (before, mine)], [USED] * 2,
            "used, when the one that took it has died")
    other = use("b")
    t.ok(other, "new ones are good")
    c["a"].start()
    c.wait_seen(c["b"], NAMES)
    c.wait_seen(c["a"], NAMES)
    t.equal([brought("a", j) for j in (before, mine, other)], [USED] * 3,
            "and used, when it comes back with its name")
    t.ok(use("c"), "new ones are good there, too")


def cut_off(c):
    """The store is away for one of them alone: it does not know, and says no."""
    m, n = Meeting("a"), Meeting("a")
    c.wires["a"].cut_off()
    try:
        until(lambda: not c["a"].is_ready(), "a to have lost the store")
        m.bring()
        t.equal(m.b.hear()["error"], "relay_overloaded",
                "who cannot ask the store takes nothing")
        first_is(c, "b", "a")
        t.ok(use("b", m.j) and use("b", n.j), "which another takes")
    finally:
        c.wires["a"].go_on()
    until(c["a"].is_ready, "a to have the store again")
    n.bring()
    t.equal(n.b.hear()["error"], USED, "and then knows that it was used")
    m.gone(), n.gone()
    c.wait_seen(c["b"], NAMES)


def clocks(c):
    """25 h are those of the store."""
    j = use("a")
    c["b"].move_clock(26 * 3600 * 1000)
    c["a"].stop()
    c.wait_seen(c["b"], "bc")
    t.equal(brought("b", j), USED, "a member's clock does not end its time")
    rows = c["b"].rows("SELECT count(*) FROM consumed_jtis")
    c["b"].move_clock(61 * 1000)
    c["b"].move_clock(61 * 1000)
    c["b"].ctl("show", "members")
    t.equal(c["b"].rows("SELECT count(*) FROM consumed_jtis"), rows,
            "nor does what is purged by it")
    k = use("b")
    c["a"].start()
    c.wait_seen(c["a"], NAMES)
    t.equal([brought("a", x) for x in (j, k)], [USED] * 2,
            "and what it takes is used for as long as any")


if postgres.programs() is None:
    t.skip("there is no PostgreSQL", "pairing by members of a cluster")
else:
    own = {n: listeners(ports[n]) for n in NAMES}
    with Cluster(t, NAMES, own=own, wired="a", proxyds=1) as c:
        for n in NAMES:
            c.wait_seen(c[n], NAMES)
        killed(c, standing_still(c))
        cut_off(c)
        clocks(c)
t.done()
