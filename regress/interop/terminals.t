#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The console's terminals in Chromium: a page that is reloaded, a connection
that breaks, a tunnel that drops, a program that never stops printing."""

import os
import tempfile

from browse import OurClient, Relayd, installed, lacks, shell_wrote, talk, until
from harness import Tap, Wire

t = Tap()


def memory(pid):
    try:
        with open("/proc/%d/status" % pid) as f:
            return [int(x.split()[1]) for x in f if x.startswith("VmRSS")][0]
    except OSError:
        return 0


class Other:
    def __init__(self, d, tmp, wire):
        self.d, self.tmp, self.wire = d, tmp, wire
        self.key, self.secret = d.add_system("plant")
        self.client, self.token = None, ""

    def __call__(self, word, *args):
        return str(getattr(self, "do_" + word)(*args) or "done")

    def do_connect(self):
        self.client = OurClient(self.d, self.key, self.secret,
                                "web=127.0.0.1:9")
        return self.d.wait_session()["session"]

    def do_kill(self):
        self.client.p.kill()
        self.client.p.wait()
        self.client.stop()

    def do_cut(self):
        self.wire.cut()

    def do_file(self, name):
        return shell_wrote("%s/%s" % (self.tmp, name))

    def do_change(self):
        self.d.add_system("another")

    def mine(self):
        return self.d.api("GET", "/terminals", self.token)[1]["data"][
            "terminals"]

    def do_waits(self):
        return until(lambda: len([x for x in self.mine() if x["waits"]]),
                     "the terminal to wait")

    def do_one(self):
        until(lambda: len(self.mine()) == 1, "one terminal to be left")

    def do_restart(self):
        self.d.stop()
        self.d.start()

    def do_memory(self):
        """KiB of what a terminal's bytes pass through, all together."""
        rows = self.d.ctl("show", "processes")
        return sum(memory(int(x["pid"])) for x in rows
                   if x["role"] in ("muxd", "termd")) + \
            memory(self.client.pid)

    def do_close(self, token):
        sid = self.d.sessions()[0]["session"]
        self.d.api("DELETE", "/support-sessions/" + sid, token)


def main():
    if lacks():
        t.skip("no " + lacks(), "terminals in a browser")
        return
    installed()
    with tempfile.TemporaryDirectory(prefix="relayd-terminals-") as tmp, \
            Relayd(t, operator="\tterminal idle timeout 40s\n"
                   "\tticket rate 1000",
                   tunnel="allow loopback targets yes") as d:
        os.chmod(tmp, 0o777)
        wire = Wire(d.port)
        other = Other(d, tmp, wire)
        token = d.token(permissions=("connect:systems", "read:systems"))
        other.token = token
        try:
            talk(t, "terminals.js", other, name="terminals", token=token,
                 dir=tmp, url="http://127.0.0.1:%d/" % wire.port)
        finally:
            if other.client is not None:
                other.client.stop()


main()
t.done()
