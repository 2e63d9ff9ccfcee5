/* SPDX-License-Identifier: ISC */
/*
 * One yamux end under test: what it called back is written down as text, what
 * it sends is kept as bytes.  Header only, for the yamux tests here.
 */
#ifndef YAMUX_UTIL_H
#define YAMUX_UTIL_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yamux/yamux_int.h"
#include "regress/lib/tap.h"

#define MSEC	(YAMUX_NSEC / 1000)
#define KIB	1024
#define MIB	(1024 * 1024)

struct end {
	struct yamux	*y;
	uint64_t	 now;
	char		 log[65536];
	size_t		 log_len;
	uint8_t		 out[65536];
	size_t		 out_len;
	/* what the callbacks do */
	bool		 accept;		/* in on_open */
	bool		 consume;		/* in on_data */
	uint32_t	 reset_in;		/* 'o'pen, 'd'ata, 'f'in ... */
	bool		 reset_others;		/* and all other streams too */
	/* the lease */
	size_t		 lease_max;
	size_t		 leased;
};

__attribute__((format(printf, 2, 3))) static inline void
end_note(struct end *e, const char *fmt, ...)
{
	size_t room = sizeof(e->log) - e->log_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(e->log + e->log_len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		e->log_len += (size_t)n < room ? (size_t)n : room - 1;
}

static inline void
end_maybe_reset(struct end *e, struct yamux_stream *st, uint32_t where)
{
	struct yamux_stream *o, *next;

	if (e->reset_in != where)
		return;
	if (e->reset_others) {
		for (o = yamux_first(e->y); o != NULL; o = next) {
			next = yamux_next(o);
			if (o != st)
				yamux_reset(o);
		}
	}
	yamux_reset(st);
}

static inline void
end_on_open(void *arg, struct yamux_stream *st)
{
	struct end *e = arg;

	end_note(e, "open %u;", yamux_id(st));
	if (e->accept)
		yamux_accept(st);
	end_maybe_reset(e, st, 'o');
}

static inline void
end_on_data(void *arg, struct yamux_stream *st, const uint8_t *p, size_t len)
{
	struct end *e = arg;

	if (len <= 32)
		end_note(e, "data %u %.*s;", yamux_id(st), (int)len,
		    (const char *)p);
	else
		end_note(e, "data %u +%zu;", yamux_id(st), len);
	if (e->consume)
		yamux_consumed(st, len, e->now);
	end_maybe_reset(e, st, 'd');
}

static inline void
end_on_fin(void *arg, struct yamux_stream *st)
{
	struct end *e = arg;

	end_note(e, "fin %u;", yamux_id(st));
	end_maybe_reset(e, st, 'f');
}

static inline void
end_on_close(void *arg, struct yamux_stream *st, enum yamux_reason why)
{
	static const char *name[] = { "closed", "reset", "timeout", "gone" };
	struct end *e = arg;

	end_note(e, "close %u %s;", yamux_id(st), name[why]);
	/* All of these must do nothing on a stream that is ending. */
	yamux_fin(st);
	yamux_accept(st);
	yamux_consumed(st, 1, e->now);
	end_maybe_reset(e, st, 'c');
	yamux_reset(st);
}

static inline void
end_on_window(void *arg, struct yamux_stream *st)
{
	struct end *e = arg;

	end_note(e, "window %u %zu;", yamux_id(st), yamux_sendable(st));
	end_maybe_reset(e, st, 'w');
}

static inline void
end_on_ack(void *arg, struct yamux_stream *st)
{
	struct end *e = arg;

	end_note(e, "ack %u;", yamux_id(st));
	end_maybe_reset(e, st, 'a');
}

static inline void
end_on_goaway(void *arg)
{
	end_note(arg, "goaway;");
}

static inline void
end_on_pong(void *arg, uint64_t rtt)
{
	end_note(arg, "pong %llu;", (unsigned long long)(rtt / MSEC));
}

static inline size_t
end_grow(void *arg, size_t want)
{
	struct end *e = arg;
	size_t n = e->lease_max - e->leased;

	if (n > want)
		n = want;
	e->leased += n;
	return (n);
}

static inline void
end_release(void *arg, size_t n)
{
	struct end *e = arg;

	if (n > e->leased)
		bail_out("released more than was leased");
	e->leased -= n;
}

static const struct yamux_callbacks end_callbacks = {
	end_on_open, end_on_data, end_on_fin, end_on_close, end_on_window,
	end_on_ack, end_on_goaway, end_on_pong, end_grow, end_release
};

static inline struct end *
end_new(enum yamux_role role, const struct yamux_config *cf)
{
	struct end *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		bail_out("no memory");
	e->now = 1000 * YAMUX_NSEC;
	e->accept = true;
	e->lease_max = SIZE_MAX;
	if ((e->y = yamux_new(role, cf, &end_callbacks, e)) == NULL)
		bail_out("yamux_new");
	return (e);
}

static inline void
end_free(struct end *e)
{
	yamux_free(e->y);
	if (e->leased != 0)
		bail_out("a lease was not returned");
	free(e);
}

/* One frame from the peer; the body of a data frame follows it. */
static inline int
end_frame(struct end *e, unsigned int type, unsigned int flags, uint32_t id,
    uint32_t len, const void *payload)
{
	uint8_t *buf;
	size_t n = YAMUX_HEADER + (type == YAMUX_DATA ? len : 0);
	int r;

	if ((buf = calloc(1, n)) == NULL)
		bail_out("no memory");
	yamux_put_header(buf, type, flags, id, len);
	if (n > YAMUX_HEADER && payload != NULL)
		memcpy(buf + YAMUX_HEADER, payload, len);
	r = yamux_input(e->y, buf, n, e->now);
	free(buf);
	return (r);
}

/* Everything that waits, replacing what was read before; returns its length. */
static inline size_t
end_flush(struct end *e)
{
	e->out_len = yamux_output(e->y, e->out, sizeof(e->out), e->now);
	return (e->out_len);
}

/* The same as text: hex without blanks, frames parted by a blank. */
static inline const char *
end_out(struct end *e)
{
	static char text[3 * 65536];
	size_t i, n = 0;

	end_flush(e);
	for (i = 0; i < e->out_len; i++) {
		if (i > 0 && i % YAMUX_HEADER == 0)
			text[n++] = ' ';
		n += (size_t)snprintf(text + n, 3, "%02x", e->out[i]);
	}
	text[n] = '\0';
	return (text);
}

/* What was called back since the last call. */
static inline const char *
end_log(struct end *e)
{
	static char text[65536];

	memcpy(text, e->log, e->log_len);
	text[e->log_len] = '\0';
	e->log_len = 0;
	return (text);
}

static inline struct yamux_stats
end_stats(struct end *e)
{
	struct yamux_stats s;

	yamux_get_stats(e->y, &s);
	return (s);
}

#endif
