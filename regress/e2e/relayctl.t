#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayctl and the control worker: every command, both outputs, exit codes,
clients that misbehave."""

import fcntl
import json
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import termios

from harness import BUILD, WAIT, GoClient, Relayd, Tap, Targets, until

t = Tap()
CTL = os.path.join(BUILD, "bin", "relayctl")
ELSEWHERE = ("no token of this id was made here, or it has expired; one from "
             "elsewhere is refused from now on")
CTL_VERSION = 4


def table(name, pattern):
    """The rows of one of the lists of which relayd is made."""
    from harness import SRC
    with open(os.path.join(SRC, "common", *name.split("/"))) as f:
        return re.findall(pattern, f.read(), re.M)


MSG = {name: i + 1 for i, name in
       enumerate(table("imsg/msg.def", r"^[ME]\((?!TEST_NEXT)(\w+)"))}
COMMANDS = table("ctl/ctl.def", r'^[CT]\((\w+), \w+,\s+"([^"]*)"')
OP = {name: i + 1 for i, (name, _) in enumerate(COMMANDS)}
STATS, CLOSE = OP["SHOW_STATS"], OP["CLOSE"]
SHOW_S = [x.split()[1] for _, x in COMMANDS if x.startswith("show s")]
STANDING = [name for name, many in
            table("proc/roles.def", r'^R\(\w+, (\w+), (?:"\w+"|NULL), \w+, '
                 r"(\w+),") if many in ("ONE", "PROXYDS")]


def client(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(WAIT)
    s.connect(path)
    return s


def ctl_bytes(op, *words, version=CTL_VERSION, id=1, tail=b""):
    b = struct.pack("=IIIHBIB", MSG["CTL"], id, version, op, 0, 0, len(words))
    for w in words:
        b += struct.pack("=I", len(w)) + w.encode() + b"\0"
    return b + tail


def done(s):
    """(code, text) of the last word of an answer; None at the end."""
    while True:
        b = s.recv(65536)
        if not b:
            return None
        if struct.unpack("=I", b[:4])[0] == MSG["CTL_DONE"]:
            code, n = struct.unpack("=HI", b[8:14])
            return code, b[14:14 + n].decode()


def screen(master, want):
    """What comes on a terminal, up to `want`."""
    out = b""
    while want not in out:
        try:
            out += os.read(master, 65536)
        except OSError:
            break
    return out


def on_screen(d, *words):
    """The lines that relayctl writes to a terminal of 80 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    p = subprocess.Popen([CTL, "-s", d.sock, *words], stdout=slave,
                         stdin=subprocess.DEVNULL)
    os.close(slave)
    out = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.close(master)
    p.wait(WAIT)
    return out.decode().replace("\r\n", "\n").splitlines()


