/* SPDX-License-Identifier: ISC */
/* The configuration in its own grammar (relayd -nv). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "cfg.h"

static void	print_string(FILE *, const char *);
static void	print_seconds(FILE *, const char *, uint64_t);
static void	print_bytes(FILE *, const char *, uint64_t);
static void	print_rate(FILE *, const char *, uint64_t, uint64_t);
static void	print_keep(FILE *, const char *, uint64_t, uint64_t);
static void	print_recordings(FILE *, const struct conf *);
static void	print_store(FILE *, const struct conf *);
static void	print_listeners(FILE *, const struct conf *);
static void	print_penalty(FILE *, const struct conf *);
static void	print_redis(FILE *, const struct conf *);
static void	print_issuers(FILE *, const struct conf *);
static void	print_tunnel(FILE *, const struct conf *);
static void	print_operator(FILE *, const struct conf *);
static void	print_pair(FILE *, const struct conf *);
static void	print_relay(FILE *, const struct conf *);
static void	print_cluster(FILE *, const struct conf *);

void
cfg_print(const struct conf *c, FILE *f)
{
	unsigned	i;

	print_store(f, c);
	print_keep(f, "sessions", c->keep_sessions, c->keep_sessions_max);
	print_keep(f, "log", c->keep_log, c->keep_log_max);
	print_keep(f, "audit", c->keep_audit, c->keep_audit_max);
	print_keep(f, "refusals", c->keep_refusals, c->keep_refusals_max);
	print_seconds(f, "keep recordings", c->keep_recordings);
	print_recordings(f, c);
	print_listeners(f, c);
	for (i = 0; i < c->n_trusted_proxy; i++)
		fprintf(f, "trusted proxy %s\n", c->trusted_proxy[i]);
	fputs("control socket ", f);
	print_string(f, c->control_path);
	if (c->looking_path[0] != '\0') {
		fputs("\ncontrol socket ", f);
		print_string(f, c->looking_path);
		fputs(" read only", f);
	}
	if (c->looking_path[0] != '\0' && c->looking_group[0] != '\0') {
		fputs(" group ", f);
		print_string(f, c->looking_group);
	}
	fprintf(f, "\nlog format %s", c->log_json ? "json" : "text");
	fprintf(f, "\n%sproxyd %" PRIu64 "\n", c->missing_nobody ?
	    "missing users nobody\n" : "", c->proxyd_count);
	fprintf(f, "tlsd %" PRIu64 "\n", c->tlsd_count);
	if (c->acme_dir[0] != '\0') {
		fputs("acme directory ", f);
		print_string(f, c->acme_dir);
		fputc('\n', f);
	}
	fprintf(f, "max startups %" PRIu64 ":%" PRIu64 ":%" PRIu64 "\n",
	    c->startups_begin, c->startups_rate, c->startups_full);
	print_penalty(f, c);
	print_redis(f, c);
	print_cluster(f, c);
	print_issuers(f, c);
	print_tunnel(f, c);
	print_operator(f, c);
	print_pair(f, c);
	print_relay(f, c);
}

static void
print_store(FILE *f, const struct conf *c)
{
	const char	*slash = strrchr(c->store_path, '/');
	char		 dir[sizeof(c->store_path)];

	if (c->store_server[0] == '\0') {
		fputs("store sqlite ", f);
		print_string(f, c->store_path);
		print_bytes(f, " max", c->store_max);
		return;
	}
	snprintf(dir, sizeof(dir), "%.*s", slash != NULL ?
	    (int)(slash - c->store_path) : 0, c->store_path);
	fputs("store postgresql ", f);
	print_string(f, c->store_server);
	fputs(" directory ", f);
	print_string(f, dir);
	fprintf(f, " connections %" PRIu64, c->store_connections);
	if (c->store_ca_file[0] != '\0') {
		fputs(" ca file ", f);
		print_string(f, c->store_ca_file);
	}
	if (c->store_password_file[0] != '\0') {
		fputs(" password file ", f);
		print_string(f, c->store_password_file);
	}
	fputc('\n', f);
}

static void
print_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

/* The largest unit that loses nothing. */
static void
put_unit(FILE *f, const char *keyword, uint64_t n, const uint64_t *factors,
    const char *letters)
{
	size_t	i;

	for (i = 0; factors[i] != 1; i++)
		if (n != 0 && n % factors[i] == 0)
			break;
	fprintf(f, "%s %" PRIu64, keyword, n / factors[i]);
	if (letters[i] != ' ')
		fputc(letters[i], f);
}

static void
put_seconds(FILE *f, const char *keyword, uint64_t n)
{
	static const uint64_t	factors[] = { 86400, 3600, 60, 1 };

	put_unit(f, keyword, n, factors, "dhms");
}

