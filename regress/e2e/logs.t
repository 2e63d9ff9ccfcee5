#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The log: as text and as JSON, a reload changes it; one line is one event,
whatever a peer chose. Ids of requests, from the door to the store and back."""

import base64
import datetime
import json
import re

from harness import OurClient, Relayd, Tap, Targets, until, WebSocket

t = Tap()
MEMBERS = {"time", "level", "role", "pid", "instance", "session", "request",
           "message"}
HOSTILE = (b"/a\x0a{\"role\":\"parent\"}", b"/b\xff\xfe", b"/c\xe2\x80\xa8d",
           b"/e\x1b[2J", b"/f\\\"g\"")


def raw(d, path):
    """A request with any bytes in its path; whatever comes back."""
    s = d.connect()
    s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n"
              b"Connection: close\r\n\r\n")
    while s.recv(65536):
        pass
    s.close()


def rewrite(d, text):
    with open(d.conf, "w") as f:
        f.write(text)
    t.equal(d.ctl_raw("reload").returncode, 0, "reload")


def objects(d, mark):
    """The lines since then, each as its object."""
    return [json.loads(x) for x in d.log.lines[mark:]]


def check_json(d, mark):
    rows = objects(d, mark)
    t.ok(len(rows) > 20, "each line is an object (%d)" % len(rows))
    t.equal([r for r in rows if not set(r) <= MEMBERS or
             not {"time", "level", "role", "pid", "message"} <= set(r)], [],
            "with the members that relayd(8) names")
    for r in rows:
        datetime.datetime.strptime(r["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    pids = {int(p["pid"]): p["role"] for p in d.processes()}
    t.equal([r for r in rows if pids.get(r["pid"], r["role"]) != r["role"]],
            [], "role and pid are those of the process")
    t.equal([x for x in d.log.lines[mark:] if not re.fullmatch(
        r"[\x20-\x7e]+", x)], [], "a line has printable ASCII alone")
    return rows


with Targets() as targets, Relayd(t) as d:
    first = d.log.lines[0]
    t.match(first, r"^\d{4}-\d\d-\d\dT[\d:.]+Z \w+ \w+\[\d+\]", "text at first")
    text = d.text
    rewrite(d, text + "log format json\n")
    mark = d.log.mark()
    key, secret = d.add_system("box")
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http):
        s = d.wait_session()["session"]
        for path in HOSTILE:
            raw(d, path)
        until(lambda: d.log.has("muxd.*logged in|session.*made", mark),
              "the login")
        token = d.token()
        d.api("POST", "/support-sessions/%s/terminal-ticket" % s, "x" + token,
              {})
        d.ctl("close", s)
        d.log.wait("by the local administrator|closed by", mark)
    rows = check_json(d, mark)
    t.ok([r for r in rows if r.get("session") == s and r["role"] == "authd"],
         "authd's lines name the session in a member")
    t.ok([r for r in rows if r.get("session") == s and r["role"] == "muxd"],
         "muxd's, too")
    rewrite(d, text + "log format text\n")
    mark = d.log.mark()
    for path in HOSTILE:
        raw(d, path)
    d.log.wait(r"/f\\x5c", mark)
    t.equal([x for x in d.log.lines[mark:] if not re.match(
        r"^\d{4}-\d\d-\d\dT[\d:.]+Z (error|warn|info|debug) \w+\[\d+\] ?\d*"
        r"( session [0-9a-f-]{36})?( request [\w.-]+)?: [\x20-\x7e]*$", x)],
        [], "as text a line is a line, too")


# ---- ids of requests ----

def asked(d, headers=None, path="/api/support-sessions"):
    st, h, _ = d.request("GET", path, None, headers)
    return h["X-Request-Id"]


def lines_of(d, request, role=None):
    """What the log has of it."""
    return [r for r in objects(d, 0) if r.get("request") == request and
            role in (None, r["role"])]


def said(d, request, role, text):
    """Waits for such a line of it."""
    return until(lambda: [r for r in lines_of(d, request, role)
                          if re.search(text, r["message"])],
                 "%s: %s of %s" % (role, text, request))


def refused_login(d, key):
    s = WebSocket(d.connect(), "127.0.0.1:%d" % d.port, "/api/tunnel",
                  {"Authorization": "Basic " + base64.b64encode(
                      (key + ":my_wrong.secret").encode()).decode()})
    return s.status, s.headers.get("x-request-id")


def ticket_twice(d, s, token):
    """Open a terminal, and its ticket once more: the refusal's id."""
    ticket = d.ticket(s, token)
    w = d.terminal(s, ticket, {"X-Request-Id": "term-1"})
    w.recv_until(rb"[$#] ")
    again = d.terminal(s, ticket)
    w.close()
    return again.status, again.headers.get("x-request-id")


