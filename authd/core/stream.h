/* SPDX-License-Identifier: ISC */
#ifndef STREAM_H
#define STREAM_H

#include <sys/queue.h>

#include "rowlog.h"
#include "base/clock.h"
#include "imsg/imsg.h"
#include "base/index.h"
#include "authd/msg/peer.h"

struct grant;

/*
 * A stream is a socketpair that authd made: one end to the tunnel's muxd, one
 * to who asked. Its row in the access log is in the store before either end
 * leaves. messages.md, sections 1 and 2.
 */

enum stream_state {
	STREAM_NEW,		/* in no list yet */
	STREAM_QUEUED,		/* waits for room in the tunnel, or for it to
				   tell what it has after a restart */
	STREAM_ROW,		/* waits for its audit row */
	STREAM_OPENED,
	STREAM_KILLED		/* muxd was told; its last word is to come */
};

struct stream {
	struct link		 link;		/* by id */
	TAILQ_ENTRY(stream)	 of_tunnel;
	uint64_t		 id;
	struct peer		*tunnel;
	struct grant		*grant;		/* NULL: a terminal, or older */
	uint64_t		 terminal;	/* instance of its termd, 0: none */
	struct rowlog		*row;		/* NULL while queued */
	char			 service[SERVICE_SIZE];
	struct operator		 who;
	char			 addr[ADDR_SIZE];
	/* state */
	enum stream_state	 state;
	struct asker		 asker;		/* until it is answered */
	struct timer		 timer;		/* waiting, or its own end */
	uint64_t		 counted_in, counted_out;	/* in the row */
};

int	stream_init(void);

/* Handlers: proxyd asks; muxd reports an end. */
int	stream_on_open(struct chan *, struct imsg *);
int	stream_on_end(struct chan *, struct imsg *);
/* muxd and termd on a new channel. */
int	stream_on_announce(struct chan *, struct imsg *);
int	stream_on_announce_stream(struct chan *, struct imsg *);
int	stream_on_announce_end(struct chan *, struct imsg *);
int	stream_on_term_end(struct chan *, struct imsg *);

/*
 * Open `terminal` for a termd: it hears TERM_STREAM or TERM_REFUSE. The
 * session must have a tunnel.
 */
void	stream_open_terminal(struct peer *termd, struct session *,
	    const struct operator *, const char *addr);

/* Tell muxd to reset them. */
void	stream_kill_all(struct peer *tunnel, enum end_reason);
void	stream_kill_grant(struct grant *, enum end_reason);
/* The grant is dropped, the streams go on. */
void	stream_forget_grant(struct grant *);
/* The tunnel has gone, and with it all its streams. */
void	stream_tunnel_gone(struct peer *tunnel);
/* Scopes may have changed: kill what no grant answers for, if not covered. */
void	stream_recheck(void);
/* There may be room in the tunnel again, or it has told. */
void	stream_next(struct peer *tunnel);
unsigned stream_count(void);

#endif
