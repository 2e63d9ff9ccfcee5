#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The files etc/front-*, run by the programs that they are for: a tunnel, an
upload, what a stranger forges, a terminal, through each."""

import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile

import postgres
from cluster import Cluster
from harness import (DOMAIN, OurClient, Program, Relayd, Tap, Targets,
                     WebSocket, free_port, front_file, nginx, until)

t = Tap()
os.environ["PATH"] += ":/usr/sbin"


def haproxy(tmp, text):
    own = os.path.join(tmp, "haproxy.cfg")
    with open(own, "w") as f:
        f.write(text)
    return ["haproxy", "-db", "-f", own]


def caddy(tmp, text):
    own = os.path.join(tmp, "Caddyfile")
    with open(own, "w") as f:
        f.write("{\n\tadmin off\n\tauto_https disable_redirects\n"
                "\tdefault_bind 127.0.0.1\n\tstorage file_system %s\n"
                "\tskip_install_trust\n}\n%s" % (tmp, text))
    return ["env", "HOME=" + tmp, "caddy", "run", "--adapter", "caddyfile",
            "--config", own]


def certificate(tmp):
    at = os.path.join(tmp, "cert")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-days", "2", "-subj", "/CN=" + DOMAIN, "-addext",
                    "subjectAltName=DNS:%s,DNS:*.%s" % (DOMAIN, DOMAIN),
                    "-out", at + ".pem", "-keyout", at + ".key"],
                   check=True, stderr=subprocess.DEVNULL)
    with open(at + ".both", "w") as both:
        for end in ".pem", ".key":
            with open(at + end) as f:
                both.write(f.read())
    return at + ".pem"


class Way:
    """HTTPS through the front."""

    def __init__(self, port, cert):
        self.port = port
        self.ctx = ssl.create_default_context(cafile=cert)

    def connect(self, host):
        s = socket.create_connection(("127.0.0.1", self.port), 60)
        return self.ctx.wrap_socket(s, server_hostname=host.split(":")[0])

    def request(self, method, host, path, headers=None, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.sock = self.connect(host)
        try:
            c.request(method, path, body, dict({"Host": host},
                                               **(headers or {})))
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()


def listens(port, program):
    if program.p.poll() is not None:
        raise RuntimeError(program.err.text())
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def through(name, d, targets, tmp, way, key, secret):
    hosts = os.path.join(tmp, "hosts")
    with open(hosts, "w") as f:
        f.write("127.0.0.1 %s\n" % DOMAIN)
    front = "%s:%d" % (DOMAIN, way.port)
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http,
                   ["--url", "wss://%s/support/api/tunnel" % front],
                   env={"TUNNEL_CLIENT_HOSTS": hosts,
                        "SSL_CERT_FILE": tmp + "/cert.pem"}) as c:
        c.err.wait("connected to " + front)
        s = d.wait_session()
        sid = s["session"]
        until(lambda: d.ctl("show", "services", sid), "the manifest")
        t.ok(True, "%s: a tunnel" % name)
        token = d.token()
        cookie = {"Cookie": d.cookie(sid, token)}
        host = re.sub(":.*", "", d.proxy_host(sid)) + ":%d" % way.port
        data = os.urandom(3 * 1000 * 1000)
        st, h, body = way.request("POST", host, "/sha", cookie, data)
        t.ok(st == 200 and hashlib.sha256(data).hexdigest().encode() in body,
             "%s: an upload of 3 MB" % name)
        st, h, body = way.request("GET", host, "/bytes?n=2000000&seed=3",
                                  cookie)
        t.equal((st, hashlib.sha256(body).hexdigest()), (200, h["X-SHA256"]),
                "%s: 2 MB back" % name)
        st, h, body = way.request("GET", host, "/bytes?n=9&seed=3", dict(
            cookie, **{"X-Forwarded-Host": "web--%032x.%s" % (7, DOMAIN)}))
        t.equal(st, 200, "%s: a forged X-Forwarded-Host does not arrive" %
                name)
        mark = d.log.mark()
        st, h, body = way.request("GET", front, "/api/tunnel", {
            "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Authorization": "Basic Zm9vOm15X2JhZC5iYWQ=",
            "X-Forwarded-For": "192.0.2.9"})
        d.log.wait("127.0.0.1: refused: 401", mark)
        t.equal((st, d.log.has("192.0.2.9", mark)), (401, False),
                "%s: nor does a forged address" % name)
        w = WebSocket(way.connect(front), front,
                      "/api/support-sessions/%s/terminal?ticket=%s" %
                      (sid, d.ticket(sid, token)))
        w.send(b"\0" + b"echo done-$((6*7))\r")
        w.recv_until(rb"done-42")
        t.ok(True, "%s: a terminal" % name)
        d.ctl("close", sid)
        t.equal(c.wait(), 0, "%s: the operator's close arrives" % name)


def readyz(way):
    st, _, body = way.request("GET", DOMAIN, "/readyz")
    return st, body.decode().strip()


def drains(d, p, name):
    """And haproxy has seen it."""
    mark = p.err.mark()
    drain = Program([os.path.join(d.build, "bin", "relayctl"), "-s", d.sock,
                     "drain"])
    p.err.wait("Server relayd/%s is DOWN" % name, mark)
    return drain


def spread(c, way, name):
    marks = {n: c[n].log.mark() for n in "ab"}

    def each():
        way.request("GET", DOMAIN, "/healthz")
        return all(c[n].log.has("GET [^ ]*/healthz", marks[n]) for n in "ab")
    until(each, "both to be asked")
    t.ok(True, "%s: two members: each gets requests" % name)


def nodes(way, key, secret, names):
    """A system's, each with a tunnel that has logged in."""
    front = "%s:%d" % (DOMAIN, way.port)
    auth = base64.b64encode(("%s:%s" % (key, secret)).encode()).decode()
    up = [WebSocket(way.connect(front), front, "/api/tunnel?node_id=%s" % n,
                    {"Authorization": "Basic " + auth}) for n in names]
    return up, [w.headers.get("x-support-session-id") for w in up]


