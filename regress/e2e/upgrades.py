# SPDX-License-Identifier: ISC
"""Programs in a place of their own, and how they are exchanged there."""

import os
import shutil

from harness import until


def programs(build, where):
    """A build's programs, in the place of those that are there."""
    for d in ("bin", "libexec"):
        os.makedirs(os.path.join(where, d), exist_ok=True)
        for name in os.listdir(os.path.join(build, d)):
            new = os.path.join(where, d, name)
            shutil.copy2(os.path.join(build, d, name), new + ".new")
            os.rename(new + ".new", new)


def upgrade(t, d, what):
    """And wait until the old doors have gone."""
    r = d.ctl_raw("upgrade")
    t.equal((r.returncode, r.stderr), (0, ""), "%s: relayctl upgrade" % what)
    until(lambda: not [p for p in d.processes()
                       if p["program"] == "old" and
                       p["role"] in ("control", "authd")],
          "the old ones to have gone")
