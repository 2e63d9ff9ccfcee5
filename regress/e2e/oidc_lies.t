#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An identity provider that is not there, slow, or lies: authd never waits for
it, known keys go on for a time, and everything else is 503 with a reason. The
process that asks it, killed and stopped."""

import gzip
import json
import os
import signal
import socket
import ssl
import tempfile
import time

from harness import Relayd, Tap, until
from idp import BASE, WELL_KNOWN, Authority, Key, Provider

t = Tap()
KEYS = BASE + "/keys"
MAX = 1 << 20
FAST = "oidc timeout 2s\n"
FOREVER = int(time.time()) + 10 ** 8


def token(idp, **more):
    return idp.token(iat=None, exp=FOREVER, **more)


def status(d, token):
    return d.api("GET", "/support-sessions", token)[0]


def said(d, mark, pattern):
    return until(lambda: d.log.has("oidc issuer .*" + pattern, mark),
                 "the log to say " + pattern)


def another(d, role, pid):
    """The role runs, and it is not that one any more."""
    def found():
        rows = d.ctl_try("show", "processes") or ()
        return [r for r in rows if r["role"] == role and
                int(r["pid"]) != pid]
    return until(found, "another " + role)


def raw(data, end=True):
    """Bytes as they are, in place of an answer."""
    def fn(h):
        h.wfile.write(data)
        if not end:
            time.sleep(30)
    return fn


def drip(h):
    h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 1000\r\n\r\n")
    for _ in range(100):
        h.wfile.write(b" ")
        time.sleep(0.1)


def endless(h):
    h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        h.wfile.write(b"1000\r\n" + b" " * 4096 + b"\r\n")


def lies(idp):
    """What it says where, and what the log says of that."""
    def says(body, kind="application/json", code=200, more=()):
        return lambda h: idp.answer(h, body, kind, code, more)

    deep = '{"a":' + "[" * 3000 + "]" * 3000 + "}"
    padded = json.dumps(idp.jwks())
    return (
        (WELL_KNOWN, says("no", "text/plain", 404), "status 404"),
        (WELL_KNOWN, says("no", "text/plain", 500), "status 500"),
        (WELL_KNOWN, says("", code=301, more=[("Location",
                                               idp.issuer + "/keys")]),
         "redirects, which is not followed"),
        (WELL_KNOWN, says("", code=302, more=[("Location",
                                               idp.origin + WELL_KNOWN)]),
         "redirects, which is not followed"),
        (WELL_KNOWN, says("", code=307, more=[("Location",
                                               "file:///etc/passwd")]),
         "redirects, which is not followed"),
        (WELL_KNOWN, says("<html>", "text/html"), "by its content type"),
        (WELL_KNOWN, says("{"), "discovery: not a JSON object"),
        (WELL_KNOWN, says("[]"), "discovery: not a JSON object"),
        (WELL_KNOWN, says(""), "discovery: not a JSON object"),
        (WELL_KNOWN, says(b"\xff\xfe" + os.urandom(500)), "not a JSON object"),
        (WELL_KNOWN, says(deep), "discovery: not a JSON object"),
        (WELL_KNOWN, says(gzip.compress(json.dumps(
            idp.discovery()).encode()), more=[("Content-Encoding", "gzip")]),
         "discovery: not a JSON object"),
        (WELL_KNOWN, says(json.dumps(idp.discovery())[:-1] +
                          ',"x":"\\u0000"}'), "discovery: not a JSON object"),
        (WELL_KNOWN, says(json.dumps(idp.discovery())[:-1] +
                          ',"jwks_uri":"https://elsewhere.test/k"}'),
         "discovery: members that are there twice"),
        (WELL_KNOWN, says({"x%d" % i: i for i in range(200)}),
         "or too many"),
        (WELL_KNOWN, says(idp.discovery(issuer=idp.issuer + "/")),
         "of another issuer"),
        (WELL_KNOWN, says(idp.discovery(issuer=None)), "of another issuer"),
        (WELL_KNOWN, says(idp.discovery(jwks_uri=None)),
         "not at the issuer's own host and port"),
        (WELL_KNOWN, says(idp.discovery(jwks_uri="https://localhost:1/k")),
         "not at the issuer's own host and port"),
        (WELL_KNOWN, says(idp.discovery(
            jwks_uri="https://localhost:%d@elsewhere.test/k" % idp.port)),
         "not at the issuer's own host and port"),
        (WELL_KNOWN, says(idp.discovery(jwks_uri=idp.issuer.replace(
            "https", "http") + "/keys")), "not at the issuer's own"),
        (WELL_KNOWN, says(idp.discovery(jwks_uri="file:///etc/passwd")),
         "not at the issuer's own"),
        (WELL_KNOWN, says(idp.discovery(jwks_uri=idp.origin + WELL_KNOWN)),
         "keys: not a JSON object with an array"),
        (WELL_KNOWN, raw(b"\0" * 200), "HTTP/0.9|unexpected|Unsupported"),
        (WELL_KNOWN, raw(b""), "Empty reply|closed|reset"),
        (WELL_KNOWN, raw(b"HTTP/1.1 200 OK\r\n" + b"".join(
            b"X-%d: %s\r\n" % (i, b"x" * 900) for i in range(80)) +
            b"\r\n{}"), "head is longer than 65536"),
        (WELL_KNOWN, raw(b"", False), "timed out"),
        (WELL_KNOWN, drip, "timed out"),
        (KEYS, drip, "timed out"),
        (KEYS, raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                   b"Content-Length: 5000\r\n\r\n{\"keys\":["),
         "transfer closed with 49"),
        (KEYS, says(padded + " " * (MAX + 1 - len(padded))),
         "more than 1048576 bytes"),
        (KEYS, endless, "more than 1048576 bytes"),
        (KEYS, says({"keys": []}), "keys: none that could check"),
        (KEYS, says({"keys": [{"kty": "oct", "k": "AAAA"}]}),
         "keys: none that could check"),
        (KEYS, says({"keys": {}}), "with an array"),
        (KEYS, says([1]), "with an array"),
        (KEYS, says({"keys": [idp.keys[0].jwk(crv="P-256", kty="EC",
                                              x="AA", y="AA")]}),
         "keys: none that could check"),
    )


with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        Relayd(t, global_conf=FAST + idp.conf()) as d:
    said(d, 0, ": 1 keys")
    t.equal(status(d, token(idp)), 200, "an honest provider: let in")
    for path, fn, why in lies(idp):
        idp.says = {path: fn}
        mark = d.log.mark()
        d.move_clock(700000)        # it is time to ask
        said(d, mark, "no keys: .*(%s)" % why)
        t.equal(status(d, token(idp)), 200,
                "the log says %r; known keys go on" % why)
    idp.says = {}
    mark = d.log.mark()
    d.move_clock(61000)
    said(d, mark, ": 1 keys")
    padded = json.dumps(idp.jwks())
    idp.keys.append(Key("ES256", "second"))
    more = json.dumps(idp.jwks())
    idp.says = {KEYS: lambda h: idp.answer(
        h, more + " " * (MAX - len(more)))}
    d.move_clock(700000)
    until(lambda: status(d, token(idp, key=idp.keys[1])) == 200,
          "a document of exactly 1 MiB to be taken")
    t.ok(True, "a document of exactly 1 MiB is taken")
    idp.keys = [Key("RS256", "n%d" % i, 2048) for i in range(4)]
    last = idp.keys[3]
    idp.says = {KEYS: lambda h: idp.answer(h, {"keys": [
        idp.keys[i % 3].jwk(kid="m%d" % i) for i in range(32)] + [
            last.jwk()]})}
    mark = d.log.mark()
    d.move_clock(700000)
    until(lambda: status(d, token(idp, key=idp.keys[0], header={
        "kid": "m0"})) == 200, "the keys of a long list")
    t.equal(status(d, token(idp, key=idp.keys[1], header={
        "kid": "m31"})), 200, "of a list of keys the 32nd counts")
    t.equal(status(d, token(idp, key=last)), 401, "and the 33rd does not")

    # Nobody confirms them: after a day they are forgotten.
    idp.down()
    mark = d.log.mark()
    d.move_clock(700000)
    said(d, mark, "no keys")
    t.equal(status(d, token(idp, key=idp.keys[0], header={
        "kid": "m0"})), 200, "the provider is down: known keys go on")
    mark = d.log.mark()
    d.move_clock(86400 * 1000)
    said(d, mark, "its keys are too old, and are forgotten")
    st, body = d.api("GET", "/support-sessions", token(
        idp, key=idp.keys[0], header={"kid": "m0"}))
    t.equal((st, body["message"]), (503, "keys of the identity provider are "
                                    "not known"), "after a day: 503")
    t.equal(status(d, d.token()), 200, "relayd's own tokens as ever")
    row = d.ctl("show", "issuers")[0]
    t.ok(row["keys"] == "0" and row["since"] == "-" and
         row["reason"] != "-", "show issuers says why")
    idp.says = {}
    idp.up()
    until(lambda: status(d, token(idp, key=idp.keys[0])) == 200,
          "it to be back")
    t.ok(True, "it is back: let in again")

    # The process that asks.
    pid = d.pid_of("dialerd")
    d.kill(pid)
    t.equal(status(d, token(idp, key=idp.keys[0])), 200, "dialerd is killed: "
            "known keys go on")
    n = idp.asked_keys()
    another(d, "dialerd", pid)
    until(lambda: idp.asked_keys() > n, "it to ask")
    t.ok(True, "another one asks at once")
    time.sleep(2)               # it has answered the watchdog once
    pid = d.pid_of("dialerd")
    d.expected.add(pid)
    os.kill(pid, signal.SIGSTOP)
    t.equal(status(d, token(idp, key=idp.keys[0])), 200, "dialerd hangs: "
            "authd does not")
    another(d, "dialerd", pid)
    t.ok(True, "who hangs is replaced")
    n = idp.asked_keys()
    pid = d.pid_of("authd")
    d.kill(pid)
    another(d, "authd", pid)
    until(lambda: status(d, token(idp, key=idp.keys[0])) == 200,
          "another authd to know the keys")
    t.ok(idp.asked_keys() > n, "another authd asks for them by itself")

# Down at the start, then there.
with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp:
    idp.down()
    with Relayd(t, global_conf=FAST + idp.conf()) as d:
        said(d, 0, "no keys: .*(refused|connect)")
        st, body = d.api("GET", "/support-sessions", token(idp))
        t.equal((st, body["message"]), (503, "keys of the identity provider "
                "are not known"), "down at the start: 503 with a reason")
        t.equal(status(d, d.token()), 200, "and relayd serves")
        idp.up()
        until(lambda: status(d, token(idp)) == 200, "it to be found")
        t.ok(True, "found when it is there, without a reload")

        # Gone from the configuration, and back with another authority.
        text = d.text
        d.text = text.replace(idp.conf(), "")
        with open(d.conf, "w") as f:
            f.write(d.text)
        d.ctl("reload")
        t.equal(status(d, token(idp)), 401, "no longer configured: nobody")
        until(lambda: not d.processes("dialerd"), "dialerd to be gone")
        t.ok(True, "and no dialerd")
        other = Authority(tmp, "another one")
        with open(d.conf, "w") as f:
            f.write(text.replace(idp.authority.path, other.path))
        mark = d.log.mark()
        d.ctl("reload")
        said(d, mark, "no keys: .*certificate")
        t.equal(status(d, token(idp)), 503, "an authority that is not its own "
                "is not trusted")
        with open(d.conf, "w") as f:
            f.write(text)
        d.ctl("reload")
        until(lambda: status(d, token(idp)) == 200, "the right one")
        t.ok(True, "read again at a reload")
        t.equal([d.ctl_raw("reload").returncode for _ in range(6)], [0] * 6,
                "reloads one upon the other, while dialerd is replaced")
        until(lambda: status(d, token(idp)) == 200, "all well behind that")


def tls(cert, why, name):
    """Its certificate is wrong in some way."""
    with tempfile.TemporaryDirectory() as tmp:
        authority = Authority(tmp)
        with Provider(tmp, authority=authority, cert=cert(
                authority)) as idp, Relayd(
                    t, global_conf=FAST + idp.conf()) as d:
            said(d, 0, "no keys: .*(%s)" % why)
            t.equal(status(d, token(idp)), 503, name)
            t.equal(idp.asked, {}, "and nothing was asked there")


tls(lambda a: a.issue("elsewhere.test"), "no alternative certificate|match",
    "a certificate of another name")
tls(lambda a: a.issue("127.0.0.1"), "no alternative certificate|match",
    "a certificate of the address only")
tls(lambda a: a.issue("localhost", -1), "expired",
    "a certificate that has expired")

# Something that speaks no TLS.
with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        socket.socket() as plain:
    idp.down()
    plain.bind(("127.0.0.1", idp.port))
    plain.listen(8)
    with Relayd(t, global_conf=FAST + idp.conf()) as d:
        s, _ = plain.accept()
        s.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")
        s.close()
        said(d, 0, "no keys: ")
        t.equal(status(d, token(idp)), 503, "plain HTTP in place of TLS")
        s, _ = plain.accept()       # says nothing at all
        mark = d.log.mark()
        said(d, mark, "no keys: .*timed out")
        t.equal(status(d, token(idp)), 503, "silence in place of TLS")
        s.close()

# Something that does not accept: 5 s, however long the whole may take.
with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        socket.socket() as full:
    idp.down()
    full.bind(("127.0.0.1", idp.port))
    full.listen(0)
    queue = []
    for _ in range(4):
        queue.append(socket.socket())
        queue[-1].setblocking(False)
        queue[-1].connect_ex(("127.0.0.1", idp.port))
    with Relayd(t, global_conf="oidc timeout 60s\n" + idp.conf()) as d:
        said(d, 0, "no keys: .*([Tt]ime|timed out)")
        t.equal(status(d, token(idp)), 503, "nobody accepts: not waited for "
                "longer than to connect may take")
    for s in queue:
        s.close()

# A name that nobody knows.
with Relayd(t, global_conf=FAST + 'oidc issuer "https://nowhere.invalid/x" {\n'
            '\taudience "relayd"\n}\n') as d:
    said(d, 0, "no keys: ")
    t.equal(d.api("GET", "/support-sessions", d.token())[0], 200,
            "a name that is not found: relayd serves")
t.done()
