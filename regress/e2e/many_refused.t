#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Many refused tokens from one address: the good ones of others there are
served all the same. doc/messages.md, 5; rendezvous-56."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

from harness import OurClient, Relayd, Tap, until
from peers import Relay

t = Tap()
number = itertools.count()
OFFICE = {"X-Forwarded-For": "192.0.2.1"}
REST = "too many refused tokens"


def call(d, token, source=OFFICE, path="/api/me"):
    return d.request("GET", path, None,
                     dict(source, Authorization="Bearer " + token))


def wrong(token):
    """One more that is signed by nobody."""
    head, payload, _ = token.split(".")
    return "%s.%s.%043d" % (head, payload, next(number))


def rows(d):
    return [r for r in d.ctl("show", "audit") if r["outcome"] == "refused"]


def refused(d):
    """Refusals of tokens, and those that authd was not asked about."""
    got = rows(d)
    return [sum(int(r["count"]) for r in got if r["action"] == a)
            for a in ("me", "request")]


def office(d):
    """One with an old token, and his colleagues."""
    good, late = d.token(user="busy"), d.token(user="late")
    t.equal([call(d, wrong(good))[0] for _ in range(20)], [401] * 20,
            "20 wrong tokens: 401")
    bad = wrong(good)
    for text in bad, bad, wrong(good):
        st, h, body = call(d, text)
        t.equal((st, json.loads(body)["message"], 1 <= int(h["Retry-After"])
                 <= 60), (429, REST, True), "one more: 429, Retry-After")
    t.equal([call(d, x)[0] for x in (good, late, good)], [200] * 3,
            "rendezvous-56(partial): good ones of that address are good")
    t.equal(call(d, wrong(good), {"X-Forwarded-For": "192.0.2.2"})[0], 401,
            "a wrong one of another address: 401")
    told(d, 24)
    t.equal(refused(d), [23, 1], "the one that came again was not asked about")
    t.equal(call(d, wrong(good))[0], 401, "a minute later: 401")
    told(d, 25)
    return good, late


def told(d, n):
    """A minute later all that was refused is in the audit log, in few rows."""
    d.ctl("test", "clock", "61000")
    until(lambda: sum(refused(d)) == n, "all to be in the audit log")
    # What proxyd told behind that begins a minute of its own.
    d.ctl("test", "clock", "61000")
    got = rows(d)
    t.ok(len(got) < 16 and {r["reason"] for r in got} ==
         {REST, "invalid token"}, "%d are in %d rows" % (n, len(got)))


def flood(d, good, late):
    """Faster than authd is to be bothered with."""
    def some(_):
        got = [call(d, wrong(good))[0] for _ in range(20)]
        return got, call(d, good)[0]

    t.equal(call(d, good)[0], 200, "one that is good lately")
    seen = []
    while refused(d)[1] == 1:
        with ThreadPoolExecutor(8) as pool:
            for got, st in pool.map(some, range(8)):
                seen += got
                t.equal(st, 200, "amidst a flood it still is")
    t.equal((seen.count(401), set(seen)), (20, {401, 429}),
            "20 of the flood are told so, and then it is 429")
    put_off = 0
    while call(d, late)[0] != 200:
        put_off += 1
    t.ok(True, "one that is new has its turn, put off %d times" % put_off)
    told(d, 25 + len(seen) + put_off)
    asked, rest = refused(d)
    t.ok(rest > 1, "authd was asked about %d, not about %d" % (asked, rest))


def hosts(d):
    key, secret = d.add_system("box")
    with OurClient(d, key, secret, "web=127.0.0.1:1"):
        until(lambda: len(d.sessions()) == 1, "a session")
        sid = d.sessions()[0]["session"]
        st, env = d.api("POST", "/support-sessions/%s/proxy-token" % sid,
                        d.token(), {"service": "web"})
        token = env["data"]["token"]
        host = env["data"]["url"].split("//")[1].split("/")[0]
        d.secret("a proxy token", token.split(".")[2])

        def visit(text):
            return d.request("GET", "/", host.split(":")[0], dict(
                {"X-Forwarded-For": "192.0.2.3"},
                Cookie="support_proxy_%s=%s" % (sid.replace("-", ""), text)))

        t.equal([visit(wrong(token))[0] for _ in range(20)], [401] * 20,
                "20 wrong cookies: 401")
        st, h, body = visit(wrong(token))
        t.equal((st, int(h["Retry-After"]) > 0), (429, True), "one more: 429")
        t.equal(visit(token)[0], 502, "a good one: to its service, which is "
                "not there")


def seats(d):
    r = Relay(d)
    s, other = r.create(), r.create()

    def dial(token, of=s):
        return r.dial("/relay/%s?token=%s" % (of["id"], token),
                      {"X-Forwarded-For": "192.0.2.4"})

    got = [dial("x%d" % next(number)).status for _ in range(22)]
    t.equal(got, [401] * 20 + [429] * 2,
            "rendezvous-56(partial): 20 are refused as such, then 429")
    t.equal(dial(s["initiator_token"]).status, 101,
            "rendezvous-56(partial): a good one from there comes in")
    t.equal([dial(s["initiator_token"], other).status,
             dial(other["initiator_token"], other).status], [429, 101],
            "one that is good for another session alone is good there")

    def lines():
        return d.log.text().count("relay session %s: refuse -" % s["id"][:6])
    until(lambda: dial("x%d" % next(number)).status == 429 and lines() > 22,
          "more than 22 to be refused by authd", every=0.02)
    st, h, data = r.call("GET", "/" + s["id"] + "/events")
    events = [e["event"] for e in json.loads(data)["events"]]
    t.equal((events[0], events.count("refuse"), "attach" in events),
            ("create", 20, True), "of them 20 are among the session's events")


with Relayd(t, conf="relay {\n\tno auth\n}\ntrusted proxy 127.0.0.1\n",
            proxyds=1) as d:
    flood(d, *office(d))
    hosts(d)
    seats(d)
t.done()
