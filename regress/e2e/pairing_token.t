#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Pairing by token, through all processes, line by line of the contract."""

import base64
import hashlib
import os

from harness import Relayd, Tap, until
from pairing import Device, one_port

t = Tap()
port, LISTEN = one_port()
TOKEN = "amesh-bt-v1.e30.e30.c2ln"


def dev(**kw):
    return Device(port, **kw)


def jti():
    return "bt_" + os.urandom(16).hex()


def init(d, j, token=TOKEN, **kw):
    d.say("bootstrap_init", jti=j, token=token, targetPubKey="A1b2", **kw)


def brought(d, j, token=TOKEN):
    """What is answered at once, a reject's error."""
    init(d, j, token)
    m = d.hear()
    return m.get("error", m)


def watches():
    a, b, j = dev(), dev(), jti()
    t.equal(a.ask("bootstrap_watch", jti=j),
            {"type": "bootstrap_watching", "jti": j}, "watched")
    t.equal([a.ask("bootstrap_watch", **kw) for kw in (
        {}, {"jti": ""}, {"jti": None}, {"jti": 5}, {"jti": "x" * 129})],
        ["missing_jti"] * 3 + ["invalid_jti"] * 2,
        "pairing-36: the same jti; missing and invalid ones")
    t.equal(a.ask("bootstrap_watch", jti="é" * 128)["jti"], "é" * 128,
            "128 characters are good")
    t.equal(b.ask("bootstrap_watch", jti=j), "jti_already_watched", "held")
    t.equal(a.ask("bootstrap_watch", jti=j)["type"], "bootstrap_watching",
            "renewed")
    a.gone()
    t.ok(until(lambda: b.ask("bootstrap_watch", jti=j) !=
               "jti_already_watched", "the jti"),
         "pairing-37: free at once when its holder has gone")
    a = dev()
    mine = [jti() for i in range(11)]
    got = [a.ask("bootstrap_watch", jti=x) for x in mine[:10]]
    got += [a.ask("bootstrap_watch", jti=x) for x in mine[:10] * 2]
    got.append(a.ask("bootstrap_watch", jti=mine[10]))
    t.equal([x if isinstance(x, str) else x["type"] for x in got],
            ["bootstrap_watching"] * 30 + ["rate_limited"],
            "pairing-38: ten new ones a minute, renewals free")


def inits():
    a, b, j = dev(), dev(), jti()
    t.equal(brought(b, j), "no_watcher", "nobody waits")
    a.ask("bootstrap_watch", jti=j)
    init(b, j, extra="x", publicKey="y")
    t.equal(a.message(), '{"type":"bootstrap_init","jti":"%s","token":"%s",'
            '"targetPubKey":"A1b2"}' % (j, TOKEN),
            "pairing-40 pairing-41: then it is brought, and nothing else")
    c = dev()
    for x in (c, a):
        x.say("bootstrap_ack", jti=jti(), publicKey="no")
        x.say("bootstrap_reject", jti=jti(), error="no")
    c.say("bootstrap_ack", jti=j, publicKey="no")
    c.say("bootstrap_reject", jti=j, error="no")
    t.ok(c.quiet() and a.quiet() and b.quiet(), "a stranger is not heard")
    a.say("bootstrap_ack", jti=j, publicKey="A9z8", controllerSig="c2ln",
          other=1)
    t.equal(b.message(), '{"type":"bootstrap_ack","jti":"%s",'
            '"controllerPubKey":"A9z8","controllerSig":"c2ln"}' % j,
            "pairing-43(partial): key and signature come through")
    t.equal((brought(c, j), brought(b, j)), ("token_already_used",) * 2,
            "used, for everybody")
    x, k = dev(), jti()
    x.ask("bootstrap_watch", jti=k)
    x.say("bootstrap_ack", jti=k, publicKey="early")
    x.say("bootstrap_reject", jti=k)
    init(c, k)
    t.equal(x.hear()["jti"], k, "pairing-45: neither is who comes before")
    t.equal(brought(c, jti()), "busy", "one at a time")
    x.say("bootstrap_reject", jti=k, error="not_expected")
    t.equal(c.message(), '{"type":"bootstrap_reject","jti":"%s",'
            '"error":"not_expected"}' % k, "pairing-44: a no says why")


def bad():
    h = dev()
    for why, m in (("missing_jti", {}), ("missing_jti", {"jti": ""}),
                   ("invalid_jti", {"jti": 5}),
                   ("invalid_jti", {"jti": "x" * 129}),
                   ("invalid_request", {"jti": "x"}),
                   ("invalid_request", {"jti": "x", "token": 5,
                                        "targetPubKey": "x"}),
                   ("invalid_request", {"jti": "x", "token": "x" * 4097,
                                        "targetPubKey": "x"}),
                   ("invalid_request", {"jti": "x", "token": "x",
                                        "targetPubKey": "x" * 257})):
        h.say("bootstrap_init", **m)
        t.equal(h.hear(), {"type": "bootstrap_reject", "error": why},
                "pairing-47: bad, and told by a reject: " + why)
    x = dev()
    t.equal([brought(x, jti()) for i in range(21)],
            ["no_watcher"] * 20 + ["rate_limited"], "20 a minute")
    a, b, j = dev(), dev(), jti()
    want = base64.urlsafe_b64encode(hashlib.sha256(TOKEN.encode()).digest())
    a.ask("bootstrap_watch", jti=j, tokenHash=want.decode().rstrip("="))
    t.equal(brought(b, j, "junk"), "token_mismatch", "not the token")
    init(b, j)
    t.equal(a.hear()["token"], TOKEN, "which is not used up by that")


