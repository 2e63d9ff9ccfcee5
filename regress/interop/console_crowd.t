#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The console's list with 0, 3, 300 and 20,000 sessions: every one is to be had,
a page shows no more than it was asked for; what it took is printed."""

import sqlite3
import uuid

from browse import OurClient, Relayd, installed, lacks, talk
from harness import STORE, Tap, until

t = Tap()
OPEN = 5000     # of more the rest is over
TUNNELS = 2500  # there is room for twice as many open sessions


def copies(db, table, n, other):
    """n rows like the one that is there."""
    cols = [r[1] for r in db.execute("PRAGMA table_info(%s)" % table)]
    row = dict(zip(cols, db.execute("SELECT * FROM %s LIMIT 1" %
                                    table).fetchone()))
    db.executemany("INSERT INTO %s (%s) VALUES (%s)" % (
        table, ", ".join(cols), ", ".join("?" * len(cols))),
        ([dict(row, **other(i))[c] for c in cols] for i in range(n)))


def crowd(d, have, want):
    """As many sessions as that, each of a system of its own."""
    d.stop()
    db = sqlite3.connect(d.store)
    ids = [str(uuid.uuid4()) for _ in range(want - have)]
    over = {"status": "closed", "started_at": 1000, "closed_at": 2000}
    with db:
        copies(db, "systems", len(ids), lambda i: {
            "id": ids[i], "name": "s%05d" % (have + i),
            "system_key": "KEY-%s" % ids[i], "secret_public": ids[i]})
        copies(db, "support_sessions", len(ids), lambda i: dict({
            "id": str(uuid.uuid4()), "system_id": ids[i],
            "session_token": ids[i]}, **(
                over if have + i >= OPEN else {})))
    db.close()
    d.start()
    until(lambda: len(d.sessions()) == min(want, OPEN), "the open ones")


def play(d, token, n):
    talk(t, "crowd.js", None, url="http://127.0.0.1:%d/" % d.port,
         name="crowd-%d" % n, token=token, n=n)


def main():
    if lacks():
        t.skip("no " + lacks(), "the console's list in a browser")
        return
    if STORE:
        t.skip("rows are put into a file", "the console's list")
        return
    installed()
    with Relayd(t, verbose=False, operator="api rate 100000",
                global_conf="keep sessions 365d max 1000000",
                tunnel="max tunnels %d" % TUNNELS) as d:
        token = d.token(permissions=("connect:systems", "read:systems"))
        play(d, token, 0)
        with OurClient(d, *d.add_system("first")):
            d.wait_session()
        have = 1
        for n in (3, 300, 20000):
            crowd(d, have, n)
            have = n
            play(d, token, n)


main()
t.done()
