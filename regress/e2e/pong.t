#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A process that has no memory for its answer to the parent's ping says it later,
and is not ended as one that hangs."""

from failing import Failing
from harness import Tap, until

t = Tap()

with Failing(t, roles=("control",)) as d:
    table = d.tables["control"]

    def said():
        """{place: how often} of answers."""
        n = table.hits()
        return {k: n[k] for k, text in table.where(n).items()
                if " say_pong " in text}
    until(said, "an answer to a ping")
    key, n = next(iter(said().items()))
    old, mark = d.pid_of("control"), d.log.mark()
    table.arm(key, "ENOMEM")
    pid = until(table.failed_in, "the want of memory")
    until(lambda: said()[key] >= n + 4, "the next answers")
    t.equal((pid, d.pid_of("control")), (old, old), "it lives")
    t.ok(not any("does not answer" in x for x in d.log.lines[mark:]),
         "and answers")
t.done()
