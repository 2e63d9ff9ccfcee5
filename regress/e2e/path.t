#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The whole path, once: a service and a terminal behind a tunnel, with the
stand-in for the existing client at the far end."""

import json

from harness import GoClient, Relayd, Tap, Targets

t = Tap()
with Targets() as targets, Relayd(t) as d:
    key, secret = d.add_system("Office")
    t.match(key, r"^NETH(-[0-9A-F]{4}){8}$", "a system key is issued")
    t.match(secret, r"^my_[0-9a-f]{20}\.[0-9a-f]{40}$",
            "a system secret is issued")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http,
                  extra=["-keepalive", "30ns"]) as client:
        up = client.event("connected")
        s = d.wait_session()
        sid = s["session"]
        t.ok(sid in json.dumps(up), "tunnel-11: the 101 carries the session "
             "id and the Go client connects all the same")
        token = d.token()
        st, env = d.api("GET", "/support-sessions/" + sid, token)
        t.equal(st, 200, "operator-1: GET a session")
        t.equal(env["code"], 200, "operator-1: the code is the status")
        st, env = d.api("GET", "/support-sessions/%s/services" % sid, token)
        t.ok("web" in env["data"]["services"],
             "operator-13(partial): the manifest's service is listed")
        cookie = d.cookie(sid, token)
        st, h, body = d.via(sid, cookie, "/bytes?n=100000&seed=7")
        t.equal((st, len(body)), (200, 100000),
                "tunnel-38: a page comes through the tunnel, CONNECT and "
                "request in one flight")
        st, h, body = d.via(sid, cookie, "/a%2Fb%20c?x=%26&y")
        t.equal(json.loads(body)["uri"], "/a%2Fb%20c?x=%26&y",
                "operator-41: path and query arrive byte for byte")
        w = d.terminal(sid, d.ticket(sid, token))
        t.equal(w.status, 101, "a terminal opens")
        w.send(b"\1" + b'{"cols":91,"rows":33}')
        w.send(b"\0" + b"stty size; echo done-$((6*7))\r")
        got = w.recv_until(rb"done-42")
        t.ok(b"33 91" in got, "operator-24(partial): keystrokes, resize and "
             "output pass")
        w.send(b"\0exit\r")
        code, reason, _ = w.recv_close()
        t.equal(code, 1000, "the shell's end closes with 1000")
        st, env = d.api("DELETE", "/support-sessions/" + sid, token)
        t.equal(st, 200, "operator-11(partial): close")
        t.equal(client.wait(), 0, "tunnel-15(partial): the Go client exits 0 "
                "on close 4000")
t.done()
