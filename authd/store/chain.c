/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "chain.h"

#define MAGIC	"relayd-audit-1"

static const uint8_t	zeros[AUDIT_HASH_SIZE];

void
chain_row(struct audit_row *r, int chain, int64_t at, const char *action,
    const char *outcome)
{
	memset(r, 0, sizeof(*r));
	r->chain = chain;
	r->at = at;
	r->count = 1;
	r->duration_ms = r->bytes_in = r->bytes_out = AUDIT_UNSAID;
	strlcpy(r->action, action, sizeof(r->action));
	strlcpy(r->outcome, outcome, sizeof(r->outcome));
}

const char *
chain_word(int chain)
{
	return (chain == CHAIN_DONE ? "done" : "refused");
}

char *
chain_hex(const uint8_t hash[AUDIT_HASH_SIZE], char dst[HEX64_SIZE])
{
	return (sodium_bin2hex(dst, HEX64_SIZE, hash, AUDIT_HASH_SIZE));
}

/*
 * What is hashed: each field with its name and length, so none can be another.
 */

static void
put(crypto_hash_sha256_state *st, const char *name, const void *v, size_t len)
{
	uint8_t	n = (uint8_t)strlen(name), be[4] = { (uint8_t)(len >> 24),
		    (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };

	crypto_hash_sha256_update(st, &n, 1);
	crypto_hash_sha256_update(st, (const uint8_t *)name, n);
	crypto_hash_sha256_update(st, be, sizeof(be));
	crypto_hash_sha256_update(st, v, len);
}

static void
put_text(crypto_hash_sha256_state *st, const char *name, const char *s)
{
	if (s[0] != '\0')
		put(st, name, s, strlen(s));
}

static void
put_number(crypto_hash_sha256_state *st, const char *name, int64_t v)
{
	char	text[24];
	int	n;

	if (v == AUDIT_UNSAID)
		return;
	n = snprintf(text, sizeof(text), "%lld", (long long)v);
	put(st, name, text, (size_t)n);
}

/* A column of later is put behind these: rows that lack it hash as before. */
void
chain_hash(const struct audit_row *r, uint8_t hash[AUDIT_HASH_SIZE])
{
	crypto_hash_sha256_state	st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const uint8_t *)MAGIC,
	    sizeof(MAGIC) - 1);
	put_text(&st, "chain", r->chain_name);
	put_number(&st, "seq", r->seq);
	put(&st, "prev", r->prev, sizeof(r->prev));
	put_number(&st, "event", r->event);
	put_number(&st, "time", r->at);
	put_text(&st, "action", r->action);
	put_text(&st, "outcome", r->outcome);
	put_text(&st, "actor", r->actor);
	put_text(&st, "impersonator", r->impersonator);
	put_text(&st, "token_id", r->token_id);
	put_text(&st, "address", r->address);
	put_text(&st, "session", r->session);
	put_text(&st, "service", r->service);
	put_text(&st, "access", r->access);
	put_text(&st, "object", r->object);
	put_text(&st, "request", r->request);
	put_text(&st, "reason", r->reason);
	put_number(&st, "count", r->count);
	put_number(&st, "duration_ms", r->duration_ms);
	put_number(&st, "bytes_in", r->bytes_in);
	put_number(&st, "bytes_out", r->bytes_out);
	crypto_hash_sha256_final(&st, hash);
}

/* The walk. */

void
chain_walk_init(struct chain_walk *w)
{
	memset(w, 0, sizeof(*w));
	w->last_event = INT64_MIN;
}

int
chain_walk_head(struct chain_walk *w, const char *hex, size_t len)
{
	size_t	n;

	if (w->nheads == CHAIN_HEADS || len != 2 * AUDIT_HASH_SIZE ||
	    sodium_hex2bin(w->head[w->nheads].hash, AUDIT_HASH_SIZE, hex, len,
	    NULL, &n, NULL) == -1 || n != AUDIT_HASH_SIZE)
		return (-1);
	w->nheads++;
	return (0);
}

/* What comes first in the log is said. */
static void __attribute__((format(printf, 3, 4)))
bad(struct chain_walk *w, int64_t event, const char *fmt, ...)
{
	va_list	ap;

	w->bad++;
	if (w->bad_event != 0 && w->bad_event <= event)
		return;
	w->bad_event = event;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
}

/* Rows `from` to `to` of a chain are missing before this event. */
static void
missing(struct chain_walk *w, int64_t event, int chain, int64_t from,
    int64_t to)
{
	if (from == to)
		bad(w, event, "row %lld of chain %s was removed: it stood "
		    "before event %lld", (long long)from, chain_word(chain),
		    (long long)event);
	else
		bad(w, event, "rows %lld to %lld of chain %s were removed: "
		    "they stood before event %lld", (long long)from,
		    (long long)to, chain_word(chain), (long long)event);
}

