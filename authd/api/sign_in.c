/* SPDX-License-Identifier: ISC */
/*
 * An operator signs in once: the console shows the code that relayctl made and
 * gets an access token. Nobody has logged in, so that addresses have a rate,
 * and a wrong code a penalty. operator-api.md, 13.
 */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/signin.h"
#include "authd/msg/issue.h"
#include "authd/msg/named.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"

struct signing {
	struct asker	 asker;
	char		*token;
	int64_t		 expires;	/* seconds */
};

static void
sign_in_committed(void *arg, int ok)
{
	struct signing	*si = arg;
	cJSON		*o;

	if (!ok) {
		api_no(&si->asker, REFUSE_STORE, NULL);
	} else {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "token", si->token);
		api_add_time(o, "expires_at", si->expires * 1000);
		api_yes(&si->asker, API_SIGN_IN, o);
	}
	freezero(si->token, strlen(si->token));
	freezero(si, sizeof(*si));
}

/* Who is refused is nobody that we know. */
static void
sign_in_refuse(const struct api_call *call, enum refusal no)
{
	audit_stranger(&(struct audit){ .address = call->addr,
	    .action = "sign_in", .reason = refusal_info(no)->text });
	api_no(&call->asker, no, NULL);
}

/* The code is used up, whatever comes of it. */
static void
sign_in_as(struct api_call *call, struct signin *what)
{
	struct signing	*si;

	if ((si = calloc(1, sizeof(*si))) == NULL) {
		sign_in_refuse(call, REFUSE_BUSY);
		return;
	}
	what->who.expires = clock_wall() + what->life_s;
	si->asker = call->asker;
	si->expires = what->who.expires;
	si->token = issue_access(&what->who, what->permissions);
	if (si->token == NULL) {
		free(si);
		sign_in_refuse(call, REFUSE_SECURITY);
		return;
	}
	audit_done(&(struct audit){ .who = &what->who,
	    .address = call->addr, .action = "sign_in",
	    .object = what->who.token_id });
	turn_after(sign_in_committed, si);
}

static void
sign_in(struct api_call *call, const struct facts *f)
{
	struct signin	what;

	(void)f;
	if (call->invalid) {
		api_invalid(call, REFUSE_PARAMETERS);
	} else if (named_try(NAMED_SIGN_IN, call->asker.instance,
	    call->addr) == -1) {
		sign_in_refuse(call, REFUSE_SIGN_INS);
	} else if (!store_is_up()) {
		/* The code stays good. */
		api_no(&call->asker, REFUSE_STORE, NULL);
	} else if (issue_signin_take(call->args.code, &what) == -1) {
		named_offence(call->asker.instance, call->addr,
		    PENALTY_AUTHFAIL);
		sign_in_refuse(call, REFUSE_SIGN_IN);
	} else {
		sign_in_as(call, &what);
		explicit_bzero(&what, sizeof(what));
	}
}

const struct api_handler	api_sign_in = { sign_in, 0 };
