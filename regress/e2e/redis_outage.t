#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Redis is killed, stopped, restarted and cut off in the middle of traffic, and
nobody notices: what it knows is a hint, and the store has the word. A secret that
is replaced meanwhile is refused at once, also while PostgreSQL is away."""

import time

import postgres
from harness import STORE, GoClient, Relayd, Tap, Targets, WebSocket, until
from outage import PATIENCE, Asker, Gate, good_after, tickets
from redisserver import Redis
from transfer import Transfer

t = Tap()
HOLD = 2.0


def answers(d, start):
    for name in ("questions", "channels"):
        d.log.wait("redis: %s: it answers" % name, start)


def outage(d, client, name, break_it, mend):
    sid = d.wait_session()["session"]
    before = tickets(d)
    key, old = d.add_system(name.replace(" ", "-"))
    until(lambda: d.login(key, old) == 101, "a login")
    token = d.token()
    tr = Transfer(d, sid, d.cookie(sid, token), repeat=True)
    w = WebSocket(d.connect(), d.proxy_host(sid), "/ws",
                  {"Cookie": d.cookie(sid, token)})
    writers = [Asker(d, sid, token) for _ in range(2)]
    askers = writers + [Asker(d, sid, token).reads(),
                        Asker(d, sid, token).logs_in(key)]
    for a in askers:
        a.start()
    until(lambda: all(a.count(a.good) > 3 for a in askers), "traffic")
    start = d.log.mark()
    break_it()
    d.ctl("-f", "system", "rotate", name.replace(" ", "-"))
    t.equal(d.login(key, old), 401, "operator-58: %s: a secret that is replaced "
            "meanwhile fails at once" % name)
    askers.append(Asker(d, sid, token).logs_in(key, old))
    askers[-1].start()
    for _ in range(int(HOLD / 0.1)):
        w.send(b"still here")
        if w.recv()[1] != b"still here":
            raise RuntimeError("echo")
        time.sleep(0.1)
    for name_ in ("questions", "channels"):
        d.log.wait("redis: %s: .* tried again until" % name_, start)
    mend()
    answers(d, start)
    back = time.monotonic()
    for a in askers:
        good_after(a, back)
    for a in askers:
        a.stop()
    told = [x for a in askers for x in a.told]
    wrong = [x[2] for a in askers for x in a.told if x[2] != a.good]
    slowest = max(x[1] for x in told)
    t.diag("%s: %d asked, the slowest %.2f s" % (name, len(told), slowest))
    t.equal(wrong, [], "%s: who writes, reads or logs in notices nothing, and "
            "the old secret fails every time" % name)
    t.ok(slowest < PATIENCE, "%s: nobody is left waiting" % name)
    t.ok(tr.intact(), "%s: a transfer goes on and arrives" % name)
    t.ok(not client.out.has('"event":"closed"'),
         "%s: no tunnel drops, a WebSocket goes on" % name)
    w.close()
    good = sum(a.count(200) for a in writers)
    t.ok(tickets(d) - before >= good, "%s: nothing that was acknowledged is "
         "lost (%d acknowledged, %d rows)" % (name, good,
                                              tickets(d) - before))
    t.equal(d.ctl_raw("audit", "verify").returncode, 0,
            "%s: the audit log's chains hold" % name)


def both(d, redis, server):
    """PostgreSQL restarts, too, behind the replacement."""
    key, old = d.add_system("both")
    until(lambda: d.login(key, old) == 101, "a login")
    redis.hang()
    new = d.ctl("-f", "system", "rotate", "both")[0]["secret"]
    a = Asker(d, "-", "-").logs_in(key, old)
    a.start()
    server.kill()
    time.sleep(1)
    server.start()
    redis.go_on()
    until(lambda: d.login(key, new) == 101, "the new secret's login")
    good_after(a, time.monotonic())
    a.stop()
    t.ok(a.count(401) + a.count(503) == len(a.told) and a.count(401) > 0,
         "operator-58: while both are away an old secret is never good: 401 "
         "%d times, 503 %d" % (a.count(401), a.count(503)))
    t.ok(max(x[1] for x in a.told) < PATIENCE, "and nobody is left waiting")


def absent(redis):
    """It starts while there is none."""
    with Relayd(t, global_conf=redis.conf()) as d:
        until(d.is_ready, "it to be ready")
        key, secret = d.add_system("early")
        t.equal(d.login(key, secret), 101, "relayd begins without its Redis, "
                "and systems log in")
        start = d.log.mark()
        redis.start()
        answers(d, start)
        t.ok(True, "and has it when it is there")


def of_a_user(redis):
    """One who may do what relayd does, and no more."""
    redis.say("ACL", "SETUSER", "relayd", "on", ">of-the-user",
              "~auth:system:*", "&support:*", "&my:auth:invalidate:*",
              "+get", "+set", "+select", "+ping", "+publish", "+subscribe")
    with Relayd(t, global_conf=redis.conf(user="relayd", password=redis.file(
            "user", "of-the-user"))) as d:
        d.secret("the password of a user of Redis", "of-the-user")
        answers(d, 0)
        key, secret = d.add_system("user")
        t.equal(d.login(key, secret), 101, "a login")
        until(lambda: redis.say("DBSIZE") > 0, "its secret in Redis")
        d.ctl("-f", "system", "rotate", "user")
        t.equal(d.login(key, secret), 401, "relayd has Redis as a user of its "
                "ACL, with six commands")
        t.ok(not d.log.has("NOPERM"), "and lacks none")


def main():
    redis = Redis()
    absent(redis)
    of_a_user(redis)
    gate = Gate(redis.port)
    try:
        with Targets() as targets, Relayd(
                t, global_conf=redis.conf(port=gate.port)) as d:
            answers(d, 0)
            key, secret = d.add_system("box")
            with GoClient(d, key, secret, "web=127.0.0.1:%d" %
                          targets.http) as c:
                outage(d, c, "killed", redis.kill, redis.start)
                outage(d, c, "stopped", redis.hang, redis.go_on)
                outage(d, c, "restarted", redis.restart, lambda: None)
                outage(d, c, "cut off", gate.held.set, gate.held.clear)
                if STORE == "postgresql":
                    both(d, redis, postgres.server())
                else:
                    t.skip("not this store", "both away at once")
    finally:
        redis.__exit__()
    t.done()


main()
