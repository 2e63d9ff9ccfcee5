#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What members say to each other in TLS: nobody between them reads a word of it,
and who is not the member that it is for gets none. A connection that cannot be
had is a 503 with the reason in the log, and the next request is served."""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading

from certs import Authority
from cluster import Cluster
from harness import OurClient, Tap, Targets, until

t = Tap()


class Middle:
    """At the address of b's that it tells the others: passes on what comes, and
    writes it down; or answers itself."""

    def __init__(self, at, port, to):
        self.to = to, port
        self.heard = self.said = b""
        self.mode = self.passes
        self.held = []
        self.s = socket.create_server((at, port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            a, _ = self.s.accept()
            threading.Thread(target=self.one, args=(a, self.mode),
                             daemon=True).start()

    def one(self, a, mode):
        try:
            mode(a)
        except OSError:
            pass
        a.close()

    def passes(self, a):
        b = socket.create_connection(self.to)
        th = threading.Thread(target=self.back, args=(b, a), daemon=True)
        th.start()
        while part := a.recv(65536):
            self.heard += part
            b.sendall(part)
        b.shutdown(socket.SHUT_WR)
        th.join()
        b.close()

    def back(self, b, a):
        try:
            while part := b.recv(65536):
                self.said += part
                a.sendall(part)
            a.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stands_still(self, a):
        self.held.append(a)
        while part := a.recv(65536):
            self.heard += part

    def hangs_up(self, a):
        a.recv(1)

    def speaks_plain(self, a):
        a.recv(65536)
        a.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        while part := a.recv(65536):
            self.heard += part

    def stands_in(self, cert, key, most=None):
        """Somebody with this certificate."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(cert, key)
        if most:
            ctx.maximum_version = most

        def mode(a):
            s = ctx.wrap_socket(a, server_side=True)
            while part := s.recv(65536):
                self.heard += part
        return mode


class Between(Cluster):
    """What the others say to b they say to somebody between."""

    def says_it_is_at(self, name):
        return "127.0.1.102" if name == "b" else self.address(name)

    def begin(self):
        super().begin()
        self.middle = Middle("127.0.1.102", self.peer, "127.0.1.2")


class Asks:
    """Each time somebody else, for whom nothing waits that was connected before."""
    last = 0

    def __init__(self, d, sid, token):
        self.d, self.sid, self.token = d, sid, token

    def connect(self):
        Asks.last += 1
        return socket.create_connection(
            ("127.0.0.1", self.d.port), 60,
            source_address=("127.0.%d.%d" % (2 + Asks.last // 254,
                                             1 + Asks.last % 254), 0))

    def __call__(self, what="/services", k=None):
        if k is None:
            k = http.client.HTTPConnection("127.0.0.1", self.d.port)
            k.sock = self.connect()
        k.request("GET", "/api/support-sessions/" + self.sid + what, None,
                  {"Authorization": "Bearer " + self.token})
        r = k.getresponse()
        r.data = r.read()
        return r

    def status(self):
        try:
            return self().status
        except (OSError, http.client.HTTPException):
            return 0


def terminal(d, sid, token):
    w = d.terminal(sid, d.ticket(sid, token))
    types(w, "first")
    return w


def types(w, word):
    w.send(b"\0echo " + word.encode() + b"-$((6*7))\r")
    w.recv_until(word.encode() + rb"-42")


def read(c, targets):
    """All kinds of requests, as who is between sees them. What it reads."""
    a, b = c["a"], c["b"]
    key, secret = b.add_system()
    token = b.token()
    with OurClient(b, key, secret, "web=127.0.0.1:%d" % targets.http) as cl:
        sid = b.wait_session()["session"]
        until(lambda: b.ctl("show", "services", sid), "the manifest")
        ask = Asks(a, sid, token)
        t.equal(ask().status, 200, "the API")
        k = http.client.HTTPConnection("127.0.0.1", a.port)
        k.sock = ask.connect()
        got = [ask(k=k).status for _ in range(5)]
        t.equal(got, [200] * 5, "more of it, by one connection")
        st, _, body = a.request("GET", "/bytes?n=300000&seed=3",
                                a.proxy_host(sid),
                                {"Cookie": a.cookie(sid, token)})
        t.equal((st, len(body)), (200, 300000), "a page")
        data = os.urandom(1000000)
        st, _, body = a.request("POST", "/sha", a.proxy_host(sid),
                                {"Cookie": a.cookie(sid, token)}, data)
        t.equal(st, 200, "an upload")
        w = terminal(a, sid, token)
        t.equal(w.status, 101, "a terminal")
        w.s.close()
        s = a.tcp_open(sid, "web", token)
        s.send(b"GET /bytes?n=5&seed=1 HTTP/1.0\r\n\r\n")
        s.recv_until(rb"\r\n\r\n")
        t.equal(s.status, 101, "TCP")
        b.ctl("close", sid)
        cl.wait()
    m = c.middle
    return ([word for word in (token.encode(), sid.encode(), b"HTTP/1.1",
                               b"first-", b"/bytes", data[:32],
                               b"\r\n\r\n\0\r\nQUIT\n")
             if word in m.heard + m.said], len(m.heard) > 1000000)


