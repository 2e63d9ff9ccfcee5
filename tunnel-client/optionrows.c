/* SPDX-License-Identifier: ISC */
/*
 * The options: one table, so that each has its flag, its variable, its default
 * and its parser in one line; and how a value is taken. tunnel-protocol.md,
 * 7.1.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/secretfile.h"
#include "options_int.h"


const struct option_row	option_rows[] = {
	{ "url", "SUPPORT_URL", "", 'u', STRING, AT(url),
	    "address of the support server, wss:// (or https://)" },
	{ "key", "SYSTEM_KEY", "", 'k', SECRET, AT(key), "system key" },
	{ "secret", "SYSTEM_SECRET", "", 's', SECRET, AT(secret),
	    "system secret" },
	{ "secret-file", NULL, NULL, 0, FILE_FLAG, AT(secret),
	    "file with the system secret" },
	{ "node-id", "NODE_ID", "", 'n', STRING, AT(node),
	    "number of this node of a cluster" },
	{ "config", "TUNNEL_CONFIG", TUNNEL_CLIENT_CONF, 'f', CONFIG,
	    AT(config), "file with such words and their values" },
	{ "check", NULL, NULL, 0, ACTION, AT(check),
	    "say whether all this is right, and exit" },
	{ "static-services", "STATIC_SERVICES", "", 0, LIST,
	    AT(static_services),
	    "name=host:port[:host=NAME][:tcp][:tls|:tls-old],..." },
	{ "exclude", "EXCLUDE_PATTERNS", "", 0, LIST, AT(exclude),
	    "globs of service names to leave out" },
	{ "no-terminal", "NO_TERMINAL", NULL, 0, FLAG, AT(no_terminal),
	    "give no terminal" },
	{ "no-commands", "NO_COMMANDS", NULL, 0, FLAG, AT(no_commands),
	    "let nobody add services" },
	{ "no-local-targets", "NO_LOCAL_TARGETS", NULL, 0, FLAG,
	    AT(no_local_targets), "let nobody add services of this machine" },
	{ "reconnect-delay", "RECONNECT_DELAY", "5s", 0, DURATION,
	    AT(reconnect_ms), "first delay before a new attempt" },
	{ "max-reconnect-delay", "MAX_RECONNECT_DELAY", "5m", 0, DURATION,
	    AT(max_reconnect_ms), "longest one" },
	{ "discovery-interval", "DISCOVERY_INTERVAL", "5m", 0, DURATION,
	    AT(discovery_ms), "how often services are announced anew" },
	{ "tls-insecure", "TLS_INSECURE", NULL, 0, FLAG, AT(tls_insecure),
	    "check no certificate of the server" },
	{ "allow-plain", "ALLOW_PLAIN", NULL, 0, FLAG, AT(allow_plain),
	    "send the secret in clear: ws:// to another machine" },
	{ "ca-file", "CA_FILE", "", 0, PATH, AT(ca_file),
	    "certificates to trust, and none of the system" },
	{ "proxy", "HTTPS_PROXY https_proxy ALL_PROXY all_proxy", "", 0, PROXY,
	    AT(proxy), "forward proxy, http://[user:password@]host:port" },
	{ "no-proxy", "NO_PROXY no_proxy", "", 0, STRING, AT(no_proxy),
	    "hosts, domains, networks that need none" },
	{ "status-socket", "STATUS_SOCKET", TUNNEL_CLIENT_SOCKET, 0, PATH,
	    AT(status_socket), "where `status` asks, or none" },
	{ "status-group", "STATUS_GROUP", "", 0, STRING, AT(status_group),
	    "group that may ask there, too" },
	{ "json", NULL, NULL, 'j', ACTION, AT(json), "`status` in JSON" },
	{ "consent", "CONSENT", "always", 0, STRING, AT(consent),
	    "when operators may come: always, ask, or until a time" },
	{ "consent-file", "CONSENT_FILE", TUNNEL_CLIENT_STATEDIR "/consent", 0,
	    PATH, AT(consent_file), "where the order `consent` is kept" },
	{ "diagnostics-dir", "DIAGNOSTICS_DIR", "/usr/share/my/diagnostics.d",
	    0, PATH, AT(diagnostics_dir), "directory of plugins" },
	{ "diagnostics-plugin-timeout", "DIAGNOSTICS_PLUGIN_TIMEOUT", "10s",
	    0, DURATION, AT(plugin_timeout_ms), "limit of one plugin" },
	{ "diagnostics-total-timeout", "DIAGNOSTICS_TOTAL_TIMEOUT", "30s", 0,
	    DURATION, AT(diagnostics_timeout_ms), "limit of all plugins" },
	{ "redis-addr", "REDIS_ADDR", "", 'r', STRING, AT(redis),
	    "host:port of the Redis of a cluster, or none" },
	{ "users-dir", "USERS_DIR", "/usr/share/my/users.d", 0, PATH,
	    AT(users_dir), "directory of users plugins" },
	{ "users-plugin-timeout", "USERS_PLUGIN_TIMEOUT", "15s", 0, DURATION,
	    AT(users_plugin_ms), "limit of one users plugin" },
	{ "users-total-timeout", "USERS_TOTAL_TIMEOUT", "60s", 0, DURATION,
	    AT(users_timeout_ms), "limit of all users plugins" },
	{ "users-state-file", "USERS_STATE_FILE",
	    TUNNEL_CLIENT_STATEDIR "/my-support-users.json", 0, PATH,
	    AT(users_state),
	    "where it says what has to be deleted" },
	{ "verbose", NULL, NULL, 'v', FLAG, AT(verbose), "log more" },
};
#define NROWS	(sizeof(option_rows) / sizeof(option_rows[0]))
const size_t	option_count = NROWS;
_Static_assert(NROWS <= OPTIONS_MAX, "as many rows as others have room for");

int
option_is_text(const struct option_row *r)
{
	return (r->kind == STRING || r->kind == SECRET || r->kind == LIST ||
	    r->kind == PATH || r->kind == CONFIG || r->kind == PROXY);
}

int
option_is_flag(const struct option_row *r)
{
	return (r->kind == FLAG || r->kind == ACTION);
}

int
option_string(struct options *o, const struct option_row *r, const char *value)
{
	char	**p = (char **)((char *)o + r->at);
	char	 *copy;

	if ((copy = strdup(value)) == NULL) {
		fprintf(stderr, "tunnel-client: out of memory\n");
		return (-1);
	}
	if (*p != NULL)
		explicit_bzero(*p, strlen(*p));
	free(*p);
	*p = copy;
	return (0);
}

int
option_duration(struct options *o, const struct option_row *r, const char *value)
{
	return (duration_parse(value, (uint64_t *)((char *)o + r->at)));
}

/* `true` as the environment says it; a flag takes other words too. */
int
option_flag(struct options *o, const struct option_row *r, const char *value)
{
	int	*p = (int *)((char *)o + r->at);

	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*p = 1;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*p = 0;
	else
		return (-1);
	return (0);
}

