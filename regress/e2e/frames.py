# SPDX-License-Identifier: ISC
"""WebSocket as it is on the wire."""

import base64
import hashlib
import os
import re
import struct
import time

from basics import WAIT, secret


class WebSocket:
    """A plain RFC 6455 client that shows every frame, for byte-exact tests;
    conversations with other people's clients are in interop tests."""

    def __init__(self, sock, host, path, headers=None, early=b""):
        """`early` goes out right behind the request, before its answer."""
        self.s = sock
        self.buf = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET %s HTTP/1.1" % path, "Host: " + host,
                 "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key]
        lines += ["%s: %s" % kv for kv in (headers or {}).items()]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + early)
        while b"\r\n\r\n" not in self.buf:
            part = sock.recv(65536)
            if not part:
                raise ConnectionError("closed in the handshake")
            self.buf += part
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        first, *rest = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {k.lower(): v for k, v in
                        (x.split(": ", 1) for x in rest)}
        secret("a reconnect token",
               self.headers.get("x-support-reconnect-token"))
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1((
                key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
                .digest()).decode()
            if self.headers.get("sec-websocket-accept") != want:
                raise ConnectionError("wrong accept value")

    def body(self):
        """What follows a refusal, to its Content-Length."""
        n = int(self.headers.get("content-length", 0))
        while len(self.buf) < n:
            part = self.s.recv(65536)
            if not part:
                break
            self.buf += part
        return self.buf[:n]

    def send(self, data, op=2, fin=True):
        self.s.sendall(self.masked(data, op, fin))

    @staticmethod
    def masked(data, op=2, fin=True):
        """The frame that says this."""
        mask = os.urandom(4)
        n = len(data)
        head = bytes([(0x80 if fin else 0) | op])
        if n < 126:
            head += bytes([0x80 | n])
        elif n < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", n)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", n)
        pad = mask * (n // 4 + 1)
        masked = (int.from_bytes(data, "big") ^
                  int.from_bytes(pad[:n], "big")).to_bytes(n, "big")
        return head + mask + masked

    def _take(self, n):
        while len(self.buf) < n:
            part = self.s.recv(65536)
            if not part:
                raise ConnectionError("closed")
            self.buf += part
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def recv(self):
        """(opcode, payload) of the next frame."""
        a, b = self._take(2)
        n = b & 127
        if n == 126:
            n = struct.unpack(">H", self._take(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self._take(8))[0]
        return a & 15, self._take(n)

    def recv_until(self, pattern, seconds=WAIT):
        """Data payloads (without their type byte) up to a pattern."""
        got = b""
        end = time.monotonic() + seconds
        while not re.search(pattern, got):
            if time.monotonic() > end:
                raise TimeoutError("terminal: %r" % got[-300:])
            op, p = self.recv()
            if op == 9:
                self.send(p, 10)
            elif op == 8:
                raise ConnectionError("closed: %r after %r" % (p, got[-300:]))
            else:
                got += p[1:]
        return got

    def recv_bytes(self, n):
        """Payloads until they are so many bytes."""
        got = b""
        while len(got) < n:
            op, p = self.recv()
            if op == 9:
                self.send(p, 10)
            elif op == 8:
                raise ConnectionError("closed: %r after %d" % (p, len(got)))
            else:
                got += p
        return got

    def recv_close(self):
        """(code, reason, data payloads before it) of the peer's close."""
        got = []
        while True:
            op, p = self.recv()
            if op == 8:
                code = struct.unpack(">H", p[:2])[0] if len(p) >= 2 else None
                return code, p[2:].decode(), got
            if op == 9:
                self.send(p, 10)
            elif op in (0, 1, 2):
                got.append(p)

    def close(self):
        self.s.close()
