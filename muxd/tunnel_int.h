/* SPDX-License-Identifier: ISC */
#ifndef TUNNEL_INT_H
#define TUNNEL_INT_H

#include <event2/event_struct.h>

#include <stdint.h>

#include "base/clock.h"
#include "out.h"
#include "ws/ws.h"

/*
 * Between send.c (the socket's output, used by the streams) and tunnel.c
 * (everything else, which uses the streams); nobody else includes this.
 */
enum tunnel_state { TN_NONE, TN_UP, TN_CLOSING, TN_LINGER };

struct tunnel {
	int			 fd;
	enum tunnel_state	 state;
	struct event		 ev_read, ev_write;
	int			 writing;	/* ev_write is set */
	struct ws		 ws;
	struct yamux		*y;
	struct out		 out;
	uint8_t			*in;		/* IN_BIG bytes, or NULL */
	int			 in_used;	/* lately */
	uint64_t		 tick_ns;	/* what `tick` is set for */
	int			 large_reads;
	int			 paced;		/* SO_RCVLOWAT is raised */
	struct timer		 pace;
	struct timer		 tick, idle, late, probe;
	uint32_t		 probe_id;
	uint64_t		 rtt;
};

extern struct tunnel	tunnel;

#endif
