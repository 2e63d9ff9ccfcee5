#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""librelay: the example, built against what make install has put somewhere."""

import os
import shutil
import subprocess
import tempfile

from harness import Relayd, Tap, until
from peers import Relay

t = Tap()
BUILD = os.environ["RELAYD_FAST_BUILD"]


def run(*words, **kw):
    return subprocess.run(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300,
                          **kw)


def build(tmp):
    prefix = tmp + "/there"
    p = run("make", "-s", "-C", BUILD, "install", "prefix=" + prefix,
            "sysconfdir=" + prefix + "/etc")
    t.equal(p.returncode, 0, "make install")
    env = dict(os.environ, PKG_CONFIG_PATH=prefix + "/lib/pkgconfig")
    os.environ["LD_LIBRARY_PATH"] = prefix + "/lib"
    p = run("pkg-config", "--cflags", "--libs", "librelay", env=env)
    t.match(p.stdout, "^-I%s/include -L%s/lib -l" % (prefix, prefix),
            "pkg-config knows it")
    flags = p.stdout.split()
    example = prefix + "/share/doc/relayd/examples/librelay.c"
    p = run("cc", "-Wall", "-Wextra", "-Werror", "-o", tmp + "/example",
            example, *flags)
    t.equal((p.returncode, p.stdout), (0, ""), "the example is built")
    with open(tmp + "/plus.cc", "w") as f:
        f.write("#include <librelay.h>\nint main() { relay_options o = {}; "
                "return relay_open(&o, 0, 0) != -1; }\n")
    if shutil.which("c++"):
        p = run("c++", "-o", tmp + "/plus", tmp + "/plus.cc", *flags)
        t.equal((p.returncode, run(tmp + "/plus").returncode), (0, 0),
                "C++ takes the header; without anything it is EINVAL")
    return prefix, tmp + "/example"


def start(d, s, side, example, program, **kw):
    return subprocess.Popen(
        [example, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={"PATH": os.environ["PATH"],
                        "LD_LIBRARY_PATH": os.environ["LD_LIBRARY_PATH"],
                        "SWSRS_URL": "http://127.0.0.1:%d" % d.port,
                        "SWSRS_SESSION": s["id"],
                        "SWSRS_TOKEN": s[side + "_token"], **kw})


def meet(d, example, program):
    r = Relay(d)
    s = r.create()
    p = start(d, s, "initiator", example, program)
    until(lambda: r.state(s) == "half_open", "the example")
    b = r.join(s, "responder")
    t.equal(b.recv(), (2, b"hello\n"), "what it writes comes here")
    with open("/proc/%d/cmdline" % p.pid) as f:
        mine = f.read()
    for line in run("ps", "-eo", "args").stdout.splitlines():
        if s["initiator_token"] in line:
            mine += line
    t.ok(s["initiator_token"] not in mine, "no token is an argument")
    for i in range(100):
        b.send(b"%03d" % i * 1000)
    b.close(1000)
    out, err = p.communicate(timeout=60)
    t.equal((p.returncode, out, err), (0, "".join(
        "%03d" % i * 1000 for i in range(100)), ""),
        "what is said here it reads, to the end")
    # It dies: the other process must not stay.
    p = start(d, s, "initiator", example, program)
    b = r.join(s, "responder")
    b.recv()
    p.kill()
    p.communicate()
    t.equal(b.closed()[0] in (1000, 1001), True, "when it dies the other "
            "side is told")
    until(lambda: r.state(s) == "pending", "the slot to be free")


def refused(d, example, program):
    s = Relay(d).create()
    for env, prog, why in (
            ({"SWSRS_TOKEN": "no"}, program, "401"),
            ({"SWSRS_SESSION": "x" * 22}, program, "404"),
            ({"SWSRS_URL": "http://127.0.0.1:1"}, program, "."),
            ({"SWSRS_URL": "http://192.0.2.1"}, program, "relay"),
            ({}, program + ".not", "No such file")):
        p = start(d, s, "initiator", example, prog, **env)
        out, err = p.communicate(timeout=60)
        t.match(err, "^no relay session: .*" + why, "%s: %s" % (
            env or prog[-4:], err.strip()))
        t.equal(p.returncode, 1, "which is an error")


with tempfile.TemporaryDirectory() as tmp, \
        Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    prefix, example = build(tmp)
    meet(d, example, prefix + "/bin/relay")
    refused(d, example, prefix + "/bin/relay")
t.done()
