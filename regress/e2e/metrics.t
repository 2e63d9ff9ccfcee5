#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""/metrics: what is shown, in which forms, to whom."""

import re
import subprocess

from harness import Relayd, Tap, free_port, until
from scrape import OPEN, families, get, samples

t = Tap()
port = free_port()
with Relayd(t, listeners="listen on 127.0.0.1 port %d metrics" % port) as d:
    until(lambda: d.log.has("ready: .*metricd"), "all to be ready")
    status, kind, text = get(port)
    t.equal((status, kind), (200, OPEN + "; charset=utf-8"),
            "OpenMetrics, for who takes it")
    t.ok(text.endswith("# EOF\n"), "to its end")
    found = samples(text)
    t.ok(len(found) > 50, "a strict parser reads it")
    t.equal(found['relayd_up{role="authd"}'], 1, "authd is up")
    t.equal(found['relayd_up{role="proxyd"}'], 2, "two proxyds are")
    t.equal(found["relayd_store_up"], 1, "the store is up")
    status, kind, plain = get(port, accept=None)
    t.equal((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"),
            "the older format, for everybody else")
    r = subprocess.run(["promtool", "check", "metrics"], input=plain,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    t.equal((r.returncode, r.stdout), (0, ""), "promtool has no complaint")
t.done()
