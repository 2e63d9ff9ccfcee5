# SPDX-License-Identifier: ISC
"""What the end-to-end tests share: TAP, a relayd of their own with its real
processes, the Go stand-in client, targets, raw HTTP and WebSocket.

A test file reads:

    from harness import Tap, Relayd, GoClient, Targets
    t = Tap()
    with Targets() as targets, Relayd(t) as d:
        ...
        t.ok(status == 200, "operator-1: ...")
    t.done()

Waiting is always for something: a log line, an event, a socket, a predicate,
with a deadline that is far away and fails the test. Leaving `with` stops
everything that was started, by its pid, and fails the test when a sanitizer said
a word.
"""

import atexit
import json
import os
import shutil
import signal
import tempfile

# Tests know these by the name of this module.
from asks import API, DOMAIN, Asks
from basics import (BUILD, FAST_BUILD, SRC, WAIT, Lines, Program, Tap, Wire,
                    free_port, go_program, is_up, keep_log, rest, secret,
                    self_signed, until)
from daemon import STORE, Broken, Relayd
from frames import WebSocket
from fronted import FRONT, Fronted

if FRONT:
    Relayd = Fronted


def front_file(name, tmp, port, back):
    """A file of etc/front-*, with this test's names and ports, and with the
    certificate TMP/cert.*."""
    with open(os.path.join(SRC, "etc", "front-" + name)) as f:
        text = f.read()
    for old, new in (("https://*.support.example.com",
                      "https://*.%s:%d" % (DOMAIN, port)),
                     ("https://support.example.com",
                      "https://%s:%d" % (DOMAIN, port)),
                     ("listen 443", "listen 127.0.0.1:%d" % port),
                     ("bind :443", "bind 127.0.0.1:%d" % port),
                     ("127.0.0.1:8080", "127.0.0.1:%d" % back),
                     ("/etc/ssl/support.example.com", tmp + "/cert"),
                     ("support.example.com", DOMAIN)):
        text = text.replace(old, new)
    return text


def nginx(tmp, text):
    """How to run nginx with this in its http block."""
    own = os.path.join(tmp, "nginx.conf")
    temps = "".join("\t%s_temp_path %s/%s;\n" % (x, tmp, x) for x in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(own, "w") as f:
        f.write("daemon off;\npid %s/pid;\nerror_log stderr;\nevents { }\n"
                "http {\n\taccess_log off;\n%s%s}\n" % (tmp, temps, text))
    return ["nginx", "-c", own, "-p", tmp, "-e", "stderr"]


class Targets(Program):
    """The service behind the tunnel: web server and TCP echo."""

    def __init__(self):
        super().__init__([go_program("targets")])
        ports = json.loads(self.out.wait(r"\{").string)
        self.http, self.echo = ports["http"], ports["echo"]
        self.count = ports["count"]


class GoClient(Program):
    """The stand-in for the existing customer-side client."""

    def __init__(self, d, key, secret, services, node=None, path=None,
                 extra=()):
        argv = [go_program("tunnelclient"), "-url",
                "ws://127.0.0.1:%d%s" % (d.port, path or
                                         "/support/api/tunnel"),
                "-key", key, "-secret", secret, "-services", services]
        if node:
            argv += ["-node", node]
        super().__init__(argv + list(extra), env={"SHELL": os.path.join(
            os.path.dirname(os.path.abspath(__file__)), "plain-shell")})

    def event(self, name, start=0, seconds=WAIT):
        return json.loads(self.out.wait(
            r'"event":"%s"' % name, start, seconds).string)


def client_state():
    """A client has nothing of what one of this machine's may have left: its
    files are in a directory of its own, and its configuration is empty."""
    if not STATE:
        STATE.append(tempfile.mkdtemp(prefix="tunnel-client-state-"))
        os.chmod(STATE[0], 0o700)
        atexit.register(shutil.rmtree, STATE[0], True)
        with open(os.path.join(STATE[0], "conf"), "w"):
            pass
    mine = tempfile.mkdtemp(dir=STATE[0])
    return {"TUNNEL_CONFIG": os.path.join(STATE[0], "conf"),
            "CONSENT_FILE": os.path.join(mine, "consent"),
            "USERS_STATE_FILE": os.path.join(mine, "users.json")}


STATE = []


class OurClient(Program):
    """relayd's own tunnel-client."""

    def __init__(self, d, key, secret, services=None, extra=(), env=None,
                 build=None):
        super().__init__([os.path.join(build or BUILD, "bin",
                                       "tunnel-client"),
                          "--reconnect-delay", "1s"] + list(extra),
                         env=dict({
                             "SUPPORT_URL": "ws://127.0.0.1:%d/api/tunnel" %
                                            d.port,
                             "SYSTEM_KEY": key, "SYSTEM_SECRET": secret,
                             "STATIC_SERVICES": services or "",
                             "STATUS_SOCKET": "none", "REDIS_ADDR": "none",
                             "USERS_DIR": "/nonexistent",
                             "DIAGNOSTICS_DIR": "/nonexistent",
                             "SHELL": "/bin/sh"},
                             **dict(client_state(), **(env or {}))))


    def stop(self, sig=signal.SIGTERM, seconds=15):
        code = super().stop(sig, seconds)
        keep_log("tunnel-client", self.err.text())
        return code
