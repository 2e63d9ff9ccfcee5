/* SPDX-License-Identifier: ISC */
#ifndef RECHECK_H
#define RECHECK_H

/*
 * Scopes may have changed: grants, and streams that no grant answers for, end
 * unless who they are for may still see the system; and who follows the changes
 * hears no more if he is revoked. After the commit of this
 * turn; and each minute for those streams, which no token's question refreshes.
 */
int	recheck_init(void);
void	recheck_all(void);
/*
 * A token's id, or a user's, is refused from now on: what is there for it ends
 * in this turn, however many others there are, and then everybody is looked at.
 */
void	recheck_revoked(const char *kind, const char *id);
/* Who is called when somebody's rights were taken here, behind the commit. */
void	recheck_on_revoked(void (*fn)(void));
/* Who else has something that goes on and is to be looked at then. */
void	recheck_also(void (*fn)(void));

#endif
