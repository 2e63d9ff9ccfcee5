/* SPDX-License-Identifier: ISC */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

/*
 * The recording of this process's one terminal, if it has one: output and
 * sizes, never what is typed. What was added is in the file when
 * record_flush() returns, so that a crash loses nothing that was shown. The
 * file was opened by authd for appending, and cannot be read or shortened from
 * here. operator-api.md, 11.
 */

/* `fd` is owned from here on; the file may grow by `room` bytes. */
void	record_begin(int fd, uint64_t room);
int	record_is_on(void);
void	record_output(const uint8_t *p, size_t n);
/* What resize_clamp() has made. */
void	record_resize(const char *size);
/*
 * Write what was added. 0; or -1: it is not in the file, nothing more is
 * written, and *why is what the operator reads.
 */
int	record_flush(const char **why);
/* The same for the last time; record_is_on() is 0 then. */
int	record_end(const char **why);

#endif
