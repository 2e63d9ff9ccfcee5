#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Proxies that say in a PROXY header whom they bring: haproxy with both
versions of it, nginx with the line, and bytes by hand; with and without TLS.
The client that they name is who is logged, who waits, and who is audited."""

import base64
import os
import re
import socket
import ssl
import struct
import subprocess
import tempfile

from certs import Authority, listener
from harness import (DOMAIN, SRC, OurClient, Program, Relayd, Tap, Targets,
                     free_port, rest, until)

t = Tap()
os.environ["PATH"] += ":/usr/sbin"
MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
SIG = b"\r\n\r\n\0\r\nQUIT\n"


def v2(client, tail=b""):
    body = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + \
        struct.pack("!HH", 4444, 443) + tail
    return SIG + b"\x21\x11" + struct.pack("!H", len(body)) + body


def line(client):
    return b"PROXY TCP4 %s 127.0.0.1 4444 443\r\n" % client.encode()


def connect(port, source="127.0.0.1"):
    s = socket.create_connection(("127.0.0.1", port), 60,
                                 source_address=(source, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def login(secret, extra=""):
    return ("GET /api/tunnel HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s"
            "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
            "dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n" % (
                DOMAIN, base64.b64encode(secret.encode()).decode(),
                extra)).encode()


def status(got):
    m = re.match(rb"HTTP/1.1 (\d+) ", got)
    return int(m.group(1)) if m else got


class Fronts:
    """haproxy and nginx on ports of their own before a plain and a TLS one."""

    def __init__(self, tmp, plain, tls):
        self.ports = {}
        conf = ["global\n\tmaxconn 512\ndefaults\n\tmode tcp\n"
                "\ttimeout connect 5s\n\ttimeout check 20s\n"
                "\ttimeout client 1m\n"
                "\ttimeout server 1m\n"]
        for name, words in (("haproxy, version 1", "send-proxy"),
                            ("haproxy, version 2", "send-proxy-v2"),
                            ("haproxy, version 2 with all that it can add",
                             "send-proxy-v2 proxy-v2-options "
                             "crc32c,unique-id,authority,ssl,cert-cn")):
            for kind, to in (("", plain), (", TLS", tls)):
                port = self.ports[name + kind] = free_port()
                conf.append("listen l%d\n\tbind 127.0.0.1:%d\n"
                            "\tunique-id-format %%{+X}o\\ %%ci:%%cp\n"
                            "\tserver relayd 127.0.0.1:%d %s\n" %
                            (port, port, to, words))
        # etc/front-haproxy.cfg, with what it has for this.
        port = self.ports["etc/front-haproxy.cfg, TLS"] = free_port()
        with open(os.path.join(SRC, "etc", "front-haproxy.cfg")) as f:
            front = "".join(re.findall(r"(?m)^#([ls\t].*\n)", f.read()))
        t.ok("send-proxy-v2" in front, "the front that is shown")
        conf.append(front.replace(":443", "127.0.0.1:%d" % port).replace(
            "127.0.0.1:8443", "127.0.0.1:%d" % tls))
        self.haproxy = os.path.join(tmp, "haproxy.cfg")
        with open(self.haproxy, "w") as f:
            f.write("".join(conf))
        self.nginx = os.path.join(tmp, "nginx.conf")
        with open(self.nginx, "w") as f:
            f.write("load_module %s;\ndaemon off;\npid %s/pid;\nerror_log "
                    "stderr;\nevents { }\nstream {\n" % (MODULE, tmp))
            for kind, to in (("", plain), (", TLS", tls)):
                port = self.ports["nginx" + kind] = free_port()
                f.write("\tserver { listen 127.0.0.1:%d; proxy_protocol on; "
                        "proxy_pass 127.0.0.1:%d; }\n" % (port, to))
            f.write("}\n")
        self.programs = [Program(["haproxy", "-db", "-f", self.haproxy]),
                         Program(["nginx", "-c", self.nginx, "-p", tmp, "-e",
                                  "stderr"])]

    def __enter__(self):
        for port in self.ports.values():
            until(lambda: self.listens(port), "a front on %d" % port)
        return self

    def listens(self, port):
        for p in self.programs:
            if p.p.poll() is not None:
                raise RuntimeError(p.err.text())
        try:
            connect(port).close()
            return True
        except OSError:
            return False

    def __exit__(self, *exc):
        for p in self.programs:
            p.stop()


def ask(port, text, source, ca):
    """The answer to this request of this client's."""
    s = connect(port, source)
    if ca:
        s = ssl.create_default_context(cafile=ca).wrap_socket(
            s, server_hostname=DOMAIN)
    s.sendall(text)
    return rest(s)


