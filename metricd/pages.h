/* SPDX-License-Identifier: ISC */
#ifndef METRICD_PAGES_H
#define METRICD_PAGES_H

#include <stdint.h>

struct metric_pages;

/* COUNTERS: our own page, to count in, or another's, to read. Owns the fd. */
int	pages_take(int fd, uint8_t role, uint8_t index);

const struct metric_pages	*pages_seen(void);

/* A number of the page of a role, of all its processes together. */
uint64_t	pages_number(int role, unsigned at);

#endif
