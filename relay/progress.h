/* SPDX-License-Identifier: ISC */
#ifndef PROGRESS_H
#define PROGRESS_H

/*
 * A line that renews itself, where standard error is a terminal: how far
 * something is that takes long. Nothing at all elsewhere.
 */

/* Show this in its place, cut to one line. */
void	progress_show(const char *, ...) __attribute__((format(printf, 1, 2)));
/*
 * How long it has been going on, m:ss or h:mm:ss; into 16 bytes, returns dst.
 */
char	*progress_time(char dst[16]);

/*
 * From now on, each second: what relay.sent and relay.received are. Not where
 * standard output is the same terminal and `out` is what it shows.
 */
void	progress_bytes(int out);

#endif
