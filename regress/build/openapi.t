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
SYSTEM_SORT_KEYS = words("common/api/args.h", "API_SYSTEM_SORT_KEYS", "K")
SYSTEM_STATES = words("common/api/args.h", "API_SYSTEM_STATES", "Y")
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
        rows[method.lower(), path] = (word, PERMISSIONS.get(needs), said, sorted(
            (where, name, kind,
             tuple(int(x) for x in re.findall(r"\d+", args)))
            for where, kind, name, args in re.findall(
                r"([QB])_(\w+)\((\w+)((?:,\s*\d+)*)\)", params)))
        holes = set(re.findall(r"{(\w+)}", path)) - {"id"}
        if holes != set(re.findall(r"P_TEXT\((\w+)\)", params)):
            sys.exit("holes without parameters: " + path)
    return rows


def kind_of(schema, body=False, required=False):
    """What the kinds of api.def are as schemas; null is for what is missing."""
    if isinstance(schema["type"], list):
        schema = dict(schema, type=schema["type"][0])
    if schema["type"] == "integer":
        bounds = (schema["minimum"], schema["maximum"])
        return ("NUMBER", bounds + (schema["default"],)) if "default" in \
            schema else ("INTEGER", bounds)
    if schema["type"] == "array":
        if body:
            return "SERVICES", ()
        return {"#/components/schemas/Status": "STATUSES",
                "#/components/schemas/SystemStatus": "SYSTEM_STATUSES"}.get(
                    schema["items"].get("$ref"), "TEXTS"), ()
    if body and schema["type"] != "string":
        return {"boolean": "BOOL", "object": "OBJECT"}[schema["type"]], ()
    if body:
        return "NAME" if required else "NEW_NAME" if schema.get(
            "minLength") else "TEXT", ()
    if schema.get("enum") == ["asc", "desc"]:
        return "DESCENDING", ()
    if "enum" in schema:
        return "WORD", ()
    return "NEEDED" if required else "TEXT", ()


def document(doc):
    rows = {}
    for path, item in doc["paths"].items():
        if path == "/api/openapi.yaml":     # no call: proxyd has it
            continue
        for method in METHODS:
            if method not in item:
                continue
            op = item[method]
            params = [("Q", p["name"]) + kind_of(
                p["schema"], required=p.get("required", False))
                      for p in op.get("parameters", [])]
            if "requestBody" in op:
                body = op["requestBody"]["content"]["application/json"]
                params += [("B", name) + kind_of(
                    s, True, name in body["schema"].get("required", []))
                           for name, s in
                           body["schema"]["properties"].items()]
            answers = op["responses"]
            rows[method, path] = (op["operationId"], op.get("x-permission"),
                                  answers[min(answers)]["description"],
                                  sorted(params))
            if ("x-permission" in op) == (op.get("security") == []):
                sys.exit(op["operationId"] + ": either permission or none")
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
    equal([p["$ref"].split("/")[-1] for p in
           served["paths"].get(call[1], {}).get("parameters", [])],
          [name for hole, name in (("{id}", "Id"), ("{system_id}", "SystemId"),
                                   ("{service}", "ServiceName"),
                                   ("{recording}", "RecordingId"),
                                   ("{terminal}", "TerminalNumber"))
           if hole in call[1]],
          "%s %s: its path's parameter" % call)
equal(sorted(served["components"]["schemas"]["Status"]["enum"]),
      sorted(STATES.values()), "the states of a session")
equal(sorted(served["components"]["schemas"]["SystemStatus"]["enum"]),
      sorted(SYSTEM_STATES.values()), "and of a system")
for path, keys in (("/api/support-sessions", SORT_KEYS),
                   ("/api/systems", SYSTEM_SORT_KEYS)):
    equal([sorted(p["schema"]["enum"]) for p in
           served["paths"][path]["get"]["parameters"]
           if p["name"] == "sort_by"], [sorted(keys)],
          "what %s can be sorted by" % path)
with open(SRC + "/doc/openapi.yaml", encoding="utf-8") as f:
    equal(sorted(set(re.findall(r"\b[a-z]+:(?:systems|recordings|status)\b",
                                f.read()))),
          sorted(PERMISSIONS.values()), "no other permission")
equal([r for r in refs(served) if not leads(served, r)], [],
      "every reference leads somewhere")
for op in (i[m] for p, i in served["paths"].items() for m in METHODS
           if m in i and p != "/api/openapi.yaml"):
    # Where there is no token, nothing says that it may not.
    equal({"401", "429", "503"} - set(op["responses"]) |
          ({"403"} - set(op["responses"]) if op.get("security") != [] else
           set()), set(),
          op["operationId"] + ": the refusals that every call has")
print("1..%d" % count)
