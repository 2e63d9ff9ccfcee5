#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: slots, closing, messages."""

import hashlib
import os
import socket
import struct
import threading
import time

from harness import Relayd, Tap, until
from peers import Relay

t = Tap()
RESET = struct.pack("ii", 1, 0)


def kernel_keeps():
    """The most that both ends of one connection may have in their buffers."""
    most = 0
    for way in "rmem", "wmem":
        with open("/proc/sys/net/ipv4/tcp_" + way) as f:
            most += int(f.read().split()[2])
    return most


def closing(r):
    for code, reason, want in ((4001, "bye", b"\x0f\xa1bye"),
                               (None, "", b""), (1000, "", b"\x03\xe8"),
                               (1014, "", b"\x03\xf6")):
        s, a, b = r.pair()
        for i in range(50):
            a.send("%d" % i)
        t.equal(a.close(code, reason), want,
                "rendezvous-50: close %s is echoed" % code)
        got = [b.recv()[1] for _ in range(50)]
        t.equal(got, [b"%d" % i for i in range(50)],
                "rendezvous-38(partial): all that came before it")
        t.equal(b.closed(), (1000, "peer disconnected"),
                "rendezvous-38(partial): then 1000")
        a, b = r.join(s, "initiator"), r.join(s, "responder")
        a.send("again")
        t.equal(b.recv(), (1, b"again"), "rendezvous-38: both may dial again "
                "at once")
    for how in "reset", "end":
        s, a, b = r.pair()
        if how == "reset":
            a.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        a.s.close()
        t.equal(b.closed(), (1001, "peer connection lost"),
                "rendezvous-39(partial): a connection's %s without a close" %
                how)


def faults(r):
    mask = b"\1\2\3\4"
    for raw, name in (
            (b"\xc2\x80" + mask, "RSV1"), (b"\x83\x80" + mask, "opcode 3"),
            (b"\x82\x01x", "no mask"),
            (b"\x89\xfe\x00\x7e" + mask, "a ping of 126 bytes"),
            (b"\x80\x80" + mask, "a continuation of nothing")):
        s, a, b = r.pair()
        a.s.sendall(raw)
        op, data = a.recv()
        t.equal((op, int.from_bytes(data[:2], "big")), (8, 1002),
                "rendezvous-51(partial): %s: 1002 %s" % (name,
                                                         data[2:].decode()))
        t.equal(a.s.recv(10), b"", "rendezvous-51: and the end")
        t.equal(b.closed(), (1001, "peer connection lost"), "the other hears "
                "of a loss")
        a.s.close()


def slots(r):
    s, a, b = r.pair()
    got = []

    def answer():
        """Answers pings, as any client does."""
        while not got:
            op, data = a.recv()
            if op == 9:
                a.send(data, 10)
            else:
                got.append((op, data))
    x = threading.Thread(target=answer)
    x.start()
    c = r.join(s, "initiator")
    t.equal(c.closed(), (1008, "slot already connected"),
            "rendezvous-35(partial): a second one for a slot")
    b.send("still")
    x.join()
    t.equal(got, [(1, b"still")], "rendezvous-35: the holder is undisturbed")
    # One that is silent: its kernel is there, it is not.
    c = r.join(s, "initiator")
    t.equal(b.closed(), (1001, "peer connection lost"),
            "rendezvous-36(partial): a holder without a sign of life goes")
    b = r.join(s, "responder")
    c.send("new")
    t.equal(b.recv(), (1, b"new"), "rendezvous-36: and the newcomer sits")
    s = r.create()
    for how in "end", "reset":
        a = r.join(s, "initiator")
        if how == "reset":
            a.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        a.s.close()
        until(lambda: r.state(s) == "pending", "a free slot")
    b = r.join(s, "initiator")
    b.send(b"payload", 9)
    t.equal(b.recv(), (10, b"payload"), "rendezvous-32(partial): who waits "
            "has pings answered")
    t.ok(True, "rendezvous-34: a lone peer that vanishes frees its slot")


def early(r):
    s = r.create()
    a = r.join(s, "initiator")
    want = []
    for i in range(200):
        data = os.urandom(1024)
        want.append((1, data.hex()[:1024].encode()) if i % 2 else (2, data))
        a.send(want[-1][1], want[-1][0])
    a.send(b"", 2)
    want.append((2, b""))
    a.send(b"mark", 9)
    t.equal(a.recv(), (10, b"mark"), "rendezvous-32: a ping behind 200 KiB")
    b = r.join(s, "responder")
    t.equal([b.recv() for _ in want], want,
            "rendezvous-31: what was said early comes whole, in order")
    # More than is kept: it waits, and nothing is lost.
    s = r.create()
    a = r.join(s, "initiator")
    data = os.urandom(4 << 20)
    x = threading.Thread(target=a.send, args=(data,))
    x.start()
    until(lambda: r.state(s) == "half_open", "the first")
    b = r.join(s, "responder")
    t.equal(hashlib.sha256(b.recv()[1]).digest(),
            hashlib.sha256(data).digest(), "4 MiB that began early, too")
    x.join()


