#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayctl doctor: each setting one below what is needed, and at it; a file of
others, engines that are not there, a kernel without a layer, a clock that nobody
sets; and a daemon that runs."""

import contextlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import postgres
from certs import Authority
from harness import BUILD, FAST_BUILD, SRC, Relayd, Tap, free_port
from redisserver import PASSWORD, Redis

t = Tap()
SECRET = "x" * 40 + "\n"
# What is looked at, the file, and what stands in it.
NUMBERS = (
    ("file-max", "/proc/sys/fs/file-max", "%d"),
    ("pid_max", "/proc/sys/kernel/pid_max", "%d"),
    ("threads-max", "/proc/sys/kernel/threads-max", "%d"),
    ("somaxconn", "/proc/sys/net/core/somaxconn", "%d"),
    ("conntrack", "/proc/sys/net/netfilter/nf_conntrack_max", "%d"),
)


class Machine:
    """A configuration, and a tree of /proc and /sys that is looked at first."""

    def __init__(self, tmp, extra="", tunnel=""):
        self.root = os.path.join(tmp, "machine")
        shutil.rmtree(self.root, ignore_errors=True)
        self.conf = os.path.join(tmp, "relayd.conf")
        key = os.path.join(tmp, "jwt.secret")
        with open(key, "w") as f:
            f.write(SECRET)
        os.chmod(key, 0o600)
        with open(self.conf, "w") as f:
            f.write('listen on 127.0.0.1 port 1\nmissing users nobody\n'
                    'control socket "%s/control.sock"\n%s\n'
                    'tunnel {\n%s\n}\noperator {\n\tproxy domain "s.test"\n'
                    '\tjwt secret file "%s"\n}\n' % (tmp, extra, tunnel, key))
        os.chmod(self.conf, 0o640)
        if not extra.startswith("store"):
            os.makedirs(tmp + "/store", exist_ok=True)
        self.set("/proc/sys/net/netfilter/nf_conntrack_max", 10 ** 7)
        self.set("/proc/meminfo", "MemTotal: 99999999 kB")

    def set(self, path, text):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w") as f:
            f.write("%s\n" % text)

    def ask(self, *before, build=BUILD, conf=None):
        """Rows by what was looked at, and the exit status."""
        r = subprocess.run(
            [*before, os.path.join(build, "bin", "relayctl"), "-j", "doctor",
             "file", conf or self.conf], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
            env=dict(os.environ, DOCTOR_ROOT=self.root))
        rows = json.loads(r.stdout or "[]")
        # What is wrong with a configuration comes before what that means.
        return dict((x["check"], x) for x in reversed(rows)), r.returncode

    def state(self, check, **kw):
        return self.ask(**kw)[0].get(check, {}).get("state")


def numbers(tmp):
    m = Machine(tmp)
    for check, path, text in NUMBERS:
        needed = int(m.ask()[0][check]["needed"])
        m.set(path, text % (needed - 1))
        rows, status = m.ask()
        t.equal((rows[check]["state"], status), ("wrong", 1),
                "%s: %d are too few" % (check, needed - 1))
        t.match(rows[check]["advice"], str(needed), "which is said: %s" %
                rows[check]["advice"])
        m.set(path, text % needed)
        t.equal(m.state(check), "ok", "and %d are enough" % needed)


def more_tunnels(tmp):
    few = Machine(tmp, tunnel="max tunnels 100").ask()[0]
    many = Machine(tmp, tunnel="max tunnels 2000").ask()[0]
    for check, each in ("open files", 2), ("pid_max", 1), ("file-max", 18):
        t.equal(int(many[check]["needed"]) - int(few[check]["needed"]),
                1900 * each, "%s: %d for a tunnel" % (check, each))
    m = Machine(tmp, tunnel="max tunnels 100")
    needed = int(m.ask()[0]["memory, MiB"]["needed"])
    m.set("/proc/meminfo", "MemTotal: %d kB" % (needed * 1024 - 1))
    t.equal(m.state("memory, MiB"), "wrong", "memory for them")
    m.set("/proc/meminfo", "MemTotal: %d kB" % (needed * 1024))
    t.equal(m.state("memory, MiB"), "ok", "is there")
    m.set("/proc/sys/vm/overcommit_memory", 2)
    t.equal(m.state("overcommit"), "warning", "and may be reserved")
    m.set("/proc/sys/net/ipv4/tcp_max_syn_backlog", 1023)
    t.equal(m.state("tcp_max_syn_backlog"), "warning", "a short queue")
    t.ok("ports of the proxy" not in m.ask()[0], "no proxy here")
    m = Machine(tmp, "trusted proxy 127.0.0.0/8", "max tunnels 2000")
    m.set("/proc/sys/net/ipv4/ip_local_port_range", "10000\t12998")
    t.equal(m.state("ports of the proxy"), "wrong", "one port too few for it")
    m.set("/proc/sys/net/ipv4/ip_local_port_range", "10000\t12999")
    t.equal(m.state("ports of the proxy"), "ok", "and as many as it takes")


def manual(tmp):
    """relayd(8), SCALING, has the numbers of 10,000 tunnels."""
    rows = Machine(tmp, "trusted proxy 127.0.0.1/32",
                   "max tunnels 10000").ask()[0]
    with open(os.path.join(SRC, "man", "relayd.8")) as f:
        text = f.read().split(".Sh SCALING")[1].split(".Sh SIGNALS")[0]
    for word, check in (
            ("LimitNOFILE", "open files"), ("kernel.pid_max", "pid_max"),
            ("kernel.threads-max", "threads-max"),
            ("fs.file-max", "file-max"), ("net.core.somaxconn", "somaxconn"),
            ("nf_conntrack_max", "conntrack"),
            ("ip_local_port_range", "ports of the proxy")):
        said = re.search(r"(?m)^\.It Li .*\b%s Ta ([\d,]+)" % re.escape(word),
                         text).group(1)
        t.equal(said.replace(",", ""), rows[check]["needed"],
                "the manual says " + word)


def configuration(tmp):
    m = Machine(tmp)
    for mode, state in ((0o640, "ok"), (0o664, "wrong"), (0o642, "wrong"),
                        (0o600, "ok")):
        os.chmod(m.conf, mode)
        t.equal(m.state("its owner and mode"), state, "mode %o" % mode)
    if os.getuid() == 0:
        os.chown(m.conf, 1, 1)
        t.equal(m.state("its owner and mode"), "wrong", "another's file")
        os.chown(m.conf, 0, 0)
    os.chmod(os.path.join(tmp, "jwt.secret"), 0o644)
    rows, status = m.ask()
    t.equal((rows["configuration"]["state"], status), ("wrong", 1),
            "a key that others read")
    t.match(rows["configuration"]["advice"], "chmod 600", "is said")
    with open(m.conf, "a") as f:
        f.write("no such word\n")
    rows, status = m.ask()
    t.match(rows["configuration"]["advice"], r"relayd\.conf:\d+: ",
            "what is wrong with a file, and where")
    t.equal((rows["configuration"]["state"], status), ("wrong", 1),
            "it does not start")
    t.equal(m.ask(conf=tmp + "/none")[1], 1, "nor from no file")


def engines(tmp):
    port = free_port()
    m = Machine(tmp, 'store postgresql "host=127.0.0.1 port=%d dbname=r '
                'user=r" directory "%s/store"\n'
                'redis "redis://127.0.0.1:%d"' % (port, tmp, port))
    rows, status = m.ask()
    for name in "PostgreSQL", "Redis":
        t.equal((rows[name]["state"], status), ("wrong", 1),
                "%s is not there: %s" % (name, rows[name]["found"]))
    with socket.create_server(("127.0.0.1", port)):
        rows = m.ask()[0]
        t.equal((rows["Redis"]["state"], rows["Redis"]["found"]),
                ("wrong", "no answer"), "nobody at Redis's")
        t.equal(rows["PostgreSQL"]["state"], "wrong", "nobody at PostgreSQL's")
        t.match(rows["PostgreSQL"]["advice"], "no answer within", "says a word")
    pg = tmp + "/store/pg"
    os.makedirs(pg)
    m = Machine(tmp, 'store postgresql "host=%s port=%d dbname=r user=r" '
                'directory "%s/store"' % (pg, port, tmp))
    t.equal(m.state("PostgreSQL"), "wrong", "no socket of it, either")
    m = Machine(tmp, 'store sqlite "%s/store/relayd.db" max 1024G' % tmp)
    t.equal(m.state("disk of the store, MiB"), "warning",
            "a store that may outgrow its disk")
    m = Machine(tmp, 'store sqlite "%s/store/relayd.db" max 1M' % tmp)
    t.equal(m.state("disk of the store, MiB"), "ok", "and one that does not")


def logins(tmp):
    """The server says no: its words; it is asked with all that authd has."""
    if postgres.programs() is None:
        t.ok(True, "# SKIP no PostgreSQL is installed")
        return
    server = postgres.server()
    server.sql("CREATE ROLE guarded LOGIN PASSWORD 'right'", "postgres")
    server.rules("host all guarded 127.0.0.1/32 scram-sha-256",
                 "hostssl all tlsonly 127.0.0.1/32 trust",
                 "hostnossl all tlsonly 127.0.0.1/32 reject")
    password = os.path.join(tmp, "pw")

    def machine(user, more=""):
        return Machine(tmp, 'store postgresql "host=127.0.0.1 port=%d '
                       'dbname=postgres user=%s" directory "%s/store" %s' % (
                           server.port, user, tmp, more))

    def secret(text, mode=0o600):
        with open(password, "w") as f:
            f.write(text)
        os.chmod(password, mode)

    m = machine("guarded", 'password file "%s"' % password)
    secret("right\n")
    row = m.ask()[0]["PostgreSQL"]
    t.equal((row["state"], row["found"]), ("ok", "lets us in"), "a password")
    secret("wrong\n")
    r, status = m.ask()
    row = r["PostgreSQL"]
    t.equal((row["state"], row["found"], status), ("wrong", "no login", 1),
            "a wrong one")
    t.match(row["advice"], 'password authentication failed for user "guarded"',
            "what the server said")
    t.ok("wrong" not in row["advice"], "and not what it was told")
    secret("right\n", 0o644)
    t.equal(m.ask()[0]["PostgreSQL"]["state"], "warning",
            "one that others can read is not sent")
    row = machine("guarded").ask()[0]["PostgreSQL"]
    t.match(row["advice"], "no password supplied", "none")
    row = machine("nobody-of-theirs").ask()[0]["PostgreSQL"]
    t.match(row["advice"], 'role "nobody-of-theirs" does not exist',
            "somebody whom it does not know")
    t.equal(machine(postgres.USER).state("PostgreSQL"), "ok", "one whom it "
            "asks for nothing")
    for x in "ca", "other":
        os.mkdir(os.path.join(tmp, x))
    ca, other = (Authority(os.path.join(tmp, x)) for x in ("ca", "other"))
    server.sql("CREATE ROLE tlsonly LOGIN", "postgres")
    server.use_tls(*ca.make("server", ["IP:127.0.0.1"]))
    os.chmod(ca.file, 0o600)    # of root's, whom authd is not
    row = machine("tlsonly", 'ca file "%s"' % ca.file).ask()[0]["PostgreSQL"]
    t.equal((row["state"], row["advice"]), ("ok", ""), "with TLS")
    row = machine("tlsonly", 'ca file "%s"' % other.file).ask()[0][
        "PostgreSQL"]
    t.match(row["advice"], "certificate verify failed", "a stranger's")
    row = machine("tlsonly").ask()[0]["PostgreSQL"]
    t.match(row["advice"], "pg_hba.conf rejects", "without")
    by_socket(tmp, server)


def redis(tmp):
    """Redis says no, somebody else answers: it is asked what authd asks."""
    password = os.path.join(tmp, "redis-pw")

    def row(port, user="", number=2, more=' password file "%s"' % password):
        return Machine(tmp, 'redis "redis://%s127.0.0.1:%d/%d"%s' % (
            user, port, number, more)).ask()[0]["Redis"]

    def secret(text, mode=0o600):
        with open(password, "w") as f:
            f.write(text + "\n")
        os.chmod(password, mode)

    with Redis() as r:
        r.say("ACL", "SETUSER", "relayd", "on", ">of-the-user", "+select",
              "+ping")
        r.say("ACL", "SETUSER", "mute", "on", ">of-the-user", "+select")
        secret(PASSWORD)
        got = row(r.port)
        t.equal((got["state"], got["found"], got["advice"]),
                ("ok", "lets us in", ""), "Redis, with a password")
        got = row(r.port, number=1000)
        t.equal(got["state"], "wrong", "a database that there is not")
        t.match(got["advice"], "DB index is out of range", "is said")
        secret("guessed")
        got = row(r.port)
        t.equal((got["state"], got["found"]), ("wrong", "no login"),
                "a wrong one")
        t.match(got["advice"], "WRONGPASS", "what it said")
        t.ok("guessed" not in str(got), "and not what it was told")
        t.match(row(r.port, more="")["advice"], "NOAUTH", "none")
        secret("of-the-user")
        t.equal(row(r.port, "relayd@")["state"], "ok", "as a user")
        t.match(row(r.port, "mute@")["advice"], "NOPERM", "who may not ask")
        secret(PASSWORD, 0o644)
        t.equal(row(r.port)["state"], "warning",
                "one that others can read is not sent")
        secret(PASSWORD)
        r.hang()
        t.equal(row(r.port)["found"], "no answer", "one that stands still")
        r.go_on()
    with socket.create_server(("127.0.0.1", 0)) as s:
        def answers(text):
            def one():
                with contextlib.suppress(OSError), s.accept()[0] as k:
                    k.sendall(text)
                    while k.recv(4096):
                        pass
            th = threading.Thread(target=one, daemon=True)
            th.start()
            got = row(s.getsockname()[1])
            th.join()
            return got["state"], got["found"]
        t.equal([answers(x) for x in (b"SSH-2.0-x\r\n", b"x" * 4096, b"+OK")],
                [("wrong", "another answer"), ("wrong", "no answer"),
                 ("wrong", "no answer")], "and who is none")


def by_socket(tmp, server):
    """Where the server asks the kernel who it is, that is authd's user."""
    who = pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        names = [x.pw_name for x in pwd.getpwall()]
        who = "_relayauth" if "_relayauth" in names else "nobody"
    at = tmp + "/store/pg"
    if server.user:
        shutil.chown(at, server.user)
    server.rules('local all "%s" peer' % who)
    server.sql('CREATE ROLE "%s" LOGIN' % who, "postgres")
    server.listen_at(at)
    m = Machine(tmp, 'store postgresql "host=%s port=%d dbname=postgres '
                'user=%s" directory "%s/store"' % (at, server.port, who, tmp))
    t.equal(m.state("PostgreSQL"), "ok", "by a socket, as %s" % who)
    m = Machine(tmp, 'store postgresql "host=%s port=%d dbname=postgres '
                'user=guarded" directory "%s/store"' % (at, server.port, tmp))
    server.rules("local all guarded peer")
    t.match(m.ask()[0]["PostgreSQL"]["advice"], "(?i)peer authentication "
            "failed", "and as nobody else")
    server.listen_at("")


