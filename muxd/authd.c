/* SPDX-License-Identifier: ISC */
/*
 * What authd is told and asked. authd may die and come back: then streams go
 * on, and what there is to tell waits (streams that ended, the newest report).
 * What authd says of itself is taken in orders.c. messages.md, section 4.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
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

struct ended {
	STAILQ_ENTRY(ended)	 entry;
	uint64_t		 id, in, out;
	enum end_reason		 reason;
	char			 service[SERVICE_SIZE];
	size_t			 tag_len;
	uint8_t			 tag[];
};

static void	authd_ended(void);
static void	bridge_end_send(uint64_t, enum end_reason, uint64_t, uint64_t);
struct report;
static void	report_send(struct report *);
struct fetch;
static void	fetch_over(struct fetch *, const char *, size_t);
static int	on_fetch_result(struct chan *, struct imsg *, void *);

/* A users report on its way here. */
struct fetch {
	struct call	 call;
	void		(*fetched)(const char *, size_t);
	uint32_t	 id;		/* that its chunks carry; 0: none */
	struct doc	 doc;
};

/* The newest of its sort. */
struct report {
	char			*text;		/* NULL: none waits */
	size_t			 len;
	enum report_kind	 kind;
};

static struct {
	int			 up;		/* the login is through */
	/* for when it comes back */
	STAILQ_HEAD(, ended)	 ended;
	unsigned		 nended;
	unsigned		 lost;		/* did not fit in the list */
	struct report		 diagnostics, users;
	struct fetch		 fetch[FETCHES];
	/* statistics as told last */
	uint64_t		 told_in, told_out, told_ms;
	unsigned		 told_streams;
} authd = { .ended = STAILQ_HEAD_INITIALIZER(authd.ended) };

void
authd_up(void)
{
	authd.up = 1;
	link_set_state(CH_UP);
	if (link_chan() != NULL)
		(void)say_up(link_chan(), 0);
}

int
authd_is_up(void)
{
	return (authd.up);
}

void
authd_announce_stream(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, uint64_t in, uint64_t out)
{
	(void)say_announce_stream(link_chan(), 0, -1,
	    &(struct msg_announce_stream){
	    .stream = id, .service = service, .in = in, .out = out,
	    .tag = { tag, tag_len } });
}

/* Streams. */

unsigned
authd_waiting(void)
{
	return (authd.nended);
}

void
authd_announce_waiting(void)
{
	struct ended	*e;

	STAILQ_FOREACH(e, &authd.ended, entry)
		authd_announce_stream(e->id, e->service, e->tag, e->tag_len,
		    e->in, e->out);
}

