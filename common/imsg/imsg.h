/* SPDX-License-Identifier: ISC */
#ifndef IMSG_H
#define IMSG_H

#include <stddef.h>
#include <stdint.h>

struct event_base;

/*
 * Messages between processes. A channel is one end of a SOCK_SEQPACKET
 * socketpair: one packet is one message, so boundaries and descriptors cannot
 * slip. No C struct travels as bytes: wire.h says how fields do, msg.def which
 * they are, and msg.h makes say_NAME() and get_NAME() of it.
 *
 * A malformed or forbidden message ends its sender, never the receiver: the
 * channel is closed with a reason, and its owner decides (messages.md).
 */

#define IMSG_MAX	32768		/* bytes of one message, header included */
#define IMSG_HDR	8		/* type, id: two 32-bit integers */
#define CHAN_QUEUE_MAX	(8 << 20)	/* memory waiting to leave one channel */
#define CHAN_CALLS_MAX	4096		/* requests waiting for an answer */
#define CHAN_FLUSH_MS	1000		/* how long chan_flush() may take */

struct chan;

/* A received message, valid during its handler only. */
struct imsg {
	uint32_t	 type;		/* as this build numbers them */
	unsigned	 protocol;	/* it came in (proto.h); 0: ours */
	uint32_t	 id;		/* of the request it is or answers; 0: none */
	const uint8_t	*p, *end;	/* its fields */
	int		 fd;		/* -1 when none or taken */
};

/*
 * One row of a channel's constant dispatch table: which role may send which
 * type in which states of the receiver's view of it. How long it may be and
 * what descriptor it carries says msg.def. What is not in the table is an
 * offence.
 */
struct dispatch {
	uint32_t	type;
	uint32_t	roles;		/* ROLE_BIT() of the senders */
	uint32_t	states;		/* S() of the channel's states */
	uint32_t	flags;		/* MF_* */
	/*
	 * 0, or -1: malformed, the sender has to go. May free the channel, and
	 * then must return 0.
	 */
	int		(*fn)(struct chan *, struct imsg *);
};

#define S(state)	(1U << (state))
#define S_ANY		0xffffffffU
#define MF_REQUEST	0x01	/* id must not be 0 */
#define MF_ANSWER	0x02	/* id names one of our calls; fn is NULL */
#define MF_ONCE		0x04	/* a second one is an offence */
#define ROWS_MAX	64	/* rows of a table */

/*
 * Called once when the channel has ended: `offence` tells a clean end (0) from
 * a forbidden or malformed message or a peer that does not read (1). `reason`
 * is printable. The owner must chan_free() (at once or later); every waiting
 * call has been answered with NULL before.
 */
typedef void (*chan_closed_fn)(struct chan *, int offence, const char *reason);

/*
 * Make a channel of `fd` (taken, also on failure) whose far end is `role`
 * (enum role in msg.h). `table` must live on. Returns NULL when out of memory.
 */
struct chan	*chan_new(struct event_base *, int fd, int role,
		    const struct dispatch *table, size_t rows,
		    chan_closed_fn closed, void *arg);
/*
 * Close at once, without calling `closed`; calls that wait are answered with
 * NULL before it returns. Allowed in every callback; NULL is allowed.
 */
void		 chan_free(struct chan *);

void		*chan_arg(const struct chan *);
void		 chan_set_arg(struct chan *, void *);
int		 chan_role(const struct chan *);
int		 chan_state(const struct chan *);
void		 chan_set_state(struct chan *, int state);	/* 0 to 31 */
uint64_t	 chan_instance(const struct chan *);
void		 chan_set_instance(struct chan *, uint64_t);
/* Calls that wait for their answer. */
size_t		 chan_calls(const struct chan *);
/*
 * What is said and heard from now on: a protocol of proto.h. 0: this build's.
 * Of what has no number there nothing is said.
 */
void		 chan_speak(struct chan *, unsigned protocol);
void		 chan_hear(struct chan *, unsigned protocol);
/* For a far end that nobody knows: by the first that it says. */
void		 chan_guess(struct chan *);
/* Its descriptor, for who hands it to another program; -1: it has ended. */
int		 chan_fd(const struct chan *);
/* Has it ended (closed was or is being called)? Then nothing is sent. */
int		 chan_is_closed(const struct chan *);

/*
 * Memory that waits to leave. Who answers at length looks first: beyond
 * CHAN_QUEUE_HIGH a question is better refused than the asker ended.
 */
#define CHAN_QUEUE_HIGH	(CHAN_QUEUE_MAX / 2)
size_t	chan_queued(const struct chan *);

/*
 * Take what has come by now, as when the event loop says that something has:
 * for a handler of one channel that needs what was sent before on another.
 * What the handler's own message has borrowed is gone then.
 */
