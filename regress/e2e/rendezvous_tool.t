#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relay create, raw, tcp-listen and tcp-dial: a relay session's own tool."""

import getpass
import hashlib
import json
import os
import pty
import re
import select
import socket
import subprocess
import threading

from harness import Relayd, Tap, until
from peers import Relay
from sshd import sshd

t = Tap()


class Tool:
    def __init__(self, d):
        self.d = d
        self.path = os.path.join(d.build, "bin", "relay")
        self.url = "http://127.0.0.1:%d" % d.port

    def run(self, *words, **env):
        return subprocess.run([self.path, *words, "--url", self.url],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], **env})

    def start(self, s, side, *words, **kw):
        return subprocess.Popen(
            [self.path, *words], stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "SWSRS_URL": self.url,
                 "SWSRS_SESSION": s["id"],
                 "SWSRS_TOKEN": s[side + "_token"]}, **kw)


def create(tool):
    r = tool.run("create", "--output", "json", "--channels", "2", "--ttl",
                 "60")
    s = json.loads(r.stdout)
    t.equal((r.returncode, s["channels"]), (0, 2), "create prints JSON")
    r = tool.run("create")
    t.match(r.stdout, r"^session +\S+\ninitiator +\S+\nresponder +\S+\n"
            r"until +\S+Z\n$", "and text")
    r = tool.run("create", "--ttl", "0")
    t.equal((r.returncode, r.stdout, r.stderr), (
        2, "", "relay: --ttl 0: too small; a number from 1 to 31536000 is "
        "wanted\n"), "a TTL of nothing")
    for words, want in ((("create", "--channels", "257"), "--channels 257: too "
                         "large; a number from 1 to 256 is wanted"),
                        (("create", "--output", "xml"), "--output xml: text, "
                         "json or env is wanted"),
                        (("raw", "more"), "more: a word too many"),
                        (("tcp-dial",), "--target is missing: HOST:PORT is"),
                        (("udp-dial", "--target", "x"), "--target x: HOST:PORT"),
                        (("tcp-listen", "--listen", "::1"), "--listen ::1: "
                         "[ADDRESS:]PORT is wanted, of IPv4"),
                        (("tcp-listen", "--listen", "192.0.2.1:0"), "--listen "
                         "192.0.2.1:0: Cannot assign requested address")):
        r = tool.run(*words, SWSRS_SESSION="x", SWSRS_TOKEN="y")
        t.ok((r.returncode, r.stderr.startswith("relay: " + want)) ==
             (2, True), "%s: %s" % (" ".join(words), r.stderr))
    r = tool.run("raw", SWSRS_SESSION="x" * 22, SWSRS_TOKEN="y")
    t.equal((r.returncode, r.stderr), (
        1, "relay: 404 page not found to GET /relay/%s: there is no such "
        "session, or it is over: check SWSRS_SESSION or --session, and the "
        "address\n" % ("x" * 22)), "a session that is not there")
    s = json.loads(tool.run("create", "--output", "json").stdout)
    r = tool.run("raw", SWSRS_SESSION=s["id"], SWSRS_TOKEN="y")
    t.equal((r.returncode, r.stderr), (
        1, "relay: 401 unauthorized to GET /relay/%s: the token is of neither "
        "side of this session: check SWSRS_TOKEN or --token-file\n" %
        s["id"]), "a token that is not its")
    r = tool.run("raw", SWSRS_TOKEN="y")
    t.equal(r.returncode, 2, "no session: usage")
    r = subprocess.run([tool.path, "create", "--url", "http://192.0.2.1"],
                       stderr=subprocess.PIPE, text=True)
    t.equal(r.returncode, 2, "no token goes to other machines without TLS")


