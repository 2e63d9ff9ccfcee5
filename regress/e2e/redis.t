#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Redis beside the store: what others have changed is heard, and its failures
are no one's."""

import hashlib
import hmac
import json
import time

from harness import GoClient, Relayd, Tap, Targets, until
from redisserver import PASSWORD, Heard, Redis

t = Tap()
NOBODY = "NETH" + "-0000" * 8
SECRET = "shared-with-the-back-end"
SIGNING = "for-invalidations"


def behind_its_back(d, sql, *args):
    """As somebody else does who writes into the same store."""
    d.rows(sql, *args)


def ended(d):
    return not [s for s in d.sessions() if s["status"] == "active"]


def mac(secret, text):
    return hmac.new(secret.encode(), text.encode(),
                    hashlib.sha256).hexdigest()


def invalidation(d, redis, targets):
    web = "web=127.0.0.1:%d" % targets.http
    for n, channel in enumerate(("support:auth:invalidate",
                                 "my:auth:invalidate:prod")):
        key, secret = d.add_system("box%d" % n)
        good = key + "|" + mac(SIGNING, key)
        with GoClient(d, key, secret, web):
            d.wait_session()
            behind_its_back(d, "UPDATE systems SET suspended_at = registered_at "
                            "WHERE system_key = ?", key)
            start = d.log.mark()
            for bad in ("*", key[:-1] + "*", key.lower(), key + "x", "",
                        key[:-1], key, key + "|", key + "|" + "0" * 64,
                        key + "|" + mac(SECRET, key), good + "0",
                        NOBODY + good[len(key):], "*" + good[len(key):]):
                redis.say("PUBLISH", channel, bad)
            redis.say("PUBLISH", channel + "x", good)
            redis.say("PUBLISH", channel, NOBODY + "|" +
                      mac(SIGNING, NOBODY))   # heard after those
            d.log.wait("system %s: its cred" % NOBODY, start)
            t.ok(not ended(d) and not d.log.has("system %s: its cred" % key,
                                                start),
                 "operator-57: %s: what is no key, * among it, or is not "
                 "signed purges nothing" % channel)
            t.equal(redis.say("PUBLISH", channel, good), 1,
                    "%s is subscribed to" % channel)
            until(lambda: ended(d), "the end of the session")
            t.ok(True, "operator-57: %s: a system that others have suspended "
                 "loses its session when they say so" % channel)


def tier(key, secret):
    return "auth:system:%s:%s" % (
        key, hashlib.sha256(secret.encode()).hexdigest())


def credentials(d, redis):
    key, secret = d.add_system("cached")
    other, wrong = d.add_system("other")
    until(lambda: d.login(key, secret) == 101, "a login")
    row = d.rows("SELECT id FROM systems WHERE system_key = ?", key)[0][0]
    at = until(lambda: redis.say("GET", tier(key, secret)), "it in Redis")
    ttl = redis.say("TTL", tier(key, secret))
    t.ok(at == row.encode() and 18 * 3600 - 60 < ttl <= 30 * 3600,
         "operator-58: a good secret is in Redis, as the system's id, for a "
         "day give or take a quarter")
    t.equal(d.login(key, wrong), 401, "another's secret is wrong")
    at = until(lambda: redis.say("GET", tier(key, wrong)), "that in Redis")
    ttl = redis.say("TTL", tier(key, wrong))
    t.ok(at == b"invalid" and 0 < ttl <= 60, "and that it is, for a minute")
    # Somebody else gives it the secret of the other one.
    behind_its_back(d, "UPDATE systems SET (system_secret_public, "
                    "system_secret_sha256) = (SELECT system_secret_public, "
                    "system_secret_sha256 FROM systems WHERE system_key = ?) "
                    "WHERE system_key = ?", other, key)
    t.equal(d.login(key, secret), 401, "operator-58: an old secret fails at "
            "once, though memory and Redis have it for good")
    redis.say("SET", tier(key, secret), row)
    redis.say("PUBLISH", "my:auth:invalidate:prod", key + "|" +
              mac(SIGNING, key))
    d.log.wait("system %s: its cred" % key)
    t.equal(d.login(key, secret), 401, "and when it is put back into Redis, "
            "also behind an invalidation")
    redis.say("DEL", tier(key, wrong))
    until(lambda: d.login(key, wrong) == 101, "the new secret")
    t.ok(True, "operator-58: the new one is good behind it")
    key, secret = d.add_system("planted")
    redis.say("SET", tier(key, secret), "invalid")
    t.equal(d.login(key, secret), 401, "operator-58: a bad one in Redis is "
            "believed")
    # More often than attempts with a wrong secret are let in.
    st = [d.login(key, secret) for _ in range(12)]
    redis.say("DEL", tier(key, secret))
    t.equal((st, d.login(key, secret)), ([401] * 12, 101),
            "operator-58: on the word of Redis alone nothing is held against "
            "who comes, nor longer than it stands there")
    redis.say("PUBLISH", "my:auth:invalidate:prod", key + "|" +
              mac(SIGNING, key))
    redis.say("SET", tier(key, secret), "no-such-system")
    until(lambda: d.login(key, secret) == 101, "a login")
    t.ok(True, "a wrong hint in Redis is none")


