/* SPDX-License-Identifier: ISC */
/*
 * The grammar of relayd.conf(5). What a setting may be is in
 * common/proc/conf.h, what a word is in relayd/lex.c. Each error is reported
 * with file, line, what came and what was expected, and parsing goes on behind
 * it.
 */
%define api.pure full
%define api.value.type {union lex_value}
%define parse.error custom
%define parse.lac full
%param { struct parser *ps }

%code requires {
#include "lex.h"

struct parser;
}

%code {
#include <arpa/inet.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg.h"
#include "base/conninfo.h"
#include "redisurl.h"
#include "base/compat.h"

#define SETTINGS_MAX	96	/* that may be given once */
#define NETS_MAX	16	/* of a list: conf.h */
#define EXPECTED_MAX	6	/* alternatives named in an error */

struct parser {
	struct conf	*conf;
	struct lex	*lex;
	cfg_error_fn	 error;
	void		*arg;
	int		 errors, warnings;
	struct {
		const char	*keyword;
		int		 line;
	}		 seen[SETTINGS_MAX];
	size_t		 nseen;
	int		 proxy_port_given;
	unsigned	 nrules;	/* of issuers before this one */
	struct conf_listen *listen;	/* the newest, NULL: it is none */
	int		 cluster;	/* there is such a block */
};

static int	yylex(union lex_value *, struct parser *);
static void	yyerror(struct parser *, const char *);
static void	report(void *, const char *, int, const char *);
static void	error(struct parser *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static int	recover(struct parser *, int, int *, union lex_value *);
static int	once(struct parser *, const char *);
static void	number(struct parser *, const char *, const char *, uint64_t);
static void	store_server(struct parser *, const char *);
static void	store_directory(struct parser *, const char *);
static void	rate(struct parser *, const char *, const char *, const char *,
		    uint64_t, uint64_t);
static void	startups(struct parser *, const char *);
static void	string(struct parser *, const char *, char *, size_t,
		    const char *);
static void	list(struct parser *, const char *, char *, size_t, size_t,
		    unsigned *, const char *);
static void	file_path(struct parser *, const char *, char *, size_t,
		    const char *);
static void	tunnel_path(struct parser *, const char *);
static void	recording_dir(struct parser *, const char *);
static void	proxy_domain(struct parser *, char *);
static void	origin(struct parser *, const char *);
static void	allow_origin(struct parser *, const char *);
static void	network(struct parser *, const char *, char (*)[64], unsigned *,
		    const char *);
static void	log_format(struct parser *, const char *);
static void	redis(struct parser *, const char *);
static void	environment(struct parser *, const char *);
static void	member_name(struct parser *, const char *, const char *);
static void	peer_address(struct parser *, const char *, uint64_t);
static void	issuer_begin(struct parser *, const char *);
static void	issuer_console(struct parser *, const char *);
static void	issuer_keys(struct parser *, const char *);
static void	issuer_rule(struct parser *, enum issuer_word, const char *,
		    const char *, const char *);
static void	issuer_end(struct parser *);
static void	missing(struct parser *, const char *, const char *);
static void	listener(struct parser *, const char *, uint64_t, uint64_t);
static void	tls_begin(struct parser *);
static void	tls_end(struct parser *);
static void	certificate(struct parser *, const char *, const char *);

/*
 * Behind an error: go on after this line, or at the "}" that ends the block.
 * `top` says that there is none.
 */
#define RECOVER(top) do {						\
	if (recover(ps, top, &yychar, &yylval) == -1)			\
		YYABORT;						\
	yyerrok;							\
} while (0)
}

%token ADDRESS "address" ALLOW "allow" API "api" AUDIENCE "audience" CONSOLE "console"
%token AUTHFAIL "authfail" EXEMPT "exempt" MIN "min" NOAUTH "noauth"
%token CRASH "crash" PENALTY "penalty"
%token DRAIN "drain" TIME "time"
%token AUDIT "audit" REFUSALS "refusals"
%token COOKIES "cookies" SCRIPT "script"
%token CONTROL "control" CREDIT "credit" DOMAIN "domain" FILE_ "file"
%token FORMAT "format" FRAME "frame" GRACE "grace" GROUP "group" HTTP "http" HTTPS "https"
%token IDLE "idle" DIRECTORY "directory" EACH "each" FREE "free"
%token RECORD "record" RECORDING "recording" RECORDINGS "recordings"
%token TERMINALS "terminals"
%token INCLUDE "include" INTERNAL "internal" ISSUER "issuer" JWT "jwt"
%token KEEP "keep" KEY "key" LIFETIME "lifetime" LIMIT "limit"
%token LISTEN "listen" LIVE "live" LOG "log" LOOPBACK "loopback"
%token MAX "max" METRICS "metrics" MISSING "missing" NO "no" ON "on" ONLY "only" OPERATOR "operator"
%token ORIGIN "origin"
%token ADMIN "admin" AUTH "auth" BASE "base" CLIENT "client" ID "id" INTERVAL "interval"
%token MESSAGE "message" PEER "peer" PING "ping" REAP "reap" RELAY "relay" RESUME "resume"
%token CHECK "check" PAIR "pair"
%token PAIRED "paired" TOKENS "tokens"
%token STALL "stall" SUBJECT "subject" URL "url" WAIT "wait"
%token PATH "path" PER "per" PORT "port" PROTOCOL "protocol" PROXIED "proxied" PROXY "proxy"
%token PROXYD "proxyd" PUBLIC "public" RATE "rate" READ "read" RECONNECT "reconnect"
%token REPLACE "replace"
%token REQUIRE "require" SCHEME "scheme" SECRET "secret" SESSION "session"
%token SESSIONS "sessions" SLOT "slot" SOCKET "socket" SQLITE "sqlite"
%token STARTUP "start-up" STARTUPS "startups" STORE "store"
%token STREAMS "streams" SYSTEM "system" TARGETS "targets" TCP "tcp" TERMINAL "terminal" TICKET "ticket"
%token ACME "acme" CERT "cert" TLS "tls" TLSD "tlsd"
%token TIMEOUT "timeout" TOKEN "token" TRUSTED "trusted" TUNNEL "tunnel"
%token TUNNELS "tunnels" YES "yes"
%token CA "ca" CLAIM "claim" CLOCK "clock" FIXED "fixed" KEYS "keys" MAP "map"
%token OIDC "oidc" PREFIX "prefix" REFRESH "refresh" SKEW "skew" TO "to"
%token UNKNOWN "unknown" SCOPE "scope" RESOURCE "resource"
%token CLUSTER "cluster"
%token ENVIRONMENT "environment" PASSWORD "password" REDIS "redis"
%token BADTOKEN "an unreadable word"
%token MACRO "a macro's name"
%token POSTGRESQL "postgresql" CONNECTIONS "connections"
%token STRING "a string" WORD "a word" LATER "a word of a later version"
%token NUMBER "a number" DURATION "a duration such as 30s"
%token SIZE "a size such as 5M"
%token '\n' "end of line" '{' "{" '}' "}" '=' "="

%type MACRO STRING WORD LATER text
%type NUMBER DURATION SIZE number duration size yesno listenflags listenflag
%type path

%destructor { free($$.string); } MACRO STRING WORD LATER text path

%%

grammar		: %empty
		| grammar '\n'
		| grammar statement '\n'
		| grammar include
		| grammar later
		| grammar error				{ RECOVER(1); }
		;

/* Known words of which nothing is behind them yet. */
later		: LATER {
			error(ps, "\"%s\" is not supported by this version",
			    $1.string);
			free($1.string);
			RECOVER(1);
		}
		;

/* Its lines come before the end of this one. */
include		: INCLUDE path {
			(void)lex_push_file(ps->lex, $2.string);
			free($2.string);
		}
		;

