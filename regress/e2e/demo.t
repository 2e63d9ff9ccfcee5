#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The first command of the README, as a newcomer runs it."""

import glob
import os
import pty
import re
import signal
import subprocess

from harness import OurClient, Relayd, SRC, Program, Tap, free_port, until

t = Tap()
demo = os.path.join(SRC, "tools", "demo")
r = subprocess.run(["sh", demo, "--once"], stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, text=True, timeout=600)
if not t.equal(r.returncode, 0, "tools/demo --once: page and terminal were "
               "right"):
    t.diag(r.stdout)
t.ok("Hello from behind the NAT." in r.stdout and "\n42\n" in r.stdout,
     "and it prints what it saw")
t.equal(subprocess.run(["sh", demo, "--twice"], stderr=subprocess.DEVNULL)
        .returncode, 2, "an unknown option: usage")

with Program(["sh", demo]) as p:
    log = p.out.wait(r"^Log +(\S+)").group(1)
    p.out.wait("Until you press")
    text = p.out.text()
    for word in ("Session", "Web", "Token", "Terminal", "Look"):
        t.match(text, r"(?m)^%s +\S" % word, "the demo tells: " + word)
    curl = re.search(r"curl -sSL -b '' '([^']+)'", text).group(1)
    page = subprocess.run(["curl", "-sSL", "-b", "", curl],
                          stdout=subprocess.PIPE, text=True).stdout
    t.equal(page, "Hello from behind the NAT.\n", "its curl line works")
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

# tools/terminal says in one line what is wrong.
terminal = ["/usr/bin/python3", os.path.join(SRC, "tools", "terminal")]
port = free_port()
for argv, token, want in (
        (["http://127.0.0.1:%d/x" % port], "t", "Connection refused"),
        (["http://no.invalid/x"], "t", "no.invalid/x: "),
        (["nonsense"], "t", "nonsense: no address"),
        ([], "t", "usage: "), (["http://127.0.0.1/x"], "", "RELAYD_TOKEN")):
    r = subprocess.run(terminal + argv, env=dict(os.environ,
                                                 RELAYD_TOKEN=token),
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       text=True, timeout=60)
    t.ok(r.returncode == 1 and want in r.stderr and
         "Traceback" not in r.stderr, "terminal %s: %s" % (argv, want))
    if "Traceback" in r.stderr or want not in r.stderr:
        t.diag(r.stderr)

# A command that ends the shell is no traceback either.
with Relayd(t) as d:
    key, secret = d.add_system("box")
    with OurClient(d, key, secret, "web=127.0.0.1:1"):
        sid = d.wait_session()["session"]
        r = subprocess.run(
            terminal + ["--run", "exit 7", "http://127.0.0.1:%d/api/"
                        "support-sessions/%s" % (d.port, sid)],
            env=dict(os.environ, RELAYD_TOKEN=d.token()),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            timeout=60)
        t.equal(r.returncode, 1, "terminal --run 'exit 7': fails")
        t.match(r.stderr, r"\Aterminal: closed before the command had ended\n"
                r"\Z", "in one line")
t.done()
