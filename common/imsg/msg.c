/* SPDX-License-Identifier: ISC */
/* msg.def as tables, and what walks them. */
#include <stdio.h>
#include <string.h>

#include "imsg.h"
#include "msg.h"
#include "proto.h"

/* The fields of a type, behind them one without a name. */
#define FIELD(name, kind, max, many)					\
	{ #name, FIELD_##kind, offsetof(THIS, name), max, many },
#define U8(name)		FIELD(name, U8, 0, 0)
#define U16(name)		FIELD(name, U16, 0, 0)
#define U32(name)		FIELD(name, U32, 0, 0)
#define U64(name)		FIELD(name, U64, 0, 0)
#define STR(name, size)		FIELD(name, STR, size, 0)
#define SECRET(name, size)	FIELD(name, SECRET, size, 0)
#define BLOB(name, max)		FIELD(name, BLOB, max, 0)
#define LIST(name, many, size)	FIELD(name, LIST, size, many)
#define M(NAME, name, carries, list)					\
	case IMSG_##NAME: {						\
		typedef struct msg_##name THIS;				\
		static const struct msg_field	table[] = {		\
			list { "", FIELD_U8, sizeof(THIS), 0, 0 }	\
		};							\
									\
		return (table);						\
	}
#define E(NAME, name)

const struct msg_field *
msg_fields(uint32_t type)
{
	static const struct msg_field	none = { "", FIELD_U8, 0, 0, 0 };

	switch (type) {
#include "msg.def"
	}
	return (&none);
}

#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef SECRET
#undef BLOB
#undef LIST
#undef M
#undef E

/* The shortest and the longest, as sums that the compiler makes. */
#define U8(name)		+ 1
#define U16(name)		+ 2
#define U32(name)		+ 4
#define U64(name)		+ 8
#define STR(name, size)		+ WIRE_STR
#define SECRET(name, size)	+ WIRE_STR
#define BLOB(name, max)		+ WIRE_BLOB
#define LIST(name, many, size)	+ 1
#define M(NAME, name, carries, fields)	name##_min = 0 fields,
#define E(NAME, name)			name##_min = 0,
enum {
#include "msg.def"
};
#undef STR
#undef SECRET
#undef BLOB
#undef LIST
#undef M
#undef E
#define STR(name, size)		+ WIRE_STR + (size) - 1
#define SECRET(name, size)	+ WIRE_STR + (size) - 1
#define BLOB(name, max)		+ WIRE_BLOB + (max)
#define LIST(name, many, size)	+ 1 + (many) * (WIRE_STR + (size) - 1)
#define M(NAME, name, carries, fields)	name##_max = 0 fields,
#define E(NAME, name)			name##_max = 0,
enum {
#include "msg.def"
};
#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef SECRET
#undef BLOB
#undef LIST
#undef M
#undef E

#define PAYLOAD_MAX	(IMSG_MAX - IMSG_HDR)

