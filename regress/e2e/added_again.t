#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What was added to a session is there again in its next tunnel, also when authd
has no memory for that at first."""

import re

from failing import Failing
from harness import OurClient, Tap, Targets, is_up, until

t = Tap()


class Again:
    """One session, to which a service was added."""

    def __init__(self, d, token):
        self.d, self.token = d, token
        self.sid = d.wait_session()["session"]
        self.path = "/support-sessions/%s/services" % self.sid
        until(lambda: "web" in self.offered(), "the manifest")
        st, _ = d.api("POST", self.path, token, {"services": [
            {"name": "phone", "target": "192.0.2.77:443"}]})
        t.equal(st, 200, "a service is added")

    def offered(self):
        st, env = self.d.api("GET", self.path, self.token)
        return env["data"]["services"] if st == 200 else {}

    def tunnel(self):
        """Another one, which has said what it offers."""
        old = self.d.pid_of("muxd")
        self.d.kill(old)
        until(lambda: old not in [int(p["pid"])
                                  for p in self.d.processes("muxd")] and
              any(is_up(s) for s in self.d.sessions()) and
              "web" in self.offered(), "the session's new tunnel")

    def there(self):
        return "phone" in self.offered()

    def there_in_time(self):
        self.d.ctl("test", "clock", "5000")
        return self.there()


def story(d, again):
    table = d.tables["authd"]
    again.tunnel()
    until(again.there, "what was added")
    where = table.where(table.hits())
    keys = {k: text for k, text in where.items() if re.match(
        r"calloc, (restore|again_known|command_send) command\.c", text)}
    t.equal({text.split()[1] for text in keys.values()},
            {"restore", "again_known", "command_send"}, "who needs memory")
    for k, text in keys.items():
        mark = d.log.mark()
        table.arm(k, "ENOMEM")
        again.tunnel()
        d.log.wait(r"session %s: what was added waits" % again.sid, mark)
        t.ok(until(again.there_in_time, "what was added"),
             "in a few seconds it is there: " + text.split(" ")[1])


with Targets() as targets, Failing(t, roles=("authd",)) as d:
    key, secret = d.add_system("box")
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        story(d, Again(d, d.token(lifetime="24h")))
        c.stop()
t.done()
