/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "authd/core/env.h"
#include "authd/cred/jwt.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "base/log.h"
#include "base/rate.h"
#include "base/text.h"
#include "chain.h"
#include "metrics/count.h"
#include "store.h"

#define WINDOW_MS	60000
#define WINDOWS_MAX	4096
/* Windows that begin in a second; only a flood from many addresses has more. */
#define PER_SECOND	1000

/* What somebody was refused lately. */
struct window {
	TAILQ_ENTRY(window) entry;
	struct link	 link;
	char		 key[ADDR_SIZE + ID_SIZE + WORD_SIZE];
	struct audit_row row;		/* of the next event */
	uint64_t	 end_ms;
	uint64_t	 more;		/* refusals since the row before */
};
TAILQ_HEAD(windows, window);

static struct {
	struct windows	windows;	/* the oldest first */
	struct index	by_key;
	struct timer	end;
	int		is_ready;
	int64_t		second;
	unsigned	count;		/* in this second */
	unsigned long	skipped;	/* since the last row that says so */
	unsigned long	total;
} audit = { .windows = TAILQ_HEAD_INITIALIZER(audit.windows) };

unsigned long
audit_left_out(void)
{
	return (audit.total);
}

/* --- events --- */

/*
 * Texts of others are kept as they can be printed, so that who reads the log
 * elsewhere hashes the same bytes; one that is "-" would stand for nothing.
 */
static void
keep(char *dst, size_t size, const char *src)
{
	if (src == NULL)
		src = "";
	text_printable(dst, size, src);
	if (strcmp(dst, "-") == 0)
		strlcpy(dst, "\\x2d", size);
}

static void
row_begin(struct audit_row *r, enum audit_chain chain, const char *action,
    const char *outcome)
{
	chain_row(r, chain, clock_wall_ms(), action, outcome);
	keep(r->request, sizeof(r->request), log_request_now());
}

static void
row_fill(struct audit_row *r, const struct audit *a)
{
	const char	*actor = a->actor;

	if (a->who != NULL) {
		actor = a->who->id;
		keep(r->impersonator, sizeof(r->impersonator),
		    a->who->impersonator);
		keep(r->token_id, sizeof(r->token_id), a->who->token_id);
	}
	keep(r->actor, sizeof(r->actor), actor);
	keep(r->address, sizeof(r->address), a->address);
	keep(r->session, sizeof(r->session), a->session);
	keep(r->service, sizeof(r->service), a->service);
	keep(r->object, sizeof(r->object), a->object);
	keep(r->access, sizeof(r->access), a->access);
	keep(r->reason, sizeof(r->reason), a->reason);
	if (a->request != NULL)
		keep(r->request, sizeof(r->request), a->request);
}

void
audit_done(const struct audit *a)
{
	static struct audit_row	row;

	count(CT_AUDIT_DONE);
	row_begin(&row, CHAIN_DONE, a->action, "done");
	row_fill(&row, a);
	(void)store_audit(&row);
}

static void
access_row(struct audit_row *r, const struct access_row *a,
    const char *outcome)
{
	row_begin(r, CHAIN_DONE, a->type, outcome);
	keep(r->actor, sizeof(r->actor), a->operator_id);
	keep(r->impersonator, sizeof(r->impersonator), a->impersonator);
	keep(r->token_id, sizeof(r->token_id), a->token_id);
	keep(r->address, sizeof(r->address), a->ip);
	keep(r->session, sizeof(r->session), a->session_id);
	keep(r->service, sizeof(r->service), a->service);
	keep(r->access, sizeof(r->access), a->id);
	keep(r->request, sizeof(r->request), a->request);
}

void
audit_opened(const struct access_row *a)
{
	static struct audit_row	row;

	access_row(&row, a, "opened");
	(void)store_audit(&row);
}

void
audit_ended(const struct access_row *a)
{
	static struct audit_row	row;

	access_row(&row, a, "ended");
	keep(row.reason, sizeof(row.reason), a->outcome);
	row.duration_ms = a->disconnected_at > a->connected_at ?
	    a->disconnected_at - a->connected_at : 0;
	row.bytes_in = (int64_t)a->bytes_in;
	row.bytes_out = (int64_t)a->bytes_out;
	(void)store_audit(&row);
}

/* --- refusals --- */

static struct window *
window_find(const char *key)
{
	struct link	*l;
	struct window	*w;

	for (l = index_find(&audit.by_key, index_key(key)); l != NULL;
	    l = index_next(l)) {
		w = OWNER(l, struct window, link);
		if (strcmp(w->key, key) == 0)
			return (w);
	}
	return (NULL);
}

static void
window_end(struct window *w)
{
	if (w->more > 0) {
		log_info("%s: %s refused %llu times more", w->row.address,
		    w->row.action, (unsigned long long)w->more);
		w->row.at = clock_wall_ms();
		w->row.count = (int64_t)w->more;
		/* A store that is down is not asked again for each. */
		if (store_is_up())
			(void)store_audit(&w->row);
	}
	index_del(&audit.by_key, &w->link);
	TAILQ_REMOVE(&audit.windows, w, entry);
	freezero(w, sizeof(*w));
}

