/* SPDX-License-Identifier: ISC */
#ifndef NAMED_H
#define NAMED_H

#include <stddef.h>
#include <stdint.h>

#include "authd/core/penalty.h"

/*
 * Attempts per address. Whose a connection is, its proxyd says, and a broken
 * one could name whom it likes: so each proxyd has counters of its own, and of
 * what another counts only its share of the limit holds here. An address that
 * one proxyd has shut out keeps the rest of its attempts at the others. What a
 * proxyd counted is forgotten with it. messages.md, section 5.
 */
enum named { NAMED_TUNNEL, NAMED_FAILED, NAMED_REGISTER, NAMED_SIGN_IN,
    NAMED_STRAY, NAMED_KINDS };

/* 0, or -1: out of memory. */
int		named_came(uint64_t proxyd);
void		named_gone(uint64_t proxyd);
/* How many there are; at least 1. */
unsigned	named_proxyds(void);

/* As rate_hit() and rate_peek(). A proxyd that has gone counts nothing. */
int		named_hit(enum named, uint64_t proxyd, const char *key,
		    uint64_t limit, uint64_t window_ms, uint32_t *retry_s);
int		named_peek(enum named, uint64_t proxyd, const char *key,
		    uint64_t limit, uint32_t *retry_s);

/*
 * An address that nobody knows tries something of which it may so many: 0, or
 * -1: too many, or it is shut out.
 */
int		named_try(enum named, uint64_t proxyd, const char *addr);

/*
 * Penalties, in the same manner: an address is shut out at a proxyd that it has
 * offended itself, and what others say makes it so no earlier than their share
 * of `penalty min`. A trusted proxy and the networks of `penalty exempt` have
 * none, and what is no address neither.
 */
void		named_offence(uint64_t proxyd, const char *addr,
		    enum penalty_cause);
/* The seconds that this address has to wait yet; 0: it may. */
uint32_t	named_shut_out(uint64_t proxyd, const char *addr);
/* Forget an address at all proxyds, NULL: all of them; how many there were. */
size_t		named_forgive(const struct addr *);
/* What each proxyd has, one after the other; for `show penalties`. */
/* How many that is. */
size_t		named_penalty_count(void);
void		named_penalties(void (*)(uint64_t proxyd,
		    const struct penalty *, void *), void *arg);

#endif
