#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The store is a real PostgreSQL server: one login and one request through all
processes, and what is in its tables then."""

import sys

import postgres
from harness import GoClient, Relayd, Tap, Targets

t = Tap()


def walk(server, targets):
    d = Relayd(t)
    d.use_postgres(server)
    d.rewrite()
    with d:
        key, secret = d.add_system()
        web = "web=127.0.0.1:%d" % targets.http
        with GoClient(d, key, secret, web):
            sid = d.wait_session()["session"]
            c = d.cookie(sid, d.token())
            t.equal(d.via(sid, c, "/hello")[0], 200, "a login and a request "
                    "through all processes, over PostgreSQL")
            t.equal(d.sql("SELECT status FROM public.support_sessions "
                          "WHERE id = '%s'" % sid), "active",
                    "the session is in the table of section 10")
            t.equal(d.sql("SELECT access_type, metadata ->> 'service' FROM "
                          "public.support_access_logs WHERE session_id = "
                          "'%s'" % sid), "ui_proxy|web",
                    "and the access in its log")
            t.ok(int(d.sql("SELECT count(*) FROM audit_events")) > 3,
                 "and in the audit log")
            t.equal(d.ctl_raw("audit", "verify").returncode, 0,
                    "whose chains hold")


def main():
    if postgres.programs() is None:
        t.skip("no PostgreSQL here", "all of it")
        t.done()
    server = postgres.server()
    with Targets() as targets:
        walk(server, targets)
    t.done()


if __name__ == "__main__":
    sys.exit(main())
