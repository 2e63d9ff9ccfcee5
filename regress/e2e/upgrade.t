#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayctl upgrade, SIGUSR2: a new program in place of the running one, with
the same pid, and tunnels that do not notice."""

import os
import shutil
import signal
import subprocess
import time

from harness import GoClient, Relayd, Tap, Targets, until
from upgrades import own_programs

t = Tap()


def by_role(d):
    found = {}
    for p in d.processes():
        found.setdefault(p["role"], []).append(p)
    return found


def pids(rows):
    return {p["pid"] for p in rows}


def same(rows, before, text):
    """All are there, and nobody else; those of before another upgrade may have
    gone meanwhile, as they were told to then."""
    def known(of):
        return {(p["pid"], p["program"]) for p in of}
    t.ok({(pid, program) for pid, program in known(before)
          if program != "old"} <= known(rows) <= known(before), text) or \
        t.diag(str((rows, before)))


def refused(d, why, text):
    """Nothing has changed."""
    before = by_role(d)
    r = d.ctl_raw("upgrade")
    t.equal(r.returncode, 1, text)
    t.match(r.stderr, why, "and why")
    t.equal(by_role(d).keys() - {"x"}, before.keys(), "all are there")
    same(d.processes(), [p for rows in before.values() for p in rows],
         "the same as before")


def goes_back(d, why, text):
    """The old program goes on, with the workers that it had."""
    before = by_role(d)
    mark = d.log.mark()
    r = d.ctl_raw("upgrade")
    t.equal(r.returncode, 1, text)
    t.match(r.stderr, why, "and why")
    d.log.wait("upgrade: not done: ", mark)
    t.equal(d.p.poll(), None, "relayd runs")
    for role in ("parent", "muxd", "proxyd", "control"):
        same(d.processes(role), before[role],
             "%s: the same as before" % role)
    t.equal(d.ctl_raw("reload").returncode, 0, "a reload")


def swap(path, name):
    """Another program in its place; what puts it back."""
    os.rename(path, path + ".good")
    shutil.copy2(name, path)
    return lambda: os.rename(path + ".good", path)


def retired(d, pid):
    """Streams are kept for 10 s before it is idle."""
    d.ctl("retire")
    time.sleep(0.5)
    return pid not in [int(p["pid"]) for p in d.processes("muxd")]


place = own_programs()

fault = os.path.join(place, "fault")
os.environ["RELAYD_TEST_UPGRADE"] = fault

with Targets() as targets, Relayd(t, build=place) as d:
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        s = d.wait_session()
        token = d.token()
        cookie = d.cookie(s["session"], token)
        t.equal(d.via(s["session"], cookie, "/")[0], 200, "a page, before")
        before = by_role(d)

        r = d.ctl_raw("upgrade")
        t.equal((r.returncode, r.stderr), (0, ""), "relayctl upgrade")
        t.match(r.stdout, r"^upgraded from \S+ to \S+$", "and what it did")
        after = by_role(d)
        t.equal(d.p.poll(), None, "relayd runs")
        t.equal(pids(after["parent"]), pids(before["parent"]),
                "with the same pid")
        t.equal(pids(after["muxd"]), pids(before["muxd"]),
                "the tunnel's process is the same")
        t.equal([p["program"] for p in after["muxd"]], ["old"],
                "and is marked as old")
        for role in ("authd", "control", "proxyd"):
            new = until(lambda: [p for p in d.processes(role)
                                 if p["program"] == "current"],
                        "a new " + role)
            t.equal(pids(new) & pids(before[role]), set(),
                    "%s is another one" % role)
        until(lambda: len(d.processes("proxyd")) == 2,
              "the old proxyds to have gone")
        t.equal(d.via(s["session"], d.cookie(s["session"], token), "/")[0],
                200, "a page, through the tunnel of before")

        # SIGUSR2 does the same.
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGUSR2)
        d.log.wait("upgraded from", mark)
        t.equal(pids(by_role(d)["muxd"]), pids(before["muxd"]),
                "SIGUSR2: the tunnel's process is the same")
        t.equal(d.via(s["session"], d.cookie(s["session"], token), "/")[0],
                200, "a page again")

        # A new program that is none, and one that does not know of this.
        relayd = os.path.join(place, "bin", "relayd")
        back = swap(relayd, "/bin/false")
        refused(d, "the new program does not start$",
                "a program that ends at once: nothing happens")
        back()
        back = swap(relayd, "/bin/true")
        refused(d, "cannot take over: restart relayd$",
                "a program that cannot take over: nothing happens")
        back()
        os.chmod(relayd, 0o777)
        refused(d, "bin/relayd: others can write it$",
                "a program that others can write: nothing happens")
        os.chmod(relayd, 0o755)
        path = os.path.join(place, "libexec", "muxd")
        os.chmod(path, 0o775)
        refused(d, "libexec/muxd: others can write it$",
                "and so for its workers' programs")
        os.chmod(path, 0o755)
        good = d.text
        with open(d.conf, "w") as f:
            f.write(good + "\nnonsense\n")
        refused(d, "relayd.conf:.*nonsense", "a configuration that it does "
                "not take: nothing happens")
        with open(d.conf, "w") as f:
            f.write(good)

        # What its look does not show.
        for word, why in (
                ("table", "the new program cannot take over: no table$"),
                ("crash", "the new program crashed: signal 11$"),
                ("exit", "the new program gave up$"),
                ("hang", "the new program took too long$")):
            with open(fault, "w") as f:
                f.write(word)
            goes_back(d, why, "%s: the old program goes on" % word)
        os.unlink(fault)
        path = os.path.join(place, "libexec", "proxyd")
        back = swap(path, "/bin/false")
        goes_back(d, "the new proxyd does not start: exit status 1$",
                  "a worker that does not start: the old program goes on")
        back()
        t.equal(d.via(s["session"], d.cookie(s["session"], token), "/")[0],
                200, "a page after all that")
        r = d.ctl_raw("upgrade")
        t.equal((r.returncode, r.stderr), (0, ""), "and then it goes well")
        t.equal(pids(by_role(d)["muxd"]), pids(before["muxd"]),
                "the tunnel's process is the same in the end")

        # While a reload goes on it waits; nobody reloads meanwhile.
        proxyd = [int(p["pid"]) for p in d.processes("proxyd")
                  if p["program"] == "current"][0]
        os.kill(proxyd, signal.SIGSTOP)
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGHUP)
        asked = subprocess.Popen(
            [os.path.join(place, "bin", "relayctl"), "-s", d.sock, "upgrade"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        d.log.wait("not loaded, nothing is changed: .*did not answer", mark)
        t.ok(True, "a reload that somebody does not answer")
        os.kill(proxyd, signal.SIGCONT)
        t.match(asked.communicate(timeout=60)[0], "^upgraded from ",
                "an upgrade meanwhile waits for its end")
        text = d.log.text()
        t.ok(text.rindex("not loaded") < text.rindex("upgraded from"),
             "in this order")
        until(lambda: not [p for p in d.processes("control")
                           if p["program"] == "old"], "the old control")

        # A worker that hangs does not hold it up, and is ended as ever.
        muxd = d.pid_of("muxd")
        os.kill(muxd, signal.SIGSTOP)
        r = d.ctl_raw("upgrade")
        t.equal((r.returncode, r.stderr), (0, ""), "a tunnel's process that "
                "hangs: the upgrade goes on")
        os.kill(muxd, signal.SIGCONT)
        t.equal(d.via(s["session"], d.cookie(s["session"], token), "/")[0],
                200, "when it turns again it serves")
        t.equal(d.pid_of("muxd"), muxd, "as the same")

        # Who serves nobody may be replaced.
        until(lambda: retired(d, muxd), "the old muxd to have gone")
        until(lambda: [x for x in d.sessions() if x["tunnel"] == "up" and
                       x["session"] == s["session"]], "the tunnel again")
        t.equal([p["program"] for p in d.processes("muxd")], ["current"],
                "relayctl retire: its client came back to a new one")
        t.equal(d.via(s["session"], d.cookie(s["session"], token), "/")[0],
                200, "in the same session")

shutil.rmtree(place, ignore_errors=True)
t.done()
