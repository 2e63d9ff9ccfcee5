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

/* For setup, or for teardown. NULL when there is none that may run. */
struct userplug	*userplug_new(const struct options *, int setup);
/*
 * Run all of them one after another, at teardown in reverse order, within the
 * limits of the options. `fn` is called once, never before this returns, and
 * takes the arrays over. `users` is a text; it, `d` and `module_domains` are
 * not needed after this returns. 0, or -1 after a word in the log; then the
 * struct is gone.
 */
int		 userplug_run(struct userplug *, const char *users,
		    const struct discovered *d, const cJSON *module_domains,
		    userplug_fn, void *);
void		 userplug_cancel(struct userplug *);

#endif