def through(d, fronts, ca):
    """Each way, a client of an address of its own."""
    for n, (name, port) in enumerate(sorted(fronts.ports.items())):
        client, tls = "127.0.0.%d" % (100 + n), ca if "TLS" in name else None
        mark = d.log.mark()
        got = ask(port, login("my_bad:my_bad.bad",
                              "X-Forwarded-For: 192.0.2.99\r\n"), client, tls)
        t.equal(status(got), 401, "%s: a wrong secret" % name)
        d.log.wait("%s: refused: 401" % client, mark)
        t.equal(d.log.has("192.0.2.99", mark), False,
                "%s: the client is who the header names" % name)
    def audited():
        rows = d.ctl("show", "audit", "after", "0")
        return sorted(set(x["address"] for x in rows if re.match(
            r"127\.0\.0\.1\d\d$", x["address"])))
    until(lambda: audited() == ["127.0.0.%d" % (100 + n) for n in
                                range(len(fronts.ports))],
          "each in the audit log by its own address")


def waits(d, port, key):
    """A penalty is the client's."""
    for i in range(12):
        st = status(ask(port, login("%s:my_%020d.%040d" % (key, i, i)),
                        "127.0.0.90", None))
        if st == 429:
            break
    t.equal(st, 429, "who fails has to wait")
    t.equal([x["address"] for x in d.ctl("show", "penalties")
             if int(x["times"]) > 0], ["127.0.0.90"], "and nobody else")
    t.equal(status(ask(port, login(key + ":wrong"), "127.0.0.91", None)), 401,
            "least of all the proxy's other clients")


def tunnel(d, targets, port, key, secret):
    """A whole tunnel and its services through haproxy."""
    with OurClient(d, key, secret, "web=127.0.0.1:%d" % targets.http,
                   ["--url", "ws://127.0.0.1:%d/api/tunnel" % port]) as c:
        s = d.wait_session()
        sid = s["session"]
        until(lambda: d.ctl("show", "services", sid), "the manifest")
        d.port, was = port, d.port
        try:
            st, _, body = d.request("GET", "/bytes?n=100000&seed=3",
                                    d.proxy_host(sid),
                                    {"Cookie": d.cookie(sid, d.token())})
        finally:
            d.port = was
        t.equal((st, len(body)), (200, 100000), "a tunnel, and a page of it")
        d.ctl("close", sid)
        c.wait()


def hello(ca):
    """A TLS client without a socket, and its first bytes."""
    inc, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    o = ssl.create_default_context(cafile=ca).wrap_bio(
        inc, out, server_hostname=DOMAIN)
    try:
        o.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return o, inc, out


def over(s, o, inc, out, text):
    """The handshake goes on, and a request: what is answered."""
    while True:
        try:
            o.do_handshake()
            break
        except ssl.SSLWantReadError:
            s.sendall(out.read())
            inc.write(s.recv(65536))
    o.write(text)
    s.sendall(out.read())
    got = b""
    while True:
        try:
            part = o.read(65536)
            if not part:
                return got
            got += part
        except ssl.SSLWantReadError:
            part = s.recv(65536)
            if not part:
                return got
            inc.write(part)


def by_hand(d, plain, tls, ca):
    for name, head in (("line", line), ("header", v2)):
        s = connect(plain)
        mark = d.log.mark()
        s.sendall(head("192.0.2.31") + login("x:y"))
        t.equal(status(rest(s)), 401, "%s and request in one piece" % name)
        d.log.wait("192.0.2.31: refused: 401", mark)
        o, inc, out = hello(ca)
        s = connect(tls)
        mark = d.log.mark()
        s.sendall(head("192.0.2.32") + out.read())
        t.equal(status(over(s, o, inc, out, login("x:y"))), 401,
                "%s and ClientHello in one piece" % name)
        d.log.wait("192.0.2.32: refused: 401", mark)
        o, inc, out = hello(ca)
        s = connect(tls)
        mark = d.log.mark()
        first = head("192.0.2.33") + out.read()
        for i in range(0, len(first), 7):
            s.sendall(first[i:i + 7])
        t.equal(status(over(s, o, inc, out, login("x:y"))), 401,
                "%s and ClientHello in pieces of 7 bytes" % name)
        d.log.wait("192.0.2.33: refused: 401", mark)


