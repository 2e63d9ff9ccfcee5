# SPDX-License-Identifier: ISC
"""Three members behind a haproxy under load: many idle tunnels, some busy ones,
and one member after another drained, killed, stopped, cut off, with a wrong clock. What
was promised: a transfer that met none of the member that was hurt is whole, one
that is said to be whole is, each client has its session again, and no session is
had twice."""

import contextlib
import hashlib
import http.client
import os
import threading
import time

from cluster import Cluster, Draining, Front
from harness import Program, Targets, go_program, until

NAMES = "abc"
PER_SYSTEM = 20         # nodes of one: its logins are counted together
SIZES = (1000, 300_000, 2_000_000)
KNOWN = 2.5             # a proxyd believes for 2 s who has what
PATIENCE = 5            # of haproxy, for one answer to "are you ready?"
MISSED = 3 * PATIENCE   # then it sends nobody there: two of them, and their pauses
TOGETHER = 8            # who transfer at the same time; more tunnels are busy, so
                        # that each is idle for a moment, in which it can be asked to go


class Crowd(Program):
    """Tunnels of one process, which come back by themselves."""

    def __init__(self, c, port, name, n, services):
        self.lines = []
        for i in range(n):
            if i % PER_SYSTEM == 0:
                key, secret = c["a"].add_system("%s%d" % (name, i))
            self.lines.append("%s %s %d\n" % (key, secret, i % PER_SYSTEM))
        path = os.path.join(c["a"].dir, name + ".keys")
        with open(path, "w") as f:
            os.chmod(path, 0o600)
            f.writelines(self.lines)
        super().__init__([
            go_program("tunnelclient"), "-quiet", "-keys", path, "-url",
            "ws://127.0.0.1:%d/api/tunnel" % port, "-tunnels", str(n),
            "-parallel", "32", "-again", "-jitter", "-reconnect-delay", "1s",
            "-max-reconnect-delay", "5s", "-services", services,
            "-diagnostics", "none"])


class Hurt:
    """A time in which one member keeps no promise. One that only `drains` cuts
    nothing off: it may only refuse what is asked of its clients."""

    def __init__(self, member, held, drains=False):
        self.member, self.begin, self.end = member, time.monotonic(), None
        self.had = {s for s, m in held.items() if m == member}
        self.drains = drains

    def excuses(self, begin, entry, sid, held, said):
        # Whoever still believes that this member has it asks there.
        mine = held == self.member or sid in self.had
        if self.drains:
            return mine and said[:1].isdigit()
        return mine or entry == self.member or \
            (entry == "-" and begin < self.begin + MISSED)


def pids_left():
    """How many more processes there may be here, and the limit; None: any."""
    with open("/proc/self/cgroup") as f:
        groups = [x.strip().split(":", 2)[1:] for x in f]
    left = []
    for kind, path in groups:
        top = "/sys/fs/cgroup" + ("/pids" if kind == "pids" else "")
        if kind not in ("", "pids"):
            continue
        while True:
            try:
                with open(top + path + "/pids.max") as f:
                    most = f.read().strip()
                with open(top + path + "/pids.current") as f:
                    now = int(f.read())
                if most != "max":
                    left.append((int(most) - now, int(most)))
            except OSError:
                pass        # the topmost one has none
            if path in ("", "/"):
                break
            path = os.path.dirname(path)
    return min(left) if left else None


