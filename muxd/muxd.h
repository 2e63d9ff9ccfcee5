/* SPDX-License-Identifier: ISC */
#ifndef MUXD_H
#define MUXD_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

struct chan;
struct imsg;
struct manifest;
struct mux;
struct yamux_stream;

/*
 * Between the files of muxd. One process has one tunnel, so each file keeps its
 * state in one static struct and these functions speak of "the" tunnel.
 */

/* login.c: from the given connection to the 101, or to a refusal and exit. */

/*
 * Take the connection: its descriptor (owned from now on) and all that proxyd
 * read from it. `accept` is the Sec-WebSocket-Accept value, `addr` the peer's.
 * Answers and leaves the process when the head is not what proxyd said.
 */
void	login_start(int fd, uint64_t nonce, const char *addr,
	    const char *accept, const char *request, const uint8_t *bytes,
	    size_t len);
/* authd has gone, or the daemon stops: 503 to whoever waits for an answer. */
void	login_abandon(void);
/* Before the connection came: whatever comes is answered with 503. */
void	login_orphan(void);

/* tunnel.c: mux/sock.h with its streams, keep-alive, the end. */

/*
 * The peer has its 101: speak yamux on `fd` (owned). `early` are bytes that
 * came behind the head. Cannot fail but by ending the process.
 */
void	tunnel_start(int fd, uint8_t *early, size_t len);
int	tunnel_is_up(void);
/* After each turn of the loop: one write for all that was said in it. */
void	tunnel_turn(void);
/*
 * The end: streams end with `why`, go-away, close frame, at most 4 s for the
 * echo, exit. A second call does nothing.
 */
void	tunnel_close(uint16_t code, const char *reason, enum end_reason why);
/* Is the client alive? authd_alive() is called within 2 s. */
void	tunnel_probe(uint32_t id);
void	tunnel_probe_forget(void);
/* Tell authd what has moved; later, if it was told just now. */
void	tunnel_stats(void);

/* bridge.c, bridge_in.c, bridge_base.c: one descriptor, one yamux stream. */

/* The tunnel is up; borrowed for good. */
void	bridge_init(struct mux *);
/* The client says that it passes half-closes on. */
void	bridge_client_halves(void);
/*
 * authd's STREAM_OPEN. Owns `fd`; every failure is told on it as an ERROR line
 * and to authd as STREAM_END.
 */
void	bridge_open(uint64_t id, const char *service, const uint8_t *tag,
	    size_t tag_len, int fd);
void	bridge_kill(uint64_t id, enum end_reason);
void	bridge_end_all(enum end_reason);
unsigned bridge_count(void);
/* Calls fn for each open stream (ANNOUNCE). */
void	bridge_walk(void (*fn)(uint64_t id, const char *service,
	    const uint8_t *tag, size_t tag_len, uint64_t in, uint64_t out));
/* authd_stream_moved() for each that has moved something since. */
void	bridge_tell_moved(void);
/* There is room again in the output buffer. */
void	bridge_room(void);
/* Write to the descriptors what one read of the socket brought. */
void	bridge_flush(void);
/* From yamux; `arg` is the tunnel's and not used. */
void	bridge_on_data(struct yamux_stream *, const uint8_t *, size_t);
void	bridge_on_fin(struct yamux_stream *);
void	bridge_on_close(struct yamux_stream *, enum end_reason);
void	bridge_on_window(struct yamux_stream *);
void	bridge_on_ack(struct yamux_stream *);

/* control.c: what the client tells us on streams that it opens. */

/* The tunnel is up; borrowed for good. */
void	control_init(struct mux *);
void	control_on_open(struct yamux_stream *);
void	control_on_data(struct yamux_stream *, const uint8_t *, size_t);
void	control_on_fin(struct yamux_stream *);
void	control_on_close(struct yamux_stream *);
/* Place what waits in the output buffer, once a turn. */
void	control_turn(void);
void	control_end_all(void);
/*
 * A command was sent (1), or answered (0): in between each manifest counts,
 * however early it comes; if none came, the next one.
 */
