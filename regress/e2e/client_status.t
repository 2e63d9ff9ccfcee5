#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What tunnel-client tells the people of its machine: `tunnel-client status`,
its socket, and the line in a terminal."""

import contextlib
import grp
import os
import pty
import re
import resource
import socket
import stat
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import Client, Target, ask, echo, status
from harness import BUILD, Tap, until
from tunnelserver import Server

t = Tap()

def sleeps(pid):
    """Has it done nothing for a hundred milliseconds?"""
    def ticks():
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(") ", 1)[1].split()[11:13]
    before = ticks()
    for i in range(50):
        with open("/proc/%d/stat" % pid) as f:
            if f.read().rsplit(") ", 1)[1][0] != "S":
                return False
        time.sleep(0.002)
    return ticks() == before


# ---- what a restart of the machine would lose ----

for where, want in ("/dev/shm", True), (BUILD, False):
    with tempfile.TemporaryDirectory(dir=where) as d, Server() as s:
        with Client(s, env={"CONSENT_FILE": d + "/new/consent",
                            "USERS_STATE_FILE": d + "/users.json"}) as c:
            s.tunnel()
            c.err.wait("connected to")
            t.equal([c.err.has("--%s: %s/.* is in memory" % (o, d))
                     for o in ("consent-file", "users-state-file")],
                    [want] * 2, "state in %s: %s" % (
                        where.replace(BUILD, "the build"),
                        "a warning" if want else "none"))

# ---- another one that does not answer ----

with tempfile.TemporaryDirectory() as d, Server() as s, \
        socket.socket(socket.AF_UNIX) as busy:
    path = os.path.join(d, "status.sock")
    busy.bind(path)
    busy.listen(0)
    with contextlib.ExitStack() as full:
        for i in range(3):
            k = full.enter_context(socket.socket(socket.AF_UNIX))
            k.setblocking(False)
            try:
                k.connect(path)
            except BlockingIOError:
                break
        with Client(s, env={"STATUS_SOCKET": path}) as c:
            s.tunnel()
            t.ok(c.err.wait("status.sock: another client has it"), "a socket "
                 "whose queue is full: nobody waits for it")

with tempfile.TemporaryDirectory() as d, Target(echo) as e, Server() as s:
    path = os.path.join(d, "run", "status.sock")
    code, out, err = ask(path, "status")
    t.equal((code, out), (3, ""), "no client: exit 3")
    t.match(err, path + ": No such file.*no client runs", "and says so")
    code, out, err = ask(path, "status", "now", env={"SYSTEM_KEY": ""})
    t.equal(code, 2, "a word too many: exit 2")
    t.match(err, 'unexpected "now"\nusage: ', "and usage")

    c = Client(s, env={"STATUS_SOCKET": path}, move_ms=3600000,
               services="echo=127.0.0.1:%d,idle=127.0.0.1:9" % e.port)
    r = s.request()
    j = status(path)
    t.equal((j["state"], j["server"], j["pid"], j["streams"]),
            ("connecting", "127.0.0.1:%d" % s.port, c.pid, []), "connecting")
    t.equal(ask(path, "status")[0], 1, "which is not connected: exit 1")
    r.refuse("503 Busy", [("Retry-After", "77")])
    c.err.wait("next attempt")
    j = status(path)
    t.equal(j["state"], "waiting", "refused: waiting")
    t.ok(70 < j["next_try_s"] <= 93, "it says when the next try is")
    t.match(j["last_error"]["text"], "503 Busy", "and why")
    code, out, err = ask(path, "status")
    t.match(out, r"(?s)^not connected to 127.0.0.1:\d+ since 20.*\nlast error: "
            r"20\d\d-.*503 Busy.*\nnext try: in 1m[123]\ds\nconsent: yes, without an end\nservices:\n  echo "
            r".*\nopen now: nothing\n$", "the same for people")
    t.equal((code, err), (1, ""), "exit 1")

    c.move()
    u = s.tunnel([("X-Support-Session-Id", "session-7")])
    u.document(b'{"version"')
    j = status(path)
    t.equal((j["state"], j["session"]), ("connected", "session-7"),
            "connected, with its session")
    t.equal([(x["name"], x["target"], x["added"]) for x in j["services"]],
            [("echo", "127.0.0.1:%d" % e.port, False),
             ("idle", "127.0.0.1:9", False)], "its services")
    st = u.open(b"CONNECT echo\n")
    t.equal(st.line(), b"OK\n", "a connection")
    st.send(b"x" * 1000)
    st.take(1000)
    term = u.open(b"CONNECT terminal\n")
    t.equal(term.line(), b"OK\n", "a terminal")
    term.term_send(b"echo done-$((6*7))\r")
    term.term_until(b"done-42")
    bad = u.open(b"CONNECT bad\x1b[31m\n")
    bad.rest()
    add = u.open(b'COMMAND 1\n{"action":"add_services","services":{"new":'
                 b'{"target":"127.0.0.1:10","host":"","tls":false,'
                 b'"label":""}}}')
    t.equal(add.line(), b"OK\n", "an added service")
    j = status(path)
    t.equal([(x["id"], x["kind"], x.get("service"), x["received"], x["sent"])
             for x in j["streams"]][:1],
            [(st.id, "connect", "echo", 1000, 1000)],
            "what is open: kind, service, bytes both ways")
    t.equal([(x["id"], x["kind"]) for x in j["streams"]][1:],
            [(term.id, "terminal")], "and nothing that is over")
    t.equal([x["added"] for x in j["services"]], [False, False, True],
            "the added service is marked")
    c.move()
    code, out, err = ask(path, "status")
    t.equal(code, 0, "connected: exit 0")
    t.match(out, r"^connected to 127.0.0.1:\d+ since 20.* \(1h00m\), session "
            "session-7\n", "since when")
    t.match(out, r"\n  new +127.0.0.1:10, added by an operator\n", "what for")
    t.match(out, r"\nopen now: \(by operators of that server; which, it does "
            r"not tell\)\n  echo +since 20\S+ \S+ \(1h00m\), 1.0 kB in, "
            r"1.0 kB out\n  terminal +since .* in, .* out\n$", "who is there")
    st.fin_send()
    st.rest()
    term.reset()
    until(lambda: not status(path)["streams"], "the end of both")
    t.ok(True, "what is over is not shown")

    # ---- the socket ----

    def mode():
        return stat.S_IMODE(os.stat(path).st_mode)

    t.equal("%o" % mode(), "600", "the socket is its owner's")
    with socket.socket(socket.AF_UNIX) as k:
        k.connect(path)
        k.sendall(b"x" * 256)
        t.equal(k.recv(100), b"", "a line without end: closed")
    with socket.socket(socket.AF_UNIX) as k:
        k.connect(path)
        k.sendall(b"dance\n")
        t.match(k.recv(100).decode(), "^ERROR ", "an order that is none")
    silent = []
    for i in range(16):
        k = socket.socket(socket.AF_UNIX)
        k.connect(path)
        silent.append(k)
    k = socket.socket(socket.AF_UNIX)
    k.connect(path)
    t.equal(k.recv(1), b"", "sixteen who are silent: the next is sent away")
    k.close()
    for k in silent:
        k.close()
    until(lambda: ask(path, "status")[0] == 0, "an answer")

    # No descriptor for who asks: he is not looked at until there is one.
    old = resource.prlimit(c.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(c.pid, resource.RLIMIT_NOFILE, (3, old[1]))
    with socket.socket(socket.AF_UNIX) as k:
        k.connect(path)
        k.sendall(b"status\n")
        until(lambda: sleeps(c.pid), "that it does not look")
        resource.prlimit(c.pid, resource.RLIMIT_NOFILE, old)
        t.equal(k.recv(3), b"OK\n", "without descriptors: later")

    # A second client has other things to do.
    with Server() as other:
        c2 = Client(other, env={"STATUS_SOCKET": path})
        u2 = other.tunnel()
        u2.document(b'{"version"')
        t.ok(c2.err.wait("another client has it: nobody can ask"),
             "a socket that is taken: a line in the log, and a tunnel")
        u2.close(4000)
        u2.drop()
        t.equal(c2.wait(), 0, "exit 0")
        c2.clean(t)
    t.equal(status(path)["pid"], c.pid, "it is still the first one's")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)
    t.ok(not os.path.exists(path), "the socket goes away")

    # Killed: its socket stays behind, and is in nobody's way.
    with Server() as s2:
        c = Client(s2, env={"STATUS_SOCKET": path})
        s2.request()
        until(lambda: os.path.exists(path), "the socket")
        c.p.kill()
        c.wait()
        t.match(ask(path, "status")[2], "Connection refused: no client runs",
                "a client that was killed")
        flags = []
        if os.geteuid() == 0:
            flags = ["--status-group", grp.getgrgid(1).gr_name]
        c = Client(s2, *flags, env={"STATUS_SOCKET": path})
        u = s2.tunnel()
        u.document(b'{"version"')
        t.equal(status(path)["pid"], c.pid, "the next one has it")
        if flags:
            t.equal(("%o" % mode(), os.stat(path).st_gid), ("660", 1),
                    "--status-group: it may ask, too")
        else:
            t.skip("not root", "--status-group")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)
    for bad in ("/proc/no/x/status.sock", "/tmp/" + "x" * 200,
                "/proc/status.sock"):
        with Server() as s2:
            c = Client(s2, env={"STATUS_SOCKET": bad})
            u = s2.tunnel()
            u.document(b'{"version"')
            t.ok(c.err.wait("nobody can ask for the status"),
                 "%.20s cannot be made: a tunnel without" % bad)
            u.close(4000)
            u.drop()
            t.equal(c.wait(), 0, "exit 0")
            c.clean(t)

# ---- in a terminal ----

with Server() as s, Target(echo) as e:
    master, slave = pty.openpty()
    c = Client(s, services="echo=127.0.0.1:%d" % e.port,
               tty=os.ttyname(slave))
    r = s.request()
    os.close(slave)
    seen = [b""]

    def shows(pattern):
        def look():
            seen[0] += os.read(master, 65536)
            return re.search(pattern, seen[0])
        until(look, pattern, every=0)
        return True

    t.ok(shows(rb"\r\x1b\[Kconnecting: 127.0.0.1:\d+$"),
         "a terminal: its last line says how it is")
    u = r.upgrade()
    u.document(b'{"version"')
    t.ok(shows(rb"\r\x1b\[K\S+ info tunnel-client\S+ connected to \S+\r\n"),
         "the log runs above it")
    t.ok(shows(rb"connected to 127.0.0.1:\d+ for \d+s, 1 service, open: "
               rb"nothing$"), "connected")
    st = u.open(b"CONNECT echo\n")
    st.line()
    t.ok(shows(rb"\r\x1b\[Kconnected to \S+ for \d+s, 1 service, open: echo"),
         "somebody has come")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    t.ok(shows(rb"\r\x1b\[K$"), "the line goes away")
    os.close(master)
t.done()