statement	: MACRO '=' text {
			if (lex_define(ps->lex, $1.string, $3.string) == -1)
				error(ps, "macro %s not defined", $1.string);
			free($1.string);
			free($3.string);
		}
		| STORE store
		| LISTEN ON text PORT number listenflags {
			listener(ps, $3.string, $5.number, $6.number);
			free($3.string);
			$3.string = NULL;
		} tls
		| TRUSTED PROXY text {
			network(ps, "trusted proxy", ps->conf->trusted_proxy,
			    &ps->conf->n_trusted_proxy, $3.string);
			free($3.string);
		}
		| ACME DIRECTORY text {
			file_path(ps, "acme directory", ps->conf->acme_dir,
			    sizeof(ps->conf->acme_dir), $3.string);
			free($3.string);
		}
		| TLSD number {
			number(ps, "tlsd", "tlsd_count", $2.number);
		}
		| MISSING text text {
			missing(ps, $2.string, $3.string);
			free($2.string);
			free($3.string);
		}
		| PROXYD number {
			number(ps, "proxyd", "proxyd_count", $2.number);
		}
		| KEEP SESSIONS duration {
			number(ps, "keep sessions", "keep_sessions",
			    $3.number);
		}
		  keepsessionsmax
		| KEEP LOG duration {
			number(ps, "keep log", "keep_log", $3.number);
		}
		  keeplogmax
		| KEEP AUDIT duration {
			number(ps, "keep audit", "keep_audit", $3.number);
		}
		  keepauditmax
		| KEEP REFUSALS duration {
			number(ps, "keep refusals", "keep_refusals",
			    $3.number);
		}
		  keeprefusalsmax
		| LOG FORMAT text {
			log_format(ps, $3.string);
			free($3.string);
		}
		| KEEP RECORDINGS duration {
			number(ps, "keep recordings", "keep_recordings",
			    $3.number);
		}
		| RECORD TERMINALS yesno {
			number(ps, "record terminals", "record_terminals",
			    $3.number);
		}
		| RECORDING DIRECTORY text recordingopts {
			recording_dir(ps, $3.string);
			free($3.string);
		}
		| MAX STARTUPS WORD {
			startups(ps, $3.string);
			free($3.string);
		}
		| PENALTY penalty
		| DRAIN TIME duration {
			number(ps, "drain time", "drain_time", $3.number);
		}
		| CONTROL SOCKET text {
			file_path(ps, "control socket", ps->conf->control_path,
			    sizeof(ps->conf->control_path), $3.string);
			free($3.string);
		}
		| CONTROL SOCKET text READ ONLY lookinggroup {
			file_path(ps, "control socket ... read only",
			    ps->conf->looking_path,
			    sizeof(ps->conf->looking_path), $3.string);
			free($3.string);
		}
		| CA FILE_ text {
			file_path(ps, "ca file", ps->conf->ca_file,
			    sizeof(ps->conf->ca_file), $3.string);
			free($3.string);
		}
		| OIDC oidc
		| INTERNAL RATE number {
			number(ps, "internal rate", "internal_rate",
			    $3.number);
		}
		| INTERNAL SECRET FILE_ text {
			file_path(ps, "internal secret file",
			    ps->conf->internal_secret_file,
			    sizeof(ps->conf->internal_secret_file),
			    $4.string);
			free($4.string);
		}
		| REDIS text {
			redis(ps, $2.string);
			free($2.string);
			$2.string = NULL;
		} redisopts
		| CLUSTER '{' clusteropts '}'		{ ps->cluster = 1; }
		| TUNNEL '{' tunnelopts '}'
		| OPERATOR '{' operatoropts '}'
		| PAIR '{' pairopts '}'
		| RELAY '{' {
			ps->conf->relay = 1;
		} relayopts '}'
		| RELAY NO				{ ps->conf->relay = 0; }
		;

redisopts	: %empty
		| redisopts redisopt
		;

redisopt	: PASSWORD FILE_ text {
			file_path(ps, "redis ... password file",
			    ps->conf->redis_password_file,
			    sizeof(ps->conf->redis_password_file), $3.string);
			free($3.string);
		}
		| SECRET FILE_ text {
			file_path(ps, "redis ... secret file",
			    ps->conf->redis_secret_file,
			    sizeof(ps->conf->redis_secret_file), $3.string);
			free($3.string);
		}
		| ENVIRONMENT text {
			environment(ps, $2.string);
			free($2.string);
		}
		;

oidc		: ISSUER text {
			issuer_begin(ps, $2.string);
			free($2.string);
			$2.string = NULL;
		} '{' issueropts '}' {
			issuer_end(ps);
		}
		| REFRESH duration {
			number(ps, "oidc refresh", "keys_refresh", $2.number);
		}
		| UNKNOWN KEY duration {
			number(ps, "oidc unknown key", "keys_floor",
			    $3.number);
		}
		| KEEP KEYS duration {
			number(ps, "oidc keep keys", "keys_keep", $3.number);
		}
		| TIMEOUT duration {
			number(ps, "oidc timeout", "keys_timeout", $2.number);
		}
		| CLOCK SKEW duration {
			number(ps, "oidc clock skew", "clock_skew",
			    $3.number);
		}
		;

issueropts	: %empty
		| issueropts '\n'
		| issueropts issueropt
		| issueropts error			{ RECOVER(0); }
		;

issueropt	: AUDIENCE text {
			issuer_rule(ps, ISSUER_AUDIENCE, NULL, $2.string, "");
			free($2.string);
		}
		| KEYS text {
			issuer_keys(ps, $2.string);
			free($2.string);
		}
		| CONSOLE CLIENT text {
			issuer_console(ps, $3.string);
			free($3.string);
			$3.string = NULL;
		} consoleopts
		| PREFIX text {
			issuer_rule(ps, ISSUER_PREFIX, NULL, $2.string, "");
			free($2.string);
		}
		| CLAIM text text {
			issuer_rule(ps, ISSUER_CLAIM, $2.string, $3.string,
			    "");
			free($2.string);
			free($3.string);
		}
		| FIXED text text {
			issuer_rule(ps, ISSUER_FIXED, $2.string, $3.string,
			    "");
			free($2.string);
			free($3.string);
		}
		| MAP text text TO text {
			issuer_rule(ps, ISSUER_MAP, $2.string, $3.string,
			    $5.string);
			free($2.string);
			free($3.string);
			free($5.string);
		}
		;

consoleopts	: %empty
		| consoleopts SCOPE text {
			string(ps, "console client ... scope",
			    ps->conf->console_scope,
			    sizeof(ps->conf->console_scope), $3.string);
			free($3.string);
		}
		| consoleopts RESOURCE text {
			string(ps, "console client ... resource",
			    ps->conf->console_resource,
			    sizeof(ps->conf->console_resource), $3.string);
			free($3.string);
		}
		;

penalty		: AUTHFAIL duration {
			number(ps, "penalty authfail", "penalty_authfail",
			    $2.number);
		}
		| NOAUTH duration {
			number(ps, "penalty noauth", "penalty_noauth",
			    $2.number);
		}
		| CRASH duration {
			number(ps, "penalty crash", "penalty_crash",
			    $2.number);
		}
		| MIN duration {
			number(ps, "penalty min", "penalty_min", $2.number);
		}
		| MAX duration {
			number(ps, "penalty max", "penalty_max", $2.number);
		}
		| EXEMPT text {
			network(ps, "penalty exempt",
			    ps->conf->penalty_exempt,
			    &ps->conf->n_penalty_exempt, $2.string);
			free($2.string);
		}
		;

recordingopts	: %empty
		| recordingopts MAX size {
			number(ps, "recording directory ... max",
			    "recording_max", $3.number);
		}
		| recordingopts EACH size {
			number(ps, "recording directory ... each",
			    "recording_each", $3.number);
		}
		| recordingopts FREE size {
			number(ps, "recording directory ... free",
			    "recording_free", $3.number);
		}
		;

lookinggroup	: %empty
		| GROUP text {
			string(ps, "control socket ... read only group",
			    ps->conf->looking_group,
			    sizeof(ps->conf->looking_group), $2.string);
			free($2.string);
		}
		;

/* Of its own, so that no token is read ahead before the file is opened. */
path		: STRING				{ $$ = $1; }
		| WORD					{ $$ = $1; }
		;

text		: STRING				{ $$ = $1; }
		| WORD					{ $$ = $1; }
		;

number		: NUMBER				{ $$ = $1; }
		;

duration	: DURATION				{ $$ = $1; }
		;

size		: SIZE					{ $$ = $1; }
		| NUMBER				{ $$ = $1; }
		;

yesno		: %empty				{ $$.number = 1; }
		| YES					{ $$.number = 1; }
		| NO					{ $$.number = 0; }
		;

store		: SQLITE text storemax {
			file_path(ps, "store sqlite", ps->conf->store_path,
			    sizeof(ps->conf->store_path), $2.string);
			free($2.string);
		}
		| POSTGRESQL text {
			store_server(ps, $2.string);
			free($2.string);
			$2.string = NULL;
		} serveropts
		;