def announced(d, redis):
    """What relayd changes itself it says to who listens."""
    heard = Heard(redis, "support:auth:invalidate")
    key, _ = d.add_system("announced")
    want = (key + "|" + mac(SIGNING, key)).encode()
    token = d.token(permissions=("connect:systems", "read:systems",
                                 "manage:systems"))
    row = d.rows("SELECT id FROM systems WHERE system_key = ?", key)[0][0]
    for what in ("suspend", "resume", "disable", "enable", "rotate"):
        d.ctl("-f", "system", what, "announced")
        t.equal(heard.next(), want, "operator-57(partial): system %s is "
                "announced, signed" % what)
    st, _ = d.api("PUT", "/systems/" + row, token, {"support_enabled": False})
    t.equal((st, heard.next()), (200, want), "so is a system that an operator "
            "disables")
    d.ctl("-f", "system", "remove", "announced")
    t.equal(heard.next(), want, "operator-57(partial): and one that goes")
    heard.close()


def commands(d, redis, targets):
    key, secret = d.add_system("told")
    token = d.token()
    answers = Heard(redis, "support:answers:test")
    moved = [0]

    def say(payload, sig=None, around=None):
        text = payload if isinstance(payload, str) else json.dumps(payload)
        redis.say("PUBLISH", "support:commands", around or json.dumps(
            {"payload": text, "sig": mac(SECRET, text) if sig is None
             else sig}))

    def names(s):
        return sorted(d.api("GET", "/support-sessions/%s/services" % s,
                            token)[1]["data"]["services"])

    def now():
        return int(time.time()) + moved[0]

    with GoClient(d, key, secret, "web=127.0.0.1:%d" % targets.http):
        s = d.wait_session()["session"]
        add = {"action": "add_services", "session_id": s, "services": {
            "extra": {"target": "192.0.2.1:80", "label": "Extra",
                      "tls": False}}}
        text = json.dumps(add)
        twice = text.replace('"action"', '"action":"close","action"', 1)
        for what, why, payload, sig, around in (
                ("a wrong signature", "not signed", add, "0" * 64, None),
                ("another secret's", "not signed", add, mac(SIGNING, text),
                 None),
                ("none", "not signed", add, "", None),
                ("not JSON", "no JSON", add, None, text[:-1]),
                ("bytes behind it", "no JSON", add, None, json.dumps(
                    {"payload": text, "sig": mac(SECRET, text)}) + "{}"),
                ("a member twice around", "no JSON", add, None,
                 '{"payload":"{}","payload":%s,"sig":"%s"}' % (
                     json.dumps(text), mac(SECRET, text))),
                ("a member twice", "its payload is no JSON", twice, None,
                 None),
                ("too long", "too long", dict(add, x="y" * 65536), None,
                 None),
                ("an unknown action", "an unknown action",
                 dict(add, action="reboot"), None, None),
                ("no session", "no session", dict(add, session_id="x"), None,
                 None),
                ("an old time", "it is not of now",
                 dict(add, id="a", at=now() - 90), None, None),
                ("a time to come", "it is not of now",
                 dict(add, id="a", at=now() + 120), None, None),
                ("a time without an id", "its id or time",
                 dict(add, at=now()), None, None),
                ("an answer to elsewhere", "its answer would",
                 dict(add, id="a", at=now(), reply_to="support:commands"),
                 None, None)):
            d.move_clock(1100)          # a line of the log each
            moved[0] += 1.1
            start = d.log.mark()
            say(payload, sig, around)
            d.log.wait("support:commands: %s" % why, start)
            t.equal(names(s), ["web"], "operator-56: %s: refused" % what)
        moved[0] = int(moved[0])
        fresh = dict(add, id="first", at=now(),
                     reply_to="support:answers:test")
        say(fresh)
        got = json.loads(answers.next())
        body = json.loads(got["payload"])
        t.ok(got["sig"] == mac(SECRET, got["payload"]) and
             body == {"id": "first", "status": 200, "message": ""},
             "an answer where one is wanted, signed")
        t.equal(names(s), ["extra", "web"], "operator-56: add_services acts")
        gone = {"action": "remove_services", "session_id": s,
                "service_names": ["extra"]}
        say(gone)
        until(lambda: names(s) == ["web"], "its removal")
        t.ok(True, "operator-56: remove_services acts")
        start = d.log.mark()
        d.move_clock(1100)
        say(fresh)
        d.log.wait("support:commands: its id was there before", start)
        t.equal(names(s), ["web"], "operator-56: a repeated id: refused")
        say(dict(gone, id="second", at=now(),
                 reply_to="support:answers:test"))
        body = json.loads(json.loads(answers.next())["payload"])
        t.equal((body["id"], body["status"]), ("second", 404),
                "what cannot be done is said")
        say({"action": "close", "session_id": s})
        until(lambda: ended(d), "the end of the session")
        t.ok(True, "operator-56: close acts")
    answers.close()


