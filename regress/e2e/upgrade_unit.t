#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""etc/relayd.service under a real systemd, a user's instance in a mount namespace
of its own, with the whole sandbox of the unit: start, upgrade, reload, an upgrade
that hangs, and a stop amidst one."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

import daemon
import harness
from harness import SRC, GoClient, Lines, Relayd, Tap, Targets, until
from upgrades import Fault, programs

# From each of these systemd takes its root: others' processes are not to be
# moved.
GROUPS = "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"
MANAGER = """
for g in %s; do
	test -w $g/cgroup.procs && mkdir -p $g/relayd-test-$$ 2>/dev/null &&
	    echo $$ >$g/relayd-test-$$/cgroup.procs
done
mount -t tmpfs none /run && mkdir -p -m 700 /run/systemd/system /run/xdg || exit 1
export XDG_RUNTIME_DIR=/run/xdg SYSTEMD_LOG_TARGET=console
export XDG_CONFIG_HOME="$1" HOME="$1"
echo ready
/lib/systemd/systemd --user &
trap 'kill $!' TERM
wait; wait
""" % " ".join(GROUPS)
# What is the machine's, or elsewhere here; and what needs mounts that not every
# machine for tests permits.
NOT_HERE = ("RuntimeDirectory", "StateDirectory", "ReadWritePaths", "After",
            "Wants", "WantedBy", "LimitNOFILE", "TasksMax",
            "ProtectHome", "ProtectKernelTunables", "ProtectKernelLogs")

t = Tap()
# Not in /tmp, of which the unit has its own.
top = tempfile.mkdtemp(prefix="unit-", dir=harness.BUILD)
os.chmod(top, 0o755)
place = os.path.join(top, "programs")
os.makedirs(place)
programs(harness.BUILD, place)
fault = Fault(place)


class Systemd:
    def __enter__(self):
        self.p = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", MANAGER, "sh", top + "/config"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.out = Lines(self.p.stdout)
        return self

    def __exit__(self, *exc):
        self.p.terminate()
        self.p.wait(60)
        # The shell has the number of what became it.
        for g in GROUPS:
            for where, _, _ in os.walk("%s/relayd-test-%d" % (g, self.p.pid),
                                       topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(where)

    def ctl(self, *words, seconds=90):
        return subprocess.run(
            ["nsenter", "-m", "-t", str(self.p.pid), "env",
             "XDG_RUNTIME_DIR=/run/xdg", "systemctl", "--user"] + list(words),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=seconds)

    def runs(self):
        """It may not: there may be no cgroup for it, nor a namespace."""
        try:
            until(lambda: self.p.poll() is not None or self.ctl(
                "is-system-running").stdout.strip() in
                ("running", "degraded"), "systemd", 20)
        except TimeoutError:
            return False
        return self.p.poll() is None

    def show(self):
        names = ("MainPID", "ActiveState", "SubState", "NRestarts", "Result")
        r = self.ctl("show", "relayd", *["-p" + n for n in names])
        return dict(x.split("=", 1) for x in r.stdout.split())


def unit(d):
    with open(SRC + "/etc/relayd.service") as f:
        lines = [x for x in f.read().split("\n") if x.split("=")[0]
                 .removesuffix("Mode") not in NOT_HERE]
    text = "\n".join(lines)
    text = text.replace("/usr/local/sbin/relayd -n", "%s/bin/relayd -n -f %s "
                        "-L %s/libexec" % (place, d.conf, place))
    text = text.replace("/usr/local/sbin/relayd -d", "%s/bin/relayd -d -f %s "
                        "-L %s/libexec" % (place, d.conf, place))
    text = text.replace("/usr/local/sbin/relayctl", "%s/bin/relayctl -s %s" %
                        (place, d.sock))
    text = text.replace("[Service]", "[Service]\nReadWritePaths=%s\n"
                        "Environment=RELAYD_TEST_UPGRADE=%s\n"
                        "StandardError=append:%s/log" %
                        (top, fault.path, top))
    t.ok("/usr/local" not in text and "SystemCallFilter=" in text,
         "the unit as it is installed")
    at = os.path.join(top, "config", "systemd", "user")
    os.makedirs(at)
    with open(at + "/relayd.service", "w") as f:
        f.write(text)


def log():
    with open(top + "/log") as f:
        return f.read()


def main(m):
    os.makedirs(top + "/d")
    # Files of servers of the test are in /tmp, of which the unit has its own.
    daemon.STORE = ""
    d = Relayd(t, build=place, path=top + "/d", verbose=False)
    unit(d)
    m.ctl("daemon-reload")
    r = m.ctl("start", "relayd")
    if not t.equal((r.returncode, r.stdout), (0, ""), "systemctl start"):
        t.diag(m.ctl("status", "relayd").stdout + m.out.text()[-2000:] +
               log())
        return
    first = m.show()
    t.equal((first["ActiveState"], first["SubState"]), ("active", "running"),
            "it is active")
    with Targets() as targets:
        key, secret = d.add_system("box")
        with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
            c.event("manifest_sent")
            muxd = d.pid_of("muxd")
            for i in range(2):
                r = d.ctl_raw("upgrade")
                t.equal((r.returncode, r.stderr), (0, ""), "relayctl upgrade, "
                        "in the sandbox of the unit, time %d" % (i + 1))
                t.equal(m.show(), first, "the same main process, and nothing "
                        "was started again")
            r = m.ctl("reload", "relayd")
            t.equal((r.returncode, r.stdout), (0, ""), "systemctl reload")
            t.match(log(), "relayd.conf: loaded again", "which it was")
            fault.word("wait")
            r = d.ctl_raw("upgrade")
            t.equal(r.returncode, 1, "a new program that hangs")
            fault.word("")
            time.sleep(12)      # WatchdogSec, and more
            t.equal(m.show(), first, "the watchdog has nothing to do")
            t.equal(d.pid_of("muxd"), muxd, "the tunnel has its process")
            t.ok(not c.out.has('"event":"closed"'), "and was not lost")

        fault.word("wait")
        d.p = None
        asked = subprocess.Popen([place + "/bin/relayctl", "-s", d.sock,
                                  "upgrade"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        until(lambda: log().count("upgrade: becoming") == 4, "the new program")
        stop = m.ctl("stop", "--no-block", "relayd")
        t.equal((stop.returncode, stop.stdout), (0, ""), "systemctl stop "
                "amidst an upgrade")
        fault.word("")
        end = until(lambda: m.show()["ActiveState"] != "deactivating" and
                    m.show(), "its end", 60)
        asked.wait(60)
        t.equal((end["ActiveState"], end["Result"]), ("inactive", "success"),
                "it stops, and well")
        t.match(log(), "stopped\n$", "it says so, and nothing behind it")
        t.ok(not os.path.exists(d.sock), "its socket is gone")


if os.getuid() != 0 or not shutil.which("unshare") or \
        not os.path.exists("/lib/systemd/systemd"):
    t.skip("no systemd, or not root", "the unit")
else:
    with Systemd() as m:
        if m.runs():
            main(m)
        else:
            t.skip("systemd does not run here", "the unit")
            t.diag(m.out.text()[-500:])
shutil.rmtree(top, ignore_errors=True)
t.done()
