#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""PostgreSQL is killed, stopped, restarted and cut off in the middle of
traffic: no tunnel drops, nothing that was acknowledged is lost, nobody waits
longer than two seconds, and all is well soon after it is back. And a commit
whose answer got lost is known all the same."""

import http.client
import json
import sys
import threading
import time

import postgres
from harness import GoClient, Relayd, Tap, Targets, until
from outage import BODY, PATIENCE, Asker, Gate, good_after, tickets
from transfer import Transfer

t = Tap()


def tunnels(d):
    """Their processes; not those in which somebody is just logging in."""
    return {p["pid"] for p in d.processes("muxd") if p["session"] != "-"}


def chains(d, name):
    r = d.ctl_raw("audit", "verify")
    t.equal((r.returncode, r.stderr), (0, ""), name)


def outage(d, server, name, break_it, mend, hold=3.0):
    sid = d.wait_session()["session"]
    before = tickets(d)
    token = d.token()
    c = d.cookie(sid, token)
    # Its rounds are longer than an outage: the next would be refused.
    tr = Transfer(d, sid, c, size=72 << 20, repeat=True)
    writers = [Asker(d, sid, token) for _ in range(2)]
    askers = writers + [Asker(d, sid, token).reads(),
                        Asker(d, sid, token).logs_in("NETH-NONE")]
    for a in askers:
        a.start()
    until(lambda: all(a.count(a.good) > 3 for a in askers), "traffic")
    workers = tunnels(d)
    break_it()
    time.sleep(hold)
    mend()
    back = time.monotonic()
    firsts = [good_after(a, back) for a in askers]
    for a in askers:
        a.stop()
    told = [x for a in askers for x in a.told]
    slowest = max(x[1] for x in told)
    refused = [x for a in askers for x in a.told if x[2] != a.good]
    t.diag("%s: %d good, %d refused, the slowest %.2f s, well again after "
           "%.2f s" % (name, len(told) - len(refused), len(refused), slowest,
                       max(x[0] + x[1] for x in firsts) - back))
    t.ok(hold < 2 or all(a.count(503) for a in askers),
         "%s: who writes, reads or logs in notices it" % name)
    t.equal(sorted({x[2] for x in refused} - {503}), [],
            "%s: who is refused gets 503" % name)
    t.diag(str([x for x in refused if "Retry-After" not in x[3]][:2]))
    t.ok(all("Retry-After" in x[3] and json.loads(x[4])["message"]
             for x in refused if x[2] == 503),
         "%s: with a reason and Retry-After" % name)
    t.ok(slowest < PATIENCE, "%s: nobody is left waiting" % name)
    t.ok(all(x[0] + x[1] - back < PATIENCE for x in firsts),
         "%s: all is well soon after its return" % name)
    t.ok(tr.intact(), "%s: a transfer goes on and arrives" % name)
    t.equal(tunnels(d), workers,
            "%s: no tunnel drops" % name)
    good = sum(a.count(200) for a in writers)
    t.ok(tickets(d) - before >= good, "%s: nothing that was acknowledged is "
         "lost (%d acknowledged, %d rows)" % (name, good,
                                              tickets(d) - before))
    chains(d, "%s: the audit log's chains hold" % name)


def lost_answer(d, gate, at, name):
    """What the client is told is what is in the store."""
    sid = d.wait_session()["session"]
    a = Asker(d, sid, d.token())
    a.ask()
    before = tickets(d)
    gate.arm(at)
    mend = threading.Thread(target=lambda: (gate.seen.wait(30), gate.open()))
    mend.start()
    a.ask()
    mend.join()
    t.equal(a.told[-1][2], 200, "%s: is answered with what became of it" %
            name)
    t.equal(tickets(d) - before, 1, "%s: and is there once" % name)
    chains(d, "%s: the chains hold" % name)


def given_up(d, gate):
    """Nobody can know it in time; what was told is made true later."""
    sid = d.wait_session()["session"]
    token = d.token()
    a = Asker(d, sid, token)
    before = d.sql("SELECT count(*) FROM support_access_logs")
    gate.arm("mute")
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=30)
    begin = time.monotonic()
    c.request("POST", a.path, BODY, a.head)
    status = c.getresponse().status
    t.ok(status == 503 and time.monotonic() - begin < PATIENCE,
         "a commit that nobody can know of: 503 in time")
    gate.seen.wait(30)
    gate.open()
    d.log.wait("store: .* writes that were answered with a failure were in the"
               " store")
    t.ok(True, "it is found when the store is back, and said")
    until(lambda: d.sql("SELECT count(*) FROM audit_events WHERE action ="
                        " 'store_settled'") == "1", "the event")
    t.ok(True, "and is in the audit log")
    t.equal(d.sql("SELECT count(*) FROM support_access_logs WHERE"
                  " disconnected_at IS NULL AND outcome IS DISTINCT FROM"
                  " 'was not given' AND NOT EXISTS (SELECT 1 FROM"
                  " access_more m WHERE m.id = support_access_logs.id)"), "0",
            "no row says of an access that it goes on that was not given")
    t.ok(int(d.sql("SELECT count(*) FROM support_access_logs WHERE outcome ="
                   " 'was not given'")) == int(d.sql(
                       "SELECT count(*) FROM support_access_logs")) -
         int(before), "its rows are ended, with the reason")
    chains(d, "the chains hold")


def daemon(server, gate=None):
    d = Relayd(t, operator="")
    d.use_postgres(server, port=gate.port if gate else None)
    d.rewrite()
    return d


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    server = postgres.server()
    with Targets() as targets:
        web = "web=127.0.0.1:%d" % targets.http
        with daemon(server) as d:
            key, secret = d.add_system()
            with GoClient(d, key, secret, web):
                outage(d, server, "kill -9", server.kill, server.start)
                outage(d, server, "SIGSTOP", server.pause, server.go_on)
                outage(d, server, "restart", server.restart, lambda: None, 0)
        gate = Gate(server.port)
        with daemon(server, gate) as d:
            key, secret = d.add_system()
            with GoClient(d, key, secret, web):
                outage(d, server, "cut off", gate.held.set, gate.held.clear)
                lost_answer(d, gate, "mute", "a commit whose answer is lost")
                lost_answer(d, gate, "lose", "a commit that is lost")
                given_up(d, gate)
    t.done()


if __name__ == "__main__":
    sys.exit(main())
