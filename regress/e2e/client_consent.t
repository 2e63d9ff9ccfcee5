#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Consent: without it operators are refused with a reason that they read; it is
given and withdrawn on the spot, and outlives the client."""

import contextlib
import os
import re
import socket
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import Client, Target, ask, echo, status
from harness import OurClient, Relayd, Tap, Targets, until
from process import lives
from tunnelserver import Server

t = Tap()
COMMAND = (b'COMMAND 1\n{"action":"add_services","services":{"new":{"target":'
           b'"127.0.0.1:10","host":"","tls":false,"label":""}}}')


def says(path, *words):
    """The client takes the order; what it says about consent then."""
    code, out, err = ask(path, "consent", *words)
    t.equal((code, err), (0, ""), "tunnel-client consent " + " ".join(words))
    return out


def refused(u, why):
    for first in (b"CONNECT echo\n", b"CONNECT terminal\n", COMMAND):
        st = u.open(first)
        t.equal(st.rest(), b"ERROR no consent: the customer " + why + b"\n",
                "%s: refused" % first.split(b"\n")[0].decode())
        t.ok(st.fin and not st.rst, "and ended")


def taken(u):
    st = u.open(b"CONNECT echo\n")
    t.equal(st.line(), b"OK\n", "with consent: a connection")
    st.send(b"ping")
    t.equal(st.take(4), b"ping", "which works")
    term = u.open(b"CONNECT terminal\n")
    t.equal(term.line(), b"OK\n", "a terminal")
    term.term_send(b"echo $$-$((6*7))\r")
    pid = re.search(rb"(\d+)-42", term.term_until(b"-42\r\n")).group(1)
    return st, term, int(pid)


@contextlib.contextmanager
def deaf():
    """A port whose queue is full: who connects there waits."""
    with contextlib.ExitStack() as stack:
        l = stack.enter_context(socket.socket())
        l.bind(("127.0.0.1", 0))
        l.listen(0)
        for i in range(4):
            k = stack.enter_context(socket.socket())
            k.setblocking(False)
            k.connect_ex(l.getsockname())
        yield l.getsockname()[1]


def leave(c, u):
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)


def ended(st, term, pid, why):
    t.ok(st.rest() == b"" and st.rst, "the connection is reset")
    text = term.rest()
    t.ok(why in text, "the operator reads why on his screen")
    t.ok(term.fin, "and the terminal ends")
    until(lambda: not lives(pid), "the shell's end")


class Slow:
    """A service that reads nothing before it is told to."""

    def __init__(self):
        self.go = threading.Event()
        self.got, self.why = 0, None

    def __call__(self, s):
        s.sendall(b"come")
        self.go.wait(60)
        try:
            while self.why is None:
                n = len(s.recv(65536))
                self.got += n
                if n == 0:
                    self.why = "end"
        except OSError as e:
            self.why = e.strerror


with tempfile.TemporaryDirectory() as d, Target(echo) as e, Server() as s:
    path, kept = os.path.join(d, "sock"), os.path.join(d, "state", "consent")
    env = {"STATUS_SOCKET": path, "CONSENT_FILE": kept, "SHELL": "/bin/sh",
           "TZ": "UTC", "CONSENT": "ask"}
    services = "echo=127.0.0.1:%d" % e.port

    def start(**more):
        c = Client(s, env=dict(env, **more), services=services,
                   move_ms=3600000)
        u = s.tunnel()
        u.document(b'{"version"')
        return c, u

    for bad in "maybe", "until", "until 2h", "until tomorrow":
        c = Client(None, "--check", "--consent", bad, env=dict(
            env, SUPPORT_URL="ws://127.0.0.1:1/", SYSTEM_KEY="k",
            SYSTEM_SECRET="s"), bare=True)
        t.equal(c.wait(), 1, "--consent '%s': exit 1" % bad)
        c.err.thread.join()
        t.match(c.err.text(), "--consent: always, ask or ", "and why")

    # ---- ask ----

    c, u = start()
    u.document(b"DIAGNOSTICS 1\n")
    t.ok(True, "without consent: manifest and diagnostics all the same")
    refused(u, b"has not given consent yet")
    c.err.wait("an operator asks for the service echo: refused, the customer "
               "has not given consent yet; `tunnel-client consent 2h` gives")
    t.equal(c.err.text().count("an operator asks"), 1,
            "the log says that somebody asks, once a minute")
    j = status(path)["consent"]
    t.equal((j["given"], j["mode"], j["asked"], j["asked_for"], "said" in j),
            (False, "ask", 3, "a command", False), "so does the status")
    code, out, err = ask(path, "status")
    t.match(out, r"\nconsent: no, the customer has not given consent yet: "
            r"operators are refused\n  asked for 3 times, last for a command "
            r"at 20", "in words, too")
    for words in (["maybe"], ["until"], ["on", "off"], ["2h", "3h"],
                  ["until", "2001-01-01", "00:00"], ["-1h"]):
        t.equal(ask(path, "consent", *words)[0], 2,
                "consent %s: exit 2" % " ".join(words))
    t.equal(ask(path, "consent")[1].split(",")[0], "consent: no",
            "and changes nothing")

    t.match(says(path, "2h"), r"^consent: until 20\S+ \S+ \((2h00m|1h59m)\)\n$",
            "two hours")
    st, term, pid = taken(u)
    c.move()
    t.match(says(path), r"\(1h00m\)|\(59m\d\ds\)", "half of it is over")
    c.move()
    ended(st, term, pid, b"\r\n[the customer's consent has run out]\r\n")
    st = u.open(b"CONNECT echo\n")
    t.equal(st.rest(), b"ERROR no consent: the customer's consent has run "
            b"out\n", "nobody comes in any more")

    # ---- withdrawn, at once ----

    t.match(says(path, "on"), "^consent: yes, without an end\n$", "for good")
    st, term, pid = taken(u)
    with deaf() as port:
        add = u.open(COMMAND.replace(b":10", b":%d" % port))
        t.equal(add.line(), b"OK\n", "an added service")
        add.rest()
        slow = u.open(b"CONNECT new\n")
        half = u.open(b"COMMAND 1\n{")
        until(lambda: len(status(path)["streams"]) == 4, "the streams")
        t.match(says(path, "off"), "^consent: no, the customer has withdrawn",
                "withdrawn")
        ended(st, term, pid, b"\r\n[the customer has withdrawn consent]\r\n")
        t.equal(slow.rest(), b"ERROR the customer has withdrawn consent\n",
                "what was being opened ends, and says why")
        half.rest()
        t.ok(half.rst, "and a command that is not whole")
    t.equal(status(path)["streams"], [], "nothing is open")

    # ---- what is on its way to a service does not arrive any more ----

    slow = Slow()
    with Target(slow) as target:
        target.l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        says(path, "on")
        add = u.open(COMMAND.replace(b":10", b":%d" % target.port))
        t.equal(add.line(), b"OK\n", "a service that reads slowly")
        add.rest()
        st = u.open(b"CONNECT new\n")
        t.equal((st.line(), st.take(4)), (b"OK\n", b"come"), "it is open")
        st.send(bytes(100000))
        until(lambda: [x for x in status(path)["streams"]
                       if x.get("received", 0) >= 100000], "100 KB on the way")
        says(path, "off")
        st.rest()
        slow.go.set()
        until(lambda: slow.why, "the service's end")
        if not t.ok(slow.got < 100000 and
                    slow.why == "Connection reset by peer", "withdrawn: the "
                    "service gets a reset, and only what its machine has"):
            t.diag("%d %s" % (slow.got, slow.why))
    refused(u, b"has withdrawn consent")
    until(lambda: c.err.text().count("ended: the customer has withdrawn") ==
          5, "a line for each that was ended")
    with open(kept) as f:
        t.equal(f.read(), "off\n", "it is written down")
    t.equal("%o" % (os.stat(kept).st_mode & 0o777), "600", "for the owner")
    leave(c, u)

    # ---- it outlives the client ----

    c, u = start(CONSENT="always")
    t.ok(c.err.wait("the customer has withdrawn consent: operators are refused"),
         "started anew: withdrawn, whatever the options say")
    refused(u, b"has withdrawn consent")
    end = int(time.time()) + 7200
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(end))
    says(path, "until", *stamp.split(" "))
    with open(kept) as f:
        t.equal(f.read(), "until %d\n" % end, "a time is kept as it is")
    leave(c, u)
    c, u = start()
    t.match(says(path), "^consent: until " + stamp, "until then, not for as "
            "long again")
    st, term, pid = taken(u)
    c.p.kill()
    c.wait()
    c, u = start()
    t.match(says(path), "^consent: until " + stamp, "killed: the same")
    says(path, "default")
    t.ok(not os.path.exists(kept), "default: forgotten")
    refused(u, b"has not given consent yet")
    leave(c, u)
    c, u = start(CONSENT="always")
    t.match(says(path), "^consent: yes", "always is the default's word")
    st, term, pid = taken(u)
    leave(c, u)
    for text in "", "maybe\n", "until x\n", "until -1\n":
        with open(kept, "w") as f:
            f.write(text)
        c, u = start(CONSENT="always")
        t.ok(c.err.wait(kept + ": not understood: no consent until"),
             "a file with %r: no consent" % text)
        st = u.open(b"CONNECT echo\n")
        t.match(st.rest().decode(), "^ERROR no consent", "refused")
        leave(c, u)
    for how in "of others", "a link":
        with open(kept, "w") as f:
            f.write("on\n")
        if how == "of others":
            os.chmod(kept, 0o666)
        else:
            os.chmod(kept, 0o600)
            os.rename(kept, kept + ".there")
            os.symlink(kept + ".there", kept)
        c, u = start()
        t.ok(c.err.wait(kept + ": (others may write|not a regular file).*: "
                        "no consent"), "a file %s: no consent" % how)
        refused(u, b"has withdrawn consent")
        leave(c, u)
        os.unlink(kept)
    # What lies in the place of the new one is not written to.
    with open(d + "/mine", "w") as f:
        f.write("mine\n")
    os.link(d + "/mine", kept + ".new")
    c, u = start()
    says(path, "on")
    with open(d + "/mine") as f:
        t.equal(f.read(), "mine\n", "a new file is a new one")

    # ---- what operators have added, while there is no consent ----

    add = u.open(COMMAND)
    t.equal(add.line(), b"OK\n", "an added service")
    add.rest()
    u.document(b'{"version"')
    says(path, "off")
    for session, want in (("a", False), ("a", True), ("b", False)):
        u.close(1001)
        u.drop()
        u = s.tunnel([("X-Support-Session-Id", session)])
        has = b'"new"' in u.document(b'{"version"')
        t.equal(has, want, "no consent, session %s: %s" % (
            session, "still there" if want else "not there"))
        if not want and session == "a":
            says(path, "on")
            add = u.open(COMMAND)
            add.line()
            add.rest()
            says(path, "off")
    leave(c, u)
    os.unlink(kept)

    # ---- by configuration ----

    stamp = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + 5400))
    c, u = start(CONSENT="until " + stamp)
    st, term, pid = taken(u)
    c.move()
    t.match(says(path), r"^consent: until .*m\d\ds\)", "half an hour is left")
    c.move()
    ended(st, term, pid, b"consent has run out")
    leave(c, u)
    c, u = start(CONSENT="until 2001-01-01T00:00Z")
    st = u.open(b"CONNECT echo\n")
    t.equal(st.rest(), b"ERROR no consent: the customer's consent has run "
            b"out\n", "a time that is over")
    leave(c, u)

    # ---- a file that cannot be written ----

    c, u = start(CONSENT="always", CONSENT_FILE="/proc/no/consent")
    st, term, pid = taken(u)
    code, out, err = ask(path, "consent", "off")
    t.equal(code, 1, "it cannot be written down: exit 1")
    t.match(err, "it counts, but only until the client ends: /proc/no/consent:"
            " No such file", "and says so")
    ended(st, term, pid, b"withdrawn")
    leave(c, u)

# ---- with relayd ----

with tempfile.TemporaryDirectory() as d, Targets() as targets, \
        Relayd(t) as r:
    path = os.path.join(d, "sock")
    key, secret = r.add_system()
    with OurClient(r, key, secret, "web=127.0.0.1:%d" % targets.http,
                   env={"STATUS_SOCKET": path, "CONSENT": "ask",
                        "CONSENT_FILE": os.path.join(d, "consent")}) as c:
        sid = r.wait_session()["session"]
        token = r.token()
        until(lambda: r.api("GET", "/support-sessions/%s/services" % sid,
                            token)[0] == 200, "the manifest")
        cookie = r.cookie(sid, token)
        st, h, body = r.via(sid, cookie, "/bytes?n=10&seed=7")
        t.equal(st, 502, "relayd: a service without consent is a 502")
        t.match(body.decode(), "no consent: the customer has not given consent "
                "yet", "and the operator reads why")
        w = r.terminal(sid, r.ticket(sid, token))
        text = w.recv_until(rb"no consent: [a-z ]*")
        t.match(text.decode("latin1"), "the customer has not given consent yet",
                "so with a terminal")
        w.close()

        says(path, "2h")
        st, h, body = r.via(sid, cookie, "/bytes?n=10&seed=7")
        t.equal(st, 200, "with consent the service is there")
        w = r.terminal(sid, r.ticket(sid, token))
        w.send(b"\0" + b"echo done-$((6*7))\r")
        w.recv_until(rb"done-42")
        t.ok(True, "and a terminal")
        says(path, "off")
        text = w.recv_until(rb"withdrawn consent")
        t.match(text.decode("latin1"), r"\[the customer has withdrawn consent",
                "withdrawn: it is on the operator's screen")
        w.recv_close()
        t.ok(True, "and the terminal is closed")
        st, h, body = r.via(sid, cookie, "/bytes?n=10&seed=7")
        t.equal(st, 502, "the service is gone")
        t.match(body.decode(), "no consent: the customer has withdrawn consent",
                "with its reason")
t.done()
