/* SPDX-License-Identifier: ISC */
/* One packet, and the settings blob inside CONF: nothing reads past the end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/conf.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

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

/* Read fields as the first bytes say, to the end or the first error. */
static void
fields(struct imsg *m, const uint8_t *how, size_t n)
{
	const uint8_t	*p;
	size_t		 i, len;
	uint64_t	 u64;
	uint32_t	 u32;
	uint16_t	 u16;
	uint8_t		 u8;
	char		 s[64];
	int		 r = 0;

	for (i = 0; i < n && r == 0; i++) {
		switch (how[i] % 6) {
		case 0:
			r = m_get_u8(m, &u8);
			break;
		case 1:
			r = m_get_u16(m, &u16);
			break;
		case 2:
			r = m_get_u32(m, &u32);
			break;
		case 3:
			r = m_get_u64(m, &u64);
			break;
		case 4:
			r = m_get_str(m, s, 1 + how[i] % sizeof(s));
			if (r == 0 && strlen(s) >= sizeof(s))
				abort();
			break;
		default:
			r = m_get_blob(m, &p, &len, 1000);
			if (r == 0 && (len > 1000 || p + len > m->end))
				abort();
		}
		if (m->p > m->end)
			abort();
	}
	(void)m_end(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf	 c;
	const struct dispatch	*d;
	const char		*reason;
	struct imsg		 m = { .fd = -1 };
	uint64_t		 seen = 0;
	const uint8_t		*p;
	size_t			 len;
	int			 role;

	if (size < 8)
		return (0);
	if (imsg_parse(&m, data + 8, size - 8, &reason) == -1)
		return (0);
	d = imsg_check(&m, table, sizeof(table) / sizeof(table[0]),
	    ROLE_PARENT, data[0] & 31, &seen, &reason);
	if (d == NULL && reason == NULL)
		abort();
	if (m.type == IMSG_CONF && m_get_blob(&m, &p, &len, CHUNK_MAX) == 0) {
		for (role = ROLE_PARENT; role < ROLE_COUNT; role++)
			(void)conf_unpack(&c, role, p, len);
		return (0);
	}
	fields(&m, data, 8);
	return (0);
}
