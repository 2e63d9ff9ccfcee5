/* SPDX-License-Identifier: ISC */
#ifndef USERSRUN_H
#define USERSRUN_H

#include "program.h"
#include "usersdoc.h"

/*
 * The programs that make and delete users: the machine's own Python, which
 * knows its cluster (NS8) or its configuration (NethSecurity). What it is to do
 * comes on its standard input, so that no list of processes shows a password.
 */

/* What came of it; all NULL if nothing did. */
struct users_made {
	int	 good;		/* it has run to its end */
	int	 absent;	/* the machine has none of what it takes */
	int	 gone;		/* at deletion: nothing is left */
	int	 left;		/* at making: one that could not be taken back */
	cJSON	*credentials;
	cJSON	*domains;	/* name: [ids of its providers] */
	cJSON	*errors;	/* an array of texts */
};

typedef void	(*usersrun_fn)(void *, const struct users_made *);
struct usersrun;

/*
 * Make the users that `s` names, or delete what is known of them in it and
 * what may be there. `fn` is called once, never before this returns; what it is
 * given is borrowed. NULL when it cannot be started.
 */
struct usersrun	*usersrun_make(const struct users_state *s, usersrun_fn,
		    void *);
struct usersrun	*usersrun_delete(const struct users_state *s, usersrun_fn,
		    void *);
void		 usersrun_cancel(struct usersrun *);

/* What it said. All of *m is to be deleted by usersrun_clear(). */
void	usersrun_parse(struct users_made *m, const char *text, size_t len);
void	usersrun_clear(struct users_made *);

#endif
