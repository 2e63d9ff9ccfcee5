/* SPDX-License-Identifier: ISC */
#ifndef WAIT_H
#define WAIT_H

/*
 * create --wait: ends the tool once both sides of the session are there
 * (EXIT_DONE), or it is over, or may not be looked at. -1: no memory.
 */
int	wait_start(const char *id);

#endif
