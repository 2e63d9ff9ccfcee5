#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The first command of the README, as a newcomer runs it."""

import glob
import json
import os
import pty
import re
import signal
import subprocess
import urllib.error
import urllib.request

from harness import SRC, Program, Tap, until

t = Tap()


def sign_in(base, code):
    """The status of it."""
    ask = urllib.request.Request(
        base + "/api/sign-in", json.dumps({"code": code}).encode(),
        {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(ask) as r:
            return r.status
    except urllib.error.HTTPError as e:
        return e.code


demo = os.path.join(SRC, "tools", "demo")
r = subprocess.run(["sh", demo, "--once"], stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, text=True, timeout=600)
if not t.equal(r.returncode, 0, "tools/demo --once: page and terminal were "
               "right"):
    t.diag(r.stdout)
t.ok("Hello from behind the NAT." in r.stdout and "\n42\n" in r.stdout,
     "and it prints what it saw")
t.ok("\n200\n401\n" in r.stdout, "its one-time sign-in is good once")
t.equal(subprocess.run(["sh", demo, "--twice"], stderr=subprocess.DEVNULL)
        .returncode, 2, "an unknown option: usage")

with Program(["sh", demo]) as p:
    log = p.out.wait(r"^Log +(\S+)").group(1)
    p.out.wait("Until you press")
    text = p.out.text()
    for word in ("Console", "Session", "Web", "Token", "Terminal", "Look"):
        t.match(text, r"(?m)^%s +\S" % word, "the demo tells: " + word)
    look = re.search(r"(?m)^Look +(\S+ -s \S+) ", text).group(1)
    nodes = [(s["system"], s["node"] or "-") for s in json.loads(
        subprocess.run(look.split() + ["-j", "show", "sessions"],
                       stdout=subprocess.PIPE, text=True).stdout)]
    one = {s for s, n in nodes if n == "-"}
    three = {s for s, n in nodes if n != "-"}
    t.ok(len(one) == 1 and len(three) == 1 and len(nodes) == 4 and
         one != three, "two systems, one a cluster of three nodes: %s" % nodes)
    base, code = re.search(r"(?m)^Console +(\S+)/#/sign-in/(\S+)$",
                           text).groups()
    t.equal([sign_in(base, code) for _ in range(2)], [200, 401],
            "the sign-in that it prints is good once")
    with open(log) as f:
        t.ok(code not in f.read(), "and is not in its log")
    curl = re.search(r"curl -sSL -b '' '([^']+)'", text).group(1)
    page = subprocess.run(["curl", "-sSL", "-b", "", curl],
                          stdout=subprocess.PIPE, text=True).stdout
    t.equal(page, "Hello from behind the NAT.\n", "its curl line works")
    command = re.search(r"(?m)^Terminal +(.* \\\n.*)$", text).group(1)
    shown = subprocess.run(["sh", "-c", command], input="echo in-$((1+1))\n"
                           "exit 7\n", stdout=subprocess.PIPE, text=True)
    t.equal((shown.returncode, "in-2" in shown.stdout), (7, True),
            "and its terminal")
    look = re.search(r"(?m)^Look .*\n +(\S+ .*status.sock status)$",
                     text).group(1)
    status = subprocess.run(["sh", "-c", look], stdout=subprocess.PIPE,
                            text=True).stdout
    t.match(status, "^connected to 127.0.0.1", "and its client's status, by a "
            "socket of its own")
    code = p.stop(signal.SIGTERM)
    t.ok(code in (143, -15), "interrupted: status %d" % code)
until(lambda: not os.path.exists(os.path.dirname(log)),
      "the demo's directory to go")
t.ok(True, "it cleans up after itself")
mine = os.path.dirname(log)


def of_session(stat, sid):
    try:
        with open(stat) as f:
            return int(f.read().rsplit(")", 1)[1].split()[3]) == sid
    except OSError:
        return False


def left():
    for f in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(f, "rb") as x:
                if mine.encode() in x.read():
                    return True
        except OSError:
            pass
    return False


until(lambda: not left(), "its processes to end")
t.ok(True, "no process of it is left")

# Its window is closed: that is SIGHUP, and nobody reads what it prints.
pid, window = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", demo])
text = b""
while b"Until you press" not in text:
    text += os.read(window, 4096)
mine = os.path.dirname(re.search(rb"Log +(\S+)", text).group(1).decode())
session = [int(f.split("/")[2]) for f in glob.glob("/proc/[0-9]*/stat")
           if of_session(f, pid)]
os.close(window)
t.equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 129,
        "its window is closed: it ends")
until(lambda: not os.path.exists(mine) and not left() and
      not any(os.path.exists("/proc/%d" % p) for p in session),
      "directory and processes to go")
t.ok(len(session) > 5, "with all that it had started")

t.done()
