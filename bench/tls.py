# SPDX-License-Identifier: ISC
"""TLS beside nginx's: handshakes, with each kind of key, and what a byte costs
once they are over."""

import contextlib
import os
import re
import subprocess

from benchlib import (BenchError, Client, Meter, Nginx, free_port,
                      wait_service)

KINDS = {"ECDSA P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "RSA 2048": ["rsa:2048"]}
AT_ONCE = 16        # clients that do one handshake after the other
BIG = 256 << 20     # bytes of one answer

NGINX = """
	upstream small {{ server 127.0.0.1:{target}; keepalive 64; }}
	server {{
		listen 127.0.0.1:{port} ssl;
		ssl_certificate {cert};
		ssl_certificate_key {key};
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_session_cache none;
		ssl_ecdh_curve X25519:prime256v1;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		proxy_max_temp_file_size 0;
		location / {{ proxy_pass http://small; }}
	}}
"""


def certificate(directory, name, kind):
    """The files of a certificate and of its key."""
    cert, key = (os.path.join(directory, name + x) for x in (".crt", ".key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", *KINDS[kind],
                    "-nodes", "-subj", "/CN=bench", "-days", "30", "-out",
                    cert, "-keyout", key], check=True,
                   stderr=subprocess.DEVNULL)
    return cert, key


def handshakes(pids, port, seconds, version):
    """Full handshakes a second of CPU of all these processes."""
    argv = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new",
            "-time", str(seconds), version]
    m = Meter(pids).start()
    clients = [subprocess.Popen(argv, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
               for _ in range(AT_ONCE)]
    said = [c.communicate()[0] for c in clients]
    cpu = m.stop()
    n = sum(int(x) for text in said for x in re.findall(
        r"^(\d+) connections in \d+ real", text, re.M))
    if n < AT_ONCE:
        raise BenchError("no handshakes: " + said[0])
    return n * 1e9 / cpu


def fetch(pids, url, head, port):
    """CPU in ns per byte of an answer that curl takes by TLS."""
    argv = ["curl", "-sS", "-k", "-o", "/dev/null", "-w", "%{size_download}",
            "-r", f"0-{BIG - 1}", "--connect-to", f"::127.0.0.1:{port}"]
    for k, v in head:
        if k.lower() != "host":
            argv += ["-H", f"{k}: {v}"]
    m = Meter(pids).start()
    n = int(subprocess.run(argv + [url], check=True, text=True,
                           stdout=subprocess.PIPE).stdout)
    cpu = m.stop()
    if n != BIG:
        raise BenchError(f"{url}: {n} bytes")
    return cpu / n


@contextlib.contextmanager
def nginx(b, name, pair):
    """nginx with TLS before the same services: its pids and port."""
    port = free_port()
    n = Nginx(b.dir, name, NGINX.format(port=port, target=b.services.port,
                                        cert=pair[0], key=pair[1]), port)
    try:
        yield n.pids, port
    finally:
        n.stop()


@contextlib.contextmanager
def relayd(make, pair):
    """A relayd that has this certificate, and the port."""
    port = free_port()
    r = make(more=f"listen on 127.0.0.1 port {port} tls {{\n\tcert "
             f"\"{pair[0]}\" key \"{pair[1]}\"\n}}\ntlsd 1\n")
    try:
        yield r, port
    finally:
        r.stop()


def whole(b, r, port):
    """The client, and one request through all of it: (url, head)."""
    slot = r.slots(1)[0]
    client = Client(b.tools, b.services, slot, r.port)
    head = r.head(slot, "web")
    wait_service(r.port, head)
    host = dict((k.lower(), v) for k, v in head)["host"]
    return client, f"https://{host}/big", head


def best(fn, rounds, most=False):
    """The least disturbed of some runs."""
    return (max if most else min)(fn() for _ in range(rounds))
