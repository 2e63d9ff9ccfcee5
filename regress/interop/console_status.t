#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The console's page of the daemon itself, for its administrator."""

import json

from browse import OurClient, Relayd, installed, lacks, talk
from cluster import Cluster
from harness import STORE, Tap, until

t = Tap()
MAY = ("connect:systems", "read:systems", "read:status")


def main():
    if lacks():
        t.skip("no " + lacks(), "the daemon's page in a browser")
        return
    installed()
    with Relayd(t) as d:
        token = d.token(permissions=MAY, lifetime="1d")
        clients = []

        def minutes(n):
            """Each is looked at before the next."""
            def seen():
                st, answer = d.api("GET", "/status", token)
                return answer["data"]["history"]["at"] if st == 200 else []
            for _ in range(n):
                was = seen()
                d.move_clock(60000)
                until(lambda: seen() != was, "a minute to be over")

        def other(word):
            if word == "layers":
                return json.dumps({role: d.processes(role)[0]["sandbox"]
                                   for role in ("control", "authd",
                                                "proxyd")})
            if word == "tunnel":
                clients.append(OurClient(d, *d.add_system("box")))
                d.wait_session()
            elif word == "hour":
                minutes(61)
            elif word == "tunnels":
                series = d.api("GET", "/status", token)[1]["data"]["history"][
                    "series"]
                return json.dumps(next(s["values"] for s in series
                                       if s["name"] == "tunnels"))
            elif word == "minute":
                minutes(1)
            elif word == "kill":
                d.kill(d.pid_of("control"))
                until(lambda: d.processes("control"), "it to be back")
            return "done"
        talk(t, "status.js", other, name="status", token=token,
             url="http://127.0.0.1:%d/" % d.port)
        for c in clients:
            c.stop()
    if STORE != "postgresql":
        t.skip("it takes a server", "a cluster's members on that page")
        return
    with Cluster(t, "ab") as c:
        c.wait_seen(c["a"], "ab")
        talk(t, "members.js", lambda word: c["b"].stop() or "done",
             name="members", token=c["a"].token(permissions=MAY),
             url="http://127.0.0.1:%d/" % c["a"].port)


main()
t.done()
