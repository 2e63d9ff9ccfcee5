# SPDX-License-Identifier: ISC
"""What is asked of a relayd at its port: requests of browsers and operators, and
the ways to a terminal and to a plain connection."""

import base64
import http.client
import json
import os
import re
import socket

import openapi
from basics import SRC, WAIT, secret, secrets_of, until
from frames import WebSocket

DOMAIN = "support.test"
API = openapi.Document(os.path.join(SRC, "doc", "openapi.yaml"))


class Asks:
    """Who has a port, and a list of wrong answers."""

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), WAIT)
        s.settimeout(WAIT)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def request(self, method, path, host=None, headers=None, body=None):
        """(status, headers, body) of one request on a fresh connection."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        h = {"Host": host or "127.0.0.1:%d" % self.port}
        h.update(headers or {})
        try:
            c.request(method, path, body=body, headers=h,
                      encode_chunked="Transfer-Encoding" in h)
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        self._note(h, r)
        # What the path proxy answers is a service's.
        if host is None and path.startswith("/api/") and \
                not re.match("/api/support-sessions/[^/]*/proxy/", path):
            self.answers += 1
            self.wrong += API.wrong(method, path, r.status, r.headers, data)
        return r.status, r.headers, data

    def _note(self, asked, r):
        """Credentials on their way."""
        secret("an Authorization field", asked.get("Authorization",
                                                   "").split(" ")[-1])
        for line in r.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            secret("a cookie", value)

    def api(self, method, path, token, body=None):
        """(status, envelope) of one call of the operator API."""
        h = {"Authorization": "Bearer " + token} if token else {}
        if body is not None:
            body = json.dumps(body)
            h["Content-Type"] = "application/json"
        st, headers, data = self.request(method, "/api" + path, None, h,
                                         body)
        data = json.loads(data)
        secrets_of(data, (method + " " + path.split("/")[-1],))
        return st, data

    def proxy_host(self, session, service="web"):
        return "%s--%s.%s:%d" % (service, session.replace("-", ""), DOMAIN,
                                 self.port)

    def cookie(self, session, token, service="web"):
        """Cookie header for a session's services, by the real exchange; a
        session is there before the client has named its services."""
        def granted():
            st, env = self.api("POST", "/support-sessions/%s/proxy-token" %
                               session, token, {"service": service})
            if st not in (200, 404):
                raise RuntimeError("proxy-token: %d %r" % (st, env))
            return st == 200 and env
        env = until(granted, "a proxy token")
        self.secret("a proxy token", env["data"]["token"].split(".")[2])
        st, h, _ = self.request("GET", "/?token=" + env["data"]["token"],
                                self.proxy_host(session, service))
        if st != 302:
            raise RuntimeError("token exchange: %d" % st)
        return h["Set-Cookie"].split(";")[0]

    def via(self, session, cookie, path, method="GET", service="web",
            headers=None, body=None):
        h = {"Cookie": cookie}
        h.update(headers or {})
        return self.request(method, path, self.proxy_host(session, service),
                            h, body)

    def ticket(self, session, token):
        st, env = self.api("POST", "/support-sessions/%s/terminal-ticket" %
                           session, token, {})
        if st != 200:
            raise RuntimeError("ticket: %d %r" % (st, env))
        self.secret("a ticket", env["data"]["ticket"])
        return env["data"]["ticket"]

    def tcp_ticket(self, session, token, service):
        st, env = self.api("POST", "/support-sessions/%s/tcp-ticket" %
                           session, token, {"service": service})
        if st != 200:
            raise RuntimeError("tcp-ticket: %d %r" % (st, env))
        self.secret("a tcp ticket", env["data"]["ticket"])
        return env["data"]["ticket"]

    def tcp(self, session, service, ticket, headers=None):
        return WebSocket(self.connect(), "127.0.0.1:%d" % self.port,
                         "/api/support-sessions/%s/tcp/%s?ticket=%s" %
                         (session, service, ticket), headers)

    def tcp_open(self, session, service, token, half=True):
        w = self.tcp(session, service, self.tcp_ticket(session, token,
                                                       service),
                     {"Sec-WebSocket-Protocol": "half-close"} if half
                     else None)
        if w.status != 101:
            raise RuntimeError("tcp: %d %s" % (w.status, w.body()))
        return w

    def terminal(self, session, ticket, headers=None):
        return WebSocket(self.connect(), "127.0.0.1:%d" % self.port,
                         "/api/support-sessions/%s/terminal?ticket=%s" %
                         (session, ticket), headers)

    def login(self, key, secret):
        """The status that a login gets; a tunnel is dropped at once."""
        return self.request("GET", "/support/api/tunnel", headers={
            "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Authorization": "Basic " + base64.b64encode(
                ("%s:%s" % (key, secret)).encode()).decode()})[0]
