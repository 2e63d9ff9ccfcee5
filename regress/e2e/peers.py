# SPDX-License-Identifier: ISC
"""Peers of relay sessions, and the admin API that makes them."""

import json

from harness import WebSocket, secret


class Peer(WebSocket):
    """One side, byte by byte."""

    def send(self, data, op=None, fin=True):
        if op is None:
            op = 1 if isinstance(data, str) else 2
        super().send(data.encode() if isinstance(data, str) else data, op,
                     fin)

    def recv(self):
        """The next message, whole: (opcode, bytes)."""
        kind, got = None, b""
        while True:
            fin, op, data = self.frame()
            if op >= 8:
                return op, data
            kind = op or kind
            got += data
            if fin:
                return kind, got

    def frame(self):
        head = self._take(2)
        n = head[1] & 127
        if n == 126:
            n = int.from_bytes(self._take(2), "big")
        elif n == 127:
            n = int.from_bytes(self._take(8), "big")
        return bool(head[0] & 128), head[0] & 15, self._take(n)

    def closed(self):
        """(code, reason) of its close, whatever comes before; answered."""
        while True:
            op, data = self.recv()
            if op == 8:
                break
        try:
            self.send(data[:2], 8)
        except OSError:
            pass
        return int.from_bytes(data[:2], "big"), data[2:].decode()

    def close(self, code=None, reason=""):
        """Say it, and what the answer is."""
        self.send(b"" if code is None else code.to_bytes(2, "big") +
                  reason.encode(), 8)
        while True:
            op, data = self.recv()
            if op == 8:
                self.s.close()
                return data


class Relay:
    """The admin API of a relayd, and its sessions."""

    def __init__(self, d, token=None):
        self.d, self.token = d, token

    def call(self, method, path="", body=None, headers=None):
        h = {"Authorization": "Bearer " + self.token} if self.token else {}
        h.update(headers or {})
        return self.d.request(method, "/admin/sessions" + path, None, h, body)

    def create(self, body=None):
        st, h, data = self.call("POST", "", body and json.dumps(body))
        if st != 201:
            raise RuntimeError("create: %d %r" % (st, data))
        s = json.loads(data)
        for side in "initiator", "responder":
            self.d.secret("a slot token", s[side + "_token"])
        return s

    def status(self, s):
        st, h, data = self.call("GET", "/" + s["id"])
        return json.loads(data) if st == 200 else None

    def state(self, s):
        return self.status(s)["state"]

    def dial(self, path, headers=None, sock=None, early=b""):
        return Peer(sock or self.d.connect(), "127.0.0.1:%d" % self.d.port,
                    path, headers, early)

    def join(self, s, side, channel=None, **kw):
        w = self.dial("/relay/" + s["id"] + ("" if channel is None else
                                             "~%d" % channel),
                      {"Authorization": "Bearer " + s[side + "_token"]}, **kw)
        if w.status != 101:
            raise RuntimeError("join: %d %r" % (w.status, w.body()))
        return w

    def pair(self, s=None):
        s = s or self.create()
        return s, self.join(s, "initiator"), self.join(s, "responder")
