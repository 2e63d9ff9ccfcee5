/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "authd/core/effect.h"
#include "authd/core/grant.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/terminal.h"
#include "authd/now.h"
#include "base/compat.h"
#include "base/log.h"
#include "follow.h"
#include "guests.h"
#include "held.h"
#include "manifest.h"
#include "metrics/count.h"
#include "peer.h"
#include "recording.h"
#include "proc/proc.h"
#include "run.h"
#include "streamlog.h"
#include "tag.h"

#define ROOM_MS		200	/* for proxyds to let go of idle streams */

/* Where a terminal is recorded. */
struct record {
	int		 fd;		/* -1: nowhere */
	uint64_t	 room;
};

static struct {
	after_fn	after;		/* the turn's, while effects run */
} run;

/* Endings. */

static void
run_kill(const struct effect *e)
{
	struct chan	*c = asker_chan(&e->to);

	if (c != NULL)
		(void)say_stream_kill(c, 0, -1, &(struct msg_stream_kill){
		    .stream = e->number, .why = (uint8_t)e->code });
}

static void
run_close(const struct effect *e)
{
	struct peer	*pe = peer_find(e->to.instance);

	if (pe != NULL)
		peer_close(pe, (uint16_t)e->code, e->text);
}

static void
run_grant_end(const struct effect *e)
{
	struct chan	*c = asker_chan(&e->to);

	if (c != NULL)
		(void)say_grant_end(c, 0, -1, &(struct msg_grant_end){
		    .grant = e->number, .why = (uint8_t)e->code });
}

/* Unless it did so now. From the loop, where its end is nobody's trouble. */
static void
run_late(const struct effect *e)
{
	struct peer	*pe = peer_find(e->to.instance);

	if (pe != NULL && stream_is_late(e->number))
		timer_set(&pe->late, 0);
}

/* No. */

static void
run_stream_refused(const struct effect *e)
{
	const struct refusal_info	*no = refusal_info(e->refusal);
	struct chan			*c = asker_chan(&e->to);

	count(CT_STREAM_PROXY_OK + metric_outcome(no->status));
	if (c != NULL)
		(void)say_stream_refused(c, e->to.id, -1,
		    &(struct msg_stream_refused){ .status = no->status,
		    .message = no->text });
}

static void
run_term_refused(const struct effect *e)
{
	const struct refusal_info	*no = refusal_info(e->refusal);
	struct peer			*pe = peer_find(e->to.instance);
	int				 is_tcp = pe != NULL &&
					    role_class(pe->role) == CLASS_TCP;

	count((is_tcp ? CT_STREAM_TCP_OK : CT_STREAM_TERMINAL_OK) +
	    metric_outcome(no->status));
	if (pe == NULL)
		return;
	(void)say_term_refuse(pe->chan, 0, -1, &(struct msg_term_refuse){
	    .status = no->status, .message = no->text });
	peer_must_go(pe);
}

static void
run_over(const struct effect *e)
{
	struct peer	*pe = peer_find(e->to.instance);

	if (pe != NULL)
		(void)say_term_over(pe->chan, 0, -1, &(struct msg_term_over){
		    .why = (uint8_t)e->code });
}

static void
run_grant_refused(const struct effect *e)
{
	const struct refusal_info	*no = refusal_info(e->refusal);
	struct chan			*c = asker_chan(&e->to);

	count(CT_GRANT_OK + metric_outcome(no->status));
	if (c != NULL)
		(void)say_granted(c, e->to.id, -1, &(struct msg_granted){
		    .status = no->status, .message = no->text });
}

/* Yes. */

static void
grant_rowed(void *arg, int ok)
{
	grant_saved((uint64_t)(uintptr_t)arg, ok, now_at());
}

static void
stream_rowed(void *arg, int ok)
{
	stream_saved((uint64_t)(uintptr_t)arg, ok);
}

static void
run_granted(const struct effect *e)
{
	struct grant	*g = grant_to_say(e->number, &e->to);
	struct peer	*pe = peer_find(e->to.instance);
	int64_t		 expires;

	if (g == NULL || pe == NULL)
		return;
	if (chan_queued(pe->chan) > CHAN_QUEUE_HIGH) {
		run_grant_refused(&(struct effect){ .to = e->to,
		    .refusal = REFUSE_BUSY });
		grant_busy(g->id);
		return;
	}
	expires = g->session->row.expires_at / 1000;
	if (expires > g->who.expires)
		expires = g->who.expires;
	count(CT_GRANT_OK);
	if (g->lender != NULL && expires > g->lender->row.expires_at / 1000)
		expires = g->lender->row.expires_at / 1000;
	manifest_granted(g, pe);
	grant_told(g);
	(void)say_granted(pe->chan, e->to.id, -1, &(struct msg_granted){
	    .grant = g->id, .session = g->session->row.id,
	    .operator = g->who.id, .expires = (uint64_t)expires,
	    .reference = g->reference,
	    .idle_max = (uint32_t)proc_conf()->max_streams / 2 });
}

/* Bytes only: what else one end sent, the other would have to close. */
static int
pair_make(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1) {
		log_warn("stream: socketpair");
		return (-1);
	}
	(void)imsg_refuse_fds(sv[0]);
	(void)imsg_refuse_fds(sv[1]);
	return (0);
}

