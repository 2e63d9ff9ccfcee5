#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Three members of a cluster behind a haproxy that gives each connection to the
next one: what one of them has is served by each, with the client's own address;
and what the socket for members makes of strangers."""

import hashlib
import hmac
import http.client
import json
import os
import socket
import struct
import tempfile
import time

from cluster import Cluster
from follow import Events
from harness import (OurClient, Program, Relayd, Tap, Targets, free_port,
                     rest, secret as note, until)
from nodes import Node
from pairing import Device, codes
from peers import Relay

t = Tap()
os.environ["PATH"] += ":/usr/sbin"
NAMES = "abc"
LAN = "127.0.0.77"      # where the client is


def front(c, tmp):
    """haproxy, round robin, nothing sticky."""
    port = free_port()
    own = os.path.join(tmp, "haproxy.cfg")
    with open(own, "w") as f:
        f.write("global\n\tmaxconn 512\ndefaults\n\tmode tcp\n"
                "\ttimeout connect 5s\n\ttimeout client 1h\n"
                "\ttimeout server 1h\nlisten relayd\n\tbind 127.0.0.1:%d\n"
                "\tbalance roundrobin\n" % port)
        for n in NAMES:
            f.write("\tserver %s 127.0.0.1:%d send-proxy-v2\n" %
                    (n, c[n].brought))
    p = Program(["haproxy", "-db", "-f", own])

    def listens():
        if p.p.poll() is not None:
            raise RuntimeError(p.err.text())
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    until(listens, "haproxy")
    return p, port


class Way:
    """What a Relayd is asked, through the front: each request on a connection of
    its own."""
    proxy_host, cookie, ticket, terminal, tcp_ticket, tcp, tcp_open = (
        Relayd.proxy_host, Relayd.cookie, Relayd.ticket, Relayd.terminal,
        Relayd.tcp_ticket, Relayd.tcp, Relayd.tcp_open)

    def __init__(self, port):
        self.port = port

    def secret(self, name, value):
        note(name, value)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), 60,
                                     source_address=(LAN, 0))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def request(self, method, path, host=None, headers=None, body=None):
        k = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        k.sock = self.connect()
        try:
            k.request(method, path, body, dict({"Host": host or "x"},
                                               **(headers or {})))
            r = k.getresponse()
            return r.status, r.headers, r.read()
        finally:
            k.close()

    def api(self, method, path, token, body=None):
        h = {"Authorization": "Bearer " + token}
        if body is not None:
            h["Content-Type"] = "application/json"
        st, _, data = self.request(method, "/api" + path, None, h,
                                   body and json.dumps(body))
        return st, json.loads(data)


def forwarded(c):
    """How many have gone out of each, and come in."""
    rows = {m["name"]: m for m in c["a"].ctl("show", "members")}
    return {n: (int(rows[n]["forwarded_out"]), int(rows[n]["forwarded_in"]))
            for n in NAMES}


def anywhere(c, w, targets):
    a = c["a"]
    key, secret = a.add_system()
    token = a.token()
    url = "ws://127.0.0.1:%d/api/tunnel" % w.port
    with OurClient(a, key, secret, "web=127.0.0.1:%d" % targets.http,
                   ["--url", url]) as cl:
        def found():
            rows = [(n, s["session"]) for n in NAMES
                    for s in c[n].sessions() if s["status"] == "active"]
            return rows and rows[0]
        holder, sid = until(found, "a session")
        d = c[holder]
        until(lambda: d.ctl("show", "services", sid), "the manifest")
        here = "/support-sessions/" + sid
        n = 3 * len(NAMES)

        def all_equal(what, want, fn):
            t.equal([fn() for _ in range(n)], [want] * n,
                    "%s, whoever is asked" % what)
        all_equal("the session", (200, sid), lambda: (lambda r: (
            r[0], (r[1]["data"] or {}).get("id")))(w.api("GET", here, token)))
        all_equal("its services", (200, True), lambda: (lambda r: (
            r[0], "web" in json.dumps(r[1])))(
                w.api("GET", here + "/services", token)))
        host = w.proxy_host(sid)
        cookie = {"Cookie": w.cookie(sid, token)}
        all_equal("a page", (200, 30000), lambda: (lambda r: (
            r[0], len(r[2])))(w.request("GET", "/bytes?n=30000&seed=3", host,
                                        cookie)))
        data = os.urandom(1000000)
        sha = hashlib.sha256(data).hexdigest().encode()
        all_equal("an upload", True, lambda: sha in w.request(
            "POST", "/sha", host, cookie, data)[2])

        def terminal():
            s = w.terminal(sid, w.ticket(sid, token))
            s.send(b"\0" + b"echo done-$((6*7))\r")
            s.recv_until(rb"done-42")
            return s.status
        all_equal("a terminal", 101, terminal)

        def tcp():
            s = w.tcp_open(sid, "web", token)
            s.send(b"GET /bytes?n=5&seed=1 HTTP/1.0\r\n\r\n")
            s.recv_until(rb"\r\n\r\n")
            return s.status
        all_equal("TCP", 101, tcp)
        one = http.client.HTTPConnection("127.0.0.1", w.port, timeout=60)
        one.sock = w.connect()
        got = []
        for i in range(20):
            one.request("GET", "/bytes?n=10&seed=%d" % i, headers=dict(
                cookie, Host=host))
            r = one.getresponse()
            got.append((r.status, len(r.read())))
        one.close()
        t.equal(got, [(200, 10)] * 20, "many requests of one connection")
        until(lambda: sum(x[0] for x in forwarded(c).values()) > 0 and
              forwarded(c)[holder][1] > 0, "counts of what is passed on")
        t.equal(forwarded(c)[holder][0], 0, "the one that has it passes "
                "nothing on")
        rows = a.rows("SELECT DISTINCT ip FROM support_access_logs "
                      "WHERE session_id = ?", sid)
        t.equal(rows, [(LAN,)], "the access log has the client's address")
        rows = [x["address"] for x in a.ctl("show", "audit", "after", "0")
                if x["action"] == "terminal_ticket" or
                x["session"] == sid]
        t.equal(set(rows) - {LAN, "-", "127.0.0.1", "relayctl"}, set(),
                "and so has the audit log")
        st, _ = w.api("DELETE", here, token)
        while st == 404:        # of another member that was asked before
            st, _ = w.api("DELETE", here, token)
        t.equal((st, cl.wait()), (200, 0), "any of them closes it")


def followed(c):
    """What happens at one member is heard of at the others."""
    a, b = c["a"], c["b"]
    key, secret = a.add_system()
    e = Events(b, b.token())
    with OurClient(a, key, secret) as cl:
        sid = a.wait_session()["session"]
        e.wait(lambda k, v: k == "session" and v["session_id"] == sid,
               "b to hear of a session of a's")
        a.ctl("close", sid)
        cl.wait()
    e.close()


def recordings(c):
    """A recording is where its terminal was, whoever has the session now."""
    a, b = c["a"], c["b"]
    key, secret = a.add_system()
    token = a.token(permissions=("connect:systems", "read:recordings"))
    with OurClient(a, key, secret) as cl:
        sid = a.wait_session()["session"]
        w = a.terminal(sid, a.ticket(sid, token))
        w.send(b"\0" + b"echo done-$((6*7))\r")
        w.recv_until(rb"done-42")
        w.s.close()
        path = "/support-sessions/%s/recordings" % sid

        def listed():
            st, body = b.api("GET", path, token)
            return st == 200 and body["data"]["recordings"]
        rid = until(listed, "the recording, as b sees it")[0]["id"]
        a.ctl("close", sid)
        cl.wait()

    def got():
        st, _, cast = b.request("GET", "/api%s/%s" % (path, rid), headers={
            "Authorization": "Bearer " + token})
        return b"done-42" in cast and (st, cast)
    st, cast = until(got, "all of it")
    t.equal((st, b"done-42" in cast), (200, True), "a recording of a's, by b")


def rendezvous(c, w):
    """Both peers come to any of them, and meet at the one that has it."""
    r = Relay(w)
    s = r.create()
    t.equal([r.state(s) for _ in range(6)], ["pending"] * 6,
            "a relay session, whoever is asked")
    for i in range(3):
        a, b = r.join(s, "initiator"), r.join(s, "responder")
        a.send("text")
        b.send(b"binary")
        t.equal((b.recv(), a.recv()), ((1, b"text"), (2, b"binary")),
                "its peers meet")
        a.close(4001, "done")
        b.closed()
        until(lambda: r.state(s) == "pending", "both to have left")
    st, _, _ = r.call("DELETE", "/" + s["id"])
    t.equal((st, {r.call("GET", "/" + s["id"])[0] for _ in range(6)}),
            (204, {404}), "any of them ends it")


def pairing(c, port):
    """All devices meet at one member, wherever they come."""
    for i in range(4):
        a, b = Device(port), Device(port)
        otc = str(next(codes))
        a.ask("listen", otc=otc)
        t.equal(b.ask("connect", otc=otc)["type"], "peer_found",
                "two devices meet")
        a.gone()
        b.gone()


def head(secret, member, client="192.0.2.7", flags=0, age=0, nonce=None):
    """The header of a member's, by the one who has its secret."""
    ours = b"\1" + struct.pack("!IQ", flags, int(time.time() * 1000 - age)) + \
        (nonce or os.urandom(16))
    h = b"\r\n\r\n\0\r\nQUIT\n\x21\x21" + struct.pack("!H", 36 + 3 + 61) + \
        b"\0" * 10 + b"\xff\xff" + socket.inet_aton(client) + b"\0" * 20 + \
        b"\xe0" + struct.pack("!H", 61) + ours
    mac = hmac.new(secret, h + b"\0" * 32 + member.encode().ljust(32, b"\0"),
                   hashlib.sha256).digest()
    return h + mac


