/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "authd/core/grant.h"
#include "authd/core/session.h"
#include "authd/cred/secret.h"
#include "authd/cred/shared.h"
#include "authd/now.h"
#include "base/compat.h"
#include "base/rate.h"
#include "handlers.h"
#include "internal.h"
#include "member.h"
#include "peer.h"
#include "proc/proc.h"

#define RATE_MS		60000
#define RATE_PLACES	16384

static struct rate	*used;		/* by session */

const struct operator	back_end = { .id = "internal", .name = "back end",
	.org_role = "owner", .token_id = "internal", .expires = INT64_MAX,
	.permits = 1U << NEEDS_CONNECT };

/*
 * With a back end the row has the token itself, which that reads there. Without
 * one it has a hash of a token that nobody was told, and so nobody can show: it
 * is in capitals, to be no token itself.
 */
void
internal_token_new(char row[HEX64_SIZE])
{
	char	token[HEX64_SIZE], *p;

	secret_token(token);
	if (shared_is_set(SHARED_INTERNAL)) {
		strlcpy(row, token, HEX64_SIZE);
	} else {
		secret_hash(token, row);
		for (p = row; *p != '\0'; p++)
			if (*p >= 'a')
				*p ^= 0x20;
	}
	explicit_bzero(token, sizeof(token));
}

static int
is_token_of(const struct session_row *row, const char *token)
{
	char	shown[HEX64_SIZE] = "";

	if (strlen(token) != HEX64_SIZE - 1 ||
	    strspn(token, "0123456789abcdef") != HEX64_SIZE - 1)
		return (0);
	strlcpy(shown, token, sizeof(shown));
	return (sodium_memcmp(shown, row->token_hash, HEX64_SIZE) == 0);
}

/*
 * A session's requests in a minute are counted by the proxyds that let them
 * through, and here by hundredths: so they have all of it together and not
 * each, and no request waits for authd.
 */
int
internal_rates(void)
{
	return ((used = rate_new(RATE_PLACES)) == NULL ? -1 : 0);
}

static void
say_over(const struct peer *pe, const char *session, uint32_t wait_s)
{
	(void)say_rate_over(pe->chan, 0, -1, &(struct msg_rate_over){
	    .session = session, .wait_s = wait_s });
}

enum refusal
internal_again(const struct peer *proxyd, uint64_t id, const char *session,
    struct operator *who)
{
	const struct grant	*g = grant_find(&proxyd->door, id);

	if (g == NULL || strcmp(g->who.id, back_end.id) != 0 ||
	    strcmp(g->session->row.id, session) != 0)
		return (REFUSE_INTERNAL_SESSION);
	*who = g->who;
	return (REFUSE_NOT);
}

/* Of a session that this proxyd reaches for the back end. */
int
internal_on_used(struct chan *c, struct imsg *m)
{
	struct msg_rate_used	 in;
	struct peer		*pe, *sender = peer_of(c);
	const struct grant	*g;
	const char		*session;
	uint64_t		 limit = proc_conf()->internal_rate;
	uint32_t		 wait_s;

	if (get_rate_used(m, &in) == -1)
		return (-1);
	if ((g = grant_find(&sender->door, in.grant)) == NULL ||
	    strcmp(g->who.id, back_end.id) != 0)
		return (0);
	session = g->session->row.id;
	limit /= rate_batch(limit);
	if (rate_hit(used, session, limit, RATE_MS, &wait_s) == -1)
		say_over(sender, session, wait_s);
	else if (rate_peek(used, session, limit, &wait_s) == -1)
		TAILQ_FOREACH(pe, &peers, entry)
			if (peer_has(pe, RF_DOORS))
				say_over(pe, session, wait_s);
	return (0);
}

static enum refusal
token_shown(const struct session_row *row, const char *token,
    struct proxy_claims *pc)
{
	if (!is_token_of(row, token))
		return (REFUSE_INTERNAL);
	pc->who.expires = row->expires_at / 1000;
	return (REFUSE_NOT);
}

/* In the order of the contract: nothing is said before the secret is right. */
enum refusal
internal_grant(const char *token, const char *slug, struct proxy_claims *pc,
    char later[HEX64_SIZE])
{
	const char	*end = strchr(token, '\n');
	struct session	*se;

	if (end == NULL ||
	    !shared_is(SHARED_INTERNAL, token, (size_t)(end - token)))
		return (REFUSE_INTERNAL);
	if (slug[0] == '\0')
		return (REFUSE_INTERNAL_ID);
	if (end[1] == '\0')
		return (REFUSE_INTERNAL_TOKEN);
	snprintf(pc->session, sizeof(pc->session),
	    "%.8s-%.4s-%.4s-%.4s-%.12s", slug, slug + 8, slug + 12,
	    slug + 16, slug + 20);
	se = session_find(pc->session);
	if (se == NULL ? !member_is_one() : !session_is_open(se, now_at()))
		return (REFUSE_INTERNAL_SESSION);
	pc->who = back_end;
	if (se != NULL)
		return (token_shown(&se->row, end + 1, pc));
	/* What is too long is cut, and with what is not hex no token still. */
	if (strlcpy(later, end + 1, HEX64_SIZE) >= HEX64_SIZE)
		later[0] = '-';
	return (REFUSE_NOT);
}

static enum refusal
known(const struct facts *f, const char *later, struct proxy_claims *pc)
{
	const struct session	*se = session_find(pc->session);

	/* Its client may have come to us meanwhile. */
	if (se != NULL)
		return (session_is_open(se, now_at()) ?
		    token_shown(&se->row, later, pc) : REFUSE_INTERNAL_SESSION);
	if (f->got_session != 0)
		return (f->got_session == STORE_NONE ?
		    REFUSE_INTERNAL_SESSION : REFUSE_STORE);
	if (f->session.status > SESSION_ACTIVE ||
	    f->session.expires_at <= now_at()->wall_ms)
		return (REFUSE_INTERNAL_SESSION);
	return (token_shown(&f->session, later, pc));
}

enum refusal
internal_known(const struct facts *f, const char *later,
    struct proxy_claims *pc)
{
	enum refusal	no = known(f, later, pc);

	/* It was nobody's yet. */
	if (no != REFUSE_NOT)
		memset(&pc->who, 0, sizeof(pc->who));
	return (no);
}
