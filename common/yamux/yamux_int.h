/* SPDX-License-Identifier: ISC */
/*
 * yamux: what its three files share, and nobody else.
 *
 *	yamux.c		frames in and out, pings, go-away, timers
 *	yamux_stream.c	the life of a stream, lookup, resets that wait
 *	yamux_window.c	credit: what the peer may send and when it is told
 */
#ifndef YAMUX_INT_H
#define YAMUX_INT_H

#include <sys/queue.h>

#include "yamux.h"

#define YAMUX_DATA		0
#define YAMUX_UPDATE		1
#define YAMUX_PING		2
#define YAMUX_GOAWAY		3

#define YAMUX_SYN		0x1
#define YAMUX_ACK		0x2
#define YAMUX_FIN		0x4
#define YAMUX_RST		0x8

#define YAMUX_ID_END		0xfffffffeU	/* from here on: exhausted */

/*
 * A Go peer takes the id first and sends SYN later, so concurrent opens may
 * arrive out of order, at most as far apart as its 256 unanswered opens.
 */
#define YAMUX_SEEN		1024		/* ids remembered, power of 2 */

#define YAMUX_RST_MAX		4096		/* refused ids that wait */
#define YAMUX_PONG_BURST	16
#define YAMUX_PONG_WAIT		64
#define YAMUX_PONG_RING		(YAMUX_PONG_BURST + YAMUX_PONG_WAIT + 1)
#define YAMUX_RTT_SLOTS		11		/* minutes: ten whole ones */

/* What a stream has to say in its next control frame ... */
#define ST_SYN		0x0001	/* ours, never named on the wire */
#define ST_ACK		0x0002
#define ST_FIN		0x0004
#define ST_UPDATE	0x0008
#define ST_PENDING	(ST_SYN | ST_ACK | ST_FIN | ST_UPDATE)
/* ... and where it stands. */
#define ST_INBOUND	0x0010
#define ST_UNANSWERED	0x0020	/* inbound: no ACK, FIN or RST from us yet */
#define ST_ACKED	0x0040	/* the SYN has its answer, either way */
#define ST_FIN_CALLED	0x0080	/* yamux_fin() */
#define ST_FIN_SENT	0x0100	/* and it is on the wire */
#define ST_FIN_RECV	0x0200
#define ST_QUEUED	0x0400	/* on y->out */
#define ST_HALF		0x0800	/* on y->half */
#define ST_EPOCH	0x1000	/* epoch_start is set */
#define ST_DEAD		0x2000	/* inside on_close */
#define ST_LONG		0x4000	/* yamux_half(): never on y->half */
#define ST_YIELD	0x8000	/* another stream lacks what it has */

struct yamux_stream {
	/* set once */
	struct yamux		*y;
	uint32_t		 id;
	void			*user;

	/* state */
	uint32_t		 flags;		/* ST_* */
	uint32_t		 send_window;	/* we may send */
	uint32_t		 recv_window;	/* the peer may send */
	uint32_t		 held;		/* delivered, not consumed */
	uint32_t		 window;	/* what recv_window aims at */
	uint32_t		 small;		/* or this, if less; 0: none */
	uint32_t		 extra;		/* leased, over cf.window */
	uint32_t		 epoch_bytes;	/* consumed in this epoch */
	uint64_t		 epoch_start;
	uint64_t		 fin_at;	/* our FIN went out */

	struct yamux_stream	*hnext;
	TAILQ_ENTRY(yamux_stream) all;
	TAILQ_ENTRY(yamux_stream) out;
	TAILQ_ENTRY(yamux_stream) half;
};

TAILQ_HEAD(yamux_list, yamux_stream);

struct yamux {
	/* set once */
	struct yamux_config	 cf;
	struct yamux_callbacks	 cb;
	void			*arg;
	enum yamux_role		 role;
	uint32_t		 hash_mult;

	/* state */
	int			 error;
	bool			 in_input;
	bool			 in_output;
	bool			 goaway_due;	/* to be written */
	bool			 goaway_sent;	/* asked for: we refuse SYNs */
	bool			 goaway_recv;	/* we may not open */
	uint32_t		 goaway_code;
	uint64_t		 now;		/* of the last input */

	/* frame being parsed */
	uint8_t			 hdr[YAMUX_HEADER];
	uint32_t		 hdr_len;
	uint32_t		 body_left;
	bool			 body_fin;
	struct yamux_stream	*cur;		/* NULL: skip */

