#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""JupyterLab behind a tunnel, in Chromium: a login, a cell that runs."""

import os
import tempfile

from browse import (HOST, WEB, Program, behind, free_port, installed, lacks,
                    listens, opened, play)
from harness import Tap

t = Tap()


def lab(tmp, port):
    return [os.path.join(WEB, "venv", "bin", "jupyter"), "lab",
            "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=%d" % port, "--ServerApp.port_retries=0",
            "--ServerApp.root_dir=" + tmp, "--IdentityProvider.token=s3same",
            "--ServerApp.allow_remote_access=True"]


def main():
    if lacks():
        t.skip("no " + lacks(), "JupyterLab in a browser")
        return
    installed()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="relayd-lab-") as tmp:
        env = {"HOME": tmp, "JUPYTER_PLATFORM_DIRS": "1"}
        with Program(lab(tmp, port), env=env, cwd=tmp) as p:
            listens(port, p)
            play(t, "jupyter.js", name="jupyter-direct", password="s3same",
                 url="http://127.0.0.1:%d/lab?reset" % port)
            services = "web=127.0.0.1:%d,named=127.0.0.1:%d:host=%s" % (
                port, port, HOST)
            for front in "https", "http":
                with behind(t, services, front == "https") as (d, session,
                                                               token):
                    for service in "web", "named":
                        play(t, "jupyter.js", name="jupyter-%s-%s" % (
                            service, front), password="s3same",
                            url=opened(d, session, token, service,
                                       "/lab?reset"))


main()
t.done()
