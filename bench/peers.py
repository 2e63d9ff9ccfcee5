# SPDX-License-Identifier: ISC
"""What people would take otherwise, each with its own client at the far end:
relayd, blind pipes (rathole, sshd -R, chisel, frp, wstunnel), piko, and a hop
without a tunnel (nginx, haproxy). Whatever is on the PATH is measured."""

import os
import shutil
import statistics
import subprocess
import time

import benchlib as lib
from benchlib import BenchError, Meter, free_port, wait_port
from relayd_bench import Relayd

MANY = 20       # tunnels, for what one takes
SECRET = "bench-peers"


class Far:
    """One client at the far end: a process that started just now."""

    def __init__(self, argv, log, port):
        self.began = time.monotonic()
        self.port = port        # an operator's requests arrive there
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log)

    def pids(self):
        return lib.children(self.proc.pid)

    def stop(self):
        self.proc.terminate()
        self.proc.wait()


class Peer:
    """A server from the PATH, as it comes: `serve` and `dial` are what its
    makers' first page says, without encryption where that can be had."""
    program = ""
    tls = "no"

    def __init__(self, b):
        self.dir = os.path.join(b.dir, f"{self.program or self.name}-"
                                f"{time.monotonic_ns()}")
        os.mkdir(self.dir)
        self.target = f"127.0.0.1:{b.services.port}"
        self.door = free_port()
        self.ports = [free_port() for _ in range(MANY)]
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.proc = subprocess.Popen(self.serve(), stdin=subprocess.DEVNULL,
                                     stdout=self.log, stderr=self.log)
        wait_port(self.door, self.proc)

    @classmethod
    def found(cls):
        return lib.which(cls.program or cls.name)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            os.chmod(path, 0o600)
            f.write(text)
        return path

    def client(self, i=0, door=None):
        return Far(self.dial(i, door or self.door), self.log, self.ports[i])

    def head(self, _i):
        return [("Host", "bench.test")]

    def pids(self):
        return lib.children(self.proc.pid)

    def stop(self):
        self.proc.terminate()
        self.proc.wait()
        self.log.close()


class Rathole(Peer):
    name = "rathole"

    def serve(self):
        text = (f'[server]\nbind_addr = "127.0.0.1:{self.door}"\n'
                f'default_token = "{SECRET}"\n')
        for i, port in enumerate(self.ports):
            text += (f'[server.services.web{i}]\n'
                     f'bind_addr = "127.0.0.1:{port}"\n')
        return [self.found(), "--server", self.file("server.toml", text)]

    def dial(self, i, door):
        return [self.found(), "--client", self.file(
            f"client{i}.toml", f'[client]\nremote_addr = "127.0.0.1:{door}"\n'
            f'default_token = "{SECRET}"\n[client.services.web{i}]\n'
            f'local_addr = "{self.target}"\n')]


class Sshd(Peer):
    name, program, tls = "sshd -R", "sshd", "yes"

    def serve(self):
        for key in "host", "user":
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                            "-f", os.path.join(self.dir, key)], check=True)
        shutil.copy(os.path.join(self.dir, "user.pub"),
                    os.path.join(self.dir, "authorized"))
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        return [self.found(), "-D", "-e", "-f", self.file(
            "sshd_config", f"Port {self.door}\nListenAddress 127.0.0.1\n"
            f"HostKey {self.dir}/host\nAuthorizedKeysFile "
            f"{self.dir}/authorized\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nPidFile none\nPermitRootLogin yes\n"
            "MaxStartups 200\n")]

    def dial(self, i, door):
        return ["ssh", "-N", "-p", str(door), "-i", self.dir + "/user",
                "-F", "none", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o",
                "ExitOnForwardFailure=yes", "-R",
                f"127.0.0.1:{self.ports[i]}:{self.target}", "127.0.0.1"]


class Chisel(Peer):
    name, tls = "chisel", "yes"

    def serve(self):
        return [self.found(), "server", "--host", "127.0.0.1", "--port",
                str(self.door), "--reverse", "--auth", f"b:{SECRET}"]

    def dial(self, i, door):
        return [self.found(), "client", "--auth", f"b:{SECRET}",
                f"http://127.0.0.1:{door}",
                f"R:127.0.0.1:{self.ports[i]}:{self.target}"]


