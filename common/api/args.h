/* SPDX-License-Identifier: ISC */
#ifndef COMMON_API_ARGS_H
#define COMMON_API_ARGS_H

/*
 * Every parameter that a call of api.def has, once, with its type as in
 * msg.def: struct api_args (api.h) has these members, the message API carries
 * them, in this order.
 */
#define API_ARGS							\
	STR(service, SERVICE_SIZE) U32(page) U32(page_size)		\
	STR(sort_by, WORD_SIZE) U8(sort_direction) U32(status)		\
	STR(system_id, ID_SIZE) U32(hours)

/* What a list of sessions can be sorted by. */
#define API_SORT_KEYS							\
	K(created_at) K(started_at) K(expires_at) K(status)

/* What a call can need that its token permits, and what tokens call it. */
#define API_PERMISSIONS	N(CONNECT, "connect:systems")

#endif
