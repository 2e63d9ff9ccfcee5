/* SPDX-License-Identifier: ISC */
/*
 * Streams that the client opens: manifest, diagnostics, users. Each is read
 * whole, within its limit and 30 s, independently of the others; the only
 * reply is FIN, save for USERS_FETCH. tunnel-protocol.md, section 4.
 */
#include <sys/queue.h>

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/compat.h"
#include "diag.h"
#include "base/log.h"
#include "manifest.h"
#include "muxd.h"
#include "mux/sock.h"
#include "text.h"
#include "users.h"
#include "yamux/yamux.h"

#define CONTROL_MS		30000
#define MANIFEST_EVERY_MS	10000
#define HEADER_MAX		64	/* bytes of a header line */
#define CONTROL_TOTAL_MAX	(4 << 20) /* bytes held by all of them */
#define DROPPED_LOGGED		5	/* entries named in the log */
/*
 * Documents cost much more to parse, and authd to take, than to send: so many
 * bytes at once, so many in the long run, and none is cheaper than a page.
 */
#define WORK_BURST		(4 << 20)
#define WORK_PER_MS		256
#define WORK_MIN		4096

enum control_kind {
	CK_NEW,			/* nothing has come */
	CK_HEADER,		/* a header line, not complete */
	CK_MANIFEST, CK_DIAGNOSTICS, CK_USERS,
	CK_FETCH		/* the answer is awaited or being sent */
};

struct control {
	TAILQ_ENTRY(control)	 entry;
	struct yamux_stream	*ys;
	enum control_kind	 kind;
	struct timer		 deadline;
	/* what has come; what is to be sent once `sending` */
	char			*buf;
	size_t			 len, cap;
	size_t			 header;	/* bytes of it, newline too */
	size_t			 sent;
	int			 sending;
};

static void	control_late(void *);
static void	control_take(struct control *, const uint8_t *, size_t);
static int	control_append(struct control *, const uint8_t *, size_t);
static int	control_header(struct control *, int);
static size_t	control_limit(const struct control *);
static void	control_done(struct control *);
static void	control_refuse(struct control *, const char *);
static void	control_free(struct control *);
static void	control_send(struct control *);
static int	control_afford(size_t);
static void	manifest_take(struct control *);
static void	manifest_newest(char *, size_t);
static void	manifest_apply(const char *, size_t);
static void	manifest_due(void *);
static void	manifest_dropped(void *, const char *, size_t, const char *);
static void	diagnostics_take(struct control *);
static void	users_take(struct control *);
static void	users_kept(const char *, size_t);
static void	bare_drop(void);
static void	control_users(const char *, size_t);

static struct {
	TAILQ_HEAD(, control)	 all;
	size_t			 total;		/* bytes held */
	struct mux		*mux;
	int			 nsending;
	struct manifest		*table;		/* the one that counts */
	uint32_t		 version;
	int			 at_once;	/* one need not be due */
	int			 commanded;	/* nor any until it ends */
	int			 came;		/* one, meanwhile */
	char			*waiting;	/* a newer one, not due yet */
	size_t			 waiting_len;
	struct timer		 due;
	char			*bare;		/* users, to be merged */
	size_t			 bare_len;
	size_t			 work;		/* bytes that may be taken */
	uint64_t		 work_ms;	/* when that was counted */
} controls = { .work = WORK_BURST };

void
control_init(struct mux *m)
{
	controls.mux = m;
	TAILQ_INIT(&controls.all);
	timer_init(&controls.due, manifest_due, NULL);
}

void
control_on_open(struct yamux_stream *ys)
{
	struct control	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		yamux_reset(ys);
		return;
	}
	c->ys = ys;
	timer_init(&c->deadline, control_late, c);
	timer_set(&c->deadline, CONTROL_MS);
	TAILQ_INSERT_TAIL(&controls.all, c, entry);
	yamux_set(ys, c);
	yamux_accept(ys);
}

static void
control_late(void *arg)
{
	control_refuse(arg, "not complete after 30 s");
}

static void
control_take(struct control *c, const uint8_t *p, size_t len)
{
	if (c->kind == CK_NEW)
		c->kind = p[0] == 'U' || p[0] == 'D' ? CK_HEADER : CK_MANIFEST;
	if (control_append(c, p, len) == 0 && c->kind == CK_HEADER)
		(void)control_header(c, 0);
}

