#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Services that operators add to a session and remove from it: with our client
and the existing one, through reconnects and restarts."""

import tempfile

from harness import GoClient, OurClient, Relayd, Tap, Targets, is_up, until

t = Tap()


def service(name, target="192.0.2.77:443", **more):
    return dict({"name": name, "target": target}, **more)


class Api:
    def __init__(self, d, token, sid):
        self.d, self.token, self.sid = d, token, sid

    def add(self, *services):
        return self.d.api("POST", "/support-sessions/%s/services" % self.sid,
                          self.token, {"services": list(services)})

    def remove(self, name):
        return self.d.api("DELETE", "/support-sessions/%s/services/%s" %
                          (self.sid, name), self.token)

    def offered(self):
        st, env = self.d.api("GET", "/support-sessions/%s/services" %
                             self.sid, self.token)
        return env["data"]["services"]


def rules(api):
    def broken(services):
        st, env = api.d.api("POST", "/support-sessions/%s/services" %
                            api.sid, api.token, services)
        e = env["data"]["errors"][0]
        return st, e["key"], e["message"]

    for what, key, rule in (
            ({}, "services", "required"),
            ({"services": None}, "services", "required"),
            ({"services": {}}, "services", "array"),
            ({"services": []}, "services", "min"),
            ({"services": [{}]}, "name", "required"),
            ({"services": [service("")]}, "name", "required"),
            ({"services": [service(7)]}, "name", "string"),
            ({"services": [service("x", [])]}, "target", "string"),
            ({"services": [service("x", None)]}, "target", "required"),
            ({"services": [service("x" * 999)]}, "name", "max"),
            ({"services": [service("x", label=7)]}, "label", "string")):
        t.equal(broken(what), (400, key, rule), "operator-1: %s: %s" %
                (key, rule))


def refusals(api, who):
    before = api.offered()
    for services, want, what in (
            ([], 400, "no entry"),
            ([service("s%d" % i) for i in range(11)], 400, "11 entries"),
            ([service("under.dot")], 400, "a bad name"),
            ([service("Upper")], 400, "an upper-case name"),
            ([service("terminal")], 409, "`terminal`"),
            ([service("web")], 409, "one that is taken"),
            ([service("a"), service("a")], 409, "one twice"),
            ([service("x", "192.0.2.1:0")], 400, "port 0"),
            ([service("x", "192.0.2.1:65536")], 400, "port 65536"),
            ([service("x", "192.0.2.1")], 400, "no port"),
            ([service("x", "169.254.169.254:80")], 400, "a refused target"),
            ([service("x", "127.0.0.1:80")], 400, "the client's machine"),
            ([service("x", "[::1]:80")], 400, "the same as IPv6"),
            ([service("good"), service("x", "0.0.0.0:1")], 400,
             "a good one beside a bad one")):
        st, env = api.add(*services)
        t.equal(st, want, "operator-14: %s: %s: %s" % (who, what,
                                                    env["message"]))
    t.equal(api.offered(), before, "operator-14: %s: nothing is different "
            "afterwards" % who)


def plain(api, who):
    def web_token():
        return api.d.api("POST", "/support-sessions/%s/proxy-token" % api.sid,
                         api.token, {"service": "db"})

    st, env = api.add(service("db", "192.0.2.80:5432", tcp=True))
    t.equal((st, api.offered()["db"].get("tcp")), (200, True),
            who + ": one that is plain TCP, whatever the client knows of that")
    st, env = web_token()
    t.equal((st, env["message"]), (400, "service is plain TCP and no web "
                                   "service"), who + ": it has no web pages")
    st, env = api.d.api("POST", "/support-sessions/%s/tcp-ticket" % api.sid,
                        api.token, {"service": "db"})
    t.equal(st, 200, who + ": but a ticket")
    st, env = api.add(service("db", "192.0.2.80:5432"))
    t.equal((st, "tcp" in api.offered()["db"], web_token()[0]),
            (200, False, 200), who + ": added anew without that it may be web")
    st, env = api.add(service("db", "192.0.2.80:5432", tcp="yes"))
    t.equal(st, 400, who + ": `tcp` is true or false")
    st, env = api.add(service("db", "192.0.2.80:5432", tcp=True))
    t.equal(st, 200, who + ": and again as plain TCP")


def story(d, token, client, who):
    sid = d.wait_session()["session"]
    api = Api(d, token, sid)
    until(lambda: "web" in api.offered(), "the manifest")
    refusals(api, who)
    rules(api)
    st, env = api.add(service("phone", label="Phone", tls=True),
                      service("cam", "192.0.2.78:80"))
    t.equal((st, env["data"], env["message"]),
            (200, {"session_id": sid, "count": 2},
             "services added successfully"), who + ": two are added")
    got = api.offered()
    t.equal((got["phone"]["target"], got["phone"]["tls"],
             got["phone"]["label"], got["cam"]["tls"]),
            ("192.0.2.77:443", True, "Phone", False),
            "operator-15: %s: the list has them at once" % who)
    st, env = api.add(service("cam", "192.0.2.79:80"))
    t.equal((st, api.offered()["cam"]["target"]), (200, "192.0.2.79:80"),
            who + ": what was added may be added anew")
    plain(api, who)
    st, env = api.remove("nobody")
    t.equal(st, 404, "operator-16: %s: a name nobody knows: 404" % who)
    st, env = api.remove("web")
    t.equal(st, 404, "operator-16: %s: what the client found: 404" % who)
    st, env = api.remove("cam")
    t.equal((st, env["data"]), (200, {"session_id": sid,
                                      "service_name": "cam"}),
            "operator-16: %s: what was added goes" % who)
    t.equal(sorted(api.offered()), ["db", "phone", "web"],
            who + ": and no other")
    return api


with Targets() as targets, Relayd(t) as d:
    web = "web=127.0.0.1:%d" % targets.http
    token = d.token(lifetime="24h")
    for who, make in (("Go client", lambda k, s: GoClient(
            d, k, s, web, extra=["-reconnect-delay", "1s", "-stdin"])),
                      ("our client", lambda k, s: OurClient(d, k, s, web))):
        key, secret = d.add_system(who)
        with make(key, secret) as c:
            api = story(d, token, c, who)

            def ends():
                return d.api("GET", "/support-sessions/" + api.sid,
                             token)[1]["data"]["expires_at"]

            expires = ends()

            def pids(role):
                return {int(p["pid"]) for p in d.processes(role)}

            def back():
                return any(s["session"] == api.sid and is_up(s)
                           for s in d.sessions())

            # The tunnel is lost, and back.
            muxd = d.pid_of("muxd")
            d.kill(muxd)
            until(lambda: back() and pids("muxd") != {muxd},
                  "the session's new tunnel")
            got = until(lambda: "phone" in api.offered() and api.offered(),
                        "what was added")
            t.equal((sorted(got), got["phone"]["target"], ends()),
                    (["db", "phone", "web"], "192.0.2.77:443", expires),
                    "tunnel-47: %s: back in its session, which ends as "
                    "before, added services are there again" % who)
            t.ok(until(lambda: api.offered().get("db", {}).get("tcp"),
                       "plain TCP"), who + ": and what is plain TCP is that")
            d.stop()
            d.start()
            until(back, "the session after a restart")
            got = until(lambda: "phone" in api.offered() and api.offered(),
                        "what was added")
            t.equal((sorted(got), ends()), (["db", "phone", "web"], expires),
                    "tunnel-47: %s: and after a restart of the daemon" % who)
            st, env = api.remove("phone")
            t.equal(st, 200, who + ": it can still be removed")
            mark = d.log.mark()
            d.kill_all("authd")
            d.log.wait(r"tunnel is back after restart", mark)
            st, env = api.add(service("late"))
            t.equal((st, sorted(api.offered())), (200, ["db", "late", "web"]),
                    who + ": another authd knows what is whose")
            t.ok(api.offered()["db"].get("tcp"), who + ": and what is TCP")
            d.api("DELETE", "/support-sessions/" + api.sid, token)
            t.equal(c.wait(), 0, who + ": exit 0")
        st, env = api.add(service("x"))
        t.equal((st, env["message"]), (409, "session is not active"),
                who + ": a session that is over: 409")

    # A name that only the client's resolver knows.
    key, secret = d.add_system("named")
    with tempfile.NamedTemporaryFile("w") as hosts:
        hosts.write("127.0.0.1 inside.example\n")
        hosts.flush()
        with OurClient(d, key, secret, web,
                       env={"TUNNEL_CLIENT_HOSTS": hosts.name}):
            api = Api(d, token, d.wait_session()["session"])
            until(lambda: "web" in api.offered(), "the manifest")
            st, env = api.add(service("x", "inside.example:%d" % targets.http))
            t.equal((st, env["message"].split(": ")[-1], sorted(api.offered())),
                    (422, "address of the client's own machine", ["web"]),
                    "operator-15: nor a name that leads to the client's "
                    "machine: " + env["message"])
            d.api("DELETE", "/support-sessions/" + api.sid, token)

    # A client that does not do it.
    key, secret = d.add_system("no")
    with OurClient(d, key, secret, web, extra=["--no-commands"]) as c:
        api = Api(d, token, d.wait_session()["session"])
        until(lambda: "web" in api.offered(), "the manifest")
        st, env = api.add(service("phone"))
        t.equal(st, 422, "operator-15: the client's ERROR comes through: %s" %
                env["message"])
        t.equal(sorted(api.offered()), ["web"], "and nothing was added")
        c.stop()
        until(lambda: not is_up(next(s for s in d.sessions()
                                     if s["session"] == api.sid)), "grace")
        st, env = api.add(service("phone"))
        # Of a cluster nobody has it in memory; each says it from the store.
        t.ok(st == 409 and env["message"] in (
            "session has no tunnel", "session is not active")[:d.members],
            "without a tunnel: 409: %s" % env["message"])
t.done()
