#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: two peers meet, through all processes; the admin API."""

import http.client
import json
import re
import subprocess
from datetime import datetime

from harness import Relayd, Tap, free_port, until
from peers import Relay

t = Tap()
NINE = {"id": str, "state": str, "created_at": str, "expires_at": str,
        "last_activity": str, "bytes_in": int, "bytes_out": int,
        "initiator_connected": bool, "responder_connected": bool}


def walk(r):
    """The first: made, joined by both, bytes both ways, closed."""
    s = r.create()
    t.equal(r.d.processes("rendd"), [], "no process for a session that "
            "nobody has joined")
    t.equal(r.state(s), "pending", "rendezvous-30(partial): pending")
    a = r.join(s, "initiator")
    until(lambda: r.state(s) == "half_open", "half_open")
    b = r.join(s, "responder")
    until(lambda: r.state(s) == "open", "open")
    t.equal(len(r.d.processes("rendd")), 1, "one process has both")
    a.send("text")
    b.send(b"binary")
    t.equal((b.recv(), a.recv()), ((1, b"text"), (2, b"binary")),
            "messages go both ways, as what they were")
    a.close(4001, "done")
    t.equal(b.closed(), (1000, "peer disconnected"), "the other is told")
    until(lambda: r.state(s) == "pending", "pending")
    t.ok(True, "rendezvous-30: pending, half_open, open, and pending again "
         "when they have left")
    until(lambda: r.d.processes("rendd") == [], "no process")
    t.ok(True, "no process when nobody is there any more")
    text = r.d.log.text()
    t.ok(s["id"][:6] in text and s["id"] not in text, "logs have six "
         "characters of a session's id")


def when(text):
    t.match(text, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
            "rendezvous-4(partial): UTC with Z")
    return datetime.fromisoformat(text[:-1].ljust(26, "0")
                                  if "." in text else text[:-1])


def plain(got, status, text, name):
    st, h, body = got
    t.equal((st, body, h["Content-Type"], h["X-Content-Type-Options"]),
            (status, text.encode() + b"\n", "text/plain; charset=utf-8",
             "nosniff"), name)


def created(r):
    for body in None, b"{}", b"no json", b"x" * 5000:
        st, h, data = r.call("POST", "", body)
        s = json.loads(data)
        t.equal((st, h["Content-Type"], data[-1:]),
                (201, "application/json", b"\n"),
                "rendezvous-3(partial): 201 with %s bytes of body" %
                (len(body) if body else "no"))
        three = {s["id"], s["initiator_token"], s["responder_token"]}
        t.ok(len(three) == 3 and all(re.fullmatch("[A-Za-z0-9_-]{22}", x)
                                     for x in three),
             "rendezvous-3: 22 characters each, all distinct")
        r.call("DELETE", "/" + s["id"])
    t.equal(sorted(s), ["created_at", "expires_at", "id", "initiator_token",
                        "responder_token"],
            "rendezvous-5(partial): no URL without a base")
    life = when(s["expires_at"]) - when(s["created_at"])
    t.equal(life.total_seconds(), 3600.0, "rendezvous-4: the TTL, exactly")


def listed(r):
    st, h, data = r.call("GET")
    t.equal((st, data), (200, b'{"sessions":[]}\n'),
            "rendezvous-6: an empty list is one")
    s = r.create()
    st, h, data = r.call("GET")
    one = json.loads(data)["sessions"]
    t.equal([x["id"] for x in one], [s["id"]], "one that was made is listed")
    got = r.status(s)
    t.equal({k: type(v) for k, v in got.items()}, NINE,
            "rendezvous-7: nine members, of their types")
    texts = data + r.call("GET", "/" + s["id"])[2] + \
        r.call("PUT", "/" + s["id"])[2] + r.d.log.text().encode()
    t.ok(not any(s[k].encode() in texts for k in
                 ("initiator_token", "responder_token")),
         "rendezvous-8: no token in list, status, error or log")
    for m in "GET", "DELETE":
        plain(r.call(m, "/nobody"), 404, "404 page not found",
              "rendezvous-9(partial): %s of an unknown id" % m)
    st, h, data = r.call("DELETE", "/" + s["id"])
    t.equal((st, data), (204, b""), "rendezvous-10(partial): 204")
    plain(r.call("DELETE", "/" + s["id"]), 404, "404 page not found",
          "rendezvous-9: a second DELETE is 404")


def methods(r):
    got = r.call("PUT")
    plain(got, 405, "Method Not Allowed", "rendezvous-11(partial): 405")
    t.equal(got[1]["Allow"], "GET, HEAD, POST", "rendezvous-11(partial): "
            "Allow")
    got = r.call("POST", "/x")
    t.equal((got[0], got[1]["Allow"]), (405, "DELETE, GET, HEAD"),
            "rendezvous-11(partial): of an id")
    st, h, data = r.call("HEAD")
    _, g, body = r.call("GET")
    t.equal((st, h["Content-Length"], data), (200, str(len(body)), b""),
            "rendezvous-11: HEAD as GET, without body")
    for path in "/admin/sessions/", "/admin/sessions/a/b", "/relay/", \
            "/relay/a/b", "/admin":
        st, h, data = r.d.request("GET", path)
        t.equal((st, data), (404, b"404 page not found\n"), path + ": 404")


