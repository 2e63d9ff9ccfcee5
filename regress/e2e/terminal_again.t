#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A terminal that its operator comes back to: by whom, how long, what is shown
again; and how it ends all the same."""

import base64
import hmac
import json
import os
import re
import struct

from harness import OurClient, Relayd, Tap, until

t = Tap()
WORD = "relayd.terminal.1"
ACK, HELLO, STAY = 5, 6, 7


class Lasting:
    """The browser's end with the subprotocol: says what it has read."""

    def __init__(self, d, sid, token, back=None, ack=True):
        path = "/support-sessions/%s/terminal-ticket" % sid
        if back:
            path += "?terminal=" + back
        self.status, env = d.api("POST", path, token, {})
        if self.status != 200:
            return
        self.ack = ack
        self.w = d.terminal(sid, env["data"]["ticket"],
                            {"Sec-WebSocket-Protocol": WORD})
        self.status = self.w.status
        if self.status != 101:
            return
        self.got, self.red = b"", []
        while True:
            op, p = self.w.recv()
            if op == 2 and p[0] == HELLO:
                break
        self.hello = json.loads(p[1:])
        self.id, self.at = self.hello["terminal"], self.hello["from"]

    def step(self):
        """Read one frame: its opcode and payload."""
        op, p = self.w.recv()
        if op == 9:
            self.w.send(p, 10)
        elif op == 2 and p[0] == 0:
            self.at += len(p) - 1
            self.got += p[1:]
            if self.ack:
                self.w.send(bytes([ACK]) + struct.pack(">Q", self.at))
        elif op == 2 and p[0] == 3:
            self.red.append(p[1:].decode())
        return op, p

    def until(self, pattern):
        while not re.search(pattern, self.got):
            op, p = self.step()
            if op == 8:
                raise ConnectionError("closed: %r after %r" %
                                      (p, self.got[-300:]))
        return self.got

    def type(self, text):
        self.w.send(b"\0" + text.encode())

    def ended(self):
        """The code of the close."""
        while True:
            try:
                op, p = self.step()
            except (ConnectionError, OSError):
                return None
            if op == 8:
                return struct.unpack(">H", p[:2])[0] if len(p) > 1 else None

    def drop(self):
        self.w.close()

    def leave(self):
        """As a browser does whose page is reloaded."""
        self.w.send(struct.pack(">H", 1001), 8)
        self.w.close()


def listed(d, token):
    st, env = d.api("GET", "/terminals", token)
    return {x["terminal"]: x["waits"] for x in env["data"]["terminals"]}


def waits(d, token, which):
    until(lambda: listed(d, token).get(which), "terminal %s to wait" % which)


def gone(d, token, which):
    until(lambda: which not in listed(d, token), "terminal %s to end" % which)


def events(d, word):
    return [r[0] for r in d.rows("select actor from audit_events where "
                                 "action = '%s' order by event" % word)]


def comes_back(d, sid, token):
    a = Lasting(d, sid, token)
    t.equal((a.status, a.hello["grace"], a.hello["from"]), (101, 300, 0),
            "with the subprotocol a terminal says how it may be come back to")
    t.equal(listed(d, token), {a.id: False}, "and is in the operator's list")
    a.type("MARK=here; echo up-$((1+1))\r")
    a.until(rb"up-2")
    a.drop()
    waits(d, token, a.id)
    b = Lasting(d, sid, token, a.id)
    b.until(rb"up-2")
    b.type("echo $MARK-again\r")
    t.ok(b.until(rb"here-again"),
         "operator-64(partial): a dropped connection comes back to the same "
         "shell, with what it had shown")
    b.leave()
    waits(d, token, a.id)
    c = Lasting(d, sid, token, a.id)
    c.until(rb"here-again")
    t.ok(True, "a page that was left comes back, too")
    e = Lasting(d, sid, token, a.id)
    t.equal(c.ended(), 4001, "who is there hears that it was opened elsewhere")
    e.type("echo $MARK-three\r")
    e.until(rb"here-three")
    until(lambda: events(d, "terminal_resumed") == ["alice"] * 3 and
          events(d, "terminal_detached") == ["alice"] * 2,
          "audit events: %r" % (events(d, "terminal_detached"),))
    t.ok(True, "leaving and coming back are in the audit log")
    return e


def refused(d, sid, other_sid, a, token):
    """Nobody else, nowhere else."""
    a.drop()
    waits(d, token, a.id)
    mate = d.token(user="bob", lifetime="24h")
    t.equal((Lasting(d, sid, mate, a.id).status, listed(d, mate)), (404, {}),
            "another operator of the same organization has no way to it")
    t.equal(d.api("DELETE", "/terminals/" + a.id, mate)[0], 404,
            "and cannot end it")
    t.equal(d.api("DELETE", "/terminals", mate)[0], 200,
            "who signs out ends his own")
    t.equal([Lasting(d, sid, token, x).status for x in
             ("1", "0", "-1", "x", "9" * 30, a.id + "0")], [404] * 6,
            "what is no terminal is none")
    t.equal(Lasting(d, other_sid, token, a.id).status, 404,
            "nor is one of another session")
    st, env = d.api("POST", "/support-sessions/%s/terminal-ticket?terminal=%s" %
                    (sid, a.id), token, {})
    w = d.terminal(sid, env["data"]["ticket"])
    t.equal((st, w.status), (200, 400),
            "without the subprotocol nobody comes back")
    w = d.terminal(sid, env["data"]["ticket"],
                   {"Sec-WebSocket-Protocol": WORD})
    t.equal(w.status, 401, "a ticket to come back works once")
    waits(d, token, a.id)
    t.ok(True, "it waits for all that")
    b = Lasting(d, sid, token, a.id)
    b.type("echo $MARK-four\r")
    b.until(rb"here-four")
    return b


