#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Who may have a tunnel: rates of logins, the number of tunnels and sessions,
and of workers that have not logged in. Refusals come before the 101 and leave
nothing in the store; another tunnel's transfer runs through each."""

import base64
import itertools
import json
import os
import re
import signal
import socket
import sys
import threading

from harness import GoClient, Relayd, Tap, Targets, until
from transfer import Bystander, creep
from yamuxraw import Raw

t = Tap()


def login(d, key, secret, node=None, source=None, extra="",
          path="/api/tunnel"):
    """(status, head, message, socket) of one attempt."""
    s = socket.socket()
    s.settimeout(60)
    if source:
        s.bind((source, 0))
    s.connect(("127.0.0.1", d.port))
    auth = base64.b64encode(("%s:%s" % (key, secret)).encode()).decode()
    s.sendall(("GET %s%s HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n"
               "Connection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
               "dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n" % (
                   path, "" if node is None else "?node_id=" + node, auth,
                   extra)).encode())
    buf = b""
    while b"\r\n\r\n" not in buf:
        part = s.recv(65536)
        if not part:
            return 0, "", "", s
        buf += part
    head, body = buf.split(b"\r\n\r\n", 1)
    head = head.decode("latin-1")
    status = int(head.split(" ")[1])
    message = ""
    if status != 101:
        m = re.search(r"(?i)content-length: (\d+)", head)
        while m and len(body) < int(m.group(1)):
            part = s.recv(65536)
            if not part:
                break
            body += part
        try:
            message = json.loads(body)["message"]
        except (ValueError, KeyError, TypeError):
            message = body.decode("latin-1")
    return status, head, message, s


def retry_after(head):
    m = re.search(r"(?im)^retry-after: (\d+)\r?$", head)
    return int(m.group(1)) if m else 0


def rows(d):
    """Session rows in the store, whatever their state."""
    return d.rows("SELECT count(*) FROM support_sessions")[0][0]


def alter(d, *pairs):
    """Before the start: settings other than the harness has them."""
    for old, new in pairs:
        if old not in d.text:
            raise ValueError(old)
        d.text = d.text.replace(old, new)
    with open(d.conf, "w") as f:
        f.write(d.text)
    return d


class Slots:
    """Logged-in tunnels whose sockets are held."""

    def __init__(self, d):
        self.d, self.socks = d, []

    def log_in(self, *args, **kw):
        st, head, message, s = login(self.d, *args, **kw)
        if st == 101:
            self.socks.append(s)
        else:
            s.close()
        return st, head, message

    def drop(self):
        for s in self.socks:
            s.close()
        self.socks = []


def address_rate(targets):
    # One proxyd: each counts what it sees, and of the others' only a share.
    d = alter(Relayd(t, proxyds=1), ("rate limit address 100000 per 1m",
                                     "rate limit address 10 per 1m"))
    with d, Bystander(t, d, targets) as by:
        by.start()
        key, secret = d.add_system("a")
        here, there = "127.0.0.21", "127.0.0.22"
        mark = d.log.mark()
        for i in range(10):
            st = login(d, key, "wrong-%d" % i, source=here)[0]
            if st != 401:
                break
        t.equal((i, st), (9, 401), "ten attempts of one address are looked "
                "at")
        before = rows(d)
        st, head, message, s = login(d, key, secret, source=here)
        t.equal((st, message), (429, "too many connection attempts"),
                "tunnel-9: the 11th attempt from one address: 429, whatever "
                "the secret")
        t.ok(1 <= retry_after(head) <= 60, "with Retry-After")
        st = login(d, key, secret, source=here,
                   extra="X-Forwarded-For: 127.0.0.99\r\n")[0]
        t.equal(st, 429, "tunnel-9: a forged X-Forwarded-For does not change "
                "that")
        t.equal(rows(d), before, "nothing is left in the store")
        st = login(d, key, secret, source=here, path="/api/nothing")[0]
        t.equal(st, 404, "other requests of that address are served")
        slots = Slots(d)
        st = slots.log_in(key, secret, source=there)[0]
        t.equal(st, 101, "another address is let in")
        slots.drop()
        t.ok(d.log.wait(r"authd.* 127.0.0.21: tunnel refused: too many "
                        "connection attempts", mark),
             "and a log line")
        creep(d, 61000)
        st = slots.log_in(key, secret, source=here)[0]
        t.equal(st, 101, "tunnel-9: after the window the first one too")
        slots.drop()
        by.intact("address rate")