def messages(r):
    s, a, b = r.pair()
    for op, data in ((1, b""), (2, b""), (1, "\u00fc".encode()),
                     (1, b"\xff\xfe"), (2, b"x" * 125), (2, b"x" * 126),
                     (2, b"x" * 65535), (2, b"x" * 65536),
                     (2, os.urandom(1 << 20))):
        a.send(data, op)
        t.ok(b.recv() == (op, data), "rendezvous-44(partial): %d bytes of "
             "type %d" % (len(data), op))
    a.send(b"0", 2, False)
    for i in range(1, 999):
        a.send(b"%d" % (i % 10), 0, False)
        if i % 100 == 0:
            a.send(b"p%d" % i, 9)
    a.send(b"9", 0, True)
    t.equal(b.recv(), (2, b"".join(b"%d" % (i % 10) for i in range(1000))),
            "rendezvous-45: a thousand fragments with pings in between")
    op, data = a.recv()
    t.equal((op, data[:1]), (10, b"p"), "the pings are answered where they "
            "came from")
    s, a, b = r.pair()
    for byte in b"\x81\x85\1\2\3\4" + bytes(x ^ y for x, y in
                                            zip(b"Hello", b"\1\2\3\4\1")):
        a.s.sendall(bytes([byte]))
    t.equal(b.recv(), (1, b"Hello"), "a frame in eleven pieces")


def counters(r):
    s, a, b = r.pair()
    a.send(b"x" * 1000)
    a.send(b"ping", 9)
    b.send(b"y" * 10)
    b.recv(), a.recv()
    until(lambda: r.status(s)["bytes_out"] == 10, "counters")
    t.equal(r.status(s)["bytes_in"], 1000, "rendezvous-47(partial): payload "
            "alone")
    first = r.status(s)["last_activity"]
    a.close(1000)
    b.closed()
    a, b = r.join(s, "initiator"), r.join(s, "responder")
    b.send(b"z" * 5)
    a.recv()
    until(lambda: r.status(s)["bytes_out"] == 15, "counters")
    got = r.status(s)
    t.equal((got["bytes_in"], got["bytes_out"]), (1000, 15),
            "rendezvous-47(partial): they go on after another attach")
    t.ok(got["last_activity"] > first, "rendezvous-47: last_activity "
         "advances")


def stalled(r):
    """A reader that rests for 20 s, while the sender goes on, and pings."""
    s, a, b = r.pair()
    until(lambda: r.state(s) == "open", "both")
    data = [os.urandom(65536) for _ in range(8)]
    want = hashlib.sha256()

    def send():
        for i in range(400):
            want.update(data[i % 8])
            a.send(data[i % 8])
            if i % 10 == 0:
                a.send(b"%d" % i, 9)
    x = threading.Thread(target=send)
    x.start()
    for _ in range(4):
        r.d.move_clock(5000)
    got, n = hashlib.sha256(), 0
    while n < 400:
        op, part = b.recv()
        if op == 2:
            got.update(part)
            n += 1
    x.join()
    t.equal(got.digest(), want.digest(), "rendezvous-48: a reader that "
            "stalls for 20 s loses nothing")
    last = b""
    while last != b"390":
        op, last = a.recv()
        t.equal(op, 10, "and the sender's pings are answered, if later")
    b.send("on")
    t.equal(a.recv(), (1, b"on"), "nobody is closed")


def rss(pid):
    """Memory of its own, KiB."""
    n = 0
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            if line.startswith(("Private_Dirty:", "Private_Clean:")):
                n += int(line.split()[1])
    return n


def huge(r, size):
    s, a, b = r.pair()
    pid = r.d.pid_of("rendd")
    block = os.urandom(1 << 20)
    for _ in range(8):
        a.send(block)
        b.recv()
    before = peak = rss(pid)
    want = hashlib.sha256()

    def send():
        a.s.sendall(b"\x82\xff" + size.to_bytes(8, "big") + b"\0\0\0\0")
        for _ in range(size >> 20):
            want.update(block)
            a.s.sendall(block)
    x = threading.Thread(target=send)
    x.start()
    got, n, fin, looked = hashlib.sha256(), 0, False, 0
    while not fin:
        fin, op, data = b.frame()
        got.update(data)
        n += len(data)
        if n - looked > 64 << 20:
            looked, peak = n, max(peak, rss(pid))
    x.join()
    t.equal((n, got.digest()), (size, want.digest()),
            "rendezvous-44(partial): a message of %d MiB passes unchanged" %
            (size >> 20))
    t.ok(peak - before < 1024, "rendezvous-44: and the process grows by less "
         "than 1 MiB: %d KiB" % (peak - before))
    a.s.setblocking(False)
    n, quiet = 0, time.monotonic()
    buf = b"\x82\xff" + (1 << 31).to_bytes(8, "big") + b"\0\0\0\0"
    while time.monotonic() - quiet < 2:
        buf = buf or block
        try:
            k = a.s.send(buf)
            buf, n, quiet = buf[k:], n + k, time.monotonic()
        except BlockingIOError:
            time.sleep(0.05)
    t.ok(n < 2 * kernel_keeps() + (1 << 20),
         "a reader that stalls stops the writer: after %d KiB"
         % (n >> 10))
    t.ok(rss(pid) - before < 1024, "and nothing grows: %d KiB" %
         (rss(pid) - before))
    begun = time.monotonic()
    t.equal(r.call("DELETE", "/" + s["id"])[0], 204, "rendezvous-10(partial): "
            "DELETE of one that is stalled")
    t.ok(time.monotonic() - begun < 5, "rendezvous-10: does not wait for it")
    until(lambda: r.d.processes("rendd") == [], "the process to go")
    t.ok(True, "whose process goes, too")


with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    r = Relay(d)
    messages(r)
    closing(r)
    faults(r)
    slots(r)
    early(r)
    counters(r)
    stalled(r)
with Relayd(t, conf="relay {\n\tno auth\n}\n",
            build=os.environ.get("RELAYD_FAST_BUILD")) as d:
    huge(Relay(d), 1 << 30)
t.done()
