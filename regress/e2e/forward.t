#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What one member of a cluster has is served by each."""

import hashlib
import os

from cluster import Cluster
from harness import OurClient, Tap, Targets, WebSocket, until

t = Tap()


def anywhere(c, targets):
    a, b = c["a"], c["b"]
    key, secret = a.add_system()
    token = a.token()
    with OurClient(a, key, secret, "web=127.0.0.1:%d" % targets.http):
        sid = a.wait_session()["session"]
        until(lambda: a.ctl("show", "services", sid), "the manifest")
        for d in a, b:
            st, body = d.api("GET", "/support-sessions/" + sid, token)
            t.equal((st, body["data"]["id"] if st == 200 else body),
                    (200, sid),
                    "the session")
            st, body = d.api("GET", "/support-sessions/%s/services" % sid,
                             token)
            t.equal(st, 200, "its services")
            cookie = {"Cookie": d.cookie(sid, token)}
            st, h, body = d.request("GET", "/bytes?n=300000&seed=3",
                                    d.proxy_host(sid), cookie)
            t.equal((st, len(body)), (200, 300000), "a page")
            data = os.urandom(3000000)
            st, h, body = d.request("POST", "/sha", d.proxy_host(sid), cookie,
                                    data)
            t.ok(hashlib.sha256(data).hexdigest().encode() in body,
                 "an upload")
            w = WebSocket(d.connect(), "127.0.0.1:%d" % d.port,
                          "/api/support-sessions/%s/terminal?ticket=%s" %
                          (sid, d.ticket(sid, token)))
            w.send(b"\0" + b"echo done-$((6*7))\r")
            w.recv_until(rb"done-42")
            t.ok(True, "a terminal")


with Targets() as targets, Cluster(t, "ab") as c:
    for name in "ab":
        c.wait_seen(c[name], "ab")
    anywhere(c, targets)
t.done()
