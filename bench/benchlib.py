# SPDX-License-Identifier: ISC
"""What all benchmarks need: processes and what they cost, the services behind
the tunnel, the Go client, and the yardsticks nginx and peer-go."""

import base64
import contextlib
import gzip
import json
import os
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
TUNNEL_PATH = "/support/api/tunnel"
MIB = 1 << 20


class BenchError(Exception):
    """A measurement that could not be made."""


# -- processes and what they cost -------------------------------------------

def children(pid):
    """pid and all its descendants."""
    of = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as f:
                stat = f.read()
        except OSError:
            continue
        # the name in brackets may hold anything
        parent = int(stat[stat.rindex(")") + 1:].split()[1])
        of.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        todo += of.get(p, [])
    return found


def cpu_ns(pid):
    """User+system time of a process in ns, from the scheduler's own account
    of each thread: /proc/PID/stat counts in ticks of 10 ms, too coarse for
    two thousand processes that are asleep."""
    total = 0
    try:
        for t in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{t}/schedstat") as f:
                total += int(f.read().split()[0])
    except OSError:
        return None
    return total


class Meter:
    """CPU time of a set of processes between start() and stop(). A process
    that ended meanwhile is an error: its time would be missing."""

    def __init__(self, pids):
        self.pids = pids
        self.before = {}

    def start(self):
        self.before = {p: cpu_ns(p) for p in self.pids()}
        return self

    def stop(self):
        after = {p: cpu_ns(p) for p in self.pids()}
        gone = [p for p, v in self.before.items()
                if v is not None and after.get(p) is None]
        if gone:
            raise BenchError(f"processes ended while measured: {gone}")
        return sum(v - (self.before.get(p) or 0)
                   for p, v in after.items() if v is not None)


