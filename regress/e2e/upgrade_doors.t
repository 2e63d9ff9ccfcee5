#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Whoever is at a door when the program is replaced gets in: those who are
waiting to be accepted, those half-way through a handshake or a request, and all
who come meanwhile. Nobody is reset."""

import base64
import os
import shutil
import signal
import socket
import ssl
import tempfile

import harness
import storm
from certs import Authority, listener
from harness import DOMAIN, WAIT, Relayd, Tap, free_port, until
from storm import HEAD, Storm, answer
from upgrades import programs, upgrade

TIMES = 3
WAITING = 60

t = Tap()
tmp = tempfile.mkdtemp(prefix="relayd-doors-")
place = os.path.join(tmp, "programs")
os.makedirs(place)
os.chmod(tmp, 0o755)
programs(harness.BUILD, place)
ca = Authority(tmp)
trusting = ssl.create_default_context(cafile=ca.file)
tls_port = free_port()


def plain():
    return storm.plain(d.port)


def encrypted():
    return storm.encrypted(tls_port, trusting)


def old(role):
    return [p for p in d.processes(role) if p["program"] == "old"]


def tls_half():
    """A client whose hello is on its way in two pieces."""
    s = socket.create_connection(("127.0.0.1", tls_port), WAIT)
    s.settimeout(WAIT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    c = trusting.wrap_bio(incoming, outgoing, server_hostname=DOMAIN)
    try:
        c.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    s.sendall(hello[:20])
    return s, c, incoming, outgoing, hello[20:]


def tls_rest(s, c, incoming, outgoing, rest):
    s.sendall(rest)
    while True:
        try:
            c.do_handshake()
            break
        except ssl.SSLWantReadError:
            s.sendall(outgoing.read())
            part = s.recv(65536)
            if not part:
                return b"closed"
            incoming.write(part)
    c.write(HEAD)
    s.sendall(outgoing.read())
    got = b""
    while b"\r\n" not in got:
        try:
            got += c.read(65536)
        except ssl.SSLWantReadError:
            incoming.write(s.recv(65536))
    return got.split(b"\r\n")[0]


# Without a watchdog the processes that are stopped here stay.
os.environ["RELAYD_TEST_NO_WATCHDOG"] = "1"
chain = ca.make("web", [DOMAIN])

with Relayd(t, build=place, verbose=False, listeners=listener(tls_port, chain),
            global_conf="drain time 5s") as d:
    # As fast as they can, before, during and after.
    for connect, name in ((plain, "plain"), (encrypted, "TLS")):
        wind = Storm(connect)
        until(lambda: wind.n > 20, "connections")
        for i in range(TIMES):
            upgrade(t, d, "%s, time %d" % (name, i + 1))
            until(lambda: not old("proxyd"), "the old doors to have gone")
        n = wind.n
        until(lambda: wind.n > n + 20, "connections behind it")
        wind.stop()
        t.equal(wind.wrong[:5], [], "%s: none of those who connect meanwhile "
                "is reset or refused" % name)
        t.diag("%d connections" % wind.n)

    # Half-way.
    key, secret = d.add_system("box")
    auth = base64.b64encode(("%s:%s" % (key, secret)).encode()).decode()
    ws = ("GET /api/tunnel HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
          "Authorization: Basic %s\r\n\r\n" % (DOMAIN, auth)).encode()
    request, tunnel, hello = plain(), plain(), tls_half()
    request.sendall(HEAD[:30])
    tunnel.sendall(ws[:60])
    upgrade(t, d, "half-way")
    request.sendall(HEAD[30:])
    t.match(answer(request).decode(), "^HTTP/1.1 200 ",
            "half a request: its rest is answered")
    tunnel.sendall(ws[60:])
    t.match(tunnel.recv(4096).decode("latin-1"), "^HTTP/1.1 101 ",
            "half a WebSocket handshake: it becomes a tunnel")
    t.match(tls_rest(*hello).decode(), "^HTTP/1.1 200 ",
            "half a hello: TLS, and an answer")
    request.close()
    tunnel.close()
    hello[0].close()
    until(lambda: not old("proxyd") and not old("tlsd"), "the old ones to go")

    # Nobody has accepted them, and the one whose doors they wait at hangs.
    hang = [int(p["pid"]) for role in ("proxyd", "tlsd")
            for p in d.processes(role)]
    for pid in hang:
        os.kill(pid, signal.SIGSTOP)
    waiting = []
    for i in range(WAITING):
        s = plain()
        s.sendall(HEAD)
        waiting.append(s)
    hellos = []
    for i in range(WAITING):
        s = tls_half()
        hellos.append(s)
    r = d.ctl_raw("upgrade")
    t.equal((r.returncode, r.stderr), (0, ""), "an upgrade with proxyds and "
            "tlsds that hang")
    said = [answer(s) for s in waiting]
    t.equal([x for x in said if not x.startswith(b"HTTP/1.1 200 ")], [],
            "all %d that waited at their doors are served by the next" %
            WAITING)
    said = [tls_rest(*s) for s in hellos]
    t.equal([x for x in said if not x.startswith(b"HTTP/1.1 200 ")], [],
            "and all %d with TLS" % WAITING)
    for s in waiting + [x[0] for x in hellos]:
        s.close()
    until(lambda: len(old("proxyd")) == 0, "the old proxyds to be killed", 60)
    t.ok(True, "those that hang are ended, proxyds when their time is over")
    for pid in hang:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

shutil.rmtree(tmp, ignore_errors=True)
t.done()