static int
take_secret_file(struct options *o, const struct option_row *r,
    const char *path)
{
	const char	*why;
	char		*secret;
	int		 n;

	if ((secret = secret_file_read(path, &why)) == NULL) {
		fprintf(stderr, "tunnel-client: %s: %s\n", path, why);
		return (-1);
	}
	n = option_string(o, r, secret);
	freezero(secret, strlen(secret));
	return (n);
}

int
option_take(struct options *o, const struct option_row *r, const char *value,
    const char *where)
{
	switch (r->kind) {
	case STRING:
	case SECRET:
	case LIST:
	case PATH:
	case CONFIG:
	case PROXY:
		return (option_string(o, r, value));
	case DURATION:
		if (option_duration(o, r, value) == 0)
			return (0);
		break;
	case FLAG:
	case ACTION:
		if (option_flag(o, r, value == NULL ? "true" : value) == 0)
			return (0);
		break;
	case FILE_FLAG:
		return (take_secret_file(o, r, value));
	}
	fprintf(stderr, "tunnel-client: %s%s: %s expected, got \"%s\"\n",
	    where, r->flag, option_is_flag(r) ? "true or false" :
	    "a duration such as 90s or 5m", value);
	return (-1);
}

int
option_join(struct options *o, const struct option_row *r, const char *value)
{
	const char	*old = *(char **)((char *)o + r->at);
	char		*both;
	int		 n;

	if (asprintf(&both, "%s,%s", old, value) == -1) {
		fprintf(stderr, "tunnel-client: out of memory\n");
		return (-1);
	}
	n = option_string(o, r, both);
	free(both);
	return (n);
}
