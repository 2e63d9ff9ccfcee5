#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The metrics listener and those who come there: what else than /metrics is
asked, slow ones, many, garbage; a reload that brings, moves and takes it; the
process, killed and broken."""

import os
import socket
import time

from harness import Relayd, Tap, free_port, until
from scrape import OPEN, Numbers, get, samples

t = Tap()
port = free_port()


def connect(to=None):
    s = socket.create_connection(("127.0.0.1", to or port), 30)
    s.settimeout(30)
    return s


def answer(data, to=None):
    """The first line of what comes back, b"" if nothing does."""
    with connect(to) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            got = b""
            while True:
                part = s.recv(65536)
                if not part:
                    break
                got += part
        except OSError:
            pass
        return got.split(b"\r\n")[0]


def rewrite(d, old, new):
    d.text = d.text.replace(old, new)
    with open(d.conf, "w") as f:
        f.write(d.text)


def is_open(p):
    try:
        connect(p).close()
        return True
    except ConnectionRefusedError:
        return False


LINE = "listen on 127.0.0.1 port %d metrics"
with Relayd(t, listeners=LINE % port) as d:
    until(lambda: d.log.has("ready: .*metricd"), "all to be ready")
    n = Numbers(port)

    # What is asked.
    for accept, wanted, text in (
            ("text/plain", "text/plain", "the other"),
            ("*/*", "text/plain", "anything"),
            ("application/openmetrics-text", OPEN, "without a version"),
            ("application/openmetrics-text;version=0.0.1", "text/plain",
             "an older version"),
            ("application/openmetrics-text;version=1.0.0;q=0", "text/plain",
             "not this one"),
            ("text/plain;q=0.5, application/openmetrics-text; "
             "version=1.0.0;q=0.4", "text/plain", "rather the other"),
            ("application/openmetrics-text;version=1.0.0;q=0.5,"
             "application/openmetrics-text;version=0.0.1;q=0.4,"
             "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OPEN,
             "what Prometheus says")):
        status, kind, _ = get(port, accept=accept)
        t.ok(status == 200 and kind.startswith(wanted),
             "Accept: %s: %s" % (text, wanted))
    for path, method, status in (
            ("/", "GET", 404), ("/metrics/", "GET", 404),
            ("/api/support-sessions", "GET", 404), ("/metrics?a=b", "GET", 200),
            ("/metrics", "POST", 405), ("/metrics", "DELETE", 405),
            ("/health", "GET", 200), ("/healthz", "GET", 200),
            ("/readyz", "GET", 200), ("/metrics", "HEAD", 200)):
        t.equal(get(port, path, method=method)[0], status,
                "%s %s: %d" % (method, path, status))
    t.equal(get(port, method="HEAD")[2], "", "HEAD: no body")
    t.equal(get(port, "/readyz")[2], "ready", "/readyz: ready")

    # Nonsense.
    for data, want in (
            (b"GET /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
            (b"\0" * 100 + b"\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
            (b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 8000,
             b"HTTP/1.1 431 Request Header Fields Too Large"),
            (b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n"
             b"\r\n", b"HTTP/1.1 400 Bad Request"),
            (b"GET", b"")):
        t.equal(answer(data), want, "%r...: %r" % (data[:30], want))
    for i in range(200):
        with connect() as s:
            s.sendall(os.urandom(512))
    t.ok(n.now(), "garbage: it goes on")

    # Those that come and say nothing, or a byte now and then.
    begun = time.monotonic()
    many = []
    for _ in range(1000):
        s = connect()
        s.sendall(b"G")
        many.append(s)
        if len(many) % 250 == 0:
            t.ok(n.now(), "with %d connections it answers" % len(many))
    t.ok(n.moved('relayd_scrapes_total{result="crowded"}') > 900,
         "the oldest make room")
    open_now = n.now()['process_open_fds{role="metricd"}']
    t.ok(open_now < 120, "and no more than a few are held (%d)" % open_now)
    last = many[-1]
    last.settimeout(30)
    try:
        while last.recv(100):
            pass
    except OSError:
        pass
    t.ok(time.monotonic() - begun < 25, "the last one ends by itself")
    t.ok(n.moved('relayd_scrapes_total{result="slow"}') > 0, "as too slow")
    for s in many:
        s.close()

    # One who asks and does not read.
    deaf = []
    for _ in range(10):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.connect(("127.0.0.1", port))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        deaf.append(s)
    t.ok(n.now(), "those who do not read keep nobody waiting")
    for s in deaf:
        s.close()

    # Killed; what it counted stays.
    n.mark()
    d.kill(d.pid_of("metricd"))
    until(lambda: any(p["state"] == "ready" for p in d.processes("metricd")),
          "another metricd")
    t.equal(n.moved('relayd_restarts_total{role="metricd"}'), 1,
            "killed: another one comes")
    t.ok(n.moved('relayd_scrapes_total{result="served"}') >= 1,
         "and counts on")

    # It reads what others count, and could not write there.
    with open("/proc/%d/maps" % d.pid_of("metricd")) as f:
        how = sorted(x.split()[1] for x in f if "relayd-counters" in x)
    t.equal(how, ["r--s"] * 4 + ["rw-s"], "the pages of the parent, authd and "
            "two proxyds are there to read, its own to write")
    with open("/proc/%d/maps" % d.pid_of("proxyd")) as f:
        how = [x.split()[1] for x in f if "relayd-counters" in x]
    t.equal(how, ["rw-s"], "a proxyd has its own and no other")

    # Reloads.
    other = free_port()
    rewrite(d, LINE % port, LINE % other)
    t.equal(d.ctl_raw("reload").returncode, 0, "a reload that moves it")
    until(lambda: is_open(other), "the new port")
    t.equal(get(other)[0], 200, "is served there")
    until(lambda: not is_open(port), "the old one to close")
    t.ok(True, "and not where it was")
    rewrite(d, LINE % other, "# none")
    t.equal(d.ctl_raw("reload").returncode, 0, "a reload that takes it away")
    until(lambda: not d.processes("metricd"), "metricd to go")
    t.ok(not is_open(other), "the process has gone, and nobody listens")
    rewrite(d, "# none", LINE % port)
    t.equal(d.ctl_raw("reload").returncode, 0, "a reload that brings it back")
    until(lambda: is_open(port), "the port")
    t.ok(samples(get(port)[2])['relayd_reloads_total{result="loaded"}'] == 3,
         "the numbers have stayed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        rewrite(d, LINE % port, LINE % taken.getsockname()[1])
        r = d.ctl_raw("reload")
        t.match(r.stderr, "port %d: Address already in use" %
                taken.getsockname()[1], "a port that is taken: refused")
        t.equal(get(port)[0], 200, "and nothing has changed")
t.done()
