#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An identity provider that others wrote: a login by authorization code with
PKCE, a program with credentials of its own, signatures of all five kinds, its ID
tokens, and new keys at each of its starts."""

import base64
import hashlib
import http.cookiejar
import json
import os
import re
import shutil
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from browse import free_port, installed, listens, node
from harness import Program, Relayd, Tap, until
from idp import Authority

t = Tap()
RESOURCE = "https://support.test/"
SCOPE = "openid connect:systems read:systems"


class Visitor(urllib.request.HTTPRedirectHandler):
    """A browser as far as logging in needs one."""

    def __init__(self, origin, ca):
        ctx = ssl.create_default_context(cafile=ca)
        self.origin = origin
        self.opener = urllib.request.build_opener(
            self, urllib.request.HTTPSHandler(context=ctx),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def redirect_request(self, *_):
        return None

    def get(self, url, form=None, headers=None):
        """Where it leads, or what it says."""
        data = None if form is None else \
            urllib.parse.urlencode(form).encode()
        r = urllib.request.Request(urllib.parse.urljoin(self.origin, url),
                                   data, headers or {})
        try:
            with self.opener.open(r, timeout=60) as f:
                return None, f.read().decode()
        except urllib.error.HTTPError as e:
            with e:
                if e.code in (302, 303):
                    return e.headers["Location"], ""
                raise RuntimeError("%s: %d %s" % (url, e.code, e.read()))

    def login(self, user, resource):
        """The token endpoint's answer to the code at the end of it all."""
        verifier = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip(
            "=")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(
            verifier.encode()).digest()).decode().rstrip("=")
        url = "/auth?" + urllib.parse.urlencode({
            "client_id": "console", "response_type": "code",
            "redirect_uri": "https://console.test/cb", "scope": SCOPE,
            "resource": resource, "code_challenge": challenge,
            "code_challenge_method": "S256", "state": "s", "nonce": "n"})
        for _ in range(12):
            if url.startswith("https://console.test/cb"):
                break
            to, page = self.get(url)
            while to is None:
                prompt = re.search(r'name="prompt" value="(\w+)"', page)
                action = re.search(r'action="([^"]+)"', page)
                to, page = self.get(action.group(1), {
                    "prompt": prompt.group(1), "login": user,
                    "password": "any"})
            url = to
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["code"]
        return json.loads(self.get("/token", {
            "grant_type": "authorization_code", "code": code[0],
            "client_id": "console", "code_verifier": verifier,
            "resource": resource,
            "redirect_uri": "https://console.test/cb"})[1])

    def robot(self, resource):
        return json.loads(self.get("/token", {
            "grant_type": "client_credentials", "resource": resource,
            "scope": "connect:systems read:systems"}, {
            "Authorization": "Basic " + base64.b64encode(
                b"robot:robot-secret-robot-secret").decode()})[1])


def status(d, token):
    return d.api("GET", "/support-sessions", token)[0]


def provider(port, pem):
    return Program(**node("idp.js", str(port), pem))


CONF = """ca file "%s"
oidc unknown key 1s
oidc issuer "https://localhost:%d" {
	audience "relayd"
	audience "console"
	claim name "client_id"
}
"""


def main():
    missing = next((p for p in ("node", "npm") if shutil.which(p) is None),
                   None)
    if missing:
        t.skip("no " + missing, "an identity provider")
        return
    installed()
    port = free_port()
    with tempfile.TemporaryDirectory() as tmp:
        authority = Authority(tmp)
        pem = authority.issue("localhost")
        visitor = Visitor("https://localhost:%d" % port, authority.path)
        with Relayd(t, global_conf=CONF % (authority.path, port)) as d:
            with provider(port, pem) as p:
                listens(port, p)
                until(lambda: d.log.has("oidc issuer .*: 5 keys"), "its keys")
                for alg in "RS256", "PS256", "ES256", "ES384", "EdDSA":
                    token = visitor.robot(RESOURCE + alg)["access_token"]
                    head = token.split(".")[0]
                    got = json.loads(base64.urlsafe_b64decode(head + "=="))
                    t.equal(got["alg"], alg, "it signs with " + alg)
                    t.equal(status(d, token), 200, "operator-3(partial): a "
                            "program's token, %s of another implementation" %
                            alg)
                said = visitor.login("ada", RESOURCE + "RS256")
                t.equal(status(d, said["access_token"]), 200, "operator-3"
                        "(partial): a person's, by code and PKCE")
                st, _ = d.api("GET", "/support-sessions", said["id_token"])
                t.equal(st, 403, "its ID token, whose audience is the "
                        "client, has no permission")
                audit = d.ctl_raw("-j", "show", "audit").stdout
                t.ok('"ada"' in audit, "and the audit log says who that was")
                t.equal(status(d, token[:-2] + "xx"), 401,
                        "a token that was changed")
            with provider(port, pem) as p:      # other keys
                listens(port, p)
                new = visitor.robot(RESOURCE + "ES256")["access_token"]
                until(lambda: status(d, new) == 200, "the new keys")
                t.ok(True, "after a restart with new keys tokens are let in, "
                     "without anybody's help")
                t.equal(status(d, token), 401, "and old ones are not")


main()
t.done()