def acting(d, token, boss):
    """The token of somebody who acts as whose `token` is."""
    def part(x):
        return base64.urlsafe_b64encode(x).rstrip(b"=")
    head, body, _ = token.encode().split(b".")
    claims = json.loads(base64.urlsafe_b64decode(body + b"=="))
    claims.update(token_type="impersonation", is_impersonated=True,
                  impersonated_by={"id": boss})
    text = head + b"." + part(json.dumps(claims).encode())
    with open(os.path.join(d.dir, "jwt.secret"), "rb") as f:
        key = f.read().strip()
    return (text + b"." + part(hmac.digest(key, text, "sha256"))).decode()


def acted(d, sid, token):
    """Who acts as somebody is not he, and not another who does."""
    boss, other = acting(d, token, "boss"), acting(d, token, "other")
    a = Lasting(d, sid, boss)
    a.type("MARK=acted; echo up-$((1+1))\r")
    a.until(rb"up-2")
    a.drop()
    waits(d, boss, a.id)
    t.equal([(x, a.id in listed(d, x), Lasting(d, sid, x, a.id).status)
             [1:] for x in (token, other)], [(False, 404)] * 2,
            "neither he for whom it was opened nor another who acts as him "
            "comes back to it")
    b = Lasting(d, sid, boss, a.id)
    b.type("echo $MARK-again\r")
    t.ok(b.until(rb"acted-again"), "who acted then and does so again comes "
         "back")
    b.w.send(struct.pack(">H", 1000), 8)
    gone(d, boss, b.id)


def without_authd(d, sid, token):
    """It waits while another authd is started, and is found by that."""
    a = Lasting(d, sid, token)
    a.type("MARK=outlived; echo up-$((1+1))\r")
    a.until(rb"up-2")
    a.drop()
    waits(d, token, a.id)
    c = Lasting(d, sid, token)
    mark = d.log.mark()
    d.kill(d.pid_of("authd"))
    d.log.wait(r"authd.* 1 tunnel", mark)
    waits(d, token, a.id)
    t.equal(listed(d, token), {a.id: True, c.id: False},
            "another authd knows who waits and who does not")
    b = Lasting(d, sid, token, a.id)
    b.type("echo $MARK-again\r")
    t.ok(b.until(rb"outlived-again"), "and to which shell he comes back")
    c.drop()
    waits(d, token, c.id)
    t.ok(True, "it hears of the next who leaves")
    for x in b, Lasting(d, sid, token, c.id):
        x.w.send(struct.pack(">H", 1000), 8)
        gone(d, token, x.id)


def memory(pid):
    with open("/proc/%d/status" % pid) as f:
        return [int(x.split()[1]) for x in f if x.startswith("VmRSS")][0]


def flow(d, sid, token, client):
    """Who says nothing of what he has read is sent one window."""
    a = Lasting(d, sid, token, ack=False)
    a.type("cat /dev/zero | tr '\\0' z\r")
    while a.at < a.hello["window"]:
        a.step()
    w = a.w
    w.s.settimeout(2)
    try:
        while a.at < 16 * a.hello["window"]:
            a.step()
    except TimeoutError:
        pass
    w.s.settimeout(60)
    t.ok(a.at < a.hello["window"] + 32768, "flow control: %d bytes come, and "
         "no more before they are acknowledged" % a.at)
    rows = [x for x in d.ctl("show", "processes")
            if x["role"] in ("muxd", "termd")]
    pids = [int(x["pid"]) for x in rows] + [client.pid]
    before = [memory(p) for p in pids]
    a.ack, a.got = True, b""
    a.w.send(bytes([ACK]) + struct.pack(">Q", a.at))
    end = a.at + 30 * 1024 * 1024
    while a.at < end:
        a.step()
        a.got = b""
    grown = [memory(p) - b for p, b in zip(pids, before)]
    t.ok(max(grown) < 8192, "30 MB pass, and nobody keeps them: %r" % grown)
    a.type("\3")
    a.type("echo done-$((1+1))\r")
    a.until(rb"done-2")
    t.ok(True, "^C ends an endless file")
    a.drop()
    waits(d, token, a.id)
    b = Lasting(d, sid, token, a.id)
    b.until(rb"done-2")
    n = len(b.got)
    t.ok(b.hello["from"] > end - 1024 * 1024 and n <= 256 * 1024 + 100,
         "the last 256 KiB are shown again: %d" % n)
    b.w.send(bytes([ACK]) + struct.pack(">Q", b.at + 1000000))
    t.equal(b.ended(), 1008, "an acknowledgement of what was never sent")
    gone(d, token, a.id)


