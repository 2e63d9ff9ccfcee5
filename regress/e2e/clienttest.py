# SPDX-License-Identifier: ISC
"""What the tests of tunnel-client share: starting it against a server in the
test's hand, targets, secrets to look for."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading

from harness import BUILD, Program, client_state, free_port, until

KEY = "NETH-7F3A-0001-0002-0003-0004-0005-0006-0007"
SECRET = "my_0123456789abcdef0123." + "5e" * 20


class Client(Program):
    """tunnel-client; the environment holds nothing but what is given."""

    def __init__(self, server, *flags, env=None, services="", build=None,
                 path="/api/tunnel", scheme="ws", move_ms=1000, bare=False,
                 tty=None, cwd=None):
        e = {"PATH": os.environ["PATH"],
             "TUNNEL_CLIENT_MOVE_MS": str(move_ms),
             "STATUS_SOCKET": "none"}
        e.update(client_state())
        if not bare:
            e.update({"SUPPORT_URL": "%s://127.0.0.1:%d%s" % (
                          scheme, server.port, path),
                      "SYSTEM_KEY": KEY, "SYSTEM_SECRET": SECRET,
                      "STATIC_SERVICES": services,
                      "DIAGNOSTICS_DIR": "/nonexistent",
                      "REDIS_ADDR": "none", "USERS_DIR": "/nonexistent",
                      "USERS_STATE_FILE": "/dev/null/users.json",
                      "RECONNECT_DELAY": "100ms"})
        e.update(env or {})
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                e[name] = os.environ[name]
        self.env = e
        super().__init__(["/usr/bin/env", "-i"] +
                         ["%s=%s" % kv for kv in e.items()] +
                         (["/bin/sh", "-c", 'exec "$@" 2>"$0"', tty] if tty
                          else []) +
                         [os.path.join(build or BUILD, "bin",
                                       "tunnel-client")] + list(flags),
                         cwd=cwd)

    def move(self):
        """Move its clock by move_ms."""
        self.p.send_signal(signal.SIGUSR1)

    def clean(self, tap):
        """No sanitizer has said a word."""
        text = self.err.text()
        if "Sanitizer" in text or "runtime error" in text:
            tap.ok(False, "no report of a sanitizer")
            tap.diag(text[-4000:])


class Target:
    """A TCP service: each connection goes to `serve(socket)` in a thread."""

    def __init__(self, serve, context=None):
        self.l = socket.create_server(("127.0.0.1", 0))
        self.port = self.l.getsockname()[1]
        self.serve, self.context = serve, context
        self.count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                s, _ = self.l.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._one, args=(s,),
                             daemon=True).start()

    def _one(self, s):
        try:
            if self.context is not None:
                s = self.context.wrap_socket(s, server_side=True)
            self.serve(s)
        except OSError:
            pass
        finally:
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.l.close()


def echo(s):
    """Back what comes, as it comes; then the end."""
    while True:
        data = s.recv(65536)
        if not data:
            return
        s.sendall(data)


def counter(s):
    """The number of bytes, after the end of them."""
    n = 0
    while True:
        data = s.recv(65536)
        if not data:
            break
        n += len(data)
    s.sendall(b"%d bytes\n" % n)


def openssl(*words):
    subprocess.run(["openssl"] + list(words), check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def authority(d):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=authority", "-keyout", d + "/ca.key", "-out",
            d + "/ca.pem")


def certificate(d, name, alt):
    """A certificate of our authority; the server's context with it."""
    p = os.path.join(d, name)
    with open(p + ".ext", "w") as f:
        f.write("subjectAltName=%s\n" % alt)
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server",
            "-keyout", p + ".key", "-out", p + ".csr")
    openssl("x509", "-req", "-in", p + ".csr", "-CA", d + "/ca.pem",
            "-CAkey", d + "/ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", p + ".ext", "-out", p + ".pem")
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(p + ".pem", p + ".key")
    names = []
    ctx.sni_callback = lambda sock, sni, c: names.append(sni)
    return ctx, names


