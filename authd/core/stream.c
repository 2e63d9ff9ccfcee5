/* SPDX-License-Identifier: ISC */
/*
 * The life of a stream: asked for, perhaps waiting for room, its audit row
 * written, opened, ended by muxd's last word. stream_free() is the one way out.
 */
#include <sys/socket.h>

#include <sodium.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "grant.h"
#include "base/log.h"
#include "proc/proc.h"
#include "services.h"
#include "session.h"
#include "stream.h"
#include "base/target.h"
#include "authd/turn.h"

#define ROOM_MS		200	/* for proxyds to let go of idle streams */
#define TELL_MS		1500	/* for a tunnel to tell after a restart */
#define WAITING_MAX	64	/* streams of one tunnel that wait for room */
#define RECHECK_MS	60000	/* between looks at who may still */
#define ENDED_EXTRA	1024	/* announced, though they ended meanwhile */
#define TAG_DATA	(UUID_SIZE + 16)
#define TAG_SIZE	(TAG_DATA + JWT_MARK_SIZE)

static void	stream_admit(struct stream *);
static void	stream_rowed(void *, int);
static void	stream_start(struct stream *);
static void	stream_late(void *);
static void	stream_due(void *);
static void	stream_arm_due(struct stream *, int64_t);
static void	stream_recheck_due(void *);
static void	stream_refuse(struct stream *, int, const char *);
static void	stream_free(struct stream *);
static int	idle_dropped(struct chan *, struct imsg *, void *);

static struct {
	struct index	table;
	uint64_t	next;
	struct timer	recheck;
} streams;

int
stream_init(void)
{
	streams.next = (uint64_t)clock_wall_ms() << 20;
	timer_init(&streams.recheck, stream_recheck_due, NULL);
	timer_set(&streams.recheck, RECHECK_MS);
	return (0);
}

unsigned
stream_count(void)
{
	return ((unsigned)streams.table.count);
}

static struct stream *
stream_find(uint64_t id)
{
	struct link	*l = index_find(&streams.table, id);

	return (l == NULL ? NULL : OWNER(l, struct stream, link));
}

static struct stream *
stream_new(struct peer *tunnel, uint64_t id, const char *service,
    const struct operator *who, const char *addr)
{
	struct stream	*st;

	if ((st = calloc(1, sizeof(*st))) == NULL)
		return (NULL);
	st->id = id;
	st->tunnel = tunnel;
	strlcpy(st->service, service, sizeof(st->service));
	st->who = *who;
	strlcpy(st->addr, addr, sizeof(st->addr));
	timer_init(&st->timer, stream_late, st);
	index_add(&streams.table, &st->link, st->id);
	return (st);
}

/* Who waits is told; whoever does not wait any more is not. */
static void
stream_answer_no(const struct asker *asker, int status, const char *message)
{
	struct chan	*c = asker_chan(asker);

	if (c == NULL)
		return;
	if (chan_role(c) == ROLE_TERMD) {
		(void)say_term_refuse(c, 0, -1, &(struct msg_term_refuse){
		    .status = (uint16_t)status, .message = message });
		return;
	}
	(void)say_stream_refused(c, asker->id, -1, &(struct msg_stream_refused){
	    .status = (uint16_t)status, .message = message });
}

static void
stream_refuse(struct stream *st, int status, const char *message)
{
	if (st->row != NULL && st->terminal != 0)
		strlcpy(st->row->outcome, message, sizeof(st->row->outcome));
	stream_answer_no(&st->asker, status, message);
	st->asker.instance = 0;
	stream_free(st);
}

/* Asking. */

