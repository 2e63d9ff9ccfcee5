/* SPDX-License-Identifier: ISC */
/* The lexer of relayd.conf(5), apart from its grammar. */
#include <sys/queue.h>
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cfg.h"
#include "base/compat.h"
#include "lex.h"
#include "parse.h"

#define MACROS_MAX	256
#define GIVEN_MAX	16	/* by the command line */
#define NAME_MAX_GIVEN	64

struct source {
	TAILQ_ENTRY(source)	 entry;
	char			*name;	/* of the file */
	char			*text;
	size_t			 len, pos;
	int			 line;
	int			 braces;	/* open ones */
	int			 open_line;	/* of the newest */
	int			 ended;		/* its last '\n' was given */
	int			 is_macro;
};

struct macro {
	TAILQ_ENTRY(macro)	 entry;
	char			*name, *text;
	int			 line, used, given;
};

struct lex {
	/* set once */
	lex_say_fn		 error, warning;
	void			*arg;
	int			 may_include;
	/* state */
	TAILQ_HEAD(, source)	 sources;	/* the first is on top */
	int			 depth;
	TAILQ_HEAD(, macro)	 macros;
	int			 nmacros;
	int			 is_value;	/* what comes is a macro's text */
	/* the last token; files may be gone when it is reported */
	char			 text[LEX_WORD_MAX];
	char			 file[LEX_WORD_MAX];
	int			 line;
};