static void
put_bytes(FILE *f, const char *keyword, uint64_t n)
{
	static const uint64_t	factors[] = { 1ULL << 40, 1 << 30, 1 << 20,
	    1 << 10, 1 };

	put_unit(f, keyword, n, factors, "TGMK ");
}

static void
print_seconds(FILE *f, const char *keyword, uint64_t n)
{
	put_seconds(f, keyword, n);
	fputc('\n', f);
}

static void
print_bytes(FILE *f, const char *keyword, uint64_t n)
{
	put_bytes(f, keyword, n);
	fputc('\n', f);
}

static void
print_rate(FILE *f, const char *keyword, uint64_t n, uint64_t seconds)
{
	fprintf(f, "\trate limit %s %" PRIu64, keyword, n);
	print_seconds(f, " per", seconds);
}

static void
print_keep(FILE *f, const char *what, uint64_t seconds, uint64_t max)
{
	fprintf(f, "keep %s", what);
	put_seconds(f, "", seconds);
	fprintf(f, " max %" PRIu64 "\n", max);
}

static void
print_listener(FILE *f, const struct conf_listen *l)
{
	fprintf(f, "listen on %s port %u%s%s%s%s%s%s%s%s%s%s%s\n", l->address,
	    (unsigned)l->port, (l->flags & LISTEN_INTERNAL) ? " internal" : "",
	    (l->flags & LISTEN_TUNNEL) ? " tunnel" : "",
	    (l->flags & LISTEN_ADMIN) ? " admin" : "",
	    (l->flags & LISTEN_PAIR) ? " pair" : "",
	    (l->flags & LISTEN_RELAY) ? " relay" : "",
	    (l->flags & LISTEN_ONLY) ? " only" : "",
	    (l->flags & LISTEN_METRICS) ? " metrics" : "",
	    (l->flags & LISTEN_PUBLIC) ? " public" : "",
	    (l->flags & LISTEN_PROXY) ? " proxy protocol" : "",
	    (l->flags & LISTEN_PEER) ? " peer" : "",
	    (l->flags & LISTEN_TLS) ? " tls {" : "");
}

/* Those of the listener with tls that is the n-th of these. */
static void
print_certs(FILE *f, const struct conf *c, unsigned n)
{
	unsigned	i;

	for (i = 0; i < c->n_cert; i++) {
		if (!(c->cert[i].listeners & (1U << n)))
			continue;
		fputs("\tcert ", f);
		print_string(f, c->cert[i].chain);
		fputs(" key ", f);
		print_string(f, c->cert[i].key);
		fputc('\n', f);
	}
	fputs("}\n", f);
}

static void
print_recordings(FILE *f, const struct conf *c)
{
	fprintf(f, "record terminals %s\nrecording directory ",
	    c->record_terminals ? "yes" : "no");
	print_string(f, c->recording_dir);
	put_bytes(f, " each", c->recording_each);
	put_bytes(f, " free", c->recording_free);
	print_bytes(f, " max", c->recording_max);
}

static void
print_listeners(FILE *f, const struct conf *c)
{
	unsigned	i, n = 0;

	for (i = 0; i < c->n_listen; i++) {
		print_listener(f, &c->listen[i]);
		if (c->listen[i].flags & LISTEN_TLS)
			print_certs(f, c, n++);
	}
	for (i = 0; i < c->n_metrics; i++)
		print_listener(f, &c->metrics[i]);
}

static void
print_penalty(FILE *f, const struct conf *c)
{
	unsigned	i;

	print_seconds(f, "drain time", c->drain_time);
	print_seconds(f, "penalty authfail", c->penalty_authfail);
	print_seconds(f, "penalty noauth", c->penalty_noauth);
	print_seconds(f, "penalty crash", c->penalty_crash);
	print_seconds(f, "penalty min", c->penalty_min);
	print_seconds(f, "penalty max", c->penalty_max);
	for (i = 0; i < c->n_penalty_exempt; i++)
		fprintf(f, "penalty exempt %s\n", c->penalty_exempt[i]);
}

static void
print_redis(FILE *f, const struct conf *c)
{
	int	v6 = strchr(c->redis_host, ':') != NULL;

	fprintf(f, "internal rate %" PRIu64 "\n", c->internal_rate);
	if (c->internal_secret_file[0] != '\0') {
		fputs("internal secret file ", f);
		print_string(f, c->internal_secret_file);
		fputc('\n', f);
	}
	if (c->redis_host[0] == '\0')
		return;
	fprintf(f, "redis \"redis://%s%s%s%s%s:%" PRIu64 "/%" PRIu64 "\" "
	    "environment \"%s\"", c->redis_user,
	    c->redis_user[0] != '\0' ? "@" : "", v6 ? "[" : "", c->redis_host,
	    v6 ? "]" : "", c->redis_port, c->redis_number,
	    c->redis_environment);
	if (c->redis_password_file[0] != '\0') {
		fputs(" password file ", f);
		print_string(f, c->redis_password_file);
	}
	if (c->redis_secret_file[0] != '\0') {
		fputs(" secret file ", f);
		print_string(f, c->redis_secret_file);
	}
	fputc('\n', f);
}

