/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_COMMAND_H
#define AUTHD_COMMAND_H

#include <stdint.h>

struct added_row;
struct cJSON;
struct peer;
struct session;

/*
 * Commands for a client: services that operators add and remove, each answered
 * by the client. tunnel-protocol.md, 5.4.
 */

/*
 * What became of it. Status 0: the client said OK. 422: `text` is what it said,
 * printable; 504: nothing; 409: there is no tunnel any more; 503: too much.
 */
typedef void (*command_fn)(void *arg, int status, const char *text);

/*
 * Send one (freed here) with so long for the reply; `fn` is called once, never
 * before this returns. -1: it cannot be sent, and `fn` is not called.
 */
int	command_send(struct session *, struct cJSON *, uint32_t wait_s,
	    command_fn fn, void *arg);
/* {"action":"add_services","services":{}}, and what goes into it. */
struct cJSON	*command_add(void);
void	command_add_service(struct cJSON *, const struct added_row *);
struct cJSON	*command_remove(const char *name);

/*
 * A tunnel has told what it offers, for the first time: what was added to its
 * session before, and is not there, is added again; for some minutes it is tried
 * again where the store does not answer, or memory ran out.
 */
void	command_restore(struct peer *);

#endif