static const struct keyword {
	const char	*word;
	int		 token;
} keywords[] = {
	/* Sorted: looked up with bsearch(3). */
	{ "acme",	ACME },
	{ "address",	ADDRESS },
	{ "admin",	ADMIN },
	{ "allow",	ALLOW },
	{ "api",	API },
	{ "audience",	AUDIENCE },
	{ "audit",	AUDIT },
	{ "auth",	AUTH },
	{ "authfail",	AUTHFAIL },
	{ "base",	BASE },
	{ "ca",		CA },
	{ "cert",	CERT },
	{ "check",	CHECK },
	{ "claim",	CLAIM },
	{ "client",	CLIENT },
	{ "clock",	CLOCK },
	{ "cluster",	CLUSTER },
	{ "connections",	CONNECTIONS },
	{ "console",	CONSOLE },
	{ "control",	CONTROL },
	{ "cookies",	COOKIES },
	{ "crash",	CRASH },
	{ "credit",	CREDIT },
	{ "directory",	DIRECTORY },
	{ "domain",	DOMAIN },
	{ "drain",	DRAIN },
	{ "each",	EACH },
	{ "environment",	ENVIRONMENT },
	{ "exempt",	EXEMPT },
	{ "file",	FILE_ },
	{ "fixed",	FIXED },
	{ "format",	FORMAT },
	{ "frame",	FRAME },
	{ "free",	FREE },
	{ "grace",	GRACE },
	{ "group",	GROUP },
	{ "http",	HTTP },
	{ "https",	HTTPS },
	{ "id",		ID },
	{ "idle",	IDLE },
	{ "include",	INCLUDE },
	{ "internal",	INTERNAL },
	{ "interval",	INTERVAL },
	{ "issuer",	ISSUER },
	{ "jwt",	JWT },
	{ "keep",	KEEP },
	{ "key",	KEY },
	{ "keys",	KEYS },
	{ "lifetime",	LIFETIME },
	{ "limit",	LIMIT },
	{ "listen",	LISTEN },
	{ "live",	LIVE },
	{ "log",	LOG },
	{ "loopback",	LOOPBACK },
	{ "map",		MAP },
	{ "max",	MAX },
	{ "message",	MESSAGE },
	{ "metrics",	METRICS },
	{ "min",	MIN },
	{ "missing",	MISSING },
	{ "no",		NO },
	{ "noauth",	NOAUTH },
	{ "oidc",	OIDC },
	{ "on",		ON },
	{ "only",	ONLY },
	{ "operator",	OPERATOR },
	{ "origin",	ORIGIN },
	{ "pair",	PAIR },
	{ "paired",	PAIRED },
	{ "password",	PASSWORD },
	{ "path",	PATH },
	{ "peer",	PEER },
	{ "penalty",	PENALTY },
	{ "per",	PER },
	{ "ping",	PING },
	{ "port",	PORT },
	{ "postgresql",	POSTGRESQL },
	{ "prefix",	PREFIX },
	{ "protocol",	PROTOCOL },
	{ "proxied",	PROXIED },
	{ "proxy",	PROXY },
	{ "proxyd",	PROXYD },
	{ "public",	PUBLIC },
	{ "rate",	RATE },
	{ "read",	READ },
	{ "reap",	REAP },
	{ "reconnect",	RECONNECT },
	{ "record",	RECORD },
	{ "recording",	RECORDING },
	{ "recordings",	RECORDINGS },
	{ "redis",	REDIS },
	{ "refresh",	REFRESH },
	{ "refusals",	REFUSALS },
	{ "relay",	RELAY },
	{ "replace",	REPLACE },
	{ "require",	REQUIRE },
	{ "resource",	RESOURCE },
	{ "resume",	RESUME },
	{ "scheme",	SCHEME },
	{ "scope",	SCOPE },
	{ "script",	SCRIPT },
	{ "secret",	SECRET },
	{ "session",	SESSION },
	{ "sessions",	SESSIONS },
	{ "skew",	SKEW },
	{ "slot",	SLOT },
	{ "socket",	SOCKET },
	{ "sqlite",	SQLITE },
	{ "stall",	STALL },
	{ "start-up",	STARTUP },
	{ "startups",	STARTUPS },
	{ "store",	STORE },
	{ "streams",	STREAMS },
	{ "subject",	SUBJECT },
	{ "system",	SYSTEM },
	{ "targets",	TARGETS },
	{ "tcp",	TCP },
	{ "terminal",	TERMINAL },
	{ "terminals",	TERMINALS },
	{ "ticket",	TICKET },
	{ "time",	TIME },
	{ "timeout",	TIMEOUT },
	{ "tls",	TLS },
	{ "tlsd",	TLSD },
	{ "to",		TO },
	{ "token",	TOKEN },
	{ "tokens",	TOKENS },
	{ "trusted",	TRUSTED },
	{ "tunnel",	TUNNEL },
	{ "tunnels",	TUNNELS },
	{ "unknown",	UNKNOWN },
	{ "url",		URL },
	{ "wait",	WAIT },
	{ "yes",	YES },
};

static void		 source_free(struct lex *, struct source *);
static struct source	*source_push(struct lex *, const char *, char *,
			    size_t);
static int		 token_quoted(struct lex *, union lex_value *);
static int		 token_word(struct lex *, union lex_value *);
static int		 token_macro(struct lex *);
static int		 token_end(struct lex *);
static int		 define_given(struct lex *);

static const char	*given[GIVEN_MAX];	/* cfg_define() */
static unsigned		 ngiven;
static int		 word_token(struct lex *, union lex_value *);
static int		 word_number(struct lex *, union lex_value *);

struct lex *
lex_new(lex_say_fn error, lex_say_fn warning, void *arg)
{
	struct lex	*lx;

	if ((lx = calloc(1, sizeof(*lx))) == NULL)
		return (NULL);
	lx->error = error;
	lx->warning = warning;
	lx->arg = arg;
	TAILQ_INIT(&lx->sources);
	TAILQ_INIT(&lx->macros);
	if (define_given(lx) == 0)
		return (lx);
	lex_free(lx);
	return (NULL);
}

void
lex_free(struct lex *lx)
{
	struct source	*s;
	struct macro	*m;

	if (lx == NULL)
		return;
	while ((s = TAILQ_FIRST(&lx->sources)) != NULL)
		source_free(lx, s);
	while ((m = TAILQ_FIRST(&lx->macros)) != NULL) {
		TAILQ_REMOVE(&lx->macros, m, entry);
		free(m->name);
		free(m->text);
		free(m);
	}
	free(lx);
}

