#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Recordings of terminals: what is in them, who reads them, what becomes of
them when something dies, or is full, or old."""

import hashlib
import http.client
import json
import os
import pty
import re
import signal
import stat
import subprocess
import tempfile

from harness import OurClient, Relayd, Tap, until

t = Tap()
INDICATOR = b"\3this terminal is recorded"
PERMISSIONS = ("connect:systems", "read:recordings")


def parse(data):
    """An asciicast v2 by its description: header, whole event lines."""
    lines = data.decode("utf-8").split("\n")
    if lines.pop() != "":
        raise ValueError("the last line is not whole")
    head = json.loads(lines[0])
    if head["version"] != 2 or head["width"] < 1 or head["height"] < 1:
        raise ValueError("header: %r" % head)
    events, last = [], 0
    for line in lines[1:]:
        at, kind, text = json.loads(line)
        if at < last or kind not in ("o", "r") or \
                re.search(r"[\x00-\x1f\x7f-\x9f]", line):
            raise ValueError("event: %r" % line)
        last = at
        events.append((at, kind, text))
    return head, events


def said(data):
    return "".join(x for _, kind, x in parse(data)[1] if kind == "o")


def on_disk(path):
    """What a reader makes of a file that may end in the middle of a line."""
    with open(path, "rb") as f:
        data = f.read()
    return data[:data.rindex(b"\n") + 1]


def opened(d, sid, token):
    w = d.terminal(sid, d.ticket(sid, token))
    if w.status != 101:
        raise RuntimeError("terminal: %d %s" % (w.status, w.body()))
    return w


def files(d):
    at = os.path.join(d.dir, "store", "recordings")
    return sorted(os.path.join(at, x) for x in os.listdir(at)) \
        if os.path.isdir(at) else []


def id_of(path):
    return os.path.basename(path)[:-len(".cast")]


def get(d, sid, rid, token):
    return d.request("GET", "/api/support-sessions/%s/recordings/%s" %
                     (sid, rid), None, {"Authorization": "Bearer " + token})


def sql(d, text):
    return d.rows(text)


def ended(d, rid):
    """The row of a recording once it has ended."""
    return until(lambda: [r for r in d.ctl("recording", "list")
                          if r["recording"] == rid and r["ended"] != "-"],
                 "the end of recording " + rid)[0]


def cat(d, *words):
    p = subprocess.run([os.path.join(d.build, "bin", "relayctl"), "-s",
                        d.sock, "recording", "cat", *words],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout, p.stderr.decode()


def contents(d, sid, token):
    w = opened(d, sid, token)
    t.equal(w.headers.get("x-support-recording"), "on",
            "the answer says that the terminal is recorded")
    op, p = w.recv()
    t.equal(p, INDICATOR, "and so does the terminal, first of all")
    w.send(b'\1{"cols":100,"rows":30}')
    w.send(b"\0echo re-$((1+1))\r")
    w.recv_until(rb"re-2")
    path, = files(d)
    d.log.wait("session %s: terminal recorded as %s" % (sid, id_of(path)))
    t.equal([r["value"] for r in d.ctl("show", "stats")
             if r["name"] == "recordings"], ["1"], "one goes on")
    t.ok("re-2" in said(on_disk(path)), "what was shown is in the file")
    t.equal([x for _, k, x in parse(on_disk(path))[1] if k == "r"],
            ["100x30"], "and the new size")
    t.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600,
            "which nobody else may read")
    # What is typed is not shown by a program that reads a password.
    w.send(b"\0stty -echo; echo off-$((2+2))\r")
    w.recv_until(rb"off-4")
    w.send(b"\0read x; stty echo; echo got-${#x}\r")
    w.send(b"\0hunter2-secret\r")
    w.recv_until(rb"got-14")
    t.ok(b"hunter2" not in on_disk(path), "what is typed is not in it")
    # A character in pieces, with a pause; and what is none.
    w.send(b"\0printf '\\342\\202'; sleep 0.2; printf '\\254 \\377\\300|'; "
           b"echo end-$((3+3))\r")
    w.recv_until(rb"end-6")
    text = said(on_disk(path))
    t.ok("\u20ac \ufffd\ufffd|" in text, "UTF-8 in pieces is whole, and what "
         "is none is U+FFFD")
    rid = id_of(path)
    st, h, body = get(d, sid, rid, token)
    t.equal((st, h["Content-Type"]), (200, "application/x-asciicast"),
            "one that goes on can be read")
    t.ok("end-6" in said(body), "up to what was shown last")
    w.close()
    row = ended(d, rid)
    with open(path, "rb") as f:
        data = f.read()
    t.equal((int(row["bytes"]), row["sha256"]),
            (len(data), hashlib.sha256(data).hexdigest()),
            "when it has ended the list has its size and SHA-256")
    t.equal(row["session"], sid, "and its session")
    return path, data


def players(path, data):
    master, slave = pty.openpty()
    # It wants a terminal of its own, also to print into a pipe.
    p = subprocess.run(["asciinema", "cat", path], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, start_new_session=True,
                       preexec_fn=lambda: os.open(os.ttyname(slave),
                                                  os.O_RDWR))
    os.close(master)
    os.close(slave)
    t.equal((p.returncode, p.stdout.decode()), (0, said(data)),
            "asciinema prints what was shown")


def readers(d, sid, token, path, data):
    """Who may, and what is on record."""
    rid = id_of(path)
    base = "/support-sessions/%s/recordings" % sid
    st, env = d.api("GET", base, token)
    r = env["data"]["recordings"][0]
    t.equal((st, r["id"], r["size"], r["operator_id"]),
            (200, rid, len(data), "alice"), "the list of a session")
    st, h, body = get(d, sid, rid, token)
    t.ok(st == 200 and body == data and h["X-Request-Id"],
         "and the recording itself")
    link = http.client.HTTPConnection("127.0.0.1", d.port, timeout=30)
    for method, want in ("HEAD", b""), ("GET", data), ("GET", data):
        link.request(method, "/api" + base + "/" + rid,
                     headers={"Authorization": "Bearer " + token})
        a = link.getresponse()
        t.equal((a.status, a.read() == want, int(a.headers["Content-Length"]),
                 "GMT" in a.headers["Date"]), (200, True, len(data), True),
                method + ", all on one connection")
    link.close()
    who = {"both permissions": (d.token(permissions=PERMISSIONS), 200),
           "connect:systems alone": (d.token(), 403),
           "read:recordings alone": (d.token(permissions=PERMISSIONS[1:]),
                                     403),
           "others": (d.token(permissions=("read:systems",
                                           "manage:systems")), 403),
           "no role": (d.token(role="nobody", permissions=PERMISSIONS), 404),
           "another organization": (d.token(
               user="eve", role="customer", org="org-elsewhere",
               permissions=PERMISSIONS), 404),
           "an API key": ("myk_" + "a" * 60, 403)}
    for name, (tok, want) in who.items():
        t.equal((d.api("GET", base, tok)[0], get(d, sid, rid, tok)[0]),
                (want, want), "%s: %d" % (name, want))
    t.equal(d.api("GET", base, None)[0], 401, "no token: 401")
    other = "00000000-0000-4000-8000-000000000000"
    for bad in (other, "x", "..%2f..%2frelayd.db", rid.upper()):
        t.equal(get(d, sid, bad, token)[0], 404, "recording %s: 404" % bad)
    t.equal(get(d, other, rid, token)[0], 404, "of another session: 404")
    n = len(views(d, "recording " + rid))
    get(d, sid, rid, token)
    t.equal(len(views(d, "recording " + rid)), n + 1,
            "each view is a row of the access log")
    n = len(views(d, "recordings"))
    d.api("GET", base, token)
    t.equal(len(views(d, "recordings")), n + 1, "of the list, too")
    t.ok(sql(d, "SELECT 1 FROM audit_events WHERE action = 'recording' AND"
             " outcome = 'refused'"), "what was refused is an audit event")


def views(d, what):
    return until(lambda: sql(d, "SELECT operator_id FROM support_access_logs"
                             " WHERE access_type = 'view' AND service = '%s'"
                             % what), "a view of " + what)


def by_relayctl(d, path, data):
    rid = id_of(path)
    code, out, err = cat(d, rid)
    t.ok(code == 0 and out == data, "relayctl prints it")
    t.equal(cat(d, rid, "from", str(len(data) - 10))[1], data[-10:],
            "from an offset")
    t.equal(cat(d, rid, "from", str(len(data)))[1], b"", "nothing behind it")
    t.equal(cat(d, "x")[0], 1, "one that is not there is refused")
    short = rid[:8]
    t.equal((cat(d, short)[1], cat(d, rid.replace("-", "")[:12])[1]),
            (data, data), "a beginning of its id is enough")
    code, out, err = cat(d, rid[:3])
    t.ok(code == 1 and "no such recording" in err, "three characters are none")
    other = rid[:9] + ("0" if rid[9] != "0" else "1") + rid[10:]
    d.rows("INSERT INTO terminal_recordings (id, started_at, ended_at) VALUES"
           " (?, 1, 1)", other)
    code, out, err = cat(d, short)
    t.ok(code == 1 and "more than one recording begins so" in err,
         "one that two begin with is not")
    t.equal(cat(d, rid)[1], data, "a whole one always is")
    d.rows("DELETE FROM terminal_recordings WHERE id = ?", other)
    t.equal(cat(d, rid, "from", "x")[0], 1, "and so is no number")
    t.ok(sql(d, "SELECT 1 FROM audit_events WHERE action = 'recording_cat'"
             " AND object = '%s' AND reason = 'from 0'" % rid),
         "with an audit event")
    t.ok(sql(d, "SELECT 1 FROM audit_events WHERE action = 'recording' AND"
             " outcome = 'done' AND object = '%s' AND reason LIKE"
             " '%% sha256 %s'" %
             (rid, hashlib.sha256(data).hexdigest())),
         "its end is one, with the SHA-256")


def drain(w):
    """All that the operator was shown, to the end: text, code and reason."""
    got, last = b"", (None, "")
    try:
        code, reason, parts = w.recv_close()
        last = (code, reason)
    except ConnectionError:
        parts = []
    for p in parts:
        if p[:1] == b"\0":
            got += p[1:]
    return got, last


def shown(w, enough):
    """What the operator was shown so far, when it is that many bytes."""
    got = b""
    while len(got) < enough:
        op, p = w.recv()
        if op == 9:
            w.send(p, 10)
        elif p[:1] == b"\0":
            got += p[1:]
    return got


def newest(d, before):
    return [x for x in files(d) if x not in before][0]


def crashes(d, sid, token):
    """Nothing that was shown is missing, whoever dies."""
    before = files(d)
    w = opened(d, sid, token)
    w.send(b"\0while :; do echo line-$((n += 1)); done\r")
    got = shown(w, 200000)
    path = newest(d, before)
    d.kill(d.pid_of("termd"))
    try:
        got += shown(w, 1 << 30)
    except ConnectionError:
        pass
    text = said(on_disk(path)).encode()
    t.ok(len(got) >= 200000 and text.startswith(got),
         "termd is killed: all that was shown is there (%d, %d)" %
         (len(got), len(text)))
    row = ended(d, id_of(path))
    st, h, body = get(d, sid, id_of(path), token)
    t.ok(st == 200 and len(body) == int(row["bytes"]) and
         said(body).encode() == text, "and is read in whole lines")
    with open(path, "ab") as f:
        f.write(b'[9.9,"o","later"]\n[9.9,"o","half a li')
    st, h, body = get(d, sid, id_of(path), token)
    t.ok(st == 200 and len(body) == int(row["bytes"]),
         "nothing that came behind its end")

    before = files(d)
    w = opened(d, sid, token)
    w.send(b"\0echo before-$((1+1)); exec sleep 60\r")
    w.recv_until(rb"before-2\r\n")
    path = newest(d, before)
    with open(path, "ab") as f:     # as when a write was cut
        f.write(b'[0.9,"o","half a li')
    st, h, body = get(d, sid, id_of(path), token)
    t.ok(st == 200 and "before-2" in said(body) and b"half" not in body,
         "of one that goes on half a line is not read")
    w.close()
    ended(d, id_of(path))

    before = files(d)
    w = opened(d, sid, token)
    w.send(b"\0echo before-$((1+1))\r")
    w.recv_until(rb"before-2")
    path = newest(d, before)
    mark = d.log.mark()
    d.kill(d.pid_of("authd"))
    d.log.wait(r"tunnel is back after restart", mark)
    w.send(b"\0echo after-$((2+2))\r")
    w.recv_until(rb"after-4")
    t.ok("after-4" in said(on_disk(path)),
         "authd is killed: the recording goes on")
    row, = [r for r in d.ctl("recording", "list")
            if r["recording"] == id_of(path)]
    t.equal(row["ended"], "-", "and has not ended")
    w.close()
    row = ended(d, id_of(path))
    t.equal(row["sha256"], hashlib.sha256(on_disk(path)).hexdigest(),
            "before it does")


def broken(d, sid, token):
    """A termd that is taken over writes what is none of its own making, and
    goes on when its terminal is over."""
    before = files(d)
    w = opened(d, sid, token)
    w.send(b"\0echo before-$((1+1)); exec sleep 60\r")
    w.recv_until(rb"before-2\r\n")
    path = newest(d, before)
    rid = id_of(path)
    evil = b'[0.9,"o","\x1b]0;x\x07 \xc2\x9b31m \xc2\x9d0;x\xc2\x9c \xc2\xa9"]\n'
    with open(path, "ab") as f:
        f.write(evil)
        f.write(b'[1.0,"o","%s"]\n' % (b"x" * 100) * 350000)
    code, out, err = cat(d, rid)
    t.ok(code == 0 and not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|"
                                     rb"\xc2[\x80-\x9f]", out) and
         b"\xc2\xa9" in out, "what a terminal would obey is not printed")
    w.close()

    def over():
        with open(path, "ab") as f:
            f.write(b'[9.9,"o","later"]\n')
        d.move_clock(1000)
        return [r for r in d.ctl("recording", "list")
                if r["recording"] == rid and r["ended"] != "-"]
    row = until(over, "the end of recording " + rid)[0]
    size = int(row["bytes"])
    with open(path, "rb") as f:
        data = f.read(size)
    t.equal((len(data), hashlib.sha256(data).hexdigest()),
            (size, row["sha256"]), "what comes while its hash is made is not "
            "in it")


def full(d, sid, token):
    before = files(d)
    w = opened(d, sid, token)
    w.send(b"\0yes \"a b\"\r")
    got, last = drain(w)
    path = newest(d, before)
    t.equal(last, (1011, "this terminal's recording is full"),
            "a full recording ends the terminal, which says why")
    t.ok(30000 < os.stat(path).st_size <= 65536 and
         said(on_disk(path)).encode().startswith(got),
         "all that was shown is in it: %d bytes" % os.stat(path).st_size)
    return path, os.stat(path).st_size


def by_size(d, sid, token):
    """Of 1 MiB: the oldest go, but for one that goes on."""
    stays = opened(d, sid, token)
    stays.send(b"\0echo oldest-$((1+1))\r")
    stays.recv_until(rb"oldest-2")
    oldest = files(d)[0]
    made, total = [], 0
    while total < 1200000:
        path, size = full(d, sid, token)
        made.append(path)
        total += size
    ended(d, id_of(path))
    until(lambda: sql(d, "SELECT 1 FROM support_access_logs WHERE id = '%s'"
                      " AND outcome = 'this terminal''s recording is full'" %
                      id_of(path)), "the row says why")
    d.move_clock(60000)
    until(lambda: made[0] not in files(d), "less than 1 MiB")
    d.move_clock(60000)
    until(lambda: sql(d, "SELECT bytes FROM terminal_recording_sum")[0][0] <=
          1 << 20, "less than 1 MiB, says the store")
    t.ok(made[0] not in files(d) and oldest in files(d) and
         made[-1] in files(d), "the oldest goes, and none that goes on")
    rows = [r["recording"] for r in d.ctl("recording", "list")]
    t.equal(sorted(rows), sorted(id_of(x) for x in files(d)),
            "each file has its row")
    total, = sql(d, "SELECT n, bytes FROM terminal_recording_sum")
    t.equal(total, sql(d, "SELECT count(*), sum(bytes) FROM"
                       " terminal_recordings WHERE ended_at IS NOT NULL")[0],
            "and the sum is what it is of")
    stays.send(b"\0echo still-$((1+1))\r")
    stays.recv_until(rb"still-2")
    stays.close()
    ended(d, id_of(oldest))


def found(d, sid, token):
    """A file without a row, a row without a file."""
    lost = files(d)[0]
    kept = files(d)[1]
    os.unlink(lost)
    t.equal(get(d, sid, id_of(lost), token)[0], 404,
            "a row without its file: 404")
    t.equal(cat(d, id_of(lost))[0], 1, "and relayctl says no")
    stray = os.path.join(os.path.dirname(kept),
                         "12345678-1234-4234-8234-123456789abc.cast")
    with open(kept, "rb") as f:
        data = f.read()
    with open(stray, "wb") as f:
        f.write(data)
    for name in ("x.cast", "12345678-1234-4234-8234-123456789abc.txt"):
        with open(os.path.join(os.path.dirname(kept), name), "w") as f:
            f.write("x")
    sql_write(d, "DELETE FROM terminal_recordings WHERE id = '%s'" %
              id_of(kept))
    d.stop()
    d.start()
    rows = until(lambda: [r for r in d.ctl("recording", "list")
                          if r["recording"] == id_of(stray)] and
                 {r["recording"]: r for r in d.ctl("recording", "list")
                  if r["recording"] in (id_of(stray), id_of(kept))}
                 or None, "the stray one")
    until(lambda: id_of(kept) in [r["recording"]
                                  for r in d.ctl("recording", "list")],
          "the other")
    rows = {r["recording"]: r for r in d.ctl("recording", "list")}
    t.equal((rows[id_of(stray)]["session"], rows[id_of(kept)]["session"]),
            ("-", sid), "a file without a row gets one, with what the access "
            "log knows")
    t.equal(cat(d, id_of(stray))[1], data, "and is read")
    t.equal([x for x in rows if not re.fullmatch(r"[0-9a-f-]{36}", x)], [],
            "what is no recording is not")


def sql_write(d, text):
    d.rows(text)


def over_a_stop(d, sid, token):
    """One that relayd's own end has ended."""
    before = files(d)
    w = opened(d, sid, token)
    w.send(b"\0echo stop-$((1+1))\r")
    w.recv_until(rb"stop-2")
    path = newest(d, before)
    d.stop()
    d.start()
    row = ended(d, id_of(path))
    t.equal(sql(d, "SELECT r.ended_at - a.disconnected_at FROM"
                " terminal_recordings r JOIN support_access_logs a ON r.id ="
                " CAST(a.id AS text)"
                " WHERE r.id = '%s'" % id_of(path)), [(0,)],
            "relayd ends: the recording ended when its terminal did")
    t.equal(row["sha256"], hashlib.sha256(on_disk(path)).hexdigest(),
            "and has its SHA-256 after the next start")
    t.ok("stop-2" in said(on_disk(path)), "and what was shown")


