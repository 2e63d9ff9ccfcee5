#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a member has answered is in the audit log, whatever becomes of that member:
it is killed under many calls that change something, and each that had its answer
has its row. several-daemons.md, sections 1 and 6."""

import collections
import http.client
import json
import threading

import postgres
from cluster import Cluster
from harness import GoClient, Tap, until

t = Tap()
THREADS = 6
ENOUGH = 60         # answers, when it is killed
OPERATOR = "\tapi rate 100000\n\tticket rate 1000\n"


class Caller(threading.Thread):
    """Calls at one member, one after the other, until that is gone: a system is
    made, or there is a ticket. What was answered, by the id of its request."""

    def __init__(self, d, token, session, org, number):
        super().__init__(daemon=True)
        self.d, self.session = d, session
        self.org, self.number = org, number
        self.headers = {"Authorization": "Bearer " + token,
                        "Content-Type": "application/json"}
        self.done, self.wrong = [], []
        self.start()

    def run(self):
        n = 0
        while not self.wrong:
            n += 1
            try:
                self.one(n)
            except (OSError, http.client.HTTPException):
                return          # not answered

    def one(self, n):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=60)
        try:
            if n % 2:
                action = "system_create"
                c.request("POST", "/api/systems", json.dumps(
                    {"name": "s%d-%d" % (self.number, n),
                     "organization_id": self.org}), self.headers)
            else:
                action = "terminal_ticket"
                c.request("POST", "/api/support-sessions/%s/terminal-ticket" %
                          self.session, None, self.headers)
            r = c.getresponse()
            body = r.read()
        finally:
            c.close()
        if r.status // 100 == 2:
            said = json.loads(body)["data"]
            self.d.secret("what was made", said.get("system_secret") or
                          said["ticket"])
            self.done.append((r.getheader("X-Request-Id"), action))
        elif r.status != 503:   # it is being killed
            self.wrong.append((r.status, body[:200]))


def main():
    if postgres.programs() is None:
        t.skip("there is no PostgreSQL", "an audit log of members")
        return
    with Cluster(t, "ab", operator=OPERATOR) as c:
        a, b = c["a"], c["b"]
        c.wait_seen(a, "ab")
        key, secret = a.add_system("box")
        with GoClient(b, key, secret, "web=127.0.0.1:9") as client:
            client.event("manifest_sent")
            session = b.wait_session()["session"]
            token = a.token(permissions=("connect:systems",
                                         "manage:systems"))
            org = a.ctl("org", "add", "ACME", "type", "customer")[0]["id"]
            callers = [Caller(b, token, session, org, i) for i in range(THREADS)]
            until(lambda: sum(len(x.done) for x in callers) >= ENOUGH or
                  any(x.wrong for x in callers), "enough answers", 120)
            c.kill("b")
            for x in callers:
                x.join(70)
            t.equal([x.wrong for x in callers if x.wrong], [],
                    "nothing is refused")
            done = collections.Counter(y for x in callers for y in x.done)
            rows = collections.Counter(a.rows(
                "SELECT request_id, action FROM audit_events "
                "WHERE outcome = 'done' AND request_id IS NOT NULL"))
            t.equal({action for _, action in done},
                    {"system_create", "terminal_ticket"}, "of %d calls that "
                    "were answered some made a system, some a ticket" %
                    sum(done.values()))
            t.equal(list((done - rows).elements()), [], "the member is killed "
                    "under them: each that was answered is in the audit log")
            t.equal(a.ctl_raw("audit", "verify").returncode, 0,
                    "which is whole")
            t.equal(len(a.rows("SELECT id FROM systems WHERE name LIKE "
                               "'s%-%'")) >= sum(
                        n for (_, what), n in done.items()
                        if what == "system_create"), True,
                    "and no system is missing")


main()
t.done()
