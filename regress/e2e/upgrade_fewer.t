#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An upgrade to fewer proxyds and tlsds: each has doors of its own, and those that
nobody has any more are closed while others come in beside them. Nobody is reset, nor
waits at a door behind which there is nobody."""

import os
import shutil
import ssl
import tempfile
import time

import harness
import storm
from certs import Authority, listener
from harness import DOMAIN, GoClient, Relayd, Tap, Targets, free_port, until
from storm import Storm
from upgrades import programs, upgrade

THREADS = 8
HELD = 12
BEHIND = 20         # seconds; the old ones close their doors after two

t = Tap()


def plain():
    return storm.plain(d.port)


def encrypted():
    return storm.encrypted(tls_port, trusting)


def asked(s, session, token):
    """Of a service that does not answer for long."""
    s.sendall(("GET /api/support-sessions/%s/proxy/web/never HTTP/1.1\r\n"
               "Host: %s\r\nAuthorization: Bearer %s\r\n\r\n" % (
                   session, DOMAIN, token)).encode())
    return s


def old(role):
    return [p for p in d.processes(role) if p["program"] == "old"]


tmp = tempfile.mkdtemp(prefix="relayd-fewer-")
place = os.path.join(tmp, "programs")
os.makedirs(place)
os.chmod(tmp, 0o755)
programs(harness.BUILD, place)
ca = Authority(tmp)
trusting = ssl.create_default_context(cafile=ca.file)
tls_port = free_port()
chain = ca.make("web", [DOMAIN])

with Targets() as targets, Relayd(
        t, build=place, verbose=False, listeners=listener(tls_port, chain),
        proxyds=4, global_conf="drain time 1h\ntlsd 4\n") as d:
    # Whoever waits for something keeps those that he came by.
    client = GoClient(d, *d.add_system(), "web=127.0.0.1:%d" % targets.http)
    client.event("manifest_sent")
    session, token = d.wait_session()["session"], d.token()
    held = [asked(c(), session, token) for _ in range(HELD)
            for c in (plain, encrypted)]
    until(lambda: int(d.sessions()[0]["streams"]) == 2 * HELD, "streams")
    storms = [Storm(plain, THREADS), Storm(encrypted, THREADS)]
    until(lambda: all(s.n > 20 for s in storms), "connections")
    d.text = d.text.replace("proxyd 4", "proxyd 1").replace(
        "tlsd 4", "tlsd 1")
    d.rewrite()
    upgrade(t, d, "fewer")
    t.equal([len([p for p in d.processes(r) if p["program"] != "old"])
             for r in ("proxyd", "tlsd")], [1, 1], "one of each kind")
    time.sleep(BEHIND)
    n = [s.n for s in storms]
    until(lambda: all(s.n > m + 20 for s, m in zip(storms, n)),
          "connections behind it")
    n = [len(old(r)) for r in ("proxyd", "tlsd")]
    t.ok(min(n) > 1, "old ones are there: %d proxyds, %d tlsds" % tuple(n))
    for s in storms:
        s.stop()
    t.equal([s.wrong[:5] for s in storms], [[], []], "none of those who connect "
            "meanwhile is reset, refused or forgotten, be it with TLS or without")
    t.diag("%d connections, with TLS %d" % (storms[0].n, storms[1].n))
    for s in held:
        s.close()
    client.stop()

shutil.rmtree(tmp, ignore_errors=True)
t.done()
