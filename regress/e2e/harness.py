# SPDX-License-Identifier: ISC
"""What the end-to-end tests share: TAP, a relayd of their own with its real
processes, the Go stand-in client, targets, raw HTTP and WebSocket.

A test file reads:

    from harness import Tap, Relayd, GoClient, Targets
    t = Tap()
    with Targets() as targets, Relayd(t) as d:
        ...
        t.ok(status == 200, "operator-1: ...")
    t.done()

Waiting is always for something: a log line, an event, a socket, a predicate,
with a deadline that is far away and fails the test. Leaving `with` stops
everything that was started, by its pid, and fails the test when a process of
relayd was lost unasked or a sanitizer said a word.
"""

import atexit
import base64
import fcntl
import hashlib
import http.client
import json
import os
import re
import signal
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import openapi
import postgres
from process import lives

SRC = os.environ.get("RELAYD_SRC") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("RELAYD_BUILD") or
                        os.path.join(SRC, "build", "check"))
FAST_BUILD = os.path.abspath(os.environ.get("RELAYD_FAST_BUILD") or BUILD)
DOMAIN = "support.test"
API = openapi.Document(os.path.join(SRC, "doc", "openapi.yaml"))
# A test that is ended leaves its `with` blocks, and nothing behind.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
# Which engine keeps what outlives the processes: "", or postgresql.
STORE = os.environ.get("RELAYD_STORE", "")
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


_redis = None       # and how many relayds have it


def redis_beside():
    """In the second pass Redis is there, too: a database for each relayd."""
    global _redis
    import redisserver                  # which is made of this module
    if not shutil.which("redis-server"):
        return ""
    if _redis is None:
        _redis = redisserver.Redis()
        _redis.start()
        _redis.relayds = 0
        atexit.register(_redis.__exit__)
    _redis.relayds += 1
    return _redis.conf(number=_redis.relayds % 16)


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


def front_file(name, tmp, port, back):
    """A file of etc/front-*, with this test's names and ports, and with the
    certificate TMP/cert.*."""
    with open(os.path.join(SRC, "etc", "front-" + name)) as f:
        text = f.read()
    for old, new in (("https://*.support.example.com",
                      "https://*.%s:%d" % (DOMAIN, port)),
                     ("https://support.example.com",
                      "https://%s:%d" % (DOMAIN, port)),
                     ("listen 443", "listen 127.0.0.1:%d" % port),
                     ("bind :443", "bind 127.0.0.1:%d" % port),
                     ("127.0.0.1:8080", "127.0.0.1:%d" % back),
                     ("/etc/ssl/support.example.com", tmp + "/cert"),
                     ("support.example.com", DOMAIN)):
        text = text.replace(old, new)
    return text


