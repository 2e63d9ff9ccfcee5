/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "trust.h"

#define NETS_MAX	16

static struct {
	struct addr_net	 net[NETS_MAX];
	size_t		 n;
} trusted;

int
trust_configure(const struct conf *cf, const char **why)
{
	struct addr_net	nets[NETS_MAX];
	size_t		i;

	for (i = 0; i < cf->n_trusted_proxy; i++)
		if (addr_net_parse(&nets[i], cf->trusted_proxy[i]) == -1) {
			*why = "trusted proxy: not an address or network";
			return (-1);
		}
	if (i > 0)
		memcpy(trusted.net, nets, i * sizeof(nets[0]));
	trusted.n = i;
	return (0);
}

int
trust_has(const struct addr *peer)
{
	return (addr_in(peer, trusted.net, trusted.n));
}

void
trust_forwarded(struct addr *a, const struct httphead *h)
{
	(void)addr_forwarded(a, h, trusted.net, trusted.n);
}

const struct slice *
trust_host(int trusted, const struct httphead *h)
{
	const struct slice	*v;

	if (trusted && (v = httphead_get(h, "x-forwarded-host")) != NULL)
		return (v);
	return (&h->host);
}
