#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""GET /api/status: how the daemon is, for its administrator and nobody else."""

import signal

from harness import GoClient, Relayd, Tap, Targets, until

LAYERS = ["user", "chroot", "nnp", "landlock", "seccomp", "rlimit", "nodump"]
MAY = ("connect:systems", "read:status")

t = Tap()


def status(d, token):
    return d.api("GET", "/status", token)


def rows(data, role, state="ready"):
    return [p for p in data["processes"]
            if p["role"] == role and p["state"] == state]


def series(data, name):
    return next(s for s in data["history"]["series"] if s["name"] == name)


def layers_of(d, role):
    """As relayctl shows them."""
    return [] if role == "parent" else \
        d.processes(role)[0]["sandbox"].split(",")


def minutes(d, token, n):
    """The clock goes on, and with it the history."""
    for _ in range(n):
        had = len(status(d, token)[1]["data"]["history"]["at"])
        d.move_clock(60000)
        until(lambda: len(status(d, token)[1]["data"]["history"]["at"]) >
              had or had == 60, "a minute to be over")


with Targets() as targets, Relayd(t, listeners="", operator="\tapi rate 100000"
                                  ) as d:
    token = d.token(permissions=MAY, lifetime="1d")

    # Who may.
    for who, words in (("no permission for it", {}),
                       ("a customer", {"role": "customer",
                                       "permissions": MAY}),
                       ("a distributor", {"role": "distributor",
                                          "permissions": MAY}),
                       ("the permissions of sessions and systems", {
                           "permissions": ("connect:systems", "read:systems",
                                           "manage:systems",
                                           "read:recordings")})):
        code, answer = status(d, d.token(**words))
        t.equal((code, answer["message"], answer.get("data")),
                (403, "insufficient permissions", None), who + ": refused")
    t.equal(status(d, "x")[0], 401, "no token of ours: refused")
    t.equal(status(d, d.token(permissions=("read:status",)))[0], 200,
            "an owner with read:status, and nothing else")
    t.equal(d.api("POST", "/status", token, {})[0], 405, "GET only")
    t.ok(any(r["action"] == "daemon_status" and r["reason"] ==
             "insufficient permissions" for r in d.ctl("show", "audit")),
         "who was refused is in the audit log")

    # Who calls is told what he may.
    me = d.api("GET", "/me", token)[1]["data"]
    t.equal((me["id"], me["role"], me["permissions"]),
            ("alice", "owner", list(MAY)), "an administrator, and what he may")
    me = d.api("GET", "/me", d.token("bob", role="customer", permissions=MAY)
               )[1]["data"]
    t.equal((me["id"], me["permissions"], me["impersonated"]),
            ("bob", ["connect:systems"], False),
            "a customer's role takes the permission away")
    t.equal(d.api("GET", "/me", d.token(permissions=("read:status",)))[0], 403,
            "without connect:systems: refused")

    # Processes, as relayctl shows them.
    code, answer = status(d, token)
    data = answer["data"]
    shown = d.processes()
    for role in ("parent", "control", "authd", "proxyd"):
        same = [p for p in shown if p["role"] == role]
        got = rows(data, role)
        t.equal([(p["count"], p["layers"], p["restarts"]) for p in got],
                [(len(same), layers_of(d, role), 0)],
                role + ": as relayctl shows it")
    t.ok(set(LAYERS) >= set(rows(data, "authd")[0]["layers"]) >= {
        "nnp", "seccomp", "rlimit", "nodump"}, "authd is shut in")
    t.ok(all(p["memory_bytes"] > 100000 for role in ("parent", "authd")
             for p in rows(data, role)), "what memory they have")
    t.ok(data["started_at"] <= rows(data, "authd")[0]["oldest_started_at"]
         <= data["now_at"], "since when they are there")
    t.equal(data["history"]["at"], [], "no minute has passed")
    t.ok("members" not in data, "no members: it is no cluster's")

    # What happens is told of.
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        until(lambda: status(d, token)[1]["data"]["now"]["tunnels"] == 1,
              "the tunnel to count")
        d.move_clock(2000)
        data = status(d, token)[1]["data"]
        t.equal([p["count"] for p in rows(data, "muxd")], [1],
                "the tunnel's process")
        t.equal((data["now"]["sessions"], data["now"]["streams"]), (1, 0),
                "a session, no stream")
        t.ok(sid not in str(data) and key not in str(data),
             "nobody's session or system is named")
        d.login(key, secret[:-1] + ("a" if secret[-1] != "a" else "b"))
        minutes(d, token, 2)
        data = status(d, token)[1]["data"]
        t.equal(len(data["history"]["at"]), 2, "two minutes have passed")
        t.equal((series(data, "logins")["values"],
                 series(data, "logins_refused")["values"]),
                ([1, 0], [1, 0]), "each minute has its own logins")
        t.equal(series(data, "tunnels")["values"], [1, 1],
                "and what was there when it ended")
        t.ok(series(data, "requests")["values"][0] >= 10,
             "requests of that minute")
        t.ok(series(data, "bytes_in")["grows"] and
             not series(data, "tunnels")["grows"], "which of them grow")
        d.kill(d.pid_of("control"))
        until(lambda: [p["restarts"] for p in rows(
            status(d, token)[1]["data"], "control")] == [1], "a restart")
        minutes(d, token, 1)
        t.equal(series(status(d, token)[1]["data"],
                       "process_failures")["values"], [0, 0, 1],
                "a process that was killed")

    # An hour, and no more.
    minutes(d, token, 60)
    data = status(d, token)[1]["data"]
    at = data["history"]["at"]
    t.equal([len(at)] + sorted({len(s["values"])
                                for s in data["history"]["series"]}),
            [60, 60], "an hour is kept")
    t.equal(at, sorted(at), "in order")
    t.ok(data["history"]["since"] < at[0], "and when it began")
    t.equal(sum(series(data, "logins")["values"]), 0,
            "what is older is forgotten")

    # A new authd: what was counted goes on, the hour begins anew.
    d.kill(d.pid_of("authd"), signal.SIGKILL)
    until(lambda: status(d, token)[0] == 200, "authd to be back")
    data = status(d, token)[1]["data"]
    # Its clock is moved as it starts, which may count as a minute.
    t.ok(len(data["history"]["at"]) <= 1, "a new authd begins a new hour")
    d.move_clock(60000)
    until(lambda: status(d, token)[1]["data"]["history"]["at"], "a minute")
    t.ok(max(series(status(d, token)[1]["data"], "logins")["values"]) == 0,
         "and nothing from before counts as of its first minute")

t.done()
