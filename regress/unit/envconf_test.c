/* SPDX-License-Identifier: ISC */
/* What relayd -E makes of its environment, and what it refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relayd/cfg.h"
#include "relayd/envconf.h"
#include "regress/lib/tap.h"

static char	errors[2000], notes[2000];

static void
say(void *arg, int error, const char *text)
{
	char	*to = error ? errors : notes;

	(void)arg;
	snprintf(to + strlen(to), 2000 - strlen(to), "%s\n", text);
}

/* The text without what always begins it, "" when refused. */
static const char *
make(const char *const *envp, int has_ipv6)
{
	static const struct envconf	at4 = { .state = "/s",
	    .runtime = "/r" }, at6 = { .state = "/s", .runtime = "/r",
	    .has_ipv6 = 1 };
	static const char		head[] =
	    "store sqlite \"/s/store/relayd.db\"\n"
	    "control socket \"/r/control.sock\"\n"
	    "max startups 1:30:1\ntunnel {\n\tmax tunnels 1\n}\n";
	static char			text[20000];
	char				*made;

	errors[0] = notes[0] = text[0] = '\0';
	if ((made = envconf_make(envp, has_ipv6 ? &at6 : &at4, say,
	    NULL)) == NULL)
		return ("");
	snprintf(text, sizeof(text), "%s", strncmp(made, head,
	    sizeof(head) - 1) == 0 ? made + sizeof(head) - 1 : made);
	free(made);
	return (text);
}
#define MAKE(...)	make((const char *[]){ __VA_ARGS__, NULL }, 0)

static void
parsed(void *arg, int error, const char *text)
{
	(void)error;
	diag("%s: %s", (const char *)arg, text);
}

static void
good(const char *what, const char *text, const char *want)
{
	struct conf	conf;

	is_str(text, want, "%s", what);
	is_int(cfg_parse_text(&conf, "t", text, strlen(text), parsed,
	    (void *)(uintptr_t)what), 0, "%s: which is a configuration",
	    what);
}