def fitting(tap, idle, busy):
    """As many idle tunnels as there is room for. Each is a process, and those of
    a member that stands still are there beside those that have taken their
    place; and what is here with them."""
    def need(n):
        return (n + busy) * 7 // 4 + 400
    left = pids_left()
    if left is None or need(idle) <= left[0]:
        return idle
    step = 100 if idle > 100 else 10
    n = max(0, (left[0] - 400) * 4 // 7 - busy) // step * step
    tap.skip("pids.max is %d, of which %d are left; %d are needed: raise it" %
             (left[1], left[0], need(idle)),
             "%d idle tunnels; %d fit here" % (idle, n))
    if n == 0:
        raise RuntimeError("not even %d tunnels fit here" % step)
    return n


class Load:
    def __init__(self, tap, idle, busy, limit=60):
        self.t, self.idle, self.busy, self.limit = tap, idle, busy, limit
        self.hurts, self.done, self.lock = [], [], threading.Lock()
        self.held = {}          # session: member, when all was whole
        self.over, self.threads = False, []

    def __enter__(self):
        self.up_to = contextlib.ExitStack()
        try:
            return self.begin(self.up_to.enter_context)
        except BaseException:
            self.up_to.close()
            raise

    def begin(self, enter):
        self.targets = enter(Targets())
        self.c = enter(Cluster(
            self.t, NAMES, wired="a", verbose=False,
            conf="max startups 400:30:1000\n",
            tunnel="\tmax sessions per system 64\n"))
        for n in NAMES:
            self.c.wait_seen(self.c[n], NAMES)
        self.front = enter(Front(self.c, patience="%ds" % PATIENCE))
        self.crowds = [
            enter(Crowd(self.c, self.front.port, "idle", self.idle,
                        "web=127.0.0.1:9")),
            enter(Crowd(self.c, self.front.port, "busy", self.busy,
                        "web=127.0.0.1:%d" % self.targets.http))]
        self.up_to.callback(self.stop)
        self.whole("all clients in their sessions", 300)
        self.ids = sorted(self.held)
        return self

    def stop(self):
        self.over = True
        for th in self.threads:
            th.join()

    def __exit__(self, *exc):
        return self.up_to.__exit__(*exc)

    # ---- who has what ----

    def is_whole(self):
        had, store = self.c.had(), self.c.holders()
        if len(had) != self.idle + self.busy or \
                had != sorted(store.items()):
            return False
        self.held = store
        return True

    def whole(self, what, seconds=None):
        begin = time.monotonic()
        until(self.is_whole, what, seconds or 4 * self.limit, every=0.5)
        return time.monotonic() - begin

    # ---- transfers ----

    def start(self):
        d = self.c["a"]
        token = d.token(lifetime="2h")
        busy = d.rows("SELECT s.id FROM support_sessions s JOIN systems y ON "
                      "y.id = s.system_id WHERE y.name LIKE 'busy%' AND "
                      "s.status = 'active'")
        self.sessions = [(r[0], d.proxy_host(r[0]), d.cookie(r[0], token))
                         for r in busy]
        self.sums = {}
        for i, size in enumerate(SIZES):
            k = http.client.HTTPConnection("127.0.0.1", self.targets.http)
            k.request("GET", "/bytes?n=%d&seed=%d" % (size, i))
            self.sums[i] = hashlib.sha256(k.getresponse().read()).digest()
            k.close()
        self.up = os.urandom(500_000)
        self.up_sum = hashlib.sha256(self.up).hexdigest().encode()
        self.threads = [threading.Thread(target=self.transfer, args=(i,))
                        for i in range(TOGETHER)]
        for th in self.threads:
            th.start()

    def transfer(self, i):
        n = i
        while not self.over:
            n += 1
            entry = (NAMES + "-")[n // 4 % 4]   # "-": by haproxy
            sid, host, cookie = self.sessions[n % len(self.sessions)]
            begin, held = time.monotonic(), self.held[sid]
            try:
                said = self.one(i, entry, n % (len(SIZES) + 1), host, cookie)
            except (OSError, http.client.HTTPException) as e:
                said = "%s" % type(e).__name__
            with self.lock:
                self.done.append((begin, time.monotonic(), entry, sid, held,
                                  said))
            if said != "right":
                time.sleep(0.2)

    def one(self, i, entry, what, host, cookie):
        """From an address of its own: a proxyd takes 64 connections that have
        said nothing yet of one, and all the clients that return are one."""
        port = self.front.port if entry == "-" else self.c[entry].port
        k = http.client.HTTPConnection("127.0.0.1", port, timeout=60,
                                       source_address=("127.0.2.%d" % (1 + i),
                                                       0))
        try:
            h = {"Host": host, "Cookie": cookie}
            if what == len(SIZES):
                k.request("POST", "/sha", self.up, h)
            else:
                k.request("GET", "/bytes?n=%d&seed=%d" % (SIZES[what], what),
                          headers=h)
            r = k.getresponse()
            body = r.read()
        finally:
            k.close()
        if r.status != 200:
            return "%d %s" % (r.status, body[:200])
        right = self.up_sum in body if what == len(SIZES) else \
            hashlib.sha256(body).digest() == self.sums[what]
        return "right" if right else "WRONG"

    def promised(self, begin, end, entry, sid, held, said):
        return not any(begin <= (x.end or end) and end >= x.begin and
                       x.excuses(begin, entry, sid, held, said)
                       for x in self.hurts)

    def check_transfers(self):
        with self.lock:
            done = list(self.done)
        right = [x for x in done if x[-1] == "right"]
        self.t.equal([x for x in done if x[-1] == "WRONG"], [],
                     "of %d transfers that came to their end each has its "
                     "SHA-256" % len(right))
        self.t.equal([x for x in done if x[-1] != "right" and
                      self.promised(*x)], [],
                     "each that met nothing of the member that was hurt did "
                     "(%d others did not)" % (len(done) - len(right)))
        self.t.diag("hurt: %s" % [(x.member, x.begin, x.end)
                                  for x in self.hurts])
        self.t.ok(len(right) > 4 * len(NAMES), "there were enough of them")

    # ---- what happens ----

    def hurt(self, name, what, do, undo):
        """`do` is done to a member, clients are back elsewhere, `undo`."""
        x = self.begin_hurt(name)
        do()
        took = self.whole_without(name)
        self.t.ok(took < self.limit, "%s %s: all clients are back in %.1f s" %
                  (name, what, took))
        undo()
        self.healed(x, "in their sessions, none is new, none is had twice")

    def begin_hurt(self, name, drains=False):
        x = Hurt(name, self.held, drains)
        self.hurts.append(x)
        return x

    def healed(self, x, text):
        """All members are there again, the store with each, and `text` is true
        of all sessions."""
        was = self.c.beats()
        until(lambda: all(b > was[n] for n, b in self.c.beats().items()),
              "each to write a beat")
        for n in NAMES:
            self.c.wait_seen(self.c[n], NAMES)
        self.whole("all to be where the store says")
        x.end = time.monotonic() + KNOWN
        self.t.equal(sorted(self.held), self.ids, text)

    def whole_without(self, name):
        """All are elsewhere, as the others see it."""
        begin = time.monotonic()

        def elsewhere():
            store = self.c.holders()
            return len(store) == self.idle + self.busy and \
                not set(store.values()) & {name, None} and sorted(
                    s["session"] for n in NAMES if n != name
                    for s in self.c[n].here(self.c[n].ctl_try(
                        "show", "sessions") or [])
                    if s["tunnel"] == "up") == sorted(store)
        until(elsewhere, "all clients elsewhere", 4 * self.limit, every=0.5)
        return time.monotonic() - begin

    def killed(self, name):
        self.hurt(name, "is killed", lambda: self.c.kill(name),
                  self.c[name].start)

    def paused(self, name):
        woken = []
        self.hurt(name, "stands still",
                  lambda: woken.append(self.c.pause(name)),
                  lambda: woken[0]())

    def cut_off(self, name):
        """It has lost the store, but not its clients: they stay."""
        x = self.begin_hurt(name)
        mine = sorted(s for s, m in self.held.items() if m == name)
        start = self.c[name].log.mark()
        self.c.wires[name].cut_off()
        until(lambda: all(m is None for s, m in self.c.holders().items()
                          if s in mine), "the others to give grace", 90)
        self.c[name].log.wait("no beat of ours could be written", start)
        self.c.wires[name].go_on()
        self.whole("all to be where the store says")
        self.c[name].log.wait("our beat is written again", start)
        x.end = time.monotonic() + KNOWN
        self.t.equal((sorted(s for s, m in self.held.items() if m == name),
                      sorted(self.held)), (mine, self.ids),
                     "%s loses the store, but no client" % name)

    def drained(self, name):
        """All leave it, and nothing is cut off: neither haproxy nor a transfer
        that is under way notices."""
        x = self.begin_hurt(name, drains=True)
        self.front.drain(name)
        begin = time.monotonic()
        said = Draining(self.c[name], "time", "3m").end(4 * 60)
        took = time.monotonic() - begin
        self.t.equal(said, (0, "drained", ""), "%s is drained in %.1f s" %
                     (name, took))
        self.whole_without(name)
        self.c[name].ctl("drain", "cancel")
        self.front.drain(name, False)
        self.healed(x, "all are in their sessions, at other members")

    def clock_off(self, name):
        self.c[name].move_clock(300_000)
        self.c[name].log.wait("our clock is [0-9]* s ahead of the store's")

    def all(self, drain=True):
        """A member in which long transfers run at every moment through each tunnel
        does not get empty: `drain` is for as many clients as leave pauses."""
        self.start()
        if drain:
            self.drained("c")
        self.killed("b")
        self.clock_off("b")     # back with its name, and 5 min ahead
        self.killed("c")
        self.paused("a")
        self.cut_off("a")
        self.check_transfers()
        for d in self.c.members.values():
            def verified():
                r = d.ctl_raw("audit", "verify")
                return "unavailable" not in r.stderr and r
            self.t.equal(until(verified, "the store").returncode, 0,
                         "the audit log is whole")
