#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The log: as text and as JSON, a reload changes it; one line is one event,
whatever a peer chose."""

import datetime
import json
import re

from harness import OurClient, Relayd, Tap, Targets, until

t = Tap()
MEMBERS = {"time", "level", "role", "pid", "instance", "session", "request",
           "message"}
HOSTILE = (b"/a\x0a{\"role\":\"parent\"}", b"/b\xff\xfe", b"/c\xe2\x80\xa8d",
           b"/e\x1b[2J", b"/f\\\"g\"")


def raw(d, path):
    """A request with any bytes in its path; whatever comes back."""
    s = d.connect()
    s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n"
              b"Connection: close\r\n\r\n")
    while s.recv(65536):
        pass
    s.close()


def rewrite(d, text):
    with open(d.conf, "w") as f:
        f.write(text)
    t.equal(d.ctl_raw("reload").returncode, 0, "reload")


def objects(d, mark):
    """The lines since then, each as its object."""
    return [json.loads(x) for x in d.log.lines[mark:]]


def check_json(d, mark):
    rows = objects(d, mark)
    t.ok(len(rows) > 20, "each line is an object (%d)" % len(rows))
    t.equal([r for r in rows if not set(r) <= MEMBERS or
             not {"time", "level", "role", "pid", "message"} <= set(r)], [],
            "with the members that relayd(8) names")
    for r in rows:
        datetime.datetime.strptime(r["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    pids = {int(p["pid"]): p["role"] for p in d.processes()}
    t.equal([r for r in rows if pids.get(r["pid"], r["role"]) != r["role"]],
            [], "role and pid are those of the process")
    t.equal([x for x in d.log.lines[mark:] if not re.fullmatch(
        r"[\x20-\x7e]+", x)], [], "a line has printable ASCII alone")
    return rows


with Targets() as targets, Relayd(t) as d:
    first = d.log.lines[0]
    t.match(first, r"^\d{4}-\d\d-\d\dT[\d:.]+Z \w+ \w+\[\d+\]", "text at first")
    text = d.text
    rewrite(d, text + "log format json\n")
    mark = d.log.mark()
    key, secret = d.add_system("box")
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http):
        s = d.wait_session()["session"]
        for path in HOSTILE:
            raw(d, path)
        until(lambda: d.log.has("muxd.*logged in|session.*made", mark),
              "the login")
        token = d.token()
        d.api("POST", "/support-sessions/%s/terminal-ticket" % s, "x" + token,
              {})
        d.ctl("close", s)
        d.log.wait("by the local administrator|closed by", mark)
    rows = check_json(d, mark)
    t.ok([r for r in rows if r.get("session") == s and r["role"] == "authd"],
         "authd's lines name the session in a member")
    t.ok([r for r in rows if r.get("session") == s and r["role"] == "muxd"],
         "muxd's, too")
    rewrite(d, text + "log format text\n")
    mark = d.log.mark()
    for path in HOSTILE:
        raw(d, path)
    d.log.wait(r"/f\\x5c", mark)
    t.equal([x for x in d.log.lines[mark:] if not re.match(
        r"^\d{4}-\d\d-\d\dT[\d:.]+Z (error|warn|info|debug) \w+\[\d+\] ?\d*"
        r"( session [0-9a-f-]{36})?( request [\w.-]+)?: [\x20-\x7e]*$", x)],
        [], "as text a line is a line, too")

t.done()
