#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What is of all members of a cluster says each of them: open sessions, terminals,
how the daemons are, relay sessions; and who of them has not answered."""

import json
import shutil
import signal

import postgres
from cluster import Cluster
from follow import Events
from harness import OurClient, Tap, until
from peers import Relay

t = Tap()
NAMES = "abc"
CONF = "relay {\n\tno auth\n}\n"


def each(c, fn):
    """What each member says."""
    return [fn(c[n]) for n in NAMES]


def sessions(c, ids):
    want = sorted(ids.items(), key=lambda x: x[1])

    def shown(d):
        return sorted(((s["member"], s["session"]) for s in
                       d.ctl("show", "sessions") if s["tunnel"] == "up"),
                      key=lambda x: x[1])
    until(lambda: each(c, shown) == [want] * 3, "all sessions by each")
    t.equal(each(c, shown), [want] * 3, "relayctl shows the sessions of all "
            "members, whoever is asked, and who has each")
    rows = {s["member"]: s for s in c["a"].ctl("show", "sessions")}
    t.equal((rows["a"]["streams"], rows["b"]["streams"], rows["b"]["status"],
             rows["b"]["system"]), ("0", "-", "active", "of b"), "with what "
            "the store knows of those that are elsewhere")
    token = c["a"].token()

    def listed(d):
        st, env = d.api("GET", "/support-sessions", token)
        return sorted((s["member"], s["id"], s["tunnel_connected"]) for g in
                      env["data"]["support_sessions"] for s in g["sessions"])
    t.equal(each(c, listed), [sorted((m, s, True) for m, s in ids.items())] *
            3, "the API's list, too, and that their tunnels are up")


class Terminal:
    """One that stays, as the console opens it."""

    def __init__(self, d, sid, token):
        st, env = d.api("POST", "/support-sessions/%s/terminal-ticket" % sid,
                        token, {})
        self.w = d.terminal(sid, env["data"]["ticket"], {
            "Sec-WebSocket-Protocol": "relayd.terminal.1"})
        while True:
            op, p = self.w.recv()
            if op == 2 and p[0] == 6:
                break
        self.id = json.loads(p[1:])["terminal"]


def present(c, ids, token):
    """With a terminal of his at each member."""
    def shown(d):
        st, env = d.api("GET", "/support-sessions", token)
        return {s["member"]: s["operators"] for g in
                env["data"]["support_sessions"] for s in g["sessions"]}

    def is_with(member):
        c.pg.rows("UPDATE relayd.access_more m SET member = ? FROM "
                  "public.support_access_logs l WHERE l.id = m.id AND "
                  "l.disconnected_at IS NULL AND l.session_id = ? "
                  "RETURNING 1", (member, ids["b"]), c.database)
    want = {n: ["alice"] for n in NAMES}
    t.equal(each(c, shown), [want] * 3, "the list says who is in each "
            "session, wherever he is connected and whoever is asked")
    is_with("x")
    t.equal(each(c, shown), [dict(want, b=[]), want, dict(want, b=[])],
            "who is there through a member that is gone is not")
    is_with("b")
    again = Terminal(c["b"], ids["b"], token)
    other = Terminal(c["b"], ids["b"], c["a"].token("bob"))
    t.equal([{m: sorted(who) for m, who in x.items()}
             for x in each(c, shown)], [dict(want, b=["alice", "bob"])] * 3,
            "each once, however often")
    for one in again, other:
        c["a"].api("DELETE", "/terminals/" + one.id, c["a"].token(
            "bob" if one is other else "alice"))
    until(lambda: each(c, shown) == [want] * 3, "one of each to be left")


def terminals(c, ids):
    token, other = c["a"].token(), c["a"].token("bob")
    open_ = {n: Terminal(c[n], ids[n], token) for n in NAMES}

    def listed(d, who=token):
        st, env = d.api("GET", "/terminals", who)
        return st, sorted((x["member"], x["terminal"]) for x in
                          env["data"]["terminals"]), env["data"]["missing"]
    want = (200, sorted((n, x.id) for n, x in open_.items()), [])
    t.equal(each(c, listed), [want] * 3, "operator-64(partial): his terminals "
            "at all members, whoever is asked")
    t.equal(each(c, lambda d: listed(d, other)), [(200, [], [])] * 3,
            "somebody else has none")
    t.equal(c["a"].request("GET", "/api/terminals", headers={
        "Authorization": "Bearer x"})[0], 401, "and nobody sees any")
    present(c, ids, token)
    b = open_["b"].id
    t.equal(each(c, lambda d: d.api("DELETE", "/terminals/" + b, other)[0]),
            [404] * 3, "nor ends one")
    t.equal(c["a"].api("DELETE", "/terminals/" + b, token),
            (200, {"code": 200, "message": "terminal ended successfully",
                   "data": None}), "one that is at another member ends")
    until(lambda: [x[0] for x in listed(c["c"])[1]] == ["a", "c"],
          "the terminal of b's to be gone")
    t.equal(each(c, lambda d: d.api("DELETE", "/terminals/" + b,
                                    token)[0]), [404] * 3, "once")
    for n in "ac":
        open_[n].w.s.close()
    until(lambda: all(x["waits"] for x in c["b"].api(
        "GET", "/terminals", token)[1]["data"]["terminals"]),
        "both to wait for him")
    t.equal((c["b"].api("DELETE", "/terminals", token)[0],
             c["b"].api("DELETE", "/terminals", token)[1]["data"]),
            (200, None), "he signs out")
    until(lambda: listed(c["a"]) == (200, [], []), "none to be left anywhere")


def status(d, token):
    st, env = d.api("GET", "/status", token)
    return st, env["data"]


def daemons(c):
    token = c["a"].token(permissions=("connect:systems", "read:status"))

    def seen(d):
        st, s = status(d, token)
        return (st, s["now"]["tunnels"], s["missing"], sorted(
            {(p["member"], p["role"]) for p in s["processes"]
             if p["role"] in ("authd", "parent")}),
            sum(p["count"] for p in s["processes"] if p["role"] == "muxd"))
    want = (200, 3, [], sorted((n, r) for n in NAMES
                               for r in ("authd", "parent")), 3)
    until(lambda: each(c, seen) == [want] * 3, "what is counted")
    t.equal(each(c, seen), [want] * 3, "the status has the processes of all, "
            "and their tunnels together")
    t.equal(each(c, lambda d: d.api("GET", "/status", c["a"].token(
        permissions=("connect:systems", "read:status"), role="customer"))[0]), [403] * 3, "which is not for everybody")


def relays(c):
    made = {n: Relay(c[n]).create()["id"] for n in NAMES}

    def listed(d):
        st, _, body = Relay(d).call("GET")
        o = json.loads(body)
        return st, sorted((s["member"], s["id"]) for s in o["sessions"]), \
            o["missing"]
    t.equal(each(c, listed), [(200, sorted(made.items()), [])] * 3,
            "rendezvous-11(partial): relay sessions of all members")


def paused(c, fn):
    """What a says while c stands still, and is not taken for gone yet."""
    for _ in range(6):
        c.wait_seen(c["a"], NAMES)
        go_on = c.pause("c")
        try:
            said = fn(c["a"])
            still = "c" in c.seen(c["a"])
        finally:
            go_on()
        if still:
            return said
    raise TimeoutError("c was taken for gone each time")


def missing(c, ids):
    token = c["a"].token(permissions=("connect:systems", "read:status"))
    st, env = paused(c, lambda d: d.api("GET", "/terminals", token))
    t.equal((st, env["data"]), (200, {"terminals": [], "missing": ["c"]}),
            "a member stands still: the answer comes, and says who is missing")
    st, s = paused(c, lambda d: status(d, token))
    t.equal((st, s["missing"], {p["member"] for p in s["processes"]}),
            (200, ["c"], {"a", "b"}), "the status says so, too")
    st, env = paused(c, lambda d: d.api("DELETE", "/terminals/77", token))
    t.equal((st, env["data"]), (503, {"missing": ["c"]}), "a terminal that "
            "may be there is not said to be none")
    st, env = paused(c, lambda d: d.api("DELETE", "/terminals", token))
    t.equal((st, env["data"]), (200, {"missing": ["c"]}), "who signs out "
            "hears where he did not")
    st, _, body = paused(c, lambda d: Relay(d).call("GET"))
    o = json.loads(body)
    t.equal((st, o["missing"], sorted({x["member"] for x in o["sessions"]})),
            (200, ["c"], ["a", "b"]), "relay sessions")
    rows = paused(c, lambda d: d.ctl("show", "sessions"))
    t.equal({(s["member"], s["session"]) for s in rows}, set(ids.items()),
            "its sessions are still its own")


def closed(c, ids):
    """What is closed is closed, or is said not to be."""
    r = c["a"].ctl_raw("close", ids["b"])
    t.equal((r.returncode, "member b has it: ask there" in r.stderr,
             c.holders().get(ids["b"])), (1, True, "b"),
            "relayctl close says who has the session: %s" % r.stderr.strip())
    for word, want in ((ids["b"], "member b has it: ask there"),
                       (ids["b"][:8], "found by its whole id: show sessions"),
                       ("00000000-0000-4000-8000-000000000000",
                        "no such session\n")):
        r = c["a"].ctl_raw("show", "services", word)
        t.equal((r.returncode, want in r.stderr), (1, True),
                "show services %s: %s" % (word[:8], r.stderr.strip()))
    key = c["a"].rows("SELECT y.system_key FROM systems y WHERE y.name = ?",
                      "of b")[0][0]
    t.ok(any(x["field"] == "session" and x["text"].startswith(ids["b"]) and
             x["text"].endswith(", at b")
             for x in c["a"].ctl("system", "show", key)),
         "relayctl system show has what another member has")
    token = c["a"].token(permissions=("read:systems", "connect:systems"))
    sid = c["a"].rows("SELECT id FROM systems WHERE system_key = ?", key)[0][0]
    st, env = c["a"].api("GET", "/systems/" + sid, token)
    t.equal((st, env["data"]["support_session_id"], env["data"]["status"]),
            (200, ids["b"], "active"), "and so has the API")


def outcomes(d, session):
    """What the audit log has of attempts to close it, in their order."""
    return [o for o, in d.rows(
        "SELECT outcome FROM audit_events WHERE session_id = ? AND "
        "action = 'close' ORDER BY event", session)]


def held(c, d, session):
    """Its client comes to another member between the question and the end: the
    store does not take the end, as it would not that of another's."""
    c.pg.sql("CREATE FUNCTION public.held() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RETURN NULL; END $$;"
             "CREATE TRIGGER held BEFORE UPDATE ON public.support_sessions "
             "FOR EACH ROW WHEN (NEW.closed_by = 'operator') "
             "EXECUTE FUNCTION public.held();", c.database)
    st, env = d.api("DELETE", "/support-sessions/" + session, d.token())
    t.equal((st, env["message"]), (503, "another server has this session"),
            "an end that comes too late is said to be none")
    r = d.ctl_raw("close", session)
    t.ok(r.returncode == 1 and "another member has it" in r.stderr,
         "by relayctl, too: " + r.stderr.strip())
    until(lambda: outcomes(d, session), "the audit event")
    t.equal(outcomes(d, session), ["refused"],
            "and the audit log has no end that was none")
    c.pg.sql("DROP TRIGGER held ON public.support_sessions;"
             "DROP FUNCTION public.held();", c.database)


