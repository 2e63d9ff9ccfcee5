#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Each place in each process that asks for memory or makes a system call fails
once: the answer is a clean refusal, or a clean end of that one process, and all
goes on. RELAYD_FAILING_SECONDS (30) is for how long, in the order of RELAYD_SEED;
0: until all have failed, as in `make torture`. RELAYD_FAILING has patterns of
the places that fail, all of which have to fit; with RELAYD_FAILING_TELL each is
told. RELAYD_FAILING_TRIED is a file with those of earlier runs, which are left out,
and gets those of this one: all of them in slices."""

import collections
import os
import random
import re
import tempfile
import time

from failing import ERRORS, SHORT, Failing
from harness import BUILD, GoClient, OurClient, Tap, Targets, is_up, until
from mixed import CUT, Cut, Doors, Mixed, Worker
from process import lives
from yamuxraw import Raw

SECONDS = float(os.environ.get("RELAYD_FAILING_SECONDS", "30"))
SEED = os.environ.get("RELAYD_SEED", "8")
ONLY = os.environ.get("RELAYD_FAILING", "").split()
TRIED = os.environ.get("RELAYD_FAILING_TRIED")
ROLES = ("authd", "control", "proxyd", "muxd", "termd", "tcpd", "rendd",
         "metricd", "tlsd", "keyd", "paird")
STEADY = ("authd", "control", "proxyd", "metricd", "tlsd", "keyd", "paird")
PATIENCE = 20       # s for an answer: longer than any deadline here
t = Tap()
print("# again: RELAYD_SEED=%s RELAYD_FAILING_SECONDS=%g" % (SEED, SECONDS),
      flush=True)


def theirs(pid):
    """Has it died in libcrypto? Without memory that reads what is not there, at
    a start and in what it does for the first time; nothing of ours is in it."""
    path = "%s.%d" % (os.environ.get("RELAYD_SANITIZE_LOG"), pid)
    try:
        with open(path) as f:
            frames = re.findall(r"^ +#\d+ .*", f.read(), re.M)
    except OSError:
        return False
    for x in frames:
        if "libcrypto" in x or "libssl" in x:
            os.truncate(path, 0)        # it is no finding
            return True
        if BUILD in x or " ../" in x and "nptl" not in x:
            break
    return False


class Steps:
    """What there is to do, by name; each says what was wrong, or raises what
    cuts it."""

    def __init__(self, d, load, clients):
        self.d, self.load, self.clients = d, load, clients
        self.key, self.secret = d.add_system("comes and goes")
        self.w = Worker("steps", "always the same", None)
        self.all = {"cookie": self.cookie}
        self.all.update((w.name, lambda f=w.step: f(self.w))
                        for w in load.workers)
        self.all["relay"] = self.relay
        self.all.update(login=self.login, ctl=self.ctl, reload=self.reload)
        self.all.update(("restart " + r, lambda r=r: self.restart(r))
                        for r in STEADY)

    def cookie(self):
        """Another one; what it is for is asked anew."""
        sid = self.w.random.choice(self.load.ids)
        try:
            self.load.sessions[sid] = self.d.cookie(sid, self.load.token)
        except RuntimeError as e:
            raise Cut(e) from e
        return self.load.download(self.w)

    def relay(self):
        """Its session is made each time, and goes."""
        self.load.relayed = None
        try:
            return self.load.relay_step(self.w)
        finally:
            try:
                if self.load.relayed:
                    self.load.ask("DELETE", "/admin/sessions/" +
                                  self.load.relayed["id"])
            except CUT:
                pass                # it ends by itself

    def login(self):
        with Raw(self.d, self.key, self.secret) as r:
            if r.status != 101:
                raise Cut(r.status)
            r.manifest({"web": "127.0.0.1:1"})
            try:
                until(lambda: self.d.ctl_try("show", "services", r.session),
                      "its services", 5)
            except TimeoutError:        # there may be no room for one
                raise Cut("no services")

    def ctl(self):
        for words in ("show sessions", "show processes", "show streams",
                      "show tunnels", "show metrics", "show audit",
                      "system list", "audit head"):
            if self.d.ctl_try(*words.split()) is None:
                raise ConnectionError("relayctl " + words)
        try:
            self.d.token(lifetime="1h")
        except RuntimeError as e:       # authd may be the one that has ended
            raise ConnectionError("token create") from e

    def reload(self):
        if self.d.ctl_raw("reload").returncode != 0:
            raise ConnectionError("reload")

    def restart(self, role):
        old = self.d.pid_of(role)
        self.d.kill(old)
        until(lambda: not lives(old), "the end of %s" % role)
        self.ready()

    def ready(self):
        """All are there again; the clock hurries on until they start."""
        def steady():
            rows = self.d.ctl_try("show", "processes")
            if rows is not None:
                there = [p["role"] for p in rows if p["state"] == "ready"]
                if all(there.count(r) >= 1 + (r in ("proxyd", "tlsd"))
                       for r in STEADY):
                    return True
            self.d.ctl_raw("test", "clock", "1000")
            return False
        until(steady, "all processes", 60, 0.1)
        until(lambda: len([s for s in self.d.ctl_try("show", "sessions") or []
                           if s["session"] in self.load.sessions and
                           is_up(s)]) == len(self.load.sessions),
              "all tunnels", 60)

    def whole(self, name, times=1):
        """Until it is done as it ought to be, so often without a cut."""
        end, n, cuts = time.monotonic() + 60, 0, {}
        while n < times:
            try:
                bad = self.all[name]()
                if bad:
                    return bad
                n += 1
            except CUT as e:
                n = 0
                cuts[repr(e)] = cuts.get(repr(e), 0) + 1
                if time.monotonic() > end:  # the first may be why of the rest
                    return "%s does not work any more: %s; %d terminals" % (
                        name, ", ".join("%d times %s" % (k, x) for x, k in
                                        list(cuts.items())[:4]),
                        self.terminals())
                time.sleep(0.1)
        return None

    def terminals(self):
        """As the server counts them; -1: it does not say."""
        rows = self.d.ctl_try("show", "processes")
        return -1 if rows is None else [p["role"] for p in rows].count("termd")

    def all_whole(self):
        """Nobody was left behind: each process has its turn."""
        for name in self.all:
            if not name.startswith("restart"):
                bad = self.whole(name, 8 if name == "api" else 1)
                if bad:
                    return bad
        return None


class Places:
    """All that were reached, and in which step."""

    def __init__(self, d, steps):
        self.d, self.of = d, {}
        was = self.hits()
        for name in list(steps.all) * 2:
            bad = steps.whole(name)
            if bad:
                t.ok(False, "%s: %s" % (name, bad))
            now = self.hits()
            for k, n in now.items():
                if n != was.get(k, 0):
                    self.of.setdefault(k, name)
            was = now
        self.names = {}
        for role, table in d.tables.items():
            mine = [k for r, k in self.of if r == role]
            for k, text in table.where(mine).items():
                self.names[role, k] = "%s: %s" % (role, text)

    def hits(self):
        return {(role, k): n for role, table in self.d.tables.items()
                for k, n in table.hits().items()}

    def trials(self):
        """(role, place, error, step) of all there is to try."""
        for (role, k), step in sorted(self.of.items()):
            call = self.d.tables[role].names[k][0]
            for error in ERRORS.get(call, []):
                # Packets are whole.
                if error == SHORT and "imsg" in self.names[role, k]:
                    continue
                text = "%s, %s: %s in %s" % (
                    call, error if error != SHORT else "short",
                    self.names[role, k], step)
                if all(re.search(x, text) for x in ONLY):
                    yield role, k, error, step, text


def untried(todo):
    """What of it is not in the file: as often as there, in whatever step."""
    if not TRIED:
        return todo
    with open(TRIED, "a+") as f:
        f.seek(0)
        before = collections.Counter(x.rstrip("\n") for x in f)
    out = []
    for x in todo:
        if before[place_of(x)] > 0:
            before[place_of(x)] -= 1
        else:
            out.append(x)
    return out


def place_of(trial):
    return trial[4].rpartition(" in ")[0]


class Trials:
    def __init__(self, d, steps):
        self.d, self.steps = d, steps
        self.failed, self.ended, self.found = 0, 0, []

    def living(self):
        return {int(p["pid"]) for p in self.d.ctl_try("show", "processes")
                or [] if p["role"] in STEADY + ("muxd", "parent")
                and p.get("session") not in self.passing()}

    def passing(self):
        """Sessions of who comes and goes."""
        return {s["session"] for s in self.d.ctl_try("show", "sessions") or []
                if s["session"] not in self.steps.load.sessions}

    def one(self, role, key, error, step, text):
        table, mark = self.d.tables[role], self.d.log.mark()
        before, expected = self.living(), set(self.d.expected)
        table.arm(key, error)
        begun, bad, cut = time.monotonic(), None, ""
        for _ in range(2):
            try:
                bad = self.steps.all[step]()
            except CUT as e:
                cut = ": " + (str(e) or repr(e))[:100]
                bad = bad or (isinstance(e, TimeoutError) and "hangs: %r" % e)
            if bad or table.failed_in():
                break
        table.disarm()
        pid = table.failed_in()
        if not pid:
            return
        self.failed += 1
        try:
            self.steps.ready()
        except TimeoutError as e:
            bad = "does not come back: %s" % e
        lines = [x for x in self.d.log.lines[mark:] if " debug " not in x]
        gone = {p for p in before if not lives(p)} - \
            (self.d.expected - expected)
        if not lives(pid):
            self.ended += 1
        # Who is told that he is wrong does not come again.
        elif re.search(r": 40[013]$", cut):
            bad = bad or "a refusal of the wrong kind" + cut
        # A clock that hurries on leaves no time to answer a ping, be it a muxd's
        # to its client or the parent's.
        gone -= {p for p in gone if any(
            "[%d]" % p in x and re.search(
                r"silent after a ping|does not answer pings", x)
            for x in lines)}
        if gone - {pid}:
            bad = "others ended: %s" % (gone - {pid})
        faults = [x for x in lines if re.search(
            r" killed: (?!does not answer)|Sanitizer:|runtime error|"
            r"ended: signal (?!9\b)", x)]
        if faults and not theirs(pid):
            bad = faults[0]
        if not bad:
            bad = (self.steps.all_whole() if step.startswith("restart")
                   else self.steps.whole(step))
        if bad:
            self.found.append(text)
            t.ok(False, "%s: %s" % (text, bad))
            of = ["[%d]" % p for p in gone - {pid}]
            t.diag("\n".join([x for x in lines if any(p in x for p in of)]
                             [-12:] + lines[-12:]))
            if "does not work" in bad or "does not come back" in bad:
                raise TimeoutError(bad)     # nothing will, from now on
        if os.environ.get("RELAYD_FAILING_TELL"):
            t.diag("%.1f s, %s%s; %d terminals%s" % (
                time.monotonic() - begun, text,
                "" if lives(pid) else ": ended", self.steps.terminals(), cut))


def story(d, targets, doors):
    services = "web=127.0.0.1:%d,echo=127.0.0.1:%d" % (targets.http,
                                                       targets.echo)
    clients = [kind(d, *d.add_system("box"), services, extra=extra)
               for kind, extra in (
                   (GoClient, ["-reconnect-delay", "200ms"]),
                   (OurClient, ["--max-reconnect-delay", "2s"]))]
    sessions = until(lambda: (lambda x: len(x) == 2 and x)([
        s["session"] for s in d.sessions() if is_up(s)]), "tunnels")
    token = d.token(lifetime="24h")
    load = Mixed(d, {s: d.cookie(s, token) for s in sessions}, token, SEED,
                 doors, PATIENCE, 1 << 17, strict=False)
    steps = Steps(d, load, clients)
    places = Places(d, steps)
    todo = untried(list(places.trials()))
    chance = random.Random(SEED)
    chance.shuffle(todo)
    t.diag("%d places; %d ways to fail: %s" % (
        len(places.of), len(todo), ", ".join("%s %d" % (r, len(
            [x for x in todo if x[0] == r])) for r in ROLES)))
    trials = Trials(d, steps)
    end = time.monotonic() + SECONDS if SECONDS else float("inf")
    n = 0
    for n, x in enumerate(todo, 1):
        trials.one(*x)
        if TRIED:
            with open(TRIED, "a") as f:
                print(place_of(x), file=f)
        if time.monotonic() > end:
            break
    t.diag("%d tried, %d reached again, of which %d ended their process" % (
        n, trials.failed, trials.ended))
    t.ok(trials.failed > 0, "some have failed")
    t.equal(trials.found, [], "a clean refusal, or a clean end of that process")
    t.equal(sorted(s["session"] for s in d.sessions()
                   if s["session"] in sessions and is_up(s)),
            sorted(sessions), "no session is lost")
    for c in clients:
        c.stop()


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    doors = Doors(tmp)
    with Failing(t, roles=ROLES, **doors.conf) as d:
        story(d, targets, doors)
t.done()
