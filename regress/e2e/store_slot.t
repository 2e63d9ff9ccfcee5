#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Those who log in at once as the same machine are one session, and a store that
is away is 503 for who comes and nothing for who is there: of both engines the
same."""

import contextlib
import os
import subprocess
import sys

import postgres
from harness import GoClient, Relayd, Tap, Targets, until
from outage import Disk
from transfer import creep

t = Tap()
AT_ONCE = 6


class Lite:
    name = "SQLite"

    def __init__(self):
        self.d = Relayd(t, proxyds=1)   # who has the grant is asked
        self.disk = Disk(os.path.dirname(self.d.store))

    def away(self):
        self.disk.fill()
        until(lambda: self.d.ctl_raw("-f", "system", "add", "x").returncode,
              "the store to have no room")

    def back(self):
        self.disk.room()
        creep(self.d, 3000)

    def done(self):
        self.disk.done()


class Server:
    name = "PostgreSQL"

    def __init__(self):
        self.server = postgres.server()
        self.d = Relayd(t, proxyds=1)
        self.d.use_postgres(self.server)
        self.d.rewrite()

    def away(self):
        self.server.kill()

    def back(self):
        self.server.start()

    def done(self):
        pass


def slot(d, web):
    """How many sessions there are of a machine that came six times at once."""
    key, secret = d.add_system("crowd")
    with contextlib.ExitStack() as all:
        clients = [all.enter_context(GoClient(d, key, secret, web, extra=[
            "-reconnect-delay", "200ms"])) for _ in range(AT_ONCE)]
        until(lambda: any(c.out.has('"accepting"') for c in clients),
              "one of them")
        d.wait_session()
        return int(d.sql("SELECT count(*) FROM support_sessions WHERE"
                         " system_id = (SELECT id FROM systems WHERE"
                         " system_key = '%s')" % key))


def outage(store, web):
    """What who comes is told, and whether who was there is there."""
    d = store.d
    a, b = d.add_system("there"), d.add_system("comes")
    with GoClient(d, *a, web, extra=["-reconnect-delay", "200ms"]) as c:
        sid = c.event("connected")["headers"]["X-Support-Session-Id"]
        c.event("accepting")
        cookie = d.cookie(sid, d.token())
        t.equal(d.via(sid, cookie, "/bytes?n=10")[0], 200,
                "%s: all is well" % store.name)
        store.away()
        with GoClient(d, *b, web, extra=["-once"]) as n:
            said = n.event("dial_failed")
        t.equal((said.get("status"), "Retry-After" in said["headers"]),
                (503, True), "%s: who comes is told to come again" % store.name)
        kept = not c.out.has('"closed"') and \
            d.via(sid, cookie, "/bytes?n=10")[0] == 200
        t.ok(kept, "%s: who is there is served" % store.name)
        store.back()

        def comes():
            with GoClient(d, *b, web, extra=["-once"]) as n:
                until(lambda: n.out.has('"connected"') or
                      n.out.has('"dial_failed"'), "an answer")
                return n.out.has('"connected"')
        until(comes, "the store")
        t.ok(True, "%s: and then who comes is let in" % store.name)
        return said.get("status") == 503 and kept


def one(kind, web):
    try:
        store = kind()
    except (OSError, subprocess.CalledProcessError):
        t.skip("cannot mount a small file system here", kind.name)
        return False
    try:
        with store.d:
            n = slot(store.d, web)
            t.equal(n, 1, "%s: %d at once are one session" % (
                store.name, AT_ONCE))
            return outage(store, web) and n == 1
    finally:
        store.done()


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    with Targets() as targets:
        web = "web=127.0.0.1:%d" % targets.http
        good = [one(kind, web) for kind in (Lite, Server)]
        if all(good):
            t.ok(True, "operator-59: on both engines one slot is one session, "
                 "and an outage is 503 and keeps tunnels")
    t.done()


if __name__ == "__main__":
    sys.exit(main())
