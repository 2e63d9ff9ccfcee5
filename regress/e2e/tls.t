#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""TLS of our own: handshakes, certificates by name, tickets, everything that
goes through without TLS, and what others are refused."""

import hashlib
import http.client
import os
import socket
import ssl
import subprocess
import tempfile

from certs import Authority, listener
from harness import (DOMAIN, GoClient, OurClient, Relayd, Tap, Targets,
                     WebSocket, free_port, until)

t = Tap()


def context(ca=None, version=None, alpn=("http/1.1",)):
    c = ssl.create_default_context(cafile=ca)
    if version:
        c.minimum_version = c.maximum_version = version
    if alpn:
        c.set_alpn_protocols(alpn)
    return c


def connect(ctx, port, name=DOMAIN, source="127.0.0.1", session=None):
    s = socket.create_connection(("127.0.0.1", port), 20,
                                 source_address=(source, 0))
    return ctx.wrap_socket(s, server_hostname=name, session=session,
                           suppress_ragged_eofs=False)


def refused(ctx, port, name=DOMAIN):
    """Why there is no connection, or "" where there is one."""
    try:
        connect(ctx, port, name).close()
    except OSError as e:
        return str(e)
    return ""


def shown(ctx, port, name):
    """The number of the certificate that is shown for a name."""
    with connect(ctx, port, name) as s:
        return int(s.getpeercert()["serialNumber"], 16)


class TLS(Relayd):
    """All that the harness asks goes through TLS."""

    def start(self):
        super().start()
        self.plain, self.port = self.port, self.tls_port

    def connect(self):
        return connect(context(self.ca), self.tls_port)

    def request(self, method, path, host=None, headers=None, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.tls_port)
        c.sock = self.connect()
        h = {"Host": host or DOMAIN}
        h.update(headers or {})
        try:
            c.request(method, path, body=body, headers=h)
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        self._note(h, r)
        return r.status, r.headers, data


def s_client(port, *words, data=""):
    r = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" %
                        port, "-servername", DOMAIN] + list(words),
                       input=data, capture_output=True, text=True, timeout=30)
    return r.stdout + r.stderr


def test_names(d, ctx, port):
    t.equal(shown(ctx, port, DOMAIN), 1, "a whole name before a wildcard")
    t.equal(shown(ctx, port, "web." + DOMAIN), 2, "a wildcard")
    t.equal(shown(ctx, port, "other.example"), 4, "another one's name")
    none = context(d.ca)
    none.check_hostname = False
    t.equal(shown(none, port, "nobody.example"), 1, "a name that nobody has "
            "gets the first")
    t.match(refused(ctx, port, "a.web." + DOMAIN), "Hostname mismatch",
            "a wildcard is for one label")
    old = context(d.ca, ssl.TLSVersion.TLSv1_2)
    old.set_ciphers("ECDHE+aRSA")
    t.equal(shown(old, port, "web." + DOMAIN), 3, "who knows RSA alone gets "
            "RSA")


def test_versions(d, port):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with connect(context(d.ca, version), port) as s:
            t.equal(s.selected_alpn_protocol(), "http/1.1", "%s, ALPN" %
                    s.version())
    t.equal(refused(context(d.ca, alpn=None), port), "", "no ALPN is well")
    t.match(refused(context(d.ca, alpn=["h2"]), port), "no application protocol",
            "h2 alone is refused")
    with connect(context(d.ca, alpn=["h2", "http/1.1"]), port) as s:
        t.equal(s.selected_alpn_protocol(), "http/1.1", "h2 or http/1.1")
    t.match(s_client(port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
            "alert protocol version|no protocols", "no TLS 1.1")
    t.match(s_client(port, "-tls1_2", "-cipher", "AES256-GCM-SHA384"),
            "alert handshake failure", "no RSA key exchange")
    t.match(s_client(port, "-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"),
            "alert handshake failure", "no DHE")
    t.match(s_client(port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:"
                     "ECDHE-RSA-AES128-SHA256"), "alert handshake failure",
            "no CBC")
    t.match(s_client(port, "-tls1_2", data="R\n"), "no renegotiation",
            "a client does not renegotiate")
    t.match(s_client(port, "-curves", "P-521"), "alert handshake failure",
            "no curve in common")
    # One that asks for another group first is asked to say it again.
    t.match(s_client(port, "-curves", "P-521:P-256"), "Verif", "HelloRetry")
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            said = s.recv(100)
        except ConnectionResetError:
            said = b""
        t.ok(b"HTTP" not in said, "no TLS, no answer")


def test_tickets(d, port):
    """Two tlsds share the connections, and the keys."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        ctx = context(d.ca, version)

        def talk(session=None):
            with connect(ctx, port, session=session) as s:
                s.sendall(b"GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" %
                          DOMAIN.encode())
                s.recv(1)       # TLS 1.3 sends its tickets after the handshake
                return s.session_reused, s.session
        session = talk()[1]
        t.equal([talk(session)[0] for i in range(16)], [True] * 16,
                "%s: a ticket is good with every tlsd" % version.name)
        d.move_clock(3600 * 1000)
        until(lambda: talk(session)[0], "it is good with the key before")
        d.move_clock(2 * 3600 * 1000)
        d.move_clock(3600 * 1000)
        until(lambda: not talk(session)[0], "and not for ever")


