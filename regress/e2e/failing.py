# SPDX-License-Identifier: ISC
"""A relayd of whose processes each notes where it asks for memory and makes
system calls (regress/lib/failing.c), and lets one of these fail when told."""

import errno
import mmap
import os
import re
import shutil
import struct
import subprocess

from harness import BUILD, Broken

SITES, HEAD, SITE = 16384, 24, struct.Struct("<QQI20s")
SHORT = -1
MEMORY = ("malloc", "calloc", "realloc", "reallocarray", "aligned_alloc",
          "strdup", "strndup")
MOVES = ["EINTR", "EAGAIN", "ECONNRESET", SHORT]
FILE = ["EINTR", "ENOSPC", "EIO", SHORT]
# What each call may say on a bad day; what it never does is none of it.
ERRORS = dict(
    {name: ["ENOMEM"] for name in MEMORY},
    read=MOVES, recv=MOVES, readv=MOVES, recvmsg=MOVES[:3],
    write=MOVES + ["ENOSPC", "EPIPE"], writev=MOVES + ["ENOBUFS", "EPIPE"],
    send=MOVES + ["ENOBUFS", "EPIPE"], sendmsg=MOVES[:3] + ["ENOBUFS"],
    pread=FILE, pread64=FILE, pwrite=FILE, pwrite64=FILE,
    accept4=["EINTR", "EAGAIN", "EMFILE", "ENFILE", "ENOBUFS",
             "ECONNABORTED"],
    socket=["EMFILE", "ENOBUFS"], socketpair=["EMFILE", "ENOBUFS"],
    pipe2=["EMFILE"], dup=["EMFILE"], eventfd=["EMFILE"],
    open=["EMFILE", "ENOSPC"], open64=["EMFILE", "ENOSPC"],
    connect=["ECONNREFUSED", "ENOBUFS"], epoll_wait=["EINTR"],
    epoll_ctl=["ENOMEM", "ENOSPC"], poll=["EINTR"],
    setsockopt=["ENOBUFS"], getsockopt=["ENOBUFS"], shutdown=["ENOTCONN"],
    fsync=["ENOSPC", "EIO"], fdatasync=["ENOSPC", "EIO"],
    ftruncate=["ENOSPC"], ftruncate64=["ENOSPC"])


class Table:
    """Of one role: its places, and which of them fails."""

    def __init__(self, path, program):
        self.path, self.program, self.names = path, program, {}
        with open(path, "wb") as f:
            f.truncate(HEAD + SITES * SITE.size)
        os.chmod(path, 0o666)
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def hits(self):
        """{place: how often} of all that were reached."""
        out = {}
        for i in range(SITES):
            key, at, n, call = SITE.unpack_from(self.map, HEAD + i * SITE.size)
            if key:
                out[key] = n
                if key not in self.names:
                    self.names[key] = call.rstrip(b"\0").decode(), at
        return out

    def arm(self, key, error, skip=0):
        """After so many times that it goes well."""
        code = SHORT if error == SHORT else getattr(errno, error)
        struct.pack_into("<iII", self.map, 8, code, 0, skip)
        struct.pack_into("<Q", self.map, 0, key)

    def disarm(self):
        struct.pack_into("<Q", self.map, 0, 0)

    def failed_in(self):
        """The pid of the process in which it has failed, or 0."""
        return struct.unpack_from("<I", self.map, 12)[0]

    def where(self, keys):
        """{place: "call, function file:line"} of these."""
        keys = list(keys)
        r = subprocess.run(["addr2line", "-fs", "-e", self.program] + [
            "%x" % (max(self.names[k][1] - 1, 0) & (1 << 63) - 1)
            for k in keys], stdout=subprocess.PIPE, check=True, text=True)
        lines = r.stdout.splitlines()
        return {k: "%s, %s %s" % (self.names[k][0], lines[2 * i],
                                  re.sub(" .*", "", lines[2 * i + 1]))
                for i, k in enumerate(keys)}


class Failing(Broken):
    """The roles in `roles` are watched. The parent is not: with it all ends."""

    def __init__(self, *args, roles=(), **kw):
        self.roles, self.tables = roles, {}
        super().__init__(*args, role=None, **kw)

    def start(self):
        lib = os.path.join(self.dir, "libexec")
        tools = os.path.join(BUILD, "regress", "lib")
        os.makedirs(lib, exist_ok=True)
        real = os.path.join(self.build, "libexec")
        os.symlink(os.path.join(tools, "failing.so"),
                   os.path.join(lib, "failing.so"))
        for name in self.roles:
            at = os.path.join(lib, name)
            shutil.copy(os.path.join(tools, "failing_start"), at)
            os.symlink(os.path.join(real, name), at + ".real")
            self.tables[name] = Table(at + ".failing",
                                      os.path.join(real, name))
        # The preloaded comes first, and passes on what is not to fail.
        os.environ["ASAN_OPTIONS"] = \
            os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        super().start()