static void
windows_end(void *arg)
{
	struct window	*w;
	uint64_t	 now = clock_ms();

	(void)arg;
	while ((w = TAILQ_FIRST(&audit.windows)) != NULL && w->end_ms <= now)
		window_end(w);
	if (w != NULL)
		timer_set(&audit.end, w->end_ms - now);
}

void
audit_flush(void)
{
	while (!TAILQ_EMPTY(&audit.windows))
		window_end(TAILQ_FIRST(&audit.windows));
}

/* When all places are taken the oldest ends early: who comes has a row. */
static struct window *
window_new(const char *key)
{
	struct window	*w;

	if (!audit.is_ready) {
		timer_init(&audit.end, windows_end, NULL);
		audit.is_ready = 1;
	}
	if (audit.by_key.count >= WINDOWS_MAX)
		window_end(TAILQ_FIRST(&audit.windows));
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (NULL);
	strlcpy(w->key, key, sizeof(w->key));
	w->end_ms = clock_ms() + WINDOW_MS;
	index_add(&audit.by_key, &w->link, index_key(key));
	TAILQ_INSERT_TAIL(&audit.windows, w, entry);
	if (!timer_is_set(&audit.end))
		timer_set(&audit.end, WINDOW_MS);
	return (w);
}

/* A new second: what had no row is said. */
static void
second_begin(int64_t now)
{
	static struct audit_row	row;

	audit.second = now / 1000;
	audit.count = 0;
	if (!store_is_up() || audit.skipped == 0)
		return;
	row_begin(&row, CHAIN_REFUSED, "refusals", "refused");
	row.count = (int64_t)audit.skipped;
	strlcpy(row.reason, "not listed", sizeof(row.reason));
	audit.skipped = 0;
	(void)store_audit(&row);
}

/* `n` of them; 1: it has a new row. */
static int
refuse(const char *key, const struct audit *a, uint64_t n)
{
	struct window	*w;
	int64_t		 now = clock_wall_ms();

	count_by(CT_AUDIT_REFUSED, n);
	if (now / 1000 != audit.second)
		second_begin(now);
	if ((w = window_find(key)) != NULL) {
		w->more += n;
		log_debug("%s refused once more: %s", a->action, a->reason);
		return (0);
	}
	if (++audit.count > PER_SECOND || (w = window_new(key)) == NULL) {
		audit.skipped += n;
		audit.total += n;
		return (0);
	}
	row_begin(&w->row, CHAIN_REFUSED, a->action, "refused");
	row_fill(&w->row, a);
	w->row.count = (int64_t)n;
	log_info("%s%s%s%s: %s%s%s%s%s refused: %s",
	    w->row.session[0] != '\0' ? "session " : "", w->row.session,
	    w->row.session[0] != '\0' ? ": " : "", w->row.address, a->action,
	    w->row.service[0] != '\0' ? " to " : "", w->row.service,
	    w->row.actor[0] != '\0' ? " of " : "", w->row.actor,
	    w->row.reason);
	if (store_is_up())
		(void)store_audit(&w->row);
	return (1);
}

void
audit_refusal(const struct audit *a)
{
	char	key[sizeof(((struct window *)0)->key)], from[ADDR_SIZE];

	rate_address(a->address, from);
	snprintf(key, sizeof(key), "%s\n%s\n%s", from, a->action,
	    a->who != NULL ? a->who->id : a->actor);
	(void)refuse(key, a, 1);
}

void
audit_refused(const struct refused *r)
{
	audit_refusal(&(struct audit){ .who = r->who, .address = r->addr,
	    .action = r->type, .session = r->session, .service = r->service,
	    .request = r->request, .reason = refusal_info(r->why)->text });
}

/* Whoever may call himself anything has one row, whatever he says. */
void
audit_stranger(const struct audit *a)
{
	char	key[sizeof(((struct window *)0)->key)], from[ADDR_SIZE];

	rate_address(a->address, from);
	snprintf(key, sizeof(key), "%s\n%s", from, a->action);
	(void)refuse(key, a, 1);
}

int
audit_alone(const struct audit *a, uint64_t n, int may_list)
{
	char		key[sizeof(((struct window *)0)->key)], from[ADDR_SIZE];
	struct audit	others;

	rate_address(a->address, from);
	snprintf(key, sizeof(key), "%s\n%s\n%s", from, a->action, a->reason);
	if (may_list || window_find(key) != NULL)
		return (refuse(key, a, n));
	others = *a;
	others.address = others.request = "";
	snprintf(key, sizeof(key), "\n%s\n%s", a->action, a->reason);
	(void)refuse(key, &others, n);
	return (0);
}
