/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "proto.h"

static void
mix(uint32_t *h, const void *p, size_t len)
{
	const uint8_t	*s = p;

	while (len-- > 0)
		*h = (*h ^ *s++) * 16777619U;	/* FNV-1a */
}

static void
mix_number(uint32_t *h, uint32_t n)
{
	mix(h, &n, sizeof(n));
}

uint32_t
proto_sum(unsigned protocol)
{
	const struct msg_info	*info;
	const struct msg_field	*f;
	uint32_t		 h = 2166136261U, type;

	for (type = IMSG_NONE + 1; type < IMSG_COUNT; type++) {
		if (proto_number(protocol, type) == IMSG_NONE)
			continue;
		info = msg_info(type);
		mix(&h, info->name, strlen(info->name) + 1);
		mix_number(&h, info->carries);
		for (f = msg_fields(type); f->name[0] != '\0'; f++) {
			if (!proto_has(protocol, type, f->offset))
				continue;
			mix(&h, f->name, strlen(f->name) + 1);
			mix_number(&h, f->kind);
			mix_number(&h, f->max);
			mix_number(&h, f->many);
		}
	}
	return (h);
}
