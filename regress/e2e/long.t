#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What takes minutes, with the clock moved: streams of events, slow requests,
sockets, the existing client's ping loop; and every way a terminal can end."""

import json
import time

from harness import GoClient, Relayd, Tap, Targets, WebSocket, until

t = Tap()


def minutes(d, n, each):
    """Move the clock n minutes, half of one at a time, and do `each`."""
    for i in range(2 * n):
        d.move_clock(30000)
        each(i)


def rows(d, where="1=1"):
    return d.rows("select count(*), count(*) - count(disconnected_at) from "
                  "support_access_logs where access_type='web_terminal' and " +
                  where)[0]


def opened(d, sid, token):
    w = d.terminal(sid, d.ticket(sid, token))
    w.send(b"\0echo up-$((1+1))\r")
    w.recv_until(rb"up-2")
    return w


def ended(d, n, how):
    until(lambda: rows(d) == (n, 0), "the row of: " + how, 30)
    t.ok(True, "operator-26: disconnected_at after " + how)


with Targets() as targets, Relayd(t, operator="\tticket rate 1000") as d:
    key, secret = d.add_system("box")
    web = "web=127.0.0.1:%d" % targets.http
    quick = ["-reconnect-delay", "200ms"]
    with GoClient(d, key, secret, web, extra=quick + [
            "-keepalive", "30ns"]) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        token = d.token(lifetime="100h")
        cookie = d.cookie(sid, token)
        host = d.proxy_host(sid)

        # Event stream, slow request, socket, at the same time.
        sse = d.connect()
        sse.sendall(("GET /sse?n=100000&ms=20 HTTP/1.1\r\nHost: %s\r\n"
                     "Cookie: %s\r\n\r\n" % (host, cookie)).encode())
        slow = d.connect()
        body = b"x" * 4096
        slow.sendall(("POST /sha HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n"
                      "Origin: http://%s\r\nContent-Length: %d\r\n\r\n" %
                      (host, cookie, host, 10 * len(body))).encode())
        ws = WebSocket(d.connect(), host, "/ws", {
            "Cookie": cookie, "Origin": "http://" + host})
        events = [b""]
        good = [0, 0]

        def each(i):
            got = sse.recv(65536)
            if not got:
                raise ConnectionError("the event stream ended")
            events[0] = (events[0] + got)[-4096:]
            good[0] += 1
            if i < 10:
                slow.sendall(body)
            for op, data in ((2, b"\0\1\2" + bytes([i % 256])),
                             (1, b"text %d" % i)):
                ws.send(data, op=op)
                back = ws.recv()
                while back[0] == 9:
                    back = ws.recv()
                good[1] += back == (op, data)
            if i == 9:
                answer = b""
                while b"sha256" not in answer:
                    part = slow.recv(65536)
                    if not part:
                        raise ConnectionError("no answer: %r" % answer)
                    answer += part
                t.ok(answer.startswith(b"HTTP/1.1 200"), "operator-49: a "
                     "request of 5 min completes")
        minutes(d, 10, each)
        t.ok(good[0] == 20 and b"data" in events[0],
             "operator-49: an event stream of 10 min goes on")
        t.equal(good[1], 40, "operator-50: a WebSocket echo through the "
                "proxy for 10 min, binary and text")
        st, h, data = d.via(sid, cookie, "/bytes?n=%d&seed=5" % (1 << 30))
        t.equal((st, len(data)), (200, 1 << 30),
                "operator-49: a download of 1 GiB is complete")
        del data
        up = b"0123456789abcdef" * (100 << 16)
        st, h, got = d.via(sid, cookie, "/sha", "POST", body=up, headers={
            "Origin": "http://" + host})
        t.ok(st == 200 and json.loads(got).get("length", json.loads(got).get(
            "bytes")) == len(up), "operator-49: an upload of 100 MiB is "
            "complete")
        del up
        t.ok(not c.out.has('"closed"'), "tunnel-25(partial): the Go client "
             "with its ping loop stays connected for 10 min")
        sse.close()
        slow.close()

        # Every end of a terminal leaves a closed row.
        w = opened(d, sid, token)
        w.send(b"\0exit\r")
        w.recv_close()
        w.close()
        ended(d, 1, "shell exit")
        w = opened(d, sid, token)
        w.close()
        ended(d, 2, "browser close")
        w = opened(d, sid, token)
        mark = c.out.mark()
        pid = [p for p in d.processes("muxd")
               if sid in str(p["session"])][0]["pid"]
        d.kill(int(pid))
        w.recv_close()
        w.close()
        ended(d, 3, "tunnel loss")
        c.event("manifest_sent", mark)
        until(lambda: d.wait_session()["session"] == sid, "the session")
        # A ticket for a session whose tunnel refuses: 64 streams are open.
        # One that waits for its browser's last word has a place still.
        until(lambda: not d.processes("termd"), "the terminals to go")
        many = []
        for _ in range(64):
            x = d.terminal(sid, d.ticket(sid, token))
            many.append(x)
        x = d.terminal(sid, d.ticket(sid, token))
        t.equal(x.status, 429, "a refused upgrade")
        for x in many:
            x.close()
        until(lambda: rows(d)[1] == 0, "64 rows to close")
        n = rows(d)[0]
        t.ok(n in (67, 68), "operator-26: a refused upgrade leaves no open "
             "row (%d)" % n)

        # Close: terminals, proxied sockets, users.
        w = opened(d, sid, token)
        st, env = d.api("DELETE", "/support-sessions/" + sid, token)
        t.equal(st, 200, "operator-11: close: 200")
        code, reason, frames = w.recv_close()
        t.ok(code == 1008, "operator-11: terminals end (%s)" % code)
        try:
            while True:
                ws.recv()
        except (ConnectionError, OSError):
            t.ok(True, "operator-11 operator-50: proxied sockets end with "
                 "the session")
        t.equal(c.wait(), 0, "operator-11: the client gets 4000")
        st, env = d.api("DELETE", "/support-sessions/" + sid, token)
        t.equal(st, 200, "operator-11: a second close: 200")
        t.equal(d.rows("select status, users from support_sessions where"
                       " id=?", sid), [("closed", None)],
                "operator-11: the row is closed, users are null")

    # Server stop.
    with GoClient(d, key, secret, web, extra=quick) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        w = opened(d, sid, token)
        until(lambda: rows(d)[1] == 1, "one open row")
        d.stop()
        code, reason, frames = w.recv_close()
        t.equal(code, 1001, "server stop: the browser gets 1001")
        t.equal(rows(d)[1], 0, "operator-26: disconnected_at after server "
                "stop")
t.done()
