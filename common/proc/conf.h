/* SPDX-License-Identifier: ISC */
#ifndef CONF_H
#define CONF_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/*
 * What relayd.conf says, as the processes hold it. One list gives every number
 * its member, default, range, unit and the roles that need to know it; the
 * parser's errors and conf_pack() come from this list, so that a process never
 * receives what it has no use for.
 */

enum conf_unit { UNIT_COUNT, UNIT_SECONDS, UNIT_BYTES, UNIT_BOOL };

/* X(member, default, min, max, unit, roles, keyword as in relayd.conf(5)) */
#define CONF_NUMBERS(X)							\
	X(proxyd_count, 0, 0, 64, UNIT_COUNT, R_PARENT | R_PROXYD,	\
	    "proxyd")			/* 0: number of cores */	\
	X(tlsd_count, 0, 0, 64, UNIT_COUNT, R_PARENT, "tlsd")		\
				/* 0: as many as proxyds */		\
	X(missing_nobody, 0, 0, 1, UNIT_BOOL, R_PARENT,			\
	    "missing users")						\
	X(drain_time, 60, 1, 86400, UNIT_SECONDS, R_PARENT | R_AUTHD,	\
	    "drain time")						\
	X(startups_begin, 200, 1, 100000, UNIT_COUNT, R_PARENT,		\
	    "max startups")						\
	X(startups_rate, 30, 1, 100, UNIT_COUNT, R_PARENT,		\
	    "max startups")						\
	X(startups_full, 1000, 1, 100000, UNIT_COUNT,			\
	    R_PARENT | R_AUTHD,						\
	    "max startups")						\
	X(store_max, 4294967296, 1048576, 1099511627776, UNIT_BYTES,	\
	    R_AUTHD, "store ... max")					\
	X(store_connections, 5, 2, 16, UNIT_COUNT, R_AUTHD,		\
	    "store ... connections")					\
	X(store_port, 5432, 1, 65535, UNIT_COUNT, R_AUTHD,		\
	    "store postgresql")						\
	X(keep_sessions, 2592000, 3600, 3153600000, UNIT_SECONDS,	\
	    R_AUTHD, "keep sessions")					\
	X(keep_sessions_max, 100, 10, 1000000, UNIT_COUNT, R_AUTHD,	\
	    "keep sessions ... max")					\
	X(keep_log, 34560000, 3600, 3153600000, UNIT_SECONDS, R_AUTHD,	\
	    "keep log")							\
	X(keep_log_max, 5000000, 1000, 1000000000, UNIT_COUNT, R_AUTHD,	\
	    "keep log ... max")						\
	X(keep_audit, 34560000, 3600, 3153600000, UNIT_SECONDS,		\
	    R_AUTHD, "keep audit")					\
	X(keep_audit_max, 5000000, 1000, 1000000000, UNIT_COUNT,	\
	    R_AUTHD, "keep audit ... max")				\
	X(keep_refusals, 34560000, 3600, 3153600000, UNIT_SECONDS,	\
	    R_AUTHD, "keep refusals")					\
	X(keep_refusals_max, 1000000, 1000, 1000000000, UNIT_COUNT,	\
	    R_AUTHD, "keep refusals ... max")				\
	X(grace, 60, 1, 86400, UNIT_SECONDS, R_AUTHD, "grace")		\
	X(startup_grace, 330, 1, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "start-up grace")						\
	X(session_lifetime, 86400, 60, 2592000, UNIT_SECONDS, R_AUTHD,	\
	    "session lifetime")						\
	X(max_tunnels, 10000, 1, 1000000, UNIT_COUNT,			\
	    R_PARENT | R_AUTHD, "max tunnels")				\
	X(max_sessions, 32, 1, 10000, UNIT_COUNT, R_AUTHD,		\
	    "max sessions per system")					\
	X(max_streams, 64, 1, 4096, UNIT_COUNT,				\
	    R_AUTHD | R_MUXD | R_PROXYD, "max streams per tunnel")	\
	X(rate_address, 10, 1, 1000000, UNIT_COUNT, R_AUTHD,		\
	    "rate limit address")					\
	X(rate_address_s, 60, 1, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "rate limit address")					\
	X(rate_slot, 5, 1, 1000000, UNIT_COUNT, R_AUTHD,		\
	    "rate limit slot")						\
	X(rate_slot_s, 60, 1, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "rate limit slot")						\
	X(rate_key, 64, 1, 1000000, UNIT_COUNT, R_AUTHD,		\
	    "rate limit key")						\
	X(rate_key_s, 60, 1, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "rate limit key")						\
	X(penalty_authfail, 10, 0, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "penalty authfail")						\
	X(penalty_noauth, 1, 0, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "penalty noauth")						\
	X(penalty_crash, 90, 0, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "penalty crash")						\
	X(penalty_min, 100, 1, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "penalty min")						\
	X(penalty_max, 600, 1, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "penalty max")						\
	X(require_reconnect_token, 0, 0, 1, UNIT_BOOL, R_AUTHD,		\
	    "require reconnect token")					\
	X(allow_loopback, 0, 0, 1, UNIT_BOOL, R_AUTHD,			\
	    "allow loopback targets")					\
	X(replace_live, 0, 0, 1, UNIT_BOOL, R_AUTHD,			\
	    "replace live tunnel")					\
	X(credit_tunnel, 67108864, 1048576, 1073741824, UNIT_BYTES,	\
	    R_AUTHD | R_MUXD, "credit per tunnel")			\
	X(proxy_port, 443, 1, 65535, UNIT_COUNT, R_AUTHD | R_PROXYD,	\
	    "proxy domain ... port")					\
	X(proxy_plain, 0, 0, 1, UNIT_BOOL, R_AUTHD | R_PROXYD,		\
	    "proxy domain ... scheme http")				\
	X(proxy_token_lifetime, 28800, 60, 604800, UNIT_SECONDS,	\
	    R_AUTHD, "proxy token lifetime")				\
	X(ticket_lifetime, 30, 1, 300, UNIT_SECONDS, R_AUTHD,		\
	    "ticket lifetime")						\
	X(terminal_idle, 1800, 10, 86400, UNIT_SECONDS,			\
	    R_AUTHD | R_TERMD, "terminal idle timeout")			\
	X(terminal_grace, 300, 0, 3600, UNIT_SECONDS, R_TERMD,		\
	    "terminal grace")						\
	X(tcp_idle, 7200, 10, 604800, UNIT_SECONDS, R_AUTHD,		\
	    "tcp idle timeout")						\
	X(terminal_frame, 65536, 1024, 1048576, UNIT_BYTES, R_TERMD,	\
	    "terminal frame")						\
	X(proxy_idle, 600, 1, 86400, UNIT_SECONDS, R_PROXYD,		\
	    "proxied idle timeout")					\
	X(script_cookies, 1, 0, 1, UNIT_BOOL, R_PROXYD,			\
	    "script cookies")						\
	X(path_proxy, 1, 0, 1, UNIT_BOOL, R_PROXYD, "path proxy")		\
	X(api_rate, 600, 1, 1000000, UNIT_COUNT, R_PROXYD,		\
	    "api rate")							\
	X(log_json, 0, 0, 1, UNIT_BOOL, R_PARENT, "log format json")	\
	X(ticket_rate, 30, 1, 1000000, UNIT_COUNT, R_AUTHD,		\
	    "ticket rate")						\
	X(tcp_ticket_rate, 300, 1, 1000000, UNIT_COUNT, R_AUTHD,	\
	    "tcp ticket rate")						\
	X(record_terminals, 0, 0, 1, UNIT_BOOL, R_AUTHD,		\
	    "record terminals")						\
	X(recording_max, 10737418240, 1048576, 1099511627776, UNIT_BYTES, \
	    R_AUTHD, "recording directory ... max")			\
	X(recording_each, 104857600, 65536, 1073741824, UNIT_BYTES,	\
	    R_AUTHD | R_TERMD, "recording directory ... each")		\
	X(recording_free, 536870912, 0, 1099511627776, UNIT_BYTES,	\
	    R_AUTHD, "recording directory ... free")			\
	X(keys_refresh, 600, 10, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "oidc refresh")						\
	X(keys_floor, 30, 1, 3600, UNIT_SECONDS, R_AUTHD,		\
	    "oidc unknown key")						\
	X(keys_keep, 86400, 60, 2592000, UNIT_SECONDS, R_AUTHD,		\
	    "oidc keep keys")						\
	X(keys_timeout, 10, 1, 60, UNIT_SECONDS, R_AUTHD | R_DIALERD,	\
	    "oidc timeout")						\
	X(clock_skew, 60, 0, 600, UNIT_SECONDS, R_AUTHD,		\
	    "oidc clock skew")						\
	X(internal_rate, 10000, 1, 1000000, UNIT_COUNT,			\
	    R_AUTHD | R_PROXYD,						\
	    "internal rate")						\
	X(redis_port, 6379, 1, 65535, UNIT_COUNT, R_AUTHD, "redis")	\
	X(redis_number, 0, 0, 1023, UNIT_COUNT, R_AUTHD, "redis")	\
	X(keep_recordings, 7776000, 3600, 3153600000, UNIT_SECONDS,	\
	    R_AUTHD, "keep recordings")					\
	X(relay, 0, 0, 1, UNIT_BOOL, R_PARENT | R_AUTHD | R_PROXYD,	\
	    "relay")							\
	X(relay_no_auth, 0, 0, 2, UNIT_COUNT, R_AUTHD | R_PROXYD,	\
	    "no auth")			/* 2: said twice */		\
	X(relay_lifetime, 3600, 1, 31536000, UNIT_SECONDS, R_AUTHD,	\
	    "relay session lifetime")					\
	X(relay_wait, 120, 1, 86400, UNIT_SECONDS, R_RENDD,		\
	    "peer wait")						\
	X(relay_sessions, 10000, 1, 1000000, UNIT_COUNT,		\
	    R_PARENT | R_AUTHD, "max relay sessions")			\
	X(relay_subject, 1000, 1, 1000000, UNIT_COUNT, R_AUTHD,		\
	    "max sessions per subject")					\
	X(relay_message, 0, 0, 1099511627776, UNIT_BYTES, R_RENDD,	\
	    "max message")		/* 0: any */			\
	X(relay_stall, 300, 1, 86400, UNIT_SECONDS, R_RENDD,		\
	    "stall timeout")						\
	X(relay_ping, 30, 0, 86400, UNIT_SECONDS, R_RENDD,		\
	    "ping interval")		/* 0: none */			\
	X(relay_audit, 0, 0, 1, UNIT_BOOL, R_AUTHD, "audit")		\
	X(relay_resume, 30, 0, 3600, UNIT_SECONDS, R_RENDD,		\
	    "resume grace")						\
	X(relay_reap, 10, 1, 86400, UNIT_SECONDS, R_AUTHD,		\
	    "reap interval")						\
	X(pair_connections, 10000, 1, 100000, UNIT_COUNT,		\
	    R_PARENT | R_AUTHD | R_PAIRD, "max connections")		\
	X(pair_sessions, 50000, 1, 1000000, UNIT_COUNT, R_PAIRD | R_AUTHD,\
	    "max pairing sessions")					\
	X(pair_lifetime, 180, 150, 86400, UNIT_SECONDS, R_PAIRD,	\
	    "paired lifetime")						\
	X(pair_tokens, 1000000, 1, 1000000, UNIT_COUNT, R_AUTHD,	\
	    "max tokens")						\
	X(pair_token_check, 0, 0, 1, UNIT_BOOL, R_PAIRD,		\
	    "token check")						\
	X(cluster_port, 0, 0, 65535, UNIT_COUNT,			\
	    R_PARENT | R_AUTHD | R_PROXYD | R_DIALERD,			\
	    "peer address ... port")