/* Up to where a purge has gone; whoever wrote it could also hash it. */
static void
purge_read(struct chain_end *e, const struct audit_row *r)
{
	long long	seq;
	char		hex[HEX64_SIZE], text[MESSAGE_SIZE];
	size_t		n;

	if (strcmp(r->action, CHAIN_PURGE) != 0 ||
	    sscanf(r->reason, "up to %lld, hash %64s", &seq, hex) != 2)
		return;
	snprintf(text, sizeof(text), CHAIN_PURGE_TO, seq, hex);
	if (strcmp(text, r->reason) != 0 || sodium_hex2bin(e->purged_hash,
	    AUDIT_HASH_SIZE, hex, strlen(hex), NULL, &n, NULL) == -1 ||
	    n != AUDIT_HASH_SIZE)
		return;
	e->purged_seq = seq;
}

static void
first(struct chain_walk *w, struct chain_end *e, const struct audit_row *r)
{
	e->first_event = r->event;
	e->first_seq = r->seq;
	e->first_at = r->at;
	memcpy(e->first_prev, r->prev, sizeof(e->first_prev));
	strlcpy(e->name, r->chain_name, sizeof(e->name));
	if (r->seq == 1 && (strcmp(r->action, CHAIN_BEGIN) != 0 ||
	    memcmp(r->prev, zeros, sizeof(zeros)) != 0))
		bad(w, r->event, "event %lld: chain %s begins anew: all before "
		    "was removed", (long long)r->event, chain_word(r->chain));
}

/* Does it stand behind the one that it was written behind? */
static void
follows(struct chain_walk *w, const struct chain_end *e,
    const struct audit_row *r)
{
	if (r->seq > e->seq + 1)
		missing(w, r->event, r->chain, e->seq + 1, r->seq - 1);
	else if (r->seq != e->seq + 1)
		bad(w, r->event, "event %lld was moved or put in: row %lld of "
		    "chain %s behind row %lld", (long long)r->event,
		    (long long)r->seq, chain_word(r->chain),
		    (long long)e->seq);
	else if (memcmp(r->prev, e->hash, sizeof(e->hash)) != 0)
		bad(w, r->event, "event %lld does not follow the one before "
		    "it in chain %s", (long long)r->event,
		    chain_word(r->chain));
	else if (strcmp(r->chain_name, e->name) != 0)
		bad(w, r->event, "event %lld: chain %s has another name",
		    (long long)r->event, chain_word(r->chain));
}

static void
in_chain(struct chain_walk *w, const struct audit_row *r)
{
	struct chain_end	*e = &w->end[r->chain];
	uint8_t			 hash[AUDIT_HASH_SIZE];
	unsigned		 i;

	chain_hash(r, hash);
	if (r->is_odd || memcmp(hash, r->hash, sizeof(hash)) != 0)
		bad(w, r->event, "event %lld was changed",
		    (long long)r->event);
	else
		purge_read(e, r);
	if (e->rows == 0)
		first(w, e, r);
	else
		follows(w, e, r);
	for (i = 0; i < w->nheads; i++)
		if (memcmp(w->head[i].hash, r->hash, sizeof(r->hash)) == 0)
			w->head[i].is_there = 1;
	e->event = r->event;
	e->seq = r->seq;
	e->at = r->at;
	memcpy(e->hash, r->hash, sizeof(e->hash));
	e->rows++;
}

void
chain_walk_row(struct chain_walk *w, const struct audit_row *r)
{
	w->last_event = r->event;
	if (r->chain > CHAIN_NONE && r->chain < CHAIN_COUNT)
		in_chain(w, r);
	else if (r->chain != CHAIN_NONE || w->end[CHAIN_DONE].rows > 0 ||
	    w->end[CHAIN_REFUSED].rows > 0)
		bad(w, r->event, "event %lld was put in: it is in no chain",
		    (long long)r->event);
	else
		w->old++;
}

/* Is what is missing before the oldest row what was purged? */
static void
end_check(struct chain_walk *w, int chain)
{
	const struct chain_end	*e = &w->end[chain];

	if (e->rows == 0 || (e->first_seq == 1 && e->purged_seq == 0))
		return;
	if (e->purged_seq < e->first_seq - 1)
		missing(w, e->first_event, chain, e->purged_seq + 1,
		    e->first_seq - 1);
	else if (e->purged_seq != e->first_seq - 1)
		bad(w, e->first_event, "event %lld was put in: row %lld of "
		    "chain %s has been purged", (long long)e->first_event,
		    (long long)e->first_seq, chain_word(chain));
	else if (memcmp(e->purged_hash, e->first_prev,
	    sizeof(e->first_prev)) != 0)
		bad(w, e->first_event, "event %lld does not follow what was "
		    "purged before it", (long long)e->first_event);
}

int
chain_walk_end(struct chain_walk *w)
{
	char		hex[HEX64_SIZE];
	unsigned	i;

	end_check(w, CHAIN_DONE);
	end_check(w, CHAIN_REFUSED);
	for (i = 0; i < w->nheads; i++)
		if (!w->head[i].is_there)
			bad(w, INT64_MAX, "no row has the hash %s: the newest "
			    "rows were removed, or the chain was written anew",
			    chain_hex(w->head[i].hash, hex));
	return (w->bad == 0);
}