static const struct msg_info infos[IMSG_COUNT] = {
#define M(NAME, name, carries, fields)					\
	[IMSG_##NAME] = { #NAME, CARRIES_##carries, name##_min,		\
	    name##_max < PAYLOAD_MAX ? name##_max : PAYLOAD_MAX },
#define E(NAME, name)							\
	[IMSG_##NAME] = { #NAME, CARRIES_NOTHING, 0, 0 },
#include "msg.def"
#undef M
#undef E
};

const struct msg_info *
msg_info(uint32_t type)
{
	return (type > IMSG_NONE && type < IMSG_COUNT ? &infos[type] : NULL);
}

/* A field's place in the struct. */
static const void *
place(const struct msg_field *f, const void *m)
{
	return ((const uint8_t *)m + f->offset);
}

static int
put_text(struct wput *w, const char *s, size_t max)
{
	if (s != NULL && strnlen(s, max) == max)
		return (-1);
	wput_str(w, s);
	return (0);
}

static int
put_list(struct wput *w, const struct msg_list *l, const struct msg_field *f)
{
	uint32_t	i;

	if (l->n > f->many)
		return (-1);
	wput_u8(w, (uint8_t)l->n);
	for (i = 0; i < l->n; i++)
		if (put_text(w, l->v[i], f->max) == -1)
			return (-1);
	return (0);
}

int
msg_put_field(struct wput *w, const struct msg_field *f, const void *p)
{
	const struct blob	*b;

	switch (f->kind) {
	case FIELD_U8:
		wput_u8(w, *(const uint8_t *)p);
		return (0);
	case FIELD_U16:
		wput_u16(w, *(const uint16_t *)p);
		return (0);
	case FIELD_U32:
		wput_u32(w, *(const uint32_t *)p);
		return (0);
	case FIELD_U64:
		wput_u64(w, *(const uint64_t *)p);
		return (0);
	case FIELD_STR:
	case FIELD_SECRET:
		return (put_text(w, *(const char *const *)p, f->max));
	case FIELD_BLOB:
		b = p;
		if (b->len > f->max)
			return (-1);
		wput_blob(w, b->p, b->len);
		return (0);
	case FIELD_LIST:
		return (put_list(w, p, f));
	}
	return (-1);
}

long
msg_put(uint32_t type, const void *m, uint8_t *buf, size_t size)
{
	return (msg_put_as(0, type, m, buf, size));
}

long
msg_put_as(unsigned protocol, uint32_t type, const void *m, uint8_t *buf,
    size_t size)
{
	const struct msg_info	*info = msg_info(type);
	const struct msg_field	*f;
	struct wput		 w;

	if (info == NULL)
		return (-1);
	wput_init(&w, buf, buf == NULL ? PAYLOAD_MAX : size);
	for (f = msg_fields(type); f->name[0] != '\0'; f++)
		if (proto_has(protocol, type, f->offset) &&
		    msg_put_field(&w, f, place(f, m)) == -1)
			return (-1);
	return (w.full ? -1 : (long)w.len);
}

static int
get_list(struct wget *w, struct msg_list *l, const struct msg_field *f)
{
	uint8_t		n;
	uint32_t	i;

	if (wget_u8(w, &n) == -1 || n > f->many)
		return (-1);
	l->n = n;
	for (i = 0; i < l->n; i++)
		if (wget_str(w, &l->v[i], f->max) == -1)
			return (-1);
	return (0);
}

int
msg_get_field(struct wget *w, const struct msg_field *f, void *p)
{
	switch (f->kind) {
	case FIELD_U8:
		return (wget_u8(w, p));
	case FIELD_U16:
		return (wget_u16(w, p));
	case FIELD_U32:
		return (wget_u32(w, p));
	case FIELD_U64:
		return (wget_u64(w, p));
	case FIELD_STR:
	case FIELD_SECRET:
		return (wget_str(w, p, f->max));
	case FIELD_BLOB:
		return (wget_blob(w, p, f->max));
	case FIELD_LIST:
		return (get_list(w, p, f));
	}
	return (-1);
}

/* Nothing, in a field that did not come. */
static void
clear_field(const struct msg_field *f, void *p)
{
	switch (f->kind) {
	case FIELD_U8:
		*(uint8_t *)p = 0;
		break;
	case FIELD_U16:
		*(uint16_t *)p = 0;
		break;
	case FIELD_U32:
		*(uint32_t *)p = 0;
		break;
	case FIELD_U64:
		*(uint64_t *)p = 0;
		break;
	case FIELD_STR:
	case FIELD_SECRET:
		*(const char **)p = "";
		break;
	case FIELD_BLOB:
		*(struct blob *)p = (struct blob){ "", 0 };
		break;
	case FIELD_LIST:
		((struct msg_list *)p)->n = 0;
		break;
	}
}

int
msg_get(uint32_t type, const uint8_t *buf, size_t len, void *m)
{
	return (msg_get_as(0, type, buf, len, m));
}

int
msg_get_as(unsigned protocol, uint32_t type, const uint8_t *buf, size_t len,
    void *m)
{
	const struct msg_info	*info = msg_info(type);
	const struct msg_field	*f;
	struct wget		 w;

	if (info == NULL)
		return (-1);
	wget_init(&w, buf, len);
	for (f = msg_fields(type); f->name[0] != '\0'; f++)
		if (!proto_has(protocol, type, f->offset))
			clear_field(f, (uint8_t *)m + f->offset);
		else if (msg_get_field(&w, f, (uint8_t *)m + f->offset) == -1)
			return (-1);
	return (wget_end(&w));
}

int
imsg_get(const struct imsg *im, uint32_t type, void *m)
{
	if (im->type != type)
		return (-1);
	return (msg_get_as(im->protocol, type, im->p,
	    (size_t)(im->end - im->p), m));
}

/* One field for people; what is secret or bytes is only counted. */
static void
print_field(const struct msg_field *f, const void *p, char *dst, size_t size)
{
	const char	*s;

	switch (f->kind) {
	case FIELD_U8:
		snprintf(dst, size, "%u", (unsigned)*(const uint8_t *)p);
		break;
	case FIELD_U16:
		snprintf(dst, size, "%u", (unsigned)*(const uint16_t *)p);
		break;
	case FIELD_U32:
		snprintf(dst, size, "%lu",
		    (unsigned long)*(const uint32_t *)p);
		break;
	case FIELD_U64:
		snprintf(dst, size, "%llu",
		    (unsigned long long)*(const uint64_t *)p);
		break;
	case FIELD_STR:
		s = *(const char *const *)p;
		snprintf(dst, size, "%s", s != NULL ? s : "");
		break;
	case FIELD_SECRET:
		s = *(const char *const *)p;
		snprintf(dst, size, "(%zu bytes)", s != NULL ? strlen(s) : 0);
		break;
	case FIELD_BLOB:
		snprintf(dst, size, "(%zu bytes)",
		    ((const struct blob *)p)->len);
		break;
	case FIELD_LIST:
		snprintf(dst, size, "(%lu texts)",
		    (unsigned long)((const struct msg_list *)p)->n);
		break;
	}
}

void
msg_print(uint32_t type, const void *m, char *dst, size_t size)
{
	const struct msg_info	*info = msg_info(type);
	const struct msg_field	*f;
	char			 text[256];
	size_t			 n = 0;
	int			 r;

	if (size == 0)
		return;
	dst[0] = '\0';
	if (info == NULL)
		return;
	for (f = msg_fields(type); f->name[0] != '\0' && n < size; f++) {
		print_field(f, place(f, m), text, sizeof(text));
		r = snprintf(dst + n, size - n, "%s%s=%s", n > 0 ? " " : "",
		    f->name, text);
		if (r < 0)
			return;
		n += (size_t)r;
	}
}

const char *
imsg_name(uint32_t type)
{
	const struct msg_info	*info = msg_info(type);

	return (info != NULL ? info->name :
	    type == IMSG_NONE ? "NONE" : "UNKNOWN");
}

const char *
end_reason_name(unsigned reason)
{
	static const char *const	names[END_COUNT] = { "finished",
	    "closed by the operator", "reset by the client",
	    "refused by the client", "no answer in time", "tunnel lost",
	    "session over", "grant over", "limit reached" };

	return (reason < END_COUNT ? names[reason] : "unknown");
}