	/* streams */
	struct yamux_list	 all;
	struct yamux_list	 out;		/* with ST_PENDING */
	struct yamux_list	 half;		/* our FIN sent, by time */
	struct yamux_stream	**buckets;
	uint32_t		 bucket_bits;
	uint32_t		 nstreams;
	uint32_t		 nstreams_in;
	uint32_t		 next_id;
	uint32_t		 max_in;	/* highest id of the peer */
	uint64_t		 seen[YAMUX_SEEN / 64];
	uint32_t		 unacked;	/* our opens still unanswered */
	uint32_t		*abandoned;	/* ids reset unanswered */
	uint32_t		 nabandoned;
	uint32_t		 abandoned_cap;
	uint32_t		*rst;		/* ring of ids */
	uint32_t		 rst_head;
	uint32_t		 rst_n;
	uint32_t		 rst_cap;	/* power of 2 */

	/* credit */
	uint64_t		 credit;	/* sum of recv_window + held */
	uint64_t		 extra;		/* sum of extra */
	uint64_t		 aim;		/* sum of window - cf.window */
	uint32_t		 lack;		/* a window that found no more, */
	uint64_t		 lack_at;	/* when; lack 0: never */

	/* pings: theirs */
	uint32_t		 pong[YAMUX_PONG_RING];
	uint32_t		 pong_head;
	uint32_t		 pong_n;	/* all, of which ... */
	uint32_t		 pong_ready;	/* ... these have their token */
	uint32_t		 pong_tokens;
	uint64_t		 pong_refill;	/* time of the last token */
	/* and ours */
	enum { PING_NONE, PING_QUEUED, PING_SENT } ping;
	uint32_t		 ping_value;
	uint64_t		 ping_queued;
	uint64_t		 ping_sent;
	uint64_t		 ping_next;
	uint64_t		 last_input;
	uint64_t		 rtt_last;
	uint64_t		 rtt_min;
	uint64_t		 rtt_minute;
	uint64_t		 rtt_slot[YAMUX_RTT_SLOTS];

	/* statistics */
	uint64_t		 opened_in;
	uint64_t		 opened_out;
	uint64_t		 refused;
	uint64_t		 bytes_in;
	uint64_t		 bytes_out;
	uint64_t		 pings_in;
};

static inline uint32_t
yamux_get32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3]);
}

static inline void
yamux_put_header(uint8_t *p, unsigned int type, unsigned int flags,
    uint32_t id, uint32_t len)
{
	p[0] = 0;
	p[1] = (uint8_t)type;
	p[2] = (uint8_t)(flags >> 8);
	p[3] = (uint8_t)flags;
	p[4] = (uint8_t)(id >> 24);
	p[5] = (uint8_t)(id >> 16);
	p[6] = (uint8_t)(id >> 8);
	p[7] = (uint8_t)id;
	p[8] = (uint8_t)(len >> 24);
	p[9] = (uint8_t)(len >> 16);
	p[10] = (uint8_t)(len >> 8);
	p[11] = (uint8_t)len;
}

/* yamux.c */
int	 yamux_fail(struct yamux *, int);

/* yamux_stream.c */
int	 yamux_stream_syn(struct yamux *, uint32_t, unsigned int);
void	 yamux_stream_queue(struct yamux_stream *, uint32_t);
unsigned int
	 yamux_stream_first_flags(struct yamux_stream *);
void	 yamux_stream_answered(struct yamux_stream *);
void	 yamux_stream_answer_gone(struct yamux *, uint32_t, unsigned int);
void	 yamux_stream_end(struct yamux_stream *, enum yamux_reason);
bool	 yamux_stream_output(struct yamux_stream *, uint8_t *, uint64_t);
void	 yamux_stream_expire(struct yamux *, uint64_t);
bool	 yamux_rst_output(struct yamux *, uint8_t *);

/* yamux_window.c */
void	 yamux_window_open(struct yamux_stream *);
void	 yamux_window_close(struct yamux_stream *);
void	 yamux_window_arrived(struct yamux_stream *, uint32_t, uint64_t);
uint32_t yamux_window_give(struct yamux_stream *);
void	 yamux_window_check(struct yamux_stream *);
void	 yamux_rtt_add(struct yamux *, uint64_t, uint64_t);
void	 yamux_rtt_age(struct yamux *, uint64_t);

#endif /* YAMUX_INT_H */
