#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rendezvous: how it ends: limits, times, delete, deaths, the server's stop."""

import os
import re
import resource
import socket
import subprocess
import threading
import time

from harness import Relayd, Tap, until
from peers import Relay

t = Tap()


def limit(r):
    for pieces in ([1001], [500, 501]):
        s, a, b = r.pair()
        a.send(b"x" * 1000)
        t.equal(b.recv(), (2, b"x" * 1000), "rendezvous-46(partial): 1000 "
                "bytes pass")
        for i, n in enumerate(pieces):
            a.send(b"y" * n, 2 if i == 0 else 0, i == len(pieces) - 1)
        op, data = a.recv()
        t.equal((op, data), (8, b"\x03\xf1message too big"),
                "rendezvous-46(partial): 1001 in %d: 1009" % len(pieces))
        fin = False
        while True:
            fin, op, data = b.frame()
            if op == 8:
                break
            t.ok(not fin, "the message is not completed")
        t.equal(data, b"\x03\xe9peer connection lost",
                "rendezvous-46: the other never sees it whole, and 1001")
        b.send(data[:2], 8)
    s, a, b = r.pair()
    for _ in range(3):
        a.send(b"x" * 600)
        b.recv()
    a.send("z" * 500, 1, False)
    a.send(b"z" * 500, 0, True)
    t.equal(len(b.recv()[1]), 1000, "each message has the limit anew")


def waits(r):
    s = r.create()
    a = r.join(s, "initiator")
    until(lambda: r.state(s) == "half_open", "the first")
    r.d.move_clock(114000)
    a.send(b"there", 9)
    t.equal(a.recv(), (10, b"there"), "rendezvous-33(partial): who waits is "
            "there after 114 s")
    r.d.move_clock(6100)
    t.equal(a.closed(), (1001, "peer did not connect in time"),
            "rendezvous-37(partial): after 120 s nobody has come")
    s, a, b = r.pair(s)
    a.send("x")
    t.equal(b.recv(), (1, b"x"), "rendezvous-37: the token is good again")


def delete(r):
    s, a, b = r.pair()
    r.call("DELETE", "/" + s["id"])
    t.equal((a.closed(), b.closed()), ((1001, "session closed"),) * 2,
            "rendezvous-40(partial): DELETE: both hear 1001")
    w = r.dial("/relay/%s?token=%s" % (s["id"], s["initiator_token"]))
    t.equal(w.status, 404, "rendezvous-40: later upgrades get 404")
    s = r.create()
    a = r.join(s, "initiator")
    r.call("DELETE", "/" + s["id"])
    t.equal(a.closed(), (1001, "session closed"), "one who waits, too")
    # In the middle of a transfer.
    s, a, b = r.pair()
    go = threading.Event()

    def pump():
        try:
            while True:
                a.send(b"x" * 65536)
                go.set()
        except OSError:
            pass
    x = threading.Thread(target=pump, daemon=True)
    x.start()
    go.wait()
    b.recv()
    r.call("DELETE", "/" + s["id"])
    t.equal(b.closed(), (1001, "session closed"), "in mid-transfer: whole "
            "frames, then the close")
    a.s.close()


def expiry(r):
    s, a, b = r.pair(r.create({"ttl": 600}))
    until(lambda: r.state(s) == "open", "both")
    r.d.move_clock(500000)
    a.send("x")
    t.equal(b.recv(), (1, b"x"), "rendezvous-41(partial): before the end")
    r.d.move_clock(100100)
    t.equal((a.closed(), b.closed()), ((1001, "session expired"),) * 2,
            "rendezvous-41: the TTL ends what is relayed")
    t.equal(r.status(s), None, "rendezvous-42(partial): it is not listed")
    c = r.join(s, "initiator")
    t.equal(c.closed(), (1008, "session expired"),
            "rendezvous-42: before the sweep: 101, then 1008")
    r.d.move_clock(11000)
    w = r.dial("/relay/%s?token=%s" % (s["id"], s["initiator_token"]))
    t.equal(w.status, 404, "after it: 404")


def stall(r):
    s, a, b = r.pair()
    a.s.setblocking(False)
    block = b"\x82\xff" + (1 << 16).to_bytes(8, "big") + bytes(4 + (1 << 16))
    buf, quiet = b"", time.monotonic()
    while time.monotonic() - quiet < 1.5:
        buf = buf or block
        try:
            buf = buf[a.s.send(buf):]
            quiet = time.monotonic()
        except BlockingIOError:
            time.sleep(0.05)
    for _ in range(10):
        r.d.move_clock(28000)
    t.equal(r.state(s), "open", "rendezvous-48(partial): a reader stalled "
            "for 280 s: nobody is closed")
    r.d.move_clock(25000)
    a.s.setblocking(True)
    t.equal(a.closed(), (1011, "peer write failed"),
            "rendezvous-49: a stall beyond the limit: 1011 to the sender")
    a.s.close()


