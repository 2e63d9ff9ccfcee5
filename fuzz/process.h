/* SPDX-License-Identifier: ISC */
#ifndef FUZZ_PROCESS_H
#define FUZZ_PROCESS_H

#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/conf.h"

/*
 * One of relayd's programs inside a fuzz target, in place of
 * common/proc/proc.c: without user, root, sandbox and loop. The target includes
 * the program's main file with main() under another name, plays its neighbours
 * on socketpairs and turns its loop.
 */

/* Run its main() up to the loop; `configure` changes conf_init()'s settings. */
void	process_start(int (*main_)(int, char **), void (*configure)(struct conf *));
/* Our end of its channel to the parent. */
int	process_parent(void);
/* And, of who has one, to authd. */
int	process_authd(void);
/* Authd has ended, and another has come: process_authd() is its channel. */
void	process_renew(void);
/*
 * Do what is ready, in so many rounds of its loop, each with its end of turn.
 */
void	process_turn(int rounds);

/* Say this message on a channel; fd is closed. 0, or -1: it was not taken. */
int	process_say(int sock, uint32_t type, uint32_t id, int fd, const void *m);
/*
 * One packet: its type with fields in *m (good until the next); 0 none, -1 end.
 */
int	process_hear(int sock, struct imsg *m);

/* What a fuzzer's bytes are read with: at their end all are 0. */
struct take {
	const uint8_t	*p, *end;
};
uint8_t		 take_byte(struct take *);
uint64_t	 take_number(struct take *, int bytes);
/* Up to `len` bytes as they are there. */
const uint8_t	*take_bytes(struct take *, size_t len, size_t *got);

#endif
