#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: who may upgrade, origins, CORS."""

import time

from harness import Relayd, Tap
from peers import Relay

t = Tap()
ASK = {"Upgrade": "websocket", "Connection": "Upgrade",
       "Sec-WebSocket-Version": "13",
       "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


def tokens(r, s):
    path = "/relay/" + s["id"]
    good = s["initiator_token"]
    for name, where, headers, want in (
            ("rendezvous-21(partial): an unknown id without token",
             "/relay/nobody", {}, (404, b"404 page not found\n")),
            ("rendezvous-21(partial): a known id without token", path, {},
             (401, b"missing session token\n")),
            ("an empty one", path + "?token=", {},
             (401, b"missing session token\n")),
            ("rendezvous-21: a wrong token", path + "?token=x", {},
             (401, b"unauthorized\n")),
            ("one that is far too long", path + "?token=" + "x" * 4000, {},
             (401, b"unauthorized\n")),
            ("rendezvous-22(partial): a wrong header is not rescued by the "
             "query", path + "?token=" + good, {"Authorization": "Bearer x"},
             (401, b"unauthorized\n"))):
        w = r.dial(where, headers)
        t.equal((w.status, w.body()), want, name)
    for name, where, headers in (
            ("rendezvous-22: Basic and a right query", "?token=" + good,
             {"Authorization": "Basic eDp4"}),
            ("a subprotocol that carries it", "",
             {"Sec-WebSocket-Protocol": "swsrs.token." + good})):
        begun = time.monotonic()
        w = r.dial(path + where, headers)
        t.equal(w.status, 101, name + ": 101")
        t.ok(time.monotonic() - begun < 5, "rendezvous-24: at once, with "
             "nobody there")
        t.ok("sec-websocket-protocol" not in w.headers, "nothing of it is "
             "said back")
        w.close(1000)
    w = r.dial(path + "?token=" + good, {
        "Sec-WebSocket-Extensions": "permessage-deflate",
        "Sec-WebSocket-Protocol": "swsrs.token.zzz, a, b"})
    t.equal((w.status, w.headers.get("sec-websocket-protocol"),
             "sec-websocket-extensions" in w.headers), (101, "a", False),
            "rendezvous-25(partial): the first that is offered, no extension")
    w.close(1000)
    w = r.join(s, "initiator")
    t.ok("sec-websocket-protocol" not in w.headers, "rendezvous-25: none "
         "offered, none sent")
    w.close(1000)


def handshakes(r, s):
    path = "/relay/%s?token=%s" % (s["id"], s["initiator_token"])
    st, h, body = r.d.request("GET", path)
    t.equal((st, h["Upgrade"], h["Connection"].split(",")[0]),
            (426, "websocket", "Upgrade"),
            "rendezvous-23(partial): no upgrade: 426 with both headers")
    t.ok(body.startswith(b"WebSocket protocol violation: "), "and why")
    for change, status, name in (
            ({"Sec-WebSocket-Version": "12"}, 400,
             "rendezvous-23: version 12"),
            ({"Sec-WebSocket-Key": "short"}, 400, "a key that is none"),
            ({"Upgrade": "h2c"}, 426, "another upgrade")):
        st, h, body = r.d.request("GET", path, None, dict(ASK, **change))
        t.equal(st, status, "%s: %d" % (name, status))
        if "Version" in list(change)[0]:
            t.equal(h["Sec-WebSocket-Version"], "13", "with the right one")
    st, h, body = r.d.request("HEAD", path, None, ASK)
    t.equal(st, 405, "HEAD: 405")
    st, h, body = r.d.request("GET", "/relay/nobody", None, {})
    t.equal(st, 404, "an unknown id is 404 before anything else")
    t.equal(r.state(s), "pending", "nobody has joined by that")


def origin(r, s, value):
    h = {"Authorization": "Bearer " + s["initiator_token"]}
    if value is not None:
        h["Origin"] = value
    w = r.dial("/relay/" + s["id"], h)
    if w.status == 101:
        w.close(1000)
        return 101
    t.match(w.body().decode(), "^request Origin \"", "%s: why" % value)
    return w.status


def origins(conf, name, cases):
    with Relayd(t, conf="relay {\n\tno auth\n%s}\n" % conf) as d:
        r = Relay(d)
        s = r.create()
        for value, want in cases:
            if value:
                value = value.replace("PORT", str(d.port))
            t.equal(origin(r, s, value), want, "%s%s: %d" % (name, value,
                                                             want))
        yield r, s


with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    r = Relay(d)
    s = r.create()
    handshakes(r, s)
    tokens(r, s)
for r, s in origins("", "rendezvous-26: ", (
        (None, 101), ("http://127.0.0.1:PORT", 101),
        ("https://127.0.0.1:PORT", 101), ("http://127.0.0.1", 403),
        ("https://app.test", 403), ("null", 403))):
    for m in "GET", "OPTIONS":
        st, h, body = r.call(m, "", None, {
            "Origin": "https://app.test",
            "Access-Control-Request-Method": "GET"})
        t.equal([k for k in h if k == "Vary" or k.startswith("Access-")], [],
                "rendezvous-29: no list, no CORS: %s" % m)
for r, s in origins('\tallow origin "*.example.net"\n'
                    '\tallow origin "localhost:*"\n'
                    '\tallow origin "https://only.test"\n',
                    "rendezvous-27: ", (
        ("https://a.b.example.net", 101), ("https://A.Example.NET", 101),
        ("https://example.net", 403), ("https://a.example.net:444", 403),
        ("http://localhost:1", 101), ("http://localhost", 403),
        ("https://only.test", 101), ("http://only.test", 403),
        ("null", 403))):
    pre = {"Origin": "https://a.example.net",
           "Access-Control-Request-Method": "POST",
           "Access-Control-Request-Headers": "X-One"}
    for path in "/admin/sessions", "/relay/x", "/healthz", \
            "/.well-known/swsrs-config":
        st, h, body = r.d.request("OPTIONS", path, None, pre)
        t.equal((st, body, h["Vary"], h["Access-Control-Allow-Origin"],
                 h["Access-Control-Allow-Credentials"],
                 h["Access-Control-Allow-Methods"],
                 h["Access-Control-Allow-Headers"],
                 h["Access-Control-Max-Age"]),
                (204, b"", "Origin", "https://a.example.net", "true",
                 "GET, POST, PUT, PATCH, DELETE, OPTIONS", "X-One", "600"),
                "rendezvous-28(partial): a preflight of %s" % path)
    st, h, body = r.d.request("OPTIONS", "/admin/sessions", None,
                              dict(pre, Origin="https://evil.test"))
    t.equal((st, h["Vary"], [k for k in h if k.startswith("Access-")]),
            (405, "Origin", []), "rendezvous-28: of another origin: 405")
    st, h, body = r.d.request("GET", "/admin/sessions/x", None,
                              {"Origin": "https://a.example.net"})
    t.equal((st, h["Access-Control-Allow-Origin"]),
            (404, "https://a.example.net"), "errors have the fields, too")
for r, s in origins('\tallow origin "*"\n', "", (("https://x.test", 101),
                                                 ("null", 403))):
    st, h, body = r.d.request("GET", "/healthz", None,
                              {"Origin": "https://x.test"})
    t.equal((h["Access-Control-Allow-Origin"],
             h["Access-Control-Allow-Credentials"]),
            ("https://x.test", None), "a bare star: without credentials")
with Relayd(t, conf="relay {\n\tno auth\n}\ntrusted proxy 127.0.0.1\n",
            proxyds=1) as d:
    r = Relay(d)
    s = r.create()

    def wrong(source):
        return r.dial("/relay/%s?token=x" % s["id"],
                      {"X-Forwarded-For": source}).status
    got = [wrong("192.0.2.1") for _ in range(25)]
    t.equal(got, [401] * 20 + [429] * 5,
            "rendezvous-56(partial): wrong tokens: 429 after 20")
    t.equal(wrong("192.0.2.2"), 401, "rendezvous-56: another source is not "
            "affected")
t.done()
