/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "console.h"
#include "http/head.h"
#include "http/reply.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proxyd/door/conn.h"

#define PART		(64 * 1024)	/* of a file, written at once */
#define PARTS		4		/* in one turn */
#define IDLE_MS		30000
#define SETTINGS	"/assets/settings.json"

/*
 * xterm.js puts empty style elements into the page, and fills them by script.
 */
#define EMPTY_SHA256	"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
/*
 * Nothing inline, nothing of another site, no frame of a stranger around it.
 * operator-api.md, 12.
 */
#define FIELDS								\
	"Content-Security-Policy: default-src 'none'; script-src 'self'; "	\
	"style-src 'self' 'sha256-" EMPTY_SHA256 "'; "			\
	"img-src 'self' data: blob:; connect-src 'self'%s%s; "		\
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'\r\n"	\
	"Cross-Origin-Opener-Policy: same-origin-allow-popups\r\n"	\
	"Cross-Origin-Resource-Policy: same-origin\r\n"			\
	"Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"	\
	"Referrer-Policy: strict-origin-when-cross-origin\r\n"		\
	"X-Content-Type-Options: nosniff\r\n"				\
	"X-Frame-Options: SAMEORIGIN\r\nVary: Accept-Encoding\r\n"
/* Where the proxied hosts want TLS, too: they may be below this one. */
#define ONLY_TLS							\
	"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"

/* One behind the other: plain, then gzipped, file by file. */
__asm__(".pushsection .rodata\n"
    ".globl console_bytes, console_bytes_end\n"
    "console_bytes: .incbin \"" CONSOLE_BIN "\"\n"
    "console_bytes_end: .byte 0\n"
    ".popsection\n");
extern const char	console_bytes[];

struct file {
	const char	*path, *type, *etag;
	int		 lasting;	/* another content has another name */
	size_t		 at, len, gz_at, gz_len;
};

static const struct file	files[] = {
#define F(...) { __VA_ARGS__ },
#include CONSOLE_DEF
#undef F
};

/* What is left to say of one. */
struct rest {
	const char	*p;
	size_t		 len;
};

static void	console_pump(struct conn *);
static void	console_expired(struct conn *);
static void	console_end(struct conn *);

static const struct job_ops	console_job = {
	.name = "console",
	.writable = console_pump,
	.expired = console_expired,
	.left = conn_reads,
	.end = console_end,
};

static const struct file *
file_find(const struct slice *path)
{
	size_t	i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (slice_eq(path, files[i].path))
			return (&files[i]);
	return (NULL);
}

static int
takes_gzip(const struct httphead *h)
{
	const struct slice	*v = httphead_get(h, "accept-encoding");
	struct slice		 list, el;

	if (v == NULL)
		return (0);
	for (list = *v; slice_list_next(&list, &el);)
		if (slice_cut_weight(&el) && slice_caseeq(&el, "gzip"))
			return (1);
	return (0);
}

/* Has the browser this one already? */
static int
has_it(const struct httphead *h, const char *etag)
{
	const struct slice	*v = httphead_get(h, "if-none-match");
	struct slice		 list, el;

	if (v == NULL)
		return (0);
	for (list = *v; slice_list_next(&list, &el);) {
		if (el.len > 2 && memcmp(el.s, "W/", 2) == 0) {
			el.s += 2;
			el.len -= 2;
		}
		if (el.len == strlen(etag) + 2 &&
		    memcmp(el.s + 1, etag, el.len - 2) == 0)
			return (1);
	}
	return (0);
}

/*
 * The origin of where one signs in, "": nowhere. The browser asks there for the
 * token by itself: so no process here sees a code, and none dials anybody in
 * a caller's name.
 */
static const char *
issuer_origin(const struct conf *conf, char dst[ISSUER_SIZE])
{
	const char	*s = conf->console_issuer;
	size_t		 len = strlen("https://");

	dst[0] = '\0';
	if (s[0] == '\0')
		return (dst);
	len += strcspn(s + len, "/");
	memcpy(dst, s, len);
	dst[len] = '\0';
	return (dst);
}

