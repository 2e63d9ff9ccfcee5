#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An authd that has no memory for a text of its store goes by no empty one: it
ends, and the next one knows all."""

import tempfile

from failing import Failing
from harness import OurClient, Tap, is_up, until

t = Tap()


def rows(d):
    return sorted(d.ctl("system", "list"), key=lambda x: x["system"])


with tempfile.TemporaryDirectory() as tmp, Failing(t, roles=("authd",)) as d:
    key, secret = d.add_system("one with a name that is long " + 60 * "x")
    table = d.tables["authd"]
    with OurClient(d, key, secret) as c:
        sid = d.wait_session()["session"]

        def back():
            return [s for s in d.ctl_try("show", "sessions") or []
                    if s["session"] == sid and is_up(s)]
        d.kill_all("authd")
        before = until(back, "the session, from the store")
        keys = [k for k, text in table.where(table.hits()).items()
                if " lite_text " in text or " lite_bytes " in text]
        t.ok(keys, "SQLite needs memory for a text")
        for k in keys:
            mark = d.log.mark()
            table.arm(k, "ENOMEM")
            d.kill_all("authd")
            until(table.failed_in, "the want of memory")
            d.log.wait(r"store: out of memory", mark)
            t.equal(until(back, "the session")[0]["system"],
                    before[0]["system"], "the next authd has all of it")
        c.stop()
t.done()
