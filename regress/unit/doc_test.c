/* SPDX-License-Identifier: ISC */
/* A document in chunks: what is announced against what comes. */
#include <string.h>

#include "imsg/doc.h"
#include "imsg/msg.h"
#include "regress/lib/tap.h"

/* What doc_say() sends. */
static struct {
	char	text[3 * CHUNK_MAX];
	size_t	len, chunks, longest;
} sent;

int
chan_say(struct chan *c, uint32_t type, uint32_t id, int fd, const void *m)
{
	const struct msg_doc_chunk	*chunk = m;

	(void)c;
	if (type != IMSG_DOC_CHUNK || id != 7 || fd != -1)
		return (-1);
	memcpy(sent.text + sent.len, chunk->bytes.p, chunk->bytes.len);
	sent.len += chunk->bytes.len;
	sent.chunks++;
	if (chunk->bytes.len > sent.longest)
		sent.longest = chunk->bytes.len;
	return (0);
}

static int
add(struct doc *d, const char *s)
{
	struct blob	b = { s, strlen(s) };

	return (doc_add(d, &b));
}

int
main(void)
{
	static char	text[2 * CHUNK_MAX + 1];
	struct doc	d = { .open = 0 };

	is_int(add(&d, "x"), -1, "nothing was announced");
	ok(!doc_is_whole(&d), "and nothing is whole");
	doc_begin(&d, 5, 1);
	ok(!doc_is_whole(&d), "announced");
	is_int(add(&d, "ab"), 0, "a part");
	is_int(add(&d, ""), -1, "a chunk of nothing");
	is_int(add(&d, "cdef"), -1, "more than announced");
	is_int(add(&d, "cde"), 0, "the rest");
	ok(doc_is_whole(&d) && memcmp(d.text, "abcde", 5) == 0, "whole");
	is_int(add(&d, "f"), -1, "and no more");
	doc_begin(&d, 3, 0);
	ok(d.text == NULL && add(&d, "abc") == 0 && doc_is_whole(&d),
	    "one that is only counted, after one that was kept");
	doc_begin(&d, 0, 1);
	ok(doc_is_whole(&d), "nothing is whole at once");
	doc_clear(&d);
	ok(!d.open && d.text == NULL && d.total == 0, "cleared");
	memset(text, 'q', sizeof(text));
	doc_say(NULL, 7, text, sizeof(text));
	ok(sent.chunks == 3 && sent.longest == CHUNK_MAX &&
	    sent.len == sizeof(text) &&
	    memcmp(sent.text, text, sizeof(text)) == 0, "said in chunks");
	doc_say(NULL, 7, text, 0);
	is_int((int)sent.chunks, 3, "nothing is nothing");
	return (done_testing());
}
