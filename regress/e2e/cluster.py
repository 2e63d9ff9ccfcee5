# SPDX-License-Identifier: ISC
"""Members of a cluster: several relayd with one PostgreSQL server, one Redis
and one secret."""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

from basics import WAIT, Program, Wire, free_port, until
from certs import Authority
from daemon import Relayd
import postgres
from redisserver import Redis


class Cluster:
    """In a `with`: members by their names. More that is said for all of them is
    as Relayd has it; `own` says what is one member's. `tls`: between members,
    with certificates of `ca`; RELAYD_PEER_TLS says so for all clusters."""

    def __init__(self, tap, names="abc", conf="", own=None, wired="",
                 redis_wired="", tls=None, **kw):
        self.tap = tap
        self.names = list(names)
        self.kw = kw
        self.conf = conf
        self.own = own or {}
        self.wired = wired          # who goes to the store by a wire
        self.wires = {}
        self.redis_wired = redis_wired      # the same, to Redis
        self.redis_wires = {}
        self.redis = Redis()
        self.pg = postgres.server()
        self.database = self.pg.database()
        self.members = {}
        self.peer = free_port()     # the same for all of them
        self.tls = "RELAYD_PEER_TLS" in os.environ if tls is None else tls
        self.ca = self.certs = None

    def begin(self):
        if self.tls:
            self.certs = tempfile.mkdtemp(prefix="relayd-peers-")
            self.ca = Authority(self.certs)
        self.redis.start()
        self.secret = self.redis.file("cluster", os.urandom(32).hex())

    def __enter__(self):
        try:
            self.begin()
            for name in self.names:
                self.add(name)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, tb):
        for d in self.members.values():
            d.__exit__(kind, value, tb)
        self.redis.__exit__()
        if self.certs:
            shutil.rmtree(self.certs)
        return False

    def __getitem__(self, name):
        return self.members[name]

    def address(self, name):
        at = list(self.members).index(name) if name in self.members else \
            len(self.members)
        return "127.0.1.%d" % (1 + at)

    def says_it_is_at(self, name):
        """Where the others look for it."""
        return self.address(name)

    def block(self, name):
        """What makes it a member."""
        ca = tls = ""
        if self.tls:
            ca = '\tpeer tls ca file "%s"\n' % self.ca.file
            tls = ' tls {\n\tcert "%s" key "%s"\n}' % self.ca.make(
                name, [name])
        return ('cluster {\n\tname "%s"\n\tsecret file "%s"\n'
                '\tpeer address %s port %d\n%s}\n'
                'listen on %s port %d peer%s\n' % (
                    name, self.secret, self.says_it_is_at(name), self.peer, ca,
                    self.address(name), self.peer, tls))

    def to_peer(self, name):
        """A connection to where only members come, as one would make it."""
        s = socket.create_connection((self.address(name), self.peer), 20)
        if not self.tls:
            return s
        return ssl.create_default_context(cafile=self.ca.file).wrap_socket(
            s, server_hostname=name, suppress_ragged_eofs=True)

    def add(self, name, start=True):
        """One more; what a token was signed with by one all others take."""
        if name in self.redis_wired:
            self.redis_wires[name] = Wire(self.redis.port)
        d = Relayd(self.tap, global_conf=self.redis.conf(
            port=self.redis_wires[name].port if name in self.redis_wired
            else None) + self.block(name) + self.conf +
                   self.own.get(name, ""), **self.kw)
        d.peer = self.address(name)
        d.member = name
        if name in self.wired:
            self.wires[name] = Wire(self.pg.port)
        d.use_postgres(self.pg, self.database, port=self.wires[name].port
                       if name in self.wired else None)
        d.rewrite()
        for other in self.members.values():
            shutil.copy(os.path.join(other.dir, "jwt.secret"),
                        os.path.join(d.dir, "jwt.secret"))
        self.members[name] = d
        if start:
            d.start()
        return d

    def seen(self, by, state="up"):
        """Who is in this state, as one of them says."""
        return sorted(m["name"] for m in by.ctl("show", "members")
                      if m["state"] == state)

    def wait_seen(self, by, names, state="up"):
        until(lambda: self.seen(by, state) == sorted(names),
              "members %s to be %s" % (names, state))

    def beats(self):
        """When each member last wrote into the store that it lives."""
        return dict(self.pg.rows("SELECT name, beat_at FROM members", (),
                                 self.database))

    def pids(self, name):
        d = self.members[name]
        return [d.pid] + [int(p["pid"]) for p in d.processes()
                          if int(p["pid"]) != d.pid]

    def pause(self, name):
        """All of its processes stand still, and nobody hears of it. Gives what
        wakes them again."""
        pids = self.pids(name)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        def go_on():
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        return go_on

    def kill(self, name):
        """As the machine's power is cut: nobody says anything, nor hears of the
        others' end."""
        d = self.members[name]
        pids = self.pids(name)
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                d.expected.add(pid)
                os.kill(pid, sig)
        d.p.wait()

    def holders(self):
        """Session and member of every open one, as the store has them."""
        return dict(self.pg.rows(
            "SELECT id, member FROM support_sessions WHERE status IN "
            "('pending', 'active')", (), self.database))

    def had(self):
        """The same as the members have it, each tunnel that is up."""
        out = []
        for name, d in self.members.items():
            if d.p is not None and d.p.poll() is None:
                out += [(s["session"], name) for s in d.here(
                    d.ctl_try("show", "sessions") or [])
                    if s["tunnel"] == "up"]
        return sorted(out)


