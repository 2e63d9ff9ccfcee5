#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A terminal of the console that is recorded, in Chromium: searched, its links
followed, copied from and pasted into; then what was recorded, played; and what
signing out ends."""

import os
import tempfile

from browse import (OurClient, Relayd, installed, lacks, shell_wrote, talk,
                    until)
from harness import Tap

t = Tap()
MAY = ("connect:systems", "read:systems", "read:recordings")


class Other:
    def __init__(self, d, tmp, token):
        self.d, self.tmp, self.token = d, tmp, token

    def __call__(self, word, *args):
        return getattr(self, "do_" + word)(*args) or "done"

    def do_file(self, name):
        return shell_wrote("%s/%s" % (self.tmp, name))

    def waiting(self):
        return [x["waits"] for x in self.d.api("GET", "/terminals", self.token)
                [1]["data"]["terminals"]]

    def do_waits(self):
        until(lambda: self.waiting() == [True], "the terminal to wait")

    def do_none(self):
        until(lambda: self.waiting() == [], "it to end")


def main():
    if lacks():
        t.skip("no " + lacks(), "a recorded terminal in a browser")
        return
    installed()
    with tempfile.TemporaryDirectory(prefix="relayd-recorded-") as tmp, \
            Relayd(t, operator="\tticket rate 1000",
                   global_conf="record terminals yes") as d:
        os.chmod(tmp, 0o777)
        with OurClient(d, *d.add_system("plant"), "web=127.0.0.1:9"):
            d.wait_session()
            token = d.token(permissions=MAY)
            talk(t, "recorded.js", Other(d, tmp, token), name="recorded",
                 token=token, dir=tmp, url="http://127.0.0.1:%d/" % d.port)


main()
t.done()
