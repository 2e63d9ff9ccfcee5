/* SPDX-License-Identifier: ISC */
#ifndef LOAD_H
#define LOAD_H

/*
 * At the start: fill the tables from the store, open sessions first, then open
 * rows of the access log. `then` is called once: 0, or -1 when the store could
 * not say; what was loaded stays, and it may be called again.
 */
void	load_run(void (*then)(int));

#endif
