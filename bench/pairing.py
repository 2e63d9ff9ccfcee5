# SPDX-License-Identifier: ISC
"""Pairing beside a Node relay of the same messages: pairings, and what
connections that wait cost in memory."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess

import benchlib as lib
from benchlib import BenchError
from relayd_bench import Relayd

HERE = os.path.dirname(os.path.abspath(__file__))
FULL = 10000        # connections: the limit of both
AT_ONCE = 32        # pairings that are under way


class Node:
    """peer-node, with the ws of its package-lock.json."""

    def __init__(self, directory):
        self.dir = os.path.join(directory, "peer-node")
        if not os.path.isdir(self.dir):
            shutil.copytree(os.path.join(HERE, "peer-node"), self.dir)
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=self.dir,
                           check=True, capture_output=True, timeout=300)
        self.port = lib.free_port()
        self.p = subprocess.Popen(["node", "relay.mjs", str(self.port)],
                                  cwd=self.dir, stdout=subprocess.DEVNULL)
        lib.wait_port(self.port, self.p)

    def pids(self):
        return [self.p.pid]

    def stop(self):
        self.p.terminate()
        self.p.wait()


class Ours:
    """relayd, and a listener of it that pairs."""

    def __init__(self, build, directory):
        self.port = lib.free_port()
        self.relay = Relayd(build, directory, more="listen on 127.0.0.1 "
                            f"port {self.port} pair only\n")
        self.pids, self.stop = self.relay.pids, self.relay.stop


def cpu(pids):
    return sum(lib.cpu_ns(p) or 0 for p in pids) / 1e9


def memory(pids):
    return sum(sum(lib.memory(p)) for p in pids)


def load(program, relay, count):
    """(pairings a second, and a CPU second)"""
    before = cpu(relay.pids())
    r = subprocess.run([program, "load", f"127.0.0.1:{relay.port}",
                        str(count), str(AT_ONCE)], stdout=subprocess.PIPE,
                       check=True, timeout=600)
    used = cpu(relay.pids()) - before
    return json.loads(r.stdout)["pairings"], count / used


@contextlib.contextmanager
def held(program, relay, count):
    """Connections of which each waits under a code."""
    p = subprocess.Popen([program, "hold", f"127.0.0.1:{relay.port}",
                          str(count)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    try:
        if p.stdout.readline() != b"held\n":
            raise BenchError("not all connections are held")
        yield
    finally:
        p.stdin.close()
        p.wait()


def measure(b, say):
    """Tables of the bench `b`; `say` tells how far it is."""
    program = b.tools.path("pairing")
    full, count = (500, 500) if b.args.quick else (FULL, 10000)
    t = b.table(f"Pairing: two connections, five messages, {AT_ONCE} at once "
                "(a CPU second is one of the relay's processes)", "relay",
                "pairings/s", "pairings per CPU second")
    m = b.table(f"Pairing: {full:,} connections that each wait under a code",
                "relay", "memory, MiB", "KiB each")
    got = {}
    for name, make in (("relayd", lambda: Ours(b.args.build, b.dir)),
                       ("Node, ws", lambda: Node(b.dir))):
        say(f"pairing: {name}")
        relay = make()
        try:
            # The first time is for the compiler.
            load(program, relay, count // 10)
            rows = [load(program, relay, count) for _ in range(b.args.rounds)]
            rate, each = (statistics.median(x) for x in zip(*rows))
            t.add(name, f"{rate:,.0f}", f"{each:,.0f}")
        finally:
            relay.stop()
        relay = make()
        try:
            before = memory(relay.pids())
            with held(program, relay, full):
                more = memory(relay.pids()) - before
            m.add(name, f"{(before + more) / 2**20:,.1f}",
                  f"{more / full / 1024:.1f}")
        finally:
            relay.stop()
        got[name] = each
    b.target("pairings per CPU second, of the Node relay's",
             got["relayd"] / got["Node, ws"], 1, "", at_most=False)
