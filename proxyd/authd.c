/* SPDX-License-Identifier: ISC */
/* What authd may tell proxyd, and what is forgotten when it goes. */
#include "job/api.h"
#include "authd.h"
#include "proc/conf.h"
#include "grant.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "proc/proc.h"
#include "session.h"
#include "upstream.h"

static void	authd_closed(struct chan *, int, const char *);

/* An answer's payload: status, text of at most MESSAGE_SIZE, then numbers. */
#define ANSWER_MAX	(2 + 4 + MESSAGE_SIZE + 64)

static const struct dispatch	table[] = {
	/* type              from     states flags        min  max  handler */
	{ IMSG_ADMITTED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_GRANTED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_STREAM_OPENED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_STREAM_REFUSED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_API_RESULT, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_API_CHUNK, R_AUTHD, S_ANY, MF_REQUEST, api_on_chunk },
	{ IMSG_SERVICES_BEGIN, R_AUTHD, S_ANY, 0, session_on_begin },
	{ IMSG_SERVICE, R_AUTHD, S_ANY, 0, session_on_service },
	{ IMSG_SERVICES_END, R_AUTHD, S_ANY, 0, session_on_end },
	{ IMSG_GRANT_END, R_AUTHD, S_ANY, 0, grant_on_end },
	{ IMSG_IDLE_DROP, R_AUTHD, S_ANY, MF_REQUEST, upstream_on_idle_drop },
};

static struct chan	*authd;

struct chan *
authd_chan(void)
{
	return (authd != NULL && !chan_is_closed(authd) ? authd : NULL);
}

void
authd_forget(uint32_t *call)
{
	if (*call != 0 && authd_chan() != NULL)
		chan_call_cancel(authd, *call);
	*call = 0;
}

/* Grants do not outlive the channel that they came on. */
static void
authd_lost(void)
{
	struct chan	*gone = authd;

	authd = NULL;
	chan_free(gone);
	session_forget_half();
	api_forget_all();
	grant_forget_all();
}

static void
authd_closed(struct chan *c, int offence, const char *reason)
{
	if (c != authd)
		return;
	if (offence)
		log_warnx("authd: %s", reason);
	else
		log_info("authd: %s", reason);
	authd_lost();
}

int
authd_channel(int fd)
{
	if (authd != NULL)
		authd_lost();
	authd = chan_new(proc_base(), fd, ROLE_AUTHD, table,
	    sizeof(table) / sizeof(table[0]), authd_closed, NULL);
	if (authd == NULL)
		log_warn("channel to authd");
	return (0);
}