def says(c, d, text):
    """All that a member says to this."""
    s = c.to_peer(d.member)
    s.sendall(text)
    return rest(s)


def strangers(c):
    """The socket for members, and who is none."""
    b = c["b"]
    with open(c.secret, "rb") as f:
        secret = f.read().rstrip(b"\n")
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    def refused(text, why, what):
        mark = b.log.mark()
        t.equal(says(c, b, text), b"", what + ": closed")
        b.log.wait("refused: " + why, mark)
    good = head(secret, "b")
    t.ok(says(c, b, good + ask).startswith(b"HTTP/1.1 200"),
         "who has the secret is let in")
    refused(good + ask, "a header that was here before", "the same again")
    refused(head(secret, "a") + ask, "a header for somebody else",
            "one for another member")
    refused(head(secret, "b", age=31000) + ask, "a header that is too old",
            "an old one")
    refused(head(secret, "b", flags=0x4000) + ask, "a header with flags",
            "one with flags of nobody's")
    refused(ask, "no PROXY header", "none")
    refused(b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n" + ask,
            "no header of a member", "one of any proxy")
    for _ in range(8):
        says(c, b, head(secret, "a") + ask)
    says(c, b, head(secret, "b") + ask)
    n = len([x for x in b.log.lines if "a header for somebody else" in x])
    t.ok(1 <= n <= len(b.processes("proxyd")),
         "each proxyd says it once: %d" % n)
    return secret


