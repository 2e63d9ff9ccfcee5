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
ctl_version(const struct imsg *m)
{
	struct wget	w;
	uint32_t	version;

	wget_init(&w, m->p, (size_t)(m->end - m->p));
	return (wget_u32(&w, &version) == -1 ? 0 : version);
}

const char *
ctl_check(const struct msg_ctl *ctl)
{
	if (ctl->op >= CTL_OP_COUNT || requests[ctl->op].name == NULL)
		return ("relayd does not know this request");
	if (ctl->words.n != requests[ctl->op].words)
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