def by_age(d):
    d.move_clock(7200 * 1000)
    until(lambda: d.ctl("recording", "list") == [], "no row is left")
    t.equal([os.path.basename(x) for x in files(d)],
            ["12345678-1234-4234-8234-123456789abc.txt", "x.cast"],
            "what is old goes, and nothing else")


def on_and_off(d, sid, token):
    w = opened(d, sid, token)
    t.equal(w.headers.get("x-support-recording"), None,
            "nothing is recorded unless it is switched on")
    t.equal(os.path.exists(os.path.join(d.dir, "store", "recordings")),
            False, "there is not even a directory")
    st, env = d.api("POST", "/support-sessions/%s/terminal-ticket" % sid,
                    token, {})
    t.ok("recorded" not in env["data"], "nor does the ticket say so")

    def reload(text):
        with open(d.conf, "w") as f:
            f.write(d.text + text + "\n")
        return d.ctl_raw("reload")
    t.equal(reload("record terminals yes").returncode, 0, "a reload switches it on")
    st, env = d.api("POST", "/support-sessions/%s/terminal-ticket" % sid,
                    token, {})
    t.equal(env["data"].get("recorded"), True, "the ticket says so")
    x = opened(d, sid, token)
    t.equal((x.headers.get("x-support-recording"), len(files(d))), ("on", 1),
            "for what is opened then")
    w.send(b"\0echo old-$((1+1))\r")
    w.recv_until(rb"old-2")
    t.equal(len(files(d)), 1, "what was open is not recorded")
    open(os.path.join(d.dir, "store", "taken"), "w").close()
    p = reload("record terminals yes\nrecording directory taken")
    t.ok(p.returncode != 0 and "recording directory" in p.stderr,
         "a directory that is none is refused: %s" % p.stderr.strip())
    t.equal(reload("record terminals no").returncode, 0, "and off")
    y = opened(d, sid, token)
    t.equal((y.headers.get("x-support-recording"), len(files(d))), (None, 1),
            "for what is opened then")
    x.send(b"\0echo on-$((1+1))\r")
    x.recv_until(rb"on-2")
    t.ok("on-2" in said(on_disk(files(d)[0])),
         "what was recorded still is")
    for w in (w, x, y):
        w.close()
    row = ended(d, id_of(files(d)[0]))
    t.equal(get(d, sid, row["recording"], token)[0], 200,
            "and can be read with recording off")


