/* SPDX-License-Identifier: ISC */
/* Identity providers, and what is known of their keys. */
#include <stdio.h>

#include "authd/api/api.h"
#include "authd/cred/jwk.h"
#include "authd/msg/dialer.h"
#include "base/clock.h"
#include "ctl.h"

static void
issuer_row(void *arg, const struct issuer_state *st)
{
	const struct issuer	*is = st->issuer;
	char			 since[32], wait[24];

	snprintf(wait, sizeof(wait), "%llus",
	    (unsigned long long)(st->next_ms + 999) / 1000);
	ctl_row(arg, is->url, ctl_num(jwk_set_count(is->keys)),
	    is->keys == NULL ? "-" : api_time(clock_wall_ms() -
	    (int64_t)(clock_ms() - is->got_ms), since), wait,
	    st->why[0] != '\0' ? st->why : "-", CTL_END);
}

static void
show_issuers(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "issuer", "keys", "since", "wait", "reason",
	    CTL_END);
	dialer_each(issuer_row, &ctl->asker);
	ctl_done(&ctl->asker, 0, "");
}
const struct ctl_handler	ctl_show_issuers = { .fn = show_issuers };