def refused(d, plain, tls, ca):
    """Nobody comes in without, and each reason is said once."""
    who = {plain: "proxyd", tls: "tlsd"}
    for port in plain, tls:
        o, inc, out = hello(ca)
        first = out.read() if port == tls else login("x:y")
        for what, text, why in (
                ("no header", first, "no PROXY header"),
                ("a wrong line", b"PROXY TCP4 1.2.3.4 1 2 3\r\n" + first,
                 "PROXY line: not two addresses"),
                ("a wrong header", v2("192.0.2.1", b"\x03\0\x04abcd") + first,
                 "PROXY header: wrong checksum")):
            mark = d.log.mark()
            for _ in range(3):
                s = connect(port)
                s.sendall(text)
                t.equal(rest(s), b"", "%s, %s: closed" % (who[port], what))
            d.log.wait("127.0.0.1: refused: " + why, mark)
            # What is said later is there; so is what was said before.
            ask(plain, line("192.0.2.77") + login("x:%d" % mark), "127.0.0.1",
                None)
            n = [x for x in d.log.lines[mark:] if why in x]
            t.equal(len(n), 1, "%s, %s: is said once" % (who[port], what))
        mark = d.log.mark()
        s = connect(port, "127.0.0.66")
        s.sendall(line("192.0.2.78") + first)
        t.equal(rest(s), b"", "%s: not from anywhere" % who[port])
        d.log.wait("127.0.0.66: refused: not of a network of \"trusted proxy\"",
                   mark)


def checked(d, fronts, ca):
    """The health check of etc/front-haproxy.cfg comes in by its header, too."""
    p = fronts.programs[0]
    t.ok(not p.err.has("Server support/a is DOWN"),
         "etc/front-haproxy.cfg: its check finds us ready")
    mark = p.err.mark()
    with Program([os.path.join(d.build, "bin", "relayctl"), "-s", d.sock,
                  "drain"]):
        p.err.wait("Server support/a is DOWN", mark)
        got = ask(fronts.ports["etc/front-haproxy.cfg, TLS"],
                  b"GET /readyz HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n", "127.0.0.1", ca)
        t.equal((status(got), b"draining" in got), (503, True),
                "and not, while it drains, which relayd itself says")
        d.ctl("drain", "cancel")
        p.err.wait("Server support/a is UP", mark)
        t.ok(True, "until it is ready again")


def config(d):
    def wrong(text):
        own = os.path.join(d.dir, "wrong.conf")
        with open(own, "w") as f:
            f.write(text)
        os.chmod(own, 0o600)
        r = subprocess.run([os.path.join(d.build, "bin", "relayd"), "-n", "-f",
                            own, "-L", d.libexec], capture_output=True,
                           text=True)
        return r.stderr + r.stdout
    t.ok("there is none" in wrong("listen on 127.0.0.1 port 80 proxy protocol"
                                  "\n"), "it needs a trusted proxy")
    t.ok("metrics know no" in wrong("listen on 127.0.0.1 port 80 metrics proxy "
                                    "protocol\ntrusted proxy ::1\n"),
         "metrics have none")


with tempfile.TemporaryDirectory() as tmp, Targets() as targets:
    os.chmod(tmp, 0o755)
    ca = Authority(tmp)
    cert = ca.make("site", [DOMAIN, "*." + DOMAIN])
    plain, tls = free_port(), free_port()
    d = Relayd(t, proxyds=1, global_conf="trusted proxy 127.0.0.1/32",
               conf="tlsd 1", listeners="listen on 127.0.0.1 port %d proxy "
               "protocol\n%s" % (plain, listener(tls, cert).replace(
                   " tls", " proxy protocol tls")))
    d.text = d.text.replace("penalty exempt 127.0.0.0/8\n", "")
    d.rewrite()
    with d, Fronts(tmp, plain, tls) as fronts:
        key, secret = d.add_system()
        tunnel(d, targets, fronts.ports["haproxy, version 2"], key, secret)
        through(d, fronts, ca.file)
        waits(d, fronts.ports["haproxy, version 1"], key)
        by_hand(d, plain, tls, ca.file)
        refused(d, plain, tls, ca.file)
        checked(d, fronts, ca.file)
        config(d)
t.done()
