#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Pairing by code, through all processes, line by line of the contract."""

import http.client
import json
import re

from harness import Relayd, Tap, until
from pairing import Device, codes, one_port

t = Tap()
port, LISTEN = one_port()


def http_get(path, method="GET", headers=None):
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request(method, path, headers=headers or {})
    r = c.getresponse()
    body = r.read()
    c.close()
    return r.status, r.getheader("Content-Type"), body


def sessions():
    return json.loads(http_get("/health")[2])["sessions"]


def dev(**kw):
    return Device(port, **kw)


def code():
    return "%06d" % next(codes)


def pair():
    c = code()
    a, b = dev(), dev()
    a.ask("listen", otc=c)
    b.say("connect", otc=c)
    a.hear(), b.hear()
    return a, b, c


def walk():
    a, b, c = dev(), dev(), code()
    a.say("listen", otc=c)
    t.equal(a.message(), '{"type":"ack","message":"session_open"}',
            "pairing-6: listen is answered, as text and exactly so")
    b.say("connect", otc=c)
    t.equal((a.message(), b.message()),
            ('{"type":"peer_found"}',) * 2, "both meet")
    a.say("data", payload="Ap7c==")
    t.equal(b.message(), '{"type":"data","payload":"Ap7c=="}', "a to b")
    b.say("data", payload="B")
    t.equal(a.message(), '{"type":"data","payload":"B"}', "b to a")
    a.say("data", payload="sas_confirmed")
    a.gone()
    t.equal((b.hear(), b.hear()),
            ({"type": "data", "payload": "sas_confirmed"},
             {"type": "error", "code": "peer_disconnected"}),
            "pairing-17: what was sent before the close comes before its end")
    t.equal(b.ask("listen", otc=code())["type"], "ack",
            "pairing-19(partial): who is left may listen")
    b.gone()


def surface():
    until(lambda: sessions() == 0, "no session")
    t.equal(http_get("/health"), (200, "application/json;charset=utf-8",
                                  b'{"status":"ok","sessions":0}'),
            "pairing-1(partial): /health, exactly")
    t.equal(http_get("/ws"), (400, "text/plain;charset=utf-8",
                              b"WebSocket upgrade failed"), "/ws, no upgrade")
    t.equal([http_get(p) for p in ("/ws/", "//health", "/x", "/api/x")],
            [(404, "text/plain;charset=utf-8", b"Not found")] * 4,
            "pairing-3: 400 without an upgrade, and Not found elsewhere")
    t.equal([dev(**kw).status for kw in (
        {}, {"path": "/ws?a=b"},
        {"headers": {"Origin": "https://elsewhere.example"}})], [101] * 3,
        "pairing-4: any Origin, any query, and none")
    d = dev(headers={"Sec-WebSocket-Extensions": "permessage-deflate",
                     "Sec-WebSocket-Protocol": "one, two"})
    t.equal((d.status, d.headers.get("sec-websocket-extensions"),
             d.headers.get("sec-websocket-protocol")), (101, None, "one"),
            "pairing-5: no extension; the first subprotocol is said back")


def counted():
    a, b, c = dev(), dev(), code()
    a.ask("listen", otc=c)
    until(lambda: sessions() == 1, "one")
    b.say("connect", otc=c)
    a.hear(), b.hear()
    t.equal(sessions(), 1, "connect is no new session")
    b.say("done")
    t.equal(a.hear(), {"type": "done"}, "the other hears it")
    until(lambda: sessions() == 0, "none")
    t.ok(True, "pairing-2(partial): sessions up, and down with done")
    a.ask("listen", otc=c)
    b.say("connect", otc=c)
    t.equal((a.hear()["type"], b.hear()["type"]), ("peer_found",) * 2,
            "pairing-19: after done, and after peer_disconnected, anew")
    a.gone()
    b.hear()
    until(lambda: sessions() == 0, "none")
    t.ok(True, "pairing-2: and with a disconnect")


