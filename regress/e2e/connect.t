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
import shutil
import signal
import socket
import ssl
import subprocess
import threading

from clienttest import Target, counter, echo
from harness import (BUILD, OurClient, Program, Relayd, Tap, WAIT, front_file,
                     free_port, nginx, self_signed, until)

t = Tap()
RELAY = os.path.join(BUILD, "bin", "relay")
MB = 100


def run(*words, data=b"", env=None, seconds=WAIT):
    e = {k: v for k, v in os.environ.items()
         if not k.startswith(("RELAY_", "RELAYD_TOKEN"))}
    e.update(env or {})
    return subprocess.run([RELAY, *words], input=data, env=e,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=seconds)


def options(d, sid, token, tokens):
    good = ["connect", "--url", d.url, "--token-file", tokens]
    for words, want in (
            ((), "usage:"), (("frob",), "usage:"), (("connect",), "usage:"),
            (good[:1] + [sid, "echo"], "no address of relayd.*RELAY_URL"),
            (good + ["x", "echo"], "not the id of a session"),
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
             "no certificates")):
        r = run(*words)
        t.equal(r.returncode, 2, "%s: usage, 2" % " ".join(words)[-40:])
        t.match(r.stderr.decode(), want, "with a word")
    os.chmod(tokens, 0o644)
    r = run(*good, sid, "echo")
    os.chmod(tokens, 0o600)
    t.equal((r.returncode, b"chmod 600" in r.stderr), (2, True),
            "a token that others may read is not used")
    t.match(run("--help").stdout.decode(), "--listen", "--help")
    t.match(run("--version").stdout.decode(), r"^relay \d", "--version")
    for shell in "bash", "zsh", "fish":
        r = run("completion", shell)
        t.ok(r.returncode == 0 and b"connect" in r.stdout,
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
    t.equal((r.returncode, b"usage: relay terminal" in r.stderr), (255, True),
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
    tmp = os.path.join(d.dir, "front")
    os.makedirs(tmp)
    port = free_port()
    for ext, name in zip((".pem", ".key"), ("cert", "key")):
        pass
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout",
                    tmp + "/k.pem", "-out", tmp + "/c.pem"], check=True,
                   stderr=subprocess.DEVNULL)
    text = ("server {\n\tlisten 127.0.0.1:%d ssl;\n\tssl_certificate %s/c.pem;"
            "\n\tssl_certificate_key %s/k.pem;\n\tlocation / {\n\t\t"
            "proxy_pass http://127.0.0.1:%d;\n\t\tproxy_http_version 1.1;\n"
            "\t\tproxy_set_header Host $host;\n"
            "\t\tproxy_set_header Upgrade $http_upgrade;\n"
            "\t\tproxy_set_header Connection $up;\n\t}\n}\n"
            "map $http_upgrade $up { default upgrade; '' ''; }\n" %
            (port, tmp, tmp, d.port))
    with Program(nginx(tmp, text)):
        until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0,
              "nginx")
        url = "https://localhost:%d" % port
        data = os.urandom(1 << 20)
        r = run("connect", "--url", url, "--token-file", tokens, "--ca-file",
                tmp + "/c.pem", sid, "echo", data=data)
        t.equal((r.returncode, r.stdout == data), (0, True),
                "https:// behind nginx, with --ca-file")
        r = run("connect", "--url", url, "--token-file", tokens, sid, "echo")
        t.equal(r.returncode, 3, "an authority that nobody knows: 3")
        t.match(r.stderr.decode(), "certificate", "and why")
        r = run("connect", "--url", "https://127.0.0.1:%d" % port,
                "--token-file", tokens, "--ca-file", tmp + "/c.pem", sid,
                "echo")
        t.equal(r.returncode, 3, "another's certificate: 3")


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for part in iter(lambda: f.read(1 << 20), b""):
            h.update(part)
    return h.hexdigest()


def sshd(tmp):
    """A real sshd on loopback, as an ordinary process; its port."""
    for name in "host", "user":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        "%s/%s" % (tmp, name)], check=True)
    shutil.copy(tmp + "/user.pub", tmp + "/authorized")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    port = free_port()
    with open(tmp + "/sshd_config", "w") as f:
        f.write("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\n"
                "AuthorizedKeysFile %s/authorized\nStrictModes no\n"
                "UsePAM no\nPasswordAuthentication no\nPidFile none\n"
                "PermitRootLogin yes\nSubsystem sftp internal-sftp\n" %
                (port, tmp, tmp))
    p = Program(["/usr/sbin/sshd", "-D", "-e", "-f", tmp + "/sshd_config"])
    until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0,
          "sshd: " + p.err.text())
    return p, port


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
            plain(d, sid, token, tokens)
            listen(d, sid, tokens)
            foreign(d, sid, token)
            tls(d, sid, tokens)
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
