#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The path proxy: a service below the API's own host, with an operator's token."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import DOMAIN, OurClient, Relayd, Tap, until

t = Tap()


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        body = ("%s\n%s" % (self.requestline, self.headers)).encode()
        self.send_response(200)
        for k, v in (("Content-Type", "text/html"),
                     ("Set-Cookie", "sid=1; Path=/"),
                     ("Set-Cookie", "b=2; HttpOnly"),
                     ("Content-Security-Policy", "script-src *"),
                     ("X-Content-Type-Options", "sniff"),
                     ("Access-Control-Allow-Origin", "*"),
                     ("Clear-Site-Data", "*"),
                     ("Strict-Transport-Security", "max-age=1"),
                     ("Location", "http://panel.lan/x"),
                     ("Content-Length", str(len(body)))):
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def served(d, app):
    key, secret = d.add_system()
    with OurClient(d, key, secret, "web=127.0.0.1:%d:host=panel.lan,"
                   "My.Panel=127.0.0.1:%d,dead=127.0.0.1:1" % (app, app)):
        sid = d.wait_session()["session"]
        until(lambda: d.ctl("show", "services", sid), "the manifest")
        token = d.token()
        bearer = {"Authorization": "Bearer " + token}

        def get(rest, headers=bearer, method="GET", body=None, session=sid):
            return d.request(method, "/api/support-sessions/%s/proxy/%s" % (
                session, rest), None, headers, body)
        st, h, body = get("web/a%2Fb?x=%26", dict(
            bearer, Cookie="mine=1", **{"X-Mine": "yes"}))
        seen = body.decode()
        t.ok(st == 200 and seen.startswith("GET /a%2Fb?x=%26 HTTP/1.1\n"),
             "a service by its path")
        st, _, body = get("web/y", session=sid.replace("-", "%2d"))
        t.ok(st == 200 and body.startswith(b"GET /y HTTP/1.1\n"),
             "the session's id in another spelling")
        t.ok("Authorization" not in seen and token not in seen,
             "operator-53: no Authorization to the service")
        t.ok("mine=1" not in seen and "X-Mine: yes" in seen and
             "Host: panel.lan" in seen, "nor a cookie; the rest")
        t.ok(h.get_all("Set-Cookie") is None,
             "operator-53: no Set-Cookie from it")
        t.equal((h.get_all("Content-Security-Policy"),
                 h.get_all("X-Content-Type-Options")),
                (["sandbox; default-src 'none'"], ["nosniff"]),
                "operator-53: the policy has sandbox, and no other")
        t.ok(not [k for k in h if k.lower() in (
            "access-control-allow-origin", "clear-site-data",
            "strict-transport-security")], "nor what no proxied page has")
        t.ok(h["Location"] == "http://panel.lan/x" and
             DOMAIN.encode() not in body, "no host is rewritten")
        here = "/api/support-sessions/%s/proxy/web" % sid
        own = "http://127.0.0.1:%d" % d.port
        for place, want in ((own + here + "/a%20b?c", "/a%20b?c"),
                            (here + "/x", "/x"),
                            (own + "/else", own + "/else"),
                            (own + here + "2/x", own + here + "2/x"),
                            (own + here, own + here),
                            ("http://else.test" + here + "/x",
                             "http://else.test" + here + "/x"), ("", "")):
            seen = get("web/", dict(bearer, Destination=place))[2].decode()
            t.ok("\nDestination: %s\n" % want in seen.replace("\r", ""),
                 "WebDAV's Destination %s" % (place.replace(sid, "ID"))) or \
                t.diag(seen)
        st, h, body = get("web")
        t.ok(body.startswith(b"GET / HTTP/1.1\n"), "no path: /")
        t.equal(get("My.Panel/")[0], 200, "a name that is no label")
        st, h, body = get("web/", method="POST", body=b"x" * 300000)
        t.equal((st, len(body)), (200, 300000), "a body")
        for what, rest, headers, want in (
                ("no token", "web/", {}, 401),
                ("no operator's", "web/",
                 {"Authorization": "Bearer a.b.c"}, 401),
                ("a token without the permission", "web/",
                 {"Authorization": "Bearer " + d.token(
                     permissions=("read:systems",))}, 403),
                ("a name that is none", "we%20b/", bearer, 400),
                ("a service that is not there", "other/", bearer, 404),
                ("one that is down", "dead/", bearer, 502)):
            t.equal(get(rest, headers)[0], want, "%s: %d" % (what, want))
        t.equal(get("web/", session="x")[0], 404, "no session: 404")
        st, env = d.api("POST", "/support-sessions/%s/proxy-token" % sid,
                        token, {"service": "web"})
        d.secret("a proxy token", env["data"]["token"].split(".")[2])
        t.equal(get("web/", {"Authorization": "Bearer " +
                             env["data"]["token"]})[0], 401,
                "a proxy token is for its own host: 401")
        d.api("DELETE", "/support-sessions/" + sid, token)
        t.equal(get("web/")[0], 400, "a session that is over: 400")


server = ThreadingHTTPServer(("127.0.0.1", 0), App)
threading.Thread(target=server.serve_forever, daemon=True).start()
with Relayd(t) as daemon:
    served(daemon, server.server_address[1])
with Relayd(t, operator="path proxy no") as daemon:
    status, _, text = daemon.request(
        "GET", "/api/support-sessions/%s/proxy/web/" % ("0" * 8), None,
        {"Authorization": "Bearer " + daemon.token()})
    t.equal((status, b"api not found" in text), (404, True),
            "operator-53: with the setting off, 404")
t.done()
