# SPDX-License-Identifier: ISC
"""The customer side of a tunnel, spoken by hand: every WebSocket frame and
every yamux header is the test's to choose, and what comes back is kept byte
for byte. By default it has the manners of an honest client (answers pings and
the close, acknowledges streams, gives back credit); each can be switched off.

    with Raw(d, key, secret) as r:
        r.manifest({"web": "127.0.0.1:1"})
        r.send(WINDOW, SYN, 3)
        r.wait(lambda f: f.type == WINDOW and f.flags & ACK and f.id == 3)
"""

import base64
import collections
import json
import os
import socket
import struct
import threading
import time

from harness import WAIT, WebSocket

DATA, WINDOW, PING, GOAWAY = 0, 1, 2, 3
SYN, ACK, FIN, RST = 1, 2, 4, 8
INITIAL = 262144        # bytes that each direction of a stream starts with

Frame = collections.namedtuple("Frame", "type flags id length body at")
Message = collections.namedtuple("Message", "fin op masked rsv length head")


def header(typ, flags, sid, length, version=0):
    return struct.pack(">BBHII", version, typ, flags, sid, length)


def manifest_text(services):
    """The document for a dictionary of name to target (or whole entry)."""
    out = {}
    for name, v in services.items():
        out[name] = v if isinstance(v, dict) else {
            "target": v, "host": "", "tls": False, "label": name}
    return json.dumps({"version": 1, "services": out}).encode() + b"\n"


def ws_frame(payload, op=2, fin=True, masked=True, rsv=0, length=None,
             form=None):
    """One WebSocket frame; `length` and `form` (0, 126, 127) may lie."""
    n = len(payload) if length is None else length
    if form is None:
        form = 0 if n < 126 else 126 if n < 65536 else 127
    first = (0x80 if fin else 0) | rsv << 4 | op
    bit = 0x80 if masked else 0
    if form == 0:
        head = struct.pack(">BB", first, bit | n)
    elif form == 126:
        head = struct.pack(">BBH", first, bit | 126, n)
    else:
        head = struct.pack(">BBQ", first, bit | 127, n)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    pad = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return head + mask + (int.from_bytes(payload, "big") ^
                          int.from_bytes(pad, "big")).to_bytes(
        len(payload), "big")


class Stream:
    """What came on one id."""

    def __init__(self, sid):
        self.id = sid
        self.data = bytearray()
        self.total = 0          # with what was dropped
        self.fin = self.rst = self.acked = False
        self.fins = 0           # how many
        self.acks = 0
        self.late = 0           # frames behind the first FIN or RST
        self.credit = INITIAL   # what we may send
        self.owed = 0           # taken and not yet given back


