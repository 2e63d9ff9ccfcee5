#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Devices that pair whose WebSocket others wrote. The programs of the existing
system are in no registry; what is known of their steps, waits and checks
(pairing-protocol.md, 10) is done here, with real keys, over each library."""

import base64
import itertools
import json
import os
import subprocess
import sys
import threading

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import WAIT, Lines, Relayd, Tap, until  # noqa: E402
from libraries import libraries  # noqa: E402
from pairing import one_port  # noqa: E402

t = Tap()
port, LISTEN = one_port()
codes = itertools.count(100000)


class Failed(Exception):
    """What a client says when it gives up."""


class Client:
    """A library's WebSocket and a queue of its messages, as the clients have."""

    def __init__(self, argv):
        self.p = subprocess.Popen([*argv, "ws://127.0.0.1:%d/ws" % port],
                                  stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.out = Lines(self.p.stdout)
        self.next = 0
        assert self.event() == {"open": True}

    def event(self):
        """The next line; there is no timer, so that the clock can be moved."""
        until(lambda: len(self.out.lines) > self.next or self.out.ended,
              "a message", WAIT)
        if len(self.out.lines) <= self.next:
            raise Failed("ended")
        self.next += 1
        return json.loads(self.out.lines[self.next - 1])

    def receive(self):
        e = self.event()
        if "text" not in e:
            raise Failed("closed: %r" % e)
        return json.loads(e["text"])

    def say(self, kind, **members):
        line = json.dumps(dict(type=kind, **members)) + "\n"
        self.p.stdin.write(line.encode())
        self.p.stdin.flush()

    def expect(self, kind):
        m = self.receive()
        if m["type"] == "error":
            raise Failed("Relay error: " + m["code"])
        if m["type"] != kind:
            raise Failed("Unexpected: " + m["type"])
        return m

    def data(self):
        return self.expect("data")["payload"]

    def close(self):
        self.p.stdin.write(b"close\n")
        self.p.stdin.flush()

    def done(self):
        """Its end, whatever comes before: (code, reason)."""
        while True:
            e = self.event()
            if "code" in e:
                self.p.stdin.close()
                self.p.wait(WAIT)
                return e["code"], e["reason"]


def b64(data):
    return base64.b64encode(data).decode()


class Ends:
    """The cryptography of one of two devices, which a relay sees nothing of."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name
        self.mine = self.key.public_key().public_bytes(
            serialization.Encoding.X962,
            serialization.PublicFormat.CompressedPoint)

    def meets(self, theirs):
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.
                                   from_encoded_point(ec.SECP256R1(), theirs))
        both = b"".join(sorted((self.mine, theirs)))
        key = HKDF(hashes.SHA256(), 36, both, b"pair").derive(shared)
        self.box = AESGCM(key[:32])
        self.sas = "%06d" % (int.from_bytes(key[32:], "big") % 1000000)

    def seal(self):
        nonce = os.urandom(12)
        return b64(nonce + self.box.encrypt(nonce, self.name.encode(), None))

    def open(self, text):
        raw = base64.b64decode(text)
        return self.box.decrypt(raw[:12], raw[12:], None).decode()


class Listen(threading.Thread):
    """`amesh listen`: shows a code, then waits for the comparison to be typed."""

    def __init__(self, argv, code, type_sas):
        super().__init__(daemon=True)
        self.argv, self.code, self.type_sas = argv, code, type_sas
        self.result, self.shown = None, threading.Event()
        self.start()

    def run(self):
        try:
            self.result = self.story()
        except Exception as e:                          # for who asks
            self.result = "failed: %s" % e
        self.shown.set()

    def story(self):
        self.ws = c = Client(self.argv)
        c.say("listen", otc=self.code)
        if c.receive()["type"] == "error":
            return "handshake failed"
        self.shown.set()
        c.expect("peer_found")
        me = Ends("target")
        c.say("data", payload=b64(me.mine))
        me.meets(base64.b64decode(c.data()))
        who = me.open(c.data())
        c.say("data", payload=me.seal())
        good = self.type_sas(me.sas)
        c.say("data", payload="sas_confirmed" if good else "sas_rejected")
        c.close()
        return (who, me.sas) if good else "rejected"


def invite(argv, code, show):
    """`amesh invite CODE`; what it says in the end."""
    c = Client(argv)
    try:
        c.say("connect", otc=code)
        c.expect("peer_found")
        me = Ends("controller")
        me.meets(base64.b64decode(c.data()))
        c.say("data", payload=b64(me.mine))
        c.say("data", payload=me.seal())
        who = me.open(c.data())
        show(me.sas)
        got = c.data()
        after = c.receive()
        c.close()
        c.done()
        return (who, me.sas, got, after["type"], after.get("code"))
    except Failed as e:
        c.close()
        c.done()
        return str(e)


def pair(a, b, text, line, good=True, pause=0):
    """Target on library a, controller on b; `pause` s until it is typed."""
    code = str(next(codes))
    shown = threading.Event()

    def operator(sas):
        shown.wait(WAIT)
        for _ in range(pause // 20):
            d.move_clock(20000)
            d.request("GET", "/health")
        return good

    target = Listen(a, code, operator)
    target.shown.wait(WAIT)
    got = invite(b, code, lambda sas: shown.set())
    target.join(WAIT)
    t.equal(got[0] == "target" and got[2:],
            ("sas_confirmed" if good else "sas_rejected", "error",
             "peer_disconnected"), line + text)
    t.equal(target.result, ("controller", got[1]) if good else "rejected",
            text + ": both see the same six digits" if good else
            text + ": nothing is stored")
    t.equal(target.ws.done()[0] in (1000, 1005), True, text + ": its end")


def wrong(argv, name):
    t.equal(invite(argv, "000000", None), "Relay error: otc_not_found",
            "%s: nobody has that code" % name)


def verify(public, sig, text):
    """As the SDK does it: raw r and s of ES256."""
    raw = base64.b64decode(sig)
    try:
        public.verify(utils.encode_dss_signature(
            int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
            text.encode(), ec.ECDSA(hashes.SHA256()))
        return len(raw) == 64
    except InvalidSignature:
        return False


def sign(key, text):
    r, s = utils.decode_dss_signature(key.sign(text.encode(),
                                               ec.ECDSA(hashes.SHA256())))
    return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key, jti):
    """A bootstrap token, signed by the controller whose key is in it."""
    public = b64(key.public_key().public_bytes(
        serialization.Encoding.X962,
        serialization.PublicFormat.CompressedPoint))
    body = url64(json.dumps({"jti": jti, "controllerPubKey": public,
                             "relay": "ws://127.0.0.1:%d/ws" % port}).encode())
    text = "amesh-bt-v1." + body
    return text + "." + url64(base64.b64decode(sign(key, text))), public


def target_sdk(argv, text, result):
    """The SDK with AMESH_BOOTSTRAP_TOKEN: what it has in the end."""
    version, body, sig = text.split(".")
    inside = json.loads(base64.urlsafe_b64decode(body + "=="))
    public = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), base64.b64decode(inside["controllerPubKey"]))
    me = b64(Ends("target").mine)
    c = Client(argv)
    c.say("bootstrap_init", jti=inside["jti"], token=text, targetPubKey=me)
    while True:
        m = c.receive()
        if m["type"] == "bootstrap_reject":
            result.append(m.get("error", "bootstrap_rejected"))
            break
        if m["type"] != "bootstrap_ack":
            continue                # for ever, as it does
        raw = base64.urlsafe_b64decode(sig + "==")
        good = verify(public, b64(raw), version + "." + body) and \
            m.get("controllerPubKey", inside["controllerPubKey"]) == \
            inside["controllerPubKey"] and \
            verify(public, m["controllerSig"], "amesh-bootstrap-ack-v1\n%s\n%s"
                   % (me, inside["jti"]))
        result.append("paired" if good else "not signed by it")
        break
    c.close()
    c.done()


def bootstrap(a, b, text, how="ack"):
    """A target on library a, the controller on b."""
    key = ec.generate_private_key(ec.SECP256R1())
    jti = "bt_" + os.urandom(16).hex()
    signed, public = token(key, jti)
    c = Client(b)
    c.say("bootstrap_watch", jti=jti)
    c.expect("bootstrap_watching")
    result = []
    sdk = threading.Thread(target=target_sdk, args=(a, signed, result),
                           daemon=True)
    sdk.start()
    m = c.expect("bootstrap_init")
    if how == "ack":
        c.say("bootstrap_ack", jti=jti, publicKey=public, controllerSig=sign(
            key, "amesh-bootstrap-ack-v1\n%s\n%s" % (m["targetPubKey"], jti)))
    elif how == "forged":
        c.say("bootstrap_ack", jti=jti, publicKey=public, controllerSig=sign(
            ec.generate_private_key(ec.SECP256R1()), "x"))
    else:
        c.say("bootstrap_reject", jti=jti, error=how)
    sdk.join(WAIT)
    c.close()
    c.done()
    t.equal((m["token"], result),
            (signed, [{"ack": "paired", "forged": "not signed by it"}.get(
                how, how)]), text)
    return signed


def used(argv, text):
    result = []
    target_sdk(argv, text, result)
    t.equal(result, ["token_already_used"], "the same token: used")


with Relayd(t, listeners=LISTEN, proxyds=1) as d:
    libs = list(libraries(t, "pairpeer"))
    for (name, a), (other, b) in zip(libs, libs[1:] + libs[:1]):
        pair(a, b, "%s listens, %s is invited" % (name, other), "pairing-57: ")
        pair(a, b, "%s and %s" % (name, other), "typed after 80 s: ",
             pause=80)
        pair(a, b, "%s, %s" % (name, other), "sas_rejected: ", good=False)
        wrong(a, name)
        signed = bootstrap(a, b, "pairing-43: %s brings a token to %s, and "
                           "has an answer that is signed" % (name, other))
        bootstrap(a, b, "an answer that is forged is not taken", "forged")
        bootstrap(a, b, "nor is a no lost", "not_expected")
        used(a, signed)
        # The budgets of this one address are per minute.
        d.move_clock(61000)
    t.equal(d.request("GET", "/health")[2], b'{"status":"ok","sessions":0}',
            "nothing is left")
t.done()
