#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""tunnel-client install and uninstall: a machine that systemd has started, one
that procd has, one that a package has brought the unit to, one that has neither;
the stand-in for systemctl starts what the unit says, and it connects."""

import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager

from harness import BUILD, SRC, Relayd, Tap, client_state, until

t = Tap()
PROGRAM = os.path.join(BUILD, "bin", "tunnel-client")
UNIT = "/etc/systemd/system/tunnel-client.service"
CONF = "/etc/tunnel-client.conf"
SECRET = "/etc/tunnel-client.secret"
SYSTEMCTL = """#!/bin/sh
root=%s
echo "$*" >>$root/orders
case $1 in
restart)
	[ ! -s $root/pid ] || kill $(cat $root/pid)
	$(sed -n 's/^ExecStart=//p' $root%s) >/dev/null 2>>$root/log </dev/null &
	echo $! >$root/pid ;;
stop)
	kill $(cat $root/pid); : >$root/pid ;;
esac
[ "$1" != "$(cat $root/fails 2>/dev/null)" ]
"""
INITD = """#!/bin/sh
# /etc/rc.common, of which this is what a service needs.
root=%s
echo "$1" >>$root/orders
"""
# What procd is told to run, run.
PROCD = """
procd_open_instance() { :; }
procd_close_instance() { :; }
procd_set_param() {
	[ "$1" = command ] || return 0
	shift
	exec "$@"
}
. "$1"
start_service
"""


class Machine:
    def __init__(self, tmp):
        self.root = tempfile.mkdtemp(dir=tmp)
        for d in ("bin", "etc/systemd/system", "etc/init.d", "sbin",
                  "var/lib/tunnel-client", "run"):
            os.makedirs(os.path.join(self.root, d))

    def put(self, path, text, mode=0o755):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w") as f:
            f.write(text)
        os.chmod(self.root + path, mode)

    def systemd(self):
        os.makedirs(self.root + "/run/systemd/system")
        self.put("/bin/systemctl", SYSTEMCTL % (self.root, UNIT))
        return self

    def run(self, *words, **env):
        r = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, timeout=60,
                           env=dict(client_state(), PATH=os.environ["PATH"],
                                    TUNNEL_CLIENT_ROOT=self.root, **env))
        return r

    def install(self, d, key, secret, *more):
        given = self.root + "/given"
        self.put("/given", secret + "\n", 0o600)
        return self.run(
            "install", "--url", "ws://127.0.0.1:%d/api/tunnel" % d.port,
            "--key", key, "--secret-file", given, "--status-socket", "none",
            "--redis-addr", "none", "--users-dir", "/nonexistent",
            "--diagnostics-dir", "/nonexistent", "--reconnect-delay", "1s",
            "--config", "", "--users-state-file",
            self.root + "/users.json", *more)

    def text(self, path):
        try:
            with open(self.root + path) as f:
                return f.read()
        except FileNotFoundError:
            return None

    def orders(self):
        said = (self.text("/orders") or "").splitlines()
        self.put("/orders", "")
        return said

    def mode(self, path):
        return os.stat(self.root + path).st_mode & 0o7777


def files(m, secret):
    t.equal((m.mode(CONF), m.mode(SECRET), m.mode(UNIT)),
            (0o600, 0o600, 0o644), "who may read what it wrote")
    t.equal(m.text(SECRET), secret + "\n", "the secret is in its file")
    t.ok(secret not in m.text(CONF) + m.text(UNIT), "and in no other")
    conf = m.text(CONF)
    t.match(conf, r'(?m)^static-services "a=127\.0\.0\.1:1,b\\"=127\.0\.0\.1'
            r':2"$', "what was said besides is in the configuration")
    t.match(conf, r"(?m)^no-terminal$", "a flag, too")
    t.match(conf, r"(?m)^reconnect-delay 1000ms$", "a time")
    t.equal([x for x in ("max-reconnect-delay", "json") if "\n" + x in conf], [], "and no default")
    with open(SRC + "/etc/tunnel-client.service") as f:
        ours = f.read().splitlines()
    unit = m.text(UNIT).splitlines()
    t.equal([x for x in unit if not x.startswith("ExecStart=")],
            [x for x in ours if not x.startswith("ExecStart=")],
            "the unit is etc/tunnel-client.service")


def by_systemd(tmp):
    with Relayd(t) as d:
        m = Machine(tmp).systemd()
        key, secret = d.add_system()
        d.secret("the system's", secret)
        r = m.install(d, key, secret, "--static-services",
                      'a=127.0.0.1:1,b"=127.0.0.1:2', "--no-terminal")
        t.equal((r.returncode, r.stderr.count("failed")), (0, 0),
                "install") or t.diag(r.stderr)
        t.equal(m.orders(), ["daemon-reload", "enable tunnel-client.service",
                             "restart tunnel-client.service"],
                "what systemctl is told")
        files(m, secret)
        first = d.wait_session()
        t.ok(first, "it has connected")
        # Again, with something else.
        consent = os.path.relpath(m.root + "/consent")
        r = m.install(d, key, secret, "--static-services", "c=127.0.0.1:3",
                      "--consent-file", consent)
        t.equal(r.returncode, 0, "install again")
        t.ok('\nconsent-file "%s/%s"\n' % (os.getcwd(), consent) in
             m.text(CONF), "the service finds a file that was named from here")
        t.ok("no-terminal" not in m.text(CONF), "what is no longer said goes")
        until(lambda: [x["name"] for x in d.ctl(
            "show", "services", first["session"])] == ["c"],
              "the other to have connected")
        m.orders()
        for group in ("", "/deeper"):
            m.put("/proc/self/cgroup", "0::/system.slice/"
                  "tunnel-client.service%s\n" % group)
            r = m.run("uninstall")
            t.ok(r.returncode == 1 and "systemd-run" in r.stderr,
                 "uninstall in a terminal of the service is refused")
        t.ok(m.orders() == [] and None not in [
            m.text(x) for x in (CONF, SECRET, UNIT)], "and all is there")
        m.put("/proc/self/cgroup", "1:x:/tunnel-client.services\n0::/\n")
        r = m.run("uninstall")
        t.equal((r.returncode, r.stderr), (0, ""), "uninstall")
        t.equal(m.orders(), ["disable tunnel-client.service",
                             "stop tunnel-client.service", "daemon-reload"],
                "what systemctl is told then")
        t.equal([m.text(x) for x in (CONF, SECRET, UNIT)], [None] * 3,
                "nothing is left")
        t.ok(not os.path.exists(m.root + "/var/lib/tunnel-client"),
             "nor its directory")
        r = m.run("uninstall")
        t.equal((r.returncode, m.orders()), (0, []), "once more is no harm")


def refused(tmp):
    with Relayd(t) as d:
        key, secret = d.add_system()
        m = Machine(tmp).systemd()
        for words, why in (
                (("install",), "--url or SUPPORT_URL is required"),
                (("install", "--url", "ws://relay.invalid/", "--key", "k",
                  "--secret", "s"), "in clear"),
                (("install", "--url", "ws://127.0.0.1:1/", "--key", "k",
                  "--secret", "s", "--ca-file", "/nonexistent"),
                 "nonexistent"),
                (("install", "--url", "wss://a/", "--key", "k", "--secret",
                  "s", "--no-proxy", "a\nsecret-file /etc/shadow"),
                 "line break")):
            r = m.run(*words)
            t.equal((r.returncode, m.orders()), (1, []), "%s: %s" % (
                words[-1], why))
            t.match(r.stderr, why, "which it says")
            t.ok(m.text(CONF) is None and m.text(UNIT) is None,
                 "and nothing is written")
        m = Machine(tmp)
        r = m.install(d, key, secret)
        t.equal(r.returncode, 1, "neither systemd nor procd")
        t.match(r.stderr, "neither systemd nor procd runs here: nothing starts "
                "it; have that done: tunnel-client --config (.*)\n", "is said")
        t.match(m.text(CONF), "(?m)^url ", "what it names is written")
        t.equal(m.text(SECRET), secret + "\n", "and so is the secret")
        m.run("uninstall")
        t.ok(m.text(CONF) is None and m.text(SECRET) is None,
             "uninstall takes both away")
        m.systemd().put("/fails", "enable")
        r = m.install(d, key, secret)
        t.equal(r.returncode, 1, "what systemctl cannot is no success")
        m.run("uninstall")
        t.equal(m.run("install", "x").returncode, 2, "a word too many")


def packaged(tmp):
    with Relayd(t) as d:
        m = Machine(tmp).systemd()
        m.put("/lib/systemd/system/tunnel-client.service", "[Unit]\n")
        r = m.install(d, *d.add_system())
        t.equal(r.returncode, 0, "a package has brought the unit") or \
            t.diag(r.stderr)
        t.equal(m.text(UNIT), None, "no other is written")
        t.equal(m.orders()[1:], ["enable tunnel-client.service",
                                 "restart tunnel-client.service"],
                "that one is started")
        m.run("uninstall")
        t.equal((m.text(CONF), m.text("/lib/systemd/system/tunnel-client."
                                      "service")), (None, "[Unit]\n"),
                "and left where it is")


@contextmanager
def procd(script):
    p = subprocess.Popen(["sh", "-c", PROCD, "sh", script],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    try:
        yield p
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(30)


def by_procd(tmp):
    with Relayd(t) as d:
        m = Machine(tmp)
        m.put("/sbin/procd", "")
        m.put("/bin/rc.common", INITD % m.root)
        r = m.install(d, *d.add_system())
        script = m.root + "/etc/init.d/tunnel-client"
        # There is no /etc/rc.common here that would run it.
        t.match(r.stderr, "init.d/tunnel-client enable: it has failed",
                "it is told to the script")
        t.equal(m.mode("/etc/init.d/tunnel-client"), 0o755,
                "which can be run")
        with procd(script):
            s = d.wait_session()
            # Somebody ends it: another starts.
            pid = client_of(m)
            os.kill(pid, signal.SIGKILL)
            until(lambda: client_of(m) not in (None, pid), "another client")
            d.wait_session()
            t.ok(True, "one that is killed is started again")
            d.ctl("close", s["session"])
            until(lambda: client_of(m) is None, "its end")
        with procd(script) as p:
            d.wait_session()
            t.ok(p.poll() is None, "one that was closed is not; "
                 "one that is started later is")
        t.equal(client_of(m), None, "procd's end of it is its end")
        m.run("uninstall")
        t.equal([m.text(x) for x in (CONF, SECRET,
                                     "/etc/init.d/tunnel-client")],
                [None] * 3, "nothing is left")


def client_of(m):
    """The client that has our configuration."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/maps" % pid) as f:
                ours = PROGRAM in f.read()
            with open("/proc/%s/environ" % pid, "rb") as f:
                f.read()
            parent = int(open("/proc/%s/stat" % pid).read().rsplit(
                ")", 1)[1].split()[1])
            with open("/proc/%d/cmdline" % parent, "rb") as f:
                if ours and m.root.encode() in f.read():
                    return int(pid)
        except (OSError, ValueError):
            pass
    return None


with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    for f in by_systemd, refused, packaged, by_procd:
        f(tmp)
t.done()
