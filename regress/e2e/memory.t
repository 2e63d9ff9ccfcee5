#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What went through the processes and was secret is not in their memory once
the answer is out: passwords of users, secrets of systems, tokens, tickets,
cookies. Who can read a process later gets none of them."""

import base64
import json
import os
import tempfile
import urllib.parse

from certs import Authority, listener, numbers_of
from harness import (FAST_BUILD, GoClient, Relayd, Tap, Targets, free_port,
                     is_up, until)
from idp import Provider

t = Tap()
PASSWORD = "pw-%s" % os.urandom(12).hex()
SERVICES = "basic-%s" % os.urandom(12).hex()
STEP = 1 << 20


def memory(pid):
    """All that the process could write to, stacks too; nothing if it has ended
    since it was listed, as a closed terminal's does."""
    try:
        with open("/proc/%d/maps" % pid) as f:
            maps = [line.split() for line in f]
    except (FileNotFoundError, ProcessLookupError):
        return
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for area in maps:
            if "w" not in area[1] or area[-1] == "[vvar]":
                continue
            at, end = (int(x, 16) for x in area[0].split("-"))
            mem.seek(at)
            tail = b""
            while at < end:
                part = mem.read(min(STEP, end - at))
                if not part:
                    break
                yield at - len(tail), tail + part, area[-1]
                tail = part[-4096:]
                at += len(part)


def holders(d, secrets, role=None):
    """Which process still has which of {what it is: its bytes}, and where."""
    found = set()
    for p in d.processes(role):
        for at, part, name in memory(int(p["pid"])):
            for what, value in secrets.items():
                if value in part:
                    found.add("%s has %s" % (p["role"], what))
                    t.diag("%s, %s: %s, at %x" % (p["role"], what, name,
                                                  at + part.index(value)))
    return sorted(found)


def looked(d, secrets, text, role=None):
    """The answer is out before the event loop's turn is over."""
    d.ctl("show", "stats")
    secrets = {k: v.encode() for k, v in secrets.items()}
    t.equal(holders(d, secrets, role), [], text)


def certificates(tmp):
    """A listener for a certificate of each kind."""
    global ca, pairs
    ca = Authority(tmp)
    pairs = {free_port(): ca.make(kind, ["localhost"], kind)
             for kind in ("ec", "rsa")}
    return pairs


def report():
    return {"created_at": "2031-05-06T07:08:09Z", "duration_ms": 5, "users":
            {"session_id": "NETH", "platform": "ns8",
             "created_at": "2031-05-06T07:08:09Z", "local_users":
             [{"username": "support", "password": PASSWORD}]}}


with open(os.path.join(FAST_BUILD, "config.mk")) as f:
    SLOW = "-fsanitize" in f.read()
if SLOW or os.getuid() != 0:
    t.skip("sanitizers keep what is freed, and only root reads memory",
           "what is left of secrets")
    t.done()

with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        Targets() as targets, Relayd(
            t, build=FAST_BUILD, proxyds=1, global_conf=idp.conf(),
            listeners="\n".join(listener(p, pair) for p, pair in
                                 certificates(tmp).items())) as d:
    path = os.path.join(tmp, "users")
    with open(path, "w") as f:
        json.dump(report(), f)
    # Each of its own, so that a leak of one is none of the next.
    asked = d.token(user="asker", lifetime="24h")
    looked(d, {"a created token": asked.split(".")[2]},
           "a token that relayctl has made")
    theirs = idp.token()
    until(lambda: d.api("GET", "/support-sessions", theirs)[0] == 200,
          "an identity provider's token to be let in")
    looked(d, {"its signature": theirs.split(".")[2],
               "its claims": theirs.split(".")[1]},
           "a token of an identity provider's")
    key, secret = d.add_system("cluster")
    looked(d, {"a system secret": secret.split(".")[1]},
           "a system's secret that relayctl has made")
    org = d.ctl("org", "add", "ACME", "type", "customer")[0]["id"]
    token = d.token(lifetime="24h", permissions=("connect:systems",
                                                 "manage:systems"))
    st, env = d.api("POST", "/systems", token, {"name": "made", "organization_id":
                                            org})
    t.equal(st, 201, "a system is made by the API")
    made = env["data"]["system_secret"]
    looked(d, {"a made secret": made.split(".")[1],
               "the asker's token": token.split(".")[2]},
           "its secret, and the token that asked")
    st, env = d.api("POST", "/systems/register", None,
                    {"system_secret": made})
    t.equal(st, 200, "it registers")
    looked(d, {"a made secret": made.split(".")[1]}, "by its secret")
    at = d.ctl("token", "once", "user", "carol")[0]["path"]
    code = at.rsplit("/", 1)[1]
    looked(d, {"a sign-in code": code}, "a one-time sign-in that waits")
    st, env = d.api("POST", "/sign-in", None, {"code": code})
    t.equal(st, 200, "and is used")
    looked(d, {"a sign-in code": code, "its token":
               env["data"]["token"].split(".")[2]}, "for a token")
    basic = base64.b64encode(("%s:%s" % (key, secret)).encode()).decode()
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http,
                  extra=["-users", path]) as c:
        c.event("users_sent")
        s = d.wait_session()
        sid = s["session"]
        got = until(lambda: d.api("GET", "/support-sessions/%s/users" % sid,
                                  token)[1]["data"]["users"], "the users")
        t.equal(got, report(), "the users are read")
        logins = {"a password": PASSWORD, "the client's secret":
                  secret.split(".")[1], "its Authorization": basic,
                  "the reader's token": token.split(".")[2]}
        looked(d, logins, "a client's login, and a report of users, read")
        t.ok("authd has a key" in holders(d, {"a key": key.encode()}),
             "where what is no secret is found")
        with GoClient(d, key, secret, node="9", extra=["-users", "fetch"],
                      services="web=127.0.0.1:1") as c2:
            c2.event("users_fetched")
            looked(d, logins, "and fetched")
        ticket = d.ticket(sid, token)
        looked(d, {"a ticket that waits": ticket}, "a ticket")
        w = d.terminal(sid, ticket)
        t.equal(w.status, 101, "a terminal is opened")
        looked(d, {"a used ticket": ticket}, "and used")
        w.close()
        cookie = d.cookie(sid, token)
        looked(d, {"a proxy token": "?token="},
               "an exchange of a token for a cookie")
        d.via(sid, cookie, "/", "HEAD", headers={"Authorization": SERVICES})
        looked(d, {"a service's credentials": SERVICES}, "in proxyd, what a "
               "request had for its service", "proxyd")
        d.api("DELETE", "/support-sessions/" + sid, token)
        until(lambda: not any(x["session"] == sid and is_up(x)
                              for x in d.sessions()), "its end")
    # Keys of certificates, as files have them and as libcrypto does: keyd's.
    for port, pair in pairs.items():
        with ca.connect(port) as s:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            t.match(s.recv(100).decode(), " 200 ", "a request by TLS")
        parts = numbers_of(pair[1])
        found = holders(d, parts)
        t.ok(found and all(x.startswith("keyd has ") for x in found),
             "a private key is in keyd's memory and in no other process'")
    looked(d, dict(logins, **{"a ticket": ticket, "a cookie":
                              cookie.partition("=")[2],
                              "a created token": asked.split(".")[2]}),
           "nor any of them once the session is closed")
t.done()
