#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The nodes of a cluster are sessions of one system, and share the hosts of its
services: a path on one node's proxy host leads to the node that serves it."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Relayd, Tap, until
from nodes import Node, ends

t = Tap()


def rows(d, query, *args):
    return d.rows(query, *args)


def story(d, acme):
    key, secret = d.add_system("cluster", acme)
    ui = {"ui": {"host": "app.lan"}}
    one = Node(d, key, secret, "1", ui)
    two = Node(d, key, secret, "2", {
        "files": {"host": "app.lan", "path_prefix": "/files"},
        "only": {"host": "only.lan"}})
    k, s = d.add_system("stranger", acme)
    Node(d, k, s, "2", {"thief": {"host": "app.lan",
                                  "path_prefix": "/files/deep"}})
    token = d.token(user="bob", role="customer", org=acme)
    cookie = d.cookie(one.sid, token, "ui")

    def get(path, service="ui", session=None):
        st, h, body = d.via(session or one.sid, cookie, path, service=service)
        return st, body.decode() if st == 200 else ""
    t.equal(get("/x"), (200, "1 ui /x"), "a service of the host's own node")
    t.equal(get("/files/x"), (200, "2 files /x"),
            "operator-40: a path that another node has")
    t.equal(get("/files/deep/x"), (200, "2 files /deep/x"),
            "operator-40: another system's never competes")
    t.equal(get("/", "only"), (200, "2 only /"),
            "a service that only the other node has")
    t.equal(get("/", "files", two.sid)[0], 401,
            "operator-32(partial): the cookie is none for its own host")
    t.equal(rows(d, "select count(*) from support_access_logs where "
                 "session_id = ? and operator_id = 'bob' and access_type = "
                 "'ui_proxy'", two.sid), [(2,)],
            "operator-61(partial): the rows name the session that served")
    st, env = d.api("POST", "/support-sessions/%s/proxy-token" % one.sid,
                    d.token(user="eve", role="customer", org="other"),
                    {"service": "ui"})
    t.equal(st, 404, "operator-5(partial): another organization: neither")

    def begun(session):
        c = d.connect()
        c.sendall(("GET /files/long HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n"
                   % (d.proxy_host(session, "ui"), cookie)).encode())
        got = b""
        while b"/long" not in got:
            got += c.recv(65536)
        return c if b"2 files /long" in got else c.close()

    def long(session):
        return until(lambda: begun(session), "both proxyds to know the way")

    # One node leaves: its paths are the named service's, at once.
    c = long(one.sid)
    two.close()
    t.ok(ends(c), "operator-52(partial): a node leaves: what runs on it ends")
    until(lambda: get("/files/x") == (200, "1 ui /files/x"), "the way back")
    t.ok(True, "operator-40: and its paths go to who is left")
    two = Node(d, key, secret, "2", {
        "files": {"host": "app.lan", "path_prefix": "/files"}})
    until(lambda: get("/files/x") == (200, "2 files /x"), "it is back")
    t.ok(True, "operator-40: it comes back, and has them again")
    # Its session is closed, and then the other's.
    c = long(one.sid)
    d.ctl("close", two.sid)
    t.ok(ends(c), "operator-34(partial): its session closes: what runs ends")
    until(lambda: get("/files/x") == (200, "1 ui /files/x"), "the way back")
    two.close()
    two = Node(d, key, secret, "2", {
        "files": {"host": "app.lan", "path_prefix": "/files"}})
    until(lambda: get("/files/x") == (200, "2 files /x"), "a new one")
    c = long(one.sid)
    d.ctl("close", one.sid)
    t.ok(ends(c), "operator-34(partial): the token's session closes: what "
         "runs on the other node ends, too")
    st, h, body = d.via(one.sid, cookie, "/", service="ui",
                        headers={"Accept": "text/html"})
    t.ok(st == 400 and b"<h1>The session is over</h1>" in body,
         "and leads nowhere any more: the page says that it is over")
    two.close()


def many(d, org):
    """Just below and at 1024 bytes of what proxyd sorts, and all there may be."""
    bob = d.token(user="bob", role="customer", org=org)
    for n in 63, 64, 500:
        node = Node(d, *d.add_system("many %d" % n, org), "1",
                    {"s%d" % i: {} for i in range(n)})
        cookie = d.cookie(node.sid, bob, "s1")
        t.equal(d.via(node.sid, cookie, "/x", service="s1")[2], b"1 s1 /x",
                "%d services, of which one is asked for" % n)
        node.close()


with Relayd(t) as d:
    acme = d.ctl("org", "add", "Acme", "type", "customer")[0]["id"]
    story(d, acme)
    many(d, acme)
t.done()
