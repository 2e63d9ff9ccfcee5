# SPDX-License-Identifier: ISC
"""What goes on at the doors of members while one of them is drained: pages,
terminals, TCP; and what of it has failed."""

import http.client
import random
import threading
import time

from asks import Asks
from basics import secret, until

EACH = 4                # requests at a time through each tunnel, of 0.4 s
WANT = b"".join(b"line %d\n" % i for i in range(4))


class Load:
    """As many requests as ever run, one after the other in each thread, with up
    to `pause` seconds between two; half of them on a connection that is kept,
    with `keeps`. `doors`: ports by name, those of the members if it is not said.
    `by_path`: not by the session's host. `wrong`: which failed, and how."""

    def __init__(self, c, sessions, pause=0, doors=None, keeps=True,
                 by_path=False):
        self.pause, self.keeps = pause, keeps
        token = c["a"].token(lifetime="2h")
        self.doors = doors or {n: c[n].port for n in c.names}
        self.over, self.lock = False, threading.Lock()
        self.done, self.wrong = {n: 0 for n in self.doors}, []
        self.at = {s: ("/api/support-sessions/%s/proxy/web" % s, {
            "Authorization": "Bearer " + token}) if by_path else ("", {
                "Host": c["a"].proxy_host(s),
                "Cookie": c["a"].cookie(s, token)}) for s in sessions}
        self.threads = [threading.Thread(target=self.run, args=(s, i))
                        for s in sessions for i in range(EACH)]

    def __enter__(self):
        for th in self.threads:
            th.start()
        return self

    def __exit__(self, *exc):
        self.over = True
        for th in self.threads:
            th.join()

    def run(self, s, i):
        """Each at one door, so that all doors have each session."""
        name = list(self.doors)[i % len(self.doors)]
        front, headers = self.at[s]
        k = None
        while not self.over:
            said, began = None, time.time()
            try:
                if k is None:
                    k = http.client.HTTPConnection(
                        "127.0.0.1", self.doors[name], timeout=60)
                k.request("GET", front + "/slow?ms=100&n=4", headers=headers)
                r = k.getresponse()
                body = r.read()
                if (r.status, body) != (200, WANT):
                    said = (r.status, body[:100])
            except (OSError, http.client.HTTPException) as e:
                said = (repr(e),)
            if said or not self.keeps or i < EACH // 2:
                k.close()
                k = None
            with self.lock:
                if said:
                    self.wrong.append((
                        name, s, *said, "from %.3f for %.3f s" % (
                            began, time.time() - began)))
                else:
                    self.done[name] += 1
            time.sleep(random.random() * self.pause)

    def more(self, n):
        """So many more at each door."""
        with self.lock:
            was = dict(self.done)
        until(lambda: all(self.done[x] >= was[x] + n for x in was),
              "requests at all doors", 120)


def none_failed(t, c, load):
    """Of a Load or of Visits. Else also what the members log of it."""
    if t.equal(load.wrong, [], "and none has failed, of %s" % load.done):
        return
    for s in {w[1] for w in load.wrong}:
        for name in c.names:
            t.diag("\n".join("%s: %s" % (name, x) for x in
                             c[name].log.lines if s in x))


class Door(Asks):
    """No member's own: a balancer's."""

    def __init__(self, port):
        self.port, self.answers, self.wrong = port, 0, []

    def secret(self, what, value):
        secret(what, value)


def bye(w):
    w.send(b"\3\350", 8)
    w.s.close()


class Visits:
    """One visit after the other, in a thread for each session and kind: a ticket
    is asked for, waits for `late` seconds at most, and a terminal or TCP comes
    with it, says a line and hears it. `done` by kinds; `wrong` as Load has it."""

    def __init__(self, c, sessions, port, late=0.5, pause=4):
        self.asks, self.late, self.pause = Door(port), late, pause
        # An operator may have only so many tickets in a minute.
        self.tokens = {s: c["a"].token(user="visitor%d" % i, lifetime="2h")
                       for i, s in enumerate(sessions)}
        self.over, self.lock = False, threading.Lock()
        self.done, self.wrong = {"terminal": 0, "tcp": 0}, []
        self.threads = [threading.Thread(target=self.run, args=(kind, visit, s))
                        for s in sessions for kind, visit in (
                            ("terminal", self.terminal), ("tcp", self.tcp))]

    __enter__ = Load.__enter__
    __exit__ = Load.__exit__
    more = Load.more

    def wait(self):
        time.sleep(random.random() * self.late)

    def terminal(self, s):
        ticket = self.asks.ticket(s, self.tokens[s])
        self.wait()
        w = self.asks.terminal(s, ticket)
        if w.status != 101:
            raise RuntimeError("%d %s" % (w.status, w.body()))
        w.send(b"\0" + b"echo here-$((6*7))\r")
        w.recv_until(rb"here-42", 60)
        bye(w)

    def tcp(self, s):
        ticket = self.asks.tcp_ticket(s, self.tokens[s], "echo")
        self.wait()
        w = self.asks.tcp(s, "echo", ticket)
        if w.status != 101:
            raise RuntimeError("%d %s" % (w.status, w.body()))
        w.send(b"a line")
        got = b""
        while got != b"a line":
            op, p = w.recv()
            if op == 8:
                raise RuntimeError("closed: %r after %r" % (p, got))
            got += p
        bye(w)

    def run(self, kind, visit, s):
        while not self.over:
            began = time.time()
            try:
                visit(s)
                with self.lock:
                    self.done[kind] += 1
            except Exception as e:
                with self.lock:
                    self.wrong.append((kind, s, repr(e), "from %.3f for %.3f "
                                       "s" % (began, time.time() - began)))
            time.sleep(random.random() * self.pause)
