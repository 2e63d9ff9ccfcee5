#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The unit test of the store, store_suite_test, on a PostgreSQL server: the
same lines, proved of the other engine. In a database without tables, and in one
that has them."""

import os
import subprocess
import sys

import postgres
from harness import BUILD, Tap

t = Tap()
TEST = os.path.join(BUILD, "regress", "unit", "store_suite_test")


def suite(server, database, name):
    r = subprocess.run([TEST], stdout=subprocess.PIPE, text=True,
                       env=dict(os.environ, RELAYD_STORE_SERVER=server
                                .conninfo(database)))
    lines = r.stdout.splitlines()
    t.ok("# PostgreSQL" in lines, "%s: it is asked" % name)
    for line in lines:
        word = line.split(" - ", 1)
        if line.startswith(("ok ", "not ok ")):
            t.ok(line.startswith("ok "), "%s: %s" % (name, word[-1]))
        elif line.startswith("#"):
            t.diag(line)
    t.equal(r.returncode, 0, "%s: all of it" % name)


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    server = postgres.server()
    suite(server, server.database("template1"), "new tables")
    suite(server, server.database(), "tables that are there")
    t.done()


if __name__ == "__main__":
    sys.exit(main())
