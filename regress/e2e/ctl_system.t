#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayctl system show, rename, rotate."""

import json

from harness import OurClient, Relayd, Tap, Targets, is_up, until

t = Tap()


def fields(d, name):
    """`system show` as a dictionary, its sessions as a list."""
    rows = d.ctl("system", "show", name)
    return ({r["field"]: r["text"] for r in rows},
            [r["text"] for r in rows if r["field"] == "session"])


def refused(c):
    return c.err.wait(r"\(401 ")


def named(d, want):
    """What the open session says; that of another member hears of it."""
    def name():
        return d.sessions()[0]["system"]
    if d.members > 1:
        until(lambda: name() == want, "the name at its member")
    return name()


with Targets() as targets, Relayd(t) as d:
    key, secret = d.add_system("box")
    services = "web=127.0.0.1:%d" % targets.http
    has, open_ = fields(d, "box")
    t.equal((has["key"], has["name"], has["enabled"], has["notes"], open_),
            (key, "box", "yes", "-", []), "system show")
    t.ok(has["registered"].endswith("Z") and "secret" not in json.dumps(has),
         "when it was registered, and no secret")
    with OurClient(d, key, secret, services) as c:
        sid = d.wait_session()["session"]
        has, open_ = fields(d, key)
        t.match(open_[0], "^%s, active, tunnel up, (services 1, streams 0, )?"
                "until " % sid if d.members > 1 else "^%s, active, tunnel up, "
                "services 1, streams 0, until " % sid, "with its session")

        # Another name.
        d.ctl("system", "rename", "box", "Front Office")
        has, open_ = fields(d, "Front Office")
        t.equal((has["key"], has["name"]), (key, "Front Office"), "rename")
        t.equal(named(d, "Front Office"), "Front Office",
                "also in the session that is open")
        st, env = d.api("PUT", "/systems/%s" % has["id"], d.token(
            permissions=("manage:systems",)), {"name": "box"})
        t.equal((st, named(d, "box")), (200, "box"),
                "likewise with the API")
        for bad in "a\u202eb", "a\nb", "a\x1b[2Jb", " ":
            r = d.ctl_raw("system", "rename", "box", bad)
            t.ok(r.returncode == 1 and "bad name" in r.stderr,
                 "a name of %r is refused" % bad)
        d.add_system("taken")
        r = d.ctl_raw("system", "rename", "box", "taken")
        t.equal((r.returncode, r.stderr, d.sessions()[0]["system"]),
                (1, "relayctl: refused: another system has this name; -f "
                 "gives it all the same\n", "box"), "a name that is taken")
        r = d.ctl_raw("system", "rename", "box", "box")
        t.equal(r.returncode, 0, "but its own is no other's")
        r = d.ctl_raw("-f", "system", "rename", key, "taken")
        t.equal((r.returncode, named(d, "taken")), (0, "taken"),
                "-f: the name of another")
        r = d.ctl_raw("system", "rename", "taken", "box")
        t.match(r.stderr, "more than one system", "then a name is not enough")
        d.ctl("system", "rename", key, "box")
        r = d.ctl_raw("system", "rename", "nobody", "x")
        t.equal((r.returncode, r.stderr),
                (1, "relayctl: refused: no such system\n"), "an unknown one")

        # Another secret.
        row = d.ctl("system", "rotate", "box")[0]
        t.equal((row["id"], row["key"]), (has["id"], key), "rotate: the row")
        t.match(row["secret"], r"^my_[0-9a-f]{20}\.[0-9a-f]{40}$",
                "has the new secret")
        t.ok(row["secret"] != secret, "which is another one")
        t.ok(is_up(d.sessions()[0]) and d.via(sid, d.cookie(sid, d.token()),
             "/echo")[0] == 200, "a tunnel that is up stays")
        with OurClient(d, key, secret, services) as old:
            refused(old)
            t.ok(True, "the old secret is refused from then on")
        until(lambda: is_up(d.sessions()[0]), "the session")
        d.ctl("close", sid)
        t.equal(c.wait(), 0, "close ends it")
    with OurClient(d, key, row["secret"], services):
        t.ok(d.wait_session(but=(sid,)), "the new one is let in")
    t.equal(d.ctl_raw("system", "rotate", "nobody").returncode, 1,
            "an unknown one")
    done = [x["action"] for x in d.ctl("show", "audit")]
    t.ok({"system_rename", "system_rotate"} <= set(done), "both are audited")

t.done()
