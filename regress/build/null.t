#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A platform that nobody has written anything for: `configure --enable-null` has the
stand-ins of compat.c and sandbox_null.c and no call that they are there to hide; it
compiles, and a tunnel goes through it. Outside of these files what is not POSIX is in
tools/seams.txt, with what takes its place elsewhere.

Only the seams are compiled: all other objects are those of the build without
sanitizers."""

import glob
import os
import re
import shutil
import subprocess
import sys

SRC = os.environ["RELAYD_SRC"]
FAST = os.environ.get("RELAYD_FAST_BUILD") or os.environ["RELAYD_BUILD"]
NULL = os.path.join(os.environ["RELAYD_BUILD"], "null")
SEAMS = re.compile(r"common/(base/compat(_\w+)?|proc/sandbox(_\w+)?)\.[ch]$")
WORDS = re.compile(
    r"#include <(?P<i>linux/|sys/(?:prctl|epoll|eventfd|signalfd|timerfd|"
    r"syscall|inotify|capability|pidfd)\.h|sched\.h|asm/)|"
    r"\b(?P<w>memfd_create|F_ADD_SEALS|SO_PEERCRED|O_PATH|PR_SET|pidfd_open|"
    r"TCP_USER_TIMEOUT|MAP_ANONYMOUS|O_TMPFILE|renameat2|process_vm_\w+|"
    r"getauxval|epoll_\w+)|(?P<p>/proc/)")
HOW = ["--enable-null", "--enable-testing", "--enable-werror"]
n = failed = 0


def ok(good, text, why=()):
    global n, failed
    n += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", n, text), flush=True)
    for x in () if good else why:
        print("#", x)


def run(argv, **kw):
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, **kw)


def uses():
    """(file, word) of all that a program is made of."""
    for path in sorted(glob.glob(SRC + "/*/**/*.[ch]", recursive=True)):
        name = os.path.relpath(path, SRC)
        if name.split("/")[0] in ("regress", "fuzz", "bench", "build",
                                  "console") or SEAMS.search(name):
            continue
        with open(path) as f:
            for m in WORDS.finditer(f.read()):
                word = m.group("i") or m.group("w") or m.group("p")
                # A path of the tree is none of the kernel's.
                if word == "/proc/" and re.search(r"(common|regress)$",
                                                  m.string[:m.start()]):
                    continue
                yield name, word


def listed():
    with open(SRC + "/tools/seams.txt") as f:
        for line in f:
            if line[0] != "#":
                name, words, instead = line.split(": ", 2)
                for w in words.split(", "):
                    yield name, w.split(" ")[0]


found, told = set(uses()), set(listed())
ok(found <= told, "what is not POSIX is in the seams, or in tools/seams.txt",
   ["%s: %s" % x for x in sorted(found - told)])
ok(told <= found, "and what is there is there",
   ["%s: %s" % x for x in sorted(told - found)])

os.makedirs(NULL, exist_ok=True)
r = run([SRC + "/configure"] + HOW, cwd=NULL)
ok(r.returncode == 0, "configure --enable-null", r.stdout.splitlines()[-9:])
with open(NULL + "/config.mk") as f:
    ok("sandbox_null.o" in f.read() and "rlimits only" in r.stdout,
       "with sandbox_null.c alone")
with open(NULL + "/config.h") as f:
    have = re.findall(r"#define HAVE_(STRL\w+|\w*ALLOC\w*|FREEZERO|CLOSEFROM|"
                      r"EXPLICIT_BZERO|STRTONUM|\w*LANDLOCK_H|\w*SECCOMP_H)",
                      f.read())
ok(not have, "and all that is missing elsewhere is missing", have)

# Objects that know of no seam; older than config.mk they would be made again.
made = sorted(glob.glob(FAST + "/**/*.o", recursive=True) +
              glob.glob(FAST + "/**/*.a", recursive=True) +
              glob.glob(FAST + "/console/out/*") +
              glob.glob(FAST + "/relayd/parse.[ch]"))
for path in made:
    name = os.path.relpath(path, FAST)
    if not os.path.isfile(path) or name.split("/")[0] in (
            "regress", "fuzz", "bench", "fuzz-obj", "fuzz-cov", "clang",
            "null", "build") or re.search(
            r"common/(base/compat|proc/sandbox)", name):
        continue
    to = os.path.join(NULL, name)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copyfile(path, to)
r = run(["make", "-C", NULL, "all"])
ok(r.returncode == 0, "it compiles, without a warning",
   [x for x in r.stdout.splitlines() if "CC" not in x][-12:])
compiled = re.findall(r"CC +(\S+)", r.stdout)
ok(os.path.exists(NULL + "/common/base/compat.o") and
   os.path.exists(NULL + "/common/proc/sandbox_null.o") and
   not os.path.exists(NULL + "/common/proc/sandbox_linux.o"),
   "with seams of its own (%d files compiled)" % len(compiled))
names = run(["nm", "--defined-only", NULL + "/libexec/authd"]).stdout
ok(all(" T %s\n" % x in names for x in (
    "strlcpy", "strtonum", "reallocarray", "recallocarray", "freezero",
    "explicit_bzero", "closefrom", "sandbox_apply")),
   "authd has all stand-ins")

env = dict(os.environ, RELAYD_BUILD=NULL, RELAYD_FAST_BUILD=NULL)
r = run([SRC + "/regress/e2e/tunnel.t"], env=env, timeout=600)
bad = [x for x in r.stdout.splitlines() if x.startswith("not ok")]
ok(r.returncode == 0 and not bad and re.search(r"^1\.\.\d", r.stdout, re.M),
   "regress/e2e/tunnel.t passes on it", r.stdout.splitlines()[-20:])
print("1..%d" % n)
sys.exit(failed > 0)
