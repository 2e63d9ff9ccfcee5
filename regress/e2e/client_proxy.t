#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""tunnel-client through forward proxies: a real one (tinyproxy), with and
without a password and TLS, and one that says what no real one says."""

import base64
import os
import shutil
import socket
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import (KEY, SECRET, Client, Target, Tinyproxy, Watched,
                        authority, certificate, echo, join, pump)
from harness import Tap, free_port, until
from tunnelserver import PING, Server

t = Tap()


def goes_through(c, s, what):
    u = s.tunnel()
    u.document(b'{"version"')
    st = u.open(b"CONNECT echo\n")
    data = os.urandom(512 * 1024)
    t.equal(st.line(), b"OK\n", what)
    for i in range(0, len(data), 65536):
        st.send(data[i:i + 65536])
    t.ok(st.take(len(data)) == data, "512 KiB there and back")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)


def fails(c, pattern, what):
    t.match(c.err.wait("cannot connect to .*").string, pattern, what)
    t.equal(c.stop(), 0, "exit 0")
    c.clean(t)


BASIC = base64.b64encode((KEY + ":" + SECRET).encode())

with tempfile.TemporaryDirectory() as d, Target(echo) as e:
    authority(d)
    server_tls, _ = certificate(d, "server", "DNS:relay.example")
    proxy_tls, _ = certificate(d, "proxy", "DNS:proxy.example")
    # Only the proxy finds the server: by a name that stands for loopback.
    with open(d + "/hosts", "w") as f:
        f.write("192.0.2.1 relay.example\n127.0.0.1 proxy.example\n")
    env = {"TUNNEL_CLIENT_HOSTS": d + "/hosts", "CA_FILE": d + "/ca.pem"}
    services = "echo=127.0.0.1:%d" % e.port

    def client(s, proxy, *flags, **more):
        return Client(s, "-u", "wss://relay.example:%d/api/tunnel" % s.port,
                      *flags, services=services, env=dict(
                          env, HTTPS_PROXY=proxy, **more))

    def stand_in(answer, context=None):
        """A proxy that reads a request and says `answer`."""
        def serve(s):
            seen = b""
            while b"\r\n\r\n" not in seen:
                data = s.recv(4096)
                if not data:
                    return
                seen += data
            heads.append(seen)
            s.sendall(answer)
            while s.recv(4096):
                pass
        return Target(serve, context)

    def to_server(s, context=None):
        """A proxy that opens its way wherever it is asked to go."""
        def serve(c):
            head = c.recv(4096)
            heads.append(head)
            with socket.create_connection(("127.0.0.1", s.port)) as up:
                c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"
                          b"HTTP/1.1 200 Connection established\r\n"
                          b"X-A: b\r\n\r\n")
                join(c, up)
        return Target(serve, context)

    # ---- a stand-in: every byte of the request ----

    heads = []
    with Server(server_tls) as s, to_server(s) as p:
        c = client(s, "http://us%%40er:pa:ss@127.0.0.1:%d" % p.port)
        goes_through(c, s, "through a proxy by HTTPS_PROXY")
        lines = heads[0].decode().split("\r\n")
        t.equal(lines[:2], ["CONNECT relay.example:%d HTTP/1.1" % s.port,
                            "Host: relay.example:%d" % s.port],
                "CONNECT with the server's name, which the proxy looks up")
        t.equal([x for x in lines if x.startswith("Proxy-A")],
                ["Proxy-Authorization: Basic " +
                 base64.b64encode(b"us@er:pa:ss").decode()],
                "user and password of its address")
        t.ok("Authorization: Basic " + BASIC.decode() not in lines,
             "and not those of the server")
        t.ok("pa:ss" not in c.err.text(), "no password in the log")

    def pings(u):
        return sum(1 for f in u.frames if f[0] == PING)

    # What the proxy's TLS has read and the server's has not asked for yet is
    # in no socket: nobody but the client itself can tell it of that.
    held, lump = threading.Event(), [b""]

    def in_lumps(s):
        def serve(c):
            c.recv(4096)
            with socket.create_connection(("127.0.0.1", s.port)) as up:
                c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                threading.Thread(target=pump, args=(c, up, []),
                                 daemon=True).start()
                while True:
                    data = up.recv(65536)
                    if not data:
                        return
                    lump[0] += data
                    if not held.is_set():
                        c.sendall(lump[0])
                        lump[0] = b""
        return Target(serve, proxy_tls)

    with Server(server_tls) as s, in_lumps(s) as p:
        c = client(s, "https://proxy.example:%d" % p.port)
        u = s.tunnel()
        u.document(b'{"version"')
        u.hold = True               # nothing but what is said here
        st = u.open(b"CONNECT echo\n")
        t.equal(st.line(), b"OK\n", "TLS in TLS")
        held.set()
        before = pings(u)
        start = len(lump[0])
        for i in range(11):         # 256 bytes each, of 2048 that are read
            st.send(b"x" * 240)
        until(lambda: len(lump[0]) - start > 11 * 256, "the frames")
        held.clear()
        st.send(b"x" * 240)
        t.equal(len(st.take(12 * 240)), 12 * 240, "records in one record")
        t.equal(pings(u), before,
             "all of them at once, and not with an answer to a ping")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)

    for answer, want in (
            (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n"
             b"Content-Length: 0\r\n\r\n",
             r"through 127.0.0.1:\d+: proxy: it wants a user and a password "
             r"\(407 Who\)"),
            (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\n"
             b"Proxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
             "it takes no Basic"),
            (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\n"
             b"Proxy-Authenticate: basic realm=x\r\nContent-Length: 0\r\n\r\n",
             "give them in its address"),
            (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
             r"proxy: it does not let us go there \(403 No\); its rules"),
            (b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n",
             r"proxy: it cannot reach the server \(502 Bad\); does it know"),
            (b"HTTP/1.1 503 X\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n",
             r"proxy: it cannot reach the server \(503 X\); does it know"),
            (b"HTTP/1.0 200 OK\r\n\r\nmore",
             "proxy: it says something of its own"),
            (b"HTTP/1.0 302 Away\r\n\r\n",
             r"proxy: it does not connect us \(302 Away\)"),
            (b"HTTP/1.0 200 \x1b[31m\r\n\r\n",
             "proxy: bad answer: control character"),
            (b"SSH-2.0-x\r\n\r\n", "proxy: bad answer: "),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 17000 + b"\r\n\r\n",
             "proxy: the answer's head is too long")):
        with Server(server_tls) as s, stand_in(answer) as p:
            fails(client(s, "http://127.0.0.1:%d" % p.port), want,
                  "%r" % answer[:40])
    with Server(server_tls) as s, Target(lambda x: x.recv(4096)) as p:
        fails(client(s, "http://127.0.0.1:%d" % p.port),
              "proxy: it closed the connection", "it hangs up")
    with Server(server_tls) as s:
        fails(client(s, "http://127.0.0.1:%d" % free_port()),
              "proxy: Connection refused; nothing listens there",
              "nobody is there")
    with Server(server_tls) as s, Target(lambda x: s.l.accept()) as p:
        c = client(s, "http://127.0.0.1:%d" % p.port, move_ms=10000)
        until(lambda: p.count, "the connection")
        c.move()
        fails(c, "proxy: no answer within 10 s", "it says nothing")

    # The server behind it is checked as ever.
    with Server(proxy_tls) as s, to_server(s) as p:
        c = client(s, "http://127.0.0.1:%d" % p.port)
        s.request()
        fails(c, "TLS: certificate refused: hostname mismatch",
              "a server of another name behind the proxy")

    # ---- who is exempt, and what never goes there ----

    heads = []
    with Server() as s, stand_in(b"HTTP/1.1 200 OK\r\n\r\n") as p:
        for flags, more in ((["--proxy", "http://127.0.0.1:%d" % p.port], {}),
                            ([], {"ALL_PROXY": "http://127.0.0.1:%d" %
                                  p.port})):
            c = Client(s, *flags, env=more)
            u = s.tunnel()
            u.document(b'{"version"')
            u.close(4000)
            u.drop()
            t.equal((c.wait(), p.count), (0, 0), "loopback: no proxy, %s" %
                    (flags[:1] or list(more)))
        with open(d + "/hosts2", "w") as f:
            f.write("127.0.0.1 relay.example\n")
        c = Client(s, "--allow-plain", "-u", "ws://relay.example:%d/" % s.port,
                   "--proxy", "http://127.0.0.1:%d" % p.port,
                   env={"TUNNEL_CLIENT_HOSTS": d + "/hosts2"})
        u = s.tunnel()
        u.document(b'{"version"')
        t.ok(c.err.wait("no proxy for ws://") and p.count == 0,
             "key and secret in clear are not for a proxy")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)
    with Server(server_tls) as s, stand_in(b"") as p:
        c = client(s, "http://127.0.0.1:%d" % p.port, NO_PROXY=".example",
                   TUNNEL_CLIENT_HOSTS=d + "/hosts2")
        goes_through(c, s, "NO_PROXY: straight to the server")
        t.equal(p.count, 0, "nobody asks the proxy")
    c = Client(None, "--ca-file", d + "/hosts", "-u", "wss://relay.example/",
               env={"SYSTEM_KEY": KEY, "SYSTEM_SECRET": SECRET}, bare=True)
    t.equal(c.wait(), 1, "--ca-file without certificates: exit 1")
    t.ok(c.err.wait("hosts: no certificates can be read there"), "and why")

    # ---- a real one ----

    if shutil.which("tinyproxy") is None:
        t.skip("no tinyproxy", "through tinyproxy")
        t.done()
        sys.exit(0)
    with open(d + "/hosts", "w") as f:
        f.write("127.0.0.1 proxy.example\n")

    # It asks the system's resolver, which knows this host by its name.
    name = socket.gethostname()
    local, _ = certificate(d, "local", "DNS:" + name)
    try:
        known = socket.gethostbyname(name)
    except OSError:
        known = None
    if known is None:
        t.skip("this host's name has no address", "through tinyproxy")
        t.done()
        sys.exit(0)

    class Anywhere(Server):
        """A server on the address that the host's name stands for."""

        def __init__(self, context):
            super().__init__(context)
            self.l.close()
            self.l = socket.create_server((known, 0))
            self.l.settimeout(30)
            self.port = self.l.getsockname()[1]

    def real(s, proxy, host=name):
        return Client(s, "-u", "wss://%s:%d/api/tunnel" % (host, s.port),
                      "--proxy", proxy, services=services, env=env)

    with Tinyproxy(d) as x, Watched(x.port) as w, Anywhere(local) as s:
        goes_through(real(s, "http://proxy.example:%d" % w.port), s,
                     "through tinyproxy")
        seen = b"".join(w.seen)
        t.ok(b"CONNECT " in seen and BASIC not in seen and
             SECRET.encode() not in seen and KEY.encode() not in seen,
             "which sees neither key nor secret in %d bytes" % len(seen))
        fails(real(s, "http://proxy.example:%d" % x.port, "no.invalid"),
              r"through proxy.example:\d+: proxy: it cannot reach the server "
              r"\(50\d .*\); does it know the name",
              "a name that tinyproxy does not know")
    with Tinyproxy(d, "BasicAuth user pass.word") as x, Anywhere(local) as s:
        goes_through(real(s, "http://user:pass%%2Eword@127.0.0.1:%d" % x.port),
                     s, "with user and password")
        fails(real(s, "http://127.0.0.1:%d" % x.port),
              r"proxy: it wants a user and a password \(407 .*give them",
              "without")
        c = real(s, "http://user:wrong@127.0.0.1:%d" % x.port)
        fails(c, r"proxy: it refuses user and password \(40[17] ",
              "with a wrong one")
        t.ok("wrong" not in c.err.text(), "which is not in the log")
    with Tinyproxy(d, "ConnectPort 1") as x, Anywhere(local) as s:
        fails(real(s, "http://127.0.0.1:%d" % x.port),
              r"proxy: it does not let us go there \(403 ",
              "a port that its rules forbid")
    with Tinyproxy(d) as x, Watched(x.port, proxy_tls) as w, \
            Anywhere(local) as s:
        goes_through(real(s, "https://proxy.example:%d" % w.port), s,
                     "TLS to the proxy, TLS to the server in it")
        fails(real(s, "https://127.0.0.1:%d" % w.port),
              "proxy: TLS: certificate refused: IP address mismatch",
              "a proxy of another name")
    with Server(server_tls) as s, Target(lambda x: x.sendall(
            x.recv(4096)[:0] + b"HTTP/1.1 400 Bad\r\n\r\n")) as p:
        fails(client(s, "https://127.0.0.1:%d" % p.port), "proxy: TLS: wrong "
              "version number; is it http:// that is spoken there",
              "a proxy without TLS")
t.done()
