/* SPDX-License-Identifier: ISC */
#ifndef AUDIT_H
#define AUDIT_H

/*
 * Audit events: what was refused, what an administrator did. The first refusal
 * of an action to somebody in a minute is a row and a line of the log; those
 * that follow are a count in that row, and one more line, when the minute is
 * over. Somebody is an address (IPv6: its /64), and of those who are known who
 * they are. operator-api.md, section 11.
 *
 * An action is a word of ours. audit_refusal is for an `actor` whose token was
 * good, audit_stranger for one who only says so.
 */
void	audit_refusal(const char *actor, const char *address,
	    const char *action, const char *session, const char *reason);
void	audit_stranger(const char *actor, const char *address,
	    const char *action, const char *session, const char *reason);
/* Something done; part of the turn's transaction, never left out. */
void	audit_done(const char *actor, const char *address, const char *action,
	    const char *session, const char *detail);
/* We stop: the counts so far are written. */
void	audit_flush(void);
/* Refusals that were only counted, in no row. */
unsigned long	audit_left_out(void);

#endif
