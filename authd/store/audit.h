/* SPDX-License-Identifier: ISC */
#ifndef AUDIT_H
#define AUDIT_H

/*
 * Audit events: what was refused, what an administrator did. At most 100 a
 * second go to the store, the rest is counted and the count stored.
 * operator-api.md, section 11.
 */
void	audit_refusal(const char *actor, const char *address,
	    const char *action, const char *session, const char *reason);
/* Something done; part of the turn's transaction, never left out. */
void	audit_done(const char *actor, const char *address, const char *action,
	    const char *session, const char *detail);
unsigned long	audit_left_out(void);

#endif