def loops(c, secret):
    """What has been passed on goes no further, wherever its session is."""
    a, b = c["a"], c["b"]
    key, sec = a.add_system()
    token = a.token()
    with OurClient(a, key, sec) as cl:
        sid = a.wait_session()["session"]
        ask = ("GET /api/support-sessions/%s/services HTTP/1.1\r\nHost: x\r\n"
               "Authorization: Bearer %s\r\nConnection: close\r\n\r\n" %
               (sid, token)).encode()
        t.ok(says(c, a, head(secret, "a") + ask).startswith(
            b"HTTP/1.1 200"), "where it is, it is served")
        out = a.ctl("show", "members")
        got = says(c, b, head(secret, "b") + ask)
        t.ok(got.startswith(b"HTTP/1.1 503"), "elsewhere it is not")
        time_of = {m["name"]: m["forwarded_out"] for m in out}
        t.equal({m["name"]: m["forwarded_out"]
                 for m in a.ctl("show", "members")}, time_of,
                "and nobody has passed it on")
        a.ctl("close", sid)
        cl.wait()


def back(c):
    """A client that has lost its tunnel comes to another member: who has been told
    a moment ago that it is at the first one is served at once."""
    a, b, asked = c["a"], c["b"], c["c"]
    key, sec = a.add_system()
    token = a.token()
    seen = []
    for d in (a, b, a, b):
        one = Node(d, key, sec, "1", {"ui": {"host": "app.lan"}})
        for _ in range(3):
            st, env = asked.api("GET", "/support-sessions/%s/services" % one.sid,
                                token)
            seen.append((st, sorted((env["data"] or {}).get("services", {}))))
        one.close()
        until(lambda: not any(s["tunnel"] == "up" for s in d.here(
            d.ctl_try("show", "sessions") or [])), "its tunnel to go")
    t.equal(set(map(str, seen)), {"(200, ['ui'])"}, "a client comes back to "
            "another member each time: who asks the third is led there")
    a.ctl("close", one.sid)


