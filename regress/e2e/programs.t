#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The programs of a running daemon are those it was started with, and are all
of one build."""

import os
import shutil
import subprocess

from harness import Broken, GoClient, Tap, Targets, until

t = Tap()


class Copied(Broken):
    """With programs of its own that can be changed."""

    def start(self):
        self.libexec = os.path.join(self.dir, "libexec")
        if not os.path.exists(self.libexec):
            shutil.copytree(os.path.join(self.build, "libexec"),
                            self.libexec)
        super().start()


with Targets() as targets, Copied(t, proxyds=1, role="none") as d:
    key, secret = d.add_system("A")
    for name in "muxd", "termd":
        at = os.path.join(d.libexec, name)
        shutil.copy("/bin/false", at + ".new")
        os.rename(at + ".new", at)
    for name in "proxyd", "control", "authd":
        os.unlink(os.path.join(d.libexec, name))
    web = "web=127.0.0.1:%d" % targets.http
    with GoClient(d, key, secret, web) as c:
        c.event("manifest_sent")
        s = d.wait_session()
        token = d.token()
        t.equal(d.via(s["session"], d.cookie(s["session"], token),
                      "/bytes?n=10")[0], 200,
                "with other programs in their place a tunnel comes up as ever")
        w = d.terminal(s["session"], d.ticket(s["session"], token))
        w.send(b"\0echo one-$((1+1))\r")
        w.recv_until(rb"one-2")
        w.close()
        t.ok(True, "and a terminal")
    for role in "proxyd", "control", "authd":
        pid = d.pid_of(role)
        d.kill(pid)
        until(lambda: [p for p in d.ctl_try("show", "processes") or []
                       if p["role"] == role and int(p["pid"]) != pid and
                       p["state"] == "ready"], "another " + role)
        t.ok(True, "%s is started again though its file has gone" % role)

    # Its files are not there for the next start.
    r = subprocess.run([os.path.join(d.build, "bin", "relayd"), "-d", "-f",
                        d.conf, "-L", d.libexec], stderr=subprocess.PIPE,
                       text=True, timeout=30)
    t.match(r.stderr, r"libexec/(authd|control): No such file or directory",
            "a start without them names the file")
    t.equal(r.returncode, 1, "and fails")

d = Broken(t, proxyds=1)
os.makedirs(os.path.join(d.dir, "libexec"))
open(os.path.join(d.dir, "libexec", "OTHER-BUILD"), "w").close()
try:
    with d:
        t.ok(False, "a proxyd of another build is served with")
except RuntimeError:
    d.log.wait("proxyd gave up")
    t.ok(True, "a proxyd of another build: relayd does not start")
t.match(d.log.text(), r"proxyd\[\d+\] \d+: killed: of another build "
        r"\(0.0-another, not [0-9.]+-\d+\): restart relayd",
        "it says why, and what to do")
t.equal(d.p.wait(30), 1, "exit status 1")
t.done()
