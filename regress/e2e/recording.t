#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Recordings of terminals: what is in them, who reads them, what becomes of
them when something dies, or is full, or old."""

import json
import os
import re
import stat

from harness import OurClient, Relayd, Tap, until

t = Tap()
INDICATOR = b"\3this terminal is recorded"


def read(path):
    """An asciicast v2 by its description: header, whole event lines."""
    with open(path, "rb") as f:
        return parse(f.read())


def parse(data):
    lines = data.decode("utf-8").split("\n")[:-1]
    head = json.loads(lines[0])
    assert head["version"] == 2 and head["width"] > 0 and head["height"] > 0
    events, last = [], 0
    for line in lines[1:]:
        at, kind, text = json.loads(line)
        assert at >= last and kind in ("o", "r")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
        last = at
        events.append((at, kind, text))
    return head, events


def said(events):
    return "".join(x for _, kind, x in events if kind == "o")


def opened(d, sid, token):
    w = d.terminal(sid, d.ticket(sid, token))
    if w.status != 101:
        raise RuntimeError("terminal: %d %s" % (w.status, w.body()))
    return w


def files(d):
    at = os.path.join(d.dir, "store", "recordings")
    return sorted(os.path.join(at, x) for x in os.listdir(at)) \
        if os.path.isdir(at) else []


with Relayd(t, operator="\tticket rate 1000\n",
            global_conf="record terminals yes") as d:
    key, secret = d.add_system("box")
    with OurClient(d, key, secret) as c:
        sid = d.wait_session()["session"]
        token = d.token(lifetime="24h")
        w = opened(d, sid, token)
        t.equal(w.headers.get("x-support-recording"), "on",
                "the answer says that the terminal is recorded")
        op, p = w.recv()
        t.equal(p, INDICATOR, "and so does the terminal, first of all")
        w.send(b'\1{"cols":100,"rows":30}')
        w.send(b"\0echo re-$((1+1))\r")
        w.recv_until(rb"re-2")
        path, = files(d)
        head, events = read(path)
        t.ok("re-2" in said(events), "what was shown is in the file")
        t.equal([x for _, k, x in events if k == "r"], ["100x30"],
                "and the new size")
        t.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600,
                "which nobody else may read")
        w.close()

t.done()
