/* SPDX-License-Identifier: ISC */
/* The store's tables: which there are, which there should be, making them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "ctl.h"

static void
schema_show(struct ctl *ctl, const struct facts *f)
{
	const struct asker	*a = &ctl->asker;
	struct store_schema	 s;
	char			 there[16], needed[16];

	(void)f;
	store_schema(&s);
	snprintf(there, sizeof(there), "%d", s.version);
	snprintf(needed, sizeof(needed), "%d", s.needed);
	ctl_row(a, "store", "schema", "needed", "state", CTL_END);
	ctl_row(a, s.engine, s.version < 0 ? "-" : there, needed,
	    s.version < 0 ? "not known" : s.version == s.needed ? "good" :
	    s.version == 0 ? "missing" : s.version < s.needed ? "old" :
	    "newer", CTL_END);
	ctl_done(a, 0, "");
}
const struct ctl_handler	ctl_schema_show = { .fn = schema_show };

static void
schema_applied(const char *err, void *arg)
{
	struct ctl	*ctl = arg;

	if (err != NULL) {
		log_warnx("schema apply: %s", err);
		ctl_done(&ctl->asker, 503, err);
	} else {
		log_info("schema apply of uid %u: done", (unsigned)ctl->uid);
		/* A store that only now gets its tables has no log yet. */
		if (store_is_up())
			ctl_audit(ctl, "", "", "");
		ctl_done(&ctl->asker, 0, "");
	}
	free(ctl);
}

static void
schema_apply(struct ctl *ctl, const struct facts *f)
{
	struct ctl	*mine = malloc(sizeof(*mine));

	(void)f;
	if (mine == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	*mine = *ctl;
	if (store_schema_apply(schema_applied, mine) == -1) {
		free(mine);
		ctl_done(&ctl->asker, 409, "somebody else applies it now");
	}
}
const struct ctl_handler	ctl_schema_apply = { .fn = schema_apply };
