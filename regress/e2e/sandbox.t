#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Each role, while it runs, is asked to do what an intruder would try first:
the call fails or ends the process, in every role."""

import tempfile

from harness import (BUILD, FAST_BUILD, GoClient, Relayd, Tap, Targets,
                     free_port, self_signed, until)
from idp import Provider
from peers import Relay
from process import lives

CALLS = ("open", "connect", "fork", "exec", "ptrace", "kill")
LAYERS = ("nnp", "seccomp", "rlimit", "nodump")

t = Tap()


def listeners(tmp):
    """For the roles that are there for some of them only."""
    return "listen on 127.0.0.1 port %d metrics\nlisten on 127.0.0.1 port " \
        "%d pair\nlisten on 127.0.0.1 port %d tls {\n\tcert \"%s\" key \"%s\"\n}" % (
            (free_port(), free_port(), free_port()) + self_signed(tmp))


with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        Targets() as targets, \
        Relayd(t, proxyds=1, listeners=listeners(tmp),
               global_conf=idp.conf() + "relay {\n\tno auth\n}\n") as d:
    d.clean = False         # forbidden calls are what this is about
    key, secret = d.add_system("box")
    relay = Relay(d)
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http,
                  extra=["-reconnect-delay", "200ms"]) as client:
        client.event("manifest_sent")
        token = d.token()
        for role in ("control", "authd", "proxyd", "muxd", "termd", "tcpd",
                     "rendd", "metricd", "dialerd", "tlsd", "keyd", "paird"):
            for call in CALLS:
                s = d.wait_session()
                w = None
                if role == "termd":
                    w = d.terminal(s["session"],
                                   d.ticket(s["session"], token))
                    w.send(b"\0echo up-$((1+1))\r")
                    w.recv_until(rb"up-2")
                if role == "tcpd":
                    w = d.tcp_open(s["session"], "web", token)
                if role == "rendd":
                    w = relay.join(relay.create(), "initiator")
                rows = until(lambda: d.processes(role), "a " + role)
                row = rows[0]
                if call == CALLS[0]:
                    have = str(row.get("sandbox"))
                    for layer in LAYERS:
                        t.ok(layer in have, "%s runs with %s" %
                             (role, layer))
                    with open("/proc/%s/status" % row["pid"]) as f:
                        status = f.read()
                    t.ok("NoNewPrivs:\t1" in status and
                         "Seccomp:\t2" in status,
                         "%s: the kernel says so too" % role)
                mark = d.log.mark()
                r = d.ctl_raw("test", "try", str(row["instance"]), call)
                said = r.stdout + r.stderr
                if "errno" in said or "refused" in said.lower():
                    t.ok("worked" not in said,
                         "%s: %s fails" % (role, call))
                else:
                    t.ok(until(lambda: not lives(int(row["pid"])), "%s to end"
                         % role),
                         "%s: %s ends the process" % (role, call))
                    until(lambda: d.ctl_try("show", "stats") is not None,
                          "relayd to serve again")
                if w:
                    w.s.close()


def first(path, start, field):
    """A field of the first line of /proc that begins so."""
    with open(path) as f:
        return [x for x in f if x.startswith(start)][0].split()[field]


# Who goes first when memory runs out, and how much each may have.
MIB = 1 << 20
LIMITS = {"control": 256 * MIB, "authd": 8192 * MIB, "proxyd": 8192 * MIB,
          "muxd": (256 + 2 * 64) * MIB, "termd": 256 * MIB, "tcpd": 256 * MIB,
          "metricd": 256 * MIB, "dialerd": 256 * MIB, "tlsd": 8192 * MIB,
          "keyd": 256 * MIB, "paird": 8192 * MIB}
with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        Targets() as targets, \
        Relayd(t, build=FAST_BUILD, proxyds=1, global_conf=idp.conf(),
               listeners=listeners(tmp)) as d:
    until(lambda: d.log.has("oidc issuer .*: 1 keys"), "dialerd to work")
    key, secret = d.add_system("box")
    own = int(first("/proc/%d/oom_score_adj" % d.pid, "", 0))
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        s = d.wait_session()
        w = d.terminal(s["session"], d.ticket(s["session"], d.token()))
        w.send(b"\0echo up-$((1+1))\r")
        w.recv_until(rb"up-2")
        v = d.tcp_open(s["session"], "web", d.token())
        score = {}
        for role, limit in LIMITS.items():
            pid = d.pid_of(role)
            score[role] = int(first("/proc/%d/oom_score_adj" % pid, "", 0))
            if FAST_BUILD != BUILD:
                t.equal(first("/proc/%d/limits" % pid, "Max address", 3),
                        str(limit), "%s: so much memory and no more" % role)
        v.close()
        w.close()
        t.ok(score["muxd"] == score["termd"] == score["tcpd"] >
             score["proxyd"] ==
             score["control"] == score["metricd"] == score["tlsd"] ==
             score["keyd"] == score["paird"] > score["authd"] == own,
             "when memory runs out workers go first, the parent and authd "
             "last")
t.done()
