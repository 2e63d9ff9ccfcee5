#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Our client against a Go server (bench/peer-go: gorilla/websocket and
hashicorp/yamux, with the existing service's ping loop), in real time: ten
minutes of pages, an event stream, a WebSocket echo and a terminal; then the
operator closes."""

import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
from clienttest import KEY, Client
from harness import BUILD, SRC, WAIT, Program, Tap, Targets, WebSocket, until
from line import Line, Rate

SECONDS = float(os.environ.get("RELAYD_SOAK_SECONDS", "600"))
LONG = SECONDS >= 600           # the line says ten minutes
HOST = "web--%s.test" % KEY.replace("-", "").lower()
t = Tap()


def peer_go():
    out = os.path.join(BUILD, "regress", "go-peer-go")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    subprocess.run(["go", "build", "-o", out, "."], check=True,
                   cwd=os.path.join(SRC, "bench", "peer-go"),
                   stdout=sys.stderr)
    return out


def dial(port):
    s = socket.create_connection(("127.0.0.1", port), WAIT)
    s.settimeout(WAIT)
    return s


def get(port, path, host=HOST):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        c.request("GET", path, headers={"Host": host})
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()


class Terminal:
    """A terminal's stream, through /debug/raw."""

    def __init__(self, port):
        self.s = dial(port)
        self.s.sendall(("GET /debug/raw?key=%s&name=terminal HTTP/1.1\r\n"
                        "Host: x\r\n\r\n" % KEY).encode())
        self.buf = b""
        while b"\r\n\r\n" not in self.buf:
            self.more()
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        if b" 200 " not in head:
            raise ConnectionError("terminal: %r" % head)

    def more(self):
        part = self.s.recv(65536)
        if not part:
            raise ConnectionError("the terminal ended")
        self.buf += part

    def send(self, text):
        self.s.sendall(struct.pack(">IB", len(text) + 1, 0) + text)

    def until(self, mark):
        """Output up to the mark."""
        got = b""
        while mark not in got:
            while len(self.buf) < 4 or \
                    len(self.buf) < 4 + int.from_bytes(self.buf[:4], "big"):
                self.more()
            n = int.from_bytes(self.buf[:4], "big")
            got += self.buf[5:4 + n]
            self.buf = self.buf[4 + n:]
        return got


def echo(ws, op, data):
    ws.send(data, op=op)
    return ws.recv() == (op, data)


with Targets() as targets, \
        Program([peer_go(), "-keepalive", "15ns"]) as server:
    port = json.loads(server.out.wait(r"\{").string)["port"]
    with Line(port) as line, Client(line, services="web=127.0.0.1:%d" %
                                    targets.http) as c:
        until(lambda: get(port, "/")[0] == 200, "the service")
        sse = dial(port)
        sse.sendall(("GET /sse?n=1000000&ms=500 HTTP/1.1\r\nHost: %s\r\n\r\n"
                     % HOST).encode())
        ws = WebSocket(dial(port), HOST, "/ws", {
            "Origin": "http://" + HOST})
        term = Terminal(port)
        term.send(b"PS1= PS2=; stty -echo; echo up-$((1+1))\r")
        term.until(b"up-2")

        rounds = pages = events = echoes = lines = 0
        rate = Rate(lambda: line.requests)
        begin = time.monotonic()
        while time.monotonic() - begin < SECONDS:
            # the first five answers come at once
            if time.monotonic() - begin > 10 or SECONDS <= 10:
                rate.sample()
            rounds += 1
            st, body = get(port, "/bytes?n=100000&seed=%d" % rounds)
            pages += (st, len(body)) == (200, 100000)
            events += bool(sse.recv(65536))
            echoes += echo(ws, 2, os.urandom(rounds % 3000)) and \
                echo(ws, 1, b"text %d" % rounds)
            term.send(b"echo n-$((%d+1))-\r" % rounds)
            term.until(b"n-%d-" % (rounds + 1))
            lines += 1
            time.sleep(1)
        took = time.monotonic() - begin
        rate.sample()
        per = rate.per_second()
        t.diag("%d rounds in %.0f s, %d pings of the server, %.3f a second" %
               (rounds, took, line.requests, per))
        whole = t.equal((pages, events, echoes, lines), (rounds,) * 4,
                        "pages, an event stream, a WebSocket and a terminal "
                        "for %d s" % took)
        whole &= t.ok(0.8 < per < 1.2, "the server's ping loop settles at "
                      "one per second")
        whole &= t.ok(line.count == 1 and c.p.poll() is None,
                      "the client stays connected")
        st, _ = get(port, "/debug/close?key=" + KEY, "x")
        whole &= t.equal((st, c.wait()), (200, 0), "it ends with 0 when the "
                         "operator closes")
        try:
            term.until(b"no such output")
            whole = False
        except (ConnectionError, OSError):
            pass
        t.ok(whole and line.count == 1, "%s: our client works against a Go "
             "server for %d s of real time: ping flood, terminal, proxied "
             "HTTP, operator close" % (
                 "tunnel-60" if LONG else "tunnel-60(partial)", took))
        ws.close()
        sse.close()
        c.clean(t)
t.done()
