#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The operator's terminal: tickets, frames, limits, idle time, how it ends."""

import re
import socket
import threading
import time

import chromium
from harness import GoClient, OurClient, Relayd, Tap, Targets, until

t = Tap()
DOMAIN = "relay.test"


def message(w):
    return w.body().decode()


def paced(w, pattern, seconds):
    """Read 100 KB a second, up to a pattern or for so long: how long, and
    how much."""
    begin, n, got = time.monotonic(), 0, b""
    while not re.search(pattern, got):
        took = time.monotonic() - begin
        if took > seconds:
            break
        op, p = w.recv()
        if op == 9:
            w.send(p, 10)
            continue
        n, got = n + len(p), (got + p[1:])[-200:]
        time.sleep(max(0, n / 100000 - took))
    return time.monotonic() - begin, n


# A page that takes 10 ms for each KB: after 4 s of `yes`, what comes until ^C
# has worked.
BUSY = """new Promise((done, fail) => {
    const w = new WebSocket("%s");
    let n = 0, after = -1, text = "";
    w.binaryType = "arraybuffer";
    w.onerror = () => fail("WebSocket");
    w.onopen = () => {
        w.send(Uint8Array.from([0, 121, 101, 115, 13]));
        setTimeout(() => {
            after = n;
            w.send(Uint8Array.from([0, 3]));
            w.send(new TextEncoder().encode("\\0echo done-$((1+1))\\r"));
        }, 4000);
    };
    w.onmessage = (e) => {
        const until = performance.now() + e.data.byteLength / 100;
        while (performance.now() < until)
            ;
        n += e.data.byteLength;
        text = (text + new TextDecoder().decode(
            e.data.slice(1))).slice(-200);
        if (text.includes("done-2"))
            done(n - after);
    };
})"""


def in_browser(d, targets, sid, token):
    if chromium.program() is None:
        t.skip("no chromium", "^C in a busy page")
        return
    with chromium.Chromium(DOMAIN) as b:
        tab = b.tab()
        tab.go("http://page.%s:%d/" % (DOMAIN, targets.http))
        n = tab.run(BUSY % ("ws://page.%s:%d/api/support-sessions/%s/terminal"
                            "?ticket=%s" % (DOMAIN, d.port, sid,
                                            d.ticket(sid, token))))
    # Most of it is what Chromium holds, which is more on a machine that has
    # other things to do; without an end to what is ahead it grows.
    t.ok(0 < n < 500000, "^C reaches a busy page in Chromium before 500 KB: "
         "%d" % n)


def opened(d, sid, token):
    w = d.terminal(sid, d.ticket(sid, token))
    if w.status != 101:
        raise RuntimeError("terminal: %d %s" % (w.status, w.body()))
    w.send(b"\0echo up-$((1+1))\r")
    w.recv_until(rb"up-2")
    return w


