# SPDX-License-Identifier: ISC
"""All that people do with a relayd at once: each Worker does one thing over and
over, checks every byte of what completes, and bears what is cut."""

import hashlib
import http.client
import json
import os
import random
import re
import socket
import ssl
import struct
import threading
import time

from certs import Authority, listener
from harness import WAIT, free_port, until
from pairing import Device, one_port
from peers import Relay


def has_ended(s):
    try:
        s.settimeout(0)
        return s.recv(1, socket.MSG_PEEK) in (b"", b"\x88")
    except BlockingIOError:
        return False
    except OSError:
        return True


class Cut(Exception):
    """It did not complete, and said so."""


# What a process that has gone leaves to those who were there.
CUT = (Cut, OSError, EOFError, http.client.HTTPException, struct.error,
       ssl.SSLError)
BUSY = (429, 502, 503, 504)
# The tunnel is down, or its client has not yet named what it has.
AWAY = re.compile(rb"(tunnel|service) not found")


class Doors:
    """What a relayd listens on to be asked for all of it, and how."""

    def __init__(self, directory):
        ca = Authority(directory)
        port, self.metrics = free_port(), free_port()
        self.pair_port, pairs = one_port()
        self.tls = lambda: ca.connect(port)
        self.conf = dict(
            operator="\tapi rate 100000\n\tticket rate 1000\n"
                     "\ttcp ticket rate 1000\n",
            conf="relay {\n\tno auth\n}\n", listeners="\n".join([
                listener(port, ca.make("ec", ["localhost"])),
                "listen on 127.0.0.1 port %d metrics" % self.metrics,
                pairs]))


class Worker(threading.Thread):
    """One who does step() until it is told to stop; what a step returns is
    wrong, and kept."""

    def __init__(self, name, seed, step):
        super().__init__(daemon=True, name=name)
        self.step = step
        self.random = random.Random("%s %s" % (seed, name))
        self.whole = self.cut = 0
        self.wrong, self.last = [], None
        self.may, self.over = threading.Event(), False
        self.idle = threading.Event()
        self.may.set()

    def run(self):
        while not self.over:
            if not self.may.is_set():
                self.idle.set()
                self.may.wait()
                self.idle.clear()
                continue
            try:
                bad = self.step(self)
                if bad:
                    self.wrong.append(bad)
                self.whole += 1
            except CUT as e:
                self.cut += 1
                self.last = repr(e)
                time.sleep(0.1)
            except Exception as e:          # is a fault of the test
                self.wrong.append("%s: %r" % (type(e).__name__, e))
                return

    def rest(self):
        self.may.clear()

    def go_on(self):
        self.idle.clear()
        self.may.set()

    def stop(self):
        self.over = True
        self.may.set()
        self.join(2 * WAIT)


