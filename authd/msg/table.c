/* SPDX-License-Identifier: ISC */
/* The access list of authd, made from table.def. */
#include "handlers.h"
#include "imsg/msg.h"
#include "table.h"

#define TUNNEL		(S(P_UP) | S(P_CLOSING))
#define HELLO		(S(P_BOUND) | TUNNEL)
#define RETURN		(S(P_AGAIN) | S(P_CLOSING))	/* told to go at once */

const struct dispatch	peer_table[] = {
#define D(TYPE, from, states, flags, handler)				\
	{ IMSG_##TYPE, from, states, flags, handler },
#define A(TYPE, from, states)						\
	{ IMSG_##TYPE, from, states, MF_ANSWER, NULL },
#include "table.def"
};
const size_t	peer_rows = sizeof(peer_table) / sizeof(peer_table[0]);