class Frp(Peer):
    name, program = "frp", "frps"

    def serve(self):
        return [self.found(), "-c", self.file(
            "frps.toml", f'bindAddr = "127.0.0.1"\nbindPort = {self.door}\n'
            f'auth.token = "{SECRET}"\n')]

    def dial(self, i, door):
        host, port = self.target.split(":")
        return [lib.which("frpc"), "-c", self.file(
            f"frpc{i}.toml", f'serverAddr = "127.0.0.1"\nserverPort = {door}\n'
            f'auth.token = "{SECRET}"\ntransport.tls.enable = false\n'
            f'[[proxies]]\nname = "web{i}"\ntype = "tcp"\nlocalIP = "{host}"\n'
            f'localPort = {port}\nremotePort = {self.ports[i]}\n')]


class Wstunnel(Peer):
    name = "wstunnel"

    def serve(self):
        return [self.found(), "server", f"ws://127.0.0.1:{self.door}"]

    def dial(self, i, door):
        return [self.found(), "client", "-R",
                f"tcp://127.0.0.1:{self.ports[i]}:{self.target}",
                f"ws://127.0.0.1:{door}"]


class Piko(Peer):
    """All that it serves arrives at one port, and a head says for whom."""
    name = "piko"

    def serve(self):
        proxy, admin = self.ports[0], free_port()
        self.ports = [proxy] * MANY
        return [self.found(), "server", "--proxy.bind-addr",
                f"127.0.0.1:{proxy}", "--upstream.bind-addr",
                f"127.0.0.1:{self.door}", "--admin.bind-addr",
                f"127.0.0.1:{admin}", "--cluster.gossip.bind-addr",
                f"127.0.0.1:{free_port()}"]

    def dial(self, i, door):
        return [self.found(), "agent", "http", f"web{i}", self.target,
                "--connect.url", f"http://127.0.0.1:{door}",
                "--server.bind-addr", f"127.0.0.1:{free_port()}"]

    def head(self, i):
        return [("Host", "bench.test"), ("x-piko-endpoint", f"web{i}")]


class Ours:
    """relayd with tunnel-client."""
    name, tls = "relayd", "no"

    def __init__(self, b):
        self.relay = Relayd(b.args.build, b.dir)
        self.spec, self.dir = b.services.spec(1), b.dir
        self.program = os.path.join(b.args.build, "bin/tunnel-client")
        self.slots = self.relay.slots(MANY)
        self.door, self.pids = self.relay.port, self.relay.pids

    def client(self, i=0, door=None):
        s = self.slots[i]
        secret = os.path.join(self.dir, f"secret{i}")
        with open(secret, "w") as f:
            os.chmod(secret, 0o600)
            f.write(s.secret)
        none = os.path.join(self.dir, "none")
        return Far([self.program, "--url",
                    f"ws://127.0.0.1:{door or self.door}{lib.TUNNEL_PATH}",
                    "--key", s.key, "--secret-file", secret, "--node-id",
                    s.node, "--static-services", self.spec, "--status-socket",
                    "none", "--redis-addr", "none", "--users-dir", none,
                    "--diagnostics-dir", none, "--users-state-file",
                    none + str(i)], self.relay.log, self.door)

    def head(self, i):
        return self.relay.head(self.slots[i], "web")

    def stop(self):
        self.relay.stop()


class Hop(Peer):
    """No tunnel: what one hop costs."""

    def client(self, _i=0, _door=None):
        return None


class Haproxy(Hop):
    name = "haproxy"

    def serve(self):
        self.ports = [self.door] * MANY
        return [self.found(), "-db", "-f", self.file(
            "haproxy.cfg", "global\n nbthread 1\n maxconn 4096\ndefaults\n"
            " mode http\n timeout connect 5s\n timeout client 1m\n"
            " timeout server 1m\n http-reuse always\nfrontend f\n"
            f" bind 127.0.0.1:{self.door}\n default_backend b\nbackend b\n"
            f" server s {self.target}\n")]


class Nginx(Hop):
    name = "nginx"

    def __init__(self, b):
        self.nginx = lib.Direct(b.dir, b.services)
        self.ports, self.pids = [self.nginx.port], self.nginx.pids

    @classmethod
    def found(cls):
        return "nginx"

    def stop(self):
        self.nginx.stop()


ALL = (Nginx, Haproxy, Rathole, Sshd, Chisel, Frp, Wstunnel, Piko)


class Tunnel:
    """A peer with one client, as the sections of `run` want it."""

    def __init__(self, peer, far):
        self.relay, self.peer, self.far = self, peer, far
        self.port = far.port if far else peer.ports[0]
        self.name, self.pids = peer.name, peer.pids

    def head(self, _service):
        return self.peer.head(0)


