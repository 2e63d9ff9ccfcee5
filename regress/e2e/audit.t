#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The audit log as a chain: whatever is changed, moved, put in or removed in
the store is found, by relayctl and by a checker that knows doc/audit.md alone;
and nothing that was acknowledged is lost when authd is killed."""

import datetime
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading

from harness import BUILD, SRC, WAIT, GoClient, Relayd, Tap, Targets, until

sys.path.insert(0, os.path.join(SRC, "regress", "lib"))
import audit_check                                            # noqa: E402

t = Tap()
CTL = os.path.join(BUILD, "bin", "relayctl")


def sql(d, text, *args):
    return d.rows(text, *args)


def log(d):
    """All of it, as it is printed for others."""
    r = d.ctl_raw("-j", "show", "audit", "after", "0")
    return json.loads(r.stdout)


def when(time):
    return datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ")


def verify(d, *heads):
    """What relayctl says; "" when all is as it was written."""
    r = d.ctl_raw("audit", "verify", *[x for h in heads
                                       for x in ("head", h)])
    return r.stderr if r.returncode else ""


def whole(d, what, *heads):
    said = verify(d, *heads)
    t.equal(said, "", "%s: relayctl finds nothing wrong" % what)
    t.equal(audit_check.check(log(d), heads), [], "nor does who knows "
            "doc/audit.md alone")


def found(d, event, words, what):
    said = verify(d)
    t.ok(words in said and (event is None or "event %d" % event in said),
         "%s: is found, and named" % what)
    if words not in said:
        t.diag("%r" % said)
    t.ok(audit_check.check(log(d)) != [], "by the other checker, too")


class Put:
    """A row as it is now, to be put back."""

    def __init__(self, d, event):
        self.d = d
        self.row = sql(d, "SELECT * FROM audit_events WHERE event = ?",
                       event)[0]

    def back(self):
        sql(self.d, "DELETE FROM audit_events WHERE event = ?", self.row[0])
        sql(self.d, "INSERT INTO audit_events VALUES (%s)" %
            ",".join("?" * len(self.row)), *self.row)


def scene(d, targets):
    """A life: tunnel, pages, a terminal's ticket, refusals; the token."""
    key, secret = d.add_system("box")
    token = d.token()
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        s = d.wait_session()["session"]
        cookie = until(lambda: d.cookie(s, token), "the service")
        t.equal(d.via(s, cookie, "/")[0], 200, "a page")
        d.ticket(s, token)
        d.api("PATCH", "/support-sessions/%s/extend" % s, token, {"hours": 1})
        for _ in range(3):
            d.api("GET", "/support-sessions/%s" % s, "nonsense")
        d.api("DELETE", "/support-sessions/%s" % s, token)
        c.p.wait(WAIT)
    until(lambda: [x for x in log(d) if x["outcome"] == "ended"], "the end")
    return s


