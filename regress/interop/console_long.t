#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What takes long in the console shows how far it is: a recording, an access log
of many pages. And a service that is no web service can be added."""

from browse import OurClient, Relayd, installed, lacks, talk
from harness import Tap, until

t = Tap()
MAY = ("connect:systems", "read:systems", "read:recordings")
SHOWN = 1500000         # bytes of a terminal


def recorded(d, sid, token, much, but=()):
    """A terminal that shows so much: the recording's id and size."""
    w = d.terminal(sid, d.ticket(sid, token))
    w.send(b"\0yes 'all that was to be seen in it' | head -c %d; "
           b"echo end-$((1+1))\r" % much)
    w.recv_until(rb"end-2")
    w.close()
    row, = until(lambda: [r for r in d.ctl("recording", "list")
                          if r["ended"] != "-" and r["recording"] not in but],
                 "the recording's end")
    return row["recording"], int(row["bytes"])


def views(d, sid, recording, n, token):
    """Each is a row of the access log."""
    for _ in range(n):
        if d.request("GET", "/api/support-sessions/%s/recordings/%s" % (
                sid, recording), None,
                {"Authorization": "Bearer " + token})[0] != 200:
            raise RuntimeError("a view is refused")


def main():
    if lacks():
        t.skip("no " + lacks(), "the console's downloads in a browser")
        return
    installed()
    with Relayd(t, global_conf="record terminals yes",
                operator="api rate 100000", verbose=False,
                tunnel="allow loopback targets yes") as d:
        token = d.token(permissions=MAY)
        with OurClient(d, *d.add_system("box")):
            sid = d.wait_session()["session"]
            short, _ = recorded(d, sid, token, 100)
            recording, size = recorded(d, sid, token, SHOWN, (short,))
            t.ok(size > SHOWN, "a long recording (%d)" % size)
            views(d, sid, short, 220, token)
            views(d, sid, short, 1, d.token("=1+1", permissions=MAY))
            def other(word):
                """How many rows the access log has."""
                return str(d.api("GET", "/support-sessions/%s/logs" % sid,
                                 token)[1]["data"]["pagination"][
                                     "total_count"])
            talk(t, "downloads.js", other, name="long", token=token,
                 session=sid, recording=recording, size=size,
                 url="http://127.0.0.1:%d/" % d.port)


main()
t.done()
