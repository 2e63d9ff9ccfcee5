/* SPDX-License-Identifier: ISC */
/*
 * The channel to authd. authd may die and come back: then streams go on, what
 * there is to tell waits (streams that ended, the newest table, the newest
 * report), and the new one hears first what only this process knows.
 * messages.md, section 4.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "diag.h"
#include "imsg/call.h"
#include "imsg/doc.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "manifest.h"
#include "muxd.h"
#include "proc/link.h"
#include "proc/proc.h"

#define ENDED_MAX	256	/* streams that ended while authd was away */
#define FETCH_MS	5000
#define FETCH_MAX	262144	/* bytes of a users report */
#define STATS_MS	15000
#define BROKEN_MS	30000	/* for a successor, after a break of ours */

/* States of the channel as we see it: what authd may say. */
#define CH_LOGIN	0
#define CH_UP		1

struct ended {
	STAILQ_ENTRY(ended)	 entry;
	uint64_t		 id, in, out;
	enum end_reason		 reason;
	char			 service[SERVICE_SIZE];
	size_t			 tag_len;
	uint8_t			 tag[];
};

static void	authd_came(int);
static void	authd_gone(enum link_end);
static void	authd_missed(void *);
static void	authd_announce(void);
static void	announce_stream(uint64_t, const char *, const uint8_t *,
		    size_t, uint64_t, uint64_t);
static void	authd_ended(void);
static void	bridge_end_send(uint64_t, enum end_reason, uint64_t, uint64_t);
static void	report_send(void);
static void	fetch_over(const char *, size_t);
static int	on_stream_open(struct chan *, struct imsg *);
static int	on_stream_kill(struct chan *, struct imsg *);
static int	on_close(struct chan *, struct imsg *);
static int	on_probe(struct chan *, struct imsg *);
static int	on_chunk(struct chan *, struct imsg *);
static int	on_fetch_result(struct chan *, struct imsg *, void *);

static const struct dispatch authd_table[] = {
	{ IMSG_LOGIN_RESULT, R_AUTHD, S(CH_LOGIN), MF_ANSWER, NULL },
	{ IMSG_CLOSE, R_AUTHD, S_ANY, 0, on_close },
	{ IMSG_STREAM_BRIDGE, R_AUTHD, S(CH_UP), 0, on_stream_open },
	{ IMSG_STREAM_KILL, R_AUTHD, S(CH_UP), 0, on_stream_kill },
	{ IMSG_PROBE, R_AUTHD, S(CH_UP), MF_REQUEST, on_probe },
	{ IMSG_CREDIT, R_AUTHD, S(CH_UP), MF_ANSWER, NULL },
	{ IMSG_API_RESULT, R_AUTHD, S(CH_UP), MF_ANSWER, NULL },
	{ IMSG_DOC_CHUNK, R_AUTHD, S(CH_UP), MF_REQUEST, on_chunk },
};

static const struct link_ops	ops = {
	.table = authd_table,
	.rows = sizeof(authd_table) / sizeof(authd_table[0]),
	.came = authd_came,
	.gone = authd_gone,
};

static struct {
	int			 up;		/* the login is through */
	struct timer		 broken;
	/* for when it comes back */
	STAILQ_HEAD(, ended)	 ended;
	unsigned		 nended;
	unsigned		 lost;		/* did not fit in the list */
	char			*report;
	size_t			 report_len;
	enum report_kind	 report_kind;
	/* a users report on its way here */
	struct call		 fetch;
	uint32_t		 fetch_id;	/* that its chunks carry */
	struct doc		 doc;
	/* statistics as told last */
	uint64_t		 told_in, told_out, told_ms;
	unsigned		 told_streams;
} authd = { .ended = STAILQ_HEAD_INITIALIZER(authd.ended) };

void
muxd_link(void)
{
	link_init(&ops);
}

static void
authd_came(int again)
{
	if (!again)
		timer_init(&authd.broken, authd_missed, NULL);
	timer_del(&authd.broken);
	if (again && !authd.up)
		login_orphan();
	if (authd.up)
		authd_announce();
}

static void
authd_gone(enum link_end how)
{
	/* A document of which only a part has come will not be completed. */
	if (authd.fetch_id != 0)
		fetch_over(NULL, 0);
	if (how == LINK_REPLACED)
		return;
	if (how == LINK_OFFENCE && authd.up)
		timer_set(&authd.broken, BROKEN_MS);
	login_abandon();
}