/* X(member, size with NUL, default, roles, keyword) */
#define CONF_STRINGS(X)							\
	X(store_path, 1024, RELAYD_STATEDIR "/store/relayd.db", R_AUTHD, \
	    "store sqlite")						\
	X(store_server, 512, "", R_AUTHD, "store postgresql")		\
	X(store_ca_file, 1024, "", R_PARENT | R_AUTHD,			\
	    "store ... ca file")					\
	X(store_password_file, 1024, "", R_PARENT,			\
	    "store ... password file")					\
	X(jwt_secret_file, 1024, "", R_PARENT, "jwt secret file")	\
	X(redis_host, ADDR_SIZE, "", R_AUTHD, "redis")			\
	X(redis_user, 65, "", R_AUTHD, "redis")				\
	X(redis_environment, 33, "dev", R_AUTHD, "redis ... environment") \
	X(redis_password_file, 1024, "", R_PARENT,			\
	    "redis ... password file")					\
	X(redis_secret_file, 1024, "", R_PARENT,			\
	    "redis ... secret file")					\
	X(internal_secret_file, 1024, "", R_PARENT,			\
	    "internal secret file")					\
	X(ca_file, 1024, "/etc/ssl/certs/ca-certificates.crt", R_PARENT,	\
	    "ca file")							\
	X(jwt_issuer, 256, "", R_AUTHD, "jwt issuer")			\
	X(jwt_audience, 256, "", R_AUTHD, "jwt issuer ... audience")	\
	X(acme_dir, 512, "", R_PARENT, "acme directory")		\
	X(proxy_domain, 256, "", R_AUTHD | R_PROXYD, "proxy domain")	\
	X(console_issuer, ISSUER_SIZE, "", R_PROXYD,			\
	    "oidc issuer ... console")					\
	X(console_client, 128, "", R_PROXYD, "console client")		\
	X(console_scope, 256, "openid", R_PROXYD,			\
	    "console client ... scope")					\
	X(console_resource, 256, "", R_PROXYD,				\
	    "console client ... resource")				\
	X(recording_dir, 65, "recordings", R_AUTHD,			\
	    "recording directory")					\
	X(relay_base, 256, "", R_AUTHD, "base url")			\
	X(relay_audience, 256, "", R_AUTHD, "relay audience")		\
	X(relay_client, 128, "", R_AUTHD, "client id")			\
	X(cluster_name, MEMBER_SIZE, "", R_AUTHD, "name")		\
	X(cluster_address, PEER_SIZE, "", R_AUTHD, "peer address")	\
	X(cluster_secret_file, 1024, "", R_PARENT,			\
	    "cluster ... secret file")					\
	X(cluster_ca_file, 1024, "",					\
	    R_PARENT | R_AUTHD | R_PROXYD | R_TLSD,			\
	    "peer tls ca file")						\
	X(control_path, 104, RELAYD_SOCKET, R_PARENT,			\
	    "control socket")						\
	X(looking_path, 104, "", R_PARENT,				\
	    "control socket ... read only")				\
	X(looking_group, 33, "", R_PARENT,				\
	    "control socket ... read only group")

