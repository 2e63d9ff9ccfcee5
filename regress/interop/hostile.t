#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A page of a proxied service that tries to break out: to the console, to the
API, to the service of another session. In Chromium, over https."""

import http.client
import http.server
import json
import ssl
import threading

from browse import (DOMAIN, OurClient, behind, installed, lacks, opened, talk,
                    until)
from harness import Tap

t = Tap()


class Service(http.server.BaseHTTPRequestHandler):
    """Any page is the same, with a cookie of its own; it keeps what cookies
    came."""
    name, seen = "", None

    def do_GET(self):
        self.seen.append(self.headers.get("Cookie", ""))
        body = b"<!doctype html><title>%s</title><p>I am %s." % (
            self.name.encode(), self.name.encode())
        script = self.path.endswith(".js")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else
                         "text/html")
        self.send_header("Set-Cookie", "mine=%s-secret; Path=/" % self.name)
        self.send_header("Content-Length", "0" if script else str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if script else body)

    def log_message(self, *args):
        pass


def serve(which):
    handler = type(which, (Service,), {"name": which, "seen": []})
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s.server_address[1], handler


class Other:
    def __init__(self, d, first, second, token, bank):
        self.d, self.first, self.second = d, first, second
        self.token, self.bank = token, bank

    def __call__(self, word, *args):
        return str(getattr(self, "do_" + word)(*args) or "done")

    def do_open(self, which):
        return opened(self.d, self.first if which == "evil" else self.second,
                      self.token)

    def do_seen(self):
        return json.dumps(self.bank.seen)

    def do_api(self, value):
        """The API with a service's cookie for a token, both ways: statuses."""
        out = []
        for head in ({"Cookie": value}, {"Authorization": "Bearer " +
                                         value.split("=", 1)[1]}):
            c = http.client.HTTPSConnection(
                "127.0.0.1", self.d.front,
                context=ssl._create_unverified_context())
            c.request("GET", "/api/support-sessions", headers=dict(
                head, Host="%s:%d" % (DOMAIN, self.d.front)))
            out.append(str(c.getresponse().status))
            c.close()
        return " ".join(out)


def main():
    if lacks():
        t.skip("no " + lacks(), "hostile pages in a browser")
        return
    installed()
    evil, _ = serve("evil")
    bank_port, bank = serve("bank")
    with behind(t, "web=127.0.0.1:%d" % evil,
                tunnel="allow loopback targets yes") as (d, first, token):
        key, secret = d.add_system("bank")
        with OurClient(d, key, secret, "web=127.0.0.1:%d" % bank_port):
            second = d.wait_session(but=(first,))["session"]
            until(lambda: d.ctl("show", "services", second), "its manifest")
            talk(t, "hostile.js", Other(d, first, second, token, bank),
                 name="hostile", token=token,
                 url="https://%s:%d/" % (DOMAIN, d.front))


main()
t.done()