serveropts	: %empty
		| serveropts serveropt
		;

serveropt	: DIRECTORY text {
			store_directory(ps, $2.string);
			free($2.string);
		}
		| CONNECTIONS number {
			number(ps, "store ... connections",
			    "store_connections", $2.number);
		}
		| CA FILE_ text {
			file_path(ps, "store ... ca file",
			    ps->conf->store_ca_file,
			    sizeof(ps->conf->store_ca_file), $3.string);
			free($3.string);
		}
		| PASSWORD FILE_ text {
			file_path(ps, "store ... password file",
			    ps->conf->store_password_file,
			    sizeof(ps->conf->store_password_file), $3.string);
			free($3.string);
		}
		;

storemax	: %empty
		| MAX size {
			number(ps, "store ... max", "store_max", $2.number);
		}
		;

keepsessionsmax	: %empty
		| MAX number {
			number(ps, "keep sessions ... max", "keep_sessions_max",
			    $2.number);
		}
		;

keeplogmax	: %empty
		| MAX number {
			number(ps, "keep log ... max", "keep_log_max",
			    $2.number);
		}
		;

keepauditmax	: %empty
		| MAX number {
			number(ps, "keep audit ... max", "keep_audit_max",
			    $2.number);
		}
		;

keeprefusalsmax	: %empty
		| MAX number {
			number(ps, "keep refusals ... max", "keep_refusals_max",
			    $2.number);
		}
		;

listenflags	: %empty				{ $$.number = 0; }
		| listenflags listenflag {
			$$.number = $1.number | $2.number;
		}
		;

listenflag	: INTERNAL			{ $$.number = LISTEN_INTERNAL; }
		| TUNNEL			{ $$.number = LISTEN_TUNNEL; }
		| METRICS			{ $$.number = LISTEN_METRICS; }
		| ADMIN				{ $$.number = LISTEN_ADMIN; }
		| PUBLIC			{ $$.number = LISTEN_PUBLIC; }
		| PAIR				{ $$.number = LISTEN_PAIR; }
		| RELAY				{ $$.number = LISTEN_RELAY; }
		| ONLY				{ $$.number = LISTEN_ONLY; }
		| PROXY PROTOCOL		{ $$.number = LISTEN_PROXY; }
		| PEER				{ $$.number = LISTEN_PEER; }
		| LATER {
			error(ps, "\"%s\" is not supported by this version",
			    $1.string);
			free($1.string);
			$$.number = 0;
		}
		;

tls		: %empty
		| TLS '{' {
			tls_begin(ps);
		} certs '}' {
			tls_end(ps);
		}
		;

certs		: %empty
		| certs '\n'
		| certs CERT text lines KEY text {
			certificate(ps, $3.string, $6.string);
			free($3.string);
			free($6.string);
		}
		| certs error				{ RECOVER(0); }
		;

lines		: %empty
		| lines '\n'
		;

tunnelopts	: %empty
		| tunnelopts '\n'
		| tunnelopts tunnelopt
		| tunnelopts error			{ RECOVER(0); }
		;

tunnelopt	: PATH text {
			tunnel_path(ps, $2.string);
			free($2.string);
		}
		| GRACE duration {
			number(ps, "grace", "grace", $2.number);
		}
		| STARTUP GRACE duration {
			number(ps, "start-up grace", "startup_grace",
			    $3.number);
		}
		| SESSION LIFETIME duration {
			number(ps, "session lifetime", "session_lifetime",
			    $3.number);
		}
		| MAX TUNNELS number {
			number(ps, "max tunnels", "max_tunnels", $3.number);
			ps->conf->max_tunnels_given = 1;
		}
		| MAX SESSIONS PER SYSTEM number {
			number(ps, "max sessions per system", "max_sessions",
			    $5.number);
		}
		| MAX STREAMS PER TUNNEL number {
			number(ps, "max streams per tunnel", "max_streams",
			    $5.number);
		}
		| RATE LIMIT ADDRESS number PER duration {
			rate(ps, "rate limit address", "rate_address",
			    "rate_address_s", $4.number, $6.number);
		}
		| RATE LIMIT SLOT number PER duration {
			rate(ps, "rate limit slot", "rate_slot", "rate_slot_s",
			    $4.number, $6.number);
		}
		| RATE LIMIT KEY number PER duration {
			rate(ps, "rate limit key", "rate_key", "rate_key_s",
			    $4.number, $6.number);
		}
		| REQUIRE RECONNECT TOKEN yesno {
			number(ps, "require reconnect token",
			    "require_reconnect_token", $4.number);
		}
		| ALLOW LOOPBACK TARGETS yesno {
			number(ps, "allow loopback targets", "allow_loopback",
			    $4.number);
		}
		| REPLACE LIVE TUNNEL yesno {
			number(ps, "replace live tunnel", "replace_live",
			    $4.number);
		}
		| CREDIT PER TUNNEL size {
			number(ps, "credit per tunnel", "credit_tunnel",
			    $4.number);
		}
		;

operatoropts	: %empty
		| operatoropts '\n'
		| operatoropts operatoropt
		| operatoropts error			{ RECOVER(0); }
		;

operatoropt	: PROXY DOMAIN text {
			proxy_domain(ps, $3.string);
			ps->proxy_port_given = 0;
			free($3.string);
			$3.string = NULL;
		} proxyopts {
			if (ps->conf->proxy_plain && !ps->proxy_port_given)
				ps->conf->proxy_port = 80;
		}
		| JWT SECRET FILE_ text {
			file_path(ps, "jwt secret file",
			    ps->conf->jwt_secret_file,
			    sizeof(ps->conf->jwt_secret_file), $4.string);
			free($4.string);
		}
		| JWT ISSUER text {
			string(ps, "jwt issuer", ps->conf->jwt_issuer,
			    sizeof(ps->conf->jwt_issuer), $3.string);
			free($3.string);
			$3.string = NULL;
		} audience
		| PROXY TOKEN LIFETIME duration {
			number(ps, "proxy token lifetime",
			    "proxy_token_lifetime", $4.number);
		}
		| TICKET LIFETIME duration {
			number(ps, "ticket lifetime", "ticket_lifetime",
			    $3.number);
		}
		| TICKET RATE number {
			number(ps, "ticket rate", "ticket_rate", $3.number);
		}
		| TCP IDLE TIMEOUT duration {
			number(ps, "tcp idle timeout", "tcp_idle", $4.number);
		}
		| TCP TICKET RATE number {
			number(ps, "tcp ticket rate", "tcp_ticket_rate",
			    $4.number);
		}
		| TERMINAL GRACE duration {
			number(ps, "terminal grace", "terminal_grace",
			    $3.number);
		}
		| TERMINAL IDLE TIMEOUT duration {
			number(ps, "terminal idle timeout", "terminal_idle",
			    $4.number);
		}
		| TERMINAL FRAME size {
			number(ps, "terminal frame", "terminal_frame",
			    $3.number);
		}
		| PROXIED IDLE TIMEOUT duration {
			number(ps, "proxied idle timeout", "proxy_idle",
			    $4.number);
		}
		| SCRIPT COOKIES yesno {
			number(ps, "script cookies", "script_cookies",
			    $3.number);
		}
		| PATH PROXY yesno {
			number(ps, "path proxy", "path_proxy", $3.number);
		}
		| API RATE number {
			number(ps, "api rate", "api_rate", $3.number);
		}
		| CONSOLE ORIGIN text {
			origin(ps, $3.string);
			free($3.string);
		}
		;

clusteropts	: %empty
		| clusteropts '\n'
		| clusteropts clusteropt
		| clusteropts error			{ RECOVER(0); }
		;

clusteropt	: text text {
			member_name(ps, $1.string, $2.string);
			free($1.string);
			free($2.string);
		}
		| SECRET FILE_ text {
			file_path(ps, "cluster ... secret file",
			    ps->conf->cluster_secret_file,
			    sizeof(ps->conf->cluster_secret_file), $3.string);
			free($3.string);
		}
		| PEER ADDRESS text PORT number {
			peer_address(ps, $3.string, $5.number);
			free($3.string);
		}
		| PEER TLS CA FILE_ text {
			file_path(ps, "peer tls ca file",
			    ps->conf->cluster_ca_file,
			    sizeof(ps->conf->cluster_ca_file), $5.string);
			free($5.string);
		}
		;

