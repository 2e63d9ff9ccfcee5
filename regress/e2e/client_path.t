#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayd with its own tunnel-client at the far end: a page, a terminal, a
command, and the way back into the same session."""

import hashlib
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import OurClient, Relayd, Tap, Targets, until

t = Tap()
with tempfile.TemporaryDirectory() as tmp, Targets() as targets, \
        Relayd(t) as d:
    hosts = os.path.join(tmp, "hosts")
    with open(hosts, "w") as f:
        f.write("169.254.169.254 inner.example\n")
    key, secret = d.add_system()
    with OurClient(d, key, secret, "web=127.0.0.1:%d,inner=inner.example:80,"
                   "meta=169.254.169.254:80" % targets.http,
                   env={"TUNNEL_CLIENT_HOSTS": hosts,
                        "SHELL": "/bin/sh"}) as c:
        s = d.wait_session()
        sid = s["session"]
        token = d.token()

        def services():
            st, env = d.api("GET", "/support-sessions/%s/services" % sid,
                            token)
            return env["data"]["services"] if st == 200 else ()
        until(lambda: "web" in services(), "the manifest")
        t.ok("inner" in services() and "meta" not in services(),
             "tunnel-31(partial): a name the server cannot resolve is kept")
        for path in "/nowhere", "/api/tunel":
            d.move_clock(1000)
            mark = d.log.mark()
            with OurClient(d, key, secret, extra=["--url", "ws://127.0.0.1:%d"
                                                  "%s?x=y" % (d.port, path)]):
                m = d.log.wait("127.0.0.1: no tunnel path: .*", mark)
            t.equal(m.group(0), "127.0.0.1: no tunnel path: " + path,
                    "a client on %s leaves a line" % path)
        cookie = d.cookie(sid, token)
        st, h, body = d.via(sid, cookie, "/bytes?n=5000000&seed=7")
        t.equal((st, hashlib.sha256(body).hexdigest()),
                (200, h["X-SHA256"]), "5 MB through relayd and our client")
        data = os.urandom(3000000)
        st, h, body = d.via(sid, cookie, "/sha", "POST", body=data,
                             headers={"Origin": "http://" +
                                      d.proxy_host(sid)})
        t.match("%d %r" % (st, body), hashlib.sha256(data).hexdigest(),
             "3 MB the other way")
        inner = d.cookie(sid, token, "inner")
        st, h, body = d.via(sid, inner, "/", service="inner")
        t.equal(st, 502, "a target that is refused is a 502")
        t.ok(c.err.wait("inner.example:80: refused address"),
             "tunnel-31: our client refuses to dial a name that resolves to "
             "169.254.169.254")

        w = d.terminal(sid, d.ticket(sid, token))
        w.send(b"\1" + b'{"cols":91,"rows":33}')
        w.send(b"\0" + b"stty size; echo done-$((6*7))\r")
        got = w.recv_until(rb"done-42")
        t.ok(b"33 91" in got, "tunnel-43: a terminal through relayd: keys, "
             "output, resize")
        w.send(b"\0exit\r")
        t.equal(w.recv_close()[0], 1000, "its end")

        # The tunnel's worker is killed: the client must find its way back.
        mark = c.err.mark()
        d.kill(d.pid_of("muxd"))
        m = c.err.wait(r"connected to .*session (\S+)", mark)
        t.equal(m.group(1), sid, "tunnel-47(partial): lost and back: the same "
                "session")
        until(lambda: "web" in services(), "the manifest again")
        st, h, body = d.via(sid, cookie, "/bytes?n=1000&seed=7")
        t.equal(st, 200, "and the operator's cookie still works")

        # The whole server goes and comes back.
        mark = c.err.mark()
        d.stop()
        c.err.wait("closed by the server: 1001", mark)
        t.ok(True, "tunnel-15(partial): a server that stops says 1001")
        d.start()
        m = c.err.wait(r"connected to .*session (\S+)", mark)
        t.equal(m.group(1), sid, "tunnel-52(partial): a restart of the "
                "server: back in the same session")

        st, env = d.api("DELETE", "/support-sessions/" + sid, token)
        t.equal(st, 200, "an operator closes the session")
        t.equal(c.wait(), 0, "tunnel-57(partial): 4000: our client exits 0")
        t.ok("Sanitizer" not in c.err.text() and
             "runtime error" not in c.err.text(), "no sanitizer has spoken")
t.done()
