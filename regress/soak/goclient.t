#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The existing client with its ping loop, in real time: ten minutes of pages,
a terminal, an event stream and a WebSocket echo."""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
from harness import GoClient, Relayd, Tap, Targets, WebSocket
from line import Line, Rate

SECONDS = float(os.environ.get("RELAYD_SOAK_SECONDS", "600"))
LONG = SECONDS >= 600           # the lines say ten minutes
t = Tap()


def proves(line):
    return line if LONG else line + "(partial)"


def echo(ws, op, data):
    ws.send(data, op=op)
    while True:
        got = ws.recv()
        if got[0] == 9:
            ws.send(got[1], op=10)
        else:
            return got == (op, data)


with Targets() as targets, Relayd(t) as d, Line(d.port) as line:
    key, secret = d.add_system("box")
    with GoClient(line, key, secret, "web=127.0.0.1:%d" % targets.http,
                  extra=["-keepalive", "30ns"]) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        token = d.token(lifetime="2h")
        cookie = d.cookie(sid, token)
        host = d.proxy_host(sid)
        sse = d.connect()
        sse.sendall(("GET /sse?n=1000000&ms=500 HTTP/1.1\r\nHost: %s\r\n"
                     "Cookie: %s\r\n\r\n" % (host, cookie)).encode())
        ws = WebSocket(d.connect(), host, "/ws", {
            "Cookie": cookie, "Origin": "http://" + host})
        term = d.terminal(sid, d.ticket(sid, token))
        term.send(b"\0PS1= PS2=; stty -echo; echo up-$((1+1))\r")
        term.recv_until(rb"up-2")

        slow = d.connect()
        slow.sendall(("POST /sha HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n"
                      "Origin: http://%s\r\nTransfer-Encoding: chunked\r\n"
                      "\r\n" % (host, cookie, host)).encode())
        slow_answer = None

        rounds = pages = events = echoes = lines = 0
        rate = Rate(lambda: line.answers)
        begin = time.monotonic()
        while time.monotonic() - begin < SECONDS:
            # the first five answers come at once
            if time.monotonic() - begin > 10 or SECONDS <= 10:
                rate.sample()
            rounds += 1
            st, _, body = d.via(sid, cookie, "/bytes?n=100000&seed=%d" %
                                rounds)
            pages += (st, len(body)) == (200, 100000)
            events += bool(sse.recv(65536))
            echoes += echo(ws, 2, os.urandom(rounds % 3000)) and \
                echo(ws, 1, b"text %d" % rounds)
            term.send(b"\0echo n-$((%d+1))\r" % rounds)
            term.recv_until(rb"n-%d\b" % (rounds + 1))
            lines += 1
            if slow_answer is None:
                if time.monotonic() - begin < SECONDS / 2:
                    slow.sendall(b"4\r\nslow\r\n")
                else:
                    slow.sendall(b"0\r\n\r\n")
                    slow_answer = slow.recv(65536)
            time.sleep(1)
        took = time.monotonic() - begin
        rate.sample()
        per = rate.per_second()
        t.diag("%d rounds in %.0f s, %d ping answers, %.3f a second" % (
            rounds, took, line.answers, per))
        t.equal((pages, events, lines), (rounds,) * 3,
                "pages, an event stream and a terminal for %d s" % took)
        t.equal(events, rounds, proves("operator-49") + ": an event stream "
                "of %d s in real time" % took)
        t.ok((slow_answer or b"").startswith(b"HTTP/1.1 200"),
             proves("operator-49") + ": a request of %d s in real time" %
             (took / 2))
        t.equal(echoes, rounds, proves("operator-50") + ": a WebSocket echo "
                "through the proxy for %d s in real time, binary and text" %
                took)
        t.ok(0.8 < per < 1.2, "tunnel-25(partial): in real time the ping "
             "loop settles at one per second")
        t.ok(line.count == 1 and not c.out.has('"closed"') and
             c.p.poll() is None, "tunnel-25(partial): and the client stays "
             "connected for %d s of real time" % took)
        d.api("DELETE", "/support-sessions/" + sid, token)
        try:
            while True:
                ws.recv()
        except OSError:
            t.ok(True, proves("operator-50") + ": it ends when the session "
                 "ends")
        t.equal(c.wait(), 0, "the client gets 4000")
        t.equal(line.count, 1, "over one connection")
        term.close()
        sse.close()
        slow.close()
t.done()
