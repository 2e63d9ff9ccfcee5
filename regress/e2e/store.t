#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The store and the configuration, when they fail: the disk is full, the file
is no store, the new configuration is broken. Tunnels and open streams stay."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

from harness import GoClient, Relayd, Tap, Targets, WebSocket, until
from outage import Disk
from transfer import Bystander, Transfer, creep

t = Tap()


def count(d, pattern, start):
    return len([x for x in d.log.lines[start:] if re.search(pattern, x)])


def full(targets):
    d = Relayd(t, proxyds=2)
    store = os.path.dirname(d.store)
    try:
        disk = Disk(store)
    except (OSError, subprocess.CalledProcessError):
        t.skip("cannot mount a small file system here", "disk full")
        return
    try:
        with d, Bystander(t, d, targets) as by:
            web = "web=127.0.0.1:%d" % targets.http
            a = d.add_system("a")
            with GoClient(d, *a, web,
                          extra=["-reconnect-delay", "200ms"]) as c:
                up = c.event("connected")
                sid = up["headers"]["X-Support-Session-Id"]
                c.event("accepting")
                until(lambda: "web" in d.api(
                    "GET", "/support-sessions/%s/services" % sid,
                    by.token)[1]["data"]["services"], "the service")
                cookie = d.cookie(sid, by.token)
                t.equal(d.via(sid, cookie, "/bytes?n=10")[0], 200,
                        "all is well")
                b = d.add_system("b")
                carol = d.token("carol")
                path = "/support-sessions/%s/proxy-token" % by.session
                st, env = d.api("POST", path, carol, {"service": "web"})
                exchange = "/?token=" + env["data"]["token"]
                erin = d.token("erin")
                # A row lasts 15 minutes: the next use needs a new one.
                creep(d, 16 * 60 * 1000)
                term = d.terminal(sid, d.ticket(sid, by.token))
                term.send(b"\0echo one-$((1+1))\r")
                term.recv_until(rb"one-2")
                ticket = d.ticket(sid, by.token)
                long = Transfer(d, by.session, by.cookie, 1 << 20, 24 << 20)

                mark = d.log.mark()
                disk.fill()
                # A few rows may still fit where the store has room.
                until(lambda: d.ctl_raw("-f", "system", "add", "x").returncode,
                      "the store to have no room")
                st, env = d.api("POST", path, erin, {"service": "web"})
                t.equal(st, 503, "operator-61(partial): no token without its "
                        "row: 503")
                t.equal([d.request("GET", exchange, d.proxy_host(
                    by.session))[0] for _ in range(3)], [503] * 3,
                        "the disk is full: new grants get 503")
                w = WebSocket(d.connect(), "x",
                              "/api/support-sessions/%s/terminal?ticket=%s" %
                              (sid, ticket))
                t.equal(w.status, 503, "operator-61(partial): a terminal "
                        "needs a row too: 503")
                w.close()
                with GoClient(d, *b, web, extra=["-once"]) as n:
                    got = n.event("dial_failed")
                t.equal(got.get("status"), 503, "a new session needs a row: "
                        "503 for the client")
                t.ok("Retry-After" in got["headers"], "with Retry-After")
                r = d.ctl_raw("-f", "system", "add", "c")
                t.ok(r.returncode != 0 and r.stderr.strip(), "relayctl says "
                     "so: %s" % r.stderr.strip())
                t.equal(count(d, r"warn authd.*store", mark), 1,
                        "the log says so once")
                if count(d, r"warn authd.*store", mark) != 1:
                    t.diag("\n".join(x for x in d.log.lines[mark:]
                                     if "store" in x))
                term.send(b"\0echo two-$((1+1))\r")
                term.recv_until(rb"two-2")
                t.ok(True, "operator-59(partial): an open terminal goes on")
                t.ok(long.under_way(), "an open transfer is under way")
                st, env = d.api("GET", "/support-sessions/" + sid, by.token)
                t.ok(st in (200, 503), "reading: %d" % st)
                t.ok(not c.out.has('"closed"') and
                     not by.client.out.has('"closed"'),
                     "operator-59(partial): no tunnel drops")

                disk.room()
                creep(d, 3000)
                until(lambda: d.api("POST", path, erin,
                                    {"service": "web"})[0] == 200, "the store")
                until(lambda: d.request("GET", exchange, d.proxy_host(
                    by.session))[0] == 302, "the grant")
                t.ok(True, "when there is space again, grants are given")
                t.ok(d.log.wait(r"authd.*store: back", mark),
                     "and the log says so")
                key, secret = d.add_system("d")
                t.ok(key.startswith("NETH-"), "systems can be added")
                # Again, and authd ends too.
                disk.fill()
                until(lambda: d.ctl_raw("-f", "system", "add", "x").returncode,
                      "the store to have no room")
                pid = d.pid_of("authd")
                again = d.log.mark()
                d.kill(pid)
                d.log.wait(r"authd.*ended: signal 9", again)
                until(lambda: [p for p in d.processes("authd")
                               if int(p["pid"]) != pid], "a new authd")
                term.send(b"\0echo three-$((1+1))\r")
                term.recv_until(rb"three-2")
                t.ok(long.error is None and not c.out.has('"closed"') and
                     not by.client.out.has('"closed"'),
                     "authd killed while the disk is full: tunnels and open "
                     "streams stay")

                # A tunnel that ends now: its state waits, and nothing breaks.
                c.p.kill()
                c.p.wait()
                d.log.wait(r"session %s: lost" % sid, mark)

                disk.room()
                creep(d, 3000)
                until(lambda: d.request("GET", exchange, d.proxy_host(
                    by.session))[0] == 302, "the grant")
                t.ok(long.intact(), "disk full: another tunnel's transfer "
                     "arrives intact")
                with GoClient(d, *a, web) as again:
                    up = again.event("connected")
                    t.equal(up["headers"]["X-Support-Session-Id"], sid,
                            "the lost client returns into its session")
            with sqlite3.connect("file:%s?mode=ro" % d.store, uri=True) as db:
                t.equal(db.execute("PRAGMA integrity_check").fetchone()[0],
                        "ok", "the store is whole")
    finally:
        disk.done()


