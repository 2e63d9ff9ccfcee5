/* SPDX-License-Identifier: ISC */
/*
 * A token of pairing is used once: it is in the store before paird hears that it
 * was new.
 */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "authd/core/consumed.h"
#include "authd/now.h"
#include "authd/store/store.h"
#include "authd/turn.h"
#include "handlers.h"
#include "imsg/msg.h"
#include "pairing.h"
#include "peer.h"
#include "proc/proc.h"

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

/* A token that is new, until it is in the store. */
struct consuming {
	struct asker	asker;
	uint8_t		hash[CONSUMED_HASH];
};

static void
consumed_saved(void *arg, int ok)
{
	struct consuming	*k = arg;
	struct chan		*c = asker_chan(&k->asker);

	if (!ok)
		consumed_give_back(k->hash);
	if (c != NULL)
		say(c, k->asker.id, ok ? CONSUMED_NEW : CONSUMED_FULL);
	free(k);
}

/* Whoever asks for the same meanwhile hears that it is used. */
static enum consumed
consume(const struct asker *asker, const uint8_t hash[CONSUMED_HASH])
{
	struct consumed_row	 row;
	struct consuming	*k;
	enum consumed		 r;

	if (!store_is_up() || (k = calloc(1, sizeof(*k))) == NULL)
		return (CONSUMED_FULL);
	r = consumed_take(hash, proc_conf()->pair_tokens, now_at());
	if (r != CONSUMED_NEW) {
		free(k);
		return (r);
	}
	k->asker = *asker;
	memcpy(k->hash, hash, CONSUMED_HASH);
	sodium_bin2hex(row.id, sizeof(row.id), hash, CONSUMED_HASH);
	row.until = now_at()->wall_ms + (int64_t)CONSUMED_MS;
	(void)store_consumed_add(&row);
	turn_after(consumed_saved, k);
	return (CONSUMED_NEW);
}

int
pairing_on_consume(struct chan *c, struct imsg *m)
{
	struct msg_pair_consume	 in;
	struct asker		 asker;
	enum consumed		 r;

	if (get_pair_consume(m, &in) == -1 || in.jti.len != CONSUMED_HASH ||
	    in.take > 1)
		return (-1);
	asker = asker_of(c, m);
	/* Before, not all that have been used are known. */
	r = peer_is_ready() ? consumed_look(in.jti.p, now_at()) :
	    CONSUMED_FULL;
	if (r == CONSUMED_NEW && in.take &&
	    (r = consume(&asker, in.jti.p)) == CONSUMED_NEW)
		return (0);
	say(c, m->id, r);
	return (0);
}