def frames():
    a, m = dev(), '{"type":"listen","otc":"%s"}'
    a.send((m % code()).encode(), 2)
    good = [a.recv()]
    text = (m % code()).encode()
    a.send(text[:9], 1, fin=False)
    a.send(b"x", 9)
    a.send(text[9:20], 0, fin=False)
    a.send(text[20:], 0)
    op, data = a.recv()
    t.equal((op, data), (10, b"x"), "a ping between fragments is answered")
    good.append(a.recv())
    t.equal(good, [(1, b'{"type":"ack","message":"session_open"}')] * 2,
            "pairing-7: binary, and in fragments, the same")
    h = "127.9.0.1"
    bad = [dev(host=h).ask("listen", **kw) for kw in (
        {"otc": "12345"}, {"otc": "1234567"}, {"otc": "12345a"},
        {"otc": "１２３４５６"}, {"otc": "123456\n"}, {"otc": 123456},
        {"otc": ["123456"]}, {"otc": None}, {})]
    bad += [dev(host=h).ask("connect", otc="x") for _ in range(25)]
    t.equal(bad + [dev(host=h).ask("listen", otc=code())["type"]],
            ["invalid_otc"] * 34 + ["ack"],
            "pairing-8: no code is invalid_otc, and not counted")
    a = dev()
    for what in ("null", "5", '"x"', "[]", "true", "{}"):
        a.send(what)
        t.equal(a.hear().get("code"), "unknown_type", "%s: unknown" % what)
    for what in ("nope", "", '{"type":"listen",}', "[" * 10000):
        a.send(what)
        t.equal(a.hear().get("code"), "invalid_message",
                "%s: invalid" % what[:20])
    t.ok(a.quiet(), "pairing-26: none of it ends anything")
    t.equal([dev().ask(k) for k in ("agent", "shell", "ping")],
            ["unknown_type"] * 3, "pairing-28: history is unknown")
    b = dev()
    b.send(b'{"type":"\xff"}', 1)
    t.equal(b.ended()[1], 1007, "pairing-27: bad UTF-8 is 1007, depth "
            "invalid_message")
    a.send('{"type":"x","p":"%s"}' % ("a" * (65536 - 19)))
    t.equal(a.hear().get("code"), "unknown_type", "65,536 bytes are good")
    big = '{"type":"x","p":"%s"}' % ("a" * (65537 - 19))
    a.send(big)
    b = dev()
    for i in range(0, len(big), 30000):
        b.send(big[i:i + 30000].encode(), 1 if i == 0 else 0,
               i + 30000 >= len(big))
    t.equal([x.ended() for x in (a, b)], [([], 1009, "message too big")] * 2,
            "pairing-25: 65,537 are 1009, in fragments, too")


def codes_of():
    a, b, x, c = dev(), dev(), dev(), code()
    t.equal(b.ask("connect", otc=c), "otc_not_found",
            "pairing-10(partial): nobody has it")
    a.ask("listen", otc=c)
    t.equal(x.ask("listen", otc=c), "otc_in_use", "pairing-9(partial): taken")
    t.equal(a.ask("connect", otc=c), "otc_not_found",
            "pairing-53: its own code is not there for it")
    t.equal(a.ask("listen", otc=c)["type"], "ack", "and free again")
    b.say("connect", otc=c)
    t.equal((a.hear()["type"], b.hear()["type"]), ("peer_found",) * 2,
            "pairing-10: the socket stays usable")
    t.equal(x.ask("connect", otc=c), "peer_already_connected", "a third")
    a.say("data", payload=1)
    t.equal(b.hear(), {"type": "data", "payload": 1},
            "pairing-12: and the pair does not notice")
    a.ask("listen", otc=code())
    t.equal(b.hear().get("code"), "peer_disconnected", "its second listen")
    t.equal(x.ask("listen", otc=c)["type"], "ack",
            "pairing-52: ends the first, whose code is free")


def data():
    a, b, c = pair()
    for p in ('"\\u00e9 \\\\ \\" 😀"', '{"a":[1,{"b":null}]}', "3.50", "true"):
        a.send('{"x":[1],"payload":%s,"type":"data","type":"data"}' % p)
        t.equal(b.message(), '{"type":"data","payload":%s}' % p,
                "pairing-14(partial): %s alone goes over" % p)
    b.send('{"type":"data"}')
    t.equal(a.message(), '{"type":"data"}',
            "pairing-13 pairing-14: as it came, or without payload")
    for i in range(1000):
        a.send('{"type":"data","payload":%d}' % i)
        b.send('{"type":"data","payload":"%d"}' % i)
    t.ok([b.hear()["payload"] for i in range(1000)] == list(range(1000)) and
         [int(a.hear()["payload"]) for i in range(1000)] == list(range(1000)),
         "pairing-15: a thousand each way, in order")
    x = dev()
    x.say("data", payload="early")
    t.ok(x.quiet(), "pairing-16(partial): too early is silent")
    a.say("done")
    b.hear()
    a.say("data", payload="late")
    t.ok(a.quiet() and b.quiet(), "pairing-16: and too late")


