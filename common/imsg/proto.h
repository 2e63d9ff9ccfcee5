/* SPDX-License-Identifier: ISC */
#ifndef PROTO_H
#define PROTO_H

#include <stdint.h>

#include "msg.h"

/*
 * Versions of the messages. Two relayds may be of different ones across an
 * upgrade, whose old workers stay: each speaks its own protocol and the one
 * before. Numbers of messages are their order in msg.def, so another protocol
 * has others; which rows and fields are new is in newer.def. Pure.
 */
#ifdef RELAYD_NEXT_MESSAGES
#define PROTOCOL	2	/* a build for tests, with messages more */
#else
#define PROTOCOL	1
#endif

/* 0, where nobody has said one, is this build's. */
int		proto_is_known(unsigned protocol);
/* The number that a message has there; 0: there is none. */
uint32_t	proto_number(unsigned protocol, uint32_t type);
/* And the other way; 0: no such message. */
uint32_t	proto_type(unsigned protocol, uint32_t number);
/* Is this field of the message there? */
int		proto_has(unsigned protocol, uint32_t type, uint32_t offset);
/* Of two processes the one that both speak; 0 counts as this build's. */
unsigned	proto_of_both(unsigned, unsigned);
/*
 * A sum over the messages of a protocol, their numbers and fields: who has the
 * same by the same number understands what is said.
 */
uint32_t	proto_sum(unsigned protocol);

#endif