def raw(tool):
    script = """
set -e
eval "$(%s create --output env)"
export SWSRS_SESSION
mkfifo "$1.in" "$1.ready"
SWSRS_TOKEN=$SWSRS_RESPONDER_TOKEN %s raw --ready 3 <"$1.in" 3>"$1.ready" \\
    >"$1" &
exec 9>"$1.in"
[ "$(head -c 1 "$1.ready")" = + ]
printf 'one\\ntwo\\n' | SWSRS_TOKEN=$SWSRS_INITIATOR_TOKEN %s raw
exec 9>&-
wait $!
""" % ((tool.path,) * 3)
    out = os.path.join(tool.d.dir, "raw.out")
    r = subprocess.run(["sh", "-c", script, "sh", out], timeout=60,
                       stderr=subprocess.PIPE, text=True,
                       env={"PATH": os.environ["PATH"],
                            "SWSRS_URL": tool.url})
    with open(out) as f:
        t.equal((r.returncode, f.read()), (0, "one\ntwo\n"),
                "rendezvous-54: what create says is evaluated by a shell, "
                "and used with raw at both ends")
        if r.returncode:
            t.diag(r.stderr)


def port_of(p):
    line = p.stderr.readline().decode()
    return int(re.search(r"listening on 127\.0\.0\.1:(\d+)", line).group(1))


def tcp(tool, r, size):
    s = r.create()
    target = socket.create_server(("127.0.0.1", 0))
    data = os.urandom(1 << 20)
    got = []

    def serve():
        c, _ = target.accept()
        c.sendall(b"SSH-2.0-banner\r\n")
        h, n = hashlib.sha256(), 0
        while n < size:
            part = c.recv(1 << 20)
            h.update(part)
            n += len(part)
        c.sendall(h.digest())
        got.append(c.recv(1))
        c.close()
    x = threading.Thread(target=serve)
    x.start()
    dial = tool.start(s, "initiator", "tcp-dial", "--target",
                      "127.0.0.1:%d" % target.getsockname()[1])
    until(lambda: r.status(s)["initiator_connected"], "tcp-dial")
    listen = tool.start(s, "responder", "tcp-listen")
    c = socket.create_connection(("127.0.0.1", port_of(listen)))
    c.settimeout(60)
    t.equal(c.recv(100), b"SSH-2.0-banner\r\n", "rendezvous-55(partial): a "
            "banner that was there before the other side")
    h = hashlib.sha256()
    for _ in range(size >> 20):
        h.update(data)
        c.sendall(data)
    back = b""
    while len(back) < 32:
        back += c.recv(32 - len(back))
    t.equal(back, h.digest(), "rendezvous-55(partial): %d MiB, the same" %
            (size >> 20))
    c.close()
    x.join()
    # No ping of the server is needed for that: there is none in this test.
    t.equal((got, listen.wait(60), dial.wait(60)), ([b""], 0, 0),
            "one end ends all")