with Targets() as targets, Relayd(t, conf="log format json\n") as d:
    mine = asked(d, {"X-Request-Id": "chosen-by-a-stranger"})
    t.match(mine, "^[0-9a-f]{16}$", "a request has an id; a stranger's is none")
    t.ok(asked(d) not in (mine, asked(d)), "the next has another")
    t.ok(said(d, mine, "proxyd", "GET"), "proxyd's lines have it")
    for i in range(2):
        mine = asked(d, {"Authorization": "Bearer x.y.z"})
        t.ok(said(d, mine, "authd", "refused"), "so has authd's refusal, "
             "also one that is only counted")
    st, h, body = d.request("GET", "/", "web--%s.%s" % ("0" * 32, "support.test"),
                            {"Accept": "text/html"})
    t.ok(("Request " + h["X-Request-Id"]).encode() in body,
         "a page for people says it")
    t.match(asked(d, None, "/nowhere"), "^[0-9a-f]{16}$", "404 has one, too")
    c = d.connect()
    c.sendall(b"GET / HTTP/9.9\r\n\r\n")
    t.match(c.recv(65536).decode(), "X-Request-Id: [0-9a-f]{16}\r\n",
            "and what is no request")
    st, request = refused_login(d, "NETH-NOBODY")
    t.equal(st, 401, "a login that is refused")
    t.ok(said(d, request, "muxd", "refused: 401"), "muxd says of which id")
    t.ok(said(d, request, "authd", "login.* refused"), "and authd")
    r = d.ctl_raw("system", "add", "office")
    row = until(lambda: [r for r in objects(d, 0) if r["role"] == "control" and
                         "system add office: done" in r["message"]], "control")
    t.match(row[0]["request"], "^[0-9a-f]{16}$", "a command has one")
    d.ctl_raw("reload")
    row = until(lambda: [r for r in objects(d, 0) if r["role"] == "control" and
                         "reload: done" in r["message"]], "control")
    t.ok(said(d, row[0]["request"], "parent", "loaded again"),
         "and the parent's line has the same")

with Targets() as targets, Relayd(
        t, conf="log format json\ntrusted proxy 127.0.0.1/32\n") as d:
    t.equal(asked(d, {"X-Request-Id": "Fr0nt_1.x-y"}), "Fr0nt_1.x-y",
            "a trusted proxy's id is taken")
    t.equal(asked(d, {"X-Request-Id": "a" * 64}), "a" * 64, "to 64 characters")
    for bad in ("a" * 65, "a b", "a\"b", "a\\nb", "", "\u00e9", "a\tb"):
        t.match(asked(d, {"X-Request-Id": bad}), "^[0-9a-f]{16}$",
                "one that is none is replaced: %r" % bad[:8])
    key, secret = d.add_system("box")
    token = d.token()
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http):
        s = d.wait_session()["session"]
        cookie = d.cookie(s, token)
        st, h, body = d.via(s, cookie, "/echo",
                            headers={"X-Request-Id": "web-1"})
        t.match(body.decode(), '"X-Request-Id":\\["web-1"\\]',
                "the service has the id that came along")
        t.ok(said(d, "web-1", "authd", "stream .* to web opened"),
             "and authd's line of the stream")
        st, h, body = d.via(s, cookie, "/echo")
        t.match(body.decode(), '"X-Request-Id":\\["[0-9a-f]{16}"\\]',
                "or a new one where none did")
        t.equal(h["X-Request-Id"], None, "a service's answer is its own")
        st, request = ticket_twice(d, s, token)
        t.equal(st, 401, "a ticket that is used up")
        t.equal(said(d, request, "authd", "web_terminal.* refused")[0]["session"],
                s, "has its line, which names the session")
        t.ok(said(d, "term-1", "authd", "terminal opened"),
             "a terminal's opening has its id")
        t.ok(said(d, "term-1", "termd", "closed"), "and its end")
        st, env = d.api("GET", "/support-sessions/%s/logs" % s, token)
        ids = {json.loads(x["metadata"]).get("request")
               for x in env["data"]["access_logs"]}
        t.ok("term-1" in ids and len(ids) == 2 and None not in ids,
             "the access log has what each use began with (%s)" % ids)

t.done()
