# SPDX-License-Identifier: ISC
"""Everything that goes on while a program is exchanged: transfers both ways, a
terminal that is typed in, pages, calls of the API; each says what failed."""

import hashlib
import http.client
import json
import os
import threading
import time

from harness import WAIT, GoClient, until
from transfer import Transfer


class Doing(threading.Thread):
    """Something again and again, until it is stopped."""

    def __init__(self, what):
        super().__init__(daemon=True)
        self.what = what
        self.n = 0
        self.failed = []
        self.over = threading.Event()
        self.slowest = 0
        self.start()

    def run(self):
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                wrong = self.once()
            except Exception as e:
                wrong = "%s after %d: %r" % (time.strftime("%H:%M:%S"),
                                             self.n, e)
            self.n += 1
            self.slowest = max(self.slowest, time.monotonic() - begin)
            if wrong:
                self.failed.append(wrong)
                self.again()

    def again(self):
        """After a failure."""

    def stop(self):
        self.over.set()
        self.join(WAIT)


class Pages(Doing):
    """A page, each time on a new connection or always on the same."""

    def __init__(self, d, host, cookie, fresh, pause=0.02):
        self.d, self.host, self.cookie = d, host, cookie
        self.fresh, self.pause = fresh, pause
        self.c = None
        super().__init__("pages on %s" % ("new connections" if fresh else
                                         "one connection"))

    def again(self):
        self.c = None

    def once(self):
        if self.c is None or self.fresh:
            self.c = http.client.HTTPConnection("127.0.0.1", self.d.port,
                                                timeout=WAIT)
        self.c.request("GET", "/bytes?n=3000&seed=%d" % self.n, headers={
            "Host": self.host, "Cookie": self.cookie})
        r = self.c.getresponse()
        body = r.read()
        if self.fresh:
            self.c.close()
        time.sleep(self.pause)
        if r.status != 200:
            return "%d %r" % (r.status, body[:200])
        if hashlib.sha256(body).hexdigest() != r.getheader("X-Sha256"):
            return "wrong bytes"
        return None


# For a relayd under Traffic: by default its calls are more than one may make in a
# minute, and what is refused for that is said before anybody is asked.
RATES = "\tapi rate 100000\n\tticket rate 1000\n"


class Calls(Doing):
    """Calls of the API that look, and that change."""

    def __init__(self, d, session, token):
        self.d, self.session, self.token = d, session, token
        self.tickets = 0
        super().__init__("calls of the API")

    def once(self):
        path = "/api/support-sessions" if self.n % 2 else \
            "/api/support-sessions/%s/terminal-ticket" % self.session
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=WAIT)
        c.request("GET" if self.n % 2 else "POST", path, headers={
            "Authorization": "Bearer " + self.token})
        r = c.getresponse()
        body = r.read()
        c.close()
        time.sleep(0.05)
        if r.status != 200:
            return "%s: %d %r" % (path, r.status, body[:200])
        self.tickets += "ticket" in json.loads(body)["data"]
        return None


class Uploads(Doing):
    """A body of some size, in pieces; its sum comes back."""

    def __init__(self, d, host, cookie, size=4 << 20, rate=3 << 20):
        self.d, self.host, self.cookie = d, host, cookie
        self.size, self.rate = size, rate
        super().__init__("uploads")

    def once(self):
        body = os.urandom(self.size)
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=WAIT)
        c.putrequest("POST", "/sha", skip_host=True)
        for name, value in (("Host", self.host), ("Cookie", self.cookie),
                            ("Origin", "http://" + self.host),
                            ("Content-Length", str(self.size))):
            c.putheader(name, value)
        c.endheaders()
        for i in range(0, self.size, 65536):
            c.send(body[i:i + 65536])
            time.sleep(65536 / self.rate)
        r = c.getresponse()
        said = r.read().decode()
        c.close()
        if r.status != 200:
            return "%d %r" % (r.status, said[:200])
        return None if hashlib.sha256(body).hexdigest() in said else \
            "wrong sum"


class Typing(Doing):
    """One terminal, in which each line is answered."""

    def __init__(self, d, session, token):
        self.ws = d.terminal(session, d.ticket(session, token))
        self.ws.send(b"\0PS1= PS2=; stty -echo; echo up-$((1+1))\r")
        self.ws.recv_until(rb"up-2")
        super().__init__("lines of a terminal")

    def once(self):
        self.ws.send(b"\0echo l-$((%d+1))-e\r" % self.n)
        self.ws.recv_until(rb"l-%d-e" % (self.n + 1))
        time.sleep(0.05)

    def again(self):
        self.over.set()


class Traffic:
    """All of them on one session."""

    def __init__(self, d, session, token):
        host, cookie = d.proxy_host(session), d.cookie(session, token)
        self.down = Transfer(d, session, cookie, rate=4 << 20, size=8 << 20,
                             repeat=True)
        self.calls = Calls(d, session, token)
        self.doing = [Pages(d, host, cookie, True),
                      Pages(d, host, cookie, False),
                      self.calls, Uploads(d, host, cookie),
                      Typing(d, session, token)]

    def over(self, t, what, tickets):
        """Lines of the test: nothing of it has failed, and so many tickets at the
        least were given."""
        for x in self.doing:
            x.stop()
            t.equal((x.n > 0, x.failed[:5]), (True, []),
                    "%s: no failure among %s" % (what, x.what))
            t.diag("%d %s, the slowest took %.3f s" % (x.n, x.what,
                                                        x.slowest))
        t.ok(self.calls.tickets >= tickets, "%s: %d tickets for terminals, of "
             "%d at the least" % (what, self.calls.tickets, tickets))
        t.ok(self.down.intact(), "%s: downloads are byte for byte" % what)
        t.diag("%d downloads, %r" % (self.down.rounds, self.down.error))


class Tunnels:
    """Traffic on one tunnel, and others that idle beside it."""

    def __init__(self, d, targets, idle):
        self.d = d
        keys = [d.add_system("box%d" % i) for i in range(idle + 1)]
        self.clients = [GoClient(d, k, s, "web=127.0.0.1:%d" % targets.http)
                        for k, s in keys]
        try:
            for c in self.clients:
                c.event("manifest_sent")
            until(lambda: len(self.up()) == idle + 1, "all tunnels", 120)
            session = [s for s in self.up() if keys[0][0] in s["system"] or
                       s["system"] == "box0"][0]["session"]
            self.muxds = self.processes()
            self.traffic = Traffic(d, session, d.token(lifetime="2h"))
        except BaseException:
            self.__exit__()
            raise

    def up(self):
        return [s for s in self.d.sessions() if s["tunnel"] == "up"]

    def processes(self):
        return {p["pid"] for p in self.d.processes("muxd")}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for c in self.clients:
            c.stop()

    def over(self, t, what, tickets):
        """Nothing has failed, and no tunnel has noticed."""
        self.traffic.over(t, what, tickets)
        t.equal(self.processes(), self.muxds, "all %d tunnels have the process "
                "that they had" % len(self.clients))
        t.ok(not any(c.out.has('"event":"closed"') for c in self.clients),
             "no client lost its tunnel")