def volume():
    for form, extra in (('"%s"', 2), ('["%s"]', 4)):
        a, b, c = pair()
        left = 5242880
        while left:
            n = min(left, 65000)
            a.send('{"type":"data","payload":' + form % ("v" * (n - extra)) +
                   '}')
            b.message()
            left -= n
        b.send('{"type":"data"}')
        a.message()
        b.send('{"type":"data","payload":1}')
        t.equal((a.ended(), b.ended()),
                ((["session_data_limit"], 1000, ""),) * 2,
                "one more byte, as %s" % form)
    until(lambda: sessions() == 0, "none")
    t.ok(True, "pairing-20 pairing-21: exactly 5 MiB pass, of any payload")


def limits():
    h = "127.8.0.1"
    got = [dev(host=h).ask("connect", otc=code()) for _ in range(6)]
    t.equal(got, ["otc_not_found"] * 5 + ["rate_limited"], "the sixth")
    x = dev(host=h)
    d.move_clock(55000)
    t.equal(x.ask("connect", otc=code()), "rate_limited", "for a minute")
    d.move_clock(5500)
    t.equal(x.ask("connect", otc=code()), "otc_not_found",
            "pairing-29: five failures a minute")
    h = "127.8.0.2"
    for i in range(10):
        c = code()
        a, b = dev(host=h), dev(host=h)
        a.ask("listen", otc=c)
        b.say("connect", otc=c)
        a.hear(), b.hear()
    t.equal([dev(host=h).ask("listen", otc=code()) for i in range(11)][9:],
            [{"type": "ack", "message": "session_open"}, "rate_limited"],
            "pairing-30: ten pairings, thirty operations a minute")
    c, h = code(), "127.8.0.3"
    keep = dev()
    keep.ask("listen", otc=c)
    t.equal([dev(host=h).ask("listen", otc=c) for i in range(6)],
            ["otc_in_use"] * 5 + ["rate_limited"],
            "pairing-31: a code in use is a failure")
    t.equal([Device(port, host="127.8.0.4", headers={"X-Forwarded-For":
             "9.9.9.%d" % i}).ask("connect", otc=code()) for i in range(6)][5],
            "rate_limited", "pairing-33: nobody is believed who he is")


def crowding():
    h = "127.7.0.1"
    many = [dev(host=h) for i in range(64)]
    x = dev(host=h)
    t.equal((x.status, x.ended()), (101, ([], 1013, "too_many_connections")),
            "the 65th of an address")
    many.pop().gone()
    until(lambda: Device(port, host=h).quiet_or_refused(), "room for one")
    y = dev()
    for i in range(300):
        y.send('{"type":"x"}')
    t.equal(y.ended()[1:], (1008, "rate limit"),
            "pairing-51: 64 sockets of an address, 200 messages at once")


def quiet_or_refused(self):
    try:
        return self.quiet()
    except (ConnectionError, OSError):
        return False


Device.quiet_or_refused = quiet_or_refused


def served():
    x = dev()
    return x if x.status == 101 else None


def steps(ms, *devices):
    """Time passes, and pings are answered."""
    while ms > 0:
        d.move_clock(min(ms, 25000))
        ms -= 25000
        for x in devices:
            if x.ask("data2") != "unknown_type":
                raise RuntimeError("not what was asked")


def expiry():
    a, x, y, c = dev(), dev(), dev(), code()
    a.ask("listen", otc=c)
    steps(58000, a)
    t.equal(x.ask("listen", otc=c), "otc_in_use", "there until then")
    d.move_clock(2600)
    t.equal((y.ask("connect", otc=c), x.ask("listen", otc=c)["type"]),
            ("otc_not_found", "ack"), "pairing-9: free at once")
    until(lambda: sessions() == 1, "the other only")
    d.move_clock(4600)
    t.equal(a.ended(), (["otc_expired"], 1000, ""),
            "pairing-22: gone at 60 s, told and closed at 65 s")
    a, b, c = pair()
    steps(100000, a, b)
    a.say("data", payload="sas_confirmed")
    t.equal(b.hear()["payload"], "sas_confirmed", "pairing-23: at 100 s")
    steps(75000, a, b)
    d.move_clock(6000)
    t.equal((a.ended(), b.ended()), ((["session_expired"], 1000, ""),) * 2,
            "pairing-24: both are told at 180 s, traffic or not")
    a = dev()
    d.move_clock(121000)
    t.equal(a.ended(), ([], 1001, "idle"), "pairing-54(partial): idle")


