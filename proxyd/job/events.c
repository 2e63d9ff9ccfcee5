/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/uuid.h"
#include "events.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/link.h"
#include "proxyd/door/conn.h"

#define BEAT_MS		20000	/* between two words: so much a front may wait */
#define BEHIND_MAX	32768	/* bytes that a reader may leave unread */
#define EVENT_MAX	640
#define FIRST		"retry: 2000\n\n"
#define BEAT		":\n\n"

struct events {
	TAILQ_ENTRY(events)	 entry;
	struct conn		*c;
	uint32_t		 id;	/* of the call */
	int			 chunked;
};
static TAILQ_HEAD(, events)	all = TAILQ_HEAD_INITIALIZER(all);

/* 0, or -1: the connection is closed. */
static int
say(struct events *e, const char *text, size_t len)
{
	char		head[16];
	struct iovec	iov[3];
	int		n = 0;

	if (e->c->out_len > BEHIND_MAX) {
		conn_close(e->c, "reads no events", 1);
		return (-1);
	}
	if (e->chunked) {
		iov[n].iov_base = head;
		iov[n++].iov_len = (size_t)snprintf(head, sizeof(head),
		    "%zx\r\n", len);
	}
	iov[n].iov_base = (void *)(uintptr_t)text;
	iov[n++].iov_len = len;
	if (e->chunked) {
		iov[n].iov_base = (void *)(uintptr_t)"\r\n";
		iov[n++].iov_len = 2;
	}
	if (conn_writev(e->c, iov, n) == -1)
		return (-1);
	conn_deadline(e->c, BEAT_MS);
	return (0);
}

static void
events_beat(struct conn *c)
{
	(void)say(c->work, BEAT, sizeof(BEAT) - 1);
}

static void
events_end(struct conn *c)
{
	struct events	*e = c->work;

	TAILQ_REMOVE(&all, e, entry);
	if (link_chan() != NULL)
		(void)say_api_gone(link_chan(), 0, -1, &(struct msg_api_gone){
		    .call = e->id });
	free(e);
}

/* Who has gone and not only said all is heard of when it is spoken to. */
static enum left
events_left(struct conn *c)
{
	events_beat(c);
	return (LEFT_READS);
}

static const struct job_ops	events_job = {
	.name = "api, events",
	.expired = events_beat,
	.left = events_left,
	.end = events_end,
};

void
events_begin(struct conn *c, uint32_t id)
{
	struct events	*e;
	int		 only_head = c->is_head;

	if ((e = calloc(1, sizeof(*e))) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return;
	}
	e->c = c;
	e->id = id;
	e->chunked = !c->http10;
	conn_job(c, &events_job, e);
	TAILQ_INSERT_TAIL(&all, e, entry);
	c->keep &= only_head && !c->http10;
	if (answer_stream(c, "text/event-stream", e->chunked) == -1)
		return;
	if (only_head)
		conn_answered(c);
	else
		(void)say(e, FIRST, sizeof(FIRST) - 1);
}

/* Said in order, and none behind it. */
static void
events_over(struct events *e)
{
	struct iovec	iov = { (void *)(uintptr_t)"0\r\n\r\n", 5 };

	if (!e->chunked || conn_writev(e->c, &iov, 1) == 0)
		conn_answered(e->c);
}

void
events_end_all(void)
{
	struct events	*e;

	while ((e = TAILQ_FIRST(&all)) != NULL)
		events_over(e);
}

static struct events *
events_of(uint32_t id)
{
	struct events	*e;

	TAILQ_FOREACH(e, &all, entry)
		if (e->id == id)
			break;
	return (e);
}

/* An id goes into JSON as it is: authd's are plain, and others are left out. */
static int
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return (0);
	return (1);
}

int
events_on_event(struct chan *ch, struct imsg *m)
{
	static const char *const	kinds[EVENT_KINDS] = { "session",
	    "system", "all" };
	struct msg_event	 in;
	struct events		*e;
	char			 text[EVENT_MAX];
	int			 n;

	(void)ch;
	if (get_event(m, &in) == -1 || in.kind >= EVENT_KINDS ||
	    !is_plain(in.system) || (in.session[0] != '\0' &&
	    !uuid_is(in.session, strlen(in.session))))
		return (-1);
	if ((e = events_of(m->id)) == NULL)
		return (0);	/* its caller has gone */
	if (in.kind == EVENT_ALL)
		n = snprintf(text, sizeof(text), "event: all\ndata: {}\n\n");
	else if (in.kind == EVENT_SYSTEM)
		n = snprintf(text, sizeof(text), "event: %s\ndata: "
		    "{\"system_id\":\"%s\"}\n\n", kinds[in.kind], in.system);
	else
		n = snprintf(text, sizeof(text), "event: %s\ndata: "
		    "{\"session_id\":\"%s\",\"system_id\":\"%s\"}\n\n",
		    kinds[in.kind], in.session, in.system);
	(void)say(e, text, (size_t)n);
	return (0);
}

int
events_on_end(struct chan *ch, struct imsg *m)
{
	struct msg_events_end	 in;
	struct events		*e;

	(void)ch;
	if (get_events_end(m, &in) == -1)
		return (-1);
	if ((e = events_of(m->id)) != NULL)
		events_over(e);
	return (0);
}
