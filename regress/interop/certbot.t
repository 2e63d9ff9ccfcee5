#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Certificates as relayd(8) says they are had: certbot asks an authority that
others wrote (Let's Encrypt's pebble), by the challenge that relayd serves and,
for the wildcard, by one in the DNS; a renewed one is taken without a connection
being dropped."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from certs import Authority, listener                    # noqa: E402
from harness import (BUILD, DOMAIN, Program, Relayd, Tap,  # noqa: E402
                     free_port, until)

t = Tap()
GET = ("GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" % DOMAIN).encode()
CMD = "github.com/letsencrypt/pebble/v2/cmd/"
# For DNS-01: the record at the name server of the test.
HOOK = """#!/bin/sh
printf '{"host":"_acme-challenge.%%s.","value":"%%s"}' \\
    "$CERTBOT_DOMAIN" "$CERTBOT_VALIDATION" |
    curl -sf -d @- http://127.0.0.1:%d/set-txt
"""


def built():
    out = os.path.join(BUILD, "regress", "pebble")
    os.makedirs(out, exist_ok=True)
    subprocess.run(["go", "build", "-o", out + "/", CMD + "pebble",
                    CMD + "pebble-challtestsrv"], check=True,
                   cwd=os.path.join(HERE, "pebble"), stdout=sys.stderr)
    return out


def tcp(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class World:
    """The authority, its name server, and where certbot keeps things."""

    def __init__(self, tmp, http):
        self.tmp, self.ca = tmp, Authority(tmp)
        self.dns, self.orders = free_port(), free_port()
        self.port, self.admin = free_port(), free_port()
        cert, key = self.ca.make("pebble", ["localhost"])
        with open(tmp + "/pebble.json", "w") as f:
            json.dump({"pebble": {
                "listenAddress": "127.0.0.1:%d" % self.port,
                "managementListenAddress": "127.0.0.1:%d" % self.admin,
                "certificate": cert, "privateKey": key, "httpPort": http,
                "tlsPort": free_port(), "ocspResponderURL": ""}}, f)
        with open(tmp + "/hook", "w") as f:
            f.write(HOOK % self.orders)
        os.chmod(tmp + "/hook", 0o700)
        self.live = tmp + "/config/live"

    def start(self, programs):
        ns = Program([programs + "/pebble-challtestsrv", "-dns01",
                      "127.0.0.1:%d" % self.dns, "-http01", "", "-https01",
                      "", "-tlsalpn01", "", "-doh", "", "-management",
                      "127.0.0.1:%d" % self.orders, "-defaultIPv6", "",
                      "-defaultIPv4", "127.0.0.1"])
        pebble = Program([programs + "/pebble", "-config",
                          self.tmp + "/pebble.json", "-dnsserver",
                          "127.0.0.1:%d" % self.dns],
                         env={"PEBBLE_VA_NOSLEEP": "1",
                              "PEBBLE_WFE_NONCEREJECT": "0"})
        until(lambda: tcp(self.orders) and tcp(self.port) and tcp(self.admin),
              "pebble")
        return ns, pebble

    def root(self):
        """What its certificates lead to, in a file."""
        ctx = ssl.create_default_context(cafile=self.ca.file)
        path = self.tmp + "/root.pem"
        with urllib.request.urlopen("https://localhost:%d/roots/0" %
                                    self.admin, context=ctx) as r, \
                open(path, "wb") as f:
            f.write(r.read())
        return path

    def certbot(self, *words):
        r = subprocess.run(
            ["certbot", *words, "--non-interactive", "--config-dir",
             self.tmp + "/config", "--work-dir", self.tmp + "/work",
             "--logs-dir", self.tmp + "/logs", "--server",
             "https://localhost:%d/dir" % self.port],
            env=dict(os.environ, REQUESTS_CA_BUNDLE=self.ca.file,
                     NO_PROXY="localhost"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        if r.returncode != 0:
            t.diag(r.stdout.decode())
        return r.returncode

    def new(self, *words):
        return self.certbot("certonly", "--agree-tos",
                            "--register-unsafely-without-email", *words)

    def pair(self, name):
        return tuple(os.path.join(self.live, name, x + ".pem")
                     for x in ("fullchain", "privkey"))


def connect(root, port, name):
    s = socket.create_connection(("127.0.0.1", port), 20)
    return ssl.create_default_context(cafile=root).wrap_socket(
        s, server_hostname=name)


def answers(s):
    s.sendall(GET)
    return s.recv(65536).startswith(b"HTTP/1.1 200")


def serial(root, port, name):
    with connect(root, port, name) as s:
        return s.getpeercert()["serialNumber"]


def story(w, d, port):
    t.equal(w.new("--webroot", "-w", w.tmp + "/srv", "-d", DOMAIN), 0,
            "certbot has a certificate by the challenge that relayd serves")
    t.equal(os.listdir(w.tmp + "/srv/.well-known/acme-challenge"), [],
            "and takes the challenge away again")
    t.equal(w.new("--manual", "--preferred-challenges", "dns",
                  "--manual-auth-hook", w.tmp + "/hook", "--cert-name",
                  "wild", "-d", "*." + DOMAIN), 0,
            "and one for the wildcard by the DNS")
    root = w.root()
    d.text = d.text.replace("control socket", listener(
        port, w.pair(DOMAIN), w.pair("wild")) + "\ncontrol socket", 1)
    d.stop()
    d.rewrite()
    d.start()
    with connect(root, port, DOMAIN) as kept:
        t.ok(answers(kept), "the host itself is served with the first")
        t.ok(connect(root, port, "web--x." + DOMAIN).getpeercert(),
             "a name below it with the second")
        old = serial(root, port, DOMAIN)
        hook = "%s -s %s reload" % (os.path.join(d.build, "bin", "relayctl"),
                                    d.sock)
        t.equal(w.certbot("renew", "--force-renewal",
                          "--no-random-sleep-on-renew", "--deploy-hook", hook),
                0, "both are renewed, with relayctl reload behind")
        until(lambda: serial(root, port, DOMAIN) != old, "the new one")
        t.ok(True, "new connections have the new certificate")
        t.ok(answers(kept), "one of before goes on")
    st = d.ctl_raw("reload")
    t.equal(st.returncode, 0, "what certbot has left can be read again")


missing = next((p for p in ("certbot", "go", "curl")
                if shutil.which(p) is None), None)
if missing is not None:
    t.skip("no " + missing, "an ACME client and its authority")
else:
    with tempfile.TemporaryDirectory() as tmp:
        os.mkdir(tmp + "/srv")
        with Relayd(t, global_conf='acme directory "%s/srv"' % tmp) as d:
            w = World(tmp, d.port)
            ns, pebble = w.start(built())
            with ns, pebble:
                story(w, d, free_port())
t.done()