pairopts	: %empty
		| pairopts '\n'
		| pairopts pairopt
		| pairopts error			{ RECOVER(0); }
		;

pairopt		: MAX CONNECTIONS number {
			number(ps, "max connections", "pair_connections",
			    $3.number);
		}
		| MAX SESSIONS number {
			number(ps, "max pairing sessions", "pair_sessions",
			    $3.number);
		}
		| PAIRED LIFETIME duration {
			number(ps, "paired lifetime", "pair_lifetime",
			    $3.number);
		}
		| MAX TOKENS number {
			number(ps, "max tokens", "pair_tokens", $3.number);
		}
		| TOKEN CHECK yesno {
			number(ps, "token check", "pair_token_check",
			    $3.number);
		}
		;

relayopts	: %empty
		| relayopts '\n'
		| relayopts relayopt
		| relayopts error			{ RECOVER(0); }
		;

relayopt	: NO AUTH {
			if (ps->conf->relay_no_auth < 2)
				ps->conf->relay_no_auth++;
		}
		| SESSION LIFETIME duration {
			number(ps, "relay session lifetime", "relay_lifetime",
			    $3.number);
		}
		| PEER WAIT duration {
			number(ps, "peer wait", "relay_wait", $3.number);
		}
		| MAX SESSIONS number {
			number(ps, "max relay sessions", "relay_sessions",
			    $3.number);
		}
		| MAX SESSIONS PER SUBJECT number {
			number(ps, "max sessions per subject",
			    "relay_subject", $5.number);
		}
		| MAX MESSAGE size {
			number(ps, "max message", "relay_message", $3.number);
		}
		| STALL TIMEOUT duration {
			number(ps, "stall timeout", "relay_stall", $3.number);
		}
		| PING INTERVAL duration {
			number(ps, "ping interval", "relay_ping", $3.number);
		}
		| AUDIT			{ ps->conf->relay_audit = 1; }
		| RESUME GRACE duration {
			number(ps, "resume grace", "relay_resume", $3.number);
		}
		| REAP INTERVAL duration {
			number(ps, "reap interval", "relay_reap", $3.number);
		}
		| BASE URL text {
			string(ps, "base url", ps->conf->relay_base,
			    sizeof(ps->conf->relay_base), $3.string);
			free($3.string);
		}
		| AUDIENCE text {
			string(ps, "relay audience", ps->conf->relay_audience,
			    sizeof(ps->conf->relay_audience), $2.string);
			free($2.string);
		}
		| CLIENT ID text {
			string(ps, "client id", ps->conf->relay_client,
			    sizeof(ps->conf->relay_client), $3.string);
			free($3.string);
		}
		| ALLOW ORIGIN text {
			allow_origin(ps, $3.string);
			free($3.string);
		}
		;

proxyopts	: %empty
		| proxyopts SCHEME HTTP			{ ps->conf->proxy_plain = 1; }
		| proxyopts SCHEME HTTPS		{ ps->conf->proxy_plain = 0; }
		| proxyopts PORT number {
			number(ps, "proxy domain ... port", "proxy_port",
			    $3.number);
			ps->proxy_port_given = 1;
		}
		;

audience	: %empty
		| AUDIENCE text {
			string(ps, "jwt issuer ... audience",
			    ps->conf->jwt_audience,
			    sizeof(ps->conf->jwt_audience), $2.string);
			free($2.string);
		}
		;

%%

/* Errors. */

static void
report(void *arg, const char *file, int line, const char *text)
{
	struct parser	*ps = arg;
	char		 full[2 * LEX_WORD_MAX + 512];

	if (ps->errors++ >= CFG_ERRORS_MAX)
		return;
	if (line > 0)
		snprintf(full, sizeof(full), "%s:%d: %s", file, line, text);
	else
		snprintf(full, sizeof(full), "%s: %s", file, text);
	ps->error(ps->arg, 1, full);
}

static void
warning(void *arg, const char *file, int line, const char *text)
{
	struct parser	*ps = arg;
	char		 full[2 * LEX_WORD_MAX + 512];

	if (ps->warnings++ >= CFG_ERRORS_MAX)
		return;
	snprintf(full, sizeof(full), "%s:%d: warning: %s", file, line, text);
	ps->error(ps->arg, 0, full);
}

static void
error(struct parser *ps, const char *fmt, ...)
{
	char	text[LEX_WORD_MAX + 256];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report(ps, lex_file(ps->lex), lex_line(ps->lex), text);
}

/* Out of stack or memory: the grammar's own errors come the way below. */
static void
yyerror(struct parser *ps, const char *text)
{
	error(ps, "%s", text);
}

/* Where a setting that begins with this word would stand. */
static const char *
belongs(const char *word)
{
	static const struct {
		const char	*word, *where;
	} words[] = {
#define TOP	"outside of tunnel { }, operator { } and relay { }"
#define IN(block)	"into " block " { }"
		{ "store", TOP }, { "listen", TOP }, { "proxyd", TOP }, { "tlsd", TOP }, { "acme", TOP },
		{ "keep", TOP }, { "record", TOP }, { "recording", TOP },
		{ "missing", TOP }, { "trusted", TOP }, { "control", TOP },
		{ "include", TOP }, { "log", TOP }, { "tunnel", TOP }, { "operator", TOP },
		{ "penalty", TOP }, { "oidc", TOP }, { "ca", TOP },
		{ "relay", TOP },
		{ "peer", IN("relay") }, { "ping", IN("relay") },
		{ "stall", IN("relay") }, { "reap", IN("relay") },
		{ "base", IN("relay") }, { "client", IN("relay") },
		{ "no", IN("relay") }, { "resume", IN("relay") },
		{ "redis", TOP }, { "internal", TOP }, { "cluster", TOP },
		{ "path", IN("tunnel") }, { "grace", IN("tunnel") },
		{ "start-up", IN("tunnel") }, { "session", IN("tunnel") },
		{ "rate", IN("tunnel") }, { "require", IN("tunnel") },
		{ "allow", IN("tunnel") }, { "replace", IN("tunnel") }, { "credit", IN("tunnel") },
		{ "proxy", IN("operator") }, { "jwt", IN("operator") },
		{ "tcp", IN("operator") }, { "ticket", IN("operator") },
		{ "terminal", IN("operator") },
		{ "proxied", IN("operator") }, { "api", IN("operator") },
		{ "console", IN("operator") },
#undef TOP
#undef IN
	};
	size_t	i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, word) == 0)
			return (words[i].where);
	return (NULL);
}

/*
 * What could stand here: few enough to be named, or none. Where a setting could
 * begin as well, but this is none, what counts is what the one before may be.
 */
static int
expected(const yypcontext_t *ctx, yysymbol_kind_t want[YYNTOKENS])
{
	int	i, n = yypcontext_expected_tokens(ctx, want, YYNTOKENS);

	if (n <= EXPECTED_MAX)
		return (n);
	for (i = 0; i < n; i++)
		if (want[i] == YYSYMBOL_YES) {
			want[0] = YYSYMBOL_YES;
			want[1] = YYSYMBOL_NO;
			return (2);
		}
	return (0);
}

static int
yyreport_syntax_error(const yypcontext_t *ctx, struct parser *ps)
{
	yysymbol_kind_t	 want[YYNTOKENS];
	char		 text[512], found[128];
	const char	*sep = "; expected ", *where;
	int		 i, n;

	if (yypcontext_token(ctx) == YYSYMBOL_BADTOKEN)
		return (0);		/* the lexer has reported it */
	/* At the end only an open block is wrong, and the lexer has said so. */
	if (yypcontext_token(ctx) == YYSYMBOL_YYEOF && ps->errors > 0)
		return (0);
	if (yypcontext_token(ctx) == YYSYMBOL_YYEOF)
		strlcpy(found, "end of file", sizeof(found));
	else if (lex_text(ps->lex)[0] == '\n')
		strlcpy(found, "end of line", sizeof(found));
	else
		snprintf(found, sizeof(found), "\"%.100s\"",
		    lex_text(ps->lex));
	n = expected(ctx, want);
	if (n <= 0 && (where = belongs(lex_text(ps->lex))) != NULL) {
		error(ps, "%s belongs %s", found, where);
		return (0);
	}
	if (n <= 0) {
		error(ps, yypcontext_token(ctx) == YYSYMBOL_WORD ?
		    "unknown word %s" : "%s cannot stand here", found);
		return (0);
	}
	snprintf(text, sizeof(text), "unexpected %s", found);
	/* Words that would only be refused help nobody. */
	for (i = 0; i < n && want[i] != YYSYMBOL_LATER; i++)
		;
	if (i < n && n > 1)
		memmove(&want[i], &want[i + 1],
		    (size_t)(--n - i) * sizeof(want[0]));
	for (i = 0; i < n; i++) {
		strlcat(text, sep, sizeof(text));
		strlcat(text, yysymbol_name(want[i]), sizeof(text));
		sep = i == n - 2 ? " or " : ", ";
	}
	error(ps, "%s", text);
	return (0);
}