def silent():
    a, b, c = pair()
    b.s.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
    b.s.close()
    t.equal(a.hear().get("code"), "peer_disconnected",
            "pairing-18(partial): a reset is told at once")
    a, b, c = pair()
    for i in range(4):
        d.move_clock(25000)
        if i < 3:
            a.ask("alive")
    t.equal(a.hear().get("code"), "peer_disconnected",
            "pairing-18: and silence after 90 s")


def trust():
    def by(forwarded, host="127.0.0.1"):
        return dev(host=host, headers={"X-Forwarded-For": forwarded}).ask(
            "connect", otc=code())
    t.equal([by("1.2.3.4:55"), by("1.2.3.4"), by("9.9.9.9, 1.2.3.4:7"),
             by("9.9.9.9, 1.2.3.4, 10.1.1.1"), by("[::ffff:1.2.3.4]:8"),
             by("1.2.3.4")], ["otc_not_found"] * 5 + ["rate_limited"],
            "the first from the right that is no proxy, whatever its port")
    t.equal((by("1.2.3.4", "127.5.5.5"), by("9.9.9.9")),
            ("otc_not_found",) * 2,
            "pairing-34: and what others say of themselves is nothing")


def ends():
    a, b, c = pair()
    pid = d.pid_of("paird")
    d.kill(pid)
    try:
        a.hear()
        t.ok(False, "a killed paird's connections end")
    except (ConnectionError, OSError):
        t.ok(True, "a killed paird's connections end")
    until(lambda: [p for p in d.processes("paird") if p["pid"] != str(pid)
                   and p["state"] == "ready"], "another")
    until(lambda: sessions() == 0, "no session")
    until(lambda: dev().quiet_or_refused(), "who serves again")
    pair()
    t.ok(True, "the next one serves, and knows of none before")
    a, b, c = pair()
    d.kill(d.pid_of("authd"))
    a.say("data", payload="on")
    t.equal(b.hear().get("payload"), "on", "authd dies, pairs go on")
    x = until(served, "its successor to let somebody in")
    x.ask("listen", otc=code())
    until(lambda: sessions() == 2, "authd is told again")
    t.ok(True, "its successor knows what there is")
    text = d.log.text()
    t.ok(not re.search(r"\b48[23]\d{3}\b", text) and "sas_confirmed" not in
         text, "pairing-55(partial): no code, no payload in the log")
    d.p.send_signal(15)
    t.equal([w.ended()[1:] for w in (a, b, x)],
            [(1001, "server shutting down")] * 3, "1001 to all")
    d.p.wait(8)
    t.ok(True, "pairing-56: and it is gone in 6 s")


def shown():
    """relayctl's numbers: of a pair, a code that waits, and a watch."""
    def now():
        return {r["name"]: (r["count"], r["most"])
                for r in d.ctl("show", "pairing")}
    a, b, c = dev(), dev(), dev()
    otc = code()
    a.ask("listen", otc=otc)
    b.ask("connect", otc=otc)
    a.hear()
    c.ask("listen", otc=code())
    c.ask("bootstrap_watch", jti="bt_" + 32 * "0")
    want = {"connections": ("3", "10000"), "codes": ("2", "50000"),
            "paired": ("1", "50000"), "watches": ("1", "-"),
            "used tokens": ("0", "1000000")}
    until(lambda: now()["watches"][0] == "1", "what was said last")
    t.equal(now(), want, "show pairing")
    for x in a, b, c:
        x.gone()
    until(lambda: now()["connections"][0] == "0", "them to have gone")


with Relayd(t, listeners=LISTEN, proxyds=1) as d:
    shown()
    walk()
    surface()
    counted()
    frames()
    codes_of()
    data()
    volume()
    limits()
    crowding()
    expiry()
    silent()
    ends()
with Relayd(t, listeners=LISTEN, proxyds=1,
            global_conf="trusted proxy 127.0.0.1\ntrusted proxy 10.0.0.0/8") \
        as d:
    trust()
t.done()
