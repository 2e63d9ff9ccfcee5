/* SPDX-License-Identifier: ISC */
/* msg.def: every type at its least and its most, and every field's limit. */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "regress/lib/tap.h"

#define STRUCT_MAX	4096

static uint8_t	bytes[IMSG_MAX], back[IMSG_MAX];
static unsigned	seeds;
static char	longest[CTL_CELL_SIZE + 1];

/* Fill a field with its least or most; `over`: beyond, -1: below. */
static void
fill(const struct msg_field *f, uint8_t *m, int most, int over)
{
	const char	*s = most ? longest + CTL_CELL_SIZE -
	    (f->max - 1) - (size_t)(ptrdiff_t)over : "";
	struct blob	 b = { bytes, most ? f->max + (size_t)(ptrdiff_t)over : 0 };
	struct msg_list	*l = (void *)(m + f->offset);
	uint32_t	 i;

	switch (f->kind) {
	case FIELD_STR:
	case FIELD_SECRET:
		memcpy(m + f->offset, &s, sizeof(s));
		break;
	case FIELD_BLOB:
		memcpy(m + f->offset, &b, sizeof(b));
		break;
	case FIELD_LIST:
		l->n = most ? (uint32_t)f->many : 0;
		for (i = 0; i < l->n; i++)
			l->v[i] = f->max > 600 ? "x" : s;
		break;
	default:
		break;
	}
}

static void
each_type(uint32_t type)
{
	static uint8_t		 m[STRUCT_MAX], n[STRUCT_MAX];
	const struct msg_info	*info = msg_info(type);
	const struct msg_field	*f, *g;
	long			 least, most;
	int			 wrong = 0;

	memset(m, 0, sizeof(m));
	memset(n, 0, sizeof(n));
	for (f = msg_fields(type); f->name[0] != '\0'; f++)
		fill(f, m, 0, 0);
	least = msg_put(type, m, back, sizeof(back));
	is_int(least, (long)info->min, "%s: the least", info->name);
	ok(msg_get(type, back, (size_t)least, n) == 0, "%s: is understood",
	    info->name);
	ok(least == 0 || (msg_get(type, back, (size_t)least - 1, n) == -1 &&
	    msg_put(type, m, back, (size_t)least - 1) == -1),
	    "%s: a byte less is not, nor fits", info->name);
	ok(msg_get(type, back, (size_t)least + 1, n) == -1,
	    "%s: a byte more is not", info->name);
	for (f = msg_fields(type); f->name[0] != '\0'; f++)
		fill(f, m, 1, 0);
	most = msg_put(type, m, back, sizeof(back));
	ok(most >= least && most <= (long)info->max && (type == IMSG_CTL_ROW ||
	    most == (long)info->max), "%s: the most: %ld of %u", info->name,
	    most, info->max);
	ok(msg_get(type, back, (size_t)most, n) == 0, "%s: is understood",
	    info->name);
	for (f = msg_fields(type); f->name[0] != '\0'; f++) {
		if (f->kind < FIELD_STR || f->kind == FIELD_LIST)
			continue;
		for (g = msg_fields(type); g->name[0] != '\0'; g++)
			fill(g, m, f == g, f == g);
		wrong += msg_put(type, m, back, sizeof(back)) != -1;
	}
	is_int(wrong, 0, "%s: no field goes beyond its limit", info->name);
}

/*
 * Every field at its most, and texts and blobs one below: what was put comes.
 */
static void
comes_back(uint32_t type, int below)
{
	static uint8_t		 m[STRUCT_MAX], n[STRUCT_MAX];
	static uint8_t		 again[IMSG_MAX];
	const struct msg_info	*info = msg_info(type);
	const struct msg_field	*f;
	long			 len;

	memset(m, 0, sizeof(m));
	for (f = msg_fields(type); f->name[0] != '\0'; f++) {
		fill(f, m, 1, -below);
		if (f->kind < FIELD_STR)
			memset(m + f->offset, 0xff - below, 1U << f->kind);
	}
	memset(n, 0x55, sizeof(n));
	len = msg_put(type, m, back, sizeof(back));
	ok(len >= 0 && msg_get(type, back, (size_t)len, n) == 0 &&
	    msg_put(type, n, again, sizeof(again)) == len &&
	    memcmp(again, back, (size_t)len) == 0 &&
	    (msg_fields(type)->kind >= FIELD_STR || info->min == 0 ||
	    memcmp(m, n, 1U << msg_fields(type)->kind) == 0),
	    "%s: %s comes back", info->name, below ? "one below its limits" :
	    "what is at its limits");
}