def limits(d, sid, token):
    """How many wait, and for how long."""
    many = [Lasting(d, sid, token) for _ in range(9)]
    for a in many:
        a.type("echo up-$((1+1))\r")
        a.until(rb"up-2")
    for a in many[:8]:
        a.drop()
        waits(d, token, a.id)
    t.equal(sum(listed(d, token).values()), 8, "eight terminals wait")
    many[8].drop()
    gone(d, token, many[0].id)
    waits(d, token, many[8].id)
    t.equal(sum(listed(d, token).values()), 8,
            "of nine the first ends that waited")
    d.move_clock(290 * 1000)
    a = Lasting(d, sid, token, many[8].id)
    t.equal(a.status, 101, "before five minutes are over he comes back")
    d.move_clock(20 * 1000)
    for x in many[1:8]:
        gone(d, token, x.id)
    t.equal(Lasting(d, sid, token, many[1].id).status, 404,
            "behind them there is no such terminal")
    t.ok(not listed(d, token)[a.id], "who came back is not ended by that")
    return a


def ends(d, sid, token, a):
    """What else ends one that waits."""
    a.drop()
    waits(d, token, a.id)
    t.equal(d.api("DELETE", "/terminals/" + a.id, token)[0], 200, "ended")
    gone(d, token, a.id)
    t.ok(True, "its operator ends it by its number")
    a, b = Lasting(d, sid, token), Lasting(d, sid, token)
    a.drop()
    waits(d, token, a.id)
    d.api("DELETE", "/terminals", token)
    gone(d, token, a.id)
    t.equal(listed(d, token), {b.id: False},
            "signing out ends what waits, and not what is in use")
    bob = d.token(user="bob", lifetime="24h")
    c = Lasting(d, sid, bob)
    c.drop()
    waits(d, bob, c.id)
    d.ctl("token", "revoke", "user", "bob")
    d.log.wait(r"info termd.*terminal of bob.* closed: ")
    t.ok(True, "revocation ends one that waits")
    b.drop()
    waits(d, token, b.id)
    d.api("DELETE", "/support-sessions/" + sid, token)
    gone(d, token, b.id)
    t.ok(True, "and so does the session's end")


def main():
    with Relayd(t, operator="\tticket rate 1000") as d:
        key, secret = d.add_system("box")
        with OurClient(d, key, secret, "web=127.0.0.1:9",
                       env={"SHELL": "/bin/sh"}) as client:
            sid = d.wait_session()["session"]
            token = d.token(lifetime="24h")
            key, secret = d.add_system("other")
            with OurClient(d, key, secret, "web=127.0.0.1:9"):
                until(lambda: len(d.sessions()) == 2, "two sessions")
                other = [s for s in (x["session"] for x in d.sessions())
                         if s != sid][0]
                a = comes_back(d, sid, token)
                a = refused(d, sid, other, a, token)
            a.w.send(struct.pack(">H", 1000), 8)
            gone(d, token, a.id)
            t.ok(True, "closing ends it")
            acted(d, sid, token)
            without_authd(d, sid, token)
            flow(d, sid, token, client)
            a = limits(d, sid, token)
            ends(d, sid, token, a)


def recorded():
    """One recording, whoever was there; nothing is in it twice."""
    with Relayd(t, operator="\tticket rate 1000",
                global_conf="record terminals yes") as d:
        key, secret = d.add_system("box")
        with OurClient(d, key, secret, "web=127.0.0.1:9"):
            sid = d.wait_session()["session"]
            token = d.token(permissions=("connect:systems",
                                         "read:recordings"))
            a = Lasting(d, sid, token)
            a.type("echo one-$((1+1))\r")
            a.until(rb"one-2")
            t.equal(a.red, ["this terminal is recorded"], "it is recorded")
            a.type("sleep 1; echo two-$((1+1)) >/dev/tty\r")
            a.until(rb"sleep 1")
            a.drop()
            waits(d, token, a.id)
            b = Lasting(d, sid, token, a.id)
            b.until(rb"two-2")
            t.equal(b.red, ["this terminal is recorded"],
                    "who comes back is told so, too")
            b.w.send(struct.pack(">H", 1000), 8)
            gone(d, token, a.id)
            st, env = d.api("GET", "/support-sessions/%s/recordings" % sid,
                            token)
            rows = env["data"]["recordings"]
            t.equal(len(rows), 1, "it is one recording")
            st, _, data = d.request(
                "GET", "/api/support-sessions/%s/recordings/%s" %
                (sid, rows[0]["id"]),
                headers={"Authorization": "Bearer " + token})
            t.equal((st, data.count(b"one-2"), data.count(b"two-2")),
                    (200, 1, 1), "with all that was shown, once")


main()
recorded()
t.done()
