# SPDX-License-Identifier: ISC
"""Headless Chromium, driven over its pipe (--remote-debugging-pipe): tabs that
go to pages and run scripts in them, all with one set of cookies."""

import json
import os
import shutil
import subprocess
import tempfile
import threading

from harness import WAIT

NAMES = "chromium-headless-shell", "chromium", "chrome-headless-shell"


def program():
    """Its path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A browser without a memory; names under `domain` are this machine's."""

    def __init__(self, domain):
        self.dir = tempfile.mkdtemp(prefix="relayd-chromium-")
        to_r, self.to = os.pipe()
        self.said, said_w = os.pipe()

        def ends():
            # 3 and 4 may be what the other is to become.
            a, b = os.dup(to_r), os.dup(said_w)
            os.dup2(a, 3)
            os.dup2(b, 4)
        self.p = subprocess.Popen(
            [program(), "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--ignore-certificate-errors",
             "--no-first-run", "--no-proxy-server",
             "--disable-background-networking",
             "--host-resolver-rules=MAP *.%s 127.0.0.1, "
             "MAP * ~NOTFOUND" % domain,
             "--user-data-dir=" + self.dir, "--remote-debugging-pipe",
             "about:blank"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=ends, env=dict(
                os.environ, HOME=self.dir, LANG="C.UTF-8"))
        os.close(to_r)
        os.close(said_w)
        self.n = 0
        self.answers = {}
        self.events = []
        self.cond = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        # The end of its pipe ends it; the program may be a shell's child.
        os.close(self.to)
        self.p.wait(WAIT)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _read(self):
        buf = b""
        while True:
            part = os.read(self.said, 65536)
            if not part:
                break
            *whole, buf = (buf + part).split(b"\0")
            with self.cond:
                for text in whole:
                    m = json.loads(text)
                    if "id" in m:
                        self.answers[m["id"]] = m
                    else:
                        self.events.append(m)
                self.cond.notify_all()

    def call(self, method, session=None, **params):
        self.n += 1
        m = {"id": self.n, "method": method, "params": params}
        if session:
            m["sessionId"] = session
        os.write(self.to, json.dumps(m).encode() + b"\0")
        with self.cond:
            if not self.cond.wait_for(lambda: m["id"] in self.answers, WAIT):
                raise TimeoutError("chromium: " + method)
            got = self.answers.pop(m["id"])
        if "error" in got:
            raise RuntimeError("chromium: %s: %s" % (method, got["error"]))
        return got["result"]

    def event(self, method, session, start):
        """The first such event of a tab behind a place in the list."""
        def found():
            for e in self.events[start:]:
                if e["method"] == method and e.get("sessionId") == session:
                    return e["params"]
            return None
        with self.cond:
            if not self.cond.wait_for(lambda: found() is not None, WAIT):
                raise TimeoutError("chromium: no " + method)
            return found()

    def tab(self):
        return Tab(self)

    def cookies(self):
        return self.call("Storage.getCookies")["cookies"]


class Tab:
    def __init__(self, browser):
        self.b = browser
        target = browser.call("Target.createTarget", url="about:blank")
        self.session = browser.call(
            "Target.attachToTarget", targetId=target["targetId"],
            flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Network.enable")

    def call(self, method, **params):
        return self.b.call(method, self.session, **params)

    def go(self, url):
        """The status of the page that it ends at, which is loaded then."""
        start = len(self.b.events)
        r = self.call("Page.navigate", url=url)
        if "errorText" in r:
            raise RuntimeError("%s: %s" % (url.split("?")[0],
                                           r["errorText"]))
        self.b.event("Page.loadEventFired", self.session, start)
        with self.b.cond:
            got = [e["params"] for e in self.b.events[start:]
                   if e["method"] == "Network.responseReceived" and
                   e.get("sessionId") == self.session and
                   e["params"]["type"] == "Document"]
        return got[-1]["response"]["status"]

    def run(self, script):
        """What the script says at its end, awaited."""
        r = self.call("Runtime.evaluate", expression=script,
                      awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in r:
            raise RuntimeError("script: %s" % r["exceptionDetails"])
        return r["result"].get("value")

    def text(self):
        return self.run("document.body.innerText")
