# SPDX-License-Identifier: ISC
"""Programs in a place of their own, and how they are exchanged there."""

import os
import shutil
import subprocess
import sys
import tempfile

from harness import BUILD, SRC, until


def programs(build, where):
    """A build's programs, in the place of those that are there."""
    for d in ("bin", "libexec"):
        os.makedirs(os.path.join(where, d), exist_ok=True)
        for name in os.listdir(os.path.join(build, d)):
            new = os.path.join(where, d, name)
            shutil.copy2(os.path.join(build, d, name), new + ".new")
            os.rename(new + ".new", new)


def own_programs():
    """Where those of this build are, to be exchanged."""
    place = tempfile.mkdtemp(prefix="relayd-programs-")
    os.chmod(place, 0o755)
    programs(BUILD, place)
    return place


def running(place):
    """Whoever runs a program of this place: process ids."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            exe = os.readlink("/proc/%d/exe" % pid)
        except OSError:
            continue
        if exe.startswith(place + "/"):
            found.append(pid)
    return found


def of_process(pid, name):
    """A file of /proc; empty where the process has ended."""
    try:
        with open("/proc/%d/%s" % (pid, name), "rb") as f:
            return f.read()
    except OSError:
        return b""


def looks(place):
    """Is there a new program that looks at the configuration?"""
    return [p for p in running(place)
            if b"-n" in of_process(p, "cmdline").split(b"\0")]


class Fault:
    """What the next new program is to do, in a test build; it reads this at any
    moment, so that it is changed at once."""

    def __init__(self, place):
        self.path = os.path.join(place, "fault")
        os.environ["RELAYD_TEST_UPGRADE"] = self.path

    def word(self, text):
        with open(self.path + ".new", "w") as f:
            f.write(text)
        os.rename(self.path + ".new", self.path)


def upgrade(t, d, what):
    """And wait until the old doors have gone."""
    r = d.ctl_raw("upgrade")
    t.equal((r.returncode, r.stderr), (0, ""), "%s: relayctl upgrade" % what)
    until(lambda: not [p for p in d.processes()
                       if p["program"] == "old" and
                       p["role"] in ("control", "authd")],
          "the old ones to have gone")


def next_build(t):
    """The other build, from the same sources."""
    there = os.environ.get("RELAYD_NEXT_BUILD") or \
        os.path.join(SRC, "build", "next")
    os.makedirs(there, exist_ok=True)
    if not os.path.exists(os.path.join(there, "config.mk")):
        subprocess.run([os.path.join(SRC, "configure"), "--enable-testing",
                        "--enable-next-messages"], cwd=there, check=True,
                       stdout=subprocess.DEVNULL)
    r = subprocess.run(["make", "-C", there, "-j2", "--no-print-directory",
                        "all"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    if r.returncode != 0:
        t.diag(r.stdout[-3000:])
        sys.exit(1)
    return there
