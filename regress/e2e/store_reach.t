#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The ways to a PostgreSQL server: with a password that is in a file, with TLS
to a server whose certificate is looked at, by a socket of this machine; and
what of these does not fit lets nobody in."""

import os
import shutil
import subprocess
import sys
import tempfile

import postgres
from certs import Authority
from harness import BUILD, GoClient, Relayd, Tap, Targets, until

t = Tap()
PASSWORD = "correct horse battery staple"


def daemon(server, words, more="", ready=True):
    d = Relayd(t)
    d.pg, d.database = server, server.database("template1")
    d.wants_ready = False
    shutil.chown(os.path.dirname(d.store), server.user or os.getuid())
    d.store_line = 'postgresql "%s dbname=%s" directory "%s" %s' % (
        words, d.database, os.path.dirname(d.store), more)
    d.rewrite()
    return d


def applied(d):
    """The tables are made over it."""
    until(lambda: (d.ctl_try("schema", "show") or [{}])[0].get("state") ==
          "missing", "relayd to reach the server")
    t.equal(d.ctl_raw("schema", "apply").returncode, 0,
            "schema apply goes the same way")
    until(d.is_ready, "relayd to be ready")


def is_used(d, targets, name):
    key, secret = d.add_system()
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http):
        sid = d.wait_session()["session"]
        t.equal(d.via(sid, d.cookie(sid, d.token()), "/hello")[0], 200,
                "%s: a login and a request" % name)


def refused(d, pattern, name):
    with d:
        d.log.wait("cannot open: .*" + pattern)
        t.ok(True, "%s: it says why" % name)
        t.equal(d.request("GET", "/readyz")[0], 503, "%s: 503" % name)
        t.ok(d.ctl_raw("system", "list").returncode != 0,
             "%s: and nobody is let in" % name)


def secret_file(d, name, text, mode=0o600):
    path = os.path.join(d.dir, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def passwords(server, targets):
    server.sql("CREATE ROLE guarded SUPERUSER LOGIN PASSWORD '%s'" % PASSWORD,
               "postgres")
    server.rules("host all guarded 127.0.0.1/32 scram-sha-256")
    words = "host=127.0.0.1 port=%d user=guarded" % server.port
    d = daemon(server, words)
    more = 'password file "%s"' % secret_file(d, "pw", PASSWORD + "\n")
    d.store_line += more
    d.secret("the store's password", PASSWORD)
    d.rewrite()
    with d:
        applied(d)
        is_used(d, targets, "a password")
    d = daemon(server, words)
    d.store_line += 'password file "%s"' % secret_file(d, "pw", "wrong\n")
    d.rewrite()
    refused(d, "password authentication failed", "a wrong password")
    refused(daemon(server, words), "no password supplied", "no password")
    d = daemon(server, words)
    d.store_line += 'password file "%s"' % secret_file(d, "pw", PASSWORD,
                                                       0o644)
    d.rewrite()
    r = subprocess.run([os.path.join(BUILD, "bin", "relayd"), "-n", "-f",
                        d.conf, "-L", d.libexec], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    t.equal(r.returncode != 0 and "others can read" in r.stdout and
            r.stdout, r.stdout, "a password that others can read is not used")
    shutil.rmtree(d.dir)


def tls(server, targets, tmp):
    ca, other = (Authority(os.path.join(tmp, x)) for x in ("ca", "other"))
    server.use_tls(*ca.make("server", ["db.test", "IP:127.0.0.1"]))
    server.rules("hostssl all tlsonly 127.0.0.1/32 trust",
                 "hostnossl all tlsonly 127.0.0.1/32 reject")
    server.sql("CREATE ROLE tlsonly SUPERUSER LOGIN", "postgres")
    port = "port=%d user=tlsonly" % server.port
    mine = 'ca file "%s"' % ca.file
    for words, name in (("host=127.0.0.1 " + port, "TLS, by address"),
                        ("host=db.test hostaddr=127.0.0.1 " + port,
                         "TLS, by name")):
        with daemon(server, words, mine) as d:
            applied(d)
            is_used(d, targets, name)
            t.equal(server.sql("SELECT count(*) FROM pg_stat_ssl s JOIN"
                               " pg_stat_activity a USING (pid) WHERE"
                               " a.usename = 'tlsonly' AND NOT s.ssl",
                               "postgres"), "0",
                    "%s: no connection is without" % name)
            server.restart()
            until(d.is_ready, "relayd to be ready again")
            is_used(d, targets, name + ", after a restart")
            d.kill(d.pid_of("authd"))
            until(lambda: d.ctl_try("system", "list") is not None,
                  "another authd to be ready")
            is_used(d, targets, name + ", by another authd")
    refused(daemon(server, "host=other.test hostaddr=127.0.0.1 " + port,
                   mine), "does not match", "a certificate of another name")
    refused(daemon(server, "host=127.0.0.1 " + port,
                   'ca file "%s"' % other.file), "certificate verify failed",
            "a certificate that a stranger has signed")
    refused(daemon(server, "host=127.0.0.1 " + port), "pg_hba.conf",
            "no TLS where the server wants it")
    server.use_tls(None, None)
    refused(daemon(server, "host=127.0.0.1 port=%d user=%s" % (
        server.port, postgres.USER), mine), "does not support SSL",
        "a server that has no TLS")


def sockets(server, targets):
    d = daemon(server, "host=%s port=%d user=%s" % ("SOCKET", server.port,
                                                    server.user or "nobody"))
    where = os.path.join(os.path.dirname(d.store), "pg")
    os.mkdir(where)
    shutil.chown(where, server.user or os.getuid())
    d.store_line = d.store_line.replace("SOCKET", where)
    d.rewrite()
    server.rules("local all nobody peer")
    server.sql("CREATE ROLE nobody SUPERUSER LOGIN", "postgres")
    server.listen_at(where)
    with d:
        applied(d)
        is_used(d, targets, "a socket, known by its user")
        t.equal(server.sql("SELECT count(*) FROM pg_stat_activity WHERE"
                           " usename = 'nobody' AND client_addr IS NOT NULL",
                           "postgres"), "0", "no connection is TCP")
        server.restart()
        until(d.is_ready, "relayd to be ready again")
        is_used(d, targets, "the same after a restart")
    server.listen_at("")


def copies(server, tmp):
    """relayctl store copy goes the same ways."""
    ca = Authority(os.path.join(tmp, "copy"))
    server.use_tls(*ca.make("server", ["IP:127.0.0.1"]))
    server.rules("hostssl all copier 127.0.0.1/32 scram-sha-256",
                 "hostnossl all copier 127.0.0.1/32 reject")
    server.sql("CREATE ROLE copier SUPERUSER LOGIN PASSWORD '%s'" % PASSWORD,
               "postgres")
    d = Relayd(t)
    d.pg, d.store_line = None, 'sqlite "%s"' % d.store
    d.rewrite()
    d.keep = True
    with d:
        d.add_system()
    pw = secret_file(d, "pw", PASSWORD)
    db = server.database("template1")
    for words, good in ((["password", pw, "ca", ca.file], True),
                        (["password", pw], False), (["ca", ca.file], False)):
        r = subprocess.run(
            [os.path.join(BUILD, "bin", "relayctl"), "store", "copy", d.store,
             "host=127.0.0.1 port=%d user=copier dbname=%s" % (server.port, db),
             *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        t.equal(r.returncode == 0, good, "store copy with %s" %
                " and ".join(words[::2]))
        if good:
            t.match(r.stdout, "(?m)^systems +1$", "which copies")
    shutil.rmtree(d.dir)


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    server = postgres.Postgres()
    with Targets() as targets, tempfile.TemporaryDirectory() as tmp:
        for x in ("ca", "other", "copy"):
            os.mkdir(os.path.join(tmp, x))
        passwords(server, targets)
        tls(server, targets, tmp)
        copies(server, tmp)
        sockets(server, targets)
    t.done()


if __name__ == "__main__":
    sys.exit(main())