def slot_rate(targets):
    d = alter(Relayd(t, proxyds=2),
              ("rate limit slot 100000 per 1m", "rate limit slot 5 per 1m"),
              ("rate limit key 100000 per 1m", "rate limit key 12 per 1m"))
    with d, Bystander(t, d, targets) as by:
        by.start()
        key, secret = d.add_system("s")
        slots = Slots(d)

        def in_and_out(node=None):
            def gone():
                return not [x for x in d.sessions() if x["tunnel"] == "up" and
                            (x.get("node") or "") == (node or "") and
                            x["session"] != by.session]
            st, head, message = slots.log_in(key, secret, node)
            slots.drop()
            until(gone, "the tunnel's end")
            return st, head, message

        for _ in range(100):
            st = login(d, key, secret[:-1] + "x", source="127.0.0.31")[0]
            if st not in (401, 429):
                break
        t.ok(st in (401, 429), "100 wrong secrets are refused (%d)" % st)
        mark = d.log.mark()
        got = [in_and_out()[0] for _ in range(5)]
        t.equal(got, [101] * 5, "tunnel-10(partial): they do not refuse the "
                "right one from elsewhere; five logins for one slot")
        st, head, message = in_and_out()
        t.equal((st, message), (429, "too many connection attempts for this "
                                "system"), "tunnel-10: the 6th: 429")
        t.ok(1 <= retry_after(head) <= 60, "with Retry-After")
        t.ok(d.log.wait(r"refused: 429 too many connection attempts for this "
                        "system", mark), "and a log line")
        st = in_and_out("1")[0]
        t.equal(st, 101, "another node of the system is let in")
        got = [in_and_out(str(n))[0] for n in range(2, 12)]
        t.ok(101 in got and got[-1] == 429 and got.count(101) in (5, 6),
             "the key's rate holds for all its nodes (%s)" %
             " ".join(map(str, got)))
        creep(d, 61000)
        t.equal(in_and_out()[0], 101, "tunnel-10: after the window: accepted")
        by.intact("slot rate")


def tunnels(targets):
    d = Relayd(t, proxyds=2, tunnel="\tmax tunnels 3\n"
               "\tmax sessions per system 2\n")
    with d, Bystander(t, d, targets) as by:
        by.start()
        key, secret = d.add_system("m")
        slots = Slots(d)
        t.equal([slots.log_in(key, secret, n)[0] for n in ("1", "2")],
                [101, 101], "two nodes of a system")
        before = rows(d)
        other = d.add_system("n")
        mark = d.log.mark()
        st, head, message = slots.log_in(*other)
        t.equal(st, 503, "tunnel-10: all tunnel slots taken: 503 before 101")
        t.ok(retry_after(head) > 0, "tunnel-10: with Retry-After")
        t.equal(rows(d), before, "tunnel-10: nothing left in the store")
        t.ok(d.log.wait(r"refused: 503 all tunnel slots are taken", mark),
             "and a log line")
        with GoClient(d, *other, "web=127.0.0.1:%d" % targets.http,
                      extra=["-reconnect-delay", "200ms"]) as c:
            c.event("dial_failed")
            slots.socks.pop().close()
            c.event("connected")
            t.ok(True, "when one has gone, the client gets in")
        st = login(d, key, "x")[0]
        t.equal(st, 401, "a wrong secret is told so all the same")
        until(lambda: len([x for x in d.sessions()
                           if x["tunnel"] == "up"]) < 3, "a free slot")
        before = rows(d)
        mark = d.log.mark()
        st, head, message = slots.log_in(key, secret, "3")
        t.equal((st, message), (409, "too many sessions for this system"),
                "the cap of sessions per system: 409")
        t.equal(rows(d), before, "and no row")
        t.ok(d.log.wait(r"refused: 409 too many sessions", mark),
             "and a log line")
        st = slots.log_in(key, secret, "2")[0]
        t.equal(st, 101, "back into one of its sessions is allowed")
        slots.drop()
        by.intact("max tunnels")


