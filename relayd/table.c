/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define MAGIC		"relayd's table\n"	/* with its NUL: 16 bytes */
#define RECORD_MAX	8192			/* bytes of fields */

/* The fields of a type, behind them one without a name. */
#define FIELD(name, kind, max)						\
	{ #name, FIELD_##kind, offsetof(THIS, name), max, 0 },
#define U8(name)		FIELD(name, U8, 0)
#define U32(name)		FIELD(name, U32, 0)
#define U64(name)		FIELD(name, U64, 0)
#define STR(name, size)		FIELD(name, STR, size)
#define BLOB(name, max)		FIELD(name, BLOB, max)
#define T(NAME, name, list)						\
	case TABLE_##NAME: {						\
		typedef struct table_##name THIS;			\
		static const struct msg_field	fields[] = {		\
			list { "", FIELD_U8, sizeof(THIS), 0, 0 }	\
		};							\
									\
		return (fields);					\
	}

static const struct msg_field *
table_fields(unsigned type)
{
	switch (type) {
#include "table.def"
	}
	return (NULL);
}

static void *
record_body(struct table_record *r)
{
	return (&r->head);	/* all begin at the same place */
}

/* Room for so many more bytes: where, or NULL. */
static uint8_t *
put_room(struct table_put *t, size_t len)
{
	size_t	 cap = t->cap;
	uint8_t	*p;

	while (!t->failed && cap - t->len < len)
		cap = cap == 0 ? 65536 : cap * 2;
	if (t->failed || cap > TABLE_MAX ||
	    (p = realloc(t->p, cap)) == NULL) {
		t->failed = 1;
		return (NULL);
	}
	t->p = p;
	t->cap = cap;
	return (t->p + t->len);
}

/* Magic and versions, before the first record. */
static void
put_begin(struct table_put *t)
{
	uint8_t		*p;
	struct wput	 w;

	if (t->len > 0 || (p = put_room(t, sizeof(MAGIC) + 8)) == NULL)
		return;
	memcpy(p, MAGIC, sizeof(MAGIC));
	wput_init(&w, p + sizeof(MAGIC), 8);
	wput_u32(&w, TABLE_VERSION);
	wput_u32(&w, TABLE_OLDEST);
	t->len = sizeof(MAGIC) + 8;
}

void
table_add(struct table_put *t, const struct table_record *r)
{
	const struct msg_field	*f = table_fields(r->type);
	const uint8_t		*body = (const uint8_t *)&r->head;
	struct wput		 w, head;
	uint8_t			*p;

	put_begin(t);
	if ((p = put_room(t, 8 + RECORD_MAX)) == NULL)
		return;
	wput_init(&w, p + 8, RECORD_MAX);
	for (; f->name[0] != '\0'; f++)
		if (msg_put_field(&w, f, body + f->offset) == -1)
			t->failed = 1;
	wput_init(&head, p, 8);
	wput_u32(&head, r->type);
	wput_u32(&head, (uint32_t)w.len);
	t->len += 8 + w.len;
	t->n++;
	t->failed |= w.full || t->n >= TABLE_RECORDS;
}

int
table_end(struct table_put *t)
{
	uint8_t		*p;
	struct wput	 w;

	put_begin(t);
	if ((p = put_room(t, 8)) == NULL)
		return (-1);
	wput_init(&w, p, 8);
	wput_u32(&w, TABLE_END);
	wput_u32(&w, t->n);
	t->len += 8;
	return (0);
}

int
table_open(struct table_get *t, const uint8_t *p, size_t len,
    const char **why)
{
	struct wget	w;
	uint32_t	version, oldest;

	memset(t, 0, sizeof(*t));
	*why = "not a table";
	if (len < sizeof(MAGIC) || len > TABLE_MAX ||
	    memcmp(p, MAGIC, sizeof(MAGIC)) != 0)
		return (-1);
	wget_init(&w, p + sizeof(MAGIC), len - sizeof(MAGIC));
	if (wget_u32(&w, &version) == -1 || wget_u32(&w, &oldest) == -1 ||
	    version == 0 || oldest > version)
		return (-1);
	*why = "a table of a later kind";
	if (oldest > TABLE_VERSION)
		return (-1);
	t->p = w.p;
	t->end = w.end;
	return (0);
}

/* As many fields as there are; those of a later writer are left. */
static int
record_get(struct table_record *r, struct wget *w)
{
	const struct msg_field	*f = table_fields(r->type);
	uint8_t			*body = record_body(r);

	for (; f->name[0] != '\0'; f++) {
		if (f->kind == FIELD_STR)
			*(const char **)(void *)(body + f->offset) = "";
		if (w->p < w->end &&
		    msg_get_field(w, f, body + f->offset) == -1)
			return (-1);
	}
	return (0);
}

int
table_next(struct table_get *t, struct table_record *r, const char **why)
{
	struct wget	w, body;
	uint32_t	type, len;

	for (;;) {
		*why = "cut short";
		wget_init(&w, t->p, (size_t)(t->end - t->p));
		if (wget_u32(&w, &type) == -1 || wget_u32(&w, &len) == -1)
			return (-1);
		t->p = w.p;
		*why = "not as many records as it says";
		if (type == TABLE_END)
			return (len == t->n && t->p == t->end ? 0 : -1);
		*why = "a record that is cut short";
		if (len > (size_t)(t->end - t->p) || t->n >= TABLE_RECORDS)
			return (-1);
		wget_init(&body, t->p, len);
		t->p += len;
		t->n++;
		if (table_fields(type) == NULL)
			continue;
		memset(r, 0, sizeof(*r));
		r->type = (enum table_type)type;
		*why = "a record that is malformed";
		return (record_get(r, &body) == -1 ? -1 : 1);
	}
}
