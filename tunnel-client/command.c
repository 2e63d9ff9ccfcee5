/* SPDX-License-Identifier: ISC */
/*
 * COMMAND: an operator adds services to this connection, or removes what was
 * added. All or nothing; the manifest goes out before the OK (T34).
 * tunnel-protocol.md, 5.4.
 */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "client.h"
#include "base/clock.h"
#include "command.h"
#include "base/compat.h"
#include "jsonend.h"
#include "local.h"
#include "base/log.h"
#include "net/net.h"
#include "stream.h"
#include "ws/ws.h"

#define COMMAND_MAX	65536
#define COMMAND_MS	30000	/* for the whole of it */
#define ADD_MAX		10
#define REPLY_MAX	1024
#define NAME_RULE	"^[a-z0-9][a-z0-9_-]{0,63}$"

struct command {
	struct stream	*st;
	struct timer	 timer;
	char		*buf;
	size_t		 len;
	struct jsonend	 end;
	struct service	 add[ADD_MAX];
	int		 nadd, next;	/* `next`: whose name is asked for */
	int		 resolving;
	struct lookup	*lookup;
};

static void	command_data(struct stream *, const uint8_t *, size_t);
static void	command_fin(struct stream *);
static void	command_gone(struct stream *, int);
static void	command_timeout(void *);
static void	command_run(struct command *);
static int	command_add_parse(struct command *, const cJSON *);
static int	command_service(struct command *, const cJSON *);
static void	command_resolve(struct command *);
static void	command_resolved(void *, const struct net_addr *, size_t,
		    const char *);
static void	command_add(struct command *);
static void	command_remove(struct command *, const cJSON *);
static void	command_reply(struct command *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	command_free(struct command *);

static const struct stream_ops command_ops = { .name = "command",
    .data = command_data, .fin = command_fin, .gone = command_gone };

void
command_start(struct stream *st, const char *version, const uint8_t *p,
    size_t len)
{
	struct command	*c;
	char		 shown[256];

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		stream_reset(st);
		return;
	}
	c->st = st;
	timer_init(&c->timer, command_timeout, c);
	stream_become(st, &command_ops, c);
	if (strcmp(version, "1") != 0) {
		command_reply(c, "unsupported command version \"%s\"",
		    log_escape(shown, sizeof(shown), version,
		    strlen(version)));
		return;
	}
	timer_set(&c->timer, COMMAND_MS);
	if (len > 0)
		command_data(st, p, len);
}

/* Until the object's closing brace. */
static void
command_data(struct stream *st, const uint8_t *p, size_t len)
{
	struct command	*c = st->arg;
	size_t		 n;
	int		 r;

	stream_consumed(st, len);
	if (c->resolving)
		return;
	if (c->buf == NULL && (c->buf = malloc(COMMAND_MAX + 1)) == NULL) {
		command_reply(c, "out of memory");
		return;
	}
	r = jsonend_feed(&c->end, p, len, &n);
	if (r == -1) {
		command_reply(c, "invalid json: an object expected");
		return;
	}
	if (n > COMMAND_MAX - c->len) {
		command_reply(c, "invalid json: over %d bytes", COMMAND_MAX);
		return;
	}
	memcpy(c->buf + c->len, p, n);
	c->len += n;
	if (r == 1)
		command_run(c);
}

static void
command_fin(struct stream *st)
{
	struct command	*c = st->arg;

	if (!c->resolving)
		command_reply(c, "invalid json: unexpected end");
}

static void
command_gone(struct stream *st, int clean)
{
	(void)clean;
	command_free(st->arg);
}

static void
command_timeout(void *arg)
{
	command_reply(arg, "no complete command in time");
}

static void
command_run(struct command *c)
{
	cJSON		*o = cJSON_ParseWithLength(c->buf, c->len);
	const cJSON	*action;
	char		 shown[256];

	action = cJSON_GetObjectItemCaseSensitive(o, "action");
	if (!cJSON_IsObject(o)) {
		command_reply(c, "invalid json: cannot be parsed");
	} else if (cJSON_IsString(action) &&
	    strcmp(action->valuestring, "add_services") == 0) {
		if (command_add_parse(c, cJSON_GetObjectItemCaseSensitive(o,
		    "services")) == 0) {
			c->resolving = 1;
			command_resolve(c);
		}
	} else if (cJSON_IsString(action) &&
	    strcmp(action->valuestring, "remove_services") == 0) {
		command_remove(c, cJSON_GetObjectItemCaseSensitive(o,
		    "service_names"));
	} else {
		command_reply(c, "unknown action \"%s\"",
		    cJSON_IsString(action) ? log_escape(shown, sizeof(shown),
		    action->valuestring, strlen(action->valuestring)) : "");
	}
	cJSON_Delete(o);
}

/* Adding. */

static int
name_good(const char *s)
{
	size_t	len = strlen(s);

	return (len >= 1 && len <= 64 && *s != '_' && *s != '-' &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len &&
	    strcmp(s, "terminal") != 0);
}

/* -1: it has been replied to, `c` is gone. */
static int
command_add_parse(struct command *c, const cJSON *services)
{
	const cJSON	*s;
	int		 n = cJSON_GetArraySize(services);

	if (!cJSON_IsObject(services) || n == 0) {
		command_reply(c, "no services provided");
		return (-1);
	}
	if (n > ADD_MAX) {
		command_reply(c, "too many services: max %d per call",
		    ADD_MAX);
		return (-1);
	}
	cJSON_ArrayForEach(s, services)
		if (command_service(c, s) == -1)
			return (-1);
	return (0);
}

