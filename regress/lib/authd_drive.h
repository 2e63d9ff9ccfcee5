/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_DRIVE_H
#define AUTHD_DRIVE_H

#include <stddef.h>
#include <stdint.h>

#include "proc/conf.h"
#include "ctl/ctl.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"

/*
 * Plays the parent and the other processes against the real authd program:
 * each test program that links this starts it over socketpairs, as relayd
 * would, and talks to it packet by packet. Everything gives up (Bail out!)
 * after five seconds without an answer.
 */

/* One channel's far end. */
struct far {
	int		fd;
	uint64_t	instance;
	uint32_t	last_id;	/* of a request that we made */
	uint8_t		buf[IMSG_MAX];	/* of the message last received */
};

extern struct far	parent;
extern struct conf	drive_conf;	/* edit before drive_start() */

/* Defaults, a directory for the store, a key. Once, first. */
void	drive_init(void);
/*
 * Start authd: CONF, KEYFILE, START, READY, and SPAWNED_ALL if `all`. The same
 * store as the last one had.
 */
void	drive_start(int all);
void	drive_spawned_all(void);
/* Kill it, as a crash would, or stop it in order; waits for its end. */
void	drive_kill(void);
int	drive_stop(void);	/* exit status */
/* Stop it where it is (1), so that what is sent meanwhile meets one turn. */
void	drive_freeze(int);
/* Move its clocks. */
void	drive_clock(uint64_t ms);
/* Does its log hold this text so far? Reads what is there. */
int	drive_logged(const char *text);
/*
 * Run SQL on the store beside authd: the first column of the first row, or 0.
 * sql_becomes asks again until it is `want`, for five seconds.
 */
long long drive_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
long long sql_becomes(long long want, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* A new process as SPAWNED announces it. Free with far_close(). */
struct far	*drive_spawn(int role, uint64_t nonce);
struct far	*drive_spawn_kept(int role, uint64_t instance, uint64_t nonce);
struct far	*drive_spawn_bound(int role, uint64_t instance,
		    const char *system, const char *session, uint64_t gen);
void	far_close(struct far *);

/* Build one message: put_begin, fields, put_send (fd -1: none; is closed). */
void	put_begin(uint32_t type, uint32_t id);
void	put_u8(uint8_t);
void	put_u16(uint16_t);
void	put_u32(uint32_t);
void	put_u64(uint64_t);
void	put_str(const char *);
void	put_blob(const void *, size_t);
void	put_send(struct far *, int fd);
uint32_t next_id(struct far *);

/*
 * The next message, or the next of `type`, dropping others (their descriptors
 * are closed). get_any: the type, 0 when none came within `ms`, -1 at the end
 * of the channel.
 */
int	get_any(struct far *, struct imsg *, int ms);
void	get_type(struct far *, uint32_t type, struct imsg *);
/* Messages that get_type() and the stories dropped, by type. */
extern unsigned	dropped[IMSG_COUNT];
/* The channel ends; what comes before is dropped. */
int	get_end(struct far *);
/* Does nothing of this type come before the answer to a later question? */
int	get_none(struct far *, uint32_t type);

/* Stories that many tests need. */

/* ADMIT of a tunnel: the nonce, or 0 and *status. */
uint64_t admit(struct far *proxyd, const char *addr, int *status);

struct tunnel {
	struct far	*mux;
	char		 key[SYSKEY_SIZE], secret[SECRET_SIZE];
	char		 session[UUID_SIZE], token[HEX64_SIZE];
	char		 system[ID_SIZE];
	uint64_t	 generation;
	int		 status;
	uint32_t	 retry;
	char		 message[MESSAGE_SIZE];
};

/* CTL: rows are kept; the code of CTL_DONE. */
struct rows {
	unsigned	n;
	struct { unsigned n; char *cell[CTL_CELLS_MAX]; } row[600];
	char		text[MESSAGE_SIZE];
};
#define CTL_END	((const char *)NULL)
int	ctl(struct far *control, struct rows *, int op, ...)
	    __attribute__((sentinel));
const char	*cell(const struct rows *, unsigned row, const char *column);
void	rows_free(struct rows *);

/*
 * All that authd was told before is done and in the store: a second answer
 * comes from a later turn of its loop than the first.
 */
void	drive_sync(struct far *control);

/* A system with a fresh key and secret. */
void	system_add(struct far *control, struct tunnel *, const char *org);
/* Spawn a muxd and log in; fills the rest. */
void	login(struct far *proxyd, struct tunnel *, const char *node,
	    const char *token, const char *addr);
/* The same without waiting for the answer, and the waiting. */
void	login_send(struct far *proxyd, struct tunnel *, const char *node,
	    const char *token, const char *addr);
void	login_say(struct tunnel *, uint64_t nonce, const char *node,
	    const char *token, const char *addr);
void	login_wait(struct tunnel *);
/* UP and a manifest of `n` services s0, s1, ... with target ports 8000 + i. */
void	up(struct tunnel *, unsigned n);

struct granted {
	int		status;
	char		message[MESSAGE_SIZE];
	uint64_t	grant, expires;
	char		session[UUID_SIZE], operator[ID_SIZE];
	uint32_t	idle_max;
	unsigned	services;	/* in the table that came before */
};
void	grant(struct far *proxyd, const char *token, const char *session,
	    struct granted *);

struct opened {
	int		status;
	char		message[MESSAGE_SIZE];
	uint64_t	stream;
	int		fd;		/* asker's end, -1 */
	int		mux_fd;		/* muxd's end, -1 */
	uint8_t		tag[STREAM_TAG_MAX];
	size_t		tag_len;
};
void	stream_open(struct far *proxyd, struct far *mux, uint64_t grant,
	    const char *service, struct opened *);
void	stream_end(struct far *mux, uint64_t stream, int why, uint64_t in,
	    uint64_t out);
void	opened_close(struct opened *);

/* API: the status; JSON data ("" for null) in a static buffer. */
struct api {
	const char	*token, *session, *service, *sort_by, *system_id;
	uint32_t	 page, page_size, statuses;
	int		 descending;
};
int	api(struct far *proxyd, int op, const struct api *);
extern char	api_message[MESSAGE_SIZE], api_data[1 << 20];
/* A string member of the last data, by a simple search; "" if absent. */
const char	*api_str(const char *name);

/* An operator's token from authd: relayctl token create. */
char	*operator_token(struct far *control, const char *user,
	    const char *org, const char *role, const char *perms);

#endif
