#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""fuzz/README.md has all: each target there is, and each function in a header that
reads bytes of somebody else's, by name and arguments, with the target that runs it
or why none does. What it says runs it links it: fuzz/*_replay of the build."""

import glob
import os
import re
import subprocess

SRC, BUILD = os.environ["RELAYD_SRC"], os.environ["RELAYD_BUILD"]
# Bytes with their length, or a piece of a head; and what such a reader is called.
BYTES = re.compile(r"const (char|uint8_t|void) ?\*\w*(\[\w*\])?, size_t|"
                   r"const struct (slice|blob) \*")
READS = re.compile(r"parse|read|feed|take|input|scan|next|unpack|rewrite|merge|"
                   r"document|json|msg_get|message|said|command$|result|match|"
                   r"split|_open|_of$|clamp|apps|check|find|_set$|strip|fits|"
                   r"_redirect|_query|urlmap|origin|lenient|request|response|"
                   r"pong|tag|chain")
n = failed = 0


def ok(good, text, *why):
    global n, failed
    n += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", n, text))
    for x in why if not good else ():
        print("#", x)


def declared():
    """Of all headers but those of tests: name and where."""
    for path in sorted(glob.glob(SRC + "/*/**/*.h", recursive=True)):
        name = os.path.relpath(path, SRC)
        if name.split("/")[0] in ("regress", "fuzz", "bench", "build", "console"):
            continue
        with open(path) as f:
            text = re.sub(r"/\*.*?\*/", " ", f.read(), flags=re.S)
        for m in re.finditer(r"\b(\w+)\(((?:[^()]|\([^()]*\))*)\)[^;(){}]*;", text):
            args = re.sub(r"\s+", " ", m.group(2))
            if BYTES.search(args) and READS.search(m.group(1)):
                yield m.group(1), name


def table(text, heading):
    """Rows of the first table behind a heading."""
    part = text.split("\n## " + heading + "\n", 1)[1].split("\n## ")[0]
    rows = [[c.strip() for c in x.strip("|").split("|")]
            for x in part.splitlines() if x.startswith("|")]
    return rows[2:]


with open(SRC + "/fuzz/README.md") as f:
    readme = f.read()
targets = {os.path.basename(x)[:-3] for x in glob.glob(SRC + "/fuzz/*.mk")}
targets.discard("fuzz")
rows = table(readme, "Targets")
listed = [r[0].strip("`") for r in rows]
ok(sorted(listed) == sorted(targets), "each target is in the list",
   "missing: %s; no such: %s" % (sorted(targets - set(listed)),
                                 sorted(set(listed) - targets)))
ok(all(len(r) == 3 and all(r) for r in rows),
   "with what it feeds, and who reads that in which process")
bare = [x for x in targets if not glob.glob(SRC + "/fuzz/corpus/%s/*" % x)]
ok(not bare, "each has seeds", *bare)

found = dict(declared())
readers = {r[0].strip("`"): r[1] for r in table(readme, "Readers")}
missing = sorted("%s of %s" % (k, v) for k, v in found.items()
                 if k not in readers)
ok(not missing, "each of %d functions that read bytes has a row" % len(found),
   *missing)
gone = sorted(set(readers) - set(found))
ok(not gone, "each row is of one that there is", *gone)

symbols, lies = {}, []
for name, by in readers.items():
    target = by.strip("`")
    if not by.startswith("`"):
        if len(by) < 8:
            lies.append("%s: no target, and no reason" % name)
        continue
    if target not in targets:
        lies.append("%s: no target %s" % (name, target))
        continue
    if target not in symbols:
        symbols[target] = set(subprocess.run(
            ["nm", "%s/fuzz/%s_replay" % (BUILD, target)], check=True,
            capture_output=True, text=True).stdout.split())
    if name not in symbols[target]:
        lies.append("%s: %s does not link it" % (name, target))
ok(not lies, "each is run by the target that it says, or says why not", *lies)
print("1..%d" % n)
raise SystemExit(failed > 0)