static void
goods(void)
{
	good("nothing", MAKE("PATH=/bin"),
	    "listen on 0.0.0.0 port 3001 pair only\n");
	good("pairing", MAKE("PORT=80", "HOST=::1", "AMESH_TRUST_PROXY=no"),
	    "listen on ::1 port 80 pair only\n");
	good("localhost", MAKE("HOST=localhost", "PORT="),
	    "listen on 127.0.0.1 port 3001 pair only\n");
	good("networks", MAKE("AMESH_TRUST_PROXY=10.1.0.0/16, fd00::/8"),
	    "listen on 0.0.0.0 port 3001 pair only\n"
	    "trusted proxy \"10.1.0.0/16\"\ntrusted proxy \"fd00::/8\"\n");
	good("rendezvous", MAKE("SWSRS_NO_AUTH=TRUE", "PORT=9"),
	    "listen on 0.0.0.0 port 9 relay only\n"
	    "relay {\n\tno auth\n\tno auth\n}\n");
	good("both protocols", make((const char *[]){ "SWSRS_NO_AUTH=1", "PORT=9",
	    "AMESH_TRUST_PROXY=0", NULL }, 1),
	    "listen on 0.0.0.0 port 9 pair only\n"
	    "listen on 0.0.0.0 port 8080 relay only\n"
	    "listen on :: port 8080 relay only\n"
	    "relay {\n\tno auth\n\tno auth\n}\n");
	good("one port", MAKE("SWSRS_NO_AUTH=1", "PORT=8080",
	    "AMESH_TRUST_PROXY=0"),
	    "listen on 0.0.0.0 port 8080 pair relay only\n"
	    "relay {\n\tno auth\n\tno auth\n}\n");
	good("all of it", MAKE("SWSRS_ADDR=[::1]:81",
	    "SWSRS_OIDC_ISSUER=https://idp/x", "SWSRS_OIDC_AUDIENCE=a\"b\\",
	    "SWSRS_OIDC_CLIENT_ID=c", "SWSRS_SESSION_TTL=1h30m0.5s",
	    "SWSRS_PEER_WAIT=1500ms", "SWSRS_REAP_INTERVAL=30s",
	    "SWSRS_PUBLIC_BASE_URL=wss://r.example/x",
	    "SWSRS_ALLOWED_ORIGINS=https://*.a.example, b.example,,",
	    "SWSRS_TLS_CERT=/c", "SWSRS_TLS_KEY=/k", "SSL_CERT_FILE=/ca",
	    "SWSRS_MAX_FRAME_SIZE=70000"),
	    "listen on ::1 port 81 relay only tls {\n"
	    "\tcert \"/c\"\n\tkey \"/k\"\n}\nrelay {\n"
	    "\taudience \"a\\\"b\\\\\"\n\tclient id \"c\"\n"
	    "\tsession lifetime 5401s\n\tpeer wait 2s\n\treap interval 30s\n"
	    "\tbase url \"wss://r.example/x\"\n\tmax message 70000\n"
	    "\tallow origin \"https://*.a.example\"\n"
	    "\tallow origin \"b.example\"\n}\n"
	    "ca file \"/ca\"\noidc issuer \"https://idp/x\" {\n"
	    "\taudience \"urn:relayd:nobody\"\n}\n");
	good("any length", MAKE("SWSRS_NO_AUTH=1", "SWSRS_ADDR=127.0.0.1:1",
	    "SWSRS_MAX_FRAME_SIZE=-1", "SWSRS_OIDC_ISSUER="),
	    "listen on 127.0.0.1 port 1 relay only\n"
	    "relay {\n\tno auth\n\tno auth\n}\n");
	ok(strstr(MAKE("AMESH_TRUST_PROXY=Yes"), "trusted proxy 10.0.0.0/8\n")
	    != NULL && strstr(MAKE("AMESH_TRUST_PROXY=1"), "0.0.0.0/0") ==
	    NULL, "a proxy is trusted that is near, and not everybody");
	is_str(MAKE("STATE_DIRECTORY=/a:/b", "RUNTIME_DIRECTORY=/c"),
	    "store sqlite \"/a/store/relayd.db\"\n"
	    "control socket \"/c/control.sock\"\n"
	    "max startups 1:30:1\ntunnel {\n\tmax tunnels 1\n}\n"
	    "listen on 0.0.0.0 port 3001 pair only\n", "where things are");
}

/* A Service of that name in Kubernetes, and what clients have. */
static void
others(void)
{
	good("links", MAKE("SWSRS_PORT=tcp://10.0.0.1:80",
	    "SWSRS_PORT_80_TCP=tcp://10.0.0.1:80", "SWSRS_PORT_80_TCP_ADDR=x",
	    "SWSRS_SERVICE_HOST=10.0.0.1", "SWSRS_SERVICE_PORT=80",
	    "SWSRS_SERVICE_PORT_WEB=80", "AMESH_FOO=1", "NOEQUALS"),
	    "listen on 0.0.0.0 port 3001 pair only\n");
	is_str(notes, "AMESH_FOO says nothing to relayd\n", "one is said");
	good("a client's", MAKE("SWSRS_TOKEN=geheim", "SWSRS_URL=x"),
	    "listen on 0.0.0.0 port 3001 pair only\n");
	ok(strstr(notes, "SWSRS_TOKEN is a client's") != NULL &&
	    strstr(notes, "geheim") == NULL, "named, and its value is not");
}

