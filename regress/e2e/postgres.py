# SPDX-License-Identifier: ISC
"""A real PostgreSQL server on loopback for the tests, of whoever runs them or,
since it refuses to run as root, of nobody. One for a test file, with a
database for each relayd."""

import atexit
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SRC = os.environ.get("RELAYD_SRC") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
SCHEMA = os.path.join(SRC, "etc", "schema", "postgresql.sql")
USER = "op"


def programs():
    """Where Debian has them; None: it is not installed."""
    found = [d for d in glob.glob("/usr/lib/postgresql/*/bin")
             if os.path.exists(os.path.join(d, "initdb"))]
    return max(found, key=lambda d: int(d.split("/")[-2])) if found and \
        shutil.which("psql") else None


class Postgres:
    """fsync is off: no test takes away the power."""

    def __init__(self, sync=False):
        self.sync = [] if sync else ["-F"]
        self.bin = programs()
        self.dir = tempfile.mkdtemp(prefix="relayd-pg-")
        os.chmod(self.dir, 0o755)
        self.data = os.path.join(self.dir, "data")
        os.mkdir(self.data, 0o700)
        self.as_user = []
        self.user = None            # whose its processes are
        self.sockets = ""
        if os.getuid() == 0:
            self.user = "nobody"
            self.as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup",
                            "--clear-groups", "--"]
            shutil.chown(self.data, "nobody")
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        self.port = s.getsockname()[1]
        s.close()
        self.n = 0
        self.p = None
        subprocess.run([*self.as_user, self.bin + "/initdb", "-D", self.data,
                        "-A", "trust", "-U", USER, "-N", "-E", "UTF8",
                        "--locale=C"], check=True, cwd="/",
                       stdout=subprocess.DEVNULL)
        self.start()
        atexit.register(self.close)
        self.sql("CREATE DATABASE model", "postgres")
        self.load("model")

    def start(self, wait=True):
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.p = subprocess.Popen(
            [*self.as_user, self.bin + "/postgres", "-D", self.data, "-h",
             "127.0.0.1", "-p", str(self.port), "-k", self.sockets, *self.sync,
             "-c",
             "max_connections=200", "-c", "log_min_messages=warning"],
            cwd="/", stdout=self.log, stderr=self.log, start_new_session=True)
        end = time.monotonic() + 60
        while wait and self.try_sql("SELECT 1", "postgres") is None:
            if time.monotonic() > end or self.p.poll() is not None:
                raise RuntimeError("PostgreSQL: " + self.text())
            time.sleep(0.05)

    def text(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as f:
            return f.read()

    def signal(self, sig):
        """To all of its processes."""
        os.killpg(self.p.pid, sig)
        if sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT,
                   signal.SIGQUIT):
            self.p.wait(60)

    def pause(self):
        """Processes that a connection has come with are in sessions of their
        own: each is stopped, and the first one first."""
        for sig in (signal.SIGSTOP,):
            for pid in [self.p.pid] + self.children():
                os.kill(pid, sig)

    def go_on(self):
        for pid in self.children() + [self.p.pid]:
            os.kill(pid, signal.SIGCONT)

    def children(self):
        with open("/proc/%d/task/%d/children" % (self.p.pid, self.p.pid)) as f:
            return [int(x) for x in f.read().split()]

    def kill(self):
        """As a crash does: without a word to anybody."""
        pids = [self.p.pid] + self.children()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.p.wait(60)

    def restart(self):
        self.p.send_signal(signal.SIGINT)
        self.p.wait(60)
        self.start()

    # ---- who may come, and how ----

    def rules(self, *lines):
        """Before those that it has."""
        path = os.path.join(self.data, "pg_hba.conf")
        with open(path) as f:
            old = f.read()
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n" + old)
        self.p.send_signal(signal.SIGHUP)

    def use_tls(self, cert, key):
        for path, name in ((cert, "server.crt"), (key, "server.key")):
            if path is not None:
                to = os.path.join(self.data, name)
                shutil.copy(path, to)
                os.chmod(to, 0o600)
                if self.user:
                    shutil.chown(to, self.user)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.write("ssl = %s\n" % ("off" if cert is None else "on"))
        self.restart()

    def listen_at(self, directory):
        self.sockets = directory
        self.restart()

    def close(self):
        if self.p is not None and self.p.poll() is None:
            self.go_on()
            self.p.send_signal(signal.SIGQUIT)
            self.p.wait(60)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- databases ----

    def psql(self, database, *args):
        return ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h",
                "127.0.0.1", "-p", str(self.port), "-U", USER, *args, database]

    def sql(self, text, database):
        r = subprocess.run(self.psql(database), input=text.encode(),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           cwd="/")
        if r.returncode != 0:
            raise RuntimeError("psql: " + r.stderr.decode())
        return r.stdout.decode().strip()

    def rows(self, text, args, database):
        """As SQLite has them: numbers are numbers, NULL is None. What is asked
        for by the names of relayd's tables is theirs."""
        def literal(m, left=list(args)):
            v = left.pop(0)
            return str(v) if isinstance(v, int) else "NULL" if v is None \
                else "'%s'" % str(v).replace("'", "''")

        def value(x):
            return None if x == "\\N" else int(x) \
                if re.fullmatch(r"-?[0-9]{1,18}", x) else x

        # relayd's views can be read, the tables behind them written.
        path = "relayd, public" if re.match(r"(?i)\s*select", text) else \
            "public, relayd"
        text = "SET search_path = %s;\n" % path + \
            re.sub(r"\?", literal, text)
        r = subprocess.run([*self.psql(database)[:-1], "-F", "\x1f", "-R",
                            "\x1e", "-P", "null=\\N", database],
                           input=text.encode(), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, cwd="/")
        if r.returncode != 0:
            raise RuntimeError("psql: " + r.stderr.decode())
        out = r.stdout.decode().rstrip("\x1e\n")
        return [tuple(value(x) for x in line.split("\x1f"))
                for line in out.split("\x1e")] if out else []

    def try_sql(self, text, database):
        try:
            return self.sql(text, database)
        except RuntimeError:
            return None

    def load(self, database):
        with open(SCHEMA) as f:
            self.sql(f.read(), database)

    def database(self, model="model"):
        """A new one, with relayd's tables in it."""
        self.n += 1
        name = "relayd%d" % self.n
        self.sql("CREATE DATABASE %s TEMPLATE %s" % (name, model), "postgres")
        return name

    def conninfo(self, database, port=None):
        return "host=127.0.0.1 port=%d dbname=%s user=%s" % (
            port or self.port, database, USER)


_server = None


def server():
    global _server
    if _server is None:
        _server = Postgres()
    return _server
