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

import pyte

from harness import BUILD, OurClient, Relayd, Tap, until

t = Tap()
CTL = os.path.join(BUILD, "bin", "relayctl")


class Screen:
    """relayctl top in a terminal that pyte plays."""

    def __init__(self, d, columns=80, lines=24, args=("-d", "1"), env=None,
                 under=()):
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
                [*under, CTL, "-s", d.sock, "top", *args], stdin=slave, stdout=slave,
                stderr=err, preexec_fn=own,
                env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8",
                     **(env or {})})

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


def paper(d):
    r = d.ctl_raw("top", "-n", "2", "-d", "1")
    t.equal((r.returncode, r.stderr), (0, ""), "on paper: twice")
    t.equal(len(re.findall("^relayd up ", r.stdout, re.M)), 2,
            "it is there twice")
    t.match(r.stdout, r"(?m)^authd +1 +\d+\.\d% +\d+\.\d[KM] +\d+$",
            "processes: how many, processor, memory, descriptors")
    t.match(r.stdout, r"(?m)^parent +1 +\d+\.\d% +[1-9][\d.]*[KM]",
            "known at once, without a metrics listener")
    t.ok("\x1b" not in r.stdout, "no escape sequences on paper")
    r = d.ctl_raw("top", "-d", "1")
    t.equal((r.returncode, r.stdout.count("relayd up ")), (0, 1),
            "no terminal: once")
    for words in (("-d", "0"), ("-d", "61"), ("-n", "0"), ("-n", "x"),
                  ("-x",), ("more",)):
        r = d.ctl_raw("top", *words)
        t.equal(r.returncode, 2, "usage: " + " ".join(words))
    t.equal(d.ctl_raw("-j", "top").returncode, 2, "no JSON")


def ends(d):
    s = Screen(d)
    s.until(r"^authd +1 ")
    s.key("q")
    t.equal(s.end("q", 0), "", "nothing to complain of")
    for sig, code in ((signal.SIGTERM, 143), (signal.SIGINT, 0),
                      (signal.SIGHUP, 129)):
        s = Screen(d)
        s.until(r"^authd +1 ")
        s.p.send_signal(sig)
        s.end(sig.name, code)
    s = Screen(d)
    s.until(r"^authd +1 ")
    s.key("\x03")
    s.end("^C", 0)
    s = Screen(d, env={"TERM": "dumb"})
    s.until(r"^relayd up \d")
    until(lambda: s.p.poll() is not None, "a dumb terminal to get one look")
    t.equal((s.p.returncode, b"\x1b" in s.raw), (0, False),
            "a dumb terminal: text, once")


def stops(d):
    """^Z: the shell has its terminal, and top its own when it goes on."""
    s = Screen(d, under=("sh", "-mc", '"$@"; read x; fg >/dev/null', "sh"))
    s.until(r"^authd +1 ")
    s.key("\x1a")

    def left():
        s.read()
        return s.raw.rfind(b"\x1b[?1049l") > s.raw.rfind(b"\x1b[?1049h")
    until(left, "it to stop")
    s.restored("^Z")
    s.screen.reset()
    s.key("\n")
    s.until(r"^authd +1 ")
    t.ok(True, "fg: all is there again")
    s.key("q")
    s.end("q behind fg", 0)


def watch(d, key, secret):
    s = Screen(d)
    s.until(r"^sessions 0   tunnels 0")
    with OurClient(d, key, secret, "web=127.0.0.1:1"):
        s.until(r"^plain +[0-9a-f]{8} ")
        t.ok(True, "a tunnel comes up while it is watched")
        s.until(r"^sessions 1   tunnels 1")
        t.ok(True, "and is counted")
        s.until("sorted by rate")
        for keys, want in (("s", "streams"), ("\x1bOC", "system"),
                           ("\x1bOC", "age"), ("\x1bOC", "rate"),
                           ("\x1bOD", "age"), ("\x1bOA", "system")):
            s.key(keys)
            s.until("sorted by " + want)
        t.ok(True, "keys choose the order")
        s.key(" ")
        s.until("STOPPED")
        s.key(" ")
        s.until(r"sorted by system\s*\n")
        t.ok(True, "space stops and goes on")
        for columns, lines in ((40, 10), (20, 3), (132, 50), (80, 24)):
            s.size(columns, lines)
            s.screen.reset()
            os.kill(s.p.pid, signal.SIGWINCH)
            s.until(r"^relayd up \d")
            if lines >= 10:
                s.until(r"^plain +\S")
            t.ok(max(map(len, s.text().splitlines())) <= columns,
                 "%dx%d: it fits" % (columns, lines))
    s.until(r"^sessions 1   tunnels 0")
    t.ok(True, "the tunnel goes while it is watched")
    s.key("q")
    s.end("q", 0)


def wide(d):
    """Characters that are two columns wide, and a locale without them."""
    key, secret = d.add_system("\u65e5\u672c\u8a9e\u65e5\u672c\u8a9e")
    with OurClient(d, key, secret, "web=127.0.0.1:1"):
        s = Screen(d, 60, 20)
        line = s.until(r"^(\u65e5.*)$").group(1)
        t.match(line, r"^(\u65e5 ?\u672c ?\u8a9e ?){2} *[0-9a-f]{8}",
                "wide characters: %s" % line)
        at = [x.index("SESSION") for x in s.text().splitlines()
              if x.startswith("SYSTEM")]
        cells = s.screen.buffer[next(
            i for i, x in enumerate(s.screen.display)
            if x.startswith("\u65e5"))]
        t.match("".join(cells[at[0] + i].data for i in range(8)),
                "^[0-9a-f]{8}$", "and the next column is below its head")
        s.key("q")
        s.end("q", 0)
        s = Screen(d, 60, 20, env={"LC_ALL": "C"})
        s.until(r"^\?{6} +[0-9a-f]{8}")
        t.ok(all(b < 0x80 for b in s.raw), "in no locale: nothing above ASCII")
        s.key("q")
        s.end("q", 0)


def hostile(d):
    """A name that no way in lets through: the store has it all the same."""
    key, secret = d.add_system("harmless")
    d.stop()
    d.rows("UPDATE systems SET name = ? WHERE name = 'harmless'",
           "\x1b[31mred\x07\x9b2J\u202e")
    t.equal(d.rows("SELECT count(*) FROM systems WHERE name = 'harmless'")[0],
            (0,), "a system's name is an escape sequence")
    d.start()
    with OurClient(d, key, secret, "web=127.0.0.1:1"):
        s = Screen(d, 100, 24)
        s.until(r"^\\x1b\[31mred\\x07\\xc2\\x9b2J\\xe2\\x80\\xae +[0-9a-f]{8}")
        t.ok(b"\x1b[31m" not in s.raw and b"\x07" not in s.raw and
             b"\xc2\x9b" not in s.raw and b"\xe2\x80\xae" not in s.raw,
             "it comes as text")
        s.key("q")
        s.end("q", 0)


def gone(d):
    s = Screen(d)
    s.until(r"^authd +1 ")
    d.stop()
    t.match(s.end("relayd stops", 3), "^relayctl: no answer: .", "and says why")


with Relayd(t) as d:
    key, secret = d.add_system("plain")
    paper(d)
    ends(d)
    stops(d)
    watch(d, key, secret)
    wide(d)
    hostile(d)
    gone(d)
t.done()
