/* SPDX-License-Identifier: ISC */
/*
 * Each option by flag, by environment, by file, by default; what is wiped;
 * durations.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tunnel-client/client.h"
#include "base/log.h"
#include "regress/lib/tap.h"

enum kind { TEXT, MS, YES };

static const struct {
	const char	*flag, *env;
	enum kind	 kind;
	size_t		 at;
	const char	*def, *other, *third;	/* as they are written */
	uint64_t	 ndef, nother, nthird;	/* as numbers */
} rows[] = {
#define AT(m) offsetof(struct options, m)
	{ "--url", "SUPPORT_URL", TEXT, AT(url), NULL, "ws://a/", "ws://b/",
	    0, 0, 0 },
	{ "-u", "SUPPORT_URL", TEXT, AT(url), NULL, "ws://a/", "ws://b/",
	    0, 0, 0 },
	{ "--key", "SYSTEM_KEY", TEXT, AT(key), NULL, "K1", "K2", 0, 0, 0 },
	{ "-k", "SYSTEM_KEY", TEXT, AT(key), NULL, "K1", "K2", 0, 0, 0 },
	{ "--secret", "SYSTEM_SECRET", TEXT, AT(secret), NULL, "S1", "S2",
	    0, 0, 0 },
	{ "-s", "SYSTEM_SECRET", TEXT, AT(secret), NULL, "S1", "S2", 0, 0, 0 },
	{ "--node-id", "NODE_ID", TEXT, AT(node), "", "7", "0123456789",
	    0, 0, 0 },
	{ "-n", "NODE_ID", TEXT, AT(node), "", "7", "0123456789", 0, 0, 0 },
	{ "--static-services", "STATIC_SERVICES", TEXT, AT(static_services),
	    "", "a=b:1", "c=d:2", 0, 0, 0 },
	{ "--redis-addr", "REDIS_ADDR", TEXT, AT(redis), "", "h:1", "none",
	    0, 0, 0 },
	{ "-r", "REDIS_ADDR", TEXT, AT(redis), "", "h:1", "none", 0, 0, 0 },
	{ "--exclude", "EXCLUDE_PATTERNS", TEXT, AT(exclude), "", "a*", "b*",
	    0, 0, 0 },
	{ "--reconnect-delay", "RECONNECT_DELAY", MS, AT(reconnect_ms), "5s",
	    "7s", "1m30s", 5000, 7000, 90000 },
	{ "--max-reconnect-delay", "MAX_RECONNECT_DELAY", MS,
	    AT(max_reconnect_ms), "5m", "7s", "2h", 300000, 7000, 7200000 },
	{ "--discovery-interval", "DISCOVERY_INTERVAL", MS, AT(discovery_ms),
	    "5m", "7s", "0", 300000, 7000, 0 },
	{ "--tls-insecure", "TLS_INSECURE", YES, AT(tls_insecure), NULL,
	    "true", "false", 0, 1, 0 },
	{ "--allow-plain", "ALLOW_PLAIN", YES, AT(allow_plain), NULL,
	    "true", "false", 0, 1, 0 },
	{ "--no-terminal", "NO_TERMINAL", YES, AT(no_terminal), NULL,
	    "true", "false", 0, 1, 0 },
	{ "--no-commands", "NO_COMMANDS", YES, AT(no_commands), NULL,
	    "true", "false", 0, 1, 0 },
	{ "--no-local-targets", "NO_LOCAL_TARGETS", YES, AT(no_local_targets),
	    NULL, "true", "false", 0, 1, 0 },
	{ "--ca-file", "CA_FILE", TEXT, AT(ca_file), "", "/a", "/b", 0, 0, 0 },
	{ "--proxy", "HTTPS_PROXY", TEXT, AT(proxy), "", "http://a", "https://b",
	    0, 0, 0 },
	{ "--no-proxy", "no_proxy", TEXT, AT(no_proxy), "", "*", ".b", 0, 0, 0 },
	{ "--status-socket", "STATUS_SOCKET", TEXT, AT(status_socket),
	    TUNNEL_CLIENT_SOCKET, "/a", "none", 0, 0, 0 },
	{ "--status-group", "STATUS_GROUP", TEXT, AT(status_group), "", "adm",
	    "wheel", 0, 0, 0 },
	{ "--consent", "CONSENT", TEXT, AT(consent), "always", "ask",
	    "until x", 0, 0, 0 },
	{ "--consent-file", "CONSENT_FILE", TEXT, AT(consent_file),
	    TUNNEL_CLIENT_STATEDIR "/consent", "/a", "/b", 0, 0, 0 },
	{ "--diagnostics-dir", "DIAGNOSTICS_DIR", TEXT, AT(diagnostics_dir),
	    "/usr/share/my/diagnostics.d", "/a", "/b", 0, 0, 0 },
	{ "--users-dir", "USERS_DIR", TEXT, AT(users_dir),
	    "/usr/share/my/users.d", "/a", "/b", 0, 0, 0 },
	{ "--users-plugin-timeout", "USERS_PLUGIN_TIMEOUT", MS,
	    AT(users_plugin_ms), "15s", "7s", "1500ms", 15000, 7000, 1500 },
	{ "--users-total-timeout", "USERS_TOTAL_TIMEOUT", MS,
	    AT(users_timeout_ms), "60s", "7s", ".5s", 60000, 7000, 500 },
	{ "--users-state-file", "USERS_STATE_FILE", TEXT, AT(users_state),
	    TUNNEL_CLIENT_STATEDIR "/my-support-users.json", "/a", "/b", 0, 0,
	    0 },
	{ "--diagnostics-plugin-timeout", "DIAGNOSTICS_PLUGIN_TIMEOUT", MS,
	    AT(plugin_timeout_ms), "10s", "7s", "1500ms", 10000, 7000, 1500 },
	{ "--diagnostics-total-timeout", "DIAGNOSTICS_TOTAL_TIMEOUT", MS,
	    AT(diagnostics_timeout_ms), "30s", "7s", ".5s", 30000, 7000,
	    500 },
};