def unset(tmp):
    """Of a max tunnels that nobody has set the start takes what fits."""
    m = Machine(tmp, tunnel="max tunnels 2000")
    needed = int(m.ask()[0]["open files"]["needed"])
    few = ["prlimit", "--nofile=%d" % (needed - 1), *(
        ["setpriv", "--bounding-set=-sys_resource", "--inh-caps="
         "-sys_resource", "--"] if os.getuid() == 0 else [])]
    row = m.ask(*few)[0]["open files"]
    t.equal((row["state"], row["found"]), ("wrong", str(needed - 1)),
            "too few for a max tunnels that is set")
    m = Machine(tmp)
    row = m.ask(*few)[0]["open files"]
    t.equal(row["state"], "warning", "one that is not set is less then")
    t.match(row["advice"], "max tunnels is not set: 1999 fit, not 10000",
            "how many")
    few[1] = "--nofile=64"
    row = m.ask(*few)[0]["open files"]
    t.equal(row["state"], "wrong", "and where none fits it does not start")


def injected(m, call, what, check):
    rows, status = m.ask("strace", "-f", "-qq", "-o", "/dev/null", "-e",
                         "inject=%s:%s" % (call, what), build=FAST_BUILD)
    return rows[check]["state"], status


def kernel(tmp):
    m = Machine(tmp, tunnel="max tunnels 100")
    sync = injected(m, "adjtimex,clock_adjtime", "retval=0", "clock")
    t.equal(sync[0], "ok", "a clock that is set")
    t.equal(injected(m, "adjtimex,clock_adjtime", "retval=5", "clock"), ("warning", 4),
            "a clock that nobody sets is a warning, and the exit status 4")
    t.equal(injected(m, "landlock_create_ruleset", "error=ENOSYS",
                     "Landlock")[0], "warning", "no Landlock")
    t.equal(injected(m, "seccomp", "error=EINVAL", "seccomp")[0], "warning",
            "no filter of system calls")