def startups(targets):
    """Workers that have not logged in: newcomers for slots whose old tunnel
    has fallen silent wait for as long as it is asked for a sign of life."""
    d = Relayd(t, proxyds=1, global_conf="max startups 2:100:4")
    with d, Bystander(t, d, targets) as by:
        by.start()
        key, secret = d.add_system("u")
        silent = [login(d, key, secret, str(n)) for n in range(2)]
        t.equal([x[0] for x in silent], [101, 101], "two tunnels that will "
                "not answer")
        until(lambda: len([x for x in d.sessions()
                           if x["tunnel"] == "up"]) == 3, "them to be up")
        for x in silent:        # what is there to be read stays unread
            x[3].settimeout(60)
        answers = [None, None]

        def newcomer(n):
            answers[n] = login(d, key, secret, str(n))
        mark = d.log.mark()
        waiting = [threading.Thread(target=newcomer, args=(n,))
                   for n in range(2)]
        for w in waiting:
            w.start()
        until(lambda: len(d.processes("muxd")) == 5, "two that wait")
        before = rows(d)
        got = [login(d, key, secret, "7") for _ in range(3)]
        t.equal([x[0] for x in got], [503] * 3, "max startups: the third "
                "that has not logged in is dropped early")
        t.ok(all(retry_after(x[1]) > 0 for x in got), "with Retry-After")
        t.ok(d.log.wait(r"relayd.*max startups", mark), "and a log line")
        t.equal(rows(d), before, "and no row")
        for w in waiting:
            w.join(60)
        t.equal([x and x[0] for x in answers], [101, 101],
                "tunnel-49: with a dead first, the second takes over")
        st = login(d, key, secret, "7")
        t.equal(st[0], 101, "and there is room again")
        by.intact("max startups")


