/* SPDX-License-Identifier: ISC */
#ifndef MUXD_DRIVE_H
#define MUXD_DRIVE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "ws/ws.h"

/*
 * Runs a real muxd and plays everybody around it: the parent on its descriptor
 * 3, the log on 4, authd on the channel it is given, the client on a TCP
 * connection over loopback, askers on socketpairs. Every wait has a limit;
 * running into one ends the test program with "Bail out!".
 */
#define WAIT_MS		10000

struct frame {			/* one yamux frame of the server */
	uint8_t		 type;
	uint16_t	 flags;
	uint32_t	 id, len;
	const uint8_t	*data;	/* type 0: `len` bytes, until the next call */
};

enum { YM_DATA, YM_WINDOW, YM_PING, YM_GOAWAY };
enum { YM_SYN = 1, YM_ACK = 2, YM_FIN = 4, YM_RST = 8 };

struct drive {
	pid_t		 pid;
	int		 parent, log, authd, sock;
	struct ws	 ws;		/* the client's view */
	uint8_t		*in;		/* decoded bytes from the server */
	size_t		 in_len, in_off, in_cap;
	int		 answer_pings;
	int		 pings, pongs;	/* requests and answers seen */
	int		 eof;		/* the server closed the connection */
	uint8_t		*raw;		/* the server's bytes, if recording */
	size_t		 raw_len;
	int		 record;
	uint8_t		 packet[IMSG_MAX];	/* last message received */
	uint8_t		 build[IMSG_MAX];
	size_t		 build_len;
	char		 log_text[65536];	/* what it has logged */
	char		 head[4096];	/* the reply to the upgrade */
};

/* Start it; `dir` has libexec/muxd. Nothing is given yet. */
void	drive_start(struct drive *, const char *dir);
/* Give it a connection that has sent `head` and `more` behind it. */
void	drive_give(struct drive *, const char *head, const void *more,
	    size_t more_len);
/* The usual head, given, logged in, answered with 101, UP. */
void	drive_up(struct drive *, const char *dir);
extern const char	drive_head[];
/* Read the reply to the upgrade into d->head; the status. */
int	drive_reply(struct drive *);
/* End the connection; its exit status (128 + signal when killed). */
int	drive_end(struct drive *);
/* Wait for the process to end by itself. */
int	drive_wait(struct drive *);
/* Read what it has logged so far; 1 if `text` is in it, within WAIT_MS. */
int	drive_logged(struct drive *, const char *text);

/* Messages. `fd` of pk_send is -1 or passed on; `sock` is parent or authd. */
void	pk_begin(struct drive *, uint32_t type, uint32_t id);
void	pk_u8(struct drive *, uint8_t);
void	pk_u16(struct drive *, uint16_t);
void	pk_u32(struct drive *, uint32_t);
void	pk_u64(struct drive *, uint64_t);
void	pk_str(struct drive *, const char *);
void	pk_blob(struct drive *, const void *, size_t);
void	pk_send(struct drive *, int sock, int fd);
/* The next message of this type from muxd, others are skipped. */
void	drive_expect(struct drive *, int sock, uint32_t type, struct imsg *);
/* 1 if one comes within `ms`. */
int	drive_maybe(struct drive *, int sock, uint32_t type, struct imsg *,
	    int ms);
/* A fresh channel, as after a restart of authd; the old one is closed. */
void	drive_new_authd(struct drive *);
void	drive_clock(struct drive *, uint64_t ms);
/*
 * The same for a client that is alive: in steps, with pings answered. Frames
 * that come meanwhile are skipped.
 */
void	drive_pass(struct drive *, uint64_t ms);

/* The client's side. */
void	client_raw(struct drive *, const void *, size_t);
/* As one message. */
void	client_send(struct drive *, const void *, size_t);
void	client_frame(struct drive *, int type, int flags, uint32_t id,
	    uint32_t len, const void *data, size_t data_len);
/* A whole control stream: SYN, text, FIN. */
void	client_control(struct drive *, uint32_t id, const char *header,
	    const void *body, size_t len);
/* The next frame, pings answered; 0 at the end or when `ms` have passed. */
int	client_next(struct drive *, struct frame *, int ms);
/* The next frame for this stream and with one of these flags or (0) data. */
int	client_expect(struct drive *, uint32_t id, int flags, struct frame *);
/* Read until the connection ends: the code of the server's close, or 0. */
int	client_closed(struct drive *);

/* STREAM_OPEN: the asker's end, blocking, with a time-out. */
int	asker_open(struct drive *, uint64_t stream, const char *service);
/* The same, with the bytes written before muxd hears of it. */
int	asker_open_with(struct drive *, uint64_t stream, const char *service,
	    const char *request);
/* Exactly `len` bytes, or as many as came before the end. */
size_t	asker_read(int fd, void *buf, size_t len);

uint64_t	now_ms(void);
/* VmRSS in KiB, and private + page tables + stack as the plan counts it. */
long	process_rss(pid_t);
long	process_cost(pid_t);

#endif