with Targets() as targets, Relayd(t, operator="\tticket rate 1000\n"
                                  '\tconsole origin "https://console.test"'
                                  '\n\tconsole origin "http://page.%s:%d"' %
                                  (DOMAIN, targets.http)) as d:
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        token = d.token(lifetime="24h")

        # Tickets.
        w = d.terminal(sid, "")
        t.equal((w.status, "ticket required" in message(w)), (401, True),
                "no ticket: 401")
        w = d.terminal(sid, "0" * 64)
        t.equal((w.status, "invalid or expired ticket" in message(w)),
                (401, True), "an unknown ticket: 401")
        ticket = d.ticket(sid, token)
        t.match(ticket, r"^[0-9a-f]{64}$", "a ticket is 64 hex characters")
        w = d.terminal(sid, ticket)
        t.equal(w.status, 101, "operator-21: a ticket works")
        d.log.wait(r"info authd.*terminal opened by alice.* from 127\.0\.0\.1")
        w.close()
        d.log.wait(r"info termd.*terminal of alice.* closed: \w")
        t.ok(True, "the log says who came and went")
        w = d.terminal(sid, ticket)
        t.equal(w.status, 401, "operator-21: a second use gives 401")
        ticket = d.ticket(sid, token)
        other = "00000000-0000-4000-8000-000000000000"
        w = d.terminal(other, ticket)
        if d.members == 1:
            t.equal((w.status, "does not match" in message(w)), (403, True),
                    "operator-21: a ticket of another session: 403")
            w = d.terminal(sid, ticket)
            t.equal(w.status, 401, "operator-21: and it is used up by that")
        else:       # a ticket is at the member of its session
            t.ok(w.status in (401, 403), "a ticket of another session: none")
        ticket = d.ticket(sid, token)
        d.move_clock(31000)
        w = d.terminal(sid, ticket)
        t.equal(w.status, 401, "operator-21: a ticket ends after 30 s")
        ticket = d.ticket(sid, token)
        got = []

        def use():
            x = d.terminal(sid, ticket)
            got.append(x.status)
            x.close()
        threads = [threading.Thread(target=use) for _ in range(2)]
        for x in threads:
            x.start()
        for x in threads:
            x.join()
        t.equal(sorted(got), [101, 401],
                "operator-21: two parallel uses: exactly one succeeds")
        ticket = d.ticket(sid, token)
        w = d.terminal(sid, ticket, {"Origin": "https://evil.test"})
        t.equal(w.status, 403, "operator-23: a foreign Origin: 403")
        w = d.terminal(sid, ticket, {"Origin": "https://console.test"})
        t.equal(w.status, 101, "operator-23: without using up the ticket; "
                "the console's own passes")
        w.close()

        # Frames.
        w = opened(d, sid, token)
        w.send(b"\1" + b'{"cols":77,"rows":21}')
        w.send(b"\0stty size\r")
        t.ok(w.recv_until(rb"21 77"), "tunnel-43(partial) operator-24: "
             "resize reaches the pty")
        w.send(b"")
        w.send(b"\0echo still-$((1+1))\r")
        t.ok(w.recv_until(rb"still-2"),
             "operator-24: an empty message is ignored")
        w2 = opened(d, sid, token)
        w2.send(b"\0cat >/dev/null; echo len-$((1+1))\r")
        w2.send(b"\0" + (b"x" * 999 + b"\r") * 100)
        w2.send(b"\0\4")
        t.ok(w2.recv_until(rb"len-2"), "operator-24: 100 KB pasted at once "
             "arrive, and the shell lives")
        w2.close()
        w2 = opened(d, sid, token)
        w2.send(b"\0" + b"x" * 1048576)
        code, reason, _ = w2.recv_close()
        t.equal((code, reason), (1009, "message over the limit"),
                "operator-24: a message of 1 MiB + 1 ends the terminal")
        w2 = opened(d, sid, token)
        w2.send(b"\2login")
        code, reason, _ = w2.recv_close()
        t.equal(code, 1008, "a frame type that is not the browser's to send")
        w2 = opened(d, sid, token)
        w2.send(b"\0text", op=1)
        code, reason, _ = w2.recv_close()
        t.equal(code, 1003, "text is refused")
        w.send(b"\0echo alive-$((1+1))\r")
        t.ok(w.recv_until(rb"alive-2"),
             "operator-24: the other terminal goes on")
        w.send(b"\0head -c 3000000 /dev/zero | tr '\\0' z; echo end-$((1+1))"
               b"\r")
        out = w.recv_until(rb"end-2")
        t.ok(out.count(b"z") >= 3000000, "3 MB of output arrive whole")

        w.send(b"\1" + b'{"cols":99999,"rows":65560}')
        w.send(b"\1" + b'{"cols":0,"rows":65536}')
        w.send(b"\0stty size\r")
        t.ok(w.recv_until(rb"1000 1000"), "tunnel-43(partial): 99,999 columns "
             "are 1,000, no rows at all are no size")

        # A slow browser: what is ahead of it is what ^C waits behind. Its
        # system takes more the longer it is slow, or has little room.
        for size in 0, 16384:
            w2 = opened(d, sid, token)
            if size > 0:
                w2.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            w2.send(b"\0yes\r")
            paced(w2, b"never", 4)
            w2.send(b"\0\3")
            w2.send(b"\0echo done-$((1+1))\r")
            _, n = paced(w2, rb"done-2", 10)
            t.ok(n < 300000, "^C reaches who reads 100 KB a second before "
                 "300 KB: %d" % n)
            w2.close()

        in_browser(d, targets, sid, token)

        # Ends.
        w.send(b"\0exit\r")
        code, reason, _ = w.recv_close()
        t.equal((code, reason), (1000, ""), "the shell's end: 1000")
        w = opened(d, sid, token)
        for _ in range(6):
            d.move_clock(5 * 60 * 1000)
            w.send(b"\0echo tick-$((1+1))\r")
            w.recv_until(rb"tick-2")
        t.ok(True, "keystrokes keep a terminal open past 30 min")
        w.send(b"\0while :; do echo out; sleep 0.2; done\r")
        w.recv_until(rb"out")
        d.move_clock(31 * 60 * 1000)
        code, reason, frames = w.recv_close()
        texts = [f[1:].decode() for f in frames if f[:1] == b"\3"]
        t.equal((code, texts), (1008, ["session closed due to inactivity"]),
                "operator-25: idle: type 3 text, then 1008; output alone "
                "does not keep it open")
        w = opened(d, sid, token)
        w.send(b"", op=8)
        w.close()

        # The 65th stream.
        many = []
        for _ in range(64):
            x = d.terminal(sid, d.ticket(sid, token))
            if x.status != 101:
                break
            many.append(x)
        x = d.terminal(sid, d.ticket(sid, token))
        t.equal((len(many), x.status), (64, 429),
                "operator-27 tunnel-41(partial): the 65th stream: 429")
        many.pop().close()
        until(lambda: d.terminal(sid, d.ticket(sid, token)).status == 101,
              "a freed stream")
        t.ok(True, "operator-27: after one ends it works")
        for x in many:
            x.close()

        # Scope.
        org = d.token(user="bob", role="customer", org="elsewhere")
        st, env = d.api("POST", "/support-sessions/%s/terminal-ticket" % sid,
                        org, {})
        t.equal(st, 404, "operator-7(partial): a ticket for a session out of "
                "scope: 404")

        # The session's end.
        w = opened(d, sid, token)
        w2 = opened(d, sid, token)
        w2.close()
        st, env = d.api("DELETE", "/support-sessions/" + sid, token)
        t.equal(st, 200, "close the session")
        code, reason, _ = w.recv_close()
        t.ok(code in (1008, 1011), "operator-11(partial): the session's end "
             "closes its terminals")
        t.equal(c.wait(), 0, "and the client exits 0")

        def rows():
            return d.rows("select count(*), count(*) - count(disconnected_at)"
                          " from support_access_logs where access_type="
                          "'web_terminal'")[0]
        until(lambda: rows()[1] == 0, "closed log rows: %r" % (rows(),))
        t.ok(rows()[0] > 70, "operator-26(partial): every terminal has a "
             "row, all with their end")
        text = d.log.text()
        t.equal(text.count(": terminal opened by "),
                text.count(": terminal of "),
                "and two lines in the log")

    # What only our client says.
    key, secret = d.add_system("ours")
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http,
                   env={"SHELL": "/bin/sh"}) as c:
        sid = d.wait_session()["session"]
        for typed, want in (b"exit 7", "exit 7"), (b"exit", "exit 0"), \
                (b"kill -9 $$", "signal 9"), \
                (b"exec sh -c 'kill -15 $$'", "signal 15"):
            w = opened(d, sid, token)
            w.send(b"\0" + typed + b"\r")
            code, reason, _ = w.recv_close()
            t.equal((code, reason), (1000, want),
                    "%s: the browser is told" % typed.decode())
        w = opened(d, sid, token)
        w.send(b"\0exec sleep 1000 <&- >&- 2>&-\r")
        code, reason, _ = w.recv_close()
        t.equal((code, reason), (1000, ""), "one that only lets go of its "
                "terminal has not ended")
        d.log.wait(r"info termd.*terminal of alice.* closed: exit 7")
        t.ok(True, "and the log")
        d.api("DELETE", "/support-sessions/" + sid, token)
        t.equal(c.wait(), 0, "exit 0")
t.done()
