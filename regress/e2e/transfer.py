# SPDX-License-Identifier: ISC
"""The transfer that runs beside every fault, and must arrive intact."""

import hashlib
import socket
import threading
import time

from harness import WAIT, GoClient, until

SIZE = 24 << 20


class Transfer(threading.Thread):
    """A download that is slow enough to be under way while things die; with
    `repeat` it starts anew until intact() is asked."""

    def __init__(self, d, session, cookie, rate=6 << 20, size=SIZE, seed=11,
                 repeat=False):
        super().__init__(daemon=True)
        self.d, self.host = d, d.proxy_host(session)
        self.cookie, self.rate = cookie, rate
        self.size, self.seed = size, seed
        self.repeat = repeat
        self.n = 0
        self.rounds = 0
        self.error = None
        self.hurry = False
        self.begun = threading.Event()
        self.start()
        if not self.begun.wait(60):
            raise TimeoutError("transfer does not begin")

    def run(self):
        try:
            while True:
                self.once()
                self.rounds += 1
                if self.hurry or not self.repeat:
                    break
        except Exception as e:      # told by intact()
            self.error = e
            self.begun.set()

    def once(self):
        # A small buffer keeps it moving in small steps: a moved clock must
        # not see minutes without any.
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.settimeout(WAIT)
        s.connect(("127.0.0.1", self.d.port))
        s.sendall(("GET /bytes?n=%d&seed=%d HTTP/1.1\r\nHost: %s\r\n"
                   "Cookie: %s\r\n\r\n" %
                   (self.size, self.seed, self.host,
                    self.cookie)).encode())
        buf = b""
        while b"\r\n\r\n" not in buf:
            part = s.recv(65536)
            if not part:
                raise ConnectionError("no head")
            buf += part
        head, buf = buf.split(b"\r\n\r\n", 1)
        want = None
        for line in head.decode("latin-1").split("\r\n"):
            if line.lower().startswith("x-sha256:"):
                want = line.split(":")[1].strip()
        if want is None:
            raise ConnectionError("refused: %r" % head)
        begin = time.monotonic()
        got = hashlib.sha256()
        self.n = 0
        while True:
            self.n += len(buf)
            got.update(buf)
            self.begun.set()
            if self.n >= self.size:
                break
            ahead = self.n / self.rate - (time.monotonic() - begin)
            if ahead > 0 and not self.hurry:
                time.sleep(min(ahead, 0.2))
            buf = s.recv(65536)
            if not buf:
                raise ConnectionError("cut at %d" % self.n)
        s.close()
        if got.hexdigest() != want:
            raise ValueError("the sum is wrong")

    def under_way(self):
        """Not yet at its end, and not cut."""
        return self.error is None and self.n < self.size

    def intact(self):
        """Let it run to its end; whether all arrived as it was sent."""
        self.hurry = True
        self.join(120)
        return self.error is None and self.n == self.size and self.rounds > 0


class Bystander:
    """Another system with a tunnel of its own, whose transfers run while a
    test does harm elsewhere."""

    def __init__(self, t, d, targets, extra=()):
        self.t, self.d = t, d
        self.key, secret = d.add_system("bystander")
        self.client = GoClient(d, self.key, secret,
                               "web=127.0.0.1:%d" % targets.http,
                               extra=extra)

    def __enter__(self):
        self.client.event("manifest_sent")
        self.client.event("accepting")
        self.session = until(
            lambda: [s["session"] for s in self.d.sessions()
                     if s["status"] == "active" and
                     (self.key in s["system"] or
                      s["system"] == "bystander")],
            "the bystander's session")[0]
        self.token = self.d.token("bystander")
        self.cookie = self.d.cookie(self.session, self.token)
        self.transfer = None
        return self

    def __exit__(self, *exc):
        self.client.stop()

    def start(self, size=48 << 20, rate=12 << 20):
        """Transfers, one after another, until intact()."""
        self.transfer = Transfer(self.d, self.session, self.cookie, rate,
                                 size, repeat=True)

    def intact(self, what):
        """A test line: all arrived, and the tunnel never fell."""
        x = self.transfer
        good = x.intact() and not self.client.out.has('"event":"closed"')
        if not self.t.ok(good, "%s: another tunnel's transfer arrives "
                         "intact" % what):
            self.t.diag("%d rounds, %d of %d bytes, %r" % (
                x.rounds, x.n, x.size, x.error))
        return good


def creep(d, ms, step=1000):
    """Move the clock in steps that living clients' ping answers keep up
    with."""
    while ms > 0:
        d.move_clock(min(ms, step))
        ms -= step
