#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The customer side's handshake, as it looks on the wire, against the whole
daemon; sessions through loss and return."""

import base64
import json
import re
import struct

from harness import (is_up, GoClient, Relayd, Tap, Targets, WebSocket, until)

t = Tap()
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def basic(key, secret):
    return "Basic " + base64.b64encode(
        ("%s:%s" % (key, secret)).encode()).decode()


def ask(d, path, auth=None, drop=(), extra=(), sock=None):
    """The request of the existing client, line by line; (status, head, body,
    socket)."""
    lines = [("Host", "support.example.net"),
             ("User-Agent", "Go-http-client/1.1"),
             ("Authorization", auth),
             ("Connection", "Upgrade"),
             ("Sec-WebSocket-Key", KEY),
             ("Sec-WebSocket-Version", "13"),
             ("Upgrade", "websocket")]
    text = "GET %s HTTP/1.1\r\n" % path
    over = dict(extra)
    for k, v in lines:
        v = over.pop(k, v)
        if v is not None and k not in drop:
            text += "%s: %s\r\n" % (k, v)
    for k, v in over.items():
        text += "%s: %s\r\n" % (k, v)
    s = sock or d.connect()
    s.sendall((text + "\r\n").encode("latin-1"))
    buf = b""
    while b"\r\n\r\n" not in buf:
        part = s.recv(65536)
        if not part:
            return 0, "", b"", s
        buf += part
    head, body = buf.split(b"\r\n\r\n", 1)
    head = head.decode("latin-1")
    status = int(head.split(" ")[1])
    m = re.search(r"(?i)content-length: (\d+)", head)
    while m and status != 101 and len(body) < int(m.group(1)):
        part = s.recv(65536)
        if not part:
            break
        body += part
    return status, head, body, s


def message(body):
    try:
        return json.loads(body)["message"]
    except ValueError:
        return body


with Targets() as targets, Relayd(t) as d:
    key, secret = d.add_system("box")
    good = basic(key, secret)
    web = "web=127.0.0.1:%d" % targets.http

    def refused(name, want, text, **kw):
        st, head, body, s = ask(d, kw.pop("path", "/api/tunnel"), **kw)
        s.close()
        t.equal((st, message(body)), (want, text), name)
        return head

    # Rows 2 to 5.
    head = refused("tunnel-3: no Authorization", 401,
                   "authentication required")
    t.ok('WWW-Authenticate: Basic realm="System Authentication"' in head,
         "tunnel-3: with WWW-Authenticate")
    refused("tunnel-3: not Basic", 401, "invalid authentication format",
            auth="Bearer x")
    refused("tunnel-3: not base64", 401, "invalid authentication encoding",
            auth="Basic !!!!")
    refused("tunnel-3: no colon inside", 401, "invalid credentials format",
            auth="Basic " + base64.b64encode(b"nocolon").decode())
    bad = "invalid system credentials"
    refused("tunnel-3: an unknown key", 401, bad,
            auth=basic("NETH-0000", secret))
    refused("tunnel-3: a wrong secret", 401, bad,
            auth=basic(key, secret[:-1] + ("0" if secret[-1] != "0"
                                           else "1")))
    refused("tunnel-3: a wrong public part", 401, bad,
            auth=basic(key, "my_" + "0" * 20 + secret[23:]))
    refused("tunnel-5: without my_", 401, bad, auth=basic(key, secret[3:]))
    refused("tunnel-5: with two dots", 401, bad,
            auth=basic(key, secret + ".x"))
    refused("tunnel-5: a private part of 31 characters", 401, bad,
            auth=basic(key, secret[:24 + 31]))

    # Rows 7, 9, 10, before any state.
    for node in ("12345678901", "1a", "-1", "%31x"):
        st = ask(d, "/api/tunnel?node_id=" + node, auth=good)[0]
        t.equal(st, 400, "tunnel-6: node_id=%s: 400" % node)
    for drop in ("Upgrade", "Connection", "Sec-WebSocket-Key",
                 "Sec-WebSocket-Version"):
        st, head, body, s = ask(d, "/api/tunnel", auth=good, drop=(drop,))
        t.ok(st in (400, 426), "tunnel-8: without %s: %d" % (drop, st))
    st, head, body, s = ask(d, "/api/tunnel", auth=good,
                            extra=[("Sec-WebSocket-Version", "8")])
    t.ok(st in (400, 426) and "13" in head, "version 8: refused, 13 named")
    st = ask(d, "/api/tunnel", auth=good,
             extra=[("Origin", "https://evil.test")])[0]
    t.equal(st, 403, "tunnel-7: an Origin: 403")
    t.equal(d.sessions(), [], "tunnel-7 tunnel-8: and no session row")
    t.equal(ask(d, "/api/tunnels", auth=good)[0], 404,
            "tunnel-1: another path gives 404")

    # Disabled.
    d.ctl("system", "disable", key)
    refused("tunnel-6: support disabled: 403", 403,
            "support is not enabled for this system", auth=good)
    d.ctl("system", "enable", key)

    # 101.
    socks, early = [], b""
    for path in ("/api/tunnel", "/support/api/tunnel?node_id=7&x=1"):
        st, head, body, s = ask(d, path, auth=good)
        socks.append(s)
        early = early or body       # frames may come with the head
        t.equal(st, 101, "tunnel-1: %s accepts an upgrade" % path)
        t.ok("Sec-WebSocket-Accept: " + ACCEPT in head and
             "xtensions" not in head and "Protocol:" not in head,
             "tunnel-2: the right accept value, no extension, no "
             "subprotocol")
        t.ok("X-Support-Session-Id: " in head and
             re.search(r"X-Support-Reconnect-Token: [0-9a-f]{64}\r", head +
                       "\r"), "tunnel-11(partial): session id and "
             "reconnect token")
        if "?" not in path:
            first = head
    st, head, body, s = ask(d, "/api/tunnel?node_id=8", auth=good, extra=[
        ("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")])
    t.equal(st, 101, "tunnel-2: `keep-alive, Upgrade` and `WebSocket`")
    s.close()
    st, head, body, s = ask(d, "/api/tunnel?node_id=9", auth=good, extra=[
        ("Connection", "upgrade")])
    t.equal(st, 101, "tunnel-2: `upgrade`")
    s.close()

    # A live duplicate.
    ping = b"\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01"

    def frame(data, mask=b"\1\2\3\4"):
        n = len(data)
        return bytes([0x82, 0x80 | n]) + mask + bytes(
            c ^ mask[i % 4] for i, c in enumerate(data))
    early = early or socks[0].recv(2)
    t.ok(early[:1] == b"\x82", "the server's first frame is "
         "binary and unmasked")
    st, head, body, s = ask(d, "/api/tunnel?node_id=", auth=good)
    t.ok(st in (101, 409), "a second client of an unresponsive slot is "
         "decided (%d)" % st)
    t.equal(len([x for x in d.sessions() if x["node"] == "-"]), 1,
            "tunnel-6: an empty node_id is treated as absent")
    for x in socks + [s]:
        x.close()
    until(lambda: not [x for x in d.sessions()
                       if is_up(x)],
          "all tunnels to be gone")

    # Two living clients, a reconnect within grace, none within grace.
    sys2 = d.add_system("two")
    quick = ["-reconnect-delay", "300ms"]
    with GoClient(d, *sys2, web, extra=quick) as c:
        c.event("manifest_sent")
        s = until(lambda: [x for x in d.sessions()
                           if x["status"] == "active" and
                           is_up(x)],
                  "the session")[0]
        with GoClient(d, *sys2, web, extra=["-once"]) as c2:
            c2.out.wait("409")
            t.ok(True, "tunnel-49(partial): a second client for a live slot "
                 "gets 409")
        t.ok(not c.out.has('"closed"'),
             "tunnel-49: and the first is not disturbed")
        expires = s.get("expires")
        pid = [p for p in d.processes("muxd")
               if s["session"] in str(p["session"])][0]["pid"]
        mark = c.out.mark()
        d.kill(int(pid))
        c.event("manifest_sent", mark)
        s2 = until(lambda: [x for x in d.sessions()
                            if x["session"] == s["session"] and
                            is_up(x)],
                   "the same session")[0]
        t.equal((s2["session"], s2.get("expires")), (s["session"], expires),
                "tunnel-47(partial): back in the same session with the same "
                "expiry")
    until(lambda: not [x for x in d.sessions()
                       if is_up(x)],
          "the tunnel's end")
    token = d.token()
    st, env = d.api("GET", "/support-sessions/" + s["session"], token)
    t.equal((env["data"]["status"], env["data"]["tunnel_connected"]),
            ("active", False), "grace: active, not connected")
    d.move_clock(61000)
    env = until(lambda: (lambda e: e if e["data"]["status"] == "closed"
                         else None)(d.api("GET", "/support-sessions/" +
                                          s["session"], token)[1]),
                "the grace to end")
    t.equal(env["data"]["closed_by"], "disconnect",
            "tunnel-48: no return within grace: closed, disconnect")

    # A system that may not any more, and then may: 4000, 403, 101.
    ended = []
    for word, back in (("disable", "enable"), ("suspend", "resume"),
                       ("remove", None)):
        key, secret = d.add_system("may not: " + word)
        with GoClient(d, key, secret, web, extra=quick) as c:
            c.event("manifest_sent")
            d.ctl("system", word, key)
            ended.append((c.event("closed")["code"], c.wait()))
        st = ask(d, "/api/tunnel", auth=basic(key, secret))[0]
        t.equal(st, 401 if back is None else 403, "system %s: the next login "
                "is refused" % word)
        if back is not None:
            d.ctl("system", back, key)
            st = ask(d, "/api/tunnel", auth=basic(key, secret))[0]
            t.equal(st, 101, "system %s: it may again" % back)

    # So does a session that is past its end, by no more than a second.
    with GoClient(d, *sys2, web, extra=quick) as c:
        c.event("manifest_sent")
        d.move_clock((24 * 3600 - 60) * 1000)
        st = ask(d, "/api/tunnel", auth=basic(*sys2))[0]
        t.equal((st, c.p.poll()), (409, None), "a minute before its end it "
                "is there")
        d.move_clock(61 * 1000)
        ended.append((c.event("closed")["code"], c.wait()))
    t.equal(ended, [(4000, 0)] * 4, "tunnel-53: disabled, suspended, removed, "
            "or past expires_at: 4000, and the client exits 0")
    with GoClient(d, *sys2, web, extra=quick) as c:
        c.event("manifest_sent")
        d.ctl("system", "disable", sys2[0])
        t.equal(c.wait(), 0, "tunnel-53(partial) operator-20(partial): a "
                "disabled system's tunnel gets 4000")

    # Shutdown: 1001.
    sys3 = d.add_system("three")
    st, head, body, s = ask(d, "/api/tunnel", auth=basic(*sys3))
    data = b""
    d.stop()
    while True:
        part = s.recv(65536)
        if not part:
            break
        data += part
    t.ok(b"\x88" in data and struct.pack(">H", 1001) in data[
        data.rindex(b"\x88"):], "tunnel-15(partial): shutdown sends 1001")
t.done()