def plain(*words):
    return subprocess.run([CTL, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True, timeout=WAIT)


# Without a daemon

r = plain("-s", "/nonexistent/x", "show", "stats")
t.equal(r.returncode, 3, "no daemon: exit 3")
t.match(r.stderr, "is relayd running", "and a hint")
r = plain("bogus")
t.equal(r.returncode, 2, "a wrong command: exit 2")
t.match(r.stderr, 'unknown word "bogus"; expected show, close', "what is not")
t.equal(plain().returncode, 2, "no command: exit 2")
r = plain("-h")
t.ok(r.returncode == 0 and "token create user <user>" in r.stdout,
     "-h prints the commands")
r = plain("completion", "bash")
t.match(r.stdout, "complete -F _relayctl relayctl", "completion for bash")
r = subprocess.run(["bash", "-c", """
eval "$(%s completion bash)"
COMP_WORDS=(%s -js /a/socket show s); COMP_CWORD=4
_relayctl %s
echo "${COMPREPLY[@]}"
""" % (CTL, CTL, CTL)], stdout=subprocess.PIPE, text=True, timeout=WAIT)
t.equal(r.stdout.split(), SHOW_S, "which completes")

for shell, script in (("zsh", """
autoload -U compinit; compinit -u -D
eval "$(%s completion zsh)"
compadd() { shift; print -l -- "$@"; }
words=(%s -js /a/socket show s); CURRENT=5
_relayctl
"""), ("fish", """
%s completion fish | source
complete -C "%s -js /a/socket show s"
""")):
    if shutil.which(shell) is None:
        t.skip("no " + shell, "completion for " + shell)
        continue
    with tempfile.TemporaryDirectory() as home:
        env = dict(os.environ, HOME=home, PATH=os.path.dirname(CTL) + ":" +
                   os.environ["PATH"])
        r = subprocess.run([shell, "-c", script % (("relayctl",) * 2)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=WAIT, env=env)
    t.equal(sorted(r.stdout.split()), sorted(SHOW_S),
            "completion for " + shell)
    if r.stderr:
        t.diag(r.stderr)

with Targets() as targets, Relayd(t) as d:
    # systems, organizations, tokens
    r = d.ctl_raw("system", "add", "box \u202e\u00e9")
    t.ok(r.returncode == 1 and "bad name" in r.stderr,
         "a name that turns the direction of the line is refused")
    row = d.ctl("system", "add", "box")[0]
    # From a store that is older than this rule.
    d.rows("UPDATE systems SET name = ?", "box \u202e\u00e9")
    t.match(row["key"], r"^NETH(-[0-9A-F]{4}){8}$", "system add: a key")
    t.match(row["secret"], r"^my_[0-9a-f]{20}\.[0-9a-f]{40}$",
            "system add: a secret")
    rows = d.ctl("system", "list")
    t.equal([x["name"] for x in rows], ["box \u202e\u00e9"],
            "system list, as JSON: the name as it is")
    r = d.ctl_raw("-j", "system", "list")
    t.ok("box \\u202e\u00e9" in r.stdout and "\u202e" not in r.stdout,
         "said so that it turns nothing")
    r = d.ctl_raw("system", "list")
    t.ok("\u202e" not in r.stdout and
         "box \\xe2\\x80\\xae\u00e9 " in r.stdout,
         "as a table: made harmless")
    t.match(r.stdout, r"^ID +KEY +NAME ", "one header")
    org = d.ctl("org", "add", "ACME", "type", "customer")[0]["id"]
    t.equal([x["name"] for x in d.ctl("org", "list")], ["ACME"], "org list")
    d.ctl("system", "add", "second", "org", org)
    t.ok(any(x["organization"] in (org, "ACME")
             for x in d.ctl("system", "list")), "a system of that one")
    r = d.ctl_raw("org", "add", "ACME", "type", "reseller")
    t.ok(r.returncode == 1 and "another organization has this name; -f" in
         r.stderr, "a second organization of one name is refused")
    twin = d.ctl("-f", "org", "add", "ACME", "type", "reseller")[0]["id"]
    t.equal([x["name"] for x in d.ctl("org", "list")], ["ACME", "ACME"],
            "but not with -f")
    d.ctl("org", "remove", twin)
    for words in (("org", "remove", "ACME"),
                  ("system", "add", "third", "org", "ACME"),
                  ("org", "add", "B", "type", "customer", "parent", "ACME")):
        r = d.ctl_raw(*words)
        t.ok(r.returncode == 1 and "no organization has this id; org list has "
             "them all" in r.stderr, "%s: by the name" % " ".join(words))
    r = d.ctl_raw("org", "add", "B", "type", "nonsense")
    t.equal(r.returncode, 1, "a wrong type of organization: exit 1")
    t.match(r.stderr, "^relayctl: refused: .", "with a reason")
    token = d.ctl("token", "create", "user", "alice", "lifetime", "1h")
    t.equal(token[0]["token"].count("."), 2, "token create")
    t.ok(not d.log.has(re.escape(token[0]["token"])) and
         not d.log.has(re.escape(row["secret"])), "no secret in the log")
    made = d.ctl("token", "list")
    t.equal([(x["user"], x["role"], x["revoked"]) for x in made],
            [("alice", "owner", "no")], "token list")
    d.ctl("token", "revoke", made[0]["id"], "reason", "lost")
    t.equal([x["revoked"] for x in d.ctl("token", "list")], ["yes"],
            "token revoke")
    # The audit log
    rows = d.ctl("show", "audit")
    t.equal([(x["action"], x["outcome"], x["count"]) for x in rows][-2:],
            [("token_create", "done", "1"), ("token_revoke", "done", "1")],
            "show audit: what was done")
    t.match(rows[-1]["time"], r"^20\d\d-.*Z$", "and when")
    t.equal(d.ctl("show", "audit", "after", rows[-2]["event"]),
            rows[-1:], "after an event")
    t.equal(d.ctl("show", "audit", "after", rows[-1]["event"]), [],
            "after the last one nothing")
    r = d.ctl_raw("show", "audit", "after", "x")
    t.ok(r.returncode == 1 and "not a number" in r.stderr,
         "which is a number")
    p = subprocess.Popen([CTL, "-s", d.sock, "-f", "show", "audit"],
                         stdout=subprocess.PIPE, text=True)
    heads = [p.stdout.readline().split() for _ in range(len(rows) + 1)]
    t.equal((heads[0][0], heads[-1][0]), ("EVENT", rows[-1]["event"]),
            "-f: what is there")
    d.ctl("token", "revoke", "nobody's", "reason", "two words")
    line = p.stdout.readline()
    t.match(line, r"^%d +20\S+ +token_revoke +done " %
            (int(rows[-1]["event"]) + 1), "then what comes, without a header")
    p.terminate()
    p.wait(WAIT)
    # On a screen that has no room for the numbers of events.
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 50, 0, 0))
    p = subprocess.Popen([CTL, "-s", d.sock, "-f", "show", "audit"],
                         stdout=slave, stderr=slave)
    os.close(slave)
    shown = screen(master, b"two words")
    t.ok(b"EVENT" not in shown and b"refused: " not in shown,
         "-f on a screen: %r" % shown[-200:])
    d.ctl("token", "revoke", "nobody's", "reason", "later")
    t.match(screen(master, b"later").decode(), r"token_revoke +done +uid 0",
            "goes on there, too")
    p.terminate()
    p.wait(WAIT)
    os.close(master)
    for words, out, err in (((), ELSEWHERE + "\n", ""),
                            (("-j",), "[]\n",
                             "relayctl: " + ELSEWHERE + "\n")):
        r = d.ctl_raw(*words, "token", "revoke", "mistyped")
        t.equal((r.returncode, r.stdout, r.stderr), (0, out, err),
                "an id that nobody knows is revoked, with a word")
    r = d.ctl_raw("token", "revoke", made[0]["id"])
    t.equal((r.returncode, r.stdout, r.stderr), (0, "", ""),
            "one that was made here without")
    for words, why in (
            (("role", "guest"), "role: not one of owner"),
            (("permission", "read:nothing"), "permission: nothing needs"),
            (("org", "o" * 300), "org: at most 256 bytes"),
            (("lifetime", "400d"), "lifetime: 1s to 365d")):
        r = d.ctl_raw("token", "create", "user", "eve", *words)
        t.ok(r.returncode == 1 and why in r.stderr,
             "token create: which word is bad: %s" % why)
        r = d.ctl_raw("token", "once", "user", "eve", *words)
        t.ok(r.returncode == 1 and why in r.stderr,
             "token once: the same: %s" % why)
    t.ok(all(d.ctl("-f", "token", "create", "user", "eve", *words)
             for words in (("role", "guest"), ("permission", "read:x"))),
         "-f makes the token all the same")
    r = d.ctl_raw("system", "add", "second")
    t.ok(r.returncode == 1 and "another system has this name" in r.stderr,
         "a second system of the same name is refused")
    d.ctl("system", "disable", "second")
    t.equal([x["enabled"] for x in d.ctl("system", "list")
             if x["name"] == "second"], ["no"], "a system by its name")
    d.ctl("-f", "system", "add", "second")
    r = d.ctl_raw("system", "enable", "second")
    t.ok(r.returncode == 1 and "more than one system" in r.stderr,
         "not where two have it")
    above = d.ctl("org", "add", "Above", "type", "reseller")[0]["id"]
    below = d.ctl("org", "add", "Below", "type", "customer", "parent",
                  above)[0]["id"]
    r = d.ctl_raw("org", "remove", above)
    t.ok(r.returncode == 1 and "parent of others" in r.stderr,
         "org remove of a parent is refused")
    s = d.ctl("system", "add", "one", "org", below)[0]
    r = d.ctl_raw("org", "remove", below)
    t.ok(r.returncode != 0 and "has systems" in r.stderr,
         "so it is of one that has systems")
    d.ctl("system", "remove", s["key"])
    d.ctl("org", "remove", below)
    t.equal(d.ctl_raw("org", "remove", above).returncode, 0,
            "not when those below it have gone")
    d.ctl("system", "disable", row["key"])
    t.equal([x["enabled"] for x in d.ctl("system", "list")
             if x["key"] == row["key"]], ["no"], "system disable, by key")
    d.ctl("system", "enable", row["id"])
    t.equal([x["enabled"] for x in d.ctl("system", "list")
             if x["key"] == row["key"]], ["yes"], "system enable, by id")
    for word, want in ("suspend", "suspended"), ("resume", "yes"):
        d.ctl("system", word, row["key"])
        t.equal([x["enabled"] for x in d.ctl("system", "list")
                 if x["key"] == row["key"]], [want], "system " + word)
    for words in (("system", "remove", "none"), ("close", "none"),
                  ("show", "services", "none"), ("org", "remove", "none")):
        r = d.ctl_raw(*words)
        t.equal((r.returncode, r.stdout), (1, ""),
                "%s of what is not: exit 1" % " ".join(words[:2]))

    # While a tunnel is up
    with GoClient(d, row["key"], row["secret"],
                  "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        s = d.wait_session()
        rows = until(lambda: d.ctl("show", "services", s["session"]),
                     "the service")
        t.equal([(x["name"], x["tcp"]) for x in rows], [("web", "no")],
                "show services")
        t.equal([x["name"] for x in d.ctl(
            "show", "services", s["session"].replace("-", ""))], ["web"],
            "the session may be written without dashes")
        t.equal([x["name"] for x in d.ctl("show", "services",
                                          s["session"][:6])], ["web"],
                "or be cut short")
        r = d.ctl_raw("show", "services", s["session"][:3])
        t.ok(r.returncode == 1 and "no such session" in r.stderr,
             "but not to three characters")
        for words, want in (
                (("close", ""), [s["session"]]),
                (("close", s["session"][:5]), [s["session"]]),
                (("close", "no"), []),
                (("-j", "system", "disable", row["key"][:14]), [row["key"]]),
                (("org", "add", "x", "type", "customer", "parent", ""), [org]),
                (("show", "sessions", "-"), ["-f", "-h", "-j", "-n", "-s",
                                             "-w", "--help", "--version"]),
                (("-s",), ["-s"]), (("-s", ""), []),
                (("connect", s["session"][:7]), [s["session"]]),
                (("connect", s["session"], "w"), ["web"]),
                (("terminal", ""), [s["session"]]),
                (("penalty", "clear", ""), ["all"]),
                (("top", "-"), ["-d", "-h", "-n", "-s", "--help",
                                "--version"]),
                (("top", "-d", ""), []), (("top", "-d", "5", "-n"), ["-n"])):
            r = plain("completion", "words", "-s", d.sock, *words)
            t.equal((r.returncode, r.stdout.split(), r.stderr),
                    (0, want, ""), "completion of %s" % " ".join(words))
        r = subprocess.run(["bash", "-c", """
eval "$(%s completion bash)"
COMP_WORDS=(%s -s %s close ''); COMP_CWORD=4
_relayctl %s
echo "${COMPREPLY[@]}"
""" % (CTL, CTL, d.sock, CTL)], stdout=subprocess.PIPE, text=True,
                           timeout=WAIT)
        t.equal(r.stdout.split(), [s["session"]], "bash completes a session")
        r = plain("completion", "words", "-s", "/nonexistent/y", "close", "")
        t.equal((r.stdout, r.stderr), ("", ""), "without a daemon nothing")
        rows = d.ctl("show", "tunnels")
        t.equal([x["session"] for x in rows], [s["session"]], "show tunnels")
        muxd = d.processes("muxd")
        t.equal([(x["session"], x["instance"]) for x in muxd],
                [(s["session"], rows[0]["instance"])],
                "show processes says what a muxd is bound to")
        t.equal(sorted({x["role"] for x in d.processes()}),
                sorted(["parent", "muxd", *STANDING]),
                "show processes: all roles")
        t.ok(all(re.match(r"^\d+$", x["memory"]) for x in d.processes()),
             "with their memory")
        t.ok(all("seccomp" in x["sandbox"] for x in d.processes()
                 if x["role"] != "parent"), "and their sandbox")
        t.ok(all(x["state"] == "ready" for x in d.processes()), "all ready")
        for words in (("show", "sessions"), ("show", "tunnels"),
                      ("show", "processes"), ("show", "stats"),
                      ("show", "services", s["session"]),
                      ("show", "audit"), ("system", "list"), ("org", "list"), ("token", "list")):
            lines = on_screen(d, *words)
            t.ok(len(lines) > 1 and max(map(len, lines)) <= 80,
                 "%s: 80 columns are enough" % " ".join(words))
            wide = on_screen(d, *words, "-w")
            t.equal(len(wide[0].split()), len(d.ctl(*words)[0]),
                    "-w: all columns")
            exact = on_screen(d, *words, "-n")
            t.equal(sorted(exact[0].split()), sorted(wide[0].split()),
                    "-n: all columns, too")
        lines = on_screen(d, "show", "sessions", "-n")
        t.ok(s["session"] in lines[1], "-n: whole ids")
        lines = on_screen(d, "show", "sessions")
        t.match(lines[0], "^SYSTEM +SESSION ", "names before ids")
        t.ok(s["session"][:8] in lines[1].split(), "ids are short")
        r = d.ctl_raw("show", "sessions")
        t.ok(s["session"] in r.stdout and r.stdout.startswith("SESSION "),
             "where there is no screen nothing is left out")
        r = d.ctl_raw("show", "sessions", "-j")
        t.equal(json.loads(r.stdout)[0]["session"], s["session"],
                "options may follow the command")
        r = d.ctl_raw("system", "add", "--", "-j")
        t.equal((r.returncode, [x["name"] for x in d.ctl("system", "list")
                                if x["name"] == "-j"]), (0, ["-j"]),
                "behind -- all are words")
        d.ctl("close", s["session"])
        t.equal(c.p.wait(WAIT), 0, "close: the client ends")
    t.equal([x for x in d.sessions() if x["session"] == s["session"] and
             x["status"] == "active"], [], "and the session is not active")
    d.ctl("system", "remove", row["key"])
    t.ok(row["key"] not in [x["key"] for x in d.ctl("system", "list")],
         "system remove")
    for x in d.ctl("system", "list"):
        d.ctl("system", "remove", x["key"])
    d.ctl("org", "remove", org)
    t.equal(d.ctl("org", "list"), [], "org remove")

    # The log
    d.ctl("log", "brief")
    mark = d.log.mark()
    d.ctl("show", "stats")
    t.ok(not d.log.has("debug", mark), "log brief")
    d.ctl("log", "verbose")
    mark = d.log.mark()
    d.ctl("show", "stats")
    d.log.wait("debug control.*connected", mark)
    t.ok(True, "log verbose, in the children too")
    d.log.wait(r"control\[\d+\] \d+ request \w+: client uid %d pid \d+: show stats: done"
               % os.geteuid())
    t.ok(True, "the log names who asked for what, and how it ended")
    mark = d.log.mark()
    d.ctl_try("close", "no\\such")
    d.log.wait(r"info control.*: close no\\x5csuch: .*no", mark)
    t.ok(True, "what changes something at any level, its target printable")

    # Clients that misbehave: each is closed, nobody else notices.
    s = client(d.sock)
    s.send(ctl_bytes(STATS, version=99))
    code, text = done(s)
    t.equal(code, 505, "another version is told so")
    s.send(ctl_bytes(STATS, id=2))
    t.equal(done(s)[0], 0, "and may ask again")
    s.send(ctl_bytes(CLOSE))
    t.equal(done(s)[0], 400, "a wrong number of words is refused")
    s.send(ctl_bytes(9999))
    t.equal(done(s)[0], 400, "a request that is none, too")
    s.close()
    for what, packet in (
            ("an empty header", b"\1"),
            ("an unknown type", struct.pack("=II", 9999, 1)),
            ("a message that only relayd may send",
             struct.pack("=IIHI", MSG["CTL_DONE"], 1, 0, 0)),
            ("no id", ctl_bytes(STATS, id=0)),
            ("a byte too many", ctl_bytes(STATS, tail=b"x")),
            ("a word that ends too soon", ctl_bytes(CLOSE, "abc")[:-1]),
            ("a word with a NUL", ctl_bytes(CLOSE, "a\0c")),
            ("a word that is too long", ctl_bytes(CLOSE, "a" * 600)),
            ("too many words", ctl_bytes(CLOSE, *["a"] * 13)),
            ("32 KiB", ctl_bytes(CLOSE, tail=b"x" * 33000))):
        s = client(d.sock)
        mark = d.log.mark()
        s.send(packet)
        t.equal(s.recv(100), b"", "%s: the client is closed" % what)
        d.log.wait("client uid .*: closed: ", mark)
        s.close()
    s = client(d.sock)
    r, w = os.pipe()
    try:
        socket.send_fds(s, [ctl_bytes(STATS)], [r])
        t.equal(s.recv(100), b"", "a descriptor: the client is closed")
    except PermissionError:
        t.ok(True, "a descriptor: the kernel refuses it")
    s.close()
    os.close(r)
    os.close(w)
    t.ok(d.ctl_try("show", "stats") is not None, "control lives on")
    t.equal(len(d.processes("control")), 1, "the same one")
    t.equal(d.processes("control")[0]["restarts"], "0", "never restarted")

    # 8 clients of one user, and what waits of one client.
    held = [client(d.sock) for _ in range(8)]
    for s in held:
        s.send(ctl_bytes(STATS))
        done(s)
    s = client(d.sock)
    t.equal(done(s), (503, "too many clients of this user"),
            "the ninth client of a user is refused")
    s.close()
    r = d.ctl_raw("show", "stats")
    t.equal((r.returncode, r.stderr), (1, "relayctl: refused: too many "
                                       "clients of this user\n"),
            "and relayctl says so")
    held[0].close()
    t.ok(until(lambda: d.ctl_try("show", "stats") is not None,
               "room for a client"), "when one has gone there is room")
    for s in held[1:]:
        s.close()

    # Without authd, and without control.
    until(lambda: d.ctl_try("show", "stats") is not None, "an answer")
    os.kill(d.pid_of("authd"), 19)
    s = client(d.sock)
    for i in range(9):
        s.send(ctl_bytes(STATS, id=i + 1))
    t.equal(done(s), (503, "too many requests at once"),
            "nine requests of one client at once")
    pid = d.pid_of("authd")
    d.kill(pid)
    t.equal(done(s)[0], 503, "authd ends: who waits is told")
    s.close()
    t.ok(until(lambda: d.ctl_try("show", "stats") is not None,
               "the next authd"), "and the next authd answers")
    t.equal(d.processes("authd")[0]["restarts"], "1", "restarts are counted")
    d.kill(d.pid_of("control"))
    t.ok(until(lambda: d.ctl_try("show", "stats") is not None,
               "the next control"), "control ends: the next one answers")

    # A stranger.
    if os.geteuid() == 0:
        def nobody():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        r = subprocess.run(["python3", "-c", """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    s.connect(sys.argv[1])
except PermissionError:
    sys.exit(7)
""", d.sock], preexec_fn=nobody, timeout=WAIT)
        t.equal(r.returncode, 7, "a stranger cannot open the control socket")
    t.equal(d.stop(), 0, "and it stops in order")

# A socket for looking
look = os.path.join(tempfile.mkdtemp(prefix="relayd-test-"), "look.sock")
with Relayd(t, global_conf='control socket "%s" read only' % look) as d:
    r = plain("-s", look, "show", "stats")
    t.ok(r.returncode == 0 and "sessions" in r.stdout,
         "a read-only socket: show stats")
    r = plain("-s", look, "system", "list")
    t.equal(r.returncode, 0, "system list")
    for words in (("system", "add", "box"), ("reload",), ("log", "verbose"),
                  ("token", "create", "user", "alice"), ("close", "x"),
                  ("test", "clock", "1")):
        r = plain("-s", look, *words)
        t.equal((r.returncode, r.stdout, r.stderr), (1, "",
                "relayctl: refused: this socket is for looking only\n"),
                "but no %s" % " ".join(words[:2]))
    t.equal(plain("-s", d.sock, "system", "list").stdout.count("box"), 0,
            "nothing has changed")
    t.equal(oct(os.stat(look).st_mode & 0o777), "0o660",
            "nobody else may open it")
    s = client(look)
    s.send(ctl_bytes(9999))
    t.equal(done(s)[0], 400, "what is unknown stays unknown there")
    s.close()
    t.equal(d.stop(), 0, "and it stops in order")
    t.ok(not os.path.exists(look), "and takes its socket along")
os.rmdir(os.path.dirname(look))
t.done()