void
lex_allow_include(struct lex *lx)
{
	lx->may_include = 1;
}

const char *
lex_text(const struct lex *lx)
{
	return (lx->text);
}

const char *
lex_file(const struct lex *lx)
{
	return (lx->file);
}

int
lex_line(const struct lex *lx)
{
	return (lx->line);
}

/* An error at the last token; `what` is quoted when it is not NULL. */
static void
lex_error(struct lex *lx, const char *what, const char *text)
{
	char	line[LEX_WORD_MAX + 256];

	if (what != NULL)
		snprintf(line, sizeof(line), "\"%s\": %s", what, text);
	else
		strlcpy(line, text, sizeof(line));
	lx->error(lx->arg, lx->file, lx->line, line);
}

/* Sources. */

static struct source *
source_push(struct lex *lx, const char *name, char *text, size_t len)
{
	struct source	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->name = strdup(name)) == NULL) {
		free(s);
		free(text);
		lex_error(lx, NULL, "out of memory");
		return (NULL);
	}
	s->text = text;
	s->len = len;
	s->line = 1;
	TAILQ_INSERT_HEAD(&lx->sources, s, entry);
	lx->depth++;
	return (s);
}

static void
source_free(struct lex *lx, struct source *s)
{
	TAILQ_REMOVE(&lx->sources, s, entry);
	lx->depth--;
	free(s->name);
	free(s->text);
	free(s);
}

int
lex_push_text(struct lex *lx, const char *name, const char *text, size_t len)
{
	char	*copy;

	if ((copy = malloc(len + 1)) == NULL) {
		lex_error(lx, NULL, "out of memory");
		return (-1);
	}
	memcpy(copy, text, len);
	return (source_push(lx, name, copy, len) == NULL ? -1 : 0);
}

/* The whole file, or NULL with errno. */
static char *
file_read(const char *path, size_t *len)
{
	char		*text;
	ssize_t		 n = 0;
	int		 fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		return (NULL);
	*len = 0;
	if ((text = malloc(CFG_FILE_MAX + 1)) != NULL) {
		while (*len <= CFG_FILE_MAX && (n = read(fd, text + *len,
		    CFG_FILE_MAX + 1 - *len)) > 0)
			*len += (size_t)n;
		if (n >= 0 && *len > CFG_FILE_MAX) {
			errno = EFBIG;
			n = -1;
		}
	}
	close(fd);
	if (text != NULL && n == -1) {
		free(text);
		text = NULL;
	}
	return (text);
}

int
lex_push_file(struct lex *lx, const char *path)
{
	struct source	*top = TAILQ_FIRST(&lx->sources);
	char		 full[LEX_WORD_MAX * 2], *text;
	const char	*beside = "", *slash;
	size_t		 len;
	int		 dir = 0;

	if (top == NULL)
		strlcpy(lx->file, path, sizeof(lx->file));
	else if (path[0] != '/' && (slash = strrchr(top->name, '/')) != NULL) {
		beside = top->name;
		dir = (int)(slash - beside) + 1;
	}
	snprintf(full, sizeof(full), "%.*s%s", dir, beside, path);
	if (top != NULL && !lx->may_include) {
		lex_error(lx, path, "files cannot be included here");
		return (-1);
	}
	if (lx->depth >= LEX_DEPTH_MAX) {
		lex_error(lx, path, "files are included too deeply");
		return (-1);
	}
	if ((text = file_read(full, &len)) == NULL) {
		lex_error(lx, top != NULL ? full : NULL, strerror(errno));
		return (-1);
	}
	return (source_push(lx, full, text, len) == NULL ? -1 : 0);
}

