/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "store.h"

#define PER_SECOND	100
#define KEEP		1000000		/* events; some 200 MB */

static struct {
	int64_t		second;
	unsigned	count;
	unsigned long	skipped;	/* since the last row that says so */
	unsigned long	total;
} audit;

unsigned long
audit_left_out(void)
{
	return (audit.total);
}

void
audit_refusal(const char *actor, const char *address, const char *action,
    const char *session, const char *reason)
{
	int64_t	now = clock_wall_ms();
	char	text[64], who[256];

	if (now / 1000 != audit.second) {
		audit.second = now / 1000;
		audit.count = 0;
		if (store_is_up())
			(void)store_audit_trim(KEEP);
		if (audit.skipped > 0 && store_is_up()) {
			snprintf(text, sizeof(text), "%lu refusals not listed",
			    audit.skipped);
			audit.skipped = 0;
			(void)store_audit(now, "", "", "refusals", "",
			    "refused", text);
		}
	}
	if (++audit.count > PER_SECOND) {
		audit.skipped++;
		audit.total++;
		return;
	}
	log_info("%s: %s%s%s refused: %s", log_escape(text, sizeof(text),
	    address, strlen(address)), action, actor[0] != '\0' ? " of " : "",
	    log_escape(who, sizeof(who), actor, strlen(actor)), reason);
	/* A store that is down is not asked again for each refusal. */
	if (store_is_up())
		(void)store_audit(now, actor, address, action, session,
		    "refused", reason);
}

void
audit_done(const char *actor, const char *address, const char *action,
    const char *session, const char *detail)
{
	(void)store_audit(clock_wall_ms(), actor, address, action, session,
	    "done", detail);
}
