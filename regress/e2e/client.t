#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""tunnel-client against a server in the test's hand: how it connects, comes
back, announces, and leaves."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import KEY, SECRET, Client
from harness import Tap
from tunnelserver import GOAWAY, PING, SYN, Server

t = Tap()


def start(server, *flags, **kw):
    c = Client(server, *flags, **kw)
    return c, server.request()


# ---- the request ----

with Server() as s:
    c, r = start(s, "--node-id=7", path="/support/api/tunnel?x=1")
    t.equal(r.target, "/support/api/tunnel?node_id=7&x=1",
            "node_id goes into the query, sorted")
    t.equal(r.lines[0], "GET %s HTTP/1.1" % r.target, "an HTTP/1.1 GET")
    want = "Basic " + base64.b64encode((KEY + ":" + SECRET).encode()).decode()
    t.equal(r.fields["Authorization"], want, "Basic credentials")
    t.equal((r.fields["Host"], r.fields["Connection"], r.fields["Upgrade"],
             r.fields["Sec-WebSocket-Version"],
             len(base64.b64decode(r.fields["Sec-WebSocket-Key"]))),
            ("127.0.0.1:%d" % s.port, "Upgrade", "websocket", "13", 16),
            "the upgrade as the existing client asks for it")
    t.ok(not {"Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
              "Cookie"} & set(r.fields), "nothing else is asked for")

    # ---- the token ----
    token = "0123456789abcdef" * 4
    u = r.upgrade([("X-Support-Reconnect-Token", token),
                   ("X-Support-Session-Id", "5e55")])
    c.err.wait("connected to .*session 5e55")
    u.document(b'{"version"')
    u.close(1001)
    u.until(lambda: u.closed, "echo of the close")
    t.equal(u.closed, (1001, b""), "a close is echoed with its code")
    u.drop()
    r = s.request()
    t.equal(r.target, "/support/api/tunnel?node_id=7&reconnect_token=%s&x=1"
            % token, "it comes back, with the reconnect token")
    r.refuse("403 Forbidden")
    r = s.request()
    t.ok("reconnect_token" not in r.target, "a 403 makes it forget the token")

    # ---- answers that are none ----
    r.upgrade(accept="x" * 28)
    c.err.wait("wrong Sec-WebSocket-Accept")
    t.ok(True, "a wrong accept value is refused")
    r = s.request()
    r.answer("101 Switching Protocols",
             [("Upgrade", "websocket"), ("Connection", "Upgrade"),
              ("Sec-WebSocket-Extensions", "permessage-deflate"),
              ("Sec-WebSocket-Accept", r.accept_value())])
    c.err.wait("extension that was not asked for")
    t.ok(True, "so is an extension")
    s.request().answer("302 Found", [("Location", "/elsewhere"),
                                     ("Content-Length", "0")])
    c.err.wait(r"warn.*cannot connect to 127.0.0.1:%d: sent elsewhere \(302 "
               "Found\)" % s.port)
    t.ok(True, "a redirect is not followed")
    mark = c.err.mark()
    s.request().refuse("429 Too Many Requests", [("Retry-After", "77")])
    t.match(c.err.wait("too many attempts \\(429 .*", mark).string,
            r"next attempt in (7[7-9]|8\d|9\d)\.", "Retry-After is honoured")
    mark = c.err.mark()
    c.p.send_signal(signal.SIGTERM)
    t.equal(c.wait(), 0, "SIGTERM while it waits: exit 0")
    c.clean(t)

with Server() as s:
    c, r = start(s, move_ms=11000)
    c.move()
    t.match(c.err.wait("cannot connect.*").string, "within 10 s",
            "a server that does not answer is given up after 10 s")
    c.stop()
    c.clean(t)

# ---- close 4000, whenever ----

SESSION_CLOSED = b"\x88\x10\x0f\xa0session_closed"
with Server() as s:
    c, r = start(s)
    u = r.upgrade(then=SESSION_CLOSED)
    u.until(lambda: u.closed, "echo")
    t.equal(u.closed, (4000, b""), "tunnel-57(partial): 4000 behind the 101 "
            "is echoed")
    u.drop()
    t.equal(c.wait(), 0, "tunnel-57(partial): 4000 in the packet of the 101: exit 0")
    c.clean(t)

