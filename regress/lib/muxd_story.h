/* SPDX-License-Identifier: ISC */
#ifndef MUXD_STORY_H
#define MUXD_STORY_H

#include <stddef.h>
#include <stdint.h>

#include "drive.h"
#include "ws/ws.h"

/*
 * The story of muxd: this program is authd, the client on a TCP connection
 * over loopback, and askers on socketpairs.
 */

struct frame {			/* one yamux frame of the server */
	uint8_t		 type;
	uint16_t	 flags;
	uint32_t	 id, len;
	const uint8_t	*data;	/* type 0: `len` bytes, until the next call */
};

enum { YM_DATA, YM_WINDOW, YM_PING, YM_GOAWAY };
enum { YM_SYN = 1, YM_ACK = 2, YM_FIN = 4, YM_RST = 8 };

struct mux {
	struct drive	 d;
	int		 sock;		/* the client's connection */
	struct ws	 ws;		/* the client's view */
	uint8_t		*in;		/* decoded bytes from the server */
	size_t		 in_len, in_off, in_cap;
	int		 answer_pings;
	int		 pings, pongs;	/* requests and answers seen */
	int		 eof;		/* the server closed the connection */
	uint8_t		*raw;		/* the server's bytes, if recording */
	size_t		 raw_len;
	int		 record;
	char		 head[4096];	/* the reply to the upgrade */
};

/* Nothing is given yet; the log begins anew. */
void	mux_start(struct mux *);
/* Give it a connection that has sent `head` and `more` behind it. */
void	mux_give(struct mux *, const char *head, const void *more,
	    size_t more_len);
/* The usual head, given, logged in, answered with 101, UP. */
void	mux_up(struct mux *);
extern const char	drive_head[];
/* Read the reply to the upgrade into d->head; the status. */
int	mux_reply(struct mux *);
/* End the connection; its exit status (128 + signal when killed). */
int	mux_end(struct mux *);
/* Wait for the process to end by itself. */
int	mux_wait(struct mux *);
/*
 * drive_clock() for a client that is alive: in steps, with pings answered.
 * Frames that come meanwhile are skipped.
 */
void	mux_pass(struct mux *, uint64_t ms);

/* The client's side. */
void	client_raw(struct mux *, const void *, size_t);
/* As one message. */
void	client_send(struct mux *, const void *, size_t);
void	client_frame(struct mux *, int type, int flags, uint32_t id,
	    uint32_t len, const void *data, size_t data_len);
/* A whole control stream: SYN, text, FIN. */
void	client_control(struct mux *, uint32_t id, const char *header,
	    const void *body, size_t len);
/* The next frame, pings answered; 0 at the end or when `ms` have passed. */
int	client_next(struct mux *, struct frame *, int ms);
/* The next frame for this stream and with one of these flags or (0) data. */
int	client_expect(struct mux *, uint32_t id, int flags, struct frame *);
/* Read until the connection ends: the code of the server's close, or 0. */
int	client_closed(struct mux *);

/* STREAM_OPEN: the asker's end, blocking, with a time-out. */
int	asker_open(struct mux *, uint64_t stream, const char *service);
/* The same, with the bytes written before muxd hears of it. */
int	asker_open_with(struct mux *, uint64_t stream, const char *service,
	    const char *request);
/* Exactly `len` bytes, or as many as came before the end. */
size_t	asker_read(int fd, void *buf, size_t len);

/* KiB: private, page tables and stack as the plan counts it. */
long	mux_cost(const struct mux *);

#endif
