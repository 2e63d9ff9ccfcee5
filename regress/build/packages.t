#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""debian/: the packages are built, and lintian has nothing to say. In a Debian of
its own, with systemd, apt installs them; they start, stay under a connection while
apt, needrestart and systemd upgrade and reload them, come back when they hang, and
go."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SRC = os.environ["RELAYD_SRC"]
sys.path.insert(0, os.path.join(SRC, "regress", "e2e"))

from debianroot import DebianRoot, run  # noqa: E402
from harness import Program, Tap, until  # noqa: E402

t = Tap()
SKIPPED = ("./build", "./.git", "./bin", "./libexec", "./llhttp", "./results",
           "./console/out", "./autom4te.cache", "./config.mk", "./config.h", "./config.log",
           "./config.status", "./configure", "./debian/build",
           "./analyze-obj", "./fuzz-obj", "./fuzz-cov",
           "*.o", "*.d", "*_test", "*_replay", "node_modules")
# The next version is another build of all programs.
CHANGED = "common/base/text.c"
ECHO = """
import socket, threading
s = socket.create_server(("127.0.0.1", 7007))
def serve(c):
    while True:
        b = c.recv(65536)
        if not b:
            break
        c.sendall(b)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def good(r, text):
    t.equal(r.returncode, 0, text) or t.diag(r.stdout[-4000:])
    return r.returncode == 0


def clean_env():
    """What a machine that builds packages has."""
    env = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
    return dict(env, LC_ALL="C.UTF-8", DEB_BUILD_OPTIONS="parallel=%d "
                "noautodbgsym" % (os.cpu_count() or 1))


def sources(at):
    """Each file of a tree with its hash, but for what git is told."""
    found = {}
    for where, dirs, names in os.walk(at):
        for n in names:
            path = os.path.join(where, n)
            if not n.startswith(".git") and not os.path.islink(path):
                with open(path, "rb") as f:
                    found[os.path.relpath(path, at)] = hashlib.sha256(
                        f.read()).hexdigest()
    return found


def source(tmp, before):
    """The source package is what it was made of."""
    dsc = [f for f in os.listdir(tmp + "/build") if f.endswith(".dsc")]
    t.equal(len(dsc), 1, "a source package")
    dsc = os.path.join(tmp, "build", dsc[0])
    good(run("dpkg-source", "--no-check", "-x", dsc, tmp + "/unpacked"),
         "which is unpacked")
    after = sources(tmp + "/unpacked")
    t.equal(sorted(f for f in set(before) | set(after)
                   if before.get(f) != after.get(f)), [],
            "and has the %d files that there were" % len(before))
    r = run("lintian", "--allow-root", "--fail-on", "error,warning", dsc)
    t.equal((r.returncode, r.stdout), (0, ""), "lintian has nothing to say "
            "of it")


def build(tmp):
    at = os.path.join(tmp, "build", "relayd")
    os.makedirs(at)
    skip = " ".join("--exclude='%s'" % s for s in SKIPPED)
    good(run("sh", "-c", "tar -C '%s' -c %s . | tar -C '%s' -x --no-same-owner"
             % (SRC, skip, at)), "a copy of the sources")
    before = sources(at)
    if not good(run("dpkg-buildpackage", "-uc", "-us", cwd=at,
                    env=clean_env()), "dpkg-buildpackage"):
        return None
    source(tmp, before)
    debs = [f for f in sorted(os.listdir(tmp + "/build"))
            if f.endswith(".deb")]
    t.equal([f.split("_")[0] for f in debs],
            ["librelay-dev", "librelay1", "relay", "relayd", "tunnel-client"],
            "the packages")
    r = run("lintian", "--allow-root", "--fail-on", "error,warning",
            *[os.path.join(tmp, "build", f) for f in debs])
    t.equal((r.returncode, r.stdout), (0, ""), "lintian has nothing to say")
    return [os.path.join(tmp, "build", f) for f in debs]


def unit_word(root, unit, word):
    with open(root.dir + "/lib/systemd/system/" + unit) as f:
        return re.search(r"(?m)^%s=(.*)$" % word, f.read()).group(1).split()


def installed(root):
    users = root.says("getent", "passwd") or ""
    with open(SRC + "/common/proc/roles.def") as f:
        for u in re.findall(r'(?m)^R\(.*"(_\w+)"', f.read()):
            if not re.search("(?m)^%s:.*:/nonexistent:/usr/sbin/nologin$" % u,
                             users):
                t.ok(False, "user %s" % u)
    t.ok("_relayd:" in users, "a user for each role, who cannot log in")
    t.ok(root.says("getent", "group", "relayd"), "the group of relayctl")
    t.equal(root.says("stat", "-c", "%U %a", "/etc/relayd/jwt.secret"),
            "root 600", "a key that nobody else reads")
    t.equal(root.says("stat", "-c", "%U %a %n", "/run/relayd",
                      "/var/lib/relayd"),
            "root 755 /run/relayd\nroot 711 /var/lib/relayd", "directories")
    bill(root)
    good(root.run("bash", "-c", ". /usr/share/bash-completion/completions/"
                  "relayctl && . /usr/share/bash-completion/completions/"
                  "tunnel-client && . /usr/share/bash-completion/completions/"
                  "relay"), "completions are bash")


def bill(root):
    """Hashes of what is installed, as the bill of materials has them."""
    at = root.dir + "/usr/share/doc/relayd/relayd.cdx.json"
    with open(at) as f:
        parts = {c["name"]: c for c in json.load(f)["components"]
                 if c["type"] == "file"}
    found = {}
    for where in "/usr/sbin/", "/usr/libexec/relayd/":
        for name in os.listdir(root.dir + where):
            if where == "/usr/sbin/" and not name.startswith("relay"):
                continue
            with open(root.dir + where + name, "rb") as f:
                found[name] = hashlib.sha256(f.read()).hexdigest()
    t.equal(found, {k: v["hashes"][0]["content"] for k, v in parts.items()},
            "relayd.cdx.json has the hash of each of its %d programs" %
            len(found))


def start(root):
    good(root.run(*unit_word(root, "relayd.service", "ExecStartPre")),
         "the configuration as it comes is good")
    if root.systemd:
        t.equal(root.says("systemctl", "is-active", "relayd"), "active",
                "to install it is to start it, in its unit's sandbox")
        d = contextlib.nullcontext()
    else:
        d = Program(root.words(*unit_word(root, "relayd.service",
                                          "ExecStart")))
    until(lambda: root.says("relayctl", "show", "stats"), "relayd")
    listens = root.run("sh", "-c", "cat /proc/net/tcp /proc/net/tcp6").stdout
    ends = re.findall(r"(?m)^ *\d+: ([0-9A-F]+):\w+ 0+:0000 0A", listens)
    t.equal(set(ends), {"0100007F"}, "it listens, on loopback alone")
    said = root.says("relayctl", "show", "processes")
    t.match(said, r"(?m)_relayauth|authd", "its processes are there")
    t.match(said, "user,.*landlock,seccomp|seccomp", "in their sandboxes")
    return d


def tunnel(root):
    said = root.says("relayctl", "-j", "system", "add", "box")
    key = re.search(r'"key": ?"([^"]+)"', said).group(1)
    secret = re.search(r'"secret": ?"([^"]+)"', said).group(1)
    given = ("ws://127.0.0.1:8080/support/api/tunnel", key,
             "echo=127.0.0.1:7007:tcp")
    if root.systemd:
        settled(root, secret, *given)
        c = contextlib.nullcontext()
    else:
        write(root, "/etc/tunnel-client.conf", "url %s\nkey %s\n"
              "static-services %s\nsecret %s\n" % (*given, secret))
        c = Program(root.words(*unit_word(root, "tunnel-client.service",
                                          "ExecStart")))
    until(lambda: session(root) and "echo" in (root.says(
        "relayctl", "show", "services", session(root)) or ""), "its services")
    return c


def write(root, path, text):
    with open(root.dir + path, "w") as f:
        os.chmod(f.name, 0o600)
        f.write(text)


def settled(root, secret, url, key, services):
    """By the client itself, of which there is the package's unit."""
    write(root, "/root/given", secret + "\n")
    r = root.run("tunnel-client", "install", "--url", url, "--key", key,
                 "--secret-file", "/root/given", "--static-services", services)
    os.unlink(root.dir + "/root/given")
    good(r, "tunnel-client install")
    t.equal((client_says(root, "ActiveState"), client_says(
        root, "UnitFileState"), os.path.exists(
            root.dir + "/etc/systemd/system/tunnel-client.service")),
        ("active", "enabled", False), "it has started the package's unit, "
        "which starts with the machine from now on")


