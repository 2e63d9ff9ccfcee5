#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Failure, on purpose: each kind of process killed during traffic, and what
survives. A second tunnel's transfer runs through every case and must arrive
intact."""

import signal

from harness import is_up, GoClient, Relayd, Tap, Targets, until
from transfer import Transfer

t = Tap()


def role_pid(d, role, session=None):
    for p in d.processes(role):
        if session is None or session in str(p.get("session")):
            return int(p["pid"])
    raise LookupError(role)


def fresh_pid(d, role, old):
    def found():
        rows = d.ctl_try("show", "processes") or []
        for p in rows:
            if p["role"] == role and int(p["pid"]) not in old:
                return int(p["pid"])
    return until(found, "a new " + role)


with Targets() as targets, Relayd(t, proxyds=1) as d:
    web = "web=127.0.0.1:%d" % targets.http
    a_key, a_secret = d.add_system("A")
    b_key, b_secret = d.add_system("B")
    quick = ["-reconnect-delay", "200ms"]
    with GoClient(d, a_key, a_secret, web, extra=quick) as a, \
            GoClient(d, b_key, b_secret, web, extra=quick) as b:
        a.event("manifest_sent")
        b.event("manifest_sent")
        until(lambda: len([s for s in d.sessions()
                           if s["status"] == "active"]) == 2,
              "two sessions")
        by = {s["system"]: s["session"] for s in d.sessions()}
        names = list(by)
        sa = [by[n] for n in names if a_key in n or n == "A"][0]
        sb = [by[n] for n in names if b_key in n or n == "B"][0]
        token = d.token()
        ca, cb = d.cookie(sa, token), d.cookie(sb, token)

        # A muxd.
        other = Transfer(d, sb, cb)
        mark = d.log.mark()
        again = a.out.mark()
        pid = role_pid(d, "muxd", sa)
        d.kill(pid)
        d.log.wait(r"muxd.*(signal 9|killed)", mark)
        a.event("connected", again)
        until(lambda: [s for s in d.sessions() if s["session"] == sa and
                       s["status"] == "active"], "session A again")
        t.ok(True, "a muxd crashes: the client reconnects into the same "
             "session")
        st, h, body = until(
            lambda: (lambda r: r if r[0] == 200 else None)(
                d.via(sa, ca, "/bytes?n=1000")), "A's page")
        t.equal(len(body), 1000, "tunnel-47(partial): the session serves "
                "again after its worker was killed")
        t.ok(other.intact(), "a muxd crashes: nobody else notices")

        # authd.
        other = Transfer(d, sb, cb)
        w = d.terminal(sa, d.ticket(sa, token))
        w.send(b"\0echo one-$((1+1))\r")
        w.recv_until(rb"one-2")
        mark = d.log.mark()
        pid = role_pid(d, "authd")
        clients = a.out.mark(), b.out.mark()
        d.kill(pid)
        d.log.wait(r"authd.*(signal 9|killed)", mark)
        w.send(b"\0echo two-$((1+1))\r")
        w.recv_until(rb"two-2")
        t.ok(True, "authd crashes: an open terminal goes on")
        fresh_pid(d, "authd", {pid})
        st, h, body = until(
            lambda: (lambda r: r if r[0] == 200 else None)(
                d.via(sa, ca, "/bytes?n=1000")), "a page with the new authd")
        t.equal(len(body), 1000, "authd crashes: requests are served again")
        t.ok(other.intact(), "authd crashes: open streams keep flowing")
        t.ok(not a.out.has('"closed"', clients[0]) and
             not b.out.has('"closed"', clients[1]),
             "authd crashes: no tunnel drops")
        t.equal(sorted(s["session"] for s in d.sessions()
                       if s["status"] == "active"), sorted([sa, sb]),
                "authd crashes: every session is where it was")
        w.send(b"\0echo three-$((1+1))\r")
        w.recv_until(rb"three-2")
        t.ok(True, "authd crashes: the terminal outlives the return too")

        # A termd.
        other = Transfer(d, sb, cb)
        w2 = d.terminal(sa, d.ticket(sa, token))
        w2.send(b"\0echo four-$((1+1))\r")
        w2.recv_until(rb"four-2")
        pids = [int(p["pid"]) for p in d.processes("termd")]
        t.equal(len(pids), 2, "a termd per terminal")
        mark = d.log.mark()
        d.kill(max(pids))
        d.log.wait(r"termd.*(signal 9|killed)", mark)
        try:
            while True:
                w2.recv()
        except (ConnectionError, OSError):
            pass
        w.send(b"\0echo five-$((1+1))\r")
        w.recv_until(rb"five-2")
        t.ok(True, "a termd crashes: one terminal ends, the other goes on")
        w.close()
        t.ok(other.intact(), "a termd crashes: nobody else notices")

        # A tcpd.
        other = Transfer(d, sb, cb)
        v = [d.tcp_open(sa, "web", token) for _ in range(2)]
        pids = [int(p["pid"]) for p in d.processes("tcpd")]
        t.equal(len(pids), 2, "a tcpd per connection")
        mark = d.log.mark()
        d.kill(pids[0])
        d.log.wait(r"tcpd.*(signal 9|killed)", mark)
        whole = 0
        for x in v:
            try:
                x.send(b"GET /status HTTP/1.0\r\n\r\n")
                whole += x.recv()[1].startswith(b"HTTP/1.")
            except (ConnectionError, OSError):
                pass
            x.close()
        t.equal(whole, 1, "a tcpd crashes: its connection ends, the other "
                "goes on")
        t.ok(other.intact(), "a tcpd crashes: nobody else notices")

        # A proxyd.
        pid = role_pid(d, "proxyd")
        c = d.connect()
        mark = d.log.mark()
        d.kill(pid)
        d.log.wait(r"proxyd.*(signal 9|killed)", mark)
        try:
            got = c.recv(10)
        except ConnectionResetError:
            got = b""       # it had not been accepted yet
        t.equal(got, b"", "a proxyd crashes: its connections drop")
        fresh_pid(d, "proxyd", {pid})
        for sid, cookie in ((sa, ca), (sb, cb)):
            def page():
                try:
                    return d.via(sid, cookie, "/bytes?n=5000")
                except OSError:
                    return None
            r = until(lambda: (lambda x: x if x and x[0] == 200 else None)(
                page()), "a page through the new proxyd")
            t.equal(len(r[2]), 5000, "a proxyd crashes: another starts, "
                    "tunnels stay")
        t.ok(not a.out.has('"closed"', clients[0]) and
             not b.out.has('"closed"', clients[1]),
             "a proxyd crashes: no tunnel drops")

        # control.
        other = Transfer(d, sb, cb)
        pid = role_pid(d, "control")
        d.kill(pid)
        fresh_pid(d, "control", {pid})
        t.ok(True, "control crashes: relayctl is answered again")
        t.ok(other.intact(), "control crashes: nobody else notices")

        # The client vanishes without FIN.
        other = Transfer(d, sb, cb)
        a.p.send_signal(signal.SIGSTOP)
        mark = d.log.mark()
        for _ in range(28):     # in steps that B's answers keep up with
            d.move_clock(1000)
        until(lambda: [s for s in d.sessions() if s["session"] == sa and
                       not is_up(s)],
              "the dead tunnel to be noticed")
        t.ok(True, "tunnel-26(partial): silence for 10 s after our ping ends "
             "the tunnel, the session has grace")
        a.p.send_signal(signal.SIGCONT)
        until(lambda: [s for s in d.sessions() if s["session"] == sa and
                       is_up(s)],
              "the client to return")
        t.ok(True, "a client that vanished returns into its session")
        other.intact()

        # The parent.
        d.die()
        t.ok(True, "the parent dies: everything exits")
        mark_a = a.out.mark()
        d.start()
        a.event("connected", mark_a)
        until(lambda: [s for s in d.sessions() if s["session"] == sa and
                       is_up(s)],
              "A back in its session")
        t.ok(True, "tunnel-52(partial): after a restart the client is back "
             "in the same session")
t.done()