with Server() as s, tempfile.TemporaryDirectory() as d:
    hang = os.path.join(d, "hang")
    with open(hang, "w") as f:
        f.write("#!/bin/sh\nsleep 600\n")
    os.chmod(hang, 0o755)
    c = Client(s, env={"DIAGNOSTICS_DIR": d})
    u = s.tunnel()
    u.document(b'{"version"')
    u.close(4000, b"session_closed")
    u.drop()
    t.equal(c.wait(), 0, "tunnel-57(partial): 4000 while a diagnostics plugin runs, "
            "and no wait for the echo: exit 0")
    c.clean(t)

with Server() as s:
    many = ",".join("s%03d=127.0.0.1:%d" % (i, 1000 + i) for i in range(500))
    c = Client(s, services=many)
    r = s.request()
    # The close is in the socket before the manifest can be sent; the reset
    # behind it makes every later write fail.
    u = r.upgrade(then=SESSION_CLOSED)
    u.drop(reset=True)
    t.equal(c.wait(), 0, "tunnel-57(partial): 4000, then a reset, while 500 services "
            "are announced: exit 0")
    c.clean(t)

# ---- other ends ----

with Server() as s:
    c = Client(s)
    u = s.tunnel()
    u.document(b'{"version"')
    u.drop(reset=True)
    # Who comes first, the reset or the end, is the kernel's to say.
    m = c.err.wait(r"lost: .*(reset|closed the connection)")
    t.match(m.string, r"warn.* connection to 127.0.0.1:%d lost: .*; next "
            "attempt in" % s.port, "a tunnel that was up and is lost is "
            "called so, as a warning")
    u = s.tunnel()
    t.ok(True, "after a reset it comes back")
    t.ok(not c.err.has("cannot connect"), "and not called an attempt that "
         "failed")
    u.document(b'{"version"')
    u.ws(b"\0\1\0\1", 1)
    u.until(lambda: u.closed, "close")
    t.equal(u.closed[0], 1003, "a text message is closed with 1003")
    u.drop()
    u = s.tunnel()
    u.document(b'{"version"')
    u.frame(9, 0, 0, 0)
    u.until(lambda: u.closed, "close")
    t.equal(u.closed[0], 1002, "an unknown yamux type is closed with 1002")
    u.drop()
    u = s.tunnel()
    u.document(b'{"version"')
    c.p.send_signal(signal.SIGINT)
    u.until(lambda: u.closed, "close")
    t.equal((u.goaway, u.closed[0]), (0, 1001),
            "SIGINT: go-away 0, then close 1001")
    u.close(1001)
    u.drop()
    t.equal(c.wait(), 0, "SIGINT: exit 0")
    c.clean(t)

# ---- announcing ----

with Server() as s:
    c = Client(s, "--exclude", "hid*,x?", services="web=127.0.0.1:9090:"
               "host=panel.example.org:tls, ssh=[::1]:22,broken,hidden=h:1,"
               "x1=h:1,terminal=h:1,web=127.0.0.1:9091", move_ms=300000)
    u = s.tunnel()
    m = json.loads(u.document(b""))
    t.equal(m, {"version": 1, "services": {
        "web": {"target": "127.0.0.1:9091", "host": "", "tls": False,
                "label": "web"},
        "ssh": {"target": "[::1]:22", "host": "", "tls": False,
                "label": "ssh"}}},
        "the manifest: later ones win, excluded and reserved names are out")
    t.equal(u.order[0], 1, "it is on stream 1")
    r = json.loads(u.document(b"DIAGNOSTICS 1\n"))
    t.equal([p["id"] for p in r["plugins"]], ["system"],
            "diagnostics follow, without a directory the built-in ones")
    u.until(lambda: any(f[0] == PING and f[1] == SYN for f in u.frames),
            "ping")
    t.ok(True, "it pings")
    c.move()
    m2 = json.loads(u.document(b""))
    t.equal(m2, m, "after five minutes the manifest is sent anew")
    u.frame(PING, SYN, 0, 4711)
    u.until(lambda: (PING, 2, 0, 4711) in u.frames, "pong")
    t.ok(True, "a ping is answered with its value")
    u.frame(GOAWAY, 0, 0, 0)
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "4000 without a reason: exit 0")
    c.clean(t)