static void
pair_to_mux(const struct stream *st, struct chan *c, int fd)
{
	struct tag	tag = { .terminal = st->terminal,
	    .expires = st->kind->lapses ? st->who.expires : 0 };
	uint8_t		bytes[TAG_SIZE];

	memcpy(tag.row, st->row->row.id, sizeof(tag.row));
	if (st->lender != NULL)
		memcpy(tag.lender, st->lender->row.id, sizeof(tag.lender));
	tag_make(&tag, st->id, st->tunnel->session->row.id, st->service,
	    bytes);
	(void)say_stream_bridge(c, 0, fd, &(struct msg_stream_bridge){
	    .stream = st->id, .service = st->service,
	    .tag = { bytes, sizeof(bytes) } });
}

/* A terminal that is recorded hears of the file first. */
static void
pair_to_asker(const struct stream *st, const struct record *rec,
    struct chan *c, uint32_t id, int fd)
{
	char	who[WHO_SIZE];

	if (rec->fd != -1)
		(void)say_term_record(c, 0, rec->fd, &(struct msg_term_record){
		    .room = rec->room });
	if (st->terminal != 0)
		(void)say_term_stream(c, 0, fd, &(struct msg_term_stream){
		    .stream = st->id,
		    .session = st->tunnel->session->row.id,
		    .service = st->service, .idle_s = (uint32_t)
		    (st->kind == &stream_tcp ? proc_conf()->tcp_idle :
		    proc_conf()->terminal_idle),
		    .operator = streamlog_who(st, who) });
	else
		(void)say_stream_opened(c, id, fd,
		    &(struct msg_stream_opened){ .stream = st->id });
}

static void
run_pair(const struct effect *e)
{
	struct stream	*st = stream_to_pair(e->number);
	struct chan	*c = asker_chan(&e->to), *mux;
	struct record	 rec = { .fd = -1 };
	enum refusal	 no = REFUSE_NOT;
	int		 sv[2];

	if (st == NULL)
		return;
	mux = asker_chan(&(struct asker){ .instance = st->tunnel->instance });
	if (c == NULL) {
		stream_failed(st->id, REFUSE_NOT);
	} else if (mux == NULL) {
		stream_failed(st->id, REFUSE_TUNNEL_NONE);
	} else if (st->terminal != 0 &&
	    (no = recording_open(st, &rec.fd, &rec.room)) != REFUSE_NOT) {
		stream_failed(st->id, no);
	} else if (pair_make(sv) == -1) {
		if (rec.fd != -1)
			close(rec.fd);
		stream_failed(st->id, REFUSE_BUSY);
	} else {
		pair_to_mux(st, mux, sv[0]);
		pair_to_asker(st, &rec, c, e->to.id, sv[1]);
		stream_given(st->id);
		count(st->kind == &stream_tcp ? CT_STREAM_TCP_OK :
		    st->terminal != 0 ? CT_STREAM_TERMINAL_OK :
		    CT_STREAM_PROXY_OK);
		streamlog_opened(st);
	}
}

/* To all. */

/* muxd's STREAM_END makes the room; the answer itself changes nothing. */
static int
idle_dropped(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_idle_dropped	 in;

	(void)c;
	(void)arg;
	return (m == NULL ? 0 : get_idle_dropped(m, &in));
}

static void
run_idle_drop(const struct effect *e)
{
	struct peer	*pe;
	uint32_t	 id;

	TAILQ_FOREACH(pe, &peers, entry) {
		if (!peer_has(pe, RF_DOORS))
			continue;
		if ((id = chan_call(pe->chan, ROOM_MS, idle_dropped,
		    NULL)) != 0)
			(void)say_idle_drop(pe->chan, id, -1,
			    &(struct msg_idle_drop){
			    .session = e->session->row.id,
			    .moves = (uint8_t)e->code });
	}
}

static void
run_status(const struct effect *e)
{
	const struct session	*se = e->session;

	count(CT_SESSION_PENDING + (unsigned)e->code);
	if (e->code > SESSION_ACTIVE)
		guests_over(se);
	log_info("session %s: %s%s%s (system %s%s%s)", se->row.id,
	    session_status_name((int)e->code),
	    e->text[0] != '\0' ? " by " : "", e->text, se->system_key,
	    se->row.node[0] != '\0' ? " node " : "", se->row.node);
}

static void
run_stream_row(const struct effect *e)
{
	const struct stream	*st = stream_find(e->number);

	if (st != NULL && st->terminal != 0)
		recording_begin(st);
	run.after(stream_rowed, (void *)(uintptr_t)e->number);
}

static void
run_grant_row(const struct effect *e)
{
	run.after(grant_rowed, (void *)(uintptr_t)e->number);
}

static void
run_services(const struct effect *e)
{
	if (!e->session->guest)
		follow_session(e->session);
	manifest_push(e->session);
}

static void
run_grace(const struct effect *e)
{
	log_info("session %s: no tunnel, grace %llu s", e->session->row.id,
	    (unsigned long long)e->code);
}

void
run_effects(after_fn after)
{
	static void	(*const fn[EFFECT_COUNT])(const struct effect *) = {
#define E(NAME, word)	[EFFECT_##NAME] = run_##word,
#include "authd/core/effect.def"
#undef E
	};
	struct effect	e;

	run.after = after;
	while (effect_take(&e)) {
		log_request(e.to.request);
		fn[e.kind](&e);
	}
	log_request(NULL);
}
