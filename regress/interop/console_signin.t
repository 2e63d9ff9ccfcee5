#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Signing in to the web console at an identity provider that others wrote, by
authorization code with PKCE, in Chromium; a reload; what else it may answer; a
token that is renewed before its end, under a terminal; signing out there, too. And
a one-time sign-in."""

import json
import os
import tempfile

from browse import (OurClient, Program, Relayd, free_port, installed, lacks,
                    listens, node, shell_wrote, talk)
from harness import Tap
from idp import Authority

t = Tap()
CONF = """ca file "%s"
oidc issuer "https://localhost:%d" {
	audience "relayd"
	console client "console" scope "openid connect:systems read:systems" \\
	    resource "https://support.test/ES256"
}
"""


def settings(d, port):
    st, head, body = d.request("GET", "/")
    t.ok("connect-src 'self' https://localhost:%d;" % port in
         head["content-security-policy"], "the page may ask the issuer's origin "
         "and no other")
    st, head, body = d.request("GET", "/assets/settings.json")
    t.equal((st, json.loads(body)), (200, {
        "issuer": "https://localhost:%d" % port, "client_id": "console",
        "scope": "openid connect:systems read:systems",
        "resource": "https://support.test/ES256"}),
        "its settings are told")
    t.ok(head["cache-control"] == "no-store", "and kept by nobody")


class Other:
    def __init__(self, d, tmp):
        self.d, self.tmp = d, tmp

    def __call__(self, word, *args):
        if word == "file":
            return shell_wrote(os.path.join(self.tmp, *args))
        self.d.add_system("another")
        return "done"


class Once:
    """Where relayctl says that one signs in."""

    def __init__(self, d):
        self.d = d

    def __call__(self, word):
        at = self.d.ctl("token", "once", "user", "alice")[0]["path"]
        self.d.secret("a sign-in code", at.rsplit("/", 1)[1])
        return at


def once():
    with Relayd(t) as d:
        talk(t, "once.js", Once(d), name="once",
             url="http://127.0.0.1:%d/" % d.port)


def renewed(authority, pem, refresh):
    """A token that lives for 15 s, under a terminal."""
    port, home = free_port(), free_port()
    url = "http://127.0.0.1:%d/" % home
    with tempfile.TemporaryDirectory(prefix="relayd-renewed-") as tmp, \
            Relayd(t, port=home, global_conf=CONF % (authority.path, port),
                   tunnel="allow loopback targets yes") as d, \
            Program(**node("idp.js", str(port), pem, url, "15",
                           *["refresh"] * refresh)) as p:
        os.chmod(tmp, 0o777)
        listens(port, p)
        d.log.wait("oidc issuer .*: 5 keys")
        with OurClient(d, *d.add_system(), "web=127.0.0.1:9"):
            d.wait_session()
            talk(t, "renewal.js", Other(d, tmp), url=url, dir=tmp,
                 name="renewal-" + ("refresh" if refresh else "page"),
                 refresh=refresh)


def main():
    if lacks():
        t.skip("no " + lacks(), "signing in in a browser")
        return
    installed()
    once()
    port, home = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="relayd-signin-") as tmp:
        authority = Authority(tmp)
        pem = authority.issue("localhost")
        url = "http://127.0.0.1:%d/" % home
        with Relayd(t, port=home, global_conf=CONF % (
                authority.path, port)) as d, Program(**node(
                    "idp.js", str(port), pem, url)) as p:
            listens(port, p)
            settings(d, port)
            d.log.wait("oidc issuer .*: 5 keys")
            talk(t, "signin.js", None, name="signin", url=url,
                 issuer="https://localhost:%d/" % port)
            t.ok('"ada"' in d.ctl_raw("-j", "show", "audit").stdout or
                 d.log.has("ada"), "the daemon knows who that was")
            t.ok(not d.log.has("code="), "and its log has no code")
        for refresh in True, False:
            renewed(authority, pem, refresh)


main()
t.done()
