#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Certificates that come and go while relayd runs, what is refused as one, and
processes that end."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

from certs import Authority, listener
from harness import (DOMAIN, GoClient, Relayd, Tap, Targets, free_port, until)

t = Tap()
GET = ("GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" % DOMAIN).encode()


def connect(ca, port, source="127.0.0.1"):
    ctx = ssl.create_default_context(cafile=ca)
    s = socket.create_connection(("127.0.0.1", port), 20,
                                 source_address=(source, 0))
    return ctx.wrap_socket(s, server_hostname=DOMAIN,
                           suppress_ragged_eofs=False)


def answers(s):
    s.sendall(GET)
    return s.recv(65536).startswith(b"HTTP/1.1 200")


def serial(ca, port):
    with connect(ca, port) as s:
        return int(s.getpeercert()["serialNumber"], 16)


def put(pair, to):
    """As an ACME client does."""
    for old, new in zip(pair, to):
        shutil.copy(old, new + ".new")
        os.rename(new + ".new", new)


def said(d):
    r = d.ctl_raw("reload")
    return r.stdout + r.stderr


def numbers(d):
    n = {}
    for r in d.ctl("show", "metrics"):
        n[r["metric"], r["labels"]] = float(r["value"])
    return n


def total(d, metric, word=""):
    return sum(v for (m, labels), v in numbers(d).items()
               if m == metric and word in labels)


def test_reload(d, ca, live, port):
    with connect(ca.file, port) as before:
        t.ok(answers(before), "a connection")
        put(ca.make("second", [DOMAIN], "rsa"), live)
        t.equal(serial(ca.file, port), 1, "a new file is nothing until a "
                "reload")
        d.kill(d.pid_of("tlsd"))
        until(lambda: d.ctl_try("show", "stats") and len(d.processes(
            "tlsd")) == 2 and all(p["state"] == "ready" for p in d.processes(
                "tlsd")), "another tlsd")
        for i in range(8):
            t.equal(serial(ca.file, port), 1, "nor for a tlsd that starts")
    with connect(ca.file, port) as before:
        t.ok(answers(before), "a connection")
        mark = d.log.mark()
        os.kill(d.pid, signal.SIGHUP)
        d.log.wait("loaded again", mark)
        t.equal([serial(ca.file, port) for i in range(8)], [2] * 8,
                "after SIGHUP it is the new one, everywhere")
        t.ok(answers(before), "and who was there stays")


def run(d, word):
    """To look, or to start, which is over before d's own store is touched."""
    return subprocess.run([os.path.join(d.build, "bin", "relayd"), word, "-f",
                           d.conf, "-L", d.libexec], capture_output=True,
                          text=True)


def test_refused(d, ca, live, port):
    """What is none leaves the old one in use."""
    other = ca.make("third", [DOMAIN])
    bad = {"key of .*: its key is another one": (other[0], live[1]),
           "cert .*: no certificate in PEM": (other[1], other[1]),
           "key of .*: no private key in PEM": (other[0], other[0])}
    keep = [x + ".keep" for x in live]
    put(live, keep)
    for why, pair in bad.items():
        put(pair, live)
        for f in live:
            os.chmod(f, 0o600)
        t.match(said(d), "refused: .*" + why, "refused: " + why)
        t.equal(serial(ca.file, port), 2, "and the old one serves")
        for word in ("-n", "-d"):
            r = run(d, word)
            t.equal(r.returncode, 1, "relayd %s ends" % word)
            t.match(r.stderr, why, "with the reason")
    for kind, why in (("p521", "neither RSA nor ECDSA on P-256"),
                      ("ed25519", "neither RSA nor ECDSA"),
                      ("small", "2048 to 8192 bits|key too small")):
        put(ca.make(kind, [DOMAIN], kind), live)
        t.match(said(d), why, "refused: a key that is " + kind)
    with open(live[0], "w") as f:
        f.write(open(keep[0]).read().replace("\n", "\n!", 3))
    t.match(said(d), "cert .*: (a broken|no) certificate", "refused: a broken "
            "file")
    put(keep, live)
    for mode, why in ((0o644, "others can read or write it; chmod 600"),
                      (0o660, "others can read or write it")):
        os.chmod(live[1], mode)
        t.match(said(d), "key %s: %s" % (live[1], why), "refused: a key of "
                "mode %o" % mode)
        t.match(run(d, "-n").stderr, why, "relayd -n says so too")
    os.chmod(live[1], 0o600)
    os.chmod(live[0], 0o666)
    t.match(said(d), "cert %s: others can write it" % live[0],
            "refused: a certificate that others can write")
    os.chmod(live[0], 0o644)
    os.rename(live[1], live[1] + ".gone")
    t.match(said(d), "key .*: No such file", "refused: no file")
    os.rename(live[1] + ".gone", live[1])
    t.match(said(d), "configuration loaded", "a good one is taken")


