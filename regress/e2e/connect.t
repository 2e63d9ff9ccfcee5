#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""relay connect, the operator's tool: options, standard input and output, a
local port; and what people use it for: ssh, scp, psql."""

import asyncio
import getpass
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading

from clienttest import Target, Tinyproxy, Watched, counter, echo
from harness import (BUILD, SRC, WAIT, OurClient, Program, Relayd, Tap, front_file,
                     free_port, nginx, self_signed, until)
from sshd import sshd

t = Tap()
RELAY = os.path.join(BUILD, "bin", "relay")
MB = 100


def run(*words, data=b"", env=None, seconds=WAIT):
    e = {k: v for k, v in os.environ.items()
         if not k.startswith(("RELAY_", "RELAYD_TOKEN")) and
         not k.lower().endswith("_proxy")}
    e.update(env or {})
    return subprocess.run([RELAY, *words], input=data, env=e,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=seconds)


def options(d, sid, token, tokens):
    good = ["connect", "--url", d.url, "--token-file", tokens]
    for words, want in (
            ((), "usage:"), (("frob",), "frob: no such command"), (("connect",), "usage:"),
            (good[:1] + [sid, "echo"], "no address of relayd.*RELAY_URL"),
            (good + [sid, "a b"], "not the name of a service"),
            (good + [sid, "echo", "more"], "usage:"),
            (["connect", "--url", "http://192.0.2.1", "--token-file", tokens,
              sid, "echo"], "without TLS"),
            (["connect", "--url", "ftp://x", "--token-file", tokens, sid,
              "echo"], "https:// expected"),
            (["connect", "--url", d.url, sid, "echo"], "no token.*RELAY_TOKEN"),
            (["connect", "--url", d.url, "--token-file", "/nonexistent", sid,
              "echo"], "No such file"),
            (good + ["--listen", "x", sid, "echo"], "not .address:.port"),
            (good + ["--ca-file", "/nonexistent", sid, "echo"],
             "No such file")):
        r = run(*words)
        t.equal(r.returncode, 2, "%s: usage, 2" % " ".join(words)[-40:])
        t.match(r.stderr.decode(), want, "with a word")
    os.chmod(tokens, 0o644)
    r = run(*good, sid, "echo")
    os.chmod(tokens, 0o600)
    t.equal((r.returncode, b"chmod 600" in r.stderr), (2, True),
            "a token that others may read is not used")
    for words, want in ((("connect", "box"), "the service is missing"),
                        (("terminal",), "the session is missing"),
                        (("sessions", "--listen", "1"),
                         "--listen is an option of connect")):
        r = run(*words)
        t.match(r.stderr.decode(), "^relay: %s\nusage: relay %s [^\n]*\nrelay "
                "--help explains the options\n$" % (want, words[0]), want)
    for word in "--help", "help":
        t.match(run(word).stdout.decode(), "--listen", word)
    every_word()
    t.match(run("--version").stdout.decode(), r"^relay \d", "--version")
    for shell in "bash", "zsh", "fish":
        r = run("completion", shell)
        t.ok(r.returncode == 0 and b"completion words" in r.stdout,
             "completion for " + shell)
    r = run("connect", sid, "echo", data=b"env",
            env={"RELAY_URL": d.url, "RELAYD_TOKEN": token})
    t.equal((r.returncode, r.stdout), (0, b"env"),
            "address and token from the environment")
    r = run("connect", "--url", d.url, sid, "echo", data=b"env",
            env={"RELAY_TOKEN_FILE": "", "RELAY_CA_FILE": "",
                 "RELAYD_TOKEN": token})
    t.equal((r.returncode, r.stdout), (0, b"env"),
            "an empty variable is none")
    late = d.ctl("token", "create", "user", "late")[0]["token"]
    d.ctl("-f", "token", "revoke", [x["id"] for x in d.ctl("token", "list")
                                    if x["user"] == "late"][0],
          "reason", "left the house")
    r = run("connect", "--url", d.url, sid, "echo",
            env={"RELAYD_TOKEN": late})
    t.equal((r.returncode, b"revoked: left the house\n" in r.stderr),
            (1, True), "why a token was revoked")
    r = run("connect", "--url", "http://127.0.0.1:1", sid, "echo",
            env={"RELAYD_TOKEN": token})
    t.equal((r.returncode, b"echo: 127.0.0.1:1: Connection refused" in
             r.stderr), (3, True), "who refused the connection")


PEER_WORDS = ["auth", "create", "tcp-listen", "tcp-dial", "udp-listen",
              "udp-dial", "raw"]


def every_word():
    """--help, the completion and relay(1) know the same words and options."""
    text = run("--help").stdout.decode()
    with open(os.path.join(SRC, "man", "relay.1")) as f:
        man = f.read()
    synopsis = man[man.index(".Sh SYNOPSIS"):man.index(".Sh DESCRIPTION")]
    for word in PEER_WORDS:
        t.match(text, r"(?m)^ +relay %s( |$)" % word, "--help: " + word)
        options = run("completion", "words", word, "--").stdout.decode().split()
        t.ok(len(options) > 3, "%s has options: %s" % (word, options))
        t.equal([x for x in options if not re.search(
            r"(?m)^  %s " % x, text)], [], "each of which --help explains")
        mine = re.search(r"(?ms)^\.Cm %s\n(.*?)^\.Nm" % word, synopsis).group(1)
        t.equal(sorted("-" + x for x in re.findall(r"Fl (-[a-z-]+)", mine)),
                sorted(options), "and relay(1) has in its synopsis")
        r = run(word, "--help")
        t.equal((r.returncode, r.stdout.startswith(b"usage: relay %s " %
                                                   word.encode())),
                (0, True), word + " --help")


def named(d, sid, key, token, tokens):
    """Sessions and services are listed; a session by less than its id."""
    env = {"RELAY_URL": d.url, "RELAY_TOKEN_FILE": tokens}
    r = run("sessions", env=env)
    t.equal([x.split()[0] for x in r.stdout.decode().splitlines()],
            ["SESSION", sid], "relay sessions")
    t.match(r.stdout.decode(), r"\n%s  active   -     20\S+Z  box\n$" % sid,
            "with state, end and system")
    for word in sid, sid[:4], "box", key:
        r = run("services", word, env=env)
        t.ok(re.search(rb"\ntcp   echo +127.0.0.1:\d+\n", r.stdout) and
             r.returncode == 0, "relay services %s" % word[:12])
        r = run("connect", word, "echo", data=b"x", env=env)
        t.equal((r.returncode, r.stdout), (0, b"x"), "and connect")
    for word in sid[:3], "nobody", "bo":
        r = run("connect", word, "echo", env=env)
        t.equal((r.returncode, b"%s: no open session begins so" %
                 word.encode() in r.stderr), (1, True), "%s is none" % word)
        r = run("terminal", word, env=env)
        t.equal(r.returncode, 255, "of a terminal, too: 255")
    other = d.token(user="bob", role="customer", org="elsewhere")
    r = run("sessions", env={"RELAY_URL": d.url, "RELAYD_TOKEN": other})
    t.equal((r.returncode, r.stdout.count(b"\n")), (0, 1),
            "what is out of scope is not listed")
    key2, secret2 = d.add_system("box")
    with OurClient(d, key2, secret2, "web=127.0.0.1:1"):
        until(lambda: len(d.sessions()) == 2, "two sessions")
        r = run("connect", "box", "echo", env=env)
        t.equal((r.returncode, b"box: more than one session: " in r.stderr and
                 r.stderr.count(b" of box") == 2 and sid.encode() in
                 r.stderr), (1, True), "two of one name: which they are")
        r = run("sessions", env=env)
        t.equal(r.stdout.count(b"  box\n"), 2, "both are listed")
        for s in d.sessions():
            if s["session"] != sid:
                d.ctl("close", s["session"])
    until(lambda: len(d.sessions()) == 1, "one session")
    r = run("sessions", env={"RELAY_URL": d.url, "RELAYD_TOKEN": "a.b.c"})
    t.equal((r.returncode, r.stdout), (1, b""), "no token: no list")
    t.ok(b"relay: 401 invalid token: relayctl token create makes one" in
         r.stderr, "and what to do: %s" % r.stderr)
    r = run("sessions", "--url", d.url + "/elsewhere", env=env)
    t.match(r.stderr.decode(), "^relay: 404 .*to GET /elsewhere/api/support-"
            "sessions: no relayd answers there: check the address",
            "404 of something else: what was asked for")
    gone = d.token(lifetime="1s")
    d.move_clock(2000)
    # Its clock is not ours: a token whose end is past. Seldom, for too many
    # refused tokens are refused.
    until(lambda: b"it has expired" in run("sessions", env={
        "RELAY_URL": d.url, "RELAYD_TOKEN": gone}).stderr, "its end", every=0.5)
    t.ok(True, "a token that has expired is told from one that is none")
    r = run("sessions", "--url", "https" + d.url[4:], env=env)
    t.equal((r.returncode, b"is it http://" in r.stderr), (3, True),
            "TLS where there is none")
    for words, want in (
            (("",), ["connect", "services", "sessions", "terminal",
                     "completion", *PEER_WORDS]), (("te",), ["terminal"]),
            (("ra",), ["raw"]), (("raw", "--s"), ["--session"]),
            (("raw", "--session", ""), []), (("raw", ""), []),
            (("create", "--output", ""), ["text", "json", "env"]),
            (("create", "--output", "j"), ["json"]),
            (("completion", ""), ["bash", "zsh", "fish"]),
            (("connect", ""), ["box", sid]), (("connect", sid[:5]), [sid]),
            (("terminal", "bo"), ["box"]), (("connect", "box", "ec"), ["echo"]),
            (("connect", sid, "c"), sorted(["count", "cut", "closed"])),
            (("connect", "box", "echo", ""), []),
            (("connect", "--listen", ""), []),
            (("connect", "--allow-plain", "bo"), ["box"]),
            (("terminal", "--pr"), ["--proxy"]), (("frob", ""), [])):
        r = run("completion", "words", *words, env=env)
        t.equal((r.returncode, sorted(r.stdout.decode().split()), r.stderr),
                (0, sorted(want), b""), "completion of %s" % " ".join(words))
    r = run("completion", "words", "connect", "", env={
        "RELAY_URL": "http://127.0.0.1:1", "RELAYD_TOKEN": token})
    t.equal((r.returncode, r.stdout, r.stderr), (0, b"", b""),
            "without a server nothing")
    r = subprocess.run(["bash", "-c", """
