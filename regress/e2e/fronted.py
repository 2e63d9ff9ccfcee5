# SPDX-License-Identifier: ISC
"""With RELAYD_FRONT=haproxy a test's one relayd is three members of a cluster, with
a real PostgreSQL, a real Redis, and a real haproxy before them, round robin, nothing
sticky: each request and each client comes to the next one. front.list says which
tests run so.

What a test asks goes through haproxy; what it asks relayctl is asked of the member
whose business it is: what is in the store of the first one, a session of the one that
has it, and what each of them has for itself of all (their rows one after another). A
log line is there if one of them has written it."""

import os
import re
import shutil
import signal
import sys
import threading

from basics import Lines, free_port, until
import postgres
from cluster import Cluster, Front
from daemon import Relayd

os.environ["PATH"] += ":/usr/sbin"
FRONT = os.environ.get("RELAYD_FRONT", "")
NAMES = "abc"
HAPROXY = "127.0.0.66"      # where it comes from; a client does not
# Of these each member has its own, or has to be told.
EACH = (("show", "tunnels"), ("show", "streams"), ("show", "processes"),
        ("show", "metrics"), ("show", "penalties"), ("penalty", "clear"),
        ("reload",),
        ("log", "brief"), ("log", "verbose"), ("test", "clock"))
# These are about one session, which one of them has.
ONE = (("show", "services"), ("close",))
LISTEN = r"(?m)^listen on (127\.0\.0\.1) port (\d+)([^{\n]*?)( tls\b|$)"


class Joined(Lines):
    """What several write, in the order in which it comes."""

    def __init__(self):
        self.lines = []
        self.ended = False
        self.cond = threading.Condition()

    def write(self, text):
        with self.cond:
            self.lines += text.splitlines()
            self.cond.notify_all()

    def flush(self):
        pass


def is_of(words, commands):
    words = [w for w in words if not w.startswith("-")]
    return any(tuple(words[:len(c)]) == c for c in commands)


class Fronted(Relayd):
    """As a Relayd, which it is not: its port is haproxy's."""

    members = len(NAMES)

    def __init__(self, tap, global_conf="", build=None, libexec=None,
                 verbose=True, **kw):
        if postgres.programs() is None or not shutil.which("haproxy") or \
                not shutil.which("redis-server"):
            print("1..0 # SKIP there is no haproxy, PostgreSQL or Redis")
            sys.exit(0)
        self.c = Cluster(tap, names="", build=build, libexec=libexec,
                         verbose=verbose)
        self.c.begin()
        self.front = None
        self.each = []
        super().__init__(tap, global_conf=self.c.redis.conf() + global_conf,
                         build=build, libexec=libexec, verbose=verbose, **kw)
        self.use_postgres(self.c.pg, self.c.database)
        for name in NAMES:
            m = self.c.add(name, start=False)
            m.doors = {}            # port of haproxy's: its own
            self.each.append(m)
        self.rewrite()
        self.sock = self.each[0].sock

    def rewrite(self):
        """As for one; each member has its own ports and paths in it."""
        super().rewrite()
        for m in getattr(self, "each", ()):
            m.text = self.text_of(m)
            m.rewrite()

    def text_of(self, m):
        def door(x):
            host, port, what, tls = x.groups()
            if " metrics" in what:
                return x.group(0) if m is self.each[0] else ""
            own = m.doors.setdefault(int(port), free_port())
            return "listen on %s port %d%s proxy protocol%s" % (
                host, own, what, tls)
        text = re.sub(LISTEN, door, self.text)
        text = re.sub(r'(?m)^control socket ".*"$',
                      'control socket "%s"' % m.sock, text)
        return "%s\n%slisten on 127.0.0.1 port %d\ntrusted proxy %s/32\n" % (
            text, self.c.block(m.member), m.port, HAPROXY)

    # ---- life ----

    def start(self):
        self.log = Joined()
        for m in self.each:
            m.also = self.log
            m.start()
        self.p, self.pid = self.each[0].p, self.each[0].pid
        for m in self.each:
            self.c.wait_seen(m, NAMES)
        ports = [self.port] + [p for p in self.each[0].doors
                               if p != self.port]
        self.front = Front(
            self.c, shuts=False, patience="5s", source=HAPROXY, doors=[
                (p, {m.member: m.doors[p] for m in self.each})
                for p in ports])

    def __enter__(self):
        try:
            return super().__enter__()
        except BaseException:
            self.c.redis.__exit__()
            raise

    def stop(self, sig=signal.SIGTERM, seconds=30):
        """All of them at once, then haproxy: the last words get through."""
        started = [m for m in self.each if m.p is not None]
        for m in started:
            if m.p.poll() is None:
                m.p.send_signal(sig)
        codes = [m.stop(sig, seconds) for m in started]
        if self.front is not None:
            self.front.__exit__()
            self.front = None
        return max(codes, key=bool) if codes else None

    def __exit__(self, kind, value, tb):
        super().__exit__(kind, value, tb)
        self.c.__exit__(None, None, None)
        return False

    def check_log(self):
        for m in self.each:
            m.secrets.update(self.secrets)
            m.clean = self.clean

    def is_ready(self):
        return all(m.is_ready() for m in self.each)

    # ---- relayctl ----

    def ctl_raw(self, *words):
        if is_of(words, EACH):
            said = [m.ctl_raw(*words) for m in self.each]
            return next((r for r in said if r.returncode != 0), said[0])
        first = self.each[0].ctl_raw(*words)
        if is_of(words, ONE) and first.returncode != 0:
            for m in self.each[1:]:
                r = m.ctl_raw(*words)
                if r.returncode == 0:
                    return r
        return first

    def ctl(self, *words):
        if words[:2] == ("show", "sessions"):
            return self.sessions()
        if is_of(words, EACH):
            return [row for m in self.each for row in m.ctl(*words)]
        return super().ctl(*words)

    def sessions(self):
        """Those that are with a member as it has them, the others as the first
        one says that the store does."""
        rows = {s["session"]: s for s in self.each[0].ctl("show", "sessions")}
        for m in self.each:
            rows.update({s["session"]: s for s in m.sessions()
                         if s["tunnel"] == "up" or
                         rows.get(s["session"], s)["tunnel"] != "up"})
        return list(rows.values())

    def here(self, rows):
        return rows

    def member_of(self, session):
        """Who has its tunnel."""
        return until(lambda: [m for m in self.each for s in m.sessions()
                              if (s["session"], s["tunnel"]) ==
                              (session, "up")], "its tunnel")[0]
