#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""doc/running.md: a copy of the store made while relayd runs is a store."""

import os
import re
import stat
import subprocess
import tempfile

from harness import SRC, GoClient, Relayd, Tap, Targets

t = Tap()
with open(os.path.join(SRC, "doc", "running.md")) as f:
    command = re.search(r"(?m)^    (sqlite3 .*\.backup.*)$", f.read()).group(1)

with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    copy = os.path.join(tmp, "store", "relayd.db")
    with Relayd(t) as d:
        key, secret = d.add_system("kept")
        with GoClient(d, key, secret, "web=127.0.0.1:%d" %
                      targets.http) as c:
            s = d.wait_session()
            there = os.path.join(tmp, "relayd.db")
            r = subprocess.run(command.replace(
                "/var/lib/relayd/store/relayd.db", d.store).replace(
                "/var/backups/relayd.db", there), shell=True,
                stderr=subprocess.PIPE, text=True)
            t.equal((r.returncode, r.stderr), (0, ""),
                    "a backup under a tunnel")
        d.ctl("system", "add", "later")
    os.makedirs(os.path.dirname(copy))
    os.rename(there, copy)
    with Relayd(t, store=copy, path=os.path.join(tmp)) as d:
        t.equal([x["name"] for x in d.ctl("system", "list")], ["kept"],
                "a relayd on the copy knows what was there")
        with GoClient(d, key, secret, "web=127.0.0.1:%d" %
                      targets.http) as c:
            t.equal(d.wait_session()["session"], s["session"],
                    "the client is back in its session")
t.done()