def session(root):
    said = root.says("relayctl", "-j", "show", "sessions")
    found = re.search(r'"(?:id|session)": ?"([^"]+)"', said or "")
    return found and found.group(1)


def tunnels(root):
    """Which processes hold them: instance, role, pid."""
    return sorted(re.findall(r"(?m)^\d+ +(?:muxd|tcpd) +\d+", root.says(
        "relayctl", "show", "processes") or ""))


class Connection(Program):
    def __init__(self, root):
        token = root.says("relayctl", "token", "create", "user", "alice",
                          "role", "owner", "permission", "connect:systems",
                          "permission", "read:systems")
        token = token.split()[-1]
        super().__init__(root.words(
            "RELAYD_TOKEN=" + token, "relay", "connect", "--url",
            "http://127.0.0.1:8080", session(root), "echo"),
            stdin=subprocess.PIPE)

    def echo(self, text):
        at = self.out.mark()
        self.p.stdin.write(text.encode() + b"\n")
        self.p.stdin.flush()
        self.out.wait("^%s$" % text, at)


def packed(tmp, deb, word, change):
    """The same package, as `change` leaves its tree, and a higher version."""
    name = os.path.basename(deb).split("_")[0]
    tree, new = ["%s/%s-%s%s" % (tmp, name, word, e) for e in ("", ".deb")]
    run("dpkg-deb", "-R", deb, tree, check=True)
    change(tree)
    run("sed", "-i", r"s/^Version: .*/&+%s/" % word, tree + "/DEBIAN/control",
        check=True)
    good(run("dpkg-deb", "-b", "--root-owner-group", tree, new),
         "%s+%s is packed" % (name, word))
    return new


