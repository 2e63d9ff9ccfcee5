/* SPDX-License-Identifier: ISC */
#ifndef RECHECK_H
#define RECHECK_H

/*
 * Scopes may have changed: grants, and streams that no grant answers for, end
 * unless who they are for may still see the system. After the commit of this
 * turn; and each minute for those streams, which no token's question refreshes.
 */
int	recheck_init(void);
void	recheck_all(void);

#endif
