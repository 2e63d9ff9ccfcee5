#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The numbers of /metrics move by what happened, and by nothing else."""

import os
import signal
import time

from harness import GoClient, Relayd, Tap, Targets, free_port, is_up, until
from scrape import Numbers

t = Tap()
port = free_port()


def after(n, name, by, text):
    """This number moves by so much (it may take a moment), and no further."""
    try:
        until(lambda: n.moved(name) >= by, name, seconds=20)
    except TimeoutError:
        pass
    t.equal(n.moved(name), by, text)


def value(n, name, want, text):
    try:
        until(lambda: n.now().get(name) == want, name, seconds=20)
    except TimeoutError:
        pass
    t.equal(n.now().get(name), want, text)


def outcome(name, what, **labels):
    labels["outcome"] = what
    return "%s{%s}" % (name, ",".join('%s="%s"' % x
                                      for x in sorted(labels.items())))


def login(result, reason):
    return 'relayd_logins_total{reason="%s",result="%s"}' % (reason, result)


with Targets() as targets, Relayd(t, listeners="listen on 127.0.0.1 port %d "
                                  "metrics" % port, operator="\tapi rate 25"
                                  ) as d:
    until(lambda: d.log.has("ready: .*metricd"), "all to be ready")
    n = Numbers(port)
    key, secret = d.add_system("box")
    after(n, 'relayd_audit_events_total{outcome="done"}', 1,
          "a deed of the administrator's")
    web = "web=127.0.0.1:%d" % targets.http

    n.now()
    d.move_clock(16000)
    value(n, 'relayd_audit_head{chain="done"}', 2,
          "the audit log's head: its beginning, and that deed")
    value(n, "relayd_penalties", 0, "nobody has failed yet")

    # Logins.
    with GoClient(d, key, secret[:-1] + ("a" if secret[-1] != "a" else "b"),
                  web, extra=["-once"]) as c:
        after(n, login("refused", "credentials"), 1, "a wrong secret")
    with GoClient(d, key, secret, web) as c:
        c.event("manifest_sent")
        sid = d.wait_session()["session"]
        after(n, login("new", ""), 1, "a login")
        value(n, "relayd_tunnels", 1, "a tunnel")
        value(n, 'relayd_up{role="muxd"}', 1, "its process")
        value(n, 'relayd_sessions{tunnel="up"}', 1, "a session with a tunnel")
        after(n, 'relayd_session_changes_total{status="active"}', 1,
              "a session becomes active")
        t.ok(n.moved("relayd_handshake_seconds_count") >= 1,
             "how long it took")
        t.equal(n.moved(outcome("relayd_admissions_total", "ok",
                                kind="tunnel")), 2, "two places asked for")

        # The operator API.
        token = d.token()
        n.mark()
        d.api("GET", "/support-sessions", token)
        after(n, 'relayd_api_requests_total{code="2xx",operation="list"}', 1,
              "a call of the API")
        d.api("GET", "/support-sessions/%s" % sid, "wrong")
        after(n, 'relayd_api_requests_total{code="4xx",operation="get"}', 1,
              "a call that is refused")
        after(n, "relayd_api_request_seconds_count", 2, "how long they took")
        after(n, 'relayd_audit_events_total{outcome="refused"}', 1,
              "and is in the audit log")
        after(n, 'relayd_requests_total{route="api"}', 2, "requests")

        # A service.
        cookie = d.cookie(sid, token)
        n.mark()
        for _ in range(3):
            d.via(sid, cookie, "/bytes?n=1000")
        after(n, 'relayd_proxied_requests_total{result="2xx"}', 3,
              "requests to a service")
        after(n, 'relayd_requests_total{route="proxy"}', 3, "by route")
        t.equal(n.moved('relayd_stream_uses_total{stream="kept"}') +
                n.moved('relayd_stream_uses_total{stream="new"}'), 3,
                "on a stream each, kept or new")
        t.equal(n.moved(outcome("relayd_stream_opens_total", "ok",
                                kind="proxy")),
                n.moved('relayd_stream_uses_total{stream="new"}'),
                "the new ones authd opened")
        t.equal(n.moved('relayd_grant_lookups_total{result="cached"}') +
                n.moved('relayd_grant_lookups_total{result="asked"}'), 3,
                "a token each, known or asked about")
        d.via(sid, cookie, "/status/404")
        d.via(sid, "x=y", "/")
        after(n, 'relayd_answers_total{code="4xx"}', 1,
              "no cookie: an answer of ours")
        d.via(sid, cookie, "/", service="nothing")
        after(n, outcome("relayd_stream_opens_total", "not_found",
                         kind="proxy"), 1, "no such service")

        # A terminal.
        n.mark()
        w = d.terminal(sid, d.ticket(sid, token))
        w.send(b"\0echo one-$((1+1))\r")
        w.recv_until(rb"one-2")
        value(n, "relayd_terminals", 1, "a terminal")
        after(n, outcome("relayd_stream_opens_total", "ok",
                         kind="terminal"), 1, "was opened")
        w.close()
        value(n, "relayd_terminals", 0, "a terminal less")
        until(lambda: n.moved('relayd_stream_bytes_total{direction="in",'
                              'kind="terminal"}') > 0, "its bytes")
        t.ok(True, "its bytes")
        after(n, 'relayd_processes_ended_total{cause="exit",role="termd"}', 1,
              "its process")
        # The last that is told of a tunnel comes with the next change.
        until(lambda: n.moved('relayd_tunnel_bytes_total{direction="in"}') >
              0, "a tunnel's bytes")
        t.ok(True, "a tunnel's bytes")

        # Limits.
        n.mark()
        codes = [d.api("GET", "/systems", token)[0] for _ in range(60)]
        after(n, 'relayd_rate_limited_total{limit="api"}', codes.count(429),
              "calls above the rate (%d)" % codes.count(429))
        t.ok(codes.count(429) > 0, "some were")

        # Processes that end; a counter never falls.
        n.mark()
        before = n.now()
        d.kill(d.pid_of("proxyd"))
        after(n, 'relayd_processes_ended_total{cause="signal",role="proxyd"}',
              1, "a proxyd that is killed")
        after(n, 'relayd_restarts_total{role="proxyd"}', 1, "and replaced")
        d.kill(d.pid_of("authd"))
        after(n, 'relayd_restarts_total{role="authd"}', 1, "an authd, too")
        until(lambda: any(is_up(s) for s in
                          d.ctl_try("show", "sessions") or []),
              "the tunnel to be back")
        value(n, 'relayd_sessions{tunnel="up"}', 1,
              "the session is counted again")
        now = n.now()
        t.equal([x for x in before if x.split("{")[0].endswith(
            ("_total", "_count", "_bucket")) and now[x] < before[x]], [],
            "nothing that counts has fallen")
        t.equal(now[login("new", "")], before[login("new", "")],
                "nor was anything counted twice")
        t.ok(now['process_cpu_seconds_total{role="authd"}'] > 0,
             "processor time of those that have ended")

        # Those that hang: what is known is shown.
        time.sleep(2)           # it has answered once
        victim = d.pid_of("authd")
        d.expected.add(victim)
        os.kill(victim, signal.SIGSTOP)
        begun = time.monotonic()
        n.now()
        t.ok(time.monotonic() - begun < 2, "an authd that hangs holds up "
             "nobody who looks")
        after(n, 'relayd_hung_total{role="authd"}', 1, "its end is counted")
        after(n, 'relayd_processes_ended_total{cause="killed",role="authd"}',
              1, "and of what kind it was")

        # Reloads.
        until(lambda: d.ctl_try("show", "stats"), "authd")
        n.mark()
        d.ctl_raw("reload")
        after(n, 'relayd_reloads_total{result="loaded"}', 1, "a reload")
        with open(d.conf, "a") as f:
            f.write("nonsense\n")
        d.ctl_raw("reload")
        after(n, 'relayd_reloads_total{result="refused"}', 1, "a bad one")

        # relayctl has the same.
        rows = {(r["metric"], r["labels"]): r["value"]
                for r in d.ctl("show", "metrics")}
        t.equal(rows["relayd_up", 'role="muxd"'], "1", "show metrics: up")
        t.equal(float(rows["relayd_logins_total",
                           'result="new",reason=""']),
                n.now()[login("new", "")], "show metrics: the same number")
t.done()