def outages(d, redis, targets):
    key, secret = d.add_system("steady")
    late, its = d.add_system("late")
    web = "web=127.0.0.1:%d" % targets.http
    with GoClient(d, key, secret, web), GoClient(d, late, its, web):
        until(lambda: len([s for s in d.sessions() if s["status"] ==
                           "active"]) == 2, "two sessions")
        was = sorted(s["session"] for s in d.sessions()
                     if s["system"] in (key, "steady", "late", late))
        new = d.add_system("new")
        for what, stop, start in (
                ("stopped", redis.hang, redis.go_on),
                ("killed", redis.kill, redis.start)):
            mark = d.log.mark()
            stop()
            until(lambda: d.login(*new) == 101, "a login")
            t.equal(d.login(new[0], its), 401,
                    "Redis is %s: logins go on, good and bad" % what)
            for name in ("questions", "channels"):
                d.log.wait("redis: %s: .* tried again until" % name, mark)
            start()
            for name in ("questions", "channels"):
                d.log.wait("redis: %s: it answers" % name, mark)
        redis.kill()
        behind_its_back(d, "UPDATE systems SET suspended_at = registered_at "
                        "WHERE system_key = ?", late)
        redis.start()
        until(lambda: len([s for s in d.sessions() if s["session"] in was and
                           s["status"] == "active"]) == 1,
              "the end of one session")
        t.ok(True, "operator-57(partial): what was said while Redis was away "
             "is made good when it is back, and no other tunnel is touched")


with Targets() as targets, Redis() as redis, \
        Relayd(t, global_conf=redis.conf(
            ' environment "prod" secret file "%s"' % redis.file(
                "signing", SIGNING + "\r"), password=redis.file(
                    "lines", PASSWORD + "\r\nof the tests")) +
               'internal secret file "%s"\n' %
               redis.file("internal", SECRET + "\r\n")) as d:
    d.secret("the password of Redis", "of-the-tests")
    d.secret("the internal secret", SECRET)
    d.secret("the secret of invalidations", SIGNING)
    for name in ("questions", "channels"):
        d.log.wait("redis: %s: it answers" % name)
    t.ok(True, "authd has its two connections, with a password")
    invalidation(d, redis, targets)
    credentials(d, redis)
    announced(d, redis)
    commands(d, redis, targets)
    outages(d, redis, targets)
t.done()
