# SPDX-License-Identifier: ISC
"""The far end of tunnel-client, in the hand of a test: accepts connections one
by one, answers the upgrade as told, and shows every frame. What relayd never
does can be done here."""

import base64
import hashlib
import os
import socket
import ssl
import struct
import threading
import time

DATA, WINDOW, PING, GOAWAY = 0, 1, 2, 3
SYN, ACK, FIN, RST = 1, 2, 4, 8
LIMIT = 30
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Request:
    """One connection of the client, its request head read."""

    def __init__(self, sock):
        self.s = sock
        sock.settimeout(LIMIT)
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            part = sock.recv(4096)
            if not part:
                raise ConnectionError("no request")
            self.head += part
        self.lines = self.head.decode().split("\r\n")
        self.target = self.lines[0].split(" ")[1]
        self.fields = dict(x.split(": ", 1) for x in self.lines[1:] if x)

    def accept_value(self):
        return base64.b64encode(hashlib.sha1(
            self.fields["Sec-WebSocket-Key"].encode() + GUID)
            .digest()).decode()

    def answer(self, status, fields=(), then=b""):
        lines = ["HTTP/1.1 %s" % status] + ["%s: %s" % f for f in fields]
        self.s.sendall("\r\n".join(lines + ["", ""]).encode() + then)

    def upgrade(self, fields=(), then=b"", accept=None):
        self.answer("101 Switching Protocols",
                    [("Upgrade", "websocket"), ("Connection", "Upgrade"),
                     ("Sec-WebSocket-Accept", accept or
                      self.accept_value())] + list(fields), then)
        return Tunnel(self.s)

    def refuse(self, status, fields=()):
        self.answer(status, [("Content-Length", "0")] + list(fields))
        self.s.close()


class Stream:
    def __init__(self, tunnel, sid):
        self.t, self.id = tunnel, sid
        self.data = b""
        self.acked = self.fin = self.rst = False
        self.window = 262144            # what we may send

    def ended(self):
        return self.fin or self.rst or self.t.gone

    def wait(self, cond, what):
        with self.t.cond:
            if not self.t.cond.wait_for(cond, LIMIT):
                raise TimeoutError("stream %d: no %s; has %r" % (
                    self.id, what, self.data[-200:]))

    def send(self, data):
        """All of it, within the window."""
        while data:
            self.wait(lambda: self.window > 0 or self.ended(), "window")
            if self.rst or self.t.gone:
                raise ConnectionError("reset")
            n = min(len(data), self.window, 65536)
            self.window -= n
            self.t.frame(DATA, 0, self.id, n, data[:n])
            data = data[n:]

    def fin_send(self):
        self.t.frame(WINDOW, FIN, self.id, 0)

    def reset(self):
        self.t.frame(WINDOW, RST, self.id, 0)

    def line(self):
        self.wait(lambda: b"\n" in self.data or self.ended(), "line")
        line, sep, self.data = self.data.partition(b"\n")
        return line + sep

    def take(self, n):
        self.wait(lambda: len(self.data) >= n or self.ended(),
                  "%d bytes" % n)
        out, self.data = self.data[:n], self.data[n:]
        return out

    def rest(self):
        """All to the end."""
        self.wait(self.ended, "end")
        out, self.data = self.data, b""
        return out

    def term_until(self, pattern):
        """Payload of terminal frames until it has the pattern."""
        got = b""
        while pattern not in got:
            h = self.take(4)
            if len(h) < 4:
                raise ConnectionError("terminal ended: %r" % got)
            p = self.take(struct.unpack(">I", h)[0])
            got += p[1:]
        return got

    def term_send(self, payload, typ=0):
        self.send(struct.pack(">I", len(payload) + 1) + bytes([typ]) +
                  payload)