# ---- what is said of attempts that fail ----

with Server() as s:
    c, r = start(s)
    where = "warn.*cannot connect to 127.0.0.1:%d: " % s.port
    r.answer("401 Unauthorized", [("Content-Length", "70")],
             b'{"code":401,"message":"invalid system credentials\\u001b[2J",'
             b'"data":null}')
    r.s.close()
    t.match(c.err.wait(where + ".*").string, r"key or secret refused \(401 "
            r"Unauthorized: invalid system credentials\\x1b\[2J\); check both",
            "401: what is wrong, in the server's words, and what to do")
    s.request().refuse("409 Conflict")
    c.err.wait(where + r"this key has a tunnel already \(409 Conflict\); stop")
    s.request().refuse("404 Not Found")
    c.err.wait(where + r'no tunnels there \(404 Not Found\); check the path in '
               r'the address, "/api/tunnel": a server\'s default is /support/')
    s.request().refuse("200 OK")
    c.err.wait(where + r"no tunnels there \(200 OK\); check the path in the ")
    r = s.request()
    r.answer("403 Forbidden", [], b"Forbidden\n")
    r.s.close()
    c.err.wait(where + r"refused \(403 Forbidden: Forbidden\); support has")
    s.l.close()
    c.err.wait(where + "Connection refused; nothing listens there")
    t.ok(True, "so with other answers, and with none")
    c.stop()
    c.clean(t)

dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("127.0.0.1", 0))


def knows_no_name():
    while True:
        q, who = dns.recvfrom(4096)
        dns.sendto(q[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + q[12:], who)


threading.Thread(target=knows_no_name, daemon=True).start()
for flags, want in (([], "cannot connect to no.invalid:443: no such host; "
                     "check the address and /etc/resolv.conf, or name the "
                     "forward proxy of this network \\(--proxy\\)"),
                    (["--proxy", "http://no.proxy.invalid:3128"],
                     "cannot connect to no.invalid:443 through "
                     "no.proxy.invalid:3128: proxy: no such host; check its "
                     "address")):
    c = Client(None, *flags, bare=True, env={
        "SUPPORT_URL": "wss://no.invalid/", "SYSTEM_KEY": KEY,
        "SYSTEM_SECRET": SECRET,
        "TUNNEL_CLIENT_DNS": "127.0.0.1:%d" % dns.getsockname()[1]})
    t.match(c.err.wait("cannot connect to .*").string, want,
            "an unknown host: " + (" ".join(flags) or "without a proxy"))
    c.stop()
    c.clean(t)

# ---- no work that is not needed ----

with Server() as s, tempfile.TemporaryDirectory() as d:
    # Who opens this waits for ever.
    os.mkfifo(os.path.join(d, "authorities"))
    c = Client(s, env={"SSL_CERT_FILE": os.path.join(d, "authorities")})
    u = s.tunnel()
    u.document(b'{"version"')
    t.ok(True, "over ws:// the certificates of authorities are not read")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")

# ---- a test that fails leaves no client behind ----

with Server() as s:
    r = subprocess.run([sys.executable, "-c", """
import sys
sys.path.insert(0, %r)
from clienttest import Client
class S: port = %d
c = Client(S)
print(c.pid, flush=True)
raise RuntimeError
""" % (os.path.dirname(os.path.abspath(__file__)), s.port)],
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                       text=True)
    t.ok(r.returncode == 1 and not os.path.exists("/proc/" +
                                                  r.stdout.strip()),
         "the client of a test that fails is ended")
t.done()
