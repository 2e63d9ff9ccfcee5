#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A Node server behind a tunnel, in Chromium: events that it sends, a form and
a WebSocket that Express and ws refuse to other origins."""

from browse import (HOST, Program, behind, free_port, installed, lacks,
                    listens, node, opened, play)
from harness import Tap

t = Tap()


def main():
    if lacks():
        t.skip("no " + lacks(), "events in a browser")
        return
    installed()
    port = free_port()
    services = "web=127.0.0.1:%d,named=127.0.0.1:%d:host=%s" % (
        port, port, HOST)
    with Program(**node("server.js", str(port))) as p:
        listens(port, p)
        play(t, "live.js", name="live-direct",
             url="http://127.0.0.1:%d/" % port)
        for front in True, False:
            with behind(t, services, front) as (d, session, token):
                for service in "web", "named":
                    for path in "/", "/trusting/":
                        play(t, "live.js", name="live-%s-%s%s" % (
                            "https" if front else "http", service,
                            path.replace("/", "-").rstrip("-")),
                            url=opened(d, session, token, service, path))


main()
t.done()
