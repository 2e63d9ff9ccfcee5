#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The web console in Chromium: an operator's day, from signing in to the end of
a session. The script in the browser asks for what happens on the other side."""

import os
import tempfile

from browse import (OurClient, Program, Relayd, free_port, installed, lacks,
                    listens, nginx, shell_wrote, talk)
from harness import Tap

t = Tap()
PAGE = "Hello from the plant."


def served(d):
    """The console's files as any client gets them."""
    st, head, body = d.request("GET", "/")
    t.ok(st == 200 and b"<script" in body, "the console is there")
    csp = head.get("content-security-policy", "")
    t.ok("script-src 'self';" in csp and "default-src 'none'" in csp and
         "unsafe" not in csp, "its policy lets no other script run")
    t.ok(head["x-frame-options"] == "SAMEORIGIN" and head["referrer-policy"] ==
         "strict-origin-when-cross-origin",
         "operator-62(partial): its pages have the fields of section 12")
    st, _, _ = d.request("GET", "/", headers={"If-None-Match": head["etag"]})
    t.ok(st == 304, "a browser that has it is told so")
    script = body.split(b'src="')[1].split(b'"')[0].decode()
    st, head, plain = d.request("GET", script)
    t.ok(st == 200 and "immutable" in head["cache-control"],
         "a script lasts, its content being in its name")
    st, head, packed = d.request("GET", script, headers={
        "Accept-Encoding": "br, gzip"})
    t.ok(head.get("content-encoding") == "gzip" and
         len(packed) < len(plain) / 2, "and comes compressed to who takes it")
    st, head, _ = d.request("GET", script, headers={
        "Accept-Encoding": "gzip;q=0"})
    t.ok("content-encoding" not in head, "but not to who does not")
    st, _, _ = d.request("GET", "/assets/../relayd.conf")
    t.ok(st == 404, "there is nothing else")
    s = d.connect()
    s.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (
        path, more) for path, more in (
            (script.encode(), b""), (script.encode(), b""),
            (b"/health", b"Connection: close\r\n"))))
    got = b""
    while True:
        more = s.recv(1 << 20)
        if not more:
            break
        got += more
        if len(got) > 4 * len(plain) + 65536:
            break
    s.close()
    t.ok(got.count(b"HTTP/1.1 200 OK\r\n") == 3 and
         len(got) < 2 * len(plain) + 8192,
         "each request has one answer on a connection that goes on")
    st, head, _ = d.request("POST", "/")
    t.ok(st == 405 and "GET" in head["allow"], "nor any other method")


def nginx_with(tmp, port):
    os.mkdir(tmp + "/www")
    with open(tmp + "/www/index.html", "w") as f:
        f.write("<title>plant</title><p>" + PAGE)
    conf = tmp + "/nginx.conf"
    with open(conf, "w") as f:
        f.write("""pid %s/nginx.pid; error_log stderr;
events {} http { access_log off; client_body_temp_path %s/b;
proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u;
scgi_temp_path %s/s; server { listen 127.0.0.1:%d; root %s/www; } }
""" % (tmp, tmp, tmp, tmp, tmp, tmp, port, tmp))
    return ["nginx", "-e", "stderr", "-g", "daemon off;", "-c", conf]


class Other:
    """What the browser's script asks for."""

    def __init__(self, d, tmp, services, token):
        self.d, self.tmp, self.services = d, tmp, services
        self.key, self.secret = d.add_system("plant")
        self.jwt = token
        self.client = None

    def __call__(self, word, *args):
        return getattr(self, "do_" + word)(*args) or "done"

    def do_connect(self):
        self.client = OurClient(self.d, self.key, self.secret, self.services)
        self.d.wait_session()

    def do_kill(self):
        self.client.p.kill()
        self.client.p.wait()
        self.client.stop()

    def do_size(self, n):
        return shell_wrote("%s/size.%s" % (self.tmp, n))

    def do_lose(self):
        self.d.stop()

    def do_find(self):
        self.d.start()

    def do_system(self):
        self.d.add_system("added meanwhile")

    def do_revoke(self):
        self.d.ctl("token", "revoke", "user", "alice")

    def end(self):
        if self.client is not None:
            self.client.stop()


def main():
    if lacks():
        t.skip("no " + lacks(), "the web console in a browser")
        return
    installed()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="relayd-console-") as tmp, \
            Relayd(t, tunnel="allow loopback targets yes") as d:
        os.chmod(tmp, 0o777)
        served(d)
        org = d.ctl("org", "add", "Works", "type", "owner")[0]["id"]
        with Program(nginx_with(tmp, port)) as p:
            listens(port, p)
            token = d.token(org=org, permissions=("connect:systems", "read:systems",
                                         "manage:systems"))
            other = Other(d, tmp, "web=127.0.0.1:%d" % port, token)
            try:
                talk(t, "console.js", other, name="console", token=token, page=PAGE, dir=tmp,
                     url="http://127.0.0.1:%d/" % d.port, org=org,
                     second="127.0.0.1:%d" % port)
            finally:
                other.end()


main()
t.done()
