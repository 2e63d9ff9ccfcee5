/* SPDX-License-Identifier: ISC */
#ifndef CONSENT_H
#define CONSENT_H

#include <stddef.h>
#include <stdint.h>

/*
 * May operators do anything here now? What is configured (always, ask, until a
 * time) counts until somebody of this machine says something else: on, off,
 * until a time. That is kept in a file, so that it outlives us. One per
 * process.
 */

struct cJSON;

/*
 * After clock_init(). `changed` is called when consent ends, with why, and with
 * NULL when it is given. `mode` is the option's word. 0, or -1 after a word on
 * standard error. A file that cannot be understood is a no.
 */
int	consent_init(const char *mode, const char *file,
	    void (*changed)(const char *why));
void	consent_clear(void);

int	consent_given(void);
/* The same, of somebody who comes in now if it is a yes. */
int	consent_admits(void);
/* Why not, for the operator, in a few words. */
const char *consent_why_not(void);
/* Somebody wanted `what` (printable) and was refused. */
void	consent_asked(const char *what);

/*
 * An order: "on", "off", "default" (what is configured), "until SECONDS" since
 * 1970. 0, or -1; then `reply` says why. It counts even if it could not be
 * written to the file, which is a -1, too.
 */
int	consent_order(const char *, char *reply, size_t size);

/* "consent" as a member of *o. */
void	consent_add(struct cJSON *o);

#endif
