/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "doc.h"
#include "msg.h"

void
doc_begin(struct doc *d, size_t total, int keep)
{
	doc_clear(d);
	d->open = 1;
	d->total = total;
	if (keep && total > 0)
		d->text = malloc(total);
}

int
doc_add(struct doc *d, const struct blob *b)
{
	if (!d->open || b->len == 0 || b->len > d->total - d->got)
		return (-1);
	if (d->text != NULL)
		memcpy(d->text + d->got, b->p, b->len);
	d->got += b->len;
	return (0);
}

int
doc_is_whole(const struct doc *d)
{
	return (d->open && d->got == d->total);
}

void
doc_clear(struct doc *d)
{
	if (d->text != NULL)
		freezero(d->text, d->total);
	memset(d, 0, sizeof(*d));
}

void
doc_say(struct chan *c, uint32_t id, const void *text, size_t len)
{
	const char	*p = text;
	size_t		 n;

	for (; len > 0; len -= n, p += n) {
		n = len < CHUNK_MAX ? len : CHUNK_MAX;
		(void)say_doc_chunk(c, id, -1, &(struct msg_doc_chunk){
		    .bytes = { p, n } });
	}
}
