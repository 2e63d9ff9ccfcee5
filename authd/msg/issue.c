/* SPDX-License-Identifier: ISC */
#include "authd/core/ticket.h"
#include "authd/cred/secret.h"
#include "authd/now.h"
#include "base/rate.h"
#include "issue.h"
#include "proc/proc.h"

#define RATE_PLACES	4096
#define RATE_MS		60000

static struct rate	*by_operator;

int
issue_init(void)
{
	by_operator = rate_new(RATE_PLACES);
	return (by_operator == NULL ? -1 : 0);
}

int
issue_ticket(const struct operator *who, const char *session,
    char ticket[HEX64_SIZE], uint32_t *retry_s)
{
	char	hash[HEX64_SIZE];

	*retry_s = 0;
	if (rate_hit(by_operator, who->id, proc_conf()->ticket_rate, RATE_MS,
	    retry_s) == -1)
		return (-1);
	secret_token(ticket);
	secret_hash(ticket, hash);
	return (ticket_new(hash, who, session, now_at()));
}

int
issue_redeem(const char *ticket, struct operator *who,
    char session[UUID_SIZE])
{
	char	hash[HEX64_SIZE];

	secret_hash(ticket, hash);
	return (ticket_take(hash, who, session, now_at()));
}
