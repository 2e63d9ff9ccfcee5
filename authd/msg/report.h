/* SPDX-License-Identifier: ISC */
#ifndef REPORT_H
#define REPORT_H

#include "imsg/imsg.h"

struct report;

#define REPORT_DIAG_MAX		524288	/* bytes of diagnostics */
#define REPORT_USERS_MAX	262144

/* Handlers of a muxd's channel. tunnel-protocol.md, 4.4 and 4.5. */
int	report_on_begin(struct chan *, struct imsg *);
int	report_on_chunk(struct chan *, struct imsg *);
int	report_on_end(struct chan *, struct imsg *);
int	report_on_users_fetch(struct chan *, struct imsg *);
void	report_free(struct report *);

#endif
