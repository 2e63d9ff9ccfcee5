# SPDX-License-Identifier: ISC
"""Certificates for tests, made with openssl(1)."""

import os
import re
import socket
import ssl
import subprocess

KINDS = {"rsa": ["rsa:2048"],
         "small": ["rsa:1024"],
         "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
         "p521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
         "ed25519": ["ed25519"]}


def openssl(*words, data=None):
    return subprocess.run(["openssl"] + list(words), input=data, check=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


class Authority:
    """Signs certificates in a directory; `file` is what clients trust."""

    def __init__(self, directory):
        self.dir = directory
        self.file, self.key = self.self_signed("ca")
        self.n = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def self_signed(self, name, kind="ec", days=30):
        cert, key = self.path(name + ".crt"), self.path(name + ".key")
        openssl("req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-subj",
                "/CN=" + name, "-days", str(days), "-out", cert, "-keyout",
                key)
        return cert, key

    def connect(self, port, name="localhost"):
        """A connection that trusts us."""
        s = socket.create_connection(("127.0.0.1", port), 20)
        return ssl.create_default_context(cafile=self.file).wrap_socket(
            s, server_hostname=name)

    def make(self, name, names, kind="ec", days=30):
        """The files of a chain and of its key, for these names."""
        cert, key, req = (self.path(name + x) for x in (".pem", ".key",
                                                        ".csr"))
        ext = self.path(name + ".ext")
        with open(ext, "w") as f:
            f.write("subjectAltName=" + ",".join(
                x if ":" in x else "DNS:" + x for x in names))
        openssl("req", "-new", "-newkey", *KINDS[kind], "-nodes", "-subj",
                "/CN=" + names[0], "-keyout", key, "-out", req)
        self.n += 1
        openssl("x509", "-req", "-in", req, "-CA", self.file, "-CAkey",
                self.key, "-set_serial", str(self.n), "-days", str(days),
                "-extfile", ext, "-out", cert)
        os.chmod(key, 0o600)
        return cert, key


def numbers_of(key):
    """What of a private key is secret, in each form that it is kept in."""
    text = openssl("pkey", "-in", key, "-noout", "-text").decode()
    found = {}
    for name, digits in re.findall(
            r"^(priv|prime1|prime2|privateExponent):\n((?:    [0-9a-f:]+\n)+)",
            text, re.M):
        big = bytes.fromhex(re.sub(r"[:\s]", "", digits)).lstrip(b"\0")
        found[name + ", written"] = big
        found[name + ", as a number"] = big[::-1]
    # The second last line of PEM is of the private half: a coefficient of RSA,
    # and of ECDSA, where all is short, the first.
    with open(key) as f:
        lines = f.read().splitlines()
    found["PEM"] = lines[-3 if len(lines) > 8 else 1].encode()
    return found


def listener(port, *certs, flags=""):
    return "listen on 127.0.0.1 port %d %s tls {\n%s}" % (
        port, flags, "".join('\tcert "%s" key "%s"\n' % c for c in certs))