/* A text of a list: one below its limit, at it, above. */
static void
list_texts(void)
{
	struct msg_ctl	m = { .words.n = 1 }, n;
	size_t		room;
	long		len;

	for (room = CTL_WORD_SIZE - 2; room < CTL_WORD_SIZE; room++) {
		m.words.v[0] = longest + CTL_CELL_SIZE - room;
		len = msg_put(IMSG_CTL, &m, back, sizeof(back));
		ok(len > 0 && msg_get(IMSG_CTL, back, (size_t)len, &n) == 0 &&
		    strlen(n.words.v[0]) == room, "a word of %zu bytes", room);
	}
	m.words.v[0] = longest + CTL_CELL_SIZE - room;
	is_int(msg_put(IMSG_CTL, &m, back, sizeof(back)), -1,
	    "one of %zu is not put", room);
}

/* The integers as bytes: the host's order, and no less than there are. */
static void
integers(void)
{
	static const uint64_t	v[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff,
	    0x10000, 0xffffffff, 0x100000000, UINT64_MAX };
	struct wput		 p;
	struct wget		 g;
	uint8_t			 buf[15], u8;
	uint16_t		 u16;
	uint32_t		 u32;
	uint64_t		 u64;
	size_t			 i;
	int			 wrong = 0;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		wput_init(&p, buf, sizeof(buf));
		wput_u8(&p, (uint8_t)v[i]);
		wput_u16(&p, (uint16_t)v[i]);
		wput_u32(&p, (uint32_t)v[i]);
		wput_u64(&p, v[i]);
		wget_init(&g, buf, p.len);
		wrong += p.full || p.len != 15 || wget_u8(&g, &u8) == -1 ||
		    wget_u16(&g, &u16) == -1 || wget_u32(&g, &u32) == -1 ||
		    wget_u64(&g, &u64) == -1 || wget_end(&g) == -1 ||
		    u8 != (uint8_t)v[i] || u16 != (uint16_t)v[i] ||
		    u32 != (uint32_t)v[i] || u64 != v[i];
	}
	is_int(wrong, 0, "integers come back");
	wput_u8(&p, 1);
	ok(p.full && p.len == 15, "a full buffer takes no more, and says so");
	wget_init(&g, buf, 7);
	ok(wget_u64(&g, &u64) == -1 && wget_u32(&g, &u32) == 0 &&
	    wget_u32(&g, &u32) == -1 && wget_u16(&g, &u16) == 0 &&
	    wget_u16(&g, &u16) == -1 && wget_u8(&g, &u8) == 0 &&
	    wget_u8(&g, &u8) == -1 && wget_end(&g) == 0,
	    "what is not there whole is not taken, the rest is");
}

static void
lists(void)
{
	struct msg_ctl	m = { .op = 7 }, n;
	long		len;
	uint32_t	i;

	for (i = 0; i < CTL_ARGS_MAX; i++)
		m.words.v[m.words.n++] = "word";
	len = msg_put(IMSG_CTL, &m, back, sizeof(back));
	ok(len > 0 && msg_get(IMSG_CTL, back, (size_t)len, &n) == 0 &&
	    n.words.n == CTL_ARGS_MAX && n.op == 7, "a full list");
	is_str(n.words.v[CTL_ARGS_MAX - 1], "word", "its last text");
	m.words.v[m.words.n++] = "one more";
	is_int(msg_put(IMSG_CTL, &m, back, sizeof(back)), -1,
	    "one text more is not put");
	back[11] = CTL_ARGS_MAX + 1;
	is_int(msg_get(IMSG_CTL, back, (size_t)len, &n), -1, "nor taken");
}

static void
texts(void)
{
	struct msg_grant	m = { .token = "abcdefghijkl", .slug = NULL,
	    .addr = "192.0.2.1" }, n;
	char			text[128], small[12];
	long			len;

	len = msg_put(IMSG_GRANT, &m, back, sizeof(back));
	ok(len > 0 && msg_get(IMSG_GRANT, back, (size_t)len, &n) == 0 &&
	    n.slug[0] == '\0', "no text is an empty one");
	msg_print(IMSG_GRANT, &n, text, sizeof(text));
	is_str(text, "token=(12 bytes) slug= addr=192.0.2.1 service= request= "
	    "bearer=0 sibling=",
	    "printed, but for the secret");
	msg_print(IMSG_GRANT, &n, small, sizeof(small));
	is_str(small, "token=(12 b", "cut to what there is room for");
	back[4 + 12] = 'x';
	is_int(msg_get(IMSG_GRANT, back, (size_t)len, &n), -1,
	    "a text without its NUL");
	back[4 + 12] = 0;
	back[6] = 0;
	is_int(msg_get(IMSG_GRANT, back, (size_t)len, &n), -1,
	    "a text with NUL inside");
	ok(msg_info(IMSG_NONE) == NULL && msg_info(IMSG_COUNT) == NULL &&
	    msg_put(IMSG_COUNT, &m, back, sizeof(back)) == -1 &&
	    msg_get(IMSG_NONE, back, 0, &n) == -1, "no such type");
	is_str(imsg_name(IMSG_COUNT + 1), "UNKNOWN", "nor name");
}