/*
 * It was we who ended the channel, and nobody came in authd's place: it lives,
 * and to it this tunnel is gone. The client should learn that.
 */
static void
authd_missed(void *arg)
{
	(void)arg;
	tunnel_close(1011, "internal fault", END_TUNNEL);
}

void
authd_up(void)
{
	authd.up = 1;
	link_set_state(CH_UP);
	if (link_chan() != NULL)
		(void)say_up(link_chan(), 0);
}

/* A new authd hears what only we know. */
static void
authd_announce(void)
{
	struct ended	*e;

	(void)say_announce(link_chan(), 0, -1, &(struct msg_announce){
	    .up = (uint8_t)tunnel_is_up(),
	    .streams = bridge_count() + authd.nended });
	/* Those that ended meanwhile too, or their ends would mean nothing. */
	STAILQ_FOREACH(e, &authd.ended, entry)
		announce_stream(e->id, e->service, e->tag, e->tag_len, e->in,
		    e->out);
	bridge_walk(announce_stream);
	authd_services();
	(void)say_announce_end(link_chan(), 0);
	log_info("announced to a new authd, %u streams", bridge_count());
	authd_ended();
	if (authd.report != NULL)
		report_send();
	lease_renew();
}

static void
announce_stream(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, uint64_t in, uint64_t out)
{
	(void)say_announce_stream(link_chan(), 0, -1,
	    &(struct msg_announce_stream){
	    .stream = id, .service = service, .in = in, .out = out,
	    .tag = { tag, tag_len } });
}

/* Streams. */

static int
on_stream_open(struct chan *c, struct imsg *m)
{
	struct msg_stream_bridge	 in;

	(void)c;
	if (get_stream_bridge(m, &in) == -1)
		return (-1);
	/* It becomes a line on the wire. */
	if (!manifest_name_ok(in.service, strlen(in.service)))
		return (-1);
	bridge_open(in.stream, in.service, in.tag.p, in.tag.len, m_take_fd(m));
	return (0);
}

static int
on_stream_kill(struct chan *c, struct imsg *m)
{
	struct msg_stream_kill	 in;

	(void)c;
	if (get_stream_kill(m, &in) == -1 || in.why >= END_COUNT)
		return (-1);
	bridge_kill(in.stream, in.why);
	return (0);
}

void
authd_stream_end(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, enum end_reason reason, uint64_t in, uint64_t out)
{
	struct ended	*e;

	if (link_chan() != NULL) {
		bridge_end_send(id, reason, in, out);
		return;
	}
	if (authd.nended == ENDED_MAX ||
	    (e = malloc(sizeof(*e) + tag_len)) == NULL) {
		authd.lost++;	/* authd sees them missing in ANNOUNCE */
		return;
	}
	e->id = id;
	e->in = in;
	e->out = out;
	e->reason = reason;
	strlcpy(e->service, service, sizeof(e->service));
	e->tag_len = tag_len;
	memcpy(e->tag, tag, tag_len);
	STAILQ_INSERT_TAIL(&authd.ended, e, entry);
	authd.nended++;
}

static void
bridge_end_send(uint64_t id, enum end_reason reason, uint64_t in, uint64_t out)
{
	(void)say_stream_end(link_chan(), 0, -1, &(struct msg_stream_end){
	    .stream = id, .why = (uint8_t)reason, .in = in, .out = out });
}

static void
authd_ended(void)
{
	struct ended	*e;

	while ((e = STAILQ_FIRST(&authd.ended)) != NULL) {
		STAILQ_REMOVE_HEAD(&authd.ended, entry);
		bridge_end_send(e->id, e->reason, e->in, e->out);
		free(e);
	}
	authd.nended = 0;
	if (authd.lost > 0)
		log_warnx("%u streams ended while authd was away and are not "
		    "told", authd.lost);
	authd.lost = 0;
}

/* The table of services. */

void
authd_services(void)
{
	const struct manifest	*t = control_services();
	const struct service	*s;
	unsigned		 i;

	if (link_chan() == NULL || t == NULL)
		return;		/* a new authd will be told */
	(void)say_services_begin(link_chan(), 0, -1,
	    &(struct msg_services_begin){
	    .version = control_services_version(), .count = t->count });
	for (i = 0; i < t->count; i++) {
		s = &t->service[i];
		(void)say_service(link_chan(), 0, -1, &(struct msg_service){
		    .name = s->name, .target = s->target, .host = s->host,
		    .tls = (uint8_t)s->tls, .label = s->label, .path = s->path,
		    .path_prefix = s->path_prefix, .module_id = s->module_id,
		    .node_id = s->node_id });
	}
	(void)say_services_end(link_chan(), 0);
}

