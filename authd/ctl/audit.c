/* SPDX-License-Identifier: ISC */
/*
 * The audit log: its end or what came behind an event, with all that it takes
 * to hash each event again (doc/audit.md); and the newest hashes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/store/chain.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "ctl.h"

static const char *
number(int64_t v, char dst[24])
{
	if (v == AUDIT_UNSAID)
		return ("-");
	snprintf(dst, 24, "%lld", (long long)v);
	return (dst);
}

static const char *
text(const char *s)
{
	return (s[0] != '\0' ? s : "-");
}

/* Of one that has what relayd does not write none is right. */
static const char *
hex(const struct audit_row *e, const uint8_t *hash, char dst[HEX64_SIZE])
{
	return (e->chain == CHAIN_NONE || e->is_odd ? "-" :
	    chain_hex(hash, dst));
}

static void
event_send(const struct asker *asker, const struct audit_row *e)
{
	char	n[6][24], at[32], prev[HEX64_SIZE], hash[HEX64_SIZE];

	ctl_row(asker, number(e->event, n[0]), e->at == AUDIT_UNSAID ? "-" :
	    api_time(e->at, at), e->action,
	    e->outcome, text(e->actor), text(e->address), text(e->session),
	    text(e->service), text(e->object), number(e->count, n[1]),
	    number(e->duration_ms, n[2]), number(e->bytes_in, n[3]),
	    number(e->bytes_out, n[4]), text(e->reason),
	    text(e->impersonator), text(e->token_id), text(e->access),
	    text(e->request), text(e->chain_name), e->chain == CHAIN_NONE ?
	    "-" : number(e->seq, n[5]), hex(e, e->prev, prev),
	    hex(e, e->hash, hash), CTL_END);
}

/* A question once this turn is in the store: nobody sees what may not stay. */
struct looking {
	struct asker	asker;
	enum store_what	what;
	char		after[24];
};

static void
looked(struct looking *lo, int r)
{
	if (r == -1)
		ctl_done(&lo->asker, 503, "store is unavailable");
	else
		ctl_done(&lo->asker, 0, "");
	free(lo);
}

static void
events_known(const struct answer *a, void *arg)
{
	struct looking	*lo = arg;
	size_t		 i;

	if (a->r == 0)
		ctl_row(&lo->asker, "event", "time", "action", "outcome",
		    "actor", "address", "session", "service", "object",
		    "count", "duration_ms", "bytes_in", "bytes_out", "reason",
		    "impersonator", "token_id", "access", "request", "chain",
		    "seq", "prev", "hash", CTL_END);
	for (i = 0; i < a->n; i++)
		event_send(&lo->asker, &a->event[i]);
	looked(lo, a->r);
}

static void
heads_known(const struct answer *a, void *arg)
{
	struct looking	*lo = arg;
	char		 n[2][24], at[32], hash[HEX64_SIZE];
	size_t		 i;

	if (a->r == 0)
		ctl_row(&lo->asker, "chain", "seq", "event", "time", "head",
		    CTL_END);
	for (i = 0; i < a->n; i++)
		ctl_row(&lo->asker, a->event[i].chain_name,
		    number(a->event[i].seq, n[0]),
		    number(a->event[i].event, n[1]),
		    api_time(a->event[i].at, at),
		    chain_hex(a->event[i].hash, hash), CTL_END);
	looked(lo, a->r);
}

static void
look_ask(void *arg, int ok)
{
	struct looking	*lo = arg;

	(void)ok;
	(void)store_ask(&(struct question){ .what = lo->what,
	    .key = lo->after, .asker = lo->asker.instance },
	    lo->what == ASK_AUDIT ? events_known : heads_known, lo);
}

static void
look(const struct ctl *ctl, enum store_what what, const char *after)
{
	struct looking	*lo = calloc(1, sizeof(*lo));

	if (lo == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	lo->asker = ctl->asker;
	lo->what = what;
	strlcpy(lo->after, after, sizeof(lo->after));
	turn_after(look_ask, lo);
}

static void
show_audit(struct ctl *ctl, const struct facts *f)
{
	const char	*after = ctl->word[0], *wrong = NULL;

	(void)f;
	if (after[0] != '\0')
		(void)strtonum(after, 0, INT64_MAX, &wrong);
	if (wrong != NULL)
		ctl_done(&ctl->asker, 400, "event: not a number, as the "
		    "first column of -w has it");
	else
		look(ctl, ASK_AUDIT, after);
}
const struct ctl_handler	ctl_show_audit = { .fn = show_audit };

static void
audit_head(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	look(ctl, ASK_AUDIT_HEADS, "");
}
const struct ctl_handler	ctl_audit_head = { .fn = audit_head };
