#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Systems by the operator API: made, registered, connected, switched off."""

import json

from harness import GoClient, Relayd, Tap, Targets, until
from yamuxraw import Raw

t = Tap()

with Targets() as targets, Relayd(t) as d:
    org = d.ctl("org", "add", "ACME", "type", "customer")[0]["id"]
    token = d.token(role="owner", permissions=("read:systems",
                                               "manage:systems"))
    viewer = d.token(user="bob")

    def call(method, path, body=None, tok=token):
        st, env = d.api(method, "/systems" + path, tok, body)
        t.equal(env["code"], st, "operator-1: %s %s: the code is the status" %
                (method, path or "/"))
        return st, env["data"], env["message"]

    def register(secret):
        st, h, body = d.request("POST", "/api/systems/register", None,
                                {"Content-Type": "application/json"},
                                json.dumps({"system_secret": secret}))
        return st, json.loads(body)["data"]

    for body, key, rule in (({}, "name", "required"),
                            ({"name": "x"}, "organization_id", "required"),
                            ({"name": "x" * 300, "organization_id": org},
                             "name", "max"),
                            ({"name": "x", "organization_id": org,
                              "notes": 7}, "notes", "string"),
                            ({"name": "x", "organization_id": org,
                              "custom_data": []}, "custom_data", "object")):
        st, data, _ = call("POST", "", body)
        t.equal((st, data["errors"][0]["key"], data["errors"][0]["message"]),
                (400, key, rule), "operator-1: %s: 400, %s" % (key, rule))
    st, made, _ = call("POST", "", {"name": "Office", "organization_id": org,
                                    "notes": "first floor",
                                    "custom_data": {"rack": [1, "ü"]}})
    d.secret("a system's secret", made["system_secret"])
    t.equal((st, made["custom_data"], made["notes"], made["status"],
             made["support_enabled"], made["support_session_id"]),
            (201, {"rack": [1, "ü"]}, "first floor", "unknown", False, None),
            "operator-18: a system is made")
    one = "/" + made["id"]
    st, seen, _ = call("GET", one)
    t.equal((st, seen["system_key"], "system_secret" in seen),
            (200, "", False), "operator-18: its secret is shown once, its key "
            "not yet")
    st, again, _ = call("POST", one + "/regenerate-secret")
    d.secret("a system's secret", again["system_secret"])
    t.ok(st == 200 and again["system_secret"] != made["system_secret"],
         "operator-18: another secret")
    t.equal(register(made["system_secret"])[0], 401, "the first one is void")
    st, data = register(again["system_secret"])
    t.equal((st, data["system_key"]), (200, made["system_key"]),
            "operator-18: it registers, without a token")
    t.equal(register(again["system_secret"])[0], 409, "operator-18: once")
    t.equal(call("POST", one + "/regenerate-secret")[0], 409,
            "operator-18: then its secret stays")
    t.equal(register("my_x")[0], 400, "what is no secret: 400")

    c = GoClient(d, made["system_key"], again["system_secret"],
                 "web=127.0.0.1:%d" % targets.http)
    c.event("manifest_sent")
    st, seen, _ = call("GET", one)
    sid = seen["support_session_id"]
    t.equal((seen["status"], d.api("GET", "/support-sessions/" + sid, viewer)
             [0]), ("active", 200), "operator-19: its session is a session")
    st, page, _ = call("GET", "?search=oFFi&status=active&status=inactive"
                       "&sort_by=name&sort_direction=desc")
    t.equal(([s["support_session_id"] for s in page["systems"]],
             page["pagination"]["page_size"]), ([sid], 50),
            "operator-19: in the list, too")
    t.equal(call("GET", "?status=x")[0], 400, "an unknown state: 400")
    t.equal(call("GET", one, tok=viewer)[0], 403,
            "connect:systems does not read systems")
    st, seen, _ = call("PUT", one, {"support_enabled": False,
                                    "name": "Branch"})
    t.equal((st, seen["name"], seen["support_enabled"],
             seen["support_session_id"], seen["notes"]),
            (200, "Branch", False, None, "first floor"),
            "operator-19 operator-20: switched off, in update")
    t.equal([call("PUT", one, {"organization_id": o})[0]
             for o in ("", "none")], [400, 403],
            "a system is moved to an organization that there is")
    until(lambda: c.p.poll() is not None, "the client's end")
    t.equal(c.p.returncode, 0, "operator-20: its tunnel ends with 4000")
    w = Raw(d, made["system_key"], again["system_secret"])
    t.equal(w.status, 403, "operator-20: and to log in is 403")
    t.equal([call(m, "/none" + p)[0] for m, p in (
        ("GET", ""), ("PUT", ""), ("POST", "/regenerate-secret"))],
        [404] * 3, "operator-7(partial): an unknown system: 404")
    c.stop()
t.done()
