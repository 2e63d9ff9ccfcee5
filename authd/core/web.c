/* SPDX-License-Identifier: ISC */
#include "services.h"
#include "web.h"

static enum refusal
web_check(const struct stream *st)
{
	const struct service	*sv;
	enum refusal		 no = stream_service(st, &sv);

	return (no == REFUSE_NOT && service_is_tcp(sv) ? REFUSE_SERVICE_TCP : no);
}

static struct rowlog *
web_row(const struct stream *st, const struct now *now)
{
	return (rowlog_web(&st->who, st->tunnel->session->row.id, st->service,
	    st->addr, now));
}

static void
web_leave_row(struct rowlog *row, const struct now *now)
{
	(void)now;
	rowlog_release(row);
}

const struct stream_kind	stream_web = {
	.type = ROW_WEB,
	.check = web_check,
	.row = web_row,
	.leave_row = web_leave_row,
	.refused = EFFECT_STREAM_REFUSED,
	.lapses = 1,
};

enum refusal
web_open(struct grant *g, const char *service, const struct asker *asker,
    const struct now *now)
{
	struct stream_ask	ask = { .kind = &stream_web, .grant = g,
	    .service = service, .asker = *asker };
	uint64_t		id;

	if (g == NULL || !grant_is_fresh(g, now))
		return (REFUSE_TOKEN);
	if (!session_is_open(g->session, now) || (g->lender != NULL &&
	    !session_is_open(g->lender, now)))
		return (REFUSE_SESSION_OVER);
	if ((ask.tunnel = session_tunnel(g->session)) == NULL)
		return (REFUSE_TUNNEL_NONE);
	ask.who = &g->who;
	ask.addr = g->addr;
	ask.lender = g->lender;
	return (stream_begin(&ask, &id, now));
}
