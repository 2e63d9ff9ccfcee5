/* SPDX-License-Identifier: ISC */
#ifndef METRIC_PAGES_H
#define METRIC_PAGES_H

#include <stdint.h>

struct metric_pages;

/*
 * The pages of all who count, for who may read them (RF_READS): mapped so that
 * they cannot be written. What is in one is what its owner says.
 */

/* Once, before the first: which role's page is our own. */
void	pages_own(int role);
/* COUNTERS: our own page, to count in, or another's, to read. Owns the fd. */
int	pages_take(int fd, uint8_t role, uint8_t index);

const struct metric_pages	*pages_seen(void);

/* A number of the page of a role, of all its processes together. */
uint64_t	pages_number(int role, unsigned at);

#endif
