/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include <arpa/inet.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "envconf.h"

#define TEXT_MAX	16384	/* of the configuration */
#define VALUE_MAX	800	/* of a variable: a string of relayd.conf */
#define DAY_MS		86400000.0

/* In this order: what begins at ADDR is of rendezvous. */
#define WORDS								\
	X(PORT, "PORT") X(HOST, "HOST")					\
	X(TRUST, "AMESH_TRUST_PROXY")					\
	X(STATE, "STATE_DIRECTORY") X(RUNTIME, "RUNTIME_DIRECTORY")	\
	X(CA, "SSL_CERT_FILE")						\
	X(ADDR, "SWSRS_ADDR") X(ISSUER, "SWSRS_OIDC_ISSUER")		\
	X(AUDIENCE, "SWSRS_OIDC_AUDIENCE")				\
	X(CLIENT, "SWSRS_OIDC_CLIENT_ID") X(TTL, "SWSRS_SESSION_TTL")	\
	X(WAIT, "SWSRS_PEER_WAIT") X(REAP, "SWSRS_REAP_INTERVAL")	\
	X(BASE, "SWSRS_PUBLIC_BASE_URL")				\
	X(ORIGINS, "SWSRS_ALLOWED_ORIGINS")				\
	X(CERT, "SWSRS_TLS_CERT") X(KEY, "SWSRS_TLS_KEY")		\
	X(NO_AUTH, "SWSRS_NO_AUTH") X(FRAME, "SWSRS_MAX_FRAME_SIZE")
enum {
#define X(name, text)	V_##name,
	WORDS
#undef X
	V_COUNT
};
static const char *const	names[V_COUNT] = {
#define X(name, text)	text,
	WORDS
#undef X
};

/* Of the clients; those that are secret first. */
static const char *const	secrets[] = { "SWSRS_TOKEN",
	"SWSRS_OIDC_TOKEN", "SWSRS_INITIATOR_TOKEN", "SWSRS_RESPONDER_TOKEN",
	"AMESH_BOOTSTRAP_TOKEN" };
static const char *const	clients[] = { "SWSRS_URL", "SWSRS_ADMIN_URL",
	"SWSRS_SESSION", "SWSRS_ROLE", "AMESH_RELAY_URL" };
/*
 * What Kubernetes puts into each container about a Service that is called
 * swsrs: it is about that, and meant for nobody.
 */
static const char *const	links[] = { "SWSRS_SERVICE_HOST",
	"SWSRS_SERVICE_PORT", "SWSRS_PORT" };

struct making {
	const char	*v[V_COUNT];	/* NULL: not there */
	envconf_fn	 fn;
	void		*arg;
	int		 errors;
	int		 pairs, relays;
	size_t		 len;
	char		 text[TEXT_MAX];
};

static void	said(struct making *, int, const char *, va_list)
		    __attribute__((format(printf, 3, 0)));