class Front(Program):
    """A real haproxy before all members: one after the other, nothing sticky.
    It has a port, as a relayd has. `shuts`: who is not ready loses what it has
    through us; `patience`: who is only slow to say that he is has so long. `doors`:
    ports of ours with each one's behind it, which hear in a PROXY header who comes
    to us at `source`."""

    def __init__(self, cluster, shuts=True, patience="500ms", doors=None,
                 source=None):
        doors = doors or [(free_port(), {n: d.port for n, d in
                                         cluster.members.items()})]
        self.port = doors[0][0]
        self.tmp = tempfile.mkdtemp(prefix="relayd-haproxy-")
        path = os.path.join(self.tmp, "haproxy.cfg")
        with open(path, "w") as f:
            f.write("""global
	stats socket %s/admin level admin
defaults
	mode tcp
	timeout connect 2s
	timeout check %s
	timeout client 1h
	timeout server 1h
	option redispatch
	retries 3
	balance roundrobin
	option httpchk GET /readyz
	default-server check inter 500ms fall 2 rise 1%s%s
""" % (self.tmp, patience, " on-marked-down shutdown-sessions" if shuts else "",
       " send-proxy-v2 source " + source if source else ""))
            for port, behind in doors:
                f.write("listen at%d\n\tbind 127.0.0.1:%d\n" % (port, port))
                f.writelines("\tserver %s 127.0.0.1:%d port %d\n" % (
                    n, own, cluster[n].port) for n, own in behind.items())
        super().__init__(["haproxy", "-db", "-f", path])
        until(self.answers, "haproxy to have a member")

    def answers(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            c.request("GET", "/readyz")
            return c.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def drain(self, name, on=True):
        """Nobody new comes to it, and what its health check says of it is not
        asked: what goes through us runs on, also with `shuts`."""
        for word in ("disable health %s", "set server %s state drain") if on \
                else ("set server %s state ready", "enable health %s"):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.tmp + "/admin")
                s.sendall((word % ("at%d/%s" % (self.port, name)) +
                           "\n").encode())
                said = s.makefile().read().strip()
            if said:
                raise RuntimeError("haproxy: %s: %s" % (word, said))

    def __exit__(self, *exc):
        super().__exit__(*exc)
        shutil.rmtree(self.tmp, ignore_errors=True)


class Draining:
    """relayctl drain, which waits."""

    def __init__(self, d, *words):
        self.p = subprocess.Popen(
            [os.path.join(d.build, "bin", "relayctl"), "-j", "-s", d.sock,
             "drain", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)

    def over(self):
        return self.p.poll() is not None

    def end(self, seconds=WAIT):
        """Its status, its last state, what it said."""
        out, err = self.p.communicate(timeout=seconds)
        rows = json.loads(out) if out.strip() else []
        return self.p.returncode, rows[-1]["state"] if rows else None, err
