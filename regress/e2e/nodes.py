# SPDX-License-Identifier: ISC
"""Nodes of a customer's cluster: sessions of one system."""

import threading

from harness import until
from yamuxraw import FIN, Raw


def ends(c):
    """Until the connection does, in order or not."""
    try:
        while c.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


class Node:
    """A node's client; each of its services says who was asked for what, and
    what is `linked`."""

    def __init__(self, d, key, secret, node, services, linked=b""):
        self.r = Raw(d, key, secret, node=node)
        self.node, self.seen, self.over = node, set(), False
        self.linked = linked
        self.held = []              # streams whose answer goes on
        self.r.manifest({name: dict(e, target=e.get("target", "10.0.0.1:80"))
                         for name, e in services.items()})
        self.sid = self.r.session
        until(lambda: d.ctl_try("show", "services", self.sid), "its services")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while not self.over:
            try:
                sid, line, _ = self.r.line(but=self.seen, seconds=1)
            except Exception:
                continue
            self.seen.add(sid)
            st = self.r.streams[sid]
            self.r.until(lambda: b"\r\n\r\n" in st.data or st.rst or st.fin,
                         "a request")
            path = bytes(st.data).split(b"\n", 2)[1].split()[1]
            name = line.split()[1]
            body = b"%s %s %s%s" % (self.node.encode(), name, path,
                                    self.linked)
            if path.endswith(b"/long"):
                self.held.append(st)
                self.r.data(sid, b"OK\nHTTP/1.1 200 OK\r\n\r\n" + body)
                continue
            self.r.data(sid, b"OK\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
                        b"%sConnection: close\r\n\r\n%s" % (
                            len(body), b"Content-Type: text/html\r\n" if
                            self.linked else b"", body), FIN)

    def close(self):
        self.over = True
        self.r.close()
