/* SPDX-License-Identifier: ISC */
#ifndef AUDIT_H
#define AUDIT_H

#include <stdint.h>

#include "store.h"

struct operator;

/*
 * Audit events: what operators and administrators did, and what was refused.
 * Each is written once and never changes (doc/audit.md). The first refusal of
 * an action to somebody in a minute is an event and a line of the log; those
 * that follow are one more event, with their count, and one more line, when the
 * minute is over. Somebody is an address (IPv6: its /64), and of those who are
 * known who they are. operator-api.md, section 11.
 */
struct audit {
	const struct operator	*who;	/* as a good token says, or NULL: */
	const char	*actor;		/* who he says he is */
	const char	*address;	/* where from; AUDIT_LOCAL: relayctl */
	const char	*action;	/* a word of ours */
	/* NULL: none */
	const char	*session, *service;
	const char	*object;	/* what it was done to, if no session */
	const char	*access;	/* the row of the access log */
	const char	*reason;	/* why not; more about it */
	const char	*request;	/* its id, NULL: of what is being done */
};
#define AUDIT_LOCAL	"relayctl"

/* audit_stranger() is for who only says who he is, and could be anybody. */
void	audit_refusal(const struct audit *);
void	audit_stranger(const struct audit *);
/*
 * What a proxyd refused by itself, `n` times; action and reason are words of
 * ours. Without `may_list` it has no row of its own, if it has none already,
 * but counts in one without an address, of which there is one a reason. Returns
 * whether a row was begun for the address.
 */
int	audit_alone(const struct audit *, uint64_t n, int may_list);
/* What the core refuses. */
struct refused;
void	audit_refused(const struct refused *);
/* Something done; part of the turn's transaction, never left out. */
void	audit_done(const struct audit *);
/*
 * Somebody gets access, in the transaction of its row of the access log; and
 * has had it for so long and moved so much. When more is counted after the end
 * there is one more event, with all of it.
 */
void	audit_opened(const struct access_row *);
void	audit_ended(const struct access_row *);
/* We stop: the counts so far are written. */
void	audit_flush(void);
/* Refusals that were only counted, in no row. */
unsigned long	audit_left_out(void);

#endif
