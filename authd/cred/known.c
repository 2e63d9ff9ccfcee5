/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/index.h"
#include "known.h"
#include "secret.h"

#define GOOD_MAX	8000
#define BAD_MAX		2000	/* of their own: who tries keys pushes out his */
#define FORGOT_MAX	1000	/* keys, the last of them */
#define GOOD_MS		(24 * 3600 * 1000)
#define BAD_MS		60000

enum kind { GOOD, BAD, FORGOT, KINDS };

struct entry {
	struct link		 link;		/* by key */
	TAILQ_ENTRY(entry)	 entry;		/* of its kind, oldest first */
	enum kind		 kind;
	uint64_t		 until_ms;
	uint64_t		 mark;		/* forgot: when */
	char			 key[SYSKEY_SIZE], hash[HEX64_SIZE];
	char			 id[ID_SIZE];
};
TAILQ_HEAD(entries, entry);

static struct {
	struct index	by_key;
	uint64_t	mark, lost;	/* the last; of what is not known any more */
	struct entries	queue[KINDS];
	unsigned	n[KINDS];
} known = { .queue = { TAILQ_HEAD_INITIALIZER(known.queue[GOOD]),
    TAILQ_HEAD_INITIALIZER(known.queue[BAD]),
    TAILQ_HEAD_INITIALIZER(known.queue[FORGOT]) } };

unsigned
known_count(void)
{
	return (known.n[GOOD] + known.n[BAD]);
}

static void
entry_free(struct entry *e)
{
	index_del(&known.by_key, &e->link);
	TAILQ_REMOVE(&known.queue[e->kind], e, entry);
	known.n[e->kind]--;
	freezero(e, sizeof(*e));
}

/* Of the key, and where `hash` is given with it; forgotten ones have "". */
static struct entry *
entry_find(const char *key, const char *hash)
{
	struct link	*l;
	struct entry	*e;

	for (l = index_find(&known.by_key, index_key(key)); l != NULL;
	    l = index_next(l)) {
		e = OWNER(l, struct entry, link);
		if (strcmp(e->key, key) == 0 &&
		    (hash == NULL || sodium_memcmp(e->hash, hash,
		    sizeof(e->hash)) == 0))
			return (e);
	}
	return (NULL);
}

static struct entry *
entry_new(enum kind kind, const char *key, const char *hash)
{
	static const unsigned	 max[KINDS] = { GOOD_MAX, BAD_MAX,
	    FORGOT_MAX };
	struct entry		*e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return (NULL);
	if (known.n[kind] == max[kind]) {
		if (kind == FORGOT)
			known.lost = TAILQ_FIRST(&known.queue[kind])->mark;
		entry_free(TAILQ_FIRST(&known.queue[kind]));
	}
	e->kind = kind;
	strlcpy(e->key, key, sizeof(e->key));
	strlcpy(e->hash, hash, sizeof(e->hash));
	index_add(&known.by_key, &e->link, index_key(key));
	TAILQ_INSERT_TAIL(&known.queue[kind], e, entry);
	known.n[kind]++;
	return (e);
}

/* The hash as it is compared: all of its bytes are set. */
static void
hash_of(const char *secret, char hash[HEX64_SIZE])
{
	memset(hash, 0, HEX64_SIZE);
	if (secret != NULL)
		secret_hash(secret, hash);
}

enum known
known_find(const char *key, const char *secret, uint64_t now_ms,
    char id[ID_SIZE])
{
	char		 hash[HEX64_SIZE];
	struct entry	*e;

	hash_of(secret, hash);
	if ((e = entry_find(key, hash)) == NULL)
		return (KNOWN_NOT);
	if (e->until_ms <= now_ms) {
		entry_free(e);
		return (KNOWN_NOT);
	}
	strlcpy(id, e->id, ID_SIZE);
	return (e->kind == GOOD ? KNOWN_GOOD : KNOWN_BAD);
}

uint64_t
known_mark(void)
{
	return (known.mark);
}

int
known_forgot(const char *key, uint64_t mark)
{
	char		 none[HEX64_SIZE];
	struct entry	*e;

	hash_of(NULL, none);
	e = entry_find(key, none);
	return (mark < known.lost || (e != NULL && e->mark > mark));
}

void
known_put(const char *key, const char *secret, const char *id, uint64_t mark,
    uint64_t now_ms)
{
	char		 hash[HEX64_SIZE];
	struct entry	*e;

	if (known_forgot(key, mark))
		return;
	hash_of(secret, hash);
	if ((e = entry_find(key, hash)) != NULL)
		entry_free(e);
	if ((e = entry_new(id != NULL ? GOOD : BAD, key, hash)) == NULL)
		return;
	e->until_ms = now_ms + BAD_MS;
	if (id != NULL) {
		e->until_ms = now_ms + GOOD_MS - GOOD_MS / 4 +
		    randombytes_uniform(GOOD_MS / 2 + 1);
		strlcpy(e->id, id, sizeof(e->id));
	}
}

void
known_forget(const char *key)
{
	char		 none[HEX64_SIZE];
	struct entry	*e;

	while ((e = entry_find(key, NULL)) != NULL)
		entry_free(e);
	hash_of(NULL, none);
	known.mark++;
	if ((e = entry_new(FORGOT, key, none)) != NULL)
		e->mark = known.mark;
	else
		known.lost = known.mark;
}

void
known_forget_all(void)
{
	known_clear();
	known.lost = ++known.mark;
}

void
known_clear(void)
{
	struct entry	*e;
	int		 kind;

	for (kind = GOOD; kind < KINDS; kind++)
		while ((e = TAILQ_FIRST(&known.queue[kind])) != NULL)
			entry_free(e);
}