static int
nothing(struct chan *c, struct imsg *m)
{
	(void)c;
	(void)m;
	return (0);
}

static void
tables(void)
{
	static struct dispatch	many[ROWS_MAX + 1];
	struct dispatch		row = { IMSG_STOP, 1, S_ANY, 0, nothing };
	struct dispatch		two[2] = { row, row };
	size_t			i;

	is_str(imsg_table(&row, 1), NULL, "a good row");
	row.fn = NULL;
	ok(imsg_table(&row, 1) != NULL, "no handler");
	row.flags = MF_ANSWER;
	is_str(imsg_table(&row, 1), NULL, "an answer needs none");
	row.fn = nothing;
	ok(imsg_table(&row, 1) != NULL, "and has none");
	row.flags = 0;
	row.type = IMSG_COUNT;
	ok(imsg_table(&row, 1) != NULL, "no such type");
	ok(imsg_table(two, 2) != NULL, "one message, two rows");
	two[0].states = S(1);
	two[1].states = S(2);
	is_str(imsg_table(two, 2), NULL, "in different states");
	for (i = 0; i <= ROWS_MAX; i++) {
		many[i] = two[0];
		many[i].type = (uint32_t)(1 + i % (IMSG_COUNT - 1));
		many[i].states = S(i / (IMSG_COUNT - 1));
	}
	is_str(imsg_table(many, ROWS_MAX), NULL, "as many rows as may be");
	ok(imsg_table(many, ROWS_MAX + 1) != NULL, "one more");
}

/* A row at the far end of the longest table may still be sent once only. */
static void
once(void)
{
	static struct dispatch	 t[ROWS_MAX];
	struct imsg		 m = { .type = IMSG_STOP, .fd = -1 };
	const char		*why;
	uint64_t		 seen = 0;
	size_t			 i;

	for (i = 0; i < ROWS_MAX; i++)
		t[i] = (struct dispatch){ IMSG_UP, 1U << ROLE_MUXD, S_ANY, 0,
		    nothing };
	t[ROWS_MAX - 1] = (struct dispatch){ IMSG_STOP, 1U << ROLE_PARENT,
	    S_ANY, MF_ONCE, nothing };
	m.p = m.end = bytes;
	ok(imsg_check(&m, t, ROWS_MAX, ROLE_PARENT, 0, &seen, &why) != NULL,
	    "the last row of the longest table, once");
	ok(imsg_check(&m, t, ROWS_MAX, ROLE_PARENT, 0, &seen, &why) == NULL,
	    "twice: %s", why);
}

/*
 * The seed of a type in fuzz/corpus/imsg is one that it takes: eight bytes for
 * the fuzz target, the header, the fields.
 */
static void
seed(uint32_t type)
{
	static uint8_t	 m[STRUCT_MAX];
	const char	*src = getenv("RELAYD_SRC"), *reason;
	char		 path[1024], word[32];
	struct imsg	 in = { .fd = -1 };
	size_t		 len, i;
	FILE		*f;

	for (i = 0; (word[i] = (char)tolower(
	    (unsigned char)msg_info(type)->name[i])) != '\0'; i++)
		;
	snprintf(path, sizeof(path), "%s/fuzz/corpus/imsg/%s", src != NULL ?
	    src : ".", word);
	if ((f = fopen(path, "r")) == NULL)
		return;
	len = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	ok(len > 8 && imsg_parse(&in, bytes + 8, len - 8, &reason) == 0 &&
	    in.type == type && msg_get(type, in.p, (size_t)(in.end - in.p),
	    m) == 0, "%s: its seed for the fuzzer is one", word);
	seeds++;
}

int
main(void)
{
	uint32_t	type;

	memset(longest, 'x', sizeof(longest) - 1);
	for (type = IMSG_NONE + 1; type < IMSG_COUNT; type++)
		each_type(type);
	for (type = IMSG_NONE + 1; type < IMSG_COUNT; type++) {
		comes_back(type, 0);
		comes_back(type, 1);
	}
	for (type = IMSG_NONE + 1; type < IMSG_COUNT; type++)
		seed(type);
	ok(seeds > 30, "seeds: %u", seeds);
	integers();
	list_texts();
	lists();
	texts();
	tables();
	once();
	return (done_testing());
}
