#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayd -E as a container has it: a configuration from the environment, a user
without rights, a root directory that cannot be written to; and both references'
own instructions."""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import tempfile

from harness import BUILD, Lines, Relayd, Tap, free_port, self_signed, until
from idp import Provider
from pairing import Device
from peers import Relay

t = Tap()
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
          "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
READ_ONLY = """
mount --rbind / "$1/root" && mount -o remount,bind,ro "$1/root" || exit 1
for d in state run; do
	mount -t tmpfs -o mode=0700,uid=65534,gid=65534 none "$1/root$1/$d" ||
	    exit 1
done
root=$1/root
shift
exec chroot "$root" "$@"
"""


class Image:
    """The programs where everybody can run them, as an image has them."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="relayd-image-")
        os.chmod(self.dir, 0o755)
        for d in "bin", "libexec":
            shutil.copytree(os.path.join(BUILD, d),
                            os.path.join(self.dir, d))
        for d in "state", "run", "root":
            os.mkdir(os.path.join(self.dir, d))
            os.chown(os.path.join(self.dir, d), 65534, 65534)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def argv(self, *words):
        return [os.path.join(self.dir, "bin", "relayd"), *words, "-L",
                os.path.join(self.dir, "libexec")]

    def environment(self, env):
        keep = {k: v for k, v in os.environ.items()
                if k == "PATH" or k.endswith("SAN_OPTIONS")}
        return dict(keep, STATE_DIRECTORY=os.path.join(self.dir, "state"),
                    RUNTIME_DIRECTORY=os.path.join(self.dir, "run"), **env)

    def run(self, words, **env):
        return subprocess.run([*NOBODY, *self.argv(*words)], text=True,
                              env=self.environment(env), timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Contained(Relayd):
    """One that has no file."""

    def __init__(self, image, port, before=(), **env):
        super().__init__(t, port=port)
        self.image, self.env, self.before = image, env, before
        self.sock = os.path.join(image.dir, "run", "control.sock")

    def start(self):
        self.p = subprocess.Popen(
            [*self.before, *NOBODY, *self.image.argv("-d", "-E", "-v")],
            env=self.image.environment(self.env), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pid = self.p.pid
        self.log = Lines(self.p.stderr)
        until(self.is_ready, "relayd to answer")


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


def confined(d):
    """What is left of a sandbox that nobody could have made as root."""
    rows = d.processes()
    t.ok({"authd", "control", "proxyd"} <= {r["role"] for r in rows},
         "all processes are there")
    want = {"nnp", "landlock", "seccomp", "rlimit", "nodump"}
    for r in rows:
        if r["role"] in ("parent", "relayd"):
            continue
        s = status(int(r["pid"]))
        t.equal((set(r["sandbox"].split(",")) & {"user", "chroot"},
                 want - set(r["sandbox"].split(",")), s["Uid"].split("\t")[0],
                 s["NoNewPrivs"], s["Seccomp"], int(s["CapBnd"], 16)),
                (set(), set(), "65534", "1", "2", 0), "%s: all layers but "
                "those that need root" % r["role"])
    t.match(d.log.text(), r"not root: off are users of their own and empty "
            "root directories; on are no_new_privs, Landlock,",
            "the log says which")


def secret_gone(d, value):
    with open("/proc/%d/environ" % d.pid, "rb") as f:
        text = f.read()
    t.ok(b"SWSRS_TOKEN=" in text and value.encode() not in text,
         "a secret is wiped from the environment")
    t.match(d.log.text(), "warning: SWSRS_TOKEN is a client's",
            "and said to be of no use")
    for r in d.processes():
        with open("/proc/%s/environ" % r["pid"], "rb") as f:
            if value.encode() in f.read():
                t.ok(False, "%s has it, too" % r["role"])


def pairs(port, a=None, b=None):
    """Two devices, by the words of both clients."""
    a = a or Device(port, "127.0.0.1")
    b = b or Device(port, "127.0.0.1")
    t.equal((a.ask("listen", otc="482613"), b.ask("connect", otc="482613"),
             a.hear()), ({"type": "ack", "message": "session_open"},
                         {"type": "peer_found"}, {"type": "peer_found"}),
            "two devices pair")
    a.say("data", payload="Ap7c")
    t.equal(b.hear(), {"type": "data", "payload": "Ap7c"}, "and talk")


def from_(port, address):
    return Device(port, "127.0.0.1", headers={"X-Forwarded-For": address})


def pairing(image):
    port = free_port()
    secret = "slot-token-" + os.urandom(8).hex()
    with Contained(image, port, PORT=str(port), HOST="127.0.0.1",
                   AMESH_TRUST_PROXY="1", SWSRS_TOKEN=secret) as d:
        d.secret("a slot token", secret)
        confined(d)
        secret_gone(d, secret)
        st, h, body = d.request("GET", "/health")
        t.equal((st, h["Content-Type"], body),
                (200, "application/json;charset=utf-8",
                 b'{"status":"ok","sessions":0}'), "health, byte by byte")
        t.equal((d.request("GET", "/ws")[::2], d.request("GET", "/apis")[0],
                 d.request("GET", "/")[0], d.request("GET", "/support/api/"
                                                     "tunnel")[0]),
                ((400, b"WebSocket upgrade failed"), 404, 404, 404),
                "nothing but pairing")
        pairs(port)
        a = from_(port, "192.0.2.7")
        got = [a.ask("connect", otc="000%03d" % i) for i in range(6)]
        t.equal(got[4:], ["otc_not_found", "rate_limited"],
                "AMESH_TRUST_PROXY: who it is for is asked too often")
        t.equal(from_(port, "192.0.2.8").ask("connect", otc="000000"),
                "otc_not_found", "and nobody else is")
        t.equal(from_(port, "198.51.100.1, 192.0.2.7").ask(
            "connect", otc="000000"), "rate_limited",
            "what a client says itself is not believed")
        t.equal(d.ctl_raw("reload").returncode, 0, "it reloads what it has")
        t.equal(d.stop(), 0, "and stops")


def listens(image):
    """Where no proxy is trusted, no header is."""
    port = free_port()
    with Contained(image, port, PORT=str(port), HOST="localhost") as d:
        for i in range(5):
            from_(port, "192.0.2.%d" % i).ask("connect", otc="000%03d" % i)
        t.equal(from_(port, "192.0.2.9").ask("connect", otc="000000"),
                "rate_limited", "without AMESH_TRUST_PROXY no header counts")


def rendezvous(image):
    port = free_port()
    with Contained(image, port, SWSRS_ADDR="127.0.0.1:%d" % port,
                   SWSRS_NO_AUTH="1", SWSRS_SESSION_TTL="1h30m",
                   SWSRS_PEER_WAIT="5s", SWSRS_MAX_FRAME_SIZE="1000",
                   SWSRS_PUBLIC_BASE_URL="wss://relay.example",
                   SWSRS_ALLOWED_ORIGINS="*.example,b.test",
                   SWSRS_PORT="tcp://10.0.0.1:80") as d:
        r = Relay(d)
        s, a, b = r.pair()
        t.equal(s["initiator_url"], "wss://relay.example/relay/" + s["id"],
                "SWSRS_PUBLIC_BASE_URL")
        t.equal(s["expires_at"][11:13] != s["created_at"][11:13], True,
                "SWSRS_SESSION_TTL")
        a.send("x" * 1000)
        t.equal(b.recv(), (1, b"x" * 1000), "two peers meet")
        a.send("x" * 1001)
        t.equal(a.closed()[0], 1009, "SWSRS_MAX_FRAME_SIZE")
        s = r.create()
        w = r.join(s, "initiator")
        d.move_clock(6000)
        t.ok(w.closed()[0] >= 1000, "SWSRS_PEER_WAIT")
        h = {"Authorization": "Bearer " + s["initiator_token"]}
        got = [r.dial("/relay/" + s["id"], dict(h, Origin=o)).status
               for o in ("https://evil.test", "https://a.example")]
        t.equal(got, [403, 101], "SWSRS_ALLOWED_ORIGINS")
        st, h, body = d.request("GET", "/.well-known/swsrs-config")
        t.equal((st, body), (404, b"auth disabled on this deployment "
                             b"(--no-auth)\n"), "SWSRS_NO_AUTH")
        t.equal([d.request("GET", p)[::2] for p in ("/", "/ws",
                                                    "/support/api/tunnel")],
                [(404, b"404 page not found\n")] * 3,
                "nothing but rendezvous")
        t.equal(d.request("GET", "/healthz")[::2], (200, b"ok"), "healthz")
        confined(d)


def oidc(image):
    with tempfile.TemporaryDirectory(prefix="relayd-idp-") as dir_:
        os.chmod(dir_, 0o755)
        idp = Provider(dir_)
        port = free_port()
        try:
            with Contained(image, port, SWSRS_ADDR="127.0.0.1:%d" % port,
                           SWSRS_OIDC_ISSUER=idp.issuer,
                           SWSRS_OIDC_AUDIENCE="relayd",
                           SWSRS_OIDC_CLIENT_ID="relay-cli",
                           SSL_CERT_FILE=idp.authority.path) as d:
                st, h, body = until(
                    lambda: (lambda x: x if x[0] == 200 else None)(
                        d.request("GET", "/.well-known/swsrs-config")),
                    "discovery")
                got = json.loads(body)
                t.equal((got["issuer"], got["audience"],
                         got["client_id_hint"]), (idp.issuer, "relayd",
                                                  "relay-cli"),
                        "SWSRS_OIDC_*: clients find out where to log in")
                r = Relay(d, idp.token(scope="swsrs:session:create "
                                       "swsrs:session:read"))
                t.equal(until(lambda: (lambda st: st if st != 503 else None)(
                    r.call("POST")[0]), "the provider's keys"), 201,
                        "and make sessions with a token of theirs")
                t.equal(Relay(d, "x").call("POST")[0], 401, "or not")
        finally:
            idp.down()


def both(image):
    port = free_port()
    with Contained(image, port, PORT=str(port), HOST="127.0.0.1",
                   AMESH_TRUST_PROXY="no", SWSRS_NO_AUTH="1",
                   SWSRS_ADDR="127.0.0.1:%d" % port) as d:
        pairs(port)
        s, a, b = Relay(d).pair()
        a.send("y")
        t.equal(b.recv(), (1, b"y"), "both on one port")
        t.equal((d.request("GET", "/ws/")[2], d.request("GET", "/x")[2]),
                (b"Not found", b"404 page not found\n"),
                "each says no in its own words")


class OverTls(Contained):
    """As curl and the clients see it; what asks whether it is up, too."""

    def connect(self):
        ctx = ssl.create_default_context(cafile=self.env["SWSRS_TLS_CERT"])
        ctx.check_hostname = False
        return ctx.wrap_socket(super().connect())

    def request(self, method, path, host=None, headers=None, body=None):
        s = self.connect()
        s.sendall(("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Content-Length: 0\r\n\r\n" % (method, path)).encode())
        r = http.client.HTTPResponse(s, method=method)
        r.begin()
        return r.status, r.headers, r.read()


def tls(image):
    """Both on one port, with a certificate."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="relayd-tls-") as dir_:
        os.chmod(dir_, 0o755)
        cert, key = self_signed(dir_)
        os.chown(key, 65534, 65534)
        with OverTls(image, port, SWSRS_ADDR="127.0.0.1:%d" % port,
                     SWSRS_NO_AUTH="1", SWSRS_TLS_CERT=cert,
                     SWSRS_TLS_KEY=key, PORT=str(port), HOST="127.0.0.1",
                     AMESH_TRUST_PROXY="0") as d:
            s, a, b = Relay(d).pair()
            a.send("x")
            t.equal(b.recv(), (1, b"x"), "SWSRS_TLS_CERT, SWSRS_TLS_KEY: "
                    "two peers meet by TLS")
            w = Relay(d).dial("/ws")
            w.send('{"type":"listen","otc":"482613"}')
            t.equal(w.recv(), (1, b'{"type":"ack","message":"session_open"}'),
                    "and devices pair")
            t.equal(d.request("GET", "/api/x")[0], 404, "nothing else does")
            confined(d)


def read_only(image):
    if subprocess.run(["unshare", "-m", "sh", "-c", "mount --rbind / " +
                       image.dir + "/root && mount -o remount,bind,ro " +
                       image.dir + "/root"],
                      stderr=subprocess.DEVNULL).returncode != 0:
        t.skip("no mounts here", "a root directory that is read only")
        return
    port = free_port()
    with Contained(image, port, ["unshare", "-m", "sh", "-c", READ_ONLY,
                                 "sh", image.dir], PORT=str(port),
                   HOST="127.0.0.1") as d:
        # In there, as `docker exec` would do it.
        inside = ["nsenter", "-m", "-r", "-t", str(d.pid)]
        r = subprocess.run(
            [*inside, *NOBODY, os.path.join(image.dir, "bin", "relayctl"),
             "-s", d.sock, "show", "processes"], stdout=subprocess.PIPE,
            text=True, env=image.environment({}))
        t.match(r.stdout, r" paird +\d", "nothing has to be written but "
                "state and run")
        r = subprocess.run([*inside, "touch", "/relayd-was-here"],
                           stderr=subprocess.PIPE, text=True)
        t.match(r.stderr, "Read-only file system", "the rest is read only")
        pairs(port)


def refused(image):
    r = image.run(["-nE"], SWSRS_ADR=":80", SWSRS_NO_AUTH="1")
    t.equal((r.returncode, r.stderr.splitlines()[0], r.stdout),
            (2, "environment: SWSRS_ADR: there is no such variable", ""),
            "a name that nobody knows: said, and 2")
    r = image.run(["-dE"], SWSRS_OIDC_AUDIENCE="x")
    t.equal((r.returncode, r.stderr), (2, "environment: SWSRS_OIDC_ISSUER is "
            "missing (or SWSRS_NO_AUTH=1)\n"), "no issuer: 2")
    t.equal(image.run(["-E", "-f", "/x"]).returncode, 2,
            "a file and the environment: not both")
    r = image.run(["-nE"], PORT="8000")
    t.equal((r.returncode, r.stdout.splitlines()[-1], r.stderr),
            (0, "listen on 0.0.0.0 port 8000 pair only", ""),
            "-n prints what it makes, which is good")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(r.stdout)
        f.flush()
        os.chmod(f.name, 0o644)
        t.equal(image.run(["-n", "-f", f.name]).returncode, 0,
                "and good as a file")
    r = image.run(["-nEv"], PORT="8000")
    t.match(r.stdout, r"(?m)^pair \{", "-v prints all of it")


image = Image()
try:
    refused(image)
    pairing(image)
    listens(image)
    rendezvous(image)
    oidc(image)
    both(image)
    tls(image)
    read_only(image)
finally:
    image.remove()
t.done()