def leaving():
    a, b, c, j = dev(), dev(), dev(), jti()
    a.ask("bootstrap_watch", jti=j)
    init(b, j)
    a.hear()
    b.gone()
    t.equal(c.ask("bootstrap_watch", jti=j), "jti_already_watched", "there")
    a.say("bootstrap_ack", jti=j, publicKey="A")
    t.ok(a.quiet(), "the ack goes nowhere")
    t.equal(brought(c, j), "token_already_used",
            "pairing-46: a target that leaves ends no watch, and has used it")
    a, b, j = dev(), dev(), jti()
    a.ask("bootstrap_watch", jti=j)
    init(b, j)
    a.hear()
    a.gone()
    t.equal(b.hear(), {"type": "bootstrap_reject", "error": "no_watcher"},
            "a target whose controller has gone does not wait for ever")


def time_passes():
    a, j = dev(), jti()
    a.ask("bootstrap_watch", jti=j)
    for i in range(11):
        d.move_clock(25000)
        a.ask("x")
    d.move_clock(15000)
    b = dev()
    t.equal(b.ask("bootstrap_watch", jti=j), "jti_already_watched", "290 s")
    d.move_clock(10500)
    t.equal(b.ask("bootstrap_watch", jti=j)["type"], "bootstrap_watching",
            "300 s and no more")
    for k in range(18):
        for i in range(8):
            d.move_clock(25000)
            b.ask("x")
        b.ask("bootstrap_watch", jti=j)
    t.equal(dev().ask("bootstrap_watch", jti=j), "jti_already_watched",
            "pairing-39: an hour, renewed")
    c = dev()
    init(c, j)
    b.hear()
    b.say("bootstrap_reject", jti=j)
    c.hear()
    d.move_clock((24 * 3600 + 59 * 60) * 1000)
    x = dev()
    t.equal(brought(x, j), "token_already_used", "for 24 h 59 min")
    d.move_clock(61 * 1000)
    t.equal(brought(x, j), "no_watcher", "pairing-42: and free after 25 h")
    # All questions to a server that were under way are too late by now.
    until(d.is_ready, "the store")


def outlives():
    a, b, c, j = dev(), dev(), dev(), jti()
    a.ask("bootstrap_watch", jti=j)
    init(b, j)
    a.hear()
    pid = d.pid_of("paird")
    d.kill(pid)
    until(lambda: [p for p in d.processes("paird") if p["pid"] != str(pid)
                   and p["state"] == "ready"], "another")

    def serves():
        w = dev()
        try:
            return w if w.quiet() else None
        except (ConnectionError, OSError):
            return None
    t.equal(brought(until(serves, "it to serve"), j), "token_already_used",
            "a token that was used is used, if paird dies")
    text = d.log.text()
    t.ok("bt_" not in text and TOKEN not in text and "A1b2" not in text,
         "pairing-55: no jti, token or key in the log")


def used_token():
    a, b, j = dev(), dev(), jti()
    a.ask("bootstrap_watch", jti=j)
    init(b, j)
    t.equal(a.hear()["jti"], j, "brought")
    a.gone(), b.gone()
    return j


def serving():
    """A device, as soon as authd and paird serve."""
    def one():
        try:
            w = dev()
            return w if w.quiet() else None
        except (ConnectionError, OSError):
            return None
    return until(one, "relayd to serve")


def in_store():
    """Used tokens outlive authd, and relayd; nothing says which they were."""
    j = used_token()
    hashed = hashlib.sha256(j.encode()).hexdigest()
    t.equal([tuple(r) for r in d.rows("SELECT id FROM consumed_jtis")],
            [(hashed,)], "the store has a hash of it, and no more")
    d.kill(d.pid_of("authd"))
    w = serving()
    t.equal(until(lambda: (brought(w, j) + "").replace("relay_overloaded",
                                                       ""), "authd"),
            "token_already_used", "used, when authd has died")
    d.stop()
    d.start()
    t.equal(brought(serving(), j), "token_already_used",
            "used, after a restart of relayd")
    k = used_token()
    t.ok(j != k, "and others are good")


with Relayd(t, listeners=LISTEN, proxyds=1) as d:
    in_store()
    watches()
    inits()
    bad()
    leaving()
    time_passes()
    outlives()
with Relayd(t, listeners=LISTEN, proxyds=1,
            conf="pair { max tokens 5 max connections 7 max sessions 3 }") \
        as d:
    for i in range(6):
        a, b, j = dev(), dev(), jti()
        a.ask("bootstrap_watch", jti=j)
        init(b, j)
        if i < 5:
            a.hear()
            a.say("bootstrap_ack", jti=j)
            b.hear()
        else:
            t.equal(b.hear()["error"], "relay_overloaded",
                    "pairing-48(partial): what is remembered has an end")
        a.gone(), b.gone()
    many = [dev() for i in range(7)]
    got = [x.ask("listen", otc="10000%d" % i) for i, x in
           enumerate(many[:4])]
    t.equal(got[2:], [{"type": "ack", "message": "session_open"},
                      "relay_capacity"], "pairing-50: one session too many")
    x = dev()
    t.equal((x.status, x.ended()), (101, ([], 1013, "too_many_connections")),
            "one connection too many")
    many.pop().gone()

    def admitted():
        w = dev()
        try:
            return w if w.quiet() else None
        except (ConnectionError, OSError):
            return None
    w = until(admitted, "room for one")
    for i in range(300):
        dev().gone()
    w.gone()
    until(admitted, "room for one again")
    t.ok(True, "pairing-49(partial): room again, whoever is refused")
t.done()
