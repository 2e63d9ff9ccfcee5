# SPDX-License-Identifier: ISC
"""An identity provider for the tests, small and, when told to, lying: an
authority of its own, https on the loopback network, a discovery document, keys
of all kinds, and tokens signed with them."""

import base64
import datetime
import http.server
import ipaddress
import json
import os
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (ec, ed25519, padding,
                                                       rsa, utils)
from cryptography.x509.oid import NameOID

BASE = "/realms/test"
WELL_KNOWN = BASE + "/.well-known/openid-configuration"


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    """A key with a name, how it signs, and how it is published."""

    def __init__(self, alg, kid, bits=2048, curve=None):
        self.alg, self.kid = alg, kid
        if alg in ("RS256", "PS256"):
            self.key = rsa.generate_private_key(65537, bits)
        elif alg == "EdDSA":
            self.key = ed25519.Ed25519PrivateKey.generate()
        else:
            self.key = ec.generate_private_key(curve or (
                ec.SECP256R1() if alg == "ES256" else ec.SECP384R1()))

    def jwk(self, **more):
        pub = self.key.public_key()
        if self.alg in ("RS256", "PS256"):
            n = pub.public_numbers()
            out = {"kty": "RSA", "n": number(n.n), "e": number(n.e)}
        elif self.alg == "EdDSA":
            out = {"kty": "OKP", "crv": "Ed25519", "x": b64(pub.public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw))}
        else:
            n, size = pub.public_numbers(), (pub.curve.key_size + 7) // 8
            out = {"kty": "EC", "crv": "P-%d" % pub.curve.key_size,
                   "x": number(n.x, size), "y": number(n.y, size)}
        out.update({"kid": self.kid, "use": "sig", "alg": self.alg})
        out.update(more)
        return {k: v for k, v in out.items() if v is not None}

    def sign(self, data, alg=None):
        alg = alg or self.alg
        if alg == "RS256":
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if alg == "PS256":
            return self.key.sign(data, padding.PSS(
                padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        if alg == "EdDSA":
            return self.key.sign(data)
        der = self.key.sign(data, ec.ECDSA(
            hashes.SHA256() if alg == "ES256" else hashes.SHA384()))
        r, s = utils.decode_dss_signature(der)
        size = (self.key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def token(self, claims, header=None, alg=None):
        """`claims` and `header` as objects, or as text for what is none."""
        head = {"alg": alg or self.alg, "typ": "JWT", "kid": self.kid}
        if isinstance(header, dict):
            head.update(header)
            head = {k: v for k, v in head.items() if v is not None}
        elif header is not None:
            head = header
        parts = ".".join(b64(x if isinstance(x, (str, bytes)) else
                             json.dumps(x)) for x in (head, claims))
        return parts + "." + b64(self.sign(parts.encode(), alg))


class Authority:
    """Who says whose certificate is good; its file is `path`."""

    def __init__(self, directory, name="test authority"):
        self.dir = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.path = os.path.join(directory, "ca-%d.pem" % id(self))
        cert = self._builder(self.name, self.key).add_extension(
            x509.BasicConstraints(True, None), True).sign(self.key,
                                                          hashes.SHA256())
        with open(self.path, "wb") as f:
            f.write(cert.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, key, days=2):
        now = datetime.datetime.now(datetime.timezone.utc)
        return x509.CertificateBuilder().subject_name(subject).issuer_name(
            self.name).public_key(key.public_key()).serial_number(
            x509.random_serial_number()).not_valid_before(
            now - datetime.timedelta(days=3)).not_valid_after(
            now + datetime.timedelta(days=days))

    def issue(self, host, days=2):
        """A file with a certificate for `host` and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        try:
            name = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        cert = self._builder(subject, key, days).add_extension(
            x509.SubjectAlternativeName([name]), False).sign(self.key,
                                                             hashes.SHA256())
        path = os.path.join(self.dir, "%s-%d.pem" % (host, id(key)))
        with open(path, "wb") as f:
            f.write(cert.public_bytes(serialization.Encoding.PEM))
            f.write(key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption()))
        return path


class Provider:
    """`says` maps a path to a function of the handler, in place of the honest
    answer; `asked` counts by path; `down` refuses connections."""

    def __init__(self, directory, host="localhost", authority=None,
                 cert=None):
        self.authority = authority or Authority(directory)
        self.host = host
        self.keys = [Key("RS256", "rsa-1")]
        self.says = {}
        self.asked = {}
        self.port = None
        self.cert = cert or self.authority.issue(host)
        self.up()

    def up(self):
        idp = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                path = self.path
                idp.asked[path] = idp.asked.get(path, 0) + 1
                fn = idp.says.get(path, idp.says.get("*"))
                try:
                    (fn or idp.honest)(self)
                except OSError:
                    pass
                self.close_connection = True

            do_POST = do_GET

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass

            def get_request(self):
                s, addr = self.socket.accept()
                s.settimeout(60)
                return ctx.wrap_socket(s, server_side=True,
                                       do_handshake_on_connect=False), addr

        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.cert)
        self.server = Server(("127.0.0.1", self.port or 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       args=(0.05,), daemon=True)
        self.thread.start()

    def down(self):
        """A second time does nothing."""
        if self.server is None:
            return
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    @property
    def origin(self):
        return "https://%s:%d" % (self.host, self.port)

    @property
    def issuer(self):
        return self.origin + BASE

    def discovery(self, **more):
        out = {"issuer": self.issuer, "jwks_uri": self.issuer + "/keys",
               "authorization_endpoint": self.issuer + "/auth",
               "token_endpoint": self.issuer + "/token",
               "device_authorization_endpoint": self.issuer + "/device",
               "id_token_signing_alg_values_supported": ["RS256"]}
        out.update(more)
        return {k: v for k, v in out.items() if v is not None}

    def jwks(self):
        return {"keys": [k.jwk() for k in self.keys]}

    def answer(self, h, body, kind="application/json", status=200, more=()):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        h.send_response(status)
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(body)))
        for k, v in more:
            h.send_header(k, v)
        h.end_headers()
        h.wfile.write(body)

    def honest(self, h):
        if h.path == WELL_KNOWN:
            self.answer(h, self.discovery())
        elif h.path == BASE + "/keys":
            self.answer(h, self.jwks())
        else:
            self.answer(h, "no such thing", "text/plain", 404)

    def asked_keys(self):
        return self.asked.get(BASE + "/keys", 0)

    def claims(self, **more):
        now = int(time.time())
        out = {"iss": self.issuer, "aud": "relayd", "sub": "u-1",
               "iat": now, "exp": now + 600, "name": "Ada",
               "organization_id": "org-1", "org_role": "owner",
               "scope": "openid connect:systems read:systems"}
        out.update(more)
        return {k: v for k, v in out.items() if v is not None}

    def token(self, key=None, header=None, alg=None, **claims):
        return (key or self.keys[0]).token(self.claims(**claims), header, alg)

    def conf(self, lines="", ca=True):
        """What relayd.conf says of it."""
        return '%soidc issuer "%s" {\n\taudience "relayd"\n%s}\n' % (
            'ca file "%s"\n' % self.authority.path if ca else "",
            self.issuer, "".join("\t%s\n" % x for x in lines.splitlines()))