/* How the console is to sign in: {} if with a token that is pasted. */
static void
settings_answer(struct conn *c, const struct conf *conf)
{
	const char	*from[] = { conf->console_issuer, conf->console_client,
			    conf->console_scope, conf->console_resource };
	char		 text[4][ISSUER_SIZE * 6], json[4 * ISSUER_SIZE * 6 + 96];
	size_t		 i;
	int		 n;

	for (i = 0; i < 4; i++)
		if (reply_json_escape(text[i], sizeof(text[i]), from[i]) == -1)
			text[i][0] = '\0';
	n = conf->console_client[0] == '\0' ? snprintf(json, sizeof(json),
	    "{}") : snprintf(json, sizeof(json), "{\"issuer\":\"%s\","
	    "\"client_id\":\"%s\",\"scope\":\"%s\",\"resource\":\"%s\"}",
	    text[0], text[1], text[2], text[3]);
	answer_text(c, "application/json; charset=utf-8", json, (size_t)n);
}

void
console_begin(struct conn *c, const struct httphead *h)
{
	const struct conf	*conf = proc_conf();
	const struct file	*f = file_find(&h->path);
	struct rest		*r;
	char			 fields[2048];
	char			 origin[ISSUER_SIZE];
	int			 gzip, is_settings;

	is_settings = slice_eq(&h->path, SETTINGS);
	if (f == NULL && !is_settings) {
		answer_plain(c, 404, "404 page not found");
		return;
	}
	if (!c->is_head && !slice_eq(&h->method_name, "GET")) {
		answer_json(c, 405, "method not allowed", NULL, 0,
		    "Allow: GET, HEAD\r\n");
		return;
	}
	if (is_settings) {
		settings_answer(c, conf);
		return;
	}
	gzip = f->gz_len > 0 && takes_gzip(h);
	snprintf(fields, sizeof(fields), FIELDS "%sETag: \"%s\"\r\n"
	    "Cache-Control: %s\r\n%s",
	    conf->console_issuer[0] != '\0' ? " " : "",
	    issuer_origin(conf, origin), conf->proxy_plain ? "" : ONLY_TLS,
	    f->etag, f->lasting ? "public, max-age=31536000, immutable" : "no-cache",
	    gzip ? "Content-Encoding: gzip\r\n" : "");
	if (has_it(h, f->etag)) {
		answer_empty(c, 304, fields);
		return;
	}
	if ((r = malloc(sizeof(*r))) == NULL) {
		answer_later(c, 503, "out of memory", 1);
		return;
	}
	r->p = console_bytes + (gzip ? f->gz_at : f->at);
	r->len = gzip ? f->gz_len : f->len;
	conn_job(c, &console_job, r);
	conn_deadline(c, IDLE_MS);
	if (answer_head(c, f->type, fields, r->len) == -1)
		return;
	if (c->is_head)
		r->len = 0;
	console_pump(c);
}

/* Some more of it as soon as what was before has gone; nothing is copied. */
static void
console_pump(struct conn *c)
{
	struct rest	*r = c->work;
	struct iovec	 iov;
	int		 i;

	if (conn_flush(c) != 1)
		return;
	for (i = 0; i < PARTS && r->len > 0 && c->out_len == 0; i++) {
		iov.iov_base = (void *)(uintptr_t)r->p;
		iov.iov_len = r->len < PART ? r->len : PART;
		r->p += iov.iov_len;
		r->len -= iov.iov_len;
		if (conn_writev(c, &iov, 1) == -1)
			return;
		conn_deadline(c, IDLE_MS);
	}
	if (r->len == 0)
		conn_answered(c);
	else
		conn_writing(c);
}

static void
console_expired(struct conn *c)
{
	conn_close(c, "takes nothing of a file", 1);
}

static void
console_end(struct conn *c)
{
	free(c->work);
}