def upgrade(key, secret):
    """What a client's head has, as pairs."""
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    return [("Host", "bench.test"), ("Authorization", "Basic " + basic),
            ("Connection", "Upgrade"), ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")]


class Churn(Meter):
    """The same of a parent whose processes come and go: what those that ended
    have used is the parent's to tell, in ticks."""

    def __init__(self, parent, pids):
        super().__init__(pids)
        self.parent = parent
        self.reaped = 0

    def _reaped(self):
        with open(f"/proc/{self.parent}/stat") as f:
            v = f.read().rsplit(") ", 1)[1].split()
        return (int(v[13]) + int(v[14])) * 10**9 // os.sysconf("SC_CLK_TCK")

    def start(self):
        self.reaped = self._reaped()
        return super().start()

    def stop(self):
        after = {p: cpu_ns(p) for p in self.pids()}
        alive = {p: v for p, v in after.items() if v is not None}
        return self._reaped() - self.reaped + sum(alive.values()) - sum(
            v for v in self.before.values() if v is not None)


KERNEL_STACK = 16 * 1024


def memory(pid):
    """Private pages, page tables and kernel stack of a process, in bytes.

    Private means written to: clean pages of the program's file are one copy
    for all workers, though a worker that is alone gets the whole of it."""
    private = tables = threads = 0
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            if line.startswith("Private_Dirty:"):
                private += int(line.split()[1]) * 1024
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmPTE:"):
                tables = int(line.split()[1]) * 1024
            elif line.startswith("Threads:"):
                threads = int(line.split()[1])
    return private, tables, threads * KERNEL_STACK


def peak(pids):
    """The most memory that each of these has had, added up, in bytes."""
    total = 0
    for p in pids:
        with contextlib.suppress(OSError), open(f"/proc/{p}/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) * 1024
    return total


def held(pids):
    """(descriptors, private bytes) by process."""
    return {p: (len(os.listdir(f"/proc/{p}/fd")), memory(p)[0])
            for p in pids}


def comm(pid):
    """The name of a process' program."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        try:
            with open(f"/proc/{pid}/comm") as f:
                return f.read().strip()
        except OSError:
            return ""


def which(program):
    """Where it is, on the PATH or where Debian keeps servers; or None."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin")


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, proc=None, limit=10):
    """Wait until something listens on port."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if proc is not None and proc.poll() is not None:
            raise BenchError(f"{proc.args[0]} exited {proc.returncode}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise BenchError(f"nothing listens on port {port}")


class Daemon:
    """A program that prints a JSON line when it is ready, or events."""

    def __init__(self, argv, log=None, env=None):
        self.err = open(log or os.devnull, "ab")
        self.proc = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                                     stderr=self.err, env=env)
        self.events = []
        self.cond = threading.Condition()
        self.eof = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.proc.stdout:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                with self.cond:
                    self.events.append(event)
                    self.cond.notify_all()
        with self.cond:
            self.eof = True
            self.cond.notify_all()

    def wait_for(self, want, limit=30):
        """The first event that want(event) is true for."""
        end = time.monotonic() + limit
        with self.cond:
            while True:
                for e in self.events:
                    if want(e):
                        return e
                left = end - time.monotonic()
                if left <= 0 or self.eof:
                    raise BenchError(f"{self.proc.args[0]}: no such event, "
                                     f"last {self.events[-2:]}")
                self.cond.wait(left)

    def event(self, name, limit=30):
        """The first event of that name."""
        return self.wait_for(lambda e: e.get("event") == name, limit)

    def ready(self):
        """The line with the ports."""
        return self.wait_for(lambda e: "port" in e or "http" in e)

    def pids(self):
        return children(self.proc.pid)

    def stop(self):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.err.close()


# -- building ----------------------------------------------------------------

class Tools:
    """The helper programs, built into a directory of their own."""

    def __init__(self, directory):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def build(self):
        cc = shlex.split(os.environ.get("CC", "cc"))
        for name in "delay", "copyloop", "copyjoin":
            subprocess.run([*cc, "-O2", "-std=c11", "-D_GNU_SOURCE", "-Wall",
                            "-Wextra", "-pthread", "-o", self.path(name),
                            os.path.join(HERE, name + ".c")], check=True)
        for where, what in (("regress/interop", "./cmd/tunnelclient"),
                            ("regress/interop", "./cmd/targets"),
                            ("bench/peer-go", "."),
                            ("bench/peer-go", "./rendezvous"),
                            ("bench/peer-go", "./pairing")):
            subprocess.run(["go", "build", "-o", self.dir + "/", what],
                           cwd=os.path.join(TOP, where), check=True)


# -- the services behind the tunnel ------------------------------------------

NGINX = """
daemon off;
pid {dir}/{name}.pid;
error_log {dir}/{name}.log warn;
worker_processes 1;
{user}
events {{ worker_connections 4096; }}
http {{
	access_log off;
	keepalive_requests 1000000000;
	keepalive_timeout 300s;
	client_max_body_size 0;
	sendfile on;
	types {{ }}
	default_type text/plain;
	client_body_temp_path {dir}/{name}-body;
	proxy_temp_path {dir}/{name}-proxy;
	fastcgi_temp_path {dir}/{name}-fcgi;
	uwsgi_temp_path {dir}/{name}-uwsgi;
	scgi_temp_path {dir}/{name}-scgi;
	{body}
}}
"""

TARGET = """
	server {{
		listen 127.0.0.1:{port};
		location / {{ return 200 "{page}"; }}
		location /once {{ keepalive_timeout 0; return 200 "{page}"; }}
		location /big {{ root {dir}; }}
		location /huge {{ root {dir}; }}
		location /page {{ root {dir}; default_type text/html; }}
		location /packed {{
			root {dir};
			default_type text/html;
			add_header Content-Encoding gzip;
		}}
	}}
