/* SPDX-License-Identifier: ISC */
#ifndef PROC_H
#define PROC_H

#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "imsg/imsg.h"

struct event_base;

/*
 * The start-up that every child shares, in one order: fixed descriptors, log
 * and title, configuration from the parent, drop to the role's user and root,
 * sandbox, event loop. Each step fails hard.
 */
struct proc_ops {
	int		 role;
	/* Messages from the parent after start; PROC_ROWS comes first in it. */
	const struct dispatch	*table;
	size_t		 rows;
	uint64_t	 files;		/* RLIMIT_NOFILE; 0: leave */
	/*
	 * LISTENER and KEYFILE at start; NULL: not for this role. Own the fd.
	 */
	int		(*listener)(int fd, uint32_t flags, const char *addr);
	int		(*keyfile)(uint8_t kind, int fd);
	/* COUNTERS at start: counts_take(), or metricd's. Owns the fd. */
	int		(*counters)(int fd, uint8_t role, uint8_t index);
	/* With the log, before all else: what a library has to be begun with. */
	void		(*begin)(void);
	/* Before the drop: what reads files or opens sockets. */
	void		(*early)(void);
	/* The TCP ports that it may connect to; how many of `max`. */
	size_t		(*ports)(uint16_t *, size_t max);
	/* A channel to (a new) authd, at start and later. Owns the fd. */
	int		(*channel)(int fd, unsigned protocol);
	/* One to another process (PEER), at start and later. Owns the fd. */
	int		(*peer)(int fd, int role, uint64_t instance,
			    unsigned protocol);
	/* CERT, at start and before a RELOAD. Owns the fd. */
	int		(*cert)(int fd, const struct msg_cert *);
	/* After the sandbox closed, before the loop: arm the first events. */
	void		(*run)(void);
	/*
	 * RELOAD: could we run with this? Nothing changes yet. 0, or -1 with
	 * *why. NULL: the configuration only has to be sound.
	 */
	int		(*judge)(const struct conf *, const char **why);
	/* RELOAD_SWAP: proc_conf() has what was judged. NULL: no matter. */
	void		(*swapped)(void);
	/* LEAVE, for who has it in its table. */
	void		(*leave)(uint32_t seconds);
	/* STOP: finish and leave with proc_exit(); NULL: leave at once. */
	void		(*stop)(void);
};

/* Never returns. */
void	proc_main(const struct proc_ops *, int argc, char **argv)
	    __attribute__((noreturn));

struct event_base	*proc_base(void);
struct chan		*proc_parent(void);
const struct conf	*proc_conf(void);
/* Where the role's directory is seen from inside ("/" after chroot). */
const char		*proc_root(void);

/* Show live state in ps: "relayd: muxd: NETH-..., 3 streams". Cut to fit. */
void	proc_title(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Send what the parent and authd have still to hear, and exit. */
void	proc_exit(int status) __attribute__((noreturn));

/*
 * The parent wants to know whether we still turn: say so when it is some time
 * ago. Called where there is a turn anyway, it saves being woken to be asked.
 */
void	proc_beat(void);

/* Called after each turn of the loop when set (authd's commit). */
void	proc_after_turn(void (*fn)(void));

/* Handlers of PROC_ROWS. */
int	proc_on_stop(struct chan *, struct imsg *);
int	proc_on_leave(struct chan *, struct imsg *);
int	proc_on_ping(struct chan *, struct imsg *);
int	proc_on_speak(struct chan *, struct imsg *);
int	proc_on_loglevel(struct chan *, struct imsg *);
int	proc_on_channel(struct chan *, struct imsg *);
int	proc_on_peer(struct chan *, struct imsg *);
int	proc_on_cert(struct chan *, struct imsg *);
int	proc_on_reload(struct chan *, struct imsg *);
int	proc_on_reload_swap(struct chan *, struct imsg *);
#ifdef RELAYD_TESTING
int	proc_on_clock(struct chan *, struct imsg *);
int	proc_on_try(struct chan *, struct imsg *);
#define PROC_TEST_ROWS							\
	{ IMSG_CLOCK, R_PARENT, S_ANY, 0, proc_on_clock },	\
	{ IMSG_TRY, R_PARENT, S_ANY, MF_REQUEST, proc_on_try },
#else
#define PROC_TEST_ROWS
#endif

#define PROC_ROWS							\
	{ IMSG_STOP, R_PARENT, S_ANY, MF_ONCE, proc_on_stop },	\
	{ IMSG_PING, R_PARENT, S_ANY, 0, proc_on_ping },	\
	{ IMSG_LOGLEVEL, R_PARENT, S_ANY, 0, proc_on_loglevel },	\
	{ IMSG_CHANNEL, R_PARENT, S_ANY, 0, proc_on_channel },\
	{ IMSG_SPEAK, R_PARENT, S_ANY, 0, proc_on_speak },\
	PROC_TEST_ROWS

/* For those that are connected with others than authd. */
#define PROC_PEER_ROW							\
	{ IMSG_PEER, R_PARENT, S_ANY, 0, proc_on_peer },
/* For those whose connections outlive an upgrade. */
#define PROC_LEAVE_ROW							\
	{ IMSG_LEAVE, R_PARENT, S_ANY, MF_ONCE, proc_on_leave },
/* For those that have certificates. */
#define PROC_CERT_ROW							\
	{ IMSG_CERT, R_PARENT, S_ANY, 0, proc_on_cert },
/* For the roles that are asked at a reload (always there). */
#define PROC_RELOAD_ROWS						\
	{ IMSG_RELOAD, R_PARENT, S_ANY, MF_REQUEST, proc_on_reload },	\
	{ IMSG_RELOAD_SWAP, R_PARENT, S_ANY, 0, proc_on_reload_swap },

#endif
