#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: a leg that was lost and is taken up again; the other, which knows
nothing of it, is not touched."""

import hashlib
import os
import random
import socket
import struct
import threading

from harness import Relayd, Tap, until
from peers import Relay

t = Tap()
WORD = "relayd.resume.1"
RESET = struct.pack("ii", 1, 0)
BINARY, TEXT, ACK = 0, 1, 2


class Leg:
    """A peer that can be taken up again: numbers, acks, and what it keeps."""

    def __init__(self, r, s, side, word=WORD):
        self.r, self.s, self.side, self.word = r, s, side, word
        self.out = self.seen = self.acked = 0
        self.kept = {}
        self.w = self.dial(None)

    def dial(self, seen, early=b""):
        w = self.r.dial("/relay/%s%s" % (
            self.s["id"], "" if seen is None else "?resume=%s" % seen),
            {"Authorization": "Bearer " + self.s[self.side + "_token"],
             "Sec-WebSocket-Protocol": self.word}, early=early)
        return w

    def again(self, seen=None, early=0):
        """With so many of the messages that are not acknowledged right behind
        the request."""
        self.w.s.close()
        self.w = self.dial(self.seen if seen is None else seen, b"".join(
            self.w.masked(self.kept[k]) for k in sorted(self.kept)[:early]))
        return self.w

    def lose(self):
        self.w.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.w.s.close()

    def resumed(self):
        """What the relay has not, again; the ack comes first."""
        op, data = self.w.recv()
        kind, n = struct.unpack(">BQ", data)
        if (op, kind) != (2, ACK):
            raise RuntimeError("no ack first: %d %r" % (op, data[:20]))
        self.take_ack(n)
        for k in sorted(self.kept):
            self.w.send(self.kept[k])

    def take_ack(self, n):
        self.acked = n
        self.kept = {k: v for k, v in self.kept.items() if k > n}

    def send(self, data, kind=BINARY):
        self.out += 1
        self.kept[self.out] = struct.pack(">BQ", kind, self.out) + data
        self.w.send(self.kept[self.out])

    def ack(self, n=None):
        self.w.send(struct.pack(">BQ", ACK, self.seen if n is None else n))

    def recv(self):
        """The next message: (kind, data); acks are taken; None: a close."""
        while True:
            op, data = self.w.recv()
            if op == 9:
                self.w.send(data, 10)
                continue
            if op == 8:
                self.why = data
                return None
            kind, n = struct.unpack(">BQ", data[:9])
            if kind == ACK:
                self.take_ack(n)
                continue
            if n != self.seen + 1:
                raise RuntimeError("%d after %d" % (n, self.seen))
            self.seen = n
            return kind, data[9:]


def pair(r):
    s = r.create()
    return s, Leg(r, s, "initiator"), r.join(s, "responder")


def walk(r):
    s, a, b = pair(r)
    t.equal((a.w.status, a.w.headers.get("sec-websocket-protocol")),
            (101, WORD), "it is selected")
    a.send(b"text", TEXT)
    a.send(b"\0\1")
    a.send(b"")
    t.equal([b.recv() for _ in range(3)], [(1, b"text"), (2, b"\0\1"),
                                           (2, b"")],
            "rendezvous-60(partial): the other gets plain messages")
    b.send("back")
    b.send(b"x", 2, False)
    b.send(b"y", 0, True)
    t.equal([a.recv(), a.recv()], [(TEXT, b"back"), (BINARY, b"xy")],
            "and sends such, which come with kind and number")
    op, data = a.w.recv()
    t.equal((op, data), (2, struct.pack(">BQ", ACK, 3)),
            "an ack of what has come, in a moment")
    until(lambda: r.status(s)["bytes_in"] == 6, "counters")
    t.equal(r.status(s)["bytes_out"], 6, "headers are not counted")
    return s, a, b


def lost(r):
    s, a, b = walk(r)
    b.send("one")
    a.recv()
    a.ack()
    b.send("two")
    a.lose()
    until(lambda: r.state(s) == "half_open", "it to be gone")
    for i in range(5):
        b.send("%d" % i)
    b.send(b"there", 9)
    t.equal(b.recv(), (10, b"there"), "rendezvous-60(partial): the other is "
            "answered, and told nothing")
    t.equal(a.again().status, 101, "it comes back")
    a.resumed()
    t.equal([a.recv()[1] for _ in range(6)], [b"two", b"0", b"1", b"2", b"3",
                                              b"4"],
            "rendezvous-60(partial): with what it has not seen, once")
    a.send(b"on")
    t.equal(b.recv(), (2, b"on"), "and goes on")
    until(lambda: r.state(s) == "open", "both")
    t.equal(a.again().status, 101, "one that is there still, for us")
    a.resumed()
    b.send("more")
    t.equal(a.recv(), (TEXT, b"more"), "is left, and taken up at once")
    a.w.send(a.w and struct.pack(">BQ", BINARY, a.out) + b"on")
    a.send(b"next")
    t.equal(b.recv(), (2, b"next"), "what is sent twice comes once")
    t.equal(a.w.close(1000), b"\x03\xe8", "a close is one")
    t.equal(b.closed(), (1000, "peer disconnected"), "rendezvous-60(partial): "
            "for the other, too")
    t.equal(a.again().closed(), (1008, "nothing to resume"),
            "after which there is nothing to take up")


def storm(r):
    """Losses at random, in mid-message, with both ways busy."""
    rnd = random.Random(60)
    s, a, b = pair(r)
    n = 400
    up = [rnd.randbytes(rnd.choice((0, 5, 700, 30000))) for _ in range(n)]
    down = [rnd.randbytes(rnd.choice((0, 5, 700, 30000))) for _ in range(n)]
    want = [hashlib.sha256(b"".join(len(x).to_bytes(4, "big") + x for x in y)
                           ).hexdigest() for y in (up, down)]
    h_up, h_down = hashlib.sha256(), hashlib.sha256()
    trouble = []

    def other():
        try:
            for x in down:
                b.send(x)
        except OSError as e:
            trouble.append(e)

    def heard():
        try:
            for _ in range(n):
                op, data = b.recv()
                while op == 9:
                    op, data = b.recv()
                if op != 2:
                    raise RuntimeError("the other got %d %r" % (op, data))
                h_up.update(len(data).to_bytes(4, "big") + data)
        except (OSError, RuntimeError) as e:
            trouble.append(e)
    xs = [threading.Thread(target=f) for f in (other, heard)]
    for x in xs:
        x.start()
    sent = got = losses = 0
    while got < n or sent < n:
        for _ in range(rnd.randrange(1, 30)):
            if sent < n:
                a.send(up[sent])
                sent += 1
            if got < n:
                h_down.update(len(x := a.recv()[1]).to_bytes(4, "big") + x)
                got += 1
        if rnd.randrange(2):
            a.ack()
        if sent < n and losses < 25:
            if rnd.randrange(2):	# a part of a message
                a.w.s.sendall(b"\x82\xfe\x40\x00abcd" + bytes(100))
            if rnd.randrange(2):
                a.lose()
            a.again()
            a.resumed()
            losses += 1
    for x in xs:
        x.join(60)
    t.equal((trouble, losses > 10), ([], True), "%d losses, and the other "
            "has noticed none" % losses)
    t.equal([h_up.hexdigest(), h_down.hexdigest()], want, "rendezvous-60: "
            "nothing is lost or doubled, either way")
    t.equal(r.status(s)["responder_connected"], True, "it is the same one")


def grace(r):
    s, a, b = pair(r)
    a.send(b"last")
    b.recv()
    a.lose()
    until(lambda: r.state(s) == "half_open", "it to be gone")
    r.d.move_clock(25000)
    b.send(b"x", 9)
    t.equal(b.recv()[0], 10, "25 s later the other is there")
    r.d.move_clock(5100)
    t.equal(b.closed(), (1001, "peer connection lost"),
            "rendezvous-60(partial): after the grace it hears of the loss")
    t.equal(a.again().closed(), (1008, "nothing to resume"), "too late")
    # Whoever begins anew ends what was.
    s, a, b = pair(r)
    a.lose()
    until(lambda: r.state(s) == "half_open", "it to be gone")
    c = r.join(s, "initiator")
    t.equal(b.closed(), (1001, "peer connection lost"), "another in its slot")
    b = r.join(s, "responder")
    c.send("new")
    t.equal(b.recv(), (1, b"new"), "begins anew")
    c.s.close()
    t.equal(b.closed(), (1001, "peer connection lost"), "rendezvous-60"
            "(partial): a pair of ordinary legs is as before")


def ends(r):
    """The other goes while it is away, and has said something before."""
    for how in "close", "loss":
        s, a, b = pair(r)
        b.send("1")
        a.recv()
        a.lose()
        until(lambda: r.state(s) == "half_open", "it to be gone")
        b.send("2")
        b.send("3")
        if how == "close":
            b.close(1000)
        else:
            b.s.shutdown(socket.SHUT_WR)
        until(lambda: r.state(s) == "pending", "the other to be gone")
        a.again()
        a.resumed()
        t.equal([a.recv(), a.recv(), a.recv()],
                [(TEXT, b"2"), (TEXT, b"3"), None], "what was said before a " +
                how)
        t.equal(a.why, b"\x03\xe8peer disconnected" if how == "close" else
                b"\x03\xe9peer connection lost", "and then the end")
    # Both are such legs, and both are lost.
    s = r.create()
    a, b = Leg(r, s, "initiator"), Leg(r, s, "responder")
    a.send(b"early")
    t.equal(b.recv(), (BINARY, b"early"), "two of them")
    a.lose()
    b.lose()
    until(lambda: r.state(s) == "pending", "both to be gone")
    a.again()
    a.resumed()
    a.send(b"more")
    b.again()
    b.resumed()
    t.equal(b.recv(), (BINARY, b"more"), "both come back")
    # One who is alone.
    s = r.create()
    a = Leg(r, s, "initiator")
    a.send(b"early")
    a.send(b"bird")
    t.equal(a.w.recv(), (2, struct.pack(">BQ", ACK, 2)), "is told that it is "
            "kept")
    a.lose()
    until(lambda: r.state(s) == "pending", "it to be gone")
    b = r.join(s, "responder")
    t.equal([b.recv()[1], b.recv()[1]], [b"early", b"bird"],
            "what it said is there for who comes meanwhile")
    b.send("hello")
    a.again()
    a.resumed()
    t.equal(a.recv(), (TEXT, b"hello"), "and it hears the answer")


def limits(r):
    s, a, b = pair(r)
    big = os.urandom(256 * 1024)
    a.send(big)
    t.equal(b.recv(), (2, big), "256 KiB pass")
    b.send(big)
    t.equal(a.recv(), (BINARY, big), "both ways")
    a.w.send(struct.pack(">BQ", BINARY, a.out + 1) + big + b"x")
    a.seen = 0
    t.equal(a.w.closed()[0], 1009, "a byte more: 1009")
    t.equal(b.closed(), (1001, "peer connection lost"), "and the end")
    s, a, b = pair(r)
    b.send(big + b"x")
    t.equal(b.closed(), (1009, "message too big"), "the other, too")
    # It is away, and the other speaks on.
    s, a, b = pair(r)
    a.lose()
    until(lambda: r.state(s) == "half_open", "it to be gone")
    sent = hashlib.sha256()
    part = os.urandom(65536)
    n = 0
    b.s.settimeout(2)
    frame = b"\x82\xff" + (65536).to_bytes(8, "big") + bytes(4) + part
    left = b""
    try:
        while n < 400:
            left = left or frame
            left = left[b.s.send(left):]
            if not left:
                sent.update(part)
                n += 1
    except TimeoutError:
        pass
    b.s.settimeout(60)
    pid = int(r.d.processes("rendd")[-1]["pid"])
    with open("/proc/%d/statm" % pid) as f:
        t.ok(int(f.read().split()[1]) * 4096 < 12 << 20,
             "the process keeps a part of that only")
    t.ok(n < 400, "the other has to wait after %d KiB" % (n * 64))
    a.again()
    a.resumed()
    x = threading.Thread(target=lambda: b.s.sendall(left))
    x.start()
    if left:
        sent.update(part)
        n += 1
    got = hashlib.sha256()
    for _ in range(n):
        got.update(a.recv()[1])
        a.ack()
    x.join()
    t.equal(got.digest(), sent.digest(), "and it all comes")


def acks(a, n=None):
    """Up to this one, or until none comes any more."""
    a.w.s.settimeout(60 if n is not None else 3)
    try:
        while n is None or a.acked < n:
            op, data = a.w.recv()
            a.take_ack(struct.unpack(">BQ", data)[1])
    except TimeoutError:
        pass
    a.w.s.settimeout(60)


def early(r):
    """What comes with the request of one that is back, when there is no room:
    then it is not read, and is not seen to be lost before it is back."""
    s = r.create()
    a = Leg(r, s, "initiator")
    said = [os.urandom(n) for n in [60000] * 4 + [22000, 60000] +
            [11000] * 2]
    for x in said[:5]:
        a.send(x)
    acks(a, 5)
    # Read in one go, it goes to the limit of what is kept for who is to come.
    a.send(said[5])
    acks(a)
    a.lose()
    for x in said[6:]:
        a.out += 1
        a.kept[a.out] = struct.pack(">BQ", BINARY, a.out) + x
    t.equal(a.again(early=2 if a.acked == 6 else 0).status, 101, "it is back, "
            "with the next messages behind its request")
    x = threading.Thread(target=a.resumed)
    x.start()
    b = r.join(s, "responder")
    t.equal([b.recv()[1] == x for x in said], [True] * len(said),
            "rendezvous-60(partial): they come behind the rest, to who comes "
            "then")
    x.join()
    s, a, b = pair(r)
    b.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    a.w.s.settimeout(2)
    said = [os.urandom(10000)]
    try:
        while len(said) < 2500:
            a.send(said[0])
            said.append(said[0])
    except TimeoutError:
        pass
    t.ok(len(said) < 2500, "the other takes nothing, and it waits after %d" %
         len(said))
    acks(a)
    a.lose()
    t.equal(a.again(early=2).status, 101, "the same")
    x = threading.Thread(target=a.resumed)
    x.start()
    t.equal([b.recv()[1] == x for x in said], [True] * len(said),
            "rendezvous-60(partial): to who reads no byte of it is lost")
    x.join()


def faults(r):
    for raw, op, name in (
            (struct.pack(">BQ", BINARY, 2) + b"x", 2, "a number left out"),
            (struct.pack(">BQ", ACK, 1), 2, "an ack of what was not sent"),
            (struct.pack(">BQ", ACK, 0) + b"x", 2, "an ack with more"),
            (struct.pack(">BQ", 3, 1), 2, "a kind that is none"),
            (b"12345678", 2, "less than a header"), (b"x" * 20, 1, "text")):
        s, a, b = pair(r)
        a.w.send(raw, op)
        t.equal(a.w.closed()[0], 1002, name + ": 1002")
        t.equal(b.closed(), (1001, "peer connection lost"), "the other hears")
        a.w.s.close()
    s, a, b = pair(r)
    for n in "x", "-1", "1" * 30, "":
        t.equal(a.dial(n).status, 400, "resume=%s: 400" % n)
    a.lose()
    until(lambda: r.state(s) == "half_open", "it to be gone")
    t.equal(a.again(7).closed(), (1008, "nothing to resume"),
            "a number that was never sent")
    s = r.create()
    a = Leg(r, s, "initiator", "other, " + WORD)
    b = r.join(s, "responder")
    a.w.send(b"plain")
    t.equal(b.recv(), (2, b"plain"), "not the first that is offered: an "
            "ordinary leg")
    w = r.dial("/relay/%s?resume=0" % s["id"],
               {"Authorization": "Bearer " + s["initiator_token"]})
    t.equal(w.status, 101, "without the word the number is nothing")


def over(r):
    """The session ends while it is away."""
    s, a, b = pair(r)
    a.lose()
    until(lambda: r.state(s) == "half_open", "it to be gone")
    r.call("DELETE", "/" + s["id"])
    t.equal(b.closed(), (1001, "session closed"), "DELETE ends the other")
    t.equal(a.again().status, 404, "and it cannot come back")
    until(lambda: all(s["id"][:6] not in str(p) for p in
                      r.d.processes("rendd")), "its process to end")


with Relayd(t, conf="relay {\n\tno auth\n\tping interval 0s\n}\n") as d:
    r = Relay(d)
    lost(r)
    storm(r)
    grace(r)
    ends(r)
    limits(r)
    early(r)
    faults(r)
    over(r)
with Relayd(t, conf="relay {\n\tno auth\n\tresume grace 0s\n}\n") as d:
    r = Relay(d)
    s, a, b = pair(r)
    a.lose()
    t.equal(b.closed(), (1001, "peer connection lost"), "no grace: a loss is "
            "one")
t.done()
