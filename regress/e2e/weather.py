# SPDX-License-Identifier: ISC
"""A line between a client and a server, as its two ends see one that is bad: TCP
keeps the order, so what is lost or late holds up all that is behind it.

    with Weather(d.port, seed) as line:
        OurClient(line, key, secret, services)  # dials line.port
        line.is_now("loss")
"""

import collections
import random
import socket
import struct
import threading
import time

SEGMENT = 1448
WAITING = 1 << 18       # bytes on their way in one direction, as in a pipe
LOST = 0.02             # of segments, each sent again after at least
AGAIN = 0.2             # s, and twice that each time more
LATE = 0.05             # s at most, with jitter


class Lane:
    """One direction of one connection."""

    def __init__(self, line, a, b, is_down):
        self.line, self.a, self.b, self.is_down = line, a, b, is_down
        self.waiting = collections.deque()      # (due, bytes), b"": its end
        self.size = 0
        self.due = 0.0
        self.cond = threading.Condition()
        for f in self.take, self.give:
            threading.Thread(target=f, daemon=True).start()

    def add(self, part):
        with self.cond:
            self.cond.wait_for(lambda: self.size < WAITING)
            self.due = max(self.due, time.monotonic() + self.line.late())
            self.waiting.append((self.due, part))
            self.size += len(part)
            self.cond.notify_all()

    def take(self):
        try:
            while part := self.a.recv(SEGMENT):
                self.add(part)
        except OSError:
            pass
        self.add(b"")

    def give(self):
        while True:
            with self.cond:
                self.cond.wait_for(lambda: self.waiting)
                due, part = self.waiting.popleft()
                self.size -= len(part)
                self.cond.notify_all()
            self.line.until(due, self.is_down)
            if self.line.swallows(self.is_down):
                continue
            try:
                if not part:
                    self.b.shutdown(socket.SHUT_WR)
                    return
                if self.line.kind == "bytes":
                    for i in range(len(part)):
                        self.b.sendall(part[i:i + 1])
                else:
                    self.b.sendall(part)
            except OSError:
                # Who sends there has to hear it.
                self.line.end(self.a)
                return


class Weather:
    """Kinds: clear; loss; jitter: each segment late by chance; bytes: one at a
    time; still: nothing passes until it is another kind; half: what the server
    says does not come, not even its end."""

    def __init__(self, to, seed):
        self.to, self.kind = to, "clear"
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.moves = threading.Condition()
        self.socks = []
        self.count = 0          # connections so far
        self.passed = 0         # times that something waited or was swallowed
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.is_now("clear")
        self.s.close()
        for s in self.socks:
            self.end(s)

    @staticmethod
    def end(s):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def is_now(self, kind):
        with self.moves:
            self.kind = kind
            self.moves.notify_all()

    def late(self):
        """How late what comes now is, in s."""
        with self.lock:
            if self.kind == "jitter":
                self.passed += 1
                return self.chance.uniform(0, LATE)
            s, again = 0.0, AGAIN
            while self.kind == "loss" and self.chance.random() < LOST:
                self.passed += 1
                s += again
                again *= 2
            return s

    def until(self, due, is_down):
        """Until it is due and something passes."""
        time.sleep(max(0, due - time.monotonic()))
        with self.moves:
            if self.kind == "still":
                self.passed += 1
            self.moves.wait_for(lambda: self.kind != "still")

    def swallows(self, is_down):
        if self.kind != "half" or not is_down:
            return False
        self.passed += 1
        return True

    def reset(self):
        """All connections of now end with RST, at both ends."""
        socks, self.socks = self.socks, []
        for s in socks:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
        # A thread in recv() keeps the descriptor's file: that ends by itself.
        for s in socks:
            self.end(s)
            s.close()

    def accept(self):
        while True:
            try:
                a, _ = self.s.accept()
            except OSError:
                return
            try:
                b = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                a.close()
                continue
            for s in a, b:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.count += 1
            self.socks += [a, b]
            Lane(self, a, b, False)
            Lane(self, b, a, True)
