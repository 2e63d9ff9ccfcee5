/* SPDX-License-Identifier: ISC */
#ifndef DRIVE_H
#define DRIVE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/conf.h"

/*
 * Runs the real program of any role over socketpairs, as relayd would, and
 * lets the test play everybody around it: the parent on its descriptor 3, the
 * log on 4, authd on the channel that it is given. A channel's far end is a
 * plain socket. Every wait ends after WAIT_MS; what goes wrong in the harness
 * itself is "Bail out!" with what the program has logged. What only one
 * program needs is in its *_story.h.
 */
#define WAIT_MS		10000
#define DRIVE_DOORS	3

struct drive {
	pid_t	pid;
	int	role;
	int	parent, log, authd;	/* our ends, -1: closed */
	int	port[DRIVE_DOORS];	/* plain, internal, tunnel; tls, peer */
	int	lfd[DRIVE_DOORS];
};

/* What the next start has in place of the usual, if anything. */
extern struct drive_with {
	const char	*build;		/* a build other than RELAYD_BUILD */
	const char	*asan;		/* more of ASAN_OPTIONS, ":x=y" */
	unsigned int	 files;		/* how many descriptors it may have */
	uint32_t	 flags;		/* LISTEN_*, of all its listeners */
	int		 counters;	/* a page that it counts in; 0: none */
} drive_with;

/*
 * CONF and what the role's row in roles.def says: keys, listeners, a channel
 * to authd; then START, and it is READY. Its root is the store's directory
 * where it has one.
 */
void	drive_start(struct drive *, int role, const struct conf *);
/* A (new) channel to authd; the old one is closed first if still open. */
void	drive_channel(struct drive *);
/* Wait for its end: exit status, 128 + signal. All is closed. */
int	drive_wait(struct drive *);
/* The parent goes, then the same. */
int	drive_leave(struct drive *);
/* As a crash would. */
void	drive_kill(struct drive *);
/* Stop it where it is (1), so that what is sent meanwhile meets one turn. */
void	drive_freeze(const struct drive *, int);
/* Move its clock; what became due has run when this returns. */
void	drive_clock(struct drive *, uint64_t ms);
/* CLOCK alone. */
void	drive_tick(const struct drive *, uint64_t ms);
/* All that was logged; is it there now, or (drive_logs) within WAIT_MS? */
extern char	drive_text[];
int	drive_logged(const struct drive *, const char *);
int	drive_logs(const struct drive *, const char *);
void	drive_forget(void);
/* kB of a line of /proc/PID/FILE, all lines with this key added. */
long	drive_kib(const struct drive *, const char *file, const char *key);

/*
 * No log of any test may have this (tools/logged); messages' are named already.
 */
void	drive_secret(const char *name, const char *value);

void	bail(const char *fmt, ...) __attribute__((noreturn))
	    __attribute__((format(printf, 1, 2)));
uint64_t	now_ms(void);
void	shut(int *fd);		/* close it if it is open; then it is -1 */
void	stream_pair(int sv[2]);	/* both non-blocking */
void	loopback_pair(int sv[2], int size);	/* TCP; size 0: usual buffers */
/* All bytes, unless the other side has had enough. */
void	put_bytes(int fd, const void *, size_t);

/*
 * Messages by the structs of msg.def:
 *
 *	say(sock, grant_end, .grant = 7, .why = END_SESSION);
 *	say_id(sock, id, ...);		with a request's id
 *	say_fd(sock, id, fd, ...);	with a descriptor, which is closed here
 *	m = hear(sock, login, &in);	the next of this type, others dropped
 *	m = hear_next(sock, login, &in);	what comes next has to be it
 *
 * `in` is what get_NAME() gives, its texts live until the eighth message
 * after it; NULL: not looked at. A descriptor is m->fd, the caller's.
 */
#define M(NAME, name, carries, fields)	MSG_TYPE_##name = IMSG_##NAME,
#define E(NAME, name)			MSG_TYPE_##name = IMSG_##NAME,
enum msg_type {
#include "imsg/msg.def"
};
#undef M
#undef E
#define M(NAME, name, carries, fields)
#define E(NAME, name)	struct msg_##name { uint8_t end_; };
#include "imsg/msg.def"
#undef M
#undef E

#define say(sock, ...)		say_fd(sock, 0, -1, __VA_ARGS__)
#define say_id(sock, id, ...)	say_fd(sock, id, -1, __VA_ARGS__)
#define say_fd(sock, id, fd, ...)					\
	SAY_(sock, id, fd, __VA_ARGS__, .end_ = 0)
#define SAY_(sock, id, fd, name, ...)					\
	drive_say(sock, MSG_TYPE_##name, id, fd,			\
	    &(struct msg_##name){ __VA_ARGS__ })
#define hear(sock, name, in)						\
	drive_hear(sock, MSG_TYPE_##name, (struct msg_##name *){ in }, 1)
#define hear_next(sock, name, in)					\
	drive_hear(sock, MSG_TYPE_##name, (struct msg_##name *){ in }, 0)
void	drive_say(int sock, uint32_t type, uint32_t id, int fd, const void *);
struct imsg	*drive_hear(int sock, uint32_t type, void *in, int skip);

/* Any bytes as a message, for what no struct says. */
void	say_raw(int sock, uint32_t type, uint32_t id, int fd, const void *,
	    size_t);
/*
 * What comes within `ms`: its type, 0 when nothing did, -1 at the channel's
 * end. hear_maybe: 1 when one of this type does, others are dropped.
 */
int	hear_any(int sock, struct imsg *, int ms);
int	hear_maybe(int sock, uint32_t type, struct imsg *, int ms);
/* 0 when the channel ends; what comes before is dropped. */
int	hear_end(int sock);
/* Sees what hear() drops, before its descriptor is closed. */
extern void	(*drive_dropped)(const struct imsg *);

#endif