/* X(member, how many, size of each with NUL, roles, keyword) */
#define CONF_LISTS(X)							\
	X(tunnel_path, 8, 256, R_PROXYD, "path")			\
	X(console_origin, 8, 256, R_PROXYD | R_AUTHD, "console origin")	\
	X(relay_origin, 16, 256, R_PROXYD, "allow origin")		\
	X(trusted_proxy, 16, 64, R_PROXYD | R_AUTHD | R_TLSD,		\
	    "trusted proxy")						\
	X(penalty_exempt, 16, 64, R_AUTHD, "penalty exempt")		\
	X(issuer, CONF_ISSUERS_MAX, ISSUER_SIZE, R_AUTHD | R_DIALERD,	\
	    "oidc issuer")						\
	X(issuer_keys, CONF_ISSUERS_MAX, ISSUER_SIZE,			\
	    R_AUTHD | R_DIALERD, "oidc issuer ... keys")		\
	X(issuer_rule, CONF_RULES_MAX, RULE_SIZE, R_AUTHD,		\
	    "oidc issuer ...")

/*
 * Identity providers: issuer and issuer_keys ("": found by discovery) have the
 * same places. What else is said of the one in place n are issuer_rules, with a
 * tab between their five columns: n, an issuer_word, of what ("user"; "" where
 * that says nothing), and one or two arguments.
 */
