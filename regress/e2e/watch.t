#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The watchdogs: a child that hangs is ended and replaced, whoever it is, and
the service manager hears that the parent turns."""

import os
import signal
import socket
import time

from harness import Broken, GoClient, Relayd, Tap, until

t = Tap()


class Manager:
    """The service manager's end of sd_notify(3)."""

    def __init__(self, name):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind("\0" + name)
        self.s.settimeout(20)
        os.environ["NOTIFY_SOCKET"] = "@" + name

    def hear(self, what):
        while True:
            said = self.s.recv(100).decode()
            if said == what:
                return True

    def waiting(self):
        """What has come and was not read."""
        said = []
        self.s.setblocking(False)
        try:
            while True:
                said.append(self.s.recv(100).decode())
        except BlockingIOError:
            pass
        self.s.settimeout(20)
        return said

    def silent(self, seconds):
        """Nothing comes for so long, once what waits has been read."""
        self.s.setblocking(False)
        try:
            while self.s.recv(100):
                pass
        except BlockingIOError:
            pass
        self.s.settimeout(seconds)
        try:
            return not self.s.recv(100)
        except TimeoutError:
            return True


def replaced(d, pid, role, begun):
    d.log.wait(r"%s\[%d\] \d+: killed: does not answer" % (role, pid))
    t.ok(4.5 < time.monotonic() - begun < 10, "%s: ended after five seconds, "
         "not earlier, not much later" % role)
    until(lambda: [p for p in d.processes(role) if int(p["pid"]) != pid and
                   p["state"] == "ready"], "another " + role)
    t.ok(True, "%s: another one is there" % role)


with Relayd(t, proxyds=1) as d:
    until(lambda: d.log.has("ready: "), "all to be ready")
    time.sleep(2)               # each has answered once
    for role in "authd", "control":
        pid = d.pid_of(role)
        d.expected.add(pid)
        begun = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        replaced(d, pid, role, begun)

with Broken(t, proxyds=1) as d:
    time.sleep(2)
    pid = d.pid_of("proxyd")
    d.expected.add(pid)
    d.order("hang")
    replaced(d, pid, "proxyd", time.monotonic())

m = Manager("relayd-watch-%d" % os.getpid())
with Relayd(t, proxyds=1) as d:
    t.ok(m.hear("READY=1"), "the service manager hears when all are ready")
    t.ok(m.hear("WATCHDOG=1") and m.hear("WATCHDOG=1"),
         "and that the parent turns")
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:1") as c:
        t.ok(m.hear("STATUS=1 tunnel, 0 terminals"), "how many tunnels")
    t.ok(m.hear("STATUS=0 tunnels, 0 terminals"), "and when they have gone")
    time.sleep(2)
    pid = d.pid_of("authd")
    d.expected.add(pid)
    os.kill(pid, signal.SIGSTOP)
    m.waiting()
    for _ in range(4):
        m.hear("WATCHDOG=1")
    d.move_clock(31000)         # as if nobody had come up for so long
    m.waiting()
    said = []
    while not d.log.has(r"authd\[%d\] \d+: killed: does not answer" % pid):
        time.sleep(0.02)
        said += m.waiting()
    t.ok("WATCHDOG=1" not in said, "no more of it where a child has not "
         "answered for half a minute")
    t.ok(m.hear("WATCHDOG=1"), "again, with another one")
    os.kill(d.pid, signal.SIGSTOP)
    t.ok(m.silent(3), "not from one that hangs")
    os.kill(d.pid, signal.SIGCONT)
    t.ok(m.hear("WATCHDOG=1"), "again, when it goes on")
    d.stop()
    t.ok(m.hear("STOPPING=1"), "and when it stops")
t.done()