class Tunnel:
    """The server's side of WebSocket and yamux, read by a thread."""

    def __init__(self, sock):
        self.s = sock
        self.f = sock.makefile("rb")
        self.cond = threading.Condition()
        self.lock = threading.Lock()
        self.streams = {}
        self.order = []         # ids that the client opened
        self.frames = []        # (type, flags, id, length)
        self.closed = None      # (code, reason) of the client's close
        self.goaway = None
        self.pongs = 0
        self.gone = False
        self.next_id = 2
        self.hold = False       # no window updates
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    # ---- in ----

    def _exact(self, n):
        data = self.f.read(n)
        if len(data) < n:
            raise EOFError
        return data

    def _read(self):
        buf = b""
        try:
            while True:
                h = self._exact(2)
                assert h[1] & 128, "frame is not masked"
                op, n = h[0] & 15, h[1] & 127
                if n == 126:
                    n, = struct.unpack(">H", self._exact(2))
                elif n == 127:
                    n, = struct.unpack(">Q", self._exact(8))
                mask = self._exact(4)
                p = self._unmask(self._exact(n), mask)
                if op == 8:
                    with self.cond:
                        self.closed = (struct.unpack(">H", p[:2])[0]
                                       if p else None, p[2:])
                        self.cond.notify_all()
                elif op == 2:
                    buf = self._yamux(buf + p)
        except (EOFError, OSError, ValueError):
            pass
        with self.cond:
            self.gone = True
            self.cond.notify_all()

    @staticmethod
    def _unmask(p, mask):
        pad = (mask * (len(p) // 4 + 1))[:len(p)]
        return (int.from_bytes(p, "big") ^
                int.from_bytes(pad, "big")).to_bytes(len(p), "big")

    def _yamux(self, buf):
        while len(buf) >= 12:
            _, typ, flags, sid, n = struct.unpack(">BBHII", buf[:12])
            need = 12 + (n if typ == DATA else 0)
            if len(buf) < need:
                break
            self._frame(typ, flags, sid, n, buf[12:need])
            buf = buf[need:]
        return buf

    def _frame(self, typ, flags, sid, n, payload):
        reply = []
        with self.cond:
            self.frames.append((typ, flags, sid, n))
            if typ == PING:
                if flags & SYN:
                    reply.append((PING, ACK, 0, n))
                else:
                    self.pongs += 1
            elif typ == GOAWAY:
                self.goaway = n
            else:
                st = self.streams.get(sid)
                if flags & SYN:
                    st = self.streams[sid] = Stream(self, sid)
                    self.order.append(sid)
                    reply.append((WINDOW, ACK, sid, 0))
                if st is not None:
                    st.acked |= bool(flags & ACK)
                    if typ == WINDOW:
                        st.window += n
                    elif n:
                        st.data += payload
                        if not self.hold:
                            reply.append((WINDOW, 0, sid, n))
                    st.fin |= bool(flags & FIN)
                    st.rst |= bool(flags & RST)
            self.cond.notify_all()
        for r in reply:
            try:
                self.frame(*r)
            except OSError:
                pass

    # ---- out ----

    def ws(self, payload, op=2):
        n = len(payload)
        head = bytes([0x80 | op, n]) if n < 126 else \
            struct.pack(">BBH", 0x80 | op, 126, n) if n < 65536 else \
            struct.pack(">BBQ", 0x80 | op, 127, n)
        with self.lock:
            self.s.sendall(head + payload)

    def frame(self, typ, flags, sid, n, payload=b""):
        self.ws(struct.pack(">BBHII", 0, typ, flags, sid, n) + payload)

    def open(self, first=b""):
        sid, self.next_id = self.next_id, self.next_id + 2
        with self.cond:
            st = self.streams[sid] = Stream(self, sid)
        self.frame(WINDOW, SYN, sid, 0)
        if first:
            st.send(first)
        return st

    def close(self, code, reason=b""):
        self.ws(struct.pack(">H", code) + reason, 8)

    def drop(self, reset=False):
        if reset:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        try:
            # An SSLSocket's own would have the reader go on without TLS.
            socket.socket.shutdown(self.s, socket.SHUT_RDWR if not reset else
                                   socket.SHUT_RD)
        except OSError:
            pass
        self.f.close()
        self.s.close()

    # ---- what is waited for ----

    def until(self, cond, what):
        with self.cond:
            if not self.cond.wait_for(cond, LIMIT):
                raise TimeoutError("no " + what)

    def document(self, header):
        """The next stream of the client that begins so; its whole text."""
        seen = self.__dict__.setdefault("seen", set())

        def found():
            for sid in self.order:
                st = self.streams[sid]
                if sid not in seen and st.fin and \
                        st.data.startswith(header):
                    return st
            return None
        self.until(lambda: found() or self.gone, "document %r" % header)
        st = found()
        if st is None:
            raise ConnectionError("no document %r" % header)
        seen.add(st.id)
        self.frame(WINDOW, FIN, st.id, 0)
        return st.data[len(header):]

    def wait_gone(self):
        self.until(lambda: self.gone, "end")


class Server:
    def __init__(self, context=None):
        self.l = socket.create_server(("127.0.0.1", 0))
        self.l.settimeout(LIMIT)
        self.port = self.l.getsockname()[1]
        self.context = context

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.l.close()

    def request(self):
        s, _ = self.l.accept()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            try:
                s = self.context.wrap_socket(s, server_side=True)
            except (ssl.SSLError, OSError) as e:
                s.close()
                return e
        return Request(s)

    def tunnel(self, fields=()):
        return self.request().upgrade(fields)