def broken_version(tmp, deb):
    """One whose relayd is content with no configuration."""
    return packed(tmp, deb, "broken", lambda tree: shutil.copy(
        "/bin/false", tree + "/usr/sbin/relayd"))


def next_versions(tmp, deb, client):
    """The same packages of other programs."""
    at = os.path.join(tmp, "build", "relayd")
    with open(os.path.join(at, CHANGED), "a") as f:
        f.write("\n/* The next version. */\n")
    good(run("make", "-C", "debian/build", "-j%d" % (os.cpu_count() or 1),
             "all", cwd=at, env=clean_env()), "the next version is built")

    def strip(to, *name):
        run("strip", "-o", to, os.path.join(at, "debian", "build", *name),
            check=True)

    def daemon(tree):
        for n in "relayd", "relayctl":
            strip(tree + "/usr/sbin/" + n, "bin", n)
        for n in os.listdir(tree + "/usr/libexec/relayd"):
            strip(tree + "/usr/libexec/relayd/" + n, "libexec", n)
    return (packed(tmp, deb, "next", daemon),
            packed(tmp, client, "next", lambda tree: strip(
                tree + "/usr/bin/tunnel-client", "bin", "tunnel-client")))


def processes(root):
    """Who has a place: role, program, pid."""
    rows = json.loads(root.says("relayctl", "-j", "show", "processes"))
    return {(p["role"], p["program"], p["pid"]) for p in rows
            if p["role"] in ("parent", "authd", "control", "proxyd")}


