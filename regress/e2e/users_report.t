#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Users that clients have made for support: who has them, who is told, where
they can be read."""

import glob
import json
import os
import tempfile

from harness import GoClient, OurClient, Relayd, Tap, is_up, until

t = Tap()
PASSWORD = "correct-horse-battery"


def report(name, **more):
    return {"created_at": "2031-05-06T07:08:09Z", "duration_ms": 5, "users":
            dict({"session_id": "NETH", "platform": "ns8",
                  "created_at": "2031-05-06T07:08:09Z"}, **more)}


def with_user(name):
    return report(name, local_users=[{"username": "support-" + name,
                                      "password": PASSWORD}])


def bytes_of_store(d):
    return b"".join(open(x, "rb").read() for x in glob.glob(d.store + "*"))


with tempfile.TemporaryDirectory() as tmp, Relayd(t) as d:
    def client(node, doc):
        path = os.path.join(tmp, "users." + node)
        with open(path, "w") as f:
            json.dump(doc, f)
        return GoClient(d, key, secret, "web=127.0.0.1:1", node=node,
                        extra=["-users", path])

    def users(sid):
        st, env = d.api("GET", "/support-sessions/%s/users" % sid, token)
        if st != 200:
            raise RuntimeError("users: %d %r" % (st, env))
        return env["data"]["users"]

    def session(node):
        return next(s["session"] for s in d.sessions()
                    if s["node"] == node and s["status"] == "active")

    def fetched(node):
        with GoClient(d, key, secret, "web=127.0.0.1:1", node=node,
                      extra=["-users", "fetch"]) as c:
            return c.event("users_fetched")["body"]

    key, secret = d.add_system("cluster")
    token = d.token(lifetime="24h")
    nothing = fetched("9")
    with client("1", with_user("leader")) as a:
        a.event("users_sent")
        first = session("1")
        got = until(lambda: users(first), "the users")
        t.equal(got, with_user("leader"), "an operator reads what the client "
                "has sent")
        with client("2", with_user("later")) as b, \
                client("3", report("x")) as bare:
            b.event("users_sent")
            until(lambda: users(session("2")), "the other's")
            bare.event("users_sent")
            until(lambda: users(session("3")), "one without")
            body = fetched("4")
            t.equal((nothing, json.loads(body), body[-1:]),
                    ("{}\n", with_user("later"), "\n"),
                    "tunnel-36: USERS_FETCH brings the newest with "
                    "credentials, and exactly {} when there are none")
            # Ours, too, has none of its own here, and may have a plug-in.
            plugins = os.path.join(tmp, "plugins")
            os.mkdir(plugins, 0o755)
            with open(os.path.join(plugins, "pbx"), "w") as f:
                f.write("#!/bin/sh\nfor i; do case $i in /*) cat $i "
                        ">>%s;; esac; done\n"
                        "echo '{\"id\":\"pbx\",\"name\":\"PBX\"}'\n" %
                        os.path.join(tmp, "given"))
            os.chmod(f.name, 0o755)
            with OurClient(d, key, secret, "web=127.0.0.1:1",
                           extra=["--node-id", "5", "--users-dir", plugins,
                                  "--users-state-file",
                                  os.path.join(tmp, "state", "users")]) as c:
                got = until(lambda: "5" in [s["node"] for s in d.sessions()
                                            if s["status"] == "active"] and
                            users(session("5")), "the report of ours")
                t.equal(got["users"].get("apps"),
                        [{"id": "pbx", "name": "PBX"}],
                        "our client reports its plug-in's app")
                with open(os.path.join(tmp, "given")) as f:
                    t.ok("later" in f.read(), "which was told the users that "
                         "another node has made")
        mark = d.log.mark()
        long = with_user("long")
        long["x"] = " " * (256 << 10)
        with client("2", long):
            d.log.wait(r"control stream \d+: too long", mark)
        with client("2", report("x", apps=[{"id": "pbx1", "name": "PBX"}])) \
                as b:
            b.event("users_sent")
            got = until(lambda: "apps" in json.dumps(users(session("2"))) and
                        users(session("2")), "the merged ones")
            t.equal((got["users"]["local_users"][0]["username"],
                     got["users"]["apps"]),
                    ("support-later", [{"id": "pbx1", "name": "PBX"}]),
                    "tunnel-35: over 256 KiB it is refused; one without "
                    "credentials brings its apps, and takes nobody's away")
        with client("2", with_user("newest")) as b:
            b.event("users_sent")
            t.equal(until(lambda: users(session("2")) == with_user("newest"),
                          "the newest"), True, "tunnel-35(partial): one with "
                    "credentials takes the place of what was there")
        st, env = d.api("GET", "/support-sessions/%s/logs" % first, token)
        log = env["data"]["access_logs"]
        t.ok(log and all(x["access_type"] == "view" for x in log),
             "operator-61(partial): whoever reads them is in the log")
        t.ok(PASSWORD.encode() not in bytes_of_store(d),
             "operator-60: no password is in the store's files")
        t.ok(PASSWORD not in d.log.text(), "nor in the log")
        d.stop()
        d.start()
        until(lambda: any(s["session"] == first and is_up(s)
                          for s in d.sessions()), "the same session")
        t.equal(users(first), with_user("leader"), "they are there after a "
                "restart")
        d.api("DELETE", "/support-sessions/" + first, token)
        t.equal(users(first), None, "operator-11(partial): they end with "
                "their session")
        t.equal(a.wait(), 0, "exit 0")
t.done()
