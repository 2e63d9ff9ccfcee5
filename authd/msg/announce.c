/* SPDX-License-Identifier: ISC */
/*
 * After a restart: muxd, termd and tcpd tell what runs, muxd with the tag it
 * has.
 */
#include "authd/core/grant.h"
#include "authd/core/guest.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/terminal.h"
#include "authd/core/web.h"
#include "authd/facts.h"
#include "authd/now.h"
#include "admit.h"
#include "base/log.h"
#include "handlers.h"
#include "peer.h"
#include "tag.h"

/* As many as can be configured, and what ended meanwhile (core/stream.c). */
#define TOLD_MAX	(4096 + 1024)

int
announce_on_begin(struct chan *c, struct imsg *m)
{
	struct msg_announce	 in;
	struct peer		*pe = peer_of(c);

	if (get_announce(m, &in) == -1 || in.up > 1 || in.streams > TOLD_MAX)
		return (-1);
	pe->announced = in.streams;
	if (in.up && peer_session(pe) != NULL)
		session_up(peer_session(pe), now_at());
	return (0);
}

static void
announce_known(const struct facts *f, void *arg)
{
	struct stream	*st = stream_find((uint64_t)(uintptr_t)arg);

	if (st != NULL && st->state == STREAM_OPENED && !may_still(f))
		stream_kill(st, END_GRANT);
}

/* Whoever may not any more lost it while nobody was there to end it. */
static void
announce_recheck(const struct tunnel *t, uint64_t id,
    const struct operator *who)
{
	(void)facts_ask(NEED_SCOPE, &(struct facts_keys){ .who = who,
	    .system_id = t->session->row.system_id, .asker = t->instance },
	    announce_known, (void *)(uintptr_t)id);
}

/*
 * A terminal's worker was let in by an authd that is no more. Which stream it
 * has is in the tag: its own word could free its place while it goes on.
 */
static void
announce_count(uint64_t termd, uint64_t stream, const struct operator *who,
    const char *session)
{
	struct peer	*pe = peer_find(termd);

	if (pe == NULL || !peer_has(pe, RF_STREAM) || pe->admission != NULL)
		return;
	pe->stream = stream;
	pe->admission = admit_again(pe->role, who, session);
}

/* Take a stream back, or say why not. */
static const char *
announce_restore(struct tunnel *t, const struct msg_announce_stream *said)
{
	struct operator		 who;
	struct stream_ask	 ask = { .tunnel = t, .who = &who,
	    .service = said->service };
	struct rowlog		*row;
	struct tag		 tag;
	const char		*why;

	if (!stream_may_restore(t, said->stream))
		return ("not expected");
	if (tag_read(said->tag.p, said->tag.len, said->stream,
	    t->session->row.id, said->service, &tag) == -1)
		return ("not our tag");
	if (tag.lender[0] != '\0' &&
	    (ask.lender = session_find(tag.lender)) == NULL &&
	    (ask.lender = guest_find(tag.lender)) == NULL)
		return ("its token's session is over");
	if ((row = rowlog_take(tag.row)) == NULL)
		return ("no open row in the access log");
	rowlog_operator(row, &who);
	who.expires = tag.expires;
	ask.addr = row->row.ip;
	ask.terminal = tag.terminal;
	ask.kind = tag.terminal != 0 ? terminal_kind(said->service) :
	    &stream_web;
	why = stream_restore(&ask, said->stream, row, said->in, said->out,
	    now_at());
	if (why != NULL)
		return (why);
	if (tag.terminal != 0)
		announce_count(tag.terminal, said->stream, &who,
		    t->session->row.id);
	announce_recheck(t, said->stream, &who);
	return (NULL);
}

int
announce_on_stream(struct chan *c, struct imsg *m)
{
	struct msg_announce_stream	 said;
	struct peer			*pe = peer_of(c);
	const char			*why;

	if (get_announce_stream(m, &said) == -1 || pe->announced == 0)
		return (-1);
	pe->announced--;
	if (pe->tunnel == NULL)
		return (0);
	if ((why = announce_restore(pe->tunnel, &said)) == NULL)
		return (0);
	log_info("tunnel %llu: stream %llu ended after restart: %s",
	    (unsigned long long)pe->instance, (unsigned long long)said.stream,
	    why);
	(void)say_stream_kill(c, 0, -1, &(struct msg_stream_kill){
	    .stream = said.stream, .why = END_GRANT });
	return (0);
}

int
announce_on_end(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);
	struct session	*se = peer_session(pe);

	if (get_announce_end(m) == -1 || pe->announced != 0)
		return (-1);
	if (pe->tunnel == NULL) {
		peer_set_state(pe, P_READY);
		return (0);
	}
	if (peer_state(pe) == P_CLOSING)
		return (0);
	peer_set_state(pe, P_UP);
	if (se != NULL) {
		log_info("session %s: tunnel is back after restart, %u "
		    "stream%s", se->row.id, pe->tunnel->nstreams,
		    PLURAL(pe->tunnel->nstreams));
		grant_announced(se);
	}
	tunnel_room(pe->tunnel);
	return (0);
}
