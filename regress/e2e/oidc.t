#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Operators with tokens of an identity provider: keys of all kinds, tokens that
are none, the rotation of keys, and what claims are taken for."""

import base64
import hashlib
import hmac
import itertools
import json
import tempfile
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import GoClient, Relayd, Tap, Targets, until
from idp import Key, Provider, b64

t = Tap()
address = itertools.count(1)


def ask(d, token, path="/support-sessions"):
    """Each time from another address: who is refused often hears 429."""
    n = next(address)
    st, head, body = d.request("GET", "/api" + path, headers={
        "Authorization": "Bearer " + token,
        "X-Forwarded-For": "192.0.%d.%d" % (n // 250, n % 250 + 1)})
    return st, head, json.loads(body)


def status(d, token):
    return ask(d, token)[0]


def known(d, n):
    what = ": %d keys" % n
    until(lambda: sum(what in x for x in d.log.lines) >= d.members,
          "%d keys to be known" % n)


TRUST = "trusted proxy 127.0.0.1/32\n"


def kinds(tmp):
    """A key of each kind, and one of each that cannot be used."""
    idp = Provider(tmp)
    idp.keys = [Key(alg, "k-" + alg) for alg in
                ("RS256", "PS256", "ES256", "ES384", "EdDSA")]
    ed, rs, es = idp.keys[4], idp.keys[0], idp.keys[2]
    bad = [rs.jwk(kid="enc", use="enc"), rs.jwk(kid="ops", key_ops=["sign"]),
           rs.jwk(kid="priv", d="AQAB"), rs.jwk(kid="e1", e="AQ"),
           rs.jwk(kid="even", e="Ag"), Key("RS256", "short", 1024).jwk(),
           es.jwk(kid="off", x=b64(b"\1" * 32)),
           es.jwk(kid="crv", crv="P-384"),
           es.jwk(kid="curve", crv="secp256k1"),
           ed.jwk(kid="x", x=b64(b"\1" * 31)),
           {"kty": "oct", "kid": "oct", "k": b64(b"k" * 32), "alg": "HS256"},
           {"kty": "RSA", "kid": 7}, "text", None, 5, [], {}]
    idp.jwks = lambda: {"keys": bad + [k.jwk() for k in idp.keys]}
    return idp


def forged(d, idp):
    """Each of these is one thing away from a token that is let in."""
    rs, ps, es, es3, ed = idp.keys
    now = int(time.time())
    mine = Key("RS256", "k-RS256")
    pem = rs.key.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo)

    def hs(secret):
        head = b64(json.dumps({"alg": "HS256", "typ": "JWT",
                               "kid": rs.kid}))
        text = head + "." + b64(json.dumps(idp.claims()))
        return text + "." + b64(hmac.new(secret, text.encode(),
                                         hashlib.sha256).digest())

    good = idp.token()
    head, claims, sig = good.split(".")
    none = b64('{"alg":"none"}') + "." + claims + "."
    k256 = Key("ES256", es.kid, curve=ec.SECP256K1())
    twice = json.dumps(idp.claims())[:-1] + ',"sub":"root"}'
    der = es.key.sign(b"", ec.ECDSA(hashes.SHA256()))
    cases = {
        "alg none": none,
        "alg None": b64('{"alg":"None"}') + "." + claims + "." + sig,
        "no alg": b64("{}") + "." + claims + "." + sig,
        "alg is a list": b64('{"alg":["RS256"]}') + "." + claims + "." + sig,
        "HS256 with the public key as secret": hs(pem),
        "HS256 with the modulus as secret": hs(base64.urlsafe_b64decode(
            rs.jwk()["n"] + "==")),
        "RS256 by an unknown key under a known name": idp.token(mine),
        "RS384": idp.token(header={"alg": "RS384"}),
        "PS256 in the header, RS256 below": idp.token(
            header={"alg": "PS256"}),
        "RS256 with a key that is for PS256": idp.token(ps, alg="RS256"),
        "PS256 with a key that is for RS256": idp.token(rs, alg="PS256"),
        "ES384 with a P-256 key": idp.token(es, header={"alg": "ES384"}),
        "ES256 with a P-384 key": idp.token(es3, header={"alg": "ES256"}),
        "ES256K": idp.token(k256, header={"alg": "ES256K"}),
        "ES256 on another curve": idp.token(k256),
        "ES256 signature as DER": ".".join(
            idp.token(es).split(".")[:2]) + "." + b64(der),
        "ES256 signature of zeroes": ".".join(
            idp.token(es).split(".")[:2]) + "." + b64(b"\0" * 64),
        "EdDSA signature of zeroes": ".".join(
            idp.token(ed).split(".")[:2]) + "." + b64(b"\0" * 64),
        "a key that cannot be used": idp.token(rs, header={"kid": "e1"}),
        "jwk in the header": idp.token(mine, header={"jwk": mine.jwk()}),
        "jku in the header": idp.token(header={
            "jku": idp.issuer + "/keys"}),
        "x5u in the header": idp.token(header={
            "x5u": idp.origin + "/cert"}),
        "x5c in the header": idp.token(header={"x5c": ["MIIB"]}),
        "crit": idp.token(header={"crit": ["exp"]}),
        "b64": idp.token(header={"b64": False}),
        "zip": idp.token(header={"zip": "DEF"}),
        "a nested token": idp.token(header={"cty": "JWT"}),
        "a logout token": idp.token(header={"typ": "logout+jwt"}),
        "a type that is no text": idp.token(header={"typ": 1}),
        "kid that leads elsewhere": idp.token(header={
            "kid": "../../../../dev/null"}),
        "kid as SQL": idp.token(header={"kid": "x' OR '1'='1"}),
        "kid with a NUL": idp.token(header={"kid": "k-RS256\0x"}),
        "kid as a list": idp.token(header={"kid": ["k-RS256"]}),
        "kid of 300 bytes": idp.token(header={"kid": "k" * 300}),
        "no kid, another's key": idp.token(mine, header={"kid": None}),
        "a header with a name twice": rs.token(
            idp.claims(), '{"alg":"RS256","alg":"RS256","kid":"k-RS256"}'),
        "claims with a name twice": rs.token(twice),
        "claims that are a list": rs.token("[1]"),
        "claims that are text": rs.token('"x"'),
        "claims with a NUL": rs.token(json.dumps(idp.claims())[:-1] +
                                      ',"x":"\\u0000"}'),
        "a header of 3 KiB": idp.token(header={"x": "x" * 3000}),
        "two parts": head + "." + claims,
        "four parts": good + "." + sig,
        "padding": head + "." + claims + "." + sig + "=",
        "another signature": head + "." + claims + "." +
        idp.token(sub="u-2").split(".")[2],
        "another claim": head + "." + idp.token(
            sub="root").split(".")[1] + "." + sig,
        "expired": idp.token(exp=now - 120),
        "exp is text": idp.token(exp=str(now + 600)),
        "exp is missing": idp.token(exp=None),
        "exp is negative": idp.token(exp=-1),
        "nbf to come": idp.token(nbf=now + 120),
        "iat to come": idp.token(iat=now + 120),
        "another issuer": idp.token(iss="https://elsewhere.test"),
        "the issuer and a slash": idp.token(iss=idp.issuer + "/"),
        "no issuer": idp.token(iss=None),
        "another audience": idp.token(aud="shop"),
        "several, none of them ours": idp.token(aud=["a", "b"]),
        "no audience": idp.token(aud=None),
        "no subject": idp.token(sub=None),
        "a subject that is a number": idp.token(sub=5),
        "a subject of 300 bytes": idp.token(sub="s" * 300),
        "jti that is a number": idp.token(jti=5),
        "an empty one": "..",
        "none at all": "x",
    }
    for name, token in cases.items():
        st, _, body = ask(d, token)
        t.equal((st, body["message"]), (401, "invalid token"),
                "operator-3(partial): refused: " + name)
    st, _, _ = ask(d, idp.token(pad="x" * 6200))
    t.equal(st, 401, "operator-3(partial): a token of more than 8 KiB is "
            "refused")
    t.equal(status(d, idp.token(pad="x" * 5000)), 200, "and one that is not")


with tempfile.TemporaryDirectory() as tmp, kinds(tmp) as idp, \
        Relayd(t, global_conf=TRUST + idp.conf()) as d:
    known(d, 5)
    for k in idp.keys:
        t.equal(status(d, idp.token(k)), 200, "operator-3(partial): %s is let "
                "in" % k.alg)
        t.equal(status(d, idp.token(k, header={"kid": None})), 200,
                "and without a name of the key")
    now = int(time.time())
    for name, token in (
            ("at+jwt", idp.token(header={"typ": "at+jwt"})),
            ("no type", idp.token(header={"typ": None})),
            ("x5t", idp.token(header={"x5t": "AAAA"})),
            ("our audience among others", idp.token(aud=["a", "relayd"])),
            ("expired within the clock's skew", idp.token(exp=now - 20)),
            ("nbf within it", idp.token(nbf=now + 20)),
            ("times with fractions", idp.token(exp=now + 600.5))):
        t.equal(status(d, token), 200, "let in: " + name)
    t.equal(status(d, d.token()), 200, "a token of relayd's own as ever")
    until(lambda: idp.asked_keys() >= 1, "the keys to be asked for")
    forged(d, idp)
    t.ok(idp.asked_keys() <= 3 * d.members, "operator-3(partial): forged "
         "tokens do not make keys be fetched over and over (%d)" %
         idp.asked_keys())
    st, _, body = ask(d, idp.token(scope="openid read:systems"))
    t.equal((st, body["message"]), (403, "insufficient permissions"),
            "operator-4(partial): without the permission it is 403")

    # Keys change: one that is not known is fetched, the old one is forgotten.
    old = idp.keys[0]
    idp.keys = [Key("ES256", "new")]
    d.move_clock(31000)
    token = idp.token(exp=int(time.time()) + 3600)
    st, head, body = ask(d, token)
    t.equal((st, head["Retry-After"], body["message"]),
            (503, "1", "signing key is being fetched from the identity "
             "provider"), "a new key: nobody waits, 503 and Retry-After")
    until(lambda: all(status(d, token) == 200 for _ in range(d.members)),
          "the new key to be known")
    t.equal(status(d, idp.token(old)), 401, "the old key counts no more")
    n = idp.asked_keys()
    idp.keys.append(Key("RS256", "newer"))
    t.equal({status(d, idp.token(idp.keys[1])) for _ in range(d.members)},
            {401}, "a new key again, within 30 s: not fetched now")
    t.equal(idp.asked_keys(), n, "nobody was asked")
    d.move_clock(31000)
    until(lambda: all(status(d, idp.token(idp.keys[1], iat=None)) == 200
                      for _ in range(d.members)), "it to be known by itself")

    # What relayctl and the counters say of it.
    row = d.ctl("show", "issuers")[0]
    t.equal((row["issuer"], row["keys"], row["reason"]),
            (idp.issuer, "2", "-"), "show issuers: whose, how many keys")
    t.match(row["since"], r"^\d{4}-", "and since when")
    has = [(r["metric"], r["labels"], float(r["value"]))
           for r in d.ctl("show", "metrics")]
    for name, label, least in (
            ("fetches_total", 'result="got"', 3),
            ("providers", 'keys="known"', 1),
            ("tokens_total", 'result="good"', 15),
            ("tokens_total", 'result="refused"', 50),
            ("tokens_total", 'result="unknown_key"', 1)):
        got = [v for m, x, v in has
               if m == "relayd_identity_" + name and label in x]
        t.ok(sum(got) >= least, "counted: %s %s (%s)" % (
            name, label, got))

    # Revoked by name, and by the token's id.
    d.ctl("-f", "token", "revoke", "j-9")
    st, _, body = ask(d, idp.token(jti="j-9", iat=None))
    t.equal((st, body["message"]), (401, "token has been revoked"),
            "operator-6(partial): its jti is revoked")
    d.ctl("-f", "token", "revoke", "user", "u-1")
    st, _, body = ask(d, idp.token(iat=None))
    t.equal((st, body["message"]), (401, "user account has been suspended"),
            "and its user")

LINES = """prefix "kc:"
claim user "oid"
claim name "profile.name"
claim role "realm_access.roles"
claim organization "https://example.com/org"
claim permission "groups"
map role "lead" to "owner"
map role "helper" to "customer"
map organization "acme" to "org-1"
map permission "support" to "connect:systems"
map permission "support" to "read:systems"
"""
with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        Provider(tmp, authority=idp.authority) as other, \
        Targets() as targets, Relayd(t, global_conf=TRUST + idp.conf(
            LINES) + other.conf('fixed role "customer"\n'
                                'fixed organization "org-1"\n'
                                'prefix "o:"', ca=False)) as d:
    until(lambda: sum(": 1 keys" in x for x in d.log.lines) ==
          2 * d.members, "both to be known")
    key, secret = d.add_system("box")

    def claims(**more):
        out = {"oid": "7", "profile": {"name": "Ada L."}, "scope": None,
               "realm_access": {"roles": ["offline", "helper", "lead"]},
               "https://example.com/org": "acme", "groups": ["support"]}
        out.update(more)
        return out

    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        s = d.wait_session()

        def groups(token):
            st, _, body = ask(d, token)
            return st, len((body["data"] or {}).get("support_sessions") or ())

        t.equal(groups(idp.token(**claims())), (200, 1), "claims as "
                "configured: an owner sees the session")
        t.equal(groups(idp.token(**claims(realm_access={"roles": [
            "offline"]}))), (200, 0), "a role that is not mapped sees none")
        t.equal(groups(idp.token(**claims(realm_access={"roles": [
            "owner"]}))), (200, 0), "nor does our word for it, where roles are "
                "mapped")
        t.equal(groups(idp.token(**claims(realm_access=None))), (200, 0),
                "nor one without a role")
        t.equal(groups(idp.token(**claims(realm_access={
            "roles": "helper"}))), (200, 0), "a customer does not see another "
                "organization's")
        t.equal(groups(idp.token(**claims(groups="support")))[0], 200,
                "a claim that is text")
        t.equal(groups(idp.token(**claims(groups=["none"])))[0], 403,
                "no group, no permission")
        t.equal(groups(idp.token(**claims(groups=None)))[0], 403,
                "no claim, no permission")
        t.equal(groups(idp.token(**claims(oid=None)))[0], 401,
                "no user: nobody")
        t.equal(groups(other.token(org_role="owner", organization_id="x")),
                (200, 0), "what is fixed no claim of the other one changes")
        t.equal(groups(other.token(idp.keys[0])), (401, 0), "a key of one "
                "provider signs nothing of the other's")

        st, _, body = d.request(
            "GET", "/api/support-sessions/%s/proxy/web/plain" % s["session"],
            headers={"Authorization": "Bearer " + idp.token(**claims())})
        t.ok(st in (200, 404) and st != 401, "operator-28(partial): the path "
             "proxy takes such a token (%d)" % st)
        st, _, body = d.request(
            "GET", "/api/support-sessions/%s/proxy/web/" % s["session"],
            headers={"Authorization": "Bearer " + idp.token(**claims(
                groups=None))})
        t.equal(st, 403, "and not without the permission")
        audit = d.ctl_raw("-j", "show", "audit").stdout
        t.ok("kc:7" in audit, "operator-63(partial): the audit log names the "
             "user with its provider's prefix")
t.done()