def together(c, way, name):
    """Six systems of three nodes each, or more, until both members have some."""
    opened, at = [], []
    try:
        while len(at) < 6 or (len(at) < 40 and
                              {m for ms in at for m in ms} != {"a", "b"}):
            up, ids = nodes(way, *c["a"].add_system("%s %d" % (name, len(at))),
                            "123")
            opened += up
            holders = c.holders()
            at.append([holders[i] for i in ids])
        t.equal(({m for ms in at for m in ms}, [len(set(ms)) for ms in at]),
                ({"a", "b"}, [1] * len(at)), "%s: the nodes of each of %d "
                "systems are at one member" % (name, len(at)))
    finally:
        for w in opened:
            w.s.close()


def two_of_them(c, tmp):
    """Caddy and nginx, with what their files have for a second member."""
    other = "127.0.0.1:%d" % c["b"].port
    cert, port = certificate(tmp), free_port()
    way = Way(port, cert)
    text = front_file("Caddyfile", tmp, port, c["a"].port).replace(
        "192.0.2.2:8080", other)
    text = re.sub(r"(?m)^(\t\t)#(to|lb_policy|health_\w+) ", r"\1\2 ", text)
    with Program(caddy(tmp, text), cwd=tmp) as p:
        until(lambda: listens(port, p), "caddy")
        spread(c, way, "caddy")
        together(c, way, "caddy")
        drain = Program([os.path.join(c["a"].build, "bin", "relayctl"), "-s",
                         c["a"].sock, "drain"])
        # Without checks each second one would be its.
        until(lambda: not c["a"].is_ready(), "a to drain")
        until(lambda: [readyz(way)[0] for _ in range(8)] == [200] * 8,
              "caddy to have seen it")
        mark = c["b"].log.mark()
        t.equal([way.request("GET", DOMAIN, "/healthz")[0] for _ in range(8)],
                [200] * 8, "caddy: one that drains gets nobody new")
        until(lambda: sum("/healthz" in x for x in
                          c["b"].log.lines[mark:]) >= 8, "8 requests at b")
        c["a"].ctl("drain", "cancel")
        drain.stop()
        spread(c, way, "caddy, again")
    text = front_file("nginx.conf", tmp, port, c["a"].port).replace(
        "#server 192.0.2.2:8080;", "server %s;\n\tserver 127.0.0.1:%d;" %
        (other, free_port()))
    with Program(nginx(tmp, text), cwd=tmp) as p:
        until(lambda: listens(port, p), "nginx")
        spread(c, way, "nginx")
        t.equal([way.request("GET", DOMAIN, "/healthz")[0] for _ in range(8)],
                [200] * 8, "nginx: nobody notices one that is not there")
    with Program(nginx(tmp, text.replace("#hash ", "hash ")), cwd=tmp) as p:
        until(lambda: listens(port, p), "nginx")
        spread(c, way, "nginx, by credentials")
        together(c, way, "nginx")


