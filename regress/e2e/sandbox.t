#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Each role, while it runs, is asked to do what an intruder would try first:
the call fails or ends the process, in every role."""

import os

from harness import BUILD, GoClient, Relayd, Tap, Targets, until

CALLS = ("open", "connect", "fork", "exec", "ptrace", "kill")
LAYERS = ("nnp", "seccomp", "rlimit", "nodump")

t = Tap()
with Targets() as targets, Relayd(t, proxyds=1) as d:
    d.clean = False         # forbidden calls are what this is about
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http,
                  extra=["-reconnect-delay", "200ms"]) as client:
        client.event("manifest_sent")
        token = d.token()
        for role in ("control", "authd", "proxyd", "muxd", "termd"):
            for call in CALLS:
                s = d.wait_session()
                w = None
                if role == "termd":
                    w = d.terminal(s["session"],
                                   d.ticket(s["session"], token))
                    w.send(b"\0echo up-$((1+1))\r")
                    w.recv_until(rb"up-2")
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

                def dead():
                    try:
                        with open("/proc/%s/stat" % row["pid"]) as f:
                            return f.read().rsplit(")", 1)[1].split()[0] \
                                == "Z"
                    except OSError:
                        return True
                if "errno" in said or "refused" in said.lower():
                    t.ok("worked" not in said,
                         "%s: %s fails" % (role, call))
                else:
                    t.ok(until(dead, "%s to end" % role),
                         "%s: %s ends the process" % (role, call))
                    until(lambda: d.ctl_try("show", "stats") is not None,
                          "relayd to serve again")
                if w:
                    w.close()
t.done()
