/* SPDX-License-Identifier: ISC */
#ifndef TOP_H
#define TOP_H

#include "ctl/ctl.h"

#define TOP_SECONDS	2	/* between two looks */
#define TOP_MOST	60

/*
 * `relayctl top`: looks every so many seconds, `times` times, 0: until it is
 * told to stop, on a screen if there is one and it goes on. Ends the program.
 */
void	top(const char *path, unsigned seconds, unsigned times)
	    __attribute__((noreturn));

#endif
