#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""etc/grafana-dashboard.json and etc/prometheus-alerts.yml ask for what there
is: every expression is one for promtool, every metric and label in it is shown
by a running relayd."""

import json
import os
import re
import subprocess
import tempfile

import yaml

from harness import SRC, Relayd, Tap, free_port, until
from scrape import get, samples

t = Tap()
port = free_port()


def promtool(*words):
    r = subprocess.run(["promtool", *words], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    if r.returncode != 0:
        t.diag(r.stdout)
    return r.returncode == 0


def expressions(panels):
    for p in panels:
        for target in p.get("targets", ()):
            yield p["title"], target["expr"], target["legendFormat"]
        yield from expressions(p.get("panels", ()))


def plain(expr):
    """Without Grafana's variables."""
    return re.sub(r"\$\w+", "x", expr.replace("$__rate_interval", "5m"))


def unknown(expr, shown):
    """Metrics and labels of them that a relayd does not show."""
    bad = []
    for name, matchers in re.findall(
            r"\b((?:relayd|process)_\w+)(?:\{([^}]*)\})?", expr):
        if name not in shown:
            bad.append(name)
            continue
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            if label in ("job", "instance"):
                continue
            if not any(re.fullmatch(value, x)
                       for x in shown[name].get(label, ())):
                bad.append("%s{%s=%s}" % (name, label, value))
    return bad


with Relayd(t, listeners="listen on 127.0.0.1 port %d metrics" % port) as d:
    until(lambda: d.log.has("ready: .*metricd"), "all to be ready")
    shown = {}
    for sample in samples(get(port)[2]):
        name, _, labels = sample.partition("{")
        of = shown.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            of.setdefault(label, set()).add(value)

with open(os.path.join(SRC, "etc", "grafana-dashboard.json")) as f:
    board = json.load(f)
found = list(expressions(board["panels"]))
t.ok(len(found) > 30, "the dashboard asks %d questions" % len(found))
rules = []
for title, expr, legend in found:
    bad = unknown(expr, shown)
    labels = re.findall(r"\{\{(\w+)\}\}", legend)
    t.equal(bad, [], "%s: all of it is there" % title)
    names = re.findall(r"\b(?:relayd|process)_\w+", expr)
    t.equal([x for x in labels if not any(x in shown[n] for n in names)], [],
            "%s: the labels of its legend, too" % title)
    rules.append({"record": "test:%d" % len(rules), "expr": plain(expr)})
with tempfile.TemporaryDirectory() as tmp:
    path = os.path.join(tmp, "rules.yml")
    with open(path, "w") as f:
        yaml.safe_dump({"groups": [{"name": "test", "rules": rules}]}, f)
    t.ok(promtool("check", "rules", path), "promtool reads them all")
    with open(path, "w") as f:
        f.write("groups: [{name: a, rules: [{record: a:b, "
                "expr: 'rate(relayd_up[)'}]}]\n")
    r = subprocess.run(["promtool", "check", "rules", path],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    t.ok(r.returncode != 0, "and refuses what is none")
t.equal([x["name"] for x in board["templating"]["list"]],
        ["datasource", "job", "instance"], "its variables")
ids = [p["id"] for p in board["panels"]]
t.equal(len(set(ids)), len(ids), "each panel has a number of its own")

alerts = os.path.join(SRC, "etc", "prometheus-alerts.yml")
t.ok(promtool("check", "rules", alerts), "the alerts are rules")
with open(alerts) as f:
    for rule in yaml.safe_load(f)["groups"][0]["rules"]:
        t.equal(unknown(rule["expr"], shown), [], "%s: all of it is there" %
                rule["alert"])
t.done()