void	chan_pump(struct chan *);

/*
 * While corked, finished messages wait; authd corks a turn of its loop so that
 * no answer leaves before the commit it depends on. Uncorking sends.
 */
void	chan_cork(struct chan *);
void	chan_uncork(struct chan *);

/*
 * Send what waits, blocking, for start-up and the last words of a process: 0,
 * or -1 when not all has gone within CHAN_FLUSH_MS.
 */
int	chan_flush(struct chan *);

/*
 * Calls: chan_call() reserves an id for the message that the caller says
 * next with it. `done` runs once: with the answer, or with NULL after
 * `deadline_ms` or when the channel ends. A late answer is counted and
 * dropped. Returns 0 when CHAN_CALLS_MAX calls wait already, or out of memory.
 * `done` returns like a dispatch handler.
 */
typedef int (*chan_done_fn)(struct chan *, struct imsg *, void *arg);
uint32_t	chan_call(struct chan *, uint64_t deadline_ms, chan_done_fn done,
		    void *arg);
/* The asker has gone: forget the call; its answer will count as late. */
void		chan_call_cancel(struct chan *, uint32_t id);
unsigned long	chan_late_answers(const struct chan *);

/* Take the descriptor out of a message: the caller's, -1 when there is none. */
int	m_take_fd(struct imsg *);

/*
 * The pure half, for tests and the start-up code. imsg_parse reads a header
 * from `len` bytes of one packet into `m` (fd is set by the caller): 0, or -1
 * with *reason set. imsg_check tests a parsed message against a table for a
 * sender's role and state; `seen` has a bit per row for MF_ONCE and may be
 * NULL. Returns the row, or NULL with *reason. imsg_table says what is wrong
 * with a table itself, NULL when nothing is: chan_new() does not start with a
 * wrong one.
 */
int	imsg_parse(struct imsg *m, const uint8_t *buf, size_t len,
	    const char **reason);
const struct dispatch	*imsg_check(const struct imsg *m,
	    const struct dispatch *table, size_t rows, int role, int state,
	    uint64_t *seen, const char **reason);

const char	*imsg_table(const struct dispatch *table, size_t rows);

/*
 * Receive one packet with at most one descriptor into buf (IMSG_MAX bytes).
 * Surplus descriptors are closed and make the packet an error. Returns the
 * length, 0 at the end of the channel, -1 with errno (EAGAIN: none yet;
 * EMSGSIZE: too long; EBADMSG: surplus descriptors; EMFILE: its descriptor
 * found no room here and is lost, which is not the sender's fault; ECONNRESET,
 * once: the far end has gone, what it had sent comes next). After an error buf
 * holds nothing of the packet.
 */
long	imsg_recv(int sock, uint8_t *buf, int *fd);
/* Send one packet; `fd` is not closed. 0 or -1 with errno. */
int	imsg_send(int sock, const uint8_t *buf, size_t len, int fd);

/*
 * A descriptor that came from another process may be a weapon: with SO_LINGER
 * on a socket close() waits, even where O_NONBLOCK is set, for as long as the
 * sender liked. Nobody who was sent one calls close() on it but through these.
 *
 * imsg_disarm_fd: 0: close() will not wait now; -1: it would, and a filter
 * forbids to change that.
 * imsg_close_fd: close it (-1: nothing) without waiting; where that cannot be
 * had (a filter forbids it) it stays open until the process ends.
 * imsg_drop_fd: the same for one that nobody else is to use: what waits
 * unread in a socket of ours is closed the same way before.
 * imsg_drain: receive nothing more on `sock`, and drop what has come.
 */
int	imsg_disarm_fd(int fd);
void	imsg_close_fd(int fd);
void	imsg_drop_fd(int fd);
void	imsg_drain(int sock);
/*
 * Let the kernel refuse descriptors that are sent to `sock`: sendmsg() of the
 * far end fails with EPERM. Before either end is given away: what waits already
 * would be closed by the kernel. 0, or -1: a kernel before 6.16.
 */
int	imsg_refuse_fds(int sock);
/*
 * A descriptor that finds no number here is closed by the kernel, which waits.
 * Numbers from `first` on are kept free for what comes uninvited: as many as
 * one packet carries (IMSG_SPARE). Who opens one for itself and was given such
 * a number has none; imsg_recv() says EMFILE. Before the first call: no limit.
 */
#define IMSG_SPARE	256
void	imsg_set_spare(int first);
int	imsg_is_spare(int fd);
/* Has the table a row with which `role` sends a descriptor? */
int	imsg_carries(const struct dispatch *table, size_t rows, int role);

/* A non-blocking, close-on-exec channel pair. 0 or -1 with errno. */
int	imsg_pair(int sv[2]);

#endif
