/* SPDX-License-Identifier: ISC */
/*
 * From the client to the asker. The first line is the client's reply and is
 * looked at; the rest passes as it is.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "muxd.h"
#include "bridge_int.h"

#define REPLY_MAX	1024	/* bytes before the newline */

static int	bridge_reply(struct bridge *, const uint8_t **, size_t *);
static int	bridge_reply_check(struct bridge *, const char *, size_t);

/* The reply line. */

/*
 * Look for the end of the reply line in what came. 1: it was there and is
 * good, *p and *len are to be passed on; 0: wait for more, or the stream is
 * gone.
 */
static int
bridge_reply(struct bridge *st, const uint8_t **p, size_t *len)
{
	const uint8_t	*nl;
	size_t		 n, room = REPLY_MAX + 1 - st->line_len;

	nl = memchr(*p, '\n', *len < room ? *len : room);
	n = nl == NULL ? *len : (size_t)(nl - *p) + 1;
	if (nl == NULL && n >= room) {
		bridge_fail(st, "reply of the client is too long", END_LIMIT);
		return (0);
	}
	if (nl != NULL && st->line_len == 0)	/* whole, the usual case */
		return (bridge_reply_check(st, (const char *)*p, n));
	if (st->line == NULL && (st->line = malloc(REPLY_MAX + 1)) == NULL) {
		bridge_fail(st, "out of memory", END_LIMIT);
		return (0);
	}
	memcpy(st->line + st->line_len, *p, n);
	st->line_len += n;
	if (nl == NULL || bridge_reply_check(st, st->line, st->line_len) == 0)
		return (0);
	*p += n;
	*len -= n;
	return (mux_bridge_deliver(&st->m, (uint8_t *)st->line,
	    st->line_len) == 0);
}

/* `line` has `len` bytes, the last is the newline. 1: OK; 0: the end. */
static int
bridge_reply_check(struct bridge *st, const char *line, size_t len)
{
	char	text[256];

	timer_del(&st->deadline);
	if (len == 3 && memcmp(line, "OK", 2) == 0) {
		st->flags |= SF_REPLIED;
		return (1);
	}
	if (len <= 6 || memcmp(line, "ERROR ", 6) != 0) {
		bridge_fail(st, "bad reply from the client", END_REFUSED);
		return (0);
	}
	log_info("stream %llu: %s: client says: %s",
	    (unsigned long long)st->id, st->service,
	    log_escape(text, sizeof(text), line + 6, len - 7));
	(void)send(st->m.fd, line, len, MSG_NOSIGNAL);
	/* Nothing more is expected, so a FIN takes nothing away. */
	yamux_consumed(st->m.ys, yamux_held(st->m.ys), clock_ns());
	yamux_set(st->m.ys, NULL);
	yamux_fin(st->m.ys);
	bridge_end(st, END_REFUSED);
	return (0);
}

/* Client to asker. */

void
bridge_on_data(struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	struct bridge	*st = yamux_get(ys);

	if (st == NULL) {	/* nobody wants it any more */
		yamux_consumed(ys, len, clock_ns());
		return;
	}
	st->in += len;
	if (!(st->flags & SF_REPLIED) && bridge_reply(st, &p, &len) == 0)
		return;
	if (len > 0)
		(void)mux_bridge_deliver(&st->m, p, len);
}

void
bridge_on_fin(struct yamux_stream *ys)
{
	struct bridge	*st = yamux_get(ys);

	if (st == NULL)
		return;
	st->flags |= SF_FIN;
	if (!(st->flags & SF_REPLIED))
		bridge_fail(st, "client closed before its reply", END_RESET);
	else
		bridge_touch(&st->m);	/* behind the data of this read */
}

void
bridge_touch(struct mux_bridge *m)
{
	struct bridge	*st = bridge_of(m);

	if (st->flags & SF_TOUCHED)
		return;
	st->flags |= SF_TOUCHED;
	TAILQ_INSERT_TAIL(&bridges.touched, st, touch_entry);
}

void
bridge_flush(void)
{
	struct bridge	*st;

	while ((st = TAILQ_FIRST(&bridges.touched)) != NULL) {
		TAILQ_REMOVE(&bridges.touched, st, touch_entry);
		st->flags &= ~(unsigned)SF_TOUCHED;
		mux_bridge_flush(&st->m);
	}
}

/* After a write: pass on the end that stood behind it. */
void
bridge_wrote(struct mux_bridge *m)
{
	struct bridge	*st = bridge_of(m);

	if (m->kept > 0 || (st->flags & (SF_FIN | SF_SHUT)) != SF_FIN)
		return;
	st->flags |= SF_SHUT;
	(void)shutdown(m->fd, SHUT_WR);
	if (m->flags & MB_EOF)
		bridge_asker_gone(st);	/* both directions are through */
}
