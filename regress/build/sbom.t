#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""make sbom: is what it says of the programs true? The facts are asked for by
other ways: dpkg by the name of a library, sha256sum, symbols."""

import functools
import json
import os
import re
import subprocess
import sys

SRC = os.environ["RELAYD_SRC"]
BUILD = os.environ["RELAYD_FAST_BUILD"]
sys.path.insert(0, os.path.join(SRC, "regress", "e2e"))

from harness import Tap  # noqa: E402

t = Tap()


def said(*words):
    return subprocess.run(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          timeout=300).stdout


def make():
    t.match(said("make", "-s", "-C", BUILD, "sbom"), "relayd.cdx.json",
            "make sbom")
    with open(os.path.join(BUILD, "relayd.cdx.json")) as f:
        return f.read()


def form(bom):
    """What CycloneDX 1.5 asks for."""
    t.equal((bom["bomFormat"], bom["specVersion"], bom["version"]),
            ("CycloneDX", "1.5", 1), "its form")
    t.match(bom["serialNumber"], r"^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-"
            "[0-9a-f]{12}$", "its number")
    refs = [c["bom-ref"] for c in bom["components"]]
    refs.append(bom["metadata"]["component"]["bom-ref"])
    t.equal(len(refs), len(set(refs)), "each part once")
    t.equal([c for c in bom["components"] if c["type"] not in (
        "library", "file", "application") or not c.get("name")], [],
        "with type and name")
    used = {r for d in bom["dependencies"] for r in [d["ref"],
                                                     *d["dependsOn"]]}
    t.equal(used - set(refs), set(), "no other is named")
    t.equal({r for r in refs if r.startswith("pkg:deb")} - {
        r for d in bom["dependencies"] for r in d["dependsOn"]}, set(),
        "each library is something's")
    t.equal([c["name"] for c in bom["components"] if
             c.get("purl", "").startswith("pkg:deb") and not re.match(
                 r"pkg:deb/debian/[\w.+-]+@[\w.%-]+\?arch=\w+$", c["purl"])],
            [], "their names are package URLs")


@functools.cache
def owner(soname):
    """Packages that have such a library, with their versions."""
    out = set()
    for line in said("dpkg-query", "-S", "*/" + soname).splitlines():
        name = line.split(":")[0]
        if line.endswith("/" + soname):
            out.add((name, said("dpkg-query", "-W", "-f", "${Version}\\n",
                                name).split("\n")[0]))
    return out


def programs(bom):
    parts = {c["bom-ref"]: c for c in bom["components"]}
    needs = {d["ref"]: [parts.get(r, {}) for r in d["dependsOn"]]
             for d in bom["dependencies"]}
    n = wrong = 0
    for d in "bin", "libexec":
        for name in sorted(os.listdir(os.path.join(BUILD, d))):
            path = os.path.join(BUILD, d, name)
            part = parts.get("file:" + name)
            if part is None or part["hashes"][0]["content"] != \
                    said("sha256sum", path).split()[0]:
                t.ok(False, "hash of " + name)
                continue
            n += 1
            has = {(c["name"], c.get("version")) for c in
                   needs["file:" + name]}
            for soname in re.findall(r"NEEDED.*\[(.*)\]",
                                     said("readelf", "-d", path)):
                # Its package is not always known under the same path.
                owners = owner(soname)
                if owners and not owners & has:
                    wrong += 1
                    t.diag("%s: %s: %s" % (name, soname, owners))
    late = owner("libssl.so.3")
    t.ok(not late or "NEEDED" not in said("readelf", "-d", os.path.join(
        BUILD, "bin", "tunnel-client")) or late & {
            (c["name"], c.get("version")) for c in needs["file:tunnel-client"]},
         "OpenSSL, which tunnel-client loads when it needs it")
    t.ok(n >= 15, "%d programs, with the hashes that they have" % n)
    t.equal(wrong, 0, "and all libraries that they need, by package and "
            "version")
    return parts, needs


def static(needs):
    for name in "muxd", "termd":
        path = os.path.join(BUILD, "libexec", name)
        if "NEEDED" in said("readelf", "-d", path):
            t.skip("a build with shared ones", name)
            continue
        has = {c["name"] for c in needs["file:" + name]}
        symbols = said("nm", path)
        for package, symbol in (("libevent-dev", "event_base_new"),
                                ("libsodium-dev", "sodium_bin2hex"),
                                ("libssl-dev", "SSL_new"),
                                ("libc6-dev", "malloc")):
            inside = re.search(r" [TtWi] %s$" % symbol, symbols, re.M)
            t.equal(package in has, bool(inside), "%s in %s: %s" % (
                package, name, "yes" if inside else "no"))


def sources(needs):
    with open(os.path.join(BUILD, "config.mk")) as f:
        src = re.search(r"(?m)^LLHTTP_SRC =[ \t]*(.*)$", f.read()).group(1)
    has = {c["name"] for c in needs["file:proxyd"]}
    if src:
        t.ok(said("dpkg-query", "-S", src + "/llhttp.c").split(":")[0] in has,
             "the parser that was built from sources")
    else:
        t.ok([x for x in has if "llhttp" in x], "the parser")
    with open(os.path.join(BUILD, "console/out/console.def")) as f:
        whole = f.read().count("F(") > 1
    with open(os.path.join(SRC, "console/package.json")) as f:
        wants = json.load(f)["dependencies"]
    got = {c["name"]: c["version"] for c in needs["file:proxyd"]
           if c.get("purl", "").startswith("pkg:npm")}
    t.equal({k: got.get(k) for k in wants} if whole else got,
            wants if whole else {}, "what the console is made of: %s" %
            ", ".join(sorted(got)))
    t.ok("typescript" not in got, "and not what made it")


text = make()
form(json.loads(text))
parts, needs = programs(json.loads(text))
static(needs)
sources(needs)
t.equal(make(), text, "the same parts are the same text")
t.done()