def took_over(root, before, said):
    """What was running is the program that is installed now."""
    t.match(said, r"(?m)^upgraded from \S+ to \S+$", "the daemon became it")
    until(lambda: not [p for p in processes(root) if p[0] in ("authd",
          "control") and p[1] == "old"], "the old ones to have gone")
    now = processes(root)
    pid = [p[2] for p in now if p[0] == "parent"][0]
    t.equal({p for p in now if p[0] == "parent"},
            {p for p in before if p[0] == "parent"}, "with its process id")
    current = {p for p in now if p[1] == "current" and p[0] != "parent"}
    t.equal({p[0] for p in current}, {"authd", "control", "proxyd"},
            "there are new processes")
    t.equal(current & before, set(), "none of which was there")
    # A unit's mounts are its own: the path may be this machine's.
    exe = {root.says("readlink", "/proc/%s/exe" % p).replace(root.dir, "")
           for _, _, p in current | {("", "", pid)}}
    t.equal(exe, {"/usr/sbin/relayd"} | {"/usr/libexec/relayd/" + r for r in
                                         ("authd", "control", "proxyd")},
            "all of the programs that are installed")


def refused(root, broken, c):
    """A version that cannot take over: dpkg is content, and it is said."""
    before = processes(root)
    root.offer([broken])
    r = root.apt("upgrade")
    good(r, "apt upgrade: a version that does not start is installed")
    t.match(root.says("dpkg-query", "-W", "-f", "${Version} ${Status}",
                      "relayd"), r"\+broken install ok installed$",
            "all of it")
    t.match(r.stdout, r"(?m)^relayd: the version before goes on; when it may be "
            r"interrupted:\nrelayd:     systemctl restart relayd$",
            "the one before goes on, as is said")
    t.equal(processes(root), before, "in the processes that were there")
    c.echo("still")
    t.ok(True, "and so does the connection")


def upgrade(root, new, broken):
    with tunnel(root), Connection(root) as c:
        c.echo("before")
        held = tunnels(root)
        t.equal(len(held), 2, "a tunnel, and a connection through it")
        refused(root, broken, c)
        before = processes(root)
        root.offer([new])
        r = root.apt("upgrade")
        good(r, "apt upgrade: the next version is installed")
        took_over(root, before, r.stdout)
        t.match(root.says("dpkg-query", "-W", "relayd"), r"\+next$",
                "it is that version")
        c.echo("behind")
        t.ok(True, "the connection goes on")
        t.equal(tunnels(root), held, "in the same processes")
        with Connection(root) as other:
            other.echo("another")
            t.ok(True, "and another one is let in")
        # What needrestart(1) does behind it, and triggers of other packages.
        before = processes(root)
        good(root.run("dpkg", "--triggers-only", "-a"), "triggers")
        t.equal(processes(root), before, "restart nobody")
        newer_library(root)
        r = root.run("needrestart", "-r", "a") if root.systemd else \
            root.run("/etc/needrestart/restart.d/relayd.service")
        good(r, "needrestart's restart")
        took_over(root, before, r.stdout)
        reloaded(root)
        c.echo("in the end")
        t.ok(set(held) <= set(tunnels(root)), "the connection goes on, in the "
             "same processes")
        hung(root)


def newer_library(root):
    """As if a package of one that relayd has open had been upgraded; the client
    at the other end has not, and is not restarted."""
    if not root.systemd:
        return
    lib = root.says("readlink", "-f", "/usr/lib/%s-linux-gnu/libsqlite3.so.0" %
                    os.uname().machine)
    good(root.run("sh", "-c", 'cp -p "$0" "$0.new" && mv "$0.new" "$0"', lib),
         "a library is another")
    t.match(root.says("needrestart", "-b", "-r", "l"),
            r"(?m)^NEEDRESTART-SVC: relayd\.service$",
            "needrestart sees who has the one before")


def unit_says(root, what):
    return root.says("systemctl", "show", "--value", "-p", what, "relayd")


def reloaded(root):
    """systemctl's ways to say it."""
    if not root.systemd:
        return
    main = unit_says(root, "MainPID")
    good(root.run("systemctl", "reload", "relayd"), "systemctl reload")
    t.equal((unit_says(root, "MainPID"), unit_says(root, "NRestarts"),
             unit_says(root, "ActiveState")), (main, "0", "active"),
            "through all of this systemd has seen one process, never restarted")


