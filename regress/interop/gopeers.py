# SPDX-License-Identifier: ISC
"""Builds the Go programs of this directory for a test and tells where they
are: gopeers.path("tunnelclient"). They are kept in the build directory
(RELAYD_BUILD, else a cache of the user's), and go rebuilds only what changed."""

import fcntl
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
_done = {}


def directory():
    """Where the programs are built to."""
    build = os.environ.get("RELAYD_BUILD")
    if build:
        return os.path.join(os.path.abspath(build), "regress", "interop")
    cache = os.environ.get("XDG_CACHE_HOME",
                           os.path.expanduser("~/.cache"))
    return os.path.join(cache, "relayd-interop")


def path(name):
    """The path of cmd/NAME, built."""
    if name not in _done:
        out = directory()
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            subprocess.run(["go", "build", "-o", os.path.join(out, name),
                            "./cmd/" + name], cwd=HERE, check=True,
                           stdout=subprocess.DEVNULL)
        _done[name] = os.path.join(out, name)
    return _done[name]
