#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayctl store copy: everything of a SQLite store goes to a PostgreSQL server
and back, with counts; nothing is copied from or to what is in use, to what is
not empty, or from what has more than is known; and what ends on the way has
copied nothing."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid

import postgres
from harness import BUILD, GoClient, Relayd, Tap, Targets, until

t = Tap()
CTL = os.path.join(BUILD, "bin", "relayctl")
# Kept by triggers, or (of members) by who is running.
DERIVED = {"support_groups", "support_nodes", "support_counts",
           "terminal_recording_sum", "members"}


def copy(*words, flags=("-j",)):
    return subprocess.run([CTL, *flags, "store", "copy", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=300)


def tables(path):
    db = sqlite3.connect(path)
    try:
        names = [r[0] for r in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT"
            " LIKE 'sqlite%' ORDER BY name")]
        return {n: [r[1] for r in db.execute("PRAGMA table_info(%s)" % n)]
                for n in names}
    finally:
        db.close()


def plain(column, v):
    """No time is 0 or NULL, and JSON is what it says."""
    if column in ("diagnostics", "metadata") and v:
        return json.dumps(json.loads(v), sort_keys=True)
    if isinstance(v, bytes):
        return v.hex()
    return None if v == 0 else v


def everything(path):
    db = sqlite3.connect(path)
    try:
        return {n: sorted(repr([plain(c, v) for c, v in zip(cols, row)])
                          for row in db.execute("SELECT %s FROM %s" % (
                              ", ".join(cols), n))
                          # sets of states that nobody has any more
                          if n != "support_counts" or row[2])
                for n, cols in tables(path).items()}
    finally:
        db.close()


def fill(d, targets):
    """By use, where that is easy; the rest by hand."""
    org = d.ctl("org", "add", "Customer", "type", "customer")[0]
    key, secret = d.add_system("box", org.get("id") or org.get("org"))
    web = "web=127.0.0.1:%d" % targets.http
    with GoClient(d, key, secret, web, node="1"):
        sid = d.wait_session()["session"]
        c = d.cookie(sid, d.token())
        d.via(sid, c, "/hello")
        d.token(user="bob")
        d.ctl("token", "revoke", "user", "mallory", "reason", "gone")
        d.request("GET", "/api/support-sessions",
                  headers={"Authorization": "Bearer nonsense"})
        d.rows("UPDATE support_sessions SET diagnostics = ?,"
               " diagnostics_at = 1795000000123, diagnostics_len = 31,"
               " users = 'sealed text', users_at = 1795000000456,"
               " users_len = 11, users_good = 1, services = '[]',"
               " services_at = 1795000000789",
               '{"b": [1, 2.5, "\u00e4"], "a": null}')
    now = int(time.time() * 1000)
    for text in (
            "INSERT INTO support_session_services VALUES ('%s', 'extra',"
            " '10.0.0.1:80', NULL, 0, 'alice', %d, 1)" % (sid, now),
            "INSERT INTO proxy_references VALUES ('%s', '%s', 'alice',"
            " 'sealed', %d)" % ("a" * 64, sid, now),
            "INSERT INTO terminal_recordings VALUES ('%s', '%s', 'alice',"
            " 'Alice', %d, %d, 77, '%s', 'm')" % (uuid.uuid4(), sid, now, now + 5,
                                             "b" * 64),
            "INSERT INTO terminal_recordings VALUES ('%s', NULL, NULL, NULL,"
            " %d, NULL, 0, NULL, NULL)" % (uuid.uuid4(), now),
            "INSERT INTO relay_sessions VALUES ('%s', '%s', '%s', 2, 'i',"
            " NULL, NULL, '::1', 'l', %d, %d, %d, 3, 4, NULL)" % (
                uuid.uuid4(), "c" * 64, "d" * 64, now, now + 9000000, now),
            "INSERT INTO consumed_jtis VALUES ('%s', %d)" % (
                "e" * 64, now + 9000000),
            "INSERT INTO support_sessions (id, system_id, session_token,"
            " started_at, expires_at, status, closed_at, closed_by,"
            " created_at, updated_at, generation) SELECT '%s', id, 'x', 1000,"
            " 2000, 'closed', 1500, 'operator', 1000, 1500, 1 FROM systems"
            % uuid.uuid4()):
        d.rows(text)


def refused(r, pattern, text):
    t.ok(r.returncode != 0, text)
    t.match(r.stderr, pattern, text + ": and it says why")


def counts_of(r):
    return {x["table"]: int(x["rows"]) for x in json.loads(r.stdout)} \
        if r.returncode == 0 else r.stderr


def heads(d):
    return [w for x in d.ctl("audit", "head") for w in ("head", x["head"])]


def stays_good(d, words, name):
    """The log is as it was, and goes on."""
    with d:
        until(d.is_ready, "relayd to be ready")
        t.equal(d.ctl_raw("audit", "verify", *words).returncode, 0,
                "%s: the audit log's chains hold, with the heads of before" %
                name)
        t.equal(len(d.ctl("system", "list")), 1, "%s: the system is there" %
                name)
        before = int(d.sql("SELECT count(*) FROM audit_events"))
        d.ctl("org", "add", "Later", "type", "customer")
        t.ok(int(d.sql("SELECT count(*) FROM audit_events")) > before,
             "%s: what is done is written" % name)
        t.equal(d.ctl_raw("audit", "verify", *words).returncode, 0,
                "%s: and its chains hold then" % name)


