/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>

#include <unistd.h>

#include "base/log.h"
#include "count.h"

static uint64_t		 own[METRIC_MOST];
#define B(us, shown)	us,
static const uint64_t	 bounds[] = { METRIC_BOUNDS(B) };
#undef B

uint64_t	*counts = own;

_Static_assert(sizeof(bounds) / sizeof(bounds[0]) == METRIC_BUCKETS,
    "METRIC_BUCKETS");

int
counts_take(int fd, uint8_t role, uint8_t index)
{
	void	*page;

	(void)role;
	(void)index;
	page = mmap(NULL, METRIC_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	close(fd);
	if (page == MAP_FAILED) {
		log_warn("counters");
		return (-1);
	}
	counts = page;
	return (0);
}

void
observe_us(unsigned id, uint64_t us)
{
	unsigned	i;

	for (i = 0; us > bounds[i]; i++)
		continue;
	counts[id + i]++;
	counts[id + METRIC_BUCKETS] += us;
}

unsigned
metric_outcome(unsigned status)
{
	switch (status) {
	case 401:
		return (1);
	case 403:
		return (2);
	case 404:
		return (3);
	case 409:
		return (4);
	case 429:
		return (5);
	default:
		return (status < 400 ? 0 : status < 500 ? 6 : 7);
	}
}
