#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""authd, keyd and tlsd start, libcrypto in them, and one request for memory fails:
at each place, and the first times and some of the later ones. The process ends in
order and says why, or starts without it. Each runs alone, up to where it waits for
its configuration."""

import os
import socket
import subprocess
import tempfile

from failing import MEMORY, Table
from harness import BUILD, Tap

FIRST, EACH = 12, 97     # so many times of a place, and then each of so many
PATIENCE = 60           # s for one start
PARENT_FD, LOG_FD = 3, 4
CRYPTO = "libcrypto: out of memory"
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
    usual, _ = start(table, lib)
    hits = table.hits()
    keys = [k for k in hits if table.names[k][0] in MEMORY]
    where = table.where(keys)
    # It runs before main(), in builds with sanitizers alone.
    keys = [k for k in keys if " libc_find " not in where[k]]
    tried, crypto, bad = 0, 0, []
    for k in keys:
        for n in range(hits[k]):
            if n >= FIRST and n % EACH:
                continue
            table.arm(k, "ENOMEM", n)
            status, said = start(table, lib)
            if not table.failed_in():
                break           # not reached so often without a configuration
            tried += 1
            crypto += said == [CRYPTO]
            if (status != 1 or not said) and status != usual:
                bad.append((where[k], n, status, said))
    table.disarm()
    t.diag("%s: %d places, %d of %d tried" % (
        name, len(keys), tried, sum(hits[k] for k in keys)))
    t.equal(usual, 0, "%s: with memory it waits for its configuration" % name)
    t.ok(crypto > tried / 2, "%s: most are of libcrypto" % name)
    t.equal(bad[:5], [], "%s: ends in order, and says why" % name)


with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    for name in ("authd", "keyd", "tlsd"):
        role(name, tmp, os.path.join(BUILD, "regress", "lib", "failing.so"))
t.done()