def bytes_of(w, most):
    """Not all of it random, which would be dear."""
    return w.random.randbytes(1009) * (w.random.randrange(most) // 1009 + 1)


class Mixed:
    """Who works with these sessions ({id: session's cookie}): `patience` is how
    long one answer may take, `largest` how much a transfer has."""

    def __init__(self, d, sessions, token, seed, doors, patience=20,
                 largest=4 << 20, strict=True):
        self.d, self.sessions, self.token = d, sessions, token
        self.ids = list(sessions)
        self.pair_port, self.tls, self.metrics = \
            doors.pair_port, doors.tls, doors.metrics
        self.patience, self.largest = patience, largest
        self.strict = strict        # a refusal has to have a reason
        self.codes = iter(range(100000, 999999))
        self.relay, self.relayed = Relay(d), None
        steps = [("download", self.download), ("upload", self.upload),
                 ("terminal", self.terminal), ("tcp", self.tcp),
                 ("api", self.api), ("relay", self.relay_step),
                 ("pairing", self.pairing), ("tls", self.by_tls),
                 ("metrics", self.scrape)]
        self.workers = [Worker(n, seed, f) for n, f in steps]

    # ---- all of them ----

    def start(self):
        for w in self.workers:
            w.start()

    def rest(self):
        """Nobody has anything under way."""
        for w in self.workers:
            w.rest()
        for w in self.workers:
            if not w.idle.wait(2 * WAIT) and w.is_alive():
                raise TimeoutError("%s does not come to an end" % w.name)

    def go_on(self):
        for w in self.workers:
            w.go_on()

    def each_whole(self, more=1, seconds=3 * WAIT):
        """Each gets so much done, from now on."""
        want = {w: w.whole + more for w in self.workers}
        until(lambda: all(w.whole >= n or not w.is_alive()
                          for w, n in want.items()),
              "all to get on: %s" % self.said(), seconds)

    def stop(self):
        for w in self.workers:
            w.over = True
            w.may.set()
        for w in self.workers:
            w.stop()

    def wrong(self):
        return ["%s: %s" % (w.name, x) for w in self.workers
                for x in w.wrong]

    def said(self):
        return ", ".join("%s %d+%d" % (w.name, w.whole, w.cut)
                         for w in self.workers)

    def refused(self, ws):
        """Why, if it is for no good reason. A ticket dies with its authd."""
        if ws.status == 101:
            return ""
        body = ws.body()
        if ws.status in BUSY + (401,) or AWAY.search(body) or not self.strict:
            raise Cut("%d %r" % (ws.status, body))
        return "%d %r" % (ws.status, body)

    # ---- one piece of work each ----

    def connect(self, port=None):
        s = socket.create_connection(("127.0.0.1", port or self.d.port),
                                     self.patience)
        s.settimeout(self.patience)
        return s

    def ask(self, method, path, host=None, headers=None, body=None, s=None):
        """(status, headers, body) of a request, whole."""
        c = http.client.HTTPConnection("127.0.0.1", self.d.port,
                                       timeout=self.patience)
        if s is not None:
            c.sock = s
        try:
            c.request(method, path, body, dict(
                headers or {}, Host=host or "127.0.0.1:%d" % self.d.port))
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        if r.status in BUSY or r.status == 404 and AWAY.search(data) or \
                r.status >= 400 and not self.strict:
            raise Cut("%s %s: %d" % (method, path, r.status))
        return r.status, r.headers, data

    def call(self, method, path, body=None, s=None):
        st, _, data = self.ask(method, "/api" + path, None, {
            "Authorization": "Bearer " + self.token,
            "Content-Type": "application/json"},
            None if body is None else json.dumps(body), s)
        return st, json.loads(data)

    def via(self, w, method, path, body=None):
        sid = w.random.choice(self.ids)
        host = self.d.proxy_host(sid)
        return self.ask(method, path, host, {
            "Cookie": self.sessions[sid], "Origin": "http://" + host}, body)

    def download(self, w):
        path = "/bytes?n=%d&seed=%d" % (w.random.randrange(self.largest),
                                        w.random.randrange(1 << 30))
        st, h, data = self.via(w, "GET", path)
        if st != 200 or hashlib.sha256(data).hexdigest() != h["X-SHA256"]:
            return "%s: %d, %d bytes: %r" % (path, st, len(data), data[:80])

    def upload(self, w):
        data = bytes_of(w, self.largest)
        st, _, got = self.via(w, "POST", "/sha", data)
        if st != 200 or json.loads(got) != {
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest()}:
            return "%d bytes: %d %r" % (len(data), st, got[:200])

    def terminal(self, w):
        sid = w.random.choice(self.ids)
        st, env = self.call("POST", "/support-sessions/%s/terminal-ticket" %
                            sid, {})
        if st != 200:
            return "ticket: %d %r" % (st, env)
        ws = self.d.terminal(sid, env["data"]["ticket"])
        try:
            ws.s.settimeout(self.patience)
            bad = self.refused(ws)
            if bad:
                return "terminal: " + bad
            for i in range(w.random.randrange(1, 6)):
                n = w.random.randrange(1 << 20)
                ws.send(b"\0seq %d %d | sha256sum; echo n-$((%d+1))\r" % (
                    n, n + 2000, n))
                got = ws.recv_until(rb"n-%d\b" % (n + 1), self.patience)
                sum_ = hashlib.sha256(b"".join(
                    b"%d\n" % i for i in range(n, n + 2001))).hexdigest()
                if sum_.encode() not in got:
                    return "terminal: %r is not of %d" % (got, n)
        finally:
            ws.close()

    def tcp(self, w):
        sid = w.random.choice(self.ids)
        st, env = self.call("POST", "/support-sessions/%s/tcp-ticket" % sid,
                            {"service": "echo"})
        if st != 200:
            return "ticket: %d %r" % (st, env)
        ws = self.d.tcp(sid, "echo", env["data"]["ticket"])
        try:
            ws.s.settimeout(self.patience)
            bad = self.refused(ws)
            if bad:
                return "tcp: " + bad
            for _ in range(4):
                data = bytes_of(w, 1 << 16)
                ws.send(data)
                if ws.recv_bytes(len(data)) != data:
                    return "tcp: other bytes"
        finally:
            ws.close()

    def api(self, w):
        st, env = self.call("GET", "/support-sessions?page_size=100")
        if st != 200:
            return "list: %d %r" % (st, env)
        there = {x["id"] for g in env["data"]["support_sessions"]
                 for x in g.get("sessions", [g])}
        lost = set(self.ids) - there
        if lost:
            return "a session is lost: %s" % lost
        time.sleep(0.05)

    def by_tls(self, w):
        with self.tls() as s:
            s.settimeout(self.patience)
            st, env = self.call("GET", "/support-sessions/" +
                                w.random.choice(self.ids), s=s)
        if st != 200:
            return "by TLS: %d %r" % (st, env)
        time.sleep(0.05)

    def scrape(self, w):
        c = http.client.HTTPConnection("127.0.0.1", self.metrics,
                                       timeout=self.patience)
        try:
            c.request("GET", "/metrics")
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        if r.status != 200 or b"relayd_up" not in data:
            return "metrics: %d %r" % (r.status, data[:200])
        time.sleep(0.2)

    def pairing(self, w):
        code = str(next(self.codes))
        a, b = (Device(self.pair_port) for _ in range(2))
        try:
            for x in a, b:
                x.s.settimeout(self.patience)
                if x.status != 101:
                    raise Cut(x.status)
            a.say("listen", otc=code)
            m = a.hear()
            if m.get("type") == "error" and not self.strict:
                raise Cut(m)
            if m.get("message") != "session_open":
                return "no session: %r" % m
            b.say("connect", otc=code)
            if [a.hear(), b.hear()] != [{"type": "peer_found"}] * 2:
                return "they do not meet"
            for x, y in (a, b), (b, a):
                text = "%x" % w.random.getrandbits(4000)
                x.say("data", payload=text)
                if y.hear() != {"type": "data", "payload": text}:
                    return "other data"
        finally:
            a.gone()
            b.gone()
        time.sleep(0.2)

    def relay_step(self, w):
        """Always the same session, with the same tokens."""
        if self.relayed is None:
            st, _, data = self.ask("POST", "/admin/sessions")
            if st != 201:
                return "relay session: %d" % st
            self.relayed = json.loads(data)
        s, ends = self.relayed, []
        try:
            for side in "initiator", "responder":
                x = self.relay.dial(
                    "/relay/" + s["id"],
                    {"Authorization": "Bearer " + s[side + "_token"]},
                    self.connect())
                ends.append(x)
                # 409: the one before is not known to have gone.
                if x.status == 409:
                    raise Cut(x.status)
                bad = self.refused(x)
                if bad:
                    return "relay: " + bad
            for a, b in (ends, ends[::-1]):
                for _ in range(4):
                    data = bytes_of(w, 1 << 17)
                    a.send(data)
                    try:
                        got = b.recv()
                    except TimeoutError:
                        # Whose process ended meets nobody any more.
                        if has_ended(a.s):
                            raise Cut("the other side's end")
                        raise
                    if got[0] == 8:
                        raise Cut(got)
                    if got != (2, data):
                        return "relay: other bytes"
        finally:
            for x in ends:
                x.s.close()
        time.sleep(0.1)
