/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "imsg/imsg.h"
#include "metrics/count.h"
#include "proc/proc.h"
#include "sign.h"
#include "tickets.h"

#define SIGN_MS	5000	/* keyd has so long */

static struct {
	struct chan	*keyd;		/* NULL: between two */
	struct chan	*before;	/* that has still to answer; NULL */
	struct sign	*now;
} signs;

static const struct dispatch	table[] = {
	{ IMSG_SIGNED, R_KEYD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_TICKET_KEYS, R_KEYD, S_ANY, 0, tickets_on_keys },
};

static void
keyd_closed(struct chan *c, int offence, const char *reason)
{
	if (offence)
		log_warnx("keyd: %s", reason);
	else
		log_info("keyd has gone");
	if (signs.keyd == c)
		signs.keyd = NULL;
	if (signs.before == c)
		signs.before = NULL;
	chan_free(c);
}

/* It waits for us to let go, and we for its answers. */
static void
before_ends(void)
{
	struct chan	*c = signs.before;

	if (c == NULL || chan_calls(c) > 0)
		return;
	signs.before = NULL;
	chan_free(c);
}

int
sign_peer(int fd, uint64_t instance, unsigned protocol)
{
	struct chan	*older = signs.before;

	/* What comes from one before that comes too late. */
	signs.before = NULL;
	chan_free(older);
	signs.before = signs.keyd;
	signs.keyd = NULL;
	before_ends();
	signs.keyd = chan_new(proc_base(), fd, ROLE_KEYD, table,
	    sizeof(table) / sizeof(table[0]), keyd_closed, NULL);
	if (signs.keyd == NULL)
		return (-1);
	chan_speak(signs.keyd, protocol);
	chan_hear(signs.keyd, protocol);
	chan_set_instance(signs.keyd, instance);
	return (0);
}

void
sign_for(struct sign *s)
{
	signs.now = s;
}

struct sign *
sign_now(void)
{
	return (signs.now);
}

static int
answered(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_signed	 in;
	struct sign		*s = arg;
	int			 r = m == NULL ? 0 : get_signed(m, &in);

	(void)c;
	s->state = SIGN_FAILED;
	if (m != NULL && r == 0 && in.signature.len > 0) {
		memcpy(s->sig, in.signature.p, in.signature.len);
		s->len = in.signature.len;
		s->state = SIGN_DONE;
		observe_us(CT_TLS_SIGN, (clock_ns() - s->since_ns) / 1000);
	}
	s->ready(s->arg);
	before_ends();
	return (r);
}

int
sign_ask(struct sign *s, const struct msg_sign *what)
{
	s->since_ns = clock_ns();
	if (signs.keyd == NULL || call_start(&s->call, signs.keyd, SIGN_MS,
	    answered, s) == 0)
		return (-1);
	if (say_sign(signs.keyd, s->call.id, -1, what) == -1) {
		call_cancel(&s->call);
		return (-1);
	}
	s->state = SIGN_WAITS;
	return (0);
}

void
sign_cancel(struct sign *s)
{
	call_cancel(&s->call);
	s->state = SIGN_FAILED;
	before_ends();
}
