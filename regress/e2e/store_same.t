#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""SQLite and PostgreSQL give the same answers: what happens to sessions happens
in both, by chance, and every list is asked for in every way from both."""

import itertools
import random
import sys
import uuid

import postgres
from harness import Relayd, Tap

t = Tap()
STEPS = 240
NOW = 1795000000000
ORGS = [("d", "distributor", None), ("r", "reseller", "d"),
        ("rc", "customer", "r"), ("c", "customer", "d"),
        ("f", "customer", "d2")]
CALLERS = [("owner", "x"), ("distributor", "d"), ("reseller", "r"),
           ("customer", "c"), ("customer", "nobody")]
STATES = ["pending", "active", "closed", "expired"]


class Both:
    def __init__(self, lite, pg):
        self.all = (lite, pg)
        self.dice = random.Random(7)
        self.sessions = {}      # id: system, state

    def run(self, lite, pg=None):
        self.all[0].rows(lite)
        self.all[1].rows(pg or lite)

    def fill(self):
        for id, kind, parent in ORGS:
            self.run("INSERT INTO organizations (id, name, type, parent,"
                     " created_at) VALUES ('%s', '%s', '%s', %s, 1)" %
                     (id, id.upper(), kind, "'%s'" % parent if parent
                      else "NULL"))
        for i in range(14):
            org = self.dice.choice(["d", "r", "rc", "c", "f", "unknown"])
            row = ("s%02d" % i, "Box %d" % (i * 7 % 5), "KEY-%d" % i, "p%d" % i,
                   "x", org)
            self.run(
                "INSERT INTO systems (id, name, system_key,"
                " system_secret_public, system_secret_sha256,"
                " organization_id, support_enabled, registered_at,"
                " created_at, updated_at) VALUES (%s, 1, 5, %d, 5)" %
                (", ".join("'%s'" % x for x in row), NOW + i % 4),
                "INSERT INTO public.systems (id, name, system_key,"
                " system_secret_public, system_secret_sha256,"
                " organization_id, support_enabled, registered_at) VALUES"
                " (%s, true, at(5)); INSERT INTO system_more (id, created_at,"
                " updated_at) VALUES ('s%02d', %d, 5)" %
                (", ".join("'%s'" % x for x in row), i, NOW + i % 4))

    def come(self):
        system = "s%02d" % self.dice.randrange(14)
        state = self.dice.choice(STATES)
        node = self.dice.choice([None, "1", "2"])
        if state in STATES[:2] and any(
                v[0] == system and v[2] == node and v[1] in STATES[:2]
                for v in self.sessions.values()):
            return
        id = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        at = [NOW + self.dice.randrange(40) * 1000 for _ in range(3)]
        self.sessions[id] = (system, state, node)
        n = "'%s'" % node if node else "NULL"
        self.run(
            "INSERT INTO support_sessions (id, system_id, node_id,"
            " session_token, started_at, expires_at, status, created_at,"
            " updated_at, generation) VALUES ('%s', '%s', %s, '%s', %d, %d,"
            " '%s', %d, 5, 1)" % (id, system, n, id, at[0], at[1] + 99000,
                                  state, at[2]),
            "INSERT INTO public.support_sessions (id, system_id, node_id,"
            " session_token, started_at, expires_at, status, created_at,"
            " updated_at) VALUES ('%s', '%s', %s, '%s', at(%d), at(%d), '%s',"
            " at(%d), at(5))" % (id, system, n, id, at[0], at[1] + 99000,
                                 state, at[2]))

    def change(self):
        if not self.sessions:
            return
        id = self.dice.choice(sorted(self.sessions))
        system, state, node = self.sessions[id]
        what = self.dice.randrange(4)
        if what == 0:
            self.run("DELETE FROM support_sessions WHERE id = '%s'" % id)
            del self.sessions[id]
        elif what == 1:
            at = NOW + self.dice.randrange(40) * 1000
            self.run("UPDATE support_sessions SET expires_at = %d WHERE id ="
                     " '%s'" % (at, id), "UPDATE public.support_sessions SET"
                     " expires_at = at(%d) WHERE id = '%s'" % (at, id))
        elif what == 2:
            org = self.dice.choice(["d", "r", "rc", "c", "f", "other"])
            self.run("UPDATE systems SET organization_id = '%s' WHERE id ="
                     " '%s'" % (org, system))
        else:
            new = self.dice.choice(STATES[2:])
            self.run("UPDATE support_sessions SET status = '%s' WHERE id ="
                     " '%s'" % (new, id))
            self.sessions[id] = (system, new, node)

    def ask(self, path, tokens):
        got = [d.api("GET", path, tokens[i]) for i, d in enumerate(self.all)]
        return got[0] if got[0] == got[1] else (path, got)


def queries():
    for key, way, states in itertools.product(
            ("created_at", "started_at", "expires_at", "status"),
            ("asc", "desc"), ([], STATES, ["closed"], ["active", "expired"])):
        yield "/support-sessions?sort_by=%s&sort_direction=%s%s" % (
            key, way, "".join("&status=" + s for s in states))
    for key, way in itertools.product(("name", "created_at"),
                                      ("asc", "desc")):
        yield "/systems?sort_by=%s&sort_direction=%s" % (key, way)
    yield "/systems?search=box%201"
    yield "/systems?status=active&status=online"
    yield "/support-sessions?page=2&page_size=3&status=closed&status=active"


def compare(both, what):
    for role, org in CALLERS:
        tokens = [d.token(role=role, org=org) for d in both.all]
        wrong = []
        n = 0
        for q in queries():
            r = both.ask(q, tokens)
            n += len(str(r)) > 300
            if isinstance(r[0], str):
                wrong.append(r)
        t.equal(wrong[:1], [], "%s: %s of %s gets the same from both (%d "
                "lists with something in them)" % (what, role, org, n))


def anew(d):
    """What the triggers have kept is what is made of all sessions at once."""
    def kept():
        # but when the newest was made, where that was not when it began
        return [d.rows("SELECT %s FROM %s WHERE n <> 0 ORDER BY 1, 2, 3" % x)
                for x in (("system_id, rank, n, started_at, expires_at,"
                           " by_started, by_expires, by_status,"
                           " organization_id", "support_groups"),
                          ("*", "support_nodes"), ("*", "support_counts"))]
    before = kept()
    for x in ("support_groups", "support_nodes", "support_counts"):
        d.sql("DELETE FROM " + x)
    d.pg.load(d.database)
    after = kept()
    t.ok(all(before), "there are groups, nodes and counts")
    for i, name in enumerate(("groups", "nodes", "counts")):
        t.equal(after[i], before[i], "schema apply makes the same %s of what "
                "is there" % name)


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    pg = Relayd(t)
    pg.use_postgres(postgres.server())
    pg.rewrite()
    lite = Relayd(t)
    if lite.pg is not None:
        lite.pg = None
        lite.store_line = 'sqlite "%s"' % lite.store
        lite.rewrite()
    with lite, pg:
        both = Both(lite, pg)
        both.fill()
        for i in range(STEPS):
            both.come() if both.dice.random() < 0.6 else both.change()
            if i in (20, STEPS // 2):
                compare(both, "after %d steps" % i)
        compare(both, "at the end")
        anew(pg)
    t.done()


if __name__ == "__main__":
    sys.exit(main())