def killed(server, d):
    """Half of it is there, and it is killed."""
    db = server.database()
    lock = subprocess.Popen(server.psql(db), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, cwd="/")
    lock.stdin.write(b"BEGIN; LOCK TABLE relayd.terminal_recordings IN SHARE"
                     b" MODE; SELECT 'locked';\n")
    lock.stdin.flush()
    lock.stdout.readline()
    p = subprocess.Popen([CTL, "store", "copy", d.store, server.conninfo(db)],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: server.sql("SELECT 1 FROM pg_stat_activity WHERE"
                             " application_name = 'relayd copies' AND"
                             " wait_event_type = 'Lock'", db) == "1",
          "the copy to wait")
    p.send_signal(signal.SIGKILL)
    p.wait(30)
    lock.stdin.close()
    lock.wait(30)
    until(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE"
                             " application_name = 'relayd copies'", db) ==
          "0", "the server to notice")
    t.equal(server.sql("SELECT count(*) FROM public.systems", db), "0",
            "one that is killed half-way has copied nothing")
    r = copy(d.store, server.conninfo(db))
    t.equal(r.returncode, 0, "and is made again from the beginning")


def other(d, name, change):
    """A store of which something was changed by hand."""
    where = os.path.join(d.dir, name)
    os.mkdir(where)
    path = os.path.join(where, "relayd.db")
    a, b = sqlite3.connect(d.store), sqlite3.connect(path)
    with b:
        a.backup(b)
    with b:
        b.execute("PRAGMA foreign_keys = OFF")
        b.execute(change)
    a.close()
    b.close()
    return path


def unknown(server, d):
    db = server.database()
    for name, change, why in (
            ("table", "CREATE TABLE newer (x TEXT)", "newer"),
            ("column", "ALTER TABLE revocations ADD COLUMN x TEXT",
             "revocations"),
            ("version", "PRAGMA user_version = 9999", "9999"),
            ("nul", "UPDATE systems SET name = 'a' || char(0) || 'b'", "NUL"),
            ("utf8", "UPDATE systems SET name = CAST(x'ff41' AS TEXT)",
             "UTF8")):
        path = other(d, name, change)
        refused(copy(path, server.conninfo(db)), why,
                "a store with another %s is not copied" % name)
        t.equal(server.sql("SELECT count(*) FROM relayd.organizations", db),
                "0", "nothing of it is")


def words(d, server):
    db = server.conninfo("x")
    for given in ([d.store], [d.store, d.store + "2"], [db, db],
                  [d.store, "host=db dbname=a user=b"],
                  [d.store, "relative.db"]):
        t.equal(copy(*given).returncode, 2, "no command: %s" %
                " ".join(x.replace(d.dir, "") for x in given))
    refused(copy(d.store, db, "password", "/nonexistent"), "password file",
            "a password file that is not there")


def lite():
    d = Relayd(t)
    if d.pg is not None:
        d.pg = None
        d.store_line = 'sqlite "%s"' % d.store
        d.rewrite()
    d.keep = True
    return d


def there_and_back(server, d):
    want = everything(d.store)
    empty = [n for n in want if not want[n] and n != "members"]
    t.equal(empty, [], "all tables have rows before they are copied")
    db = server.database("template1")
    r = copy(d.store, server.conninfo(db))
    counts = {n: len(rows) for n, rows in want.items() if n not in DERIVED}
    t.equal(counts_of(r), counts, "SQLite to PostgreSQL, which makes its "
            "tables: every table with its count")
    refused(copy(d.store, server.conninfo(db)), "not empty",
            "once more is refused, since it is not empty any more")
    path = os.path.join(d.dir, "back", "relayd.db")
    os.mkdir(os.path.dirname(path))
    t.equal(counts_of(copy(server.conninfo(db), path)), counts,
            "and back to SQLite")
    have = everything(path)
    for n in want:
        t.equal(have.get(n), want[n], "%s: as it was" % n)
    refused(copy(server.conninfo(db), path), "not empty",
            "a file that is not empty is not written to")
    return db, path


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    server = postgres.server()
    d = lite()
    with Targets() as targets, d:
        fill(d, targets)
        marks = heads(d)
        refused(copy(d.store, server.conninfo("postgres")), "stopped",
                "a store that relayd uses is not copied")
    db, path = there_and_back(server, d)
    killed(server, d)
    unknown(server, d)
    words(d, server)
    r = copy(d.store, server.conninfo(server.database()), flags=())
    t.match(r.stdout, r"(?m)^TABLE +ROWS$", "for people it is a table")
    p = Relayd(t)
    p.keep = True
    p.use_postgres(server, db)
    with open(os.path.join(d.dir, "jwt.secret")) as f, \
            open(os.path.join(p.dir, "jwt.secret"), "w") as g:
        g.write(f.read())
    p.rewrite()
    stays_good(p, marks, "PostgreSQL")
    with p:
        fresh = os.path.join(d.dir, "fresh", "relayd.db")
        os.mkdir(os.path.dirname(fresh))
        refused(copy(server.conninfo(db), fresh), "has to be stopped",
                "a database that relayd uses is not copied")
    shutil.rmtree(p.dir)
    d.store_line = 'sqlite "%s"' % path
    d.store = path
    d.rewrite()
    d.keep = False
    stays_good(d, marks, "SQLite again")
    t.done()


if __name__ == "__main__":
    sys.exit(main())