static int
yylex(union lex_value *v, struct parser *ps)
{
	if (ps->errors >= CFG_ERRORS_MAX)
		return (0);
	return (lex_next(ps->lex, v));
}

/*
 * Skip to the end of the line, over blocks that begin on the way, or to the "}"
 * of the block that we are in, which is left to the parser. `token` and `v` are
 * the parser's look-ahead. Returns -1 at the end of the text.
 */
static int
recover(struct parser *ps, int top, int *token, union lex_value *v)
{
	int	depth = 0;

	if (*token == YYEMPTY)
		*token = yylex(v, ps);
	for (; *token != YYEOF; *token = yylex(v, ps)) {
		if (*token == STRING || *token == WORD || *token == LATER ||
		    *token == MACRO)
			free(v->string);
		else if (*token == '{')
			depth++;
		else if (*token == '}' && depth > 0)
			depth--;
		else if (*token == '}' && !top)
			return (0);
		else if (*token == '\n' && depth == 0) {
			*token = YYEMPTY;
			return (0);
		}
	}
	return (-1);
}

/* Settings. */

/* 0, or -1 when the file has said it before: one of the two is a mistake. */
static int
once(struct parser *ps, const char *keyword)
{
	size_t	i;

	for (i = 0; i < ps->nseen; i++) {
		if (strcmp(ps->seen[i].keyword, keyword) != 0)
			continue;
		error(ps, "%s was set before, in line %d", keyword,
		    ps->seen[i].line);
		return (-1);
	}
	if (ps->nseen < SETTINGS_MAX) {
		ps->seen[ps->nseen].keyword = keyword;
		ps->seen[ps->nseen++].line = lex_line(ps->lex);
	}
	return (0);
}

static void
number_set(struct parser *ps, const char *member, uint64_t value)
{
	char	text[256];

	if (conf_set_number(ps->conf, member, value, text, sizeof(text)) == -1)
		error(ps, "%s", text);
}

static void
number(struct parser *ps, const char *keyword, const char *member,
    uint64_t value)
{
	if (once(ps, keyword) == 0)
		number_set(ps, member, value);
}

static void
rate(struct parser *ps, const char *keyword, const char *member,
    const char *per, uint64_t value, uint64_t seconds)
{
	if (once(ps, keyword) == -1)
		return;
	number_set(ps, member, value);
	number_set(ps, per, seconds);
}

/* begin:rate:full, as sshd_config(5) has it. */
static void
startups(struct parser *ps, const char *text)
{
	static const char *const	members[] = { "startups_begin",
	    "startups_rate", "startups_full" };
	char				copy[64], *rest = copy, *part;
	const char			*wrong = NULL;
	size_t				 i;

	if (once(ps, "max startups") == -1)
		return;
	if (strlcpy(copy, text, sizeof(copy)) >= sizeof(copy))
		copy[0] = '\0';
	for (i = 0; i < 3 && wrong == NULL; i++) {
		if ((part = strsep(&rest, ":")) == NULL)
			wrong = "missing";
		else
			number_set(ps, members[i], (uint64_t)strtonum(part, 0,
			    1000000000, &wrong));
	}
	if (wrong != NULL || rest != NULL)
		error(ps, "max startups: \"%s\" is not begin:rate:full", text);
	else if (ps->conf->startups_begin > ps->conf->startups_full)
		error(ps, "max startups: begin is larger than full");
}

static void
string_set(struct parser *ps, const char *keyword, char *dst, size_t size,
    const char *text)
{
	if (text[0] == '\0')
		error(ps, "%s: an empty string", keyword);
	else if (strlcpy(dst, text, size) >= size) {
		dst[0] = '\0';
		error(ps, "%s: longer than %zu bytes", keyword, size - 1);
	}
}

static void
string(struct parser *ps, const char *keyword, char *dst, size_t size,
    const char *text)
{
	if (once(ps, keyword) == 0)
		string_set(ps, keyword, dst, size, text);
}

static void
file_path(struct parser *ps, const char *keyword, char *dst, size_t size,
    const char *text)
{
	if (text[0] != '/')
		error(ps, "%s: \"%s\" is not an absolute path", keyword, text);
	else
		string(ps, keyword, dst, size, text);
}

static void
store_server(struct parser *ps, const char *text)
{
	char		err[256];
	unsigned	port;

	if (conninfo_check(text, &port, err, sizeof(err)) == -1) {
		error(ps, "store postgresql: %s", err);
		return;
	}
	string(ps, "store postgresql", ps->conf->store_server,
	    sizeof(ps->conf->store_server), text);
	ps->conf->store_port = port;
}

/* What is no table is in files all the same: recordings, the lock. */
static void
store_directory(struct parser *ps, const char *text)
{
	char	path[sizeof(ps->conf->store_path)];

	snprintf(path, sizeof(path), "%s/relayd.db", text);
	file_path(ps, "store ... directory", ps->conf->store_path,
	    sizeof(ps->conf->store_path), path);
}

/* `first` is the array of `many` strings of `size` bytes. */
static void
list(struct parser *ps, const char *keyword, char *first, size_t many,
    size_t size, unsigned *n, const char *text)
{
	unsigned	i;

	for (i = 0; i < *n; i++) {
		if (strcmp(first + i * size, text) != 0)
			continue;
		error(ps, "%s: \"%s\" is given twice", keyword, text);
		return;
	}
	if (*n >= many) {
		error(ps, "%s: more than %zu", keyword, many);
		return;
	}
	string_set(ps, keyword, first + *n * size, size, text);
	(*n)++;
}

static void
tunnel_path(struct parser *ps, const char *text)
{
	struct conf	*c = ps->conf;
	const char	*s;

	for (s = text; *s > 0x20 && *s < 0x7f && strchr("?#%\"", *s) == NULL;
	    s++)
		continue;
	if (text[0] != '/' || *s != '\0')
		error(ps, "path: \"%s\" is not the path of a URL", text);
	else
		list(ps, "path", c->tunnel_path[0], 8,
		    sizeof(c->tunnel_path[0]), &c->n_tunnel_path, text);
}

/* In the directory of the store: authd sees nothing else. */
static void
recording_dir(struct parser *ps, const char *text)
{
	const char	*s;

	for (s = text; isalnum((unsigned char)*s) || *s == '-' || *s == '_';
	    s++)
		continue;
	if (text[0] == '\0' || *s != '\0')
		error(ps, "recording directory: \"%s\" is not a name in the "
		    "directory of the store (letters, digits, - and _)", text);
	else
		string(ps, "recording directory", ps->conf->recording_dir,
		    sizeof(ps->conf->recording_dir), text);
}

/* A name of the DNS, kept in lower case; never changes what it points at. */
static int
is_host(const char *s)
{
	size_t	len = strlen(s), i;

	if (len == 0 || len > 253 || s[0] == '.' || s[0] == '-')
		return (0);
	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
			return (0);
		if (s[i] == '.' && (s[i + 1] == '.' || s[i + 1] == '\0'))
			return (0);
	}
	return (1);
}