def test_upgrade(d, ca, live, port):
    """With wrong files an upgrade does not end who serves with good ones."""
    keep = [x + ".keep" for x in live]
    put(live, keep)
    pid, before = d.pid, serial(ca.file, port)
    put((ca.make("halfway", [DOMAIN])[0], live[1]), live)
    os.chmod(live[1], 0o600)
    with connect(ca.file, port) as there:
        for what in ("another one's key", "no key"):
            r = d.ctl_raw("upgrade")
            t.ok(r.returncode != 0, "%s: the upgrade fails: %s" % (
                what, (r.stdout + r.stderr).strip()))
            until(lambda: d.ctl_try("show", "stats") is not None,
                  "the old one to go on")
            t.equal((d.p.poll(), d.pid, serial(ca.file, port)),
                    (None, pid, before), "and the old one serves with what it "
                    "has")
            t.ok(answers(there), "who was connected is")
            if os.path.exists(live[1]):
                os.unlink(live[1])
    put(keep, live)
    os.chmod(live[1], 0o600)


def test_ends(d, ca, live, port):
    put(ca.make("short", [DOMAIN], days=5), live)
    mark = d.log.mark()
    said(d)
    d.log.wait(r"cert .*live.pem: ends in [45] days", mark)
    t.ok(True, "the log warns of one that ends soon")
    t.equal(total(d, "relayd_tls_certificates"), 1, "their number")
    left = total(d, "relayd_tls_certificate_expires_timestamp_seconds") - \
        total(d, "relayd_reload_timestamp_seconds")
    t.ok(4 * 86400 < left <= 5 * 86400, "and when the first ends")
    mark = d.log.mark()
    d.move_clock(86400 * 1000)
    d.log.wait(r"cert .*live.pem: ends in [34] days", mark)
    d.move_clock(5 * 86400 * 1000)
    d.log.wait(r"cert .*live.pem: has ended", mark)
    t.ok(True, "once a day, until it has ended")
    put([x + ".keep" for x in live], live)
    t.match(said(d), "configuration loaded", "renewed")


def test_kills(d, ca, targets, port):
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        s = d.wait_session()
        cookie = d.cookie(s["session"], d.token())
        d.kill(d.pid_of("keyd"))

        def signed():
            try:
                return serial(ca.file, port) > 0
            except OSError:     # nobody is there yet
                return False
        t.ok(until(signed, "another keyd"), "keyd is killed: another one signs")
        with connect(ca.file, port) as one:
            one.sendall(("GET /never HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n"
                         "\r\n" % (d.proxy_host(s["session"]), cookie))
                        .encode())
            until(lambda: d.processes("proxyd"), "it")
            for p in d.processes("proxyd"):
                d.kill(int(p["pid"]))
            try:
                end = repr(one.recv(65536))
            except OSError as e:
                end = type(e).__name__
            t.match(end, "Reset|SSLEOF", "a proxyd is killed amidst an "
                    "answer: no farewell of TLS")
        until(lambda: [p["state"] for p in d.processes("proxyd")] ==
              ["ready"] * 2, "other proxyds")
        with connect(ca.file, port) as one:
            t.ok(answers(one), "and others answer")
        for p in d.processes("tlsd"):
            d.kill(int(p["pid"]))
        until(lambda: [p["state"] for p in d.processes("tlsd")] ==
              ["ready"] * 2, "other tlsds")
        with connect(ca.file, port) as one:
            t.ok(answers(one), "all tlsds are killed: others answer")
        t.equal(d.sessions()[0]["tunnel"], "up", "no tunnel was touched")


def test_crowd(d, ca, port):
    """Handshakes that do not go on."""
    slow = []
    failed = "relayd_tls_failures_total"
    crowded, late = (total(d, failed, w) for w in ("crowded", "slow"))

    def new():
        return total(d, "relayd_tls_connections", "new")

    def begin(n, data):
        for i in range(n):
            s = socket.create_connection(("127.0.0.1", port), 20,
                                         source_address=("127.0.0.9", 0))
            s.sendall(data)
            slow.append(s)
    begin(50, b"\x16\x03\x01\x02\0")
    until(lambda: new() == 50, "50 that begin")
    begin(150, b"\x16")
    until(lambda: total(d, failed, "crowded") > crowded, "some to be refused")
    t.ok(new() <= 128, "of one address there are 64 at most with each tlsd")
    with connect(ca.file, port) as s:
        t.ok(answers(s), "who comes from elsewhere is served")
    d.move_clock(10000)
    until(lambda: new() == 0, "all to be closed")
    t.ok(total(d, failed, "slow") > late, "who says nothing for 10 s is closed")
    for s in slow:
        s.close()
    with connect(ca.file, port) as s:
        d.move_clock(10000)
        try:
            got = s.recv(10)
        except OSError:
            got = b""
        t.equal(got, b"", "and who is silent after the handshake, too")


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    ca = Authority(tmp)
    port = free_port()
    live = (os.path.join(tmp, "live.pem"), os.path.join(tmp, "live.key"))
    put(ca.make("first", [DOMAIN]), live)
    with Relayd(t, listeners=listener(port, live), global_conf="tlsd 2") as d:
        test_reload(d, ca, live, port)
        test_refused(d, ca, live, port)
        test_upgrade(d, ca, live, port)
        test_ends(d, ca, live, port)
        test_kills(d, ca, targets, port)
        test_crowd(d, ca, port)
t.done()