/* NULL: out of memory, or an error that was reported. */
static struct macro *
macro_new(struct lex *lx, const char *name, const char *text)
{
	struct macro	*m;

	if (lx->nmacros >= MACROS_MAX) {
		lex_error(lx, name, "too many macros");
		return (NULL);
	}
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (NULL);
	m->line = lx->line;
	m->name = strdup(name);
	m->text = strdup(text);
	if (m->name == NULL || m->text == NULL) {
		free(m->name);
		free(m->text);
		free(m);
		return (NULL);
	}
	TAILQ_INSERT_HEAD(&lx->macros, m, entry);	/* the newest counts */
	lx->nmacros++;
	return (m);
}

int
lex_define(struct lex *lx, const char *name, const char *text)
{
	struct macro	*m;

	TAILQ_FOREACH(m, &lx->macros, entry)
		if (m->given && strcmp(m->name, name) == 0)
			return (0);
	return (macro_new(lx, name, text) == NULL ? -1 : 0);
}

int
cfg_define(const char *macro)
{
	size_t	n = 0;

	while (isalnum((unsigned char)macro[n]) || macro[n] == '_' ||
	    (macro[n] == '-' && n > 0))
		n++;
	if (n == 0 || macro[n] != '=' || n >= NAME_MAX_GIVEN ||
	    ngiven == GIVEN_MAX)
		return (-1);
	given[ngiven++] = macro;
	return (0);
}

/* They count as used: one file may be for several daemons. */
static int
define_given(struct lex *lx)
{
	struct macro	*m;
	char		 name[NAME_MAX_GIVEN];
	const char	*text;
	unsigned	 i;

	for (i = 0; i < ngiven; i++) {
		text = strchr(given[i], '=') + 1;
		strlcpy(name, given[i], (size_t)(text - given[i]));
		if ((m = macro_new(lx, name, text)) == NULL)
			return (-1);
		m->given = m->used = 1;
	}
	return (0);
}

const char *
lex_unused(struct lex *lx, int *line)
{
	const struct macro	*m, *first = NULL;

	TAILQ_FOREACH(m, &lx->macros, entry)
		if (!m->used)
			first = m;
	if (first == NULL)
		return (NULL);
	*line = first->line;
	return (first->name);
}

/* Characters. */

/* The next one of the source on top, or -1 at its end; it stays there. */
static int
peek(struct lex *lx)
{
	struct source	*s = TAILQ_FIRST(&lx->sources);

	/* A backslash at the end of a line joins it with the next. */
	while (s != NULL && s->len - s->pos >= 2 && s->text[s->pos] == '\\' &&
	    s->text[s->pos + 1] == '\n') {
		s->pos += 2;
		s->line++;
	}
	if (s == NULL || s->pos == s->len)
		return (-1);
	return ((unsigned char)s->text[s->pos]);
}

static int
take(struct lex *lx)
{
	struct source	*s = TAILQ_FIRST(&lx->sources);
	int		 c = peek(lx);

	if (c != -1)
		s->pos++;
	if (c == '\n')
		s->line++;
	return (c);
}

static int
is_word(int c)
{
	return (c > 0x20 && c < 0x7f && strchr("{}\"#=$", c) == NULL);
}

/* Under the macros. */
static struct source *
file_on_top(struct lex *lx)
{
	struct source	*s;

	TAILQ_FOREACH(s, &lx->sources, entry)
		if (!s->is_macro)
			break;
	return (s);
}

/* Where the token that begins now stands: in a macro, where it was used. */
static void
mark(struct lex *lx)
{
	struct source	*s = file_on_top(lx);

	if (s == NULL)
		return;
	strlcpy(lx->file, s->name, sizeof(lx->file));
	lx->line = s->line;
	lx->text[0] = '\0';
}

/* Tokens. */

