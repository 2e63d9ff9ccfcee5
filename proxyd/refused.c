/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "door/conn.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/link.h"
#include "refused.h"

#define TELL_MS		1000

/* Of one address and reason, since it was last told. */
struct place {
	struct addr	 addr;			/* the first's */
	char		 request[REQUEST_SIZE];	/* its id */
	uint8_t		 net[16];
	uint8_t		 why;
	uint32_t	 n;
};

static struct {
	struct place	 places[REFUSED_PLACES];
	size_t		 used;
	uint32_t	 others[ALONE_COUNT];	/* who had no place */
	struct timer	 tell;
	int		 is_ready, is_waiting;
} told;

static void
more(uint32_t *n)
{
	if (*n < UINT32_MAX)
		(*n)++;
}

static int
say(const char *addr, const char *request, unsigned why, uint32_t n)
{
	return (say_refused_alone(link_chan(), 0, -1,
	    &(struct msg_refused_alone){ .why = (uint8_t)why, .addr = addr,
	    .count = n, .request = request }));
}

/* While there is no authd it waits for the next one, and does not grow. */
static void
tell(void *arg)
{
	char		 addr[ADDR_SIZE];
	struct place	*p;
	unsigned	 why;

	(void)arg;
	told.is_waiting = link_chan() == NULL;
	if (told.is_waiting) {
		timer_set(&told.tell, TELL_MS);
		return;
	}
	while (told.used > 0) {
		p = &told.places[--told.used];
		addr_print(&p->addr, addr);
		if (say(addr, p->request, p->why, p->n) == -1)
			return;
	}
	for (why = 0; why < ALONE_COUNT; why++)
		if (told.others[why] > 0) {
			if (say("", "", why, told.others[why]) == -1)
				return;
			told.others[why] = 0;
		}
}

static struct place *
place_of(const struct conn *c, enum alone why)
{
	struct place	*p;
	uint8_t		 net[16];
	size_t		 i;

	addr_net_of(&c->addr, net);
	for (i = 0; i < told.used; i++) {
		p = &told.places[i];
		if (p->why == why && memcmp(p->net, net, sizeof(net)) == 0)
			return (p);
	}
	if (told.used == REFUSED_PLACES)
		return (NULL);
	p = &told.places[told.used++];
	p->addr = c->addr;
	memcpy(p->net, net, sizeof(net));
	p->why = (uint8_t)why;
	p->n = 0;
	strlcpy(p->request, c->request, sizeof(p->request));
	return (p);
}

void
refused(const struct conn *c, enum alone why)
{
	struct place	*p = place_of(c, why);

	more(p != NULL ? &p->n : &told.others[why]);
	if (told.is_waiting)
		return;
	if (!told.is_ready)
		timer_init(&told.tell, tell, NULL);
	told.is_ready = told.is_waiting = 1;
	timer_set(&told.tell, TELL_MS);
}

void
refused_tell(void)
{
	if (link_chan() != NULL)
		tell(NULL);
}