static const struct {
	const char	*entry, *other;
	const char	*why;
} bad[] = {
	{ "HOST=::1\n", "", "HOST: control character" },
	{ "SWSRS_TLS_CERT=\004/c", "", "CERT: control character" },
	{ "PORT=0", "", "PORT: \"0\" is not a port" },
	{ "PORT=65536", "", "PORT: \"65536\" is not a port" },
	{ "PORT=80x", "", "PORT: \"80x\" is not a port" },
	{ "HOST=relay.example", "", "names are not looked up" },
	{ "AMESH_TRUST_PROXY=maybe", "", "or networks like" },
	{ "AMESH_TRUST_PROXY=10.0.0.0/8;x", "", "or networks like" },
	{ "SWSRS_TTL=1h", "SWSRS_NO_AUTH=1", "no such variable" },
	{ "SWSRS_ADDR=:80", "", "SWSRS_OIDC_ISSUER is missing" },
	{ "SWSRS_NO_AUTH=1", "SWSRS_OIDC_ISSUER=https://x", "contradict" },
	{ "SWSRS_NO_AUTH=ja", "", "neither 1 nor 0" },
	{ "SWSRS_NO_AUTH=0", "", "SWSRS_OIDC_ISSUER is missing" },
	{ "SWSRS_ADDR=80", "SWSRS_NO_AUTH=1", "is not like :8080" },
	{ "SWSRS_ADDR=::1:80", "SWSRS_NO_AUTH=1", "is not like :8080" },
	{ "SWSRS_ADDR=:http", "SWSRS_NO_AUTH=1", "is not a port" },
	{ "SWSRS_ADDR=h:1", "SWSRS_NO_AUTH=1", "names are not looked up" },
	{ "SWSRS_SESSION_TTL=90", "SWSRS_NO_AUTH=1", "is not a time" },
	{ "SWSRS_SESSION_TTL=-1s", "SWSRS_NO_AUTH=1", "is not a time" },
	{ "SWSRS_SESSION_TTL=.s", "SWSRS_NO_AUTH=1", "is not a time" },
	{ "SWSRS_SESSION_TTL=1.2.3s", "SWSRS_NO_AUTH=1", "is not a time" },
	{ "SWSRS_PEER_WAIT=1y", "SWSRS_NO_AUTH=1", "is not a time" },
	{ "SWSRS_PEER_WAIT=9999999h", "SWSRS_NO_AUTH=1", "is not a time" },
	{ "SWSRS_REAP_INTERVAL=0", "SWSRS_NO_AUTH=1", "no time at all" },
	{ "SWSRS_MAX_FRAME_SIZE=0", "SWSRS_NO_AUTH=1", "number of bytes" },
	{ "SWSRS_MAX_FRAME_SIZE=1k", "SWSRS_NO_AUTH=1", "number of bytes" },
	{ "SWSRS_MAX_FRAME_SIZE=99999999999999999999", "SWSRS_NO_AUTH=1",
	    "number of bytes" },
	{ "SWSRS_TLS_CERT=/c", "SWSRS_NO_AUTH=1", "belong together" },
	{ "STATE_DIRECTORY=here", "", "does not begin with" },
};

static void
bads(void)
{
	static char	large[900];
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_str(MAKE(bad[i].entry,
		    bad[i].other), "", "%s: refused",
		    bad[i].entry);
		ok(strstr(errors, bad[i].why) != NULL, "since %s",
		    bad[i].why);
	}
	memset(large, 'x', sizeof(large) - 1);
	memcpy(large, "SWSRS_OIDC_ISSUER=", 18);
	is_str(MAKE(large), "", "too long");
	ok(strstr(errors, "longer than 800") != NULL, "and so refused");
	is_str(MAKE("SWSRS_NO_AUTH=1", "PORT=8080", "HOST=127.0.0.1",
	    "AMESH_TRUST_PROXY=1"), "", "one port at two addresses");
}

static void
wiped(void)
{
	char	a[] = "SWSRS_TOKEN=geheim", b[] = "AMESH_BOOTSTRAP_TOKEN=x",
		c[] = "SWSRS_ADDR=:80", d[] = "x";
	char	*envp[] = { a, b, c, d, NULL };

	envconf_wipe(envp);
	ok(memcmp(a, "SWSRS_TOKEN=\0\0\0\0\0\0", sizeof(a)) == 0 &&
	    b[22] == '\0' && strcmp(c, "SWSRS_ADDR=:80") == 0,
	    "secrets are wiped, and nothing else");
}

int
main(void)
{
	goods();
	others();
	bads();
	wiped();
	return (done_testing());
}
