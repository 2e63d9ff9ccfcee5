#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Relay sessions of a member that is gone, stands still or drains: their peers
find them at the others, and no two members have one."""

import json
import struct
import time

import postgres
from cluster import Cluster, Draining
from harness import Tap, until
from peers import Relay

t = Tap()
CONF = "relay {\n\tno auth\n}\n"


def members_of(c):
    """Relay session and member, as the store has them."""
    return dict(c.pg.rows("SELECT id, member FROM relay_sessions", (),
                          c.database))


def listed(d):
    st, _, body = Relay(d).call("GET")
    o = json.loads(body)
    return st, {s["id"]: s["member"] for s in o["sessions"]}, len(
        o["sessions"]), o.get("missing")


def joins(d, s, side):
    """A peer that comes again until it is let in, as one does that hears 503; what
    else is said to it is an error."""
    got = []

    def tried():
        try:
            w = Relay(d).dial("/relay/" + s["id"], {
                "Authorization": "Bearer " + s[side + "_token"]})
        except (ConnectionError, TimeoutError, OSError):
            return False
        if w.status == 503:
            w.s.close()
            return False
        got.append(w)
        return True
    until(tried, "%s to be let in" % side, seconds=60)
    if got[0].status != 101:
        raise RuntimeError("%s: %d" % (side, got[0].status))
    return got[0]


def speak(pair, what):
    """Both ways."""
    a, b = pair
    a.send(b"to " + what)
    said = [b.recv()]
    b.send(b"back " + what)
    said.append(a.recv())
    return said == [(2, b"to " + what), (2, b"back " + what)]


def killed(c):
    """It has two pairs and one that nobody has come to."""
    b = Relay(c["b"])
    s, one, two = b.pair()
    idle, gone = b.create(), b.create()
    t.ok(speak((one, two), b"b"), "two peers at b")
    counted = b.status(s)
    until(lambda: b.status(s)["bytes_in"] == 4 and c.pg.rows(
        "SELECT bytes_out FROM relay_sessions WHERE id = ?", (s["id"],),
        c.database), "what has moved")
    c.kill("b")
    until(lambda: "b" not in c.seen(c["a"]) and "b" not in c.seen(c["c"]),
          "all to see that it is gone", seconds=60)
    want = {x["id"]: "" for x in (s, idle, gone)}
    for n in "ac":
        t.equal(listed(c[n]), (200, want, 3, []), "b is killed: %s lists its "
                "sessions, as nobody's" % n)
    pair = joins(c["a"], s, "initiator"), joins(c["c"], s, "responder")
    t.ok(speak(pair, b"ac"), "its peers come to two others, and meet")
    t.equal((len({members_of(c)[s["id"]]} & {"a", "c"}),
             sum(len(c[n].processes("rendd")) for n in "ac")), (1, 1),
            "one member has the session, and one process")
    until(lambda: Relay(c["a"]).status(s)["state"] == "open", "it to be open")
    t.equal(counted["created_at"], Relay(c["c"]).status(s)["created_at"],
            "it is the same session, by way of each")
    t.equal(Relay(c["c"]).call("GET", "/" + idle["id"])[0], 200,
            "another is shown to who asks for it")
    t.equal([Relay(c[n]).call(m, "/" + gone["id"])[0] for n, m in (
        ("a", "DELETE"), ("c", "DELETE"), ("a", "GET"))], [204, 404, 404],
            "and can be ended, at whatever member: once")
    t.equal(Relay(c["a"]).call("GET", "/" + "x" * 22)[0], 404,
            "what nobody had is nobody's")
    c["b"].start()
    c.wait_seen(c["a"], "abc")
    who = members_of(c)
    t.ok(set(who) == {s["id"], idle["id"]} and "b" not in who.values(),
         "b is back, and has none of them: %r" % who)
    rows = listed(c["b"])
    t.equal((rows[1], rows[2]), (who, 2), "each is listed once")
    t.ok(speak(pair, b"again"), "and the pair goes on")
    for w in pair:
        w.s.close()
    for x in s, idle:
        Relay(c["b"]).call("DELETE", "/" + x["id"])


def paused(c):
    """It stands still with a peer that does not notice."""
    r = Relay(c["c"])
    s, one, two = r.pair()
    kept = r.create()
    mark = c["c"].log.mark()
    go_on = c.pause("c")
    try:
        until(lambda: "c" not in c.seen(c["a"]) and
              "c" not in c.seen(c["b"]), "c to be taken for gone",
              seconds=60)
        pair = joins(c["a"], s, "responder"), joins(c["b"], s, "initiator")
        t.ok(speak(pair, b"ab"), "c stands still: both peers of it meet "
             "elsewhere")
    finally:
        go_on()
    t.equal([w.closed() for w in (one, two)], [(1001, "moved")] * 2,
            "c goes on: who is still there hears 1001, by which peers come "
            "again")
    until(lambda: not c["c"].processes("rendd"), "c to have let go of it")
    c.wait_seen(c["a"], "abc")
    t.ok(c["c"].log.has("others have it", mark) or
         c["c"].log.has("has it", mark), "and its log says so")
    who = members_of(c)
    t.equal((who[s["id"]] in ("a", "b"), who[kept["id"]]), (True, "c"),
            "what nobody came for it has kept")
    t.ok(speak(pair, b"still"), "the pair at the others goes on")
    for w in pair:
        w.close(1000)
    pair = joins(c["c"], s, "initiator"), joins(c["a"], s, "responder")
    t.ok(speak(pair, b"c") and members_of(c) == who,
         "who comes by way of c meets the other there")
    rows = listed(c["c"])
    t.equal((rows[1], rows[2]), (who, 2), "each is listed once")
    for x in s, kept:
        Relay(c["c"]).call("DELETE", "/" + x["id"])
    t.equal([w.closed() for w in pair], [(1001, "session closed")] * 2,
            "and ended there")


def drained(c):
    r = Relay(c["a"])
    s, one, two = r.pair()
    free = r.create()
    mine, hers = r.create(), r.create()
    resumes = r.dial("/relay/" + mine["id"], {
        "Authorization": "Bearer " + mine["initiator_token"],
        "Sec-WebSocket-Protocol": "relayd.resume.1"})
    plain = r.join(mine, "responder")
    resumes.send(struct.pack(">BQ", 0, 1) + b"before")
    t.equal(plain.recv(), (2, b"before"), "a peer that can resume has spoken")
    busy = r.join(hers, "initiator"), r.join(hers, "responder")
    d = Draining(c["a"], "time", "2m")
    # Nothing moves through the others; this pair is never quiet.
    begun, n = time.monotonic(), 0
    while time.monotonic() - begun < 12 or len(
            [x for x in (s, free, mine) if members_of(c)[x["id"]] == "a"]):
        n += 1
        if not speak(busy, b"%d" % n):
            raise RuntimeError("the busy pair is disturbed")
        time.sleep(0.2)
        if n > 600:
            raise TimeoutError("quiet ones to go")
    t.ok(n > 0, "a drains: what runs is not cut off (%d messages)" % n)
    t.equal(c["a"].ctl("show", "drain")[0]["relays"], "1",
            "relayctl says that one is left")
    t.equal([w.closed() for w in (one, two, plain)],
            [(1001, "draining")] * 3, "who is quiet is asked to come again")
    t.equal(members_of(c)[free["id"]], None, "and what nobody is in is "
            "nobody's")
    pair = joins(c["a"], s, "initiator"), joins(c["b"], s, "responder")
    t.ok(speak(pair, b"moved"), "peers meet at another member, by way of the "
         "one that drains, too")
    t.ok(members_of(c)[s["id"]] in ("b", "c"), "which has it")
    while resumes.recv()[0] != 8:
        pass
    w = Relay(c["b"]).dial("/relay/" + mine["id"] + "?resume=0", {
        "Authorization": "Bearer " + mine["initiator_token"],
        "Sec-WebSocket-Protocol": "relayd.resume.1"})
    t.equal((w.status, w.closed()), (101, (1008, "nothing to resume")),
            "what a peer had not acknowledged was the old member's: it begins "
            "anew")
    again = Relay(c["c"]).dial("/relay/" + mine["id"], {
        "Authorization": "Bearer " + mine["initiator_token"],
        "Sec-WebSocket-Protocol": "relayd.resume.1"})
    t.equal(again.status, 101, "and may")
    for w in busy:
        w.s.close()
    t.equal(d.end(120), (0, "drained", ""), "with the last pair the drain ends")
    t.ok("a" not in members_of(c).values(), "it has no session")
    until(lambda: set(listed(c["b"])[1]) == {x["id"] for x in (
        s, free, mine, hers)}, "all to be listed")
    rows = listed(c["a"])
    t.equal((rows[2], rows[3]), (4, []), "all are listed, once each")
    t.ok(speak(pair, b"on"), "and the pair goes on")
    c["a"].ctl("drain", "cancel")


def main():
    if postgres.programs() is None:
        t.skip("there is no PostgreSQL", "members and relay sessions")
        return
    with Cluster(t, conf=CONF) as c:
        for m in c.members.values():
            c.wait_seen(m, c.names)
        killed(c)
        paused(c)
        drained(c)


main()
t.done()
