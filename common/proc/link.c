/* SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "link.h"
#include "proc.h"

static struct {
	const struct link_ops	*ops;
	struct chan		*chan;
	int			 state;
	int			 seen;		/* there has been one */
} authd;

void
link_init(const struct link_ops *ops)
{
	authd.ops = ops;
}

static void
link_gone(enum link_end how)
{
	if (authd.ops->gone != NULL)
		authd.ops->gone(how);
}

static void
link_closed(struct chan *c, int offence, const char *reason)
{
	if (offence)
		log_warnx("authd: %s", reason);
	else
		log_debug("authd: %s", reason);
	authd.chan = NULL;
	chan_free(c);
	link_gone(offence ? LINK_OFFENCE : LINK_ENDED);
}

int
link_take(int fd)
{
	struct chan	*old = authd.chan;
	int		 again = authd.seen;

	authd.chan = NULL;
	authd.seen = 1;
	if (old != NULL) {
		chan_free(old);
		link_gone(LINK_REPLACED);
	}
	authd.chan = chan_new(proc_base(), fd, ROLE_AUTHD, authd.ops->table,
	    authd.ops->rows, link_closed, NULL);
	/* Nobody would send another: who starts anew gets one. */
	if (authd.chan == NULL)
		fatal("channel to authd");
	chan_set_state(authd.chan, authd.state);
	if (authd.ops->came != NULL)
		authd.ops->came(again);
	return (0);
}

struct chan *
link_chan(void)
{
	return (authd.chan != NULL && !chan_is_closed(authd.chan) ?
	    authd.chan : NULL);
}

void
link_set_state(int state)
{
	authd.state = state;
	if (authd.chan != NULL)
		chan_set_state(authd.chan, state);
}

void
link_flush(void)
{
	if (authd.chan != NULL)
		(void)chan_flush(authd.chan);
}
