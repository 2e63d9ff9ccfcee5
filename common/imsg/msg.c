/* SPDX-License-Identifier: ISC */
#include "msg.h"

const char *
imsg_name(uint32_t type)
{
	static const char *const	names[] = {
		"NONE",
#define X(name) #name,
		IMSG_LIST(X)
#undef X
	};

	return (type < IMSG_COUNT ? names[type] : "UNKNOWN");
}

const char *
role_name(int role)
{
	static const char *const	names[ROLE_COUNT] = { "nobody", "parent",
	    "control", "authd", "proxyd", "muxd", "termd", "client" };

	return (role >= 0 && role < ROLE_COUNT ? names[role] : "unknown");
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
