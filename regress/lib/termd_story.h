/* SPDX-License-Identifier: ISC */
#ifndef TERMD_STORY_H
#define TERMD_STORY_H

#include <stddef.h>
#include <stdint.h>

#include "drive.h"
#include "proc/roles.h"
#include "ws/ws.h"

/*
 * The story of termd, and of tcpd, which begins and ends in the same way (then
 * term_role is that): this program is authd, the browser on a TCP connection
 * over loopback, and muxd on the far end of its stream. There is one at a
 * time, so the functions name none.
 */
#define SESSION		"3f2a0000-1111-4222-8333-444455556666"
#define MESSAGES_MAX	64

extern const char	drive_head[];	/* a good upgrade request */
extern const char	drive_accept[];

struct term {
	struct drive	 d;
	int		 sock;		/* the browser's connection */
	int		 stream;	/* muxd's end */
	struct ws	 ws;		/* the browser's view */
	struct ws_msg	 msg;
	/* messages (tcpd: bytes of one read) that came for the browser */
	uint8_t		 got[1 << 20];
	size_t		 got_len[MESSAGES_MAX], n, total;
	int		 eof;
	char		 head[4096];	/* the reply to the upgrade */
};
extern struct term	dr;
extern enum role	term_role;
extern int		browser_buffer;	/* of its connection: bytes */

void	term_start(void);
/* It has the browser, the stream and `OK`: 101 is read, all is open. */
void	term_open(void);
/* Its exit status when it ends by itself. */
int	term_wait(void);
/* Close the browser's connection, then the same. */
int	term_end(void);

void	term_give(const char *head, const void *more, size_t len);
void	term_stream(uint32_t idle_s);
void	term_refuse(uint16_t status, const char *message);
void	term_close(uint16_t code, const char *reason);
/* TERM_END comes: its reason; *text (MESSAGE_SIZE) may be NULL. */
int	term_heard_end(char *text);

/* The browser. */
int	browser_status(void);		/* read the reply: its status */
void	browser_raw(const void *, size_t);
void	browser_frame(int fin, int op, const void *, size_t);
void	browser_send(const void *, size_t);	/* one binary message */
/* Answer the last ping that was read. */
void	browser_pong(void);
/* Read once, at most `n` bytes, if there are any in 50 ms. */
void	browser_sip(size_t n);
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

#endif
