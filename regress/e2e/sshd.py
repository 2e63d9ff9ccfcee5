# SPDX-License-Identifier: ISC
"""A real sshd on loopback, as an ordinary process, and a key that it takes."""

import os
import shutil
import socket
import subprocess

from harness import Program, free_port, until


def sshd(tmp):
    """Its Program and its port; the key is tmp/user."""
    for name in "host", "user":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        "%s/%s" % (tmp, name)], check=True)
    shutil.copy(tmp + "/user.pub", tmp + "/authorized")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    port = free_port()
    with open(tmp + "/sshd_config", "w") as f:
        f.write("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\n"
                "AuthorizedKeysFile %s/authorized\nStrictModes no\n"
                "UsePAM no\nPasswordAuthentication no\nPidFile none\n"
                "PermitRootLogin yes\nSubsystem sftp internal-sftp\n" %
                (port, tmp, tmp))
    p = Program(["/usr/sbin/sshd", "-D", "-e", "-f", tmp + "/sshd_config"])
    until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0,
          "sshd: " + p.err.text())
    return p, port
