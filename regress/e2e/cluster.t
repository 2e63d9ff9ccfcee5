#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Members of a cluster on one PostgreSQL server and one Redis: who is there,
who has a session, and that nothing is had twice."""

import os
import re
import shutil
import subprocess
import tempfile
import threading

import postgres
from cluster import Cluster
from harness import OurClient, Relayd, Tap, until
from upgrades import own_programs, upgrade

t = Tap()


def wrong(text):
    """What `relayd -n` says of a file."""
    with tempfile.TemporaryDirectory() as tmp:
        secret = os.path.join(tmp, "secret")
        for path, what in ((secret, "x" * 32), (secret + "-short", "x" * 31)):
            with open(path, "w") as f:
                f.write(what)
            os.chmod(path, 0o600)
        conf = os.path.join(tmp, "relayd.conf")
        with open(conf, "w") as f:
            f.write("listen on 127.0.0.1 port 1\nmissing users nobody\n" +
                    text.replace("SECRET", secret))
        from harness import BUILD
        r = subprocess.run([os.path.join(BUILD, "bin", "relayd"), "-n", "-L",
                            os.path.join(BUILD, "libexec"), "-f",
                            conf], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        return r.returncode, r.stdout


def grammar():
    block = ('cluster {\n\tname a\n\tsecret file "SECRET"\n'
             '\tpeer address 127.0.0.1 port 7000\n}\n')
    pg = 'store postgresql "host=127.0.0.1 dbname=x user=x" directory "/nowhere"\n'
    redis = 'redis "redis://127.0.0.1:6379/0"\n'
    t.equal(wrong(pg + redis + block)[0], 0, "a cluster is configured")
    for text, why in (
            (redis + block, "SQLite serves one relayd only"),
            (pg + block, '"redis" is needed'),
            (pg + redis + block.replace("\tname a\n", ""), "a name is needed"),
            (pg + redis + block.replace('\tsecret file "SECRET"\n', ""),
             "a secret file is needed"),
            (pg + redis + re.sub("\tpeer.*\n", "", block),
             "a peer address is needed"),
            (pg + redis + block.replace("name a", 'name "a b"'),
             "is not a name"),
            (pg + redis + block.replace("name a", "nom a"),
             '"nom" is no setting'),
            (pg + redis + block.replace("127.0.0.1 port 7", '"a b" port 7'),
             "is no address"),
            (pg + redis + block.replace("SECRET", "SECRET-short"),
             "has to hold 32 to 4096 bytes")):
        code, said = wrong(text)
        t.ok(code == 1 and why in said, "refused: " + why)


def who_is_there():
    with Cluster(t) as c:
        a, b, d = c["a"], c["b"], c["c"]
        for m in (a, b, d):
            c.wait_seen(m, "abc")
        rows = {m["name"]: m for m in b.ctl("show", "members")}
        t.equal([(n, m["here"], m["address"], m["port"]) for n, m in
                 sorted(rows.items())],
                [("a", "no", a.peer, str(c.peer)),
                 ("b", "yes", b.peer, str(c.peer)),
                 ("c", "no", d.peer, str(c.peer))],
                "each sees all, and where they are")
        key, secret = a.add_system()
        with OurClient(b, key, secret) as cl:
            s = b.wait_session()
            until(lambda: [m for m in a.ctl("show", "members") if
                           m["name"] == "b" and m["tunnels"] == "1"],
                  "the tunnel of b, as a sees it")
            t.equal(a.rows("SELECT member FROM support_sessions WHERE id = ?",
                           s["session"]), [("b",)],
                    "the store says who has a session")
            said = a.api("GET", "/status", a.token(permissions=(
                "read:status",)))[1]["data"]["members"]
            t.equal([(m["name"], m["state"], m["here"], m["tunnels"])
                     for m in said],
                    [("a", "up", True, 0), ("b", "up", False, 1),
                     ("c", "up", False, 0)],
                    "an administrator has it from any of them, by the API")
            cl.stop()
        # Together they write one log, and nothing of it is lost.
        for n in range(4):
            for m in (a, b, d):
                m.add_system("many%d" % n)
        t.equal(len({x["key"] for x in d.ctl("system", "list")}), 13,
                "what each has made all have")
        for m in (a, b, d):
            t.equal(m.ctl_raw("audit", "verify").returncode, 0,
                    "the audit log of all is whole, says " + m.sock)
        d.stop()
        c.wait_seen(a, "ab")
        t.equal(c.seen(a, "gone"), [], "who stops is no member any more")
        go_on = c.pause("b")
        try:
            c.wait_seen(a, "b", "gone")
            t.ok(True, "one that does not beat is gone after 20 s")
        finally:
            go_on()
        c.wait_seen(a, "ab")
        t.ok(True, "and is there again when it does")
        for was, now in (('name "a"', 'name "d"'), ("peer address " + a.peer,
                                                    "peer address 127.0.1.9")):
            with open(a.conf, "w") as f:
                f.write(a.text.replace(was, now))
            r = a.ctl_raw("reload")
            t.ok(r.returncode != 0 and "cluster: a change needs a restart" in
                 r.stderr, "a member stays who and where it is: " + now)
        a.rewrite()
        t.equal(a.ctl_raw("reload").returncode, 0, "all else may change")


def purged_elsewhere():
    """One walks along the audit log while another takes the oldest of it away."""
    with Cluster(t, "ab", own={"a": "keep refusals 1d max 1000\n"}) as c:
        a, b = c["a"], c["b"]
        c.wait_seen(a, "ab")
        b.ctl_raw("system", "remove", "nobody")     # a refusal: the chain
        until(lambda: c.pg.rows("SELECT count(*) FROM relayd.audit_chains "
                                "WHERE chain = 2", (), c.database)[0][0] == 1,
              "a refusal in the log")

        def refusals():
            return c.pg.rows("SELECT count(*) FROM relayd.audit_events "
                             "WHERE chain = 2", (), c.database)[0][0]
        c.pg.sql("BEGIN; SELECT pg_advisory_xact_lock("
                 "x'72656c617964'::bigint); SELECT relayd.audit(2, "
                 "'refused', relayd.now_ms(), 'x', NULL, NULL, NULL, "
                 "'test', NULL, NULL, NULL, NULL, NULL, 'refused', 'n', "
                 "1, NULL, NULL, NULL) FROM generate_series(1, 9000); "
                 "COMMIT", c.database)
        t.ok(refusals() > 9000, "many refusals, of which a keeps 1000")
        said, over = [], threading.Event()

        def look():
            while not over.is_set():
                said.append(b.ctl_raw("audit", "verify"))
        looking = threading.Thread(target=look)
        looking.start()
        until(lambda: said, "a first look")
        a.move_clock(61000)
        until(lambda: refusals() < 1100, "a to have taken them away")
        over.set()
        looking.join()
        broken = [r.stderr for r in said if r.returncode != 0 and
                  "try again" not in r.stderr]
        t.equal(broken, [], "what a takes away meanwhile is no break to b "
                "(%d looks)" % len(said))
        t.equal([m.ctl_raw("audit", "verify").returncode for m in (a, b)],
                [0, 0], "nor to anybody behind it")
        c.pg.sql("UPDATE relayd.audit_events SET reason = 'changed' WHERE "
                 "event = (SELECT max(event) FROM relayd.audit_events)",
                 c.database)
        t.ok(b.ctl_raw("audit", "verify").returncode != 0,
             "what somebody has changed is one")


def strangers():
    """A relayd that is no member, and a cluster, do not share a database."""
    with Cluster(t, "a") as c:
        d = Relayd(t)
        d.use_postgres(c.pg, c.database)
        d.wants_ready = False
        d.rewrite()
        with d:
            d.log.wait("members of a cluster write to it")
            t.equal(d.is_ready(), False, "one that is no member does not "
                    "write where members do")
            c["a"].stop()
            until(d.is_ready, "it to have the database")
            c["a"].wants_ready = False
            c["a"].start()
            c["a"].log.wait('a relayd without "cluster" writes to it')
            t.equal(c["a"].is_ready(), False, "nor the other way round")


class Twins(Cluster):
    """z says that it is a, too."""
    def block(self, name):
        return super().block(name).replace('name "z"', 'name "a"')


def twins():
    """several-daemons.md, 2: a name is one member's. Who comes second waits,
    hears nothing of what the first is told, and follows when it is gone."""
    with Twins(t, "ab") as c:
        a, b = c["a"], c["b"]
        c.wait_seen(b, "ab")
        key, secret = b.add_system()
        with OurClient(a, key, secret) as cl:
            s = a.wait_session()
            z = c.add("z", start=False)
            z.wants_ready = False
            z.start()
            z.log.wait("another relayd is member a of this cluster, at %s "
                       "port %d: each needs a name of its own" % (
                           re.escape(a.peer), c.peer))
            t.equal([z.is_ready(), z.login(key, secret)], [False, 503],
                    "a second member of a name takes nobody, and says why")
            for _ in range(4):
                t.equal(b.login(key, secret), 409, "tunnel-49(partial): what "
                        "the first has is asked of the first alone")
            t.equal(c.pg.rows("SELECT epoch FROM relayd.writers WHERE "
                              "member = 'a'", (), c.database)[0][0], 1,
                    "and no turn of it is taken")
            t.equal([(m["address"], m["state"]) for m in
                     b.ctl("show", "members") if m["name"] == "a"],
                    [(a.peer, "up")], "the others see one")
            t.equal([x["session"] for x in a.ctl("show", "sessions")],
                    [s["session"]], "which has its session")
            cl.stop()
        c.kill("a")
        until(z.is_ready, "the second to follow one that beats no more", 60)
        until(lambda: [m["address"] for m in b.ctl("show", "members") if
                       m["name"] == "a" and m["state"] == "up"] == [z.peer],
              "its place to be known")
        t.ok(True, "who waits follows when the first beats no more")
        a.wants_ready = False
        a.start()
        a.log.wait("another relayd is member a of this cluster, at %s" %
                   re.escape(z.peer))
        t.equal(a.is_ready(), False, "the first waits when it comes back")
        z.stop()
        until(a.is_ready, "the first to follow")
        t.ok(True, "and has its name at once when the other one goes")


def another_place():
    """several-daemons.md, 2: its own row is known by the place of before, too."""
    place = own_programs()
    with Cluster(t, "ab", build=place) as c:
        a, b = c["a"], c["b"]
        c.wait_seen(b, "ab")
        key, secret = b.add_system()
        with OurClient(a, key, secret):
            s = a.wait_session()["session"]
            was = a.peer
            for at in "127.0.1.9", was:
                a.text = a.text.replace(a.peer, at)
                a.rewrite()
                a.peer = at
                mark = a.log.mark()
                upgrade(t, a, "a member at another place")
                until(lambda: [m["address"] for m in b.ctl("show", "members")
                               if m["name"] == "a" and m["state"] == "up"] ==
                      [at], "its place to be known")
                t.ok(not a.log.has("another relayd is member", mark),
                     "takes its own row for nobody else's")
                # It says where it is before it knows what it has.
                until(lambda: [(x["session"], x["tunnel"]) for x in
                               a.ctl("show", "sessions")] == [(s, "up")],
                      "its session, with its tunnel")
                t.ok(True, "and has its session, with its tunnel")
    shutil.rmtree(place, ignore_errors=True)


def later_schema():
    with Cluster(t, "a") as c:
        a = c["a"]
        c.pg.sql("UPDATE relayd.schema_version SET version = version + 1",
                 c.database)
        a.stop()
        a.start()
        t.equal(a.is_ready(), True, "tables of a later relayd are good")
        c.pg.sql("UPDATE relayd.schema_version SET major = major + 1",
                 c.database)
        a.stop()
        a.wants_ready = False
        a.start()
        a.log.wait("later major version")
        t.equal(a.is_ready(), False, "those of a later major version are not")


if postgres.programs() is None:
    t.skip("there is no PostgreSQL", "members of a cluster")
else:
    grammar()
    who_is_there()
    purged_elsewhere()
    strangers()
    twins()
    another_place()
    later_schema()
t.done()
