/* SPDX-License-Identifier: ISC */
#ifndef USERPLUG_H
#define USERPLUG_H

#include <cjson/cJSON.h>

#include "client.h"
#include "discovered.h"

/*
 * Users plugins: each is told of the users, and of the modules that it is for,
 * and makes them known to an application. The rules on files are those for
 * diagnostics plugins (program.h). tunnel-protocol.md, 7.8.
 */

struct userplug;
typedef void	(*userplug_fn)(void *, cJSON *apps, cJSON *errors);

/*
 * Run all of them one after another, at teardown in reverse order, within the
 * limits of the options. `fn` is called once, never before this returns, and
 * takes the arrays over. `users` is a text; it, `d` and `module_domains` are
 * not needed after this returns. NULL when there is nothing to run.
 */
struct userplug	*userplug_setup(const struct options *, const char *users,
		    const struct discovered *d, const cJSON *module_domains,
		    userplug_fn, void *);
struct userplug	*userplug_teardown(const struct options *, const char *users,
		    const struct discovered *d, const cJSON *module_domains,
		    userplug_fn, void *);
void		 userplug_cancel(struct userplug *);

/* Is there one that would run? 1 or 0. */
int	userplug_any(const struct options *);

#endif
