#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What etc/container makes: the files of the image, started as the Containerfile
says and with what compose.yaml and kubernetes.yaml give it, in a root directory
that is that and read only. An engine for containers is not needed."""

import json
import os
import re
import shutil
import subprocess
import tempfile

import yaml

import postgres
from harness import (FAST_BUILD, SRC, Lines, Program, Relayd, Tap, Targets,
                     free_port, until)
from pairing import Device
from peers import Relay

t = Tap()
ETC = os.path.join(SRC, "etc", "container")
START = """
root=$1/root-$2 image=$1/$2 state=$3
shift 3
mount --rbind "$image" "$root" || exit 1
mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 1
mount -o remount,bind,ro "$root" || exit 1
for d in $state; do
	mount -t tmpfs -o mode=0700,uid=65532,gid=65532 none "$root/$d" || exit 1
done
exec python3 -c 'import os, sys
os.chroot(sys.argv[1])
os.chdir("/")
os.setgroups([])
os.setgid(65532)
os.setuid(65532)
os.execv(sys.argv[2], sys.argv[2:])' "$root" "$@"
"""


def containerfile():
    """The words of its last stage, by their first."""
    with open(os.path.join(ETC, "Containerfile")) as f:
        stage = f.read().split("\nFROM scratch\n")[1]
    return dict(line.split(" ", 1) for line in stage.splitlines() if line)


def health():
    """What an engine asks it: words of a command."""
    said = containerfile()["HEALTHCHECK"]
    return json.loads(said[said.index("["):])


class Contained(Relayd):
    def __init__(self, dir_, port, env, entry=None):
        super().__init__(t, port=port)
        words = containerfile()
        self.inner = dir_
        entry = entry or json.loads(words["ENTRYPOINT"])
        # /usr there, and here wherever the build is for.
        self.program = subprocess.run(
            ["find", dir_ + "/image", "-name", "relayd", "-type", "f"],
            stdout=subprocess.PIPE, text=True).stdout.split()[0]
        self.prefix = self.program[len(dir_ + "/image"):
                                   -len("/sbin/relayd")]
        self.argv = [self.prefix + "/sbin/relayd", *entry[1:]]
        self.env = dict((x.split("=", 1) for x in words["ENV"].split()),
                        **env)

    def start(self):
        self.p = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", START, "sh", self.inner,
             "image", "var/lib/relayd run/relayd", *self.argv], env=dict(self.env, PATH=os.environ["PATH"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self.pid = self.p.pid
        self.log = Lines(self.p.stderr)
        until(self.is_ready, "relayd in its image")

    def inside(self, *words):
        return subprocess.run(
            ["nsenter", "-m", "-r", "-t", str(self.pid), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def collected(dir_):
    r = subprocess.run(["sh", os.path.join(ETC, "collect"), dir_ + "/image",
                        FAST_BUILD], cwd=SRC, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    t.equal(r.returncode, 0, "the files of an image") or t.diag(r.stdout)
    names = [os.path.join(d, f)[len(dir_ + "/image"):]
             for d, _, files in os.walk(dir_ + "/image") for f in files]
    odd = [n for n in names if not re.search(
        r"^/(usr/)?lib(64)?/|/libexec/relayd/\w+$|/sbin/(relayd|relayctl)$|"
        r"^/usr/share/doc/relayd/LICENSE$|^/etc/(passwd|group|hosts|"
        r"resolv\.conf|ssl/certs/ca-certificates\.crt)$", n)]
    t.equal(odd, [], "the daemon, what it loads, and nothing else")
    t.ok([n for n in names if n.endswith("/libexec/relayd/paird")],
         "all its programs")
    suid = subprocess.run(["find", dir_ + "/image", "-perm", "/6000"],
                          stdout=subprocess.PIPE, text=True).stdout
    t.equal(suid, "", "nothing with a user of its own")
    mount_points(dir_, "image")


def mount_points(dir_, image):
    for d in "proc", "dev":
        os.mkdir(os.path.join(dir_, image, d))
    os.mkdir(os.path.join(dir_, "root-" + image))


def text(value):
    """A variable of compose.yaml as it is when nobody sets any."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def compose(dir_):
    with open(os.path.join(ETC, "compose.yaml")) as f:
        services = yaml.safe_load(f)["services"]
    for name, s in [x for x in services.items() if "build" in x[1]]:
        t.equal((s["read_only"], s["cap_drop"], s["security_opt"]),
                (True, ["ALL"], ["no-new-privileges:true"]),
                "compose.yaml: %s may do nothing" % name)
    env = {k: text(v) for k, v in services["pairing"]["environment"].items()}
    port = free_port()
    t.equal(services["pairing"]["ports"], ["127.0.0.1:3001:" + env["PORT"]],
            "the port is the one it listens on")
    with Contained(dir_, port, dict(env, PORT=str(port),
                                    HOST="127.0.0.1")) as d:
        pair(d)
        check = health()
        t.equal(services["pairing"]["healthcheck"]["test"], ["CMD", *check],
                "compose.yaml asks for its health as the image does")
        r = d.inside(d.prefix + check[0][4:], "-s",
                     "/run/relayd/control.sock", *check[1:])
        t.equal(r.returncode, 0, "it is well") or t.diag(r.stdout)
        t.match(d.inside(d.prefix + "/sbin/relayctl", "-s",
                         "/run/relayd/control.sock", "show",
                         "processes").stdout,
                "paird .*nnp,landlock,seccomp,rlimit,nodump", "in a sandbox")
        with open("/proc/%d/status" % d.pid) as f:
            t.match(f.read(), r"(?m)^Uid:\s65532\s", "it is not root")
    env = {k: text(v) for k, v in
           services["rendezvous"]["environment"].items()}
    port = free_port()
    with Contained(dir_, port, dict(env, SWSRS_NO_AUTH="1",
                                    SWSRS_ADDR="127.0.0.1:%d" % port)) as d:
        s, a, b = Relay(d).pair()
        a.send("x")
        t.equal(b.recv(), (1, b"x"), "and rendezvous, with all of the "
                "variables there, empty")


