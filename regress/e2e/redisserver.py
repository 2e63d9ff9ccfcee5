# SPDX-License-Identifier: ISC
"""A real redis-server of a test's own, and a client that says what it likes."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

from basics import free_port, until

PASSWORD = "of-the-tests"


class Redis:
    def __init__(self):
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="relayd-redis-")
        os.chmod(self.dir, 0o755)
        self.password = self.file("password", PASSWORD)
        self.p = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text + "\n")
        os.chmod(path, 0o600)
        return path

    def conf(self, more="", number=2, port=None, user="", password=None):
        return 'redis "redis://%s127.0.0.1:%d/%d" password file "%s"%s\n' % (
            user and user + "@", port or self.port, number,
            password or self.password, more)

    def start(self):
        self.p = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--requirepass", PASSWORD, "--save", "", "--dir", self.dir],
            stdout=subprocess.DEVNULL)
        until(self.answers, "redis-server")

    def answers(self):
        try:
            return self.say("PING") == b"+PONG"
        except OSError:
            return False

    def kill(self):
        if self.p is not None:
            self.p.send_signal(signal.SIGCONT)
            self.p.kill()
            self.p.wait()
            self.p = None

    def restart(self):
        self.p.terminate()
        self.p.wait()
        self.start()

    def hang(self):
        self.p.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.p.send_signal(signal.SIGCONT)

    def say(self, *words):
        """One command in a connection of its own; the answer as it is sent."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.sendall(command("AUTH", PASSWORD) + command("SELECT", "2") +
                      command(*words))
            f = s.makefile("rb")
            f.readline()
            f.readline()
            return reply(f)


class Heard:
    """What is said in a channel from now on."""

    def __init__(self, redis, channel):
        self.s = socket.create_connection(("127.0.0.1", redis.port), 30)
        self.s.sendall(command("AUTH", PASSWORD) +
                       command("SUBSCRIBE", channel))
        self.f = self.s.makefile("rb")
        self.f.readline()
        reply(self.f)

    def next(self):
        return reply(self.f)[2]

    def close(self):
        self.f.close()
        self.s.close()


def command(*words):
    out = b"*%d\r\n" % len(words)
    for w in words:
        w = w if isinstance(w, bytes) else w.encode()
        out += b"$%d\r\n%s\r\n" % (len(w), w)
    return out


def reply(f):
    line = f.readline().rstrip(b"\r\n")
    if line[:1] == b"$":
        n = int(line[1:])
        return None if n == -1 else f.read(n + 2)[:-2]
    if line[:1] == b":":
        return int(line[1:])
    if line[:1] == b"*":
        return [reply(f) for _ in range(int(line[1:]))]
    return line