def unreadable(targets):
    d = Relayd(t, proxyds=1)
    with open(d.store, "wb") as f:
        f.write(b"This is no database, and never was one.\n" * 200)
    os.chmod(d.store, 0o666)
    d._serving = lambda: d.log.has(r"authd.*cannot open")
    with d:
        again = r"authd.*store %s: cannot open: file is not a database" % \
            re.escape(d.store)
        d.log.wait(again)
        t.ok(True, "a store that is none: the log says which and what is "
             "wrong")
        creep(d, 20000)
        t.ok(2 <= count(d, again, 0) <= 6, "again, but ever more rarely")
        t.ok(not d.log.has(r"ready: authd"), "and relayd is not ready")
        st, env = d.api("GET", "/support-sessions", None)
        t.ok(st in (401, 503), "the API answers (%d)" % st)
        r = d.ctl_raw("show", "sessions")
        t.ok(r.returncode != 0 and "store" in r.stderr, "relayctl says why: "
             "%s" % r.stderr.strip())
        st, h, body = d.request("GET", "/api/tunnel", None, {
            "Authorization": "Basic eDp5", "Connection": "Upgrade",
            "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        t.ok(st == 503 and h["Retry-After"], "a client gets 503 with "
             "Retry-After (%d)" % st)
        with open(d.store, "rb") as f:
            t.ok(f.read(7) == b"This is", "the file is left as it was")
        os.unlink(d.store)
        creep(d, 5000)
        d.log.wait(r"store: (back|made a new one)")
        key, secret = until(lambda: d.ctl_try("-f", "system", "add", "x") and
                            d.add_system("y"), "the store")
        t.ok(key, "when it can be opened, all works without a restart")


def first(targets):
    """No room for a store that is not there yet."""
    d = Relayd(t, proxyds=1)
    try:
        disk = Disk(os.path.dirname(d.store))
    except (OSError, subprocess.CalledProcessError):
        t.skip("cannot mount a small file system here", "a first start")
        return
    try:
        disk.filler = d.store + ".filler"   # nothing else may lie there
        disk.fill()
        d._serving = lambda: d.log.has(r"authd.*cannot open")
        with d:
            line = d.log.wait(r"authd.*store %s: cannot open: (.*)" %
                              re.escape(d.store)).group(1)
            t.match(line, "disk is full|No space left on device",
                    "a first start without room: that is why")
            disk.room()
            creep(d, 5000)
            d.log.wait(r"store: (back|made a new one)")
            t.ok(True, "when there is some, it is made")
    finally:
        disk.done()


def reload(targets):
    with Relayd(t, proxyds=2) as d, Bystander(t, d, targets) as by:
        by.start()
        good = d.text

        def write(text):
            with open(d.conf, "w") as f:
                f.write(text)

        lines = good.split("\n")
        at = next(i for i, x in enumerate(lines) if x.startswith("tunnel {"))
        broken = "\n".join(lines[:at] + ["colour blue"] + lines[at:])
        write(broken)
        mark = d.log.mark()
        pids = sorted(int(p["pid"]) for p in d.processes())
        os.kill(d.pid, signal.SIGHUP)
        d.log.wait(r"relayd.conf:%d: .*colour" % (at + 1), mark)
        t.ok(True, "SIGHUP with a broken file: the log names file, line and "
             "token")
        d.log.wait(r"not loaded, nothing is changed", mark)
        t.ok(True, "and that nothing is changed")
        r = d.ctl_raw("reload")
        t.equal(r.returncode, 1, "relayctl reload: exit 1")
        t.ok(re.search(r"%d: .*colour" % (at + 1), r.stderr),
             "and tells the reason: %s" % r.stderr.strip())
        cases = [
            ("no file", None, r"relayd.conf"),
            ("an empty file", "", r"."),
            ("an unclosed block", good.rsplit("}", 1)[0], r"."),
            ("a word of a later issue",
             good + 'redis "redis://127.0.0.1:6379"\n', r"redis"),
            ("a number out of range",
             good.replace("tunnel {", "tunnel {\n\tmax streams per tunnel "
                          "999999"), r"max streams"),
            ("another store", good.replace("relayd.db", "other.db"),
             r"store"),
            ("another port", good.replace(
                "listen on 127.0.0.1 port %d" % d.port,
                "listen on 127.0.0.1 port %d" % (d.port - 1)), r"listen"),
            ("bytes", "\0\1\2\xff" * 100, r"."),
        ]
        for name, text, why in cases:
            if text is None:
                os.unlink(d.conf)
            else:
                write(text)
            r = d.ctl_raw("reload")
            t.ok(r.returncode == 1 and re.search(why, r.stderr),
                 "reload with %s: refused: %s" % (
                     name, r.stderr.strip()[:100]))
        t.equal(sorted(int(p["pid"]) for p in d.processes()), pids,
                "every process is the one it was")
        t.equal(d.via(by.session, by.cookie, "/bytes?n=10")[0], 200,
                "and serves")

        # A good one applies: from now on, one stream per tunnel.
        write(good.replace("tunnel {", "tunnel {\n\tmax streams per tunnel "
                           "1"))
        by.intact("reload, refused")
        by.start(96 << 20)      # one stream, busy until the end
        creep(d, 12000)         # and none kept idle
        mark = d.log.mark()
        r = d.ctl_raw("reload")
        t.equal(r.returncode, 0, "a good reload: exit 0")
        d.log.wait(r"relayd.conf: loaded again", mark)
        st = d.via(by.session, by.cookie, "/bytes?n=10")[0]
        t.equal(st, 429, "and applies: the second stream gets 429")
        write(good)
        os.kill(d.pid, signal.SIGHUP)
        until(lambda: d.via(by.session, by.cookie, "/bytes?n=10")[0] == 200,
              "the old limit")
        t.ok(True, "SIGHUP with a good file applies too")
        t.equal(sorted(int(p["pid"]) for p in d.processes()), pids,
                "with the same processes")
        by.intact("reload")


def start(targets):
    """A bad configuration at the start: exit 1, one line per error."""
    d = Relayd(t)
    d.text = "colour blue\n" + d.text + "proxyd 100000\n"
    with open(d.conf, "w") as f:
        f.write(d.text)
    for flags in (["-n"], ["-d"]):
        r = subprocess.run([os.path.join(d.build, "bin", "relayd"), *flags,
                            "-f", d.conf, "-L",
                            os.path.join(d.build, "libexec")],
                           stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=60)
        last = d.text.count("\n")
        t.equal(r.returncode, 1, "relayd %s with a bad configuration: exit 1"
                % flags[0])
        lines = [x for x in (r.stderr + r.stdout).splitlines()
                 if "relayd.conf:" in x]
        t.ok(len(lines) == 2 and ":1: " in lines[0] and "colour" in lines[0]
             and ":%d: " % last in lines[1] and "proxyd" in lines[1],
             "a line for each error, with file, line and token")
        if len(lines) != 2:
            t.diag(r.stderr + r.stdout)
    shutil.rmtree(d.dir)


with Targets() as targets:
    for name, part in (("full", full), ("first", first),
                       ("unreadable", unreadable),
                       ("reload", reload), ("start", start)):
        if not sys.argv[1:] or name in sys.argv[1:]:
            if name in ("full", "first") and os.geteuid() != 0:
                t.skip("needs root to mount a small file system",
                       "disk full")
                continue
            part(targets)
t.done()
