/* SPDX-License-Identifier: ISC */
#ifndef INVALIDATE_H
#define INVALIDATE_H

/*
 * Somebody else has changed a system in the store, and says so
 * (operator-api.md, 9.2): what is known of its secrets is forgotten, and its
 * sessions end unless it may still have them. Where something may have been
 * missed all sessions are looked at.
 */
void	invalidate_init(void);
/*
 * We have changed one, its secret or whether it may: forgotten here, and after
 * the commit said to others.
 */
void	invalidate_say(const char *key);

#endif
