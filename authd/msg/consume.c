/* SPDX-License-Identifier: ISC */
/*
 * A token of pairing is used once: it is in the store before paird hears that
 * it was new.
 */
#include <sys/queue.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "authd/core/consumed.h"
#include "authd/now.h"
#include "authd/store/store.h"
#include "handlers.h"
#include "imsg/msg.h"
#include "member.h"
#include "pairing.h"
#include "peer.h"
#include "proc/proc.h"

static after_fn	after;	/* a commit */

void
pairing_init(after_fn turn)
{
	after = turn;
}

int
pairing_load(const struct consumed_row *row)
{
	uint8_t	hash[CONSUMED_HASH];
	size_t	n;

	if (sodium_hex2bin(hash, sizeof(hash), row->id, strlen(row->id), NULL,
	    &n, NULL) == -1 || n != sizeof(hash))
		return (-1);
	return (consumed_load(hash, row->until));
}

static void
say(struct chan *c, uint32_t id, enum consumed outcome)
{
	(void)say_pair_consumed(c, id, -1, &(struct msg_pair_consumed){
	    .outcome = (uint8_t)outcome });
}

/*
 * A token that memory knows nothing of, until the store has said whether it is
 * new. Of several members each has its own memory, and two can take themselves
 * for the one that pairs: which of them was first, the store decides alone.
 */
struct consuming {
	LIST_ENTRY(consuming)	entry;
	struct asker		asker;
	uint8_t			hash[CONSUMED_HASH];
	char			id[HEX64_SIZE];
	int			taken;
};

static LIST_HEAD(, consuming)	consuming = LIST_HEAD_INITIALIZER(consuming);

static struct consuming *
consuming_new(const struct asker *asker, const uint8_t hash[CONSUMED_HASH])
{
	struct consuming	*k = calloc(1, sizeof(*k));

	if (k == NULL)
		return (NULL);
	k->asker = *asker;
	memcpy(k->hash, hash, CONSUMED_HASH);
	sodium_bin2hex(k->id, sizeof(k->id), hash, CONSUMED_HASH);
	LIST_INSERT_HEAD(&consuming, k, entry);
	return (k);
}

static void
consuming_end(struct consuming *k, enum consumed outcome)
{
	struct chan	*c = asker_chan(&k->asker);

	if (c != NULL)
		say(c, k->asker.id, outcome);
	LIST_REMOVE(k, entry);
	free(k);
}

/* The store's time: a member's own clock may be wrong. */
static const struct now *
store_time(void)
{
	static struct now	now;

	now = *now_at();
	now.wall_ms = member_now();
	return (&now);
}

void
pairing_taken(const char *id)
{
	struct consuming	*k;

	LIST_FOREACH(k, &consuming, entry)
		if (strcmp(k->id, id) == 0)
			k->taken = 1;
}

/* What was used elsewhere is remembered here, too. */
static void
consumed_saved(void *arg, int ok)
{
	struct consuming	*k = arg;

	if (!ok && !k->taken)
		consumed_give_back(k->hash);
	consuming_end(k, k->taken ? CONSUMED_USED : ok ? CONSUMED_NEW :
	    CONSUMED_FULL);
}

/* Whoever asks for the same meanwhile hears that it is used. */
static enum consumed
consume(const struct asker *asker, const uint8_t hash[CONSUMED_HASH])
{
	struct consuming	*k;
	enum consumed		 r;

	if (!store_is_up())
		return (CONSUMED_FULL);
	r = consumed_take(hash, proc_conf()->pair_tokens, store_time());
	if (r != CONSUMED_NEW)
		return (r);
	if ((k = consuming_new(asker, hash)) == NULL) {
		consumed_give_back(hash);
		return (CONSUMED_FULL);
	}
	k->taken = store_consumed_add(k->id, member_now(),
	    (int64_t)CONSUMED_MS) == STORE_TAKEN;
	after(consumed_saved, k);
	return (CONSUMED_NEW);
}

static void
looked(const struct answer *a, void *arg)
{
	consuming_end(arg, a->r == -1 ? CONSUMED_FULL : a->r == 0 &&
	    a->consumed->until > member_now() ? CONSUMED_USED : CONSUMED_NEW);
}

/* Not to be taken: memory is all that there is, but of one of several. */
static enum consumed
look(const struct asker *asker, const uint8_t hash[CONSUMED_HASH])
{
	struct consuming	*k = consuming_new(asker, hash);

	if (k == NULL)
		return (CONSUMED_FULL);
	(void)store_ask(&(struct question){ .what = ASK_CONSUMED_ONE,
	    .key = k->id, .asker = asker->instance }, looked, k);
	return (CONSUMED_NEW);
}

int
pairing_on_consume(struct chan *c, struct imsg *m)
{
	struct msg_pair_consume	 in;
	struct asker		 asker;
	enum consumed		 r;
	int			 later = 0;

	if (get_pair_consume(m, &in) == -1 || in.jti.len != CONSUMED_HASH ||
	    in.take > 1)
		return (-1);
	asker = asker_of(c, m);
	/* Before, not all that have been used are known. */
	r = peer_is_ready() ? consumed_look(in.jti.p, store_time()) :
	    CONSUMED_FULL;
	if (r == CONSUMED_NEW && (in.take || member_is_one())) {
		r = in.take ? consume(&asker, in.jti.p) :
		    look(&asker, in.jti.p);
		later = r == CONSUMED_NEW;
	}
	if (!later)
		say(c, m->id, r);
	return (0);
}
