#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Under all that people do at once a random process is killed every second, or
stopped for five: no session is lost, no byte of what completes is wrong, and
nothing is left over. RELAYD_TORTURE_SECONDS (20) is how long, RELAYD_SEED what
chance begins with; `make torture` takes ten minutes."""

import os
import random
import signal
import tempfile
import threading
import time

from harness import (BUILD, GoClient, OurClient, Relayd, Tap, Targets,
                     is_up, until)
from mixed import Doors, Mixed
from process import lives

SECONDS = float(os.environ.get("RELAYD_TORTURE_SECONDS", "20"))
SEED = os.environ.get("RELAYD_SEED") or "%08x" % random.getrandbits(32)
with open(os.path.join(BUILD, "config.mk")) as f:
    SLOW = "-fsanitize" in f.read()     # and keeps what is freed
STOP_S = 5                      # for so long one is stopped
t = Tap()
chance = random.Random(SEED)
print("# again: RELAYD_SEED=%s RELAYD_TORTURE_SECONDS=%g" % (SEED, SECONDS),
      flush=True)


def stat(pid):
    """(descriptors, private KiB), None of who has gone."""
    try:
        n = len(os.listdir("/proc/%d/fd" % pid))
        with open("/proc/%d/smaps_rollup" % pid) as f:
            kib = sum(int(x.split()[1]) for x in f if x.startswith("Private"))
        return n, kib
    except OSError:
        return None


class Rest:
    """What is there when nobody works: by role how many processes, what each
    has open at most, and its memory."""

    def __init__(self, d):
        self.many, self.fds, self.kib = {}, {}, {}
        for p in d.processes():
            role, got = p["role"], stat(int(p["pid"]))
            if got is None:
                continue
            self.many[role] = self.many.get(role, 0) + 1
            self.fds[role] = max(self.fds.get(role, 0), got[0])
            self.kib[role] = max(self.kib.get(role, 0), got[1])
        self.open = open_rows(d)

    def more(self, was):
        """What there is more of than there was; memory has slack of its own:
        a heap that was large once stays so."""
        out = ["%d %s" % (n, role) for role, n in self.many.items()
               if n != was.many.get(role)]
        out += ["%s has %d descriptors, not %d" % (r, n, was.fds.get(r, 0))
                for r, n in self.fds.items() if n > was.fds.get(r, 0)]
        out += ["%s has %d KiB, not %d" % (r, n, was.kib.get(r, 0))
                for r, n in self.kib.items()
                if not SLOW and n > 2 * was.kib.get(r, 0) + (8 << 10)]
        out += ["%s: %d, not %d" % (k, n, was.open[k])
                for k, n in self.open.items() if n != was.open[k]]
        return out


def open_rows(d):
    pg = d.pg is not None
    sessions, log = ("public.support_sessions", "public.support_access_logs") \
        if pg else ("support_sessions", "support_access_logs")
    return {k: int(d.sql(q)) for k, q in (
        ("sessions", "SELECT count(*) FROM %s" % sessions),
        ("sessions that are open", "SELECT count(*) FROM %s WHERE status IN "
         "('active', 'pending')" % sessions),
        ("accesses that did not end", "SELECT count(*) FROM %s WHERE "
         "disconnected_at IS NULL" % log),
        ("relay sessions", "SELECT count(*) FROM relay_sessions"))}


def at_rest(d, was=None):
    """Kept streams and what a dead process had go by themselves."""
    def calm():
        r = Rest(d)
        roles = set(r.many) & {"termd", "tcpd", "rendd"}
        return r if not roles and (was is None or not r.more(was)) else None
    try:
        return until(calm, "rest", 60, 0.5)
    except TimeoutError:
        return Rest(d)


class Tormentor:
    """Does to a random process what its seed says, and never the same to two
    at once."""

    def __init__(self, d):
        self.d, self.killed, self.stopped = d, [], 0
        self.wakes = []

    def victim(self, of=None):
        rows = self.d.ctl_try("show", "processes") or self.rows()
        rows = [p for p in rows if p["role"] != "parent" and
                p["state"] != "stopping" and (of is None or p["role"] in of)]
        return chance.choice(rows) if rows else None

    def rows(self):
        """control is not there: the kernel knows the parent's children."""
        out = []
        path = "/proc/%d/task/%d/children" % (self.d.pid, self.d.pid)
        try:
            with open(path) as f:
                pids = f.read().split()
        except OSError:
            return out
        for pid in pids:
            try:
                with open("/proc/%s/comm" % pid) as f:
                    out.append({"pid": pid, "role": f.read().strip(),
                                "state": "?"})
            except OSError:
                pass
        return out

    def once(self):
        dice = chance.random()
        if dice < 0.02:
            self.parent()
            return
        p = self.victim()
        if p is None:
            return
        pid = int(p["pid"])
        try:
            if dice < 0.12:
                self.d.kill(pid, signal.SIGSTOP)
                self.stopped += 1
                wake = threading.Timer(STOP_S, self.wake, [pid])
                wake.start()
                self.wakes.append(wake)
            else:
                self.d.kill(pid)
                self.killed.append(p["role"])
        except ProcessLookupError:
            pass

    @staticmethod
    def wake(pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def parent(self):
        """As the machine's init would: who is stopped cannot leave by
        himself."""
        self.killed.append("parent")
        pids = [int(p["pid"]) for p in self.rows()]
        self.d.kill(self.d.pid)
        self.d.p.wait()
        for pid in pids:
            self.wake(pid)
        until(lambda: not any(map(lives, pids)), "all to leave")
        keep.append(self.d.log.text())
        self.d.start()

    def done(self):
        for w in self.wakes:
            w.join()


keep = []       # logs of relayds that were killed


def torment(d, load):
    x = Tormentor(d)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        begun = time.monotonic()
        if "parent" not in x.killed and begun > end - SECONDS / 2:
            x.parent()
        x.once()
        time.sleep(max(0, 1 - (time.monotonic() - begun)))
    x.done()
    t.diag("killed: %s; stopped: %d" % (", ".join(
        "%s %d" % (r, x.killed.count(r)) for r in sorted(set(x.killed))),
        x.stopped))
    t.diag("whole+cut: " + load.said())
    for w in load.workers:
        t.diag("%s: last cut by %s" % (w.name, w.last))
    t.ok(len(x.killed) > SECONDS / 3, "%d killed in %g s" % (
        len(x.killed), SECONDS))


def own_end(text):
    """Lines of processes that ended by something that was not us. A muxd whose
    client was not logged in yet goes with the proxyd that let it in."""
    return [x for x in text.splitlines()
            if " debug " not in x and (
                (" killed: " in x and
                 not x.endswith(" its proxyd has gone")) or
                (" ended: " in x and "signal 9" not in x))]


def story(d, targets, doors):
    services = "web=127.0.0.1:%d,echo=127.0.0.1:%d" % (targets.http,
                                                       targets.echo)
    # Its session waits for 60 s.
    slow = ["--max-reconnect-delay", "2s"]
    boxes = [(GoClient, ["-reconnect-delay", "200ms",
                          "-max-reconnect-delay", "2s"]),
             (OurClient, slow), (OurClient, slow)]
    clients = [kind(d, *d.add_system("box%d" % i), services, extra=extra)
               for i, (kind, extra) in enumerate(boxes)]

    def all_up():
        rows = d.ctl_try("show", "sessions") or []
        rows = [s for s in rows if s["status"] == "active" and is_up(s)]
        return rows if len(rows) == len(boxes) else None
    sessions = [s["session"] for s in until(all_up, "all tunnels")]
    token = d.token(lifetime="24h")
    load = Mixed(d, {s: d.cookie(s, token) for s in sessions}, token, SEED,
                 doors)
    load.start()
    load.each_whole(3)
    load.rest()
    was = at_rest(d)
    load.go_on()
    torment(d, load)
    rows = until(all_up, "all tunnels again", 120)
    t.equal(sorted(s["session"] for s in rows), sorted(sessions),
            "no session is lost")
    load.each_whole(3)
    t.equal([d.via(s, load.sessions[s], "/bytes?n=100")[0] for s in sessions],
            [200] * len(sessions), "each has its services, and everything "
            "goes on as before: " + load.said())
    load.rest()
    now = at_rest(d, was)
    t.equal(now.more(was), [], "nothing is left over: processes, descriptors, "
            "memory, rows")
    for role in sorted(now.kib):
        t.diag("%s: %d, %d descriptors, %d KiB, was %d" % (
            role, now.many[role], now.fds[role], now.kib[role],
            was.kib.get(role, 0)))
    load.stop()
    t.equal(load.wrong()[:10], [], "no byte of what completed is wrong, and nobody "
            "was told what is not so")
    r = d.ctl_raw("audit", "verify")
    t.equal(r.returncode, 0, "the audit log is whole")
    t.equal([c.p.poll() for c in clients], [None] * len(clients),
            "no client has given up")
    for c in clients:
        c.stop()


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    doors = Doors(tmp)
    with Relayd(t, **doors.conf) as d:
        story(d, targets, doors)
    t.equal([x for text in keep + [d.log.text()] for x in own_end(text)], [],
            "no process ended but those that were killed")
t.done()