eval "$(%s completion bash)"
COMP_WORDS=(%s connect box e); COMP_CWORD=3
_relay %s
echo "${COMPREPLY[@]}"
""" % (RELAY, RELAY, RELAY)], stdout=subprocess.PIPE, text=True, timeout=WAIT,
                       env={**os.environ, **env})
    t.equal(r.stdout.split(), ["echo"], "bash completes a service")
    for shell, how in (("zsh", "-n"), ("fish", "--no-execute")):
        if shutil.which(shell):
            text = run("completion", shell).stdout
            t.equal(subprocess.run([shell, how, "/dev/stdin"], input=text)
                    .returncode, 0, shell + " reads its own")
        else:
            t.skip("no " + shell, "its completion")


def plain(d, sid, token, tokens):
    good = ["connect", "--url", d.url, "--token-file", tokens]
    data = os.urandom(3 << 20)
    r = run(*good, sid, "echo", data=data)
    t.equal((r.returncode, r.stdout == data, r.stderr), (0, True, b""),
            "3 MB through standard input and output")
    r = run(*good, sid, "count", data=b"x" * 5000)
    t.equal((r.returncode, r.stdout), (0, b"5000 bytes\n"),
            "what is said behind our end is heard")
    name = os.path.join(d.dir, "file")
    with open(name, "wb") as f:
        f.write(data)
    with open(name, "rb") as f, open(name + ".out", "wb") as out:
        n = subprocess.run([RELAY, *good, sid, "echo"], stdin=f, stdout=out,
                           timeout=WAIT).returncode
    with open(name + ".out", "rb") as f:
        t.equal((n, f.read() == data), (0, True), "files as both")
    ctl = os.path.join(BUILD, "bin", "relayctl")
    for words in good, ["-s", d.sock, *good], ["-ns", "x", "con", *good[1:]]:
        r = subprocess.run([ctl, *words, sid, "echo"], input=b"hello",
                           stdout=subprocess.PIPE, timeout=WAIT)
        t.equal((r.returncode, r.stdout), (0, b"hello"), "relayctl %s is the "
                "same" % " ".join(words[:-4]))
    r = subprocess.run([ctl, "-s", d.sock, "terminal", sid, "more"],
                       stderr=subprocess.PIPE, timeout=WAIT)
    t.equal((r.returncode, r.stderr.startswith(
        b"relay: more: a word too many\nusage: relay terminal [options]")),
        (255, True),
            "likewise relayctl terminal")
    for service, want in ("none", "404 service not found"), (
            "closed", "502 service not available: .*refused"):
        r = run(*good, sid, service)
        t.equal(r.returncode, 1, "%s: 1" % service)
        t.match(r.stderr.decode(), want, "and the API's reason")
    r = run(*good, "00000000-0000-4000-8000-000000000000", "echo")
    t.equal((r.returncode, b"404" in r.stderr), (1, True), "no such session")
    r = run(*good, sid, "cut")
    t.equal((r.returncode, r.stdout), (1, b"half"), "a service that breaks "
            "off: what came, and 1")
    t.match(r.stderr.decode(), "was lost", "with a word")
    with open(tokens + ".bad", "w") as f:
        f.write("a.b.c\n")
    os.chmod(tokens + ".bad", 0o600)
    r = run("connect", "--url", d.url, "--token-file", tokens + ".bad", sid,
            "echo")
    t.equal((r.returncode, b"401 invalid token" in r.stderr), (1, True),
            "a token that is none: 1, with the reason")
    r = run("connect", "--url", "http://127.0.0.1:%d" % free_port(),
            "--token-file", tokens, sid, "echo")
    t.equal(r.returncode, 3, "nobody there: 3")


def listening(d, sid, tokens, service, where="0"):
    p = Program([RELAY, "connect", "--url", d.url, "--token-file", tokens,
                 "--listen", where, sid, service])
    m = p.err.wait(r"listening on (\S+):(\d+)")
    return p, int(m.group(2))


def listen(d, sid, tokens):
    p, port = listening(d, sid, tokens, "echo")
    with p:
        t.ok("127.0.0.1:%d" % port in p.err.text(), "--listen is on loopback")
        s = [socket.create_connection(("127.0.0.1", port), WAIT)
             for _ in range(5)]
        for i, x in enumerate(s):
            x.settimeout(WAIT)
            x.sendall(b"%d" % i)
        t.equal([x.recv(1) for x in s], [b"%d" % i for i in range(5)],
                "five connections at once")
        t.equal(len(d.processes("tcpd")), 5, "with a process each")
        d.kill(max(int(x["pid"]) for x in d.processes("tcpd")))

        def ends(x):
            try:
                return x.recv(1) == b""
            except ConnectionResetError:
                return True
            except socket.timeout:
                return False
        for x in s:
            x.settimeout(2)
        t.equal(sum(ends(x) for x in s), 1, "one tcpd dies: one connection "
                "breaks")
        s[0].settimeout(WAIT)
        for x in s:
            x.close()
        until(lambda: not d.processes("tcpd"), "the others to go")
        x = socket.create_connection(("127.0.0.1", port), WAIT)
        x.settimeout(WAIT)
        x.sendall(b"again")
        x.shutdown(socket.SHUT_WR)
        t.equal(x.recv(100) + x.recv(100), b"again", "and it goes on, with "
                "half-closes")
    p, port = listening(d, sid, tokens, "echo", "0.0.0.0:0")
    with p:
        p.err.wait("warning: whoever reaches this address")
        t.ok(True, "another address only when it is said, with a warning")
    p, port = listening(d, sid, tokens, "closed")
    with p:
        x = socket.create_connection(("127.0.0.1", port), WAIT)
        x.settimeout(WAIT)
        try:
            got = x.recv(1)
        except ConnectionResetError:
            got = "reset"
        t.equal(got, "reset", "what cannot be reached is a reset")
        p.err.wait("502 service not available")
        t.ok(p.p.poll() is None, "with a word, and it goes on")


def foreign(d, sid, token):
    """A client that we did not write."""
    try:
        import websockets
    except ImportError:
        t.skip("no python3-websockets", "a foreign client")
        return
    url = "ws://127.0.0.1:%d/api/support-sessions/%s/tcp/" % (d.port, sid)

    async def talk(**kw):
        async with websockets.connect(
                url + "echo?ticket=" + d.tcp_ticket(sid, token, "echo"),
                compression=None, **kw) as ws:
            data = os.urandom(1 << 21)
            await ws.send(data)
            got = b""
            while len(got) < len(data):
                got += await ws.recv()
            await ws.send("")
            try:
                while True:
                    got += (await ws.recv() or b"")
            except websockets.ConnectionClosedOK:
                return got == data, ws.subprotocol
    t.equal(asyncio.run(talk()), (True, None), "Python's websockets")
    t.equal(asyncio.run(talk(subprotocols=["half-close"])),
            (True, "half-close"), "and with the subprotocol")


def tls(d, sid, tokens):
    if shutil.which("nginx") is None:
        t.skip("no nginx", "TLS")
        return
    port = free_port()
    p, ca = front(d, port, "localhost")
    with p:
        until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0,
              "nginx")
        url = "https://localhost:%d" % port
        data = os.urandom(1 << 20)
        r = run("connect", "--url", url, "--token-file", tokens, "--ca-file",
                ca, sid, "echo", data=data)
        t.equal((r.returncode, r.stdout == data), (0, True),
                "https:// behind nginx, with --ca-file")
        r = run("connect", "--url", url, "--token-file", tokens, sid, "echo")
        t.equal(r.returncode, 3, "an authority that nobody knows: 3")
        t.match(r.stderr.decode(), "certificate", "and why")
        r = run("connect", "--url", "https://127.0.0.1:%d" % port,
                "--token-file", tokens, "--ca-file", ca, sid, "echo")
        t.equal(r.returncode, 3, "another's certificate: 3")


def front(d, port, name, where="127.0.0.1"):
    """An nginx with TLS before relayd; its certificate is returned, too."""
    tmp = os.path.join(d.dir, "front-" + name)
    os.makedirs(tmp)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-days", "2", "-subj", "/CN=" + name, "-addext",
                    "subjectAltName=DNS:" + name, "-keyout",
                    tmp + "/k.pem", "-out", tmp + "/c.pem"], check=True,
                   stderr=subprocess.DEVNULL)
    text = ("server {\n\tlisten %s:%d ssl;\n\tssl_certificate %s/c.pem;"
            "\n\tssl_certificate_key %s/k.pem;\n\tlocation / {\n\t\t"
            "proxy_pass http://127.0.0.1:%d;\n\t\tproxy_http_version 1.1;\n"
            "\t\tproxy_set_header Host $host;\n"
            "\t\tproxy_set_header Upgrade $http_upgrade;\n"
            "\t\tproxy_set_header Connection $up;\n\t}\n}\n"
            "map $http_upgrade $up { default upgrade; '' ''; }\n" %
            (where, port, tmp, tmp, d.port))
    return Program(nginx(tmp, text)), tmp + "/c.pem"


def proxied(d, sid, tokens, token):
    """Through a forward proxy, which finds the server by this host's name."""
    name = socket.gethostname()
    try:
        known = socket.gethostbyname(name)
    except OSError:
        known = None
    if None in (known, shutil.which("nginx"), shutil.which("tinyproxy")):
        t.skip("no nginx, no tinyproxy or no name", "a forward proxy")
        return
    port = free_port()
    p, ca = front(d, port, name, known)
    words = ["connect", "--url", "https://%s:%d" % (name, port),
             "--token-file", tokens, "--ca-file", ca]
    data = os.urandom(1 << 20)
    with p, Tinyproxy(d.dir, "BasicAuth user pass") as x, \
            Watched(x.port) as w:
        until(lambda: socket.socket().connect_ex((known, port)) == 0, "nginx")
        good = "http://user:pass@127.0.0.1:%d" % w.port
        for how, env in (([], {"HTTPS_PROXY": good}),
                         ([], {"HTTPS_PROXY": "socks5://x", "all_proxy": good}),
                         (["--proxy", good], {"HTTPS_PROXY": "http://x:1"})):
            n = w.count
            r = run(*words, *how, sid, "echo", data=data, env=env)
            t.equal((r.returncode, r.stdout == data, w.count - n),
                    (0, True, 1), "through tinyproxy by %s" %
                    (how or list(env)[-1:])[0])
            if r.returncode != 0:
                t.diag(r.stderr.decode())
        t.ok(b"socks5" not in r.stderr and
             b"CONNECT %s:%d " % (name.encode(), port) in b"".join(w.seen) and
             token.encode() not in b"".join(w.seen),
             "which sees where it goes, and no token")
        r = subprocess.run([RELAY, "terminal", *words[1:], sid],
                           input=b"echo in-$((1+1)); exit 4\n",
                           stdout=subprocess.PIPE, timeout=WAIT,
                           env={**os.environ, "HTTPS_PROXY": good})
        t.equal((r.returncode, b"in-2" in r.stdout), (4, True),
                "terminal, too")
        r = run(*words, sid, "echo", env={
            "HTTPS_PROXY": good.replace("pass", "wrong")})
        t.equal(r.returncode, 3, "a wrong password: 3")
        t.match(r.stderr.decode(), r"%s:%d through 127.0.0.1:%d: proxy: it "
                "refuses user and password" % (name, port, w.port),
                "with a word")
        t.ok(b"wrong" not in r.stderr, "that has it not")
        n = w.count
        for how, env in ((["--no-proxy", name], {"HTTPS_PROXY": good}),
                         (["--proxy", ""], {"HTTPS_PROXY": good}),
                         ([], {"HTTPS_PROXY": good, "NO_PROXY": name})):
            r = run(*words, *how, sid, "echo", data=b"x", env=env)
            t.equal((r.returncode, r.stdout, w.count), (0, b"x", n),
                    "and straight by %s" % (how or ["NO_PROXY"])[0])
        r = run("connect", "--url", "http://%s:%d" % (name, port),
                "--token-file", tokens, "--allow-plain", sid, "echo",
                env={"HTTPS_PROXY": good})
        t.ok(r.returncode != 0 and b"no proxy for http://" in r.stderr and
             w.count == n, "a token in clear is not for a proxy")
        r = run(*words, "--proxy", "socks5://x", sid, "echo")
        t.equal((r.returncode, b"--proxy: http:// or https://" in r.stderr),
                (2, True), "--proxy that is none: usage")


