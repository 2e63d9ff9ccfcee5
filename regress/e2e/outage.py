# SPDX-License-Identifier: ISC
"""What servers before the store are tried with: traffic that notes what it is
told, and a proxy that can hold everything back."""

import base64
import http.client
import json
import os
import select
import socket
import subprocess
import threading
import time

from harness import until

BODY = json.dumps({"service": "web"})
PATIENCE = 4.0          # seconds; a machine that does other things, too


class Gate(threading.Thread):
    """A proxy before the server that can hold everything back, and look for a
    word in what the client says: then what follows is done by `at`."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to = port
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.held = threading.Event()
        self.closed = False
        self.lock = threading.Lock()    # over closed and pairs
        self.word = None
        self.at = None
        self.seen = threading.Event()
        self.pairs = []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            if self.closed:
                c.close()
                continue
            try:
                s = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                c.close()
                continue
            with self.lock:
                late = self.closed
                if not late:
                    self.pairs.append((c, s))
            if late:            # closed meanwhile
                c.close()
                s.close()
                continue
            threading.Thread(target=self.pump, args=(c, s),
                             daemon=True).start()

    def shut(self):
        """From now on nobody comes."""
        with self.lock:
            self.closed = True

    def cut(self):
        """Those that are there; who comes later is none of them."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for x in pair:
                try:
                    x.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def pump(self, c, s):
        mute = lose = False
        try:
            while True:
                ready, _, _ = select.select([c, s], [], [], 0.02)
                if self.held.is_set():
                    time.sleep(0.02)
                    continue
                if c in ready:
                    data = c.recv(65536)
                    if not data:
                        break
                    if self.word and self.word in data:
                        self.word = None
                        self.shut()
                        if self.at == "lose":       # it never gets there
                            lose = True
                            break
                        mute = True                 # it does, and no answer
                    s.sendall(data)
                if s in ready:
                    data = s.recv(65536)
                    if not data:
                        break
                    if mute:
                        # Everything is done there that was asked.
                        time.sleep(0.3)
                        break
                    c.sendall(data)
        except OSError:
            pass
        for x in (c, s):
            x.close()
        if mute or lose:
            self.cut()
            self.seen.set()     # not before: then it may be open() already

    def arm(self, at, word=b"COMMIT"):
        self.seen.clear()
        self.at = at
        self.word = word

    def open(self):
        self.closed = False


class Asker(threading.Thread):
    """Asks for something, over and over, and notes what it is told: as it is
    for something that has to be written."""

    def __init__(self, d, sid, token):
        super().__init__(daemon=True)
        self.d, self.path = d, "/api/support-sessions/%s/proxy-token" % sid
        self.method, self.good, self.body = "POST", 200, BODY
        self.head = {"Authorization": "Bearer " + token,
                     "Content-Type": "application/json"}
        self.told = []          # (when, seconds, status, headers, body)
        self.stopped = False

    def reads(self):
        """For the list of sessions."""
        self.method, self.path, self.body = "GET", "/api/support-sessions", \
            None
        return self

    def logs_in(self, key, secret=None):
        """To be let in as a system: with this secret, which is wrong, or with
        ones that nobody has asked the store about."""
        self.method, self.path, self.body = "GET", "/api/tunnel", None
        self.good, self.key, self.secret = 401, key, secret
        return self

    def headers(self):
        if self.path != "/api/tunnel":
            return self.head
        self.n = getattr(self, "n", 0) + 1
        word = "%s:%s" % (self.key, self.secret or "my_%040x.%040x" % (
            self.n, self.n))
        return {"Authorization": "Basic " + base64.b64encode(
            word.encode()).decode(), "Connection": "Upgrade",
            "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}

    def ask(self):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=30)
        begin = time.monotonic()
        try:
            c.request(self.method, self.path, self.body, self.headers())
            r = c.getresponse()
            body = r.read()
            self.told.append((begin, time.monotonic() - begin, r.status,
                              dict(r.getheaders()), body))
        except OSError as e:
            self.told.append((begin, time.monotonic() - begin, 0, {},
                              str(e).encode()))
        finally:
            c.close()

    def run(self):
        while not self.stopped:
            self.ask()
            time.sleep(0.04)

    def count(self, status):
        return len([1 for x in self.told if x[2] == status])

    def stop(self):
        self.stopped = True
        self.join(40)


def tickets(d):
    return int(d.sql("SELECT count(*) FROM audit_events WHERE action ="
                     " 'proxy_token' AND outcome = 'done'"))


def good_after(a, since):
    """The first that was asked after `since` and was good; its time."""
    return until(lambda: next((x for x in a.told if x[0] >= since and
                               x[2] == a.good), None), "a good answer")


class Disk:
    """A small file system of our own for one directory; root only."""

    def __init__(self, path, size="3M"):
        self.path = path
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        "size=%s,mode=0755" % size, "tmpfs", path],
                       check=True)
        self.filler = os.path.join(path, "filler")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as f:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    pass

    def room(self):
        os.unlink(self.filler)

    def done(self):
        subprocess.run(["umount", "-l", self.path], check=False)