static void
proxy_domain(struct parser *ps, char *text)
{
	char	*s;

	for (s = text; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
	if (!is_host(text))
		error(ps, "proxy domain: \"%s\" is not a domain", text);
	else if (strchr(text, '.') == NULL)
		error(ps, "proxy domain: \"%s\" has one label, and browsers "
		    "keep no cookies for such a domain", text);
	else
		string(ps, "proxy domain", ps->conf->proxy_domain,
		    sizeof(ps->conf->proxy_domain), text);
}

/* As browsers send it: scheme://host or scheme://host:port, nothing behind. */
static void
origin(struct parser *ps, const char *text)
{
	struct conf	*c = ps->conf;
	char		 host[256], *port;
	const char	*s = NULL, *wrong = NULL;

	if (strncmp(text, "https://", 8) == 0)
		s = text + 8;
	else if (strncmp(text, "http://", 7) == 0)
		s = text + 7;
	if (s == NULL || strlcpy(host, s, sizeof(host)) >= sizeof(host)) {
		error(ps, "console origin: \"%s\" is not an origin", text);
		return;
	}
	if ((port = strchr(host, ':')) != NULL) {
		*port++ = '\0';
		(void)strtonum(port, 1, 65535, &wrong);
	}
	if (wrong != NULL || !is_host(host))
		error(ps, "console origin: \"%s\" is not an origin", text);
	else
		list(ps, "console origin", c->console_origin[0], 8,
		    sizeof(c->console_origin[0]), &c->n_console_origin, text);
}

static int
has_host_bits(const uint8_t *addr, int len, int max)
{
	for (; len < max; len++)
		if (addr[len / 8] & (0x80 >> len % 8))
			return (1);
	return (0);
}

static void
network(struct parser *ps, const char *keyword, char (*nets)[64],
    unsigned *n, const char *text)
{
	struct in6_addr	 in = { 0 };
	char		 addr[64], *bits;
	const char	*wrong = NULL;
	int		 len, max = 0;

	if (strlcpy(addr, text, sizeof(addr)) >= sizeof(addr))
		addr[0] = '\0';
	if ((bits = strchr(addr, '/')) != NULL)
		*bits++ = '\0';
	if (inet_pton(AF_INET, addr, &in) == 1)
		max = 32;
	else if (inet_pton(AF_INET6, addr, &in) == 1)
		max = 128;
	len = bits != NULL ? (int)strtonum(bits, 0, max, &wrong) : max;
	if (max != 0 && wrong == NULL && has_host_bits(in.s6_addr, len, max))
		error(ps, "%s: \"%s\" has bits behind /%d; a "
		    "network is meant, or the address without /%d?", keyword,
		    text, len, len);
	else if (max == 0 || wrong != NULL)
		error(ps, "%s: \"%s\" is not an address or network", keyword,
		    text);
	else
		list(ps, keyword, nets[0], NETS_MAX, sizeof(nets[0]), n, text);
}

/* Both words may be names of groups elsewhere, so neither is a keyword. */
static void
missing(struct parser *ps, const char *what, const char *who)
{
	if (strcmp(what, "users") != 0 || strcmp(who, "nobody") != 0)
		error(ps, "missing: expected \"missing users nobody\"");
	else
		number(ps, "missing users", "missing_nobody", 1);
}

static void
redis(struct parser *ps, const char *text)
{
	struct redis_url	 url;
	const char		*wrong = redis_url(&url, text);

	if (wrong != NULL) {
		error(ps, "redis: \"%s\": %s", text, wrong);
		return;
	}
	string(ps, "redis", ps->conf->redis_host,
	    sizeof(ps->conf->redis_host), url.host);
	strlcpy(ps->conf->redis_user, url.user,
	    sizeof(ps->conf->redis_user));
	ps->conf->redis_port = url.port;
	ps->conf->redis_number = url.number;
}

/* What may be a part of a channel's name. */
static int
is_plain(const char *s)
{
	while (isalnum((unsigned char)*s) || *s == '-' || *s == '_')
		s++;
	return (*s == '\0');
}

/* "name" is a name for macros, too, and so no keyword. */
static void
member_name(struct parser *ps, const char *what, const char *text)
{
	if (strcmp(what, "name") != 0)
		error(ps, "cluster: \"%s\" is no setting; expected \"name\", "
		    "\"secret file\", \"peer address\" or \"peer tls\"",
		    what);
	else if (!is_plain(text))
		error(ps, "cluster: name: \"%s\" is not a name (letters, "
		    "digits, - and _)", text);
	else
		string(ps, "cluster: name", ps->conf->cluster_name,
		    sizeof(ps->conf->cluster_name), text);
}

/* Where the others find us: a number or a name, which they look up. */
static void
peer_address(struct parser *ps, const char *text, uint64_t port)
{
	const char	*s;

	for (s = text; isalnum((unsigned char)*s) || *s == '-' || *s == '.' ||
	    *s == ':'; s++)
		continue;
	if (*s != '\0') {
		error(ps, "peer address: \"%s\" is no address", text);
		return;
	}
	string(ps, "peer address", ps->conf->cluster_address,
	    sizeof(ps->conf->cluster_address), text);
	number(ps, "peer address ... port", "cluster_port", port);
	if (port == 0)
		error(ps, "peer address: no port");
}

static void
environment(struct parser *ps, const char *text)
{
	if (!is_plain(text))
		error(ps, "redis ... environment: \"%s\" is not a name "
		    "(letters, digits, - and _)", text);
	else
		string(ps, "redis ... environment",
		    ps->conf->redis_environment,
		    sizeof(ps->conf->redis_environment), text);
}

/* Identity providers. */

static const char *const	issuer_words[] = {
#define X(NAME, word)	word,
	ISSUER_WORDS(X)
#undef X
};

/*
 * Where it is found: https, and nothing behind the path. What comes from there
 * says who somebody is, so that plain http is for nobody.
 */
static int
is_https(const char *s)
{
	char	 host[256];
	size_t	 len;

	if (strncmp(s, "https://", 8) != 0)
		return (0);
	s += 8;
	len = strcspn(s, ":/");
	if (len >= sizeof(host))
		return (0);
	memcpy(host, s, len);
	host[len] = '\0';
	if (!is_host(host))
		return (0);
	s += len;
	if (*s == ':' && strspn(s + 1, "0123456789") != strcspn(s + 1, "/"))
		return (0);
	for (; *s > 0x20 && *s < 0x7f && strchr("?#\"\\", *s) == NULL; s++)
		continue;
	return (*s == '\0');
}

static void
issuer_begin(struct parser *ps, const char *url)
{
	struct conf	*c = ps->conf;
	unsigned	 n = c->n_issuer;

	ps->nrules = c->n_issuer_rule;
	if (!is_https(url))
		error(ps, "oidc issuer: \"%s\" is not an https URL without "
		    "\"?\" and \"#\"", url);
	list(ps, "oidc issuer", c->issuer[0], CONF_ISSUERS_MAX,
	    sizeof(c->issuer[0]), &c->n_issuer, url);
	if (c->n_issuer > n) {
		c->issuer_keys[n][0] = '\0';
		c->n_issuer_keys = c->n_issuer;
	}
}

/* Where the console signs in, and as which client. */
static void
issuer_console(struct parser *ps, const char *client)
{
	struct conf	*c = ps->conf;

	if (c->n_issuer == 0)
		return;			/* said already */
	string(ps, "console client", c->console_client,
	    sizeof(c->console_client), client);
	strlcpy(c->console_issuer, c->issuer[c->n_issuer - 1],
	    sizeof(c->console_issuer));
}

static void
issuer_keys(struct parser *ps, const char *url)
{
	struct conf	*c = ps->conf;
	char		*keys;

	if (c->n_issuer == 0)
		return;			/* said already */
	keys = c->issuer_keys[c->n_issuer - 1];
	if (keys[0] != '\0')
		error(ps, "keys: given twice");
	else if (!is_https(url))
		error(ps, "keys: \"%s\" is not an https URL without \"?\" "
		    "and \"#\"", url);
	else
		string_set(ps, "keys", keys, sizeof(c->issuer_keys[0]), url);
}

/* The words that a claim can stand for. */
static int
is_subject(enum issuer_word what, const char *word)
{
	static const struct {
		const char	*word;
		int		 claim, fixed, map;
	} words[] = {
		{ "user", 1, 0, 0 }, { "name", 1, 0, 0 },
		{ "organization", 1, 1, 1 }, { "role", 1, 1, 1 },
		{ "permission", 1, 0, 1 },
	};
	size_t	i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, word) == 0)
			return (what == ISSUER_CLAIM ? words[i].claim :
			    what == ISSUER_FIXED ? words[i].fixed :
			    words[i].map);
	return (0);
}