def no_space(d, sid, token):
    """A file system of its own that is full."""
    at = os.path.join(d.dir, "store", "recordings")
    who = os.stat(at)
    if subprocess.call(["mount", "-t", "tmpfs", "-o", "size=128k,mode=700,"
                        "uid=%d,gid=%d" % (who.st_uid, who.st_gid), "tmpfs",
                        at], stderr=subprocess.DEVNULL) != 0:
        t.skip("tmpfs cannot be mounted here", "a full disk")
        return
    try:
        d.ctl("reload")
        w = opened(d, sid, token)
        w.send(b"\0yes \"a b\"\r")
        got, last = drain(w)
        t.equal(last, (1011, "this terminal cannot be recorded any more"),
                "a full disk ends the terminal, which says why")
        path = files(d)[0]
        t.ok(said(on_disk(path)).encode().startswith(got) and
             len(got) > 50000, "all that was shown is in the recording")
        w = d.terminal(sid, d.ticket(sid, token))
        t.equal((w.status, "cannot be recorded" in w.body().decode()),
                (503, True), "no other terminal opens")
        ended(d, id_of(path))
    finally:
        subprocess.call(["umount", "-l", at])


def too_little(d, sid, token):
    """A file system that others fill: recordings stop before it is full."""
    at = os.path.join(d.dir, "store", "recordings")
    who = os.stat(at)
    if subprocess.call(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700,"
                        "uid=%d,gid=%d" % (who.st_uid, who.st_gid), "tmpfs",
                        at], stderr=subprocess.DEVNULL) != 0:
        t.skip("tmpfs cannot be mounted here", "a disk with little room")
        return
    try:
        d.ctl("reload")
        w = opened(d, sid, token)
        w.send(b"\0echo on-$((1+1))\r")
        w.recv_until(rb"on-2")
        fill = os.path.join(at, "others")
        with open(fill, "wb") as f:
            f.write(bytes(5 << 20))
        x = d.terminal(sid, d.ticket(sid, token))
        t.equal((x.status, json.loads(x.body())["message"]),
                (503, "no room on the disk to record a terminal"),
                "less is free than is to be: no other terminal opens")
        w.send(b"\0echo still-$((1+1))\r")
        w.recv_until(rb"still-2")
        t.ok(True, "the one that is open goes on")
        with open(fill, "ab") as f:
            f.write(bytes(5 << 18))
        got, last = drain(w)
        t.equal(last, (1011, "no room on the disk to record this terminal"),
                "less than half of that: it ends, and hears why")
        t.equal(len([x for x in files(d) if x.endswith(".cast")]), 1,
                "what is recorded stays")
        t.equal(d.ctl_raw("system", "add", "box2").returncode, 0,
                "and the store goes on")
        os.unlink(fill)
        w = opened(d, sid, token)
        t.equal(w.status, 101, "with room again terminals open")
        w.close()
    finally:
        subprocess.call(["umount", "-l", at])


def with_client(conf, *tests):
    with Relayd(t, operator="\tticket rate 1000\n", global_conf=conf) as d:
        key, secret = d.add_system("box")
        with OurClient(d, key, secret):
            sid = d.wait_session()["session"]
            token = d.token(lifetime="24h", permissions=PERMISSIONS)
            for test in tests:
                test(d, sid, token)
        if "1h" in conf:
            by_age(d)


def read_by_all(d, sid, token):
    path, data = contents(d, sid, token)
    players(path, data)
    readers(d, sid, token, path, data)
    by_relayctl(d, path, data)


with_client("record terminals yes", read_by_all, crashes, over_a_stop)
with_client("record terminals yes", broken)
with_client('record terminals yes\nrecording directory "recordings" free 0',
            no_space)
with_client('record terminals yes\nrecording directory "recordings" free 4M',
            too_little)
with_client('record terminals\nrecording directory "recordings" each 64K max 1M'
            "\nkeep recordings 1h", by_size, found)
with_client("", on_and_off)
t.done()
