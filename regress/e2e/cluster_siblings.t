#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The nodes of a system at two members: a link, a path, a name leads from each to
the other, whichever member is asked, as if both were at one; and what runs there
ends with either session."""

import shutil

import postgres
from cluster import Cluster
from harness import Tap, until
from nodes import Node, ends

t = Tap()
UI = {"ui": {"host": "app.lan"}}
MORE = {"files": {"host": "app.lan", "path_prefix": "/files"},
        "only": {"host": "only.lan"}}
LINK = b' <a href="http://only.lan/x">'
# As many as there may be, and more than one table in the store may hold.
MANY = {"s%d" % i: {"host": "only.lan", "path_prefix": "/%0600d" % i}
        for i in range(500)}


class Way:
    """What bob gets at the hosts of a node's session."""

    def __init__(self, node, cookie):
        self.node, self.cookie = node, cookie

    def get(self, d, path, service, **more):
        st, h, body = d.via(self.node.sid, self.cookie, path, service=service,
                            **more)
        return body.decode() if st == 200 else st

    def led(self, d):
        return ' <a href="http://%s/x">' % d.proxy_host(self.node.sid, "only")

    def long(self, d):
        """An answer of the node at the other member that goes on."""
        c = d.connect()
        c.settimeout(20)
        c.sendall(("GET /files/long HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n"
                   % (d.proxy_host(self.node.sid, "ui"),
                      self.cookie)).encode())
        got = b""
        while b"/long" not in got:
            more = c.recv(65536)
            assert more, got
            got += more
        return c if b"2 files /long" in got else c.close()


def come(*args):
    """A node's client, as soon as its tunnel of before is known to be lost."""
    def came():
        try:
            return Node(*args)
        except AttributeError:      # it was refused
            return None
    return until(came, "a node to be let in")


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
    at_one = Way(one, a.cookie(one.sid, bob, "ui"))
    at_two = Way(two, b.cookie(two.sid, bob, "only"))

    def leads(d):
        until(lambda: at_one.get(d, "/files/x", "ui") ==
              "2 files /x" + at_one.led(d), "the way to the other node")
    for d in a, b:
        leads(d)
        t.equal(at_one.get(d, "/page", "ui"), "1 ui /page" + at_one.led(d),
                "operator-42(partial): member %s: a link to a node at another "
                "member leads there" % d.member)
        t.equal((at_one.get(d, "/files/x", "ui"), at_one.get(d, "/", "only")),
                ("2 files /x" + at_one.led(d), "2 only /" + at_one.led(d)),
                "operator-40(partial): and so does a path, and a name")
        t.equal(at_one.get(d, "/files/x", "ui", method="POST",
                           body=b"x" * 100000),
                "2 files /x" + at_one.led(d), "with a body, too")
        t.equal((at_two.get(d, "/page", "files"), at_two.get(d, "/", "ui")),
                ("2 files /page" + at_two.led(d), "1 ui /" + at_two.led(d)),
                "and back: its own service, and that of the first node")
        t.equal((at_one.get(d, "/none", "nothing"), Way(two, at_one.cookie).get(
            d, "/", "files")), (404, 401), "a name that nobody has, and a token "
            "for the other's hosts: as ever")
    t.ok(c.pg.rows("select count(*) from support_access_logs where session_id = ? "
                   "and operator_id = 'bob' and metadata like '%files%'",
                   (two.sid,), c.database)[0][0] > 0,
         "operator-61(partial): the rows name the session that served")
    again(a, b, at_one, two)
    at_one.other = two.sid
    cut_off(c, at_one)
    two.close()
    two = at_two.node = come(a, key, secret, "2", MORE, LINK)
    for d in a, b:
        leads(d)
        t.ok(True, "member %s: the node has come to the same member, and is led "
             "to" % d.member)
    two.close()
    for d in a, b:
        until(lambda: at_one.get(d, "/page", "ui") == "1 ui /page" +
              LINK.decode(), "the link to stay")
        t.ok(at_one.get(d, "/x", "only") == 404, "member %s: it has gone, and "
             "no link leads to it, nor to who is left with that host"
             % d.member)
    # Sessions end at one member, and what they lent or got at the other.
    two = come(b, key, secret, "2", MORE, LINK)
    leads(a)
    conn = at_one.long(a)
    b.ctl("close", two.sid)
    t.ok(ends(conn), "operator-34(partial): its session closes: what runs ends")
    until(lambda: at_one.get(a, "/files/x", "ui") == "1 ui /files/x" +
          LINK.decode(), "the way back")
    two.close()
    two = come(b, key, secret, "2", MORE, LINK)
    leads(a)
    conn = at_one.long(a)
    a.ctl("close", one.sid)
    t.ok(ends(conn), "operator-34(partial): the token's session closes: what "
         "runs at the other member ends, too")
    t.equal(at_one.get(a, "/files/x", "ui"), 400, "and leads nowhere any more")
    for n in strangers + [two, one]:
        n.close()
    large(a, b, a.add_system("large", acme), bob)


