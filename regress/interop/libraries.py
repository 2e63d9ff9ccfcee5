# SPDX-License-Identifier: ISC
"""WebSocket libraries that others wrote, each as a program that speaks for one
side: of regress/interop/cmd for Go, and beside this file for the others."""

import os
import subprocess

from harness import go_program

HERE = os.path.dirname(os.path.abspath(__file__))


def libraries(t, peer):
    """(name, what to run) of each that is here; `peer` is the programs' name."""
    go = go_program(peer)
    yield "Go, coder/websocket", [go, "coder"]
    yield "Go, gorilla/websocket", [go, "gorilla"]
    if subprocess.run(["/usr/bin/python3", "-c", "import websockets"],
                      stderr=subprocess.DEVNULL).returncode == 0:
        yield "Python, websockets", ["/usr/bin/python3",
                                     os.path.join(HERE, peer + ".py")]
    else:
        t.skip("no websockets", "Python, websockets")
    for flag in [], ["--experimental-websocket"]:
        if subprocess.run(["node", *flag, "-e", "WebSocket"],
                          stderr=subprocess.DEVNULL).returncode == 0:
            yield "Node's own", ["node", "--no-warnings", *flag,
                                 os.path.join(HERE, peer + ".mjs")]
            break
    else:
        t.skip("no WebSocket", "Node's own")
