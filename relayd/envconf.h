/* SPDX-License-Identifier: ISC */
#ifndef ENVCONF_H
#define ENVCONF_H

/*
 * relayd -E: a configuration made of environment variables, by the names that
 * the two references have for theirs. relayd(8), ENVIRONMENT; the names are of
 * rendezvous-protocol.md, 9, and pairing-protocol.md, 2. Pure.
 *
 * PORT and HOST are set by many platforms and choose nothing: SWSRS_ variables
 * mean rendezvous, AMESH_ ones pairing, and none of them pairing.
 */

/* Where there is no variable for it. */
struct envconf {
	const char	*state;		/* STATE_DIRECTORY */
	const char	*runtime;	/* RUNTIME_DIRECTORY */
	int		 has_ipv6;	/* ":8080" is [::]:8080, too */
};

/* Called for each error, or with `error` 0 for what is only said. */
typedef void (*envconf_fn)(void *arg, int error, const char *text);

/*
 * The text for cfg_parse_text(), which the caller frees, or NULL after at least
 * one error was said. What cannot be meant is an error, and so is a SWSRS_ name
 * that nobody knows; a variable that is empty is not there.
 */
char	*envconf_make(const char *const *envp, const struct envconf *, envconf_fn,
	    void *arg);

/* Overwrite the values of those that are somebody's secret, in their place. */
void	 envconf_wipe(char **envp);

#endif
