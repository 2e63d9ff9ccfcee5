/* SPDX-License-Identifier: ISC */
/* What sessions and tokens share: the tables, and what is said to a client. */
#include <sodium.h>

#include <string.h>

#include "base/compat.h"
#include "pair_int.h"

struct pair	pair;

uint64_t
pairs_key(const void *p, size_t len)
{
	uint8_t		out[crypto_shorthash_BYTES];
	uint64_t	key;

	crypto_shorthash(out, p, len, pair.key);
	memcpy(&key, out, sizeof(key));
	return (key);
}

void
pairs_send(struct client *c, const char *text, size_t len)
{
	pair.ops->send(c->io, text, len);
}

void
pairs_error(struct client *c, const char *code)
{
	char	text[80];

	strlcpy(text, "{\"type\":\"error\",\"code\":\"", sizeof(text));
	strlcat(text, code, sizeof(text));
	strlcat(text, "\"}", sizeof(text));
	pair.count.errors++;
	pair.count.limited += strcmp(code, "rate_limited") == 0;
	pairs_send(c, text, strlen(text));
}

/* Who waits for somebody is pinged; who waits for nobody leaves. */
void
pairs_busy(struct client *c, uint64_t now)
{
	int	busy = !c->over && (c->session != NULL || c->nwatches > 0 ||
		    c->pending || c->given != NULL);

	if (c->busy == busy || c->over)
		return;
	c->busy = busy;
	if (busy) {
		TAILQ_REMOVE(&pair.idle, c, by_idle);
		c->heard = c->pinged = now;
		TAILQ_INSERT_TAIL(&pair.heard, c, by_heard);
		TAILQ_INSERT_TAIL(&pair.pinged, c, by_ping);
		return;
	}
	TAILQ_REMOVE(&pair.heard, c, by_heard);
	TAILQ_REMOVE(&pair.pinged, c, by_ping);
	c->idle = now;
	TAILQ_INSERT_TAIL(&pair.idle, c, by_idle);
}
