#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Users that clients have made for support: who has them, who is told, where
they can be read."""

import glob
import json
import os
import tempfile

from harness import GoClient, Relayd, Tap, is_up, until

t = Tap()
PASSWORD = "correct-horse-battery"


def report(name, **more):
    return {"created_at": "2031-05-06T07:08:09Z", "duration_ms": 5, "users":
            dict({"session_id": "NETH", "platform": "ns8",
                  "created_at": "2031-05-06T07:08:09Z"}, **more)}


def with_user(name):
    return report(name, local_users=[{"username": name,
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

    key, secret = d.add_system("cluster")
    token = d.token(lifetime="24h")
    with client("1", with_user("leader")) as a:
        a.event("users_sent")
        first = session("1")
        got = until(lambda: users(first), "the users")
        t.equal(got, with_user("leader"), "an operator reads what the client "
                "has sent")
        with client("2", with_user("later")) as b, \
                GoClient(d, key, secret, "web=127.0.0.1:1", node="3",
                         extra=["-users", "none"]) as idle:
            b.event("users_sent")
            until(lambda: users(session("2")), "the other's")
            idle.event("accepting")
            with GoClient(d, key, secret, "web=127.0.0.1:1", node="4",
                          extra=["-users", "fetch"]) as c:
                e = c.event("users_fetched")
                t.equal(json.loads(e["body"]), with_user("later"),
                        "tunnel-36: USERS_FETCH brings the newest with "
                        "credentials")
                t.equal(e["body"][-1:], "\n", "tunnel-36: with its newline")
        with client("2", report("x", apps=[{"id": "pbx1", "name": "PBX"}])) \
                as b:
            b.event("users_sent")
            got = until(lambda: "apps" in json.dumps(users(session("2"))) and
                        users(session("2")), "the merged ones")
            t.equal((got["users"]["local_users"][0]["username"],
                     got["users"]["apps"]),
                    ("later", [{"id": "pbx1", "name": "PBX"}]),
                    "tunnel-35: one without credentials brings its apps, and "
                    "takes nobody's credentials away")
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
