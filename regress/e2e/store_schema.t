#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""etc/schema/sqlite.sql is what a new SQLite store has, byte by byte; and both
engines say the same version."""

import os
import re
import subprocess
import sys

from harness import SRC, STORE, Relayd, Tap

t = Tap()


def main():
    with open(os.path.join(SRC, "etc", "schema", "sqlite.sql")) as f:
        want = f.read()
    with open(os.path.join(SRC, "etc", "schema", "postgresql.sql")) as f:
        server = f.read()
    d = Relayd(t)
    if STORE:
        t.skip("not SQLite", "all of it")
        t.done()
    with d:
        have = subprocess.run(["sqlite3", d.store, ".schema"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        row = d.ctl("schema", "show")[0]
        t.equal((row["store"], row["state"]), ("sqlite", "good"),
                "a new store has its tables at once")
        t.equal(d.ctl_raw("schema", "apply").returncode, 0,
                "and needs nothing to be applied")
    # What stands before the first statement is for people.
    t.equal(re.sub(r"(?m)^--.*\n", "", want).strip(), have.strip(),
            "etc/schema/sqlite.sql is what it has")
    version = re.search(r"schema_version VALUES \(1, ([0-9]+), 1\)", server)
    t.equal(version and version.group(1), row["schema"],
            "postgresql.sql says the same version")
    t.done()


if __name__ == "__main__":
    sys.exit(main())
