#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Workers that do not do what they are told, one that hears nothing at all and
one that was stopped in the middle: killed when their time is over."""

import os
import shutil
import signal
import tempfile

from harness import BUILD, GoClient, Relayd, Tap, Targets, until

t = Tap()

UPGRADE = ("GET /support/api/tunnel HTTP/1.1\r\nHost: x\r\n"
           "Connection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Authorization: Basic eDp5\r\n\r\n")


def pids(d, role):
    return [int(p["pid"]) for p in d.processes(role)]


# A muxd that hears nothing, in place of the real one.
libexec = tempfile.mkdtemp(prefix="relayd-test-")
os.chmod(libexec, 0o755)
for name in os.listdir(os.path.join(BUILD, "libexec")):
    shutil.copy(os.path.join(BUILD, "libexec", name), libexec)
shutil.copy(os.path.join(BUILD, "regress", "lib", "deaf"),
            os.path.join(libexec, "muxd"))
with Relayd(t, libexec=libexec) as d:
    c = d.connect()
    c.sendall(UPGRADE.encode())
    pid = until(lambda: pids(d, "muxd"), "a muxd")[0]
    d.expected.add(pid)
    d.move_clock(25000)
    t.equal(pids(d, "muxd"), [pid], "25 s for a muxd to log in")
    mark = d.log.mark()
    d.move_clock(6000)
    d.log.wait(r"muxd\[%d\].*killed: .*log in" % pid, mark)
    until(lambda: not pids(d, "muxd"), "its end")
    t.ok(True, "then it is killed, who hears nothing")
    t.equal(c.recv(100), b"", "and its connection with it")

    # Its proxyd goes: what it let in and is not logged in goes, too.
    c = d.connect()
    c.sendall(UPGRADE.encode())
    pid = until(lambda: pids(d, "muxd"), "a muxd")[0]
    d.expected.add(pid)
    doors = pids(d, "proxyd")
    for p in doors:
        d.kill(p)
    until(lambda: not pids(d, "muxd"), "the end of what it gave away")
    t.ok(True, "a proxyd's connections that are not logged in go with it")
    until(lambda: len(pids(d, "proxyd")) == 2 and
          not set(doors) & set(pids(d, "proxyd")), "other proxyds")
shutil.rmtree(libexec)

with Targets() as targets, Relayd(t) as d:
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        pid = pids(d, "muxd")[0]
        d.expected.add(pid)
        os.kill(pid, signal.SIGSTOP)
        d.ctl("close", sid)
        d.move_clock(2500)
        t.equal(pids(d, "muxd"), [pid], "5 s for a muxd to go")
        mark = d.log.mark()
        d.move_clock(2500)
        d.log.wait(r"muxd\[%d\].*killed: authd: does not go" % pid, mark)
        until(lambda: pid not in pids(d, "muxd"), "its end")
        t.ok(True, "then it is killed, whether it hears CLOSE or not")
t.done()
