#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relay auth: a token by the device flow, kept for this user alone, refreshed
by itself, and given to nobody but the relay that it is for."""

import json
import os
import stat
import subprocess
import tempfile
import time
import urllib.parse

from harness import Relayd, Tap, until
from idp import BASE, Key, Provider

t = Tap()
SCOPES = ["swsrs:session:create", "swsrs:session:read",
          "swsrs:session:delete"]


class Device:
    """The identity provider's side of it; what it was sent is in `got`."""

    def __init__(self, idp):
        self.idp, self.got, self.waits = idp, [], ["authorization_pending"]
        self.refreshes, self.lifetime, self.odd = 0, 600, {}
        idp.says[BASE + "/device"] = self.device
        idp.says[BASE + "/token"] = self.token

    def form(self, h):
        body = h.rfile.read(int(h.headers["Content-Length"]))
        form = dict(urllib.parse.parse_qsl(body.decode()))
        form["type"] = h.headers["Content-Type"]
        form["authorization"] = h.headers.get("Authorization")
        self.got.append(form)
        return form

    def device(self, h):
        self.form(h)
        self.idp.answer(h, dict({
            "device_code": "d&v=+1", "user_code": "ABCD-EFGH",
            "verification_uri": "https://idp.test/device", "interval": 1,
            "expires_in": 600}, **self.odd))

    def token(self, h):
        form = self.form(h)
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != "r-%d" % self.refreshes:
                return self.idp.answer(h, {"error": "invalid_grant"},
                                       status=400)
            self.refreshes += 1
        elif self.waits:
            return self.idp.answer(h, {"error": self.waits.pop(0)},
                                   status=400)
        self.idp.answer(h, {
            "access_token": self.idp.token(scope=" ".join(SCOPES)),
            "refresh_token": "r-%d" % self.refreshes, "token_type": "Bearer",
            "expires_in": self.lifetime})


class Tool:
    def __init__(self, d, idp, home):
        self.d, self.idp, self.home = d, idp, home
        self.file = home + "/.config/swsrs/credentials.json"

    def run(self, *words, **env):
        return subprocess.run(
            [self.d.build + "/bin/relay", *words, "--ca-file",
             self.idp.authority.path], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=120,
            env={"PATH": os.environ["PATH"], "HOME": self.home,
                 "SWSRS_URL": "http://127.0.0.1:%d" % self.d.port, **env})

    def kept(self):
        with open(self.file) as f:
            return json.load(f)

    def keep(self, **more):
        o = self.kept()
        o.update(more)
        with open(self.file, "w") as f:
            json.dump(o, f)


