/* SPDX-License-Identifier: ISC */
#include "proto.h"

/* The messages that are new, one behind the last. */
static const uint32_t	newer[] = {
#define T(NAME)			IMSG_##NAME,
#define F(NAME, name, field)
#include "newer.def"
#undef T
#undef F
	IMSG_COUNT
};

static const struct {
	uint32_t	type, offset;
} newer_fields[] = {
#define T(NAME)
#define F(NAME, name, field)						\
	{ IMSG_##NAME, offsetof(struct msg_##name, field) },
#include "newer.def"
#undef T
#undef F
	{ IMSG_COUNT, 0 }
};

static int
is_now(unsigned protocol)
{
	return (protocol == 0 || protocol == PROTOCOL);
}

int
proto_is_known(unsigned protocol)
{
	return (is_now(protocol) || (protocol + 1 == PROTOCOL && protocol > 0));
}

unsigned
proto_of_both(unsigned a, unsigned b)
{
	if (a == 0)
		a = PROTOCOL;
	if (b == 0)
		b = PROTOCOL;
	return (a < b ? a : b);
}

uint32_t
proto_number(unsigned protocol, uint32_t type)
{
	uint32_t	number = type;
	size_t		i;

	if (is_now(protocol) || type >= IMSG_COUNT)
		return (type);
	for (i = 0; newer[i] <= type; i++) {
		if (newer[i] == type)
			return (IMSG_NONE);
		number--;
	}
	return (number);
}

uint32_t
proto_type(unsigned protocol, uint32_t number)
{
	uint32_t	type = number;
	size_t		i;

	if (is_now(protocol) || number == IMSG_NONE)
		return (number);
	for (i = 0; newer[i] <= type && newer[i] < IMSG_COUNT; i++)
		type++;
	return (type < IMSG_COUNT ? type : IMSG_NONE);
}

int
proto_has(unsigned protocol, uint32_t type, uint32_t offset)
{
	size_t	i;

	if (is_now(protocol))
		return (1);
	for (i = 0; newer_fields[i].type < IMSG_COUNT; i++)
		if (newer_fields[i].type == type &&
		    newer_fields[i].offset == offset)
			return (0);
	return (1);
}
