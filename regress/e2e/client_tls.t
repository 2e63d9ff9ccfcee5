#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""tunnel-client over wss://: what it trusts and what not."""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import (KEY, SECRET, Client, Target, authority, certificate,
                        echo)
from harness import Tap
from tunnelserver import Server

t = Tap()


with tempfile.TemporaryDirectory() as d:
    authority(d)
    good, names = certificate(d, "good", "DNS:relay.example")
    other, _ = certificate(d, "other", "DNS:other.example,"
                           "DNS:*.example.org")
    address, address_names = certificate(d, "address", "IP:127.0.0.1")
    with open(d + "/hosts", "w") as f:
        f.write("127.0.0.1 relay.example\n")
    env = {"TUNNEL_CLIENT_HOSTS": d + "/hosts"}
    trust = dict(env, SSL_CERT_FILE=d + "/ca.pem")

    def url(s, host="relay.example"):
        return "wss://%s:%d/api/tunnel" % (host, s.port)

    with Server(good) as s, Target(echo) as e:
        c = Client(s, "-u", url(s), env=trust,
                   services="echo=127.0.0.1:%d" % e.port)
        r = s.request()
        t.equal(r.fields["Host"], "relay.example:%d" % s.port,
                "a certificate of a known authority for the right name")
        t.equal(names, ["relay.example"], "SNI is the server's name")
        u = r.upgrade()
        u.document(b'{"version"')
        st = u.open(b"CONNECT echo\n")
        data = os.urandom(512 * 1024)
        t.equal(st.line(), b"OK\n", "a stream over TLS")
        for i in range(0, len(data), 65536):
            st.send(data[i:i + 65536])
        t.ok(st.take(len(data)) == data, "512 KiB there and back")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "4000 over TLS: exit 0")
        c.clean(t)

    def refused(context, pattern, what, env=trust, host="relay.example"):
        with Server(context) as s:
            c = Client(s, "-u", url(s, host), env=env)
            s.request()
            t.match(c.err.wait("cannot connect to .*").string, pattern, what)
            t.equal(c.stop(), 0, "exit 0")
            c.clean(t)

    refused(other, "certificate refused: hostname mismatch; it is for "
            "another name than that in the address",
            "a certificate for another name is refused")
    refused(good, "certificate refused: .*(self-signed|unable to get).*; "
            "--ca-file or SSL_CERT_FILE names other",
            "so is one of an authority that is not known", env)
    refused(good, "certificate refused: IP address mismatch; it is for a "
            "name, which the address has to have",
            "and one for a name where an address is asked for", host="127.0.0.1")

    with Server(good) as s:
        c = Client(s, env=trust)
        s.request()
        t.match(c.err.wait("cannot connect to .*").string,
                "; is it wss:// that is spoken there[?]",
                "ws:// where TLS is spoken")
        c.stop()
    c = Client(None, "--ca-file", d + "/none", "-u", "wss://relay.example/",
               env={"SYSTEM_KEY": KEY, "SYSTEM_SECRET": SECRET}, bare=True)
    t.equal(c.wait(), 1, "--ca-file that is not there: exit 1")
    t.ok(c.err.wait("none: No such file or directory"), "and why")

    with Server(address) as s:
        c = Client(s, "-u", url(s, "127.0.0.1"), env=trust)
        u = s.tunnel()
        u.document(b'{"version"')
        t.equal(address_names, [None], "an address: its certificate, no SNI")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)

    for flags, extra in ((["--tls-insecure"], {}),
                         ([], {"TLS_INSECURE": "true"})):
        with Server(other) as s:
            c = Client(s, "-u", url(s), *flags, env=dict(env, **extra))
            u = s.tunnel()
            u.document(b'{"version"')
            t.ok(c.err.wait("certificate is not checked"),
                 "%s: any certificate, and a line in the log" %
                 (flags or extra))
            u.close(4000)
            u.drop()
            t.equal(c.wait(), 0, "exit 0")
            c.clean(t)

    for flags, extra in ((["--tls-insecure=false"],
                          {"TLS_INSECURE": "true"}),
                         ([], {"TLS_INSECURE": "yes"})):
        refused_env = dict(trust, **extra)
        with Server(other) as s:
            c = Client(s, "-u", url(s), *flags, env=refused_env)
            s.request()
            t.match(c.err.wait("cannot connect to .*").string, "refused",
                    "%s %s: checked" % (flags, extra))
            c.stop()
            c.clean(t)

    # ---- an OpenSSL that is none ----

    os.mkdir(d + "/lib")
    subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-o",
                    d + "/lib/libssl.so.3"], check=True)
    bare = dict(env, LD_LIBRARY_PATH=d + "/lib")
    with Server(good) as s:
        c = Client(s, "-u", url(s), env=bare)
        t.match(c.err.wait("tls: .*").string, "libssl.so.3: no SSL_CTX_new",
                "without OpenSSL there is no wss://, and the log says why")
        t.equal(c.wait(), 1, "exit 1")
    with Server() as s:
        c = Client(s, env=bare)
        u = s.tunnel()
        u.document(b'{"version"')
        t.ok(True, "but ws:// there is")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)
t.done()