def login(tool, dev):
    r = tool.run("create")
    t.equal(r.returncode, 1, "without a token there is no session")
    t.match(r.stderr, "relay auth", "and it is said what to do")
    dev.waits = ["authorization_pending", "slow_down"]
    r = tool.run("auth")
    t.equal(r.returncode, 0, "relay auth")
    t.match(r.stderr, "open https://idp.test/device and enter ABCD-EFGH",
            "says where to go and what to enter")
    dev_form, polls = dev.got[0], dev.got[1:]
    t.equal((dev_form["client_id"], sorted(dev_form["scope"].split())),
            ("relay-cli", sorted(SCOPES + ["openid", "offline_access"])),
            "it asks as the client that the relay names, for all scopes")
    t.equal(dev_form["type"], "application/x-www-form-urlencoded", "a form")
    t.equal([(f["grant_type"], f["device_code"], f["authorization"])
             for f in polls],
            [("urn:ietf:params:oauth:grant-type:device_code", "d&v=+1",
              None)] * 3, "and waits as long as it is told to")
    modes = [stat.S_IMODE(os.stat(p).st_mode) for p in
             (os.path.dirname(tool.file), tool.file)]
    t.equal(modes, [0o700, 0o600], "the file and its directory are this "
            "user's alone")
    o = tool.kept()
    t.equal(sorted(o), ["access_token", "client_id", "expiry", "issuer",
                        "refresh_token", "relay_host", "token_type"],
            "with the members of the existing tool, and ours")
    t.match(o["expiry"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", "RFC 3339")
    t.ok(o["access_token"] not in r.stderr + r.stdout, "no token is shown")
    r = tool.run("create", "--output", "json")
    t.equal((r.returncode, len(json.loads(r.stdout)["id"])), (0, 22),
            "create finds it")


def refreshed(tool, dev):
    old = tool.kept()["access_token"]
    tool.keep(expiry="2020-01-01T00:00:00+02:00")
    r = tool.run("create")
    t.equal((r.returncode, dev.got[-1]["grant_type"],
             dev.got[-1]["refresh_token"]), (0, "refresh_token", "r-0"),
            "one that has expired is refreshed")
    t.equal((tool.kept()["refresh_token"], tool.kept()["access_token"] != old,
             stat.S_IMODE(os.stat(tool.file).st_mode)), ("r-1", True, 0o600),
            "and what came is kept")
    n = len(dev.got)
    tool.run("create")
    t.equal(len(dev.got), n, "once")
    tool.keep(expiry="", expires_at=int((time.time() - 5) * 1000))
    r = tool.run("create")
    t.equal((r.returncode, dev.got[-1]["refresh_token"]), (0, "r-1"),
            "as another tool writes it, too")
    tool.keep(expiry="2020-01-01T00:00:00Z", refresh_token="no")
    r = tool.run("create")
    t.equal(r.returncode, 1, "a refresh that is refused: %s" % r.stderr)
    tool.keep(refresh_token="r-%d" % dev.refreshes)


def guarded(tool, dev):
    n = len(dev.got)
    for more in {"issuer": "https://other"}, {"relay_host": "other.test"}:
        was = tool.kept()
        tool.keep(**more)
        r = tool.run("create")
        t.equal((r.returncode, len(dev.got)), (1, n),
                "what was given for another goes nowhere: %s" % more)
        tool.keep(**was)
    os.chmod(tool.file, 0o644)
    r = tool.run("create")
    t.equal((r.returncode, len(dev.got)), (1, n), "a file that others read "
            "is not used")
    os.chmod(tool.file, 0o600)
    for text in "", "[]", "{}", "x" * 70000, '{"access_token": 1}':
        was = tool.kept() if text == "" else was
        with open(tool.file, "w") as f:
            f.write(text)
        t.equal(tool.run("create").returncode, 1, "%r is no file of "
                "credentials" % text[:20])
    with open(tool.file, "w") as f:
        json.dump(was, f)
    t.equal(tool.run("auth", "--logout").returncode, 0, "--logout")
    t.ok(not os.path.exists(tool.file), "removes it")
    t.equal(tool.run("auth", "--logout").returncode, 0, "and again is no "
            "error")


def failures(tool, dev):
    for error, why in (("access_denied", "refused"),
                       ("expired_token", "in time"),
                       ("invalid_client", "gives no token")):
        dev.waits = [error]
        r = tool.run("auth")
        t.equal(r.returncode, 1, error)
        t.match(r.stderr, why, "is said: %s" % r.stderr.splitlines()[-1])
    t.ok(not os.path.exists(tool.file), "and nothing is kept")
    dev.waits, dev.odd = ["authorization_pending"] * 9, {"expires_in": 2}
    t.equal(tool.run("auth").returncode, 1, "it does not wait for ever")
    for odd in {"device_code": ""}, {"user_code": None}, \
            {"verification_uri": 7}, {"device_code": "x" * 20000}:
        dev.waits, dev.odd = [], odd
        t.equal(tool.run("auth").returncode in (1, 3), True,
                "an answer that is none: %s" % list(odd))
    dev.odd = {}
    file = tool.home + "/else/where"
    r = tool.run("auth", "--credentials", file, "--client-id", "mine")
    t.equal((r.returncode, os.path.exists(file), dev.got[-1]["client_id"]),
            (0, True, "mine"), "another file, another client")
    r = tool.run("create", "--credentials", file)
    t.equal(r.returncode, 0, "which create takes, too")
    r = tool.run("auth", XDG_CONFIG_HOME=tool.home + "/xdg")
    t.ok(os.path.exists(tool.home + "/xdg/swsrs/credentials.json"),
         "XDG_CONFIG_HOME")
    tool.idp.down()
    t.equal(tool.run("auth").returncode, 3, "no way to the identity provider: 3")


with tempfile.TemporaryDirectory() as tmp:
    idp = Provider(tmp)
    idp.keys = [Key("ES256", "k")]
    idp.says[BASE + "/.well-known/openid-configuration"] = \
        lambda h: idp.answer(h, idp.discovery(
            id_token_signing_alg_values_supported=["ES256"]))
    dev = Device(idp)
    conf = idp.conf() + 'relay {\n\taudience "relayd"\n\tclient id ' \
        '"relay-cli"\n}\n'
    with idp, Relayd(t, global_conf=conf) as d:
        until(lambda: d.log.has("oidc issuer .*: 1 keys"), "keys")
        tool = Tool(d, idp, tmp)
        login(tool, dev)
        refreshed(tool, dev)
        guarded(tool, dev)
        failures(tool, dev)
    with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
        tool = Tool(d, idp, tmp)
        r = tool.run("auth")
        t.equal(r.returncode, 0, "a relay that asks for no token")
        t.match(r.stderr, "asks for no token", "is one")
        t.equal(tool.run("create").returncode, 0, "and create needs none")
t.done()
