#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Users provisioning by tunnel-client: users of an NS8 cluster and of a
NethSecurity host, made by their own Python as the test plays it; plugins;
fetching; what a crash leaves behind and the next start takes away."""

import hashlib
import json
import os
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clienttest import KEY, SECRET, Client, Redis, Target, ask, echo, \
    leave, machine, manifest, nethsecurity, put
from harness import Tap, until
from process import lives
from tunnelserver import Server

t = Tap()
clients = []
NAME = "support-neth-7f3a-0007"

TASKS = '''
import os, store
DOMAINS = [
    {"name": "ad.example", "location": "internal",
     "providers": [{"id": "samba1"}, {"id": "samba2"}]},
    {"name": "far.example", "location": "external",
     "providers": [{"id": "ldap9"}]},
    {"name": "empty.example", "location": "internal", "providers": []}]
def run(agent_id, action, data={}, extra={}, endpoint="", **more):
    store.act(agent_id, action, data, extra, endpoint)
    print("progress, on standard output")
    a = store.accounts()
    name = "%s/%s" % (agent_id, data.get("user"))
    if action == "list-user-domains":
        return {"exit_code": 0, "output": {"domains": DOMAINS}}
    if action == "list-domain-users":
        return {"exit_code": 0, "output": {"users": [
            {"user": x.split("/")[2]} for x in a if x.startswith("module/")]}}
    if action == "remove-user":
        if os.path.exists("%s/fail-%s" % (store.ROOT, agent_id.split("/")[0])):
            return {"exit_code": 1, "output": ""}
        if name not in a and agent_id == "cluster":
            return {"exit_code": 2, "output": {"error": "user_not_found"}}
        if name not in a:
            return {"exit_code": 1, "output": ""}
        del a[name]
    else:
        a[name] = data.get("password") or data["password_hash"]
    store.keep(a)
    store.hang(action)
    return {"exit_code": 0}
'''
PLUGIN = '''#!/bin/sh
echo "%(name)s $*" >>%(root)s/calls
env | sort >%(root)s/%(name)s-env
cp "$3" %(root)s/%(name)s-$1-users
[ $# -lt 5 ] || cp "$5" %(root)s/%(name)s-$1-instances
%(then)s
'''


def ns8(root, redis):
    machine(root)
    put(root + "/py/agent/__init__.py", "")
    put(root + "/py/agent/tasks.py", TASKS)
    put(root + "/bin/api-cli", "#!/bin/sh\ncat %s/routes\n" % root, 0o755)
    put(root + "/routes", json.dumps([
        {"instance": "pbx103-ui", "host": "pbx.example", "path": "/pbx",
         "url": "https://127.0.0.1:2", "strip_prefix": True},
        {"instance": "pbx7", "url": "http://127.0.0.1:3"},
        {"instance": "samba2", "url": "http://127.0.0.1:4"},
        {"instance": "mail1", "url": "http://127.0.0.1:5"}]))
    put(root + "/var/lib/nethserver/node/state/environment", "NODE_ID=1\n")
    redis.cli("SET", "node/1/default_instance/traefik", "traefik1")
    redis.cli("HSET", "cluster/environment", "NODE_ID", "1")
    redis.cli("HSET", "cluster/module_domains", "pbx103", "pbx.domain more")
    redis.cli("HSET", "module/mail1/environment", "USER_DOMAIN", "m.domain")
    redis.cli("SET", "module/pbx103/ui_name", "Telephones")


def plugin(root, name, then="", mode=0o755):
    put("%s/users.d/%s" % (root, name), PLUGIN % {
        "root": root, "name": name, "then": then}, mode)


def accounts(root):
    try:
        with open(root + "/accounts") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def lines(root, name):
    with open("%s/%s" % (root, name)) as f:
        return f.read().splitlines()


def client(s, root, redis=None, **kw):
    env = {"TUNNEL_CLIENT_ROOT": root, "USERS_DIR": root + "/users.d",
           "USERS_STATE_FILE": root + "/run/users.json",
           "USERS_PLUGIN_TIMEOUT": "3s"}
    if redis is not None:
        env["REDIS_ADDR"] = "127.0.0.1:%d" % redis.port
    env.update(kw.pop("env", {}))
    clients.append(Client(s, env=env, **kw))
    return clients[-1]


def connected(s):
    """A tunnel; what has given up waiting for it meanwhile is passed over."""
    while True:
        try:
            u = s.tunnel()
            manifest(u)
            return u
        except OSError:
            pass


def report(u):
    r = json.loads(u.document(b"USERS 1\n"))
    t.ok(r["duration_ms"] >= 0 and
         r["users"]["created_at"] == r["created_at"], "a report of users")
    return r["users"]


def asked(u, n):
    """The n-th stream of USERS_FETCH."""
    def found():
        all = [u.streams[i] for i in u.order
               if u.streams[i].data == b"USERS_FETCH 1\n"]
        return all[n] if len(all) > n else None
    u.until(lambda: found() or u.gone, "fetch")
    if found() is None:
        raise ConnectionError("no fetch: " + clients[-1].err.text()[-4000:])
    return found()


def answer(st, text):
    t.ok(not st.fin, "the asking side of a fetch stays open")
    st.send(text)
    st.fin_send()


def gone(root, c, text):
    """Nothing that was made is there any more."""
    t.equal((accounts(root), os.path.exists(root + "/run/users.json"),
             os.path.exists(root + "/run/my-support-tmp")),
            ({}, False, False), text)


def silent(c, root):
    """No password in a log."""
    text = c.err.text()
    t.ok(SECRET not in text and not any(
        x in text for x in accounts(root).values() if len(x) > 9),
         "no password in the log")


# ---- the leader of an NS8 cluster, with plugins ----

with Server() as s, tempfile.TemporaryDirectory() as root, \
        Redis(root) as redis, Target(echo) as target:
    ns8(root, redis)
    put(root + "/hang-add-user", "")
    plugin(root, "pbx", 'echo \'{"id":"pbx103","name":"PBX","url":"https://x'
           '/","notes":"n","other":1}\'\nexit 0')
    plugin(root, "a-list", 'echo \'[{"id":"one"},{"id":"two"}]\'')
    plugin(root, "b-fails", "exit 3")
    plugin(root, "c-hangs", "sleep 1000")
    plugin(root, "d-babbles", "echo babble")
    plugin(root, "e-changed")
    plugin(root, "f-floods", "head -c 9000000 /dev/zero | tr '\\0' x")
    plugin(root, "g-group", mode=0o775)
    put(root + "/users.d/0-first", "#!/bin/sh\nchmod g+w %s/users.d/e-changed"
        "\n" % root, 0o755)
    os.symlink(root + "/users.d/pbx", root + "/users.d/h-link")
    c = client(s, root, redis, services="echo=127.0.0.1:%d" % target.port)
    u = s.tunnel()
    m = manifest(u)
    u.document(b"DIAGNOSTICS 1\n")
    until(lambda: accounts(root), "an account")
    with open(root + "/run/users.json") as f:
        state = json.load(f)
    t.equal((state["platform"], state["username"], state["planned"]),
            ("ns8", NAME, True), "the state is written before the first act")
    st = u.open(b"CONNECT echo\nhello")
    t.equal(st.line() + st.take(5), b"OK\nhello",
            "tunnel-28(partial): a stream that is opened while users are made "
            "is served")
    st.reset()
    os.unlink(root + "/hang-add-user")
    r = report(u)
    t.equal((r["session_id"], r["platform"]), (KEY, "ns8"), "whose it is")
    a = r["cluster_admin"]
    t.equal(a["username"], NAME, "the name is of the key")
    t.match(a["password"], r"^[a-zA-Z0-9!@#%^&*]{20}$", "the password")
    t.ok(all(any(x in k for x in a["password"]) for k in (
        "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "0123456789", "!@#%^&*")), "has one of each class")
    d = r["domain_users"]
    t.equal([(x["domain"], x["module"], x["username"]) for x in d],
            [("ad.example", "samba1", NAME)],
            "a user in each domain of the cluster's own, by its first "
            "provider")
    t.ok(d[0]["password"] != a["password"], "with a password of its own")
    t.equal(accounts(root), {
        "cluster/" + NAME: hashlib.sha256(a["password"].encode()).hexdigest(),
        "module/samba1/" + NAME: d[0]["password"]}, "and these are there")
    acts = [json.loads(x) for x in lines(root, "acts")]
    t.equal([x[:2] for x in acts], [
        ["cluster", "remove-user"], ["cluster", "add-user"],
        ["cluster", "list-user-domains"], ["module/samba1", "remove-user"],
        ["module/samba1", "add-user"]], "the tasks, in their order")
    t.ok(all(x[3] == {"isNotificationHidden": True} and
             x[4] == "redis://cluster-leader" for x in acts),
         "at the leader, and in nobody's notifications")
    t.equal(acts[1][2]["grant"], [{"role": "owner", "on": "*"}], "an owner")
    t.equal(r["module_domains"], {
        "pbx103": "pbx.domain", "mail1": "m.domain", "samba2": "ad.example"},
            "domains of modules: the cluster's word, the module's, the "
            "provider's")
    t.equal(r["apps"], [{"id": "one"}, {"id": "two"}, {
        "id": "pbx103", "name": "PBX", "url": "https://x/", "notes": "n"}],
            "what plugins say")
    t.equal([(x["id"], x["message"]) for x in r["errors"]], [
        ("b-fails", "exit status 3"), ("c-hangs", "took too long"),
        ("d-babbles", "says what is no app"),
        ("e-changed", "others may write to it"),
        ("f-floods", "says what is no app")],
            "tunnel-57(partial): a plugin that fails, hangs, babbles or "
            "floods costs itself only")
    for name, why in (("g-group", "others may write to it, skipped"),
                      ("h-link", "not a regular file, skipped")):
        t.ok(c.err.wait("%s: %s" % (name, why)), "%s: %s" % (name, why))
    tmp = root + "/run/my-support-tmp"
    t.equal(lines(root, "calls")[-1], "pbx setup --users-file "
            "%s/users.json --instances-file %s/instances-7.json" % (tmp, tmp),
            "a plugin's arguments")
    with open(root + "/pbx-setup-users") as f:
        x = json.load(f)
    t.equal((x["session_id"], x["cluster_admin"], x["domain_users"]),
            (KEY, a, d), "its file of users")
    with open(root + "/pbx-setup-instances") as f:
        x = json.load(f)
    t.equal(x, {"module": "pbx", "instances": [
        {"id": "pbx103", "node_id": "1", "label": "Telephones",
         "domain": "pbx.domain", "services": {"pbx103-ui": {
             "host": "pbx.example", "path": "/pbx", "path_prefix": "/pbx",
             "tls": True}}},
        {"id": "pbx7", "node_id": "1", "label": "", "domain": "",
         "services": {"pbx7": {"host": "", "path": "", "path_prefix": "",
                               "tls": False}}}]}, "its file of instances")
    t.ok(not os.path.exists(root + "/a-list-setup-instances"),
         "which one that is for no module does not get")
    env = [x for x in lines(root, "pbx-env")
           if not x.startswith(("PWD=", "SHLVL=", "_=", "OLDPWD="))]
    t.equal(env, ["PATH=%s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                  "/usr/bin:/sbin:/bin" % root],
            "its environment is PATH only")
    t.ok(not os.path.exists(tmp), "the files are gone")
    sb = os.stat(root + "/run/users.json")
    t.equal(sb.st_mode & 0o777, 0o600, "the state file is nobody else's")
    with open(root + "/run/users.json") as f:
        state = json.load(f)
    t.equal((state["cluster_admin"], state["domain_users"], state["planned"],
             state["plugins"]), (a, d, False, True), "the state")
    silent(c, root)
    # a later connection, and a change of domains
    u.close(1001)
    u.drop()
    u = s.tunnel()
    manifest(u)
    again = report(u)
    t.equal(again, r, "a later connection hears of the same users")
    redis.cli("HSET", "cluster/module_domains", "pbx7", "new.domain")
    c.p.send_signal(signal.SIGUSR2)
    t.equal(report(u)["module_domains"]["pbx7"], "new.domain",
            "T19: a domain that changes is reported")
    before = len(lines(root, "calls"))
    leave(t, c, u, "tunnel-57(partial): 4000: exit 0")
    gone(root, c, "and all is taken away")
    t.equal([x.split()[:2] for x in lines(root, "calls")[before:]],
            [[n, "teardown"] for n in ("pbx", "f-floods", "d-babbles",
                                       "c-hangs", "b-fails", "a-list")],
            "plugins are torn down in reverse order")

# ---- 4000 while users are made; SIGKILL then; a second client ----

with Server() as s, tempfile.TemporaryDirectory() as root, \
        Redis(root) as redis:
    ns8(root, redis)
    put(root + "/hang-add-user", "")
    c = client(s, root, redis)
    u = s.tunnel()
    manifest(u)
    until(lambda: accounts(root), "an account")
    leave(t, c, u, "tunnel-57: 4000 during provisioning: exit 0")
    gone(root, c, "and what was made is taken away")

    os.unlink(root + "/pid")
    c = client(s, root, redis)
    u = s.tunnel()
    manifest(u)
    until(lambda: accounts(root), "an account")
    until(lambda: os.path.exists(root + "/pid"), "its maker")
    c.p.send_signal(signal.SIGKILL)
    c.wait()
    u.drop()
    t.equal(list(accounts(root)), ["cluster/" + NAME],
            "SIGKILL between making a user and writing anything")
    until(lambda: not lives(int(lines(root, "pid")[0])), "its end")
    t.ok(True, "what makes users dies with the client")
    os.unlink(root + "/hang-add-user")
    put(root + "/hang-remove-user", "")
    c = client(s, root, redis)
    c.err.wait("not ended in good order")
    u = s.tunnel()
    until(lambda: not accounts(root), "the removal")
    t.ok(True, "tunnel-59: the next start removes that user")
    os.unlink(root + "/hang-remove-user")
    r = report(u)
    t.equal(len(accounts(root)), 2, "and then makes its own")
    # another client with the same state file
    with Server() as s2:
        c2 = client(s2, root, redis, move_ms=10001)
        c2.err.wait("another tunnel-client has")
        u2 = s2.tunnel()
        for i in range(3):
            answer(asked(u2, i), b"{}\n")
            if i < 2:
                c2.move()
        r2 = report(u2)
        t.ok("cluster_admin" not in r2 and len(accounts(root)) == 2,
             "a second client on the machine makes none")
        leave(t, c2, u2, "exit 0")
    t.equal(len(accounts(root)), 2, "and takes nothing away")
    c.p.send_signal(signal.SIGKILL)
    c.wait()
    u.drop()
    plugin(root, "late")
    c = client(s, root, redis)
    until(lambda: not accounts(root), "the removal")
    t.ok(True, "killed later: the next start removes all of them")
    u = connected(s)
    report(u)
    t.equal([x.split()[:2] for x in lines(root, "calls")],
            [["late", "setup"]], "no plugin had been set up: none is torn "
            "down")
    c.p.send_signal(signal.SIGKILL)
    c.wait()
    u.drop()
    c = client(s, root, redis)
    u = s.tunnel()
    report(u)
    t.equal([x.split()[:2] for x in lines(root, "calls")],
            [["late", "setup"], ["late", "teardown"], ["late", "setup"]],
            "one that had been is")
    c.p.send_signal(signal.SIGTERM)
    u.wait_gone()
    t.equal(c.wait(), 0, "SIGTERM: exit 0")
    c.clean(t)
    gone(root, c, "and all is taken away")

    # a second signal does not wait
    c = client(s, root, redis)
    u = s.tunnel()
    report(u)
    put(root + "/hang-remove-user", "")
    c.p.send_signal(signal.SIGTERM)
    until(lambda: len(accounts(root)) == 1, "the first removal")
    t.ok(c.p.poll() is None, "a client that leaves waits for the users to go")
    c.p.send_signal(signal.SIGTERM)
    t.equal(c.wait(), 0, "a second signal ends it at once")
    c.clean(t)
    os.unlink(root + "/hang-remove-user")
    t.ok(accounts(root) and os.path.exists(root + "/run/users.json"),
         "which leaves them to the next start")
    c = client(s, root, redis)
    until(lambda: not accounts(root), "the removal")
    u = connected(s)
    report(u)
    leave(t, c, u, "exit 0")
    gone(root, c, "which takes them away")

    # a worker makes none, and asks
    redis.cli("REPLICAOF", "127.0.0.1", "1")
    redis.cli("CONFIG", "SET", "replica-serve-stale-data", "yes")
    c = client(s, root, redis)
    u = s.tunnel()
    users = {"cluster_admin": {"username": "support-other",
                               "password": "other's"}}
    answer(asked(u, 0), json.dumps({"users": dict(
        users, apps=[{"id": "x"}], local_users=[
            {"username": "support-x"}, {"username": "a\nb", "password": "p"},
            {"username": "root", "password": "p"},
            {"username": "-x", "password": "p"}], domain_users=[
            {"domain": "d", "module": "m", "username": x, "password": "p"}
            for x in ("admin", "support-d", "support-a b")])})
        .encode() + b"\n")
    r = report(u)
    t.equal((r["cluster_admin"], accounts(root), "local_users" in r,
             [x["username"] for x in r["domain_users"]]),
            (users["cluster_admin"], {}, False, ["support-d"]),
            "tunnel-36(partial): a worker asks the server for users, takes "
            "what is one, and makes none")
    acts = len(lines(root, "acts"))
    leave(t, c, u, "exit 0")
    t.equal(len(lines(root, "acts")), acts, "T18: what was fetched is not "
            "deleted")

# ---- a deletion that fails ----

with Server() as s, tempfile.TemporaryDirectory() as root, \
        Redis(root) as redis:
    ns8(root, redis)
    state = root + "/run/users.json"
    env = {"CONSENT": "ask", "CONSENT_FILE": root + "/run/consent",
           "STATUS_SOCKET": root + "/sock"}

    def made(n):
        return len([x for x in lines(root, "acts")
                    if json.loads(x)[1] == "add-user"]) == n
    c = client(s, root, redis, env=env, move_ms=120001)
    u = s.tunnel()
    manifest(u)
    ask(root + "/sock", "consent", "on")
    report(u)
    with open(state) as f:
        record = f.read()
    put(root + "/fail-cluster", "")
    ask(root + "/sock", "consent", "off")
    c.err.wait("could not be deleted, tried again in 60 s")
    t.equal(list(accounts(root)), ["cluster/" + NAME],
            "an owner who cannot be deleted")
    r = json.loads(ask(root + "/sock", "status", "-j")[1])
    t.equal((r["users"][0], r["users_error"]), (
        {"name": NAME, "of": "the cluster"}, NAME + " could not be deleted"),
        "status goes on naming him, and says so")
    t.match(ask(root + "/sock", "status")[1],
            "(?m)^users: %s could not be deleted" % NAME, "for people, too")
    ask(root + "/sock", "consent", "on")
    c.p.send_signal(signal.SIGUSR2)
    c.move()
    c.err.wait("tried again in 120 s")
    with open(state) as f:
        t.equal(f.read(), record, "the state file stays as it was")
    t.ok(made(2), "and nobody is made meanwhile")
    os.unlink(root + "/fail-cluster")
    c.move()
    c.err.wait("all that was made is gone")
    report(u)
    t.ok(made(4), "when he is gone there are others")
    r = json.loads(ask(root + "/sock", "status", "-j")[1])
    t.ok("users_error" not in r, "and status says no more of it")
    put(root + "/fail-module", "")
    leave(t, c, u, "an end that cannot delete one of a domain: exit 0")
    t.ok(c.err.wait("could not be deleted, the next start tries again"),
         "says so")
    t.equal((list(accounts(root)), os.path.exists(state)),
            (["module/samba1/" + NAME], True), "and leaves the state file")
    c = client(s, root, redis)
    c.err.wait("tried again in 60 s")
    u = connected(s)
    u.document(b"DIAGNOSTICS 1\n")
    t.ok(made(4), "nor is anybody made while a crash is not cleared away")
    os.unlink(root + "/fail-module")
    leave(t, c, u, "which is tried once more at the end: exit 0")
    gone(root, c, "and then all is taken away")
    # what is only planned
    put(root + "/hang-add-user", "")
    c = client(s, root, redis)
    u = s.tunnel()
    until(lambda: accounts(root), "an account")
    c.p.send_signal(signal.SIGKILL)
    c.wait()
    u.drop()
    os.unlink(root + "/hang-add-user")
    put(root + "/fail-cluster", "")
    c = client(s, root, redis)
    c.err.wait("tried again in 60 s")
    t.ok(accounts(root) and os.path.exists(state), "a user who was planned "
         "and cannot be deleted is not taken for gone")
    os.unlink(root + "/fail-cluster")
    u = connected(s)
    leave(t, c, u, "exit 0")
    gone(root, c, "until he is")

# ---- NethSecurity ----

with Server() as s, tempfile.TemporaryDirectory() as root:
    nethsecurity(root)
    # it is started in a directory of somebody's
    put(root + "/home/json.py", "open(%r, 'w')\n" % (root + "/fooled"))
    c = client(s, root, cwd=root + "/home")
    u = s.tunnel()
    r = report(u)
    t.equal((r["platform"], [x["username"] for x in r["local_users"]]),
            ("nethsecurity", [NAME]), "NethSecurity: a local user")
    t.ok(not os.path.exists(root + "/fooled"),
         "whose Python is not what makes him")
    t.equal(accounts(root), {NAME: r["local_users"][0]["password"],
                             "admin " + NAME: "x"}, "who is an admin")
    silent(c, root)
    put(root + "/fail-remove_admin", "")
    leave(t, c, u, "exit 0")
    t.equal((accounts(root), os.path.exists(root + "/run/users.json")),
            ({"admin " + NAME: "x"}, True), "an admin without his user is not "
            "taken for gone")
    os.unlink(root + "/fail-remove_admin")
    c = client(s, root)
    until(lambda: not accounts(root), "the removal")
    u = connected(s)
    report(u)
    leave(t, c, u, "exit 0")
    gone(root, c, "and all is taken away")
    # no consent, no users
    env = {"CONSENT": "ask", "CONSENT_FILE": root + "/run/consent",
           "STATUS_SOCKET": root + "/sock"}
    plugin(root, "app")
    c = client(s, root, env=env)
    u = s.tunnel()
    manifest(u)
    u.document(b"DIAGNOSTICS 1\n")
    t.equal(accounts(root), {}, "without consent nobody is made")
    t.equal(ask(root + "/sock", "consent", "on")[0], 0, "consent is given")
    r = report(u)
    t.ok(NAME in accounts(root), "now there is one")
    t.equal(json.loads(ask(root + "/sock", "status", "-j")[1])["users"],
            [{"name": NAME, "of": "this machine"}],
            "status names it, without its password")
    t.match(ask(root + "/sock", "status")[1],
            "(?m)^users made for the operator:\n  %s +of this machine$" %
            NAME, "for people, too")
    t.equal(ask(root + "/sock", "consent", "off")[0], 0,
            "and is withdrawn")
    until(lambda: not os.path.exists(root + "/run/users.json"), "the end")
    t.equal((accounts(root), lines(root, "calls")[-1].split()[:2]),
            ({}, ["app", "teardown"]), "all that was made goes at once")
    t.equal(ask(root + "/sock", "consent", "on")[0], 0, "it is given again")
    again = report(u)
    t.ok(again["local_users"][0]["password"] !=
         r["local_users"][0]["password"] and NAME in accounts(root),
         "another one is made, with another password")
    leave(t, c, u, "exit 0")
    os.unlink(root + "/users.d/app")
    put(root + "/no-admin", "")
    c = client(s, root)
    u = s.tunnel()
    answer(asked(u, 0), b'{"users":{"local_users":[{"username":"support-s",'
           b'"password":"p"}]}}\n')
    r = report(u)
    t.equal((accounts(root), r["errors"]), ({}, [
        {"id": "users", "message": "set_admin: RuntimeError"}]),
        "one who cannot be an admin is rolled back")
    put(root + "/accounts", '{"support-s": "x"}')
    leave(t, c, u, "exit 0")
    t.equal(accounts(root), {"support-s": "x"}, "T18: a user that the server "
            "names is not deleted")
    os.unlink(root + "/accounts")
    # nor can the half of him be taken back
    put(root + "/fail-delete", "")
    c = client(s, root)
    u = s.tunnel()
    answer(asked(u, 0), b'{"users":{"local_users":[{"username":"support-s",'
           b'"password":"p"}]}}\n')
    t.equal(report(u)["errors"], [
        {"id": "users", "message": "set_admin: RuntimeError"},
        {"id": "users", "message": "delete_local_user: RuntimeError"}],
        "one who cannot be an admin, and stays: both are said")
    t.ok(list(accounts(root)) == [NAME] and
         os.path.exists(root + "/run/users.json"), "he is not forgotten")
    os.unlink(root + "/fail-delete")
    leave(t, c, u, "exit 0")
    gone(root, c, "and goes in the end")
    os.unlink(root + "/no-admin")
    # what makes users hangs for good
    put(root + "/hang-add", "")
    c = client(s, root, move_ms=121000)
    u = s.tunnel()
    until(lambda: accounts(root), "an account")
    c.move()
    c.err.wait("users: making: killed, it took too long")
    answer(asked(u, 0), b'{"users":{"local_users":[{"username":"support-u",'
           b'"password":"p"}]}}')
    t.equal(report(u)["errors"],
            [{"id": "users", "message": "users were not made"}],
            "what takes longer than 2 minutes is given up")
    os.unlink(root + "/hang-add")
    leave(t, c, u, "exit 0")
    gone(root, c, "and what it had made is taken away")
    # there is no place to write down what is made
    c = client(s, root, env={"USERS_STATE_FILE": "/dev/null/x"})
    u = s.tunnel()
    answer(asked(u, 0), b'{"users":{"local_users":[{"username":"support-u",'
           b'"password":"p"}]}}')
    t.equal((report(u)["errors"], accounts(root)),
            ([{"id": "users", "message": "no user can be made"}], {}),
            "without a state file nobody is made")
    leave(t, c, u, "exit 0")
    put(root + "/hang-add", "")
    c = client(s, root)
    u = s.tunnel()
    until(lambda: accounts(root), "an account")
    c.p.send_signal(signal.SIGKILL)
    c.wait()
    u.drop()
    os.unlink(root + "/hang-add")
    # The host looks like nothing now: the state says what it was.
    os.unlink(root + "/www-ns/index.html")
    c = client(s, root)
    until(lambda: not accounts(root), "the removal")
    t.ok(True, "tunnel-59: NethSecurity as well; T30: as the state says")
    u = connected(s)
    leave(t, c, u, "exit 0")

# ---- any other machine ----

with Server() as s, tempfile.TemporaryDirectory() as root:
    plugin(root, "app", 'echo \'{"id":"app"}\'')
    c = client(s, root, move_ms=10001)
    u = s.tunnel()
    manifest(u)
    for i in range(3):
        answer(asked(u, i), b"{}\n" if i != 1 else b"nonsense")
        if i < 2:
            c.move()
    r = report(u)
    t.equal(sorted(r), ["apps", "created_at", "platform", "session_id"],
            "tunnel-36(partial): asked three times, a report without users")
    leave(t, c, u, "exit 0")
    gone(root, c, "and all is taken away")
    # a server that says too much, and one that resets
    c = client(s, root, move_ms=10001)
    u = s.tunnel()
    answer(asked(u, 0), b"x" * 262145)
    c.err.wait("the server says too much")
    c.move()
    asked(u, 1).reset()
    c.move()
    answer(asked(u, 2), b'{"users":{"domain_users":[{"domain":"d","module":'
           b'"m","username":"support-u","password":"p"}]}}')
    r = report(u)
    t.equal(r["domain_users"], [{"domain": "d", "module": "m",
                                 "username": "support-u",
                                 "password": "p"}],
            "the third answer counts")
    with open(root + "/app-setup-users") as f:
        t.equal(json.load(f)["domain_users"], r["domain_users"],
                "plugins hear of what was fetched")
    leave(t, c, u, "exit 0")

# ---- plugins that take too long together ----

with Server() as s, tempfile.TemporaryDirectory() as root:
    plugin(root, "1-quick", 'echo \'{"id":"quick"}\'')
    plugin(root, "2-hang", "sleep 1000")
    plugin(root, "3-never")
    c = client(s, root, env={"USERS_TOTAL_TIMEOUT": "1500ms"})
    u = s.tunnel()
    answer(asked(u, 0), b'{"users":{"local_users":[{"username":"support-u",'
           b'"password":"p"}]}}')
    r = report(u)
    t.equal((r["apps"], [(x["id"], x["message"]) for x in r["errors"]]),
            ([{"id": "quick"}], [("2-hang", "no time left"),
                                 ("3-never", "no time left")]),
            "the total limit: what is there is reported, the rest is named")
    leave(t, c, u, "exit 0")

# ---- a state file that cannot be trusted ----

with Server() as s, tempfile.TemporaryDirectory() as root:
    nethsecurity(root)
    for n, (how, name, said) in enumerate((
            ("a name that is none of ours", "root",
             "what is named in %s/run/users.json could not" % root),
            ("others may write to it", NAME, "others may write to it"),
            ("a symbolic link", NAME, "not a regular file"),
            ("no JSON", NAME, "nothing that can be read"))):
        put(root + "/accounts", json.dumps({name: "x"}))
        put(root + "/run/users.json", "x" if how == "no JSON" else json.dumps(
            {"platform": "nethsecurity", "plugins": False, "local_users": [
                {"username": name, "password": "p"}]}))
        if how.startswith("others"):
            os.chmod(root + "/run/users.json", 0o666)
        elif how.endswith("link"):
            os.rename(root + "/run/users.json", root + "/run/there")
            os.symlink("there", root + "/run/users.json")
        c = client(s, root)
        r = s.request()
        c.err.wait(said)
        c.p.send_signal(signal.SIGKILL)
        c.wait()
        r.s.close()
        t.equal(accounts(root), {name: "x"},
                "a state file: %s: nobody is deleted" % how)
        if os.path.lexists(root + "/run/users.json"):
            t.equal(how, "a name that is none of ours", "it stays")
            os.unlink(root + "/run/users.json")
        else:
            t.ok(c.err.wait("kept as .*/users.json.unreadable-%d: what it "
                            "names may" % n), "%s: it is kept aside" % how)
    with open(root + "/run/users.json.unreadable-3") as f:
        t.equal(f.read(), "x", "as it was, beside those of before")
    # One that cannot be kept: nobody new, of whom nothing would be known.
    for n in range(4, 100):
        put(root + "/run/users.json.unreadable-%d" % n, "")
    put(root + "/run/users.json", "y")
    put(root + "/accounts", "{}")
    c = client(s, root)
    u = connected(s)
    c.err.wait("cannot be kept")
    c.err.wait("no user can be made")
    leave(t, c, u, "exit 0")
    with open(root + "/run/users.json") as f:
        t.equal((f.read(), accounts(root)), ("y", {}), "it is not "
                "overwritten, and nobody is made")
t.done()
