# SPDX-License-Identifier: ISC
"""Whether the operator API answers what doc/openapi.yaml says: the status is one
that the call has, the body is of its schema, and has nothing that is not in the
document. jsonschema does the looking."""

import copy
import json
import re

import jsonschema
import yaml


def close(schema):
    """An object has no members but those that are named."""
    if isinstance(schema, list):
        for x in schema:
            close(x)
    elif isinstance(schema, dict):
        for x in schema.values():
            close(x)
        if "allOf" in schema:
            schema["unevaluatedProperties"] = False
        elif isinstance(schema.get("properties"), dict) and \
                "additionalProperties" not in schema and "type" in schema:
            schema["additionalProperties"] = False


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            doc = yaml.safe_load(f)
        self.paths = []
        self.components = copy.deepcopy(doc["components"])
        close(self.components["schemas"])
        # It is what others are made of.
        del self.components["schemas"]["Envelope"]["additionalProperties"]
        for path, item in doc["paths"].items():
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
            self.paths.append(("{" in path, re.compile(pattern + r"\Z"),
                               item))
        self.paths.sort(key=lambda x: x[0])     # without a hole first
        self.made = {}

    def _operation(self, method, path):
        for _, pattern, item in self.paths:
            if pattern.match(path) and method.lower() in item:
                return item[method.lower()]
        return None

    def _validator(self, key, schema):
        if key not in self.made:
            schema = copy.deepcopy(schema)
            close(schema)
            if schema.get("$ref") == "#/components/schemas/Envelope":
                schema = {"allOf": [schema], "unevaluatedProperties": False}
            schema["components"] = self.components
            self.made[key] = jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.FormatChecker())
        return self.made[key]

    def wrong(self, method, target, status, headers, body):
        """What is wrong with an answer, a line each."""
        path = target.split("?")[0]
        op = self._operation("GET" if method == "HEAD" else method, path)
        what = "%s %s: %d" % (method, path, status)
        if op is None:
            found = {"description": "no such call", "content": {
                "application/json": {"schema": {
                    "$ref": "#/components/schemas/Envelope"}}}}
            name = "none"
            if status not in (400, 404, 405, 413, 431, 503):
                return [what + ": is not in the document"]
        else:
            name = op["operationId"]
            found = op["responses"].get(str(status))
            if found is None:
                return [what + ": %s has no such status" % name]
        if "$ref" in found:
            for part in found["$ref"][2:].split("/"):
                found = self.components if part == "components" \
                    else found[part]
        kind = (headers["Content-Type"] or "").split(";")[0]
        if kind not in found["content"]:
            return [what + ": %s is a %s" % (name, kind)]
        if kind != "application/json" or method == "HEAD":
            return []
        try:
            value = json.loads(body)
        except ValueError as e:
            return [what + ": no JSON: %s" % e]
        v = self._validator((name, status), found["content"][kind]["schema"])
        out = [what + ": at %s: %s" % (e.json_path, e.message[:200])
               for e in v.iter_errors(value)]
        # On the internal interface an error stands alone.
        if list(value) != ["error"] and value.get("code") != status:
            out.append(what + ": code is %r" % value.get("code"))
        return out
