#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""authd, keyd and tlsd start libcrypto, and one request for memory fails, each of
the first in turn and some of the later ones: the process ends in order and says
why. Each runs alone, up to where it waits for its configuration."""

import os
import socket
import subprocess
import tempfile

from failing import MEMORY, Table
from harness import BUILD, Tap

FIRST, EACH = 80, 97    # so many, and then each of so many
PATIENCE = 60           # s for one start
PARENT_FD, LOG_FD = 3, 4
OF = ("crypto_malloc", "crypto_realloc")
t = Tap()


def start(table, lib):
    """(exit status, its log) of one whose parent has gone."""
    parent, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    log, its_log = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = dict(os.environ, LD_PRELOAD=lib, FAILING=table.path)
    env["ASAN_OPTIONS"] = \
        env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"

    def fds():
        a, b = os.dup(theirs.fileno()), os.dup(its_log.fileno())
        os.dup2(a, PARENT_FD)
        os.dup2(b, LOG_FD)
    with parent, theirs, log, its_log:
        p = subprocess.Popen([table.program], env=env, preexec_fn=fds,
                             close_fds=False)
        theirs.close()
        its_log.close()
        parent.close()
        status, said = p.wait(PATIENCE), []
        log.setblocking(False)
        try:
            while True:
                line = log.recv(65536)
                if not line:
                    break
                said.append(line[1:].decode())
        except BlockingIOError:
            pass
    return status, said


def role(name, tmp, lib):
    table = Table(os.path.join(tmp, name), os.path.join(BUILD, "libexec", name))
    start(table, lib)
    hits = table.hits()
    keys = [k for k in hits if table.names[k][0] in MEMORY]
    keys = [k for k, text in table.where(keys).items()
            if any(" %s " % f in text for f in OF)]
    tried, bad = 0, []
    for k in keys:
        for n in range(hits[k]):
            if n >= FIRST and n % EACH:
                continue
            table.arm(k, "ENOMEM", n)
            status, said = start(table, lib)
            if not table.failed_in():
                break           # not reached so often without a configuration
            tried += 1
            if status != 1 or said != ["libcrypto: out of memory"]:
                bad.append((name, n, status, said))
    table.disarm()
    t.ok(tried > 50, "%s: %d of %d tried" % (
        name, tried, sum(hits[k] for k in keys)))
    t.equal(bad[:5], [], "%s: ends in order, and says why" % name)


with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    for name in ("authd", "keyd", "tlsd"):
        role(name, tmp, os.path.join(BUILD, "regress", "lib", "failing.so"))
t.done()