def hung(root):
    """A parent that does nothing any more: systemd's watchdog."""
    if not root.systemd:
        return
    old, who = unit_says(root, "MainPID"), session(root)
    good(root.run("sh", "-c", "kill -STOP $0", old), "its parent stands still")
    try:
        until(lambda: int(unit_says(root, "NRestarts") or 0) >= 1 and
              unit_says(root, "ActiveState") == "active",
              "systemd's restart", 300)
    except TimeoutError:
        t.diag(root.says("systemctl", "status", "relayd") or "")
        t.diag(root.says("journalctl", "--no-pager", "-n", "40", "-u",
                         "relayd") or "")
        raise
    t.ok(unit_says(root, "MainPID") != old, "a parent that hangs is replaced")
    until(lambda: root.says("relayctl", "show", "stats") and tunnels(root),
          "the tunnel")
    t.equal(session(root), who, "and the client comes back to its session")
    with Connection(root) as c:
        c.echo("again")
        t.ok(True, "which serves as before")


class Systemctl:
    """What scripts of packages call, told and passed on."""

    def __init__(self, root):
        self.root, self.dir = root, root.dir + "/tmp/told"
        os.mkdir(self.dir)
        with open(self.dir + "/systemctl", "w") as f:
            f.write("#!/bin/sh\necho \"$*\" >>/tmp/told/said\n" + (
                    "exec /usr/bin/systemctl \"$@\"\n" if root.systemd
                    else ""))
        os.chmod(f.name, 0o755)
        if not root.systemd:
            root.run("mkdir", "-p", "/run/systemd/system")

    def calls(self, *words, group=None, fails=False):
        """Of the client, while apt does this; what apt says."""
        said = self.dir + "/said"
        open(said, "w").close()
        r = self.root.run("sh", "-c", '[ -z "$0" ] || echo $$ >"$0" || exit; '
                          'exec "$@"', group or "", "apt-get", "-y", "-o",
                          "Dir::Etc::SourceList=/tmp/shelf/list", "-o",
                          "Dir::Etc::SourceParts=/dev/null", "-o", "DPkg::Path="
                          "/tmp/told:/usr/sbin:/usr/bin:/sbin:/bin", *words)
        if fails:
            t.ok(r.returncode != 0, "no apt " + " ".join(words))
        else:
            good(r, "apt " + " ".join(words))
        with open(said) as f:
            return [x for x in f.read().splitlines()
                    if "tunnel-client" in x], r.stdout


def client_says(root, what):
    return root.says("systemctl", "show", "--value", "-p", what,
                     "tunnel-client")


def client_upgrade(root, new):
    """What runs is restarted; what does not is not started."""
    told = Systemctl(root)
    root.offer([new])
    pid = root.systemd and client_says(root, "MainPID")
    who = root.systemd and session(root)
    calls, _ = told.calls("install", "tunnel-client")
    t.equal(calls, ["try-restart tunnel-client.service"],
            "an upgrade of the client restarts what runs, and stops nothing")
    t.match(root.says("dpkg-query", "-W", "tunnel-client"), r"\+next$",
            "it is the next version")
    if root.systemd:
        t.ok(client_says(root, "ActiveState") == "active" and
             client_says(root, "MainPID") not in (pid, "0"),
             "which runs in place of the one before")
        until(lambda: len(tunnels(root)) == 1 and session(root) == who,
              "the tunnel")
        t.ok(True, "and has come back to its session")
        beneath(root, told)
        root.run("systemctl", "stop", "tunnel-client")
        told.calls("install", "--reinstall", "tunnel-client")
        t.equal(client_says(root, "ActiveState"), "inactive",
                "one that does not run is not started")
        root.run("systemctl", "start", "tunnel-client")
    calls, _ = told.calls("remove", "tunnel-client")
    t.equal(calls, ["stop tunnel-client.service"], "remove stops it")
    if root.systemd:
        t.equal(root.run("sh", "-c", "grep -lx tunnel-client "
                         "/proc/[0-9]*/comm").stdout, "", "nothing of it runs")
    t.ok(os.path.exists(root.dir + "/etc/tunnel-client.conf"),
         "its configuration stays")
    calls, _ = told.calls("purge", "tunnel-client")
    t.equal([c for c in calls if "start" in c], [], "purge starts nothing")
    t.equal([x for x in root.files() if x.startswith("/etc/") and
             "tunnel-client" in x], [], "and takes the configuration, and what "
            "started it")
    if not root.systemd:
        root.run("rm", "-r", "/run/systemd")
    good(root.apt("install", "tunnel-client"), "it is installed once more")


