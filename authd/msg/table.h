/* SPDX-License-Identifier: ISC */
#ifndef TABLE_H
#define TABLE_H

#include "imsg/imsg.h"

/* What the other processes may say to authd, and in which states. */

enum peer_state {
	P_NEW,	   /* muxd: may log in, nothing else */
	P_LOGIN,   /* muxd: its login is being looked at */
	P_BOUND,   /* muxd: has a session, yamux is not up yet */
	P_UP,	   /* muxd: a tunnel */
	P_AGAIN,   /* muxd, termd: kept from before a restart, has to tell */
	P_CLOSING, /* muxd: was told to go */
	P_READY,   /* proxyd, control, termd */
	P_REFUSED  /* muxd: its login was; has nothing more to say */
};

extern const struct dispatch	peer_table[];
extern const size_t		peer_rows;

#endif