class Redis:
    """A Redis server with nothing in it but what is put there."""

    def __init__(self, tmp):
        self.port = free_port()
        self.tmp = tmp
        self.p = None
        self.start()

    def start(self):
        self.p = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port),
             "--save", "", "--appendonly", "no", "--dir", self.tmp],
            stdout=subprocess.DEVNULL)
        until(lambda: self.cli("PING") == "PONG", "redis")

    def cli(self, *words):
        r = subprocess.run(["redis-cli", "-p", str(self.port)] + list(words),
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return r.stdout.decode().strip()

    def stop(self):
        if self.p is not None:
            self.p.terminate()
            self.p.wait()
        self.p = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def put(path, text, mode=0o644):
    """A whole file, at once."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def manifest(u):
    """The services of the next manifest."""
    return json.loads(b"{" + u.document(b"{"))["services"]


def leave(t, c, u, text):
    """4000, and the end of the client."""
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, text)
    c.clean(t)


def ask(path, *words, env=None):
    """An order to the client that runs: exit status, output, errors."""
    e = {"PATH": os.environ["PATH"], "STATUS_SOCKET": path, "TZ": "UTC"}
    e.update(client_state())
    e.update({k: v for k, v in os.environ.items()
              if k.endswith("SAN_OPTIONS")})
    e.update(env or {})
    r = subprocess.run([os.path.join(BUILD, "bin", "tunnel-client")] +
                       list(words), stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=60, env=e)
    return r.returncode, r.stdout, r.stderr


def status(path):
    return json.loads(ask(path, "status", "-j")[1])


# What the machine's own Python has: tasks of agents, and a user database. Both
# keep their accounts in a file; a file named `hang` stops them after an act.
STORE = '''
import json, os, time
ROOT = %(root)r
def accounts():
    try:
        with open(ROOT + "/accounts") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}
def keep(a):
    with open(ROOT + "/accounts.new", "w") as f:
        json.dump(a, f)
    os.rename(ROOT + "/accounts.new", ROOT + "/accounts")
def act(*what):
    with open(ROOT + "/acts", "a") as f:
        f.write(json.dumps(what) + "\\n")
def hang(where):
    with open(ROOT + "/pid.new", "w") as f:
        f.write(str(os.getpid()))
    os.rename(ROOT + "/pid.new", ROOT + "/pid")
    while os.path.exists(ROOT + "/hang-" + where):
        time.sleep(0.05)
'''
NETHSEC = '''
import os, store
def get_user_by_name(uci, name, database="main"):
    return store.accounts().get(name)
def is_admin(uci, name):
    return "admin " + name in store.accounts()
def remove_admin(uci, name):
    store.act("remove_admin", name)
    if os.path.exists(store.ROOT + "/fail-remove_admin"):
        raise RuntimeError("no")
    a = store.accounts()
    a.pop("admin " + name)
    store.keep(a)
def delete_local_user(uci, name, database="main"):
    store.act("delete_local_user", name, database)
    if os.path.exists(store.ROOT + "/fail-delete"):
        raise RuntimeError("no")
    a = store.accounts()
    a.pop(name)
    store.keep(a)
def add_local_user(uci, name, password="", description="", database="main"):
    store.act("add_local_user", name, description, database)
    a = store.accounts()
    if name in a:
        raise ValueError("user_already_exists")
    a[name] = password
    store.keep(a)
    store.hang("add")
def set_admin(uci, name, database):
    store.act("set_admin", name, database)
    if os.path.exists(store.ROOT + "/no-admin"):
        raise RuntimeError("no")
    a = store.accounts()
    a["admin " + name] = "x"
    store.keep(a)
'''


def machine(root):
    """A host whose Python is in the test's hand."""
    put(root + "/bin/python3", "#!/bin/sh\nexec env PYTHONPATH=%s/py "
        "PYTHONDONTWRITEBYTECODE=1 %s \"$@\"\n" % (root, sys.executable),
        0o755)
    put(root + "/bin/runagent", '#!/bin/sh\nexec "$@"\n', 0o755)
    put(root + "/py/store.py", STORE % {"root": root})


def nethsecurity(root):
    """A NethSecurity host below this directory."""
    machine(root)
    put(root + "/www-ns/index.html", "")
    put(root + "/py/euci.py", "class EUci:\n    pass\n")
    put(root + "/py/nethsec/__init__.py", "")
    put(root + "/py/nethsec/users.py", NETHSEC)


def pump(a, b, seen):
    try:
        while True:
            data = a.recv(65536)
            if not data:
                break
            seen.append(data)
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def join(a, b, seen=None):
    """Bytes both ways; what comes from `a` is kept in `seen`."""
    other = threading.Thread(target=pump, args=(b, a, []), daemon=True)
    other.start()
    pump(a, b, [] if seen is None else seen)
    other.join()


class Watched(Target):
    """In front of a proxy: all that is sent to it is kept; TLS if asked."""

    def __init__(self, port, context=None):
        self.to, self.seen = port, []
        super().__init__(self._pass, context)

    def _pass(self, s):
        with socket.create_connection(("127.0.0.1", self.to)) as up:
            join(s, up, self.seen)


class Tinyproxy(Program):
    def __init__(self, d, *lines):
        self.port = free_port()
        conf = os.path.join(d, "tinyproxy-%d.conf" % self.port)
        with open(conf, "w") as f:
            f.write("\n".join(["Port %d" % self.port, "Listen 127.0.0.1",
                               "Timeout 60", "LogLevel Critical"] +
                              list(lines)) + "\n")
        super().__init__(["tinyproxy", "-d", "-c", conf])
        until(self._listens, "tinyproxy")

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False
