#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A proxyd that has hung up on an authd, which lives, is without one: it starts
anew after half a minute."""

from failing import Failing
from harness import OurClient, Tap, Targets, until

t = Tap()


def story(d, sid):
    table, cookie = d.tables["proxyd"], d.cookie(sid, d.token(lifetime="24h"))

    def status():
        try:
            return d.via(sid, cookie, "/bytes?n=100&seed=1")[0]
        except OSError:
            return 0
    t.equal(status(), 200, "a service answers")
    keys = [k for k, text in table.where(table.hits()).items()
            if text.startswith("getsockopt, check_fd ")]
    mark, authd = d.log.mark(), d.pid_of("authd")
    table.arm(keys[0], "ENOBUFS")
    until(lambda: status() and table.failed_in(), "its failure")
    d.log.wait(r"authd: .*descriptor is not a socket", mark)
    pid = table.failed_in()
    t.ok(pid in [int(p["pid"]) for p in d.processes("proxyd")], "it waits")
    d.ctl("test", "clock", "30000")
    d.log.wait(r"proxyd\[%d\].*no channel to authd" % pid, mark)
    until(lambda: len([p for p in d.processes("proxyd")
                       if p["state"] == "ready"]) == 2, "another one")
    t.equal({status() for _ in range(20)}, {200}, "that answers")
    t.equal(d.pid_of("authd"), authd, "authd is the same")


with Targets() as targets, Failing(t, roles=("proxyd",)) as d:
    with OurClient(d, *d.add_system("box"),
                   "web=127.0.0.1:%d" % targets.http) as c:
        story(d, d.wait_session()["session"])
        c.stop()
t.done()
