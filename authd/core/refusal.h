/* SPDX-License-Identifier: ISC */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdint.h>

/*
 * Every way to say no, once: a code, the HTTP status, when to come back, what
 * the asker reads and what the audit event says (the same words).
 */
enum refusal {
	REFUSE_NOT,			/* yes */
	/* not now */
	REFUSE_BUSY, REFUSE_STORE, REFUSE_SECURITY, REFUSE_NOT_READY,
	REFUSE_TUNNEL_FULL, REFUSE_SLOTS, REFUSE_OVER, REFUSE_TERMINALS,
	REFUSE_PROXY_DOMAIN, REFUSE_TICKETS,
	/* who asks */
	REFUSE_ACCESS_NONE, REFUSE_ACCESS, REFUSE_PERMISSION,
	REFUSE_TOKEN_NONE, REFUSE_TOKEN, REFUSE_TOKEN_SESSION,
	REFUSE_TOKEN_REVOKED, REFUSE_USER_REVOKED,
	REFUSE_ORIGIN, REFUSE_TICKET_NONE, REFUSE_TICKET,
	REFUSE_TICKET_SESSION,
	/* for what */
	REFUSE_SESSION_NONE, REFUSE_SESSION_STATE, REFUSE_TUNNEL_NONE,
	REFUSE_SERVICE_NONE, REFUSE_TARGET, REFUSE_SERVICE_MISSING,
	REFUSE_SERVICE_NAME, REFUSE_PARAMETERS,
	/* a system's login */
	REFUSE_CREDENTIALS, REFUSE_DISABLED, REFUSE_NODE, REFUSE_ATTEMPTS,
	REFUSE_RECONNECT, REFUSE_COMING, REFUSE_CONNECTED, REFUSE_SESSIONS,
	REFUSE_COUNT
};

struct refusal_info {
	uint16_t	 status;
	uint16_t	 retry_s;	/* Retry-After, 0: none */
	const char	*text;
};

const struct refusal_info	*refusal_info(enum refusal);

#endif
