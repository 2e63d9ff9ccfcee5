# SPDX-License-Identifier: ISC
"""What every end-to-end test stands on: TAP, waiting, programs and what they
print, secrets that no log may have."""

import atexit
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

SRC = os.environ.get("RELAYD_SRC") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("RELAYD_BUILD") or
                        os.path.join(SRC, "build", "check"))
FAST_BUILD = os.path.abspath(os.environ.get("RELAYD_FAST_BUILD") or BUILD)
# A test that is ended leaves its `with` blocks, and nothing behind.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
WAIT = 60           # seconds; far more than anything here takes


# What no log of any test may have, by its value: tools/logged.
SECRETS = {}
LOGS = os.environ.get("RELAYD_LOGS")
MINE = "%s-%d" % (os.path.basename(sys.argv[0]), os.getpid())


def secret(name, value):
    """Of what is shorter nobody could say that it is not there by chance."""
    if value and len(value) >= 12 and not set(value) & set("\n\t"):
        SECRETS[value] = name


def secrets_of(data, path=()):
    """All that a JSON document of relayd's has by the names of secrets."""
    if isinstance(data, dict):
        for k, v in data.items():
            if isinstance(v, str) and re.search("secret$|token$|^ticket$|"
                                                "^password", k):
                secret(" ".join(path + (k,)), v)
            secrets_of(v, path)
    elif isinstance(data, list):
        for v in data:
            secrets_of(v, path)


def keep_log(name, text):
    if LOGS:
        with open(os.path.join(LOGS, MINE + ".log"), "a") as f:
            f.write("---- %s\n%s\n" % (name, text))


def keep_secrets():
    if LOGS and SECRETS:
        with open(os.path.join(LOGS, MINE + ".secrets"), "w") as f:
            f.writelines("%s\t%s\n" % (n, v) for v, n in SECRETS.items())


atexit.register(keep_secrets)


class Tap:
    """Test Anything Protocol on standard output."""

    def __init__(self):
        self.n = 0
        self.failed = 0

    def ok(self, good, text):
        self.n += 1
        if not good:
            self.failed += 1
        print("%sok %d - %s" % ("" if good else "not ", self.n, text),
              flush=True)
        return bool(good)

    def equal(self, got, want, text):
        if not self.ok(got == want, text):
            self.diag("got  %r\nwant %r" % (got, want))
        return got == want

    def match(self, text, pattern, name):
        good = re.search(pattern, text or "") is not None
        if not self.ok(good, name):
            self.diag("got %r\nwant /%s/" % (text, pattern))
        return good

    def diag(self, text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def skip(self, reason, text):
        self.n += 1
        print("ok %d - # SKIP %s (%s)" % (self.n, reason, text), flush=True)

    def done(self):
        print("1..%d" % self.n, flush=True)
        sys.exit(1 if self.failed else 0)


def until(predicate, what, seconds=WAIT, every=0.05):
    """The predicate's first true value; TimeoutError names `what`."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("waited %d s for %s" % (seconds, what))
        time.sleep(every)


def is_up(session):
    """Does this row of `show sessions` have a tunnel?"""
    return session["tunnel"] == "up"


def free_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def self_signed(directory, bits=2048):
    """Files of a certificate that nobody knows, and of its key."""
    cert, key = (os.path.join(directory, n) for n in ("c.pem", "k.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:%d" % bits,
                    "-nodes", "-days", "2", "-subj", "/CN=nobody", "-out",
                    cert, "-keyout", key], check=True,
                   stderr=subprocess.DEVNULL)
    return cert, key


def rest(s):
    """All that comes, to the end or a reset."""
    got = b""
    try:
        while part := s.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def go_program(name):
    """Build regress/interop/cmd/NAME once; the path of the program."""
    out = os.path.join(BUILD, "regress", "go-" + name)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["go", "build", "-o", out, "./cmd/" + name],
                       cwd=os.path.join(SRC, "regress", "interop"),
                       check=True, stdout=sys.stderr)
    return out


class Lines:
    """Lines of a growing output, kept, and waited for."""

    def __init__(self, stream, also=None):
        self.lines = []
        self.ended = False
        self.cond = threading.Condition()
        self.stream = stream
        self.also = also
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for raw in iter(self.stream.readline, b""):
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if self.also:
                self.also.write(line + "\n")
                self.also.flush()
            with self.cond:
                self.lines.append(line)
                self.cond.notify_all()
        with self.cond:
            self.ended = True
            self.cond.notify_all()

    def mark(self):
        """A place to wait from: only what comes later."""
        with self.cond:
            return len(self.lines)

    def wait(self, pattern, start=0, seconds=WAIT):
        """The match of the first line that has the pattern."""
        want = re.compile(pattern)
        end = time.monotonic() + seconds
        i = start
        with self.cond:
            while True:
                while i < len(self.lines):
                    m = want.search(self.lines[i])
                    if m:
                        return m
                    i += 1
                left = end - time.monotonic()
                if left <= 0 or self.ended:
                    raise TimeoutError("no line /%s/; last: %s" % (
                        pattern, "\n".join(self.lines[-15:])))
                self.cond.wait(left)

    def has(self, pattern, start=0):
        want = re.compile(pattern)
        with self.cond:
            return any(want.search(x) for x in self.lines[start:])

    def text(self):
        with self.cond:
            return "\n".join(self.lines)


class Wire:
    """Between somebody and relayd: it can be cut."""

    def __init__(self, port):
        self.port, self.open = free_port(), set()
        self.to = port
        self.is_off = False
        self.s = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            a, _ = self.s.accept()
            if self.is_off:
                a.close()
                continue
            try:
                b = socket.create_connection(("127.0.0.1", self.to))
            except OSError:         # nobody is there: who comes hears it
                a.close()
                continue
            self.open |= {a, b}
            for x, y in (a, b), (b, a):
                threading.Thread(target=self.pump, args=(x, y),
                                 daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while part := a.recv(65536):
                b.sendall(part)
        except OSError:
            pass
        for s in a, b:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut_off(self):
        """And nobody comes through, until it goes on."""
        self.is_off = True
        self.cut()

    def go_on(self):
        self.is_off = False

    def cut(self):
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.clear()


class Program:
    """A started program; ended by its pid when the `with` is left."""

    def __init__(self, argv, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.argv = argv
        self.p = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, cwd=cwd,
                                  env=dict(os.environ, **(env or {})))
        self.pid = self.p.pid
        atexit.register(self.stop)      # also when the test fails
        self.out = Lines(self.p.stdout)
        self.err = Lines(self.p.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self, sig=signal.SIGTERM, seconds=15):
        atexit.unregister(self.stop)
        if self.p.poll() is None:
            self.p.send_signal(sig)
            try:
                self.p.wait(seconds)
            except subprocess.TimeoutExpired:
                self.p.kill()
        return self.p.wait()

    def wait(self, seconds=WAIT):
        return self.p.wait(seconds)