def killed(c):
    """A process of one of them, at a time: what it had ends, the next is
    served."""
    a, b = c["a"], c["b"]
    key, secret = a.add_system()
    token = a.token()
    with OurClient(a, key, secret) as cl:
        sid = a.wait_session()["session"]
        w = b.terminal(sid, b.ticket(sid, token))
        w.send(b"\0" + b"echo done-$((6*7))\r")
        w.recv_until(rb"done-42")

        def served():
            try:
                return b.api("GET", "/support-sessions/%s/services" % sid,
                             token)[0] == 200
            except (OSError, http.client.HTTPException):
                return False
        for d, role in ((b, "dialerd"), (b, "authd"), (a, "authd"),
                        (b, "proxyd"), (a, "proxyd")):
            for p in d.processes(role):
                d.kill(int(p["pid"]))
            until(served, "%s of %s to have a successor" % (
                role, "the one that has it" if d is a else "the other"))
            if role == "authd":
                w.send(b"\0" + b"echo more-$((6*7))\r")
                w.recv_until(rb"more-42")
        t.ok(True, "each process has a successor, and a terminal that was "
             "passed on goes on without authd")
        a.ctl("close", sid)
        cl.wait()


def gone(c, w):
    """The member that has it is killed."""
    b = c["b"]
    key, sec = b.add_system()
    token = b.token()
    with OurClient(b, key, sec):
        sid = b.wait_session()["session"]
        # One whose authd outlives its tunnels says that nobody has them.
        c.kill("b")
        st = 200
        for n in "ac":
            st, body = c[n].api("GET", "/support-sessions/%s/services" % sid,
                                token)
            t.equal(st, 503, "its sessions are away: 503")
        st, body = c["a"].api("GET", "/support-sessions", token)
        t.equal(st, 200, "all else is served")


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    os.chmod(tmp, 0o755)
    ports = {n: free_port() for n in NAMES}
    own = {n: "listen on 127.0.0.1 port %d pair proxy protocol\n" % ports[n]
           for n in NAMES}
    with Cluster(t, NAMES, conf="trusted proxy 127.0.0.1/32\n"
                 "relay {\n\tno auth\n}\n"
                 "record terminals yes\n",
                 own=own) as c:
        for n in NAMES:
            c[n].brought = ports[n]
            c.wait_seen(c[n], NAMES)
        p, port = front(c, tmp)
        with p:
            w = Way(port)
            anywhere(c, w, targets)
            followed(c)
            recordings(c)
            rendezvous(c, w)
            pairing(c, port)
            secret = strangers(c)
            loops(c, secret)
            back(c)
            killed(c)
            gone(c, w)
t.done()
