#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""relayctl drain: a member takes nothing new, its clients go to the others, what
runs runs on, and who waits hears how it went."""

import os
import re
import shutil
import tempfile

import harness
import postgres
from cluster import Cluster, Draining, Front
from harness import (GoClient, OurClient, Relayd, Tap, Targets, free_port,
                     until)
from pairing import Device, codes, listeners
from peers import Relay
from transfer import Transfer
from upgrades import programs, upgrade

t = Tap()
OURS, THEIRS = 4, 3


class World:
    """Three members, a balancer, clients of a system each: ours and others."""

    def __init__(self, targets, **kw):
        self.c = Cluster(t, **kw)
        self.web = "web=127.0.0.1:%d" % targets.http
        self.clients = []

    def __enter__(self):
        self.c.__enter__()
        for m in self.c.members.values():
            self.c.wait_seen(m, self.c.names)
        self.front = Front(self.c, shuts=False, patience="5s").__enter__()
        for n in range(OURS + THEIRS):
            key, secret = self.c["a"].add_system("s%d" % n)
            client = OurClient(self.front, key, secret, self.web,
                               ("--reconnect-delay", "5s")) if n < OURS \
                else GoClient(self.front, key, secret, self.web)
            self.clients.append(client.__enter__())
        self.wait_all()
        return self

    def __exit__(self, *exc):
        for cl in self.clients:
            cl.__exit__(*exc)
        self.front.__exit__(*exc)
        return self.c.__exit__(*exc)

    def wait_all(self):
        def is_whole():
            had, store = self.c.had(), self.c.holders()
            return len(had) == len(self.clients) and \
                had == sorted(store.items())
        until(is_whole, "all clients in their sessions")

    def ids(self):
        return sorted(self.c.holders())

    def of(self, name):
        return [s for s, m in self.c.had() if m == name]


def state(d):
    return d.ctl("show", "drain")[0]


def begun(d):
    until(lambda: state(d)["state"] != "no", "the drain to have begun")


def audit(d, action):
    return [x for x in d.ctl("show", "audit", "after", "0")
            if x["action"] == action]


def busy_at(w, name):
    """Transfers that go on through tunnels of this member."""
    d = w.c[name]
    token = d.token()
    out = []
    for i, s in enumerate(w.of(name)[:2]):
        until(lambda: d.ctl("show", "services", s), "its services")
        out.append(Transfer(d, s, d.cookie(s, token), rate=2 << 20,
                            size=16 << 20, seed=20 + i))
    return out


def moved(w):
    """All leave while transfers run; nothing is lost."""
    c, b = w.c, w.c["b"]
    was = w.ids()
    running = busy_at(w, "b")
    t.ok(len(running) > 0, "transfers run at the member that will drain")
    key, secret = c["a"].add_system("late")
    relays = Relay(b)
    mark = b.log.mark()
    d = Draining(b, "time", "2m")
    begun(b)
    until(lambda: b"draining" in b.request("GET", "/readyz")[2], "all doors")
    t.equal(b.request("GET", "/readyz")[0], 503, "its health check says so")
    t.equal(b.login(key, secret), 503, "it takes no tunnel")
    st, _, body = relays.call("POST")
    t.equal((st, b"draining" in body), (503, True), "and no relay session")
    until(lambda: c.seen(c["a"], "draining") == ["b"] ==
          c.seen(c["c"], "draining"), "the others to see it")
    t.ok(True, "all see it in `show members`")
    t.equal([p["state"] for p in b.processes("authd")], ["draining"],
            "and `show processes` of itself")
    t.equal([x["value"] for x in b.ctl("show", "stats")
             if x["name"] == "draining"], ["yes"], "`show stats`")
    t.match(b.ctl_raw("show", "metrics").stdout, r"relayd_draining +- +1",
            "and metrics")
    t.equal([(x.intact(), x.error) for x in running],
            [(True, None)] * len(running), "transfers arrive whole")
    t.equal(d.end(), (0, "drained", ""), "relayctl says when all have gone")
    w.wait_all()
    t.equal((w.ids(), w.of("b")), (was, []),
            "all clients are in their sessions, at other members")
    t.ok(not b.log.has("offence", mark), "nobody is killed for it")
    row = state(b)
    t.ok((row["state"], row["tunnels"]) == ("drained", "0") and
         int(row["moved"]) > 0, "the account: %r" % row)
    t.equal(Draining(b).end(), (0, "drained", ""),
            "one that has nothing is drained at once, once more")
    t.equal([(x["actor"], x["outcome"], x["reason"])
             for x in audit(c["a"], "drain")],
            [("uid %d" % os.getuid(), how, why) for how, why in (
                ("refused", "the time is 1 s to 24 h"), ("done", "120 s"),
                ("done", "60 s"))], "the audit log has who began it")
    t.equal(b.ctl_raw("drain", "cancel").returncode, 0, "and it is cancelled")
    until(b.is_ready, "it to serve again")
    until(lambda: c.seen(c["a"]) == list("abc"), "all to be up")
    t.equal(b.login(key, secret), 101, "it takes tunnels again")
    r = b.ctl_raw("drain", "cancel")
    t.ok(r.returncode != 0 and "does not drain" in r.stderr,
         "what does not drain cannot be cancelled")
    until(lambda: len(audit(c["a"], "drain_cancel")) == 2, "both to be written")
    t.equal([x["outcome"] for x in audit(c["a"], "drain_cancel")],
            ["done", "refused"], "which is logged, too")


def limits(w):
    for word in ("0s", "25h"):
        r = w.c["a"].ctl_raw("drain", "time", word)
        t.ok(r.returncode != 0, "a time of %s is none: %s" % (
            word, r.stderr.strip()))
    t.equal(state(w.c["a"])["state"], "no", "and begins nothing")


def late(w):
    """Something is in use beyond the time: it is not cut off."""
    c = w.c
    name = [n for n in "abc" if w.of(n)][0]
    d = c[name]
    sid = w.of(name)[0]
    token = d.token()
    term = d.terminal(sid, d.ticket(sid, token))
    term.send(b"\0" + b"echo done-$((6*7))\r")
    term.recv_until(rb"done-42")
    code, said, err = Draining(d, "time", "6s").end()
    t.equal((code != 0, said), (True, "late"), "the time is over: %s" %
            err.strip())
    row = state(d)
    t.equal((row["tunnels"], row["busy"], row["left"]), ("1", "1", "0"),
            "a terminal is left, and its tunnel")
    term.send(b"\0" + b"echo more-$((6*7))\r")
    term.recv_until(rb"more-42")
    t.ok(True, "which goes on")
    again = Draining(d, "time", "1m")
    until(lambda: state(d)["state"] == "draining", "more time")
    t.equal(d.ctl_raw("drain", "cancel").returncode, 0, "cancelled")
    code, said, err = again.end()
    t.equal((code != 0, said, "cancelled" in err), (True, "no", True),
            "who waits hears of it")
    until(d.is_ready, "it to serve")
    again = Draining(d, "time", "1m")
    begun(d)
    d.kill(d.pid_of("authd"))
    until(lambda: d.ctl_try("show", "drain"), "another authd")
    until(lambda: b"draining" in d.request("GET", "/readyz")[2], "it to serve")
    t.equal(state(d)["state"], "draining", "an authd that follows drains on")
    term.send(b"\0" + b"exit\r")
    term.s.close()
    t.equal(again.end(), (0, "drained", ""),
            "with the last terminal the last tunnel goes, and who has waited "
            "all the time hears it")
    w.wait_all()
    return name


def upgraded(w, name):
    """A new program in the middle of it."""
    c = w.c
    d = c[name]
    d.ctl("drain", "cancel")
    until(d.is_ready, "it to serve")
    other = [n for n in "abc" if n != name and w.of(n)][0]
    d = c[other]
    sid = w.of(other)[0]
    term = d.terminal(sid, d.ticket(sid, d.token()))
    waits = Draining(d, "time", "3m")
    begun(d)
    upgrade(t, d, "a member that drains")
    t.equal(state(d)["state"], "draining", "the new program drains on")
    t.equal([p["state"] for p in d.processes("authd")], ["draining"],
            "and shows it")
    term.s.close()
    t.equal(waits.end(), (0, "drained", ""), "to its end")
    w.wait_all()
    t.equal(w.of(other), [], "with all its clients elsewhere")
    d.stop()
    until(lambda: other not in c.seen(c[name]) and
          other not in c.seen(c[name], "draining"), "it to be away")
    d.start()
    c.wait_seen(c[name], "abc")
    t.equal((state(d)["state"], d.is_ready()), ("no", True),
            "one that was drained, stopped and started serves as ever")


def hurried(w):
    """Ours have come again without waiting: what is said of the first time that
    each was asked to."""
    waits = [re.search(r"1001 draining; next attempt in (\d+\.\d) s",
                       cl.err.text()) for cl in w.clients[:OURS]]
    waits = [float(m.group(1)) for m in waits if m]
    t.ok(waits and max(waits) <= 1.0, "tunnel-56: our clients come again "
         "within a second of 1001, not of 5 s: %s" % waits)


def is_served(port):
    d = Device(port)
    try:
        return d.status == 101 and d.quiet()
    except (ConnectionError, OSError):
        return False
    finally:
        d.gone()


def pairs():
    """Devices meet at the lowest member that does not drain."""
    ports = {n: free_port() for n in "ab"}
    with Cluster(t, "ab", own={n: listeners(ports[n]) for n in "ab"},
                 proxyds=1) as c:
        for n in "ab":
            c.wait_seen(c[n], "ab")
        waits = Device(ports["a"])
        waits.ask("listen", otc=str(next(codes)))
        x, y = Device(ports["b"]), Device(ports["b"])
        otc = str(next(codes))
        x.ask("listen", otc=otc)
        t.equal(y.ask("connect", otc=otc)["type"], "peer_found",
                "two devices meet at a, wherever they come")
        x.hear()
        d = Draining(c["a"], "time", "1m")
        t.equal(waits.ended()[1:], (1001, "moved"),
                "who waits there is asked to come again")
        until(lambda: c.seen(c["b"], "draining") == ["a"], "b to know")
        # A door knows for two seconds where devices meet.
        until(lambda: is_served(ports["a"]) and is_served(ports["b"]),
              "the doors to know, too")
        p, q = Device(ports["a"]), Device(ports["a"])
        otc = str(next(codes))
        p.ask("listen", otc=otc)
        t.equal(q.ask("connect", otc=otc)["type"], "peer_found",
                "others meet at b, also by way of a")
        y.say("data", payload="x")
        t.equal(x.hear()["type"], "data", "who has met goes on")
        t.equal(state(c["a"])["devices"], "2", "and is waited for")
        x.gone()
        t.equal(d.end(), (0, "drained", ""), "until they part")
        for one in p, q:
            one.gone()
        c["a"].ctl("drain", "cancel")


def alone():
    """One relayd, no cluster: its clients may come to another one's address."""
    with Relayd(t) as d:
        key, secret = d.add_system()
        with OurClient(d, key, secret) as cl:
            d.wait_session()
            t.equal(Draining(d).end(), (0, "drained", ""),
                    "a relayd that is alone can be drained, too")
            until(lambda: "503" in cl.err.text(), "its client to hear 503")
            d.ctl("drain", "cancel")
            d.wait_session()
            t.ok(True, "and takes its client back when it is cancelled")


alone()
if postgres.programs() is None or shutil.which("haproxy") is None:
    t.skip("there is no PostgreSQL or no haproxy", "members that drain")
else:
    place = tempfile.mkdtemp(prefix="relayd-programs-")
    os.chmod(place, 0o755)
    programs(harness.BUILD, place)
    with Targets() as targets, World(
            targets, conf="relay {\n\tno auth\n}\n", build=place) as w:
        limits(w)
        moved(w)
        upgraded(w, late(w))
        hurried(w)
    shutil.rmtree(place, ignore_errors=True)
    pairs()
t.done()
