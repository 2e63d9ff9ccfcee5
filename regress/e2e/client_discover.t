#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Discovery of services by tunnel-client: an NS8 cluster (a real Redis, and an
api-cli in the test's hand), a NethSecurity host, and what happens when either
fails, hangs or lies."""

import json
import os
import signal
import socket
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import Client, Redis, Target, leave, manifest, put
from harness import FAST_BUILD, Tap, until
from tunnelserver import Server

t = Tap()


API = '''#!/bin/sh
# what it was asked, what it was given
echo "$*" >>%(root)s/asked
env | sort >%(root)s/api-env
echo "noise on standard error" >&2
f=%(root)s/routes/$(echo "$2" | cut -d/ -f2)
[ -x "$f" ] && exec "$f"
cat "$f"
'''


def cluster(root, redis):
    """Three nodes: 1 leads, 2 is this one, 10 is behind a router."""
    put(root + "/bin/api-cli", API % {"root": root}, 0o755)
    put(root + "/var/lib/nethserver/node/state/environment",
        "AGENT_ID=node/2\nNODE_ID=2\n")
    for key, value in (("node/1/default_instance/traefik", "traefik1"),
                       ("node/2/default_instance/traefik", "traefik2"),
                       ("node/10/default_instance/traefik", "traefik3"),
                       ("node/4/default_instance/traefik", "traefik4"),
                       ("module/pbx103/ui_name", "Telephones"),
                       ("module/mail1/ui_name", "Post")):
        redis.cli("SET", key, value)
    redis.cli("HSET", "cluster/environment", "NODE_ID", "1")
    redis.cli("HSET", "node/1/vpn", "ip_address", "10.5.4.1")
    redis.cli("HSET", "node/10/vpn", "ip_address", "10.5.4.3")
    redis.cli("HSET", "cluster/module_domains", "pbx103",
              "ad.example other.example")
    put(root + "/routes/traefik1", json.dumps([
        {"instance": "cluster-admin", "host": "", "path": "/cluster-admin",
         "url": "http://127.0.0.1:9311", "strip_prefix": True,
         "skip_cert_verify": True},
        {"instance": "mail1", "host": "mail.example", "path": "/",
         "url": "https://127.0.0.1:20010", "strip_prefix": False}]))
    put(root + "/routes/traefik2", json.dumps([
        {"instance": "pbx103-ui", "host": "pbx.example", "path": "/pbx",
         "url": "http://127.0.0.1:20001/x", "strip_prefix": True},
        {"instance": "mail1", "host": "second", "path": "/",
         "url": "https://127.0.0.1:1", "strip_prefix": False},
        {"instance": "plain", "url": "http://127.0.0.1"},
        {"instance": "secure", "url": "https://[::1]"},
        {"instance": "metadata", "url": "http://169.254.169.254:80"},
        {"instance": "bad name", "url": "http://127.0.0.1:1"},
        {"instance": "bad-path", "url": "http://127.0.0.1:1", "path": "/a b"},
        {"instance": "no-url"}, {"url": "http://127.0.0.1:1"}, 7,
        {"instance": "hidden-1", "url": "http://127.0.0.1:1"}]))
    put(root + "/routes/traefik3", json.dumps([
        {"instance": "wiki4", "host": "wiki.example", "path": "/wiki",
         "url": "http://127.0.0.1:30000", "strip_prefix": True}]))
    put(root + "/routes/traefik4", json.dumps([
        {"instance": "lost", "url": "http://127.0.0.1:1"}]))


# ---- an NS8 cluster ----

with Server() as s, tempfile.TemporaryDirectory() as root, \
        Redis(root) as redis:
    cluster(root, redis)
    env = {"TUNNEL_CLIENT_ROOT": root, "EXCLUDE_PATTERNS": "hidden-*",
           "REDIS_ADDR": "127.0.0.1:%d" % redis.port,
           "TUNNEL_CLIENT_API_MS": "3000", "AGENT_ID": "node/2",
           "REDIS_USER": "node/2", "REDIS_PASSWORD": "of-the-agent",
           "OTHER": "of the client"}
    c = Client(s, env=env, services="plain=127.0.0.1:7777,own=127.0.0.1:22",
               move_ms=301000)
    r = s.request()
    t.equal(r.target, "/api/tunnel?node_id=2", "NS8: the node's number is in "
            "its file")
    t.ok(until(lambda: os.path.exists(root + "/asked") and
               len(open(root + "/asked").read().splitlines()) == 3,
               "the last node to be asked"),
         "it looks while the server has not answered yet")
    u = r.upgrade()
    m = manifest(u)
    t.equal(u.order[0], 1, "the manifest is on stream 1")
    t.equal(sorted(m), ["cluster-admin", "mail1", "own", "pbx103-ui", "plain",
                        "secure", "wiki4"],
            "NS8: the services of all nodes with an address, and static ones")
    t.equal(m["pbx103-ui"], {
        "target": "127.0.0.1:20001", "host": "pbx.example", "tls": False,
        "label": "Telephones", "path": "/pbx", "path_prefix": "/pbx",
        "module_id": "pbx103", "node_id": "2"}, "NS8: a service of this node")
    t.equal(m["wiki4"], {
        "target": "10.5.4.3:443", "host": "wiki.example", "tls": True,
        "label": "", "path": "/wiki", "module_id": "wiki4", "node_id": "10"},
            "NS8: one of another node: through its router, which strips")
    t.equal((m["mail1"]["host"], m["mail1"]["node_id"], m["mail1"]["label"]),
            ("mail.example", "1", "Post"),
            "NS8: the leader comes first, and keeps the name")
    t.equal((m["plain"]["target"], m["secure"]["target"],
             m["secure"]["tls"]), ("127.0.0.1:80", "[::1]:443", True),
            "NS8: without a port it is the scheme's; a discovered service "
            "wins over a static one")
    with open(root + "/asked") as f:
        t.equal(f.read().splitlines(),
                ["run module/traefik%d/list-routes --data "
                 '{"expand_list": true}' % i for i in (1, 2, 3)],
                "NS8: leader, this node, the others as text; one without an "
                "address is not asked")
    for name, why in (("metadata", "refused address"), ("bad name", "a name"),
                      ("bad-path", "bad path")):
        t.ok(c.err.wait('service "%s": %s' % (name, why)),
             "a discovered service is checked: %s" % why)
    with open(root + "/api-env") as f:
        got = dict(x.split("=", 1) for x in f.read().splitlines())
    t.equal({k: v for k, v in got.items() if k not in
             ("PWD", "SHLVL", "_", "OLDPWD")},
            {"PATH": "%s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:"
             "/usr/bin:/sbin:/bin" % root, "AGENT_ID": "node/2",
             "REDIS_USER": "node/2", "REDIS_PASSWORD": "of-the-agent"},
            "api-cli's environment: the agent's, and nothing of ours")
    with open("/proc/%d/environ" % c.p.pid, "rb") as f:
        t.ok(b"of-the-agent" not in f.read(),
             "the agent's password is not in our environment")

    # found anew at the interval, and when asked
    put(root + "/routes/traefik2", json.dumps([
        {"instance": "new5", "url": "http://127.0.0.1:5"}]))
    u.document(b"DIAGNOSTICS 1\n")
    c.move()
    m = manifest(u)
    t.equal(sorted(m), ["cluster-admin", "mail1", "new5", "own", "plain",
                        "wiki4"], "after the interval: found anew")
    t.equal(m["plain"]["target"], "127.0.0.1:7777",
            "a static service shows again")
    redis.cli("SET", "module/new5/ui_name", "New")
    c.p.send_signal(signal.SIGUSR2)
    t.equal(manifest(u)["new5"]["label"], "New", "SIGUSR2: found anew at once")

    # what fails costs what it is, and no more
    put(root + "/routes/traefik1", "#!/bin/sh\nsleep 1000\n", 0o755)
    put(root + "/routes/traefik3", "no JSON")
    redis.cli("DEL", "module/new5/ui_name")
    c.p.send_signal(signal.SIGUSR2)
    x = u.open(b"CONNECT nothing\n")
    t.equal(x.line(), b"ERROR service not found: nothing\n",
            "while api-cli hangs, streams are served")
    m = manifest(u)
    t.equal(sorted(m), ["cluster-admin", "mail1", "new5", "own", "plain",
                        "wiki4"], "a node that hangs or babbles keeps what "
            "was known of it")
    t.equal(m["new5"]["label"], "", "the others are renewed")
    t.ok(c.err.wait("node 1: api-cli takes too long") and
         c.err.wait("node 10: api-cli says no list of routes"),
         "and the log says so")
    redis.stop()
    c.p.send_signal(signal.SIGUSR2)
    t.equal(sorted(manifest(u)), sorted(m), "without Redis all stays")
    until(lambda: c.err.has("redis at 127.0.0.1:%d: no answer" % redis.port),
          "word in the log")
    t.ok(c.err.wait("discovery: failed, 6 services as before"),
         "and the log says so")
    # it comes back after the connection was lost
    redis.start()
    cluster(root, redis)
    u.close(1001)
    u.drop()
    u = s.tunnel()
    t.ok("pbx103-ui" in manifest(u), "a new connection finds anew")
    leave(t, c, u, "exit 0")

# ---- a Redis that accepts and says nothing; 4000 comes meanwhile ----

with Server() as s, socket.create_server(("127.0.0.1", 0)) as mute, \
        tempfile.TemporaryDirectory() as root:
    c = Client(s, services="own=127.0.0.1:22", move_ms=10001,
               env={"REDIS_ADDR": "127.0.0.1:%d" % mute.getsockname()[1]})
    u = s.tunnel()
    mute.accept()
    c.err.wait("connected to")  # else it is the connection that is late
    c.move()
    t.equal(sorted(manifest(u)), ["own"], "a discovery that hangs: after 10 s "
            "what is known is announced")
    leave(t, c, u, "exit 0")
    c = Client(s, env={"REDIS_ADDR": "127.0.0.1:%d" % mute.getsockname()[1]})
    u = s.tunnel()
    mute.accept()
    leave(t, c, u, "tunnel-57(partial): 4000 during discovery: exit 0")

# ---- a Redis that says more than there is room for ----

said = [0]


def sanitized():
    """Such a build has no limit, and copies at each step."""
    with open(FAST_BUILD + "/config.mk") as f:
        return "-fsanitize" in f.read()


def endless(x):
    x.recv(65536)
    x.sendall(b"$500000000\r\n")
    for i in range(32 if sanitized() else 476):
        x.sendall(bytes(1 << 20))
        said[0] += 1


with Server() as s, Target(endless) as target, \
        tempfile.TemporaryDirectory() as root:
    c = Client(s, services="own=127.0.0.1:22", build=FAST_BUILD, env={
        "TUNNEL_CLIENT_ROOT": root, "REDIS_ADDR": "127.0.0.1:%d" %
        target.port})
    u = s.tunnel()
    t.equal(sorted(manifest(u)), ["own"], "an endless answer of Redis: "
            "what is known is announced")
    t.ok(c.err.wait("redis at 127.0.0.1:%d: no answer" % target.port),
         "it is none")
    if sanitized():
        t.skip("no build without sanitizers", "it has 256 MB at most")
    else:
        t.ok(said[0] < 256 + 32, "it has 256 MB at most, and what sockets "
             "hold: %d" % said[0])
    leave(t, c, u, "exit 0")

# ---- a Redis that is no cluster's ----

with Server() as s, tempfile.TemporaryDirectory() as root, \
        Redis(root) as redis:
    c = Client(s, services="own=127.0.0.1:22",
               env={"TUNNEL_CLIENT_ROOT": root, "REDIS_ADDR": "",
                    "TUNNEL_CLIENT_REDIS": "127.0.0.1:%d" % redis.port})
    u = s.tunnel()
    t.equal(sorted(manifest(u)), ["own"], "somebody's Redis: static services")
    # Whoever may log in here may have a Redis at that port.
    redis.cli("SET", "node/1/default_instance/traefik", "traefik1")
    redis.cli("HSET", "node/1/vpn", "ip_address", "10.5.4.1")
    put(root + "/bin/api-cli", API % {"root": root}, 0o755)
    put(root + "/routes/traefik1", '[{"instance":"a","url":"http://h"}]')
    for mode in None, 0o777:
        if mode is not None:
            os.makedirs(root + "/etc/nethserver")
            os.chmod(root + "/etc/nethserver", mode)
        c.p.send_signal(signal.SIGUSR2)
        t.equal(sorted(manifest(u)), ["own"], "it looks like a cluster's, on "
                "a machine that %s: static services" %
                ("everybody can make a node" if mode else "is no node"))
    os.chmod(root + "/etc/nethserver", 0o755)
    c.p.send_signal(signal.SIGUSR2)
    t.equal(sorted(manifest(u)), ["a", "own"], "it becomes a cluster's")
    leave(t, c, u, "exit 0")

# ---- NethSecurity ----

with Server() as s, tempfile.TemporaryDirectory() as root:
    put(root + "/www-ns/index.html", "")
    os.makedirs(root + "/etc/nginx/conf.d")
    c = Client(s, env={"TUNNEL_CLIENT_ROOT": root})
    u = s.tunnel()
    name = {"target": "127.0.0.1:443", "host": "127.0.0.1", "tls": True,
            "label": socket.gethostname() or "NethSecurity", "path": "/"}
    t.equal(manifest(u), {"nethsecurity-ui": name},
            "NethSecurity: its web interface, on 443")
    put(root + "/etc/nginx/conf.d/ns-ui.conf", "server {\n"
        "    listen 80;\n    listen [::]:9091 ssl;\n"
        "    listen 127.0.0.1:9090 ssl default_server;\n"
        "    listen 9999 ssl;\n}\n")
    c.p.send_signal(signal.SIGUSR2)
    t.equal(manifest(u)["nethsecurity-ui"]["target"], "127.0.0.1:9090",
            "NethSecurity: the port of the configuration")
    put(root + "/etc/nginx/conf.d/other.conf", "listen 1 ssl;\n")
    put(root + "/etc/nginx/conf.d/ns-ui.conf", "listen 9092 ssl;\n")
    until(lambda: manifest(u)["nethsecurity-ui"]["target"] ==
          "127.0.0.1:9092", "the manifest with the new port")
    t.ok(True, "NethSecurity: a change of it is announced at once")
    leave(t, c, u, "exit 0")
    c = Client(s, env={"TUNNEL_CLIENT_ROOT": root,
                       "EXCLUDE_PATTERNS": "neth*"})
    u = s.tunnel()
    t.equal(manifest(u), {}, "exclude: also what is discovered")
    leave(t, c, u, "exit 0")
t.done()