def pings(r):
    s, a, b = r.pair()
    until(lambda: r.state(s) == "open", "both")
    r.d.move_clock(30100)
    op, data = a.recv()
    t.equal((op, len(data)), (9, 8), "a server's ping after 30 s of silence")
    a.send(data, 10)
    t.equal(b.recv()[0], 9, "on both legs")
    b.send(b"x")
    while a.recv()[0] != 2:
        pass
    # From now on only one of them is heard.
    code = None
    for _ in range(8):
        r.d.move_clock(30100)
        a.send(b"", 10)
        op, data = a.recv()
        while op == 9:
            a.s.settimeout(1)
            try:
                op, data = a.recv()
            except TimeoutError:
                break
            finally:
                a.s.settimeout(60)
        if op == 8:
            code = data
            break
    t.equal(code, b"\x03\xe9peer connection lost", "three intervals without "
            "a byte are a loss")


def deaths(r):
    one, two = r.pair(), r.pair()
    r.d.kill(int(r.d.processes("rendd")[-1]["pid"]))
    until(lambda: sorted(r.state(x[0]) for x in (one, two)) ==
          ["open", "pending"], "one session without its process")
    t.ok(True, "a rendd that dies takes one session's peers with it")
    dead, live = (one, two) if r.state(one[0]) == "pending" else (two, one)
    x, y = r.join(dead[0], "initiator"), r.join(dead[0], "responder")
    x.send("back")
    t.equal(y.recv(), (1, b"back"), "they come back with the same tokens")
    live[1].send("on")
    t.equal(live[2].recv(), (1, b"on"), "the other goes on")


def authd(r):
    """What outlives authd, and what it knows of that afterwards."""
    s, a, b = r.pair(r.create({"channels": 2}))
    lone = r.create()
    c = r.join(lone, "initiator")
    gone = r.create()
    r.call("DELETE", "/" + gone["id"])
    a.send(b"x" * 1000)
    b.recv()
    until(lambda: r.status(s)["bytes_in"] == 1000, "counters")
    a.close(1000)
    b.closed()
    until(lambda: r.state(s) == "pending", "both to have left")
    a, b = r.join(s, "initiator"), r.join(s, "responder")
    until(lambda: r.state(s) == "open", "both")
    old = r.d.pid_of("authd")
    r.d.kill(old)
    a.send("while it is away")
    t.equal(b.recv(), (1, b"while it is away"), "what is joined outlives "
            "authd")
    until(lambda: [p for p in r.d.processes("authd")
                   if int(p["pid"]) != old and p["state"] == "ready"],
          "the next authd")
    until(lambda: r.call("GET", "/" + s["id"])[0] == 200 and
          r.state(s) == "open", "the next one to know it")
    got = r.status(s)
    t.equal((got["bytes_in"] >= 1000, got["initiator_connected"]),
            (True, True), "which knows who is there, and what had moved")
    t.equal(r.status(gone), None, "and nothing of what was deleted")
    d = r.join(lone, "responder")
    d.send("late")
    t.equal(c.recv(), (1, b"late"), "a token from before is good, in the "
            "process from before")
    x, y = r.join(s, "initiator", 1), r.join(s, "responder", 1)
    x.send("one")
    t.equal(y.recv(), (1, b"one"), "so are the channels")
    t.equal(r.call("DELETE", "/" + s["id"])[0], 204, "it can be deleted")
    t.equal({w.closed() for w in (a, b, x, y)}, {(1001, "session closed")},
            "by which all go")
    return lone


def again(d, r, lone):
    """relayd itself."""
    d.stop()
    d.start()
    until(lambda: r.call("GET")[0] == 200, "authd")
    t.equal(r.state(lone), "pending", "a session outlives relayd's restart")
    a, b = r.join(lone, "initiator"), r.join(lone, "responder")
    a.send("again")
    t.equal(b.recv(), (1, b"again"), "with its tokens")


def stop(d, r):
    s, a, b = r.pair()
    lone = r.join(r.create(), "initiator")
    x = threading.Thread(target=d.stop)
    x.start()
    t.equal([w.closed() for w in (a, b, lone)],
            [(1001, "server shutting down")] * 3,
            "rendezvous-57(partial): SIGTERM: every peer hears it")
    x.join()
    t.equal(d.p.returncode, 0, "rendezvous-57(partial): exit 0")
    with socket.create_server(("127.0.0.1", d.port)):
        p = subprocess.run([d.build + "/bin/relayd", "-d", "-f", d.conf, "-L",
                            d.libexec], stderr=subprocess.DEVNULL)
    t.equal(p.returncode, 1, "rendezvous-57: a port that is taken: exit 1")


