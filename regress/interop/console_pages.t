#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every page of the web console: how much is loaded, what axe-core says of it
light and dark, wide and narrow, pictures of all, what its address keeps, and
that two organizations do not see each other."""

import json
import os
import re
import subprocess

from browse import (DOMAIN, SHOTS, OurClient, Program, Relayd, free_port,
                    installed, lacks, node)
import chromium
from harness import GoClient, Tap, until

t = Tap()
ROOM = 300 * 1024       # compressed, of what the first page loads
MAY = ("connect:systems", "read:systems", "manage:systems", "read:recordings")


def packed(d, path):
    """What a browser gets: bytes on the wire, and what they are."""
    st, head, data = d.request("GET", path, headers={
        "Accept-Encoding": "gzip"})
    t.equal(st, 200, path)
    return len(data), d.request("GET", path)[2]


def loaded(d):
    n, page = packed(d, "/")
    script = b""
    for path in re.findall(r'(?:src|href)="(/assets/[^"]*)"', page.decode()):
        size, text = packed(d, path)
        n += size
        if path.endswith(".js"):
            script += text
    t.diag("the first page loads %d bytes, compressed" % n)
    t.ok(0 < n < ROOM, "the first page is below 300 KiB (%d)" % n)
    t.ok(b"xterm-helper-textarea" not in script and
         b"import(" in script, "without the terminal, which comes with the "
         "first one")


def wait(d, n):
    return until(lambda: len([s for s in d.sessions()
                              if s["tunnel"] == "up"]) == n and d.sessions(),
                 "%d sessions" % n)


def play(d, **what):
    """The browser; it asks by a line for what happens meanwhile."""
    os.makedirs(SHOTS, exist_ok=True)
    what.update(chromium=chromium.program(), domain=DOMAIN, shots=SHOTS,
                url="http://127.0.0.1:%d/" % d.port)
    with Program(**node("pages.js", json.dumps(what)),
                 stdin=subprocess.PIPE) as p:
        at = 0
        while True:
            until(lambda: len(p.out.lines) > at or p.p.poll() is not None,
                  "the browser", 240)
            if len(p.out.lines) <= at:
                p.out.thread.join()
            if len(p.out.lines) <= at:
                break
            line = p.out.lines[at]
            at += 1
            good, _, text = line.partition(" - ")
            if good in ("ok", "not ok"):
                t.ok(good == "ok", text)
            elif line == "do: more":
                yield
                p.p.stdin.write(b"done\n")
                p.p.stdin.flush()
            else:
                t.diag(line)
        if p.wait() != 0:
            t.ok(False, "the script comes to its end")
            t.diag(p.err.text())


def main():
    if lacks():
        t.skip("no " + lacks(), "the console's pages in a browser")
        return
    installed()
    with Relayd(t) as d:
        loaded(d)
        ours = d.ctl("org", "add", "Works", "type", "customer")[0]["id"]
        theirs = d.ctl("org", "add", "Others", "type", "customer")[0]["id"]
        nothing = d.ctl("org", "add", "Nothing", "type", "customer")[0]["id"]
        clients = []
        for name, org in (("plant", ours), ("secretmill", theirs)):
            clients.append(OurClient(d, *d.add_system(name, org),
                                     "web=127.0.0.1:%d" % free_port()))
        wait(d, 2)
        rows = d.sessions()
        mine, other = (next(s["session"] for s in rows if name in str(s))
                       for name in ("plant", "secretmill"))
        until(lambda: d.ctl("show", "services", mine), "the manifest")
        # A page that is open is not told of them.
        until(lambda: d.rows("SELECT id FROM support_sessions WHERE id = ?"
                             " AND diagnostics IS NOT NULL", mine),
              "its diagnostics")
        for _ in play(d, name="pages", token=d.token(
                "ann", org=ours, role="customer", permissions=MAY),
                nobody=d.token("eve", org=nothing, role="customer",
                               permissions=MAY), mine=mine, other=other):
            clients.append(OurClient(d, *d.add_system("secretyard", theirs)))
            wait(d, 3)
            clients.append(GoClient(d, *d.add_system("harbour", ours),
                                    "web=127.0.0.1:%d" % free_port(),
                                    extra=["-diagnostics", "none"]))
            wait(d, 4)
        for c in clients:
            c.stop()


main()
t.done()