int
lex_next(struct lex *lx, union lex_value *v)
{
	int	c;

	for (;;) {
		while ((c = peek(lx)) == ' ' || c == '\t' || c == '\r')
			(void)take(lx);
		if (c == '#') {
			while ((c = peek(lx)) != '\n' && c != -1)
				(void)take(lx);
			continue;
		}
		mark(lx);
		if (c != -1 && c != '$')
			break;
		if ((c = c == -1 ? token_end(lx) : token_macro(lx)) != -1)
			return (c);
	}
	if (is_word(c))
		return (token_word(lx, v));
	lx->is_value = c == '=';
	(void)take(lx);
	if (c == '"')
		return (token_quoted(lx, v));
	snprintf(lx->text, sizeof(lx->text), "%c", c);
	if (c == '{' || c == '}')
		file_on_top(lx)->braces += c == '{' ? 1 : -1;
	if (c == '{')
		file_on_top(lx)->open_line = lx->line;
	if (c == '{' || c == '}' || c == '=' || c == '\n')
		return (c);
	snprintf(lx->text, sizeof(lx->text), "byte 0x%02x cannot stand here",
	    (unsigned)c);
	lex_error(lx, NULL, lx->text);
	return (BADTOKEN);
}

/* Told where it opens, since where the file ends helps nobody. */
static void
lex_open(struct lex *lx, const struct source *s)
{
	lx->line = s->open_line;
	lex_error(lx, NULL, "this \"{\" is not closed");
}

/* The source on top is used up: 0 after the last, '\n' after a file, or -1. */
static int
token_end(struct lex *lx)
{
	struct source	*s = TAILQ_FIRST(&lx->sources);

	if (s == NULL)
		return (0);
	if (!s->is_macro && !s->ended) {
		s->ended = 1;
		if (s->braces > 0)
			lex_open(lx, s);
		strlcpy(lx->text, "\n", sizeof(lx->text));
		return ('\n');
	}
	source_free(lx, s);
	return (-1);
}

/* The newest of this name, of n bytes; NULL: there is none. */
static struct macro *
macro_find(struct lex *lx, const char *name, size_t n)
{
	struct macro	*m;

	TAILQ_FOREACH(m, &lx->macros, entry)
		if (strlen(m->name) == n && memcmp(m->name, name, n) == 0)
			break;
	return (m);
}

static int
is_macro_name(int c)
{
	return (isalnum(c) || c == '_' || c == '-');
}

static int
token_macro(struct lex *lx)
{
	struct source	*s = TAILQ_FIRST(&lx->sources);
	struct macro	*m;
	char		*text;
	size_t		 n = 0;
	int		 c;

	lx->text[n++] = (char)take(lx);
	while (is_macro_name(c = peek(lx)) && n < sizeof(lx->text) - 1)
		lx->text[n++] = (char)take(lx);
	lx->text[n] = '\0';
	m = macro_find(lx, lx->text + 1, n - 1);
	if (m == NULL || s->is_macro) {
		lex_error(lx, lx->text, m == NULL ? "no such macro" :
		    "a macro cannot use another");
		return (BADTOKEN);
	}
	m->used = 1;
	if ((text = strdup(m->text)) == NULL ||
	    (s = source_push(lx, s->name, text, strlen(text))) == NULL)
		return (BADTOKEN);
	s->is_macro = 1;
	return (-1);
}

static int
token_string(struct lex *lx, union lex_value *v, int token)
{
	if ((v->string = strdup(lx->text)) == NULL) {
		lex_error(lx, NULL, "out of memory");
		return (BADTOKEN);
	}
	return (token);
}

/* As in pf.conf(5) a string is left alone; but whoever hopes is told. */
static void
macros_quoted(struct lex *lx)
{
	const struct macro	*m;
	const char		*p = lx->text;
	char			 line[LEX_WORD_MAX + 256];
	size_t			 n;

	while ((p = strchr(p, '$')) != NULL) {
		p++;
		for (n = 0; is_macro_name((unsigned char)p[n]); n++)
			;
		if ((m = macro_find(lx, p, n)) == NULL)
			continue;
		snprintf(line, sizeof(line), "\"$%s\" in a string stays as it "
		    "is: a macro is not replaced within quotes", m->name);
		lx->warning(lx->arg, lx->file, lx->line, line);
	}
}

