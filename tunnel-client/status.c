/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "client.h"
#include "consent.h"
#include "status.h"
#include "stream.h"
#include "users.h"
#include "when.h"

#define WHY_SIZE	1024
#define OPEN_SHOWN	200	/* bytes of what is open, in one line */

enum state { CONNECTING, CONNECTED, WAITING, LEAVING };
static const char *const state_names[] = { "connecting", "connected",
    "waiting", "leaving" };

static struct {
	enum state	 state;
	const char	*where;
	char		 session[64];
	int64_t		 started, since;	/* seconds, wall clock */
	char		 why[WHY_SIZE];		/* the last failure; "" none */
	int64_t		 failed;		/* when that was */
	uint64_t	 next_ms;		/* of clock_ms() */
	void		(*watch)(void);
} status;

/* What happens. */

void
status_init(const char *where)
{
	status.where = where;
	status.started = status.since = clock_wall();
}

/* `since` is of being connected, or not: attempts in between do not count. */
static void
enter(enum state state)
{
	if ((state == CONNECTED) != (status.state == CONNECTED))
		status.since = clock_wall();
	status.state = state;
	if (status.watch != NULL)
		status.watch();
}

void
status_connecting(void)
{
	enter(CONNECTING);
}

void
status_connected(const char *session)
{
	strlcpy(status.session, session, sizeof(status.session));
	enter(CONNECTED);
}

void
status_down(const char *why, uint64_t next_ms)
{
	strlcpy(status.why, why, sizeof(status.why));
	status.failed = clock_wall();
	status.next_ms = clock_ms() + next_ms;
	enter(WAITING);
}

void
status_leaving(void)
{
	enter(LEAVING);
}

void
status_watch(void (*fn)(void))
{
	status.watch = fn;
	streams_watch(fn);
}

/* In JSON. */

static void
add_time(cJSON *o, const char *name, int64_t t)
{
	char	text[WHEN_SIZE];

	cJSON_AddStringToObject(o, name, when_print(text, t));
}

static void
add_service(void *arg, const struct service *s)
{
	cJSON	*o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", s->name);
	cJSON_AddStringToObject(o, "target", s->target);
	cJSON_AddBoolToObject(o, "added", s->added);
	cJSON_AddItemToArray(arg, o);
}

static void
add_stream(void *arg, const struct stream *st)
{
	cJSON	*o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "id", yamux_id(st->ys));
	cJSON_AddStringToObject(o, "kind", st->kind);
	if (st->service != NULL)
		cJSON_AddStringToObject(o, "service", st->service);
	add_time(o, "since", st->since);
	cJSON_AddNumberToObject(o, "received", (double)st->received);
	cJSON_AddNumberToObject(o, "sent", (double)st->sent);
	cJSON_AddItemToArray(arg, o);
}

static void
add_state(cJSON *o)
{
	uint64_t	now = clock_ms();
	cJSON		*e;

	cJSON_AddStringToObject(o, "state", state_names[status.state]);
	cJSON_AddStringToObject(o, "server", status.where);
	add_time(o, "now", clock_wall());
	add_time(o, "started", status.started);
	add_time(o, "since", status.since);
	if (status.state == CONNECTED && *status.session != '\0')
		cJSON_AddStringToObject(o, "session", status.session);
	if (*status.why != '\0' &&
	    (e = cJSON_AddObjectToObject(o, "last_error")) != NULL) {
		add_time(e, "at", status.failed);
		cJSON_AddStringToObject(e, "text", status.why);
	}
	if (status.state == WAITING)
		cJSON_AddNumberToObject(o, "next_try_s", status.next_ms < now ?
		    0 : (double)((status.next_ms - now + 999) / 1000));
}

char *
status_json(void)
{
	cJSON	*o = cJSON_CreateObject(), *list;
	char	*text, *line = NULL;

	cJSON_AddStringToObject(o, "version", RELAYD_VERSION);
	cJSON_AddNumberToObject(o, "pid", getpid());
	add_state(o);
	consent_add(o);
	users_add(o);
	if ((list = cJSON_AddArrayToObject(o, "services")) != NULL)
		catalog_each(add_service, list);
	if ((list = cJSON_AddArrayToObject(o, "streams")) != NULL)
		streams_each(add_stream, list);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	if (text != NULL && asprintf(&line, "%s\n", text) == -1)
		line = NULL;
	free(text);
	return (line);
}

/* In one line. */

char *
status_span(char *dst, int64_t s)
{
	long long	n = s < 0 ? 0 : (long long)s;

	if (n >= 3600)
		snprintf(dst, 32, "%lldh%02lldm", n / 3600, n / 60 % 60);
	else if (n >= 60)
		snprintf(dst, 32, "%lldm%02llds", n / 60, n % 60);
	else
		snprintf(dst, 32, "%llds", n);
	return (dst);
}

struct shown {
	char	text[OPEN_SHOWN];
	size_t	n;
};

static void
show_stream(void *arg, const struct stream *st)
{
	struct shown	*s = arg;

	if (s->n++ > 0)
		strlcat(s->text, ", ", sizeof(s->text));
	strlcat(s->text, st->service != NULL ? st->service : st->kind,
	    sizeof(s->text));
}

void
status_line(char *dst, size_t size)
{
	struct shown	open = { "", 0 };
	uint64_t	now = clock_ms();
	char		span[32], next[32];

	status_span(span, clock_wall() - status.since);
	streams_each(show_stream, &open);
	switch (status.state) {
	case CONNECTED:
		snprintf(dst, size, "connected to %s for %s, %zu service%s, "
		    "%sopen: %s", status.where, span, catalog_count(),
		    catalog_count() == 1 ? "" : "s", consent_given() ? "" :
		    "no consent, ", open.n == 0 ? "nothing" : open.text);
		break;
	case WAITING:
		status_span(next, status.next_ms < now ? 0 :
		    (int64_t)((status.next_ms - now + 999) / 1000));
		snprintf(dst, size, "not connected for %s, next try in %s: %s",
		    span, next, status.why);
		break;
	default:
		snprintf(dst, size, "%s: %s", state_names[status.state],
		    status.where);
		break;
	}
}
