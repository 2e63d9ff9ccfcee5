#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The first command of the README, as a newcomer runs it."""

import glob
import os
import re
import signal
import subprocess

from harness import SRC, Program, Tap, until

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
t.done()
