#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""doc/openapi.yaml and common/api say the same: calls, texts, permissions,
parameters, states, sort keys; and where each refers to something it is there."""

import os
import re
import sys

import yaml

SRC = os.environ["RELAYD_SRC"]
METHODS = ("get", "put", "post", "delete", "patch")
count = 0
bodies = {}


def equal(got, want, name):
    global count
    count += 1
    print("%s %d - %s" % ("ok" if got == want else "not ok", count, name))
    if got != want:
        print("#   got %r\n#  want %r" % (got, want))


def words(file, macro, each):
    """What a list of C's has: by its name its word."""
    with open(SRC + "/" + file, encoding="utf-8") as f:
        text = f.read()
    text = re.search(r"#define %s\s*((?:.*\\\n)*.*)" % macro, text)[1]
    return {name: word or name for name, word in
            re.findall(each + r'\((\w+)(?:, "([^"]*)")?\)', text)}


PERMISSIONS = words("common/api/args.h", "API_PERMISSIONS", "N")
SORT_KEYS = words("common/api/args.h", "API_SORT_KEYS", "K")
STATES = words("common/imsg/msg.h", "SESSION_STATES", "SE")


def table():
    """api.def: by (method, path) its word, its text, its parameters."""
    with open(SRC + "/common/api/api.def", encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    rows = {}
    for text in re.split(r"^(?=A\()", text, flags=re.M)[1:]:
        row = re.match(r'A\((\w+),\s*"(\w+)",\s*"([^"]+)",\s*(\w+),'
                       r'\s*(\w+),\s*(\w+),\s*"([^"]*)",(.*)\)\s*$', text, re.S)
        if row is None:
            sys.exit("not understood in api.def: " + text)
        _, method, path, needs, body, word, said, params = row.groups()
        bodies[method.lower(), path] = body != "0"
        rows[method.lower(), path] = (word, PERMISSIONS[needs], said, sorted(
            (where, name, kind,
             tuple(int(x) for x in re.findall(r"\d+", args)))
            for where, kind, name, args in re.findall(
                r"([QB])_(\w+)\((\w+)((?:,\s*\d+)*)\)", params)))
    return rows


def kind_of(schema):
    """What the kinds of api.def are as schemas."""
    if schema["type"] == "integer":
        bounds = (schema["minimum"], schema["maximum"])
        return ("NUMBER", bounds + (schema["default"],)) if "default" in \
            schema else ("INTEGER", bounds)
    if schema["type"] == "array":
        return "STATUSES", ()
    if schema.get("enum") == ["asc", "desc"]:
        return "DESCENDING", ()
    return ("WORD" if "enum" in schema else
            "ID" if "maxLength" in schema else "NAME"), ()


def document(doc):
    rows = {}
    for path, item in doc["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            op = item[method]
            params = [("Q", p["name"]) + (
                          ("NEEDED", ()) if p.get("required") else
                          kind_of(p["schema"]))
                      for p in op.get("parameters", [])]
            if "requestBody" in op:
                body = op["requestBody"]["content"]["application/json"]
                params += [("B", name) + kind_of(s) for name, s in
                           body["schema"]["properties"].items()]
            rows[method, path] = (op["operationId"], op["x-permission"],
                                  op["responses"]["200"]["description"],
                                  sorted(params))
    return rows


def refs(x):
    if isinstance(x, dict):
        if "$ref" in x:
            yield x["$ref"]
        for v in x.values():
            yield from refs(v)
    elif isinstance(x, list):
        for v in x:
            yield from refs(v)


def leads(doc, ref):
    for part in ref.removeprefix("#/").split("/"):
        if not isinstance(doc, dict) or part not in doc:
            return False
        doc = doc[part]
    return True


with open(SRC + "/doc/openapi.yaml", encoding="utf-8") as f:
    served = yaml.safe_load(f)
want, got = table(), document(served)
equal(sorted(got), sorted(want), "the same calls")
for call in sorted(want):
    equal(got.get(call), want[call], "%s %s" % call)
    equal(bodies[call], call[0] not in ("get", "delete"),
          "%s %s: whether it may have a body" % call)
    equal("{id}" in call[1], any(
        p == {"$ref": "#/components/parameters/Id"}
        for p in served["paths"].get(call[1], {}).get("parameters", [])),
        "%s %s: its path's parameter" % call)
equal(sorted(served["components"]["schemas"]["Status"]["enum"]),
      sorted(STATES.values()), "the states of a session")
equal([sorted(p["schema"]["enum"]) for p in
       served["paths"]["/api/support-sessions"]["get"]["parameters"]
       if p["name"] == "sort_by"], [sorted(SORT_KEYS)],
      "what the list can be sorted by")
with open(SRC + "/doc/openapi.yaml", encoding="utf-8") as f:
    equal(sorted(set(re.findall(r"\b[a-z]+:systems\b", f.read()))),
          sorted(PERMISSIONS.values()), "no other permission")
equal([r for r in refs(served) if not leads(served, r)], [],
      "every reference leads somewhere")
for op in (i[m] for i in served["paths"].values() for m in METHODS if m in i):
    equal({"401", "403", "429", "503"} - set(op["responses"]), set(),
          op["operationId"] + ": the refusals that every call has")
print("1..%d" % count)
