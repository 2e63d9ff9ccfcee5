#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The subdomain proxy end to end: hosts, tokens, cookies, headers, bodies."""

import hashlib
import json
import re
import socket
import subprocess

from harness import (DOMAIN, GoClient, Relayd, Tap, Targets, WebSocket, until)

t = Tap()


def raw(d, text):
    """Status and head of a hand-written request."""
    s = d.connect()
    s.sendall(text.encode())
    buf = b""
    while b"\r\n\r\n" not in buf:
        part = s.recv(65536)
        if not part:
            break
        buf += part
    s.close()
    head = buf.split(b"\r\n\r\n")[0].decode("latin-1")
    return int(head.split(" ")[1]) if head else 0, head


with Targets() as targets, Relayd(t) as d:
    keys = [d.add_system(n) for n in ("A", "B")]
    names = "a" * 40, "x" * 39 + "y", "my.dotted.service", "Upper"
    web = "".join("%s=127.0.0.1:%d," % (n, targets.http) for n in names) + \
        "web=127.0.0.1:%d,dead=127.0.0.1:1,host=127.0.0.1:%d:host=" \
        "panel.example.org,refused=169.254.169.254:80" % (
            targets.http, targets.http)
    with GoClient(d, *keys[0], web) as a, GoClient(d, *keys[1], web) as b:
        a.event("manifest_sent")
        b.event("manifest_sent")
        until(lambda: len([s for s in d.sessions()
                           if s["status"] == "active"]) == 2, "sessions")
        token = d.token()
        sid, other = [s["session"] for s in d.sessions()]
        slug, slug_b = sid.replace("-", ""), other.replace("-", "")
        until(lambda: "web" in d.api(
            "GET", "/support-sessions/%s/services" % sid, token)[1]
            ["data"]["services"], "services")
        st, env = d.api("GET", "/support-sessions/%s/services" % sid, token)
        t.ok("refused" not in env["data"]["services"] and
             "host" in env["data"]["services"],
             "tunnel-30(partial): a refused target is left out, the others "
             "are kept")

        # Hosts.
        def host_status(host):
            return raw(d, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host)[0]
        t.equal(host_status("a--b--%s.%s" % (slug, DOMAIN)), 400,
                "operator-28: two separators: 400")
        t.equal(host_status("web--%s.%s" % (slug[:31], DOMAIN)), 400,
                "operator-28: a short slug: 400")
        t.equal(host_status("WEB--%s.%s." % (slug.upper(), DOMAIN.upper())),
                401, "operator-28: upper case and a trailing dot match")
        t.equal(host_status("web--%s.evil.test" % slug), 400,
                "operator-28: a foreign domain: 400")
        t.equal(host_status("web--%s.%s:%d" % (slug, DOMAIN, d.port)), 401,
                "the port does not matter; no token: 401")

        # Clients that begin with HTTP/2, and one that would like it.
        for what, host, path in (
                ("the API", "127.0.0.1", "/api/support-sessions"),
                ("a page", "127.0.0.1", "/"),
                ("a proxied host", "web--%s.%s" % (slug, DOMAIN), "/")):
            argv = ["curl", "-sSv", "-m", "50", "--connect-to",
                    "::127.0.0.1:%d" % d.port, "-w", "%{http_version}",
                    "http://%s:%d%s" % (host, d.port, path)]
            r = subprocess.run(argv + ["--http2-prior-knowledge"],
                               capture_output=True, text=True)
            t.match(r.stderr, "GOAWAY, error=13",
                    "%s: HTTP/2 unasked: curl is told HTTP_1_1_REQUIRED" %
                    what)
            r = subprocess.run(argv + ["--http2"], capture_output=True,
                               text=True)
            t.equal(r.stdout[-3:], "1.1", "%s: h2c is not taken up" % what)

        # Names that no host name can have.
        urls = set()
        for name in names:
            st, env = d.api("POST", "/support-sessions/%s/proxy-token" % sid,
                            token, {"service": name})
            url = env["data"]["url"]
            own = re.match(r"http://(.*)\.%s:%d/$" % (re.escape(DOMAIN),
                                                      d.port), url)
            urls.add(url)
            d.secret("a proxy token", env["data"]["token"].split(".")[2])
            h = {"Cookie": "support_proxy_%s=%s" % (slug,
                                                    env["data"]["token"])}
            st = d.request("GET", "/", url.split("/")[2], h)[0]
            t.ok(st == 200 and own and re.fullmatch(
                 r"[a-z0-9_-]{1,63}", own.group(1)),
                 "operator-29: %s is reached as %s" % (
                     name, own and own.group(1)))
        t.equal(len(urls), len(names), "operator-29: no two have one name")

        # Token exchange.
        st, env = d.api("POST", "/support-sessions/%s/proxy-token" % sid,
                        token, {"service": "web"})
        t.equal(st, 200, "a proxy token is issued")
        t.equal(env["data"]["url"], "http://web--%s.%s:%d/" % (
            slug, DOMAIN, d.port), "with its url")
        pt = env["data"]["token"]
        host = d.proxy_host(sid)
        st, h, _ = d.request("GET", "/x%2Fy?b=%20&token=" + pt + "&a=1&c",
                             host)
        t.equal((st, h["Location"]), (302, "/x%2Fy?b=%20&a=1&c"),
                "operator-30: 302 without token, other parameters byte for "
                "byte")
        m = re.fullmatch(r"support_proxy_%s=([^;]+); Path=/; "
                         r"Domain=\.?%s; Max-Age=(\d+); HttpOnly; "
                         r"SameSite=Lax" % (slug, re.escape(DOMAIN)),
                         h["Set-Cookie"])
        if not t.ok(m, "operator-30: the cookie's attributes"):
            t.diag(h["Set-Cookie"])
        t.ok(m and 8 * 3600 - 60 < int(m.group(2)) <= 8 * 3600,
             "operator-30: Max-Age is what is left of the token")
        t.equal((h["Cache-Control"], h["Referrer-Policy"]),
                ("no-store", "no-referrer"), "operator-30: no-store and "
                "no-referrer")
        for path in ("//evil.test/", "/\\evil.test/", "/\\/evil.test",
                     "///evil.test"):
            s, head = raw(d, "GET %s?token=%s HTTP/1.1\r\nHost: %s\r\n\r\n" %
                          (path, pt, host))
            loc = re.search(r"(?im)^location: (.*)$", head)
            t.ok(s != 302 or re.match(r"/[^/\\]|/$", loc.group(1)),
                 "operator-31: %s never leads to another host" % path)
        s, head = raw(d, "GET /%%5Cevil.test?token=%s HTTP/1.1\r\n"
                      "Host: %s\r\n\r\n" % (pt, host))
        loc = re.search(r"(?im)^location: (.*?)\r?$", head)
        t.ok(loc and loc.group(1) == "/%5Cevil.test",
             "operator-31: an escaped backslash stays escaped")
        cookie = "support_proxy_%s=%s" % (slug, pt)
        st, h, body = d.via(sid, cookie, "/?token=abc")
        t.ok(st == 200 and b"/?token=abc" in body,
             "operator-33: the application's own token passes untouched")
        t.equal([x for x in ("X-Content-Type-Options", "X-Frame-Options",
                             "Cache-Control", "Referrer-Policy",
                             "Strict-Transport-Security")
                 if x in h], [], "operator-62: what answers of the API have "
                "is not put into a service's page")
        st, h, body = d.request("GET", "/", d.proxy_host(other),
                                {"Cookie": cookie})
        t.equal(st, 401, "operator-32: session A's cookie on B's host: 401")
        cb = d.cookie(other, token)
        st, h, body = d.request("GET", "/", d.proxy_host(other),
                                {"Cookie": cookie + "; " + cb})
        st2 = d.via(sid, cb + "; " + cookie, "/")[0]
        t.equal((st, st2), (200, 200),
                "operator-32: both sessions work side by side")
        st, h, body = d.request(
            "GET", "/", host, {"Cookie": "support_proxy_%s=%s" % (
                slug, pt[:-4] + "AAAA")})
        t.equal((st, b"invalid proxy token" in body), (401, True),
                "a forged token: 401")

        # What the service sees.
        st, h, body = d.via(sid, cookie + "; mine=1", "/echo", headers={
            "Authorization": "Basic eDp5", "X-Forwarded-For": "10.0.0.9",
            "X-Real-IP": "10.0.0.9", "X-Session-Token": "s",
            "X-Internal-Secret": "i", "X-Proxy-Host": "p",
            "Forwarded": "for=10.0.0.9", "Via": "1.1 x",
            "X-Mine": "yes"})
        seen = body.decode()
        t.ok("support_proxy" not in seen and pt not in seen,
             "operator-37: the service never sees the proxy cookie")
        t.ok("10.0.0.9" not in seen and "X-Session-Token" in seen,
             "operator-37: nor the operator's address; a name that means "
             "something on another interface only is the application's")
        t.ok("mine=1" in seen and "Basic eDp5" in seen and "X-Mine" in seen
             and re.search(r"X-Forwarded-Proto[^a-z]+http\b", seen),
             "operator-37: it does see its own cookies and Authorization")
        t.ok("127.0.0.1:%d" % targets.http in seen,
             "operator-38(partial): Host is the target where no host is set")
        seen = d.via(sid, cookie, "/echo", service="host")[2].decode()
        t.ok("panel.example.org" in seen,
             "operator-38(partial): and the service's host where it is")

        # Bodies.
        data = b"".join(hashlib.sha256(b"%d" % i).digest()
                        for i in range(100000))
        st, h, body = d.via(sid, cookie, "/sha", "POST", body=data,
                            headers={"Origin": "http://" + host})
        t.equal((st, json.loads(body)["sha256"] if st == 200 else body),
                (200, hashlib.sha256(data).hexdigest()),
                "a 3.2 MB upload arrives whole")

        def chunks():
            for i in range(0, len(data), 70000):
                yield data[i:i + 70000]
        st, h, body = d.via(sid, cookie, "/sha", "POST", body=chunks(),
                            headers={"Origin": "http://" + host,
                                     "Transfer-Encoding": "chunked"})
        t.ok(st == 200 and hashlib.sha256(data).hexdigest() in
             body.decode(), "a chunked upload arrives whole")
        for path in ("/chunked?n=500000", "/nolength?n=500000"):
            st, h, body = d.via(sid, cookie, path)
            t.equal((st, len(body)), (200, 500000), path + " is complete")
        st, h, body = d.via(sid, cookie, "/bytes?n=1000", "HEAD")
        t.equal((st, h["Content-Length"], body), (200, "1000", b""),
                "HEAD keeps the length and has no body")
        for code in (204, 304, 404, 500):
            t.equal(d.via(sid, cookie, "/status?code=%d" % code)[0], code,
                    "status %d passes" % code)
        s = d.connect()
        s.sendall(("GET /bytes?n=10 HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n"
                   "\r\nGET /bytes?n=11 HTTP/1.1\r\nHost: %s\r\nCookie: %s"
                   "\r\n\r\n" % (host, cookie, host, cookie)).encode())
        got = b""
        while got.count(b"HTTP/1.1 200") < 2 or not got.endswith(got[-1:]):
            part = s.recv(65536)
            if not part:
                break
            got += part
        t.equal(got.count(b"HTTP/1.1 200"), 2,
                "pipelined requests are answered in order")
        s.close()

        # Cross-site.
        for name, h in (("Origin of another session",
                         {"Origin": "http://" + d.proxy_host(other)}),
                        ("a stranger's Origin",
                         {"Origin": "https://evil.test"}),
                        ("Sec-Fetch-Site", {"Sec-Fetch-Site": "cross-site",
                                            "Sec-Fetch-Mode": "cors"})):
            t.equal(d.via(sid, cookie, "/", "POST", headers=h, body=b"x")[0],
                    403, "operator-36: POST with %s: 403" % name)
        w = WebSocket(d.connect(), host, "/ws", {
            "Cookie": cookie, "Origin": "http://" + d.proxy_host(other)})
        t.equal(w.status, 403,
                "operator-36: an upgrade with another session's Origin: 403")

        # Failures.
        st, h, body = d.via(sid, cookie, "/", service="dead")
        t.ok(st == 502 and b"failed to connect" in body,
             "tunnel-39 operator-52(partial): the client's ERROR reaches the "
             "caller as 502 with its reason")
        st, h, body = d.via(sid, cookie, "/", service="nothere")
        t.equal((st, b"service not found in tunnel manifest" in body),
                (404, True), "an unknown service: 404")
        st, h, body = d.via(sid, cookie, "/garbage")
        t.equal(st, 502, "operator-52(partial): garbage for an answer: 502")
        for path in ("/close-mid?n=100000", "/reset?n=100000"):
            try:
                st, h, body = d.via(sid, cookie, path)
                whole = len(body) == 100000
            except Exception:
                whole = False
            t.ok(not whole, "operator-52: %s is visibly broken" % path)
        st, h, body = d.via(sid, cookie, "/", headers={"Accept": "text/html"},
                            service="dead")
        t.ok(st == 502 and "text/html" in h["Content-Type"] and
             b"<html" in body.lower(), "a person gets a page")

        # Upgrades.
        w = WebSocket(d.connect(), host, "/ws", {"Cookie": cookie,
                                                 "Origin": "http://" + host})
        t.equal(w.status, 101, "operator-50(partial): an upgrade passes")
        for data in (b"hello", b"\0\1\2" * 50000, b""):
            w.send(data)
            t.equal(w.recv()[1], data, "operator-50(partial): %d bytes come "
                    "back" % len(data))

        # Streams do not pile up.
        c = cookie
        for i in range(1000):
            st = d.via(sid, c, "/bytes?n=10&sum=no")[0]
            if st != 200:
                break
        t.equal((i, st), (999, 200), "1000 requests, each on a connection "
                "of its own")
        streams = max(int(x["streams"]) for x in d.ctl("show", "tunnels"))
        t.ok(streams <= 33, "operator-51: no more streams are open (%d) than "
             "keep-alive allows" % streams)
        d.move_clock(11000)
        until(lambda: max(int(x["streams"]) for x in
                          d.ctl("show", "tunnels")) <= 1,
              "idle streams to end")
        t.ok(True, "operator-51: and they are gone after the idle time")

        # The end.
        st, env = d.api("DELETE", "/support-sessions/" + sid, token)
        code, reason, _ = (None, None, None)
        try:
            while True:
                w.recv()
        except (ConnectionError, OSError):
            pass
        t.ok(True, "operator-11(partial) operator-50(partial): the proxied "
             "socket ends with the session")
        st, h, body = d.via(sid, cookie, "/")
        t.ok(st in (400, 401, 404), "operator-34(partial): the next request "
             "after close is refused (%d)" % st)
        t.equal(d.via(other, cb, "/")[0], 200, "the other session goes on")
t.done()
