/* SPDX-License-Identifier: ISC */
/*
 * What everybody counts (metrics/count.h): a page of memory for each place that
 * counts, which outlives who is in it. Its owner writes it, metricd and authd
 * read all of them. None can be made shorter, and who is to read cannot write.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "metrics/count.h"
#include "metrics/table.h"
#include "relayd.h"

static struct {
	struct metric_pages	 all;
	uint64_t		*at[METRIC_PAGES];	/* the same, ours to write */
	unsigned		 index[METRIC_PAGES];
	int			 fd[METRIC_PAGES];
} pages;

static void
page_new(int role, unsigned index)
{
	size_t	 i = pages.all.n++;
	void	*at;
	int	 fd;

	if (i == METRIC_PAGES)
		fatalx("more counters than there are places");
	fd = memfd_create("relayd-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1 || ftruncate(fd, METRIC_PAGE) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
	    -1 || (at = mmap(NULL, METRIC_PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0)) == MAP_FAILED)
		fatal("counters");
	pages.all.page[i].role = role;
	pages.all.page[i].at = at;
	pages.at[i] = at;
	pages.index[i] = index;
	pages.fd[i] = fd;
}

void
pages_init(void)
{
	unsigned	i;
	int		role;

	page_new(ROLE_PARENT, 0);
	counts = pages.at[0];
	for (role = 0; role < ROLE_COUNT; role++)
		for (i = 0; (role_info(role)->flags & RF_COUNTS) &&
		    i < limits_places(&env()->conf, role); i++)
			page_new(role, i);
	gauge(CT_BUILD, 1);
	gauge(CT_UP_PARENT, 1);
	gauge(CT_STARTED_AT, (uint64_t)clock_wall_ms() * 1000);
	gauge(CT_RELOADED_AT, (uint64_t)clock_wall_ms() * 1000);
}

/* The page of a place; -1: none. */
static int
page_of(const struct child *c)
{
	size_t	i;

	for (i = 0; c->slot != NULL && i < pages.all.n; i++)
		if (pages.all.page[i].role == c->role &&
		    pages.index[i] == c->slot->index)
			return ((int)i);
	return (-1);
}

/* The same file, open to read and no more. */
static int
read_only(int fd)
{
	char	path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return (open(path, O_RDONLY | O_CLOEXEC));
}

static int
page_send(struct child *to, size_t i, int write)
{
	int	fd = write ? fcntl(pages.fd[i], F_DUPFD_CLOEXEC, 0) :
		    read_only(pages.fd[i]);

	if (fd == -1)
		return (-1);
	return (say_counters(to->chan, 0, fd, &(struct msg_counters){
	    .role = (uint8_t)pages.all.page[i].role,
	    .index = (uint8_t)pages.index[i] }));
}

int
pages_send(struct child *to)
{
	int	own = page_of(to), r = 0;
	size_t	i;

	if (own != -1)
		r |= page_send(to, (size_t)own, 1);
	for (i = 0; (role_info(to->role)->flags & RF_READS) &&
	    i < pages.all.n; i++)
		if (own == -1 || i != (size_t)own)
			r |= page_send(to, i, 0);
	return (r);
}

/* All that is no counter. */
void
pages_ended(const struct child *c)
{
	const struct metric	*m;
	int			 own = page_of(c), state = 0;
	size_t			 i, n;

	if (own == -1)
		return;
	m = metric_table(c->role, &n);
	for (i = 0; i < n; i++, m++) {
		if (m->kind == METRIC_FAMILY)
			state = m->type == METRIC_GAUGE;
		else if (state)
			pages.at[own][m->at] = 0;
	}
}

const struct metric_pages *
pages_all(void)
{
	return (&pages.all);
}
