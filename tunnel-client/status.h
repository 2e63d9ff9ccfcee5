/* SPDX-License-Identifier: ISC */
#ifndef STATUS_H
#define STATUS_H

#include <stddef.h>
#include <stdint.h>

/*
 * What goes on, for the people of this machine: to whom there is a tunnel since
 * when, what is open, why there is none. One per process.
 */

/* `where` is whom the log names; borrowed for good. Before all else here. */
void	status_init(const char *where);

void	status_connecting(void);
/* `session` may be "". */
void	status_connected(const char *session);
/* There is no tunnel: why, and when the next try is. */
void	status_down(const char *why, uint64_t next_ms);
void	status_leaving(void);

/*
 * `fn` is called when any of this changes, and when a stream begins or ends:
 * nothing may be changed in it.
 */
void	status_watch(void (*fn)(void));

/* A JSON object and a newline, on the heap; NULL when out of memory. */
char	*status_json(void);
/* The same in one line, without a newline, cut to `size`. */
void	status_line(char *dst, size_t size);

/* 3h05m, 12m07s, 9s: for people, `dst` of 32 bytes. */
char	*status_span(char *dst, int64_t seconds);

#endif
