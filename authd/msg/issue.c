/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <string.h>

#include "authd/core/services.h"
#include "authd/core/signin.h"
#include "authd/core/ticket.h"
#include "authd/cred/secret.h"
#include "authd/now.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/rate.h"
#include "base/wipe.h"
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

int
issue_signin(const struct signin *what, char code[HEX64_SIZE])
{
	char	hash[HEX64_SIZE];

	secret_token(code);
	secret_hash(code, hash);
	return (signin_new(hash, what, now_at()));
}

int
issue_signin_take(const char *code, struct signin *what)
{
	char	hash[HEX64_SIZE];

	secret_hash(code, hash);
	return (signin_take(hash, what, now_at()));
}

int
issue_has_key(void)
{
	uint8_t	mark[JWT_MARK_SIZE];

	return (jwt_mark("", 0, mark) == 0);
}

static void
token_keep(const struct operator *who, const char *permissions)
{
	struct token_row	t = { .created_at = clock_wall_ms(),
	    .expires_at = who->expires * 1000 };

	strlcpy(t.id, who->token_id, sizeof(t.id));
	strlcpy(t.user, who->id, sizeof(t.user));
	strlcpy(t.org_id, who->org_id, sizeof(t.org_id));
	strlcpy(t.org_role, who->org_role, sizeof(t.org_role));
	strlcpy(t.permissions, permissions, sizeof(t.permissions));
	(void)store_token_add(&t);
}

char *
issue_access(const struct operator *who, const char *permissions)
{
	const struct conf	*conf = proc_conf();
	cJSON			*payload;
	char			*token = NULL;

	payload = claims_make_access(who, permissions, conf->jwt_issuer,
	    conf->jwt_audience, clock_wall());
	if (payload != NULL && !wipe_lacks())
		token = jwt_seal(payload);
	cJSON_Delete(payload);
	if (token != NULL)
		token_keep(who, permissions);
	return (token);
}
