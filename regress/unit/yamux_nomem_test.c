/* SPDX-License-Identifier: ISC */
/*
 * yamux without memory: one story, told again and again while the first, the
 * second, the third ... allocation fails.  Each time it must end well or with
 * an error, lose no lease, and leave nothing behind (the leak checker looks).
 * The library is included, so that its allocations can be counted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int	 fail_at, allocations;

static bool
no_memory(void)
{
	return (++allocations == fail_at);
}

static void *
flaky_calloc(size_t n, size_t size)
{
	return (no_memory() ? NULL : calloc(n, size));
}

static void *
flaky_reallocarray(void *p, size_t n, size_t size)
{
	return (no_memory() ? NULL : reallocarray(p, n, size));
}

#define calloc		flaky_calloc
#define reallocarray	flaky_reallocarray
/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "yamux/yamux.c"
#include "yamux/yamux_stream.c"
#include "yamux/yamux_window.c"
/* NOLINTEND(bugprone-suspicious-include) */
#undef calloc
#undef reallocarray

#include "regress/lib/tap.h"

static uint32_t	 opened, closed, reset;
static bool	 resetting;

static void
on_open(void *arg, struct yamux_stream *st)
{
	(void)arg;
	opened++;
	yamux_accept(st);
}

static void
on_data(void *arg, struct yamux_stream *st, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	yamux_consumed(st, len, YAMUX_NSEC);
	if (resetting) {
		reset++;
		yamux_reset(st);
	}
}

static void
on_fin(void *arg, struct yamux_stream *st)
{
	(void)arg;
	yamux_fin(st);
}

static void
on_close(void *arg, struct yamux_stream *st, enum yamux_reason why)
{
	(void)arg;
	(void)st;
	(void)why;
	closed++;
}

static const struct yamux_callbacks callbacks = {
	.on_open = on_open, .on_data = on_data, .on_fin = on_fin,
	.on_close = on_close
};

static int
feed(struct yamux *y, unsigned int type, unsigned int flags, uint32_t id)
{
	uint8_t buf[YAMUX_HEADER + 1] = { 0 };
	uint32_t n = type == YAMUX_DATA;

	yamux_put_header(buf, type, flags, id, n);
	return (yamux_input(y, buf, YAMUX_HEADER + n, YAMUX_NSEC));
}

/* 100 streams from each side, some reset, some refused, all ended. */
static int
story(void)
{
	static uint8_t out[8192];
	struct yamux_config cf;
	struct yamux_stream *st;
	struct yamux *y;
	uint32_t i, ours = 0;
	int r = 0;

	opened = closed = reset = 0;
	resetting = false;
	yamux_config_default(&cf);
	cf.inbound_max = 90;
	if ((y = yamux_new(YAMUX_SERVER, &cf, &callbacks, NULL)) == NULL)
		return (YAMUX_E_NOMEM);
	for (i = 0; i < 100 && r == 0; i++) {
		r = feed(y, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1);
		if (r == 0 && yamux_open(y, NULL, &st) == 0)
			ours++;
	}
	yamux_output(y, out, sizeof(out), YAMUX_NSEC);
	for (i = 0; i < 100 && r == 0; i++) {
		resetting = i % 2 == 0;
		r = feed(y, YAMUX_DATA, 0, 2 * i + 1);
		if (r == 0 && (st = yamux_find(y, 2 * i + 2)) != NULL &&
		    i % 2 != 0) {
			yamux_reset(st);
			reset++;
		}
	}
	yamux_output(y, out, sizeof(out), YAMUX_NSEC);
	for (i = 0; i < 100 && r == 0; i++)
		if ((r = feed(y, YAMUX_UPDATE, YAMUX_FIN, 2 * i + 1)) == 0)
			r = feed(y, YAMUX_UPDATE, YAMUX_FIN, 2 * i + 2);
	yamux_output(y, out, sizeof(out), YAMUX_NSEC);
	if (r == 0 && y->nstreams != 0)
		r = 1;
	yamux_free(y);
	if (closed + reset != opened + ours)
		r = 2;
	return (r);
}

int
main(void)
{
	int n, total, ended = 0, lived = 0, wrong = 0;

	fail_at = 0;
	allocations = 0;
	is_int(story(), 0, "the story, with memory");
	is_int(opened, 90, "streams of the peer");
	total = allocations;
	for (n = 1; n <= total; n++) {
		fail_at = n;
		allocations = 0;
		switch (story()) {
		case 0:
			lived++;
			break;
		case YAMUX_E_NOMEM:
			ended++;
			break;
		default:
			wrong++;
			break;
		}
	}
	diag("%d allocations; without one: %d ended, %d lived on", total, ended,
	    lived);
	is_int(wrong, 0, "each failing allocation ends well, or with NOMEM");
	ok(lived > 180, "a stream that cannot be is refused, the others live");
	return (done_testing());
}
