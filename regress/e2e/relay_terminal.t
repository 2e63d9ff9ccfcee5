#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relay terminal: what is typed, what is shown, how it ends, and what becomes
of the operator's own terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from harness import (BUILD, GoClient, OurClient, Relayd, Tap, WAIT, Wire,
                     free_port, until)

t = Tap()
RELAY = os.path.join(BUILD, "bin", "relay")
PLAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "plain-shell")


def environment(d, token):
    e = {k: v for k, v in os.environ.items() if not k.startswith("RELAY")}
    e.update(RELAY_URL=d.url, RELAYD_TOKEN=token, PS1="$ ")
    return e


class Typist:
    """A program on a terminal, which is the test's other end."""

    def __init__(self, argv, env, columns=77, lines=21):
        self.fd, self.slave = pty.openpty()
        self.size(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        self.got = b""

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.p = subprocess.Popen(argv, stdin=self.slave, stdout=self.slave,
                                  stderr=self.slave, preexec_fn=own, env=env)

    def size(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        while select.select([self.fd], [], [], 0.05)[0]:
            self.got += os.read(self.fd, 65536)
        return self.got.decode("utf-8", "replace")

    def type(self, text):
        os.write(self.fd, text.encode())

    def sees(self, pattern):
        """Waits for what is shown since this was last asked."""
        try:
            m = until(lambda: re.search(pattern, self.read()), pattern)
        except TimeoutError:
            t.diag(repr(self.got))
            raise
        self.got = self.got[len(self.got.decode("utf-8", "replace")
                                [:m.end()].encode()):]
        return m

    def ready(self):
        self.type("echo up-$((1+1))\r")
        self.sees(r"up-2")
        return self

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def ends(self, status, what):
        def gone():
            self.read()
            return self.p.poll() is not None
        until(gone, what)
        text = self.read()
        t.equal(self.p.returncode, status, what)
        if self.p.returncode != status:
            t.diag(text)
        t.ok(termios.tcgetattr(self.slave) == self.before,
             "and this terminal is as it was")
        os.close(self.fd)
        os.close(self.slave)
        return text


def rows(d):
    return [(at is not None, metadata) for at, metadata in d.rows(
        "select disconnected_at, metadata from support_access_logs where "
        "access_type = 'web_terminal' order by connected_at")]


def typing(d, sid, env):
    x = Typist([RELAY, "terminal", sid], env).ready()
    t.ok(x.is_raw(), "this terminal is raw")
    x.type("stty size\r")
    t.ok(x.sees(r"21 77"), "the other is as large as this one")
    x.size(99, 33)
    x.type("until stty size | grep '33 99'; do sleep 0.1; done\r")
    t.ok(x.sees(r"\n33 99\r"), "and becomes so")
    x.type("sleep 1000\r")
    x.sees("sleep 1000")
    x.type("\3")
    x.type("echo on-$((1+1))\r")
    t.ok(x.sees(r"on-2"), "^C goes there")
    x.type("stty -echo; cat >/dev/null; stty echo; echo got-$((1+1))\r")
    x.type("a line\r\4")
    t.ok(x.sees(r"got-2"), "so does ^D")
    x.type("head -c 2000000 /dev/zero | tr '\\0' z; echo all-$((1+1))\r")
    t.equal(x.sees(r"(?s)z{70,}.*all-2").group(0).count("z"), 2000000,
            "2 MB are shown whole")
    x.type("stty -echo\r")
    x.sees(r"\$ ")
    x.type("echo '\N{GREEK SMALL LETTER ALPHA}" + 300 * "b" + "' | wc -c\r")
    t.ok(x.sees(r"303\r"), "a long line, and what is not ASCII")
    x.type("exit 7\r")
    x.ends(7, "the shell's status is ours")
    x = Typist([RELAY, "terminal", sid], env).ready()
    x.type("\4")
    x.ends(0, "^D ends the shell: 0")
    x = Typist([RELAY, "terminal", sid], env).ready()
    x.type("kill -9 $$\r")
    t.match(x.ends(137, "a signal: 128 and its number"), "relay: signal 9",
            "and a word")


def cut(d, sid, env):
    wire = Wire(d.port)
    x = Typist([RELAY, "terminal", sid],
               dict(env, RELAY_URL="http://127.0.0.1:%d" % wire.port)).ready()
    x.type("MARK=kept\r")
    x.sees(r"kept")
    wire.cut()
    x.sees(r"trying again")
    x.type("echo $MARK-$((1+1))\r")
    until(lambda: "kept-2" in x.read() or x.type("echo $MARK-$((1+1))\r"),
          "the same shell")
    t.equal((x.got.count(b"up-2"), x.p.poll()), (0, None),
            "a connection that breaks is made anew, to the same shell, and "
            "what was shown is not shown again")
    x.type("exit 5\r")
    x.ends(5, "which ends as ever")


def escapes(d, sid, env):
    before = len(rows(d))
    x = Typist([RELAY, "terminal", sid], env).ready()
    x.type("echo a~. | tr a b\r")
    t.ok(x.sees(r"b~\.\r"), "~ within a line is nothing")
    x.type("~?")
    t.ok(x.sees(r"~\.   leave"), "~? tells what there is")
    x.type("~~ 2>/dev/null; echo alive-$((1+1))\r")
    t.ok(x.sees(r"[^~]~ 2>.*(?s:.)*alive-2"), "~~ is one")
    x.type("~")
    x.type(".")
    t.match(x.ends(0, "~. leaves"), "relay: left", "with a word")
    until(lambda: len(rows(d)) > before and all(r[0] for r in rows(d)),
          "the row's end")
    t.ok(True, "and the access log has its end")
    x = Typist([RELAY, "terminal", "--escape", "none", sid], env).ready()
    x.type("~.\r")
    t.ok(x.sees("(?s)~\\..*(not found|directory)"), "--escape none: there is "
         "none")
    x.type("exit 0\r")
    x.ends(0, "and all else is as ever")
    x = Typist([RELAY, "terminal", "--escape", "^]", sid], env).ready()
    x.type("\x1d.")
    x.ends(0, "--escape ^]")
    for bad in "", "ab", "^ab", "\x7f":
        r = subprocess.run([RELAY, "terminal", "--escape", bad, sid], env=env,
                           stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        t.equal((r.returncode, b"a character" in r.stderr), (255, True),
                "--escape %r is none" % bad)


def stopped(d, sid, env):
    """Under a shell that has jobs."""
    x = Typist(["bash", "--norc", "--noprofile", "-i"], env)
    x.sees(r"\$ ")
    x.type("%s terminal %s\r" % (RELAY, sid))
    x.ready()
    x.type("~\x1a")
    t.ok(x.sees("Stopped"), "~^Z stops it")
    x.type("stty -a | grep -ow icanon\r")
    t.ok(x.sees(r"\ricanon\r"), "this terminal is the shell's meanwhile")
    x.size(55, 11)
    x.type("fg\r")
    x.sees("terminal")
    until(x.is_raw, "raw again")
    x.type("until stty size | grep '11 55'; do sleep 0.1; done\r")
    t.ok(x.sees(r"11 55\r"), "it goes on, as large as it is now")
    x.type("exit 5\r")
    x.sees(r"\$ ")
    x.type("echo status-$?\r")
    t.ok(x.sees("status-5"), "and ends as ever")
    x.type("exit\r")
    until(lambda: x.p.poll() is not None, "bash's end")


def breaks(d, sid, env):
    for sig in signal.SIGTERM, signal.SIGHUP:
        x = Typist([RELAY, "terminal", sid], env).ready()
        x.p.send_signal(sig)
        x.ends(255, "%s: 255" % sig.name)
    x = Typist([RELAY, "terminal", sid], env).ready()
    d.kill(d.pid_of("termd"))
    t.match(x.ends(255, "termd dies: 255"), r"connection to the server was "
            "lost", "with a word")
    x = Typist([RELAY, "terminal", sid], env).ready()
    d.move_clock(31 * 60 * 1000)
    text = x.ends(255, "too long idle: 255")
    t.equal(text.count("closed due to inactivity"), 1, "which is said once")
    for words, want in ((("terminal",), "usage:"),
                        (("terminal", sid, "ssh"), "usage:"),
                        (("terminal", "--listen", "0", sid), "usage:"),
                        (("terminal", "x"), "no open session"),
                        (("terminal", "00000000-0000-4000-8000-000000000000"),
                         "404 support session not found"),
                        (("terminal", "--url", "http://127.0.0.1:%d" %
                          free_port(), sid), "Connection refused")):
        r = subprocess.run([RELAY, *words], env=env, stderr=subprocess.PIPE,
                           stdin=subprocess.DEVNULL, timeout=WAIT)
        t.equal(r.returncode, 255, "%s: 255" % " ".join(words)[:50])
        t.match(r.stderr.decode(), want, "with a word")


def paper(d, sid, env):
    """Neither side is a terminal."""
    def run(text, **kw):
        return subprocess.run([RELAY, "terminal", sid], input=text, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=WAIT, **kw)
    r = run(b"echo a-$((1+1)); stty size\nexit 3\n")
    t.equal((r.returncode, b"a-2\r\n24 80" in r.stdout), (3, True),
            "commands of a pipe")
    r = run(b"sleep 1; echo b-$((1+1))\n~.\n")
    t.equal((r.returncode in (0, 127), b"b-2" in r.stdout), (True, True),
            "its end is the shell's, whenever that asks, and ~ is nothing")
    r = run(b"cat; echo c-$((1+1))\n")
    t.equal((r.returncode, b"c-2" in r.stdout), (0, True),
            "and that of what runs in it")


with Relayd(t, operator="\tapi rate 100000\n\tticket rate 1000\n") as d:
    d.url = "http://127.0.0.1:%d" % d.port
    key, secret = d.add_system("box")
    with OurClient(d, key, secret, "web=127.0.0.1:1",
                   env={"SHELL": PLAIN}) as c:
        sid = d.wait_session()["session"]
        env = environment(d, d.token(lifetime="24h"))
        typing(d, sid, env)
        cut(d, sid, env)
        escapes(d, sid, env)
        stopped(d, sid, env)
        paper(d, sid, env)
        breaks(d, sid, env)
        x = Typist([RELAY, "terminal", sid], env).ready()
        d.ctl("close", sid)
        x.ends(255, "the session's end: 255")
        t.equal(c.wait(), 0, "the client: 0")
    key, secret = d.add_system("bash")
    with OurClient(d, key, secret, "web=127.0.0.1:1",
                   env={"SHELL": "/bin/bash"}) as c:
        sid = d.wait_session()["session"]
        paper(d, sid, env)
        d.ctl("close", sid)
        c.wait()
    key, secret = d.add_system("other")
    with GoClient(d, key, secret, "web=127.0.0.1:1") as c:
        c.event("manifest_sent")
        x = Typist([RELAY, "terminal", d.wait_session()["session"]],
                   env).ready()
        x.type("exit 7\r")
        x.ends(0, "a client that does not tell the status: 0")
    until(lambda: rows(d) and all(r[0] for r in rows(d)), "closed rows")
    t.ok(True, "every row has its end")
t.done()
