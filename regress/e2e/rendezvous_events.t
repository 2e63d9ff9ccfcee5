#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: what happened in a session: GET .../events, the status' `audit`,
a line of the log each."""

import json
import tempfile

from harness import Relayd, Tap, until
from idp import Key, Provider
from peers import Relay

t = Tap()
READ = "swsrs:session:read"


def events(r, s):
    st, h, data = r.call("GET", "/" + s["id"] + "/events")
    t.equal((st, h["Content-Type"]), (200, "application/json"), "200, JSON")
    return json.loads(data)["events"]


def story(r):
    s = r.create({"label": "of a test"})
    a, b = r.join(s, "initiator"), r.join(s, "responder")
    a.send("12345")
    b.recv()
    b.send(b"123")
    a.recv()
    w = r.dial("/relay/" + s["id"], {"Authorization": "Bearer no"})
    t.equal(w.status, 401, "a wrong token")
    a.close(4007, "enough")
    b.closed()
    until(lambda: r.state(s) == "pending", "both to have left")
    got = events(r, s)
    t.equal([(e["event"], e.get("role")) for e in got],
            [("create", None), ("attach", "initiator"),
             ("attach", "responder"), ("refuse", None),
             ("detach", "initiator"), ("detach", "responder")],
            "made, two who came, one who may not, two who left")
    t.equal([e.get("code") for e in got], [None, None, None, 401, 4007, 1000],
            "and the codes of it")
    t.equal({e["source"] for e in got}, {"127.0.0.1"}, "from where")
    t.equal((got[0]["bytes_in"], got[-1]["bytes_in"], got[-1]["bytes_out"]),
            (0, 5, 3), "and the bytes until then")
    t.equal((got[1]["channel"], got[1]["time"][-1]), (0, "Z"), "channel, time")
    text = json.dumps(got) + r.d.log.text()
    t.ok(not any(s[k + "_token"] in text for k in ("initiator", "responder")),
         "no token in any of it")
    prefix = s["id"][:6]
    for line in ("create -", "attach initiator", "refuse -",
                 "detach responder"):
        until(lambda: r.d.log.has("relay session %s: %s, channel 0, from "
                                  "127.0.0.1, code" % (prefix, line)),
              "in the log: " + line)
        t.ok(True, "in the log: " + line)
    for _ in range(40):
        a = r.join(s, "initiator")
        a.close(1000)
    until(lambda: r.state(s) == "pending", "the last to have left")
    got = events(r, s)
    t.equal((len(got), got[-1]["event"]), (64, "detach"),
            "the last 64 are kept")
    times = [e["time"][:-1].ljust(20, ".").ljust(24, "0") for e in got]
    t.equal(times, sorted(times), "the oldest first")
    return s


def refusals(r, s):
    for path in "/nobody/events", "/%s/event" % s["id"], \
            "/%s/events/" % s["id"], "/%s/x/events" % s["id"], "/events/":
        t.equal(r.call("GET", path)[0], 404, path + ": 404")
    for method in "DELETE", "POST":
        st, h, data = r.call(method, "/" + s["id"] + "/events")
        t.equal((st, h["Allow"]), (405, "GET, HEAD"), method + ": 405")
    t.equal(r.call("GET", "/events")[0], 404, "a session of that name: none")
    t.ok("audit" not in r.status(s), "no audit in the status by default")
    r.call("DELETE", "/" + s["id"])
    t.equal(r.call("GET", "/" + s["id"] + "/events")[0], 404,
            "of one that is over: 404")
    t.ok(r.d.log.has("relay session %s: delete -, channel 0, from 127.0.0.1"
                     % s["id"][:6]), "which is in the log")


def audit(tmp):
    idp = Provider(tmp)
    idp.keys = [Key("RS256", "k")]
    conf = idp.conf() + 'relay {\n\taudience "relayd"\n\taudit\n}\n'
    with idp, Relayd(t, global_conf=conf) as d:
        until(lambda: d.log.has("oidc issuer .*: 1 keys"), "keys")
        maker = Relay(d, idp.token(scope="swsrs:session:create", sub="ann",
                                   azp="a-tool"))
        s = maker.create({"label": "for you", "channels": 2})
        reader = Relay(d, idp.token(scope=READ))
        t.equal(reader.status(s)["audit"],
                {"iss": idp.issuer, "sub": "ann", "client_id": "a-tool",
                 "source": "127.0.0.1", "label": "for you", "channels": 2,
                 "events": 1}, "audit: who made it")
        # What is no UTF-8, or none any more where it is cut, breaks no list.
        for body, want in ((b'{"label": "\xff\xed\xa0\x80"}', ""),
                           (b'{"label": "' + b"\xc3\xa9" * 40 + b'"}',
                            "\u00e9" * 32),
                           (b'{"label": "x' + b"\xc3\xa9" * 40 + b'"}',
                            "x" + "\u00e9" * 31)):
            st, h, data = maker.call("POST", "", body)
            made = json.loads(data)
            t.equal((st, reader.status(made)["audit"].get("label", "")),
                    (201, want),
                    "a label as far as others can read it: %r" % want[:3])
        path = "/" + s["id"] + "/events"
        st, h, data = reader.call("GET", path)
        t.equal((st, len(json.loads(data)["events"])), (200, 1),
                "events with the scope for reading")
        t.equal(maker.call("GET", path)[0], 403, "without it: 403")
        t.equal(Relay(d).call("GET", path)[0], 401, "without a token: 401")


with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    r = Relay(d)
    refusals(r, story(r))
with tempfile.TemporaryDirectory() as tmp:
    audit(tmp)
t.done()
