/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "admit.h"
#include "base/compat.h"
#include "grant.h"
#include "proc/proc.h"
#include "session.h"
#include "authd/store/store.h"
#include "stream.h"
#include "terminal.h"
#include "ticket.h"
#include "authd/msg/peer.h"

static int
origin_is_known(const char *origin)
{
	const struct conf	*conf = proc_conf();
	unsigned		 i;

	if (origin[0] == '\0')
		return (1);
	for (i = 0; i < conf->n_console_origin; i++)
		if (strcmp(origin, conf->console_origin[i]) == 0)
			return (1);
	return (0);
}

/* Scope and state, at the ticket's use and again when the termd is there. */
static int
term_may(const struct operator *who, const char *id, struct session **sep,
    const char **message)
{
	struct session_row	row;
	int			r, status;

	if ((*sep = session_find(id)) == NULL) {
		*message = "store is unavailable";
		if ((r = store_session_get(id, &row)) == -1)
			return (503);
		*message = "support session not found";
		if (r == STORE_NONE)
			return (404);
		status = scope_check(who, row.system_id, message);
		if (status == 0)
			*message = "support session is not active";
		return (status != 0 ? status : 400);
	}
	if ((status = scope_check(who, (*sep)->row.system_id, message)) != 0)
		return (status);
	*message = "support session is not active";
	if (!session_is_open(*sep) || (*sep)->row.status != SESSION_ACTIVE)
		return (400);
	*message = "tunnel not found for session";
	return (session_tunnel(*sep) == NULL ? 404 : 0);
}

int
term_check(const char *origin, const char *ticket, const char *session,
    struct operator *who, const char **message)
{
	struct session	*se;
	char		 id[UUID_SIZE];

	memset(who, 0, sizeof(*who));
	*message = "origin not allowed";
	if (!origin_is_known(origin))
		return (403);
	*message = "ticket required";
	if (ticket[0] == '\0')
		return (401);
	*message = "invalid or expired ticket";
	if (ticket_take(ticket, who, id) == -1)
		return (401);
	*message = "ticket does not match session";
	if (strcmp(id, session) != 0)
		return (403);
	return (term_may(who, id, &se, message));
}

void
term_started(struct peer *pe)
{
	const struct admission	*a = pe->admission;
	struct session		*se;
	const char		*message;
	int			 status;

	status = 401;
	message = "invalid or expired ticket";
	if (a->class == CLASS_TERMINAL)
		status = term_may(&a->who, a->session, &se, &message);
	if (status == 0) {
		stream_open_terminal(pe, se, &a->who, a->addr);
		return;
	}
	(void)say_term_refuse(pe->chan, 0, -1, &(struct msg_term_refuse){
	    .status = (uint16_t)status, .message = message });
}
