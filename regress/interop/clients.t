#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Programs that are no browsers, with services behind a tunnel, through the
subdomain proxy and the path proxy, with nginx and its certificate in front:
git, curl, and rclone for WebDAV."""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from urllib.parse import urlsplit

from browse import (DOMAIN, HOST, WEB, Program, behind, free_port, installed,
                    lacks, listens, nginx)
from harness import Tap, Targets

t = Tap()
MB = 1 << 20
BIG = 100 * 1000 * 1000

# Repositories by git's own CGI, and files.
CONF = """
server {
	listen 127.0.0.1:%d;
	client_max_body_size 0;
	location / { root %s; }
	location ~ \\.git/ {
		include /etc/nginx/fastcgi_params;
		fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
		fastcgi_param GIT_PROJECT_ROOT %s;
		fastcgi_param GIT_HTTP_EXPORT_ALL 1;
		fastcgi_param PATH_INFO $uri;
		fastcgi_param REMOTE_USER operator;
		fastcgi_param HOME %s;
		fastcgi_request_buffering off;
		fastcgi_buffering off;
		fastcgi_pass 127.0.0.1:%d;
	}
}
"""


class Way:
    """By which a client comes to a service: address and field of the head."""

    def __init__(self, name, base, field):
        self.name, self.base, self.field = name, base, field
        at = urlsplit(base)
        self.resolve = "%s:%d:127.0.0.1" % (at.hostname, at.port)


def subdomain(d, session, token, service):
    cookie = d.cookie(session, token, service)
    host = re.sub(":.*", "", d.proxy_host(session, service))
    return Way("subdomain, " + service, "https://%s:%d" % (host, d.front),
               "Cookie: " + cookie)


def path(d, session, token, service):
    return Way("path, " + service,
               "https://%s:%d/api/support-sessions/%s/proxy/%s" %
               (DOMAIN, d.front, session, service),
               "Authorization: Bearer " + token)


def run(argv, **kw):
    return subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300, **kw)


def sha(data):
    return hashlib.sha256(data).hexdigest()


# ---- git ----

def git(way, tmp, *args, cwd=None):
    return run(["git", "-c", "http.sslVerify=false", "-c",
                "http.curloptResolve=" + way.resolve, "-c",
                "http.extraHeader=" + way.field, "-c",
                "safe.directory=*", *args], cwd=cwd,
               env=dict(os.environ, HOME=tmp, GIT_TERMINAL_PROMPT="0",
                        GIT_CONFIG_NOSYSTEM="1"))


def with_git(way, tmp, root):
    """50 MB that do not compress go there and come back."""
    name = "r%s.git" % secrets.token_hex(4)
    for words in (["init", "-q", "--bare", name],
                  ["-C", name, "config", "http.receivepack", "true"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    own = tempfile.mkdtemp(dir=tmp)
    with open(os.path.join(own, "data"), "wb") as f:
        f.write(os.urandom(50 * MB))
    subprocess.run("git init -q . && git add data && "
                   "git -c user.name=a -c user.email=a@b commit -qm one",
                   shell=True, cwd=own, check=True)
    url = "%s/%s" % (way.base, name)
    r = git(way, tmp, "push", "-q", url, "HEAD:refs/heads/main", cwd=own)
    t.ok(r.returncode == 0, "%s: git pushes 50 MB" % way.name) or \
        t.diag(r.stderr)
    head = run(["git", "rev-parse", "HEAD"], cwd=own).stdout
    got = run(["git", "-C", name, "rev-parse", "main"], cwd=root).stdout
    t.equal(got, head, "%s: which are there" % way.name)
    back = tempfile.mkdtemp(dir=tmp)
    r = git(way, tmp, "clone", "-q", "-b", "main", url, back)
    t.ok(r.returncode == 0 and
         run(["cmp", own + "/data", back + "/data"]).returncode == 0,
         "%s: git clones them" % way.name) or t.diag(r.stderr)
    r = git(way, tmp, "pull", "-q", url, "main", cwd=back)
    t.ok(r.returncode == 0, "%s: and pulls nothing more" % way.name) or \
        t.diag(r.stderr)
    for at in own, back, os.path.join(root, name):
        shutil.rmtree(at)


# ---- curl ----

def curl(way, at, *args, **kw):
    r = run(["curl", "-sSk", "--resolve", way.resolve, "-H", way.field,
             *args, way.base + at], **kw)
    if r.returncode != 0:
        t.diag(r.stderr)
    return r


def uploads(way, tmp):
    """To targets: with a length, in chunks, waiting for 100."""
    big = os.path.join(tmp, "big")
    with open(big, "rb") as f:
        want = dict(sha256=sha(f.read()), bytes=BIG)
    ways = (("with a length", ["-T", big]),
            ("in chunks", ["-T", "-"]),
            ("in chunks, as POST", ["-X", "POST", "-T", "-"]),
            ("as a form's data", ["--data-binary", "@" + big]))
    for name, args in ways:
        with open(big, "rb") as f:
            r = curl(way, "/sha", *args, "-X", "POST", "-H",
                     "Content-Type: application/octet-stream",
                     "-H", "Expect:", stdin=f)
        t.equal((json.loads(r.stdout or "{}")), want,
                "%s: curl uploads 100 MB %s" % (way.name, name))
    r = curl(way, "/sha", "-v", "-X", "POST", "-H", "Expect: 100-continue",
             "--expect100-timeout", "60", "--data-binary", "@" + big)
    t.equal(json.loads(r.stdout or "{}"), want,
            "%s: curl waits for 100 Continue and uploads" % way.name)
    t.match(r.stderr.decode(), r"< HTTP/1.1 100 ",
            "%s: which it has got" % way.name)


def ranges(way, tmp):
    """From nginx: a part, parts, one that is not there, the rest."""
    with open(os.path.join(tmp, "root", "big"), "rb") as f:
        data = f.read()
    out = os.path.join(tmp, "out")
    r = curl(way, "/big", "-r", "5000000-59999999", "-w", "%{http_code}",
             "-o", out)
    with open(out, "rb") as f:
        t.ok(r.stdout == b"206" and f.read() == data[5000000:60000000],
             "%s: curl gets a range of 55 MB" % way.name)
    r = curl(way, "/big", "-r", "0-9,20-29", "-D", "-")
    t.ok(b" 206 " in r.stdout and b"multipart/byteranges" in r.stdout and
         data[20:30] in r.stdout, "%s: two ranges in one answer" % way.name)
    r = curl(way, "/big", "-r", "%d-" % (BIG + 5), "-w", "%{http_code}",
             "-o", "/dev/null")
    t.equal(r.stdout, b"416", "%s: one behind the end" % way.name)
    with open(out, "wb") as f:
        f.write(data[:30000000])
    r = curl(way, "/big", "-C", "-", "-o", out, "-w", "%{http_code}")
    with open(out, "rb") as f:
        t.ok(r.stdout == b"206" and f.read() == data,
             "%s: a download that broke off is gone on with" % way.name)
    r = curl(way, "/big", "-I")
    t.match(r.stdout.decode(), r"(?i)\r\ncontent-length: %d\r" % BIG,
            "%s: HEAD tells the length" % way.name)


# ---- WebDAV ----

def rclone(way, tmp, *args):
    """With names of its own: its machine is another one."""
    hosts = os.path.join(tmp, "hosts")
    with open(hosts, "w") as f:
        f.write("127.0.0.1 localhost %s\n" % way.resolve.split(":")[0])
    name, value = way.field.split(": ", 1)
    return run(["unshare", "-m", "sh", "-c",
                'mount --bind "$0" /etc/hosts && exec "$@"', hosts,
                "rclone", "--config", "/dev/null", "--retries", "1",
                "--low-level-retries", "1", "--no-check-certificate",
                "--header", "%s: %s" % (name, value), "--webdav-url",
                way.base + "/", "--webdav-vendor", "other", *args])


def webdav(way, tmp, root):
    local = tempfile.mkdtemp(dir=tmp)
    for name, size in (("one", 10 * MB), ("with space & ä", 7), ("empty", 0)):
        with open(os.path.join(local, name), "wb") as f:
            f.write(os.urandom(size))

    def step(what, *args):
        r = rclone(way, tmp, *args)
        t.ok(r.returncode == 0, "%s: WebDAV: %s" % (way.name, what)) or \
            t.diag(r.stderr)
        return r.stdout.decode()

    step("files are put into a new folder", "copy", local, ":webdav:a/b")
    t.equal(sorted(os.listdir(os.path.join(root, "a/b"))),
            sorted(os.listdir(local)), "%s: and are there" % way.name)
    t.equal(step("they are listed", "lsf", ":webdav:a/b").split("\n")[:-1],
            sorted(os.listdir(local)), "%s: all three" % way.name)
    # Destination is an address.
    step("one is moved", "moveto", ":webdav:a/b/one", ":webdav:a/two")
    t.equal(os.path.getsize(os.path.join(root, "a/two")), 10 * MB,
            "%s: to where it was to go" % way.name)
    step("one is copied", "copyto", ":webdav:a/two", ":webdav:a/b/one")
    step("they are compared", "check", "--download", local, ":webdav:a/b")
    step("and deleted", "purge", ":webdav:a")
    t.equal(os.listdir(root), [], "%s: nothing is left" % way.name)


def webdav_by_path(way, tmp, root):
    """Addresses in a body stay the service's own there, so rclone would not
    find what it lists: the calls one by one."""
    one = os.path.join(tmp, "one")
    with open(one, "wb") as f:
        f.write(os.urandom(10 * MB))

    def step(status, method, at, *args):
        r = curl(way, at, "-X", method, "-o", "/dev/null", "-w",
                 "%{http_code}", *args)
        t.equal(r.stdout.decode(), status, "%s: WebDAV: %s" % (way.name,
                                                               method))
    step("201", "MKCOL", "/a")
    step("201", "PUT", "/a/one", "-T", one)
    step("207", "PROPFIND", "/a", "-H", "Depth: 1")
    step("201", "MOVE", "/a/one", "-H", "Destination: %s/a/two" % way.base)
    step("201", "COPY", "/a/two", "-H", "Destination: %s/a/three" %
         urlsplit(way.base).path)
    t.equal(sorted(os.listdir(root + "/a")), ["three", "two"],
            "%s: Destination is an address below the path" % way.name)
    step("502", "MOVE", "/a/two", "-H", "Destination: "
         "https://elsewhere.test/a/four")
    step("204", "DELETE", "/a")
    t.equal(os.listdir(root), [], "%s: nothing is left" % way.name)


def main():
    missing = lacks("git", "fcgiwrap", "curl", "rclone")
    if missing or os.getuid() != 0:
        t.skip("no %s" % (missing or "root"), "git, curl, WebDAV")
        return
    installed()
    web, cgi, dav = (free_port() for _ in range(3))
    with tempfile.TemporaryDirectory(prefix="relayd-clients-") as tmp, \
            ExitStack() as stack:
        os.chmod(tmp, 0o755)
        root, davroot = (os.path.join(tmp, n) for n in ("root", "dav"))
        os.mkdir(root)
        os.mkdir(davroot)
        for at in os.path.join(root, "big"), os.path.join(tmp, "big"):
            with open(at, "wb") as f:
                f.write(os.urandom(BIG))
        at = os.path.join(tmp, "nginx")
        os.mkdir(at)
        start = stack.enter_context
        for port, p in ((cgi, Program(["fcgiwrap", "-c", "2", "-s",
                                       "tcp:127.0.0.1:%d" % cgi])),
                        (web, Program(nginx(at, CONF % (web, root, root, tmp,
                                                        cgi)))),
                        (dav, Program([WEB + "/venv/bin/wsgidav", "--host",
                                       "127.0.0.1", "--port", str(dav),
                                       "--root", davroot, "--auth",
                                       "anonymous"], cwd=tmp))):
            listens(port, start(p))
        targets = start(Targets())
        d, session, token = start(behind(t, ",".join((
            "web=127.0.0.1:%d" % web, "dav=127.0.0.1:%d" % dav,
            "sum=127.0.0.1:%d" % targets.http,
            "davnamed=127.0.0.1:%d:host=%s" % (dav, HOST)))))
        for way, dav_client in (subdomain, webdav), (path, webdav_by_path):
            with_git(way(d, session, token, "web"), tmp, root)
            uploads(way(d, session, token, "sum"), tmp)
            ranges(way(d, session, token, "web"), tmp)
            for service in "dav", "davnamed":
                dav_client(way(d, session, token, service), tmp, davroot)


main()
t.done()
