/* SPDX-License-Identifier: ISC */
/* What a relayctl request may be. The words are described in common/imsg/msg.h. */
#include <stddef.h>

#include "check.h"

/* Requests with their number of words, and who answers. */
static const struct {
	const char	*name;
	unsigned	 words;
	int		 role;
} requests[CTL_OP_COUNT] = {
	[CTL_SHOW_SESSIONS] =	{ "show sessions", 0, ROLE_AUTHD },
	[CTL_SHOW_TUNNELS] =	{ "show tunnels", 0, ROLE_AUTHD },
	[CTL_SHOW_SERVICES] =	{ "show services", 1, ROLE_AUTHD },
	[CTL_SHOW_PROCESSES] =	{ "show processes", 0, ROLE_PARENT },
	[CTL_SHOW_STATS] =	{ "show stats", 0, ROLE_AUTHD },
	[CTL_CLOSE] =		{ "close", 1, ROLE_AUTHD },
	[CTL_SYSTEM_ADD] =	{ "system add", 2, ROLE_AUTHD },
	[CTL_SYSTEM_LIST] =	{ "system list", 0, ROLE_AUTHD },
	[CTL_SYSTEM_ENABLE] =	{ "system enable", 1, ROLE_AUTHD },
	[CTL_SYSTEM_DISABLE] =	{ "system disable", 1, ROLE_AUTHD },
	[CTL_SYSTEM_REMOVE] =	{ "system remove", 1, ROLE_AUTHD },
	[CTL_ORG_ADD] =		{ "org add", 3, ROLE_AUTHD },
	[CTL_ORG_LIST] =	{ "org list", 0, ROLE_AUTHD },
	[CTL_ORG_REMOVE] =	{ "org remove", 1, ROLE_AUTHD },
	[CTL_TOKEN_CREATE] =	{ "token create", 5, ROLE_AUTHD },
	[CTL_RELOAD] =		{ "reload", 0, ROLE_PARENT },
	[CTL_LOG_VERBOSE] =	{ "log verbose", 0, ROLE_PARENT },
	[CTL_LOG_BRIEF] =	{ "log brief", 0, ROLE_PARENT },
#ifdef RELAYD_TESTING
	[CTL_TEST_CLOCK] =	{ "test clock", 1, ROLE_PARENT },
	[CTL_TEST_TRY] =	{ "test try", 2, ROLE_PARENT },
#endif
};

uint32_t
ctl_version(struct imsg *m)
{
	uint32_t	version;

	return (m_get_u32(m, &version) == -1 ? 0 : version);
}

int
ctl_parse(struct imsg *m, struct ctl *ctl)
{
	uint16_t	op;
	uint8_t		n, i;

	if (m_get_u16(m, &op) == -1 || m_get_u8(m, &n) == -1 ||
	    n > CTL_ARGS_MAX)
		return (-1);
	for (i = 0; i < n; i++)
		if (m_get_str(m, ctl->words[i], sizeof(ctl->words[i])) == -1)
			return (-1);
	ctl->op = op;
	ctl->nwords = n;
	return (m_end(m));
}

const char *
ctl_check(const struct ctl *ctl)
{
	if (ctl->op >= CTL_OP_COUNT || requests[ctl->op].name == NULL)
		return ("relayd does not know this request");
	if (ctl->nwords != requests[ctl->op].words)
		return ("wrong number of words");
	return (NULL);
}

int
ctl_for_parent(unsigned op)
{
	return (op < CTL_OP_COUNT && requests[op].role == ROLE_PARENT);
}

int
ctl_changes(unsigned op)
{
	switch (op) {
	case CTL_SHOW_SESSIONS:
	case CTL_SHOW_TUNNELS:
	case CTL_SHOW_SERVICES:
	case CTL_SHOW_PROCESSES:
	case CTL_SHOW_STATS:
	case CTL_SYSTEM_LIST:
	case CTL_ORG_LIST:
		return (0);
	default:
		return (1);
	}
}

const char *
ctl_name(unsigned op)
{
	return (op < CTL_OP_COUNT && requests[op].name != NULL ?
	    requests[op].name : "unknown");
}