def cluster(targets):
    """With the limits as they are when nobody sets them."""
    d = alter(Relayd(t, proxyds=2),
              ("\trate limit address 100000 per 1m\n", ""),
              ("\trate limit slot 100000 per 1m\n", ""),
              ("\trate limit key 100000 per 1m\n", ""))
    with d, Bystander(t, d, targets) as by:
        by.start()
        key, secret = d.add_system("cluster")
        nodes = [Raw(d, key, secret, node=str(n),
                     source="127.0.2.%d" % (n // 8 + 1))
                 for n in range(1, 33)]
        t.equal([x.status for x in nodes], [101] * 32, "tunnel-50(partial): "
                "nodes 1 to 32 of one cluster connect at once")
        up = until(lambda: (lambda u: u if len(u) == 32 else None)(
            [x for x in d.sessions() if x["tunnel"] == "up" and
             x["session"] != by.session]), "32 tunnels")
        t.equal((len({x["session"] for x in up}),
                 sorted(x["node"] for x in up)),
                (32, sorted(str(n) for n in range(1, 33))),
                "tunnel-50: and are up at the same time, each with its own "
                "session")
        st, head, message, s = login(d, key, secret, "33",
                                     source="127.0.2.9")
        t.equal(st, 409, "the 33rd: 409")
        t.ok(all(x.alive() for x in nodes), "and nobody is disturbed")
        for x in nodes:
            x.close()
        by.intact("cluster")


def tokens(targets):
    with Relayd(t, proxyds=2) as d, Bystander(t, d, targets) as by:
        by.start()
        key, secret = d.add_system("t")

        def attach(token=None):
            st, head, message, s = login(
                d, key, secret, "5&reconnect_token=" + token if token else
                "5")
            s.close()
            m = re.search(r"(?i)x-support-session-id: (\S+)", head)
            n = re.search(r"(?i)x-support-reconnect-token: (\S+)", head)
            until(lambda: not [x for x in d.sessions() if x["node"] == "5"
                               and x["tunnel"] == "up"], "its end")
            return st, m and m.group(1), n and n.group(1)

        def row():
            return [(x["session"], x["status"], x["expires"])
                    for x in d.sessions() if x["node"] == "5"]
        st, sid, first = attach()
        before = row()
        st = attach("0" * 64)[0]
        t.equal((st, row()), (403, before), "tunnel-51(partial): a wrong "
                "reconnect_token: 403, session untouched")
        st, again, second = attach(first)
        t.equal((st, again, row()), (101, sid, before),
                "tunnel-51: the right one: attached")
        t.ok(second != first, "with a fresh token")
        t.equal(attach(first)[:2], (101, sid), "the previous one is good: "
                "the last 101 may have been lost")
        t.equal(attach(first)[0], 403, "the one before that is not")
        t.equal(attach("nonsense")[0], 403, "nor is what is no token")
        t.equal(attach()[:2], (101, sid), "none at all is enough")
        by.intact("reconnect tokens")


def shown(d, addr):
    """What relayctl says of an address."""
    return [x for x in d.ctl("show", "penalties") if x["address"] == addr]


def penalties(targets):
    """Who fails has to wait, by the defaults; behind a trusted proxy that is
    the client, and never the proxy."""
    d = alter(Relayd(t, proxyds=1, global_conf="trusted proxy 127.0.0.9"),
              ("penalty exempt 127.0.0.0/8\n", "penalty exempt 127.0.0.8\n"))
    with d, Bystander(t, d, targets) as by:
        by.start()
        key, secret = d.add_system("p")
        here, there, front = "127.0.0.21", "127.0.0.22", "127.0.0.9"

        guess = itertools.count()

        def fail(source, extra="", n=12):
            """With a secret that is new each time: what Redis alone knows to
            be wrong is refused, and no more."""
            for i in range(n):
                st, head = login(d, key, "my_%020d.%040d" % (0, next(guess)),
                                 source=source, extra=extra)[:2]
                if st == 429:
                    return i, retry_after(head)
            return n, 0
        n, wait = fail(here)
        # A slow machine's first failures run down meanwhile.
        t.ok(10 <= n < 12 and 90 <= wait <= 120, "an address that fails ten "
             "times has to wait: %d, %d s" % (n, wait))
        st, head, message, _ = login(d, key, secret, source=here)
        t.equal((st, message), (429, "too many connection attempts"),
                "with the right secret, too")
        slots = Slots(d)
        t.equal(slots.log_in(key, secret, source=there)[0], 101,
                "another is let in")
        slots.drop()
        rows_ = shown(d, here)
        t.equal([(x["cause"], x["times"]) for x in rows_],
                [("authfail", "1")], "relayctl show penalties")
        r = d.ctl_raw("-j", "show", "penalties")
        t.ok(0 < json.loads(r.stdout)[0]["wait"] <= 120,
             "the seconds are a number for programs")
        d.ctl("penalty", "clear", here)
        t.equal(shown(d, here), [], "penalty clear forgets it")
        t.equal(login(d, key, "wrong", source=here)[0], 401,
                "and it may try again")
        client = "X-Forwarded-For: 192.0.2.7\r\n"
        t.equal(fail(front, client)[0] < 12, True, "the client behind a "
                "trusted proxy has to wait")
        t.equal(shown(d, "192.0.2.7")[0]["times"], "1", "by its own address")
        t.equal(login(d, key, "wrong", source=front,
                      extra="X-Forwarded-For: 192.0.2.8\r\n")[0], 401,
                "the next client not")
        t.equal(fail(front)[0], 12, "nor the proxy where it names nobody")
        t.equal(shown(d, front), [], "of whom nothing is kept")
        t.equal(fail("127.0.0.8")[0], 12, "nor an exempt network")
        known = {p["pid"] for p in d.processes("muxd")}
        for i in range(2):
            st, _, _, s = login(d, key, secret, source=there)
            muxd = [int(p["pid"]) for p in d.processes("muxd")
                    if p["pid"] not in known]
            t.equal((st, len(muxd)), (101, 1), "a tunnel, crash %d" % (i + 1))
            os.kill(muxd[0], signal.SIGILL)
            while s.recv(65536):
                pass
            until(lambda: [x["offences"] for x in shown(d, there)] ==
                  [str(i + 1)], "the crash to be counted")
        t.equal(login(d, key, secret, source=there)[0], 429,
                "an address whose processes crash has to wait")
        t.equal(shown(d, there)[0]["cause"], "crash", "which is said")
        d.ctl("penalty", "clear", "all")
        t.equal(d.ctl("show", "penalties"), [], "penalty clear all")
        r = d.ctl_raw("penalty", "clear", here)
        t.equal(r.returncode != 0 and "no penalty" in r.stderr, True,
                "who has none is said so")
        by.intact("penalties")


def by_default(targets):
    """What relayd.conf(5) says of rates and penalties together."""
    d = alter(Relayd(t, proxyds=1), ("penalty exempt 127.0.0.0/8\n", ""),
              ("\trate limit address 100000 per 1m\n", ""),
              ("\trate limit slot 100000 per 1m\n", ""),
              ("\trate limit key 100000 per 1m\n", ""))

    def wrong(source, key, i):
        st, head = login(d, key, "my_%020d.%040d" % (i, i), source=source)[:2]
        return st, retry_after(head)

    with d:
        key, secret = d.add_system("p")
        one, many, steady, slow = ["127.0.0.%d" % n for n in (31, 32, 33, 34)]
        got = [wrong(one, key, i)[0] for i in range(10)]
        t.equal(got, [401] * 5 + [429] * 5, "one key fails five times")
        for minute in range(10):
            d.move_clock(60500)
            got += [wrong(one, key, 10 * minute + i)[0]
                    for i in range(10, 20)]
        t.equal([x["times"] for x in shown(d, one)], ["0"], "in each of ten "
                "minutes, and its address is not shut out")
        d.move_clock(60500)
        got = [wrong(many, "NETH-%d" % i, i) for i in range(11)]
        t.equal([x[0] for x in got], [401] * 10 + [429],
                "ten keys at once fail, the eleventh is not asked")
        t.ok(90 <= got[-1][1] <= 100, "the address is shut out for 100 s: %d" %
             got[-1][1])
        n = 0
        while n < 100 and wrong(steady, "NETH-%d" % n, n)[0] == 401:
            n += 1
            d.move_clock(6000)
        t.ok(22 <= n <= 26, "as fast as the rate lets it, after 24: %d" % n)
        for n in range(30):
            if wrong(slow, "NETH-%d" % n, n)[0] != 401:
                break
            d.move_clock(10000)
        t.equal(n, 29, "six a minute never")


with Targets() as targets:
    for name, part in (("address rate", address_rate),
                       ("by default", by_default),
                       ("penalties", penalties),
                       ("slot rate", slot_rate), ("tunnels", tunnels),
                       ("startups", startups), ("cluster", cluster),
                       ("tokens", tokens)):
        if not sys.argv[1:] or name in sys.argv[1:]:
            part(targets)
t.done()