/* Credit goes back at once: what is held here has limits of its own. */
void
control_on_data(struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	struct control	*c = yamux_get(ys);

	yamux_consumed(ys, len, clock_ns());
	if (c != NULL && c->kind != CK_FETCH && len > 0)
		control_take(c, p, len);
	/* It may hold passwords, and the buffer is there for everything. */
	explicit_bzero((void *)(uintptr_t)p, len);
}

void
control_on_fin(struct yamux_stream *ys)
{
	struct control	*c = yamux_get(ys);

	if (c == NULL)
		return;
	/* A header line may be ended by the end of the stream. */
	if (c->kind == CK_HEADER && control_header(c, 1) == -1)
		return;
	switch (c->kind) {
	case CK_MANIFEST:
		manifest_take(c);
		break;
	case CK_DIAGNOSTICS:
		diagnostics_take(c);
		break;
	case CK_USERS:
		users_take(c);
		break;
	case CK_FETCH:
		return;		/* still to be answered */
	default:
		break;
	}
	control_done(c);
}

void
control_on_close(struct yamux_stream *ys)
{
	struct control	*c = yamux_get(ys);

	if (c != NULL)
		control_free(c);
}

/* -1: over a limit, the stream is gone. */
static int
control_append(struct control *c, const uint8_t *p, size_t len)
{
	size_t	 cap, limit = control_limit(c);
	char	*grown;

	if (len > limit - c->len) {
		control_refuse(c, "too long");
		return (-1);
	}
	if (c->len + len > c->cap) {
		for (cap = c->cap == 0 ? 1024 : c->cap; cap < c->len + len;)
			cap *= 2;
		if (controls.total + cap - c->cap > CONTROL_TOTAL_MAX ||
		    (grown = recallocarray(c->buf, c->cap, cap, 1)) == NULL) {
			control_refuse(c, "too much at once");
			return (-1);
		}
		c->buf = grown;
		controls.total += cap - c->cap;
		c->cap = cap;
	}
	memcpy(c->buf + c->len, p, len);
	c->len += len;
	return (0);
}

static size_t
control_limit(const struct control *c)
{
	switch (c->kind) {
	case CK_DIAGNOSTICS:
		return (c->header + DIAG_BYTES_MAX);
	case CK_USERS:
		return (c->header + USERS_BYTES_MAX);
	default:
		return (MANIFEST_BYTES_MAX);
	}
}

/*
 * Look at the header line once it is complete. Unknown words and versions end
 * the stream without effect. 0, or -1: the stream is settled or gone.
 */
static int
control_header(struct control *c, int ended)
{
	char	*nl, *word[3], *save = NULL, line[HEADER_MAX + 1];
	size_t	 n, len;
	int	 words = 0;

	nl = memchr(c->buf, '\n', c->len < HEADER_MAX ? c->len : HEADER_MAX);
	if (nl == NULL && !ended && c->len < HEADER_MAX)
		return (0);
	n = nl != NULL ? (size_t)(nl - c->buf) : c->len;
	len = n < HEADER_MAX ? n : HEADER_MAX;
	memcpy(line, c->buf, len);
	line[len] = '\0';
	c->header = nl != NULL ? n + 1 : c->len;
	for (; words < 3; words++)
		if ((word[words] = strtok_r(words == 0 ? line : NULL, " \t\r",
		    &save)) == NULL)
			break;
	if (n >= HEADER_MAX || words != 2 || strcmp(word[1], "1") != 0)
		c->kind = CK_NEW;
	else if (strcmp(word[0], "DIAGNOSTICS") == 0)
		c->kind = CK_DIAGNOSTICS;
	else if (strcmp(word[0], "USERS") == 0)
		c->kind = CK_USERS;
	else if (strcmp(word[0], "USERS_FETCH") == 0) {
		if (!control_afford(0)) {
			control_refuse(c, "too many requests");
			return (-1);
		}
		c->kind = CK_FETCH;
		authd_users_fetch(FETCH_SYSTEM, control_users);
		return (0);
	} else
		c->kind = CK_NEW;
	if (c->kind == CK_NEW) {
		log_info("control stream %u: unknown header", yamux_id(c->ys));
		control_done(c);
		return (-1);
	}
	if (c->len > control_limit(c)) {
		control_refuse(c, "too long");
		return (-1);
	}
	return (0);
}

