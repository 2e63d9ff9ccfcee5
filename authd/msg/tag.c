/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <string.h>

#include "tag.h"

#define TAG_DATA	(2 * UUID_SIZE + 16)

/* The mark of a tag's data, bound to the stream and its session. -1: no key. */
static int
tag_mark(const uint8_t *tag, uint64_t id, const char *session,
    const char *service, uint8_t mark[JWT_MARK_SIZE])
{
	uint8_t	text[TAG_DATA + 8 + UUID_SIZE + SERVICE_SIZE] = { 0 };

	memcpy(text, tag, TAG_DATA);
	memcpy(text + TAG_DATA, &id, 8);
	memcpy(text + TAG_DATA + 8, session, strlen(session));
	memcpy(text + TAG_DATA + 8 + UUID_SIZE, service, strlen(service));
	return (jwt_mark(text, sizeof(text), mark));
}

void
tag_make(const struct tag *t, uint64_t id, const char *session,
    const char *service, uint8_t bytes[TAG_SIZE])
{
	memset(bytes, 0, TAG_SIZE);
	memcpy(bytes, t->row, UUID_SIZE);
	memcpy(bytes + UUID_SIZE, &t->terminal, 8);
	memcpy(bytes + UUID_SIZE + 8, &t->expires, 8);
	memcpy(bytes + UUID_SIZE + 16, t->lender, UUID_SIZE);
	(void)tag_mark(bytes, id, session, service, bytes + TAG_DATA);
}

int
tag_read(const uint8_t *bytes, size_t len, uint64_t id, const char *session,
    const char *service, struct tag *t)
{
	uint8_t	mark[JWT_MARK_SIZE];

	if (len != TAG_SIZE ||
	    tag_mark(bytes, id, session, service, mark) == -1 ||
	    sodium_memcmp(mark, bytes + TAG_DATA, JWT_MARK_SIZE) != 0)
		return (-1);
	memcpy(t->row, bytes, UUID_SIZE);
	t->row[UUID_SIZE - 1] = '\0';
	memcpy(&t->terminal, bytes + UUID_SIZE, 8);
	memcpy(&t->expires, bytes + UUID_SIZE + 8, 8);
	memcpy(t->lender, bytes + UUID_SIZE + 16, UUID_SIZE);
	t->lender[UUID_SIZE - 1] = '\0';
	return (0);
}