def tampering(d):
    rows = log(d)
    victim = [x for x in rows if x["action"] == "ui_proxy" and
              x["outcome"] == "ended"][0]
    n = victim["event"]
    last = rows[-1]["event"]
    put = Put(d, n)
    names = [x[1] for x in sql(d, "PRAGMA table_info(audit_events)")]
    t.equal(len(names), 22, "the columns of an event")
    for i, name in enumerate(names):
        old = put.row[i]
        if name in ("event", "chain"):
            continue
        for new in ((old + 1, None, "x", 1.5) if isinstance(old, int) else
                    (bytes(32), None, b"") if isinstance(old, bytes) else
                    ("x", (old or "") + " ", 7) if old != "x" else ("y",)):
            if new is None and name == "time":
                continue
            try:
                sql(d, "UPDATE audit_events SET %s = ? WHERE event = ?" %
                    name, new, n)
            except sqlite3.IntegrityError:
                continue
            found(d, n, "event %d was changed" % n, "%s: %r" % (name, new))
            put.back()
    whole(d, "put back")
    sql(d, "UPDATE audit_events SET count = count + 5 WHERE event = ?", last)
    found(d, last, "was changed", "the newest, changed")
    sql(d, "UPDATE audit_events SET count = count - 5 WHERE event = ?", last)

    for chain, words in ((2, "was changed"), (3, "is in no chain"),
                         (None, "is in no chain")):
        sql(d, "UPDATE audit_events SET chain = ? WHERE event = ?", chain, n)
        found(d, n, words, "of chain %s" % chain)
        put.back()
    sql(d, "UPDATE audit_events SET event = event + 100000 WHERE event = ?",
        n)
    found(d, None, "row %d of chain done was removed" % victim["seq"],
          "another number")
    sql(d, "UPDATE audit_events SET event = ? WHERE event = ?", n, n + 100000)
    name = sql(d, "SELECT name FROM audit_chains WHERE chain = 1")[0][0]
    sql(d, "UPDATE audit_chains SET name = 'done-x' WHERE chain = 1")
    found(d, 1, "was changed", "another name of the chain")
    sql(d, "UPDATE audit_chains SET name = ? WHERE chain = 1", name)

    sql(d, "DELETE FROM audit_events WHERE event = ?", n)
    found(d, None, "row %d of chain done was removed" % victim["seq"],
          "one in the middle removed")
    put.back()
    mine = [x for x in rows if x["chain"] == victim["chain"]]
    puts = [Put(d, x["event"]) for x in mine[:3]]
    sql(d, "DELETE FROM audit_events WHERE event = ?", mine[0]["event"])
    found(d, None, "row 1 of chain done was removed", "the oldest removed")
    sql(d, "DELETE FROM audit_events WHERE event <= ? AND chain = 1",
        mine[2]["event"])
    found(d, None, "rows 1 to 3 of chain done were removed",
          "the oldest three")
    for p in puts:
        p.back()
    a, b = mine[2]["event"], mine[4]["event"]
    for x, y in ((a, -1), (b, a), (-1, b)):
        sql(d, "UPDATE audit_events SET event = ? WHERE event = ?", y, x)
    found(d, a, "event %d " % a, "two swapped")
    for x, y in ((a, -1), (b, a), (-1, b)):
        sql(d, "UPDATE audit_events SET event = ? WHERE event = ?", y, x)
    whole(d, "all put back")

    columns = ", ".join(names[1:])
    for change, words in (("chain", "moved or put in"),
                          ("NULL", "is in no chain")):
        sql(d, "INSERT INTO audit_events (event, %s) SELECT "
            "(SELECT max(event) + 1 FROM audit_events), %s FROM audit_events"
            " WHERE event = ?" % (columns, columns.replace(
                "chain", change, 1)), n)
        new = sql(d, "SELECT max(event) FROM audit_events")[0][0]
        found(d, new, "event %d was" % new, "one put in")
        d.ctl("-f", "org", "add", "After", "type", "customer")
        found(d, new, "event %d was" % new, "and so it stays")
        t.equal(sql(d, "SELECT action FROM audit_events WHERE event = ?",
                    new + 1), [("org_add",)], "relayd goes on behind it")
        sql(d, "DELETE FROM audit_events WHERE event = ?", new)
    whole(d, "without it")


def heads(d):
    """What only a head that was kept elsewhere finds."""
    kept = [x["head"] for x in d.ctl("audit", "head")]
    t.equal(len(kept), 2, "audit head: one of each chain")
    d.ctl("-f", "org", "add", "More", "type", "customer")
    whole(d, "heads that were kept", *kept)
    r = d.ctl_raw("audit", "verify", "head", "12")
    t.ok(r.returncode == 1 and "64 hex digits" in r.stderr,
         "what is no head is refused")
    newest = [x["head"] for x in d.ctl("audit", "head")]
    d.stop()
    sql(d, "DELETE FROM audit_events WHERE event = (SELECT max(event) FROM"
        " audit_events WHERE chain = 1)")
    d.start()
    t.equal(verify(d), "", "the newest removed while relayd is down: the "
            "chain alone does not tell")
    t.ok("no row has the hash " + newest[0] in verify(d, *newest),
         "a head that was kept does")
    t.ok(audit_check.check(log(d), newest) != [], "to others, too")
    d.ctl("-f", "org", "add", "Again", "type", "customer")
    whole(d, "and relayd goes on where the chain ends")
    sql(d, "DELETE FROM audit_events WHERE event = (SELECT max(event) FROM"
        " audit_events WHERE chain = 1)")
    d.ctl("-f", "org", "add", "And again", "type", "customer")
    found(d, None, "removed", "removed while relayd runs: it knows")