def beneath(root, told):
    """From a terminal of the client's own, which a restart or a stop would end."""
    at = client_says(root, "ControlGroup")
    # A process is in a group of each hierarchy; systemd's names the service.
    group = [g for g in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified",
                         "/sys/fs/cgroup") if os.path.exists(
                             g + at + "/cgroup.procs")]
    pid = client_says(root, "MainPID")
    group = group[0] + at + "/cgroup.procs"
    calls, said = told.calls("install", "--reinstall", "tunnel-client",
                             group=group)
    t.equal(([c for c in calls if "restart" in c], client_says(
        root, "MainPID")), ([], pid), "not under the terminal that upgrades it")
    t.match(said, r"(?m)^tunnel-client:     systemctl restart tunnel-client$",
            "which is said")
    for word in "remove", "purge":
        calls, said = told.calls(word, "tunnel-client", group=group,
                                 fails=True)
        t.equal((calls, client_says(root, "MainPID"), root.says(
            "dpkg-query", "-W", "-f", "${db:Status-Status}", "tunnel-client")),
            ([], pid, "installed"), "it is all there, and runs")
        way = re.search(r"(?m)^tunnel-client:     (systemd-run .*)$", said)
        t.ok(way, "how it is done is said")
    r = root.run("sh", "-c", way.group(1))
    good(r, "which works")
    unit = re.search(r"run-\S+\.service", r.stdout).group(0)
    until(lambda: root.says("systemctl", "show", "--value", "-p",
                            "ActiveState", unit) in ("inactive", "failed"),
          "its end")
    t.equal((root.says("dpkg-query", "-W", "-f", "${db:Status-Status}",
                       "tunnel-client"), client_says(root, "ActiveState")),
            ("config-files", "inactive"), "it is stopped, and removed")
    told.calls("install", "tunnel-client")
    root.run("systemctl", "start", "tunnel-client")


def purge(root, before):
    good(root.run("dpkg", "--purge", "relayd", "tunnel-client", "relay",
                  "librelay-dev", "librelay1"), "purge")
    own = re.compile("relay|tunnel-client")
    left = sorted(f for f in root.files() - before if own.search(f))
    left += (root.says("ls", "/run") or "").split()
    t.equal([f for f in left if own.search(f)], [],
            "nothing of them is left")
    more = sorted(f for f in root.files() - before if not re.search(
        r"^/var/(lib/(apt|dpkg|systemd)|log|cache)|^/etc/.*-$|^/root|"
        r"^/etc/(systemd|needrestart)|__pycache__", f))
    t.equal(more, [], "nor anything else")


def main(tmp):
    debs = build(tmp)
    if debs is None:
        return
    if run("unshare", "-mnpf", "mount", "-t", "tmpfs", "none",
           tmp).returncode != 0:
        t.skip("no mounts here", "what they do")
        return
    root = DebianRoot(tmp, debs)
    if not good(root.made, "mmdebstrap with what they depend on"):
        return
    deb, client = ([d for d in debs if "/%s_" % n in d][0]
                   for n in ("relayd", "tunnel-client"))
    broken = broken_version(tmp, deb)
    new, new_client = next_versions(tmp, deb, client)
    with root:
        if not root.systemd:
            t.diag("no systemd here: the units' programs are started by hand")
        before = root.files()
        for r, text in zip(root.offer(debs), ("a shelf for apt", "apt has read "
                                              "what is there")):
            good(r, text)
        if not good(root.apt("install", *[os.path.basename(d).split("_")[0]
                                          for d in debs]),
                    "apt has installed all"):
            return
        installed(root)
        with start(root), Program(root.beside("python3", "-c", ECHO)) as e:
            e.out.wait("ready")
            upgrade(root, new, broken)
            client_upgrade(root, new_client)
        purge(root, before)


if os.getuid() != 0:
    t.skip("not root", "packages")
else:
    tmp = tempfile.mkdtemp(prefix="relayd-packages-")
    os.chmod(tmp, 0o755)
    try:
        main(tmp)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
t.done()
