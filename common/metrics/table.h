/* SPDX-License-Identifier: ISC */
#ifndef METRIC_TABLE_H
#define METRIC_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The metrics as a table, and a page of it as text: for who shows them
 * (metricd, the parent for `relayctl show metrics`). Pure.
 */
enum metric_kind { METRIC_FAMILY, METRIC_VALUE, METRIC_HISTO };
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_INFO,
	METRIC_HISTOGRAM_TYPE };
enum metric_unit { METRIC_NONE, METRIC_BYTES, METRIC_SECONDS };

struct metric {
	enum metric_kind	 kind;
	enum metric_type	 type;		/* FAMILY */
	enum metric_unit	 unit;		/* FAMILY */
	unsigned		 at;		/* its place in the page */
	const char		*text;		/* name; or labels */
	const char		*help;		/* FAMILY */
};

/* Rows of a role, a family's behind it; NULL and 0: it has none. */
const struct metric	*metric_table(int role, size_t *n);
/* How many numbers its page has. */
size_t			 metric_count(int role);

/* The pages that there are. Several of one role are added up. */
#define METRIC_PAGES	72
struct metric_page {
	int		 role;
	const uint64_t	*at;
};
struct metric_pages {
	size_t			n;
	struct metric_page	page[METRIC_PAGES];
};

/* What all pages of a role have together. */
uint64_t	metric_sum(const struct metric_pages *, int role, unsigned at);

/*
 * All of it: as OpenMetrics 1.0, or as the text format 0.0.4. States of a role
 * of which no process is there are left out (CT_UP_* of the parent's page says
 * so). Returns the length, which is at least `size` if that was too small; then
 * the text is no use.
 */
size_t	metrics_text(char *dst, size_t size, const struct metric_pages *,
	    int openmetrics);

/*
 * Each number for itself, in the same order: name and labels as they are shown,
 * and the value. For a histogram count and sum.
 */
typedef void (*metric_fn)(void *arg, const char *name, const char *labels,
    const char *value);
void	metrics_each(const struct metric_pages *, metric_fn, void *arg);

#endif
