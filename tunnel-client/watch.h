/* SPDX-License-Identifier: ISC */
#ifndef WATCH_H
#define WATCH_H

/*
 * A change of the file that a discovery reads on a NethSecurity host is seen
 * when it happens: the web interface may have another port from then on.
 */

/* `fn` is called a second after a change. Does nothing on other machines. */
void	watch_start(void (*fn)(void));
void	watch_stop(void);

#endif
