#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Operators with tokens of an identity provider: one that is honest, keys of
all kinds, their rotation, what its claims are taken for."""

import tempfile

from harness import Relayd, Tap, until
from idp import Provider

t = Tap()


def status(d, token):
    return d.api("GET", "/support-sessions", token)[0]


with tempfile.TemporaryDirectory() as tmp, Provider(tmp) as idp, \
        Relayd(t, global_conf=idp.conf()) as d:
    until(lambda: d.log.has("oidc issuer .*: 1 keys"), "the keys to be known")
    t.equal(status(d, idp.token()), 200, "operator-6(partial): an RS256 "
            "token of an identity provider is let in")
    t.equal(status(d, d.token()), 200, "and a token of relayd's own as ever")
t.done()
