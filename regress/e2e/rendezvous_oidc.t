#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous with tokens of an identity provider: scopes, and what is none."""

import base64
import hashlib
import hmac
import itertools
import json
import tempfile
import threading
import time

from harness import Relayd, Tap, until
from idp import Key, Provider, b64
from peers import Relay

t = Tap()
address = itertools.count(1)
CREATE, READ, DELETE = ("swsrs:session:" + x for x in ("create", "read",
                                                       "delete"))
ALL = " ".join((CREATE, READ, DELETE))


def call(d, token, method="POST", path="", headers=None):
    """Each time from another address: who is refused often hears 429."""
    n = next(address)
    h = {"X-Forwarded-For": "192.0.%d.%d" % (n // 250, n % 250 + 1)}
    if token is not None:
        h["Authorization"] = "Bearer " + token
    h.update(headers or {})
    st, head, body = d.request(method, "/admin/sessions" + path, None, h)
    return st, body.decode(), head


def said(d, token, want, name, **kw):
    got = call(d, token, **kw)
    t.equal(got[:2], want, name)
    if got[0] == 401:
        t.equal(got[2]["WWW-Authenticate"], "Bearer", "with a challenge")


def conf(idp, audience="relayd"):
    return idp.conf() + 'trusted proxy 127.0.0.1/32\nrelay {\n\taudience ' \
        '"%s"\n\tclient id "relay-cli"\n}\n' % audience


def who(d, idp):
    for h in {}, {"authorization": "bearer x"}, {"Authorization": "Bearerx"}:
        said(d, None, (401, "missing bearer token\n"),
             "rendezvous-1: %s: 401" % h, headers=h)
    got = call(d, None, headers={})
    t.equal((got[2]["Content-Type"], got[2]["X-Content-Type-Options"]),
            ("text/plain; charset=utf-8", "nosniff"), "rendezvous-1(partial): "
            "a plain error")
    said(d, None, (401, "missing bearer token\n"), "of an unknown id, too",
         method="GET", path="/nobody")
    for method, path, scope in (("POST", "", CREATE), ("GET", "", READ),
                                ("GET", "/x", READ), ("DELETE", "/x",
                                                      DELETE)):
        others = " ".join(x for x in ALL.split() if x != scope)
        said(d, idp.token(scope=others),
             (403, "missing required scope: %s\n" % scope),
             "rendezvous-2: %s %s without its scope" % (method, path),
             method=method, path=path)
    st, body, h = call(d, idp.token(scope=ALL))
    t.equal(st, 201, "with it: 201")
    s = json.loads(body)
    for side in "initiator", "responder":
        d.secret("a slot token", s[side + "_token"])
    r = Relay(d)
    a, b = r.join(s, "initiator"), r.join(s, "responder")
    a.send("x")
    t.equal(b.recv(), (1, b"x"), "and the session is one")
    st, body, h = call(d, idp.token(scope=READ), "GET", "/" + s["id"])
    t.equal((st, json.loads(body)["id"]), (200, s["id"]), "shown with read")
    t.equal(call(d, idp.token(scope=DELETE), "DELETE", "/" + s["id"])[0], 204,
            "deleted with delete")


def kinds(d, idp):
    for k in idp.keys:
        t.equal(call(d, idp.token(k, scope=CREATE))[0], 201,
                "rendezvous-12(partial): %s" % k.alg)
    secret = b"x" * 32
    for alg in "HS256", "none":
        text = b64(json.dumps({"alg": alg, "typ": "JWT"})) + "." + \
            b64(json.dumps(idp.claims(scope=CREATE)))
        sign = b64(hmac.new(secret, text.encode(), hashlib.sha256).digest()) \
            if alg == "HS256" else ""
        said(d, text + "." + sign, (401, "invalid token: bad algorithm\n"),
             "rendezvous-12: %s never does" % alg)
    own = d.token()
    st, body, h = call(d, own)
    t.equal(st, 401, "rendezvous-12(partial): nor a token of relayd's own")


def times(d, idp):
    now = int(time.time())
    said(d, idp.token(scope=CREATE, exp=now - 1),
         (401, "invalid token: expired\n"),
         "rendezvous-14(partial): a second ago")
    said(d, idp.token(scope=CREATE, exp=None),
         (401, "invalid token: expired\n"), "without exp, too")
    t.equal(call(d, idp.token(scope=CREATE, nbf=now + 200))[0], 201,
            "rendezvous-14(partial): nbf 200 s ahead")
    said(d, idp.token(scope=CREATE, nbf=now + 400),
         (401, "invalid token: not yet valid\n"),
         "rendezvous-14: nbf 400 s ahead")
    for aud, ok in ("relayd", 1), (["a", "relayd"], 1), ("other", 0), \
            (["a"], 0), (None, 0):
        tok = idp.token(scope=CREATE, aud=aud)
        if ok:
            t.equal(call(d, tok)[0], 201, "rendezvous-15(partial): aud %s" %
                    aud)
        else:
            said(d, tok, (401, "invalid token: wrong audience\n"),
                 "rendezvous-15(partial): aud %s" % aud)
    said(d, idp.token(scope=CREATE, iss=idp.issuer + "/"),
         (401, "invalid token: wrong issuer\n"),
         "rendezvous-15: a slash behind the issuer")
    said(d, "a.b", (401, "invalid token: malformed\n"), "what is no token")
    good = idp.token(scope=CREATE)
    said(d, good[:-8] + "AAAAAAAA", (401, "invalid token: bad signature\n"),
         "a wrong signature")
    for name, claims in (("a string", {"scope": "a " + CREATE}),
                         ("an array", {"scope": ["a", CREATE]}),
                         ("scp, a string", {"scope": None, "scp": CREATE}),
                         ("scp, an array", {"scope": None,
                                            "scp": ["b", CREATE]}),
                         ("both", {"scope": "a", "scp": [CREATE]}),
                         ("an empty scope", {"scope": "", "scp": CREATE})):
        t.equal(call(d, idp.token(**claims))[0], 201, "rendezvous-16: %s" %
                name)
    t.equal(call(d, idp.token(scope=CREATE.upper()))[0], 403,
            "rendezvous-16(partial): in this case only")


def discovery(d, idp):
    st, h, body = d.request("GET", "/.well-known/swsrs-config")
    t.equal((st, json.loads(body), h["Cache-Control"], h["Content-Type"]),
            (200, {"issuer": idp.issuer, "audience": "relayd",
                   "scopes": ALL.split(),
                   "authorization_endpoint": idp.issuer + "/auth",
                   "token_endpoint": idp.issuer + "/token",
                   "device_authorization_endpoint": idp.issuer + "/device",
                   "client_id_hint": "relay-cli"},
             "public, max-age=300", "application/json"),
            "rendezvous-52: discovery has exactly its members")


def advertised(tmp):
    """What the identity provider says it signs with, and what it says not."""
    for said_algs, good in ((["ES256", "RS384"], ["ES256"]),
                            ([], ["RS256"]), (["HS256", "none"], ["RS256"]),
                            (None, ["RS256"])):
        idp = Provider(tmp)
        idp.keys = [Key(alg, "k-" + alg) for alg in ("RS256", "ES256",
                                                     "EdDSA")]
        more = {} if said_algs is None else {
            "id_token_signing_alg_values_supported": said_algs}
        doc = dict(idp.discovery(), **more)
        if said_algs is None:
            doc.pop("id_token_signing_alg_values_supported", None)
        idp.says["/realms/test/.well-known/openid-configuration"] = \
            lambda h: idp.answer(h, doc)
        with idp, Relayd(t, global_conf=conf(idp)) as d:
            up(d, 3)
            for k in idp.keys:
                got = call(d, idp.token(k, scope=CREATE))[:2]
                if k.alg in good:
                    t.equal(got[0], 201, "rendezvous-13(partial): %s of %s" %
                            (k.alg, said_algs))
                else:
                    t.equal(got, (401, "invalid token: bad algorithm\n"),
                            "rendezvous-13: %s is not among %s" %
                            (k.alg, said_algs or "any: RS256 alone is"))


def up(d, n):
    until(lambda: d.log.has("oidc issuer .*: %d keys" % n), "keys")


with tempfile.TemporaryDirectory() as tmp:
    idp = Provider(tmp)
    idp.keys = [Key(alg, "k-" + alg) for alg in
                ("RS256", "PS256", "ES256", "ES384", "EdDSA")]
    idp.says["/realms/test/.well-known/openid-configuration"] = \
        lambda h: idp.answer(h, idp.discovery(
            id_token_signing_alg_values_supported=[k.alg for k in idp.keys]))
    with idp, Relayd(t, global_conf=conf(idp)) as d:
        up(d, 5)
        who(d, idp)
        kinds(d, idp)
        times(d, idp)
        discovery(d, idp)
        # Another key.
        asked = idp.asked_keys()
        new = Key("ES256", "k-new")
        idp.keys.append(new)
        d.move_clock(31000)
        until(lambda: call(d, idp.token(new, scope=CREATE, exp=int(
            time.time()) + 3600))[0] == 201, "the new key")
        t.equal(idp.asked_keys(), asked + 1, "rendezvous-17(partial): a new "
                "key verifies after one fetch")
        for i in range(200):
            call(d, idp.token(Key("ES256", "f-%d" % i), scope=CREATE))
        t.ok(idp.asked_keys() <= asked + 2, "rendezvous-17: forged tokens "
             "cause no more than one fetch in 30 s")
        # One goes, and one comes that nobody can use.
        gone = idp.keys.pop(0)
        honest = idp.jwks
        idp.jwks = lambda: {"keys": honest()["keys"] + [
            {"kty": "odd", "kid": "o", "use": "sig"}]}
        t.equal(call(d, idp.token(gone, scope=CREATE))[0], 201,
                "a key that we have is good")
        d.move_clock(601000)
        until(lambda: call(d, idp.token(gone, scope=CREATE, exp=int(
            time.time()) + 3600))[0] != 201, "the key to be gone")
        t.equal(call(d, idp.token(new, scope=CREATE, exp=int(time.time()) +
                                  3600))[0], 201, "rendezvous-18: a key that "
                "is taken away stops verifying, one of an unknown kind harms "
                "no other")
        # It hangs.
        hang = threading.Event()
        idp.says = {"*": lambda h: hang.wait(60)}
        d.move_clock(601000)
        for i in range(20):
            got = call(d, idp.token(new, scope=CREATE, exp=int(
                time.time()) + 36000))[0]
            st = d.request("GET", "/healthz")[0]
        t.equal((got, st), (201, 200), "rendezvous-20: an identity provider "
                "that hangs blocks nobody")
        hang.set()
    idp.says = {}
    advertised(tmp)
    # Without it.
    idp.says = {}
    idp.down()
    with Relayd(t, global_conf=conf(idp)) as d:
        for path in "/.well-known/swsrs-config", "/admin/sessions":
            st, h, body = d.request("GET", path, None, {
                "Authorization": "Bearer " + idp.token(scope=ALL)})
            t.equal((st, int(h["Retry-After"]) > 0), (503, True),
                    "rendezvous-19(partial): %s: 503, never 404" % path)
        t.equal(d.request("GET", "/healthz")[0], 200,
                "rendezvous-19(partial): it lives")
        idp.up()
        d.move_clock(61000)
        until(lambda: d.request("GET", "/.well-known/swsrs-config")[0] == 200,
              "discovery")
        t.ok(True, "rendezvous-19: and recovers by itself")
    idp.down()
t.done()
