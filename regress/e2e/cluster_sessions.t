#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Whatever becomes of a member, its clients come back through the balancer to
their sessions, and no session is lost or had twice."""

import shutil
import threading
import time

import postgres
from cluster import Cluster, Front
from harness import OurClient, Tap, until
from redisserver import Heard

t = Tap()
CLIENTS = 6


class World:
    """Three members, a balancer, clients of a system each."""

    def __init__(self, shuts=True, **kw):
        self.c = Cluster(t, **kw)
        self.shuts = shuts
        self.clients = []

    def __enter__(self):
        self.c.__enter__()
        for m in self.c.members.values():
            self.c.wait_seen(m, self.c.names)
        self.front = Front(self.c, self.shuts).__enter__()
        for n in range(CLIENTS):
            key, secret = self.c["a"].add_system("s%d" % n)
            self.clients.append((key, secret, OurClient(
                self.front, key, secret).__enter__()))
        self.wait_all()
        return self

    def __exit__(self, *exc):
        for _, _, cl in self.clients:
            cl.__exit__(*exc)
        self.front.__exit__(*exc)
        return self.c.__exit__(*exc)

    def is_whole(self):
        """Each session once, and where the store says that it is."""
        had, store = self.c.had(), self.c.holders()
        return len(had) == CLIENTS and had == sorted(store.items())

    def wait_all(self):
        until(self.is_whole, "all clients in their sessions")

    def ids(self):
        return sorted(self.c.holders())

    def client_of(self, session):
        """Its key, its secret, and itself."""
        key = self.c["a"].rows(
            "SELECT y.system_key FROM support_sessions s JOIN systems y ON "
            "y.id = s.system_id WHERE s.id = ?", session)[0][0]
        return next(x for x in self.clients if x[0] == key)


def killed(w):
    c = w.c
    was = w.ids()
    t.equal(len(set(m for _, m in c.had())), 3, "all members have some")
    lost = [s for s, m in c.had() if m == "b"]
    c.kill("b")
    begun = time.monotonic()
    w.wait_all()
    took = time.monotonic() - begun
    t.equal(w.ids(), was, "a member is killed: all its clients are back in "
            "their sessions, and none is made anew")
    t.ok(took < 60, "within 60 s (%.1f)" % took)
    t.ok(lost and all(c.holders()[s] in "ac" for s in lost),
         "at the members that are left")
    c["b"].start()
    c.wait_seen(c["a"], "abc")
    t.equal((w.ids(), w.is_whole()), (was, True),
            "one that comes back with its name has nothing twice")


def refused(w):
    """A probe asks the member that has it."""
    c = w.c
    key, secret, _ = w.clients[0]
    system = c["a"].rows("SELECT s.id FROM support_sessions s JOIN systems y "
                         "ON y.id = s.system_id WHERE y.system_key = ? AND "
                         "s.status = 'active'", key)[0][0]
    member = c.holders()[system]
    for name in c.names:
        t.equal(c[name].login(key, secret), 409, "tunnel-49(partial): a login "
                "at %s of a tunnel that lives at %s is refused" % (
                    name, member))
    t.equal(w.is_whole(), True, "and that one lives on")
    at_once(w, key, secret, [name for name in c.names if name != member])
    repeated(w, key, secret, next(n for n in c.names if n != member))


def at_once(w, key, secret, names):
    got = []
    for _ in range(5):
        both = [threading.Thread(target=lambda n=n: got.append(
            w.c[n].login(key, secret))) for n in names]
        for th in both:
            th.start()
        for th in both:
            th.join()
    t.equal((set(got), len(got), w.is_whole()), ({409}, 10, True),
            "tunnel-49(partial): two at once, at two members, are refused, "
            "and it lives on")


def repeated(w, key, secret, name):
    """By who writes into Redis, but has not the secret."""
    heard = Heard(w.c.redis, "relayd:members:dev")

    def asked():
        """Notes up to the answer to the next probe, and that probe."""
        seen = []
        t.equal(w.c[name].login(key, secret), 409, "a login asks")
        while True:
            seen.append(heard.next())
            if seen[-1].split()[1] == b"probe":
                probe = seen[-1]
            elif seen[-1].split()[1] in (b"alive", b"dead") and \
                    seen[-1].split()[4] == probe.split()[4]:
                return seen, probe

    _, probe = asked()
    for _ in range(5):
        w.c.redis.say("PUBLISH", "relayd:members:dev", probe)
    seen, _ = asked()
    t.equal([n for n in seen if n.split()[4] == probe.split()[4] and
             n != probe], [], "a probe that is said again has no answer")
    heard.close()


def paused(w):
    c = w.c
    was = w.ids()
    begun = time.monotonic()
    go_on = c.pause("c")
    try:
        until(lambda: len(c.holders()) == CLIENTS and
              "c" not in c.holders().values(), "others to have what c had")
        until(lambda: len([1 for n in "ab" for s in c[n].sessions()
                           if s["tunnel"] == "up"]) == CLIENTS,
              "its clients elsewhere")
        t.ok(time.monotonic() - begun < 60, "a member stands still: its "
             "clients are elsewhere within 60 s (%.1f)" %
             (time.monotonic() - begun))
        t.equal(w.ids(), was, "in their sessions")
    finally:
        go_on()
    w.wait_all()
    t.equal(w.ids(), was, "when it goes on it has nothing twice")


def cut_off():
    """One that lost the store, but not its clients."""
    w = World(shuts=False, tunnel="\tgrace 8s\n", wired="a")
    with w:
        c, a = w.c, w.c["a"]
        was = w.ids()
        mine = sorted(s for s, m in c.had() if m == "a")
        pids = sorted(p["pid"] for p in a.processes("muxd"))
        start = a.log.mark()
        c.wires["a"].cut_off()
        until(lambda: all(m is None for s, m in c.holders().items()
                          if s in mine), "the others to give grace")
        a.log.wait("no beat of ours could be written", start)
        key, secret, _ = w.clients[0]
        t.equal(a.login(key, secret), 503, "who cannot beat lets nobody in")
        c.wires["a"].go_on()
        w.wait_all()
        t.equal((w.ids(), sorted(s for s, m in c.had() if m == "a"),
                 sorted(p["pid"] for p in a.processes("muxd"))),
                (was, mine, pids), "a member that lost the store, but not its "
                "clients, has what it had when it is back: no tunnel of them "
                "has moved")
        t.ok(a.log.has("ours again", start), "and says so")
        # So long that grace is over.
        start = a.log.mark()
        c.wires["a"].cut_off()
        until(lambda: not set(mine) & set(c.holders()), "an end of grace")
        c.wires["a"].go_on()
        for s in mine:
            a.log.wait("session %s: it is over, say others" % s, start)
        until(lambda: c.had() == sorted(c.holders().items()) and
              len(c.had()) == CLIENTS - len(mine), "only the others' tunnels")
        until(lambda: len([1 for x in w.clients if x[2].p.poll() is not
                           None]) == len(mine), "its clients to end")
        t.ok(True, "of a session that is over meanwhile the tunnel is closed "
             "with 4000, which ends the client")


def taken(w):
    """A client that stays at its member, while the row says of its session that
    another has it, or a later generation: each of the two is enough."""
    c = w.c
    for column, what in (("generation = generation + 1",
                          "a generation above its own"),
                         ("member = '%s'", "another member")):
        was, (mine, name) = w.ids(), c.had()[0]
        if "%s" in column:
            column %= next(n for n in c.names if n != name)
        client = w.client_of(mine)[2]
        mark, said = client.err.mark(), c[name].log.mark()
        c.pg.sql("BEGIN; UPDATE relayd.session_more SET %s WHERE id = '%s';"
                 "INSERT INTO relayd.session_losses SELECT '%s', id, "
                 "generation FROM relayd.session_more WHERE id = '%s'; COMMIT" %
                 (column, mine, name, mine), c.database)
        c[name].log.wait("session %s: member [abc] has it" % mine, said)
        m = client.err.wait(r"closed by the server: ([0-9]+ \w+)", mark)
        t.equal(m.group(1), "1001 moved", "%s in the store: its client is "
                "closed with 1001" % what)
        w.wait_all()
        t.equal((w.ids(), client.p.poll()), (was, None),
                "it has not ended, and is back in its session")


def clock_off():
    """Five minutes fast, and slow for all others to see."""
    w = World()
    with w:
        c, was = w.c, w.ids()
        c["b"].move_clock(300000)
        c["b"].log.wait("our clock is [0-9]* s ahead of the store's")
        c.wait_seen(c["a"], "abc")
        refused(w)
        t.equal((w.ids(), w.is_whole()), (was, True), "a member whose clock "
                "is 5 min off is there, and nothing is had twice")
        c.kill("a")
        w.wait_all()
        t.equal(w.ids(), was, "when another goes its clients are back, at it "
                "too")


def redis_lost():
    """One that has lost Redis, and nothing else, cannot be asked: the store says
    that it lives."""
    w = World(redis_wired="b")
    with w:
        c, b, was = w.c, w.c["b"], w.ids()
        mine = sorted(s for s, m in c.had() if m == "b")
        pids = sorted(p["pid"] for p in b.processes("muxd"))
        keys = [k[:2] for k in w.clients if c["a"].rows(
            "SELECT s.id FROM support_sessions s JOIN systems y "
            "ON y.id = s.system_id WHERE y.system_key = ? AND "
            "s.status = 'active'", k[0])[0][0] in mine]
        t.equal(c["a"].login(*keys[0]), 409, "a tunnel at b is seen by a")
        c.redis_wires["b"].cut_off()
        t.equal([c[n].login(*keys[0]) for n in "acac"], [503] * 4,
                "b has lost Redis: its tunnel is not taken for dead")
        c.wait_seen(c["a"], "abc")
        t.equal((w.ids(), w.is_whole(), sorted(
            p["pid"] for p in b.processes("muxd"))), (was, True, pids),
            "nothing is had twice, and no tunnel of its has dropped")
        c.redis_wires["b"].go_on()
        until(lambda: c["a"].login(*keys[0]) == 409, "b to be asked again")
        t.equal((w.ids(), w.is_whole()), (was, True), "nor when it is back")


def all_lost():
    """One that has lost everything but its clients, and hears from nobody that one
    of its sessions is another's."""
    w = World(shuts=False, wired="b", redis_wired="b")
    with w:
        c, b, was = w.c, w.c["b"], w.ids()
        mine = sorted(s for s, m in c.had() if m == "b")
        pids = sorted(p["pid"] for p in b.processes("muxd"))
        key, secret, client = w.client_of(mine[0])
        mark, start = client.err.mark(), b.log.mark()
        c.wires["b"].cut_off()
        c.redis_wires["b"].cut_off()
        until(lambda: all(m is None for s, m in c.holders().items()
                          if s in mine), "the others to give grace")
        b.log.wait("no beat of ours could be written", start)
        t.equal(b.login(key, secret), 503, "who has neither the store nor "
                "Redis lets nobody in")
        with OurClient(c["a"], key, secret):
            until(lambda: c.holders().get(mine[0]) == "a", "it to be taken")
            t.equal(sorted(p["pid"] for p in b.processes("muxd")), pids,
                    "another takes one of its sessions: no tunnel of its has "
                    "dropped")
            c.redis_wires["b"].go_on()
            c.wires["b"].go_on()
            m = client.err.wait(r"closed by the server: ([0-9]+ \w+)", mark)
            t.equal(m.group(1), "1001 moved", "when it has both again it "
                    "closes that one with 1001")
            w.wait_all()
            t.equal((w.ids(), sorted(s for s, m in c.had() if m == "b")),
                    (was, mine[1:]), "the others are its, as they were, and "
                    "nothing is had twice")
        w.wait_all()
        t.equal((w.ids(), client.p.poll()), (was, None),
                "who was closed is back when the other has left")


def main():
    if postgres.programs() is None or shutil.which("haproxy") is None:
        t.skip("there is no PostgreSQL or no haproxy", "members and clients")
        return
    with World() as w:
        refused(w)
        killed(w)
        paused(w)
        taken(w)
        for m in w.c.members.values():
            t.equal(m.ctl_raw("audit", "verify").returncode, 0,
                    "the audit log is whole, says " + m.sock)
    cut_off()
    clock_off()
    redis_lost()
    all_lost()


main()
t.done()
