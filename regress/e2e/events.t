#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""GET /api/events: what changes is heard of as it happens, by those who may see
it and by nobody else, until they may not any more."""

from follow import Events
from harness import OurClient, Relayd, Tap, Targets, until

t = Tap()


def of_session(sid):
    return lambda k, v: k == "session" and v["session_id"] == sid


def of_system(sid):
    return lambda k, v: k == "system" and v["system_id"] == sid


with Targets() as targets, Relayd(t) as d:
    mine = d.ctl("org", "add", "Mine", "type", "customer")[0]["id"]
    other = d.ctl("org", "add", "Other", "type", "customer")[0]["id"]
    may = ("connect:systems", "read:systems", "manage:systems")
    owner = d.token(permissions=may)
    customer = d.token(user="bob", role="customer", org=mine, permissions=may)
    stranger = d.token(user="eve", role="customer", org=other,
                       permissions=may)

    a, b, e = Events(d, owner), Events(d, customer), Events(d, stranger)
    t.match(a.head.decode(), "(?s)200 OK.*Content-Type: text/event-stream\r\n"
            ".*Transfer-Encoding: chunked.*Cache-Control: no-store",
            "the answer goes on")
    a.wait(lambda k, v: k == "retry: 2000", "the first words")
    t.ok(True, "it says how long to wait before coming back")

    st, env = d.api("POST", "/systems", customer,
                    {"name": "Box", "organization_id": mine})
    d.secret("a system's secret", env["data"]["system_secret"])
    system = env["data"]["id"]
    a.wait(of_system(system), "a new system")
    b.wait(of_system(system), "a new system, its own")
    t.ok(True, "a system that is made is heard of")

    key, secret = d.add_system("Second", mine)
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http):
        s = d.wait_session()
        sid = s["session"]
        a.wait(of_session(sid), "a session")
        b.wait(of_session(sid), "a session, its own")
        t.ok(True, "a tunnel that comes is heard of")
        for k, v in b.heard:
            if k == "session":
                break
        t.ok(set(v) == {"session_id", "system_id"},
             "nothing but ids is said")
        del a.heard[:]
        d.cookie(sid, owner)
        a.wait(of_session(sid), "somebody who connects")
        t.ok(True, "an operator who connects is heard of")
        del a.heard[:]
        d.kill(d.pid_of("muxd"))
        a.wait(of_session(sid), "a tunnel that is lost")
        t.ok(True, "a tunnel that is lost is heard of")
        d.wait_session()
        del a.heard[:], b.heard[:]
        t.equal(d.api("DELETE", "/support-sessions/" + sid, owner)[0], 200,
                "the session is closed")
        a.wait(of_session(sid), "the end of a session")
        b.wait(of_session(sid), "the end of a session, its own")
        t.ok(True, "its end is heard of")

    # What the stranger hears is in order, so all before is there by then.
    st, env = d.api("POST", "/systems", stranger,
                    {"name": "Theirs", "organization_id": other})
    d.secret("a system's secret", env["data"]["system_secret"])
    theirs = env["data"]["id"]
    e.wait(of_system(theirs), "a system of its own")
    t.equal([v for k, v in e.heard if v is not None],
            [{"system_id": theirs}],
            "another organization hears of its own, and of nothing else")
    a.wait(of_system(theirs), "that system")
    t.ok(not any(of_system(theirs)(k, v) for k, v in b.heard),
         "and the customer not of theirs")

    # ---- who may not, and how it can be asked for ----
    t.equal(d.api("GET", "/events", None)[0], 401, "without a token: 401")
    t.equal(d.api("GET", "/events", "x")[0], 401, "with a bad one: 401")
    t.equal(d.api("GET", "/events", d.token(
        user="reader", permissions=("read:systems",)))[0], 403,
        "without connect:systems: 403")
    t.equal(d.api("POST", "/events", owner, {})[0], 405, "POST: 405")
    h = Events(d, owner, method="HEAD")
    h.s.sendall(b"GET /api/openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n")
    t.ok(h.status == 200 and h.s.recv(12) == b"HTTP/1.1 200",
         "HEAD: the head, and the connection goes on")
    h.close()
    old = Events(d, owner, minor=0)
    t.ok(not old.chunked and b"Connection: close" in old.head,
         "HTTP/1.0: no chunks")
    st, env = d.api("POST", "/systems", owner,
                    {"name": "For 1.0", "organization_id": mine})
    d.secret("a system's secret", env["data"]["system_secret"])
    old.wait(of_system(env["data"]["id"]), "a system")
    t.ok(True, "and it hears of changes")
    old.close()

    # ---- how many: each member counts those that come to it ----
    many = [Events(d, d.token(user="many")) for _ in range(16)]
    t.equal([x.status for x in many], [200] * 16, "an operator has 16 of them")
    while d.members > 1 and many[-1].status == 200 and \
            len(many) <= 16 * d.members:
        many.append(Events(d, d.token(user="many")))
    more = many.pop() if d.members > 1 else Events(d, d.token(user="many"))
    t.equal(more.status, 429, "and not one more: 429")
    more.close()
    many[0].close()
    until(lambda: Events(d, d.token(user="many")).status == 200,
          "a free place")
    t.ok(True, "one that is closed leaves its place")
    for x in many[1:]:
        x.close()

    # ---- the end ----
    brief = Events(d, d.token(user="brief", lifetime="3s"))
    gone = d.token(user="gone")
    g = Events(d, gone)
    g.wait(lambda k, v: True, "its first words")
    d.ctl("-f", "token", "revoke", "user", "gone")
    until(lambda: g.over, "its end")
    t.equal(g.over, "end", "a user who is revoked hears a clean end")
    t.ok(a.over is None, "others go on")
    until(lambda: brief.over, "the end of a token")
    t.equal(brief.over, "end", "a token that expires: a clean end")

    # ---- a storm: one who cannot hear each change hears that there were ----
    storm = Events(d, d.token(user="storm", permissions=may))
    for i in range(80):
        d.ctl("-f", "system", "add", "S%d" % i, "org", mine)
    names = lambda: {v.get("system_id") for k, v in storm.heard
                     if k == "system"}
    until(lambda: len(names()) >= 80 or any(
        k == "all" for k, v in storm.heard), "all of them, or `all`")
    t.ok(True, "80 changes are heard of, or that everything may have changed")

    # ---- a crash ----
    d.kill_all("authd")
    until(lambda: storm.over, "the end of the stream")
    t.equal(storm.over, "end", "authd dies: a clean end")
    until(lambda: Events(d, owner).status == 200, "another stream")
    t.ok(True, "and who comes back has another")

t.done()
