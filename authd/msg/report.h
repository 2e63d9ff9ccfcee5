/* SPDX-License-Identifier: ISC */
#ifndef REPORT_H
#define REPORT_H

#include "imsg/imsg.h"

struct report;

#define REPORT_DIAG_MAX		524288	/* bytes of diagnostics */
#define REPORT_USERS_MAX	262144

/* What a muxd reports. tunnel-protocol.md, 4.4 and 4.5. */
void	report_free(struct report *);

#endif
