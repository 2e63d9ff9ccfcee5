/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "trusted.h"

#define NETS_MAX	16	/* conf.h */

struct nets {
	struct addr_net	 net[NETS_MAX];
	size_t		 n;
};

static struct nets	nets;

static int
nets_parse(struct nets *ns, const struct conf *conf)
{
	memset(ns, 0, sizeof(*ns));
	for (; ns->n < conf->n_trusted_proxy; ns->n++)
		if (addr_net_parse(&ns->net[ns->n],
		    conf->trusted_proxy[ns->n]) == -1)
			return (-1);
	return (0);
}

int
trusted_judge(const struct conf *conf, const char **why)
{
	struct nets	ns;

	*why = "trusted proxy: not an address or network";
	return (nets_parse(&ns, conf));
}

int
trusted_use(const struct conf *conf)
{
	struct nets	ns;

	if (nets_parse(&ns, conf) == -1)
		return (-1);
	nets = ns;
	return (0);
}

int
trusted_has(const struct addr *a)
{
	return (addr_in(a, nets.net, nets.n));
}
