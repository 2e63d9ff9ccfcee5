/* SPDX-License-Identifier: ISC */
#include "services.h"
#include "terminal.h"

/* Built into every client. */
static enum refusal
terminal_check(const struct stream *st)
{
	(void)st;
	return (REFUSE_NOT);
}

static struct rowlog *
terminal_row(const struct stream *st, const struct now *now)
{
	return (rowlog_terminal(&st->who, st->tunnel->session->row.id,
	    st->addr, now));
}

const struct stream_kind	stream_terminal = {
	.check = terminal_check,
	.row = terminal_row,
	.leave_row = rowlog_close,
	.refused = EFFECT_TERM_REFUSED,
	.own_row = 1,
	.closes = 1,
};

enum refusal
terminal_open(const struct asker *termd, struct session *se,
    const struct operator *who, const char *addr, uint64_t *id, const struct now *now)
{
	struct stream_ask	ask = { .kind = &stream_terminal,
	    .tunnel = session_tunnel(se), .terminal = termd->instance,
	    .service = SERVICE_TERMINAL, .addr = addr, .who = who,
	    .asker = *termd };

	return (stream_begin(&ask, id, now));
}
