/* SPDX-License-Identifier: ISC */
/*
 * CONNECT: look the service up, dial its target, answer, then copy. What the
 * server sends meanwhile is kept; a window at most. tunnel-protocol.md, 5.2.
 */
#include <event2/buffer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "client.h"
#include "base/compat.h"
#include "connect.h"
#include "local.h"
#include "base/log.h"
#include "net/net.h"
#include "stream.h"

#define REPLY_MAX	1024		/* bytes before the newline */
#define NAME_SHOWN	600

struct pending {
	struct stream	*st;
	struct dial	*dial;
	struct evbuffer	*early;		/* what came before the target's OK */
	int		 fin;
	char		 target[CLIENT_TARGET_SIZE];
};

static void	pending_data(struct stream *, const uint8_t *, size_t);
static void	pending_fin(struct stream *);
static void	pending_gone(struct stream *, int);
static void	pending_withdraw(struct stream *, const char *);
static void	pending_dialed(void *, struct sock *, const char *);
static void	pending_free(struct pending *);
static void	refuse(struct stream *, const char *);
static void	refuse_target(struct stream *, const char *, const char *);
static int	dial_service(struct pending *, const struct service *,
		    const struct target *);

static const struct stream_ops pending_ops = { .name = "connect",
    .data = pending_data, .fin = pending_fin, .gone = pending_gone,
    .withdraw = pending_withdraw };

void
connect_start(struct stream *st, const char *name, const uint8_t *p, size_t len)
{
	const struct service	*s;
	struct target		 target;
	struct pending		*c;
	char			 shown[NAME_SHOWN], text[REPLY_MAX];
	int			 r;

	if ((s = catalog_get(name)) == NULL) {
		snprintf(text, sizeof(text), "service not found: %s",
		    log_escape(shown, sizeof(shown), name, strlen(name)));
		refuse(st, text);
		return;
	}
	if ((r = target_parse(s->target, &target)) != TARGET_OK) {
		refuse_target(st, s->target, target_strerror(r));
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (c->early = evbuffer_new()) == NULL) {
		free(c);
		refuse_target(st, s->target, "out of memory");
		return;
	}
	c->st = st;
	strlcpy(c->target, s->target, sizeof(c->target));
	stream_become(st, &pending_ops, c);
	if (dial_service(c, s, &target) == -1) {
		refuse_target(st, s->target, "out of memory");
		pending_free(c);
		return;
	}
	log_debug("stream %u: %s: dialing %s", yamux_id(st->ys), s->name,
	    s->target);
	if (len > 0)
		pending_data(st, p, len);
}

/* SNI is the name the service expects, else that of its target. */
static int
dial_service(struct pending *c, const struct service *s,
    const struct target *target)
{
	struct dial_how	how = { .host = target->host, .port = target->port,
			    .check = 1, .not_local = local_refused(s, target) };
	struct target	expected;
	char		with_port[CLIENT_NAME_SIZE + 8];

	if (s->tls) {
		how.tls = s->tls_old ? DIAL_TLS_SERVICE_OLD : DIAL_TLS_SERVICE;
		how.name = target->host;
		/* `host` may have a port, which is none of TLS's business. */
		snprintf(with_port, sizeof(with_port), "%s%s", s->host,
		    strchr(s->host, ':') == NULL ? ":1" : "");
		if (*s->host != '\0' &&
		    target_parse(with_port, &expected) != TARGET_E_FORM)
			how.name = expected.host;
	}
	c->dial = dial_start(&how, pending_dialed, c);
	return (c->dial == NULL ? -1 : 0);
}

static void
pending_data(struct stream *st, const uint8_t *p, size_t len)
{
	struct pending	*c = st->arg;

	if (evbuffer_add(c->early, p, len) == 0)
		return;
	pending_free(c);
	stream_reset(st);
}

static void
pending_fin(struct stream *st)
{
	struct pending	*c = st->arg;

	c->fin = 1;
}

static void
pending_gone(struct stream *st, int clean)
{
	(void)clean;
	pending_free(st->arg);
}

static void
pending_withdraw(struct stream *st, const char *why)
{
	pending_free(st->arg);
	refuse(st, why);
}

static void
pending_dialed(void *arg, struct sock *sock, const char *why)
{
	struct pending	*c = arg;
	struct stream	*st = c->st;
	struct evbuffer	*early;
	size_t		 len;
	int		 fin = c->fin;

	c->dial = NULL;
	if (why != NULL) {
		refuse_target(st, c->target, why);
		pending_free(c);
		return;
	}
	if (stream_send(st, "OK\n", 3) == -1 ||
	    bridge_start(st, sock, NULL) == -1) {
		sock_close(sock);
		stream_reset(st);
		pending_free(c);
		return;
	}
	early = c->early;
	c->early = NULL;
	pending_free(c);
	if ((len = evbuffer_get_length(early)) > 0)
		st->ops->data(st, evbuffer_pullup(early, -1), len);
	if (fin)
		st->ops->fin(st);
	streams_flush();	/* `early` goes away now */
	evbuffer_free(early);
}

static void
pending_free(struct pending *c)
{
	if (c->dial != NULL)
		dial_cancel(c->dial);
	if (c->early != NULL)
		evbuffer_free(c->early);
	free(c);
}

static void
refuse(struct stream *st, const char *text)
{
	char	line[REPLY_MAX + 2];

	log_info("stream %u: %s", yamux_id(st->ys), text);
	snprintf(line, sizeof(line), "ERROR %.*s\n", REPLY_MAX - 6, text);
	if (stream_send(st, line, strlen(line)) == -1)
		stream_reset(st);
	else
		stream_done(st);
}

static void
refuse_target(struct stream *st, const char *target, const char *why)
{
	char	text[REPLY_MAX], shown[CLIENT_TARGET_SIZE];

	snprintf(text, sizeof(text), "failed to connect to %s: %s",
	    log_escape(shown, sizeof(shown), target, strlen(target)), why);
	refuse(st, text);
}
