/* SPDX-License-Identifier: ISC */
#include "refusal.h"

#define BUSY_RETRY_S	30	/* Retry-After of a full server */

static const struct refusal_info	table[REFUSE_COUNT] = {
[REFUSE_NOT] = { 0, 0, "" },
[REFUSE_BUSY] = { 503, BUSY_RETRY_S, "server is busy" },
[REFUSE_STORE] = { 503, BUSY_RETRY_S, "store is unavailable" },
[REFUSE_SECURITY] = { 503, 0, "security service temporarily unavailable" },
[REFUSE_NOT_READY] = { 503, 0, "tunnel is not ready" },
[REFUSE_TUNNEL_FULL] = { 429, 0,
    "too many concurrent streams on this tunnel" },
[REFUSE_SLOTS] = { 503, BUSY_RETRY_S, "all tunnel slots are taken" },
[REFUSE_TERMINALS] = { 429, 0, "too many terminals" },
[REFUSE_OVER] = { 503, 1, "session is over" },
[REFUSE_PROXY_DOMAIN] = { 503, 0, "subdomain proxy is not configured" },
[REFUSE_TICKETS] = { 429, 0, "too many terminal tickets" },
[REFUSE_ACCESS_NONE] = { 401, 0, "token not provided" },
[REFUSE_ACCESS] = { 401, 0, "invalid token" },
[REFUSE_PERMISSION] = { 403, 0, "insufficient permissions" },
[REFUSE_TOKEN_NONE] = { 401, 0, "proxy token required" },
[REFUSE_TOKEN] = { 401, 0, "invalid proxy token" },
[REFUSE_TOKEN_SESSION] = { 403, 0, "proxy token does not match this session" },
[REFUSE_TOKEN_REVOKED] = { 401, 0, "token has been revoked" },
[REFUSE_USER_REVOKED] = { 401, 0, "user account has been suspended" },
[REFUSE_ORIGIN] = { 403, 0, "origin not allowed" },
[REFUSE_TICKET_NONE] = { 401, 0, "ticket required" },
[REFUSE_TICKET] = { 401, 0, "invalid or expired ticket" },
[REFUSE_TICKET_SESSION] = { 403, 0, "ticket does not match session" },
[REFUSE_SESSION_NONE] = { 404, 0, "support session not found" },
[REFUSE_SESSION_STATE] = { 400, 0, "support session is not active" },
[REFUSE_TUNNEL_NONE] = { 404, 0, "tunnel not found for session" },
[REFUSE_SERVICE_NONE] = { 404, 0, "service not found in tunnel manifest" },
[REFUSE_TARGET] = { 403, 0, "service target blocked by security policy" },
[REFUSE_SERVICE_MISSING] = { 400, 0, "service name required" },
[REFUSE_SERVICE_NAME] = { 400, 0, "invalid service name" },
[REFUSE_PARAMETERS] = { 400, 0, "validation failed" },
[REFUSE_CLOSED] = { 409, 0, "support session is over" },
[REFUSE_TOO_LONG] = { 409, 0,
    "support session may last 30 days from its start" },
[REFUSE_SYSTEM_NONE] = { 404, 0, "system not found" },
[REFUSE_CREDENTIALS] = { 401, 0, "invalid system credentials" },
[REFUSE_DISABLED] = { 403, 0, "support is not enabled for this system" },
[REFUSE_NODE] = { 400, 0, "invalid node_id format" },
[REFUSE_ATTEMPTS] = { 429, 0,
    "too many connection attempts for this system" },
[REFUSE_RECONNECT] = { 403, 0, "invalid reconnect token" },
[REFUSE_COMING] = { 409, 0, "another tunnel is being set up" },
[REFUSE_CONNECTED] = { 409, 0,
    "a tunnel for this system is already connected" },
[REFUSE_SESSIONS] = { 409, 0, "too many sessions for this system" },
};

const struct refusal_info *
refusal_info(enum refusal r)
{
	return (&table[r]);
}