def fixed(r):
    d = r.d
    st, h, data = d.request("GET", "/healthz")
    t.equal((st, h["Content-Type"], data),
            (200, "text/plain; charset=utf-8", b"ok"),
            "rendezvous-52(partial): health is the two bytes ok")
    plain(d.request("GET", "/.well-known/swsrs-config"), 404,
          "auth disabled on this deployment (--no-auth)",
          "rendezvous-52(partial): no discovery without auth")
    got = d.request("POST", "/healthz")
    t.equal((got[0], got[1]["Allow"]), (405, "GET, HEAD"), "POST: 405")
    for v in "Bearer", "Bearer ", "Bearer x", "Basic eDp4":
        st, h, data = r.call("POST", "", None, {"Authorization": v})
        t.equal(st, 201, "rendezvous-53(partial): no auth: %r is 201" % v)
        s = json.loads(data)
        w = r.dial("/relay/" + s["id"], {"Authorization": v})
        t.equal(w.status, 401, "rendezvous-53: a slot needs its token")
        r.call("DELETE", "/" + s["id"])


def wishes(r):
    s = r.create({"channels": 4, "ttl": 60, "label": "x"})
    t.equal(s["channels"], 4, "the number of channels is repeated")
    life = when(s["expires_at"]) - when(s["created_at"])
    t.equal(life.total_seconds(), 60.0, "a TTL of one's own, if shorter")
    a3, b3 = r.join(s, "initiator", 3), r.join(s, "responder", 3)
    a0, b0 = r.join(s, "initiator"), r.join(s, "responder", 0)
    a3.send("three")
    a0.send("none")
    t.equal((b3.recv(), b0.recv()), ((1, b"three"), (1, b"none")),
            "rendezvous-58(partial): channels pair by themselves")
    t.equal(len(r.d.processes("rendd")), 1, "in one process")
    for ch in "4", "256", "03", "-1", "x", "":
        w = r.dial("/relay/%s~%s" % (s["id"], ch),
                   {"Authorization": "Bearer " + s["initiator_token"]})
        t.equal((w.status, w.body()), (404, b"404 page not found\n"),
                "rendezvous-58: channel %r: 404" % ch)
    w = r.dial("/relay/%s%%7E2" % s["id"],
               {"Authorization": "Bearer " + s["initiator_token"]})
    t.equal(w.status, 101, "an escaped ~ is one")
    a3.close(1000)
    t.equal(b3.closed()[0], 1000, "a channel ends alone")
    a0.send("on")
    t.equal(b0.recv(), (1, b"on"), "the other goes on")
    st, h, data = r.call("POST", "", json.dumps({"channels": 257}))
    t.equal(st, 400, "257 channels: 400")
    r.call("DELETE", "/" + s["id"])


with Relayd(t, conf="relay {\n\tno auth\n\tmax sessions 20\n}\n") as d:
    r = Relay(d)
    listed(r)
    walk(r)
    created(r)
    methods(r)
    fixed(r)
    wishes(r)
    for s in json.loads(r.call("GET")[2])["sessions"]:
        r.call("DELETE", "/" + s["id"])
    made = [r.create() for _ in range(20)]
    got = r.call("POST")
    plain(got, 503, "session limit reached", "the limit of sessions: 503")
    t.ok(int(got[1]["Retry-After"]) > 0, "with Retry-After")
    r.call("DELETE", "/" + made[0]["id"])
    t.equal(r.call("POST")[0], 201, "one less is one more")
admin = free_port()
with Relayd(t, conf="relay {\n\tno auth\n}\n",
            listeners="listen on 127.0.0.1 port %d admin" % admin) as d:
    data, there = Relay(d), Relay(d)
    got = data.call("POST")
    t.equal((got[0], got[2]), (404, b"404 page not found\n"),
            "rendezvous-59(partial): nothing is made on the data port")
    t.equal(data.call("GET", "/x")[0], 404, "nor shown")

    def elsewhere(method, path, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", admin, timeout=60)
        c.request(method, path, headers=headers or {})
        r = c.getresponse()
        return r.status, r.read()
    st, body = elsewhere("POST", "/admin/sessions")
    s = json.loads(body)
    t.equal(st, 201, "but on the other")
    a, b = data.join(s, "initiator"), data.join(s, "responder")
    a.send("x")
    t.equal(b.recv(), (1, b"x"), "and joined where the data is")
    t.equal([elsewhere("GET", p)[0] for p in (
        "/relay/" + s["id"], "/api/health", "/", "/healthz")],
        [404, 404, 404, 200], "which there it is not")
    t.equal([x[0] for x in (d.request("GET", "/.well-known/swsrs-config"),
                            elsewhere("GET", "/.well-known/swsrs-config"))],
            [404, 404], "discovery is on both")
    p = subprocess.run([d.build + "/bin/relay", "create", "--admin-url",
                        "http://127.0.0.1:%d" % admin],
                       stdout=subprocess.PIPE)
    t.equal(p.returncode, 0, "rendezvous-59: create works against it")
with Relayd(t, conf='relay {\n\tno auth\n\tbase url "wss://r.test//"\n}\n') \
        as d:
    s = Relay(d).create()
    want = "wss://r.test/relay/" + s["id"]
    t.equal((s["initiator_url"], s["responder_url"]), (want, want),
            "rendezvous-5: a base with slashes behind it makes one")
t.done()
