#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An existing back end on a listener marked internal: it shows the secret that
it shares with relayd and the token of a session, which it reads in the store."""

import http.client
import json
import os
import re
import socket

import openapi
from harness import (DOMAIN, SRC, GoClient, Relayd, Tap, Targets, WebSocket,
                     free_port, until)

t = Tap()
SECRET = "shared-with-the-back-end"
DOCUMENT = openapi.Document(os.path.join(SRC, "doc",
                                         "openapi-internal.yaml"))
wrong = []


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
        body = r.read()
        if re.match("/api/(proxy/[^/]+/services|terminal/[^/]+|health)$",
                    path) and port == inside:
            wrong.extend(DOCUMENT.wrong(method, path, r.status, r.headers,
                                        body))
        return r.status, r.headers, body
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
            ("neither id nor token", "/api/proxy/", SECRET, None,
             (400, b"session id required")),
            ("neither a session nor a token", "/api/proxy/%s/web/" % other,
             SECRET, None, (403, b"session token required")),
            ("no session and a wrong token", "/api/proxy/%s/web/" % other,
             SECRET, "0" * 64, (403, b"invalid session")),
            ("no id", "/api/proxy//web/headers", SECRET, token,
             (400, b"session id required")),
            ("no token", at, SECRET, None,
             (403, b"session token required")),
            ("no session of that id", "/api/proxy/%s/web/" % other, SECRET,
             token, (403, b"invalid session")),
            ("no id that can be", "/api/proxy/x/web/", SECRET, token,
             (403, b"invalid session")),
            ("a wrong token", at, SECRET, "0" * 64, (403, b"forbidden")),
            ("a wrong token, and the id in another spelling", "/api/proxy/"
             "%s/web/" % sid.replace("-", "%2d"), SECRET, "0" * 64,
             (403, b"forbidden")),
            ("a shorter one", at, SECRET, token[:-1], (403, b"forbidden")),
            ("no session token for a list", "/api/proxy/%s/services" % sid,
             SECRET, None, (403, b"session token required")),
            ("a list with a wrong token", "/api/proxy/%s/services" % sid,
             SECRET, "0" * 64, (403, b"forbidden")),
            ("no id of a terminal", "/api/terminal/", SECRET, token,
             (400, b"session id required")),
            ("a terminal with a wrong secret", "/api/terminal/" + sid,
             "x" + SECRET[1:], token, (403, b"forbidden")),
            ("a terminal without a token", "/api/terminal/" + sid, SECRET,
             None, (403, b"session token required")),
            ("a terminal of another session", "/api/terminal/" + other,
             SECRET, token, (403, b"invalid session")),
            ("a terminal with a wrong token", "/api/terminal/" + sid, SECRET,
             "0" * 64, (403, b"forbidden")),
            ("no upgrade to a terminal", "/api/terminal/" + sid, SECRET,
             token, (400, b'{"error":"websocket upgrade required"}')),
            ("something below a terminal", "/api/terminal/%s/x" % sid, SECRET,
             token, (404, b"api not found")),
            ("no name of a service", "/api/proxy/%s/.x/" % sid, SECRET,
             token, (400, b"invalid service name")),
            ("no such service", "/api/proxy/%s/nobody/" % sid, SECRET, token,
             (404, b"service not found"))):
        st, _, body = ask(port, path, secret, tok)
        t.ok(st == want[0] and want[1] in body,
             "operator-54(partial): %s: %d %s" % (what, st,
                                                  want[1].decode()))
    for path in at, "/api/proxy/%s/services" % sid, "/api/terminal/" + sid:
        st, _, body = ask(d.port, path, SECRET, token)
        t.equal(st, 404, "operator-54(partial): nothing of it on a public "
                "listener: " + path)
    st, _, _ = ask(port, "/api/support-sessions", SECRET, token)
    t.equal(st, 404, "and nothing else on an internal one")


def services(port, sid, token):
    at = "/api/proxy/%s/services" % sid
    st, _, body = ask(port, at, token=token)
    env = json.loads(body)
    t.ok((st, env["code"], env["message"]) ==
         (200, 200, "services retrieved successfully") and
         sorted(env["data"]["services"]) == ["web"] and
         env["data"]["services"]["web"]["target"].startswith("127.0.0.1:"),
         "operator-54(partial): the list of services")
    st, _, body = ask(port, at, token=token, method="HEAD")
    t.equal((st, body), (200, b""), "the head of it")
    st, h, _ = ask(port, at, token=token, method="DELETE")
    t.equal((st, h["Allow"]), (405, "GET, HEAD"), "it is only read")


def terminal(port, sid, token=None, secret=SECRET, **more):
    h = {"X-Internal-Secret": secret, "X-Session-Token": token or ""}
    h.update(more)
    s = socket.create_connection(("127.0.0.1", port), 60)
    return WebSocket(s, "127.0.0.1:%d" % port,
                     "/api/terminal/" + sid, h)


def terminals(d, port, sid, token):
    w = terminal(port, sid, token, Origin="https://console.test")
    t.equal((w.status, w.body()), (403, b'{"error":"origin not allowed"}'),
            "operator-54(partial): a terminal for an Origin")
    w.close()
    w = terminal(port, sid, token)
    t.equal(w.status, 101, "operator-55(partial): a terminal")
    w.send(b"\1" + b'{"cols":80,"rows":24}')
    w.send(b"\0echo up-$((1+1))\r")
    w.recv_until(rb"up-2")
    w.send(b"\0exit\r")
    code, _, _ = w.recv_close()
    t.equal(code, 1000, "operator-55(partial): its frames, and its end")
    w.close()
    row = until(lambda: d.rows(
        "SELECT operator_id, disconnected_at IS NOT NULL FROM "
        "support_access_logs WHERE access_type = 'web_terminal' AND "
        "session_id = ? AND disconnected_at IS NOT NULL", sid), "its row")
    t.equal((len(row), row[0][0]), (1, "internal"), "and its row in the log")


def crowd(port, sid, token):
    """More than the tunnel has streams for, of which a page has one."""
    page = socket.create_connection(("127.0.0.1", port), 60)
    page.sendall(("GET /api/proxy/%s/web/slow?ms=20&n=3000 HTTP/1.1\r\n"
                  "Host: x\r\nX-Internal-Secret: %s\r\n"
                  "X-Session-Token: %s\r\n\r\n" % (
                      sid, SECRET, token)).encode())
    page.recv(4096)
    n, open_, body = 0, [], None
    while n < 70 and body is None:
        n += 1
        w = terminal(port, sid, token)
        open_.append(w)
        if w.status != 101:
            body = w.body()
    t.equal((n, w.status, json.loads(body or b"null")), (64, 429, {
        "error": "too many concurrent streams on this tunnel"}),
            "operator-54(partial): one terminal more than there may be")
    for w in open_:
        w.close()
    page.close()


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


inside = port = free_port()
path = os.path.join("/tmp", "relayd-internal-%d" % os.getpid())
LATER = 'internal secret file "%s"\ninternal rate 600\n' % path
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
            st, h, body = ask(port, "/api/proxy/%s/web/echo" % s,
                              token=token,
                              host="web--%s.%s" % (s.replace("-", ""),
                                                   DOMAIN))
            seen = json.loads(body)["headers"]
            t.ok(st == 200 and "X-Request-Id" in seen and not [
                n for n in seen if n in (
                    "X-Internal-Secret", "X-Session-Token", "X-Proxy-Host")]
                 and SECRET.encode() not in body and
                 token.encode() not in body,
                 "operator-37: a service sees nothing of what the back end "
                 "showed: %s" % ", ".join(seen))
            services(port, s, token)
            terminals(d, port, s, token)
            crowd(port, s, token)
            codes = [ask(port, "/api/proxy/%s/web/headers" % s,
                         token=token)[0] for _ in range(1400)]
            t.ok(set(codes) == {200, 429} and 400 <= codes.count(200) < 700,
                 "operator-54(partial): a session has so many requests a "
                 "minute, of both proxyds together (%d)" % codes.count(200))
            t.ok(until(lambda: d.rows(
                "SELECT 1 FROM audit_events WHERE action = 'request' AND "
                "outcome = 'refused' AND reason = 'too many calls'"),
                "the audit event"), "what goes beyond is in the audit log")
            for at in "/api/proxy/%s/services" % s, "/api/terminal/" + s:
                st, h, body = ask(port, at, token=token)
                t.ok(st == 429 and int(h["Retry-After"]) > 0 and b"too many "
                     b"requests for this session" in body,
                     "operator-54(partial): %s counts, too" %
                     at.split("/")[2])
            st, _, body = ask(port, "/api/proxy/%s/web/headers" % s,
                              token="0" * 64)
            t.equal((st, b"forbidden" in body), (403, True),
                    "operator-54: and a stranger hears of no rate: each refusal "
                    "in its order, on internal listeners alone")
            d.move_clock(61000)
        until(lambda: ask(port, "/api/proxy/%s/services" % s,
                          token=token)[0] == 404, "it to be away")
        t.ok(True, "operator-54(partial): without a tunnel no list")
        w = terminal(port, s, token)
        t.equal((w.status, w.body()), (404, b'{"error":"tunnel not found for '
                                       b'session"}'),
                "operator-54(partial): nor a terminal")
        w.close()
        st, _, body = ask(port, "/api/health")
        t.equal(st, 200, "health")
        t.equal(sorted(set(wrong)), [], "every answer is as "
                "doc/openapi-internal.yaml says")
finally:
    os.unlink(path)
t.done()
