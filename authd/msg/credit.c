/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "authd/core/session.h"
#include "credit.h"
#include "handlers.h"
#include "peer.h"
#include "proc/proc.h"

#define SHARE		8		/* an eighth of memory */
#define FALLBACK_MIB	512		/* when nobody says how much there is */

static struct budget	credit;		/* MiB */

void
credit_init(void)
{
	long	pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	credit.total = FALLBACK_MIB;
	if (pages > 0 && size > 0)
		credit.total = (uint64_t)pages * (uint64_t)size / SHARE >> 20;
}

uint32_t
credit_leased_mib(void)
{
	return ((uint32_t)credit.used);
}

uint32_t
credit_total_mib(void)
{
	return ((uint32_t)credit.total);
}

/* A tunnel's own limit is the least that a system or an organization gets. */
static uint64_t
at_least(uint64_t share, uint64_t tunnel)
{
	return (share > tunnel ? share : tunnel);
}

static uint32_t
credit_lend(struct peer *pe, uint64_t want)
{
	const struct session	*se = peer_session(pe);
	struct claim		*lease = &pe->mux.lease;
	uint64_t		 most = proc_conf()->credit_tunnel >> 20;

	credit.one = at_least(credit.total / 4, most);
	credit.few = at_least(credit.total / 8, most);
	if (se == NULL || lease->n >= most)
		return (0);
	if (want > most - lease->n)
		want = most - lease->n;
	return ((uint32_t)budget_take_some(&credit, lease, se->row.system_id,
	    se->org_id, want));
}

int
credit_on_ask(struct chan *c, struct imsg *m)
{
	struct msg_credit_ask	 in;

	if (get_credit_ask(m, &in) == -1)
		return (-1);
	(void)say_credit(c, m->id, -1, &(struct msg_credit){
	    .mib = credit_lend(peer_of(c), in.mib) });
	return (0);
}

/* More than it has from us: leased by an authd that is no more. */
int
credit_on_back(struct chan *c, struct imsg *m)
{
	struct msg_credit_back	 in;

	if (get_credit_back(m, &in) == -1)
		return (-1);
	budget_give(&credit, &peer_of(c)->mux.lease, in.mib);
	return (0);
}

void
credit_release(struct peer *pe)
{
	budget_leave(&credit, &pe->mux.lease);
}
