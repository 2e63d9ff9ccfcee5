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
#include "imsg/imsg.h"
#include "base/log.h"
#include "manifest.h"
#include "muxd.h"
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

static void	authd_closed(struct chan *, int, const char *);
static void	authd_lost(void);
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

#define STR(size)	(4 + (size) - 1)	/* longest, on the wire */

static const struct dispatch authd_table[] = {
	{ IMSG_LOGIN_RESULT, R_AUTHD, S(CH_LOGIN), MF_ANSWER, NULL },
	{ IMSG_CLOSE, R_AUTHD, S_ANY, 0, on_close },
	{ IMSG_STREAM_BRIDGE, R_AUTHD, S(CH_UP), 0, on_stream_open },
	{ IMSG_STREAM_KILL, R_AUTHD, S(CH_UP), 0, on_stream_kill },
	{ IMSG_PROBE, R_AUTHD, S(CH_UP), MF_REQUEST, on_probe },
	{ IMSG_CREDIT, R_AUTHD, S(CH_UP), MF_ANSWER, NULL },
	{ IMSG_API_RESULT, R_AUTHD, S(CH_UP), MF_ANSWER, NULL },
	{ IMSG_API_CHUNK, R_AUTHD, S(CH_UP), MF_REQUEST, on_chunk },
};

static struct {
	struct chan		*chan;
	int			 up;		/* the login is through */
	int			 seen;		/* there has been a channel */
	struct timer		 broken;
	/* for when it comes back */
	STAILQ_HEAD(, ended)	 ended;
	unsigned		 nended;
	unsigned		 lost;		/* did not fit in the list */
	char			*report;
	size_t			 report_len;
	enum report_kind	 report_kind;
	/* a users report on its way here */
	uint32_t		 fetch_id;
	char			*doc;
	size_t			 doc_len, doc_total;
	/* statistics as told last */
	uint64_t		 told_in, told_out, told_ms;
	unsigned		 told_streams;
} authd = { .ended = STAILQ_HEAD_INITIALIZER(authd.ended) };

int
authd_channel(int fd)
{
	struct chan	*old = authd.chan;

	authd.chan = NULL;
	chan_free(old);
	authd_lost();
	if (authd.seen && !authd.up)
		login_orphan();
	if (!authd.seen)
		timer_init(&authd.broken, authd_missed, NULL);
	timer_del(&authd.broken);
	authd.seen = 1;
	authd.chan = chan_new(proc_base(), fd, ROLE_AUTHD, authd_table,
	    sizeof(authd_table) / sizeof(authd_table[0]), authd_closed, NULL);
	if (authd.chan == NULL) {
		log_warn("channel to authd");
		return (0);	/* serve on; the parent will send another */
	}
	if (authd.up)
		authd_announce();
	return (0);
}

struct chan *
authd_chan(void)
{
	return (authd.chan);
}

static void
authd_closed(struct chan *c, int offence, const char *reason)
{
	if (offence)
		log_warnx("authd: %s", reason);
	if (c == authd.chan)
		authd.chan = NULL;
	chan_free(c);
	authd_lost();
	if (offence && authd.up)
		timer_set(&authd.broken, BROKEN_MS);
	login_abandon();
}

/* A document of which only a part has come will not be completed. */
static void
authd_lost(void)
{
	if (authd.fetch_id != 0)
		fetch_over(NULL, 0);
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
	if (authd.chan == NULL)
		return;
	chan_set_state(authd.chan, CH_UP);
	chan_begin(authd.chan, IMSG_UP, 0, -1);
	chan_end(authd.chan);
}

/* A new authd hears what only we know. */
static void
authd_announce(void)
{
	struct ended	*e;

	chan_set_state(authd.chan, CH_UP);
	chan_begin(authd.chan, IMSG_ANNOUNCE, 0, -1);
	chan_add_u8(authd.chan, (uint8_t)tunnel_is_up());
	chan_add_u32(authd.chan, bridge_count() + authd.nended);
	chan_end(authd.chan);
	/* Those that ended meanwhile too, or their ends would mean nothing. */
	STAILQ_FOREACH(e, &authd.ended, entry)
		announce_stream(e->id, e->service, e->tag, e->tag_len, e->in,
		    e->out);
	bridge_walk(announce_stream);
	authd_services();
	chan_begin(authd.chan, IMSG_ANNOUNCE_END, 0, -1);
	chan_end(authd.chan);
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
	chan_begin(authd.chan, IMSG_ANNOUNCE_STREAM, 0, -1);
	chan_add_u64(authd.chan, id);
	chan_add_str(authd.chan, service);
	chan_add_u64(authd.chan, in);
	chan_add_u64(authd.chan, out);
	chan_add_blob(authd.chan, tag, tag_len);
	chan_end(authd.chan);
}

