#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The terminal of tunnel-client: frames, sizes, what the shell finds, and how
it ends."""

import os
import pwd
import re
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import KEY, SECRET, Client
from harness import BUILD, Tap, until
from process import lives
from tunnelserver import Server

t = Tap()
HIDDEN = {"DATABASE_URL": "hidden-database", "REDIS_ADDR": "127.9.9.9:1",
          "REDIS_PASSWORD": "hidden-password", "REDIS_URL": "hidden-redis",
          "SUPPORT_INTERNAL_SECRET": "hidden-internal",
          "SOMETHING_ELSE": "hidden-else"}


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(x) for x in f.read().split()]


def open_shell(u):
    st = u.open(b"CONNECT terminal\n")
    line = st.line()
    # An interactive shell may echo what is typed: marks are computed.
    st.term_send(b"PS1= PS2=; stty -echo; echo up-$((40+2))\r")
    st.term_until(b"up-42")
    return st, line


def run(st, command):
    """Output of one command."""
    st.term_send(command + b"; echo end-$((40+2))\r")
    return st.term_until(b"end-42").split(b"end-42")[0].decode("utf-8",
                                                               "replace")


with Server() as s, tempfile.TemporaryDirectory("hidden-config") as hidden:
    config = os.path.join(hidden, "file")
    open(config, "w").close()
    c = Client(s, env=dict(HIDDEN, LANG="C.UTF-8", SHELL="/bin/sh",
                           HOME="/nonexistent", TUNNEL_CONFIG=config))
    u = s.tunnel()
    u.document(b'{"version"')
    st = u.open(b"CONNECT terminal\n")
    t.equal(st.line(), b"OK\n", "a terminal opens")
    st.term_send(b'{"cols":91,"rows":33}', 1)
    st.term_send(b"PS1= PS2=; stty -echo; stty size; echo up-$((40+2))\r")
    got = st.term_until(b"up-42")
    line43 = [b"33 91" in got]
    t.ok(line43[0], "tunnel-43(partial): a resize reaches the pty")
    for bad in b'{"cols":0,"rows":5}', b"nonsense", b'{"cols":"a"}', b"":
        st.term_send(bad, 1)
    st.term_send(b"x", 2)
    st.term_send(b"x", 77)
    st.send(struct.pack(">I", 0))
    t.match(run(st, b"stty size"), "33 91", "sizes that make no sense, "
            "unknown types and empty frames are passed over")
    st.term_send(b'{"cols":65616,"rows":24}', 1)
    t.match(run(st, b"stty size"), "24 1000", "more than 1000 columns are 1000")

    me = pwd.getpwuid(os.geteuid())
    env = run(st, b"env")
    t.match(env, "(?m)^TERM=xterm-256color\r?$", "TERM")
    t.match(env, "(?m)^HOME=%s\r?$" % re.escape(me.pw_dir),
            "HOME is that of the passwd entry")
    t.match(run(st, b"pwd"), re.escape(me.pw_dir) if
            os.path.isdir(me.pw_dir) else "/", "and the directory too")
    t.match(env, "(?m)^LANG=C.UTF-8\r?$", "the language is kept")
    t.match(run(st, b"echo $0 $-"), "/bin/sh", "the shell is $SHELL")
    t.match(run(st, b"ps -o args= -p $$ || tr '\\0' ' ' </proc/$$/cmdline"),
            "/bin/sh -l", "a login shell")
    t.match(run(st, b"tty"), "/dev/pts/", "on a terminal of its own")
    fds = run(st, b"ls /proc/self/fd")
    t.equal(fds.split(), ["0", "1", "2", "3"], "no descriptor of ours (3 is "
            "ls's own)")

    look = (b"tr '\\0' '\\n' </proc/$$/environ; tr '\\0' '\\n' "
            b"</proc/$PPID/environ; tr '\\0' '\\n' </proc/$PPID/cmdline")
    seen = env + run(st, look)
    secrets = [KEY, SECRET, SECRET.split(".")[1], "/api/tunnel"] + \
        list(HIDDEN.values())[:-1] + ["hidden-config"]
    t.equal([x for x in secrets if x in seen], [],
            "tunnel-44: no secret in the shell's environment, its parent's, "
            "or its parent's command line")
    t.ok("hidden-else" not in env, "nor anything that is not allowed")

    # ---- bulk ----
    st.term_send(b"head -c 3000000 /dev/zero | tr '\\0' x; echo end-$((40+2))"
                 b"\r")
    out = st.term_until(b"end-42")
    t.equal(out.count(b"x"), 3000000, "3 MB of output arrive")
    line43.append(out.count(b"x") == 3000000)
    st.term_send(b"wc -l <<E; echo end-$((40+2))\r")
    for i in range(200):
        st.term_send(b"0123456789\r")
    st.term_send(b"E\r")
    line43.append(b"200" in st.term_until(b"end-42"))
    t.ok(line43[-1], "200 typed lines arrive")

    # ---- ends ----
    st.term_send(b"exit 3\r")
    st.rest()
    t.equal((st.fin, st.rst), (True, False), "the shell's end is a FIN")

    st, _ = open_shell(u)
    pid = int(run(st, b"echo $$"))
    st.term_send(b"sleep 1000\r")
    job = until(lambda: children(pid), "the job")[0]
    t.ok(lives(pid) and lives(job), "a shell and what it runs")
    st.fin_send()
    until(lambda: not lives(pid), "the shell's end")
    t.ok(True, "a FIN of the server ends the shell")
    until(lambda: not lives(job), "the job's end")
    t.ok(True, "and what it runs")

    st, _ = open_shell(u)
    pid = int(run(st, b"trap '' HUP; echo $$"))
    st.reset()
    until(lambda: not lives(pid), "the shell's end")
    t.ok(True, "a reset ends it, even if it does not listen")

    st, _ = open_shell(u)
    other, _ = open_shell(u)
    st.send(struct.pack(">I", 1048577) + b"\0")
    st.rest()
    t.ok(st.rst or st.fin, "tunnel-43(partial): a frame of 1 MiB + 1 ends "
         "the terminal")
    line43 += [st.rst or st.fin, "still" in run(other, b"echo still")]
    t.equal(line43, [True] * 5, "tunnel-43: frames both ways and sizes come "
            "through, and one over the limit costs that terminal only")
    pid = int(run(other, b"echo $$"))
    st = u.open(b"CONNECT terminal\n")
    st.line()
    st.send(struct.pack(">I", 1048576) + b"\2" + b"x" * 1048575)
    st.term_send(b"PS1= PS2=; stty -echo; echo up-$((40+2))\r")
    t.ok(b"up-42" in st.term_until(b"up-42"), "a frame of 1 MiB is taken")
    u.drop()
    until(lambda: not lives(pid), "the shells' end")
    t.ok(True, "a lost tunnel ends the shells")
    u = s.tunnel()
    u.document(b'{"version"')

    # Typed before OK, then FIN: the line runs all the same or not at all,
    # but nothing hangs.
    st = u.open(b"CONNECT terminal\n")
    st.term_send(b"exit\r")
    st.rest()
    t.ok(st.fin, "keys in the flight of the first line")
    st, _ = open_shell(u)
    pid = int(run(st, b"echo $$"))
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    t.ok(not lives(pid), "no shell outlives the client")
    c.clean(t)

# ---- a shell that cannot be ----

with Server() as s, tempfile.TemporaryDirectory() as d:
    bad = os.path.join(d, "shell")
    with open(bad, "wb") as f:
        f.write(b"\x7fELF is not enough")
    os.chmod(bad, 0o755)
    c = Client(s, env={"SHELL": bad})
    u = s.tunnel()
    u.document(b'{"version"')
    t.match(u.open(b"CONNECT terminal\n").rest().decode(),
            "^ERROR terminal: .*\n$", "a shell that does not start: ERROR, "
            "no OK")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

# ---- started without descriptors 0 to 2 ----

with Server() as s, tempfile.TemporaryDirectory() as d:
    os.mkdir(os.path.join(d, "bin"))
    script = os.path.join(d, "bin", "tunnel-client")
    with open(script, "w") as f:
        f.write("#!/bin/sh\nexec %s/bin/tunnel-client \"$@\" "
                "<&- >&- 2>&-\n" % BUILD)
    os.chmod(script, 0o755)
    c = Client(s, env={"SHELL": "/bin/sh"}, build=d)
    u = s.tunnel()
    u.document(b'{"version"')
    try:
        t.equal([os.readlink("/proc/%d/fd/%d" % (c.p.pid, i))
                 for i in range(3)], ["/dev/null"] * 3,
                "what it was not given leads nowhere")
    except PermissionError:
        t.skip("not root", "what it was not given leads nowhere")
    st, line = open_shell(u)
    t.equal(line, b"OK\n", "and a terminal opens")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")

# ---- who comes and goes, and whom nobody lets in ----

with Server() as s:
    c = Client(s, env={"SHELL": "/bin/sh"})
    u = s.tunnel()
    u.document(b'{"version"')
    st, line = open_shell(u)
    c.err.wait(r"info .*stream %d: terminal opened" % st.id)
    st.term_send(b"exit 7\r")
    t.ok(b"exit" not in st.rest(), "a server that has not asked how a shell "
         "ends is not told")
    c.err.wait(r"info .*stream %d: terminal ended" % st.id)
    st, line = open_shell(u)
    st.reset()
    c.err.wait(r"info .*stream %d: terminal ended" % st.id)
    t.ok(True, "the log says when a terminal is opened and when it ends")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)

with Server() as s:
    c = Client(s, "--no-terminal", env={"SHELL": "/bin/sh"})
    u = s.tunnel()
    u.document(b'{"version"')
    st = u.open(b"CONNECT terminal\n")
    t.equal((st.rest(), st.fin), (b"ERROR terminal: the customer gives no "
                                  b"terminal\n", True),
            "--no-terminal: an error that says so")
    t.equal(children(c.pid), [], "and no shell")
    t.ok(c.err.wait("terminal: refused, as configured"), "and a line")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)
t.done()