class Both(Meter):
    """The server's, and beside it what the client uses."""

    def __init__(self, peer, far):
        super().__init__(peer.pids)
        self.other = Meter(far.pids) if far else None
        self.far = 0

    def start(self):
        if self.other:
            self.other.start()
        return super().start()

    def stop(self):
        if self.other:
            self.far = self.other.stop()
        return super().stop()


def answers(peer, far, i):
    """Wait for the first answer; ms from the client's start."""
    end = far.began + 20
    while True:
        try:
            s, _ = lib.get(far.port, peer.head(i), "/")
            s.close()
            return (time.monotonic() - far.began) * 1000
        except (BenchError, OSError):
            if time.monotonic() > end or far.proc.poll() is not None:
                raise
            time.sleep(0.001)


def cost(b, peer):
    """CPU of (server, client): us per request at 64 and at 8 connections, ns
    per byte of a download; each the median of the rounds."""
    far = peer.client()
    try:
        if far:
            answers(peer, far, 0)
        t, out = Tunnel(peer, far), []
        for conns in (64, 8):
            runs = []
            for _ in range(b.args.rounds):
                m = Both(peer, far)
                n, us, _, bad = b.wrk(t, conns, meter=m)
                if bad:
                    raise BenchError(f"{peer.name}: {bad} bad answers")
                runs.append((us, m.far / n / 1000))
            out += [statistics.median(x) for x in zip(*runs)]
        m = Both(peer, far)
        return out + [b.curl(t, False, m)[0], m.far / lib.BIG]
    finally:
        if far:
            far.stop()


def long_line(b, peer):
    """MB/s of one download at 100 ms, once it is at its speed."""
    line = lib.Delay(b.tools, 100, peer.door)
    far = peer.client(0, line.port)
    try:
        answers(peer, far, 0)
        return lib.stream(far.port, peer.head(0), "/huge",
                          b.args.seconds + 3, 3)[1] / 1e6
    finally:
        far.stop()
        line.stop()


def many(peer):
    """Of each tunnel: KiB of the server, CPU ms of it until the tunnel
    answers once, and ms from the client's start to that (median). Each has
    been here before: so relayd's operator has his cookies, and what a server
    keeps is warm."""
    def kib():
        return sum(sum(lib.memory(p)) for p in peer.pids()) / 1024
    for i in range(MANY):
        far = peer.client(i)
        try:
            answers(peer, far, i)
        finally:
            far.stop()
    time.sleep(2)
    before, fars, first = kib(), [], []
    m = Meter(peer.pids).start()
    try:
        for i in range(MANY):
            fars.append(peer.client(i))
            first.append(answers(peer, fars[-1], i))
        cpu = m.stop() / 1e6 / MANY
        time.sleep(3)
        return (kib() - before) / MANY, cpu, statistics.median(first)
    finally:
        for f in fars:
            f.stop()


def measure(b, say):
    """The two tables."""
    kinds = [k for k in ALL if k.found()]
    if b.args.build:
        kinds.insert(0, Ours)
    t = b.table("Peers, each with its own client: CPU of server + client, us "
                "per request, ns per byte", "relay", "64 connections",
                "8 connections", "x nginx, 64", "x nginx, 8", "a download",
                "encrypts")
    u = b.table(f"Peers: one tunnel, of {MANY}", "relay",
                "one download at 100 ms, MB/s", "KiB of the server",
                "CPU ms to set up, with one request", "ms to the first answer")
    rows = {}
    for kind in kinds:
        say(f"peers: {kind.name}")
        peer = kind(b)
        try:
            rows[kind] = cost(b, peer)
            if not issubclass(kind, Hop):
                u.add(kind.name, f"{long_line(b, peer):.0f}")
        finally:
            peer.stop()
        if not issubclass(kind, Hop):
            peer = kind(b)
            try:
                u.rows[-1] += [f"{x:.{d}f}" for x, d in
                               zip(many(peer), (0, 2, 1))]
            finally:
                peer.stop()
    for kind, (a, af, c, cf, d, df) in rows.items():
        n = rows[Nginx]
        t.add(kind.name, f"{a:.1f} + {af:.1f}", f"{c:.1f} + {cf:.1f}",
              f"{a / n[0]:.2f}", f"{c / n[2]:.2f}", f"{d:.2f} + {df:.2f}",
              kind.tls)
