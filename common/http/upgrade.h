/* SPDX-License-Identifier: ISC */
#ifndef UPGRADE_H
#define UPGRADE_H

#include <stddef.h>

#include "head.h"

/*
 * What a head that asks for a WebSocket must fulfil, and what it carries:
 * used by proxyd when it classifies and again, on the same bytes, by the
 * worker that gets the connection. Pure; libsodium for base64 only.
 * tunnel-protocol.md, section 1.
 */

/* A node id: 1 to 10 digits and a NUL; "" is no node. */
#define UPGRADE_NODE_SIZE	11

/*
 * Check that the head is a valid WebSocket upgrade: GET, HTTP/1.1, `upgrade`
 * in Connection and `websocket` in Upgrade (lists, any case), version 13, a
 * key of 16 bytes in base64. Returns 0, or the status to answer: 400 (row 9;
 * the answer carries `Sec-WebSocket-Version: 13`).
 */
int	upgrade_check(const struct httphead *);

/*
 * Check Origin: returns 0 when the field is absent or empty, else 403 (row
 * 10). For tunnels and other paths that no browser uses.
 */
int	upgrade_no_origin(const struct httphead *);

/* The 24 characters of Sec-WebSocket-Key; only after upgrade_check() said 0. */
const char	*upgrade_key(const struct httphead *);

/*
 * Take a parameter out of a raw query (without '?'; absent is the same as
 * empty), percent-decoded and '+' as a blank, terminated, the first one if it
 * comes twice. Returns its length (0 for `a=` and `a`), -1 when there is none,
 * -2 when it does not fit `size`, has a bad escape or a NUL.
 */
#define UPGRADE_Q_NONE	(-1)
#define UPGRADE_Q_BAD	(-2)
int	upgrade_query_get(const struct slice *query, const char *name,
	    char *out, size_t size);

/*
 * The tunnel's node_id: "" when absent or empty. Returns 0, or 400 when it is
 * not 1 to 10 digits (row 7).
 */
int	upgrade_node_id(const struct httphead *, char node[UPGRADE_NODE_SIZE]);

/*
 * Split `Authorization: Basic ...` (this case, one blank; standard padded
 * base64 of key:secret, the key ends at the first colon) into two terminated
 * strings. The sizes count the NUL. All refusals are status 401 with
 * UPGRADE_AUTH_CHALLENGE and upgrade_auth_message(). The caller wipes
 * `secret`; on refusal both are wiped here. Rows 2 to 4 of section 1.5.
 */
enum upgrade_auth {
	UPGRADE_AUTH_OK = 0,
	UPGRADE_AUTH_REQUIRED,		/* no or empty Authorization */
	UPGRADE_AUTH_FORMAT,		/* not `Basic ` */
	UPGRADE_AUTH_ENCODING,		/* not base64 */
	UPGRADE_AUTH_CREDENTIALS,	/* no colon inside */
	UPGRADE_AUTH_INVALID		/* too long, or a NUL inside: cannot be
					   a system's */
};

#define UPGRADE_AUTH_CHALLENGE	"Basic realm=\"System Authentication\""

enum upgrade_auth upgrade_basic(const struct httphead *, char *key,
	    size_t keysize, char *secret, size_t secretsize);

/* The `message` of the 401; NULL for UPGRADE_AUTH_OK. */
const char	*upgrade_auth_message(enum upgrade_auth);

#endif
