/* SPDX-License-Identifier: ISC */
#include <string.h>

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

/* Any service: who may have its pages may have its bytes. */
static enum refusal
tcp_check(const struct stream *st)
{
	const struct service	*sv;

	return (stream_service(st, &sv));
}

static struct rowlog *
tcp_row(const struct stream *st, const struct now *now)
{
	return (rowlog_tcp(&st->who, st->tunnel->session->row.id, st->service,
	    st->addr, now));
}

const struct stream_kind	stream_terminal = {
	.type = "web_terminal",
	.check = terminal_check,
	.row = terminal_row,
	.leave_row = rowlog_close,
	.refused = EFFECT_TERM_REFUSED,
	.own_row = 1,
	.closes = 1,
};

const struct stream_kind	stream_tcp = {
	.type = "tcp",
	.told = 1,
	.check = tcp_check,
	.row = tcp_row,
	.leave_row = rowlog_close,
	.refused = EFFECT_TERM_REFUSED,
	.own_row = 1,
	.closes = 1,
};

const struct stream_kind *
terminal_kind(const char *service)
{
	return (strcmp(service, SERVICE_TERMINAL) == 0 ? &stream_terminal :
	    &stream_tcp);
}

enum refusal
terminal_open(const struct asker *worker, struct session *se,
    const char *service, const struct operator *who, const char *addr,
    uint64_t *id, const struct now *now)
{
	struct stream_ask	ask = { .kind = terminal_kind(service),
	    .tunnel = session_tunnel(se), .terminal = worker->instance,
	    .service = service, .addr = addr, .who = who,
	    .asker = *worker };

	return (stream_begin(&ask, id, now));
}