def several():
    """The line for a second member, and who is not ready."""
    with Cluster(t, "ab", conf="trusted proxy 127.0.0.1/32\n") as c, \
            tempfile.TemporaryDirectory() as tmp:
        for n in "ab":
            c.wait_seen(c[n], "ab")
            until(c[n].is_ready, "it to be ready")
        os.chmod(tmp, 0o755)
        if shutil.which("caddy") and shutil.which("nginx"):
            two_of_them(c, tmp)
        else:
            t.skip("no caddy or no nginx", "two members behind those")
        cert, port = certificate(tmp), free_port()
        text = front_file("haproxy.cfg", tmp, port, c["a"].port).replace(
            "#server b 192.0.2.2:8080", "server b 127.0.0.1:%d" % c["b"].port
        ).replace("timeout connect 5s", "timeout connect 5s\n\t"
                  "timeout check 20s")
        with Program(haproxy(tmp, text), cwd=tmp) as p:
            until(lambda: listens(port, p), "haproxy")
            way = Way(port, cert)
            spread(c, way, "haproxy")
            together(c, way, "haproxy")
            one = drains(c["a"], p, "a")
            mark = c["b"].log.mark()
            t.equal(([readyz(way)[0] for _ in range(8)],
                     [way.request("GET", DOMAIN, "/healthz")[0]
                      for _ in range(8)]), ([200] * 8, [200] * 8),
                    "one that drains gets nobody new, and nobody notices")
            until(lambda: sum("/healthz" in x for x in
                              c["b"].log.lines[mark:]) >= 8, "8 requests at b")
            t.ok(True, "the other one has them all")
            two = drains(c["b"], p, "b")
            st, body = readyz(way)
            t.equal((st, "draining" in body), (503, True),
                    "when none is ready relayd itself says why")
            mark = p.err.mark()
            for n in "ab":
                c[n].ctl("drain", "cancel")
            p.err.wait("Server relayd/[ab] is UP", mark)
            until(lambda: [readyz(way)[0] for _ in range(4)] == [200] * 4,
                  "both to serve")
            t.ok(True, "and who is ready again is asked again")
            one.stop()
            two.stop()


with Targets() as targets, Relayd(
        t, global_conf="trusted proxy 127.0.0.1/32") as d:
    key, secret = d.add_system()
    for name, conf, argv in (("nginx", "nginx.conf", nginx),
                             ("haproxy", "haproxy.cfg", haproxy),
                             ("caddy", "Caddyfile", caddy)):
        if shutil.which(name) is None:
            t.skip("no " + name, "etc/front-" + conf)
            continue
        with tempfile.TemporaryDirectory() as tmp:
            os.chmod(tmp, 0o755)
            cert, port = certificate(tmp), free_port()
            with Program(argv(tmp, front_file(conf, tmp, port, d.port)),
                         cwd=tmp) as p:
                until(lambda: listens(port, p), name)
                through(name, d, targets, tmp, Way(port, cert), key, secret)
if postgres.programs() is None or shutil.which("haproxy") is None:
    t.skip("there is no PostgreSQL or no haproxy", "several members")
else:
    several()
t.done()
