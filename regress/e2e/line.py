# SPDX-License-Identifier: ISC
"""A line between a client and a server: a pump that may be narrow, and that
counts the yamux pings which the server's side sends (its WebSocket frames are
not masked).

    with Line(d.port, rate=125000) as line:
        GoClient(line, key, secret, services)   # dials line.port
        line.answers, line.requests             # so far
"""

import collections
import socket
import struct
import threading
import time

CHUNK = 4096
BUFFER = 32768          # of each socket: a line is not a store
STEPS = -1


class Pings:
    """Reads what a server sends: HTTP head, WebSocket frames, yamux."""

    def __init__(self, line):
        self.line = line
        self.buf = bytearray()
        self.inner = bytearray()
        self.head = True
        self.skip = 0           # of a yamux body
        self.left = 0           # of a WebSocket payload
        self.data = False       # which belongs to a data message

    def take(self, part):
        self.buf += part
        if self.head:
            at = self.buf.find(b"\r\n\r\n")
            if at < 0:
                return
            self.head = False
            del self.buf[:at + 4]
        while self.step():
            pass

    def step(self):
        b = self.buf
        if self.left == 0:
            if len(b) < 2:
                return False
            n, more = b[1] & 127, 0
            if n >= 126:
                more = 2 if n == 126 else 8
                if len(b) < 2 + more:
                    return False
                n = int.from_bytes(b[2:2 + more], "big")
            self.data = b[0] & 15 in (0, 1, 2)
            self.left = n
            del b[:2 + more]
            return True
        n = min(self.left, len(b))
        if n == 0:
            return False
        if self.data:
            self.yamux(bytes(b[:n]))
        self.left -= n
        del b[:n]
        return True

    def yamux(self, part):
        self.inner += part
        while True:
            n = min(self.skip, len(self.inner))
            del self.inner[:n]
            self.skip -= n
            if self.skip or len(self.inner) < 12:
                return
            _, typ, flags, _, length = struct.unpack_from(">BBHII",
                                                          self.inner)
            del self.inner[:12]
            if typ == 0:
                self.skip = length
            elif typ == 2 and flags & 1:
                self.line.requests += 1
            elif typ == 2:
                self.line.answers += 1


class Line:
    """Passes connections on to a port of ours; `rate` is in bytes a second
    and direction, None for as fast as it goes, STEPS for as much as give()
    gives (all, before it is called for the first time)."""

    def __init__(self, to, rate=None):
        self.to, self.rate = to, rate
        self.cond = threading.Condition()
        self.gave = None        # bytes that each direction still may pass
        self.answers = self.requests = 0
        self.count = 0          # connections so far
        self.up = self.down = 0     # bytes to the server, and from it
        self.closed = False
        self.cut = False        # a connection has ended
        self.socks = []
        self.listener = socket.socket()
        if rate:
            self.narrow(self.listener)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with self.cond:
            self.closed = True
            self.cond.notify_all()
        self.listener.close()
        for s in self.socks:
            try:
                s.shutdown(2)
            except OSError:
                pass

    def give(self, n):
        """So many bytes more, in each direction; what was not used is lost,
        as time is."""
        with self.cond:
            self.gave = [n, n]
            self.cond.notify_all()

    def used(self, seconds=60):
        """Wait until both directions have used what they got, or the line
        is cut; whether they have."""
        with self.cond:
            self.cond.wait_for(lambda: self.gave == [0, 0] or self.cut,
                               seconds)
            return self.gave == [0, 0]

    def toll(self, way, n):
        """How many of n bytes may go; waits for at least one."""
        with self.cond:
            self.cond.wait_for(lambda: self.gave is None or self.gave[way] or
                               self.closed)
            if self.gave is None or self.closed:
                return n
            n = min(n, self.gave[way])
            self.gave[way] -= n
            self.cond.notify_all()
            return n

    @staticmethod
    def narrow(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)

    def run(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            b = socket.socket()
            if self.rate:
                self.narrow(b)
            try:
                b.connect(("127.0.0.1", self.to))
            except OSError:
                a.close()
                b.close()
                continue
            for s in (a, b):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.count += 1
            self.socks += [a, b]
            threading.Thread(target=self.pump, args=(a, b, None),
                             daemon=True).start()
            threading.Thread(target=self.pump, args=(b, a, Pings(self)),
                             daemon=True).start()

    def pump(self, a, b, pings):
        due = time.monotonic()
        try:
            while True:
                part = a.recv(CHUNK if self.rate else 65536)
                if not part:
                    break
                if pings:
                    pings.take(part)
                    self.down += len(part)
                else:
                    self.up += len(part)
                if self.rate == STEPS:
                    way, at = int(pings is not None), 0
                    while at < len(part):
                        n = self.toll(way, len(part) - at)
                        b.sendall(part[at:at + n])
                        at += n
                    continue
                if self.rate:
                    now = time.monotonic()
                    due = max(due, now) + len(part) / self.rate
                    time.sleep(due - now)
                b.sendall(part)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(2)
            except OSError:
                pass
        with self.cond:
            self.cut = True
            self.cond.notify_all()


class Rate:
    """Samples of a counter that grows, one per whole second or more."""

    def __init__(self, read):
        self.read = read
        self.samples = collections.deque()

    def sample(self):
        self.samples.append((time.monotonic(), self.read()))

    def per_second(self):
        """Between the first sample and the last."""
        (t0, n0), (t1, n1) = self.samples[0], self.samples[-1]
        return (n1 - n0) / (t1 - t0)
