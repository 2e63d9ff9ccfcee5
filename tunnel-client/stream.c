/* SPDX-License-Identifier: ISC */
/*
 * Streams: accepted at once, whatever else we are doing (T20); their first
 * line; what is said on them in small pieces; their end.
 */
#include <event2/buffer.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "firstline.h"
#include "base/log.h"
#include "stream.h"
#include "tunnel.h"

#define LINE_MS		30000	/* for the first line */

#define SF_WAITING	0x01	/* for room in the tunnel's buffer */
#define SF_TOUCHED	0x02
#define SF_FIN		0x04	/* FIN stands behind tx */

/* A stream whose first line is not complete. */
struct line {
	struct firstline	 text;
	struct timer		 timer;
	struct stream		*st;
};

static void	line_start(struct stream *);
static void	line_data(struct stream *, const uint8_t *, size_t);
static void	line_fin(struct stream *);
static void	line_timeout(void *);
static void	line_complete(struct stream *, const uint8_t *, size_t);
static void	line_gone(struct stream *, int);
static void	dropped_data(struct stream *, const uint8_t *, size_t);
static void	dropped_gone(struct stream *, int);
static int	stream_place(struct stream *);
static void	stream_free(struct stream *);
static struct stream *stream_new(const struct stream_ops *, void *);

static const struct stream_ops line_ops = { .name = "line",
    .data = line_data, .fin = line_fin, .gone = line_gone };
/* Through, but what was said last is still on its way. */
static const struct stream_ops dropped_ops = { .name = "done",
    .data = dropped_data, .gone = dropped_gone };

static TAILQ_HEAD(stream_list, stream)
	all = TAILQ_HEAD_INITIALIZER(all),
	waiting = TAILQ_HEAD_INITIALIZER(waiting),
	touched = TAILQ_HEAD_INITIALIZER(touched);

static const struct stream_kinds	*kinds;
static void				(*watch)(void);

void
streams_init(const struct stream_kinds *k)
{
	kinds = k;
}

/* Beginning. */

static struct stream *
stream_new(const struct stream_ops *ops, void *arg)
{
	struct stream	*st;

	if ((st = calloc(1, sizeof(*st))) == NULL)
		return (NULL);
	st->ops = ops;
	st->arg = arg;
	TAILQ_INSERT_TAIL(&all, st, entry);
	return (st);
}

struct stream *
stream_open(const struct stream_ops *ops, void *arg)
{
	struct stream	*st;
	int		 r;

	if (!tunnel_is_usable() || (st = stream_new(ops, arg)) == NULL)
		return (NULL);
	if ((r = yamux_open(tunnel_mux()->y, st, &st->ys)) != 0) {
		log_warnx("%s: no stream: %s", ops->name, yamux_strerror(r));
		stream_free(st);
		return (NULL);
	}
	return (st);
}

static void
stream_on_open(void *arg, struct yamux_stream *ys)
{
	struct stream	*st;

	(void)arg;
	if ((st = stream_new(&line_ops, NULL)) == NULL) {
		yamux_reset(ys);
		return;
	}
	st->ys = ys;
	yamux_set(ys, st);
	yamux_accept(ys);
	line_start(st);
}

void
stream_become(struct stream *st, const struct stream_ops *ops, void *arg)
{
	st->ops = ops;
	st->arg = arg;
}

/* The first line. */

static void
line_start(struct stream *st)
{
	struct line	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL) {
		stream_reset(st);
		return;
	}
	l->st = st;
	st->arg = l;
	timer_init(&l->timer, line_timeout, l);
	timer_set(&l->timer, LINE_MS);
}

static void
line_free(struct line *l)
{
	timer_del(&l->timer);
	free(l);
}

static void
line_data(struct stream *st, const uint8_t *p, size_t len)
{
	struct line	*l = st->arg;
	size_t		 used;
	int		 r;

	r = firstline_feed(&l->text, p, len, &used);
	stream_consumed(st, r == -1 ? len : used);
	if (r == 0)
		return;
	if (r == -1) {
		log_info("stream %u: first line is too long", yamux_id(st->ys));
		line_free(l);
		stream_done(st);
		return;
	}
	line_complete(st, p + used, len - used);
}

