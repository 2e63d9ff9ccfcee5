/* SPDX-License-Identifier: ISC */
/*
 * The tunnel's state and what is sent on it, for those who have something to
 * say. Knows nothing of streams: tunnel.c, which does, is above them.
 */
#include <event2/event.h>

#include <string.h>

#include "base/clock.h"
#include "muxd.h"
#include "out.h"
#include "tunnel_int.h"
#include "ws/ws.h"
#include "yamux/yamux.h"

#define IDLE_MS		2000		/* buffers are given back after it */

struct tunnel	tunnel = { .fd = -1 };

int
tunnel_is_up(void)
{
	return (tunnel.state == TN_UP);
}

struct yamux *
tunnel_yamux(void)
{
	return (tunnel.y);
}

struct out *
tunnel_out(void)
{
	return (&tunnel.out);
}

int
tunnel_frame(struct yamux_stream *ys, uint8_t *p, size_t len)
{
	uint8_t	head[WS_HEADER_MAX];
	size_t	n;

	n = ws_header(head, WS_OP_BINARY, YAMUX_HEADER + len, NULL);
	if (n < FRAME_ROOM - YAMUX_HEADER)
		memmove(p + n + YAMUX_HEADER, p + FRAME_ROOM, len);
	if (yamux_data_header(ys, p + n, len) != 0)
		return (-1);
	memcpy(p, head, n);
	out_commit(&tunnel.out, n + YAMUX_HEADER + len);
	return (0);
}

void
tunnel_write(void)
{
	int	r;

	if (tunnel.fd == -1 || tunnel.state == TN_LINGER)
		return;
	if ((r = out_write(&tunnel.out, tunnel.fd)) == -1) {
		/* Reading tells the end, and what came before it. */
		tunnel.out.head = tunnel.out.tail = 0;
		return;
	}
	if (r == 1 && !tunnel.writing && event_add(&tunnel.ev_write, NULL) == 0)
		tunnel.writing = 1;
	if (r == 0 && tunnel.writing) {
		event_del(&tunnel.ev_write);
		tunnel.writing = 0;
	}
}

void
tunnel_used(void)
{
	if (!timer_is_set(&tunnel.idle))
		timer_set(&tunnel.idle, IDLE_MS);
}