/* A rule has its words with tabs between them. */
static void
print_rule(FILE *f, const char *rule)
{
	char	 copy[RULE_SIZE], *rest = copy, *word, *of, *a;

	strlcpy(copy, rule, sizeof(copy));
	(void)strsep(&rest, "\t");
	word = strsep(&rest, "\t");
	of = strsep(&rest, "\t");
	a = strsep(&rest, "\t");
	if (rest == NULL)
		return;
	fprintf(f, "\t%s%s%s ", word, of[0] != '\0' ? " " : "", of);
	print_string(f, a);
	if (rest[0] != '\0') {
		fputs(" to ", f);
		print_string(f, rest);
	}
	fputc('\n', f);
}

/* Where the console signs in. */
static void
print_console(FILE *f, const struct conf *c)
{
	fputs("\tconsole client ", f);
	print_string(f, c->console_client);
	fputs(" scope ", f);
	print_string(f, c->console_scope);
	if (c->console_resource[0] != '\0') {
		fputs(" resource ", f);
		print_string(f, c->console_resource);
	}
	fputc('\n', f);
}

static void
print_issuers(FILE *f, const struct conf *c)
{
	unsigned	i, j;

	fputs("ca file ", f);
	print_string(f, c->ca_file);
	fputc('\n', f);
	print_seconds(f, "oidc refresh", c->keys_refresh);
	print_seconds(f, "oidc unknown key", c->keys_floor);
	print_seconds(f, "oidc keep keys", c->keys_keep);
	print_seconds(f, "oidc timeout", c->keys_timeout);
	print_seconds(f, "oidc clock skew", c->clock_skew);
	for (i = 0; i < c->n_issuer; i++) {
		fputs("oidc issuer ", f);
		print_string(f, c->issuer[i]);
		fputs(" {\n", f);
		if (c->issuer_keys[i][0] != '\0') {
			fputs("\tkeys ", f);
			print_string(f, c->issuer_keys[i]);
			fputc('\n', f);
		}
		if (c->console_client[0] != '\0' &&
		    strcmp(c->console_issuer, c->issuer[i]) == 0)
			print_console(f, c);
		for (j = 0; j < c->n_issuer_rule; j++)
			if (strtoul(c->issuer_rule[j], NULL, 10) == i)
				print_rule(f, c->issuer_rule[j]);
		fputs("}\n", f);
	}
}

/* A text, if there is one. */
static void
print_named(FILE *f, const char *word, const char *text)
{
	if (text[0] == '\0')
		return;
	fputs(word, f);
	print_string(f, text);
	fputc('\n', f);
}

static void
print_tunnel(FILE *f, const struct conf *c)
{
	unsigned	i;

	fputs("tunnel {\n", f);
	for (i = 0; i < c->n_tunnel_path; i++) {
		fputs("\tpath ", f);
		print_string(f, c->tunnel_path[i]);
		fputc('\n', f);
	}
	print_seconds(f, "\tgrace", c->grace);
	print_seconds(f, "\tstart-up grace", c->startup_grace);
	print_seconds(f, "\tsession lifetime", c->session_lifetime);
	/* Its default is an upper bound, a given one a demand. */
	fprintf(f, "\t%smax tunnels %" PRIu64 "\n",
	    c->max_tunnels_given ? "" : "#", c->max_tunnels);
	fprintf(f, "\tmax sessions per system %" PRIu64 "\n", c->max_sessions);
	fprintf(f, "\tmax streams per tunnel %" PRIu64 "\n", c->max_streams);
	print_rate(f, "address", c->rate_address, c->rate_address_s);
	print_rate(f, "slot", c->rate_slot, c->rate_slot_s);
	print_rate(f, "key", c->rate_key, c->rate_key_s);
	fprintf(f, "\trequire reconnect token %s\n",
	    c->require_reconnect_token ? "yes" : "no");
	fprintf(f, "\tallow loopback targets %s\n",
	    c->allow_loopback ? "yes" : "no");
	fprintf(f, "\treplace live tunnel %s\n",
	    c->replace_live ? "yes" : "no");
	print_bytes(f, "\tcredit per tunnel", c->credit_tunnel);
	fputs("}\n", f);
}

