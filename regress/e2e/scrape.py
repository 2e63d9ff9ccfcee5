# SPDX-License-Identifier: ISC
"""What metricd shows, read by a strict parser of OpenMetrics."""

import http.client
import re

from prometheus_client.openmetrics.parser import \
    text_string_to_metric_families

OPEN = "application/openmetrics-text; version=1.0.0"


def get(port, path="/metrics", accept=OPEN, method="GET"):
    """(status, type, text)"""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request(method, path, headers={"Accept": accept} if accept else {})
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, r.getheader("Content-Type"), text


def samples(text):
    """{'name{label="value",...}': number}, labels in the order of names"""
    found = {}
    for family in text_string_to_metric_families(text):
        for s in family.samples:
            labels = ",".join('%s="%s"' % x for x in sorted(s.labels.items()))
            found[s.name + ("{%s}" % labels if labels else "")] = s.value
    return found


class Numbers:
    """The numbers of now, and how far they have moved since."""

    def __init__(self, port):
        self.port = port
        self.was = self.now()

    def now(self):
        status, kind, text = get(self.port)
        if status != 200 or not kind.startswith(OPEN):
            raise RuntimeError("scrape: %d %s" % (status, kind))
        return samples(text)

    def moved(self, name):
        return self.now().get(name, 0) - self.was.get(name, 0)

    def mark(self):
        self.was = self.now()


def families(text):
    """The names after # TYPE, in order."""
    return re.findall(r"^# TYPE (\S+) ", text, re.M)
