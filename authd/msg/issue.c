/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "authd/core/services.h"
#include "authd/core/ticket.h"
#include "authd/cred/secret.h"
#include "authd/now.h"
#include "base/rate.h"
#include "issue.h"
#include "proc/proc.h"

#define RATE_PLACES	4096
#define RATE_MS		60000

/* A pool of database connections comes at once, a terminal does not. */
static struct rate	*by_operator, *tcp_by_operator;

int
issue_init(void)
{
	by_operator = rate_new(RATE_PLACES);
	tcp_by_operator = rate_new(RATE_PLACES);
	return (by_operator == NULL || tcp_by_operator == NULL ? -1 : 0);
}

int
issue_ticket(const struct operator *who, const char *session,
    const char *service, uint64_t stream, char ticket[HEX64_SIZE],
    uint32_t *retry_s)
{
	int	is_tcp = strcmp(service, SERVICE_TERMINAL) != 0;
	char	hash[HEX64_SIZE];

	*retry_s = 0;
	if (rate_hit(is_tcp ? tcp_by_operator : by_operator, who->id,
	    is_tcp ? proc_conf()->tcp_ticket_rate : proc_conf()->ticket_rate,
	    RATE_MS, retry_s) == -1)
		return (-1);
	secret_token(ticket);
	secret_hash(ticket, hash);
	return (ticket_new(hash, who, session, service, stream, now_at()));
}

int
issue_redeem(const char *ticket, struct operator *who,
    char session[UUID_SIZE], char service[SERVICE_SIZE], uint64_t *stream)
{
	char	hash[HEX64_SIZE];

	secret_hash(ticket, hash);
	return (ticket_take(hash, who, session, service, stream, now_at()));
}
