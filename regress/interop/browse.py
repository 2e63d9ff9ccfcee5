# SPDX-License-Identifier: ISC
"""Real programs behind a tunnel, and a real browser that opens them: what the
tests of this directory share beside regress/e2e/harness.py."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import chromium                                          # noqa: E402
from harness import (BUILD, DOMAIN, SRC, OurClient, Program,  # noqa: E402
                     Relayd, free_port, front_file, nginx, self_signed,
                     until)

os.environ["PATH"] += ":/usr/sbin"
WEB = os.path.join(BUILD, "web")
SHOTS = os.path.join(BUILD, "screenshots")
HOST = "app.customer.test"      # of a service that gives one


def lacks(*programs):
    """The first that is not here, of these and of what each test needs."""
    if chromium.program() is None:
        return "chromium"
    return next((p for p in ("nginx", "node", "npm") + programs
                 if shutil.which(p) is None), None)


def installed():
    """tools/setup-web, once for all tests."""
    os.makedirs(WEB, exist_ok=True)
    with open(WEB + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["sh", os.path.join(SRC, "tools", "setup-web"), WEB],
                       check=True, stdout=sys.stderr)


def python():
    return os.path.join(WEB, "venv", "bin", "python")


def node(script, *args, **settings):
    """How to run one of web/*.js."""
    return dict(argv=["node", os.path.join(HERE, "web", script), *args],
                env=dict(NODE_PATH=os.path.join(WEB, "node_modules"),
                         **settings))


def play(t, script, **what):
    """Runs a script of web/ in the browser; its lines become the test's.
    `what` is for the script: name (of its pictures), url and its own."""
    os.makedirs(SHOTS, exist_ok=True)
    what.update(chromium=chromium.program(), domain=DOMAIN, shots=SHOTS)
    with Program(**node(script, json.dumps(what))) as p:
        status = p.wait(300)
        p.out.thread.join()
        for line in p.out.lines:
            good, _, text = line.partition(" - ")
            if good in ("ok", "not ok"):
                t.ok(good == "ok", "%s: %s" % (what["name"], text))
            else:
                t.diag(line)
        if status != 0:
            t.ok(False, "%s: the script comes to its end" % what["name"])
            t.diag(p.err.text())


def talk(t, script, other, **what):
    """The same for a script that asks for what happens elsewhere: a line, "do:
    WORD ARGUMENTS", is a call of `other`, whose answer is a line."""
    os.makedirs(SHOTS, exist_ok=True)
    what.update(chromium=chromium.program(), domain=DOMAIN, shots=SHOTS)
    with Program(**node(script, json.dumps(what)),
                 stdin=subprocess.PIPE) as p:
        for line in lines_of(p):
            good, _, text = line.partition(" - ")
            if line.startswith("do: "):
                answer = other(*line[4:].split())
                p.p.stdin.write(answer.encode() + b"\n")
                p.p.stdin.flush()
            elif good in ("ok", "not ok"):
                t.ok(good == "ok", text)
            else:
                t.diag(line)
        if p.wait() != 0:
            t.ok(False, "the script comes to its end")
            t.diag(p.err.text())


def lines_of(p):
    """Each line, until it ends."""
    at = 0
    while True:
        until(lambda: len(p.out.lines) > at or p.p.poll() is not None,
              "the browser", 120)
        if len(p.out.lines) > at:
            yield p.out.lines[at]
            at += 1
        else:
            p.out.thread.join()
            if len(p.out.lines) == at:
                return


def listens(port, program):
    def there():
        if program.p.poll() is not None:
            raise RuntimeError(program.out.text() + program.err.text())
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    until(there, "%s to listen" % program.argv[0])


def shell_wrote(path):
    """What a shell puts into a file, once it is there."""
    def written():
        try:
            with open(path) as f:
                return f.read().strip()
        except OSError:
            return ""
    return until(written, "the shell to write " + path)


def opened(d, session, token, service="web", path="/"):
    """The address by which an operator comes in."""
    st, env = d.api("POST", "/support-sessions/%s/proxy-token" % session,
                    token, {"service": service})
    d.secret("a proxy token", env["data"]["token"].split(".")[2])
    return env["data"]["url"].rstrip("/") + path + \
        ("&" if "?" in path else "?") + "token=" + env["data"]["token"]


@contextmanager
def behind(t, services, front=True, **kw):
    """A relayd and a tunnel to these services, with nginx and its certificate
    before it or without: the relayd, the session, an operator's token."""
    port = free_port() if front else None
    with tempfile.TemporaryDirectory(prefix="relayd-web-") as tmp, \
            Relayd(t, global_conf="trusted proxy 127.0.0.1/32",
                   front=port, **kw) as d:
        os.chmod(tmp, 0o755)
        d.front = port
        for end, path in zip(("pem", "key"), self_signed(tmp)):
            os.rename(path, "%s/cert.%s" % (tmp, end))
        key, secret = d.add_system()
        with OurClient(d, key, secret, services):
            session = d.wait_session()["session"]
            until(lambda: d.ctl("show", "services", session), "the manifest")
            if not front:
                yield d, session, d.token()
                return
            with Program(nginx(tmp, front_file("nginx.conf", tmp, port,
                                               d.port))) as p:
                listens(port, p)
                yield d, session, d.token()