def rush(r):
    """Many who come while the process is only being started."""
    for _ in range(10):
        s = r.create({"channels": 32})
        got = [None] * 32

        def come(i):
            got[i] = r.join(s, "initiator", i)
        xs = [threading.Thread(target=come, args=(i,)) for i in range(32)]
        for x in xs:
            x.start()
        for x in xs:
            x.join()
        mine = [w for w in got if w is not None]
        until(lambda: r.state(s) == "half_open", "them")
        t.equal(len(mine), 32, "32 who come at once are all let in")
        r.call("DELETE", "/" + s["id"])
        t.equal({w.closed() for w in mine}, {(1001, "session closed")},
                "into one process")


def ticks(d):
    """What all processes of the relay have used of a CPU, seconds."""
    used = 0
    for role in "rendd", "authd", "proxyd":
        for p in d.processes(role):
            with open("/proc/%s/stat" % p["pid"]) as f:
                used += sum(map(int, f.read().rsplit(") ")[1].split()[11:13]))
    return used / os.sysconf("SC_CLK_TCK")


def idle(r):
    """A thousand who wait, and how soon a pair of them is one."""
    made = [r.create({"channels": 256}) for _ in range(4)]
    ws = [(r.join(s, "initiator", i), s, i) for s in made
          for i in range(250)]
    until(lambda: [r.state(s) for s in made] == ["half_open"] * 4, "them")
    before, begun = ticks(r.d), time.monotonic()
    time.sleep(5)
    used, span = ticks(r.d) - before, time.monotonic() - begun
    t.ok(used < 0.02 * span, "rendezvous-43(partial): 1000 who wait use "
         "%.1f %% of a core" % (100 * used / span))
    took = []
    for w, s, i in ws[:51]:
        w.send("early")
        b = r.join(s, "responder", i)
        begun = time.monotonic()
        t.equal(b.recv(), (1, b"early"), "what waited has come")
        took.append(time.monotonic() - begun)
    took.sort()
    t.ok(took[25] < 0.01, "rendezvous-43: half of 51 pairs are one within "
         "%.1f ms of the second attach" % (1000 * took[25]))
    for s in made:
        r.call("DELETE", "/" + s["id"])


def crowd(r):
    """Many who wait in one process cost it nothing, and none waits for all."""
    s = r.create({"channels": 256})
    ws = [r.join(s, "initiator", i) for i in range(256)]
    pid = int(r.d.processes("rendd")[-1]["pid"])

    def wakes():
        with open("/proc/%d/status" % pid) as f:
            return int(re.search(r"\nvoluntary_ctxt_switches:\t(\d+)",
                                 f.read()).group(1))
    before = wakes()
    time.sleep(3)
    t.ok(wakes() - before <= 6, "rendezvous-43(partial): 256 who wait wake "
         "nobody: %d times in 3 s" % (wakes() - before))
    peers = [r.join(s, "responder", i) for i in range(256)]
    for i, (a, b) in enumerate(zip(ws, peers)):
        a.send("%d" % i)
    t.ok(all(b.recv() == (1, b"%d" % i) for i, b in enumerate(peers)),
         "256 channels, each with its own")
    for i in range(100):
        w = r.join(s, "initiator", 0) if i else ws[0]
        w.close(1000)
        t.equal(peers[0].closed()[0], 1000, "open and close, again")
        peers[0] = r.join(s, "responder", 0)
    r.call("DELETE", "/" + s["id"])
    t.equal({w.closed() for w in peers[1:]}, {(1001, "session closed")},
            "and all hear the end")


resource.setrlimit(resource.RLIMIT_NOFILE,
                   (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
with Relayd(t, conf="relay {\n\tno auth\n\tmax message 1000\n}\n") as d:
    limit(Relay(d))
with Relayd(t, conf="relay {\n\tno auth\n\tping interval 0s\n}\n") as d:
    r = Relay(d)
    waits(r)
    delete(r)
    expiry(r)
    stall(r)
with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    r = Relay(d)
    pings(r)
    deaths(r)
    again(d, r, authd(r))
    rush(r)
    idle(r)
    crowd(r)
with Relayd(t, conf="relay {\n\tno auth\n}\n") as d:
    stop(d, Relay(d))
t.done()