def place(dir_, image, path, words, user=65532):
    """A file that is mounted there."""
    at = os.path.join(dir_, image, path)
    os.makedirs(os.path.dirname(at), exist_ok=True)
    with open(at, "w") as f:
        f.write(words)
    os.chmod(at, 0o400)
    os.chown(at, user, user)


def client_image(dir_):
    r = subprocess.run(["sh", os.path.join(ETC, "collect"), dir_ + "/client",
                        FAST_BUILD, "client"], cwd=SRC,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    t.equal(r.returncode, 0, "an image of the client") or t.diag(r.stdout)
    mount_points(dir_, "client")
    programs = subprocess.run(
        ["find", dir_ + "/client", "-path", "*bin/*", "-type", "f"],
        stdout=subprocess.PIPE, text=True).stdout.split()
    t.equal([os.path.basename(x) for x in programs], ["tunnel-client"],
            "which has one program")
    return programs[0][len(dir_ + "/client"):]


def client(dir_, program, service, d, targets):
    """The one of compose.yaml, as its last stage but one starts it."""
    said = json.loads(d.inside(d.prefix + "/sbin/relayctl", "-j", "-s",
                               "/run/relayd/control.sock", "system", "add",
                               "office").stdout)[0]
    env = {k: text(v) for k, v in service["environment"].items()}
    env.update(SYSTEM_KEY=said["key"], SYSTEM_SECRET=said["secret"],
               SUPPORT_URL=env["SUPPORT_URL"].replace(
                   "172.30.7.4:8080", "127.0.0.1:%d" % d.port),
               STATIC_SERVICES=env["STATIC_SERVICES"].replace(
                   "172.30.7.6:80", "127.0.0.1:%d" % targets.http))
    with open(os.path.join(ETC, "Containerfile")) as f:
        entry = json.loads(re.search(r"AS client\n(?:.*\n)*?ENTRYPOINT (.*)",
                                     f.read()).group(1))
    return Program(["unshare", "-m", "sh", "-c", START, "sh", dir_, "client",
                    "var/lib/tunnel-client", program, *entry[1:]], env=env)


def tunnels(dir_):
    """compose.yaml's profiles tunnels and client, but for their network."""
    with open(os.path.join(ETC, "compose.yaml")) as f:
        services = yaml.safe_load(f)["services"]
    s = services["tunnels"]
    pg, redis, port = postgres.server(), free_port(), free_port()
    words = [text(w).replace("host=172.30.7.2 port=5432 dbname=relayd "
                             "user=relayd", pg.conninfo(pg.database()))
             .replace("172.30.7.3:6379", "127.0.0.1:%d" % redis)
             for w in s["command"]]
    with open(os.path.join(ETC, "relayd.conf")) as f:
        conf = f.read().replace("0.0.0.0 port 8080", "127.0.0.1 port %d" %
                                port)
    place(dir_, "image", "etc/relayd.conf", conf)
    for name in "jwt.secret", "postgresql.password":
        place(dir_, "image", "etc/relayd/secrets/" + name, "x" * 48 + "\n")
    program = client_image(dir_)
    with Program(["redis-server", *services["redis"]["command"][1:], "--port",
                  str(redis), "--bind", "127.0.0.1", "--dir", dir_]) as r, \
            Targets() as targets:
        r.out.wait("Ready to accept connections")
        with Contained(dir_, port, {}, s["entrypoint"] + words) as d, \
                client(dir_, program, services["client"], d, targets):
            ctl = (d.prefix + "/sbin/relayctl", "-j", "-s",
                   "/run/relayd/control.sock", "show")
            until(lambda: [x for x in json.loads(d.inside(
                *ctl, "sessions").stdout) if x["services"] == 1],
                "its session")
            t.ok(True, "relayd, PostgreSQL, Redis and the client, as "
                 "compose.yaml has them")
            t.match(pg.sql("SELECT count(*) FROM support_sessions WHERE "
                           "status = 'active'", pg_name(words)), "^1$",
                    "in that database")


def pg_name(words):
    return re.search(r"dbname=(\w+)", " ".join(words)).group(1)


def secrets(init, dir_):
    """What the container before it does, and whose files it leaves."""
    os.makedirs(dir_ + "/from", exist_ok=True)
    os.makedirs(dir_ + "/secrets", exist_ok=True)
    for name in "jwt.secret", "postgresql.password", "cluster.secret":
        with open(os.path.join(dir_, "from", name), "w") as f:
            f.write("x" * 48 + "\n")
    words = [w.replace("/from", dir_ + "/from").replace(
        "/secrets", dir_ + "/secrets") for w in init["command"]]
    t.equal(subprocess.run(words).returncode, 0, "the secrets are copied")
    for name in os.listdir(dir_ + "/secrets"):
        with open(os.path.join(dir_, "secrets", name)) as f:
            place(dir_, "image", "etc/relayd/secrets/" + name, f.read())
    t.equal({os.stat(os.path.join(dir_, "secrets", n)).st_mode & 0o777
             for n in os.listdir(dir_ + "/secrets")}, {0o600},
            "and nobody else's")


def expanded(word, env):
    """As the kubelet does it: of variables of the container."""
    return re.sub(r"\$\((\w+)\)", lambda m: env[m.group(1)], word)


def members(dir_):
    """kubernetes-tunnels.yaml: two of the three, with their words."""
    with open(os.path.join(ETC, "kubernetes-tunnels.yaml")) as f:
        docs = list(yaml.safe_load_all(f))
    kinds = {d["kind"]: d for d in docs}
    spec = kinds["StatefulSet"]["spec"]
    pod = spec["template"]["spec"]
    c = pod["containers"][0]
    labels = spec["template"]["metadata"]["labels"]
    t.equal([d["metadata"]["name"] for d in docs if d["kind"] == "Service"
             and d["spec"].get("clusterIP") == "None"],
            [spec["serviceName"]], "a headless service for its peers")
    t.equal((kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
             kinds["PodDisruptionBudget"]["spec"]["maxUnavailable"]),
            (labels, 1), "one at a time is taken away")
    for x in pod["initContainers"] + [c]:
        t.equal(x["securityContext"], {
            "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]}}, x["name"] + " may do nothing")
    mounts = {m["mountPath"] for m in c["volumeMounts"]}
    t.ok(set(json.loads(containerfile()["VOLUME"])) <= mounts,
         "what is written to is mounted")
    secrets(pod["initContainers"][0], dir_)
    pg, redis = postgres.server(), free_port()
    info = pg.conninfo(pg.database())
    peer = free_port()
    with Program(["redis-server", "--save", "", "--port", str(redis),
                  "--bind", "127.0.0.1", "--dir", dir_]) as r:
        r.out.wait("Ready to accept connections")
        with member(dir_, c, 0, info, redis, peer) as a, \
                member(dir_, c, 1, info, redis, peer) as b:
            for d in a, b:
                until(lambda: len(shown(d)) == 2, "both members")
            t.equal(sorted(x["name"] for x in shown(a)),
                    ["relayd-0", "relayd-1"], "they see each other")
            for probe in "livenessProbe", "readinessProbe":
                t.equal(a.request("GET", c[probe]["httpGet"]["path"])[0], 200,
                        probe)
            leave(c["lifecycle"]["preStop"]["exec"]["command"], a)


def member(dir_, c, n, info, redis, peer):
    """One, with an address of its own."""
    where, port = "127.0.0.%d" % (2 + n), free_port()
    env = {"POD_NAME": "relayd-%d" % n, "POD_IP": where,
           "POSTGRESQL_SERVICE_HOST": "", "REDIS_SERVICE_HOST": "127.0.0.1"}
    args = [expanded(x, env) for x in c["args"]]
    args = [re.sub('"host=.*"', '"%s"' % info, x).replace(
        ":6379", ":%d" % redis) for x in args]
    for name in "relayd.conf", "member.conf":
        with open(os.path.join(ETC, name)) as f:
            place(dir_, "image", "etc/relayd/%d/%s" % (n, name), f.read()
                  .replace("0.0.0.0 port 8080", "127.0.0.1 port %d" % port)
                  .replace("8090", str(peer)))
    args[args.index("/etc/relayd/member.conf")] = \
        "/etc/relayd/%d/member.conf" % n
    t.equal(c["command"], ["/usr/sbin/relayd"], "the program")
    return Contained(dir_, port, {}, c["command"] + args)


def shown(d):
    r = d.inside(d.prefix + "/sbin/relayctl", "-j", "-s",
                 "/run/relayd/control.sock", "show", "members")
    return json.loads(r.stdout) if r.returncode == 0 else []


def leave(words, d):
    """preStop: it takes no more."""
    r = d.inside(d.prefix + words[0][4:], "-s", "/run/relayd/control.sock",
                 *words[1:])
    t.equal(r.returncode, 0, "preStop") or t.diag(r.stdout)
    until(lambda: d.request("GET", "/readyz")[0] == 503,
          "the balancer to be told")


def pair(d):
    a, b = Device(d.port, "127.0.0.1"), Device(d.port, "127.0.0.1")
    t.equal((a.ask("listen", otc="482613"), b.ask("connect", otc="482613"),
             a.hear()), ({"type": "ack", "message": "session_open"},
                         {"type": "peer_found"}, {"type": "peer_found"}),
            "two devices pair in the image")


def kubernetes(dir_):
    with open(os.path.join(ETC, "kubernetes.yaml")) as f:
        docs = {x["kind"]: x for x in yaml.safe_load_all(f)}
    spec = docs["Deployment"]["spec"]["template"]["spec"]
    c = spec["containers"][0]
    user = containerfile()["USER"].split(":")
    t.equal((spec["securityContext"]["runAsNonRoot"],
             spec["securityContext"]["runAsUser"],
             spec["securityContext"]["seccompProfile"]["type"],
             c["securityContext"]),
            (True, int(user[0]), "RuntimeDefault",
             {"readOnlyRootFilesystem": True,
              "allowPrivilegeEscalation": False,
              "capabilities": {"drop": ["ALL"]}}),
            "kubernetes.yaml: what a restricted namespace asks for")
    words = containerfile()
    t.equal({m["mountPath"] for m in c["volumeMounts"]},
            set(json.loads(words["VOLUME"])), "what is written to is mounted")
    env = {e["name"]: e["value"] for e in c["env"]}
    t.equal(str(c["ports"][0]["containerPort"]), env["PORT"], "the port")
    port = free_port()
    links = {"RELAYD_SERVICE_HOST": "10.0.0.1", "SWSRS_SERVICE_HOST":
             "10.0.0.1", "SWSRS_PORT": "tcp://10.0.0.1:80"}
    with Contained(dir_, port, dict(env, PORT=str(port), HOST="127.0.0.1",
                                    **links)) as d:
        for probe in "livenessProbe", "readinessProbe":
            t.equal(d.request("GET", c[probe]["httpGet"]["path"])[0], 200,
                    probe)
        pair(d)
        t.ok(d.stop() == 0, "and it ends in the time that it is given")


dir_ = tempfile.mkdtemp(prefix="relayd-image-")
os.chmod(dir_, 0o755)
try:
    collected(dir_)
    if subprocess.run(["unshare", "-m", "mount", "--rbind", "/proc",
                       dir_ + "/image/proc"],
                      stderr=subprocess.DEVNULL).returncode != 0:
        t.skip("no mounts here", "what it does")
    else:
        compose(dir_)
        tunnels(dir_)
        members(dir_)
        kubernetes(dir_)
finally:
    shutil.rmtree(dir_, ignore_errors=True)
t.done()