def follow(d):
    first = log(d)[-1]["event"]
    p = subprocess.Popen([CTL, "-s", d.sock, "-f", "-j", "show", "audit",
                          "after", str(first)], stdout=subprocess.PIPE,
                         text=True)
    stalled = subprocess.Popen([CTL, "-s", d.sock, "-f", "-j", "show",
                                "audit", "after", "0"],
                               stdout=subprocess.PIPE, text=True)
    for i in range(700):
        d.ctl("token", "revoke", "nobody-%d" % i)
    t.equal(json.loads(p.stdout.readline())["object"], "nobody-0",
            "-f: while nobody reads the other one, this one is told")
    rest = [json.loads(p.stdout.readline()) for _ in range(699)]
    t.equal([x["object"] for x in rest],
            ["nobody-%d" % i for i in range(1, 700)],
            "one object a line, none missing, none twice")
    late = [json.loads(stalled.stdout.readline())
            for _ in range(first + 700)]
    t.equal([x["event"] for x in late], list(range(1, first + 701)),
            "who stalled has missed nothing")
    t.equal(audit_check.check(late), [], "and it is the whole chain")
    for x in (p, stalled):
        x.send_signal(signal.SIGTERM)
        x.wait(WAIT)
        x.stdout.close()


def killed(d):
    """authd is killed again and again while changes are acknowledged."""
    stop, acked = threading.Event(), []

    def work(n):
        i = 0
        while not stop.is_set():
            name = "w%d-%d" % (n, i)
            i += 1
            if d.ctl_try("org", "add", name, "type", "customer"):
                acked.append(name)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for w in workers:
        w.start()
    for _ in range(4):
        n = len(acked)
        until(lambda: len(acked) > n + 10, "traffic")
        pid = int(d.processes("authd")[0]["pid"])
        mark = d.log.mark()
        d.kill(pid)
        d.log.wait(r"authd.*(signal 9|killed)", mark)
        until(lambda: [x for x in d.processes("authd")
                       if int(x["pid"]) != pid], "the next authd")
    stop.set()
    for w in workers:
        w.join()
    said = [x["reason"] for x in log(d) if x["action"] == "org_add" and
            x["reason"].startswith("w")]
    t.ok(len(acked) > 40 and set(acked) <= set(said),
         "%d changes, authd killed 4 times: none of those that were "
         "acknowledged is missing" % len(acked))
    t.equal(len(said), len(set(said)), "nor there twice")
    whole(d, "after that")


def purged(d):
    """What goes because of its age or its number is said in the chain."""
    for _ in range(2):
        d.ctl("test", "clock", str(2 * 3600 * 1000))
        d.ctl("-f", "org", "add", "Young", "type", "customer")
    old = when(log(d)[-1]["time"]) - datetime.timedelta(hours=1)

    def done():
        """Rows of between the steps are old, too, and go last. What alone of
        a chain's may stay is a row that says that all before it has gone."""
        rows = log(d)
        aged = [x for x in rows if when(x["time"]) < old]
        lone = {x["chain"] for x in aged}
        return len(aged) == len(lone) and \
            {x["action"] for x in aged} <= {"audit_purge"} and rows
    rows = until(done, "the purge")
    t.ok("audit_begin" not in [x["action"] for x in rows],
         "what is old has gone")
    whole(d, "purged")
    kept = [x["head"] for x in d.ctl("audit", "head")]
    whole(d, "with heads of after", *kept)
    mine = [x for x in rows if x["chain"].startswith("done-")]
    put = Put(d, mine[0]["event"])
    sql(d, "DELETE FROM audit_events WHERE event = ?", mine[0]["event"])
    found(d, None, "row %d of chain done was removed" % mine[0]["seq"],
          "the oldest that is left, removed")
    put.back()
    whole(d, "put back")


def alone(d):
    """What proxyd refuses by itself, without asking authd."""
    for _ in range(5):
        d.api("GET", "/support-sessions", None)
    with socket.create_connection(("127.0.0.1", d.port)) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        t.ok(s.recv(4096).startswith(b"HTTP/1.1 400 "), "two hosts: 400")

    def counted(reason):
        return sum(x["count"] for x in log(d) if x["action"] == "request" and
                   x["reason"] == reason)
    until(lambda: counted("no token") and counted("malformed request"),
          "both refusals")
    d.ctl("test", "clock", "1100")
    d.ctl("test", "clock", "61000")
    until(lambda: counted("no token") == 5, "all of them")
    t.equal(counted("malformed request"), 1,
            "what proxyd refuses alone is shown, as often as it was")
    t.ok("malformed request" in d.ctl_raw("show", "audit").stdout,
         "on the screen, too")
    whole(d, "with those")


with Targets() as targets:
    with Relayd(t, global_conf="keep audit 1h\nkeep refusals 1h") as d:
        scene(d, targets)
        whole(d, "a log")
        alone(d)
        follow(d)
        tampering(d)
        killed(d)
        purged(d)
    with Relayd(t) as d:
        d.ctl("system", "add", "one")
        d.api("GET", "/support-sessions", "nonsense")
        heads(d)
t.done()
