#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Ten thousand connections of relay sessions that are idle, and a thousand
sessions that move data both ways at once: of each direction the SHA-256 is
that of what was sent. RELAYD_SOAK_IDLE and RELAYD_SOAK_ACTIVE make it smaller,
RELAYD_SOAK_MIB is what each direction of each session carries."""

import hashlib
import os
import resource
import selectors
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))
from harness import Relayd, Tap, until
from peers import Relay

IDLE = int(os.environ.get("RELAYD_SOAK_IDLE", "10000"))
ACTIVE = int(os.environ.get("RELAYD_SOAK_ACTIVE", "1000"))
MIB = float(os.environ.get("RELAYD_SOAK_MIB", "1"))
PART = 16384
PARTS = max(1, int(MIB * (1 << 20)) // PART)
HEAD = b"\x82\xfe" + PART.to_bytes(2, "big") + bytes(4)
t = Tap()


class End:
    """One peer that sends and hashes; its messages are of one size."""

    def __init__(self, w, seed):
        self.s = w.s
        self.s.setblocking(False)
        self.block = hashlib.shake_256(seed).digest(PART)
        self.left, self.out = PARTS, b""
        self.sent, self.heard = hashlib.sha256(), hashlib.sha256()
        self.buf, self.n = bytearray(), 0
        self.trouble = None

    def write(self):
        """1: all of it is out."""
        try:
            while self.out or self.left:
                if not self.out:
                    part = self.left.to_bytes(4, "big") + self.block[4:]
                    self.sent.update(part)
                    self.out = HEAD + part
                    self.left -= 1
                self.out = self.out[self.s.send(self.out):]
        except BlockingIOError:
            return False
        return True

    def read(self):
        """1: all of it has come."""
        try:
            data = self.s.recv(262144)
        except BlockingIOError:
            return False
        self.buf += data
        if not data:
            self.trouble = "the end after %d" % self.n
        while not self.trouble and len(self.buf) >= 4:
            op, n = self.buf[0] & 15, self.buf[1]
            if op == 9:
                if len(self.buf) < 2 + n:
                    break
                del self.buf[:2 + n]
                continue
            at = 4 if n == 126 else 2
            if op == 8 or n == 127:
                self.trouble = "frame %r" % bytes(self.buf[:40])
                break
            if n == 126:
                n = int.from_bytes(self.buf[2:4], "big")
            if len(self.buf) < at + n:
                break
            self.heard.update(self.buf[at:at + n])
            self.n += n
            del self.buf[:at + n]
        return self.n >= PARTS * PART or self.trouble is not None


def pss(d):
    """MiB of all processes."""
    n = 0
    for role in "authd", "proxyd", "rendd":
        for p in d.processes(role):
            with open("/proc/%s/smaps_rollup" % p["pid"]) as f:
                n += sum(int(x.split()[1]) for x in f if x.startswith("Pss:"))
    return n / 1024


def idle(r):
    """Sessions of 250 channels, both sides of each."""
    made, ws = [], []
    while len(ws) < IDLE:
        s = r.create({"channels": 250})
        made.append(s)
        for k in range(min(250, (IDLE - len(ws) + 1) // 2)):
            ws += [r.join(s, "initiator", k), r.join(s, "responder", k)]
    until(lambda: r.state(made[-1]) == "open", "the last")
    return made, ws


def move(ends):
    sel = selectors.DefaultSelector()
    for e in ends:
        sel.register(e.s, selectors.EVENT_READ | selectors.EVENT_WRITE, e)
    reading = set(ends)
    while reading:
        ready = sel.select(60)
        if not ready:
            raise RuntimeError("%d wait for ever" % len(reading))
        for key, what in ready:
            e = key.data
            if what & selectors.EVENT_WRITE and e.write():
                if e in reading:
                    sel.modify(e.s, selectors.EVENT_READ, e)
                else:
                    sel.unregister(e.s)
            if what & selectors.EVENT_READ and e in reading and e.read():
                reading.discard(e)
                if e.left or e.out:
                    sel.modify(e.s, selectors.EVENT_WRITE, e)
                else:
                    sel.unregister(e.s)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < IDLE + 2 * ACTIVE + 100:
        t.skip("descriptors: %d" % hard, "a crowd")
        t.done()
    conf = "relay {\n\tno auth\n\tsession lifetime 1d\n\tmax sessions 20000\n}\n"
    with Relayd(t, conf=conf, build=os.environ.get("RELAYD_FAST_BUILD")) as d:
        r = Relay(d)
        first = pss(d)
        begun = time.monotonic()
        made, ws = idle(r)
        t.ok(len(ws) >= IDLE, "%d idle connections of %d sessions, in %.0f s" %
             (len(ws), len(made), time.monotonic() - begun))
        t.diag("memory: %.1f MiB before, %.1f MiB with them" % (first, pss(d)))
        begun, before = time.monotonic(), pss(d)
        pairs = []
        for i in range(ACTIVE):
            s, a, b = r.pair()
            pairs.append((s, End(a, b"a%d" % i), End(b, b"b%d" % i)))
        span = time.monotonic() - begun
        t.ok(len(d.processes("rendd")) >= ACTIVE, "%d sessions more, each a "
             "process: made and joined in %.1f s, %.0f a second" %
             (ACTIVE, span, ACTIVE / span))
        t.diag("memory: %.0f KiB each" % ((pss(d) - before) * 1024 / ACTIVE))
        begun = time.monotonic()
        move([e for _, a, b in pairs for e in (a, b)])
        span = time.monotonic() - begun
        trouble = [e.trouble for _, a, b in pairs for e in (a, b) if e.trouble]
        wrong = [s["id"] for s, a, b in pairs if
                 (a.heard.digest(), b.heard.digest()) !=
                 (b.sent.digest(), a.sent.digest())]
        t.equal((trouble[:3], wrong[:3]), ([], []), "%d directions of %.1f MiB "
                "at once, %.0f MB/s in all: each has the SHA-256 of what was "
                "sent" % (2 * ACTIVE, PARTS * PART / (1 << 20), 2 * ACTIVE *
                          PARTS * PART / span / 1e6))
        t.diag("memory: %.1f MiB at the end" % pss(d))
        for i in range(0, len(ws), max(2, len(ws) // 200 // 2 * 2)):
            ws[i].send("%d" % i)
            got = ws[i + 1].recv()
            while got[0] == 9:
                got = ws[i + 1].recv()
            if got != (1, b"%d" % i):
                t.equal(got, (1, b"%d" % i), "an idle one")
        t.ok(True, "those that were idle still pass messages")
        for s in made + [s for s, a, b in pairs]:
            r.call("DELETE", "/" + s["id"])
        until(lambda: d.processes("rendd") == [], "the processes to go")
        t.ok(True, "and all end with their sessions")


main()
t.done()