int
stream_on_open(struct chan *c, struct imsg *m)
{
	struct msg_stream_open	 in;
	struct asker	 asker = asker_of(c, m);
	struct stream	*st;
	struct grant	*g;

	if (get_stream_open(m, &in) == -1)
		return (-1);
	if ((g = grant_find(peer_of(c), in.grant)) == NULL ||
	    !grant_is_fresh(g)) {
		stream_answer_no(&asker, 401, "invalid proxy token");
	} else if (!session_is_open(g->session)) {
		stream_answer_no(&asker, 400, "support session is not active");
	} else if (session_tunnel(g->session) == NULL) {
		stream_answer_no(&asker, 404, "tunnel not found for session");
	} else if ((st = stream_new(g->session->tunnel, ++streams.next,
			in.service, &g->who, g->addr)) == NULL) {
		stream_answer_no(&asker, 503, "server is busy");
	} else {
		st->grant = g;
		grant_stream(g, 1);
		st->asker = asker;
		stream_admit(st);
	}
	return (0);
}

void
stream_open_terminal(struct peer *termd, struct session *se,
    const struct operator *who, const char *addr)
{
	struct asker	 asker = { termd->instance, 0 };
	struct stream	*st;

	st =
	    stream_new(se->tunnel, ++streams.next, SERVICE_TERMINAL, who, addr);
	if (st == NULL) {
		stream_answer_no(&asker, 503, "server is busy");
		return;
	}
	st->terminal = termd->instance;
	termd->stream = st->id;
	st->asker = asker;
	stream_admit(st);
}

/* 0, or -1: refused, and gone. */
static int
stream_queue(struct stream *st, uint64_t ms)
{
	struct peer	*pe = st->tunnel;

	if (pe->nwaiting >= WAITING_MAX) {
		stream_refuse(st, 429,
		    "too many concurrent streams on this tunnel");
		return (-1);
	}
	st->state = STREAM_QUEUED;
	TAILQ_INSERT_TAIL(&pe->waiting, st, of_tunnel);
	pe->nwaiting++;
	timer_set(&st->timer, ms);
	return (0);
}

/* Idle streams never cost anyone a refusal: ask for them, once at a time. */
static void
idle_ask(struct session *se)
{
	struct peer	*pe;
	struct chan	*c;
	uint32_t	 id;

	if (se->idle_drop_ms != 0 && clock_ms() - se->idle_drop_ms < ROOM_MS)
		return;
	se->idle_drop_ms = clock_ms();
	TAILQ_FOREACH(pe, &peers, entry) {
		if (pe->role != ROLE_PROXYD)
			continue;
		c = pe->chan;
		if ((id = chan_call(c, ROOM_MS, idle_dropped, NULL)) == 0)
			continue;
		(void)say_idle_drop(c, id, -1, &(struct msg_idle_drop){
		    .session = se->row.id });
	}
}

/* muxd's STREAM_END makes the room; the answer itself changes nothing. */
static int
idle_dropped(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_idle_dropped	 in;

	(void)c;
	(void)arg;
	if (m == NULL)
		return (0);
	return (get_idle_dropped(m, &in) == -1 ? -1 : 0);
}

/* What the client lists is looked at again before each connection. */
static int
stream_check(const struct stream *st, const char **no)
{
	const struct service	*sv;

	if (st->terminal != 0)
		return (0);
	sv = services_find(st->tunnel->session->services, st->service);
	if (sv == NULL) {
		*no = "service not found in tunnel manifest";
		return (404);
	}
	if (target_parse(sv->target, NULL) != TARGET_OK) {
		*no = "service target blocked by security policy";
		return (403);
	}
	return (0);
}

/* Take a place in the tunnel, or wait for one; then the audit row. */
static void
stream_admit(struct stream *st)
{
	struct peer	*pe = st->tunnel;
	struct session	*se = pe->session;
	const char	*no;
	int		 status;

	st->state = STREAM_NEW;
	if (peer_state(pe) == P_AGAIN) {
		(void)stream_queue(st, TELL_MS);
		return;
	}
	if ((status = stream_check(st, &no)) != 0) {
		stream_refuse(st, status, no);
		return;
	}
	if (pe->nstreams >= proc_conf()->max_streams) {
		if (stream_queue(st, ROOM_MS) == 0)
			idle_ask(se);
		return;
	}
	st->state = STREAM_ROW;
	TAILQ_INSERT_TAIL(&pe->streams, st, of_tunnel);
	pe->nstreams++;
	st->row = st->terminal != 0 ?
	    rowlog_terminal(&st->who, se->row.id, st->addr) :
	    rowlog_web(&st->who, se->row.id, st->service, st->addr);
	if (st->row == NULL)
		stream_refuse(st, 503, "server is busy");
	else if (st->row->saved)
		stream_start(st);
	else
		turn_after(stream_rowed, (void *)(uintptr_t)st->id);
}