def fails(c, ask, mode, why, what):
    """With this at b's address: 503, and why; nothing was said to it."""
    a, m = c["a"], c.middle
    mark = a.log.mark()
    m.heard, m.mode = b"", mode
    r = ask()
    t.equal((r.status, json.loads(r.data)["message"]), (
        503, "the server that has this session cannot be reached"),
        "%s: 503" % what)
    a.log.wait("member b: TLS: " + why, mark)
    t.ok(ask.token.encode() not in m.heard and b"HTTP/" not in m.heard,
         "and it has heard nothing")
    m.mode = m.passes
    t.equal(ask().status, 200, "b itself is asked the next time")


def impostors(c, ask):
    a, m = c["a"], c.middle
    other = os.path.join(c.certs, "other")
    os.mkdir(other)
    stranger = Authority(other)
    for names in stranger.make("b", ["b"]), stranger.self_signed("b2"):
        fails(c, ask, m.stands_in(*names), "its certificate: ",
              "a certificate of somebody else's")
    fails(c, ask, m.stands_in(*c.ca.make("c", ["c", "bb", "a"])),
          "its certificate is not one of that name", "another member's")
    fails(c, ask, m.stands_in(*c.ca.make("wild", ["*", "*.b"])),
          "its certificate is not one of that name", "one for all")
    fails(c, ask, m.stands_in(*c.ca.make("old", ["b"], days=-1)),
          "its certificate: certificate has expired", "one that has ended")
    fails(c, ask, m.stands_in(*c.ca.make("b1", ["b"]),
                              most=ssl.TLSVersion.TLSv1_2),
          "tlsv1 alert protocol version", "TLS 1.2")
    fails(c, ask, m.speaks_plain, "wrong version number", "no TLS")
    fails(c, ask, m.hangs_up, "", "one that hangs up")
    fails(c, ask, m.stands_still, "no handshake in time",
          "one that says nothing")


def strangers(c, ask):
    """Who comes to where members come, and does not speak as they do."""
    b = c["b"]
    mark = b.log.mark()
    for _ in range(3):
        s = socket.create_connection((c.address("b"), c.peer), 20)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            got = s.recv(65536)
        except ConnectionResetError:
            got = b""
        t.ok(b"HTTP/" not in got, "no TLS: no answer")
    b.log.wait("127.0.0.1: refused: TLS: http request", mark)
    n = len([x for x in b.log.lines if "refused: TLS: http request" in x])
    t.ok(1 <= n <= len(b.processes("tlsd")), "each tlsd says it once: %d" % n)
    ctx = ssl.create_default_context(cafile=c.ca.file)
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        ctx.wrap_socket(socket.create_connection((c.address("b"), c.peer), 20),
                        server_hostname="b").close()
        t.ok(False, "TLS 1.2 is refused")
    except OSError:
        t.ok(True, "TLS 1.2 is refused")
    s = c.to_peer("b")
    mark = b.log.mark()
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        got = s.recv(65536)
    except OSError:
        got = b""
    t.equal(got, b"", "a request in TLS without a header: closed")
    b.log.wait("refused: no PROXY header", mark)
    t.equal(ask().status, 200, "members are served")


def killed(c, ask):
    """A tlsd goes, with what goes through it."""
    for d, what in (c["a"], "that asks"), (c["b"], "that is asked"):
        w = terminal(c["a"], ask.sid, ask.token)
        mark = d.log.mark()
        for p in d.processes("tlsd"):
            d.kill(int(p["pid"]))
        try:
            while w.s.recv(65536):
                pass
        except OSError:
            pass
        until(lambda: ask.status() == 200, "tlsd of the member %s to have a "
              "successor" % what)
        t.ok(True, "without the tlsd of the member %s: its connections end, "
             "the next is served" % what)
        d.log.wait("tlsd", mark)


def reloaded(c, ask):
    """Another authority."""
    a, b = c["a"], c["b"]
    other = os.path.join(c.certs, "next")
    os.mkdir(other)
    new = Authority(other)
    w = terminal(a, ask.sid, ask.token)
    with open(c.ca.file) as f:
        old = f.read()
    with open(c.ca.file, "w") as f:
        f.write("# nothing\n")
    r = a.ctl_raw("reload")
    t.ok(r.returncode != 0 and "no certificate in PEM" in r.stderr,
         "an authority that is none is not taken: " + r.stderr.strip())
    t.equal(ask().status, 200, "the old one counts on")
    with open(new.file) as f, open(c.ca.file, "w") as g:
        g.write(f.read())
    a.ctl("reload")
    said = len(a.log.lines)

    def refused():      # not because dialerd begins anew
        return ask.status() == 503 and [
            x for x in a.log.lines[said:]
            if "member b: TLS: its certificate: " in x]
    until(refused, "whom the new authority has not signed to be refused")
    types(w, "second")
    t.ok(True, "a terminal from before goes on")
    cert, key = new.make("b", ["b"])
    for src, dst in (cert, "b.pem"), (key, "b.key"):
        with open(src) as f, open(os.path.join(c.certs, dst), "w") as g:
            g.write(f.read())
    b.ctl("reload")
    until(lambda: ask.status() == 200, "whom it has to be served")
    types(w, "third")
    w.s.close()
    with open(c.ca.file, "a") as f:
        f.write(old)


