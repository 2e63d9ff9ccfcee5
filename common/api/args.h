/* SPDX-License-Identifier: ISC */
#ifndef COMMON_API_ARGS_H
#define COMMON_API_ARGS_H

/*
 * Every parameter that a call of api.def has, once, with its type as in
 * msg.def: struct api_args (api.h) has these members, the message API carries
 * them, in this order. `given` has a bit for each optional one of the body, in
 * the order of the call's row, that the body has.
 */
#define MANY_SIZE	1025	/* texts of a repeated one, a line each */
#define NOTES_SIZE	2049
#define CUSTOM_SIZE	2049	/* an object as JSON */
#define SERVICES_TEXT	8193	/* services to add, as JSON */

#define API_ARGS							\
	STR(service, SERVICE_SIZE) U32(page) U32(page_size)		\
	STR(sort_by, WORD_SIZE) U8(sort_direction) U32(status)		\
	STR(system_id, ID_SIZE) U32(hours) U32(given)			\
	STR(name, NAME_SIZE) STR(system_key, SYSKEY_SIZE)		\
	STR(search, NAME_SIZE) STR(type, MANY_SIZE)			\
	STR(version, MANY_SIZE) STR(created_by, MANY_SIZE)		\
	STR(organization_id, MANY_SIZE) STR(notes, NOTES_SIZE)		\
	STR(custom_data, CUSTOM_SIZE) U8(support_enabled)		\
	SECRET(system_secret, SECRET_SIZE) STR(services, SERVICES_TEXT)	\
	STR(recording, UUID_SIZE) STR(terminal, WORD_SIZE)			\
	SECRET(code, HEX64_SIZE)

/* What a list of sessions can be sorted by. */
#define API_SORT_KEYS							\
	K(created_at) K(started_at) K(expires_at) K(status)

/* What a list of systems can be sorted by. */
#define API_SYSTEM_SORT_KEYS	K(created_at) K(name)

/* What a system can be, in bits of `status`. */
#define API_SYSTEM_STATES						\
	Y(UNKNOWN, "unknown") Y(ACTIVE, "active") Y(INACTIVE, "inactive")	\
	Y(SUSPENDED, "suspended") Y(DELETED, "deleted")

/* What a call can need that its token permits, and what tokens call it. */
#define API_PERMISSIONS							\
	N(CONNECT, "connect:systems") N(READ, "read:systems")		\
	N(MANAGE, "manage:systems") N(RECORDINGS, "read:recordings")	\
	N(STATUS, "read:status")

#endif
