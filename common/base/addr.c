/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "compat.h"

static const uint8_t	mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0xff, 0xff };

static int
is_v4(const struct addr *a)
{
	return (memcmp(a->b, mapped, sizeof(mapped)) == 0);
}

void
addr_of_sockaddr(struct addr *a, const struct sockaddr *sa)
{
	const struct sockaddr_in	*in = (const void *)sa;
	const struct sockaddr_in6	*in6 = (const void *)sa;

	memset(a, 0, sizeof(*a));
	if (sa->sa_family == AF_INET) {
		memcpy(a->b, mapped, sizeof(mapped));
		memcpy(a->b + 12, &in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6)
		memcpy(a->b, &in6->sin6_addr, 16);
}

int
addr_parse(struct addr *a, const char *s, size_t len)
{
	struct addr	 v4;
	char		 text[ADDR_SIZE];

	if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(text) || memchr(s, '\0', len) != NULL)
		return (-1);
	memcpy(text, s, len);
	text[len] = '\0';
	memcpy(v4.b, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, v4.b + 12) == 1) {
		*a = v4;
		return (0);
	}
	return (inet_pton(AF_INET6, text, a->b) == 1 ? 0 : -1);
}

void
addr_print(const struct addr *a, char out[ADDR_SIZE])
{
	if (inet_ntop(is_v4(a) ? AF_INET : AF_INET6,
	    is_v4(a) ? a->b + 12 : a->b, out, ADDR_SIZE) == NULL)
		out[0] = '\0';
}

void
addr_key(const struct addr *a, char key[ADDR_SIZE])
{
	struct addr	net;

	addr_net_of(a, net.b);
	addr_print(&net, key);
}

void
addr_net_of(const struct addr *a, uint8_t net[16])
{
	memcpy(net, a->b, 16);
	if (!is_v4(a))
		memset(net + 8, 0, 8);
}

int
addr_net_parse(struct addr_net *n, const char *s)
{
	const char	*slash, *err = NULL;
	size_t		 len;
	int		 max;

	slash = strchr(s, '/');
	len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	if (addr_parse(&n->net, s, len) == -1)
		return (-1);
	max = is_v4(&n->net) && memchr(s, ':', len) == NULL ? 32 : 128;
	n->bits = 128;
	if (slash != NULL)
		n->bits = (unsigned)strtonum(slash + 1, 0, max, &err) +
		    (unsigned)(128 - max);
	return (err == NULL ? 0 : -1);
}

int
addr_in(const struct addr *a, const struct addr_net *nets, size_t n)
{
	size_t		i;
	unsigned int	whole, rest;

	for (i = 0; i < n; i++) {
		whole = nets[i].bits / 8;
		rest = nets[i].bits % 8;
		if (memcmp(a->b, nets[i].net.b, whole) != 0)
			continue;
		if (rest == 0 || ((a->b[whole] ^ nets[i].net.b[whole]) >>
		    (8 - rest)) == 0)
			return (1);
	}
	return (0);
}
