/* SPDX-License-Identifier: ISC */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Fields as bytes: fixed-width integers in host order (both ends are this
 * machine), counted bytes, and counted texts, whose NUL travels too so that
 * who reads may borrow them. Pure: no allocation, no I/O.
 */

/* Bytes that somebody else owns. */
struct blob {
	const void	*p;
	size_t		 len;
};

/* Bytes of a text beside its characters: u32 length before, NUL after. */
#define WIRE_STR	5
#define WIRE_BLOB	4

/*
 * Writing: the calls cannot fail one by one; what does not fit sets `full` and
 * leaves the rest out. A NULL text is "". With p == NULL nothing is written and
 * `len` says how long it would be.
 */
struct wput {
	uint8_t	*p;
	size_t	 size, len;
	int	 full;
};

void	wput_init(struct wput *, uint8_t *buf, size_t size);
void	wput_u8(struct wput *, uint8_t);
void	wput_u16(struct wput *, uint16_t);
void	wput_u32(struct wput *, uint32_t);
void	wput_u64(struct wput *, uint64_t);
void	wput_str(struct wput *, const char *);
void	wput_blob(struct wput *, const void *, size_t);

/*
 * Reading: 0, or -1 when the bytes run out or a limit is crossed. A text of
 * less than `size` characters is borrowed; one that holds NUL is an error.
 */
struct wget {
	const uint8_t	*p, *end;
};

void	wget_init(struct wget *, const uint8_t *buf, size_t len);
int	wget_u8(struct wget *, uint8_t *);
int	wget_u16(struct wget *, uint16_t *);
int	wget_u32(struct wget *, uint32_t *);
int	wget_u64(struct wget *, uint64_t *);
int	wget_str(struct wget *, const char **, size_t size);
int	wget_blob(struct wget *, struct blob *, size_t max);
/* 0 when all has been read, else -1. */
int	wget_end(const struct wget *);

#endif
