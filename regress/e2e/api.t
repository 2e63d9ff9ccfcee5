#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The operator API: envelope, tokens, paging, scope, secrets in no reply and
in no log."""

import base64
import hashlib
import hmac
import json
import time
from datetime import datetime, timedelta

from harness import SRC, GoClient, Relayd, Tap, Targets, until

t = Tap()


def b64(x):
    return base64.urlsafe_b64encode(x).rstrip(b"=").decode()


def jwt(secret, claims, alg="HS256", sign=True):
    head = b64(json.dumps({"alg": alg, "typ": "JWT"}).encode())
    body = b64(json.dumps(claims).encode())
    sig = hmac.new(secret, (head + "." + body).encode(),
                   hashlib.sha256).digest() if sign else b""
    return "%s.%s.%s" % (head, body, b64(sig))


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) %
                                                             4)))


with Targets() as targets, Relayd(t) as d:
    with open(d.dir + "/jwt.secret", "rb") as f:
        raw = f.read()
    key, secret = d.add_system("box")
    token = d.token()
    base = claims_of(token)
    # The key is the file's content, with or without its line end.
    for shared in (raw, raw.strip(), base64.b64decode(raw)):
        head, body, sig = token.split(".")
        if b64(hmac.new(shared, (head + "." + body).encode(),
                        hashlib.sha256).digest()) == sig:
            break
    else:
        t.ok(False, "the token is signed with the shared secret")

    def status(tok, path="/support-sessions"):
        return d.api("GET", path, tok)[0]

    def with_(**over):
        c = dict(base, **over)
        return {k: v for k, v in c.items() if v is not None}

    st, env = d.api("GET", "/support-sessions", token)
    t.equal((st, env["code"], env["data"]["support_sessions"]), (200, 200,
                                                                 []),
            "operator-1: the envelope of an empty list")
    st, h, body = d.request("GET", "/api/support-sessions", None,
                            {"Authorization": "Bearer " + token})
    t.equal(h["Content-Type"], "application/json; charset=utf-8",
            "operator-1: its content type")
    t.equal((h["X-Content-Type-Options"], h["X-Frame-Options"],
             h["Cache-Control"]), ("nosniff", "DENY", "no-store"),
            "operator-62(partial): security headers on the API")
    for path in ("/nothing", "/support-sessions/x/y/z", "/"):
        st, env = d.api("GET", path, token)
        t.equal((st, env["code"]), (404, 404),
                "operator-1: %s: 404 in the envelope" % path)

    st, h, body = d.request("HEAD", "/api/support-sessions", None,
                            {"Authorization": "Bearer " + token})
    t.ok(st == 200 and body == b"" and int(h["Content-Length"]) > 50,
         "HEAD is GET without the body")
    t.equal(d.request("HEAD", "/api/support-sessions")[0], 401,
            "for whom it is")

    # What there is, for programs.
    st, h, body = d.request("GET", "/api/openapi.yaml")
    with open(SRC + "/doc/openapi.yaml", "rb") as f:
        t.equal((st, h["Content-Type"], body), (200, "application/yaml",
                                                f.read()),
                "doc/openapi.yaml is served as it is, to anybody")
    for method, path, want in (("HEAD", "/api/openapi.yaml", 200),
                               ("POST", "/api/openapi.yaml", 405),
                               ("GET", "/api/openapi.yaml/", 404)):
        t.equal(d.request(method, path)[0], want, "%s %s: %d" % (
            method, path, want))

    # Tokens.
    def said(headers):
        st, h, body = d.request("GET", "/api/support-sessions", None,
                                headers)
        return st, json.loads(body)["message"]
    t.equal(said({}), (401, "authorization header required"),
            "operator-3(partial): no header")
    t.equal(said({"Authorization": "Token x"}),
            (401, "invalid authorization header format"),
            "operator-3(partial): not Bearer")
    t.equal(said({"Authorization": "Bearer "})[0], 401,
            "operator-3(partial): an empty token")
    now = int(time.time())
    cases = {
        "a bad signature": token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA"
                                         else "BBBBBB"),
        "expired": jwt(shared, with_(exp=now - 10)),
        "no exp": jwt(shared, with_(exp=None)),
        "a future nbf": jwt(shared, with_(nbf=now + 600)),
        "alg none": jwt(shared, base, "none", False),
        "alg none with a signature": jwt(shared, base, "none"),
        "RS256 signed with the HMAC secret": jwt(shared, base, "RS256"),
        "HS512 in the header": jwt(shared, base, "HS512"),
        "a proxy token": jwt(shared, with_(token_type="proxy")),
        "a refresh token": jwt(shared, with_(token_type="refresh")),
        "no token type": jwt(shared, with_(token_type=None)),
        "another secret": jwt(b"x" * 48, base),
        "two parts": ".".join(token.split(".")[:2]),
        "four parts": token + ".x",
        "junk": "x.y.z",
    }
    for name, tok in cases.items():
        st, env = d.api("GET", "/support-sessions", tok)
        t.equal((st, env["message"]), (401, "invalid token"),
                "operator-3(partial): %s is refused" % name)
    t.equal(status(jwt(shared, base)), 200,
            "operator-3(partial): and a good one of ours made here passes")

    # The table, from top to bottom: the rest of it is authd_api_test's.
    d.ctl("-f", "token", "create", "user", "mallory")
    lost, gone = d.token(user="carol"), d.token(user="mallory")
    d.ctl("token", "revoke", claims_of(lost)["jti"], "reason", "lost")
    d.ctl("token", "revoke", "user", "mallory")
    rows = [said(h) for h in (
        {}, {"Authorization": "Token x"}, {"Authorization": "Bearer "},
        {"Authorization": "Bearer " + lost},
        {"Authorization": "Bearer " + gone},
        {"Authorization": "Bearer " + cases["a bad signature"]},
        {"Authorization": "Bearer " + cases["expired"]},
        {"Authorization": "Bearer " + cases["a refresh token"]},
        {"Authorization": "Bearer " + d.token(permissions=("read:systems",))})]
    t.equal(rows, [(401, "authorization header required"),
                   (401, "invalid authorization header format"),
                   (401, "token not provided"),
                   (401, "token has been revoked"),
                   (401, "user account has been suspended"),
                   (401, "invalid token"), (401, "invalid token"),
                   (401, "invalid token"), (403, "insufficient permissions")],
            "operator-3: every row of the table but that of a store which "
            "cannot say")
    t.equal(status(jwt(shared, with_(token_type="impersonation",
                                     is_impersonated=True,
                                     impersonated_by=base["user"],
                                     session_id="s"))), 200,
            "operator-3(partial): an impersonation token passes")
    st, env = d.api("GET", "/support-sessions", d.token(
        permissions=("read:systems",)))
    t.equal((st, env["message"]), (403, "insufficient permissions"),
            "operator-4(partial): without connect:systems: 403")
    user = dict(base["user"], user_permissions=[],
                org_permissions=["connect:systems"])
    t.equal(status(jwt(shared, with_(user=user))), 200,
            "operator-4(partial): in the other list it works")
    t.equal(d.api("GET", "/support-sessions", "myk_0123456789")[0], 403,
            "operator-4(partial): an API key gives 403")

    # Sessions, paging.
    systems = [d.add_system("s%02d" % i) for i in range(5)]
    clients = []
    for i, s in enumerate(systems):
        c = GoClient(d, *s, "web=127.0.0.1:%d" % targets.http)
        clients.append(c)
    for c in clients:
        c.event("manifest_sent")
    until(lambda: d.api("GET", "/support-sessions?status=active", token)[1]
          ["data"]["pagination"]["total_count"] == 5, "five active groups")
    seen, page = [], 1
    while True:
        st, env = d.api("GET", "/support-sessions?page=%d&page_size=2&sort_by"
                        "=status" % page, token)
        p = env["data"]["pagination"]
        seen += [g["system_key"] for g in env["data"]["support_sessions"]]
        t.equal((p["page"], p["page_size"], p["total_count"],
                 p["total_pages"], p["has_next"], p["has_prev"],
                 p.get("next_page"), p.get("prev_page")),
                (page, 2, 5, 3, page < 3, page > 1,
                 page + 1 if page < 3 else None,
                 page - 1 if page > 1 else None),
                "operator-2: pagination of page %d" % page)
        if not p["has_next"]:
            break
        page += 1
    t.equal((len(seen), len(set(seen))), (5, 5),
            "operator-2: with equal keys every system comes exactly once")
    for junk in ("0", "101", "x", "-1"):
        st, env = d.api("GET", "/support-sessions?page_size=" + junk, token)
        t.equal(env["data"]["pagination"]["page_size"], 20,
                "operator-2: page_size %s gives 20" % junk)
    st, env = d.api("GET", "/support-sessions?status=active&status=pending",
                    token)
    t.equal(env["data"]["pagination"]["total_count"], 5,
            "operator-8(partial): a repeated status is any of them")
    g = env["data"]["support_sessions"][0]
    t.ok({"system_id", "system_name", "system_key", "organization",
          "started_at", "expires_at", "status", "session_count",
          "node_count", "sessions"} <= set(g), "a group's members")
    t.equal(d.api("GET", "/support-sessions?status=weird", token)[0], 400,
            "an unknown status: 400")

    # Scope: two flat organisations.
    sid = g["sessions"][0]["id"]
    d.ctl("org", "add", "ACME", "type", "customer")
    stranger = d.token(user="eve", role="customer", org="org-elsewhere")
    routes = [("GET", ""), ("DELETE", ""), ("GET", "/services"),
              ("POST", "/proxy-token"), ("POST", "/terminal-ticket"),
              ("PATCH", "/extend"), ("GET", "/logs"),
              ("GET", "/diagnostics"), ("GET", "/users"),
              ("POST", "/services"), ("DELETE", "/services/web"),
              ("GET", "/terminal"), ("GET", "/proxy/web/"),
              ("GET", "/services/web/stream")]
    for bad, who in ((sid, stranger), ("not-a-uuid", token),
                     ("00000000-0000-4000-8000-000000000000", token),
                     (sid.upper(), token), (sid + "0", token)):
        for method, tail in routes:
            st, env = d.api(method, "/support-sessions/%s%s" % (bad, tail),
                            who, {"service": "web"} if method == "POST"
                            else None)
            t.equal((st, env["code"]), (404, 404), "operator-7: %s "
                    "%s%s of %s: 404" % (method, "{id}", tail, "a foreign "
                                         "session" if who is stranger else
                                         "a malformed or unknown id"))
    t.equal(d.api("GET", "/support-sessions", stranger)[1]["data"]
            ["pagination"]["total_count"], 0,
            "operator-5(partial): a stranger's list is empty")
    t.equal(status(d.token(role="nobody")), 200, "an unknown role may ask")
    t.equal(d.api("GET", "/support-sessions", d.token(role="nobody"))[1]
            ["data"]["pagination"]["total_count"], 0,
            "operator-5(partial): and sees nothing")

    # No token of a session in any reply.
    texts = []
    for path in ("", "/" + sid, "/%s/services" % sid):
        st, h, body = d.request("GET", "/api/support-sessions" + path, None,
                                {"Authorization": "Bearer " + token})
        texts.append(body.decode())
    t.ok(not any("session_token" in x or "reconnect_token" in x
                 for x in texts), "operator-9: no reply contains "
         "session_token or reconnect_token")

    # Bodies.
    for name, body, want in (("no service", {}, 400),
                             ("a bad name", {"service": "../x"}, 400),
                             ("an unknown one", {"service": "nope"}, 404)):
        t.equal(d.api("POST", "/support-sessions/%s/proxy-token" % sid,
                      token, body)[0], want, "proxy-token: %s" % name)
    st, h, body = d.request("POST", "/api/support-sessions/%s/proxy-token" %
                            sid, None, {"Authorization": "Bearer " + token,
                                        "Content-Type": "application/json"},
                            "{not json")
    t.equal(st, 400, "unparsable JSON: 400")

    # Extend.
    def extend(hours):
        st, env = d.api("PATCH", "/support-sessions/%s/extend" % sid, token,
                        {"hours": hours})
        return st, env["data"]
    for hours, rule in ((0, "min"), (169, "max"), ("x", "number"),
                        (1.5, "integer"), (None, "number")):
        st, data = extend(hours)
        t.equal((st, data["errors"][0]["key"], data["errors"][0]["message"]),
                (400, "hours", rule), "operator-10: extend by %r: 400" % hours)
    before = d.api("GET", "/support-sessions/" + sid, token)[1]["data"]
    st, data = extend(24)
    after = d.api("GET", "/support-sessions/" + sid, token)[1]["data"]
    t.equal((st, data["expires_at"], data["extended_by_hours"]),
            (200, after["expires_at"], 24), "operator-10: extend by 24")
    t.equal([datetime.fromisoformat(x["expires_at"]) - datetime.fromisoformat(
        before["expires_at"]) for x in (after,)], [timedelta(hours=24)],
        "operator-10: by 24 h to the second")
    st, env = d.api("GET", "/support-sessions/%s/logs" % sid, token)
    t.equal((st, env["data"]["access_logs"]), (200, []),
            "nobody has used it")
    st, env = d.api("GET", "/support-sessions/%s/diagnostics" % sid, token)
    t.equal((st, env["data"]["session_id"]), (200, sid), "diagnostics")
    st, env = d.api("GET", "/support-sessions/diagnostics?system_id=" +
                    g["system_id"], token)
    t.equal((st, [n["session_id"] for n in env["data"]["nodes"]]),
            (200, [sid]), "and of the system")
    st, env = d.api("GET", "/support-sessions/diagnostics", token)
    t.equal((st, env["data"]["errors"][0]),
            (400, {"key": "system_id", "message": "required", "value": ""}),
            "a system has to be named")
    for path, rule in (("/diagnostics?system_id=%", "string"),
                       ("/diagnostics?system_id=%00", "string"),
                       ("/diagnostics?system_id=" + "x" * 400, "max"),
                       ("?system_id=%zz", "string"),
                       ("?system_id=" + "x" * 400, "max")):
        st, env = d.api("GET", "/support-sessions" + path, token)
        t.equal((st, env["data"]["errors"][0]["message"]), (400, rule),
                "operator-1: %.30s: what is wrong with it: %s" % (path, rule))

    # Close.
    st, env = d.api("DELETE", "/support-sessions/" + sid, token)
    t.equal((st, env["data"]["session_id"]), (200, sid),
            "operator-11(partial): close")
    st, env = d.api("DELETE", "/support-sessions/" + sid, token)
    t.equal(st, 200, "operator-11(partial): a second close: 200")
    st, env = d.api("GET", "/support-sessions/%s/services" % sid, token)
    t.equal((st, env["data"]), (200, {"services": {}}),
            "operator-13(partial): services of a closed session: {}")
    t.equal(d.api("POST", "/support-sessions/%s/terminal-ticket" % sid,
                  token, {})[0], 400, "a ticket for a closed session: 400")
    ended = [c for c in clients if c.p.poll() is not None]
    until(lambda: [c for c in clients if c.p.poll() == 0],
          "the closed client's exit")
    t.equal(len([c for c in clients if c.p.poll() is None]), 4,
            "operator-12(partial): the other clients stay")

    # Rates.
    busy = d.token(user="busy")
    codes = []
    d.text = d.text.replace("\noperator {\n", "\noperator {\n\tapi rate 60\n")
    d.rewrite()
    d.ctl("reload")
    for i in range(140 * d.members):    # each proxyd counts what comes to it
        codes.append(status(busy, "/support-sessions?page_size=1"))
        if codes[-1] == 429:
            break
    t.equal(codes[-1], 429, "the API rate ends in 429 (after %d)" %
            len(codes))
    for c in clients:
        c.stop()
    # Every test's log is searched for every secret at its end (daemon.py);
    # this one has seen all kinds.
    log = d.log.text()
    found = sorted(set(n for x, n in d.secrets.items() if x in log))
    t.equal(found, [], "operator-63: no secret in the most verbose log")
    t.ok(d.verbose and "debug" in log, "operator-63: and most verbose it is")
t.done()
