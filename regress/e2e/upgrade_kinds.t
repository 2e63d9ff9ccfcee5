#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every kind of process at an upgrade: who has a connection that is under way
keeps it, the processes of before end when it does, and one that hangs does not
hold the upgrade up."""

import hashlib
import http.client
import os
import shutil
import signal
import threading
import time

from certs import Authority, listener
from harness import (DOMAIN, WAIT, GoClient, Relayd, Tap, Targets, free_port,
                     until)
from pairing import Device, codes, listeners
from peers import Relay
from upgrades import own_programs, upgrade
from yamuxraw import Raw

SIZE = 16 << 20
RATE = 2 << 20

t = Tap()
place = own_programs()
ca = Authority(place)
chain = ca.make("web", [DOMAIN, "*." + DOMAIN])
tls_port, pair_port = free_port(), free_port()


class Encrypted:
    """The same daemon, by its other door."""

    def __init__(self, d):
        self.port = tls_port

    def connect(self):
        return ca.connect(tls_port, DOMAIN)


class Download(threading.Thread):
    """Slow, through TLS."""

    def __init__(self, d, session, cookie):
        super().__init__(daemon=True)
        self.host, self.cookie = d.proxy_host(session), cookie
        self.got = 0
        self.wrong = "not over"
        self.start()

    def run(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", tls_port, timeout=WAIT)
            c.sock = ca.connect(tls_port, "web." + DOMAIN)
            c.request("GET", "/bytes?n=%d&seed=3" % SIZE, headers={
                "Host": self.host, "Cookie": self.cookie})
            r = c.getresponse()
            sha = hashlib.sha256()
            while True:
                part = r.read(65536)
                if not part:
                    break
                sha.update(part)
                self.got += len(part)
                time.sleep(len(part) / RATE)
            c.close()
            self.wrong = "" if r.status == 200 and self.got == SIZE and \
                sha.hexdigest() == r.getheader("X-Sha256") else \
                "%d, %d bytes" % (r.status, self.got)
        except Exception as e:
            self.wrong = repr(e)


def of(d, *roles):
    return {p["pid"] for p in d.processes() if p["role"] in roles}


def old(d, role):
    return [p for p in d.processes(role) if p["program"] == "old"]


def dev():
    return Device(pair_port)


def kinds(d, client):
    session = d.wait_session()["session"]
    token = d.token(lifetime="2h")
    # One of each.
    down = Download(d, session, d.cookie(session, token))
    raw_key, raw_secret = d.add_system("raw")
    raw = Raw(Encrypted(d), raw_key, raw_secret)
    t.equal(raw.status, 101, "a tunnel through TLS")
    raw.manifest({"web": "127.0.0.1:1"})
    tcp = d.tcp_open(session, "echo", token)
    tcp.send(b"before")
    t.equal(tcp.recv_bytes(6), b"before", "a TCP stream")
    term = d.terminal(session, d.ticket(session, token))
    term.send(b"\0PS1= PS2=; stty -echo; X=kept; echo up-$((1+1))\r")
    term.recv_until(rb"up-2")
    relay = Relay(d)
    s, left, right = relay.pair()
    left.send("before")
    t.equal(right.recv(), (1, b"before"), "a relay session")
    state = relay.state(s)
    code = "%06d" % next(codes)
    a, b = dev(), dev()
    a.ask("listen", otc=code)
    b.say("connect", otc=code)
    t.equal((a.hear()["type"], b.hear()["type"]), ("peer_found",) * 2,
            "two devices")
    waits, late = dev(), "%06d" % next(codes)
    waits.ask("listen", otc=late)
    until(lambda: down.got > 65536, "the download to have begun")
    own = ("muxd", "tcpd", "termd", "rendd", "paird")
    before = of(d, *own)
    first = {r: of(d, r) for r in ("tlsd", "keyd")}

    for i in range(2):
        upgrade(t, d, "with one of each, time %d" % (i + 1))
        t.ok(before <= of(d, *own), "muxd, tcpd, termd, rendd, paird: those "
             "that there were")
    t.ok(first["tlsd"] & of(d, "tlsd"), "a tlsd, through which a tunnel goes, "
         "stays")
    until(lambda: not first["keyd"] & of(d, "keyd"), "the old keyd to go")
    t.ok(first["tlsd"] & of(d, "tlsd"), "its keyd does not")

    tcp.send(b"behind")
    t.equal(tcp.recv_bytes(6), b"behind", "tcpd: the stream goes on")
    term.send(b"\0echo $X-$((2+2))\r")
    term.recv_until(rb"kept-4")
    t.ok(True, "termd: the same shell")
    for x, y in ((left, right), (right, left)):
        x.send("behind")
        t.equal(y.recv(), (1, b"behind"), "rendd: frames go on")
    t.equal(relay.state(s), state, "the new authd knows the session")
    for x, y in ((a, b), (b, a)):
        x.say("data", payload="QUI=")
        t.equal(y.hear(), {"type": "data", "payload": "QUI="},
                "paird: data goes on")
    c = dev()
    c.say("connect", otc=late)
    t.equal((waits.hear()["type"], c.hear()["type"]), ("peer_found",) * 2,
            "who was waiting is found by one who comes now")
    t.ok(raw.alive(), "the tunnel through TLS is there")
    t.equal(len([x for x in d.sessions() if x["tunnel"] == "up"]), 2,
            "both tunnels are up")
    down.join(WAIT * 2)
    t.equal(down.wrong, "", "tlsd, keyd: a download through TLS, byte for byte")

    # Their ends.
    raw.close()
    tcp.close()
    term.close()
    left.close(1000)
    right.closed()
    relay.call("DELETE", "/" + s["id"])
    until(lambda: not old(d, "tlsd"), "the old tlsds to end with their last "
          "connection")
    for role in ("tcpd", "termd", "rendd"):
        until(lambda: not old(d, role), "the old %s to have ended" % role)
    t.ok(True, "tlsd, tcpd, termd, rendd of before end with what they have")
    for x in (a, b, c, waits):
        x.gone()
    t.ok(not client.out.has('"event":"closed"'), "no tunnel was lost")
    until(lambda: d.ctl("retire") is not None and not old(d, "paird"),
          "paird to be replaced")
    t.equal([p["program"] for p in d.processes("paird")], ["current"],
            "paird: replaced when nobody is there and it is asked")


def hangs(d, role):
    """It is stopped for as long as the upgrade takes."""
    pid = d.pid_of(role)
    muxd = of(d, "muxd")
    os.kill(pid, signal.SIGSTOP)
    mark = d.log.mark()
    os.kill(d.pid, signal.SIGUSR2)
    d.log.wait("upgraded from", mark)
    t.ok(True, "%s: one that hangs does not hold the upgrade up" % role)
    until(lambda: str(pid) not in [str(p["pid"]) for p in d.processes(role)],
          "it to be ended", 90)
    t.ok(True, "and is ended")
    t.equal(of(d, "muxd"), muxd, "no tunnel has noticed")


os.environ["RELAYD_TEST_NO_WATCHDOG"] = "1"

with Targets() as targets, Relayd(
        t, build=place, conf="relay {\n\tno auth\n}\n",
        listeners=listener(tls_port, chain) + "\n" + listeners(pair_port),
        global_conf="drain time 30s") as d:
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d,echo=127.0.0.1:%d" %
                  (targets.http, targets.echo)) as c:
        c.event("manifest_sent")
        kinds(d, c)
        session = d.wait_session()["session"]
        for role in ("authd", "keyd", "control", "proxyd"):
            hangs(d, role)
        t.equal(d.via(session, d.cookie(session, d.token()), "/")[0], 200,
                "a page behind all that")

shutil.rmtree(place, ignore_errors=True)
t.done()
