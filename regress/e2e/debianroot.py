# SPDX-License-Identifier: ISC
"""A Debian of its own: files that mmdebstrap makes, processes, network, mounts,
and where this machine permits it systemd for all of them."""

import glob
import os
import re
import shutil
import subprocess

from basics import until

# Process 1, with a place among the control groups that only it and its own have,
# in each hierarchy from which systemd takes its root: others' processes are not
# to be moved.
SYSTEMD = """
for g in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
	[ ! -w "$g/cgroup.procs" ] || { mkdir -p "$g/$2" && echo $$ >"$g/$2/cgroup.procs"; }
done 2>/dev/null
own=$(grep -E '^0::|:name=systemd:' /proc/self/cgroup) || exit 1
! echo "$own" | grep -qv "/$2\$" || exit 1
mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
mount --rbind /dev "$1/dev" && mount --rbind /sys "$1/sys" || exit 1
exec chroot "$1" env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    SYSTEMD_LOG_TARGET=console /lib/systemd/systemd --system \
    systemd.unit=basic.target
"""
BARE = """
mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
mount --rbind /dev "$1/dev" || exit 1
exec chroot "$1" sh -c 'while :; do sleep 1000 & wait $!; done'
"""
LOOPBACK_UP = """
import fcntl, socket, struct
s = socket.socket()
fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x49))
"""
BOOT_S = 60             # that systemd has


def run(*words, **kw):
    kw = dict({"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
               "text": True, "timeout": 800}, **kw)
    return subprocess.run(words, **kw)


def depends(debs):
    """Names of others' packages that these need."""
    names = set()
    for d in debs:
        text = run("dpkg-deb", "-f", d, "Depends").stdout
        names |= {x.split()[0].split(":")[0] for x in
                  text.replace("|", ",").split(",") if x.strip()}
    names -= {os.path.basename(d).split("_")[0] for d in debs}
    # What makes users and directories is systemd's.
    return sorted(n for n in names if n != "opensysusers" and
                  not n.startswith("systemd"))


def groups(name):
    """Where a control group of this name may be."""
    return glob.glob("/sys/fs/cgroup/" + name) + glob.glob(
        "/sys/fs/cgroup/*/" + name)


class DebianRoot:
    """`debs` may be installed there without a network."""

    def __init__(self, tmp, debs):
        self.dir = os.path.join(tmp, "root")
        self.group = "relayd-" + os.path.basename(tmp)
        with open("/etc/os-release") as f:
            suite = re.search(r"VERSION_CODENAME=(\w+)", f.read()).group(1)
        # Where this machine has its packages from.
        sites = run("apt-get", "indextargets", "--format",
                    "$(CODENAME) $(COMPONENT) $(SITE)", "Created-By: "
                    "Packages").stdout
        found = re.search(r"(?m)^%s main (\S+)$" % suite, sites)
        mirror = found.group(1) if found else "http://deb.debian.org/debian"
        self.made = run(
            "mmdebstrap", "--variant=minbase", "--include=" + ",".join(
                depends(debs) + ["systemd-sysv", "needrestart"]),
            suite, self.dir, mirror)

    def __enter__(self):
        self.systemd = True
        if not self.begin(SYSTEMD) or not self.booted():
            self.__exit__()
            self.systemd = False
            self.begin(BARE)
        run(*self.beside("python3", "-c", LOOPBACK_UP), check=True)
        return self

    def begin(self, script):
        """Is there a process 1?"""
        self.p = subprocess.Popen(
            ["unshare", "-mnpiuf", "--kill-child", "sh", "-c", script, "sh",
             self.dir, self.group], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        at = "/proc/%d/task/%d/children" % (self.p.pid, self.p.pid)

        def child():
            if self.p.poll() is not None:
                return "none"
            with open(at) as f:
                return f.read().strip()
        self.pid = until(child, "process 1")
        # It is there before it is in its root.
        return self.pid != "none" and until(
            lambda: self.p.poll() is not None or
            os.readlink("/proc/%s/root" % self.pid) != "/" or None,
            "process 1 in its root") and self.p.poll() is None

    def booted(self):
        def state():
            if self.p.poll() is not None:
                return "gone"
            word = self.run("systemctl", "is-system-running").stdout.strip()
            return word if word in ("running", "degraded") else None
        try:
            return until(state, "systemd", BOOT_S) != "gone"
        except TimeoutError:
            return False

    def __exit__(self, *exc):
        self.p.kill()
        self.p.wait()
        until(self.swept, "the last of its processes")

    def swept(self):
        """Are its control groups gone? The processes end a little later."""
        for g in groups(self.group):
            for at, _, _ in os.walk(g, topdown=False):
                try:
                    os.rmdir(at)
                except OSError:
                    pass
        return not groups(self.group)

    def beside(self, *words):
        """With the network of the root, and the files of this machine."""
        return ["nsenter", "-n", "-t", self.pid, *words]

    def words(self, *words):
        return ["nsenter", "-m", "-n", "-p", "-i", "-u", "-r", "-w", "-t",
                self.pid, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND=noninteractive", *words]

    def run(self, *words):
        return run(*self.words(*words))

    def says(self, *words):
        r = self.run(*words)
        return r.stdout.strip() if r.returncode == 0 else None

    def files(self):
        found = set()
        for at, dirs, names in os.walk(self.dir):
            here = at[len(self.dir):]
            if here in ("/proc", "/dev", "/sys", "/tmp", "/run"):
                dirs[:] = []
                continue
            found |= {here + "/" + n for n in names + dirs}
        return found

    def apt(self, *words):
        return self.run("apt-get", "-y", "-o",
                        "Dir::Etc::SourceList=/tmp/shelf/list",
                        "-o", "Dir::Etc::SourceParts=/dev/null", *words)

    def offer(self, debs):
        """Have these where apt gets packages from: there alone. Two results."""
        shelf = self.dir + "/tmp/shelf"
        os.makedirs(shelf, exist_ok=True)
        for d in debs:
            shutil.copy(d, shelf)
        return (run("sh", "-c", "dpkg-scanpackages -m . >Packages && echo 'deb "
                    "[trusted=yes] file:/tmp/shelf ./' >list && "
                    "chmod -R a+rX .", cwd=shelf), self.apt("update"))
