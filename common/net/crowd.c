/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"

#define BUCKETS	4096
#define LEVELS	16		/* a level more for each doubling */

TAILQ_HEAD(seats, seat);

struct crowd_addr {
	LIST_ENTRY(crowd_addr)	 entry;
	uint8_t			 net[16];	/* as addr_key() has it */
	unsigned int		 n, half;
	struct seats		 idle;		/* the oldest first */
};

static struct {
	LIST_HEAD(, crowd_addr)	 bucket[BUCKETS];
	unsigned char		 key[crypto_shorthash_KEYBYTES];
	unsigned int		 half;		/* fresh ones too */
	struct seats		 fresh, level[LEVELS], idle;
} crowd;

void
crowd_init(void)
{
	size_t	i;

	crypto_shorthash_keygen(crowd.key);
	TAILQ_INIT(&crowd.fresh);
	TAILQ_INIT(&crowd.idle);
	for (i = 0; i < LEVELS; i++)
		TAILQ_INIT(&crowd.level[i]);
}

/* Where one with this address is or belongs; *net is what counts of it. */
static size_t
bucket_of(const struct addr *a, uint8_t net[16])
{
	unsigned char	hash[crypto_shorthash_BYTES];
	uint16_t	h;

	addr_net_of(a, net);
	crypto_shorthash(hash, net, 16, crowd.key);
	memcpy(&h, hash, sizeof(h));
	return (h % BUCKETS);
}

static struct crowd_addr *
addr_find(const struct addr *a)
{
	struct crowd_addr	*ca;
	uint8_t			 net[16];

	LIST_FOREACH(ca, &crowd.bucket[bucket_of(a, net)], entry)
		if (memcmp(ca->net, net, sizeof(net)) == 0)
			break;
	return (ca);
}

static struct crowd_addr *
addr_get(const struct addr *a)
{
	struct crowd_addr	*ca = addr_find(a);
	size_t			 b;

	if (ca != NULL || (ca = calloc(1, sizeof(*ca))) == NULL)
		return (ca);
	b = bucket_of(a, ca->net);
	TAILQ_INIT(&ca->idle);
	LIST_INSERT_HEAD(&crowd.bucket[b], ca, entry);
	return (ca);
}

static unsigned int
level_of(size_t bytes)
{
	unsigned int	n = 0;

	for (; bytes > 0 && n < LEVELS - 1; bytes >>= 1)
		n++;
	return (n);
}

/* Out of the list that it stands in. */
static void
seat_up(struct seat *s)
{
	switch (s->at) {
	case SEAT_FRESH:
		TAILQ_REMOVE(&crowd.fresh, s, order);
		break;
	case SEAT_HALF:
		TAILQ_REMOVE(&crowd.level[s->level], s, order);
		break;
	case SEAT_IDLE:
		TAILQ_REMOVE(&crowd.idle, s, order);
		TAILQ_REMOVE(&s->addr->idle, s, of_addr);
		break;
	case SEAT_BUSY:
	case SEAT_OUT:
		break;
	}
	if (s->at == SEAT_FRESH || s->at == SEAT_HALF) {
		crowd.half--;
		s->addr->half--;
	}
}

static void
seat_half(struct seat *s, enum seat_at at)
{
	s->at = at;
	crowd.half++;
	s->addr->half++;
	if (at == SEAT_FRESH)
		TAILQ_INSERT_TAIL(&crowd.fresh, s, order);
	else
		TAILQ_INSERT_TAIL(&crowd.level[s->level], s, order);
}

/* Whose second is over stands with those who have said as much. */
static void
fresh_age(uint64_t now_ms)
{
	struct seat	*s;

	while ((s = TAILQ_FIRST(&crowd.fresh)) != NULL &&
	    now_ms - s->since_ms >= CROWD_FRESH_MS) {
		seat_up(s);
		seat_half(s, SEAT_HALF);
	}
}

/* The half one that has said least, the oldest of them; NULL: none is old. */
static struct seat *
half_least(uint64_t now_ms)
{
	size_t	i;

	fresh_age(now_ms);
	for (i = 0; i < LEVELS; i++)
		if (!TAILQ_EMPTY(&crowd.level[i]))
			return (TAILQ_FIRST(&crowd.level[i]));
	return (NULL);
}

enum crowd_room
crowd_room(const struct addr *a, int many, uint64_t now_ms,
    struct seat **seat)
{
	struct crowd_addr	*ca = many ? NULL : addr_find(a);

	if (ca != NULL && ca->half >= CROWD_HALF_ADDRESS)
		return (CROWD_FULL);
	if (ca != NULL && ca->n >= CROWD_ADDRESS) {
		*seat = TAILQ_FIRST(&ca->idle);
		return (*seat != NULL ? CROWD_CLOSE : CROWD_FULL);
	}
	if (crowd.half < CROWD_HALF_MAX)
		return (CROWD_ROOM);
	if ((*seat = half_least(now_ms)) == NULL)
		*seat = TAILQ_FIRST(&crowd.fresh);
	return (CROWD_CLOSE);
}

int
crowd_enter(struct seat *s, const struct addr *a, uint64_t now_ms)
{
	if ((s->addr = addr_get(a)) == NULL)
		return (-1);
	s->addr->n++;
	s->since_ms = now_ms;
	s->level = 0;
	seat_half(s, SEAT_FRESH);
	return (0);
}

void
crowd_half(struct seat *s, size_t bytes)
{
	unsigned int	level = level_of(bytes);

	if (s->at == SEAT_FRESH)
		s->level = level;
	if (s->at == SEAT_FRESH || (s->at == SEAT_HALF && s->level == level))
		return;
	seat_up(s);
	s->level = level;
	seat_half(s, SEAT_HALF);
}

void
crowd_busy(struct seat *s)
{
	if (s->at == SEAT_BUSY)
		return;
	seat_up(s);
	s->at = SEAT_BUSY;
}

void
crowd_idle(struct seat *s)
{
	if (s->at == SEAT_IDLE)
		return;
	seat_up(s);
	s->at = SEAT_IDLE;
	TAILQ_INSERT_TAIL(&crowd.idle, s, order);
	TAILQ_INSERT_TAIL(&s->addr->idle, s, of_addr);
}

void
crowd_leave(struct seat *s)
{
	if (s->at == SEAT_OUT)
		return;
	seat_up(s);
	s->at = SEAT_OUT;
	if (--s->addr->n == 0) {
		LIST_REMOVE(s->addr, entry);
		free(s->addr);
	}
	s->addr = NULL;
}

struct seat *
crowd_spare(uint64_t now_ms)
{
	struct seat	*s = TAILQ_FIRST(&crowd.idle);

	return (s != NULL ? s : half_least(now_ms));
}
