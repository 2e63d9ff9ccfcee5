#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a service manager hears (sd_notify(3), systemd.service(5)), strictly: who
says it, when, and that the main process stays the one it started: through a start,
reloads that are taken and refused, upgrades, an upgrade that goes back, and the
end."""

import os
import shutil
import signal
import socket
import struct
import threading
import time

from harness import Relayd, Tap, until
from upgrades import Fault, looks, own_programs

WATCHDOG_S = 20         # as relayd.service has it, and room for a slow machine
KNOWN = {"READY", "RELOADING", "STOPPING", "STATUS", "WATCHDOG",
         "MONOTONIC_USEC"}

t = Tap()
place = own_programs()
fault = Fault(place)


def now_usec():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class Manager(threading.Thread):
    """systemd's side of one unit: Type=notify-reload, NotifyAccess=main."""

    def __init__(self):
        super().__init__(daemon=True)
        self.path = os.path.join(place, "notify")
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.s.bind(self.path)
        self.state = "start"
        self.main = None        # whom we have started
        self.wrong = []
        self.seen = []          # states in their order
        self.reload_usec = 0
        self.heard = time.monotonic()
        self.longest = 0        # silence of the watchdog
        self.status = ""
        self.start()

    def run(self):
        while True:
            data, cred, flags, _ = self.s.recvmsg(4096, 256)
            if not data:
                return
            pid = struct.unpack("iII", cred[0][2])[0]
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                self.wrong.append("too long")
            until(lambda: self.main, "the main process's id")
            if pid != self.main:
                self.wrong.append("%r from %d, who is not %d" %
                                  (data, pid, self.main))
                continue
            self.take(data.decode())

    def take(self, text):
        words = {}
        for line in text.rstrip("\n").split("\n"):
            name, eq, value = line.partition("=")
            if not eq or name not in KNOWN or name in words:
                self.wrong.append(text)
            words[name] = value
        if words.get("RELOADING") == "1":
            self.reloading(words)
        elif "MONOTONIC_USEC" in words:
            self.wrong.append("a time without RELOADING")
        if words.get("READY") == "1":
            self.move("ready", ("start", "reload"))
            self.heard = time.monotonic()
        if words.get("STOPPING") == "1":
            self.move("stop", ("ready", "reload"))
        if words.get("WATCHDOG") == "1":
            self.longest = max(self.longest, time.monotonic() - self.heard)
            self.heard = time.monotonic()
        self.status = words.get("STATUS", self.status)

    def move(self, to, allowed):
        if self.state not in allowed:
            self.wrong.append("%s in state %s" % (to, self.state))
        self.state = to
        self.seen.append(to)

    def reloading(self, words):
        """One that is older than our SIGHUP would not be its answer."""
        usec = words.get("MONOTONIC_USEC", "")
        if not usec.isdigit() or not self.reload_usec <= int(usec) <= \
                now_usec():
            self.wrong.append("RELOADING at %r, asked at %d" %
                              (usec, self.reload_usec))
        self.move("reload", ("ready", "reload"))

    def reload(self, d, again=1):
        mark = len(self.seen)
        for _ in range(again):
            self.reload_usec = now_usec()
            os.kill(d.pid, signal.SIGHUP)
        until(lambda: "reload" in self.seen[mark:] and self.state == "ready",
              "the reload to be over")
        return self.seen[mark:]

    def check(self, what):
        t.equal(self.wrong, [], what + ": nothing that the manager would not "
                "take")


class Managed(Relayd):
    def start(self):
        threading.Thread(target=self.know, daemon=True).start()
        super().start()

    def know(self):
        until(lambda: self.p is not None, "the process")
        m.main = self.p.pid


m = Manager()
os.environ["NOTIFY_SOCKET"] = m.path
os.environ["WATCHDOG_USEC"] = str(WATCHDOG_S * 1000000)

with Managed(t, build=place) as d:
    until(lambda: m.state == "ready", "READY=1")
    t.equal(m.seen, ["ready"], "a start: ready, once")
    until(lambda: m.status, "STATUS=")
    t.match(m.status, "^0 tunnels, 0 terminals$", "and what there is")

    t.equal(m.reload(d), ["reload", "ready"], "a reload: it begins, it is over")
    good = d.text
    with open(d.conf, "w") as f:
        f.write(good + "\nnonsense\n")
    t.equal(m.reload(d), ["reload", "ready"], "one that is refused, too")
    with open(d.conf, "w") as f:
        f.write(good)
    mark = len(m.seen)
    d.ctl("reload")
    until(lambda: m.seen[mark:] == ["reload", "ready"], "both words")
    t.ok(True, "and one that relayctl asks for")
    m.check("reloads")

    mark = len(m.seen)
    for i in range(2):
        r = d.ctl_raw("upgrade")
        t.equal((r.returncode, r.stderr), (0, ""), "upgrade %d" % (i + 1))
    t.equal((m.seen[mark:], m.state), ([], "ready"), "upgrades: it is ready "
            "all the time")
    t.equal(d.p.poll(), None, "as the process that was started")
    heard = m.heard
    until(lambda: m.heard > heard, "the watchdog's word")
    t.ok(True, "the new program tells the watchdog")
    t.equal(m.reload(d), ["reload", "ready"], "and answers a reload")

    # Longer than the watchdog waits a new program may not hang.
    fault.word("wait")
    mark = d.log.mark()
    asked = time.monotonic()
    os.kill(d.pid, signal.SIGUSR2)
    d.log.wait("upgrade: not done: the new program took too long", mark)
    t.ok(time.monotonic() - asked < WATCHDOG_S, "a new program that hangs: the "
         "old one goes on before the watchdog bites")
    fault.word("")
    t.equal(m.state, "ready", "and is ready")
    heard = m.heard
    until(lambda: m.heard > heard, "the watchdog's word")
    t.equal(m.reload(d), ["reload", "ready"], "and answers a reload")
    t.ok(m.longest < WATCHDOG_S, "the watchdog was never kept waiting")
    m.check("upgrades")

    # SIGHUP while a new program looks is answered, too.
    fault.word("look")
    os.kill(d.pid, signal.SIGUSR2)
    until(lambda: looks(place), "the new program to look")
    mark = d.log.mark()
    t.equal(m.reload(d), ["reload", "ready"], "a reload during an upgrade is "
            "over, too")
    d.log.wait("SIGHUP: an upgrade is under way", mark)
    fault.word("")
    d.log.wait("upgraded from", mark)

    t.equal(d.stop(), 0, "SIGTERM: exit 0")
    until(lambda: m.state == "stop", "STOPPING=1")
    t.equal(m.seen[-1:], ["stop"], "it has said so, and nothing behind it")
    m.check("the end")

shutil.rmtree(place, ignore_errors=True)
t.done()
