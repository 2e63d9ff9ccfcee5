/* SPDX-License-Identifier: ISC */
#include "paird/pair_int.h"
#include "pairsound.h"

struct sum {
	size_t	clients, sessions, paired, watches;
};

static int
client_is_sound(const struct client *c, struct sum *sum)
{
	const struct session	*s = c->session;
	const struct client	*o;
	const struct watch	*w;

	sum->clients++;
	if (c->over && (s != NULL || c->nwatches > 0 || c->given != NULL ||
	    c->nasks > 0))
		return (0);
	if (s != NULL) {
		o = s->target == c ? s->controller : s->target;
		if ((s->target != c && s->controller != c) || o == c ||
		    (o != NULL && o->session != s) ||
		    (s->state == SESSION_PAIRED) != (s->controller != NULL))
			return (0);
		sum->sessions += s->target == c && s->state != SESSION_LATE;
		sum->paired += s->target == c && s->state == SESSION_PAIRED;
	}
	if (c->given != NULL && (c->given->target != c || !c->given->given))
		return (0);
	TAILQ_FOREACH(w, &c->watches, of_holder)
		sum->watches += w->holder == c;
	return (c->over || c->busy == (c->session != NULL ||
	    c->nwatches > 0 || c->pending || c->given != NULL));
}

int
pair_is_sound(struct client *const *clients, size_t n, size_t asks)
{
	const struct pair_count	*count = pairs_count();
	const struct watch	*w;
	struct sum		 sum = { 0 };
	size_t			 i, watches = 0;

	for (i = 0; i < n; i++)
		if (clients[i] != NULL && !client_is_sound(clients[i], &sum))
			return (0);
	TAILQ_FOREACH(w, &pair.watches, entry)
		watches++;
	return (sum.clients == count->clients &&
	    sum.sessions == count->sessions &&
	    sum.sessions == pair.by_code.count &&
	    sum.paired == count->paired && sum.watches == count->watches &&
	    watches == sum.watches && watches == pair.by_jti.count &&
	    pair.by_ask.count >= asks);
}
