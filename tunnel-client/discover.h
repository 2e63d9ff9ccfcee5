/* SPDX-License-Identifier: ISC */
#ifndef DISCOVER_H
#define DISCOVER_H

#include "discovered.h"

/*
 * Services are looked for in a process of its own, which may hang or fail as it
 * likes: then what was known stays, and the log says so. One at a time.
 */

/* Before the environment is wiped: what api-cli needs of it. 7.4 */
void	discover_remember(char **envp);
/* `o` is kept until discover_stop(). */
void	discover_init(const struct options *o);
/*
 * Look, unless that goes on already. `fn` is called when it is through, however
 * it went, never before this returns, with what the catalogue has then.
 */
void	discover_now(void (*fn)(void));
/* What is known; `platform` is NONE until it has been looked. Borrowed. */
const struct discovered	*discover_known(void);
/* Has a discovery come to its end, ever? */
int	discover_has_looked(void);
/* It is given up, and all is forgotten. */
void	discover_stop(void);

#endif
