#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""One-time sign-ins: relayctl token once makes one, POST /api/sign-in takes it
for an access token."""

import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import postgres
from cluster import Cluster
from harness import STORE, Relayd, Tap

t = Tap()
codes = []


def made(d, *words, user="alice"):
    """A code and the id that its token will have."""
    row = d.ctl("token", "once", "user", user, *words)[0]
    path, code = row["path"].rsplit("/", 1)
    d.secret("a sign-in code", code)
    codes.append(code)
    t.ok(path == "/#/sign-in" and len(code) == 64, "token once: a place in "
         "the console, with a code in the fragment")
    return code, row["id"]


def sign_in(d, code):
    return d.api("POST", "/sign-in", "", {"code": code})


def rows(d, action):
    return [(r["outcome"], r["actor"], r["address"], r["reason"])
            for r in d.ctl("show", "audit") if r["action"] == action]


def once(d):
    code, tid = made(d, "role", "owner", "permission", "connect:systems",
                     "permission", "read:status", "lifetime", "2h")
    t.equal(d.ctl("token", "list"), [], "there is no token before it is used")
    st, head, body = d.request("POST", "/api/sign-in", None, {
        "Content-Type": "application/json"}, json.dumps({"code": code}))
    data = json.loads(body)["data"]
    d.secret("an operator's token", data["token"].split(".")[2])
    t.ok(st == 200 and head["cache-control"] == "no-store",
         "a code for a token, which nobody keeps")
    end = datetime.fromisoformat(data["expires_at"].replace("Z", "+00:00"))
    t.ok(7000 < end.timestamp() - time.time() <= 7200,
         "that lives from then on as long as was said")
    st, me = d.api("GET", "/me", data["token"])
    t.equal((st, me["data"]["id"], me["data"]["role"],
             me["data"]["permissions"]),
            (200, "alice", "owner", ["connect:systems", "read:status"]),
            "for whom it was made, and what was permitted")
    t.equal([(r["id"], r["user"]) for r in d.ctl("token", "list")],
            [(tid, "alice")], "it is listed, by the id that was printed")
    st, env = sign_in(d, code)
    t.equal((st, env["message"]), (401, "invalid or expired sign-in code"),
            "a code that was used: 401")
    t.equal([x[:2] for x in rows(d, "token_once")], [("done", "uid 0")],
            "audited: it was made")
    t.equal([x[:3] for x in rows(d, "sign_in")],
            [("done", "alice", "127.0.0.1"), ("refused", "-", "127.0.0.1")],
            "used, and tried again")
    d.ctl("token", "revoke", tid)
    t.equal(d.api("GET", "/me", data["token"])[0], 401,
            "its token is revoked by that id")


def end_of_it(d):
    code, _ = made(d)
    d.ctl("test", "clock", str(5 * 60 * 1000))
    t.equal(sign_in(d, code)[0], 401, "after five minutes: 401")
    code, _ = made(d)
    d.ctl("test", "clock", str(4 * 60 * 1000))
    t.equal(sign_in(d, code)[0], 200, "before, it is good")
    code, tid = made(d)
    d.ctl("token", "revoke", tid)
    st, env = sign_in(d, code)
    t.equal((st, d.api("GET", "/me", env["data"]["token"])[0]), (200, 401),
            "revoked before it is used, its token opens nothing")


def forms(d):
    for body in ({}, {"code": 7}, {"code": ""}, {"code": "a" * 65}, []):
        t.equal(d.api("POST", "/sign-in", "", body)[0], 400,
                "no code: 400: %.20r" % body)
    t.equal(d.request("POST", "/api/sign-in", None, {}, "{")[0], 400,
            "no JSON: 400")
    t.equal(d.request("POST", "/api/sign-in", None, {}, "x" * 5000)[0], 413,
            "too long: 413")
    t.equal(d.request("GET", "/api/sign-in")[0], 405, "only POST")


def guessing(d):
    code, _ = made(d)
    said = []
    while 429 not in said and len(said) < 20:
        said.append(sign_in(d, "%064x" % len(said))[0])
    t.ok(said[0] == 401 and said[-1] == 429, "who guesses waits: %s" % said)
    t.equal(sign_in(d, code)[0], 429, "with a good one, too")
    d.ctl("penalty", "clear", "all")
    t.equal(sign_in(d, code)[0], 200, "which is not used up by that")
    t.equal([r for _, actor, _, r in rows(d, "sign_in") if actor == "-"][:1],
            ["invalid or expired sign-in code"], "and guesses are audited")


def many(d):
    for i in range(64):
        d.ctl("token", "once", "user", "u%d" % i)
    r = d.ctl_raw("token", "once", "user", "one-more")
    t.ok(r.returncode == 1 and "too many wait" in r.stderr,
         "64 wait to be used, and no more")
    d.ctl("test", "clock", str(5 * 60 * 1000))
    code, _ = made(d)
    d.stop()
    d.start()
    t.equal(sign_in(d, code)[0], 401, "a relayd that starts again knows none")


def nowhere(d):
    """In the file and what is beside it."""
    held = b""
    for name in os.listdir(os.path.dirname(d.store)):
        with open(os.path.join(os.path.dirname(d.store), name), "rb") as f:
            held += f.read()
    t.ok(b"for alice: connect:systems" in held and
         not any(x.encode() in held for code in codes
                 for x in (code, hashlib.sha256(code.encode()).hexdigest())),
         "of %d codes none is in the store, nor its hash" % len(codes))


def too_often():
    """Beyond the rate of an address: its own, beside the one of logins."""
    with Relayd(t) as d:
        d.text = d.text.replace("rate limit address 100000 per 1m",
                                "rate limit address 3 per 1m")
        d.rewrite()
        d.ctl("reload")
        code, _ = made(d)
        said = [sign_in(d, "f" * 64)[0] for _ in range(10)]
        t.ok(said[0] == 401 and said[-1] == 429, "too often is 429: %s" % said)
        t.equal(sign_in(d, code)[0], 429, "whatever the code")


def members():
    """One that a member has made is good at any, once."""
    with Cluster(t, "ab") as c:
        a, b = c["a"], c["b"]
        for d in a, b:
            c.wait_seen(d, "ab")

        def new():
            row = a.ctl("token", "once", "user", "alice")[0]
            code, at = row["path"].rsplit("/", 1)[1].split("@")
            for d in a, b:
                d.secret("a sign-in code", code)
            return code, at

        def try_it(d, code, at):
            st, env = d.api("POST", "/sign-in" + at, "", {"code": code})
            if st == 200:
                for m in a, b:
                    m.secret("an operator's token",
                             env["data"]["token"].split(".")[2])
            return st
        code, at = new()
        t.equal((len(code), at), (64, "a"), "the address names the member")
        t.equal(try_it(b, code, ""), 401, "which alone knows the code")
        t.equal([try_it(d, "f" * 64, "?member=a") for d in (a, b)],
                [401] * 2, "a wrong one is refused, wherever it is shown")
        t.equal(try_it(b, code, "?member=a"), 200,
                "the right one is good at another member")
        t.equal([try_it(d, code, "?member=a") for d in (b, a)], [401] * 2,
                "once, and then at none")
        t.equal([try_it(b, code, "?member=" + m) for m in
                 ("c", "b", "", "a" * 33, "%00", "%zz")], [401] * 6,
                "who names somebody else is answered where he asks")
        for d in a, b:
            d.ctl("penalty", "clear", "all")
        with ThreadPoolExecutor(4) as pool:
            for _ in range(3):
                code = new()[0]
                got = sorted(pool.map(
                    lambda d: try_it(d, code, "?member=a"), [a, b] * 2))
                t.equal(got, [200] + [401] * 3,
                        "of four who come to two members at once one wins")
        signed = [(x["outcome"], x["address"]) for x in
                  a.ctl("show", "audit", "after", "0")
                  if x["action"] == "sign_in" and x["actor"] == "alice"]
        t.equal(signed, [("done", "127.0.0.1")] * 4,
                "audited, with the address of who came")


with Relayd(t) as d:
    once(d)
    end_of_it(d)
    forms(d)
    many(d)
    if not STORE:
        nowhere(d)
# Each proxyd has penalties of its own: with two the next one may be let in.
d = Relayd(t, proxyds=1)
d.text = d.text.replace("penalty exempt 127.0.0.0/8\n", "")
d.rewrite()
with d:
    guessing(d)
too_often()
if postgres.programs() is None or shutil.which("redis-server") is None:
    t.skip("there is no PostgreSQL or no Redis", "a sign-in in a cluster")
else:
    members()
t.done()
