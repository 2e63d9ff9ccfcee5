#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The web console's work in Chromium, on a system of one node and on a cluster of
three: two of relayd's tunnel-client and the stand-in for the existing one. What
the browser does is looked at from the other side."""

import hashlib
import json
import os
import tempfile

from browse import (OurClient, Program, Relayd, free_port, installed, lacks,
                    listens, node, shell_wrote, talk, until)
from harness import GoClient, Tap

t = Tap()
MAY = ("connect:systems", "read:systems", "manage:systems")
PLUGIN = """#!/bin/sh
echo '{"id":"disk","name":"Disks","status":"%s","summary":"%s"}'
"""
ADMIN = {"username": "admin-of-three", "password": "opened-by-asking"}
DOMAIN_USER = {"domain": "ad.example", "username": "helper-of-mail",
               "password": "module-behind-three"}
LOCAL = {"username": "local-of-three", "password": "firewall-behind-three"}
USERS = {"platform": "nethserver", "cluster_admin": ADMIN,
         "domain_users": [DOMAIN_USER], "local_users": [LOCAL],
         "module_domains": {"mail1": "ad.example"}}


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


class Other:
    """Two systems, and what happens at them."""

    def __init__(self, d, tmp, port):
        self.d, self.tmp, self.port = d, tmp, port
        self.clients, self.ids, self.terminal = [], {}, None
        self.keys = {name: d.add_system(name) for name in ("lone", "trio")}

    def __call__(self, word, *args):
        return getattr(self, "do_" + word)(*args) or "done"

    def ours(self, name, services, extra=(), said=None):
        env = {}
        if said:
            where = os.path.join(self.tmp, "diag." + said[0])
            os.mkdir(where)
            write(where + "/disk", PLUGIN % said, 0o755)
            env["DIAGNOSTICS_DIR"] = where
        self.clients.append(OurClient(self.d, *self.keys[name], services,
                                      extra=extra, env=env))

    def theirs(self):
        at = "127.0.0.1:%d" % self.port
        row = {"target": at, "host": "", "tls": False, "label": ""}
        mail = dict(row, module_id="mail1", node_id="3", label="Mail",
                    host="mail.example")
        names = {"mail1-web": dict(mail, path="/trusting/"),
                 "mail1-admin": dict(mail, path="/"),
                 "cluster-admin": row, "nethsecurity-ui": row, "shared": row}
        put = lambda name, what: write(  # noqa: E731
            os.path.join(self.tmp, name), json.dumps(what))
        self.clients.append(GoClient(
            self.d, *self.keys["trio"],
            ",".join("%s=%s" % (n, at) for n in names), node="3", extra=(
                "-manifest", put("manifest", {"version": 1,
                                              "services": names}),
                "-users", put("users", {"created_at": "2026-11-28T09:00:00Z",
                                        "duration_ms": 1, "users": USERS}),
                "-diagnostics", put("diagnostics", {
                    "collected_at": "2026-11-28T09:00:00Z", "duration_ms": 1,
                    "overall_status": "critical", "plugins": [
                        {"id": "queue", "name": "Mail queue",
                         "status": "critical", "summary": "full"}]}))))

    def do_lone(self):
        self.ours("lone", "web=127.0.0.1:%d" % self.port, said=("ok", "fine"))
        self.services("lone", 1)

    def do_trio(self):
        at = "=127.0.0.1:%d" % self.port
        self.ours("trio", "web1%s,shared%s" % (at, at), ("-n", "1"))
        self.ours("trio", "web2%s,shared%s" % (at, at), ("-n", "2"),
                  ("warning", "nearly full"))
        self.theirs()
        self.services("trio", 3)
        self.d.log.wait("session %s: users stored" % self.ids["trio"][2])

    def of(self, name):
        return sorted((s for s in self.d.sessions() if s["system"] == name),
                      key=lambda s: s["node"])

    def services(self, name, n):
        until(lambda: len([s for s in self.of(name) if s["tunnel"] == "up" and
                           self.d.ctl("show", "services", s["session"])]) == n,
              "what %s offers" % name)
        self.ids[name] = [s["session"] for s in self.of(name)]
        for sid in self.ids[name]:
            self.d.log.wait("session %s: diagnostics stored" % sid)

    def do_expire(self, name):
        """When its sessions end, in hours from the first look on."""
        return json.dumps([self.d.rows(
            "select expires_at from support_sessions where id = ?",
            s["session"])[0][0] for s in self.of(name)])

    def do_state(self, name):
        return json.dumps([self.d.rows(
            "select status from support_sessions where id = ?", sid)[0][0]
            for sid in self.ids[name]])

    def do_visit(self, name):
        """Somebody else opens a terminal, on the last of its nodes."""
        bob = self.d.token(user="bob", lifetime="24h")
        sid = self.of(name)[-1]["session"]
        self.terminal = self.d.terminal(sid, self.d.ticket(sid, bob))

    def do_leave(self):
        self.terminal.close()

    def do_views(self, name):
        return str(sum(len(self.d.rows(
            "select 1 from support_access_logs where session_id = ? and "
            "access_type = 'view'", s["session"])) for s in self.of(name)))

    def do_file(self, name):
        return shell_wrote("%s/%s" % (self.tmp, name))

    def end(self):
        for c in self.clients:
            c.stop()


def main():
    if lacks():
        t.skip("no " + lacks(), "the console's work in a browser")
        return
    installed()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="relayd-cluster-") as tmp, \
            Relayd(t, tunnel="allow loopback targets yes",
                   operator="\tticket rate 1000") as d, \
            Program(**node("server.js", str(port))) as p:
        os.chmod(tmp, 0o777)
        listens(port, p)
        other = Other(d, tmp, port)
        big = os.urandom(3 << 20)
        with open(tmp + "/big", "wb") as f:
            f.write(big)
        try:
            talk(t, "cluster.js", other, name="cluster", dir=tmp,
                 token=d.token(permissions=MAY), file=tmp + "/big",
                 sum=hashlib.sha256(big).hexdigest(),
                 second="127.0.0.1:%d" % port, admin=ADMIN, login=DOMAIN_USER,
                 url="http://127.0.0.1:%d/" % d.port)
        finally:
            other.end()


main()
t.done()
