#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: what goes wrong while much is on its way. Each time: who is left
hears what it should, what it got was whole until then, and a pair beside it
notices nothing."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading

from harness import Relayd, Tap, until
from peers import Relay

t = Tap()
RESET = struct.pack("ii", 1, 0)


class Flow:
    """Numbered messages from one to the other, without an end."""

    def __init__(self, a, b):
        self.a, self.b, self.sent, self.got = a, b, 0, 0
        self.end = None
        self.xs = [threading.Thread(target=f, daemon=True)
                   for f in (self.send, self.recv)]
        for x in self.xs:
            x.start()

    def send(self):
        try:
            while True:
                self.a.send(self.sent.to_bytes(8, "big") + bytes(20000))
                self.sent += 1
        except OSError:
            pass

    def recv(self):
        try:
            while True:
                op, data = self.b.recv()
                if op == 8:
                    self.end = data
                    return
                if op == 9:
                    continue
                if int.from_bytes(data[:8], "big") != self.got or \
                        len(data) != 20008:
                    self.end = "message %d is not whole" % self.got
                    return
                self.got += 1
        except (OSError, EOFError, RuntimeError) as e:
            self.end = repr(e)

    def flows(self, what="a flow"):
        was = self.got
        until(lambda: self.got > was + 50 or self.end, what)
        if self.end:
            raise RuntimeError("%s: %r" % (what, self.end))

    def over(self):
        self.xs[1].join(60)
        return self.end


PEER = r"""
import os, socket, sys
s = socket.socket(fileno=int(sys.argv[1]))
while True:
    s.sendall(b"\x82\xfe\x4e\x28\0\0\0\0" + os.urandom(20008))
"""


def process_of(r, s):
    return next(int(p["pid"]) for p in r.d.processes("rendd")
                if p["session"] == s["id"])


def killed(r, beside):
    """A peer, kill -9."""
    s, a, b = r.pair()
    p = subprocess.Popen([sys.executable, "-c", PEER, str(a.s.fileno())],
                         pass_fds=[a.s.fileno()])
    a.s.close()
    for _ in range(100):
        b.recv()
    p.send_signal(signal.SIGKILL)
    p.wait()
    t.equal(b.closed(), (1001, "peer connection lost"),
            "rendezvous-39: kill -9 of one in mid-transfer: 1001")
    beside.flows()
    a, b = r.pair(s)[1:]
    a.send("x")
    t.equal(b.recv(), (1, b"x"), "both may come again")


def mid(r, beside):
    s, a, b = r.pair()
    f = Flow(a, b)
    f.flows()
    r.call("DELETE", "/" + s["id"])
    t.equal(f.over(), b"\x03\xe9session closed", "DELETE in mid-transfer: "
            "whole messages, then the close")
    s, a, b = r.pair(r.create({"ttl": 300}))
    f = Flow(a, b)
    f.flows()
    r.d.move_clock(290000)
    f.flows("a flow some seconds before")
    r.d.move_clock(10500)
    t.equal(f.over(), b"\x03\xe9session expired", "the TTL in mid-transfer: "
            "the same")
    beside.flows()


def processes(r, beside):
    s, a, b = r.pair()
    f = Flow(a, b)
    f.flows()
    r.d.kill(process_of(r, s))
    t.ok(f.over() is not None, "rendd killed in mid-transfer: both hear: %s"
         % f.end)
    until(lambda: r.state(s) == "pending", "authd to know")
    beside.flows()
    a, b = r.pair(s)[1:]
    f = Flow(a, b)
    f.flows()
    t.ok(True, "the same tokens, another process, and it flows")
    old = r.d.pid_of("authd")
    r.d.kill(old)
    f.flows("a flow without authd")
    beside.flows()
    until(lambda: [p for p in r.d.processes("authd")
                   if int(p["pid"]) != old and p["state"] == "ready"],
          "the next authd")
    until(lambda: r.call("GET", "/" + s["id"])[0] == 200 and
          r.state(s) == "open", "it to know them")
    f.flows()
    t.ok(True, "authd killed in mid-transfer: nobody has noticed")
    r.call("DELETE", "/" + s["id"])
    t.equal(f.over(), b"\x03\xe9session closed", "and the next one ends it")


def half_open(r):
    """The network of one is gone: its kernel says nothing at all any more. A
    socket that nobody reads and answers is as near as one comes on loopback."""
    s, a, b = r.pair()
    a.send("x")
    b.recv()
    for _ in range(4):
        r.d.move_clock(30100)
        b.send(b"", 10)
        until(lambda: b.recv()[0] in (8, 9), "a ping or the end")
        if r.state(s) == "pending":
            break
    t.equal(r.state(s), "pending", "a peer without a sign of life is lost, "
            "and its slot free")
    a.s.close()


def slow(r, beside):
    """One byte in each frame, one byte in each packet."""
    s, a, b = r.pair()
    data = os.urandom(3000)
    x = threading.Thread(target=lambda: [a.send(data[i:i + 1], 2 if i == 0
                                                else 0, i == 2999)
                                         for i in range(3000)])
    x.start()
    t.equal(b.recv(), (2, data), "a message of 3000 frames of a byte")
    x.join()

    def drip():
        raw = b"\x82\xfe\x03\xe8\0\0\0\0" + data[:1000]
        for i in range(len(raw)):
            a.s.sendall(raw[i:i + 1])
    x = threading.Thread(target=drip)
    x.start()
    t.equal(b.recv(), (2, data[:1000]), "and one that comes byte by byte")
    x.join()
    beside.flows()


def never(r, beside):
    """One that never reads stops who writes to it, and nobody else."""
    s, a, b = r.pair()
    a.s.settimeout(3)
    n = 0
    try:
        while True:
            n += a.s.send(b"\x82\xfe\x4e\x28\0\0\0\0" + bytes(20008))
    except TimeoutError:
        pass
    t.ok(n < 64 << 20, "who never reads stops the writer: %d KiB" % (n >> 10))
    b.send("other way")
    a.s.settimeout(60)
    t.equal(a.recv(), (1, b"other way"), "the other way goes on")
    beside.flows()
    r.call("DELETE", "/" + s["id"])


def often(r, beside):
    """Opens and closes, a hundred times a second and more, in all ways."""
    s = r.create()
    b = r.join(s, "responder")
    for i in range(300):
        a = r.join(s, "initiator")
        if i % 3 == 0:
            a.close(1000)
            want = (1000, "peer disconnected")
        elif i % 3 == 1:
            a.s.close()
            want = (1001, "peer connection lost")
        else:
            a.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            a.s.close()
            want = (1001, "peer connection lost")
        got = b.closed()
        if got != want:
            t.equal(got, want, "turn %d" % i)
            break
        b.s.close()
        b = r.join(s, "responder")
    t.equal(i, 299, "300 times open and close, and each time the other is "
            "told right")
    until(lambda: r.status(s)["responder_connected"], "the last")
    a = r.join(s, "initiator")
    a.send("x")
    t.equal(b.recv(), (1, b"x"), "the session is as good as new")
    n = len(os.listdir("/proc/%d/fd" % process_of(r, s)))
    t.ok(n < 20, "no descriptor is left over: %d" % n)
    beside.flows()


def begin(d):
    r = Relay(d)
    s, a, b = r.pair()
    beside = Flow(a, b)
    beside.flows()
    return r, beside


with Relayd(t, conf="relay {\n\tno auth\n\tping interval 0s\n}\n") as d:
    r, beside = begin(d)
    for f in killed, slow, never, often, mid, processes:
        f(r, beside)
with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    half_open(Relay(d))
t.done()
