/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

static const struct ctl_info infos[CTL_OP_COUNT] = {
#define C(NAME, word, pattern, words, answers, flags, help)		\
	[CTL_##NAME] = { #word, pattern, words, ROLE_##answers, flags, help },
#include "ctl.def"
#undef C
};

const struct ctl_info *
ctl_info(unsigned op)
{
	return (op < CTL_OP_COUNT && infos[op].pattern != NULL ? &infos[op] :
	    NULL);
}

const char *
ctl_check(unsigned op, unsigned words)
{
	const struct ctl_info	*info = ctl_info(op);

	if (info == NULL)
		return ("relayd does not know this request");
	return (words == info->words ? NULL : "wrong number of words");
}

const char *
ctl_name(unsigned op)
{
	static char		 name[32];
	const struct ctl_info	*info = ctl_info(op);
	const char		*end;
	size_t			 n;

	if (info == NULL)
		return ("unknown");
	/* Up to the first argument, and the word that names it. */
	end = info->pattern + strcspn(info->pattern, "<[");
	n = (size_t)(end - info->pattern);
	while (n > 0 && info->pattern[n - 1] == ' ')
		n--;
	snprintf(name, sizeof(name), "%.*s", (int)n, info->pattern);
	return (name);
}