/* 1, and it is counted, if `len` bytes may be looked at now. */
static int
control_afford(size_t len)
{
	uint64_t	now = clock_ms(), more;

	more = (now - controls.work_ms) * WORK_PER_MS;
	controls.work = more > WORK_BURST - controls.work ? WORK_BURST :
	    controls.work + (size_t)more;
	controls.work_ms = now;
	if (len < WORK_MIN)
		len = WORK_MIN;
	if (len > controls.work)
		return (0);
	controls.work -= len;
	return (1);
}

/* The only reply is FIN; whatever still comes is thrown away. */
static void
control_done(struct control *c)
{
	yamux_set(c->ys, NULL);
	yamux_fin(c->ys);
	control_free(c);
}

static void
control_refuse(struct control *c, const char *why)
{
	log_info("control stream %u: %s", yamux_id(c->ys), why);
	yamux_reset(c->ys);
	control_free(c);
}

static void
control_free(struct control *c)
{
	size_t	cap = c->cap;

	timer_del(&c->deadline);
	TAILQ_REMOVE(&controls.all, c, entry);
	controls.total -= cap;
	controls.nsending -= c->sending;
	freezero(c->buf, c->cap);	/* it may hold passwords */
	free(c);
	/* Parsing took many times the document, in small pieces. */
	if (cap >= 65536)
		malloc_trim(0);
}

void
control_end_all(void)
{
	struct control	*c;

	timer_del(&controls.due);
	bare_drop();
	while ((c = TAILQ_FIRST(&controls.all)) != NULL) {
		yamux_set(c->ys, NULL);
		control_free(c);
	}
}

/* Manifest. */

/*
 * One counts in 10 s. Of those that come too early the newest is kept as it
 * is, so that a flood of them costs no parsing.
 */
static void
manifest_take(struct control *c)
{
	char	*text;

	if (!timer_is_set(&controls.due) || controls.at_once) {
		if (control_afford(c->len)) {
			manifest_newest(NULL, 0);
			manifest_apply(c->buf, c->len);
			return;
		}
		timer_set(&controls.due, MANIFEST_EVERY_MS);
	}
	if ((text = malloc(c->len + 1)) == NULL) {
		log_warn("manifest");
		return;
	}
	memcpy(text, c->buf, c->len);
	manifest_newest(text, c->len);
}

/* That waits; NULL: none does. */
static void
manifest_newest(char *text, size_t len)
{
	free(controls.waiting);
	controls.waiting = text;
	controls.waiting_len = len;
}

void
control_commanded(int under_way)
{
	controls.at_once = under_way || !controls.came;
	controls.commanded = under_way;
	controls.came = 0;
}

static void
manifest_apply(const char *text, size_t len)
{
	struct manifest	*m = NULL;
	const char	*why;
	unsigned	 named = 0;
	int		 r;

	r = manifest_parse(text, len, &m, manifest_dropped, &named, &why);
	/* Its client says it only once to each tunnel. */
	if (r == -2)
		fatalx("manifest: %s", why);
	if (r == -1)
		log_info("manifest refused: %s", why);
	if (r != 0)
		return;
	if (m->dropped > named)
		log_info("manifest: %u more services left out",
		    m->dropped - named);
	controls.version++;
	controls.at_once = controls.commanded;
	controls.came = 1;
	/* A client says it every few minutes: news is what differs. */
	if (manifest_same(controls.table, m))
		log_debug("manifest %u: the same", controls.version);
	else
		log_info("manifest %u: %u service%s", controls.version,
		    m->count, PLURAL(m->count));
	manifest_free(controls.table);
	controls.table = m;
	authd_services(controls.table, controls.version);
	timer_set(&controls.due, MANIFEST_EVERY_MS);
}

static void
manifest_due(void *arg)
{
	char	*text = controls.waiting;

	(void)arg;
	controls.waiting = NULL;
	if (text == NULL)
		return;
	manifest_apply(text, controls.waiting_len);
	free(text);
	malloc_trim(0);
}

