#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""TLS of our own: tlsd, keyd, and what comes out of it to proxyd."""

import os
import ssl
import subprocess
import tempfile

from harness import (GoClient, Relayd, Tap, Targets, free_port, self_signed)

t = Tap()


def curl(port, url, *more):
    return subprocess.run(["curl", "-sS", "--connect-to", "::127.0.0.1:%d" %
                           port] + list(more) + [url], capture_output=True,
                          text=True, timeout=30)


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    pem = self_signed(tmp)
    port = free_port()
    with Relayd(t, proxyds=1, front=port, listeners="listen on 127.0.0.1 "
                "port %d tls {\n\tcert \"%s\" key \"%s\"\n}" %
                ((port,) + pem)) as d:
        key, secret = d.add_system("box")
        with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
            c.event("manifest_sent")
            s = d.wait_session()
            cookie = d.cookie(s["session"], d.token())
            host = d.proxy_host(s["session"])
            r = curl(port, "https://%s/" % host, "--cacert",
                     pem[0], "-k", "-H", "Cookie: " + cookie, "-w",
                     "%{http_code} %{ssl_verify_result}")
            t.diag(r.stderr)
            t.match(r.stdout, "200", "a page through tlsd, proxyd and a "
                    "tunnel")
t.done()
