#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Checks what `relayctl -j show audit after 0` printed, by doc/audit.md alone:
audit_check.py FILE [HEAD ...]. Prints what is wrong; exit 1 if anything is."""

import datetime
import hashlib
import json
import re
import sys

FIELDS = ["chain", "seq", "prev", "event", "time", "action", "outcome",
          "actor", "impersonator", "token_id", "address", "session",
          "service", "access", "object", "request", "reason", "count",
          "duration_ms", "bytes_in", "bytes_out"]


def value(name, v):
    if name == "prev":
        return bytes.fromhex(v)
    if name == "time":
        d = datetime.datetime.strptime(v, "%Y-%m-%dT%H:%M:%S.%fZ").replace(
            tzinfo=datetime.timezone.utc)
        v = (d - datetime.datetime.fromtimestamp(
            0, datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)
    return str(v).encode()


def digest(row):
    """None: it has what no event has."""
    try:
        return hashlib.sha256(encode(row)).hexdigest()
    except ValueError:
        return None


def encode(row):
    out = b"relayd-audit-1"
    for name in FIELDS:
        if row[name] is None:
            continue
        v = value(name, row[name])
        out += (bytes([len(name)]) + name.encode() +
                len(v).to_bytes(4, "big") + v)
    return out


def check(rows, heads=()):
    """What is wrong, as a list of texts."""
    wrong, last, first, purged = [], {}, {}, {}
    for r in rows:
        c = r["chain"]
        if c is None:
            if last:
                wrong.append("event %d is in no chain" % r["event"])
            continue
        if digest(r) != r["hash"]:
            wrong.append("event %d was changed" % r["event"])
        if c not in last:
            first[c] = r
        elif (r["seq"], r["prev"]) != ((last[c]["seq"] or 0) + 1,
                                       last[c]["hash"]):
            wrong.append("event %d does not follow" % r["event"])
        last[c] = r
        if r["action"] == "audit_purge":
            m = re.fullmatch(r"up to (\d+), hash ([0-9a-f]{64})", r["reason"])
            purged[c] = (int(m[1]), m[2]) if m else None
    for c, r in first.items():
        if c in purged:
            if purged[c] != ((r["seq"] or 0) - 1, r["prev"]):
                wrong.append("event %d: rows before it are missing" %
                             r["event"])
        elif (r["seq"], r["action"], r["prev"]) != (1, "audit_begin",
                                                    "0" * 64):
            wrong.append("event %d: rows before it are missing" % r["event"])
    there = {r["hash"] for r in rows}
    return wrong + ["no event has the hash " + h for h in heads
                    if h not in there]


if __name__ == "__main__":
    bad = check(json.load(open(sys.argv[1])), sys.argv[2:])
    print("\n".join(bad))
    sys.exit(bool(bad))
