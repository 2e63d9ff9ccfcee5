#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relay create, raw, tcp-listen and tcp-dial: a relay session's own tool."""

import hashlib
import json
import os
import re
import socket
import subprocess
import threading

from harness import Relayd, Tap, until
from peers import Relay

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
    t.equal((r.returncode, r.stdout), (2, ""), "a TTL of nothing: usage")
    r = tool.run("raw", SWSRS_SESSION="x" * 22, SWSRS_TOKEN="y")
    t.equal(r.returncode, 1, "a session that is not there: %s" % r.stderr)
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
mkfifo "$1.in"
SWSRS_TOKEN=$SWSRS_RESPONDER_TOKEN %s raw <"$1.in" >"$1" &
exec 9>"$1.in"
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
    t.equal((got, listen.wait(60), dial.wait(60)), ([b""], 0, 0),
            "one end ends all")


with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    tool = Tool(d)
    create(tool)
    raw(tool)
    tcp(tool, Relay(d), 64 << 20)
t.done()
