#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""tunnel-client's command line and environment, from outside; which option
sets what is in regress/unit/clientconf_test.c."""

import base64
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import KEY, SECRET, Client
from harness import BUILD, FAST_BUILD, Tap
from tunnelserver import Server

t = Tap()


def refused(text, *flags, env=None, status=1):
    c = Client(None, *flags, env=env or {}, bare=True)
    t.equal(c.wait(), status,
            "%s %s: exit %d" % (" ".join(flags), env or "", status))
    c.err.thread.join()
    t.match(c.err.text(), text, "and says why")
    c.clean(t)


FULL = {"SUPPORT_URL": "ws://127.0.0.1:1/", "SYSTEM_KEY": KEY,
        "SYSTEM_SECRET": SECRET}
refused("--url or SUPPORT_URL is required\nusage: ")
refused("--key or SYSTEM_KEY is required\nusage: ", "-u", "ws://x")
refused("--secret-file or SYSTEM_SECRET is required\nusage: ", "-u", "ws://x",
        "-k", "K")
refused("usage: ", "--no-such-flag", status=2)
refused('unexpected "word"', "word", env=FULL, status=2)
refused("--discovery-interval: a duration", "--discovery-interval", "soon",
        env=FULL, status=2)
refused("wss:// expected, or ws:// without TLS", "--url", "http://x/", env=FULL)
refused("user and password", "--url", "ws://a:b@x/", env=FULL)
refused("would send key and secret to relay.invalid in clear", "--url",
        "ws://relay.invalid/", env=FULL)
refused("1 to 10 digits", "--node-id", "12345678901", env=FULL)
refused("1 to 10 digits", env=dict(FULL, NODE_ID="1a"))
refused("host:port or none expected", "-r", "localhost", env=FULL)
c = Client(None, "--allow-plain", "--url", "ws://192.0.2.1:1/", env=FULL,
           bare=True)
c.err.wait("warn .*192.0.2.1: key and secret are sent in clear")
t.ok(True, "--allow-plain: a warning")
c.stop()

def said(c, status, out, err, name):
    t.equal(c.wait(), status, name)
    c.out.thread.join()
    c.err.thread.join()
    t.match(c.out.text(), out, "on standard output: " + out)
    t.match(c.err.text(), err, "on standard error: " + (err or "nothing"))
    c.clean(t)


# ---- configuration file ----

with tempfile.TemporaryDirectory() as d:
    conf = os.path.join(d, "tunnel-client.conf")

    def configure(text, mode=0o600):
        with open(conf, "w") as f:
            f.write(text)
        os.chmod(conf, mode)

    with Server() as s:
        url = "url ws://127.0.0.1:%d/\n" % s.port
        configure(url + "key %s\nsecret %s\nstatic-services a=127.0.0.1:1\n"
                  "static-services b=127.0.0.1:2\nreconnect-delay 100ms\n" %
                  (KEY, SECRET))
        said(Client(None, "--check", "--config", conf, bare=True), 0,
             r"^tunnel-client: this would start$", " 2 services",
             "--check: a whole configuration")
        c = Client(None, "--config", conf, bare=True,
                   env={"STATIC_SERVICES": "c=127.0.0.1:3"})
        r = s.request()
        t.equal(base64.b64decode(r.fields["Authorization"].split(" ")[1])
                .decode(), KEY + ":" + SECRET, "key and secret of the file")
        u = r.upgrade()
        text = u.document(b'{"version"')
        t.ok(b'"c"' in text and b'"a"' not in text,
             "the environment wins over the file")
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)
    for mode in 0o604, 0o644:
        os.chmod(conf, mode)
        said(Client(None, "--check", "--config", conf, bare=True), 1, "^$",
             conf + ":3: secret: others may read this file: chmod o-rwx",
             "mode %o: the secret is not taken" % mode)
    configure(url + "\nkey K\nsecrets x\n")
    said(Client(None, "--config", conf, bare=True), 1, "^$",
         conf + ":4: secrets: no such option", "a word that is none")
    configure("url http://x/\nkey K\nsecret S\n")
    said(Client(None, "--check", env={"TUNNEL_CONFIG": conf}, bare=True), 1,
         "^$", "wss:// expected", "--check looks at the address, too")

with tempfile.TemporaryDirectory() as d:
    path = os.path.join(d, "secret")
    refused("No such file", "--secret-file", path, env=FULL)
    with open(path, "w") as f:
        f.write(SECRET + "\n")
    os.chmod(path, 0o644)
    refused("chmod 600", "--secret-file", path, env=FULL)
    os.chmod(path, 0o600)
    refused("exclude each other", "--secret-file", path, "--secret", "x",
            env=FULL, status=2)
    with Server() as s:
        c = Client(s, "--secret-file", path, "-k", KEY,
                   env={"SYSTEM_SECRET": "my_wrong.secret",
                        "DISCOVERY_INTERVAL": "nonsense"})
        r = s.request()
        t.equal(base64.b64decode(r.fields["Authorization"].split(" ")[1])
                .decode(), KEY + ":" + SECRET,
                "tunnel-54(partial): --secret-file wins over SYSTEM_SECRET")
        t.ok(c.err.wait("DISCOVERY_INTERVAL is not a duration: 5m is used"),
             "a bad duration in the environment means the default")
        u = r.upgrade()
        u.document(b'{"version"')
        u.close(4000)
        u.drop()
        t.equal(c.wait(), 0, "exit 0")
        c.clean(t)

# The secret is nowhere to be read in /proc, not even by root.
with Server() as s:
    c = Client(s, "--key", KEY, "-s" + SECRET, "--url",
               "ws://127.0.0.1:%d/hidden-path" % s.port, build=FAST_BUILD)
    u = s.tunnel()
    u.document(b'{"version"')
    seen = b""
    try:
        for name in "cmdline", "environ":
            with open("/proc/%d/%s" % (c.pid, name), "rb") as f:
                seen += f.read()
        readable = True
    except PermissionError:
        readable = False
    t.ok(SECRET.encode() not in seen and KEY.encode() not in seen and
         b"hidden-path" not in seen,
         "tunnel-44(partial): flags and environment are overwritten")
    if os.geteuid() == 0:
        t.skip("root reads all", "not dumpable: its environment is closed")
    else:
        t.ok(not readable, "not dumpable: its environment is closed")
    with open("/proc/%d/limits" % c.pid) as f:
        t.match(f.read(), r"Max core file size +0 ", "no core dumps")
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")

c = Client(None, "--help", bare=True)
t.equal(c.wait(), 0, "--help: exit 0")
c.out.thread.join()
t.match(c.out.text(), "(?s)^usage: .*--discovery-interval .*\\(5m\\)",
        "and usage on standard output")
c = Client(None, "--version", bare=True)
t.equal(c.wait(), 0, "--version: exit 0")
c.out.thread.join()
t.match(c.out.text(), r"^tunnel-client \d", "and its number")

# ---- completion ----

refused("bash, zsh or fish expected", "--completion", "csh", status=2)
at = os.path.join(BUILD, "bin")
for shell, script in (("bash", """
eval "$(tunnel-client --completion bash)"
complete -p tunnel-client | grep -o -- '[a-z-]*'
"""), ("zsh", """
autoload -U compinit; compinit -u -D
eval "$(tunnel-client --completion zsh)"
_arguments() {
print -l -- "$@" | grep -o -- '^--[a-z-]*'; print -- "${(j: :)@}" | tr '()' '  '
}
_tunnel_client
"""), ("fish", """
tunnel-client --completion fish | source
complete -C "tunnel-client --" | cut -f1
complete -C "tunnel-client st" | cut -f1
""")):
    if shutil.which(shell) is None:
        t.skip("no " + shell, "completion for " + shell)
        continue
    with tempfile.TemporaryDirectory() as home:
        r = subprocess.run([shell, "-c", script], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, timeout=60,
                           env=dict(os.environ, HOME=home,
                                    PATH=at + ":" + os.environ["PATH"]))
    words = set(x.rstrip("=") for x in r.stdout.split())
    t.ok({"--url", "--no-terminal", "--secret-file", "--version", "status"} <= words
         and "--users-dir" in words and r.stderr == "",
         "completion for " + shell)
    if r.stderr:
        t.diag(r.stderr)
t.done()
