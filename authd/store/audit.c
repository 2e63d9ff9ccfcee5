/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "base/log.h"
#include "base/rate.h"
#include "metrics/count.h"
#include "store.h"

#define WINDOW_MS	60000
#define WINDOWS_MAX	4096
/* Windows that begin in a second; only a flood from many addresses has more. */
#define PER_SECOND	1000
#define KEEP		1000000		/* events; some 200 MB */

/* What somebody was refused lately. */
struct window {
	TAILQ_ENTRY(window) entry;
	struct link	 link;
	char		 key[ADDR_SIZE + ID_SIZE + WORD_SIZE];
	char		 actor[ID_SIZE], address[ADDR_SIZE], action[WORD_SIZE];
	int64_t		 at;		/* of its row */
	uint64_t	 end_ms;
	unsigned long	 n;		/* refusals */
	int		 has_row;
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
	char	text[4 * ADDR_SIZE];

	if (w->n > 1) {
		log_info("%s: %s refused %lu times more",
		    log_escape(text, sizeof(text), w->address,
		    strlen(w->address)), w->action, w->n - 1);
		if (w->has_row && store_is_up())
			(void)store_audit_count(w->at, w->actor, w->address,
			    w->action, (int64_t)w->n);
	}
	index_del(&audit.by_key, &w->link);
	TAILQ_REMOVE(&audit.windows, w, entry);
	free(w);
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

/* A new second: what is too much goes, what had no row is said. */
static void
second_begin(int64_t now)
{
	char	text[64];

	audit.second = now / 1000;
	audit.count = 0;
	if (!store_is_up())
		return;
	(void)store_audit_trim(KEEP);
	if (audit.skipped == 0)
		return;
	snprintf(text, sizeof(text), "%lu refusals not listed", audit.skipped);
	audit.skipped = 0;
	(void)store_audit(now, "", "", "refusals", "", "refused", text);
}

static void
refuse(const char *key, const char *actor, const char *address,
    const char *action, const char *session, const char *reason)
{
	struct window	*w;
	int64_t		 now = clock_wall_ms();
	char		 text[4 * ADDR_SIZE], who[256];

	count(CT_AUDIT_REFUSED);
	if (now / 1000 != audit.second)
		second_begin(now);
	if ((w = window_find(key)) != NULL) {
		w->n++;
		log_debug("%s refused once more: %s", action, reason);
		return;
	}
	if (++audit.count > PER_SECOND || (w = window_new(key)) == NULL) {
		audit.skipped++;
		audit.total++;
		return;
	}
	w->n = 1;
	w->at = now;
	strlcpy(w->actor, actor, sizeof(w->actor));
	strlcpy(w->address, address, sizeof(w->address));
	strlcpy(w->action, action, sizeof(w->action));
	log_info("%s: %s%s%s refused: %s", log_escape(text, sizeof(text),
	    address, strlen(address)), action, actor[0] != '\0' ? " of " : "",
	    log_escape(who, sizeof(who), actor, strlen(actor)), reason);
	/* A store that is down is not asked again for each refusal. */
	w->has_row = store_is_up() && store_audit(now, actor, address, action,
	    session, "refused", reason) == 0;
}

void
audit_refusal(const char *actor, const char *address, const char *action,
    const char *session, const char *reason)
{
	char	key[sizeof(((struct window *)0)->key)], from[ADDR_SIZE];

	rate_address(address, from);
	snprintf(key, sizeof(key), "%s\n%s\n%s", from, action, actor);
	refuse(key, actor, address, action, session, reason);
}

/* Whoever may call himself anything has one row, whatever he says. */
void
audit_stranger(const char *actor, const char *address, const char *action,
    const char *session, const char *reason)
{
	char	key[sizeof(((struct window *)0)->key)], from[ADDR_SIZE];

	rate_address(address, from);
	snprintf(key, sizeof(key), "%s\n%s", from, action);
	refuse(key, actor, address, action, session, reason);
}

void
audit_done(const char *actor, const char *address, const char *action,
    const char *session, const char *detail)
{
	count(CT_AUDIT_DONE);
	(void)store_audit(clock_wall_ms(), actor, address, action, session,
	    "done", detail);
}
