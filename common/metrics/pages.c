/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>

#include <unistd.h>

#include "base/log.h"
#include "count.h"
#include "pages.h"
#include "proc/roles.h"
#include "table.h"

static struct metric_pages	pages;
static int			own = ROLE_NONE;

void
pages_own(int role)
{
	own = role;
}

int
pages_take(int fd, uint8_t role, uint8_t index)
{
	struct metric_page	*p = &pages.page[pages.n];
	void			*at;

	if (pages.n == METRIC_PAGES || metric_count(role) == 0) {
		close(fd);
		return (-1);
	}
	if (role == own) {
		if (counts_take(fd, role, index) == -1)
			return (-1);
		at = counts;
	} else {
		at = mmap(NULL, METRIC_PAGE, PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
		if (at == MAP_FAILED) {
			log_warn("counters of %s", role_name(role));
			return (-1);
		}
	}
	p->role = role;
	p->at = at;
	pages.n++;
	return (0);
}

const struct metric_pages *
pages_seen(void)
{
	return (&pages);
}

uint64_t
pages_number(int role, unsigned at)
{
	return (metric_sum(&pages, role, at));
}
