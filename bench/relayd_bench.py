# SPDX-License-Identifier: ISC
"""All that the benchmarks know about relayd itself: how it is started, how
systems are added, how an operator's request gets its cookie."""

import http.client
import json
import os
import subprocess
import time

from benchlib import BenchError, Slot, children, comm, free_port, wait_port

DOMAIN = "bench.test"
NODES = 20      # nodes to a system, so that 2,000 tunnels need 100 systems

CONF = """
store sqlite "{dir}/store/relayd.db"
control socket "{dir}/control.sock"
listen on 127.0.0.1 port {port}
missing users nobody
proxyd {proxyd}
max startups 1000:30:2000
penalty exempt 127.0.0.0/8

tunnel {{
	path "/support/api/tunnel"
	path "/api/tunnel"
	max tunnels 3000
	max sessions per system 32
	rate limit address 1000000 per 1m
	rate limit slot 1000000 per 1m
	rate limit key 1000000 per 1m
}}

operator {{
	proxy domain "{domain}" scheme http port {port}
	jwt secret file "{dir}/jwt.secret"
	api rate 1000000
}}
"""
# Without these the limits are those of the default configuration.
LIFTED = ("max startups", "penalty exempt", "rate limit", "api rate")


class Relayd:
    """relayd from a build directory, in the foreground, on loopback."""
    name = "relayd"

    def __init__(self, build, directory, proxyd=1, lifted=True,
                 more=""):
        self.build = build
        self.dir = os.path.join(directory, f"relayd-{time.monotonic_ns()}")
        os.mkdir(self.dir, 0o755)
        os.mkdir(os.path.join(self.dir, "store"), 0o755)
        self.sock = os.path.join(self.dir, "control.sock")
        self.port = free_port()
        with open(os.path.join(self.dir, "jwt.secret"), "w") as f:
            os.chmod(f.name, 0o600)
            f.write(os.urandom(32).hex())
        self.conf = os.path.join(self.dir, "relayd.conf")
        text = CONF.format(dir=self.dir, port=self.port, proxyd=proxyd,
                           domain=DOMAIN) + more
        with open(self.conf, "w") as f:
            os.chmod(self.conf, 0o600)
            f.writelines(x for x in text.splitlines(True)
                         if lifted or not x.strip().startswith(LIFTED))
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.proc = None
        self.token = None
        self.cookies = {}
        self.start()

    def start(self):
        """Start it, and wait until it serves."""
        self.proc = subprocess.Popen(
            [os.path.join(self.build, "bin/relayd"), "-d", "-f", self.conf,
             "-L", os.path.join(self.build, "libexec")],
            stdout=self.log, stderr=self.log)
        try:
            wait_port(self.port, self.proc)
            self.wait_ctl()
        except BenchError as e:
            self.stop()
            raise BenchError(f"{e}; {self.tail()}") from e

    def crash(self):
        """As a crash of the machine's power would: nobody says goodbye."""
        pids = self.pids()
        self.proc.kill()
        self.proc.wait()
        while any(os.path.exists(f"/proc/{p}") for p in pids):
            time.sleep(0.02)

    def sessions(self):
        """Which sessions have their tunnel."""
        return {s["session"] for s in self.ctl("show", "sessions")
                if s["tunnel"] == "up"}

    def busy(self):
        """Streams and rows of the access log that are open."""
        rows = {x["name"]: x["value"] for x in self.ctl("show", "stats")}
        return int(rows["streams"]), int(rows["access_rows_open"])

    def tail(self):
        """The end of the log, for error messages."""
        with open(self.log.name, errors="replace") as f:
            return f.read()[-2000:]

    def pids(self):
        return children(self.proc.pid)

    def tunnel_pids(self):
        """The workers that hold a tunnel."""
        return [p for p in self.pids() if comm(p) == "muxd"]

    def ctl(self, *args):
        """The rows that relayctl prints, as dictionaries."""
        r = subprocess.run([os.path.join(self.build, "bin/relayctl"), "-s",
                            self.sock, "-j", *args], capture_output=True,
                           text=True)
        if r.returncode != 0:
            raise BenchError(f"relayctl {' '.join(args)}: {r.stderr}")
        return json.loads(r.stdout)

    def wait_ctl(self):
        """Until authd answers: the store is open."""
        end = time.monotonic() + 20
        while True:
            try:
                self.ctl("show", "stats")
                return
            except (BenchError, ValueError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def slots(self, n):
        """n slots, NODES to a system."""
        slots = []
        for i in range((n + NODES - 1) // NODES):
            a = self.ctl("-f", "system", "add", f"bench{i}")[0]
            if n == 1:
                return [Slot(a["key"], a["secret"])]
            slots += [Slot(a["key"], a["secret"], str(j + 1))
                      for j in range(NODES)]
        return slots[:n]

    def api(self, method, path, body=None):
        """One request to the operator API."""
        if self.token is None:
            self.token = self.ctl(
                "token", "create", "user", "bench", "org", "bench", "role",
                "owner", "permission", "connect:systems", "permission",
                "read:systems", "lifetime",
                "6h")[0]["token"]
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        c.request(method, path, body and json.dumps(body), {
            "Authorization": "Bearer " + self.token,
            "Content-Type": "application/json"})
        r = c.getresponse()
        text = r.read()
        c.close()
        if r.status != 200:
            raise BenchError(f"{method} {path}: {r.status} {text[:300]!r}")
        return json.loads(text)["data"]

    def session(self, slot, limit=20):
        """The id of a slot's session, once its tunnel is up and its services
        are known."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            data = self.api("GET", "/api/support-sessions?page_size=100")
            for group in data["support_sessions"]:
                if group["system_key"] != slot.key:
                    continue
                for s in group["sessions"]:
                    if s.get("node_id", "") in (slot.node, None) and \
                            s["status"] == "active" and \
                            self.api("GET", "/api/support-sessions/"
                                     f"{s['id']}/services")["services"]:
                        return s["id"]
            time.sleep(0.1)
        raise BenchError("no active session: " + self.tail())

    def cookie(self, slug, service, token):
        """What a browser has in its jar for all hosts of a session after the
        token's exchange."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        c.request("GET", f"/?token={token}", headers={
            "Host": f"{service}--{slug}.{DOMAIN}:{self.port}"})
        r = c.getresponse()
        r.read()
        c.close()
        for line in r.headers.get_all("Set-Cookie") or []:
            if line.startswith(f"support_proxy_{slug}="):
                return line.split(";")[0]
        raise BenchError(f"no cookie: {r.status} {r.headers}")

    def heads(self, slots):
        """Of requests with the operator's token to the service web behind
        each of these, for lib.hold(); the path is the service's."""
        ids = {(s["key"], s["node"].strip("-")): s["session"]
               for s in self.ctl("show", "sessions")}
        self.api("GET", "/api/support-sessions?page_size=1")
        heads = []
        for slot in slots:
            slug = ids[slot.key, slot.node].replace("-", "")
            host = f"web--{slug}.{DOMAIN}:{self.port}"
            token = self.api("POST", "/api/support-sessions/"
                             f"{ids[slot.key, slot.node]}/proxy-token",
                             {"service": "web"})["token"]
            heads.append([("Host", host),
                          ("Cookie", self.cookie(slug, "web", token))])
        return heads

    def head(self, slot, service):
        """Host and Cookie of requests to a service behind a slot."""
        who = (slot.key, slot.node)
        if who not in self.cookies:
            sid = self.session(slot)
            token = self.api("POST", f"/api/support-sessions/{sid}/proxy-token",
                             {"service": service})["token"]
            slug = sid.replace("-", "")
            self.cookies[who] = (slug, self.cookie(slug, service, token))
        slug, cookie = self.cookies[who]
        host = f"{service}--{slug}.{DOMAIN}:{self.port}"
        return [("Host", host), ("Origin", f"http://{host}"),
                ("Cookie", cookie)]

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.log.close()
