# SPDX-License-Identifier: ISC
"""Two members of a cluster: what a small request costs each of them when it
comes to the one that has its tunnel, and when the other passes it on, as it is
and in TLS."""

import os
import re
import statistics
import subprocess
import tempfile
import time

import benchlib as lib
from benchlib import BenchError, Meter
from relayd_bench import Relayd

import postgres
from certs import Authority
from redisserver import Redis

CONNECTIONS = 32
CLUSTER = """
redis "redis://127.0.0.1:{redis}/0" password file "{password}"
cluster {{
	name {name}
	secret file "{secret}"
	peer address {at} port {peer}
{ca}}}
listen on {at} port {peer} peer{tls}
"""


def in_tls(ca, name):
    """What is said of TLS in the cluster's block, and behind the listener."""
    return {"ca": f'\tpeer tls ca file "{ca.file}"\n',
            "tls": ' tls {\n\tcert "%s" key "%s"\n}' % ca.make(name, [name])}


class Member(Relayd):
    """One of them, on PostgreSQL."""

    def __init__(self, build, directory, store, jwt, more):
        self.with_store, self.with_jwt = store, jwt
        super().__init__(build, directory, more=more)

    def start(self):
        with open(self.conf) as f:
            text = f.read()
        text = re.sub("(?m)^store .*$", lambda _: "store " + self.with_store +
                      f' directory "{self.dir}/store"', text)
        with open(self.conf, "w") as f:
            f.write(text)
        if self.with_jwt:
            with open(os.path.join(self.dir, "jwt.secret"), "w") as f:
                f.write(self.with_jwt)
        super().start()


def load(port, head, path, seconds):
    """Requests that were answered."""
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    for k, v in head:
        argv += ["-H", f"{k}: {v}"]
    out = subprocess.run(argv + [f"http://127.0.0.1:{port}{path}"], check=True,
                         capture_output=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise BenchError("not all was answered:\n" + out)
    return int(re.search(r"(\d+) requests in", out).group(1))


def one(b, way, port, members, head, path):
    """CPU in us per request of each member, and requests a second."""
    meters = [Meter(m.pids).start() for m in members]
    n = load(port, head, path, b.args.seconds)
    return [m.stop() / n / 1000 for m in meters] + [n / b.args.seconds]


def measure(b, say):
    t = b.table(f"Members of a cluster, {CONNECTIONS} connections, keep-alive, "
                f"{b.args.rounds} rounds of {b.args.seconds} s, interleaved; "
                "CPU us/request (median)", "what", "comes to", "of who has it",
                "x", "of who passes it on", "x", "requests/s")
    for tls in False, True:
        cluster(b, t, say, tls)


def cluster(b, t, say, tls):
    pg = postgres.server()
    directory = os.path.join(b.dir, "tls" if tls else "plain")
    os.mkdir(directory)
    with Redis() as redis:
        secret = redis.file("cluster", os.urandom(32).hex())
        ca = Authority(tempfile.mkdtemp(dir=directory)) if tls else None
        store = 'postgresql "%s"' % pg.conninfo(pg.database(), None)
        peer, members = lib.free_port(), []
        try:
            for i, name in enumerate("ab"):
                jwt = members and open(os.path.join(
                    members[0].dir, "jwt.secret")).read()
                said = in_tls(ca, name) if tls else {"ca": "", "tls": ""}
                members.append(Member(
                    b.args.build, directory, store, jwt, CLUSTER.format(
                        redis=redis.port, password=redis.password,
                        name=name, secret=secret, at=f"127.0.1.{i + 1}",
                        peer=peer, **said)))
            run(b, t, say, tls, *members)
        finally:
            for m in members:
                m.stop()


def sees_both(member):
    try:
        return len([m for m in member.ctl("show", "members")
                    if m["state"] == "up"]) == 2
    except BenchError:
        return False        # its store is being opened


def run(b, t, say, tls, a, other):
    while not all(sees_both(m) for m in (a, other)):
        time.sleep(0.2)
    slot = a.slots(1)[0]
    client = lib.Client(b.tools, b.services, slot, a.port)
    try:
        page = a.head(slot, "web")
        call = [("Authorization", "Bearer " + a.token), ("Host", "x")]
        sid = a.session(slot)
        lib.wait_service(a.port, page)
        for what, head, path in (
                ("a page", page, "/"),
                ("a call of the API", call, "/api/support-sessions/" + sid)):
            runs = {"who has it": [], "the other": []}
            for _ in range(b.args.rounds):
                for way, m in ("who has it", a), ("the other", other):
                    say(f"members: {what}, to {way}")
                    runs[way].append(one(b, way, m.port, (a, other), head,
                                         path))
            row(b, t, what + (" in TLS" if tls else ""), runs)
    finally:
        client.stop()


def row(b, t, what, runs):
    med = {w: [statistics.median(x[i] for x in r) for i in range(3)]
           for w, r in runs.items()}
    direct = med["who has it"][0]
    for way, (has, passes, rate) in med.items():
        t.add(what, way, f"{has:.1f}", f"{has / direct:.2f}",
              f"{passes:.1f}", f"{passes / direct:.2f}", f"{rate:.0f}")
    has, passes, _ = med["the other"]
    b.target(f"members: {what} that is passed on, against a direct one, on "
             "each", max(has, passes) / direct, 1.6, "x")
