/* SPDX-License-Identifier: ISC */
/* The table of relay sessions: how one begins and ends. */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "authd/store/store.h"
#include "base/compat.h"
#include "base/log.h"
#include "admit.h"
#include "member.h"
#include "peer.h"
#include "proc/proc.h"
#include "relay.h"

#define SAVE_MS	5000		/* between two writes of counters */

static void	relay_due(void *);
static void	relay_free(struct relay *);
static void	relay_drop(struct relay *);

struct relays	relays = TAILQ_HEAD_INITIALIZER(relays);

static struct index	table;
static struct budget	places;
static uint64_t		numbers;

struct relay *
relay_find(const char *id)
{
	struct link	*l;
	struct relay	*r;

	for (l = index_find(&table, index_key(id)); l != NULL;
	    l = index_next(l)) {
		r = OWNER(l, struct relay, link);
		if (strcmp(r->id, id) == 0)
			return (r);
	}
	return (NULL);
}

/* 16 random bytes as text. */
static void
relay_random(char dst[RELAY_TEXT])
{
	uint8_t	raw[16];

	randombytes_buf(raw, sizeof(raw));
	(void)sodium_bin2base64(dst, RELAY_TEXT, raw, sizeof(raw),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	explicit_bzero(raw, sizeof(raw));
}

struct relay *
relay_new(const char *subject, int *status, const char **why,
    char tokens[SLOT_COUNT][RELAY_TEXT])
{
	const struct conf	*conf = proc_conf();
	struct relay		*r;
	unsigned		 i;

	places.total = conf->relay_sessions;
	places.one = subject[0] != '\0' ? conf->relay_subject : UINT64_MAX;
	places.few = UINT64_MAX;
	*status = 503;
	*why = member_is_draining() ? refusal_info(REFUSE_DRAINING)->text :
	    "service temporarily unavailable";
	if (member_is_draining())
		return (NULL);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	if (budget_take(&places, &r->place, subject, NULL, 1) == -1) {
		*status = places.used >= places.total ? 503 : 429;
		*why = "session limit reached";
		free(r);
		return (NULL);
	}
	do
		relay_random(r->id);
	while (relay_find(r->id) != NULL);
	for (i = 0; i < SLOT_COUNT; i++) {
		relay_random(tokens[i]);
		crypto_generichash(r->hash[i], RELAY_HASH,
		    (const uint8_t *)tokens[i], RELAY_ID, NULL, 0);
	}
	strlcpy(r->subject, subject, sizeof(r->subject));
	r->channels = 1;
	r->created = r->moved = clock_wall_ms();
	STAILQ_INIT(&r->waiting);
	relay_keep(r, (int64_t)conf->relay_lifetime * 1000);
	return (r);
}

void
relay_keep(struct relay *r, int64_t lifetime_ms)
{
	int64_t	left;

	if (!timer_is_set(&r->timer)) {
		timer_init(&r->timer, relay_due, r);
		r->number = ++numbers;
		index_add(&table, &r->link, index_key(r->id));
		TAILQ_INSERT_TAIL(&relays, r, entry);
	}
	r->expires = r->created + lifetime_ms;
	left = r->expires - clock_wall_ms();
	timer_set(&r->timer, left > 0 ? (uint64_t)left : 0);
}

static int
hash_load(uint8_t hash[RELAY_HASH], const char *text)
{
	size_t	n;

	return (sodium_hex2bin(hash, RELAY_HASH, text, strlen(text), NULL, &n,
	    NULL) == 0 && n == RELAY_HASH ? 0 : -1);
}

uint64_t
relay_numbers(void)
{
	return (numbers);
}

int
relay_from_row(struct relay *r, const struct relay_row *row)
{
	memset(r, 0, sizeof(*r));
	if (strlen(row->id) != RELAY_ID || row->channels == 0 ||
	    row->channels > RELAY_CHANNELS ||
	    hash_load(r->hash[SLOT_INITIATOR], row->initiator) == -1 ||
	    hash_load(r->hash[SLOT_RESPONDER], row->responder) == -1)
		return (-1);
	strlcpy(r->id, row->id, sizeof(r->id));
	strlcpy(r->issuer, row->issuer, sizeof(r->issuer));
	strlcpy(r->subject, row->subject, sizeof(r->subject));
	strlcpy(r->client, row->client, sizeof(r->client));
	strlcpy(r->addr, row->addr, sizeof(r->addr));
	strlcpy(r->label, row->label, sizeof(r->label));
	r->channels = row->channels;
	r->created = row->created_at;
	r->moved = row->moved_at;
	r->bytes_in = row->bytes_in;
	r->bytes_out = row->bytes_out;
	r->expires = row->expires_at;
	STAILQ_INIT(&r->waiting);
	return (0);
}

enum relay_loaded
relay_load(const struct relay_row *row)
{
	struct relay	*r;

	if (relay_find(row->id) != NULL)
		return (RELAY_LOADED);
	if ((r = malloc(sizeof(*r))) == NULL)
		return (RELAY_NO_MEMORY);
	places.total = places.one = places.few = UINT64_MAX;
	if (relay_from_row(r, row) == -1 ||
	    budget_take(&places, &r->place, r->subject, NULL, 1) == -1) {
		freezero(r, sizeof(*r));
		return (RELAY_NOT);
	}
	relay_keep(r, row->expires_at - row->created_at);
	return (RELAY_LOADED);
}

void
relay_add(const struct relay *r)
{
	struct relay_row	row;

	memset(&row, 0, sizeof(row));
	strlcpy(row.id, r->id, sizeof(row.id));
	sodium_bin2hex(row.initiator, sizeof(row.initiator),
	    r->hash[SLOT_INITIATOR], RELAY_HASH);
	sodium_bin2hex(row.responder, sizeof(row.responder),
	    r->hash[SLOT_RESPONDER], RELAY_HASH);
	row.channels = r->channels;
	strlcpy(row.issuer, r->issuer, sizeof(row.issuer));
	strlcpy(row.subject, r->subject, sizeof(row.subject));
	strlcpy(row.client, r->client, sizeof(row.client));
	strlcpy(row.addr, r->addr, sizeof(row.addr));
	strlcpy(row.label, r->label, sizeof(row.label));
	row.created_at = r->created;
	row.expires_at = r->expires;
	row.moved_at = r->moved;
	row.bytes_in = r->bytes_in;
	row.bytes_out = r->bytes_out;
	(void)store_relay_add(&row);
}

void
relay_save(struct relay *r, int always)
{
	struct relay_row	row;

	if (!always && clock_ms() - r->saved_ms < SAVE_MS)
		return;
	r->saved_ms = clock_ms();
	memset(&row, 0, sizeof(row));
	strlcpy(row.id, r->id, sizeof(row.id));
	row.moved_at = r->moved;
	row.bytes_in = r->bytes_in;
	row.bytes_out = r->bytes_out;
	(void)store_relay_save(&row);
}

/* Those who wait hear no: the session is over, or elsewhere. */
static void
relay_waiting(struct relay *r, int elsewhere)
{
	struct relay_wait	*w;

	timer_del(&r->late);
	while ((w = STAILQ_FIRST(&r->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiting, entry);
		if (elsewhere)
			admit_no(&w->asker, 503, 1,
			    "service temporarily unavailable");
		else
			admit_no(&w->asker, 404, 0, "404 page not found");
		free(w);
	}
}

/* Whoever is there goes; nobody more comes to that process. */
static void
relay_part(struct relay *r, const char *why)
{
	struct peer	*pe = peer_find(r->instance);

	r->instance = 0;
	r->nonce = 0;
	r->on_way = 0;
	memset(r->seats, 0, sizeof(r->seats));
	if (pe == NULL)
		return;
	pe->relay = NULL;
	peer_close(pe, 1001, why);
}

void
relay_over(struct relay *r, const char *why, const char *by, int keep)
{
	relay_note(r, keep ? "expire" : "delete", 0, SLOT_COUNT, 0, by);
	relay_part(r, why);
	if (!keep) {
		relay_waiting(r, 0);
		relay_free(r);
		return;
	}
	r->expired = 1;
	timer_set(&r->timer, proc_conf()->relay_reap * 1000);
}

static void
relay_due(void *arg)
{
	struct relay	*r = arg;

	if (r->expired || clock_wall_ms() >= r->expires) {
		if (r->expired)
			relay_free(r);
		else
			relay_over(r, "session expired", "", 1);
	} else
		timer_set(&r->timer, (uint64_t)(r->expires - clock_wall_ms()));
}

/* Those half-way, too: where they are going it is not any more. */
void
relay_lose(struct relay *r, const char *why)
{
	struct peer	*pe = peer_find(r->instance);

	admit_moved(r->id, why);
	if (pe != NULL && pe->admission != NULL)
		pe->admission->moved = why;
	relay_part(r, why);
	relay_waiting(r, 1);
	relay_drop(r);
}

static void
relay_free(struct relay *r)
{
	relay_part(r, "session expired");
	relay_waiting(r, 0);
	(void)store_relay_del(r->id);
	relay_drop(r);
}

static void
relay_drop(struct relay *r)
{
	timer_del(&r->timer);
	timer_del(&r->late);
	index_del(&table, &r->link);
	TAILQ_REMOVE(&relays, r, entry);
	budget_leave(&places, &r->place);
	free(r->events);
	freezero(r, sizeof(*r));
}
