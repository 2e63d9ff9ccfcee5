/* SPDX-License-Identifier: ISC */
/*
 * One packet of any type, and the settings blob inside CONF: nothing reads
 * past the end, what was understood is put back byte for byte, and no secret
 * is printed.
 */
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/conf.h"
#include "fuzz.h"

#define STRUCT_MAX	4096	/* bytes of the largest struct msg_* */

static int
nothing(struct chan *c, struct imsg *m)
{
	(void)c;
	(void)m;
	return (0);
}

static const struct dispatch	table[] = {
	{ IMSG_CONF, R_PARENT, S_ANY, 0, nothing },
	{ IMSG_CTL, R_PARENT, S_ANY, MF_REQUEST, nothing },
	{ IMSG_GIVE, R_PARENT, S(1), MF_ONCE, nothing },
};

/* What is printed does not depend on what a secret is, only on its length. */
static void
printed(uint32_t type, uint8_t *m)
{
	static char		 other[IMSG_MAX];
	const struct msg_field	*f;
	const char		*s;
	char			 text[2048], again[2048];

	msg_print(type, m, text, sizeof(text));
	memset(other, '#', sizeof(other) - 1);
	for (f = msg_fields(type); f->name[0] != '\0'; f++) {
		if (f->kind != FIELD_SECRET)
			continue;
		memcpy(&s, m + f->offset, sizeof(s));
		s = other + sizeof(other) - 1 - strlen(s);
		memcpy(m + f->offset, &s, sizeof(s));
	}
	msg_print(type, m, again, sizeof(again));
	if (strcmp(text, again) != 0)
		abort();
}

/* What msg_get() takes, msg_put() gives back. */
static void
walk(uint32_t type, const uint8_t *p, size_t len)
{
	static uint8_t	m[STRUCT_MAX], back[IMSG_MAX];

	if (msg_info(type) == NULL || msg_get(type, p, len, m) == -1)
		return;
	if (len < msg_info(type)->min || len > msg_info(type)->max)
		abort();
	if (msg_put(type, m, NULL, 0) != (long)len ||
	    msg_put(type, m, back, sizeof(back)) != (long)len ||
	    memcmp(back, p, len) != 0)
		abort();
	if (len > 0 && msg_put(type, m, back, len - 1) != -1)
		abort();
	printed(type, m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf	 c;
	const struct dispatch	*d;
	const char		*reason;
	struct imsg		 m = { .fd = -1 };
	struct msg_conf		 conf;
	uint64_t		 seen = 0;
	uint32_t		 type;
	int			 role;

	if (size < 8 || imsg_parse(&m, data + 8, size - 8, &reason) == -1)
		return (0);
	d = imsg_check(&m, table, sizeof(table) / sizeof(table[0]),
	    ROLE_PARENT, data[0] & 31, &seen, &reason);
	if (d == NULL && reason == NULL)
		abort();
	/* As the type it says it is, and as every other one. */
	for (type = 0; type <= IMSG_COUNT; type++)
		walk(type, m.p, (size_t)(m.end - m.p));
	if (get_conf(&m, &conf) == 0)
		for (role = ROLE_PARENT; role < ROLE_COUNT; role++)
			(void)conf_unpack(&c, role, conf.conf.p,
			    conf.conf.len);
	return (0);
}