static void
issuer_rule(struct parser *ps, enum issuer_word what, const char *subject,
    const char *a, const char *b)
{
	struct conf	*c = ps->conf;
	const char	*word = issuer_words[what];
	char		*rule;
	int		 n;

	if (c->n_issuer == 0)
		return;
	if (subject != NULL && !is_subject(what, subject)) {
		error(ps, "%s: \"%s\" is not %s", word, subject,
		    what == ISSUER_FIXED ? "organization or role" :
		    what == ISSUER_MAP ? "organization, role or permission" :
		    "user, name, organization, role or permission");
		return;
	}
	if (a[0] == '\0' || strpbrk(a, "\t\n") != NULL ||
	    strpbrk(b, "\t\n") != NULL) {
		error(ps, "%s: empty, or with a tab in it", word);
		return;
	}
	if (c->n_issuer_rule == CONF_RULES_MAX) {
		error(ps, "oidc issuer: more than %d lines in all",
		    CONF_RULES_MAX);
		return;
	}
	rule = c->issuer_rule[c->n_issuer_rule];
	n = snprintf(rule, RULE_SIZE, "%u\t%s\t%s\t%s\t%s", c->n_issuer - 1,
	    word, subject != NULL ? subject : "", a, b);
	if (n < 0 || n >= RULE_SIZE)
		error(ps, "%s: too long", word);
	else
		c->n_issuer_rule++;
}

/* Without an audience every token of the provider's would do, for whomever. */
static void
issuer_end(struct parser *ps)
{
	struct conf	*c = ps->conf;
	unsigned	 i;

	for (i = ps->nrules; i < c->n_issuer_rule; i++)
		if (strstr(c->issuer_rule[i], "\taudience\t") != NULL)
			return;
	error(ps, "oidc issuer: no audience, so that a token for any other "
	    "program would do");
}

/* 127.0.0.0/8 and ::1. */
static int
is_loopback(const char *address)
{
	struct in6_addr	in;

	if (inet_pton(AF_INET, address, &in) == 1)
		return (in.s6_addr[0] == 127);
	return (inet_pton(AF_INET6, address, &in) == 1 &&
	    IN6_IS_ADDR_LOOPBACK(&in));
}

/* What kind of listener is that? 0, or -1: none. */
static int
listener_kind(struct parser *ps, const char *address, uint64_t flags)
{
	if ((flags & LISTEN_METRICS) &&
	    (flags & (LISTEN_INTERNAL | LISTEN_TUNNEL | LISTEN_PAIR |
	    LISTEN_RELAY)))
		error(ps, "listen: a listener for metrics is for nothing else");
	else if ((flags & LISTEN_RELAY) && !(flags & LISTEN_ONLY))
		error(ps, "listen: relay sessions are on each front listener; "
		    "\"relay only\" has nothing else");
	else if ((flags & (LISTEN_PAIR | LISTEN_RELAY)) &&
	    (flags & (LISTEN_INTERNAL | LISTEN_TUNNEL)))
		error(ps, "listen: nobody pairs or meets on an internal or "
		    "tunnel listener");
	else if ((flags & LISTEN_ONLY) &&
	    !(flags & (LISTEN_PAIR | LISTEN_RELAY)))
		error(ps, "listen: only what? \"pair only\"");
	else if ((flags & LISTEN_ADMIN) && (flags & (LISTEN_INTERNAL |
	    LISTEN_TUNNEL | LISTEN_METRICS | LISTEN_PAIR | LISTEN_RELAY)))
		error(ps, "listen: a listener for admin is for nothing else");
	else if ((flags & LISTEN_PEER) && flags != LISTEN_PEER)
		error(ps, "listen: a listener for peers is for nothing else");
	else if ((flags & LISTEN_PROXY) && (flags & LISTEN_METRICS))
		error(ps, "listen: metrics know no proxy protocol");
	else if ((flags & LISTEN_PUBLIC) && !(flags & LISTEN_METRICS))
		error(ps, "listen: only metrics are public or not");
	else if ((flags & LISTEN_METRICS) && !(flags & LISTEN_PUBLIC) &&
	    !is_loopback(address))
		error(ps, "listen: metrics ask for no password, and %s is not "
		    "of this machine alone; \"metrics public\" says that this "
		    "is meant", address);
	else
		return (0);
	return (-1);
}

static int
listener_is_new(struct parser *ps, const struct conf_listen *l, unsigned n,
    const char *address, uint64_t port)
{
	for (; n > 0; n--, l++) {
		if (port == 0 || l->port != port ||
		    strcmp(l->address, address) != 0)
			continue;
		error(ps, "listen: %s port %llu is given twice", address,
		    (unsigned long long)port);
		return (0);
	}
	return (1);
}

static void
log_format(struct parser *ps, const char *word)
{
	if (strcmp(word, "text") != 0 && strcmp(word, "json") != 0)
		error(ps, "log format: expected \"text\" or \"json\"");
	else
		number(ps, "log format", "log_json", *word == 'j');
}

static void
listener(struct parser *ps, const char *address, uint64_t port, uint64_t flags)
{
	struct conf		*c = ps->conf;
	struct conf_listen	*l;
	struct in6_addr		 in;
	int			 metrics = (flags & LISTEN_METRICS) != 0;
	unsigned		 most = metrics ? CONF_METRICS_MAX :
				    CONF_LISTEN_MAX;
	unsigned		*n = metrics ? &c->n_metrics : &c->n_listen;

	ps->listen = NULL;
	if (inet_pton(AF_INET, address, &in) != 1 &&
	    inet_pton(AF_INET6, address, &in) != 1) {
		error(ps, "listen: \"%s\" is not an IPv4 or IPv6 address",
		    address);
		return;
	}
	if (port > 65535) {
		error(ps, "listen: port %llu is out of range 0 to 65535",
		    (unsigned long long)port);
		return;
	}
	if (listener_kind(ps, address, flags) == -1 ||
	    !listener_is_new(ps, c->listen, c->n_listen, address, port) ||
	    !listener_is_new(ps, c->metrics, c->n_metrics, address, port))
		return;
	if (*n >= most) {
		error(ps, "listen: more than %u", most);
		return;
	}
	l = metrics ? &c->metrics[(*n)++] : &c->listen[(*n)++];
	strlcpy(l->address, address, sizeof(l->address));
	l->port = (uint16_t)port;
	l->flags = (uint32_t)flags;
	ps->listen = l;
}

/* The place of the newest listener with tls among these. */
static unsigned
tls_place(const struct conf *c)
{
	unsigned	i, n = 0;

	for (i = 0; i < c->n_listen; i++)
		n += (c->listen[i].flags & LISTEN_TLS) != 0;
	return (n - 1);
}

/*
 * What comes by TLS is from elsewhere, and what tlsd says of its listener is
 * believed as far as that.
 */
static void
tls_begin(struct parser *ps)
{
	if (ps->listen == NULL)
		return;			/* said already */
	if (ps->listen->flags & ~(uint32_t)(LISTEN_TUNNEL | LISTEN_PAIR |
	    LISTEN_RELAY | LISTEN_ONLY | LISTEN_PROXY | LISTEN_PEER))
		error(ps, "listen: tls is for the front, for tunnels and for "
		    "peers");
	else
		ps->listen->flags |= LISTEN_TLS;
}

static void
tls_end(struct parser *ps)
{
	const struct conf	*c = ps->conf;
	unsigned		 i;

	if (ps->listen == NULL || !(ps->listen->flags & LISTEN_TLS))
		return;
	for (i = 0; i < c->n_cert; i++)
		if (c->cert[i].listeners & (1U << tls_place(c)))
			return;
	if (ps->errors == 0)
		error(ps, "tls: no \"cert ... key ...\"");
}

/* One that another listener has, too, is the same one. */
static void
certificate(struct parser *ps, const char *chain, const char *key)
{
	struct conf		*c = ps->conf;
	struct conf_cert	*ce = c->cert;
	unsigned		 i, mask;

	if (ps->listen == NULL || !(ps->listen->flags & LISTEN_TLS))
		return;
	mask = 1U << tls_place(c);
	for (i = 0; i < c->n_cert; i++, ce++) {
		if (strcmp(ce->chain, chain) != 0)
			continue;
		if (strcmp(ce->key, key) != 0 || (ce->listeners & mask))
			error(ps, "cert: \"%s\" is given twice", chain);
		ce->listeners |= mask;
		return;
	}
	if (c->n_cert == CONF_CERTS_MAX)
		error(ps, "cert: more than %d", CONF_CERTS_MAX);
	else if (chain[0] != '/' || key[0] != '/')
		error(ps, "cert: \"%s\" is not an absolute path",
		    chain[0] != '/' ? chain : key);
	else if (strlcpy(ce->chain, chain, sizeof(ce->chain)) >=
	    sizeof(ce->chain) || strlcpy(ce->key, key, sizeof(ce->key)) >=
	    sizeof(ce->key))
		error(ps, "cert: longer than %zu bytes", sizeof(ce->key) - 1);
	else {
		ce->listeners = mask;
		c->n_cert++;
	}
}