def in_grace(c, ids, clients):
    """Nobody has them any more; an operator closes them all the same."""
    for cl in clients.values():
        cl.stop(signal.SIGKILL)
    for n in "bc":
        c.kill(n)
    until(lambda: not set(c.holders().values()) & {"b", "c"}, "grace")
    d = c["a"]

    def row(s):
        return d.rows("SELECT status, closed_by FROM support_sessions "
                      "WHERE id = ?", s)[0]
    t.equal(row(ids["b"])[0], "active", "a session in grace")
    token, at = d.token(), "/support-sessions/" + ids["b"]
    for method, path, body in (("POST", "/proxy-token", {"service": "web"}),
                               ("POST", "/terminal-ticket", None),
                               ("GET", "/proxy/web/", None)):
        st, env = d.api(method, at + path, token, body)
        t.equal((st, env["message"]), (404, "tunnel not found for session"),
                "%s: is not connected, as one relayd alone says it" % path)
    held(c, d, ids["b"])
    told = Events(d, d.token())
    st, env = d.api("DELETE", "/support-sessions/" + ids["b"], d.token())
    t.equal((st, row(ids["b"])), (200, ("closed", "operator")),
            "operator-11: closed by the API at a member that never had it")
    d.ctl("close", ids["c"])
    t.equal(row(ids["c"]), ("closed", "operator"), "by relayctl, too")
    t.equal((outcomes(d, ids["b"]), outcomes(d, ids["c"])),
            (["refused", "done"], ["done"]), "which is in the audit log when it is answered")
    for n in "bc":
        told.wait(lambda k, v: k == "session" and ids[n] in str(v),
                  "the event")
    t.ok(True, "who follows the sessions hears of either")
    told.close()
    t.match(d.ctl_raw("close", ids["c"]).stdout, "closed already",
            "which says so when it is")


def main():
    if postgres.programs() is None or shutil.which("redis-server") is None:
        t.skip("there is no PostgreSQL or no Redis", "views of a cluster")
        return
    with Cluster(t, NAMES, conf=CONF) as c:
        for n in NAMES:
            c.wait_seen(c[n], NAMES)
        ids, clients = {}, []
        for n in NAMES:
            key, secret = c["a"].add_system("of " + n)
            clients.append(OurClient(c[n], key, secret).__enter__())
            ids[n] = until(c[n].sessions, "a session of " + n)[0]["session"]
        try:
            sessions(c, ids)
            terminals(c, ids)
            daemons(c)
            relays(c)
            closed(c, ids)
            missing(c, ids)
            in_grace(c, ids, dict(zip(NAMES, clients)))
        finally:
            for cl in clients:
                cl.__exit__(None, None, None)


main()
t.done()
