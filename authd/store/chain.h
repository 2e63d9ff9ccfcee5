/* SPDX-License-Identifier: ISC */
#ifndef CHAIN_H
#define CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "store.h"

/*
 * The chains of the audit log: what is hashed, and whether everything that was
 * written is still there as it was written. Pure. doc/audit.md has it byte by
 * byte.
 */

/* What relayd writes into the chains about them, as actions. */
#define CHAIN_BEGIN	"audit_begin"	/* the first event of each */
#define CHAIN_PURGE	"audit_purge"	/* what stood before has gone */
/* How the second says up to which event, and its hash (hex). */
#define CHAIN_PURGE_TO	"up to %lld, hash %s"

/* One event to be appended, of which no more is said yet. */
void	chain_row(struct audit_row *, int chain, int64_t at, const char *action,
	    const char *outcome);

/* "done" or "refused". */
const char	*chain_word(int chain);

/* SHA-256 over all of the row but `hash` and `is_odd`. */
void	chain_hash(const struct audit_row *, uint8_t hash[AUDIT_HASH_SIZE]);
/* In hex, into HEX64_SIZE bytes; returns dst. */
char	*chain_hex(const uint8_t hash[AUDIT_HASH_SIZE], char dst[HEX64_SIZE]);

/* A walk along all chains, from the oldest event to the newest. */
#define CHAIN_HEADS	11	/* that may be asked after */

struct chain_end {
	int64_t	event, seq;		/* of the row before; seq 0: none */
	int64_t	at;
	uint8_t	hash[AUDIT_HASH_SIZE];
	int64_t	rows;
	char	name[CHAIN_NAME_SIZE];
	/* the oldest, if it is not the first there ever was */
	int64_t	first_event, first_seq, first_at;
	uint8_t	first_prev[AUDIT_HASH_SIZE];
	/* what the newest CHAIN_PURGE says */
	int64_t	purged_seq;
	uint8_t	purged_hash[AUDIT_HASH_SIZE];
};

struct chain_walk {
	struct chain_end end[CHAIN_COUNT];
	int64_t		 old;		/* rows from before the chains */
	int64_t		 last_event;
	/* what is wrong: the first of it, how often */
	int64_t		 bad_event;	/* 0: nothing */
	uint64_t	 bad;
	char		 why[MESSAGE_SIZE];
	/* hashes that were kept elsewhere */
	unsigned	 nheads;
	struct {
		uint8_t	hash[AUDIT_HASH_SIZE];
		int	is_there;
	} head[CHAIN_HEADS];
};

void	chain_walk_init(struct chain_walk *);
/* A hash that has to be there. 0; -1: it is none, or one too many. */
int	chain_walk_head(struct chain_walk *, const char *hex, size_t len);
/* The next row. */
void	chain_walk_row(struct chain_walk *, const struct audit_row *);
/*
 * That was the last one. 1: all is as it was written; 0: `why` says what not.
 */
int	chain_walk_end(struct chain_walk *);

#endif
