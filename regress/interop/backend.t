#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayd in place of an existing support service: its back end, on the libraries
that it uses, has the database, which it made before there was a relayd, commands
by Redis, and passes operators on to the internal interface."""

import http.client
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.environ["RELAYD_SRC"], "regress", "e2e"))

import postgres                                         # noqa: E402
from harness import (DOMAIN, GoClient, Program, Relayd, Tap,  # noqa: E402
                     Targets, WebSocket, free_port, go_program, until)
from redisserver import PASSWORD, Redis                 # noqa: E402
from theirs import THEIRS, system                       # noqa: E402

t = Tap()
SECRET = "shared-with-the-back-end"
SIGNING = "for-invalidations"


def key_of(n):
    return "NETH" + "-%04X" % n * 8


class BackEnd(Program):
    def __init__(self, server, db, redis, port):
        super().__init__([
            go_program("backend"), "-database", "postgres://%s@127.0.0.1:%d/%s"
            % (postgres.USER, server.port, db), "-redis",
            "redis://:%s@127.0.0.1:%d/0" % (PASSWORD, redis.port), "-support",
            "http://127.0.0.1:%d" % port, "-secret",
            redis.file("internal", SECRET), "-hmac",
            redis.file("signing", SIGNING), "-env", "prod"])
        self.port = json.loads(self.out.wait(r"\{").string)["port"]

    def ask(self, method, path, body=None, host=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            c.request(method, path, body=body,
                      headers={"Host": host} if host else {})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def json(self, method, path, body=None):
        st, _, text = self.ask(method, path, body)
        if st != 200:
            raise RuntimeError("%s %s: %d %r" % (method, path, st, text))
        return json.loads(text)

    def say(self, **payload):
        return self.json("POST", "/command", json.dumps(payload))

    def session(self, key):
        def found():
            for row in self.json("GET", "/sessions"):
                if row["key"] == key and row["status"] == "active":
                    return row["id"]
        return until(found, "a session that the back end sees")


def operators(b, d, s, targets):
    env = b.json("GET", "/api/support-sessions/%s/services" % s)
    t.equal(sorted(env["data"]["services"]), ["web"],
            "operator-55: the back end lists services through relayd")
    st, h, body = b.ask("GET", "/page/%s/web/echo?x=%%26&y" % s)
    said = json.loads(body)
    shown = body.lower()
    t.ok(st == 200 and "/echo?x=%26&y" in repr(said) and
         SECRET.encode() not in body and b"x-session-token" not in shown and
         b"x-proxy-host" not in shown, "operator-55: it proxies a page, whose "
         "service sees nothing of the interface: %d" % st)
    st, h, body = b.ask("GET", "/page/%s/web/bytes?n=3000000&seed=7" % s)
    t.equal((st, len(body)), (200, 3000000), "3 MB of one")
    name = "web--%s.%s" % (s.replace("-", ""), DOMAIN)
    at = "http://127.0.0.1:%d/" % targets.http
    st, h, body = b.ask("GET", "/page/%s/web/headers?Location=%s" % (s, at),
                        host=name)
    t.ok(name in h["Location"], "operator-55: under the browser's host, which "
         "the page is rewritten to: %s" % h["Location"])
    ws = WebSocket(connect(b), "127.0.0.1", "/page/%s/web/ws" % s)
    t.equal(ws.status, 101, "a WebSocket of a service")
    ws.send(b"hello")
    t.equal(ws.recv()[1], b"hello", "which echoes")
    ws.close()
    st, h, body = b.ask("POST", "/shell?session=" + s, "echo up-$((1+1))")
    t.ok(st == 200 and b"up-2" in body and "1000" in h["X-End"],
         "operator-55: it opens a terminal: %s" % h["X-End"])
    ticket = b.json("POST", "/api/support-sessions/%s/terminal-ticket" % s)
    at = "/api/support-sessions/%s/terminal?ticket=%s" % (s, ticket["ticket"])
    w = WebSocket(connect(b), "console.test", at,
                  {"Origin": "https://console.test"})
    t.equal(w.status, 101, "operator-55: a browser's terminal, by a ticket in "
            "its Redis, raw bytes both ways")
    w.send(b"\1" + b'{"cols":90,"rows":20}')
    w.send(b"\0stty size; echo up-$((1+2))\r")
    got = w.recv_until(rb"up-3")
    t.ok(b"20 90" in got, "its size is what the browser says")
    again = WebSocket(connect(b), "console.test", at)
    t.equal(again.status, 401, "the ticket is used up")
    again.close()
    until(lambda: b"web_terminal|internal" in d.sql(
        "SELECT access_type, operator_id FROM support_access_logs "
        "WHERE access_type = 'web_terminal'").encode(), "its row")
    return w


def connect(b):
    s = socket.create_connection(("127.0.0.1", b.port), 60)
    s.settimeout(60)
    return s


def names(b, s):
    return sorted(b.json("GET", "/api/support-sessions/%s/services" % s)
                  ["data"]["services"])


def commands(b, d, s, w):
    add = {"action": "add_services", "session_id": s, "services": {
        "extra": {"target": "192.0.2.1:80", "label": "Extra", "tls": False}}}
    start = d.log.mark()
    t.equal(b.json("POST", "/command?secret=wrong", json.dumps(add)), 1,
            "relayd hears the back end's channel")
    d.log.wait("support:commands: not signed", start)
    t.equal(names(b, s), ["web"], "operator-56: signed with another secret: "
            "refused")
    b.say(**add)
    until(lambda: names(b, s) == ["extra", "web"], "the service")
    t.ok(True, "operator-56: the back end's add_services acts")
    b.say(action="remove_services", session_id=s, service_names=["extra"])
    until(lambda: names(b, s) == ["web"], "its end")
    t.ok(True, "operator-56: its remove_services acts")
    b.say(action="close", session_id=s)
    code, _, _ = w.recv_close()
    t.equal(code, 1008, "operator-56: its close acts: the terminal ends")
    until(lambda: b.ask("GET", "/api/support-sessions/%s/services" % s)[0] ==
          404, "it to be gone from the database")
    t.ok(True, "and the back end has no such session any more")


def changes(b, d, targets, server, db):
    web = "web=127.0.0.1:%d" % targets.http
    key, secret = system(server, db, "s2", "c1", key_of(2), "b" * 40)
    with GoClient(d, key, secret, web):
        s = b.session(key)
        st, _, _ = b.ask("GET", "/page/%s/web/echo" % s)
        t.equal(st, 200, "it is reached")
        new = b.json("POST", "/secret?key=" + key)["secret"]
        d.log.wait("system %s: its cred" % key)
        t.equal(d.login(key, secret), 401, "operator-58: a secret that the "
                "back end has replaced fails at once")
    until(lambda: d.login(key, new) == 101, "the new secret's login")
    t.ok(True, "the new one is good")
    for n, (column, value) in enumerate((("suspended", "now"),
                                         ("enabled", "false"),
                                         ("deleted", "now"))):
        key, secret = system(server, db, "t%d" % n, "c1", key_of(16 + n),
                             "c" * 40)
        with GoClient(d, key, secret, web) as c:
            s = b.session(key)
            b.json("POST", "/set?key=%s&column=%s&value=%s" % (key, column,
                                                               value))
            c.event("closed")
            until(lambda: b.ask("GET", "/page/%s/web/echo" % s)[0] == 404,
                  "the session's end")
            t.ok(d.login(key, secret) in (401, 403), "operator-57: %s: the "
                 "tunnel ends when the back end says so, and does not come "
                 "back" % column)


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    server = postgres.server()
    db = server.database("template1")
    server.sql(THEIRS, db)
    key, secret = system(server, db, "s1", "c1", key_of(1), "a" * 40)
    port = free_port()
    with Targets() as targets, Redis() as redis:
        d = Relayd(t, listeners="listen on 127.0.0.1 port %d internal" % port,
                   global_conf=redis.conf(
                       ' environment "prod" secret file "%s"' % redis.file(
                           "signing", SIGNING)) +
                   'internal secret file "%s"\n' % redis.file("internal",
                                                              SECRET))
        d.secret("the internal secret", SECRET)
        d.use_postgres(server, db)
        d.rewrite()
        d.wants_ready = False
        with d:
            until(lambda: d.ctl("schema", "show")[0]["state"] == "missing",
                  "the schema to be looked at")
            t.equal(d.ctl_raw("schema", "apply").returncode, 0,
                    "beside the tables of the back end relayd's are made")
            until(d.is_ready, "relayd to be ready")
            with BackEnd(server, db, redis, port) as b, GoClient(
                    d, key, secret, "web=127.0.0.1:%d" % targets.http):
                s = b.session(key)
                w = operators(b, d, s, targets)
                commands(b, d, s, w)
                w.close()
                changes(b, d, targets, server, db)
    t.done()


if __name__ == "__main__":
    main()
