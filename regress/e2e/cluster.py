# SPDX-License-Identifier: ISC
"""Members of a cluster: several relayd with one PostgreSQL server, one Redis
and one secret."""

import os
import shutil
import signal

from harness import Relayd, free_port, until
import postgres
from redisserver import Redis


class Cluster:
    """In a `with`: members by their names. More that is said for all of them is
    as Relayd has it; `own` says what is one member's."""

    def __init__(self, tap, names="abc", conf="", own=None, **kw):
        self.tap = tap
        self.names = list(names)
        self.kw = kw
        self.conf = conf
        self.own = own or {}
        self.redis = Redis()
        self.pg = postgres.server()
        self.database = self.pg.database()
        self.members = {}
        self.peer = free_port()     # the same for all of them

    def __enter__(self):
        self.redis.start()
        self.secret = self.redis.file("cluster", os.urandom(32).hex())
        for name in self.names:
            self.add(name)
        return self

    def __exit__(self, kind, value, tb):
        for d in self.members.values():
            d.__exit__(kind, value, tb)
        self.redis.__exit__()
        return False

    def __getitem__(self, name):
        return self.members[name]

    def add(self, name, start=True):
        """One more; what a token was signed with by one all others take."""
        at = "127.0.1.%d" % (1 + len(self.members))
        d = Relayd(self.tap, global_conf=self.redis.conf() +
                   'cluster {\n\tname "%s"\n\tsecret file "%s"\n'
                   '\tpeer address %s port %d\n}\n'
                   'listen on %s port %d peer\n' % (
                       name, self.secret, at, self.peer, at, self.peer) +
                   self.conf +
                   self.own.get(name, ""), **self.kw)
        d.peer = at
        d.use_postgres(self.pg, self.database)
        d.rewrite()
        for other in self.members.values():
            shutil.copy(os.path.join(other.dir, "jwt.secret"),
                        os.path.join(d.dir, "jwt.secret"))
        self.members[name] = d
        if start:
            d.start()
        return d

    def seen(self, by, state="up"):
        """Who is in this state, as one of them says."""
        return sorted(m["name"] for m in by.ctl("show", "members")
                      if m["state"] == state)

    def wait_seen(self, by, names, state="up"):
        until(lambda: self.seen(by, state) == sorted(names),
              "members %s to be %s" % (names, state))

    def pids(self, name):
        d = self.members[name]
        return [d.pid] + [int(p["pid"]) for p in d.processes()
                          if int(p["pid"]) != d.pid]

    def pause(self, name):
        """All of its processes stand still, and nobody hears of it. Gives what
        wakes them again."""
        pids = self.pids(name)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        def go_on():
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        return go_on
