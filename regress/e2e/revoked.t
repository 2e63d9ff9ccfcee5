#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An operator's token is good for days, his access is not: it is taken while
authd is away. What he has open ends when the next authd comes; what others have
goes on."""

import time

from harness import GoClient, Relayd, Tap, Targets, until

t = Tap()


def revoke(d, user):
    d.rows("insert into revocations (kind, id, until, reason) values ('user', "
           "?, ?, 'left')", user, int(time.time() + 86400) * 1000)


def events(d, sid, cookie):
    s = d.connect()
    s.sendall(("GET /sse?n=100000&ms=20 HTTP/1.1\r\nHost: %s\r\n"
               "Cookie: %s\r\n\r\n" % (d.proxy_host(sid), cookie)).encode())
    if not s.recv(65536).startswith(b"HTTP/1.1 200"):
        raise ConnectionError("no event stream")
    return s


def shell(d, sid, token):
    w = d.terminal(sid, d.ticket(sid, token))
    w.send(b"\0echo up-$((1+1))\r")
    w.recv_until(rb"up-2")
    return w


def ended(take, seconds=30):
    """Is there an end within this time? The next look at everybody's access
    comes after a minute."""
    end = time.monotonic() + seconds
    try:
        while take():
            if time.monotonic() > end:
                return False
    except ConnectionError:
        pass
    return True


with Targets() as targets, Relayd(t) as d:
    key, secret = d.add_system("box")
    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        alice, bob = (d.token(user=u, lifetime="100h")
                      for u in ("alice", "bob"))
        gone = events(d, sid, d.cookie(sid, alice))
        stays = events(d, sid, d.cookie(sid, bob))
        gone_shell, shell_stays = shell(d, sid, alice), shell(d, sid, bob)

        pid = d.pid_of("authd")
        revoke(d, "alice")
        mark = d.log.mark()
        d.kill(pid)
        d.log.wait(r"tunnel is back after restart, 4 streams", mark)
        t.ok(ended(lambda: gone.recv(65536)), "a revoked operator's running answer ends when "
             "authd comes back")
        t.ok(ended(gone_shell.recv), "so does his terminal")
        row = ("select count(*) from support_access_logs where operator_id "
               "= 'alice' and access_type = 'web_terminal' and "
               "disconnected_at is not null")

        def closed():
            return d.rows(row)[0][0] == 1
        until(closed, "its row")
        t.ok(True, "and its row in the access log is closed")
        st, env = d.api("POST", "/support-sessions/%s/terminal-ticket" % sid,
                        alice, {})
        t.equal(st, 401, "his token is good for nothing")
        t.ok(b"data:" in stays.recv(65536) + stays.recv(65536),
             "another operator's answer runs on")
        shell_stays.send(b"\0echo on-$((1+1))\r")
        shell_stays.recv_until(rb"on-2")
        t.ok(True, "and his terminal")
t.done()
