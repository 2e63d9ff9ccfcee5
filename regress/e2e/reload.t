#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""SIGHUP and relayctl reload: everyone agrees and all swap, or nothing
changes; supervision: what ends is started again."""

import os
import signal

from harness import GoClient, Relayd, Tap, Targets, free_port, until

t = Tap()


def rewrite(d, old, new):
    d.text = d.text.replace(old, new)
    with open(d.conf, "w") as f:
        f.write(d.text)


with Targets() as targets, Relayd(t, tunnel="\tmax sessions per system 3") as d:
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        s = d.wait_session()
        pids = {p["pid"] for p in d.processes()}

        r = d.ctl_raw("reload")
        t.equal((r.returncode, r.stdout), (0, "configuration loaded\n"),
                "relayctl reload")
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGHUP)
        d.log.wait("loaded again", mark)
        t.ok(True, "SIGHUP")

        # A broken file: the asker is told, nothing changes.
        rewrite(d, "max sessions per system 3", "max sessions per sistem 4")
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGHUP)
        d.log.wait(r"not loaded, nothing is changed: .*:\d+: unexpected "
                   r'"sistem"; expected system', mark)
        t.ok(True, "SIGHUP with a broken file: the log says why")
        r = d.ctl_raw("reload")
        t.equal(r.returncode, 1, "reload with a broken file: exit 1")
        t.match(r.stderr, r"refused: .*relayd\.conf:\d+: unexpected "
                r'"sistem"; expected system$', "and the reason")
        rewrite(d, "max sessions per sistem 4", "max sessions per system 4")
        t.equal(d.ctl_raw("reload").returncode, 0, "a good one is taken")

        # What cannot change.
        for old, new, what in (
                ("proxyd 2", "proxyd 3", "proxyd"),
                ("port %d\n" % d.port, "port %d\n" % free_port(), "listen"),
                ("store " + d.store_line, "store sqlite \"%sx\"" % d.store, "store"),
                (d.sock, d.sock + "x", "control socket"),
                ("jwt.secret", "jwt.other", "jwt secret file")):
            text = d.text
            rewrite(d, old, new)
            r = d.ctl_raw("reload")
            t.equal((r.returncode, r.stderr.strip()),
                    (1, "relayctl: refused: %s: a change needs a restart of "
                     "relayd" % what), "%s cannot change" % what)
            rewrite(d, d.text, text)

        # Someone who does not answer.
        victim = int(d.processes("proxyd")[0]["pid"])
        os.kill(victim, signal.SIGSTOP)
        r = d.ctl_raw("reload")
        t.equal(r.returncode, 1, "who does not answer in 5 s: no reload")
        t.match(r.stderr, r"proxyd\[%d\] \d+: did not answer" % victim,
                "and is named")
        os.kill(victim, signal.SIGCONT)
        t.ok(until(lambda: d.ctl_raw("reload").returncode == 0, "a reload"),
             "later it goes well")
        t.equal({p["pid"] for p in d.processes()}, pids,
                "no process was lost in all that")
        t.ok(any(x["session"] == s["session"] and x["tunnel"] == "up"
                 for x in d.sessions()), "and the tunnel is up")

        # Backoff: again and again, but ever slower; forgiven after a minute.
        waits = []
        for _ in range(3):
            mark = d.log.mark()
            d.kill(d.pid_of("control"))
            waits.append(int(d.log.wait(
                r"control: starts again in (\d+) ms", mark).group(1)))
            until(lambda: d.ctl_try("show", "stats") is not None,
                  "an answer")
        t.equal(waits, [100, 200, 400], "who ends again waits twice as long")
        d.move_clock(61000)
        until(lambda: d.ctl_try("show", "stats") is not None, "an answer")
        mark = d.log.mark()
        d.kill(d.pid_of("control"))
        t.equal(d.log.wait(r"control: starts again in (\d+) ms",
                           mark).group(1), "100",
                "a minute's life is enough to be forgiven")
        until(lambda: d.ctl_try("show", "stats") is not None, "an answer")
        t.match(d.log.text(), r"control\[\d+\] \d+: ended: signal 9",
                "the log says why it ended")
    # Someone who does not stop: the second signal helps.
    victim = int(d.processes("proxyd")[0]["pid"])
    os.kill(victim, signal.SIGSTOP)
    mark = d.log.mark()
    d.p.send_signal(signal.SIGTERM)
    d.p.send_signal(signal.SIGTERM)
    d.log.wait("stopping$", mark)

    def stopped():
        d.p.send_signal(signal.SIGTERM)
        return d.p.poll() is not None or d.log.has("asked to stop twice",
                                                   mark)
    until(stopped, "the second signal to count", every=0.2)
    t.equal(d.p.wait(60), 0, "asked twice: it stops at once, exit 0")
    d.start()
    victim = int(d.processes("proxyd")[0]["pid"])
    os.kill(victim, signal.SIGSTOP)
    mark = d.log.mark()
    t.equal(d.stop(), 0, "asked once: it stops, exit 0")
    t.ok(d.log.wait(r"proxyd\[%d\] \d+: killed: does not stop" % victim,
                    mark), "and ends who does not")
t.done()