/* Streams. */

static int
on_stream_open(struct chan *c, struct imsg *m)
{
	const uint8_t	*tag;
	size_t		 tag_len;
	uint64_t	 id;
	char		 service[SERVICE_SIZE];

	(void)c;
	if (m_get_u64(m, &id) == -1 ||
	    m_get_str(m, service, sizeof(service)) == -1 ||
	    m_get_blob(m, &tag, &tag_len, STREAM_TAG_MAX) == -1 ||
	    m_end(m) == -1)
		return (-1);
	/* It becomes a line on the wire. */
	if (!manifest_name_ok(service, strlen(service)))
		return (-1);
	bridge_open(id, service, tag, tag_len, m_take_fd(m));
	return (0);
}

static int
on_stream_kill(struct chan *c, struct imsg *m)
{
	uint64_t	id;
	uint8_t		reason;

	(void)c;
	if (m_get_u64(m, &id) == -1 || m_get_u8(m, &reason) == -1 ||
	    m_end(m) == -1 || reason >= END_COUNT)
		return (-1);
	bridge_kill(id, reason);
	return (0);
}

void
authd_stream_end(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, enum end_reason reason, uint64_t in, uint64_t out)
{
	struct ended	*e;

	if (authd.chan != NULL) {
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
	chan_begin(authd.chan, IMSG_STREAM_END, 0, -1);
	chan_add_u64(authd.chan, id);
	chan_add_u8(authd.chan, (uint8_t)reason);
	chan_add_u64(authd.chan, in);
	chan_add_u64(authd.chan, out);
	chan_end(authd.chan);
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

	if (authd.chan == NULL || t == NULL)
		return;		/* a new authd will be told */
	chan_begin(authd.chan, IMSG_SERVICES_BEGIN, 0, -1);
	chan_add_u32(authd.chan, control_services_version());
	chan_add_u32(authd.chan, t->count);
	chan_add_str(authd.chan, "");
	chan_end(authd.chan);
	for (i = 0; i < t->count; i++) {
		s = &t->service[i];
		chan_begin(authd.chan, IMSG_SERVICE, 0, -1);
		chan_add_str(authd.chan, s->name);
		chan_add_str(authd.chan, s->target);
		chan_add_str(authd.chan, s->host);
		chan_add_u8(authd.chan, (uint8_t)s->tls);
		chan_add_str(authd.chan, s->label);
		chan_add_str(authd.chan, s->path);
		chan_add_str(authd.chan, s->path_prefix);
		chan_add_str(authd.chan, s->module_id);
		chan_add_str(authd.chan, s->node_id);
		chan_end(authd.chan);
	}
	chan_begin(authd.chan, IMSG_SERVICES_END, 0, -1);
	chan_end(authd.chan);
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
	if (authd.chan != NULL)
		report_send();
}

static void
report_send(void)
{
	size_t	off, n;

	chan_begin(authd.chan, IMSG_REPORT_BEGIN, 0, -1);
	chan_add_u8(authd.chan, (uint8_t)authd.report_kind);
	chan_add_u32(authd.chan, (uint32_t)authd.report_len);
	chan_end(authd.chan);
	for (off = 0; off < authd.report_len; off += n) {
		n = authd.report_len - off;
		if (n > CHUNK_MAX)
			n = CHUNK_MAX;
		chan_begin(authd.chan, IMSG_REPORT_CHUNK, 0, -1);
		chan_add_blob(authd.chan, authd.report + off, n);
		chan_end(authd.chan);
	}
	chan_begin(authd.chan, IMSG_REPORT_END, 0, -1);
	chan_end(authd.chan);
	free(authd.report);
	authd.report = NULL;
}

/* The users report of this system. */

void
authd_users_fetch(void)
{
	if (authd.fetch_id != 0)
		return;		/* its answer serves all who wait */
	if (authd.chan != NULL)
		authd.fetch_id =
		    chan_call(authd.chan, FETCH_MS, on_fetch_result, NULL);
	if (authd.fetch_id == 0) {
		control_users(NULL, 0);
		return;
	}
	chan_begin(authd.chan, IMSG_USERS_FETCH, authd.fetch_id, -1);
	chan_end(authd.chan);
}

static int
on_fetch_result(struct chan *c, struct imsg *m, void *arg)
{
	uint16_t	status;
	uint32_t	total;
	char		message[MESSAGE_SIZE];

	(void)c;
	(void)arg;
	if (m == NULL) {
		fetch_over(NULL, 0);
		return (0);
	}
	if (m_get_u16(m, &status) == -1 ||
	    m_get_str(m, message, sizeof(message)) == -1 ||
	    m_get_u32(m, &total) == -1 || m_end(m) == -1 || total > FETCH_MAX)
		return (-1);
	if (status >= 400 || total == 0 || (authd.doc = malloc(total)) == NULL)
		fetch_over(NULL, 0);
	else
		authd.doc_total = total;
	return (0);
}

static int
on_chunk(struct chan *c, struct imsg *m)
{
	const uint8_t	*p;
	size_t		 len;

	(void)c;
	if (m_get_blob(m, &p, &len, CHUNK_MAX) == -1 || m_end(m) == -1)
		return (-1);
	if (m->id != authd.fetch_id || authd.doc == NULL)
		return (0);	/* of an answer that came too late */
	if (len > authd.doc_total - authd.doc_len)
		return (-1);
	memcpy(authd.doc + authd.doc_len, p, len);
	authd.doc_len += len;
	if (authd.doc_len == authd.doc_total)
		fetch_over(authd.doc, authd.doc_len);
	return (0);
}

static void
fetch_over(const char *doc, size_t len)
{
	control_users(doc, len);
	freezero(authd.doc, authd.doc_total);
	authd.doc = NULL;
	authd.doc_len = authd.doc_total = 0;
	authd.fetch_id = 0;
}

/* The rest. */

static int
on_close(struct chan *c, struct imsg *m)
{
	char		reason[MESSAGE_SIZE];
	uint16_t	code;

	(void)c;
	if (m_get_u16(m, &code) == -1 ||
	    m_get_str(m, reason, sizeof(reason)) == -1 || m_end(m) == -1)
		return (-1);
	if (!authd.up) {
		login_abandon();
		return (0);
	}
	tunnel_close(code, reason, END_SESSION);
	return (0);
}

static int
on_probe(struct chan *c, struct imsg *m)
{
	(void)c;
	if (m_end(m) == -1)
		return (-1);
	tunnel_probe(m->id);
	return (0);
}

void
authd_alive(uint32_t id, int alive)
{
	if (authd.chan == NULL)
		return;
	chan_begin(authd.chan, IMSG_ALIVE, id, -1);
	chan_add_u8(authd.chan, (uint8_t)alive);
	chan_end(authd.chan);
}

void
authd_stats(uint64_t in, uint64_t out, uint64_t rtt_ns)
{
	uint64_t	now = clock_ms();

	if (authd.chan == NULL || (authd.told_ms != 0 &&
	    (now - authd.told_ms < STATS_MS || (in == authd.told_in &&
	    out == authd.told_out && bridge_count() == authd.told_streams))))
		return;
	authd.told_ms = now;
	authd.told_in = in;
	authd.told_out = out;
	authd.told_streams = bridge_count();
	chan_begin(authd.chan, IMSG_TUNNEL_STATS, 0, -1);
	chan_add_u64(authd.chan, in);
	chan_add_u64(authd.chan, out);
	chan_add_u32(authd.chan, (uint32_t)(rtt_ns / 1000));
	chan_add_u32(authd.chan, bridge_count());
	chan_end(authd.chan);
}

void
authd_flush(void)
{
	if (authd.chan != NULL)
		(void)chan_flush(authd.chan);
}