def looked_at(c):
    """relayd -n says what is missing."""
    a = c["a"]
    path = os.path.join(c.certs, "looked-at.conf")
    empty = os.path.join(c.certs, "empty.crt")
    with open(empty, "w") as f:
        f.write("nothing\n")

    def says(text):
        with open(path, "w") as f:
            f.write(text)
        r = subprocess.run([os.path.join(a.build, "bin", "relayd"), "-n", "-f",
                            path, "-L", a.libexec], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        return r.returncode, r.stdout
    line = 'peer tls ca file "%s"' % c.ca.file
    code, said = says(a.text)
    t.ok(code == 0 and "warning: cert" not in said, "what a runs with is good")
    own = os.path.join(c.certs, "a.pem"), os.path.join(c.certs, "a.key")
    strange = os.path.join(c.certs, "strange")
    os.makedirs(strange)
    strange = Authority(strange)
    t.ok(own[0] in a.text and own[1] in a.text, "its certificate is named")
    for pair, why in ((c.ca.make("named", ["b"]), "hostname mismatch"),
                      (c.ca.make("ended", ["a"], days=-1), "has expired"),
                      (strange.make("a", ["a"]), "unable to get local issuer")):
        code, said = says(a.text.replace(own[0], pair[0]).replace(
            own[1], pair[1]))
        t.equal(code, 0, "it would start with a certificate that others "
                "refuse")
        t.match(said, r"warning: cert %s: other members will not believe that "
                r"this is member a: .*%s" % (re.escape(pair[0]), why),
                "with a warning: " + why)
    for text, why in (
            (a.text.replace(c.ca.file, empty), "peer tls ca file %s: no "
             "certificate in PEM" % empty),
            (a.text.replace(c.ca.file, "/nonexistent/ca.crt"), "peer tls ca "
             "file /nonexistent/ca.crt: No such file or directory"),
            (a.text.replace(line, ""), "listen: peer: tls needs \"peer tls ca "
             "file\""),
            (re.sub(r"peer tls \{[^}]*\}", "peer", a.text), "listen: peer: "
             "with \"peer tls\" it needs \"tls {"),
            (re.sub(r"peer tls \{[^}]*\}", "", a.text).replace(
                "port %d \n" % c.peer, "port %d\n" % c.peer),
             "cluster: peer tls: there is no")):
        code, said = says(text)
        t.ok(code == 1 and why in said, "relayd -n: " + why)
        if why not in said:
            t.diag(said)


def exchanged(c, ask):
    """The program of each, while a terminal goes from one to the other."""
    w = terminal(c["a"], ask.sid, ask.token)
    for name in "ab":
        d = c[name]
        over = threading.Event()
        seen = []

        def asks():
            while not over.is_set():
                seen.append(ask.status())
                over.wait(0.02)
        th = threading.Thread(target=asks)
        th.start()
        until(lambda: len(seen) > 2, "requests")
        r = d.ctl_raw("upgrade")
        t.equal((r.returncode, r.stderr), (0, ""), "%s is exchanged" % name)
        until(lambda: not [p for p in d.processes() if p["program"] == "old"
                           and p["role"] in ("control", "authd")],
              "the old ones to have gone")
        n = len(seen)
        until(lambda: len(seen) > n + 3, "requests behind it")
        over.set()
        th.join()
        t.equal(set(seen), {200}, "no request fails: %d" % len(seen))
        types(w, "after-" + name)
        t.ok(True, "the terminal goes on")
    w.s.close()


with Targets() as targets:
    with Between(t, "ab", tls=False) as c:
        c.wait_seen(c["a"], "ab")
        found, much = read(c, targets)
        t.equal((len(found), much), (7, True),
                "without TLS who is between reads all of it")
    with Between(t, "ab", tls=True) as c:
        c.wait_seen(c["a"], "ab")
        t.equal(read(c, targets), ([], True), "with TLS nothing")
        b = c["b"]
        key, secret = b.add_system()
        with OurClient(b, key, secret) as cl:
            ask = Asks(c["a"], b.wait_session()["session"], b.token())
            t.equal(ask().status, 200, "a has it from b")
            impostors(c, ask)
            strangers(c, ask)
            killed(c, ask)
            looked_at(c)
            reloaded(c, ask)
            exchanged(c, ask)
            b.ctl("close", ask.sid)
            cl.wait()
t.done()
