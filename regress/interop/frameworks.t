#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What frameworks compare with Origin, Referer and Host, in Chromium: a login
in Django, which believes X-Forwarded-Proto or not, and in Rails with Action
Cable. Each is opened directly, plain and behind a TLS front of its own, and the
same through the tunnel: with a host and without, by https and by plain http.
What works directly works there, and nothing else."""

import os
import tempfile
from contextlib import ExitStack

from browse import (HERE, HOST, Program, behind, free_port, installed, lacks,
                    listens, nginx, opened, play, python, self_signed)
from harness import Tap

t = Tap()
WEB = os.path.join(HERE, "web")

# Of the customer's own: TLS, and the scheme that it was asked by.
FRONT = """
server {
	listen 127.0.0.1:%d ssl;
	ssl_certificate %s;
	ssl_certificate_key %s;
	location / {
		proxy_pass http://127.0.0.1:%d;
		proxy_http_version 1.1;
		proxy_set_header Host $http_host;
		proxy_set_header X-Forwarded-Proto $scheme;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection $connection_up;
	}
}
"""
MAP = "map $http_upgrade $connection_up { default upgrade; '' ''; }\n"

# A page that hides where it is says Origin: null, which none of them takes.
TAKEN = {"": "in", "unsafe-url": "in", "no-referrer": "403"}
# By what it knows it is asked by http, and the page is at https.
FOOLED = dict.fromkeys(TAKEN, "403")
RAILS = dict(TAKEN, **{"no-referrer": "422"})


def main():
    if lacks("puma"):
        t.skip("no " + lacks("puma"), "frameworks in a browser")
        return
    installed()
    with tempfile.TemporaryDirectory(prefix="relayd-apps-") as tmp, \
            ExitStack() as stack:
        os.chmod(tmp, 0o755)
        apps = {name: (free_port(), free_port())
                for name in ("django", "trusting", "rails")}
        cert = self_signed(tmp)
        app = os.path.join(WEB, "django_app.py")
        argv = {"django": [python(), app, str(apps["django"][0])],
                "trusting": [python(), app, str(apps["trusting"][0]),
                             "trusting"],
                "rails": ["puma", "-q", "-b", "tcp://127.0.0.1:%d" %
                          apps["rails"][0], os.path.join(WEB, "rails.ru")]}
        for name, (plain, _) in apps.items():
            listens(plain, stack.enter_context(Program(
                argv[name], cwd=tmp, env={"APP_ROOT": tmp})))
        front = stack.enter_context(Program(nginx(tmp, MAP + "".join(
            FRONT % (tls, *cert, plain) for plain, tls in apps.values()))))
        listens(apps["django"][1], front)
        cells = {}      # name of the service: target, direct URL, what to see
        for name, (plain, tls) in apps.items():
            see = dict(want=RAILS if name == "rails" else TAKEN)
            if name == "rails":
                see["socket"] = "open"
            cells[name] = ("127.0.0.1:%d" % plain, "",
                           "http://127.0.0.1:%d/" % plain, see)
            if name == "django":
                see = dict(want=FOOLED)
            cells[name + "-tls"] = ("127.0.0.1:%d" % tls, ":tls",
                                    "https://127.0.0.1:%d/" % tls, see)
        for name, (_, _, url, see) in cells.items():
            play(t, "forms.js", name=name + "-direct", url=url, **see)
        services = ",".join(
            "%s=%s%s,%s-named=%s:host=%s.%s%s" % (name, at, tls, name, at,
                                                  name, HOST, tls)
            for name, (at, tls, _, _) in cells.items())
        for way in True, False:
            with behind(t, services, way) as (d, session, token):
                for name, (_, _, _, see) in cells.items():
                    if not way:
                        # Without TLS browsers say nothing beside the null.
                        see["want"] = dict(see["want"], **{
                            "no-referrer": "403"})
                    for service in name, name + "-named":
                        play(t, "forms.js", name="%s-%s" % (
                            service, "https" if way else "http"),
                            url=opened(d, session, token, service), **see)


main()
t.done()