/* rendezvous-protocol.md, section 5 */
static void
allow_origin(struct parser *ps, const char *text)
{
	struct conf	*c = ps->conf;
	size_t		 i;
	int		 open = 0;

	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] == '\\' && text[++i] == '\0')
			break;
		else if (text[i] == '[' && !open && text[i + 1] != '\0')
			open = 1;
		else if (text[i] == ']')
			open = 0;
	}
	if (i == 0 || open || (i > 0 && text[i - 1] == '\\' && text[i] == '\0' &&
	    (i < 2 || text[i - 2] != '\\')))
		error(ps, "allow origin: \"%s\" is no pattern", text);
	else
		list(ps, "allow origin", c->relay_origin[0], 16,
		    sizeof(c->relay_origin[0]), &c->n_relay_origin, text);
}

/* rendezvous-protocol.md, section 8: who needs no token needs to be near. */
static void
check_no_auth(struct parser *ps, const char *name)
{
	const struct conf	*c = ps->conf;
	char			 text[ADDR_SIZE + 160];
	unsigned		 i;

	for (i = 0; i < c->n_listen; i++)
		if ((c->listen[i].flags & LISTEN_ADMIN) &&
		    (c->listen[i].flags & LISTEN_TLS))
			report(ps, name, 0, "listen: admin has no tls");
	if (c->relay && c->relay_no_auth == 0 && c->n_issuer == 0)
		report(ps, name, 0, "relay: \"oidc issuer\" is needed, or "
		    "\"no auth\"");
	for (i = 0; i < c->n_listen && c->relay && c->relay_no_auth == 1;
	    i++) {
		if (is_loopback(c->listen[i].address) ||
		    (c->listen[i].flags & (LISTEN_INTERNAL | LISTEN_TUNNEL)))
			continue;
		snprintf(text, sizeof(text), "relay: no auth: whoever reaches "
		    "%s could make sessions; \"no auth\" twice says that this "
		    "is meant", c->listen[i].address);
		report(ps, name, 0, text);
	}
}

/* Who may say whose a connection is has to be said. */
static void
check_brought(struct parser *ps, const char *name)
{
	const struct conf	*c = ps->conf;
	unsigned		 i;

	for (i = 0; i < c->n_listen && c->n_trusted_proxy == 0; i++)
		if (c->listen[i].flags & LISTEN_PROXY) {
			report(ps, name, 0, "listen: proxy protocol is taken "
			    "from a \"trusted proxy\", and there is none");
			break;
		}
}

/* authd sees nothing but the store's directory. */
static void
check_socket(struct parser *ps, const char *name)
{
	const char	*store = ps->conf->store_path, *dir;
	size_t		 len, n = (size_t)(strrchr(store, '/') + 1 - store);

	dir = conninfo_socket(ps->conf->store_server, &len);
	if (dir != NULL && (len <= n || strncmp(dir, store, n) != 0))
		report(ps, name, 0, "store postgresql: the socket has to be "
		    "in a directory in the store's");
	if (dir != NULL && ps->conf->store_ca_file[0] != '\0')
		report(ps, name, 0, "store postgresql: a socket has no TLS");
}

/* All that members say to each other is in TLS, or none of it. */
static void
check_peers(struct parser *ps, const char *name)
{
	const struct conf	*c = ps->conf;
	int			 want = c->cluster_ca_file[0] != '\0';
	unsigned		 i, n = 0;

	for (i = 0; i < c->n_listen; i++) {
		if (!(c->listen[i].flags & LISTEN_PEER))
			continue;
		n++;
		if (((c->listen[i].flags & LISTEN_TLS) != 0) == want)
			continue;
		report(ps, name, 0, want ? "listen: peer: with \"peer tls\" "
		    "it needs \"tls { cert ... key ... }\"" : "listen: peer: "
		    "tls needs \"peer tls ca file\" in cluster { }");
		return;
	}
	if (want && n == 0)
		report(ps, name, 0, "cluster: peer tls: there is no \"listen on "
		    "... peer tls { ... }\"");
}

/* The members of a cluster have one store, and hear each other by Redis. */
static void
check_cluster(struct parser *ps, const char *name)
{
	const struct conf	*c = ps->conf;
	unsigned		 i;

	for (i = 0; i < c->n_listen && !ps->cluster; i++)
		if (c->listen[i].flags & LISTEN_PEER) {
			report(ps, name, 0, "listen: peer: there is no "
			    "cluster");
			break;
		}
	if (!ps->cluster)
		return;
	if (c->cluster_name[0] == '\0')
		report(ps, name, 0, "cluster: a name is needed");
	if (c->cluster_secret_file[0] == '\0')
		report(ps, name, 0, "cluster: a secret file is needed");
	if (c->cluster_address[0] == '\0')
		report(ps, name, 0, "cluster: a peer address is needed");
	if (c->store_server[0] == '\0' && ps->errors == 0)
		report(ps, name, 0, "cluster: SQLite serves one relayd only: "
		    "\"store postgresql\" is needed");
	if (c->redis_host[0] == '\0')
		report(ps, name, 0, "cluster: \"redis\" is needed");
	check_peers(ps, name);
}

/* Entry. */

static void
finish(struct parser *ps, const char *name)
{
	struct conf	*c = ps->conf;

	if (c->n_tunnel_path == 0) {
		c->n_tunnel_path = 2;
		strlcpy(c->tunnel_path[0], "/support/api/tunnel",
		    sizeof(c->tunnel_path[0]));
		strlcpy(c->tunnel_path[1], "/api/tunnel",
		    sizeof(c->tunnel_path[1]));
	}
	if (c->n_listen == 0 && ps->errors == 0)
		report(ps, name, 0, "no \"listen on ... port ...\"");
	check_no_auth(ps, name);
	check_brought(ps, name);
	check_socket(ps, name);
	check_cluster(ps, name);
	if (c->penalty_min > c->penalty_max)
		report(ps, name, 0, "penalty min is longer than penalty max");
	if (c->recording_each > c->recording_max)
		report(ps, name, 0,
		    "recording directory: each is more than max");
	if (c->looking_path[0] != '\0' &&
	    strcmp(c->looking_path, c->control_path) == 0)
		report(ps, name, 0,
		    "control socket ... read only: needs a path of its own");
}

static int
parse(struct conf *conf, const char *name, const char *text, size_t len,
    cfg_error_fn fn, void *arg)
{
	struct parser	ps = { .conf = conf, .error = fn, .arg = arg };
	const char	*unused;
	char		why[LEX_WORD_MAX];
	int		r, line;

	conf_init(conf);
	if ((ps.lex = lex_new(report, warning, &ps)) == NULL) {
		report(&ps, name, 0, "out of memory");
		return (ps.errors);
	}
	if (text == NULL) {
		lex_allow_include(ps.lex);
		r = lex_push_file(ps.lex, name);
	} else
		r = lex_push_text(ps.lex, name, text, len);
	if (r == 0 && yyparse(&ps) != 0 && ps.errors == 0)
		report(&ps, name, 0, "not understood");
	if (ps.errors == 0 && (unused = lex_unused(ps.lex, &line)) != NULL) {
		snprintf(why, sizeof(why), "\"%.256s = ...\" is a macro that "
		    "nothing uses; a setting has no \"=\"", unused);
		report(&ps, name, line, why);
	}
	lex_free(ps.lex);
	finish(&ps, name);
	return (ps.errors);
}

int
cfg_parse_file(struct conf *conf, const char *path, cfg_error_fn fn, void *arg)
{
	return (parse(conf, path, NULL, 0, fn, arg));
}

int
cfg_parse_text(struct conf *conf, const char *name, const char *text,
    size_t len, cfg_error_fn fn, void *arg)
{
	return (parse(conf, name, text, len, fn, arg));
}
