/* SPDX-License-Identifier: ISC */
/*
 * Is the audit log as it was written? One walk at a time, a few events in each
 * turn of the loop, so that others are heard in between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/msg/member.h"
#include "authd/store/chain.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"

#define TRIES_MAX	5	/* when a store that is full takes events away */
#define OWED_MS		100	/* between looks whether what is old has gone, */
#define OWED_MAX	50	/* so often */

static struct {
	struct ctl		*ctl;		/* NULL: nobody asks */
	struct chain_walk	 walk;
	struct timer		 more;
	unsigned long		 purged;	/* when it began */
	unsigned		 tries;
	unsigned		 owed;		/* looks left; 0: it walks */
	int64_t			 tail[CHAIN_COUNT];	/* seq, when it began */
} verify;

static void	verify_on(void *);

static void
verify_end(int code, const char *text)
{
	store_audit_hold(0);
	ctl_done(&verify.ctl->asker, code, text);
	free(verify.ctl);
	verify.ctl = NULL;
}

/* "done-3f2a..." or whatever it is called now. */
static void
chain_send(int chain)
{
	const struct chain_end	*e = &verify.walk.end[chain];
	char			 rows[24], from[24], to[24], event[24], at[32];
	char			 hash[HEX64_SIZE];

	if (e->rows == 0)
		return;
	snprintf(rows, sizeof(rows), "%lld", (long long)e->rows);
	snprintf(from, sizeof(from), "%lld", (long long)e->first_seq);
	snprintf(to, sizeof(to), "%lld", (long long)e->seq);
	snprintf(event, sizeof(event), "%lld", (long long)e->event);
	ctl_row(&verify.ctl->asker, e->name[0] != '\0' ? e->name : "-", rows,
	    from, to, event, api_time(e->first_at, at),
	    chain_hex(e->hash, hash), CTL_END);
}

static void
verify_say(int whole)
{
	char	rows[24], text[MESSAGE_SIZE];

	ctl_row(&verify.ctl->asker, "chain", "rows", "from", "to", "event",
	    "since", "head", CTL_END);
	chain_send(CHAIN_DONE);
	chain_send(CHAIN_REFUSED);
	snprintf(rows, sizeof(rows), "%lld", (long long)verify.walk.old);
	if (verify.walk.old > 0)
		ctl_row(&verify.ctl->asker, "none", rows, "-", "-", "-", "-",
		    "-", CTL_END);
	if (whole) {
		verify_end(0, "");
		return;
	}
	snprintf(text, sizeof(text), "%.400s", verify.walk.why);
	if (verify.walk.bad > 1)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "; in all %llu are wrong",
		    (unsigned long long)verify.walk.bad);
	verify_end(CTL_BROKEN, text);
}

/* The hashes that have to be there, between commas. 0, -1. */
static int
verify_begin(void)
{
	const char	*p = verify.ctl->word[0];
	size_t		 len;

	chain_walk_init(&verify.walk);
	verify.purged = store_audit_purged();
	for (; *p != '\0'; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		if (chain_walk_head(&verify.walk, p, len) == -1)
			return (-1);
	}
	return (0);
}

/* What it stood on has gone: from the beginning, a few times. */
static void
verify_again(void)
{
	if (++verify.tries == TRIES_MAX) {
		verify_end(503, "events go faster than they are read: try "
		    "again");
		return;
	}
	(void)verify_begin();
	timer_set(&verify.more, 0);
}

/* Where the chains begin now, and whether that is elsewhere than before. */
static int
tails_moved(const struct answer *a)
{
	int64_t	was[CHAIN_COUNT];
	size_t	i;

	memcpy(was, verify.tail, sizeof(was));
	memset(verify.tail, 0, sizeof(verify.tail));
	for (i = 0; i < a->n; i++)
		if (a->event[i].chain > 0 && a->event[i].chain < CHAIN_COUNT)
			verify.tail[a->event[i].chain] = a->event[i].seq;
	return (memcmp(was, verify.tail, sizeof(was)) != 0);
}

/* It found something: has another member taken events away meanwhile? */
static void
verify_doubted(const struct answer *a, void *arg)
{
	(void)arg;
	if (a->r == -1)
		verify_end(503, "store is unavailable");
	else if (tails_moved(a))
		verify_again();
	else
		verify_say(0);
}

static void
verify_tails(store_then then)
{
	(void)store_ask(&(struct question){ .what = ASK_AUDIT_TAILS,
	    .key = "", .asker = verify.ctl->asker.instance }, then, NULL);
}

static void
verify_known(const struct answer *a, void *arg)
{
	size_t	i;
	int	whole;

	(void)arg;
	if (a->r == -1) {
		verify_end(503, "store is unavailable");
		return;
	}
	for (i = 0; i < a->n; i++)
		chain_walk_row(&verify.walk, &a->event[i]);
	if (asker_chan(&verify.ctl->asker) == NULL) {
		verify_end(0, "");
	} else if (verify.purged != store_audit_purged()) {
		verify_again();
	} else if (a->n == STORE_EVENTS) {
		timer_set(&verify.more, 0);
	} else {
		whole = chain_walk_end(&verify.walk);
		if (whole || !member_is_one())
			verify_say(whole);
		else
			verify_tails(verify_doubted);
	}
}

/* Of several members: what holds our purge does not hold another's. */
static void
verify_begun(const struct answer *a, void *arg)
{
	(void)arg;
	if (a->r == -1) {
		verify_end(503, "store is unavailable");
		return;
	}
	(void)tails_moved(a);
	timer_set(&verify.more, 0);
}

/*
 * Nothing goes while somebody walks; so what had to wait for the one before
 * goes first, or who walks without end would keep it all.
 */
static int
verify_waits(void)
{
	if (!verify.owed || !store_audit_owed()) {
		if (verify.owed > 0) {
			store_audit_hold(1);
			verify.purged = store_audit_purged();
		}
		verify.owed = 0;
		return (0);
	}
	if (--verify.owed == 0)
		verify_end(503, "old events are being removed: try again");
	else
		timer_set(&verify.more, OWED_MS);
	return (1);
}

static void
verify_on(void *arg)
{
	char	after[24];

	(void)arg;
	if (verify_waits())
		return;
	snprintf(after, sizeof(after), "%lld",
	    (long long)verify.walk.last_event);
	(void)store_ask(&(struct question){ .what = ASK_AUDIT, .key = after,
	    .asker = verify.ctl->asker.instance }, verify_known, NULL);
}

static void
audit_verify(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	if (verify.ctl != NULL) {
		ctl_done(&ctl->asker, 409, "somebody else verifies it now");
		return;
	}
	if ((verify.ctl = malloc(sizeof(*ctl))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	*verify.ctl = *ctl;
	verify.tries = 0;
	if (verify_begin() == -1) {
		verify_end(400, "head: 64 hex digits, as `audit head` says");
		return;
	}
	verify.owed = OWED_MAX;
	if (verify.more.fn == NULL)
		timer_init(&verify.more, verify_on, NULL);
	/* The next turn: this one is in the store then. */
	if (member_is_one())
		verify_tails(verify_begun);
	else
		timer_set(&verify.more, 0);
}
const struct ctl_handler	ctl_audit_verify = { .fn = audit_verify };