static void
manifest_dropped(void *arg, const char *name, size_t len, const char *why)
{
	unsigned	*named = arg;
	char		 text[128];

	if (*named >= DROPPED_LOGGED)
		return;
	++*named;
	log_info("manifest: service \"%s\" left out: %s",
	    log_escape(text, sizeof(text), name, len), why);
}

const struct manifest *
control_services(void)
{
	return (controls.table);
}

uint32_t
control_services_version(void)
{
	return (controls.version);
}

/* Reports. */

static void
diagnostics_take(struct control *c)
{
	const char	*why;
	char		*doc;
	size_t		 len;

	if (!control_afford(c->len)) {
		log_info("diagnostics ignored: too many");
		return;
	}
	doc = diag_rewrite(c->buf + c->header, c->len - c->header, &len, &why);
	if (doc == NULL) {
		log_info("diagnostics refused: %s", why);
		return;
	}
	authd_report(REPORT_DIAGNOSTICS, doc, len);
	text_json_free(doc);
}

static void
bare_drop(void)
{
	text_json_free(controls.bare);
	controls.bare = NULL;
}

static void
users_tell(enum report_kind kind, char *doc, size_t len)
{
	authd_report(kind, doc, len);
	text_json_free(doc);
}

/*
 * One without credentials never takes the place of one with them: what it
 * brings is added to that, which authd has.
 */
static void
users_take(struct control *c)
{
	const char	*why = "too many";
	char		*doc = NULL;
	size_t		 len;
	int		 credentials;

	if (control_afford(c->len))
		doc = users_rewrite(c->buf + c->header, c->len - c->header,
		    &len, &credentials, &why);
	if (doc == NULL) {
		log_info("users report ignored: %s", why);
		return;
	}
	bare_drop();		/* this one is newer */
	if (credentials) {
		/* What authd had before is nothing to be merged into. */
		authd_users_forget(FETCH_OWN);
		users_tell(REPORT_USERS, doc, len);
		return;
	}
	controls.bare = doc;
	controls.bare_len = len;
	authd_users_fetch(FETCH_OWN, users_kept);
}

static void
users_kept(const char *kept, size_t kept_len)
{
	char	*doc = controls.bare, *merged;
	size_t	 len = controls.bare_len, merged_len;

	if (doc == NULL)
		return;
	controls.bare = NULL;
	merged = kept_len == 0 ? NULL : users_merge(kept, kept_len, doc, len,
	    &merged_len);
	if (merged == NULL) {
		users_tell(REPORT_USERS_BARE, doc, len);
		return;
	}
	users_tell(REPORT_USERS, merged, merged_len);
	text_json_free(doc);
}

/* The users report of this system (len 0: there is none), for all who asked. */
static void
control_users(const char *doc, size_t len)
{
	struct control	*c, *next;

	for (c = TAILQ_FIRST(&controls.all); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->kind != CK_FETCH || c->sending)
			continue;
		c->len = 0;
		c->kind = CK_USERS;	/* for the limit: answer and newline */
		c->header = 1;
		if ((len > 0 ? control_append(c, (const uint8_t *)doc, len) :
		    control_append(c, (const uint8_t *)"{}", 2)) == -1 ||
		    control_append(c, (const uint8_t *)"\n", 1) == -1)
			continue;
		c->kind = CK_FETCH;
		c->sending = 1;
		controls.nsending++;
	}
}

void
control_turn(void)
{
	struct control	*c, *next;

	if (controls.nsending == 0)
		return;
	for (c = TAILQ_FIRST(&controls.all); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->sending)
			control_send(c);
	}
}

/* As much as window and buffer take; FIN behind the last byte. */
static void
control_send(struct control *c)
{
	uint8_t		*p;
	size_t		 n;

	mux_wipes(controls.mux);
	while (c->sent < c->len) {
		n = c->len - c->sent;
		if (n > yamux_sendable(c->ys))
			n = yamux_sendable(c->ys);
		if (n > FRAME_MAX)
			n = FRAME_MAX;
		if (n == 0 || (p = mux_reserve(controls.mux, n)) == NULL)
			return;
		memcpy(p, c->buf + c->sent, n);
		if (mux_send(controls.mux, c->ys, p, n) == -1)
			return;
		c->sent += n;
	}
	control_done(c);
}