/* A text of an entry; 0, or -1 when it does not fit or is not text. */
static int
take_text(const cJSON *o, const char *name, char *out, size_t size)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);
	size_t		 len;

	if (s == NULL || cJSON_IsNull(s))
		return (0);
	if (!cJSON_IsString(s))
		return (-1);
	len = strlen(s->valuestring);
	return (strlcpy(out, s->valuestring, size) >= size ||
	    !ws_utf8((uint8_t *)out, len) ? -1 : 0);
}

static int
command_service(struct command *c, const cJSON *o)
{
	struct service	*s = &c->add[c->nadd];
	struct target	 t;
	char		 shown[256];
	int		 r;

	log_escape(shown, sizeof(shown), o->string, strlen(o->string));
	if (!name_good(o->string)) {
		command_reply(c, "invalid service name \"%s\": must match %s",
		    shown, NAME_RULE);
		return (-1);
	}
	if (catalog_excludes(o->string)) {
		command_reply(c, "service \"%s\" rejected: excluded by the "
		    "customer", shown);
		return (-1);
	}
	strlcpy(s->name, o->string, sizeof(s->name));
	s->added = 1;
	s->tls = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "tls"));
	s->tcp = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "tcp"));
	if (take_text(o, "target", s->target, sizeof(s->target)) == -1 ||
	    take_text(o, "host", s->host, sizeof(s->host)) == -1 ||
	    take_text(o, "label", s->label, sizeof(s->label)) == -1) {
		command_reply(c, "service \"%s\" rejected: bad member", shown);
		return (-1);
	}
	if ((r = target_parse(s->target, &t)) != TARGET_OK) {
		command_reply(c, "service \"%s\" rejected: %s", shown,
		    target_strerror(r));
		return (-1);
	}
	if (local_refused(s, &t) && target_is_loopback(&t)) {
		command_reply(c, "service \"%s\" rejected: %s", shown,
		    target_strerror(TARGET_E_LOCAL));
		return (-1);
	}
	c->nadd++;
	return (0);
}

/*
 * Ask for the names among the targets, one after another. The answer is only
 * checked here: the dial resolves anew, and checks anew.
 */
static void
command_resolve(struct command *c)
{
	struct target	t;

	for (; c->next < c->nadd; c->next++) {
		if (target_parse(c->add[c->next].target, &t) != TARGET_OK ||
		    t.family != 0)
			continue;
		c->lookup = lookup_start(t.host, command_resolved, c);
		if (c->lookup == NULL)
			command_reply(c, "out of memory");
		return;
	}
	command_add(c);
}

/* A name that is not known may be known later: only a bad address counts. */
static void
command_resolved(void *arg, const struct net_addr *v, size_t n, const char *why)
{
	struct command		*c = arg;
	const struct service	*s = &c->add[c->next];
	struct target		 t;
	size_t			 i;
	int			 r = target_parse(s->target, &t);

	(void)why;
	c->lookup = NULL;
	for (i = 0; i < n && r == TARGET_OK; i++) {
		r = target_check_addr(v[i].family, v[i].addr);
		if (r == TARGET_OK && local_refused(s, &t) &&
		    target_addr_is_local(v[i].family, v[i].addr))
			r = TARGET_E_LOCAL;
	}
	if (r != TARGET_OK) {
		command_reply(c, "service \"%s\" rejected: %s", s->name,
		    target_strerror(r));
		return;
	}
	c->next++;
	command_resolve(c);
}

static void
command_add(struct command *c)
{
	struct services	*before = catalog_added_copy();
	const char	*failed = NULL;
	int		 i;

	for (i = 0; i < c->nadd && failed == NULL; i++)
		if (before == NULL || catalog_add(&c->add[i]) == -1)
			failed = "service limit exceeded: max 500 total "
			    "services";
	if (failed == NULL && announce_manifest() == -1)
		failed = "failed to resend manifest: no stream";
	if (failed == NULL) {
		services_clear(before);
		free(before);
		command_reply(c, NULL);
		return;
	}
	if (before != NULL)
		catalog_added_restore(before);
	command_reply(c, "%s", failed);
}

/* Removing. */

static void
command_remove(struct command *c, const cJSON *names)
{
	struct services	*before;
	const cJSON	*s;
	int		 n = 0;

	if (!cJSON_IsArray(names) || cJSON_GetArraySize(names) == 0) {
		command_reply(c, "no service names provided");
		return;
	}
	if ((before = catalog_added_copy()) == NULL) {
		command_reply(c, "out of memory");
		return;
	}
	cJSON_ArrayForEach(s, names)
		if (cJSON_IsString(s))
			n += catalog_remove(s->valuestring);
	if (n > 0 && announce_manifest() == -1) {
		catalog_added_restore(before);
		command_reply(c, "failed to resend manifest: no stream");
		return;
	}
	services_clear(before);
	free(before);
	command_reply(c, NULL);
}

/* ERROR and a text, or OK if there is none. `c` is gone. */
static void
command_reply(struct command *c, const char *fmt, ...)
{
	struct stream	*st = c->st;
	char		 text[REPLY_MAX - 8], line[REPLY_MAX];
	va_list		 ap;

	strlcpy(line, "OK\n", sizeof(line));
	if (fmt != NULL) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		snprintf(line, sizeof(line), "ERROR %s\n", text);
		log_info("command: %s", text);
	} else
		log_info("command: done, %zu service%s", catalog_count(),
		    PLURAL(catalog_count()));
	command_free(c);
	if (stream_send(st, line, strlen(line)) == -1)
		stream_reset(st);
	else
		stream_done(st);
}

static void
command_free(struct command *c)
{
	timer_del(&c->timer);
	if (c->lookup != NULL)
		lookup_cancel(c->lookup);
	free(c->buf);
	free(c);
}
