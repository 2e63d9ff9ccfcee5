#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Does it live, can it serve? /health, /healthz and /readyz on every listener,
/api/health on the internal one."""

import http.client
import os
import signal
import sqlite3

from harness import Relayd, Tap, free_port, until
from scrape import get

t = Tap()
ports = {x: free_port() for x in ("internal", "tunnel", "metrics")}


def stopped(d):
    """What makes the store useless, and what makes it good again."""
    if d.pg is not None:
        return d.pg.pause, d.pg.go_on
    db = sqlite3.connect(d.store, timeout=30, isolation_level=None)

    def let_go():
        db.execute("ROLLBACK")
        db.close()
    return lambda: db.execute("BEGIN IMMEDIATE"), let_go


def ask(port, path, method="GET"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request(method, path)
    r = c.getresponse()
    body = r.read().decode()
    c.close()
    return r.status, r.getheader("Content-Type"), body


with Relayd(t, proxyds=1, listeners="\n".join(
        "listen on 127.0.0.1 port %d %s" % (p, x)
        for x, p in ports.items())) as d:
    until(lambda: d.log.has("ready: .*metricd"), "all to be ready")
    until(lambda: ask(d.port, "/readyz")[0] == 200, "it to be ready")
    for name, port in (("front", d.port), ("internal", ports["internal"]),
                       ("tunnel", ports["tunnel"])):
        t.equal(ask(port, "/health"), (200, "application/json;charset=utf-8",
                                       '{"status":"ok","sessions":0}'),
                "%s: /health has the pairing body" % name)
        t.equal(ask(port, "/health?a=b")[2], '{"status":"ok","sessions":0}',
                "%s: whatever the query" % name)
        t.equal(ask(port, "/healthz")[::2], (200, "ok"), "%s: /healthz" %
                name)
        t.equal(ask(port, "/readyz")[::2], (200, "ready"), "%s: /readyz" %
                name)
        t.equal(ask(port, "/health", "HEAD")[::2], (200, ""), "%s: HEAD" %
                name)
        t.equal(ask(port, "/health", "POST")[0], 405, "%s: POST is refused" %
                name)
    status, _, body = ask(ports["internal"], "/api/health")
    t.ok(status == 200 and '"service":"support","status":"healthy"' in body,
         "/api/health on the internal listener")
    t.equal(get(ports["metrics"], "/readyz")[::2], (200, "ready"),
            "the metrics listener says so, too")

    # The store cannot be written to.
    hold, let_go = stopped(d)
    hold()
    d.ctl_raw("-f", "system", "add", "other")
    for name, port in (("front", d.port), ("metrics", ports["metrics"])):
        until(lambda: ask(port, "/readyz")[0] == 503, name + ": 503")
        t.equal(ask(port, "/health")[0], 200,
                "%s: without the store not ready, but healthy" % name)
    t.equal(ask(ports["metrics"], "/readyz")[2], "no store",
            "and it says why")
    let_go()
    until(lambda: ask(d.port, "/readyz")[0] == 200, "it to be ready again")
    until(lambda: ask(ports["metrics"], "/readyz")[0] == 200, "metricd")
    t.ok(True, "ready again when it can be")

    # No authd: the next one is held before it can say anything.
    mark = d.log.mark()
    d.kill(d.pid_of("authd"))
    victim = int(d.log.wait(r"authd\[(\d+)\] \d+: started",
                            mark).group(1))
    d.expected.add(victim)
    os.kill(victim, signal.SIGSTOP)
    if ask(d.port, "/readyz")[0] == 503:
        t.ok(ask(d.port, "/health")[0] == 200, "without authd: not ready, "
             "but healthy")
    os.kill(victim, signal.SIGCONT)
    until(lambda: ask(d.port, "/readyz")[0] == 200, "another authd")
    t.ok(True, "ready again with another authd")
t.done()