void
authd_tell_waiting(void)
{
	authd_ended();
	authd.told_ms = 0;		/* statistics, too */
	report_send(&authd.diagnostics);
	report_send(&authd.users);
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

void
authd_stream_moved(uint64_t id, uint64_t in, uint64_t out)
{
	(void)say_stream_moved(link_chan(), 0, -1, &(struct msg_stream_moved){
	    .stream = id, .in = in, .out = out });
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
authd_services(const struct manifest *t, uint32_t version)
{
	const struct service	*s;
	unsigned		 i;

	if (link_chan() == NULL || t == NULL)
		return;		/* a new authd will be told */
	(void)say_services_begin(link_chan(), 0, -1,
	    &(struct msg_services_begin){
	    .version = version, .count = t->count });
	for (i = 0; i < t->count; i++) {
		s = &t->service[i];
		(void)say_service(link_chan(), 0, -1, &(struct msg_service){
		    .name = s->name, .target = s->target, .host = s->host,
		    .tls = (uint8_t)s->tls, .tcp = (uint8_t)s->tcp,
		    .label = s->label, .path = s->path,
		    .path_prefix = s->path_prefix, .module_id = s->module_id,
		    .node_id = s->node_id });
	}
	(void)say_services_end(link_chan(), 0);
}

/* Reports. The newest of each sort waits while authd is away. */

void
authd_report(enum report_kind kind, const char *doc, size_t len)
{
	struct report	*r = kind == REPORT_DIAGNOSTICS ?
			    &authd.diagnostics : &authd.users;
	char		*copy;

	if ((copy = malloc(len)) == NULL) {
		log_warn("report");
		return;
	}
	memcpy(copy, doc, len);
	freezero(r->text, r->len);
	r->text = copy;
	r->len = len;
	r->kind = kind;
	if (link_chan() != NULL)
		report_send(r);
}

static void
report_send(struct report *r)
{
	if (r->text == NULL)
		return;
	(void)say_report_begin(link_chan(), 0, -1, &(struct msg_report_begin){
	    .kind = (uint8_t)r->kind, .total = (uint32_t)r->len });
	doc_say(link_chan(), 0, r->text, r->len);
	(void)say_report_end(link_chan(), 0);
	freezero(r->text, r->len);
	r->text = NULL;
}

/* Reports of users, from authd. */

void
authd_users_fetch(enum fetch_what what, void (*fetched)(const char *, size_t))
{
	struct fetch	*f = &authd.fetch[what];

	if (f->id != 0)
		return;		/* its answer serves all who wait */
	f->fetched = fetched;
	f->id = call_start(&f->call, link_chan(), FETCH_MS, on_fetch_result,
	    f);
	if (f->id == 0)
		fetched(NULL, 0);
	else if (what == FETCH_OWN)
		(void)say_users_kept(link_chan(), f->id);
	else
		(void)say_users_fetch(link_chan(), f->id);
}

static int
on_fetch_result(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_api_result	 in;
	struct fetch		*f = arg;

	(void)c;
	if (m == NULL) {
		fetch_over(f, NULL, 0);
		return (0);
	}
	if (get_api_result(m, &in) == -1 || in.total > FETCH_MAX)
		return (-1);
	doc_begin(&f->doc, in.total, 1);
	if (in.status >= 400 || f->doc.text == NULL)
		fetch_over(f, NULL, 0);
	return (0);
}

int
authd_users_chunk(struct chan *c, struct imsg *m)
{
	struct msg_doc_chunk	 in;
	struct fetch		*f = &authd.fetch[FETCH_SYSTEM];

	(void)c;
	if (get_doc_chunk(m, &in) == -1)
		return (-1);
	if (m->id != f->id)
		f = &authd.fetch[FETCH_OWN];
	if (m->id != f->id || !f->doc.open)
		return (0);	/* of an answer that came too late */
	if (doc_add(&f->doc, &in.bytes) == -1)
		return (-1);
	if (doc_is_whole(&f->doc))
		fetch_over(f, f->doc.text, f->doc.got);
	return (0);
}

void
authd_users_forget(enum fetch_what what)
{
	struct fetch	*f = &authd.fetch[what];

	call_cancel(&f->call);
	doc_clear(&f->doc);
	f->id = 0;
}

void
authd_users_lost(void)
{
	int	i;

	for (i = 0; i < FETCHES; i++)
		if (authd.fetch[i].id != 0)
			fetch_over(&authd.fetch[i], NULL, 0);
}

/* It may be asked for again from fetched(). */
static void
fetch_over(struct fetch *f, const char *doc, size_t len)
{
	struct doc	whole = f->doc;

	memset(&f->doc, 0, sizeof(f->doc));
	f->id = 0;
	f->fetched(doc, len);
	doc_clear(&whole);
}

void
authd_commanded(uint32_t id, int status, const char *text)
{
	if (id == 0 || link_chan() == NULL)
		return;
	(void)say_commanded(link_chan(), id, -1, &(struct msg_commanded){
	    .status = (uint16_t)status, .message = text });
}

/* The rest. */

void
authd_alive(uint32_t id, int alive)
{
	if (link_chan() == NULL)
		return;
	(void)say_alive(link_chan(), id, -1, &(struct msg_alive){
	    .alive = (uint8_t)alive });
}

uint64_t
authd_stats(uint64_t in, uint64_t out, uint64_t rtt_ns, unsigned streams,
    void (*also)(void))
{
	uint64_t	now = clock_ms();

	if (link_chan() == NULL || (authd.told_ms != 0 &&
	    in == authd.told_in && out == authd.told_out &&
	    streams == authd.told_streams))
		return (0);
	if (authd.told_ms != 0 && now - authd.told_ms < STATS_MS)
		return (STATS_MS - (now - authd.told_ms));
	authd.told_ms = now;
	authd.told_in = in;
	authd.told_out = out;
	authd.told_streams = streams;
	(void)say_tunnel_stats(link_chan(), 0, -1, &(struct msg_tunnel_stats){
	    .bytes_in = in, .bytes_out = out,
	    .rtt_us = (uint32_t)(rtt_ns / 1000), .streams = streams });
	also();
	return (0);
}
