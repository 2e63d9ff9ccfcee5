#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""regress/soak/cluster.t, smaller, and without its drain: drain.t."""

import shutil

import postgres
from clusterload import Load, fitting
from harness import Tap

t = Tap()
if postgres.programs() is None or shutil.which("haproxy") is None:
    t.skip("there is no PostgreSQL or no haproxy", "a cluster under load")
else:
    with Load(t, fitting(t, 60, 24), 24) as load:
        load.all(drain=False)
t.done()