void	control_commanded(int under_way);
/* The table that counts, or NULL before the first manifest. */
const struct manifest *control_services(void);
uint32_t control_services_version(void);

/* command.c: what authd wants of the client, one at a time. */

/* The tunnel is up; borrowed for good. */
void	command_init(struct mux *);
/* authd's COMMAND, answered by authd_commanded(), once. */
void	command_take(uint32_t id, uint32_t wait_s, const void *json,
	    size_t len);
/* Is this the stream of one? From yamux then; place what waits, once a turn. */
int	command_is(const struct yamux_stream *);
void	command_on_data(struct yamux_stream *, const uint8_t *, size_t);
void	command_on_fin(struct yamux_stream *);
void	command_on_close(struct yamux_stream *);
void	command_turn(void);
/* With the tunnel: yamux is not told any more. */
void	command_end_all(void);
/* authd has gone: what it asked for and was not begun is not done. */
void	command_forget(void);

/* orders.c: what authd says on the link (proc/link.h). */

/* Before proc_main(). */
void	muxd_link(void);

/* authd.c: what is told and asked on that link. */

/* States of the channel as we see it: what authd may say. */
#define CH_LOGIN	0
#define CH_UP		1

/* The login is through: more messages are allowed from here on. */
void	authd_up(void);
int	authd_is_up(void);
/* One stream, to an authd that is new. */
void	authd_announce_stream(uint64_t id, const char *service,
	    const uint8_t *tag, size_t tag_len, uint64_t in, uint64_t out);
/* Streams that ended while authd was away: how many, and announce them. */
unsigned authd_waiting(void);
void	authd_announce_waiting(void);
/* After all is announced: tell their ends, and the report that waits. */
void	authd_tell_waiting(void);
void	authd_stream_end(uint64_t id, const char *service, const uint8_t *tag,
	    size_t tag_len, enum end_reason, uint64_t in, uint64_t out);
/* What an open stream has moved so far. */
void	authd_stream_moved(uint64_t id, uint64_t in, uint64_t out);
/* Tell authd the table that counts; nothing if NULL or authd is away. */
void	authd_services(const struct manifest *, uint32_t version);
/* A report, re-serialised; `doc` is copied or sent. */
void	authd_report(enum report_kind, const char *doc, size_t len);
/*
 * `fetched` will be called, at the latest after 5 s, with the users report
 * that this system can have from authd, or this session has there (len 0: there
 * is none), not terminated and not its own. One of each at a time: a second
 * call while one waits is served by the first.
 */
enum fetch_what { FETCH_SYSTEM, FETCH_OWN, FETCHES };
void	authd_users_fetch(enum fetch_what,
	    void (*fetched)(const char *doc, size_t len));
/* One that waits is not waited for any more; harmless when none does. */
void	authd_users_forget(enum fetch_what);
/* A DOC_CHUNK of one: 0, or -1 for an offence. */
int	authd_users_chunk(struct chan *, struct imsg *);
/* authd has gone: a report of which only a part has come is none. */
void	authd_users_lost(void);
void	authd_alive(uint32_t id, int alive);
/* What became of a command; id 0: nobody wants to know. */
void	authd_commanded(uint32_t id, int status, const char *text);
/*
 * On change, at most every STATS_MS, and then `also`: how long to wait, 0:
 * said, or no news.
 */
#define STATS_MS	15000
uint64_t	authd_stats(uint64_t in, uint64_t out, uint64_t rtt_ns,
		    unsigned streams, void (*also)(void));

/* lease.c: growth of receive windows, lent by authd in steps of 1 MiB. */

size_t	lease_grow(void *, size_t want);
void	lease_release(void *, size_t n);
/* A new authd knows nothing of what the old one lent. */
void	lease_renew(void);

/* exit.c: what ps shows, and the way out. */

/*
 * Set before the login is through; "" until then. For ps; log lines do not
 * name the session, since the parent, which knows it from authd, does.
 */
void	muxd_set_name(const char *key, const char *session);
/* The number of streams, which ps shows, has changed. After the name is set. */
void	muxd_title_changed(unsigned streams);
/* Flush the channels and leave. */
void	muxd_exit(int) __attribute__((noreturn));

#endif
