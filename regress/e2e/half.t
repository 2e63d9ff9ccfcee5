#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Who closes its half of a connection behind a request that is whole has the
answer: old clients do, and scripts that use nc. So at the operator API, at that
of rendezvous, and for a service's pages, in TLS or not, and where another member
has the session. Who has gone altogether holds no stream."""

import hashlib
import http.server
import json
import re
import socket
import ssl
import tempfile
import threading

from certs import Authority, listener
from cluster import Cluster
from harness import DOMAIN, OurClient, Tap, Targets, free_port, until

t = Tap()


class Plain:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 60)

    def send(self, data):
        self.s.sendall(data)

    def half(self):
        self.s.shutdown(socket.SHUT_WR)

    def recv(self):
        return self.s.recv(65536)

    def close(self):
        self.s.close()


class Secure(Plain):
    """TLS, whose farewell goes in one direction."""

    def __init__(self, port, ca):
        super().__init__(port)
        self.to, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ssl.create_default_context(cafile=ca).wrap_bio(
            self.to, self.out, server_hostname=DOMAIN)
        self.step(self.tls.do_handshake)

    def flush(self):
        data = self.out.read()
        if data:
            self.s.sendall(data)

    def step(self, fn, *words):
        while True:
            try:
                r = fn(*words)
                self.flush()
                return r
            except ssl.SSLWantReadError:
                self.flush()
            part = self.s.recv(65536)
            if part:
                self.to.write(part)
            else:
                self.to.write_eof()

    def send(self, data):
        self.step(self.tls.write, data)

    def half(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()
        super().half()

    def recv(self):
        try:
            return self.step(self.tls.read, 65536)
        except ssl.SSLZeroReturnError:
            return b""

    def close(self):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self.flush()
        super().close()


class Named(http.server.BaseHTTPRequestHandler):
    """A service whose pages name it."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        page = b"<a href=\"http://panel.test/\">"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *words):
        pass


def whole(k, request):
    """What there is for a request whose client says no more: (status, fields,
    body), without the interim answers; or Nones."""
    k.send(request)
    k.half()
    got = b""
    while part := k.recv():
        got += part
    k.close()
    got = re.sub(rb"^(HTTP/1\.1 1\d\d[^\r]*\r\n([^\r]+\r\n)*\r\n)+", b"", got)
    head, sep, body = got.partition(b"\r\n\r\n")
    if not sep:
        return None, "", got
    if b"\r\nTransfer-Encoding: chunked" in head:
        body = unchunked(body)
    return int(head.split()[1]), head.decode("latin-1"), body


def unchunked(data):
    body = b""
    while True:
        n, _, data = data.partition(b"\r\n")
        n = int(n, 16)
        if n == 0:
            return body if data == b"\r\n" else None
        body += data[:n]
        data = data[n + 2:]


def asked(method, path, host=DOMAIN, fields="", body=b"", version="1.1"):
    text = "%s %s HTTP/%s\r\nHost: %s\r\n%s" % (method, path, version, host,
                                                fields)
    if body:
        text += "Content-Length: %d\r\n" % len(body)
    return text.encode() + b"\r\n" + body


def calls(dial, sid, token, what):
    auth = "Authorization: Bearer %s\r\n" % token
    one = "/api/support-sessions/" + sid
    st, _, body = whole(dial(), asked("GET", one, fields=auth))
    t.equal((st, sid in body.decode()), (200, True), "%s: a GET of the "
            "operator API is answered" % what)
    st, _, body = whole(dial(), asked(
        "POST", one + "/proxy-token", fields=auth +
        "Content-Type: application/json\r\n", body=b'{"service": "web"}'))
    env = json.loads(body or b"null")
    t.equal((st, "token" in ((env or {}).get("data") or {})), (200, True),
            "%s: a POST is, and what it has made is not lost" % what)
    st, _, body = whole(dial(), asked("GET", "/api/support-sessions",
                                      fields=auth))
    t.equal((st, sid in body.decode()), (200, True), "%s: the list of all "
            "members" % what)
    st, _, body = whole(dial(), (
        "POST %s/proxy-token HTTP/1.1\r\nHost: a\r\n%sContent-Length: 9\r\n"
        "\r\n{" % (one, auth)).encode())
    t.equal((st, b"ends too early" in body), (400, True),
            "%s: half a body is a 400 that says so" % what)
    st, _, body = whole(dial(), asked("POST", "/admin/sessions", body=b"{}"))
    t.equal((st, "id" in json.loads(body or b"{}")), (201, True),
            "%s: a relay session is made, and named" % what)
    relay = "/admin/sessions/" + json.loads(body)["id"]
    t.equal(whole(dial(), asked("GET", relay))[0], 200, "%s: shown" % what)
    t.equal(whole(dial(), asked("DELETE", relay))[0], 204,
            "%s: and closed" % what)


