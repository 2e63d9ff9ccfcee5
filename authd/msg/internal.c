/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "authd/core/session.h"
#include "authd/cred/secret.h"
#include "authd/cred/shared.h"
#include "authd/now.h"
#include "base/compat.h"
#include "internal.h"

const struct operator	back_end = { .id = "internal", .name = "back end",
	.org_role = "owner", .token_id = "internal", .expires = INT64_MAX };

/* The row has the token itself, or, if it was made without a back end, a hash. */
static int
is_token_of(const struct session *se, const char *token)
{
	char	shown[HEX64_SIZE] = "", hash[HEX64_SIZE];

	if (strlen(token) != HEX64_SIZE - 1)
		return (0);
	strlcpy(shown, token, sizeof(shown));
	secret_hash(token, hash);
	return (sodium_memcmp(shown, se->row.token_hash, HEX64_SIZE) == 0 ||
	    sodium_memcmp(hash, se->row.token_hash, HEX64_SIZE) == 0);
}

/* In the order of the contract: nothing is said before the secret is right. */
enum refusal
internal_grant(const char *token, const char *slug, struct proxy_claims *pc)
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
	if (se == NULL || !session_is_open(se, now_at()))
		return (REFUSE_INTERNAL_SESSION);
	if (!is_token_of(se, end + 1))
		return (REFUSE_INTERNAL);
	pc->who = back_end;
	pc->who.expires = se->row.expires_at / 1000;
	return (REFUSE_NOT);
}
