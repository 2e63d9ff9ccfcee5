# SPDX-License-Identifier: ISC
"""Devices that pair: each is one WebSocket to /ws."""

import json
import itertools
import socket

from harness import WAIT, free_port
from peers import Peer

codes = itertools.count(482613)
hosts = itertools.count(2)


class Device(Peer):
    """`host` is its address; one of its own, unless it is said."""

    def __init__(self, port, host=None, path="/ws", headers=None):
        n = next(hosts)
        self.host = host or "127.0.%d.%d" % (n // 250, n % 250 + 2)
        s = socket.create_connection(("127.0.0.1", port), WAIT,
                                     (self.host, 0))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(s, "127.0.0.1:%d" % port, path, headers)

    def say(self, kind, **members):
        self.send(json.dumps(dict(type=kind, **members)))

    def message(self):
        """The next text, of which pings are no part."""
        while True:
            op, data = self.recv()
            if op == 9:
                self.send(data, 10)
            elif op == 1:
                return data.decode()
            else:
                raise ConnectionError("frame %d: %r" % (op, data))

    def hear(self):
        return json.loads(self.message())

    def ask(self, kind, **members):
        """What is answered: an error's code, or the message."""
        self.say(kind, **members)
        m = self.hear()
        return m.get("code") or m.get("error") or m

    def ended(self):
        """All texts up to its close, then code and reason."""
        texts = []
        while True:
            op, data = self.recv()
            if op == 9:
                self.send(data, 10)
            elif op == 1:
                texts.append(json.loads(data).get("code"))
            elif op == 8:
                self.send(data[:2], 8)
                self.s.close()
                return texts, int.from_bytes(data[:2], "big"), \
                    data[2:].decode()

    def quiet(self):
        """Nothing has come: what is asked now is answered first."""
        return self.ask("ping") == "unknown_type"

    def gone(self):
        self.s.close()


def listeners(port, more=""):
    return "listen on 127.0.0.1 port %d pair only\n%s" % (port, more)


def one_port():
    port = free_port()
    return port, listeners(port)