def running(tmp):
    with Relayd(t) as d:
        m = Machine(tmp)
        rows = m.ask(conf=d.conf)[0]
        t.equal(rows["relayd"]["found"], "running", "the one that runs")
        with open("/proc/%d/limits" % d.pid) as f:
            files = [x.split()[3] for x in f if x.startswith("Max open f")][0]
        t.equal(rows["open files"]["found"], files, "its limit, not ours")
        needed = int(rows["open files"]["needed"])
        m.set("/proc/%d/limits" % d.pid, "Max open files   %d  %d files\n"
              "Max processes  %d 9 processes" % (needed - 1, needed, 100))
        rows, status = m.ask(conf=d.conf)
        t.equal((rows["open files"]["state"], status), ("warning", 1),
                "one too few for a max tunnels that is not set")
        t.equal(rows["LimitNPROC"]["state"], "wrong", "and processes")
        m.set("/proc/%d/cgroup" % d.pid, "0::/system.slice/relayd.service")
        m.set("/sys/fs/cgroup/system.slice/relayd.service/pids.max", "max")
        t.equal(m.ask(conf=d.conf)[0]["TasksMax"]["state"], "ok",
                "a unit without a limit of tasks")
        m.set("/sys/fs/cgroup/system.slice/pids.max", "4915")
        rows = m.ask(conf=d.conf)[0]["TasksMax"]
        t.equal((rows["state"], rows["found"]), ("wrong", "4915"),
                "that of the slice counts")
        m.set("/sys/fs/cgroup/system.slice/memory.max", str(64 << 20))
        rows = m.ask(conf=d.conf)[0]["memory, MiB"]
        t.equal((rows["state"], rows["found"]), ("wrong", "64"),
                "and its memory")
        m.set("/proc/%d/cgroup" % d.pid, "8:pids:/relayd.service\n"
              "4:memory:/relayd.service\n0::/relayd.service")
        m.set("/sys/fs/cgroup/pids/relayd.service/pids.max", "4914")
        m.set("/sys/fs/cgroup/memory/relayd.service/memory.limit_in_bytes",
              str(65 << 20))
        rows = m.ask(conf=d.conf)[0]
        t.equal([rows[x]["found"] for x in ("TasksMax", "memory, MiB")],
                ["4914", "65"], "cgroups of version 1, too")


with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    for f in (numbers, more_tunnels, manual, configuration,
              unset, engines, logins, redis, kernel, running):
        f(tmp)
    r = subprocess.run([os.path.join(BUILD, "bin", "relayctl"), "doctor",
                        "patient"], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    t.equal(r.returncode, 2, "a wrong command line is 2")
t.done()