static int
is_value(const struct options *o, size_t i, const char *text, uint64_t n)
{
	const char	*at = (const char *)o + rows[i].at;

	switch (rows[i].kind) {
	case TEXT:
		return (strcmp(*(char *const *)(const void *)at, text) == 0);
	case MS:
		return (*(const uint64_t *)(const void *)at == n);
	default:
		return ((uint64_t)*(const int *)(const void *)at == n);
	}
}

static char	config[] = "TUNNEL_CONFIG=/tmp/clientconf.XXXXXX";
#define PATH	(config + 14)

static void
file_has(const char *text)
{
	FILE	*f = fopen(PATH, "w");

	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		abort();
}

/*
 * Read with a row's flag, variable and line as given (NULL: not); the required
 * ones come from the environment, unless the row is about them.
 */
static int
read_with(struct options *o, size_t i, const char *flag, const char *env,
    const char *line)
{
	static const char *const required[] = { "SUPPORT_URL=ws://x/",
	    "SYSTEM_KEY=K", "SYSTEM_SECRET=S" };
	char		arg[128], var[128], text[128], conf[64], req[3][64];
	char		*argv[3] = { NULL }, *envp[6] = { NULL };
	char		name[] = "tunnel-client";
	size_t		j, n = 0, len;

	argv[0] = name;
	snprintf(arg, sizeof(arg), "%s%s%s", rows[i].flag,
	    rows[i].flag[1] == '-' ? "=" : "", flag == NULL ? "" : flag);
	argv[1] = flag == NULL ? NULL : arg;
	if (line != NULL) {
		snprintf(text, sizeof(text), "%s %s\n", rows[i].flag + 2,
		    line);
		file_has(text);
		snprintf(conf, sizeof(conf), "%s", config);
		envp[n++] = conf;
	}
	if (env != NULL) {
		snprintf(var, sizeof(var), "%s=%s", rows[i].env, env);
		envp[n++] = var;
	}
	for (j = 0; j < 3; j++) {
		len = strcspn(required[j], "=");
		if ((env != NULL || line != NULL) &&
		    strlen(rows[i].env) == len &&
		    strncmp(required[j], rows[i].env, len) == 0)
			continue;
		snprintf(req[j], sizeof(req[j]), "%s", required[j]);
		envp[n++] = req[j];
	}
	return (options_read(o, flag == NULL ? 1 : 2, argv, envp));
}

/* The file wins over the default alone. */
static void
from_file(size_t i)
{
	struct options	o;
	int		r;

	r = read_with(&o, i, NULL, NULL, rows[i].other);
	ok(r == 0 && is_value(&o, i, rows[i].other, rows[i].nother),
	    "file: %s %s", rows[i].flag + 2, rows[i].other);
	options_clear(&o);
	r = read_with(&o, i, NULL, rows[i].third, rows[i].other);
	ok(r == 0 && is_value(&o, i, rows[i].third, rows[i].nthird),
	    "%s wins over the file", rows[i].env);
	options_clear(&o);
	r = read_with(&o, i, rows[i].third, NULL, rows[i].other);
	ok(r == 0 && is_value(&o, i, rows[i].third, rows[i].nthird),
	    "%s wins over the file", rows[i].flag);
	options_clear(&o);
	if (rows[i].kind != MS)
		return;
	r = read_with(&o, i, NULL, "nonsense", rows[i].other);
	ok(r == 0 && is_value(&o, i, rows[i].other, rows[i].nother),
	    "%s is no duration: the file's", rows[i].env);
	options_clear(&o);
}

