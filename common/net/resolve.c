/* SPDX-License-Identifier: ISC */
/*
 * Names: evdns with the system's resolv.conf and hosts files, so that nothing
 * ever waits. There is no other source (nsswitch is not asked).
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net.h"
#include "net_int.h"

struct lookup {
	lookup_fn			 fn;		/* NULL: cancelled */
	void				*arg;
	struct evdns_getaddrinfo_request *req;
	struct timer			 later;
	struct net_addr			 v[NET_ADDRS];
	size_t				 n;
	const char			*why;
	int				 done;		/* the answer is in */
};

static void	lookup_answer(int, struct evutil_addrinfo *, void *);
static void	lookup_tell(void *);
static int	lookup_literal(struct lookup *, const char *);

static struct {
	struct event_base	*base;
	struct evdns_base	*dns;
} resolver;

struct event_base *
net_base(void)
{
	return (resolver.base);
}

/* What net_init() and net_clear() in nettls.c leave to this file. */
void
net_resolver_init(struct event_base *base)
{
	resolver.base = base;
}

void
net_resolver_clear(void)
{
	if (resolver.dns != NULL)
		evdns_base_free(resolver.dns, 1);
	resolver.dns = NULL;
	/* Let the callbacks of what was asked run: they free it. */
	if (resolver.base != NULL)
		event_base_loop(resolver.base, EVLOOP_NONBLOCK);
	resolver.base = NULL;
}

void
net_reload(void)
{
	struct evdns_base	*dns;

	dns = evdns_base_new(resolver.base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (dns == NULL) {
		log_warnx("resolver: out of memory");
		return;
	}
	if (evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL,
	    "/etc/resolv.conf") != 0)
		log_debug("resolver: no name server in /etc/resolv.conf");
	evdns_base_set_option(dns, "randomize-case:", "0");
#ifdef RELAYD_TESTING
	if (getenv("TUNNEL_CLIENT_DNS") != NULL) {
		evdns_base_clear_nameservers_and_suspend(dns);
		evdns_base_nameserver_ip_add(dns, getenv("TUNNEL_CLIENT_DNS"));
		evdns_base_resume(dns);
	}
	if (getenv("TUNNEL_CLIENT_HOSTS") != NULL)
		evdns_base_load_hosts(dns, getenv("TUNNEL_CLIENT_HOSTS"));
#endif
	if (resolver.dns != NULL)
		evdns_base_free(resolver.dns, 1);
	resolver.dns = dns;
}

struct lookup *
lookup_start(const char *host, lookup_fn fn, void *arg)
{
	struct evutil_addrinfo	 hints;
	struct lookup		*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->fn = fn;
	l->arg = arg;
	timer_init(&l->later, lookup_tell, l);
	if (lookup_literal(l, host))
		return (l);
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_protocol = IPPROTO_TCP;
	if (resolver.dns == NULL) {
		l->why = "no resolver";
		l->done = 1;
		timer_set(&l->later, 0);
		return (l);
	}
	/* May answer at once, from the hosts file: then l->done is set. */
	l->req = evdns_getaddrinfo(
	    resolver.dns, host, NULL, &hints, lookup_answer, l);
	if (l->done)
		l->req = NULL;
	return (l);
}

static int
lookup_literal(struct lookup *l, const char *host)
{
	if (inet_pton(AF_INET, host, l->v[0].addr) == 1)
		l->v[0].family = AF_INET;
	else if (inet_pton(AF_INET6, host, l->v[0].addr) == 1)
		l->v[0].family = AF_INET6;
	else
		return (0);
	l->n = 1;
	l->done = 1;
	timer_set(&l->later, 0);
	return (1);
}

static void
lookup_add(struct lookup *l, const struct sockaddr *sa)
{
	struct net_addr	*a = &l->v[l->n];

	memset(a, 0, sizeof(*a));
	a->family = sa->sa_family;
	if (sa->sa_family == AF_INET)
		memcpy(a->addr, &((const struct sockaddr_in *)
		    (const void *)sa)->sin_addr, 4);
	else if (sa->sa_family == AF_INET6)
		memcpy(a->addr, &((const struct sockaddr_in6 *)
		    (const void *)sa)->sin6_addr, 16);
	else
		return;
	l->n++;
}

static void
lookup_answer(int err, struct evutil_addrinfo *ai, void *arg)
{
	struct lookup		*l = arg;
	struct evutil_addrinfo	*p;

	l->req = NULL;
	l->done = 1;
	if (l->fn == NULL) {		/* cancelled: nobody else has it */
		if (ai != NULL)
			evutil_freeaddrinfo(ai);
		free(l);
		return;
	}
	for (p = ai; p != NULL && l->n < NET_ADDRS; p = p->ai_next)
		lookup_add(l, p->ai_addr);
	if (ai != NULL)
		evutil_freeaddrinfo(ai);
	if (l->n == 0)
		l->why = err == EVUTIL_EAI_NONAME || err == 0 ||
		    err == EVUTIL_EAI_NODATA ? "no such host" :
		    evutil_gai_strerror(err);
	timer_set(&l->later, 0);
}

static void
lookup_tell(void *arg)
{
	struct lookup	*l = arg;

	l->fn(l->arg, l->v, l->n, l->why);
	free(l);
}

void
lookup_cancel(struct lookup *l)
{
	timer_del(&l->later);
	l->fn = NULL;
	if (l->done)
		free(l);
	else if (l->req != NULL)
		evdns_getaddrinfo_cancel(l->req);	/* frees it, later */
}
