#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Diagnostics of tunnel-client: the built-in part, plugins with good and bad
manners, limits."""

import json
import os
import re
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import Client
from harness import Tap, until
from process import lives
from tunnelserver import Server

t = Tap()


def plugin(d, name, text, mode=0o755):
    path = os.path.join(d, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def report(s, *flags, **kw):
    """(client, report) of a first connection."""
    c = Client(s, *flags, **kw)
    u = s.tunnel()
    r = json.loads(u.document(b"DIAGNOSTICS 1\n"))
    u.close(4000)
    u.drop()
    t.equal(c.wait(), 0, "exit 0")
    c.clean(t)
    return c, r


# ---- the built-in part ----

with Server() as s:
    c, r = report(s)
    t.match(r["collected_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
            "the time is RFC 3339")
    t.ok(r["duration_ms"] >= 0, "a duration")
    p = r["plugins"][0]
    t.equal((p["id"], p["name"]), ("system", "System"), "the built-in plugin")
    t.equal([x["name"] for x in p["checks"]],
            ["os", "load_average", "ram_usage", "disk_usage", "uptime"],
            "its five checks")
    t.equal(r["overall_status"], p["status"], "overall is the worst")
    d = {x["name"]: x for x in p["checks"]}
    t.match(d["ram_usage"]["value"], r"^\d+\.\d%$", "RAM in per cent")
    t.equal(sorted(d["uptime"]["details"]),
            ["days", "hours", "minutes", "total_seconds"], "uptime's details")
    with open("/etc/os-release") as f:
        name = re.search('(?m)^NAME="?([^"\n]*)', f.read()).group(1)
    t.match(d["os"]["value"], "^" + re.escape(name), "the system's name")

# ---- plugins ----

with Server() as s, tempfile.TemporaryDirectory() as d, \
        tempfile.TemporaryDirectory() as out:
    os.chmod(out, 0o777)
    plugin(d, "10-good.sh", '''#!/bin/sh
pwd >%s/pwd; echo "$0" >%s/zero; env >%s/env; ls -l /proc/self/fd >%s/fds; cat >%s/stdin
chmod g+w %s/85-changed
cat <<'E'
{"id":"good","name":"Good","status":"warning","summary":"all well",
 "secret":"unknown member","checks":[{"name":"a","status":"ok","value":"v",
 "details":{"n":1,"deep":{"x":1},"s":"t"}},{"name":"b","status":"odd"}]}
E
exit 0
''' % (out, out, out, out, out, d))
    plugin(d, "20-plain.txt.sh", "#!/bin/sh\necho '  just text  '\nexit 2\n")
    plugin(d, "30-three", "#!/bin/sh\necho '{\"status\":\"ok\"}'\nexit 3\n")
    plugin(d, "40-flood", "#!/bin/sh\nhead -c 30000000 /dev/zero | "
           "tr '\\0' x\nexit 1\n")
    plugin(d, "50-child", "#!/bin/sh\nsleep 1000 &\necho $! >%s/child\n"
           "echo held\nexit 0\n" % out)
    plugin(d, "60-away", "#!/bin/sh\nsetsid sh -c 'echo $$ >%s/away; "
           "exec sleep 1000' &\nwhile [ ! -s %s/away ]; do :; done\n"
           "echo away\nexit 0\n" % (out, out))
    plugin(d, "70-hang", "#!/bin/sh\necho part\nsleep 1000 &\n"
           "echo $! >%s/hang\nwait\n" % out)
    plugin(d, "75-signal", "#!/bin/sh\nkill -9 $$\n")
    plugin(d, "78-noexec", "#!/nonexistent/interpreter\n")
    plugin(d, "80-bytes", "#!/bin/sh\nprintf 'a\\377b\\001c'\n")
    plugin(d, "85-changed", "#!/bin/sh\necho ran\n")
    plugin(d, "90-last", "#!/bin/sh\necho '{}'\n")
    plugin(d, "a-notexec", "#!/bin/sh\n", 0o644)
    plugin(d, "b-group", "#!/bin/sh\n", 0o775)
    plugin(d, "c-world", "#!/bin/sh\n", 0o757)
    os.symlink(os.path.join(d, "90-last"), os.path.join(d, "d-link"))
    os.mkdir(os.path.join(d, "e-dir"))
    foreign = plugin(d, "f-foreign", "#!/bin/sh\n")
    if os.geteuid() == 0:
        os.chown(foreign, 12345, 0)
    c, r = report(s, "--diagnostics-plugin-timeout", "3s",
                  env={"DIAGNOSTICS_DIR": d, "MARK": "of-the-client"})
    p = {x["id"]: x for x in r["plugins"]}
    t.equal([x["id"] for x in r["plugins"]],
            ["system", "good", "20-plain.txt", "30-three", "40-flood",
             "50-child", "60-away", "70-hang", "75-signal", "78-noexec",
             "80-bytes", "85-changed", "90-last"] +
            ([] if os.geteuid() == 0 else ["f-foreign"]),
            "tunnel-58: built-in first, then in byte order; others reported "
            "whatever one does")
    t.equal(p["good"], {"id": "good", "name": "Good", "status": "warning",
                        "summary": "all well", "checks": [
                            {"name": "a", "status": "ok", "value": "v",
                             "details": {"n": 1, "s": "t"}},
                            {"name": "b", "status": "error"}]},
            "a plugin object: known members, the worse status")
    with open(out + "/pwd") as f:
        t.equal(f.read(), "/\n", "it runs in the root directory")
    t.equal((p["20-plain.txt"]["status"], p["20-plain.txt"]["summary"],
             p["20-plain.txt"]["name"]),
            ("critical", "just text", "20-plain.txt"),
            "text becomes the summary, exit 2 critical, the file's name the "
            "plugin's")
    t.equal(p["30-three"]["status"], "error", "tunnel-58: exit 3 is error")
    t.equal((p["40-flood"]["status"], len(p["40-flood"]["summary"])),
            ("warning", 256), "tunnel-58: a flood costs nothing but itself")
    t.equal((p["50-child"]["status"], p["50-child"]["summary"]),
            ("ok", "held"), "tunnel-58: a child that holds stdout is not "
            "waited for")
    t.equal((p["60-away"]["status"], p["60-away"]["summary"]),
            ("ok", "away"), "not even one in a session of its own")
    t.equal((p["70-hang"]["status"], p["70-hang"].get("summary")),
            ("timeout", "part"), "tunnel-58: a hang is a timeout, with what "
            "it has said")
    t.equal((p["75-signal"]["status"], p["78-noexec"]["status"]),
            ("error", "error"), "a signal and a failed exec are errors")
    t.equal(p["80-bytes"]["summary"], "a?b c", "odd bytes are replaced")
    t.equal(p["85-changed"], {"id": "85-changed", "name": "85-changed",
                              "status": "error"},
            "tunnel-58(partial): what runs is looked at, not what was listed")
    t.ok(c.err.wait("85-changed: others may write"), "and the log says why")
    t.equal(p["90-last"], {"id": "90-last", "name": "90-last",
                           "status": "ok"}, "an empty object")
    t.equal(r["overall_status"], "critical", "tunnel-58: overall is not ok")
    for name, why in (("a-notexec", "not executable"),
                      ("b-group", "others may write"),
                      ("c-world", "others may write"),
                      ("d-link", "not a regular file"),
                      ("e-dir", "not a regular file")):
        t.ok(c.err.wait("%s: %s" % (name, why)),
             "tunnel-58: %s: %s, skipped" % (name, why))
    if os.geteuid() == 0:
        t.ok(c.err.wait("f-foreign: belongs to another user"),
             "tunnel-58: one of another user is skipped")
    else:
        t.skip("not root", "one of another user is skipped")
    for name in "child", "hang":
        with open(os.path.join(out, name)) as f:
            pid = int(f.read())
        until(lambda: not lives(pid), "the end of %s" % name)
        t.ok(True, "the group of %s has been killed" % name)
    with open(os.path.join(out, "away")) as f:
        os.kill(int(f.read()), signal.SIGKILL)
    with open(os.path.join(out, "env")) as f:
        env = [x for x in f.read().split("\n")
               if x and not re.match("PWD=|SHLVL=|_=|OLDPWD=", x)]
    t.equal(env, ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                  "/sbin:/bin"], "the environment is PATH only")
    with open(os.path.join(out, "fds")) as f:
        fds = re.findall(r" (\d+) -> (\S+)", f.read())
    t.equal([n for n, to in fds], ["0", "1", "2", "3"],
            "no descriptor of ours (3 is ls's own)")
    with open(os.path.join(out, "zero")) as f:
        t.equal(f.read(), d + "/10-good.sh\n", "$0 is its path")
    t.equal(os.path.getsize(os.path.join(out, "stdin")), 0, "stdin is empty")

# ---- where others could put another file in the place of a plugin ----

with Server() as s, tempfile.TemporaryDirectory() as d:
    os.mkdir(d + "/open")
    os.chmod(d + "/open", 0o777)
    os.mkdir(d + "/open/plugins")
    plugin(d + "/open/plugins", "10-zero", '#!/bin/sh\necho "$0"\n')
    c = Client(s, env={"DIAGNOSTICS_DIR": d + "/open/plugins"})
    u = s.tunnel()
    u.document(b'{"version"')
    r = json.loads(u.document(b"DIAGNOSTICS 1\n"))
    t.equal([p["summary"] for p in r["plugins"] if p["id"] == "10-zero"],
            ["/dev/fd/3"], "it runs by what was looked at, not by its path")
    c.p.send_signal(signal.SIGTERM)
    c.wait()

# ---- all of them together take too long ----

with Server() as s, tempfile.TemporaryDirectory() as d:
    plugin(d, "1-quick", "#!/bin/sh\necho '{\"summary\":\"here\"}'\n")
    plugin(d, "2-hang", "#!/bin/sh\nexec sleep 1000\n")
    plugin(d, "3-never", "#!/bin/sh\necho never\n")
    c, r = report(s, "--diagnostics-total-timeout", "3s",
                  env={"DIAGNOSTICS_DIR": d})
    t.equal([(x["id"], x["status"]) for x in r["plugins"][1:]],
            [("1-quick", "ok"), ("2-hang", "timeout"),
             ("3-never", "timeout")], "the total limit: what is there is "
            "sent, the rest is marked")
    t.ok("summary" not in r["plugins"][3], "the last was not run")

# ---- a report that would be too long ----

with Server() as s, tempfile.TemporaryDirectory() as d:
    checks = ",".join('{"name":"n%d","status":"ok","value":"%s"}' %
                      (i, "v" * 300) for i in range(100))
    for i in range(70):
        plugin(d, "p%02d" % i, "#!/bin/sh\necho '{\"checks\":[%s]}'\n" %
               checks)
    c, r = report(s, env={"DIAGNOSTICS_DIR": d})
    t.ok(len(json.dumps(r, separators=(",", ":"))) < 512 * 1024,
         "a report stays below 512 KiB")
    t.equal(len(r["plugins"]), 64, "64 plugins at most")
    t.equal(max(len(p.get("checks", ())) for p in r["plugins"]), 64,
            "64 checks each at most")
    t.ok("checks" not in r["plugins"][63], "the last ones without checks")
# ---- a directory that others may write to ----

with Server() as s, tempfile.TemporaryDirectory() as d:
    plugin(d, "good", "#!/bin/sh\necho '{}'\n")
    os.chmod(d, 0o777)
    c, r = report(s, env={"DIAGNOSTICS_DIR": d})
    t.equal([x["id"] for x in r["plugins"]], ["system"], "tunnel-58(partial): "
            "where others may put files nothing runs")
    t.ok(c.err.wait("others may write to it, no plugin runs"), "and the log "
         "says why")
t.done()
