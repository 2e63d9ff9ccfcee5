/* SPDX-License-Identifier: ISC */
#ifndef TERMD_DRIVE_H
#define TERMD_DRIVE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "ws/ws.h"

/*
 * Runs a real termd and plays everybody around it: the parent on its descriptor
 * 3, the log on 4, authd on the channel it is given, the browser on a TCP
 * connection over loopback, muxd on the far end of its stream. There is one at
 * a time, so the functions name none. Every wait has a limit; running into one
 * ends the test program with "Bail out!".
 */
#define WAIT_MS		10000
#define SESSION		"3f2a0000-1111-4222-8333-444455556666"
#define MESSAGES_MAX	64

extern const char	drive_head[];	/* a good upgrade request */
extern const char	drive_accept[];

struct drive {
	pid_t		 pid;
	int		 parent, log, authd;
	int		 sock;		/* the browser's connection */
	int		 stream;	/* muxd's end */
	struct ws	 ws;		/* the browser's view */
	struct ws_msg	 msg;
	/* whole messages that came for the browser: all their bytes */
	uint8_t		 got[1 << 20];
	size_t		 got_len[MESSAGES_MAX], n, total;
	int		 eof;
	char		 head[4096];	/* the reply to the upgrade */
	uint8_t		 packet[IMSG_MAX];	/* last message from termd */
};
extern struct drive	dr;

/* Start it, `build` has libexec/termd; then it has heard START. */
void	drive_start(const char *build);
/* It has the browser, the stream and `OK`: 101 is read, all is open. */
void	drive_open(const char *build);
/* Its exit status when it ends by itself (128 + signal when killed). */
int	drive_wait(void);
/* Close the browser's connection, then the same. */
int	drive_end(void);

/* Messages: begin, fields, send; `fd` -1 or passed on and closed here. */
void	pk_begin(uint32_t type);
void	pk_u8(uint8_t);
void	pk_u16(uint16_t);
void	pk_u32(uint32_t);
void	pk_u64(uint64_t);
void	pk_blob(const void *, size_t);
void	pk_str(const char *);
void	pk_send(int sock, int fd);
void	drive_channel(void);		/* CHANNEL: a (new) authd */
void	drive_give(const char *head, const void *more, size_t len);
void	drive_stream(uint32_t idle_s);	/* TERM_STREAM */
void	drive_refuse(uint16_t status, const char *message);
void	drive_close(uint16_t code, const char *reason);
void	drive_clock(uint64_t ms);
/* The next message from it: 1, or 0 when the channel has ended. */
int	drive_get(int sock, struct imsg *);
/* The next message is of this type, or bail out. */
void	drive_expect(int sock, uint32_t type, struct imsg *);
/* TERM_END comes: its reason; *text (MESSAGE_SIZE) may be NULL. */
int	drive_term_end(char *text);
/* Has the far end closed this channel? */
int	drive_hung_up(int sock);

/* The browser. */
int	browser_status(void);		/* read the reply: its status */
void	browser_raw(const void *, size_t);
void	browser_frame(int fin, int op, const void *, size_t);
void	browser_send(const void *, size_t);	/* one binary message */
/* Read until `n` messages have come in all; 0 when the connection ended. */
int	browser_wait(size_t n);
/* Message i, and its length. */
const uint8_t	*browser_message(size_t i, size_t *len);
/* Is message i of type 3 with this text? */
int	browser_red(size_t i, const char *text);
/* Read until the server's close: its code, 0 without one. */
int	browser_closed(void);

/* The stream. */
void	stream_put(const void *, size_t);
void	stream_frame(const void *, size_t);	/* with its length in front */
/* Exactly these bytes come next. */
int	stream_got(const void *, size_t);
/* The far end of the stream has been let go of. */
int	stream_ended(void);

uint64_t	now_ms(void);
void		bail(const char *what) __attribute__((noreturn));

#endif
