/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "credit.h"
#include "peer.h"
#include "proc/proc.h"

#define SHARE		8		/* an eighth of memory */
#define FALLBACK_MIB	512		/* when nobody says how much there is */

static uint32_t	total_mib, leased_mib;

void
credit_init(void)
{
	long	pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	total_mib = FALLBACK_MIB;
	if (pages > 0 && size > 0)
		total_mib = (uint32_t)((uint64_t)pages * (uint64_t)size /
		    SHARE >> 20);
}

uint32_t
credit_leased_mib(void)
{
	return (leased_mib);
}

uint32_t
credit_total_mib(void)
{
	return (total_mib);
}

int
credit_on_ask(struct chan *c, struct imsg *m)
{
	struct msg_credit_ask	 in;
	struct peer	*pe = peer_of(c);
	uint32_t	 give, most;

	if (get_credit_ask(m, &in) == -1)
		return (-1);
	most = (uint32_t)(proc_conf()->credit_tunnel >> 20);
	give = in.mib;
	if (pe->mux.lease_mib >= most)
		give = 0;
	else if (give > most - pe->mux.lease_mib)
		give = most - pe->mux.lease_mib;
	if (give > total_mib - leased_mib)
		give = total_mib - leased_mib;
	pe->mux.lease_mib += give;
	leased_mib += give;
	(void)say_credit(c, m->id, -1, &(struct msg_credit){
	    .mib = give });
	return (0);
}

/* More than it has from us: leased by an authd that is no more. */
int
credit_on_back(struct chan *c, struct imsg *m)
{
	struct msg_credit_back	 in;
	struct peer	*pe = peer_of(c);

	if (get_credit_back(m, &in) == -1)
		return (-1);
	if (in.mib > pe->mux.lease_mib)
		in.mib = pe->mux.lease_mib;
	pe->mux.lease_mib -= in.mib;
	leased_mib -= in.mib;
	return (0);
}

void
credit_release(struct peer *pe)
{
	leased_mib -= pe->mux.lease_mib;
	pe->mux.lease_mib = 0;
}