/* Reports. The newest one waits while authd is away. */

void
authd_report(enum report_kind kind, const char *doc, size_t len)
{
	char	*copy;

	if ((copy = malloc(len)) == NULL) {
		log_warn("report");
		return;
	}
	memcpy(copy, doc, len);
	free(authd.report);
	authd.report = copy;
	authd.report_len = len;
	authd.report_kind = kind;
	if (link_chan() != NULL)
		report_send();
}

static void
report_send(void)
{
	(void)say_report_begin(link_chan(), 0, -1, &(struct msg_report_begin){
	    .kind = (uint8_t)authd.report_kind,
	    .total = (uint32_t)authd.report_len });
	doc_say(link_chan(), 0, authd.report, authd.report_len);
	(void)say_report_end(link_chan(), 0);
	free(authd.report);
	authd.report = NULL;
}

/* The users report of this system. */

void
authd_users_fetch(void)
{
	if (authd.fetch_id != 0)
		return;		/* its answer serves all who wait */
	authd.fetch_id = call_start(&authd.fetch, link_chan(), FETCH_MS,
	    on_fetch_result, NULL);
	if (authd.fetch_id == 0) {
		control_users(NULL, 0);
		return;
	}
	(void)say_users_fetch(link_chan(), authd.fetch_id);
}

static int
on_fetch_result(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_api_result	 in;

	(void)c;
	(void)arg;
	if (m == NULL) {
		fetch_over(NULL, 0);
		return (0);
	}
	if (get_api_result(m, &in) == -1 || in.total > FETCH_MAX)
		return (-1);
	doc_begin(&authd.doc, in.total, 1);
	if (in.status >= 400 || authd.doc.text == NULL)
		fetch_over(NULL, 0);
	return (0);
}

static int
on_chunk(struct chan *c, struct imsg *m)
{
	struct msg_doc_chunk	 in;

	(void)c;
	if (get_doc_chunk(m, &in) == -1)
		return (-1);
	if (m->id != authd.fetch_id || !authd.doc.open)
		return (0);	/* of an answer that came too late */
	if (doc_add(&authd.doc, &in.bytes) == -1)
		return (-1);
	if (doc_is_whole(&authd.doc))
		fetch_over(authd.doc.text, authd.doc.got);
	return (0);
}

static void
fetch_over(const char *doc, size_t len)
{
	control_users(doc, len);
	doc_clear(&authd.doc);
	authd.fetch_id = 0;
}

/* The rest. */

static int
on_close(struct chan *c, struct imsg *m)
{
	struct msg_close	 in;

	(void)c;
	if (get_close(m, &in) == -1)
		return (-1);
	if (!authd.up) {
		login_abandon();
		return (0);
	}
	tunnel_close(in.code, in.reason, END_SESSION);
	return (0);
}

static int
on_probe(struct chan *c, struct imsg *m)
{
	(void)c;
	if (get_probe(m) == -1)
		return (-1);
	tunnel_probe(m->id);
	return (0);
}

void
authd_alive(uint32_t id, int alive)
{
	if (link_chan() == NULL)
		return;
	(void)say_alive(link_chan(), id, -1, &(struct msg_alive){
	    .alive = (uint8_t)alive });
}

void
authd_stats(uint64_t in, uint64_t out, uint64_t rtt_ns)
{
	uint64_t	now = clock_ms();

	if (link_chan() == NULL || (authd.told_ms != 0 &&
	    (now - authd.told_ms < STATS_MS || (in == authd.told_in &&
	    out == authd.told_out && bridge_count() == authd.told_streams))))
		return;
	authd.told_ms = now;
	authd.told_in = in;
	authd.told_out = out;
	authd.told_streams = bridge_count();
	(void)say_tunnel_stats(link_chan(), 0, -1, &(struct msg_tunnel_stats){
	    .bytes_in = in, .bytes_out = out,
	    .rtt_us = (uint32_t)(rtt_ns / 1000), .streams = bridge_count() });
}
