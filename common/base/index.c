/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <string.h>

#include "compat.h"
#include "index.h"

static uint8_t	sip_key[crypto_shorthash_KEYBYTES];

void
index_init(void)
{
	crypto_shorthash_keygen(sip_key);
}

static uint64_t
hash(const void *p, size_t len)
{
	uint8_t		out[crypto_shorthash_BYTES];
	uint64_t	key;

	crypto_shorthash(out, p, len, sip_key);
	memcpy(&key, out, sizeof(key));
	return (key);
}

uint64_t
index_key(const char *s)
{
	return (hash(s, strlen(s)));
}

uint64_t
index_key2(const char *a, const char *b)
{
	uint64_t	both[2] = { index_key(a), index_key(b) };

	return (hash(both, sizeof(both)));
}

static size_t
bucket_of(uint64_t key)
{
	return ((size_t)((key * 0x9e3779b97f4a7c15ULL) >> 51));
}

void
index_add(struct index *ix, struct link *l, uint64_t key)
{
	size_t	b = bucket_of(key);

	l->key = key;
	l->next = ix->bucket[b];
	ix->bucket[b] = l;
	ix->count++;
}

void
index_del(struct index *ix, struct link *l)
{
	struct link	**pp = &ix->bucket[bucket_of(l->key)];

	while (*pp != l)
		pp = &(*pp)->next;
	*pp = l->next;
	l->next = NULL;
	ix->count--;
}

struct link *
index_find(const struct index *ix, uint64_t key)
{
	struct link	*l;

	for (l = ix->bucket[bucket_of(key)]; l != NULL; l = l->next)
		if (l->key == key)
			break;
	return (l);
}

struct link *
index_next(const struct link *l)
{
	uint64_t	key = l->key;
	struct link	*n;

	for (n = l->next; n != NULL; n = n->next)
		if (n->key == key)
			break;
	return (n);
}