#define ISSUER_WORDS(X)							\
	X(AUDIENCE, "audience") X(PREFIX, "prefix") X(CLAIM, "claim")	\
	X(FIXED, "fixed") X(MAP, "map")
#define X(NAME, word)	ISSUER_##NAME,
enum issuer_word { ISSUER_WORDS(X) ISSUER_WORD_COUNT };
#undef X
#define CONF_ISSUERS_MAX 4
#define CONF_RULES_MAX	48

#define CONF_LISTEN_MAX	16
#define CONF_METRICS_MAX 4
#define CONF_CERTS_MAX	64

struct conf_listen {
	char		address[ADDR_SIZE];
	uint16_t	port;
	uint32_t	flags;		/* LISTEN_* */
};

/* Files of a certificate with its chain, and of its key. */
struct conf_cert {
	char		chain[512], key[512];
	uint32_t	listeners;	/* mask of places among those with tls */
};

/* The numbers first: the workers of tunnels know two of them and no more. */
struct conf {
#define X(member, def, min, max, unit, roles, keyword) uint64_t member;
	CONF_NUMBERS(X)
#undef X
#define X(member, size, def, roles, keyword) char member[size];
	CONF_STRINGS(X)
#undef X
#define X(member, many, size, roles, keyword)				\
	char member[many][size]; unsigned n_##member;
	CONF_LISTS(X)
#undef X
	struct conf_listen	listen[CONF_LISTEN_MAX];	/* parent only */
	unsigned		n_listen;
	struct conf_listen	metrics[CONF_METRICS_MAX];	/* parent only */
	unsigned		n_metrics;
	struct conf_cert	cert[CONF_CERTS_MAX];	/* parent only */
	unsigned		n_cert;
	unsigned		max_tunnels_given;	/* parent only: not the
							   default */
};

/* Every member at its default; lists empty. */
void	conf_init(struct conf *);

/*
 * Set a number by its member's name after a check of its range. 0, or -1 with
 * a text in `err` that names keyword, range and unit. In conf_set.c: only
 * relayd parses, and names are pointers that each process would relocate.
 */
int	conf_set_number(struct conf *, const char *member, uint64_t value,
	    char *err, size_t err_size);

/*
 * Serialise what `role` needs to know. Returns the bytes written, or -1 when
 * `size` is too small (CHUNK_MAX always suffices). Unpack checks every range
 * again and every string's length and NUL: 0, or -1 on anything unexpected.
 * It writes what the role knows and nothing else, so that the rest costs an
 * idle process no memory; a struct that was all zero has zeroes and empty
 * strings there.
 */
long	conf_pack(const struct conf *, int role, uint8_t *buf, size_t size);
int	conf_unpack(struct conf *, int role, const uint8_t *buf, size_t len);

/* What `role` knows, from one to the other. */
void	conf_copy(struct conf *, const struct conf *, int role);

#endif
