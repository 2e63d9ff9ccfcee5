/* SPDX-License-Identifier: ISC */
/*
 * A system registers: it shows the secret that it was given and gets its key.
 * Nobody has logged in, so that addresses have a rate. operator-api.md, 5.
 */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/cred/secret.h"
#include "authd/msg/named.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"

struct registering {
	struct asker	asker;
	char		addr[ADDR_SIZE];
	char		secret[SECRET_SIZE];
	char		key[SYSKEY_SIZE];
	int64_t		at;
};

static void
register_end(struct registering *re, enum refusal no)
{
	cJSON	*o;

	if (no != REFUSE_NOT) {
		audit_stranger(&(struct audit){ .address = re->addr,
		    .action = "system_register",
		    .reason = refusal_info(no)->text });
		api_no(&re->asker, no, NULL);
	} else {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "system_key", re->key);
		api_add_time(o, "registered_at", re->at);
		api_yes(&re->asker, API_SYSTEM_REGISTER, o);
	}
	freezero(re, sizeof(*re));
}

static void
register_committed(void *arg, int ok)
{
	register_end(arg, ok ? REFUSE_NOT : REFUSE_STORE);
}

/* Who knows no secret learns nothing about any system. */
static enum refusal
register_judge(const struct registering *re, const struct answer *a)
{
	char		 public[SECRET_PUBLIC_SIZE];
	const char	*private;

	if (a->r == -1)
		return (REFUSE_STORE);
	if (secret_parse(re->secret, public, &private) == -1)
		return (REFUSE_SECRET_FORM);
	if (a->r != 0) {
		secret_waste(private);
		return (REFUSE_SECRET);
	}
	if (secret_verify(a->system->secret_stored, private) == -1)
		return (REFUSE_SECRET);
	if (a->system->deleted_at != 0)
		return (REFUSE_DELETED);
	return (a->system->registered_at != 0 ? REFUSE_REGISTERED :
	    REFUSE_NOT);
}

static void
register_known(const struct answer *a, void *arg)
{
	struct registering	*re = arg;
	enum refusal		 no = register_judge(re, a);

	if (no == REFUSE_SECRET)
		named_offence(re->asker.instance, re->addr, PENALTY_AUTHFAIL);
	if (no != REFUSE_NOT) {
		register_end(re, no);
		return;
	}
	re->at = clock_wall_ms();
	strlcpy(re->key, a->system->key, sizeof(re->key));
	(void)store_system_register(a->system->id, re->at);
	audit_done(&(struct audit){ .actor = re->key, .address = re->addr,
	    .action = "system_register", .object = a->system->id });
	turn_after(register_committed, re);
}

static void
system_register(struct api_call *call, const struct facts *f)
{
	struct registering	*re;
	char			 public[SECRET_PUBLIC_SIZE];
	const char		*private;
	struct question		 q = { .what = ASK_SYSTEM_BY_PUBLIC,
	    .key = public, .asker = call->asker.instance,
	    .until_ms = call->until_ms };

	(void)f;
	if (call->invalid) {
		api_invalid(call, REFUSE_PARAMETERS);
		return;
	}
	if ((re = calloc(1, sizeof(*re))) == NULL) {
		api_refuse(call, REFUSE_BUSY);
		return;
	}
	re->asker = call->asker;
	strlcpy(re->addr, call->addr, sizeof(re->addr));
	strlcpy(re->secret, call->args.system_secret, sizeof(re->secret));
	if (named_try(NAMED_REGISTER, call->asker.instance,
	    call->addr) == -1)
		register_end(re, REFUSE_REGISTER);
	else if (secret_parse(re->secret, public, &private) == -1)
		register_end(re, REFUSE_SECRET_FORM);
	else
		(void)store_ask(&q, register_known, re);
}

const struct api_handler	api_system_register = { system_register, 0 };
