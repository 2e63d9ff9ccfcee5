/* SPDX-License-Identifier: ISC */
#ifndef REACH_H
#define REACH_H

/* EXIT STATUS in relayctl(8). */
enum { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHED };

/*
 * The control socket at `path`, connected and not blocking. Where there is
 * none it ends the program, with a word on standard error unless `quiet`.
 */
int	reach(const char *path, int quiet);

#endif