/* A line may end with FIN instead of its newline. */
static void
line_fin(struct stream *st)
{
	struct yamux		*y = yamux_of(st->ys);
	uint32_t		 id = yamux_id(st->ys);
	struct yamux_stream	*ys;

	line_complete(st, NULL, 0);
	/* It may be gone: only if it is still there is the FIN its own. */
	if ((ys = yamux_find(y, id)) != NULL && yamux_get(ys) == st &&
	    st->ops->fin != NULL)
		st->ops->fin(st);
}

/* What is asked for is known: from now on it can be seen. */
static void
stream_begin(struct stream *st, const char *kind, const char *service)
{
	char	shown[128];

	st->kind = kind;
	st->since = clock_wall();
	if (service != NULL)
		st->service = strdup(log_escape(shown, sizeof(shown), service,
		    strlen(service)));
	if (watch != NULL)
		watch();
}

static void
line_complete(struct stream *st, const uint8_t *p, size_t len)
{
	struct line	*l = st->arg;
	const char	*rest;
	char		 shown[128];

	switch (firstline_kind(&l->text, &rest)) {
	case LINE_CONNECT:
		stream_begin(st, "connect", rest);
		kinds->connect(st, rest, p, len);
		break;
	case LINE_TERMINAL:
		stream_begin(st, "terminal", NULL);
		kinds->terminal(st, p, len);
		break;
	case LINE_COMMAND:
		stream_begin(st, "command", NULL);
		kinds->command(st, rest, p, len);
		break;
	case LINE_BAD:
		log_info("stream %u: unknown request \"%s\"", yamux_id(st->ys),
		    log_escape(shown, sizeof(shown), l->text.text,
		    l->text.len));
		stream_consumed(st, len);
		stream_done(st);
		break;
	}
	line_free(l);
}

static void
line_timeout(void *arg)
{
	struct line	*l = arg;
	struct stream	*st = l->st;

	line_free(l);
	stream_reset(st);
}

static void
line_gone(struct stream *st, int clean)
{
	(void)clean;
	line_free(st->arg);
}

/* What yamux says. A stream without user is one that we are through with. */

static void
stream_on_data(void *arg, struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	struct stream	*st = yamux_get(ys);

	(void)arg;
	if (st == NULL)
		yamux_consumed(ys, len, clock_ns());
	else
		st->ops->data(st, p, len);
}

static void
stream_on_fin(void *arg, struct yamux_stream *ys)
{
	struct stream	*st = yamux_get(ys);

	(void)arg;
	if (st != NULL && st->ops->fin != NULL)
		st->ops->fin(st);
}

static void
stream_on_close(void *arg, struct yamux_stream *ys, enum yamux_reason why)
{
	struct stream	*st = yamux_get(ys);

	(void)arg;
	if (st == NULL)
		return;
	st->ops->gone(st, why == YAMUX_CLOSED);
	stream_free(st);
}

static void
stream_on_window(void *arg, struct yamux_stream *ys)
{
	struct stream	*st = yamux_get(ys);

	(void)arg;
	if (st != NULL && !(st->flags & SF_WAITING))
		stream_wait(st);
}

static void
dropped_data(struct stream *st, const uint8_t *p, size_t len)
{
	(void)p;
	stream_consumed(st, len);
}

static void
dropped_gone(struct stream *st, int clean)
{
	(void)st;
	(void)clean;
}

/* Saying something. */

int
stream_send(struct stream *st, const void *p, size_t len)
{
	if (st->tx == NULL && (st->tx = evbuffer_new()) == NULL)
		return (-1);
	if (evbuffer_add(st->tx, p, len) == -1)
		return (-1);
	(void)stream_place(st);
	return (0);
}

/* Place what was said, then FIN if it is due. 1: the stream is gone. */
static int
stream_place(struct stream *st)
{
	uint8_t	*p;
	size_t	 n, left;

	while (st->tx != NULL && (left = evbuffer_get_length(st->tx)) > 0) {
		if ((n = yamux_sendable(st->ys)) == 0)
			return (0);
		if (n > FRAME_MAX)
			n = FRAME_MAX;
		if (n > left)
			n = left;
		if ((p = mux_reserve(tunnel_mux(), n)) == NULL) {
			stream_wait(st);
			return (0);
		}
		evbuffer_remove(st->tx, p, n);
		if (mux_send(tunnel_mux(), st->ys, p, n) == -1)
			return (0);
	}
	if (st->tx != NULL)
		evbuffer_free(st->tx);
	st->tx = NULL;
	if (st->flags & SF_FIN)
		yamux_fin(st->ys);
	if (st->ops == &dropped_ops && (st->flags & SF_FIN)) {
		yamux_set(st->ys, NULL);
		stream_free(st);
		return (1);
	}
	return (0);
}