class Raw:
    def __init__(self, d, key, secret, node=None, path="/api/tunnel",
                 pong=True, ack=True, credit=True, keep=True, echo=True,
                 source=None):
        self.pong, self.ack, self.give = pong, ack, credit
        self.keep, self.echo = keep, echo
        auth = base64.b64encode(("%s:%s" % (key, secret)).encode()).decode()
        if node is not None:
            path += "?node_id=" + node
        sock = d.connect() if source is None else socket.create_connection(
            ("127.0.0.1", d.port), WAIT, (source, 0))
        self.ws = WebSocket(sock, "127.0.0.1:%d" % d.port, path,
                            {"Authorization": "Basic " + auth})
        self.status = self.ws.status
        self.lock = threading.RLock()
        self.cond = threading.Condition(self.lock)
        self.sending = threading.Lock()
        self.frames = []            # yamux, in order
        self.messages = []          # WebSocket, in order
        self.raw_close = None       # the bytes of the close frame
        self.close_code = self.close_reason = None
        self.eof = False
        self.straddles = 0          # messages that end within a yamux frame
        self.streams = {}
        self.next = 1
        self.deaf = False           # read nothing for now
        self.broken = False         # a write has failed
        self.error = None
        if self.status == 101:
            self.session = self.ws.headers["x-support-session-id"]
            self.ws.s.settimeout(None)
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Gone without a word."""
        self.deaf = False
        try:
            self.ws.s.shutdown(2)
        except OSError:
            pass
        if self.status == 101:
            self.thread.join(WAIT)
        self.ws.s.close()

    # ---- what comes ----

    def _take(self, n):
        ws = self.ws
        while len(ws.buf) < n:
            while self.deaf:
                time.sleep(0.01)
            part = ws.s.recv(262144)
            if not part:
                raise EOFError
            ws.buf += part
        out, ws.buf = ws.buf[:n], ws.buf[n:]
        return out

    def _read(self):
        inner = bytearray()
        try:
            while True:
                head = self._take(2)
                a, b = head
                n = b & 127
                if n >= 126:
                    more = self._take(2 if n == 126 else 8)
                    head += more
                    n = int.from_bytes(more, "big")
                payload = self._take(n)
                op = a & 15
                with self.cond:
                    self.messages.append(Message(
                        a >> 7, op, b >> 7, a >> 4 & 7, n, bytes(head)))
                    if op == 8:
                        self.raw_close = head + payload
                        if n >= 2:
                            self.close_code = payload[0] << 8 | payload[1]
                        self.close_reason = payload[2:].decode()
                    elif op in (0, 1, 2):
                        inner += payload
                        self._yamux(inner)
                        if a >> 7 and inner:
                            self.straddles += 1
                    self.cond.notify_all()
                if op == 9:
                    self.raw(ws_frame(payload, 10))
                if op == 8 and self.echo:
                    self.raw(ws_frame(payload[:2], 8))
        except (EOFError, OSError):
            pass
        except Exception as e:      # shown by wait()
            self.error = e
        with self.cond:
            self.eof = True
            self.cond.notify_all()

    def _yamux(self, inner):
        """Take whole frames off the front; the lock is held."""
        at = 0
        while len(inner) - at >= 12:
            v, typ, flags, sid, length = struct.unpack_from(">BBHII", inner,
                                                            at)
            n = length if typ == DATA else 0
            if len(inner) - at - 12 < n:
                break
            body = bytes(inner[at + 12:at + 12 + n])
            at += 12 + n
            self._frame(Frame(typ, flags, sid, length, body,
                              time.monotonic()))
        del inner[:at]

    def _frame(self, f):
        self.frames.append(f if self.keep or f.type != DATA
                           else f._replace(body=b""))
        if f.type == PING:
            if f.flags & SYN and self.pong:
                self.send(PING, ACK, 0, f.length)
            return
        if f.type == GOAWAY:
            return
        st = self.streams.get(f.id)
        if st is None:
            st = self.streams[f.id] = Stream(f.id)
        if st.fin or st.rst:
            if f.type == DATA or f.flags:
                st.late += 1
        if f.flags & SYN and self.ack:
            self.send(WINDOW, ACK, f.id)
        if f.flags & ACK:
            st.acked = True
            st.acks += 1
        if f.type == WINDOW:
            st.credit += f.length
        if f.body:
            st.total += len(f.body)
            if self.keep:
                st.data += f.body
            st.owed += len(f.body)
            if self.give and st.owed >= INITIAL // 2:
                self.send(WINDOW, 0, f.id, st.owed)
                st.owed = 0
        if f.flags & FIN:
            st.fin = True
            st.fins += 1
        if f.flags & RST:
            st.rst = True

    def wait(self, match, what="a frame", start=0, seconds=WAIT):
        """The first yamux frame from `start` on for which match is true."""
        end = time.monotonic() + seconds
        i = start
        with self.cond:
            while True:
                while i < len(self.frames):
                    if match(self.frames[i]):
                        return self.frames[i]
                    i += 1
                left = end - time.monotonic()
                if self.eof or left <= 0:
                    raise TimeoutError("%s: no %s; close %r, last %r" % (
                        self.error or "raw client", what, self.close_code,
                        [f._replace(body=f.body[:16])
                         for f in self.frames[-8:]]))
                self.cond.wait(left)

    def until(self, good, what, seconds=WAIT):
        """Wait for a predicate over this object."""
        end = time.monotonic() + seconds
        with self.cond:
            while True:
                value = good()
                if value:
                    return value
                left = end - time.monotonic()
                if self.eof or left <= 0:
                    value = good()
                    if value:
                        return value
                    raise TimeoutError("%s: no %s; close %r" % (
                        self.error or "raw client", what, self.close_code))
                self.cond.wait(left)

    def mark(self):
        with self.lock:
            return len(self.frames)

    def has(self, match, start=0):
        with self.lock:
            return any(match(f) for f in self.frames[start:])

    def ended(self, seconds=WAIT):
        """Wait for the server's end; (code of its close frame, go-away)."""
        with self.cond:
            if not self.cond.wait_for(lambda: self.eof, seconds):
                raise TimeoutError("the server does not end the tunnel")
            away = [f.length for f in self.frames if f.type == GOAWAY]
            return self.close_code, away[-1] if away else None

    def alive(self, value=0x5eed):
        """A ping is answered: the tunnel is up, and what was sent before it
        has been seen."""
        start = self.mark()
        self.send(PING, SYN, 0, value)
        try:
            self.wait(lambda f: f.type == PING and not f.flags & SYN and
                      f.length == value, "ping answer", start)
        except TimeoutError:
            return False
        return True

    # ---- what goes ----

    def raw(self, data):
        with self.sending:
            try:
                self.ws.s.sendall(data)
            except OSError:     # the end is seen by the reader
                self.broken = True

    def together(self, pieces):
        """Each in a write of its own, and nothing of ours between them: an
        answer to a ping would be a message within a message."""
        with self.sending:
            try:
                for data in pieces:
                    self.ws.s.sendall(data)
            except OSError:
                self.broken = True

    def send(self, typ, flags, sid, length=0, body=b"", version=0):
        """One yamux frame in one message; `length` 0 is the body's."""
        self.raw(ws_frame(header(typ, flags, sid, length or len(body),
                                 version) + body))

    def data(self, sid, body, flags=0):
        self.send(DATA, flags, sid, 0, body)

    def open(self, flags=SYN):
        """A new stream of ours; its id."""
        with self.lock:
            sid = self.next
            self.next += 2
            self.streams[sid] = Stream(sid)
        self.send(WINDOW, flags, sid)
        return sid

    def document(self, doc, piece=65536):
        """A control stream with all of a document and FIN; its id. Stops
        when the server resets the stream."""
        sid = self.open()
        st = self.streams[sid]
        at = 0
        while at < len(doc) and not st.rst:
            n = min(piece, len(doc) - at)
            self.until(lambda: st.credit >= n or st.rst, "credit")
            if st.rst:
                break
            self.data(sid, doc[at:at + n])
            st.credit -= n
            at += n
        if not st.rst:
            self.send(WINDOW, FIN, sid)
        return sid

    def manifest(self, services):
        return self.document(manifest_text(services))

    def answered(self, sid):
        """Wait for the server's end of a stream of ours; "fin" or "rst"."""
        st = self.streams[sid]
        self.until(lambda: st.fin or st.rst, "end of stream %d" % sid)
        return "rst" if st.rst else "fin"

    def line(self, but=(), seconds=WAIT):
        """Wait for a stream of the server's (not one of `but`) whose first
        line is complete; (id, line, what came behind it)."""
        def found():
            for sid, st in self.streams.items():
                if sid % 2 == 0 and sid not in but and b"\n" in st.data:
                    a, b = bytes(st.data).split(b"\n", 1)
                    return sid, a + b"\n", b
        return self.until(found, "stream of the server's", seconds)
