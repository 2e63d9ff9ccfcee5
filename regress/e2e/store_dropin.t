#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The drop-in shape: a database that another program has made and filled, with
the tables and columns of doc/operator-api.md, section 10. relayd adds its own
beside them, uses what is there, and leaves the rest alone."""

import base64
import hashlib
import http.client
import re
import sys

import postgres
from harness import GoClient, Relayd, Tap, Targets, until
from theirs import THEIRS, system

t = Tap()
# What the version before 18 had not; the views are made anew.
TO_17 = ("DROP VIEW relayd.support_sessions CASCADE; ALTER TABLE"
         " relayd.session_more DROP COLUMN services CASCADE,"
         " DROP COLUMN services_at;"
         " UPDATE relayd.schema_version SET version = 17")
SESSIONS = ("SELECT id, system_id, generation, coalesce(services, 'none'),"
            " services_at FROM relayd.support_sessions ORDER BY id")
TABLES = ("systems", "support_sessions", "support_access_logs",
          "distributors", "resellers", "customers")


def shape(server, db):
    """Every column of theirs, and every row."""
    columns = server.sql(
        "SELECT table_name, column_name, data_type, is_nullable,"
        " column_default FROM information_schema.columns WHERE table_schema ="
        " 'public' ORDER BY 1, ordinal_position", db)
    return columns, [server.sql("SELECT md5(string_agg(x::text, '|' ORDER BY"
                                " x::text)) FROM %s x" % n, db)
                     for n in TABLES]


def fill(server):
    db = server.database("template1")
    server.sql(THEIRS, db)
    a = system(server, db, "s1", "c1", "NETH-0001", "a" * 40)
    b = system(server, db, "s2", "c2", "NETH-0002", "b" * 40)
    server.sql(
        "INSERT INTO support_sessions (id, system_id, session_token, status,"
        " started_at, closed_at, closed_by) VALUES"
        " ('11111111-1111-4111-8111-111111111111', 's1', 'old', 'closed',"
        " now() - interval '2 days', now() - interval '1 day', 'operator'),"
        " ('22222222-2222-4222-8222-222222222222', 's2', 'other', 'expired',"
        " now() - interval '3 days', now() - interval '2 days', 'timeout');"
        "INSERT INTO support_access_logs (session_id, operator_id,"
        " operator_name, access_type, disconnected_at, metadata) VALUES"
        " ('11111111-1111-4111-8111-111111111111', 'bob', 'Bob', 'ui_proxy',"
        " now(), '{\"service\": \"web\"}')", db)
    return db, a, b


def tokens(d, server, db, key, secret):
    """What is shown to whoever reads their tables opens nothing."""
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=60)
    c.request("GET", "/api/tunnel", headers={
        "Authorization": "Basic " + base64.b64encode(
            ("%s:%s" % (key, secret)).encode()).decode(),
        "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    r = c.getresponse()
    shown = r.headers["X-Support-Reconnect-Token"]
    t.ok(r.status == 101 and re.fullmatch("[0-9a-f]{64}", shown),
         "a client is told a token")
    d.secret("a reconnect token", shown)
    d.wait_session()
    row = server.sql("SELECT reconnect_token, session_token FROM"
                     " support_sessions WHERE status = 'active'", db)
    kept, session = row.split("|")
    t.equal(kept, hashlib.sha256(shown.encode()).hexdigest(),
            "their table has its hash")
    t.match(session, "^[0-9A-F]{64}$", "and of the session's token what is "
            "none: it is in capitals")
    c.close()
    until(lambda: not any(s["tunnel"] == "up" for s in d.sessions()),
          "its end")


def groups(d, **who):
    st, env = d.api("GET", "/support-sessions?page_size=50&status=pending&"
                    "status=active&status=expired&status=closed",
                    d.token(**who))
    rows = env["data"].get("support_sessions", []) if st == 200 else []
    return st, sorted(g["system_id"] for g in rows)


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    server = postgres.server()
    db, one, two = fill(server)
    before = shape(server, db)
    d = Relayd(t)
    d.use_postgres(server, db)
    d.rewrite()
    d.wants_ready = False
    with Targets() as targets, d:
        # Without its tables nothing is let in, and that can be mended.
        until(lambda: d.ctl("schema", "show")[0]["state"] == "missing",
              "the schema to be looked at")
        t.ok(True, "schema show: missing")
        r = d.ctl_raw("system", "list")
        t.ok(r.returncode != 0, "without its tables nothing else is answered")
        t.equal(d.request("GET", "/readyz")[0], 503, "and it is not ready")
        t.equal(d.ctl_raw("schema", "apply").returncode, 0, "schema apply")
        until(d.is_ready, "relayd to be ready")
        t.equal(d.ctl("schema", "show")[0]["state"], "good", "it is good then")
        t.equal(shape(server, db), before, "no column and no row of theirs "
                "has changed")
        t.equal(d.ctl_raw("schema", "apply").returncode, 0, "once more")
        t.equal(shape(server, db), before, "which changes nothing either")

        st, rows = groups(d)
        t.equal((st, rows), (200, ["s1", "s2"]),
                "operator-4(partial): their sessions are listed")
        t.equal(groups(d, role="distributor", org="d1")[1], ["s1"],
                "a distributor sees what is below his resellers")
        t.equal(groups(d, role="reseller", org="r1")[1], ["s1"],
                "a reseller his customers'")
        t.equal(groups(d, role="reseller", org="r2")[1], ["s2"],
                "and nobody else's")
        t.equal(groups(d, role="customer", org="c1")[1], ["s1"],
                "a customer his own")
        st, env = d.api("GET", "/support-sessions/11111111-1111-4111-8111-"
                        "111111111111/logs", d.token())
        t.ok(st == 200 and "bob" in str(env), "their access log is shown")

        web = "web=127.0.0.1:%d" % targets.http
        with GoClient(d, one[0], one[1], web):
            sid = d.wait_session()["session"]
            c = d.cookie(sid, d.token())
            t.equal(d.via(sid, c, "/hello")[0], 200,
                    "a system of theirs logs in and is used")
            t.equal(server.sql("SELECT status, system_id FROM"
                               " support_sessions WHERE id = '%s'" % sid, db),
                    "active|s1", "they see its session")
            t.equal(server.sql(
                "SELECT operator_id, metadata ->> 'service' FROM"
                " support_access_logs WHERE session_id = '%s'" % sid, db),
                "alice|web", "and who used it")
        tokens(d, server, db, *one)
        # What they write is seen, too.
        server.sql("UPDATE systems SET support_enabled = false WHERE id ="
                   " 's2'", db)
        server.sql("DELETE FROM systems WHERE id = 's2'", db)
        t.equal(groups(d)[1], ["s1"], "a system that they remove is gone")
        before = server.sql(SESSIONS, db)
        server.sql(TO_17, db)
        d.kill(d.pid_of("authd"))
        until(lambda: d.ctl_try("schema", "show") and
              d.ctl("schema", "show")[0]["state"] == "old", "the old version")
        t.equal(d.request("GET", "/readyz")[0], 503,
                "an older version: 503")
        t.equal(d.ctl_raw("schema", "apply").returncode, 0, "is brought up")
        until(d.is_ready, "relayd to be ready")
        t.ok(True, "and is good again")
        t.equal(server.sql("SELECT version FROM relayd.schema_version", db),
                d.ctl("schema", "show")[0]["schema"], "of today's version")
        t.equal(server.sql(SESSIONS, db), before, "its sessions are as they "
                "were, and nobody has written their services")
    t.done()


if __name__ == "__main__":
    sys.exit(main())
