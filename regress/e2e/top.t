#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""relayctl top: what its screen shows, as a terminal would show it; keys,
sizes, hostile names, every way out; and on paper."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pyte

from harness import (BUILD, OurClient, Program, Relayd, Tap, WAIT, free_port,
                     until)

t = Tap()
CTL = os.path.join(BUILD, "bin", "relayctl")


class Screen:
    """relayctl top in a terminal that pyte plays."""

    def __init__(self, d, columns=80, lines=24, args=("-d", "1"), env=None):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.fd, slave = pty.openpty()
        self.size(columns, lines)
        self.slave = slave
        self.before = termios.tcgetattr(slave)

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.err = os.path.join(d.dir, "top.err")
        with open(self.err, "w") as err:
            self.p = subprocess.Popen(
                [CTL, "-s", d.sock, "top", *args], stdin=slave, stdout=slave,
                stderr=err, preexec_fn=own,
                env=dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8",
                         **(env or {})))

    def size(self, columns, lines):
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds=0.1):
        while select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            self.raw += data
            self.stream.feed(data)
            seconds = 0

    def text(self):
        self.read()
        return "\n".join(x.rstrip() for x in self.screen.display)

    def until(self, pattern):
        try:
            return until(lambda: re.search(pattern, self.text(), re.M), pattern)
        except TimeoutError:
            t.diag(self.text())
            raise

    def key(self, keys):
        os.write(self.fd, keys.encode())

    def end(self, name, code):
        """It has gone, and what it did to the terminal, too."""
        def gone():
            self.read()
            return self.p.poll() is not None
        until(gone, "relayctl to end")
        self.read()
        t.equal(self.p.returncode, code, name + ": the exit status")
        self.restored(name)
        os.close(self.fd)
        os.close(self.slave)
        with open(self.err) as f:
            return f.read()

    def restored(self, name):
        after = termios.tcgetattr(self.slave)
        t.equal(after[:4], self.before[:4], name + ": the terminal is as "
                "it was")
        t.ok(self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h"),
             name + ": its own screen is left")
        t.ok(self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l") or
             self.raw.rfind(b"\x1b[?12l\x1b[?25h") >
             self.raw.rfind(b"\x1b[?25l"), name + ": with a cursor")


with Relayd(t) as d:
    key, secret = d.add_system("plain")
    r = d.ctl_raw("top", "-n", "2", "-d", "1")
    t.equal((r.returncode, r.stderr), (0, ""), "on paper: twice")
    t.equal(len(re.findall("^relayd up ", r.stdout, re.M)), 2,
            "it is there twice")
    t.match(r.stdout, r"(?m)^authd +1 +\d+\.\d% +\d+\.\dM", "processes")
    t.ok("\x1b" not in r.stdout, "no escape sequences on paper")
    s = Screen(d)
    s.until(r"^relayd up \d")
    s.until(r"^sessions 0   tunnels 0")
    s.until(r"^authd +1 ")
    with OurClient(d, key, secret, "web=127.0.0.1:1"):
        s.until(r"^plain ")
        t.ok(True, "a tunnel comes up while it is watched")
        s.until(r"^sessions 1   tunnels 1")
        t.ok(True, "and is counted")
    s.key("q")
    t.equal(s.end("q", 0), "", "nothing to complain of")
    s = Screen(d)
    s.until(r"^authd +1 ")
    s.p.send_signal(signal.SIGTERM)
    s.end("SIGTERM", 128 + 15)
t.done()
