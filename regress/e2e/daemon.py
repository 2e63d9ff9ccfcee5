# SPDX-License-Identifier: ISC
"""A relayd of a test's own with its real processes: what it is told, its life,
and what relayctl hears of it."""

import atexit
import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import traceback

import postgres
import redisserver
from asks import DOMAIN, Asks
from basics import (BUILD, WAIT, Lines, free_port, is_up, keep_log, secret,
                    secrets_of, until)
from process import lives

# Which engine keeps what outlives the processes: "", or postgresql, which several
# members have (fronted.py).
STORE = "postgresql" if os.environ.get("RELAYD_FRONT") else \
    os.environ.get("RELAYD_STORE", "")

_redis = None       # and how many relayds have it


def redis_beside():
    """In the second pass Redis is there, too: a database for each relayd."""
    global _redis
    if not shutil.which("redis-server"):
        return ""
    if _redis is None:
        _redis = redisserver.Redis()
        _redis.start()
        _redis.relayds = 0
        atexit.register(_redis.__exit__)
    _redis.relayds += 1
    return _redis.conf(number=_redis.relayds % 16)


class Relayd(Asks):
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
        self.log = Lines(self.p.stderr, self.also)
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

    def processes(self, role=None):
        rows = self.ctl("show", "processes")
        return [r for r in rows if role is None or r["role"] == role]

    def pid_of(self, role):
        return int(self.processes(role)[0]["pid"])

    def kill(self, pid, sig=signal.SIGKILL):
        """End one of this relayd's own processes."""
        self.expected.add(pid)
        os.kill(pid, sig)

    def kill_all(self, role):
        """Of all members."""
        for p in self.processes(role):
            self.kill(int(p["pid"]))

    def die(self):
        """The parent is killed: until nobody is left."""
        pids = [int(p["pid"]) for p in self.processes()]
        self.kill(self.pid)
        self.p.wait()
        until(lambda: not any(map(lives, pids)), "all processes to end")

    def move_clock(self, ms):
        self.ctl("test", "clock", str(int(ms)))

    members = 1                 # that what is said to it comes to
    also = None                 # where else its log goes
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