def large(a, b, system, bob):
    """A table that is too long for others, and short ones in a row after it."""
    one = Node(a, *system, "1", MANY)
    two = Node(b, *system, "2", UI, LINK)
    three = Node(a, *system, "3", {"files": MORE["files"]})
    at_two = Way(two, b.cookie(two.sid, bob, "ui"))
    a.log.wait("session %s: other members cannot lead to what it offers" %
               one.sid)
    until(lambda: at_two.get(b, "/files/x", "ui") == "3 files /x",
          "what the first member has told")
    t.equal(at_two.get(b, "/page", "ui"), "2 ui /page" + LINK.decode(),
            "a table of 500 that is too long: its member says so, and no link "
            "at another one leads to it")
    for name in "first", "second", "only":
        one.r.manifest({name: {"host": "only.lan", "target": "10.0.0.1:80"}})
    until(lambda: at_two.get(b, "/page", "ui") == "2 ui /page" +
          at_two.led(b), "the link to lead to what was said last")
    t.equal(at_two.get(b, "/x", "only"), "1 only /x", "three tables in a row: "
            "the other member leads to what the last one has")
    for n in three, two, one:
        n.close()


def cut_off(c, at_one):
    """The member that has the other node loses the store, but not its clients: what
    they offer is in the store again when it is back."""
    a, b = c["a"], c["b"]
    start = b.log.mark()
    c.wires["b"].cut_off()
    until(lambda: c.holders()[at_one.other] is None, "the others to give grace")
    until(lambda: at_one.get(a, "/files/x", "ui") == "1 ui /files/x" +
          LINK.decode(), "no way there")
    c.wires["b"].go_on()
    b.log.wait("ours again", start)
    until(lambda: at_one.get(a, "/files/x", "ui") == "2 files /x" +
          at_one.led(a), "the way to be there again")
    t.ok(True, "a member that lost the store, but not its clients, is led to "
         "again when it is back")


def again(a, b, at_one, two):
    """authd starts anew at the member that serves, and at the other."""
    conn = at_one.long(a)
    for d in b, a:
        d.kill_all("authd")
        until(lambda: at_one.get(a, "/files/x", "ui") == "2 files /x" +
              at_one.led(a), "member %s to serve again" % d.member)
    two.r.data(two.held[-1].id, b"still here")
    got = b""
    while b"still here" not in got:
        more = conn.recv(65536)
        if not more:
            break
        got += more
    t.ok(b"still here" in got, "authd is killed at both: what was lent runs on")
    conn.close()


if postgres.programs() is None or shutil.which("redis-server") is None:
    t.skip("there is no PostgreSQL or no Redis", "nodes at two members")
else:
    with Cluster(t, "ab", wired="b") as c:
        for n in "ab":
            c.wait_seen(c[n], "ab")
        story(c)
t.done()
