#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayd with tunnel-clients on two machines of one system: what one discovers
can be reached, what users it makes the other hears of."""

import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import nethsecurity, put
from harness import OurClient, Relayd, Tap, until

t = Tap()
with tempfile.TemporaryDirectory() as one, \
        tempfile.TemporaryDirectory() as two, Relayd(t) as d:
    nethsecurity(one)
    for root in one, two:
        put(root + "/users.d/app", "#!/bin/sh\ncp \"$3\" %s/$1\n" % root,
            0o755)
    key, secret = d.add_system()
    token = d.token()

    def client(root, node):
        return OurClient(d, key, secret, extra=["-n", node], env={
            "TUNNEL_CLIENT_ROOT": root, "USERS_DIR": root + "/users.d",
            "USERS_STATE_FILE": root + "/run/users.json"})

    def told(root, when):
        path = "%s/%s" % (root, when)
        until(lambda: os.path.exists(path) and os.path.getsize(path), path)
        with open(path) as f:
            return json.load(f)

    with client(one, "1") as a:
        sid = d.wait_session()["session"]

        def services():
            st, env = d.api("GET", "/support-sessions/%s/services" % sid,
                            token)
            return env["data"]["services"] if st == 200 else {}
        s = until(lambda: services().get("nethsecurity-ui"), "the manifest")
        t.equal((s["target"], s["tls"], s.get("path")),
                ("127.0.0.1:443", True, "/"),
                "what the client discovers, the operator sees")
        users = told(one, "setup")["local_users"]

        def seen():
            st, env = d.api("GET", "/support-sessions/%s/users" % sid, token)
            return st == 200 and env["data"]["users"]
        u = until(seen, "the report")
        t.equal((u["users"]["platform"], u["users"]["local_users"]),
                ("nethsecurity", users), "so does he the users that it makes")
        with client(two, "2") as b:
            t.equal(told(two, "setup")["local_users"], users,
                    "tunnel-36(partial): the users of one node come to the "
                    "other, our server between them")
            b.stop()
        t.equal(told(two, "teardown")["local_users"], users,
                "which tears down its plugins")
        with open(one + "/accounts") as f:
            t.ok(users[0]["username"] in json.load(f),
                 "and leaves the users alone")
        a.stop()
        with open(one + "/accounts") as f:
            t.equal(json.load(f), {}, "they go with the client that made them")
t.done()
