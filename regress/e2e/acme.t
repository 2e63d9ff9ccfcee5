#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Challenges of ACME: what a client of it puts into the directory is served at
once, by every proxyd, and nothing else that is there."""

import os
import tempfile

from harness import Relayd, Tap, free_port, until

t = Tap()
AT = "/.well-known/acme-challenge/"
TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
TEXT = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


def put(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
        os.fchmod(f.fileno(), mode)


def got(d, path, method="GET"):
    st, h, body = d.request(method, path, "anybody.example")
    return st, body.decode()


with tempfile.TemporaryDirectory() as tmp:
    inside = free_port()
    with Relayd(t, global_conf='acme directory "%s"' % tmp,
                listeners="listen on 127.0.0.1 port %d internal" % inside) as d:
        there = tmp + AT
        t.ok(os.path.isdir(there), "relayd makes the directories below")
        none = got(d, AT + TOKEN)
        t.equal(none[0], 404, "no challenge")
        put(there + TOKEN, TEXT)
        until(lambda: [got(d, AT + TOKEN) for i in range(8)] ==
              [(200, TEXT)] * 8, "one that is written, for all proxyds")
        t.ok(True, "one that is written is there, for all proxyds")
        t.equal(d.request("GET", AT + TOKEN, "a.example")[1]["Content-Type"],
                "application/octet-stream", "its type")
        t.equal(got(d, AT + TOKEN, "HEAD"), (200, ""), "HEAD")
        t.equal(got(d, AT + TOKEN, "POST"), none, "POST")
        plain, d.port = d.port, inside
        t.equal(d.request("GET", AT + TOKEN)[0], 404, "not on a listener for "
                "inside")
        d.port = plain
        for path in ("", "../../" + TOKEN, "%2e%2e/%2e%2e/x", TOKEN + "/",
                     TOKEN + "%00", "x/../" + TOKEN, "." + TOKEN,
                     TOKEN[:-1], "%4c" + TOKEN[1:]):
            st = got(d, AT + path)[0]
            t.ok(st in (400, 404), "not %r: %d" % (path, st))

        # What is no challenge is not served, whatever may write there.
        secret = os.path.join(tmp, "secret")
        put(secret, TEXT, 0o600)
        os.link(secret, there + "hard")
        os.symlink(secret, there + "soft")
        os.mkfifo(there + "fifo")
        os.mkdir(there + "directory")
        put(there + "mode", TEXT, 0o600)
        put(there + "html", "<script>alert(1)</script>")
        put(there + "long", "a" * 300)
        put(there + "empty", "")
        put(there + "x" * 129, TEXT)
        put(there + ".hidden", TEXT)
        put(there + "a.b", TEXT)
        put(there + "two", TEXT + "\n")
        until(lambda: got(d, AT + "two")[0] == 200, "the last of them")
        t.equal(got(d, AT + "two"), (200, TEXT), "the end of a line is cut")
        for name in ("hard", "soft", "fifo", "directory", "mode", "html",
                     "long", "empty", "x" * 129, ".hidden", "a.b"):
            t.equal(got(d, AT + name)[0], 404, "not served: %.20s" % name)
        for i in range(40):
            put(there + "many%d" % i, TEXT)
        until(lambda: sum(got(d, AT + "many%d" % i)[0] == 200
                          for i in range(40)) >= 30, "many")
        t.ok(sum(got(d, AT + "many%d" % i)[0] == 200 for i in range(40)) <=
             32, "32 at once and no more")
        for i in range(40):
            os.unlink(there + "many%d" % i)

        until(lambda: got(d, AT + TOKEN)[0] == 200, "the first again")
        for p in d.processes("proxyd"):
            d.kill(int(p["pid"]))
        until(lambda: [p["state"] for p in d.processes("proxyd")] ==
              ["ready"] * 2, "other proxyds")
        until(lambda: [got(d, AT + TOKEN) for i in range(8)] ==
              [(200, TEXT)] * 8, "the first again")
        t.ok(True, "a proxyd that starts knows it, too")
        os.rename(there + TOKEN, there + "moved")
        until(lambda: got(d, AT + TOKEN) == none, "it to be moved away")
        until(lambda: got(d, AT + "moved") == (200, TEXT), "its other name")
        os.unlink(there + "moved")
        until(lambda: got(d, AT + "moved")[0] == 404, "its end")
        t.ok(True, "moved, and gone")
        r = d.ctl_raw("reload")
        t.equal(r.returncode, 0, "reload")
t.done()
