#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayd at its start: -n and -nv, errors, secret files, limits, the control
socket, the manual's examples, the life without root."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import BUILD, SRC, WAIT, Lines, Relayd, Tap, free_port, until

t = Tap()
RELAYD = os.path.join(BUILD, "bin", "relayd")
top = tempfile.mkdtemp(prefix="relayd-conf-")
os.chmod(top, 0o755)


def write(name, text, mode=0o600):
    path = os.path.join(top, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def run(*words, **kw):
    if "-L" not in words:
        words = ("-L", os.path.join(BUILD, "libexec")) + words
    return subprocess.run([RELAYD, *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=WAIT, **kw)


def nobody():
    """Become a user without rights (a no-op where we are none)."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


secret = write("jwt.secret", "x" * 48)


def config(port, extra="", operator=""):
    os.makedirs(os.path.join(top, "store"), exist_ok=True)
    return """
store sqlite "%s/store/relayd.db"
listen on 127.0.0.1 port %d
control socket "%s/control.sock"
proxyd 1
missing users nobody
operator { jwt secret file "%s"
%s }
%s
""" % (top, port, top, secret, operator, extra)


def macros():
    """-D: whatever the file says, and whether it says anything."""
    path = write("macros.conf", 'where = "127.0.0.2"\n' + config(1).replace(
        "127.0.0.1 port 1\n", "$where port $at\n"))
    r = run("-nv", "-f", path, "-D", "at=7001")
    t.match(r.stdout, "(?m)^listen on 127.0.0.2 port 7001$",
            "a macro that only -D knows")
    r = run("-nv", "-f", path, "-D", "at=7001", "-D", "where=127.0.0.9", "-D",
            "other=1")
    t.match(r.stdout, "(?m)^listen on 127.0.0.9 port 7001$",
            "one that the file has, too; and one that it has not")
    r = run("-n", "-f", path)
    t.match(r.stderr, '"\\$at": no such macro', "without it there is none")
    path = write("quoted.conf", 'where = "127.0.0.2"\n' + config(
        1, operator='jwt issuer "$where"').replace("127.0.0.1 port", "$where port"))
    r = run("-n", "-f", path)
    t.equal(r.returncode, 0, "a macro within quotes is no error")
    t.match(r.stderr, r'^%s:\d+: warning: "\$where" in a string stays as it is: '
            "a macro is not replaced within quotes\nconfiguration OK\n$" %
            re.escape(path), "but is warned of")
    for wrong in "at", "=1", "a b=1", "-a=1", "a" * 64 + "=1":
        t.equal(run("-n", "-f", path, "-D", wrong).returncode, 2,
                "-D %s is no macro" % wrong[:8])
    many = ["-D", "at=7001"] + [x for i in range(15)
                                for x in ("-D", "m%d=" % i)]
    t.equal((run("-n", "-f", path, *many).returncode,
             run("-n", "-f", path, *many, "-D", "a=1").returncode), (0, 2),
            "16 of them, and not 17")


macros()


# -n and -nv

good = write("good.conf", config(free_port(), "tunnel { max tunnels 20 }"))
r = run("-n", "-f", good)
t.equal((r.returncode, r.stderr), (0, "configuration OK\n"),
        "-n: a good file")
r = run("-nv", "-f", good)
again = write("again.conf", r.stdout)
t.equal(run("-nv", "-f", again).stdout, r.stdout,
        "-nv prints what parses back to the same")
r = run("-n", "-f", write("readable.conf", config(1), 0o644),
        preexec_fn=nobody)
t.equal(r.returncode, 0, "-n needs no rights")
t.ok(not os.path.exists(os.path.join(top, "control.sock")),
     "-n opens nothing")
bad = write("bad.conf", "bogus 1\ntunnel {\n\tgrace 30\n}\nlisten on x "
            "port 1\npair { a b }\n")
r = run("-n", "-f", bad)
t.equal(r.returncode, 1, "-n: a bad file is exit 1")
t.equal(r.stderr.splitlines(), [
    '%s:1: unknown word "bogus"' % bad,
    '%s:3: unexpected "30"; expected a duration such as 30s' % bad,
    '%s:5: listen: "x" is not an IPv4 or IPv6 address' % bad,
    '%s:6: unexpected "a"; expected max, paired, token, end of line or }'
     % bad],
    "every error: file, line, what came")
r = run("-d", "-f", bad)
t.equal((r.returncode, len(r.stderr.splitlines())), (1, 4),
        "started with a bad file: exit 1, one line per error")
t.equal(run("-n", "-f", os.path.join(top, "none")).returncode, 1,
        "no file is exit 1")
if os.geteuid() == 0:
    for owner, name, why in ((12345, None, "it is owned by uid 12345"),
                             (0, "other", "it holds something else")):
        path = tempfile.mkdtemp(prefix="relayd-conf-", dir=top)
        os.chown(path, owner, 0)
        if name:
            open(os.path.join(path, name), "w").close()
        r = run("-d", "-f", write("owner.conf", config(1).replace(
            "%s/store/" % top, path + "/")))
        t.match(r.stderr, r"and be owned by root or uid \d+: %s\n$" % why,
                "the store's directory: " + why)
else:
    t.skip("needs root", "directories of others")
for flags, said in ("pair only", False), ("relay only", False), ("pair", True):
    r = run("-n", "-f", write("none.conf", "missing users nobody\nlisten on "
                              "127.0.0.1 port 1 %s\n" % flags))
    t.equal((r.returncode, "no jwt secret file" in r.stderr), (0, said),
            "%s: %s operator to miss" % (flags, "an" if said else "no"))
r = run("--help")
t.equal([x.split()[0] for x in r.stdout.splitlines() if x.startswith("  -")],
        ["-d", "-D", "-E", "-f", "-L", "-n", "-v", "--help", "--version"],
        "relayd --help: a line for each option")
r = run("-d", "-f", write("keyless.conf", config(1).replace(
    secret, secret + ".none")))
t.match(r.stderr, r"(?m)^\S+Z error relayd\[\d+\]: jwt secret file .*: No such "
        "file or directory$", "what ends the start has the level of an error")
t.equal(r.returncode, 1, "exit 1")
for program in "relayd", "relayctl":
    for word, want in ("--version", "%s [0-9]" % program), \
            ("--help", "usage: " + program):
        r = subprocess.run([os.path.join(BUILD, "bin", program), word],
                           stdout=subprocess.PIPE, text=True)
        t.ok(r.returncode == 0 and re.match(want, r.stdout),
             "%s %s" % (program, word))
t.equal(run("-x").returncode, 2, "a wrong option is exit 2")
r = run("-n", "-f", write("astray.conf", config(1).replace(
    "store/relayd.db", "gone/store/relayd.db").replace(
        "missing users nobody\n", 'control socket "%s/look" read only group '
        'no-such-group\n' % top)))
t.ok(r.returncode == 0 and "warning: store: there is no directory %s/gone\n" %
     top in r.stderr, "-n warns of a store that cannot be made there")
look = os.path.join(top, "look")
os.mkdir(look, 0o500)
there = write("there.conf", config(1).replace(top + "/store/", look + "/"))
if os.geteuid() == 0:
    t.ok("store" not in run("-n", "-f", there).stderr,
         "-n says nothing of a directory of root's that will be authd's")
    with open(os.path.join(look, "letter"), "w") as f:
        f.write("x")
    t.match(run("-n", "-f", there).stderr, "warning: store: %s is authd's root"
            ": it has to hold the store and nothing else" % look,
            "-n warns of one with other things in it")
    os.unlink(os.path.join(look, "letter"))
    os.chown(look, 4321, 4321)
    t.match(run("-n", "-f", there).stderr, "warning: store: %s is authd's root"
            ".* owned by root or uid \\d+" % look, "of somebody else's")
    uid = int(re.search(r"owned by root or uid (\d+)",
                        run("-n", "-f", there).stderr).group(1))
    os.chown(look, uid, -1)
    t.match(run("-n", "-f", there).stderr, "warning: store: %s: uid %d, whose "
            "it is, cannot write there" % (look, uid), "of authd's own, which "
            "it cannot write")
else:
    t.match(run("-n", "-f", there).stderr, "warning: store: %s: uid %d cannot "
            "write there: Permission denied" % (look, os.geteuid()),
            "-n warns of a directory that cannot be written")
os.chmod(look, 0o700)
t.ok("store" not in run("-n", "-f", there).stderr, "and not when it can be")
t.ok("warning: there is no group no-such-group: only root can use %s/look\n" %
     top in r.stderr, "and of a group that is missing")
users = [u for u in ("_relayd", "_relayauth", "_relayproxy", "_relaymux",
                     "_relayterm", "_relaytcp") if subprocess.run(
                         ["getent", "passwd", u],
                         stdout=subprocess.DEVNULL).returncode]
t.equal(re.findall("warning: user (\\w+) is missing", r.stderr), users,
        "and of the users that are missing")
t.equal(run("-n", "x").returncode, 2, "a word too many is exit 2")


def with_secret(text):
    """With a secret file that is there."""
    return re.sub(r"(?m)^(\s*jwt secret file ).*$", r'\1"%s"' % secret, text)


with open(os.path.join(SRC, "etc", "relayd.conf")) as f:
    sample = write("sample.conf", with_secret(f.read()))
t.equal(run("-n", "-f", sample).returncode, 0,
        "the sample configuration is good")

with open(os.path.join(SRC, "man", "relayd.conf.5")) as f:
    blocks = re.findall(r"\.Bd -literal[^\n]*\n(.*?)\.Ed", f.read(), re.S)
t.ok(len(blocks) >= 2, "the manual has examples")
for i, block in enumerate(blocks):
    # Of an identity provider there is its block alone.
    rest = config(free_port()) if block.startswith("oidc issuer") else ""
    r = run("-n", "-f", write("man%d.conf" % i, with_secret(block) + rest))
    t.equal((r.returncode, re.sub("warning: user .*\n", "", r.stderr)),
            (0, "configuration OK\n"),
            "example %d of relayd.conf(5) is good" % (i + 1))

# The unit's directory is root's; authd's root is below it.
with open(os.path.join(SRC, "etc", "relayd.service")) as f:
    state = re.search(r"(?m)^StateDirectory=(.*)$", f.read()).group(1)
r = run("-nv", "-f", write("plain.conf", "listen on 127.0.0.1 port 1\n"))
m = re.search(r'store sqlite "[^"]*/lib/%s/[^/"]+/relayd.db"' % state,
              r.stdout)
t.ok(m, "the default store is in a directory of its own below the unit's")

# What is refused at the start

os.chmod(secret, 0o644)
r = run("-d", "-f", good)
t.ok(r.returncode == 1 and "others can read or write it" in r.stderr,
     "a secret that others can read is refused")
os.chmod(secret, 0o600)
empty = write("empty.secret", "")
r = run("-d", "-f", write("empty.conf", config(free_port()).replace(
    secret, empty)))
t.ok(r.returncode == 1 and empty + ": has to hold" in r.stderr,
     "an empty secret is refused by name")


short = write("short.secret", "x" * 31 + "\n")
shortconf = write("short.conf", config(free_port()).replace(secret, short))
ends = write("ends.secret", "x" * 31 + "\r\n\n")
endsconf = write("ends.conf", config(free_port()).replace(secret, ends))
none = write("nosecret.conf", config(free_port()).replace(
    secret, "/nonexistent/secret"))
for words, what in (
        (("-f", shortconf), short + ": has to hold 32 to 4096 bytes"),
        (("-f", endsconf), ends + ": has to hold 32 to 4096 bytes"),
        (("-f", none), "/nonexistent/secret: No such file or directory"),
        (("-f", good, "-L", "/nonexistent"), "/nonexistent/")):
    for how in "-n", "-d":
        r = run(how, *words)
        t.ok(r.returncode == 1 and what in r.stderr,
             "%s refuses: %s" % (how, what.replace(top, "")))


def few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (6000, 6000))
    nobody()


os.chown(secret, 65534, 65534) if os.geteuid() == 0 else None
many = write("many.conf", config(free_port(), "max startups 10:30:100\n"
                                 "tunnel { max tunnels 9000 }"), 0o644)
r = run("-d", "-f", many, preexec_fn=few_files)
m = re.search(r"are enough for max tunnels (\d+)", r.stderr)
t.ok(r.returncode == 1 and m, "max tunnels that does not fit is refused, "
     "with the number that does")
fits = int(m.group(1)) if m else 0
r = run("-n", "-f", many, preexec_fn=few_files)
t.ok(r.returncode == 1 and "are enough for max tunnels" in r.stderr,
     "and -n says so")
t.ok(2000 < fits < 3000, "which is about half the files (%d)" % fits)
if os.geteuid() == 0:
    os.chown(secret, 0, 0)
r = run("-d", "-f", write("taken.conf", config(1).replace(
    'control socket "%s/control.sock"' % top, 'control socket "%s"' % good)))
t.ok(r.returncode == 1 and "something else is there" in r.stderr,
     "a file in the place of the control socket stays")
t.ok(os.path.isfile(good), "and is still there")
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
r = run("-d", "-f", write("busy.conf", config(s.getsockname()[1])))
t.ok(r.returncode == 1 and "Address already in use" in r.stderr,
     "a port that is taken")
s.close()
r = run("-d", "-f", good, "-L", "/nonexistent")
t.ok(r.returncode == 1 and re.search(
    "/nonexistent/[a-z]+: No such file", r.stderr), "no programs: exit 1, "
    "with the path of one")

if os.geteuid() == 0:
    mixed = os.path.join(top, "mixed")
    os.mkdir(mixed, 0o700)
    with open(os.path.join(mixed, "letter"), "w") as f:
        f.write("x")
    r = run("-d", "-f", write("mixed.conf", config(free_port()).replace(
        top + "/store/", mixed + "/")))
    t.ok(r.returncode == 1 and "nothing else" in r.stderr,
         "a store in a directory with other things is refused")
    t.equal(os.stat(mixed).st_uid, 0, "and the directory stays root's")
    try:
        import pwd
        pwd.getpwnam("_relayd")
    except KeyError:
        with open(good) as f:
            text = f.read().replace("missing users nobody\n", "")
        r = run("-d", "-f", write("users.conf", text))
        t.ok(r.returncode == 1 and "useradd" in r.stderr,
             "without its users it refuses, and says how to make them")

# A life

with Relayd(t) as d:
    t.equal(os.stat(d.sock).st_mode & 0o777, 0o660,
            "the control socket is 0660")
    r = run("-d", "-f", d.conf, "-L", os.path.join(BUILD, "libexec"))
    t.ok(r.returncode == 1, "a second daemon does not start")
    t.ok(d.ctl_try("show", "stats") is not None,
         "and the first does not notice")
    with open(d.conf) as f:
        text = f.read()
    other = write("other.conf", text.replace(d.sock, top + "/other.sock")
                  .replace("port %d" % d.port, "port %d" % free_port()))
    r = run("-d", "-f", other, "-L", os.path.join(BUILD, "libexec"))
    t.ok(r.returncode == 1 and "another relayd uses it" in r.stderr,
         "nor one with a socket and a port of its own on the same store")
    layers = {p["role"]: p["sandbox"] for p in d.processes()}
    if os.geteuid() == 0:
        for role in ("authd", "control", "proxyd"):
            t.ok("user" in layers[role] and "chroot" in layers[role],
                 "as root, %s changes user and root" % role)
    for p in d.processes():
        if p["role"] == "parent":
            continue
        fds = os.listdir("/proc/%s/fd" % p["pid"]) \
            if os.geteuid() == 0 else []
        t.ok(len(fds) < 40, "%s has few descriptors" % p["role"])
        if os.geteuid() == 0:
            with open("/proc/%s/environ" % p["pid"]) as f:
                t.ok("PATH=" not in f.read(), "%s: no PATH" % p["role"])
    os.kill(d.pid, signal.SIGUSR1)
    t.ok(d.ctl_try("show", "stats") is not None, "SIGUSR1: nothing")
    t.equal(d.stop(), 0, "SIGTERM: exit 0")
    t.ok(not os.path.exists(d.sock), "and the control socket is gone")
    t.ok(d.log.wait("stopped$"), "and the log says so")

    # The parent dies: the socket stays, the next start removes it.
    d.start()
    d.die()
    t.ok(True, "the parent dies: everyone else ends")
    t.ok(os.path.exists(d.sock), "its socket is left")
    d.start()
    t.ok(True, "a stale control socket is replaced")
    t.equal(d.stop(signal.SIGINT), 0, "SIGINT: exit 0")

# Without root

if os.geteuid() == 0:
    home = os.path.join(top, "home")
    os.mkdir(home)
    shutil.copytree(os.path.join(BUILD, "libexec"),
                    os.path.join(home, "libexec"))
    shutil.copy(RELAYD, home)
    shutil.copy(secret, home)
    for where, dirs, files in os.walk(home):
        for name in [where] + [os.path.join(where, f) for f in files]:
            os.chown(name, 65534, 65534)
    port = free_port()
    conf = write("home/relayd.conf", config(port).replace(top, home), 0o644)
    p = subprocess.Popen([os.path.join(home, "relayd"), "-d", "-f", conf,
                          "-L", os.path.join(home, "libexec")],
                         stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         preexec_fn=nobody)
    log = Lines(p.stderr)
    log.wait(r"ready: ")
    t.ok(log.wait("not root: off are users of their own"),
         "without root it starts, and says what is skipped")
    ctl = os.path.join(BUILD, "bin", "relayctl")
    r = subprocess.run([ctl, "-s", os.path.join(home, "control.sock"), "show",
                        "processes"], stdout=subprocess.PIPE, text=True,
                       timeout=WAIT)
    t.ok(r.returncode == 0 and "seccomp" in r.stdout and
         "chroot" not in r.stdout, "the rest of the sandbox applies")
    r = subprocess.run([ctl, "-s", os.path.join(home, "control.sock"),
                        "show", "stats"], stdout=subprocess.PIPE, text=True,
                       timeout=WAIT)
    t.ok("up" in r.stdout, "and the store is open")
    p.send_signal(signal.SIGTERM)
    t.equal(p.wait(WAIT), 0, "and it stops")

    # In the background "/" is where it is: relative names still hold.
    sock = os.path.join(home, "control.sock")
    t.equal(subprocess.run(
        ["./relayd", "-f", "relayd.conf", "-L", "libexec"], cwd=home,
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=nobody, timeout=WAIT).returncode, 0,
        "without -d it goes into the background")

    def ask(*words):
        return subprocess.run([ctl, "-s", sock, "-j", *words],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=WAIT)
    t.ok(until(lambda: ask("reload").returncode == 0, "a reload"),
         "its file is found again from there")
    os.kill(next(int(p["pid"]) for p in
                 json.loads(ask("show", "processes").stdout)
                 if p["role"] == "parent"), signal.SIGTERM)
    t.ok(until(lambda: not os.path.exists(sock), "the end"),
         "and it stops, too")

shutil.rmtree(top, ignore_errors=True)
t.done()
