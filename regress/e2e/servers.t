#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Services as people run them, behind the tunnel: what a real nginx says of
itself has to keep the browser in the tunnel."""

import gzip
import os
import tempfile

from harness import OurClient, Program, Relayd, Tap, free_port, until

CONF = """
daemon off;
pid %(dir)s/pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %(dir)s/body;
	proxy_temp_path %(dir)s/proxy;
	fastcgi_temp_path %(dir)s/fastcgi;
	uwsgi_temp_path %(dir)s/uwsgi;
	scgi_temp_path %(dir)s/scgi;
	types {
		text/html html;
		application/javascript js;
		application/json json;
	}
	gzip_types application/javascript application/json;
	gzip_min_length 0;
	server {
		listen 127.0.0.1:%(port)d;
		root %(dir)s/www;
		location /packed/ { gzip on; alias %(dir)s/www/dir/; }
		location = /scheme {
			return 200 "$http_origin $http_x_forwarded_proto $host";
		}
		location = /moved { return 302 http://api.lan/x?y; }
		location = /away { return 302 https://elsewhere.example/; }
		location = /secure {
			if ($http_x_forwarded_proto != https) {
				return 301 https://$host$request_uri;
			}
			return 200 secure;
		}
	}
}
"""

PAGE = """var a = "http://app.lan/x", b = 'https:\\/\\/api.lan:443\\/y';
// app.lan.example, myapp.lan and api.lan
""" * 50


def page(host):
    """What becomes of PAGE: its services are these hosts."""
    return PAGE.replace("http://app.lan/", "http://%s/" % host("app")).replace(
        "https:\\/\\/api.lan:443", "http:\\/\\/" + host("api")).replace(
            "and api.lan", "and " + host("api")).encode()


t = Tap()
with tempfile.TemporaryDirectory(prefix="relayd-servers-") as tmp:
    os.chmod(tmp, 0o755)
    os.makedirs(os.path.join(tmp, "www", "dir"), 0o755)
    with open(os.path.join(tmp, "www", "dir", "index.html"), "w") as f:
        f.write("listed")
    for name in ("page.html", "page.js", "page.json"):
        with open(os.path.join(tmp, "www", "dir", name), "w") as f:
            f.write(PAGE)
    port = free_port()
    conf = os.path.join(tmp, "nginx.conf")
    with open(conf, "w") as f:
        f.write(CONF % {"dir": tmp, "port": port})
    with Program(["/usr/sbin/nginx", "-e", "stderr", "-c", conf]), \
            Relayd(t) as d:
        key, secret = d.add_system("Office")
        at = "127.0.0.1:%d" % port
        services = "web=%s,app=%s:host=app.lan,api=%s:host=api.lan" % (
            at, at, at)
        with OurClient(d, key, secret, services):
            sid = d.wait_session()["session"]
            token = d.token()
            cookie = d.cookie(sid, token)
            until(lambda: d.via(sid, cookie, "/dir/")[0] == 200, "nginx")
            for service in ("web", "app"):
                own = "http://" + d.proxy_host(sid, service)
                st, h, _ = d.via(sid, cookie, "/dir", service=service)
                t.equal((st, h["Location"]), (301, own + "/dir/"),
                        "operator-42: %s: a directory's link" % service)
                st, h, _ = d.via(sid, cookie, "/moved", service=service)
                t.equal(h["Location"], "http://" + d.proxy_host(sid, "api") +
                        "/x?y", "operator-42: %s: to a sibling" % service)
                st, h, _ = d.via(sid, cookie, "/away", service=service)
                t.equal(h["Location"], "https://elsewhere.example/",
                        "operator-42: %s: to a stranger" % service)
            st, h, _ = d.via(sid, cookie, "/secure", service="app")
            own = "http://" + d.proxy_host(sid, "app")
            t.equal((st, h["Location"]), (301, own + "/secure"),
                    "one that wants https")
            # Every proxyd learns it for itself.
            for _ in range(20):
                st, _, body = d.via(sid, cookie, "/secure", service="app")
                if st == 200:
                    break
            t.equal((st, body), (200, b"secure"), "is content in the end")
            st, _, body = d.via(sid, cookie, "/scheme", service="api",
                                headers={"Origin": own})
            t.equal(body.decode().split()[0][-7:], "app.lan",
                    "operator-38: a sibling's Origin is the sibling's")
            want = page(lambda s: d.proxy_host(sid, s))
            for where in ("/dir/", "/packed/"):
                for name in ("page.html", "page.js", "page.json"):
                    st, h, body = d.via(sid, cookie, where + name,
                                        service="app", headers={
                                            "Accept-Encoding": "br, gzip"})
                    if where == "/packed/":
                        t.equal(h["Content-Encoding"], "gzip",
                                "%s comes in gzip" % name)
                        body = gzip.decompress(body)
                    t.ok(st == 200 and body == (
                        PAGE.encode() if name == "page.json" else want),
                         "operator-45: %s%s: %s" % (
                             where, name, "as it is" if name == "page.json"
                             else "its hosts are the proxy's"))
                    if where == "/dir/":
                        t.ok(h["ETag"].startswith("W/") ==
                             (name != "page.json"), "%s: its ETag" % name)
t.done()