static void
print_cluster(FILE *f, const struct conf *c)
{
	if (c->cluster_name[0] == '\0')
		return;
	fputs("cluster {\n", f);
	print_named(f, "\tname ", c->cluster_name);
	print_named(f, "\tsecret file ", c->cluster_secret_file);
	fputs("\tpeer address ", f);
	print_string(f, c->cluster_address);
	fprintf(f, " port %" PRIu64 "\n", c->cluster_port);
	if (c->cluster_ca_file[0] != '\0')
		print_named(f, "\tpeer tls ca file ", c->cluster_ca_file);
	fputs("}\n", f);
}

static void
print_pair(FILE *f, const struct conf *c)
{
	fprintf(f, "pair {\n\tmax connections %" PRIu64 "\n\tmax sessions %"
	    PRIu64 "\n", c->pair_connections, c->pair_sessions);
	print_seconds(f, "\tpaired lifetime", c->pair_lifetime);
	fprintf(f, "\tmax tokens %" PRIu64 "\n\ttoken check %s\n}\n",
	    c->pair_tokens, c->pair_token_check ? "yes" : "no");
}

static void
print_relay(FILE *f, const struct conf *c)
{
	unsigned	i;

	fputs("relay {\n", f);
	for (i = 0; i < c->relay_no_auth; i++)
		fputs("\tno auth\n", f);
	print_seconds(f, "\tsession lifetime", c->relay_lifetime);
	print_seconds(f, "\tpeer wait", c->relay_wait);
	fprintf(f, "\tmax sessions %" PRIu64 "\n", c->relay_sessions);
	fprintf(f, "\tmax sessions per subject %" PRIu64 "\n",
	    c->relay_subject);
	print_bytes(f, "\tmax message", c->relay_message);
	print_seconds(f, "\tstall timeout", c->relay_stall);
	print_seconds(f, "\tping interval", c->relay_ping);
	print_seconds(f, "\treap interval", c->relay_reap);
	print_seconds(f, "\tresume grace", c->relay_resume);
	if (c->relay_audit)
		fprintf(f, "\taudit\n");
	print_named(f, "\tbase url ", c->relay_base);
	print_named(f, "\taudience ", c->relay_audience);
	print_named(f, "\tclient id ", c->relay_client);
	for (i = 0; i < c->n_relay_origin; i++)
		print_named(f, "\tallow origin ", c->relay_origin[i]);
	fprintf(f, "}\n%s", c->relay ? "" : "relay no\n");
}

static void
print_operator(FILE *f, const struct conf *c)
{
	unsigned	i;

	fputs("operator {\n", f);
	if (c->proxy_domain[0] != '\0') {
		fputs("\tproxy domain ", f);
		print_string(f, c->proxy_domain);
		fprintf(f, " scheme %s port %" PRIu64 "\n",
		    c->proxy_plain ? "http" : "https", c->proxy_port);
	}
	if (c->jwt_secret_file[0] != '\0') {
		fputs("\tjwt secret file ", f);
		print_string(f, c->jwt_secret_file);
		fputc('\n', f);
	}
	if (c->jwt_issuer[0] != '\0') {
		fputs("\tjwt issuer ", f);
		print_string(f, c->jwt_issuer);
		if (c->jwt_audience[0] != '\0') {
			fputs(" audience ", f);
			print_string(f, c->jwt_audience);
		}
		fputc('\n', f);
	}
	print_seconds(f, "\tproxy token lifetime", c->proxy_token_lifetime);
	print_seconds(f, "\tticket lifetime", c->ticket_lifetime);
	fprintf(f, "\tticket rate %" PRIu64 "\n", c->ticket_rate);
	print_seconds(f, "\ttcp idle timeout", c->tcp_idle);
	fprintf(f, "\ttcp ticket rate %" PRIu64 "\n", c->tcp_ticket_rate);
	print_seconds(f, "\tterminal grace", c->terminal_grace);
	print_seconds(f, "\tterminal idle timeout", c->terminal_idle);
	print_bytes(f, "\tterminal frame", c->terminal_frame);
	print_seconds(f, "\tproxied idle timeout", c->proxy_idle);
	fprintf(f, "\tscript cookies %s\n",
	    c->script_cookies ? "yes" : "no");
	fprintf(f, "\tpath proxy %s\n", c->path_proxy ? "yes" : "no");
	fprintf(f, "\tapi rate %" PRIu64 "\n", c->api_rate);
	for (i = 0; i < c->n_console_origin; i++) {
		fputs("\tconsole origin ", f);
		print_string(f, c->console_origin[i]);
		fputc('\n', f);
	}
	fputs("}\n", f);
}