static void
stream_late(void *arg)
{
	struct stream	*st = arg;

	if (peer_state(st->tunnel) == P_AGAIN)
		stream_refuse(st, 503, "tunnel is not ready");
	else
		stream_refuse(st, 429,
		    "too many concurrent streams on this tunnel");
}

void
stream_next(struct peer *pe)
{
	struct stream	*st;

	while (!pe->holding && pe->session != NULL && !pe->session->over &&
	    peer_state(pe) != P_AGAIN &&
	    pe->nstreams < proc_conf()->max_streams &&
	    (st = TAILQ_FIRST(&pe->waiting)) != NULL) {
		TAILQ_REMOVE(&pe->waiting, st, of_tunnel);
		pe->nwaiting--;
		timer_del(&st->timer);
		stream_admit(st);
	}
}

/* Opening. */

static void
stream_rowed(void *arg, int ok)
{
	struct stream	*st = stream_find((uint64_t)(uintptr_t)arg);

	if (st == NULL || st->state != STREAM_ROW)
		return;
	if (!ok || st->row->failed)
		stream_refuse(st, 503, "store is unavailable");
	else
		stream_start(st);
}

/* The mark of a tag's data, bound to the stream and its session. -1: no key. */
static int
tag_mark(const uint8_t *tag, uint64_t id, const char *session,
    const char *service, uint8_t mark[JWT_MARK_SIZE])
{
	uint8_t	text[TAG_DATA + 8 + UUID_SIZE + SERVICE_SIZE] = { 0 };

	memcpy(text, tag, TAG_DATA);
	memcpy(text + TAG_DATA, &id, 8);
	memcpy(text + TAG_DATA + 8, session, strlen(session));
	memcpy(text + TAG_DATA + 8 + UUID_SIZE, service, strlen(service));
	return (jwt_mark(text, sizeof(text), mark));
}

/*
 * What a new authd wants to hear from muxd about this stream. It is marked: a
 * muxd that lies could name another one's stream or worker as its own.
 */
static void
stream_tag(const struct stream *st, uint8_t tag[TAG_SIZE])
{
	int64_t	expires = st->terminal != 0 ? 0 : st->who.expires;

	memset(tag, 0, TAG_SIZE);
	memcpy(tag, st->row->row.id, UUID_SIZE);
	memcpy(tag + UUID_SIZE, &st->terminal, 8);
	memcpy(tag + UUID_SIZE + 8, &expires, 8);
	(void)tag_mark(tag, st->id, st->tunnel->session->row.id, st->service,
	    tag + TAG_DATA);
}

static void
stream_to_mux(struct stream *st, int fd)
{
	struct chan	*c = st->tunnel->chan;
	uint8_t		 tag[TAG_SIZE];

	stream_tag(st, tag);
	(void)say_stream_bridge(c, 0, fd, &(struct msg_stream_bridge){
	    .stream = st->id, .service = st->service,
	    .tag = { tag, sizeof(tag) } });
}

static void
stream_to_asker(struct stream *st, struct chan *c, int fd)
{
	if (st->terminal != 0) {
		(void)say_term_stream(c, 0, fd, &(struct msg_term_stream){
		    .stream = st->id,
		    .session = st->tunnel->session->row.id,
		    .idle_s = (uint32_t)proc_conf()->terminal_idle });
	} else {
		(void)say_stream_opened(c, st->asker.id, fd,
		    &(struct msg_stream_opened){ .stream = st->id });
	}
}

/*
 * Bytes only: a descriptor that one end sent would be closed, unseen, by the
 * other, and with SO_LINGER on it that close() waits for as long as the sender
 * likes. Kernels before 6.16 cannot refuse them.
 */