/* After the opening quote: \" and \\ stand for themselves. */
static int
token_quoted(struct lex *lx, union lex_value *v)
{
	const char	*wrong = NULL;
	size_t		 n = 0;
	int		 c;

	while ((c = peek(lx)) != '"') {
		if (c == -1 || c == '\n') {
			wrong = "the string is not closed";
			break;
		}
		c = take(lx);
		if (c == '\\' && (peek(lx) == '"' || peek(lx) == '\\'))
			c = take(lx);
		if (c < 0x20 || c == 0x7f)
			wrong = "control character in a string";
		if (n == sizeof(lx->text) - 1)
			wrong = "the string is too long";
		else
			lx->text[n++] = (char)c;
	}
	if (c == '"')
		(void)take(lx);
	lx->text[wrong == NULL ? n : 0] = '\0';
	if (wrong != NULL) {
		lex_error(lx, NULL, wrong);
		return (BADTOKEN);
	}
	macros_quoted(lx);
	return (token_string(lx, v, STRING));
}

static int
token_word(struct lex *lx, union lex_value *v)
{
	size_t	n = 0;

	while (is_word(peek(lx))) {
		if (n == sizeof(lx->text) - 1) {
			while (is_word(peek(lx)))
				(void)take(lx);
			lx->text[16] = '\0';
			lex_error(lx, lx->text, "the word is too long");
			return (BADTOKEN);
		}
		lx->text[n++] = (char)take(lx);
	}
	lx->text[n] = '\0';
	if (lx->is_value) {
		lx->is_value = 0;
		return (token_string(lx, v, WORD));
	}
	/* `name =` defines a macro, whatever the name means elsewhere. */
	while (peek(lx) == ' ' || peek(lx) == '\t')
		(void)take(lx);
	if (peek(lx) == '=')
		return (token_string(lx, v, MACRO));
	return (word_token(lx, v));
}

static int
keyword_cmp(const void *word, const void *k)
{
	return (strcmp(word, ((const struct keyword *)k)->word));
}

static int
word_token(struct lex *lx, union lex_value *v)
{
	const struct keyword	*k;

	if (isdigit((unsigned char)lx->text[0]))
		return (word_number(lx, v));
	k = bsearch(lx->text, keywords, sizeof(keywords) / sizeof(keywords[0]),
	    sizeof(keywords[0]), keyword_cmp);
	if (k == NULL)
		return (token_string(lx, v, WORD));
	if (k->token == LATER)
		return (token_string(lx, v, LATER));
	return (k->token);
}

/* 60, 30s, 5M; what begins with a digit and is none of these is a word. */
static int
word_number(struct lex *lx, union lex_value *v)
{
	static const struct unit {
		char		 letter;
		int		 token;
		uint64_t	 factor;
	} units[] = {
		{ '\0', NUMBER, 1 },
		{ 's', DURATION, 1 }, { 'm', DURATION, 60 },
		{ 'h', DURATION, 3600 }, { 'd', DURATION, 86400 },
		{ 'K', SIZE, 1ULL << 10 }, { 'M', SIZE, 1ULL << 20 },
		{ 'G', SIZE, 1ULL << 30 }, { 'T', SIZE, 1ULL << 40 },
	};
	unsigned long long	n;
	char			*end;
	size_t			 i;

	errno = 0;
	n = strtoull(lx->text, &end, 10);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].letter)
			break;
	if (i == sizeof(units) / sizeof(units[0]) ||
	    (*end != '\0' && end[1] != '\0'))
		return (token_string(lx, v, WORD));
	if (errno == ERANGE || n > UINT64_MAX / units[i].factor) {
		lex_error(lx, lx->text, "the number is too large");
		return (BADTOKEN);
	}
	v->number = n * units[i].factor;
	return (units[i].token);
}