def many(tool, r):
    """Connections that come and go, all over one session."""
    s = r.create({"channels": 8})
    target = socket.create_server(("127.0.0.1", 0))

    def serve(c):
        c.sendall(b"hello")
        while data := c.recv(65536):
            c.sendall(data)
        c.close()

    def accept():
        while True:
            try:
                c, _ = target.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(c,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    dial = tool.start(s, "initiator", "tcp-dial", "--target",
                      "127.0.0.1:%d" % target.getsockname()[1], "--channels",
                      "8")
    listen = tool.start(s, "responder", "tcp-listen", "--channels", "8")
    port = port_of(listen)
    bad = []

    def client(i):
        c = socket.create_connection(("127.0.0.1", port), 60)
        data = os.urandom(200000 + i)
        x = threading.Thread(target=c.sendall, args=(data,))
        x.start()
        got = b""
        while len(got) < 5 + len(data):
            part = c.recv(65536)
            if not part:
                break
            got += part
        x.join()
        c.close()
        if got != b"hello" + data:
            bad.append((i, len(got)))
    for _ in range(3):
        xs = [threading.Thread(target=client, args=(i,)) for i in range(20)]
        for x in xs:
            x.start()
        for x in xs:
            x.join()
    t.equal(bad, [], "sixty connections, eight at once, over one session")
    target.shutdown(socket.SHUT_RDWR)
    target.close()
    c = socket.create_connection(("127.0.0.1", port), 60)
    t.equal(c.recv(10), b"", "a target that is not there: the end")

    def refused():
        """More than is read at once, on its way to a target that is not there."""
        with socket.create_connection(("127.0.0.1", port), 60) as c:
            try:
                c.sendall(bytes(1 << 20))
                while c.recv(65536):
                    pass
            except ConnectionError:
                pass
    for _ in range(2 * 8):
        refused()
    t.ok(True, "each channel twice, with what was said to it: the end")
    t.equal((dial.poll(), listen.poll()), (None, None), "of that one only")
    r.call("DELETE", "/" + s["id"])
    c = socket.create_connection(("127.0.0.1", port), 60)
    t.equal((dial.wait(60), listen.wait(60)), (1, 1), "the session's end is "
            "that of both")
    p = tool.start(dict(s, id=s["id"] + "~1"), "initiator", "tcp-listen",
                   "--channels", "8")
    t.equal(p.wait(60), 2, "a channel of a channel: usage")


def udp(tool, r):
    s = r.create()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(60)
    dial = tool.start(s, "initiator", "udp-dial", "--target",
                      "127.0.0.1:%d" % server.getsockname()[1])
    listen = tool.start(s, "responder", "udp-listen")
    c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    c.settimeout(60)
    c.connect(("127.0.0.1", port_of(listen)))
    until(lambda: r.state(s) == "open", "both")
    for n in 0, 1, 1400, 60000, 65507:
        data = os.urandom(n)
        c.send(data)
        got, there = server.recvfrom(65536)
        t.ok(got == data, "a datagram of %d bytes is one" % n)
        server.sendto(data[::-1], there)
        t.ok(c.recv(65536) == data[::-1], "and its answer")
    for i in range(20):
        c.send(b"%d" % i)
    t.equal([server.recv(100) for _ in range(20)],
            [b"%d" % i for i in range(20)], "twenty at once are twenty")
    e = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    e.settimeout(60)
    e.sendto(b"other", c.getpeername())
    server.recv(100)
    server.sendto(b"for it", there)
    t.equal(e.recv(100), b"for it", "an answer goes to who has sent last")
    server.close()
    c.send(b"nobody is there")
    c.send(b"still not")
    until(lambda: r.status(s)["bytes_out"] > 0, "counters")
    t.equal((dial.poll(), listen.poll()), (None, None),
            "a refusal ends nothing")
    r.call("DELETE", "/" + s["id"])
    t.equal((dial.wait(60), listen.wait(60)), (1, 1), "the session's end "
            "ends both")
    for words in ("udp-dial",), ("udp-dial", "--target", "x"), \
            ("udp-listen", "--listen", "1.2.3:x"):
        p = tool.start(s, "initiator", *words)
        t.equal(p.wait(60), 2, "%s: usage" % " ".join(words))


class Screen:
    """A terminal for what a program says of its progress."""

    def __init__(self):
        self.fd, self.slave = pty.openpty()
        self.text = b""

    def see(self, pattern):
        def found():
            while select.select([self.fd], [], [], 0)[0]:
                self.text += os.read(self.fd, 4096)
            return re.search(pattern, self.text)
        return until(found, "%r on the terminal" % pattern)

    def close(self):
        os.close(self.fd)
        os.close(self.slave)


def progress(tool, r):
    env = {"PATH": os.environ["PATH"], "SWSRS_URL": tool.url}
    screen = Screen()
    p = subprocess.Popen([tool.path, "create", "--wait", "--output", "json"],
                         stdout=subprocess.PIPE, stderr=screen.slave, env=env)
    screen.see(rb"\rwaiting for both sides, 0:0")
    s, text = None, ""
    while s is None:
        text += p.stdout.readline().decode()
        try:
            s = json.loads(text)
        except ValueError:
            pass
    t.ok(p.poll() is None, "create --wait says what it made, and waits")
    one = r.join(s, "initiator")
    screen.see(rb"\rwaiting for the responder, ")
    two = r.join(s, "responder")
    t.equal(p.wait(60), 0, "and ends when both sides are there")
    screen.see(rb"\r\x1b\[K$")
    t.ok(True, "the line is taken away")
    for w in one, two:
        w.s.close()
    p = subprocess.Popen([tool.path, "create", "--wait", "--output", "env"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=env)
    sid = p.stdout.readline().decode().strip().split("=")[1]
    r.call("DELETE", "/" + sid)
    said = p.stderr.read().decode()
    t.equal((p.wait(60), said), (1, "relay: the session is over\n"),
            "one that is deleted is over; no line is drawn where no terminal "
            "is")
    p.stdout.close()
    p.stderr.close()

    # A copy: what goes, what has come, and nothing of it in what is copied.
    s = r.create()
    env["SWSRS_SESSION"] = s["id"]
    far = subprocess.Popen([tool.path, "raw"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env=dict(env, SWSRS_TOKEN=s["responder_token"]))
    near = subprocess.Popen([tool.path, "raw"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=screen.slave,
                            env=dict(env, SWSRS_TOKEN=s["initiator_token"]))
    data = os.urandom(1 << 16)
    near.stdin.write(data)
    near.stdin.flush()
    got = b""
    while len(got) < len(data):
        got += far.stdout.read1(1 << 16)
    screen.see(rb"\r64 KiB sent, 0 B received, [0-9.]+ (B|KiB)/s, 0:0")
    t.ok(got == data, "a terminal shows what was sent")
    far.stdin.write(b"x" * 1500000)
    far.stdin.flush()
    n = 0
    while n < 1500000:
        n += len(near.stdout.read1(1 << 16))
    screen.see(rb"\r64 KiB sent, 1\.4 MiB received, ")
    t.ok(True, "and what was received")
    near.stdin.close()
    near.wait(60)
    far.wait(60)
    t.equal(far.stderr.read(), b"", "and no other program's log has it")
    for f in near.stdout, far.stdin, far.stdout, far.stderr:
        f.close()
    screen.close()


def ssh(tool, r, size):
    """tcp-dial to a server that speaks first; tcp-listen comes later."""
    if not os.path.exists("/usr/sbin/sshd"):
        t.skip("no sshd", "rendezvous-55: a login and a copy")
        return
    tmp = tool.d.dir
    server, port = sshd(tmp)
    s = r.create()
    dial = tool.start(s, "initiator", "tcp-dial", "--target",
                      "127.0.0.1:%d" % port)
    until(lambda: r.status(s)["initiator_connected"], "tcp-dial")
    listen = tool.start(s, "responder", "tcp-listen")
    block = os.urandom(1 << 20)
    p = subprocess.Popen(
        ["ssh", "-F", "none", "-i", tmp + "/user", "-p",
         str(port_of(listen)), "-o", "StrictHostKeyChecking=no", "-o",
         "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
         getpass.getuser() + "@127.0.0.1", "echo in-$((1+1)); sha256sum"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    want = hashlib.sha256()
    for _ in range(size >> 20):
        want.update(block)
        p.stdin.write(block)
    out, _ = p.communicate(timeout=600)
    t.equal((p.returncode, out.decode().split()[:2]),
            (0, ["in-2", want.hexdigest()]), "rendezvous-55: a login by ssh "
            "to a server that speaks first, and %d MiB, the same" %
            (size >> 20))
    t.equal((listen.wait(60), dial.wait(60)), (0, 0), "and all ends well")
    server.stop()


with Relayd(t, conf="relay {\n\tno auth\n\tping interval 0s\n}\n") as d:
    tool = Tool(d)
    create(tool)
    raw(tool)
    tcp(tool, Relay(d), 64 << 20)
    udp(tool, Relay(d))
    many(tool, Relay(d))
    progress(tool, Relay(d))
with Relayd(t, conf="relay {\n\tno auth\n}\n",
            build=os.environ.get("RELAYD_FAST_BUILD")) as d:
    ssh(Tool(d), Relay(d), 1 << 30)
t.done()
