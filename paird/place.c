/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "pair_int.h"

#define WINDOW_MS	60000
#define PLACES_MAX	65536	/* with nobody here; the oldest goes */
#define CLIENTS_ONE	64	/* of one address */

static struct {
	struct index		 table;
	TAILQ_HEAD(, place)	 empty;
	size_t			 nempty;
	int			 begun;
} places;

int
window_full(const struct window *w, unsigned most, uint64_t now)
{
	return (w->count >= most && now - w->start < WINDOW_MS);
}

int
window_hit(struct window *w, unsigned most, uint64_t now)
{
	if (window_full(w, most, now))
		return (-1);
	if (w->count == 0 || now - w->start >= WINDOW_MS) {
		w->start = now;
		w->count = 0;
	}
	w->count++;
	return (0);
}

static void
place_free(struct place *p)
{
	index_del(&places.table, &p->link);
	TAILQ_REMOVE(&places.empty, p, entry);
	places.nempty--;
	free(p);
}

static struct place *
place_find(const uint8_t net[16], uint64_t key)
{
	struct link	*l;
	struct place	*p;

	for (l = index_find(&places.table, key); l != NULL;
	    l = index_next(l)) {
		p = OWNER(l, struct place, link);
		if (memcmp(p->net, net, sizeof(p->net)) == 0)
			return (p);
	}
	return (NULL);
}

struct place *
place_enter(const struct addr *a, uint64_t now)
{
	struct place	*p;
	uint8_t		 net[16];
	uint64_t	 key;

	(void)now;
	if (!places.begun) {
		TAILQ_INIT(&places.empty);
		places.begun = 1;
	}
	addr_net_of(a, net);
	key = pairs_key(net, sizeof(net));
	if ((p = place_find(net, key)) == NULL) {
		if ((p = calloc(1, sizeof(*p))) == NULL)
			return (NULL);
		memcpy(p->net, net, sizeof(p->net));
		index_add(&places.table, &p->link, key);
	} else if (p->clients == 0) {
		TAILQ_REMOVE(&places.empty, p, entry);
		places.nempty--;
	}
	p->clients++;
	if (p->clients <= CLIENTS_ONE)
		return (p);
	place_leave(p);
	return (NULL);
}

void
place_leave(struct place *p)
{
	if (--p->clients > 0)
		return;
	TAILQ_INSERT_TAIL(&places.empty, p, entry);
	if (++places.nempty > PLACES_MAX)
		place_free(TAILQ_FIRST(&places.empty));
}

void
place_clear(void)
{
	while (places.nempty > 0)
		place_free(TAILQ_FIRST(&places.empty));
}
