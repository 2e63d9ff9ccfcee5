#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Streams that the server opens to tunnel-client: first lines, connections,
commands."""

import hashlib
import json
import os
import socket
import struct
import ssl
import sys
import tempfile
import threading
import time
import warnings

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import Client, Target, ask, counter, echo
from harness import Tap, free_port, self_signed, until
from tunnelserver import WINDOW, Server

t = Tap()


def reply(u, first):
    """What comes back on a stream with this first line, to its end."""
    return u.open(first).rest()


# ---- first lines, plain connections ----

with Server() as s, Target(echo) as e, Target(counter) as n, \
        tempfile.TemporaryDirectory() as d:
    hosts = os.path.join(d, "hosts")
    with open(hosts, "w") as f:
        f.write("169.254.169.254 evil.example\n127.0.0.1 good.example\n"
                "127.0.0.1 mixed.example\n100.100.100.200 mixed.example\n")
    closed = free_port()
    c = Client(s, services="echo=good.example:%d,count=127.0.0.1:%d,"
               "evil=evil.example:80,mixed=mixed.example:80,none=127.0.0.1:%d,"
               "meta=169.254.169.254:80,noport=127.0.0.1,"
               "unknown=nowhere.invalid.:80" % (e.port, n.port, closed),
               env={"TUNNEL_CLIENT_HOSTS": hosts}, move_ms=61000)
    u = s.tunnel()
    u.document(b'{"version"')

    st = u.open(b"C" * 1025)
    t.equal((st.rest(), st.fin, st.rst), (b"", True, False),
            "tunnel-42: a first line of 1025 bytes: FIN and no reply")
    t.match(reply(u, b"CONNECT " + b"n" * 1016 + b"\n").decode(),
            "^ERROR service not found: n+",
            "tunnel-42: one of 1024 bytes is looked at")
    got = reply(u, b"CONNECT " + b"\xff" * 1016 + b"\n")
    t.ok(got.endswith(b"\n") and len(got) <= 1025,
         "the reply is at most 1024 bytes and a newline")
    t.equal(reply(u, b"CONNECT nosuch\n"),
            b"ERROR service not found: nosuch\n",
            "tunnel-42: an unknown name")
    t.equal(reply(u, b"CONNECT echo\r\n"),
            b"ERROR service not found: echo\\x0d\n",
            "a carriage return is part of the name")
    for line in b"CONNECT \n", b"connect echo\n", b"HELLO\n", b"\n":
        st = u.open(line)
        t.equal((st.rest(), st.fin), (b"", True), "%r: FIN and no reply" %
                line)
    st = u.open(b"CONNECT no")
    st.send(b"such\n")
    t.equal(st.rest(), b"ERROR service not found: nosuch\n",
            "a line in two pieces")
    st = u.open(b"CONNECT nosuch")
    st.fin_send()
    t.equal(st.rest(), b"ERROR service not found: nosuch\n",
            "a line ended by FIN")

    for name, why in (("evil", "refused address"),
                      ("mixed", "refused address"),
                      ("none", "Connection refused")):
        text = reply(u, b"CONNECT %s\n" % name.encode()).decode()
        t.match(text, r"^ERROR failed to connect to \S+:\d+: %s\n$" % why,
                "%s%s: %s" % ("tunnel-31(partial): " if name == "evil" else
                              "", name, why))
    for name, why in (("meta", "refused address"),
                      ("noport", "port must be 1 to 65535")):
        t.equal((reply(u, b"CONNECT %s\n" % name.encode()),
                 bool(c.err.wait('warn .*service "%s=.*": %s, skipped' %
                                 (name, why)))),
                (b"ERROR service not found: %s\n" % name.encode(), True),
                "%s: %s: not offered, with a warning" % (name, why))

    # ---- bytes ----
    st = u.open(b"CONNECT echo\nhello")
    t.equal((st.line(), st.take(5)), (b"OK\n", b"hello"),
            "what follows the line in the same flight arrives")
    data = os.urandom(3 * 1024 * 1024)
    feeder = threading.Thread(target=lambda: (st.send(data), st.fin_send()))
    feeder.start()
    got = st.rest()
    feeder.join()
    t.equal(hashlib.sha256(got).digest(), hashlib.sha256(data).digest(),
            "3 MiB there and back; echo ends after our FIN")

    st = u.open(b"CONNECT count\n" + b"x" * 1000)
    t.equal(st.line(), b"OK\n", "a service that answers at the end")
    st.send(b"y" * 234)
    st.fin_send()
    t.equal((st.rest(), st.fin, st.rst), (b"1234 bytes\n", True, False),
            "tunnel-40(partial): a half-close is passed on, and the reply "
            "after it delivered")

    # FIN in the same flight as the line, before the target is connected
    u.hold = True
    st = u.open()
    st.send(b"CONNECT count\n12345")
    st.fin_send()
    t.equal(st.rest(), b"OK\n5 bytes\n", "FIN before the target is reached")
    u.hold = False

    # ---- windows: nothing moves without credit ----
    u.hold = True
    st = u.open(b"CONNECT echo\n")
    t.equal(st.line(), b"OK\n", "a stream whose reader sleeps")
    feeder = threading.Thread(target=lambda: st.send(data))
    feeder.start()
    until(lambda: len(st.data) + 3 == 262144, "the window to be used")
    other = u.open(b"CONNECT echo\nping")
    t.equal((other.line(), other.take(4)), (b"OK\n", b"ping"),
            "tunnel-22(partial): it stops at window 0, another stream goes "
            "on")
    other.fin_send()
    u.hold = False
    u.frame(WINDOW, 0, st.id, 262144)
    st.wait(lambda: len(st.data) >= len(data), "all of it")
    feeder.join()
    t.ok(st.data == data, "after an update all of it comes")
    st.reset()

    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

# ---- targets that end in odd ways ----


def reset_at_once(x):
    x.recv(1)
    x.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))


def says_and_stays(x):
    x.sendall(b"bye")
    x.shutdown(socket.SHUT_WR)
    while x.recv(65536):
        pass


with Server() as s, Target(reset_at_once) as r1, \
        Target(says_and_stays) as r2, Target(echo) as e:
    c = Client(s, services="reset=127.0.0.1:%d,stays=127.0.0.1:%d,"
               "echo=127.0.0.1:%d" % (r1.port, r2.port, e.port),
               move_ms=61000)
    u = s.tunnel()
    u.document(b'{"version"')
    st = u.open(b"CONNECT reset\nx")
    st.rest()
    t.equal(st.rst, True, "a reset of the target resets the stream")
    st = u.open(b"CONNECT stays\n")
    t.equal(st.rest(), b"OK\nbye", "the target's end comes as FIN")
    st.send(b"still here")
    u.pongs = 0
    st.data, st.fin = b"", False
    c.move()
    st.wait(lambda: st.rst, "reset")
    t.ok(True, "half closed and idle for a minute: reset")
    st = u.open(b"CONNECT echo\nx")
    st.take(4)
    st.reset()
    u.drop()
    u = s.tunnel()
    u.document(b'{"version"')
    t.equal(u.open(b"CONNECT echo\nx").take(4), b"OK\nx",
            "after a reset, and a lost tunnel, it works on")

    # 300 streams at once: 256 are taken
    sts = [u.open() for _ in range(300)]
    u.until(lambda: sum(x.acked or x.rst for x in sts) == 300, "answers")
    t.equal(sum(x.rst for x in sts), 45,
            "300 opens: what is over 256 is reset, the tunnel stays")
    t.ok(not u.gone, "and is up")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

# ---- what was said on streams that are over, and nobody takes ----

left = []


def ends_and_sleeps(x):
    x.shutdown(socket.SHUT_WR)
    left.append(x)
    while x in left:
        time.sleep(0.1)


def sockets(c):
    """How many it has."""
    d = "/proc/%d/fd/" % c.pid
    n = 0
    for x in os.listdir(d):
        try:
            n += os.readlink(d + x).startswith("socket:")
        except FileNotFoundError:
            pass
    return n


with tempfile.TemporaryDirectory() as d, Server() as s, \
        Target(ends_and_sleeps) as r:
    r.l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    env = {"STATUS_SOCKET": d + "/sock", "CONSENT_FILE": d + "/consent"}
    c = Client(s, services="ends=127.0.0.1:%d" % r.port, env=env)
    u = s.tunnel()
    u.document(b'{"version"')
    before = sockets(c)
    for i in range(68):
        st = u.open(b"CONNECT ends\n")
        t.ok(st.rest() == b"OK\n" and st.fin, "a service that ends at once") \
            if i == 0 else st.rest()
        while st.window > 0:
            st.send(bytes(min(st.window, 65536)))
            time.sleep(0.001)
        st.fin_send()
    u.open(b"CONNECT none\n").rest()
    t.equal(sockets(c) - before, 64, "of 68 that are kept the oldest end")
    t.equal(ask(d + "/sock", "consent", "off")[0], 0, "no consent any more")
    until(lambda: sockets(c) == before, "their end")
    t.ok(True, "and all of them end")
    left.clear()
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

# ---- TLS targets ----

with tempfile.TemporaryDirectory() as d:
    cert, key = self_signed(d)
    names = []
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(cert, key)
    ctx.sni_callback = lambda sock, name, c: names.append(name)
    with Server() as s, Target(echo, ctx) as e, Target(counter, ctx) as n, \
            Target(lambda x: x.recv(65536) and x.recv(65536)) as silent:
        c = Client(s, services="a=127.0.0.1:%d:host=panel.example.org:8443"
                   ":tls,b=localhost:%d:tls,c=127.0.0.1:%d:tls,"
                   "silent=127.0.0.1:%d:tls" % (e.port, n.port, e.port,
                                                silent.port), move_ms=10500)
        u = s.tunnel()
        u.document(b'{"version"')
        st = u.open(b"CONNECT a\n")
        data = os.urandom(1024 * 1024)
        feeder = threading.Thread(target=lambda: st.send(data))
        feeder.start()
        t.equal(st.line(), b"OK\n", "a TLS target; nothing is verified")
        t.ok(st.take(len(data)) == data, "1 MiB there and back over TLS")
        feeder.join()
        st.fin_send()
        st.rest()
        t.equal((st.fin, st.rst), (True, False), "and its end")
        st = u.open(b"CONNECT b\n12345678")
        st.fin_send()
        t.equal(st.rest(), b"OK\n8 bytes\n",
                "a half-close over TLS, and the reply after it")
        st = u.open(b"CONNECT c\nx")
        t.equal(st.take(4), b"OK\nx", "a TLS target without a name")
        t.equal(names, ["panel.example.org", "localhost", None],
                "SNI is the service's host, else the target's name")
        st = u.open(b"CONNECT silent\n")
        until(lambda: silent.count, "the dial")
        c.move()
        t.match(st.rest().decode(), "^ERROR failed to connect to .*: TLS "
                "handshake timed out\n$", "a target that says nothing: given "
                "up after 10 s")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)

# ---- commands ----

with Server() as s, Target(echo) as e:
    c = Client(s, services="web=127.0.0.1:1")
    u = s.tunnel()
    first = u.document(b'{"version"')

    def command(text, version=b"1"):
        st = u.open(b"COMMAND " + version + b"\n")
        try:
            st.send(text if isinstance(text, bytes) else
                    json.dumps(text).encode())
        except ConnectionError:
            pass
        return st.rest().decode()

    def add(**services):
        return command({"action": "add_services", "services": services})

    good = {"target": "127.0.0.1:%d" % e.port, "host": "", "tls": False,
            "label": "Added"}
    refused = [
        command(b"", b"2") == 'ERROR unsupported command version "2"\n',
        add(**{"a%d" % i: good for i in range(11)}).startswith(
            "ERROR too many services: max 10"),
        add(Upper=good).startswith(
            'ERROR invalid service name "Upper": must match'),
        add(x=good, y=dict(good, target="169.254.169.254:80")).startswith(
            'ERROR service "y" rejected: ')]
    t.match(command(b"[]"), "^ERROR invalid json", "no object")
    t.match(command(b'{"action": nonsense}'), "^ERROR invalid json", "no JSON")
    t.match(command({"action": "dance"}), '^ERROR unknown action "dance"',
            "an unknown action")
    t.match(command({"action": "remove_services"}),
            "^ERROR no service names provided", "nothing to remove")
    t.match(command(b"{" + b" " * 70000 + b"}"), "^ERROR invalid json",
            "a command over 64 KiB")
    refused += [reply(u, b"CONNECT %s\n" % x).startswith(
        b"ERROR service not found: ") for x in (b"a0", b"Upper", b"x", b"y")]
    t.equal(refused, [True] * 8, "tunnel-45: COMMAND 2, 11 entries, an "
            "upper-case name, a refused target: ERROR, and everything is as "
            "before")
    said = add(web=good, **{"new-one": good})
    at = [max(i for i, f in enumerate(u.frames) if f[0] == 0 and f[3] > 0 and
              f[2] == sid) for sid in (u.order[-1], u.next_id - 2)]
    m = json.loads(b'{"version"' + u.document(b'{"version"'))
    added = [said, at == sorted(at), sorted(m["services"]),
             m["services"]["web"]["label"]]
    t.equal(u.open(b"CONNECT new-one\nhi").take(5), b"OK\nhi",
            "an added service works")
    t.equal(command({"action": "remove_services",
                     "service_names": ["web", "nosuch"]}), "OK\n",
            "one is removed")
    m = json.loads(b'{"version"' + u.document(b'{"version"'))
    added.append(m["services"]["web"]["label"])
    t.equal(added, ["OK\n", True, ["new-one", "web"], "Added", "web"],
            "tunnel-46: the manifest has what is added, and comes before OK; "
            "what was shadowed is back when it is removed")
    t.equal(command({"action": "remove_services",
                     "service_names": ["web"]}), "OK\n",
            "what was not added is not removed")
    t.equal(reply(u, b"CONNECT nosuch\n"),
            b"ERROR service not found: nosuch\n", "and the tunnel is up")
    u.drop()
    u = s.tunnel()
    t.equal(u.document(b'{"version"'), first,
            "a new connection begins without what was added")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

# ---- what the customer does not let operators add ----

for flags, pattern in ((["--no-commands"], "^ERROR the customer lets nobody "
                        "add services\n$"),
                       (["--exclude", "x,se*"], '^ERROR service "secret" '
                        "rejected: excluded by the customer\n$")):
    with Server() as s:
        c = Client(s, *flags, services="web=127.0.0.1:1")
        u = s.tunnel()
        u.document(b'{"version"')
        st = u.open(b"COMMAND 1\n" + json.dumps({
            "action": "add_services", "services": {"secret": {
                "target": "192.0.2.1:22", "host": "", "tls": False,
                "label": ""}}}).encode())
        t.match(st.rest().decode(), pattern, "%s: refused" % flags[0])
        t.equal(reply(u, b"CONNECT secret\n"),
                b"ERROR service not found: secret\n", "and not added")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)

# ---- what an operator adds and this machine's own ports ----


def adding(u, name, target):
    st = u.open(b"COMMAND 1\n" + json.dumps({
        "action": "add_services", "services": {name: {
            "target": target, "host": "", "tls": False, "label": ""}}}
        ).encode())
    return st.rest().decode()


class NameServer(threading.Thread):
    """Every name has the address `addr`, and none of IPv6."""

    def __init__(self, addr):
        super().__init__(daemon=True)
        self.addr = addr
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.start()

    def run(self):
        while True:
            q, who = self.s.recvfrom(512)
            end = q.index(b"\0", 12) + 5
            answers = q[end - 4:end - 2] == b"\0\1"  # A
            a = q[:2] + struct.pack(">5H", 0x8180, 1, answers, 0, 0) + q[12:end]
            if answers:
                a += struct.pack(">HHHIH", 0xc00c, 1, 1, 0, 4) + \
                    socket.inet_aton(self.addr)
            self.s.sendto(a, who)


OWN = "address of the client's own machine"
NAMES = (("a4", "127.0.0.1"), ("a4-high", "127.9.8.7"), ("a6", "::1"),
         ("mapped", "::ffff:127.0.0.1"), ("this", "0.1.2.3"))

with Server() as s, Target(echo) as e, tempfile.TemporaryDirectory() as d:
    hosts = os.path.join(d, "hosts")

    with open(hosts, "w") as f:
        f.write("127.0.0.1 localhost listed.example\n"
                "192.0.2.1 both.example\n127.0.0.1 both.example\n")
        for name, addr in NAMES:
            f.write("%s %s.example\n" % (addr, name))
    dns = NameServer("192.0.2.1")
    c = Client(s, services="listed=listed.example:%d" % e.port,
               env={"TUNNEL_CLIENT_HOSTS": hosts,
                    "TUNNEL_CLIENT_DNS": "127.0.0.1:%d" % dns.port})
    u = s.tunnel()
    u.document(b'{"version"')
    for name in [n for n, addr in NAMES] + ["both"]:
        t.equal(adding(u, name, "%s.example:%d" % (name, e.port)),
                'ERROR service "%s" rejected: %s\n' % (name, OWN),
                "tunnel 8: a name that leads to this machine (%s) is not "
                "added" % name)
        t.equal(reply(u, b"CONNECT %s\n" % name.encode()),
                b"ERROR service not found: %s\n" % name.encode(),
                "and is not there")
    t.equal(adding(u, "moved", "moved.example:%d" % e.port), "OK\n",
            "a name of another machine is added")
    dns.addr = "127.0.0.1"
    said = reply(u, b"CONNECT moved\n").decode()
    t.ok(said.startswith("ERROR ") and OWN in said, "tunnel 8: when it leads "
         "to this machine later, it is not dialed: " + said.strip())
    for name, target in (("v4", "127.0.0.1"), ("host", "localhost")):
        t.equal(adding(u, name, "%s:%d" % (target, e.port)), "OK\n",
                "%s itself is the server's to refuse" % target)
        t.equal(u.open(b"CONNECT %s\nhi" % name.encode()).take(5), b"OK\nhi",
                "and works")
    t.equal(u.open(b"CONNECT listed\nhi").take(5), b"OK\nhi",
            "so does a name of this machine that the customer has listed")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

    c = Client(s, "--no-local-targets",
               services="listed=127.0.0.1:%d" % e.port,
               env={"TUNNEL_CLIENT_HOSTS": hosts})
    u = s.tunnel()
    u.document(b'{"version"')
    for target in ("127.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]",
                   "localhost", "a4.example"):
        t.equal(adding(u, "x", "%s:%d" % (target, e.port)),
                'ERROR service "x" rejected: %s\n' % OWN,
                "--no-local-targets: %s is not added" % target)
    t.equal(adding(u, "far", "192.0.2.1:80"), "OK\n", "another machine is")
    t.equal(u.open(b"CONNECT listed\nhi").take(5), b"OK\nhi",
            "what the customer has listed stays")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

# ---- the manifest in the log ----

with Server() as s:
    c = Client(s, services="web=127.0.0.1:1",
               env={"DISCOVERY_INTERVAL": "100ms"})
    u = s.tunnel()
    for _ in range(3):
        u.document(b'{"version"')
    c.err.wait(r"info .*manifest: 1 service\b")
    command = u.open(b'COMMAND 1\n{"action":"add_services","services":'
                     b'{"two":{"target":"192.0.2.1:80"}}}')
    t.equal(command.rest(), b"OK\n", "one is added")
    for _ in range(3):
        u.document(b'{"version"')
    c.err.wait("info .*manifest: 2 services")
    t.equal(len([x for x in c.err.lines if " manifest: " in x]), 2,
            "the manifest has a line when it is new, and no other")
    n = len(u.order)
    u.until(lambda: len(u.order) > n or u.gone, "the next manifest")
    u.streams[u.order[-1]].reset()
    c.err.wait("warn .*manifest: the server refuses it")
    t.ok(True, "a manifest that is reset is refused, which is a warning")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

# ---- services that speak old TLS ----

with tempfile.TemporaryDirectory() as d:
    cert, key = self_signed(d, 1024)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion.TLSv1
    ctx.load_cert_chain(cert, key)
    with Server() as s, Target(echo, ctx) as e:
        c = Client(s, services="new=127.0.0.1:%d:tls,old=127.0.0.1:%d:tls-old"
                   % (e.port, e.port))
        u = s.tunnel()
        m = json.loads(b'{"version"' + u.document(b'{"version"'))
        t.ok(m["services"]["old"]["tls"] is True and
             c.err.wait("service old: old TLS is spoken to it"),
             ":tls-old is TLS for the server, and a line in the log")
        t.match(reply(u, b"CONNECT new\n").decode(),
                "^ERROR failed to connect to .*: TLS: ",
                "a service of TLS 1.0 with :tls is refused")
        t.equal(u.open(b"CONNECT old\nhi").take(5), b"OK\nhi",
                "with :tls-old it is reached, with its key of 1024 bits")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)
t.done()
