/* SPDX-License-Identifier: ISC */
#ifndef FORWARD_H
#define FORWARD_H

struct conn;
struct host;
struct httphead;
struct service;
struct slice;
struct upstream;

/*
 * One request and its response on their way through: heads rewritten, bodies
 * as they come, each side read only while the other takes.
 */

/*
 * Begin with `st` (busy with c): write the request. `sv` is NULL for a service
 * that the table does not have, then `label` is its name. `sibling` is the
 * Origin to answer to, s NULL for none.
 */
void	forward_begin(struct conn *, const struct httphead *, struct upstream *,
	    const struct service *sv, const char *label,
	    const struct slice *sibling);
void	forward_client_readable(struct conn *);
void	forward_client_writable(struct conn *);
void	forward_stream_readable(struct conn *);
void	forward_stream_writable(struct conn *);
/* The deadline has passed. */
void	forward_expired(struct conn *);
/* The stream is taken away: answer if nothing was, else cut off. */
void	forward_abort(struct conn *, const char *why);
/* Let go of stream and buffers (the connection closes). */
void	forward_clear(struct conn *);

#endif
