#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Two nodes of a system at two members: each member serves both, and a link from one
to the other is what it was. Where they are at one member it leads there, whichever
member is asked."""

import shutil

import postgres
from cluster import Cluster
from harness import Tap, until
from nodes import Node

t = Tap()
UI = {"ui": {"host": "app.lan"}}
MORE = {"files": {"host": "app.lan", "path_prefix": "/files"},
        "only": {"host": "only.lan"}}
LINK = b' <a href="http://only.lan/x">'


def story(c):
    a, b = c["a"], c["b"]
    acme, other = (a.ctl("org", "add", name, "type", "customer")[0]["id"]
                   for name in ("Acme", "Other"))
    key, secret = a.add_system("cluster", acme)
    one = Node(a, key, secret, "1", UI, LINK)
    two = Node(b, key, secret, "2", MORE, LINK)
    # With the same hosts, and of somebody else: beside each of them.
    strangers = [Node(d, *a.add_system("stranger %s" % d.member, other), "2",
                      MORE) for d in (a, b)]
    bob = a.token(user="bob", role="customer", org=acme)
    cookies = {n.sid: d.cookie(n.sid, bob, name) for n, d, name in
               ((one, a, "ui"), (two, b, "only"))}

    def get(d, node, path, service):
        st, h, body = d.via(node.sid, cookies[node.sid], path, service=service)
        return body.decode() if st == 200 else st

    def led(d, node, service="only"):
        return ' <a href="http://%s/x">' % d.proxy_host(node.sid, service)
    for d in a, b:
        t.equal((get(d, one, "/page", "ui"), get(d, two, "/page", "files")),
                ("1 ui /page" + LINK.decode(), "2 files /page" +
                 led(d, two)), "member %s: a link to a node at another member "
                "stays, one to the node itself does not" % d.member)
        t.equal((get(d, one, "/files/x", "ui"), get(d, one, "/x", "only")),
                ("1 ui /files/x" + LINK.decode(), 404),
                "operator-40(partial): nor does a path or a name lead there, "
                "nor to who is nothing to it")
    two.close()
    two = Node(a, key, secret, "2", MORE, LINK)
    for d in a, b:
        until(lambda: get(d, one, "/page", "ui") == "1 ui /page" + led(d, one),
              "the link to lead to a node at the same member")
        t.equal((get(d, one, "/x", "only"), get(d, one, "/files/x", "ui")),
                ("2 only /x" + led(d, one), "2 files /x" + led(d, one)),
                "operator-40(partial): member %s: the node has come to the same "
                "member, and is led to" % d.member)
    two.close()
    for d in a, b:
        until(lambda: get(d, one, "/page", "ui") == "1 ui /page" +
              LINK.decode(), "the link to stay again")
        t.ok(get(d, one, "/x", "only") == 404, "member %s: it has gone, and no "
             "link leads to it, nor to who is left with that host" % d.member)
    for n in strangers + [one]:
        n.close()


if postgres.programs() is None or shutil.which("redis-server") is None:
    t.skip("there is no PostgreSQL or no Redis", "nodes at two members")
else:
    with Cluster(t, "ab") as c:
        for n in "ab":
            c.wait_seen(c[n], "ab")
        story(c)
t.done()
