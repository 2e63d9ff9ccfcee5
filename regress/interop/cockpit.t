#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Cockpit behind a tunnel, in Chromium: a login as a user made for this test,
its pages, its terminal. Plain and with TLS, with and without a host, behind
a TLS front and without one."""

import os
import secrets
import signal
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager

from browse import (HOST, Program, behind, free_port, installed, lacks,
                    listens, opened, play, self_signed, until)
from harness import Tap

t = Tap()
WS = "/usr/lib/cockpit/cockpit-ws"


def processes(user):
    r = subprocess.run(["pgrep", "-u", user], stdout=subprocess.PIPE,
                       text=True)
    return [int(pid) for pid in r.stdout.split()]


def removed(user):
    """The user, and what a session of Cockpit's has left running."""
    def gone():
        for pid in processes(user):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not processes(user)
    until(gone, "processes of %s to end" % user)
    subprocess.run(["userdel", user], check=True)


@contextmanager
def user(tmp):
    """A user with a password, as long as this lasts."""
    name = "relayd-t%d" % os.getpid()
    password = secrets.token_hex(8)
    crypted = subprocess.run(["openssl", "passwd", "-6", "-stdin"],
                             input=password, stdout=subprocess.PIPE,
                             text=True, check=True).stdout.strip()
    subprocess.run(["useradd", "-M", "-d", os.path.join(tmp, "home"), "-s",
                    "/bin/bash", "-p", crypted, name], check=True)
    try:
        os.mkdir(os.path.join(tmp, "home"))
        subprocess.run(["chown", name, os.path.join(tmp, "home")], check=True)
        yield name, password
    finally:
        removed(name)


def cockpit(tmp, port, tls):
    conf = os.path.join(tmp, "conf-%d" % port)
    certs = os.path.join(conf, "cockpit", "ws-certs.d")
    os.makedirs(certs)
    cert, key = self_signed(certs)
    os.rename(cert, os.path.join(certs, "own.cert"))
    os.rename(key, os.path.join(certs, "own.key"))
    return Program([WS, "--address", "127.0.0.1", "--port", str(port)] +
                   ([] if tls else ["--no-tls"]),
                   env={"XDG_CONFIG_DIRS": conf})


def main():
    if lacks() or not os.path.exists(WS) or os.getuid() != 0:
        t.skip(lacks() and "no " + lacks() or "no cockpit-ws, or not root",
               "Cockpit in a browser")
        return
    installed()
    plain, tls = free_port(), free_port()
    services = ("plain=127.0.0.1:%d,plain-named=127.0.0.1:%d:host=%s,"
                "tls=127.0.0.1:%d:tls,tls-named=127.0.0.1:%d:host=tls-%s:tls" %
                (plain, plain, HOST, tls, tls, HOST))
    with tempfile.TemporaryDirectory(prefix="relayd-cockpit-") as tmp, \
            ExitStack() as stack:
        os.chmod(tmp, 0o755)
        name, password = stack.enter_context(user(tmp))
        for port in plain, tls:
            listens(port, stack.enter_context(
                cockpit(tmp, port, port == tls)))
        who = dict(user=name, password=password)
        for scheme, port in ("http", plain), ("https", tls):
            play(t, "cockpit.js", name="cockpit-direct-" + scheme, **who,
                 url="%s://127.0.0.1:%d/" % (scheme, port))
        for front in "https", "http":
            with behind(t, services, front == "https") as (d, session, token):
                for service in "plain", "plain-named", "tls", "tls-named":
                    play(t, "cockpit.js", name="cockpit-%s-%s" % (
                        service, front), **who,
                        url=opened(d, session, token, service))


main()
t.done()
