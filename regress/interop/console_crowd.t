#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The console's list with 0, 3, 300 and 20,000 open sessions: every one is to be
had, a page shows no more than it was asked for; what it took is printed."""

import re
import resource
import sqlite3
import uuid

from browse import OurClient, Relayd, installed, lacks, talk
from harness import STORE, Tap, until

t = Tap()
TUNNELS = 10000 # by itself, if there are descriptors for them


def copies(db, table, n, other):
    """n rows like the one that is there."""
    cols = [r[1] for r in db.execute("PRAGMA table_info(%s)" % table)]
    row = dict(zip(cols, db.execute("SELECT * FROM %s LIMIT 1" %
                                    table).fetchone()))
    db.executemany("INSERT INTO %s (%s) VALUES (%s)" % (
        table, ", ".join(cols), ", ".join("?" * len(cols))),
        ([dict(row, **other(i))[c] for c in cols] for i in range(n)))


def more_files():
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    except (OSError, ValueError):
        pass


def room(d):
    """For open sessions in memory: two for each tunnel that there may be, and
    some. Those beyond are open in the store, where the list is read."""
    at = re.search(r"max tunnels is (\d+), not", d.log.text())
    return 2 * (int(at.group(1)) if at else TUNNELS) + 1024


def crowd(d, have, want):
    """As many open sessions as that, each of a system of its own."""
    d.stop()
    db = sqlite3.connect(d.store)
    ids = [str(uuid.uuid4()) for _ in range(want - have)]
    with db:
        copies(db, "systems", len(ids), lambda i: {
            "id": ids[i], "name": "s%05d" % (have + i),
            "system_key": "KEY-%s" % ids[i], "secret_public": ids[i]})
        copies(db, "support_sessions", len(ids), lambda i: {
            "id": str(uuid.uuid4()), "system_id": ids[i],
            "session_token": ids[i]})
    db.close()
    d.start()
    until(lambda: len(d.sessions()) == min(want, room(d)), "all of them")
    t.diag("%d are open, %d of them in memory" % (want, len(d.sessions())))


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
    more_files()
    with Relayd(t, verbose=False, operator="api rate 100000",
                global_conf="keep sessions 365d max 1000000") as d:
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