"""

PROXY = """
	upstream small {{
		server 127.0.0.1:{target};
		keepalive 64;
		keepalive_requests 1000000000;
	}}
	upstream sink {{ server 127.0.0.1:{sink}; keepalive 64; }}
	server {{
		listen 127.0.0.1:{port};
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		proxy_request_buffering off;
		proxy_max_temp_file_size 0;
		location / {{ proxy_pass http://small; }}
		location /discard {{ proxy_pass http://sink; }}
	}}
"""


class Nginx:
    """One nginx with one worker."""

    def __init__(self, directory, name, body, port):
        exe = shutil.which("nginx") or "/usr/sbin/nginx"
        conf = os.path.join(directory, name + ".conf")
        with open(conf, "w") as f:
            f.write(NGINX.format(dir=directory, name=name, body=body,
                                 user="user root;" if os.getuid() == 0
                                 else ""))
        self.port = port
        self.proc = subprocess.Popen(
            [exe, "-c", conf, "-p", directory, "-e",
             os.path.join(directory, name + ".log")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(port, self.proc)

    def pids(self):
        return children(self.proc.pid)

    def stop(self):
        self.proc.terminate()
        self.proc.wait()


BIG = 1 << 30
HOST = "app.bench.example"      # of a service, when it gives one


def page():
    """HTML of 64 KiB that says HOST once in a KiB."""
    line = ('<li class="item-%04d"><a href="/list?id=%04d">An item of the '
            "list, and what there is to say of it</a></li>\n")
    out, n = "", 0
    while len(out) < 65536:
        out += line % (n, n)
        if n % 10 == 0:
            out += f'<link href="http://{HOST}/style/{n}.css">\n'
        n += 1
    return out[:65536].encode()


class Services:
    """Behind the tunnel: nginx with a page of 100 bytes and a file of 1 GiB
    (sparse), and targets, which takes uploads."""

    def __init__(self, directory, tools):
        self.dir = directory
        big = os.path.join(directory, "big")
        with open(big, "wb") as f:
            f.truncate(BIG)
        self.big = big
        with open(os.path.join(directory, "huge"), "wb") as f:
            f.truncate(4 * BIG)
        for name, data in (("page", page()), ("packed", gzip.compress(page())),
                           ("page-other", page().replace(b"app.b", b"not.b"))):
            with open(os.path.join(directory, name), "wb") as f:
                f.write(data)
        self.port = free_port()
        self.nginx = Nginx(directory, "target", TARGET.format(
            port=self.port, dir=directory, page="x" * 99 + "\\n"), self.port)
        self.targets = Daemon([tools.path("targets")])
        self.sink = self.targets.ready()["http"]

    def sse(self):
        """A service with answers that never end."""
        return f"web=127.0.0.1:{self.sink}"

    def spec(self, names=8, host=""):
        """The service list for the client: web, web1 .. and sink; web may
        give a host."""
        web = [f"web{i or ''}=127.0.0.1:{self.port}" for i in range(names)]
        if host:
            web[0] += ":host=" + host
        return ",".join(web + [f"sink=127.0.0.1:{self.sink}"])

    def stop(self):
        self.nginx.stop()
        self.targets.stop()


# -- the relays --------------------------------------------------------------

class Slot:
    """What a client needs to log in."""

    def __init__(self, key, secret, node=""):
        self.key, self.secret, self.node = key, secret, node

    def line(self):
        return f"{self.key} {self.secret} {self.node}\n"


class Direct:
    """nginx proxy_pass to the same services: the yardstick with no tunnel."""
    name = "nginx"

    def __init__(self, directory, services):
        port = free_port()
        self.nginx = Nginx(directory, "proxy", PROXY.format(
            port=port, target=services.port, sink=services.sink), port)
        self.port = port

    def pids(self):
        return self.nginx.pids()

    def head(self, _slot, _service):
        return [("Host", f"127.0.0.1:{self.port}")]

    def stop(self):
        self.nginx.stop()


class PeerGo:
    """The Go relay of the reference's shape."""
    name = "peer-go"

    def __init__(self, _directory, tools, proxyd=1, lifted=True):
        del proxyd, lifted      # it is one process, and has no limits
        self.tools = tools
        self.daemon = Daemon([tools.path("peer-go")])
        self.port = self.daemon.ready()["port"]

    def start(self):
        self.daemon = Daemon([self.tools.path("peer-go"), "-listen",
                              f"127.0.0.1:{self.port}"])
        self.daemon.ready()

    def crash(self):
        self.daemon.proc.kill()
        self.daemon.proc.wait()

    def debug(self, what):
        """Its own count of tunnels or streams."""
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/debug/tunnels") as r:
            return json.load(r)[what]

    def sessions(self):
        """It has none: so many tunnels."""
        return set(range(self.debug("tunnels")))

    def busy(self):
        return self.debug("streams"), 0

    def pids(self):
        return self.daemon.pids()

    def tunnel_pids(self):
        """Every tunnel lives in the one process."""
        return self.daemon.pids()

    def slots(self, n):
        return [Slot(f"NETH-{i:08X}", "my_x.y") for i in range(n)]

    def heads(self, slots):
        return [self.head(s, "web") for s in slots]

    def head(self, slot, service):
        key = slot.key.lower().replace("-", "") + slot.node
        return [("Host", f"{service}--{key}.bench.test")]

    def stop(self):
        self.daemon.stop()


class Client:
    """The Go tunnel client with one tunnel."""

    def __init__(self, tools, services, slot, port, extra=(), log=None,
                 host=""):
        self.daemon = Daemon(
            [tools.path("tunnelclient"), "-quiet",
             "-url", f"ws://127.0.0.1:{port}{TUNNEL_PATH}",
             "-key", slot.key, "-secret", slot.secret, "-node", slot.node,
             "-services", services.spec(host=host), "-once", *extra], log)

    def stop(self):
        self.daemon.stop()


class Crowd:
    """Many tunnels in one Go client process."""

    def __init__(self, tools, directory, slots, port, parallel, log=None,
                 extra=("-sources", "50"), services="web=127.0.0.1:9"):
        keys = os.path.join(directory, "keys")
        with open(keys, "w") as f:
            os.chmod(keys, 0o600)
            f.writelines(s.line() for s in slots)
        self.daemon = Daemon(
            [tools.path("tunnelclient"), "-quiet", "-keys", keys,
             "-url", f"ws://127.0.0.1:{port}{TUNNEL_PATH}",
             "-tunnels", str(len(slots)), "-parallel", str(parallel),
             # a server may bound what one address has under way
             *extra,
             "-services", services, "-diagnostics", "none"], log)

    def up(self, limit=300):
        e = self.daemon.event("all_connected", limit)
        if e["failed"]:
            raise BenchError(f"{e['failed']} of {e['failed'] + e['tunnels']}"
                             f" tunnels failed: {e.get('first_error')}")
        return e

    def lost(self):
        with self.daemon.cond:
            return sum(e.get("event") == "lost" for e in self.daemon.events)

    def stop(self):
        self.daemon.stop()


class Delay:
    """A long line in front of a port."""

    def __init__(self, tools, rtt, port):
        self.daemon = Daemon([tools.path("delay"), "-r", str(rtt),
                              f"127.0.0.1:{port}"])
        self.port = self.daemon.ready()["port"]

    def stop(self):
        self.daemon.stop()


# -- requests ----------------------------------------------------------------

def open_request(port, head, path, sock=None):
    """Send a GET; returns (socket, time of first byte, what came of the body).
    A socket given is used again."""
    s = sock or socket.create_connection(("127.0.0.1", port), 30)
    s.settimeout(60)
    text = f"GET {path} HTTP/1.1\r\n"
    text += "".join(f"{k}: {v}\r\n" for k, v in head) + "\r\n"
    begin = time.monotonic()
    s.sendall(text.encode())
    data = s.recv(65536)
    first = time.monotonic() - begin
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            raise BenchError(f"reply cut short: {data[:200]!r}")
        data += more
    top, rest = data.split(b"\r\n\r\n", 1)
    status = top.split(b"\r\n", 1)[0]
    if b" 200 " not in status + b" ":
        raise BenchError(f"{status.decode()} {rest[:200]!r}")
    return s, first, top, rest


def get(port, head, path, sock=None):
    """A whole GET of a small page; (socket, seconds to the first byte)."""
    s, first, top, rest = open_request(port, head, path, sock)
    length = None
    for line in top.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    if length is None:
        raise BenchError("no Content-Length in the reply")
    while len(rest) < length:
        rest += s.recv(65536)
    return s, first


def hold(port, head, path, source):
    """A request whose answer goes on: its socket, once the answer begins. A
    relay that is busy may refuse it twice."""
    for tries in (2, 1, 0):
        s = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
        try:
            open_request(port, head, path, s)
            return s
        except BenchError:
            s.close()
            if tries == 0:
                raise
            time.sleep(2)


def abort(port, head, path, whole):
    """A request of its own stream: its answer to the end, or (not whole) cut
    off after the first bytes. 1, or 0 when it was refused."""
    with socket.create_connection(("127.0.0.1", port), 30) as s:
        s.settimeout(30)
        s.sendall((f"GET {path} HTTP/1.1\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in head) +
            "Connection: close\r\n\r\n").encode())
        data = s.recv(65536)
        while whole and s.recv(65536):
            pass
        return int(data.startswith(b"HTTP/1.1 200"))


def stream(port, head, path, seconds, skip):
    """Read for some seconds; bytes per second over all, and after skip."""
    s, _, _, rest = open_request(port, head, path)
    buf = bytearray(MIB)
    total, at_skip, t_skip = len(rest), None, None
    begin = now = time.monotonic()
    while now - begin < seconds:
        n = s.recv_into(buf)
        if n == 0:
            break
        total += n
        now = time.monotonic()
        if at_skip is None and now - begin >= skip:
            at_skip, t_skip = total, now
    s.close()
    if at_skip is None or now - t_skip < (seconds - skip) / 4:
        # the file was over too soon: all of it counts
        return total / (now - begin), total / (now - begin)
    return total / (now - begin), (total - at_skip) / (now - t_skip)


def wait_service(port, head, path="/", limit=20):
    """Until a service behind a new tunnel answers."""
    end = time.monotonic() + limit
    while True:
        try:
            s, _ = get(port, head, path)
            s.close()
            return
        except (BenchError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def raise_limits():
    """As many descriptors as we may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def workdir():
    """A scratch directory."""
    d = tempfile.mkdtemp(prefix="relayd-bench.")
    os.chmod(d, 0o755)
    try:
        yield d
    finally:
        shutil.rmtree(d, ignore_errors=True)