def nginx(tmp, text):
    """How to run nginx with this in its http block."""
    own = os.path.join(tmp, "nginx.conf")
    temps = "".join("\t%s_temp_path %s/%s;\n" % (x, tmp, x) for x in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(own, "w") as f:
        f.write("daemon off;\npid %s/pid;\nerror_log stderr;\nevents { }\n"
                "http {\n\taccess_log off;\n%s%s}\n" % (tmp, temps, text))
    return ["nginx", "-c", own, "-p", tmp, "-e", "stderr"]


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
            b = socket.create_connection(("127.0.0.1", self.to))
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


class Targets(Program):
    """The service behind the tunnel: web server and TCP echo."""

    def __init__(self):
        super().__init__([go_program("targets")])
        ports = json.loads(self.out.wait(r"\{").string)
        self.http, self.echo = ports["http"], ports["echo"]
        self.count = ports["count"]


class GoClient(Program):
    """The stand-in for the existing customer-side client."""

    def __init__(self, d, key, secret, services, node=None, path=None,
                 extra=()):
        argv = [go_program("tunnelclient"), "-url",
                "ws://127.0.0.1:%d%s" % (d.port, path or
                                         "/support/api/tunnel"),
                "-key", key, "-secret", secret, "-services", services]
        if node:
            argv += ["-node", node]
        super().__init__(argv + list(extra), env={"SHELL": os.path.join(
            os.path.dirname(os.path.abspath(__file__)), "plain-shell")})

    def event(self, name, start=0, seconds=WAIT):
        return json.loads(self.out.wait(
            r'"event":"%s"' % name, start, seconds).string)


def client_state():
    """A client has nothing of what one of this machine's may have left: its
    files are in a directory of its own, and its configuration is empty."""
    if not STATE:
        STATE.append(tempfile.mkdtemp(prefix="tunnel-client-state-"))
        os.chmod(STATE[0], 0o700)
        atexit.register(shutil.rmtree, STATE[0], True)
        with open(os.path.join(STATE[0], "conf"), "w"):
            pass
    mine = tempfile.mkdtemp(dir=STATE[0])
    return {"TUNNEL_CONFIG": os.path.join(STATE[0], "conf"),
            "CONSENT_FILE": os.path.join(mine, "consent"),
            "USERS_STATE_FILE": os.path.join(mine, "users.json")}


STATE = []


class OurClient(Program):
    """relayd's own tunnel-client."""

    def __init__(self, d, key, secret, services=None, extra=(), env=None,
                 build=None):
        super().__init__([os.path.join(build or BUILD, "bin",
                                       "tunnel-client"),
                          "--reconnect-delay", "1s"] + list(extra),
                         env=dict({
                             "SUPPORT_URL": "ws://127.0.0.1:%d/api/tunnel" %
                                            d.port,
                             "SYSTEM_KEY": key, "SYSTEM_SECRET": secret,
                             "STATIC_SERVICES": services or "",
                             "STATUS_SOCKET": "none", "REDIS_ADDR": "none",
                             "USERS_DIR": "/nonexistent",
                             "DIAGNOSTICS_DIR": "/nonexistent",
                             "SHELL": "/bin/sh"},
                             **dict(client_state(), **(env or {}))))


    def stop(self, sig=signal.SIGTERM, seconds=15):
        code = super().stop(sig, seconds)
        keep_log("tunnel-client", self.err.text())
        return code


class Relayd:
    """A relayd with all its processes in a directory of its own."""

    def __init__(self, tap, build=None, conf="", operator="", tunnel="",
                 listeners="", port=None, path=None, verbose=True,
                 store=None, proxyds=2, global_conf="", libexec=None,
                 front=None):
        self.tap = tap
        self.build = build or BUILD
        self.libexec = libexec or os.path.join(self.build, "libexec")
        self.dir = path or tempfile.mkdtemp(prefix="relayd-test-")
        self.keep = path is not None
        os.chmod(self.dir, 0o755)
        self.port = port or free_port()
        self.sock = os.path.join(self.dir, "control.sock")
        self.expected = set()       # pids that the test ends itself
        self.secrets = {}           # that must not come up in the log
        self.clean = True
        secret = os.path.join(self.dir, "jwt.secret")
        with open(secret, "w") as f:
            key = base64.b64encode(os.urandom(32)).decode()
            self.secret("the JWT secret", key)
            f.write(key + "\n")
        os.chmod(secret, 0o600)
        os.makedirs(os.path.join(self.dir, "store"), exist_ok=True)
        self.store = store or os.path.join(self.dir, "store", "relayd.db")
        self.pg = self.database = None
        self.wants_ready = True
        self.store_line = 'sqlite "%s"' % self.store
        if store is None and STORE == "postgresql":
            self.use_postgres(postgres.server())
        self.conf = os.path.join(self.dir, "relayd.conf")
        beside = redis_beside() if STORE and "redis " not in \
            global_conf + conf else ""
        self.text = """
store %s
%slisten on 127.0.0.1 port %d
%s
proxyd %d
control socket "%s"
missing users nobody
penalty exempt 127.0.0.0/8
penalty exempt ::1
%s
tunnel {
	path "/support/api/tunnel"
	path "/api/tunnel"
	rate limit address 100000 per 1m
	rate limit slot 100000 per 1m
	rate limit key 100000 per 1m
%s
}
operator {
	proxy domain "%s" scheme %s port %d
	jwt secret file "%s"
%s
}
%s
""" % (self.store_line, beside, self.port, listeners, proxyds, self.sock,
       global_conf, tunnel, DOMAIN, "https" if front else "http",
       front or self.port, secret, operator, conf)
        self.rewrite()
        self.verbose = verbose
        self.p = None
        self.answers = 0    # of the API, and what was wrong with them
        self.wrong = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, value, tb):
        if kind is not None:
            self.tap.ok(False, "no exception: %s" % value)
            self.tap.diag("".join(traceback.format_exception(kind, value,
                                                             tb)))
            self.tap.diag("\n".join([x for x in self.log.lines
                                     if " control[" not in x][-60:]))
        self.stop()
        self.check_log()
        if self.answers > 0:
            self.tap.equal(sorted(set(self.wrong)), [], "every answer of the "
                           "API is as doc/openapi.yaml says (%d)" %
                           self.answers)
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        return False

    def use_postgres(self, server, database=None, port=None):
        self.pg = server
        self.database = database or server.database()
        self.store_line = 'postgresql "%s" directory "%s"' % (
            server.conninfo(self.database, port),
            os.path.dirname(self.store))

    def rows(self, text, *args):
        """Rows of the store, as tuples; ? stands for an argument."""
        if self.pg is not None:
            return self.pg.rows(text, args, self.database)
        db = sqlite3.connect(self.store, timeout=20)
        try:
            with db:
                return db.execute(text, args).fetchall()
        finally:
            db.close()

    def rewrite(self):
        """The file, with the store that it is now."""
        self.text = re.sub(r"(?m)^store .*$",
                           lambda _: "store " + self.store_line, self.text)
        with open(self.conf, "w") as f:
            f.write(self.text)
        os.chmod(self.conf, 0o600)

    def sql(self, text):
        """What the store has, in words that both engines know."""
        if self.pg is not None:
            return self.pg.sql("SET search_path = relayd, public; " + text,
                               self.database)
        r = subprocess.run(["sqlite3", self.store, text], check=True,
                           stdout=subprocess.PIPE)
        return r.stdout.decode().strip()

    # ---- life ----

    def start(self):
        argv = [os.path.join(self.build, "bin", "relayd"), "-d",
                "-f", self.conf, "-L", self.libexec]
        if self.verbose:
            argv.append("-v")
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        self.pid = self.p.pid
        self.log = Lines(self.p.stderr)
        until(self._serving, "relayd to serve; log:\n" + self.log.text())

    def _lives(self):
        if self.p.poll() is not None:
            raise RuntimeError("relayd ended: " + self.log.text())

    def _serving(self):
        self._lives()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return self.ctl_try("show", "stats") is not None and (
            self.pg is None or not self.wants_ready or
            self.ctl_try("system", "list") is not None)

    def is_ready(self):
        """A server's store is open a moment later than the doors."""
        self._lives()
        try:
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self, sig=signal.SIGTERM, seconds=30):
        if self.p is None or self.p.poll() is not None:
            return self.p and self.p.returncode
        self.p.send_signal(sig)
        try:
            return self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            self.tap.ok(False, "relayd stops within %d s" % seconds)
            self.p.kill()
            return self.p.wait()

    def check_log(self):
        text = self.log.text()
        keep_log("relayd", text)
        bad = re.findall(r"(?:ERROR: \w+Sanitizer|runtime error:).*", text)
        bad += re.findall(r".*is not allowed here.*", text) \
            if self.clean else []
        told = [name for secret, name in self.secrets.items()
                if secret in text]
        if told:
            self.tap.ok(False, "operator-63: no secret in the log: %s" %
                        ", ".join(told))
        if bad:
            self.tap.ok(False, "no report of a sanitizer or sandbox")
            self.tap.diag("\n".join(self.log.lines[-80:]))

    def secret(self, name, value):
        """At the end, the log at its most verbose must not hold it."""
        self.secrets[value] = name
        secret(name, value)

    # ---- relayctl ----

    def ctl_raw(self, *words):
        return subprocess.run(
            [os.path.join(self.build, "bin", "relayctl"), "-s", self.sock,
             *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True, timeout=WAIT)

    def ctl(self, *words):
        """Rows of a command as a list of dictionaries of texts."""
        r = self.ctl_raw("-j", *words)
        if r.returncode != 0:
            raise RuntimeError("relayctl %s: %d %s" % (
                " ".join(words), r.returncode, r.stderr))
        rows = json.loads(r.stdout) if r.stdout.strip() else []
        if "list" not in words:        # there a token is its id
            secrets_of(rows, words[:2])
        return [{k: "-" if v is None else str(v) for k, v in row.items()}
                for row in rows]

    def ctl_try(self, *words):
        try:
            return self.ctl(*words)
        except (RuntimeError, ValueError, subprocess.TimeoutExpired):
            return None

    def add_system(self, name="box", org=None):
        row = self.ctl("-f", "system", "add", name, *(["org", org] if org
                                                else []))[0]
        self.secret("a system secret", row["secret"])
        self.secret("a system secret's private part",
                    row["secret"].split(".")[1])
        self.secret("basic credentials", base64.b64encode(
            ("%s:%s" % (row["key"], row["secret"])).encode()).decode())
        return row["key"], row["secret"]

    def token(self, user="alice", role="owner", org="org-1",
              permissions=("connect:systems",), lifetime="1h"):
        words = ["-f", "token", "create", "user", user, "org", org, "role", role]
        for p in permissions:
            words += ["permission", p]
        token = self.ctl(*words, "lifetime", lifetime)[0]["token"]
        self.secret("an operator's token", token.split(".")[2])
        return token

    def login(self, key, secret):
        """The status that a login gets; a tunnel is dropped at once."""
        return self.request("GET", "/support/api/tunnel", headers={
            "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Authorization": "Basic " + base64.b64encode(
                ("%s:%s" % (key, secret)).encode()).decode()})[0]

    def processes(self, role=None):
        rows = self.ctl("show", "processes")
        return [r for r in rows if role is None or r["role"] == role]

    def pid_of(self, role):
        return int(self.processes(role)[0]["pid"])

    def kill(self, pid, sig=signal.SIGKILL):
        """End one of this relayd's own processes."""
        self.expected.add(pid)
        os.kill(pid, sig)

    def die(self):
        """The parent is killed: until nobody is left."""
        pids = [int(p["pid"]) for p in self.processes()]
        self.kill(self.pid)
        self.p.wait()
        until(lambda: not any(map(lives, pids)), "all processes to end")

    def move_clock(self, ms):
        self.ctl("test", "clock", str(int(ms)))

    member = None               # its name, where it is one of a cluster

    def sessions(self):
        """Those that are here, whatever other members have."""
        return self.here(self.ctl("show", "sessions"))

    def here(self, rows):
        return [s for s in rows if s.get("member", self.member) == self.member]

    def wait_session(self, status="active", up=True, but=()):
        def found():
            for s in self.sessions():
                if s["status"] == status and s["session"] not in but and \
                        (not up or is_up(s)):
                    return s
        return until(found, "a session that is " + status)

    # ---- HTTP ----

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), WAIT)
        s.settimeout(WAIT)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def request(self, method, path, host=None, headers=None, body=None):
        """(status, headers, body) of one request on a fresh connection."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        h = {"Host": host or "127.0.0.1:%d" % self.port}
        h.update(headers or {})
        try:
            c.request(method, path, body=body, headers=h,
                      encode_chunked="Transfer-Encoding" in h)
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        self._note(h, r)
        # What the path proxy answers is a service's.
        if host is None and path.startswith("/api/") and \
                not re.match("/api/support-sessions/[^/]*/proxy/", path):
            self.answers += 1
            self.wrong += API.wrong(method, path, r.status, r.headers, data)
        return r.status, r.headers, data

    def _note(self, asked, r):
        """Credentials on their way."""
        secret("an Authorization field", asked.get("Authorization",
                                                   "").split(" ")[-1])
        for line in r.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            secret("a cookie", value)

    def api(self, method, path, token, body=None):
        """(status, envelope) of one call of the operator API."""
        h = {"Authorization": "Bearer " + token} if token else {}
        if body is not None:
            body = json.dumps(body)
            h["Content-Type"] = "application/json"
        st, headers, data = self.request(method, "/api" + path, None, h,
                                         body)
        data = json.loads(data)
        secrets_of(data, (method + " " + path.split("/")[-1],))
        return st, data

    def proxy_host(self, session, service="web"):
        return "%s--%s.%s:%d" % (service, session.replace("-", ""), DOMAIN,
                                 self.port)

    def cookie(self, session, token, service="web"):
        """Cookie header for a session's services, by the real exchange; a
        session is there before the client has named its services."""
        def granted():
            st, env = self.api("POST", "/support-sessions/%s/proxy-token" %
                               session, token, {"service": service})
            if st not in (200, 404):
                raise RuntimeError("proxy-token: %d %r" % (st, env))
            return st == 200 and env
        env = until(granted, "a proxy token")
        self.secret("a proxy token", env["data"]["token"].split(".")[2])
        st, h, _ = self.request("GET", "/?token=" + env["data"]["token"],
                                self.proxy_host(session, service))
        if st != 302:
            raise RuntimeError("token exchange: %d" % st)
        return h["Set-Cookie"].split(";")[0]

    def via(self, session, cookie, path, method="GET", service="web",
            headers=None, body=None):
        h = {"Cookie": cookie}
        h.update(headers or {})
        return self.request(method, path, self.proxy_host(session, service),
                            h, body)

    def ticket(self, session, token):
        st, env = self.api("POST", "/support-sessions/%s/terminal-ticket" %
                           session, token, {})
        if st != 200:
            raise RuntimeError("ticket: %d %r" % (st, env))
        self.secret("a ticket", env["data"]["ticket"])
        return env["data"]["ticket"]

    def tcp_ticket(self, session, token, service):
        st, env = self.api("POST", "/support-sessions/%s/tcp-ticket" %
                           session, token, {"service": service})
        if st != 200:
            raise RuntimeError("tcp-ticket: %d %r" % (st, env))
        self.secret("a tcp ticket", env["data"]["ticket"])
        return env["data"]["ticket"]

    def tcp(self, session, service, ticket, headers=None):
        return WebSocket(self.connect(), "127.0.0.1:%d" % self.port,
                         "/api/support-sessions/%s/tcp/%s?ticket=%s" %
                         (session, service, ticket), headers)

    def tcp_open(self, session, service, token, half=True):
        w = self.tcp(session, service, self.tcp_ticket(session, token,
                                                       service),
                     {"Sec-WebSocket-Protocol": "half-close"} if half
                     else None)
        if w.status != 101:
            raise RuntimeError("tcp: %d %s" % (w.status, w.body()))
        return w

    def terminal(self, session, ticket, headers=None):
        return WebSocket(self.connect(), "127.0.0.1:%d" % self.port,
                         "/api/support-sessions/%s/terminal?ticket=%s" %
                         (session, ticket), headers)


class Broken(Relayd):
    """A relayd of whose roles one is played by regress/lib/standin: by all
    who have it, or (also_real) by one of them at a time."""

    def __init__(self, *args, role="proxyd", also_real=False, **kw):
        super().__init__(*args, **kw)
        self.role, self.also_real = role, also_real

    def start(self):
        lib = os.path.join(self.dir, "libexec")
        os.makedirs(lib, exist_ok=True)
        real = os.path.join(self.build, "libexec")
        for name in os.listdir(real):
            at = os.path.join(lib, name)
            if os.path.exists(at):
                continue
            if name == self.role:
                shutil.copy(os.path.join(BUILD, "regress", "lib", "standin"),
                            at)
                if self.also_real:
                    os.symlink(os.path.join(real, name), at + ".real")
            else:
                os.symlink(os.path.join(real, name), at)
        self.libexec = lib
        super().start()

    def order(self, word, reader=0):
        path = os.path.join(self.libexec, "ORDERS")
        with open(path + "~", "w") as f:
            f.write("%s %d" % (word, reader))
        os.rename(path + "~", path)
        until(lambda: not os.path.exists(path), word + " to be done")

    def broken_pid(self):
        """Of the only one that is broken."""
        with open(os.path.join(self.libexec, "BROKEN")) as f:
            return int(f.read())

    def replace_broken(self):
        """End it; another one of its kind takes its place."""
        pid = self.broken_pid()
        os.unlink(os.path.join(self.libexec, "BROKEN"))
        self.kill(pid)
        until(lambda: [p for p in self.processes(self.role)
                       if os.path.exists(os.path.join(self.libexec, "BROKEN"))
                       and int(p["pid"]) == self.broken_pid()
                       and p["state"] == "ready"], "another broken one")


class WebSocket:
    """A plain RFC 6455 client that shows every frame, for byte-exact tests;
    conversations with other people's clients are in interop tests."""

    def __init__(self, sock, host, path, headers=None):
        self.s = sock
        self.buf = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET %s HTTP/1.1" % path, "Host: " + host,
                 "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key]
        lines += ["%s: %s" % kv for kv in (headers or {}).items()]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buf:
            part = sock.recv(65536)
            if not part:
                raise ConnectionError("closed in the handshake")
            self.buf += part
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        first, *rest = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {k.lower(): v for k, v in
                        (x.split(": ", 1) for x in rest)}
        secret("a reconnect token",
               self.headers.get("x-support-reconnect-token"))
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1((
                key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
                .digest()).decode()
            if self.headers.get("sec-websocket-accept") != want:
                raise ConnectionError("wrong accept value")

    def body(self):
        """What follows a refusal, to its Content-Length."""
        n = int(self.headers.get("content-length", 0))
        while len(self.buf) < n:
            part = self.s.recv(65536)
            if not part:
                break
            self.buf += part
        return self.buf[:n]

    def send(self, data, op=2, fin=True):
        mask = os.urandom(4)
        n = len(data)
        head = bytes([(0x80 if fin else 0) | op])
        if n < 126:
            head += bytes([0x80 | n])
        elif n < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", n)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", n)
        pad = mask * (n // 4 + 1)
        masked = (int.from_bytes(data, "big") ^
                  int.from_bytes(pad[:n], "big")).to_bytes(n, "big")
        self.s.sendall(head + mask + masked)

    def _take(self, n):
        while len(self.buf) < n:
            part = self.s.recv(65536)
            if not part:
                raise ConnectionError("closed")
            self.buf += part
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def recv(self):
        """(opcode, payload) of the next frame."""
        a, b = self._take(2)
        n = b & 127
        if n == 126:
            n = struct.unpack(">H", self._take(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self._take(8))[0]
        return a & 15, self._take(n)

    def recv_until(self, pattern, seconds=WAIT):
        """Data payloads (without their type byte) up to a pattern."""
        got = b""
        end = time.monotonic() + seconds
        while not re.search(pattern, got):
            if time.monotonic() > end:
                raise TimeoutError("terminal: %r" % got[-300:])
            op, p = self.recv()
            if op == 9:
                self.send(p, 10)
            elif op == 8:
                raise ConnectionError("closed: %r after %r" % (p, got[-300:]))
            else:
                got += p[1:]
        return got

    def recv_bytes(self, n):
        """Payloads until they are so many bytes."""
        got = b""
        while len(got) < n:
            op, p = self.recv()
            if op == 9:
                self.send(p, 10)
            elif op == 8:
                raise ConnectionError("closed: %r after %d" % (p, len(got)))
            else:
                got += p
        return got

    def recv_close(self):
        """(code, reason, data payloads before it) of the peer's close."""
        got = []
        while True:
            op, p = self.recv()
            if op == 8:
                code = struct.unpack(">H", p[:2])[0] if len(p) >= 2 else None
                return code, p[2:].decode(), got
            if op == 9:
                self.send(p, 10)
            elif op in (0, 1, 2):
                got.append(p)

    def close(self):
        self.s.close()