void
stream_wait(struct stream *st)
{
	if (st->flags & SF_WAITING)
		return;
	st->flags |= SF_WAITING;
	TAILQ_INSERT_TAIL(&waiting, st, wait_entry);
}

static void
streams_room(void)
{
	struct stream	*st;
	unsigned	 n = 0;

	/* Each once: who waits again stands behind the others. */
	TAILQ_FOREACH(st, &waiting, wait_entry)
		n++;
	for (; n > 0 && (st = TAILQ_FIRST(&waiting)) != NULL; n--) {
		TAILQ_REMOVE(&waiting, st, wait_entry);
		st->flags &= ~(unsigned)SF_WAITING;
		if (st->tx != NULL && stream_place(st) == 1)
			continue;
		if (st->tx == NULL && st->ops->room != NULL)
			st->ops->room(st);
	}
}

void
stream_touch(struct stream *st)
{
	if (st->flags & SF_TOUCHED)
		return;
	st->flags |= SF_TOUCHED;
	TAILQ_INSERT_TAIL(&touched, st, touch_entry);
}

void
streams_flush(void)
{
	struct stream	*st;

	while ((st = TAILQ_FIRST(&touched)) != NULL) {
		TAILQ_REMOVE(&touched, st, touch_entry);
		st->flags &= ~(unsigned)SF_TOUCHED;
		if (st->ops->flush != NULL)
			st->ops->flush(st);
	}
}

void
stream_consumed(struct stream *st, size_t n)
{
	if (n > 0)
		yamux_consumed(st->ys, n, clock_ns());
}

/* Ends. */

void
stream_fin(struct stream *st)
{
	if (st->flags & SF_FIN)
		return;
	st->flags |= SF_FIN;
	if (st->tx == NULL)
		yamux_fin(st->ys);
}

void
stream_done(struct stream *st)
{
	stream_become(st, &dropped_ops, NULL);
	stream_consumed(st, yamux_held(st->ys));
	stream_fin(st);
	if (st->tx == NULL) {
		yamux_set(st->ys, NULL);
		stream_free(st);
	}
}

void
stream_reset(struct stream *st)
{
	yamux_reset(st->ys);
	stream_free(st);
}

static void
stream_free(struct stream *st)
{
	if (st->flags & SF_WAITING)
		TAILQ_REMOVE(&waiting, st, wait_entry);
	if (st->flags & SF_TOUCHED)
		TAILQ_REMOVE(&touched, st, touch_entry);
	TAILQ_REMOVE(&all, st, entry);
	if (st->tx != NULL)
		evbuffer_free(st->tx);
	if (st->kind != NULL && watch != NULL)
		watch();
	free(st->service);
	free(st);
}

/* Who looks. */

void
streams_each(void (*fn)(void *, const struct stream *), void *arg)
{
	struct stream	*st;

	TAILQ_FOREACH(st, &all, entry)
		if (st->kind != NULL && st->ops != &dropped_ops)
			fn(arg, st);
}

void
streams_withdraw(const char *why)
{
	struct stream	*st, *next;

	for (st = TAILQ_FIRST(&all); st != NULL; st = next) {
		next = TAILQ_NEXT(st, entry);
		if (st->kind == NULL || st->ops == &dropped_ops)
			continue;
		log_info("stream %u: %s: ended: %s", yamux_id(st->ys),
		    st->service != NULL ? st->service : st->kind, why);
		if (st->ops->withdraw != NULL) {
			st->ops->withdraw(st, why);
			continue;
		}
		st->ops->gone(st, 0);
		stream_reset(st);
	}
}

void
streams_watch(void (*fn)(void))
{
	watch = fn;
}

/* The tunnel ends: nothing is sent any more. */
static void
streams_end_all(void)
{
	struct stream	*st;

	while ((st = TAILQ_FIRST(&all)) != NULL) {
		yamux_set(st->ys, NULL);
		st->ops->gone(st, 0);
		stream_free(st);
	}
}

const struct tunnel_hears	streams_hear = {
	.open = stream_on_open,
	.data = stream_on_data,
	.fin = stream_on_fin,
	.close = stream_on_close,
	.window = stream_on_window,
	.flush = streams_flush,
	.room = streams_room,
	.end_all = streams_end_all,
};