def pages(dial, host, cookie, what):
    c = "Cookie: %s\r\n" % cookie
    st, _, body = whole(dial(), asked("GET", "/bytes?n=10&seed=3", host, c))
    t.equal((st, len(body)), (200, 10), "%s: a small page" % what)
    for path in "/bytes", "/chunked":
        st, head, body = whole(dial(), asked(
            "GET", path + "?n=3000000&seed=3", host, c))
        sum = re.search(r"(?i)\r\nX-SHA256: (\w+)", head)
        t.equal((st, hashlib.sha256(body).hexdigest()),
                (200, sum and sum[1]), "%s: 3 MB of %s" % (what, path))
    st, _, body = whole(dial(), asked("GET", "/bytes?n=10", host, c,
                                      version="1.0"))
    t.equal((st, len(body)), (200, 10), "%s: HTTP/1.0" % what)
    st, _, body = whole(dial(), asked("GET", "/slow?ms=700&n=3", host, c))
    t.equal((st, body.count(b"line")), (200, 3), "%s: a slow one" % what)
    data = b"u" * 300000
    st, _, body = whole(dial(), asked("POST", "/sha", host, c, data))
    t.equal((st, hashlib.sha256(data).hexdigest() in body.decode()),
            (200, True), "%s: an upload" % what)
    st, _, body = whole(dial(), asked("GET", "/", host.replace(
        "web--", "named--"), c))
    t.equal((st, body), (200, b"<a href=\"http://%s/\">" % host.replace(
        "web--", "named--").encode()),
            "%s: a page that is held and rewritten" % what)
    k = dial()
    one = asked("GET", "/bytes?n=10&seed=3", host, c)
    k.send(one + one + one[:-9])
    k.half()
    got = b""
    while part := k.recv():
        got += part
    k.close()
    t.equal(got.count(b" 200 OK"), 2, "%s: two in one go, and not the half "
            "one behind them" % what)


def goes(dial, d, host, cookie, what):
    """Nothing of it stays."""
    host = host.replace("web--", "lone--")

    def streams():
        return sum(int(x["streams"]) for x in d.ctl("show", "streams")
                   if x["service"] == "lone")
    k = dial()
    k.send(asked("GET", "/never", host, "Cookie: %s\r\n" % cookie))
    until(lambda: streams() > 0, "a stream")
    k.close()
    until(lambda: streams() == 0, "its end")
    t.ok(True, "%s: who goes before there is an answer takes its stream "
         "along" % what)


def cluster(tls, ca, targets, named):
    ports = {n: free_port() for n in "ab"}
    own = {n: listener(ports[n], ca.make("own-" + n, [DOMAIN, "*." + DOMAIN]))
           + "\ntlsd 1\n" for n in "ab"}
    with Cluster(t, "ab", conf="relay {\n\tno auth\n}\n", own=own,
                 tls=tls) as c:
        a = c["a"]
        c.wait_seen(a, "ab")
        c.wait_seen(c["b"], "ab")
        key, secret = a.add_system()
        token = a.token()
        with OurClient(a, key, secret, "web=127.0.0.1:%d,"
                       "lone=127.0.0.1:%d,named=127.0.0.1:%d:host=panel.test"
                       % (targets.http, targets.http, named)):
            sid = a.wait_session()["session"]
            cookie = a.cookie(sid, token)
            for name in "ab":
                d = c[name]
                where = "" if name == "a" else ", by a member without TLS" \
                    if not tls else ", by a member with TLS"
                host = a.proxy_host(sid)
                for what, dial in (
                        ("plain", lambda: Plain(d.port)),
                        ("TLS", lambda: Secure(ports[name], ca.file))):
                    calls(dial, sid, token, what + where)
                    pages(dial, host, cookie, what + where)
                    goes(dial, a, host, cookie, what + where)


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    ca = Authority(tmp)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Named)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for tls in False, True:
        cluster(tls, ca, targets, server.server_address[1])
    server.shutdown()
t.done()