def own_socket(d, sid, tokens):
    """--listen on a path."""
    path = os.path.join(d.dir, "own.sock")
    words = [RELAY, "connect", "--url", d.url, "--token-file", tokens,
             "--listen", path, sid, "echo"]

    def talk():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(WAIT)
            s.connect(path)
            s.sendall(b"hello")
            s.shutdown(socket.SHUT_WR)
            got = b""
            while True:
                data = s.recv(100)
                if not data:
                    return got
                got += data
    with Program(words) as p:
        p.err.wait("echo: listening on " + path)
        t.equal(os.stat(path).st_mode & 0o7777, 0o600, "a socket of this user")
        t.equal([talk(), talk()], [b"hello"] * 2, "goes to the service")
        if os.getuid() == 0:
            r = subprocess.run(["runuser", "-u", "nobody", "--", "python3",
                                "-c", "import socket, sys\n"
                                "s = socket.socket(socket.AF_UNIX)\n"
                                "s.connect(sys.argv[1])", path],
                               stderr=subprocess.PIPE)
            t.ok(b"PermissionError" in r.stderr, "and not of another")
        else:
            t.skip("not root", "another user")
        r = subprocess.run(words, stderr=subprocess.PIPE, timeout=WAIT)
        t.equal((r.returncode, b"Address already in use" in r.stderr),
                (2, True), "one that is in use stays")
        t.equal(p.stop(), -signal.SIGTERM, "ended by a signal")
    t.ok(not os.path.exists(path), "it takes the socket along")
    with Program(words) as p:
        p.err.wait("listening on ")
        p.stop(signal.SIGKILL)
    t.ok(os.path.exists(path), "killed, it cannot")
    with Program(words) as p:
        p.err.wait("listening on ")
        t.equal(talk(), b"hello", "and the next one makes it anew")
    with open(path, "w") as f:
        f.write("mine")
    r = subprocess.run(words, stderr=subprocess.PIPE, timeout=WAIT)
    with open(path) as f:
        t.equal((r.returncode, f.read()), (2, "mine"), "a file is no socket")
    r = run("connect", "--url", d.url, "--token-file", tokens, "--listen",
            "/" + "x" * 108, sid, "echo")
    t.equal((r.returncode, b"too long a path" in r.stderr), (2, True),
            "a path that is too long")


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for part in iter(lambda: f.read(1 << 20), b""):
            h.update(part)
    return h.hexdigest()


