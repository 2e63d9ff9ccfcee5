/* SPDX-License-Identifier: ISC */
#ifndef DIAG_H
#define DIAG_H

#include <stddef.h>

/*
 * The client's diagnostics report: what the server keeps of it, written anew.
 * Pure. tunnel-protocol.md, 4.4.
 */
#define DIAG_BYTES_MAX		524288	/* of JSON, in and out */
#define DIAG_PLUGINS_MAX	64	/* further ones are left out */
#define DIAG_CHECKS_MAX		64	/* of one plugin */
#define DIAG_STRING_MAX		1024	/* bytes; longer ones are cut */
#define DIAG_DETAILS_MAX	4096	/* bytes of JSON; more is left out */

/*
 * Parse a report (text_json_load()) and write it again with known members only:
 * a status outside the list becomes `error`, details are one flat object of
 * scalars. Plugins without id and checks without name are left out. Returns
 * terminated JSON for free(), its length in *out_len; NULL with *why for what
 * is not a report, is too long, or when memory ran out.
 */
char	*diag_rewrite(const char *json, size_t len, size_t *out_len,
	    const char **why);

#endif
