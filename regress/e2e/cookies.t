#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Applications' cookies in a real browser: an honest application's work, and
two hostile pages of other sessions do not get at them."""

import os
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import chromium
from harness import (DOMAIN, OurClient, Program, Relayd, Tap, free_port,
                     front_file, nginx, self_signed, until)

t = Tap()
os.environ["PATH"] += ":/usr/sbin"


class App(BaseHTTPRequestHandler):
    """In the manner of Django: a session that scripts do not see, a token
    that they have to send back, double-submitted."""

    protocol_version = "HTTP/1.1"
    heads = []          # the Cookie fields, as they came

    def log_message(self, *args):
        pass

    def say(self, status, text, *fields):
        self.send_response(status)
        for k, v in fields:
            self.send_header(k, v)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def cookies(self):
        got = {}
        for c in (self.headers.get("Cookie") or "").split("; "):
            name, _, value = c.partition("=")
            got.setdefault(name, []).append(value)
        return got

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/login":
            self.say(200, "in", ("Set-Cookie", "sid=good; Path=/; HttpOnly"),
                     ("Set-Cookie", "csrftoken=t0k; Path=/; SameSite=Lax"),
                     ("Set-Cookie", "deep=d; Path=/deep; HttpOnly"))
        elif url.path == "/set":
            self.say(200, "set", *(("Set-Cookie", c) for c in
                                   parse_qs(url.query)["c"]))
        elif url.path == "/out":
            self.say(200, "out", ("Set-Cookie", "sid=; Path=/; Max-Age=0"),
                     ("Set-Cookie", "csrftoken=; Path=/; Max-Age=0"))
        else:
            self.say(200, self.headers.get("Cookie") or "none")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        got = self.cookies()
        good = got.get("sid") == ["good"] and \
            got.get("csrftoken") == [self.headers.get("X-CSRFToken")]
        self.say(200 if good else 403, "saved" if good else repr(got))


FORM = """fetch("/save", {method: "POST", headers: {"X-CSRFToken":
    (document.cookie.match(/(?:^|; )csrftoken=([^;]*)/) || [])[1]}})
    .then(r => r.text().then(x => r.status + " " + x))"""
SEEN = 'fetch("/deep/see").then(r => r.text())'

# What a page can do for the whole domain.
PLANT = """["sid", "csrftoken", "deep", "lang", "role"].forEach(n => {
    for (const p of ["/", "/deep"])
        document.cookie = n + "=evil; Domain=%s; Secure; Path=" + p;
})""" % DOMAIN
FILL = """for (let i = 0; i < 40; i++)
    document.cookie = "fill" + i + "=" + "x".repeat(4000) +
        "; Domain=%s; Secure; Path=/"; document.cookie.length""" % DOMAIN
FLOOD = """for (let i = 0; i < 400; i++)
    document.cookie = "flood" + i + "=1; %sSecure; Path=/%s" """


def opened(d, session, token, service="web"):
    """The address by which an operator comes in."""
    st, env = d.api("POST", "/support-sessions/%s/proxy-token" % session,
                    token, {"service": service})
    d.secret("a proxy token", env["data"]["token"].split(".")[2])
    return env["data"]["url"] + "?token=" + env["data"]["token"]


def honest(tab, base):
    t.equal(tab.run(FORM).split()[0], "403", "before the login: 403")
    tab.go(base + "/login")
    t.equal(tab.run("document.cookie"), "csrftoken=t0k",
            "scripts see the one that is for them, by its name")
    t.equal(tab.run(FORM), "200 saved", "operator-37: session and token, "
            "double-submitted, arrive")
    t.equal(sorted(tab.run(SEEN).split("; ")),
            ["csrftoken=t0k", "deep=d", "sid=good"],
            "one of a path, at its path")
    tab.go(base + "/else")
    t.equal(sorted(tab.text().split("; ")), ["csrftoken=t0k", "sid=good"],
            "and not elsewhere")
    tab.run('document.cookie = "lang=de; Path=/"')
    t.ok("lang=de" in tab.run(SEEN), "a script's own cookie arrives")
    tab.run('document.cookie = "csrftoken=new; Path=/"')
    t.equal(tab.run(FORM), "200 saved", "and one that a script has changed")
    tab.run('document.cookie = "csrftoken=t0k; Path=/"')


def planted(evil, tab, base, other, fresh):
    before = set(tab.run(SEEN).split("; "))
    evil.run(PLANT)
    t.ok("sid=evil" in tab.run("document.cookie"),
         "a page of another session plants cookies: the browser keeps them")
    seen = set(tab.run(SEEN).split("; "))
    t.ok("sid=good" in seen and "deep=d" in seen and "csrftoken=t0k" in seen
         and not seen & {"sid=evil", "deep=evil", "csrftoken=evil",
                         "lang=evil"},
         "what the service has set arrives, nothing planted of that name")
    if not t.ok("role=evil" not in seen, "nor what is there for two paths"):
        t.diag(seen - before)
    # One who comes in later.
    tab.go(fresh)
    t.ok("evil" not in tab.run("document.cookie"),
         "whoever comes in has them taken away")
    tab.go(other + "/deep/x")
    t.ok("evil" not in tab.text(),
         "a host that is opened afterwards: its service sees none")


def filled(evil, tab, base):
    tab.go(base + "/")
    evil.run(FILL)
    st = [tab.go(base + "/see")]
    while st[-1] in (400, 431) and len(st) < 10:
        st.append(tab.go(base + "/see"))
    t.diag("statuses with a full head: %s" % st)
    t.equal(st[-1], 200, "a head that a hostile page has filled: after some "
            "reloads the page is there")
    t.ok("sid=good" in tab.text() and "fill" not in tab.text(),
         "and its session is what it was")


def flooded(evil, tab, base, again):
    for domain in "", "Domain=%s; " % DOMAIN:
        evil.run(FLOOD % (domain, ""))
    st = tab.go(base + "/see")
    if not t.equal((st, "sid=good" in tab.text()), (200, True),
                   "800 cookies push neither session out"):
        t.diag(sorted(c["name"] + " " + c["domain"]
                      for c in tab.b.cookies()
                      if not c["name"].startswith("flood")))
    # As many as the browser takes for important: no server can prevent it.
    for domain in "", "Domain=%s; " % DOMAIN:
        evil.run(FLOOD % (domain, "; Priority=High"))
    st = tab.go(base + "/see")
    t.diag("important ones: status %d, %s" % (st, tab.text()[:60]))
    t.ok(st in (200, 401) and "flood" not in tab.text() and
         "evil" not in tab.text(), "at worst the page has to be opened anew")
    t.equal(tab.go(again), 200, "which helps")


def sessions(d, tmp, port, app):
    keys = [d.add_system(n) for n in ("honest", "hostile", "third")]
    at = ",".join("%s=127.0.0.1:%d" % (s, app) for s in
                  ("web", "api", "late"))
    token = d.token()
    clients, sids = [], []
    for key in keys:
        clients.append(OurClient(d, *key, at))
        sid = d.wait_session(but=sids)["session"]
        until(lambda: d.ctl("show", "services", sid), "the manifest")
        sids.append(sid)
    with chromium.Chromium(DOMAIN) as b:
        tab, evil, evil2 = b.tab(), b.tab(), b.tab()
        base, bad, bad2 = ("https://" + d.proxy_host(s).split(":")[0] +
                           ":%d" % port for s in sids)
        api = base.replace("web--", "api--")
        t.equal(tab.go(opened(d, sids[0], token)), 200, "opened")
        own = [c for c in b.cookies() if "support_proxy" in c["name"]]
        t.ok(len(own) == 2 and all(len(c["value"]) <= 64 for c in own),
             "cookies of %d bytes" % max(len(c["value"]) for c in own))
        mark = d.log.mark()
        d.kill_all("authd")
        until(lambda: sum("tunnel is back after restart" in x for x in
                          d.log.lines[mark:]) == 3, "the tunnels to be back")
        t.equal(tab.go(base + "/"), 200,
                "what stands for the token survives a restart of authd")
        honest(tab, base)
        evil.go(opened(d, sids[1], token))
        evil2.go(opened(d, sids[2], token))
        t.equal(tab.go(api + "/see"), 200, "a sibling needs no second token")
        tab.go(base + "/")
        planted(evil, tab, base, base.replace("web--", "late--"),
                opened(d, sids[0], token, "late"))
        filled(evil2, tab, base)
        flooded(evil, tab, base, opened(d, sids[0], token))
        tab.go(base + "/out")
        tab.go(base + "/see")
        t.ok("sid=" not in tab.text() and "csrftoken=" not in tab.text(),
             "the service takes its cookies back")
    for c in clients:
        c.stop()


def main():
    if chromium.program() is None or not shutil.which("nginx"):
        t.skip("no chromium or nginx", "cookies in a browser")
        return
    app = ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="relayd-cookies-") as tmp, \
            Relayd(t, global_conf="trusted proxy 127.0.0.1/32",
                   front=port) as d:
        os.chmod(tmp, 0o755)
        for end, path in zip(("pem", "key"), self_signed(tmp)):
            os.rename(path, "%s/cert.%s" % (tmp, end))
        with Program(nginx(tmp, front_file("nginx.conf", tmp, port, d.port))):
            sessions(d, tmp, port, app.server_address[1])


main()
t.done()