def ssh(d, sid, tokens, tmp):
    proxy = "ProxyCommand=%s connect --url %s --token-file %s %s ssh" % (
        RELAY, d.url, tokens, sid)
    flags = ["-F", "none", "-i", tmp + "/user", "-o", proxy, "-o",
             "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
             "-o", "LogLevel=ERROR"]
    who = getpass.getuser() + "@customer"
    r = subprocess.run(["ssh", *flags, who, "echo in-$((1+1)); exit 7"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=WAIT)
    t.equal((r.returncode, r.stdout), (7, b"in-2\n"),
            "ssh through ProxyCommand")
    if r.returncode != 7:
        t.diag(r.stderr.decode())
        return
    r = subprocess.run(["ssh", *flags, who, "wc -c"], input=b"x" * 100000,
                       stdout=subprocess.PIPE, timeout=WAIT)
    t.equal(r.stdout.strip(), b"100000", "with an end of its input")
    with open(tmp + "/big", "wb") as f:
        for _ in range(MB):
            f.write(os.urandom(1 << 20))
    want = digest(tmp + "/big")
    for a, b, what in ((tmp + "/big", who + ":" + tmp + "/there", "there"),
                       (who + ":" + tmp + "/there", tmp + "/back", "back")):
        r = subprocess.run(["scp", "-q", *flags, a, b], timeout=10 * WAIT,
                           stderr=subprocess.PIPE)
        path = tmp + "/" + what
        t.ok(r.returncode == 0 and digest(path) == want,
             "scp of %d MB, %s: the same SHA-256" % (MB, what))
        if r.returncode != 0:
            t.diag(r.stderr.decode())


def postgres(tmp):
    """A real PostgreSQL on loopback; its port. It refuses to run as root."""
    where = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    data = os.path.join(tmp, "pg")
    os.makedirs(data)
    pre = []
    if os.getuid() == 0:
        pre = ["runuser", "-u", "nobody", "--"]
        shutil.chown(data, "nobody")
    os.chmod(data, 0o700)
    subprocess.run([*pre, where + "/initdb", "-D", data, "-A", "trust", "-U",
                    "op", "-N"], check=True, stdout=subprocess.DEVNULL,
                   cwd="/")
    port = free_port()
    p = Program([*pre, where + "/postgres", "-D", data, "-h", "127.0.0.1",
                 "-p", str(port), "-k", "", "-F"], cwd="/")
    p.err.wait("ready to accept connections")
    return p, port


def psql(d, sid, tokens):
    p, port = listening(d, sid, tokens, "pg", "127.0.0.1:0")
    cmd = ["psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-p", str(port), "-U",
           "op", "postgres"]
    with p:
        r = subprocess.run([*cmd, "-c", "select 6 * 7"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=WAIT)
        t.equal(r.stdout.strip(), b"42", "psql through --listen")
        r = subprocess.run([*cmd, "-c", "select sum(length(repeat('x', 1000)))"
                            " from generate_series(1, 1000)", "-c",
                            "copy (select repeat('y', 999) from "
                            "generate_series(1, 20000)) to stdout"],
                           stdout=subprocess.PIPE, timeout=WAIT)
        out = r.stdout.split(b"\n", 1)
        t.equal((out[0], len(out[1])), (b"1000000", 20000 * 1000),
                "20 MB of rows")
        many = [subprocess.Popen([*cmd, "-c", "select pg_sleep(1), %d" % i],
                                 stdout=subprocess.PIPE) for i in range(8)]
        t.equal([x.communicate(timeout=WAIT)[0].strip() for x in many],
                [b"|%d" % i for i in range(8)], "eight clients at once")


def cutter(s):
    s.sendall(b"half")
    s.recv(1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


with Relayd(t, operator="\tapi rate 100000\n\ttcp ticket rate 1000\n") as d, \
        Target(echo) as e, Target(counter) as n, Target(cutter) as cut:
    d.url = "http://127.0.0.1:%d" % d.port
    key, secret = d.add_system("box")
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    ports = {"echo": e.port, "count": n.port, "cut": cut.port,
             "closed": closed.getsockname()[1]}
    programs = []
    has_ssh = os.path.exists("/usr/sbin/sshd")
    has_pg = glob.glob("/usr/lib/postgresql/*/bin/initdb") and \
        shutil.which("psql")
    try:
        if has_ssh:
            p, ports["ssh"] = sshd(d.dir)
            programs.append(p)
        if has_pg:
            p, ports["pg"] = postgres(d.dir)
            programs.append(p)
        with OurClient(d, key, secret, ",".join(
                "%s=127.0.0.1:%d:tcp" % x for x in ports.items())) as c:
            sid = d.wait_session()["session"]
            token = d.token(lifetime="24h")
            tokens = os.path.join(d.dir, "token")
            with open(tokens, "w") as f:
                f.write(token + "\n")
            os.chmod(tokens, 0o600)
            options(d, sid, token, tokens)
            named(d, sid, key, token, tokens)
            plain(d, sid, token, tokens)
            listen(d, sid, tokens)
            foreign(d, sid, token)
            tls(d, sid, tokens)
            proxied(d, sid, tokens, token)
            own_socket(d, sid, tokens)
            if has_ssh:
                ssh(d, sid, tokens, d.dir)
            else:
                t.skip("no sshd", "ssh and scp")
            if has_pg:
                psql(d, sid, tokens)
            else:
                t.skip("no PostgreSQL", "psql")
    finally:
        for p in programs:
            p.stop(signal.SIGINT)
t.done()
