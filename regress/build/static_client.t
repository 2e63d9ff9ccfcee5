#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""tunnel-client as one static file, for amd64 and for arm64, the latter run by
qemu: it needs no library, finds names, does TLS, and gives a service and a
terminal."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SRC = os.environ["RELAYD_SRC"]
sys.path.insert(0, os.path.join(SRC, "regress", "e2e"))

from harness import (Program, Relayd, Tap, Targets, client_state,  # noqa: E402
                     free_port, until)

t = Tap()
QEMU = {"arm64": shutil.which("qemu-aarch64-static") or
        shutil.which("qemu-aarch64") or "qemu-aarch64",
        "amd64": shutil.which("qemu-x86_64-static") or
        shutil.which("qemu-x86_64") or "qemu-x86_64"}
MACHINE = {"arm64": "AArch64", "amd64": "X86-64"}
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)


def output(*words):
    return subprocess.run(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600)


def built(tmp, arch):
    at = os.path.join(tmp, "tunnel-client-" + arch)
    r = output("sh", os.path.join(SRC, "tools", "static-client"), arch, at)
    if not t.equal(r.returncode, 0, "%s: it is built" % arch):
        t.diag(r.stdout)
        return None
    t.match(output("readelf", "-h", at).stdout, "Machine: .*" + MACHINE[arch],
            "for that machine")
    t.ok("NEEDED" not in output("readelf", "-d", at).stdout and "INTERP" not
         in output("readelf", "-lW", at).stdout, "it needs no library")
    t.match(output("readelf", "-h", at).stdout, "Type: .*DYN",
            "and lies anywhere")
    return [at] if arch == HERE else [QEMU[arch], at]


def certificate(tmp):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-out", tmp + "/c.pem",
                    "-keyout", tmp + "/k.pem"], check=True,
                   stderr=subprocess.DEVNULL)
    os.chmod(tmp + "/k.pem", 0o600)


def tunnel(tmp, words):
    port = free_port()
    certificate(tmp)
    with Targets() as targets, Relayd(t, listeners='listen on 127.0.0.1 port '
                                      '%d tls {\n\tcert "%s/c.pem" key '
                                      '"%s/k.pem"\n}' % (port, tmp, tmp)) as d:
        key, secret = d.add_system()
        d.secret("the system's", secret)
        with Program(words + [
                "--url", "wss://localhost:%d/api/tunnel" % port, "--ca-file",
                tmp + "/c.pem", "--reconnect-delay", "1s"], env=dict({
                    "SYSTEM_KEY": key, "SYSTEM_SECRET": secret,
                    "STATIC_SERVICES": "echo=127.0.0.1:%d:tcp" %
                    targets.echo, "STATUS_SOCKET": "none",
                    "REDIS_ADDR": "none", "USERS_DIR": "/nonexistent",
                    "DIAGNOSTICS_DIR": "/nonexistent", "SHELL": "/bin/sh"},
                    **client_state())):
            s = d.wait_session()["session"]
            t.ok(True, "a name is found, and TLS spoken")
            token = d.token()
            until(lambda: d.ctl("show", "services", s), "its services")
            w = d.tcp_open(s, "echo", token)
            sent = os.urandom(30000) * 10
            for i in range(0, len(sent), 30000):
                w.send(sent[i:i + 30000])
            t.ok(w.recv_bytes(len(sent)) == sent, "a service behind it")
            w.close()
            w = d.terminal(s, d.ticket(s, token))
            w.send(b"\0echo $((6 * 7))00\n")
            w.recv_until(rb"4200")
            t.ok(True, "a terminal")
            w.close()


def openwrt(tmp):
    """The files that etc/openwrt/Makefile takes are enough, as it asks."""
    with open(os.path.join(SRC, "etc", "openwrt", "Makefile")) as f:
        text = f.read().replace("\\\n", " ")
    files = re.search(r"\$\(CP\) (.*?)\s+\$\(PKG_BUILD_DIR\)",
                      text).group(1).split()
    args = re.search(r"(?m)^CONFIGURE_ARGS\+= *(.*)$", text).group(1)
    with open(os.path.join(os.environ["RELAYD_FAST_BUILD"],
                           "config.mk")) as f:
        llhttp = re.search(r"(?m)^LLHTTP_SRC =[ \t]*(.*)$", f.read()).group(1)
    args = args.replace("$(LLHTTP)", llhttp or "auto").split()
    at = os.path.join(tmp, "openwrt")
    os.mkdir(at)
    for name in files:
        subprocess.run(["cp", "-r", os.path.join(SRC, name), at], check=True)
    r = subprocess.run(["./configure", *args], cwd=at, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    t.equal(r.returncode, 0, "etc/openwrt: configure") or t.diag(r.stdout)
    r = subprocess.run(["make", "-n", "all"], cwd=at, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    t.equal(r.returncode, 0, "all that it is made of is there") or \
        t.diag(r.stdout)
    t.equal(re.findall(r"LINK  (\S+?)\"?$", r.stdout, re.M),
            ["bin/tunnel-client"], "it is the client alone")


def main(tmp):
    openwrt(tmp)
    for arch in "amd64", "arm64":
        words = built(tmp, arch)
        if words is not None:
            t.match(output(*words, "--version").stdout,
                    r"^tunnel-client \d", "%s: it runs" % arch)
            tunnel(tmp, words)


with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    main(tmp)
t.done()