def test_through(d, targets, port):
    key, secret = d.add_system("box")
    with OurClient(d, key, secret, "web=127.0.0.1:%d,echo=127.0.0.1:%d:tcp" %
                   (targets.http, targets.echo), ["--ca-file", d.ca], {
                       "SUPPORT_URL": "wss://%s:%d/api/tunnel" %
                       ("localhost", port)}) as c:
        s = d.wait_session()
        token = d.token()
        sid = s["session"]
        cookie = d.cookie(sid, token)
        t.ok(True, "a tunnel by wss, an API call and a token by https")
        st, h, data = d.via(sid, cookie, "/bytes?n=20000000")
        t.equal((st, len(data)), (200, 20000000), "20 MB come")
        body = os.urandom(3000000)
        st, h, data = d.via(sid, cookie, "/sha", "POST", body=body)
        t.match(data.decode(), hashlib.sha256(body).hexdigest(), "3 MB go")
        w = d.terminal(sid, d.ticket(sid, token))
        w.send(b"\0echo up-$((1+1))\r")
        w.recv_until(rb"up-2")
        t.ok(True, "a terminal")
        w.close()
        w = d.tcp_open(sid, "echo", token)
        w.send(b"there and back")
        t.equal(w.recv_bytes(14), b"there and back", "TCP")
        w.close()
        # What is one answer's end, and what is not.
        with connect(context(d.ca), port) as s:
            s.sendall(("GET /nolength HTTP/1.0\r\nHost: %s\r\nCookie: %s\r\n"
                       "\r\n" % (d.proxy_host(sid), cookie)).encode())
            got = b""
            while True:
                part = s.recv(65536)
                if not part:
                    break
                got += part
            t.match(got.decode("latin-1"), "200", "an answer that ends with "
                    "its connection ends with TLS's farewell")


def test_address(d, port):
    """Whom proxyd takes it for."""
    with connect(context(d.ca), port, source="127.0.0.7") as s:
        s.sendall(b"GET /api/systems HTTP/1.1\r\nHost: %s\r\nAuthorization: "
                  b"Bearer x\r\nConnection: close\r\n\r\n" % DOMAIN.encode())
        t.match(s.recv(65536).decode(), " 401 ", "a bad token")
    t.ok(d.log.wait(r"authd.*127\.0\.0\.7: systems refused: invalid token"),
         "is refused by the client's own address")


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    ca = Authority(tmp)
    port = free_port()
    wild = ["*." + DOMAIN, "localhost"]
    certs = [ca.make("one", [DOMAIN]), ca.make("wild", wild),
             ca.make("wild-rsa", wild, "rsa"),
             ca.make("other", ["other.example"], "p384")]
    TLS.ca, TLS.tls_port = ca.file, port
    with TLS(t, front=port, listeners=listener(port, *certs),
             global_conf="tlsd 2") as d:
        test_names(d, context(ca.file), port)
        test_versions(d, port)
        test_address(d, port)
        test_through(d, targets, port)
        test_tickets(d, port)
t.done()