static void
each_option(void)
{
	struct options	o;
	size_t		i;
	int		r;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].def != NULL || rows[i].kind == YES) {
			r = read_with(&o, i, NULL, NULL, NULL);
			ok(r == 0 && is_value(&o, i, rows[i].def,
			    rows[i].ndef), "tunnel-54: %s: the default",
			    rows[i].env);
			options_clear(&o);
			r = read_with(&o, i, NULL, "", NULL);
			ok(r == 0 && is_value(&o, i, rows[i].def,
			    rows[i].ndef), "%s empty: the default",
			    rows[i].env);
			options_clear(&o);
		}
		r = read_with(&o, i, NULL, rows[i].other, NULL);
		ok(r == 0 && is_value(&o, i, rows[i].other, rows[i].nother),
		    "tunnel-54: %s=%s", rows[i].env, rows[i].other);
		options_clear(&o);
		r = read_with(&o, i, rows[i].third, NULL, NULL);
		ok(r == 0 && is_value(&o, i, rows[i].third, rows[i].nthird),
		    "tunnel-54: %s %s", rows[i].flag, rows[i].third);
		options_clear(&o);
		r = read_with(&o, i, rows[i].third, rows[i].other, NULL);
		ok(r == 0 && is_value(&o, i, rows[i].third, rows[i].nthird),
		    "tunnel-54: %s wins over %s", rows[i].flag, rows[i].env);
		options_clear(&o);
		if (rows[i].flag[1] == '-')
			from_file(i);
	}
}

static void
wiped(void)
{
	char		a0[] = "tunnel-client", a1[] = "-sSECRET", a2[] =
			    "--url", a3[] = "ws://hidden/", e0[] =
			    "SYSTEM_KEY=KEY", e1[] = "HOME=/h", e2[] =
			    "REDIS_PASSWORD=PASSWORD", e3[] = "PATH=/p",
			    e4[] = "SYSTEM_KEYS=not one";
	char		*argv[] = { a0, a1, a2, a3, NULL };
	char		*envp[] = { e0, e1, e2, e3, e4, NULL };
	struct options	o;
	size_t		i, left = 0;

	is_int(options_read(&o, 4, argv, envp), 0, "secrets in both places");
	is_str(o.secret, "SECRET", "the secret is taken");
	is_str(o.key, "KEY", "the key is taken");
	for (i = 0; i < sizeof(a1); i++)
		left += a1[i] != '\0';
	for (i = 0; i < sizeof(a3); i++)
		left += a3[i] != '\0';
	for (i = 0; i < sizeof(e0); i++)
		left += e0[i] != '\0';
	for (i = 0; i < sizeof(e2); i++)
		left += e2[i] != '\0';
	is_int(left, 0, "tunnel-44(partial): and overwritten, each byte");
	ok(envp[0] == e1 && envp[1] == e3 && envp[2] == e4 && envp[3] == NULL,
	    "the environment has the others, in order");
	is_str(e1, "HOME=/h", "untouched");
	options_clear(&o);
	ok(o.secret == NULL && o.url == NULL, "cleared");
}

static void
durations(void)
{
	static const struct {
		const char	*text;
		int		 r;
		uint64_t	 ms;
	} v[] = { { "0", 0, 0 }, { "5s", 0, 5000 }, { "1m30s", 0, 90000 },
	    { "1.5h", 0, 5400000 }, { ".5s", 0, 500 }, { "1.s", 0, 1000 },
	    { "100ms", 0, 100 }, { "1500us", 0, 1 }, { "999999ns", 0, 0 },
	    { "1000000ns", 0, 1 }, { "0s", 0, 0 }, { "", -1, 0 },
	    { "5", -1, 0 }, { "s", -1, 0 }, { "-5s", -1, 0 }, { ".s", -1, 0 },
	    { "5 s", -1, 0 }, { "5s ", -1, 0 }, { "5d", -1, 0 },
	    { "5sm", -1, 0 }, { "1h5", -1, 0 },
	    { "99999999999999999999s", -1, 0 },
	    { "9999999999999h", -1, 0 }, { "2562048h2562048h", -1, 0 } };
	uint64_t	ms;
	size_t		i;
	int		r;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		ms = 0;
		r = duration_parse(v[i].text, &ms);
		ok(r == v[i].r && (r == -1 || ms == v[i].ms),
		    "duration \"%s\": %d %llu", v[i].text, r,
		    (unsigned long long)ms);
	}
}

int
main(void)
{
	int	fd = mkstemp(PATH);

	if (fd == -1)
		abort();
	close(fd);
	log_init("clientconf_test", -1, 0);
	each_option();
	unlink(PATH);
	wiped();
	durations();
	return (done_testing());
}