static void	add(struct making *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	wrong(struct making *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	note(struct making *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

static void
add(struct making *k, const char *fmt, ...)
{
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(k->text + k->len, sizeof(k->text) - k->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(k->text) - k->len) {
		k->text[k->len] = '\0';
		if (k->errors == 0)
			wrong(k, "all of it is too long");
	} else
		k->len += (size_t)n;
}

static void
said(struct making *k, int error, const char *fmt, va_list ap)
{
	char	text[VALUE_MAX + 400];

	vsnprintf(text, sizeof(text), fmt, ap);
	k->errors += error;
	k->fn(k->arg, error, text);
}

static void
wrong(struct making *k, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	said(k, 1, fmt, ap);
	va_end(ap);
}

static void
note(struct making *k, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	said(k, 0, fmt, ap);
	va_end(ap);
}

/* ---- which there are ---- */

static int
is_among(const char *const *list, size_t n, const char *name, size_t len)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0)
			return (1);
	return (0);
}
#define AMONG(list, name, len)						\
	is_among(list, sizeof(list) / sizeof(list[0]), name, len)

static int
begins(const char *s, const char *prefix)
{
	return (strncmp(s, prefix, strlen(prefix)) == 0);
}

static int
is_link(const char *name, size_t len)
{
	return (AMONG(links, name, len) || begins(name, "SWSRS_PORT_") ||
	    begins(name, "SWSRS_SERVICE_PORT_"));
}

/* Nobody's that is known here. */
static void
look_other(struct making *k, const char *name, int len)
{
	if (AMONG(secrets, name, (size_t)len) ||
	    AMONG(clients, name, (size_t)len))
		note(k, "%.*s is a client's and says nothing to relayd", len,
		    name);
	else if (begins(name, "SWSRS_") && !is_link(name, (size_t)len))
		wrong(k, "%.*s: there is no such variable", len, name);
	else if (begins(name, "AMESH_"))
		note(k, "%.*s says nothing to relayd", len, name);
}

static int
has_control(const char *s)
{
	while (*s != '\0' && (unsigned char)*s >= 0x20 && *s != 0x7f)
		s++;
	return (*s != '\0');
}

static void
look(struct making *k, const char *entry)
{
	const char	*eq = strchr(entry, '=');
	size_t		 i, len;

	if (eq == NULL || eq[1] == '\0')
		return;
	len = (size_t)(eq - entry);
	for (i = 0; i < V_COUNT; i++)
		if (strlen(names[i]) == len &&
		    memcmp(names[i], entry, len) == 0)
			break;
	if (i == V_COUNT) {
		look_other(k, entry, len < 64 ? (int)len : 64);
		return;
	}
	if (strlen(eq + 1) > VALUE_MAX) {
		wrong(k, "%s: longer than %d bytes", names[i], VALUE_MAX);
		return;
	}
	if (has_control(eq + 1)) {
		wrong(k, "%s: control character", names[i]);
		return;
	}
	k->v[i] = eq + 1;
	k->relays |= i >= V_ADDR;
	k->pairs |= i == V_TRUST;
}

/* ---- what they say ---- */

/* "1h30m", "500ms", "0": ms, or -1. */
static double
duration(const char *s)
{
	static const struct {
		const char	*unit;
		double		 ms;
	}		units[] = { { "ms", 1 }, { "us", 1e-3 },
			    { "\302\265s", 1e-3 }, { "\316\274s", 1e-3 },
			    { "ns", 1e-6 }, { "s", 1e3 }, { "m", 6e4 },
			    { "h", 36e5 } };
	double		sum = 0, number;
	size_t		i, n;
	char		*end;

	if (strcmp(s, "0") == 0)
		return (0);
	for (; *s != '\0'; s = end + strlen(units[i].unit)) {
		n = strspn(s, "0123456789.");
		if (n == 0 || n > 20 || (n == 1 && *s == '.'))
			return (-1);
		number = strtod(s, &end);
		if (end != s + n)
			return (-1);
		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (begins(end, units[i].unit))
				break;
		if (i == sizeof(units) / sizeof(units[0]))
			return (-1);
		sum += number * units[i].ms;
	}
	return (sum);
}

static void
add_duration(struct making *k, int v, const char *setting)
{
	double	ms;

	if (k->v[v] == NULL)
		return;
	ms = duration(k->v[v]);
	if (ms < 0 || ms > 365 * DAY_MS)
		wrong(k, "%s: \"%s\" is not a time like 90s or 1h30m",
		    names[v], k->v[v]);
	else if (ms == 0)
		wrong(k, "%s: no time at all", names[v]);
	else
		add(k, "\t%s %llus\n", setting,
		    (unsigned long long)((ms + 999) / 1000));
}

/* A string of relayd.conf. */
static void
add_string(struct making *k, const char *before, const char *s, size_t len,
    const char *after)
{
	size_t	i;

	add(k, "%s \"", before);
	for (i = 0; i < len; i++)
		add(k, "%s%c", s[i] == '"' || s[i] == '\\' ? "\\" : "", s[i]);
	add(k, "\"%s", after);
}

static void
add_value(struct making *k, int v, const char *setting)
{
	if (k->v[v] != NULL)
		add_string(k, setting, k->v[v], strlen(k->v[v]), "\n");
}

/* In any case a port that one can be reached at. */
static unsigned
port(struct making *k, int v, const char *s)
{
	char	*end;
	long	 n = -1;

	if (strlen(s) <= 5 && strspn(s, "0123456789") == strlen(s))
		n = strtol(s, &end, 10);
	if (n >= 1 && n <= 65535)
		return ((unsigned)n);
	wrong(k, "%s: \"%s\" is not a port (1 to 65535)", names[v], s);
	return (0);
}

/* An address as listen wants it, "" where it was all. 0, or -1. */
static int
address(struct making *k, int v, const char *s, size_t len,
    char out[INET6_ADDRSTRLEN])
{
	struct in6_addr	in;

	if (len > 1 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	}
	snprintf(out, INET6_ADDRSTRLEN, "%.*s", (int)(len <
	    INET6_ADDRSTRLEN ? len : 0), s);
	if (strcmp(out, "localhost") == 0)
		strlcpy(out, "127.0.0.1", INET6_ADDRSTRLEN);
	if (len == 0 || inet_pton(AF_INET, out, &in) == 1 ||
	    inet_pton(AF_INET6, out, &in) == 1)
		return (0);
	wrong(k, "%s: \"%.*s\" is not an address of this machine, and names "
	    "are not looked up", names[v], (int)len, s);
	return (-1);
}

struct place {
	char		addr[INET6_ADDRSTRLEN];
	unsigned	port;
};

/* The reference's own: 0.0.0.0, 3001. */
static void
place_pair(struct making *k, struct place *at)
{
	const char	*host = k->v[V_HOST] != NULL ? k->v[V_HOST] : "0.0.0.0";

	(void)address(k, V_HOST, host, strlen(host), at->addr);
	at->port = k->v[V_PORT] != NULL ? port(k, V_PORT, k->v[V_PORT]) :
	    3001;
}

/* Go's form. Where nothing says otherwise PORT, which the platform knows of. */
static void
place_relay(struct making *k, struct place *at)
{
	const char	*s = k->v[V_ADDR], *colon;

	at->addr[0] = '\0';
	at->port = 8080;
	if (s == NULL && k->v[V_PORT] != NULL && !k->pairs)
		at->port = port(k, V_PORT, k->v[V_PORT]);
	if (s == NULL)
		return;
	if ((colon = strrchr(s, ':')) == NULL ||
	    (s[0] != '[' && strchr(s, ':') != colon)) {
		wrong(k, "SWSRS_ADDR: \"%s\" is not like :8080, "
		    "127.0.0.1:8080 or [::1]:8080", s);
		return;
	}
	(void)address(k, V_ADDR, s, (size_t)(colon - s), at->addr);
	at->port = port(k, V_ADDR, colon + 1);
}

static void
add_tls(struct making *k)
{
	if (k->v[V_CERT] == NULL)
		return;
	add(k, " tls {\n");
	add_value(k, V_CERT, "\tcert");
	add_value(k, V_KEY, "\tkey");
	add(k, "}");
}

static void
add_listen(struct making *k, const char *addr, unsigned at, const char *what,
    int tls)
{
	add(k, "listen on %s port %u %s only", addr, at, what);
	if (tls)
		add_tls(k);
	add(k, "\n");
}

static void
add_listeners(struct making *k, int has_ipv6)
{
	struct place	 pair = { .port = 0 }, relay = { .port = 0 };
	const char	*what = "relay";
	int		 all;

	if (k->pairs)
		place_pair(k, &pair);
	if (k->relays)
		place_relay(k, &relay);
	all = k->relays && relay.addr[0] == '\0';
	if (all)
		strlcpy(relay.addr, "0.0.0.0", sizeof(relay.addr));
	if (k->relays && pair.port == relay.port && k->pairs) {
		if (strcmp(pair.addr, relay.addr) != 0)
			wrong(k, "PORT and SWSRS_ADDR have the same port at "
			    "different addresses");
		what = "pair relay";
	} else if (k->pairs)
		add_listen(k, pair.addr, pair.port, "pair", 0);
	if (k->relays)
		add_listen(k, relay.addr, relay.port, what, 1);
	if (all && has_ipv6)
		add_listen(k, "::", relay.port, what, 1);
}

/*
 * A list of networks, or yes: those from which a proxy of a container's host,
 * of a cluster or of a platform comes, and nobody from elsewhere. The entry
 * that counts is the last one that is not theirs: pairing-protocol.md, P8.
 */
static void
add_trust(struct making *k)
{
	static const char *const	near[] = { "127.0.0.0/8", "::1/128",
	    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
	    "169.254.0.0/16", "fc00::/7", "fe80::/10" };
	const char			*s = k->v[V_TRUST];
	size_t				 i, n;

	if (s == NULL || strcasecmp(s, "0") == 0 ||
	    strcasecmp(s, "false") == 0 || strcasecmp(s, "no") == 0)
		return;
	if (strcmp(s, "1") == 0 || strcasecmp(s, "true") == 0 ||
	    strcasecmp(s, "yes") == 0) {
		for (i = 0; i < sizeof(near) / sizeof(near[0]); i++)
			add(k, "trusted proxy %s\n", near[i]);
		return;
	}
	for (; *s != '\0'; s += n + (s[n] != '\0')) {
		n = strcspn(s, ", ");
		if (n > 0 && strspn(s, "0123456789abcdefABCDEF.:/") < n) {
			wrong(k, "AMESH_TRUST_PROXY: 1, 0, or networks like "
			    "10.0.0.0/8,fd00::/8");
			return;
		}
		if (n > 0)
			add_string(k, "trusted proxy", s, n, "\n");
	}
}

static void
add_origins(struct making *k)
{
	const char	*s = k->v[V_ORIGINS];
	size_t		 n, len;

	if (s == NULL)
		return;
	for (; *s != '\0'; s += n + (s[n] != '\0')) {
		s += strspn(s, " ");
		len = n = strcspn(s, ",");
		while (len > 0 && s[len - 1] == ' ')
			len--;
		if (len > 0)
			add_string(k, "\tallow origin", s, len, "\n");
	}
}

/* As the reference has it: -1, and whatever is below, is any. */
static void
add_frame(struct making *k)
{
	const char	*s = k->v[V_FRAME];
	char		*end;
	long long	 n;

	if (s == NULL)
		return;
	n = strtoll(s, &end, 10);
	if (strspn(s, "-0123456789") != strlen(s) || *end != '\0' ||
	    n == 0 || n > 1LL << 40)
		wrong(k, "SWSRS_MAX_FRAME_SIZE: \"%s\" is not a number of "
		    "bytes (1 to 1T, or -1)", s);
	else if (n > 0)
		add(k, "\tmax message %lld\n", n);
}

static int
is_no_auth(struct making *k)
{
	const char	*s = k->v[V_NO_AUTH];

	if (s == NULL || strcmp(s, "0") == 0 || strcasecmp(s, "false") == 0)
		return (0);
	if (strcmp(s, "1") != 0 && strcasecmp(s, "true") != 0)
		wrong(k, "SWSRS_NO_AUTH: \"%s\" is neither 1 nor 0", s);
	return (1);
}

/* Who makes sessions. Nobody is an operator by the same tokens. */
static void
add_who(struct making *k)
{
	int	none = is_no_auth(k);

	if (none && k->v[V_ISSUER] != NULL)
		wrong(k, "SWSRS_NO_AUTH and SWSRS_OIDC_ISSUER contradict each "
		    "other");
	else if (none) {
		note(k, "SWSRS_NO_AUTH: whoever reaches it can make sessions");
		add(k, "\tno auth\n\tno auth\n");
	} else if (k->v[V_ISSUER] == NULL)
		wrong(k, "SWSRS_OIDC_ISSUER is missing (or SWSRS_NO_AUTH=1)");
	add_value(k, V_AUDIENCE, "\taudience");
	add_value(k, V_CLIENT, "\tclient id");
}

static void
add_relay(struct making *k)
{
	if ((k->v[V_CERT] == NULL) != (k->v[V_KEY] == NULL))
		wrong(k, "SWSRS_TLS_CERT and SWSRS_TLS_KEY belong together");
	add(k, "relay {\n");
	add_who(k);
	add_duration(k, V_TTL, "session lifetime");
	add_duration(k, V_WAIT, "peer wait");
	add_duration(k, V_REAP, "reap interval");
	add_value(k, V_BASE, "\tbase url");
	add_frame(k);
	add_origins(k);
	add(k, "}\n");
	if (k->v[V_ISSUER] == NULL)
		return;
	add_value(k, V_CA, "ca file");
	add_value(k, V_ISSUER, "oidc issuer");
	k->len--;		/* on the same line */
	add(k, " {\n\taudience \"urn:relayd:nobody\"\n}\n");
}

static void
add_path(struct making *k, int v, const char *other, const char *before,
    const char *name)
{
	char		path[VALUE_MAX + 64];
	const char	*dir = k->v[v] != NULL ? k->v[v] : other;

	/* systemd's are lists. */
	snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(dir, ":"), dir,
	    name);
	if (dir[0] != '/')
		wrong(k, "%s: \"%s\" does not begin with \"/\"", names[v],
		    dir);
	add_string(k, before, path, strlen(path), "\n");
}

char *
envconf_make(const char *const *envp, const struct envconf *at, envconf_fn fn,
    void *arg)
{
	static struct making	k;

	memset(&k, 0, sizeof(k));
	k.fn = fn;
	k.arg = arg;
	for (; *envp != NULL; envp++)
		look(&k, *envp);
	k.pairs |= !k.relays;
	add_path(&k, V_STATE, at->state, "store sqlite", "store/relayd.db");
	add_path(&k, V_RUNTIME, at->runtime, "control socket",
	    "control.sock");
	/* There are none; by the usual numbers it needs files for them. */
	add(&k, "max startups 1:30:1\ntunnel {\n\tmax tunnels 1\n}\n");
	add_listeners(&k, at->has_ipv6);
	add_trust(&k);
	if (k.relays)
		add_relay(&k);
	return (k.errors > 0 ? NULL : strdup(k.text));
}

void
envconf_wipe(char **envp)
{
	char	*eq;

	for (; *envp != NULL; envp++)
		if ((eq = strchr(*envp, '=')) != NULL &&
		    AMONG(secrets, *envp, (size_t)(eq - *envp)))
			explicit_bzero(eq + 1, strlen(eq + 1));
}