static void
no_descriptors(int fd)
{
	int	off = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

static void
stream_start(struct stream *st)
{
	struct chan	*c = asker_chan(&st->asker);
	int		 sv[2];

	if (c == NULL) {
		stream_free(st);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1) {
		log_warn("stream: socketpair");
		stream_refuse(st, 503, "server is busy");
		return;
	}
	no_descriptors(sv[0]);
	no_descriptors(sv[1]);
	st->state = STREAM_OPENED;
	stream_to_mux(st, sv[0]);
	stream_to_asker(st, c, sv[1]);
	st->asker.instance = 0;
	log_debug("session %s: stream %llu to %s opened",
	    st->tunnel->session->row.id, (unsigned long long)st->id,
	    st->service);
}

/* Ends. */

/* What muxd counts grows from zero; the row gets the difference. */
static void
stream_account(struct stream *st, uint64_t in, uint64_t out,
    const char *outcome)
{
	uint64_t	more_in = 0, more_out = 0;

	if (st->row == NULL)
		return;
	if (in > st->counted_in)
		more_in = in - st->counted_in;
	if (out > st->counted_out)
		more_out = out - st->counted_out;
	st->counted_in += more_in;
	st->counted_out += more_out;
	rowlog_count(st->row, more_in, more_out, outcome);
}

/* Leaves the tunnel's lists and the row, frees; makes room for the next. */
static void
stream_free(struct stream *st)
{
	struct peer	*pe = st->tunnel, *termd;
	struct grant	*g = st->grant;

	if (st->asker.instance != 0)
		stream_answer_no(&st->asker, 404,
		    "tunnel not found for session");
	if (st->state == STREAM_QUEUED) {
		TAILQ_REMOVE(&pe->waiting, st, of_tunnel);
		pe->nwaiting--;
	} else if (st->state != STREAM_NEW) {
		TAILQ_REMOVE(&pe->streams, st, of_tunnel);
		pe->nstreams--;
	}
	if (st->row != NULL && st->terminal != 0)
		rowlog_close(st->row, NULL);
	else if (st->row != NULL)
		rowlog_release(st->row);
	if (st->terminal != 0 && (termd = peer_find(st->terminal)) != NULL &&
	    termd->stream == st->id)
		termd->stream = 0;
	timer_del(&st->timer);
	index_del(&streams.table, &st->link);
	freezero(st, sizeof(*st));
	if (g != NULL)
		grant_stream(g, -1);
	stream_next(pe);
}

int
stream_on_end(struct chan *c, struct imsg *m)
{
	struct msg_stream_end	 end;
	struct peer	*pe = peer_of(c);
	struct stream	*st;

	if (get_stream_end(m, &end) == -1 || end.why >= END_COUNT)
		return (-1);
	/* One that was killed before this authd knew it: nothing to do. */
	if ((st = stream_find(end.stream)) == NULL || st->tunnel != pe ||
	    (st->state != STREAM_OPENED && st->state != STREAM_KILLED))
		return (0);
	/* What a terminal has said already says more. */
	stream_account(st, end.in, end.out, st->state == STREAM_KILLED ||
	    (st->terminal != 0 && st->row->outcome[0] != '\0') ? NULL :
	    end_reason_name(end.why));
	stream_free(st);
	return (0);
}

static void
stream_kill(struct stream *st, enum end_reason why)
{
	struct chan	*c = st->tunnel->chan;

	if (st->state < STREAM_OPENED) {
		stream_refuse(st, 400, "support session is not active");
		return;
	}
	if (st->state == STREAM_KILLED)
		return;
	st->state = STREAM_KILLED;
	timer_del(&st->timer);
	stream_account(st, 0, 0, end_reason_name(why));
	(void)say_stream_kill(c, 0, -1, &(struct msg_stream_kill){
	    .stream = st->id, .why = (uint8_t)why });
}

/* The tunnel's end first; then the terminal tells its operator why. */
static void
stream_kill_terminal(struct stream *st, enum end_reason why)
{
	struct peer	*termd = peer_find(st->terminal);
	int		 open = st->state >= STREAM_OPENED;

	stream_kill(st, why);
	if (termd != NULL && open)
		peer_close(termd, 1008, why == END_SESSION ?
		    "session is over" : "access ended");
}

/* Kill those of a list that hang on `g` (NULL: all of them). */
static void
stream_kill_list(struct streams *list, const struct grant *g,
    enum end_reason why)
{
	struct stream	*st, *next;

	for (st = TAILQ_FIRST(list); st != NULL; st = next) {
		next = TAILQ_NEXT(st, of_tunnel);
		if (g != NULL && st->grant != g)
			continue;
		if (st->terminal != 0)
			stream_kill_terminal(st, why);
		else
			stream_kill(st, why);
	}
}

static void
stream_kill_some(struct peer *pe, const struct grant *g, enum end_reason why)
{
	pe->holding++;
	stream_kill_list(&pe->waiting, g, why);
	stream_kill_list(&pe->streams, g, why);
	pe->holding--;
	stream_next(pe);
}

void
stream_kill_all(struct peer *pe, enum end_reason why)
{
	stream_kill_some(pe, NULL, why);
}

void
stream_kill_grant(struct grant *g, enum end_reason why)
{
	if (g->nstreams > 0 && g->session->tunnel != NULL)
		stream_kill_some(g->session->tunnel, g, why);
}

static void
stream_forget_list(struct streams *list, const struct grant *g)
{
	struct stream	*st;

	TAILQ_FOREACH(st, list, of_tunnel) {
		if (st->grant != g)
			continue;
		st->grant = NULL;
		if (st->state == STREAM_OPENED)
			stream_arm_due(st, st->who.expires);
	}
}

void
stream_forget_grant(struct grant *g)
{
	struct peer	*pe = g->session->tunnel;

	if (g->nstreams == 0 || pe == NULL)
		return;
	stream_forget_list(&pe->waiting, g);
	stream_forget_list(&pe->streams, g);
	g->nstreams = 0;
}

void
stream_tunnel_gone(struct peer *pe)
{
	struct stream	*st;

	pe->holding++;		/* for good */
	while ((st = TAILQ_FIRST(&pe->waiting)) != NULL)
		stream_free(st);
	while ((st = TAILQ_FIRST(&pe->streams)) != NULL) {
		if (st->state == STREAM_OPENED)
			stream_account(st, 0, 0, end_reason_name(END_TUNNEL));
		stream_free(st);
	}
}

void
stream_recheck(void)
{
	const struct link	*l;
	struct link		*next;
	struct stream		*st;
	const char		*message;
	int			 status;

	for (l = index_walk(&streams.table, NULL); l != NULL; l = next) {
		next = index_walk(&streams.table, l);
		st = OWNER(l, struct stream, link);
		if (st->grant != NULL || st->state != STREAM_OPENED ||
		    st->tunnel->session == NULL)
			continue;
		status = scope_check(&st->who,
		    st->tunnel->session->row.system_id, &message);
		if (status != 401 && status != 404)
			continue;
		/* An open one is only marked: the walk goes on. */
		if (st->terminal != 0)
			stream_kill_terminal(st, END_GRANT);
		else
			stream_kill(st, END_GRANT);
	}
}

/* Terminals and what an authd before us opened have no grant that lapses. */
static void
stream_recheck_due(void *arg)
{
	(void)arg;
	timer_set(&streams.recheck, RECHECK_MS);
	if (peer_is_ready())
		stream_recheck();
}

/* After a restart: muxd tells what runs, with the tag it was given. */

int
stream_on_announce(struct chan *c, struct imsg *m)
{
	struct msg_announce	 in;
	struct peer	*pe = peer_of(c);

	if (get_announce(m, &in) == -1 || in.up > 1)
		return (-1);
	pe->announced = in.streams;
	if (in.up && pe->role == ROLE_MUXD && pe->session != NULL)
		session_up(pe->session);
	return (0);
}

/* Take a stream back, or say why not. */
static const char *
stream_restore(struct peer *pe, uint64_t id, const char *service,
    const uint8_t *tag, size_t len)
{
	struct operator	 who;
	struct rowlog	*row;
	struct stream	*st;
	char		 row_id[UUID_SIZE];
	uint8_t		 mark[JWT_MARK_SIZE];
	int64_t		 expires;
	uint64_t	 terminal;

	if (pe->session == NULL || stream_find(id) != NULL ||
	    pe->nstreams >= proc_conf()->max_streams + ENDED_EXTRA)
		return ("not expected");
	if (len != TAG_SIZE || tag_mark(tag, id, pe->session->row.id, service,
	    mark) == -1 || sodium_memcmp(mark, tag + TAG_DATA,
	    JWT_MARK_SIZE) != 0)
		return ("not our tag");
	memcpy(row_id, tag, UUID_SIZE);
	memcpy(&terminal, tag + UUID_SIZE, 8);
	memcpy(&expires, tag + UUID_SIZE + 8, 8);
	if ((row = rowlog_take(row_id)) == NULL ||
	    strcmp(row->row.session_id, pe->session->row.id) != 0) {
		if (row != NULL)
			rowlog_release(row);
		return ("no open row in the access log");
	}
	rowlog_operator(row, &who);
	if ((st = stream_new(pe, id, service, &who, row->ip)) == NULL) {
		rowlog_release(row);
		return ("out of memory");
	}
	st->row = row;
	st->terminal = terminal;
	st->who.expires = expires;
	st->state = STREAM_OPENED;
	TAILQ_INSERT_TAIL(&pe->streams, st, of_tunnel);
	pe->nstreams++;
	if (id >= streams.next)
		streams.next = id + 1;
	if (expires != 0)
		stream_arm_due(st, expires);
	return (NULL);
}

/* It ends with its token, also when no grant tells it so. */
static void
stream_arm_due(struct stream *st, int64_t expires)
{
	int64_t	left = expires - clock_wall();

	timer_init(&st->timer, stream_due, st);
	timer_set(&st->timer, left > 0 ? (uint64_t)left * 1000 : 0);
}

/* The token under which it was opened is over. */
static void
stream_due(void *arg)
{
	stream_kill(arg, END_GRANT);
}

int
stream_on_announce_stream(struct chan *c, struct imsg *m)
{
	struct msg_announce_stream	 said;
	struct peer	*pe = peer_of(c);
	const char	*why;

	if (get_announce_stream(m, &said) == -1 || pe->announced == 0)
		return (-1);
	pe->announced--;
	if (pe->role == ROLE_TERMD) {
		pe->stream = said.stream;
		return (0);
	}
	why = stream_restore(pe, said.stream, said.service, said.tag.p,
	    said.tag.len);
	if (why == NULL)
		return (0);
	log_info("tunnel %llu: stream %llu ended after restart: %s",
	    (unsigned long long)pe->instance, (unsigned long long)said.stream,
	    why);
	(void)say_stream_kill(c, 0, -1, &(struct msg_stream_kill){
	    .stream = said.stream, .why = END_GRANT });
	return (0);
}

int
stream_on_announce_end(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);

	if (get_announce_end(m) == -1 || pe->announced != 0)
		return (-1);
	if (pe->role == ROLE_TERMD) {
		peer_set_state(pe, P_READY);
		return (0);
	}
	if (peer_state(pe) == P_CLOSING)
		return (0);
	peer_set_state(pe, P_UP);
	if (pe->session != NULL) {
		log_info("session %s: tunnel is back after restart, %u "
		    "streams", pe->session->row.id, pe->nstreams);
		grant_announced(pe->session);
	}
	stream_next(pe);
	return (0);
}

int
stream_on_term_end(struct chan *c, struct imsg *m)
{
	struct msg_term_end	 in;
	struct peer	*pe = peer_of(c);
	struct stream	*st;

	if (get_term_end(m, &in) == -1 || in.why >= END_COUNT)
		return (-1);
	st = stream_find(pe->stream);
	if (st == NULL || st->terminal != pe->instance || st->row == NULL)
		return (0);
	/* muxd's word brings the bytes, this one the reason. */
	if (!st->row->over)
		strlcpy(st->row->outcome, in.text, sizeof(st->row->outcome));
	return (0);
}
