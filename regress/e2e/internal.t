#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An existing back end on a listener marked internal: it shows the secret that
it shares with relayd and the token of a session, which it reads in the store."""

import http.client
import json
import os

from harness import DOMAIN, GoClient, Relayd, Tap, Targets, free_port, until

t = Tap()
SECRET = "shared-with-the-back-end"


def ask(port, path, secret=SECRET, token=None, host=None, method="GET",
        **more):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    h = dict(more)
    for name, value in (("X-Internal-Secret", secret),
                        ("X-Session-Token", token), ("X-Proxy-Host", host)):
        if value is not None:
            h[name] = value
    try:
        c.request(method, path, headers=h)
        r = c.getresponse()
        return r.status, r.headers, r.read()
    finally:
        c.close()


def refusals(d, port, sid, token):
    at = "/api/proxy/%s/web/headers" % sid
    other = "0" * 8 + sid[8:]
    for what, path, secret, tok, want in (
            ("a wrong secret", at, "x" + SECRET[1:], token,
             (403, b"forbidden")),
            ("a longer one", at, SECRET + "x", token, (403, b"forbidden")),
            ("none", at, None, token, (403, b"forbidden")),
            ("none, and no id", "/api/proxy/", None, token,
             (403, b"forbidden")),
            ("no id", "/api/proxy//web/headers", SECRET, token,
             (400, b"session id required")),
            ("no token", at, SECRET, None,
             (403, b"session token required")),
            ("no session of that id", "/api/proxy/%s/web/" % other, SECRET,
             token, (403, b"invalid session")),
            ("no id that can be", "/api/proxy/x/web/", SECRET, token,
             (403, b"invalid session")),
            ("a wrong token", at, SECRET, "0" * 64, (403, b"forbidden")),
            ("a shorter one", at, SECRET, token[:-1], (403, b"forbidden")),
            ("no name of a service", "/api/proxy/%s/.x/" % sid, SECRET,
             token, (400, b"invalid service name")),
            ("no such service", "/api/proxy/%s/nobody/" % sid, SECRET, token,
             (404, b"service not found"))):
        st, _, body = ask(port, path, secret, tok)
        t.ok(st == want[0] and want[1] in body,
             "operator-54(partial): %s: %d %s" % (what, st,
                                                  want[1].decode()))
    st, _, body = ask(d.port, at, SECRET, token)
    t.equal(st, 404, "operator-54(partial): nothing of it on a public "
            "listener")
    st, _, _ = ask(port, "/api/support-sessions", SECRET, token)
    t.equal(st, 404, "and nothing else on an internal one")


def unknown(d, port):
    """A session that was made before there was a back end: nobody has its token,
    and what stands for that in the store is none."""
    key, secret = d.add_system("older")
    with GoClient(d, key, secret, "web=127.0.0.1:1"):
        s = d.wait_session()["session"]
        row = d.rows("SELECT session_token FROM support_sessions "
                     "WHERE id = ?", s)[0][0]
        d.stop()
        d.text += LATER
        d.rewrite()
        d.start()
        until(lambda: any(x["session"] == s for x in d.sessions()), "it is back")
        for token in row, row.lower(), row.upper():
            st, _, body = ask(port, "/api/proxy/%s/web/" % s, SECRET, token)
            t.equal((st, json.loads(body)["message"]), (403, "forbidden"),
                    "a session's hash is no token")
        d.api("DELETE", "/support-sessions/" + s, d.token())


port = free_port()
path = os.path.join("/tmp", "relayd-internal-%d" % os.getpid())
LATER = 'internal secret file "%s"\ninternal rate 200\n' % path
with open(path, "w") as f:
    f.write(SECRET + "\n")
os.chmod(path, 0o600)
try:
    with Targets() as targets, Relayd(
            t, listeners="listen on 127.0.0.1 port %d internal" % port,
            global_conf="") as d:
        d.secret("the internal secret", SECRET)
        unknown(d, port)
        key, secret = d.add_system()
        with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http):
            s = d.wait_session()["session"]
            token = d.rows("SELECT session_token FROM support_sessions "
                           "WHERE id = ?", s)[0][0]
            d.secret("a session's token", token)
            refusals(d, port, s, token)
            st, h, body = ask(port, "/api/proxy/%s/web/headers" % s,
                              token=token,
                              host="web--%s.%s" % (s.replace("-", ""),
                                                   DOMAIN))
            t.ok(st == 200 and SECRET.encode() not in body and
                 token.encode() not in body and
                 b"x-proxy-host" not in body.lower(),
                 "operator-55(partial): a page of the service, which sees "
                 "nothing of what the back end showed")
            codes = [ask(port, "/api/proxy/%s/web/headers" % s,
                         token=token)[0] for _ in range(420)]
            t.ok(set(codes) == {200, 429} and 190 <= codes.count(200) < 300,
                 "operator-54(partial): a session has so many requests a "
                 "minute, of both proxyds together (%d)" % codes.count(200))
finally:
    os.unlink(path)
t.done()
