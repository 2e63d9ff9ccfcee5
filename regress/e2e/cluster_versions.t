#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A cluster of two versions (several-daemons.md, 4): each member serves what the other
one has and asks it before a login, while one is exchanged for the other version and
back; and a client moves from the one to the other."""

import shutil

import harness
import postgres
from cluster import Cluster, Draining
from harness import GoClient, Tap, Targets, until
from upgrades import next_build, own_programs, programs, upgrade

t = Tap()


def types(w, word):
    w.send(b"\0echo " + word.encode() + b"-$((6*7))\r")
    w.recv_until(word.encode() + rb"-42")


class Held:
    """A session at one member, and a terminal in it by way of the other."""

    def __init__(self, holder, other, targets):
        self.holder, self.other = holder, other
        self.key, self.secret = holder.add_system("at " + holder.member)
        self.client = GoClient(holder, self.key, self.secret,
                               "web=127.0.0.1:%d" % targets.http)
        self.client.event("manifest_sent")
        self.id = until(lambda: [
            s["session"] for s in holder.ctl("show", "sessions")
            if s["tunnel"] == "up" and s["system"] == "at " + holder.member],
            "its session")[0]
        self.token = other.token(lifetime="1h")
        self.terminal = other.terminal(self.id, other.ticket(self.id,
                                                             self.token))
        types(self.terminal, "first")

    def served(self, when):
        at = "%s: what is at %s, by %s" % (when, self.holder.member,
                                           self.other.member)
        st, env = self.other.api("GET", "/support-sessions/%s/services" %
                                 self.id, self.token)
        t.equal((st, "web" in str(env)), (200, True), at + ": its services")
        cookie = {"Cookie": self.other.cookie(self.id, self.token)}
        st, _, body = self.other.request(
            "GET", "/bytes?n=3000&seed=1", self.other.proxy_host(self.id),
            cookie)
        t.equal((st, len(body)), (200, 3000), "a page")
        types(self.terminal, "again")
        t.equal(self.other.login(self.key, self.secret), 409,
                "its terminal, and that it lives")


def main(targets):
    builds = {"next": next_build(t), "ours": harness.BUILD}
    place = own_programs()
    with Cluster(t, "a", build=place) as c:
        c.names.append("b")
        c.kw["build"] = builds["next"]
        a, b = c["a"], c.add("b")
        for d in a, b:
            c.wait_seen(d, "ab")
        both = Held(a, b, targets), Held(b, a, targets)
        for x in both:
            x.served("two versions")
        for word in "next", "ours":
            programs(builds[word], place)
            upgrade(t, a, "a becomes the other one")
            for x in both:
                x.served("then")
        moved = both[0]
        moved.terminal.s.close()
        t.equal(Draining(a, "time", "1m").end(90)[0], 0, "a is drained")
        moved.client.stop()
        with GoClient(b, moved.key, moved.secret, "web=127.0.0.1:9"):
            until(lambda: [s for s in b.ctl("show", "sessions") if
                           s["session"] == moved.id and s["tunnel"] == "up"],
                  "its client at b")
            t.ok(True, "its client has its session at the other version")
        both[1].client.stop()
    shutil.rmtree(place, ignore_errors=True)


if postgres.programs() is None:
    t.skip("there is no PostgreSQL", "two versions in one cluster")
else:
    with Targets() as targets:
        main(targets)
t.done()
