/* SPDX-License-Identifier: ISC */
#include "proc/proc.h"
#include "proxy.h"

struct origin_at
proxy_at(const struct proxy *p)
{
	const struct conf	*cf = proc_conf();
	struct origin_at	 at;

	at.domain = cf->proxy_domain;
	at.scheme = cf->proxy_plain ? "http" : "https";
	at.port = (uint16_t)cf->proxy_port;
	at.own_port = p->to.port;
	return (at);
}

const struct urlmap *
proxy_names(struct names *n, const struct proxy *p)
{
	static const struct services	 none;
	const struct upstream		*st = p->use.st;

	n->at = proxy_at(p);
	n->map.services = proxy_has_no_host(p) ? none : *session_view(p->se);
	n->map.tunnel = st->g->se;
	n->map.from = proxy_has_no_host(p) ? NULL : session_own(st->g->se, st->service);
	n->map.browser = &p->to.host;
	n->map.at = &n->at;
	return (&n->map);
}
