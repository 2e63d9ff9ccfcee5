#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The console's texts: both languages have the same ones, each is used, and none
is missing a part that the other fills in."""

import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.join(HERE, "..", "..", "console", "src")
n = 0


def ok(good, text):
    global n
    n += 1
    print("%sok %d - %s" % ("" if good else "not ", n, text))


def read(*path):
    with open(os.path.join(SRC, *path), encoding="utf-8") as f:
        return f.read()


def texts(name):
    found = re.findall(r'^  (\w+):\s*("(?:[^"\\]|\\.)*"(?:\s*\+\s*"(?:[^"\\]|\\.)'
                       r'*")*)', read("texts", name), re.M)
    return dict(found)


def holes(text):
    return sorted(re.findall(r"\{(\w+)\}", text))


sources = ""
for at, _, files in os.walk(SRC):
    if os.path.basename(at) != "texts":
        for name in files:
            if name.endswith((".ts", ".tsx")):
                sources += read(at, name)
en, it = texts("en.ts"), texts("it.ts")
ok(len(en) > 100, "the texts are found (%d)" % len(en))
ok(set(en) == set(it), "both languages have the same: %s" % sorted(
    set(en) ^ set(it)))
unused = [k for k in en if not re.search(r'"%s"|\b%s:' % (k, k), sources)]
ok(not unused, "each is used: %s" % unused)
other = [k for k in en if k in it and holes(en[k]) != holes(it[k])]
ok(not other, "and has the same holes: %s" % other)
print("1..%d" % n)
