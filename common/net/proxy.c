/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <arpa/inet.h>

#include <sodium.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/compat.h"
#include "proxy.h"

#define ENTRY_MAX	300	/* bytes of a piece of NO_PROXY */
#define USER_MAX	512

/* An address; one of IPv4 in either notation has length 4. */
struct ip {
	uint8_t	addr[16];
	size_t	len;
};

static const char	*credentials_take(struct proxy *, const char *, size_t);

/* The address of the proxy. */

static const char *
credentials_take(struct proxy *x, const char *s, size_t len)
{
	char		 pair[USER_MAX + 2], *user = pair, *password = pair;
	char		 plain[USER_MAX + 2];
	const char	*why = NULL;

	if (len > USER_MAX)
		return ("user and password are too long");
	memcpy(pair, s, len);
	pair[len] = '\0';
	(void)strsep(&password, ":");
	if (url_unescape(user, 0) == -1 ||
	    (password != NULL && url_unescape(password, 0) == -1))
		why = "bad %XX in user or password";
	else if (strchr(user, ':') != NULL)
		why = "a user cannot have a colon";
	snprintf(plain, sizeof(plain), "%s:%s", user, password == NULL ? "" :
	    password);
	if (why == NULL)
		sodium_bin2base64(x->basic, sizeof(x->basic),
		    (unsigned char *)plain, strlen(plain),
		    sodium_base64_VARIANT_ORIGINAL);
	explicit_bzero(pair, sizeof(pair));
	explicit_bzero(plain, sizeof(plain));
	return (why);
}

const char *
proxy_parse(struct proxy *x, const char *s)
{
	const char	*p, *why;
	size_t		 len, at;

	memset(x, 0, sizeof(*x));
	for (p = s; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			return ("has blanks or control characters");
	if (strncasecmp(s, "https://", 8) == 0) {
		x->at.tls = 1;
		s += 8;
	} else if (strncasecmp(s, "http://", 7) == 0)
		s += 7;
	else if (strstr(s, "://") != NULL)
		return ("http:// or https:// expected");
	len = strcspn(s, "/?#");
	/* A password may have an @ of its own: the last one counts. */
	for (at = len; at > 0 && s[at - 1] != '@'; at--)
		;
	if (at > 0 && (why = credentials_take(x, s, at - 1)) != NULL)
		return (why);
	return (url_authority(&x->at, s + at, len - at));
}

/* Who is exempt. */

static int
ip_parse(struct ip *ip, const char *s)
{
	static const uint8_t	mapped[12] = { [10] = 0xff, [11] = 0xff };

	ip->len = 4;
	if (inet_pton(AF_INET, s, ip->addr) == 1)
		return (0);
	ip->len = 16;
	if (inet_pton(AF_INET6, s, ip->addr) != 1)
		return (-1);
	if (memcmp(ip->addr, mapped, 12) == 0) {
		memmove(ip->addr, ip->addr + 12, 4);
		ip->len = 4;
	}
	return (0);
}

static int
ip_is_loopback(const struct ip *ip)
{
	static const uint8_t	one[16] = { [15] = 1 };

	return (ip->len == 4 ? ip->addr[0] == 127 :
	    memcmp(ip->addr, one, 16) == 0);
}

static int
bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned	whole = bits / 8, rest = bits % 8;

	return (memcmp(a, b, whole) == 0 &&
	    (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0));
}

/* 1 or 0: `ip` (NULL: a name) is in it or not; -1: this is no CIDR. */
static int
cidr_match(const char *entry, const struct ip *ip)
{
	const char	*slash = strchr(entry, '/');
	char		 addr[ENTRY_MAX];
	struct ip	 net;
	unsigned	 bits = 0;
	size_t		 len;

	if (slash == NULL || slash[1] == '\0' ||
	    strspn(slash + 1, "0123456789") != strlen(slash + 1) ||
	    strlen(slash + 1) > 8)
		return (-1);
	bits = (unsigned)strtoul(slash + 1, NULL, 10);
	len = (size_t)(slash - entry);
	memcpy(addr, entry, len);
	addr[len] = '\0';
	if (ip_parse(&net, addr) == -1 ||
	    bits > (strchr(addr, ':') != NULL ? 128 : 32))
		return (-1);
	if (net.len == 4 && strchr(addr, ':') != NULL) {
		if (bits < 96)
			return (0);
		bits -= 96;
	}
	return (ip != NULL && ip->len == net.len &&
	    bits_equal(ip->addr, net.addr, bits));
}

/*
 * Cut `host:port` or `[address]:port` in two; anything else is a host alone,
 * such as an address of IPv6.
 */
static void
entry_split(char **host, const char **port)
{
	char	*s = *host, *colon = strrchr(s, ':'), *end;

	*port = "";
	if (colon == NULL)
		return;
	if (*s == '[') {
		if ((end = strchr(s, ']')) == NULL || end + 1 != colon ||
		    strchr(s + 1, '[') != NULL || strchr(colon, ']') != NULL)
			return;
		*end = '\0';
		*host = s + 1;
	} else if (strchr(s, ':') != colon || strpbrk(s, "[]") != NULL)
		return;
	*colon = '\0';
	*port = colon + 1;
}

static int
domain_match(const char *domain, const char *host)
{
	size_t	dlen, hlen = strlen(host);

	if (strncmp(domain, "*.", 2) == 0)
		domain++;
	if (*domain != '.' && strcmp(domain, host) == 0)
		return (1);
	dlen = strlen(domain);
	if (hlen < dlen || strcmp(host + hlen - dlen, domain) != 0)
		return (0);
	return (*domain == '.' || (hlen > dlen && host[hlen - dlen - 1] ==
	    '.'));
}

/* One piece of the list, in lower case, without blanks around it. */
static int
entry_match(char *entry, const char *host, const char *port,
    const struct ip *ip)
{
	const char	*eport;
	struct ip	 eip;
	int		 r;

	if ((r = cidr_match(entry, ip)) != -1)
		return (r);
	entry_split(&entry, &eport);
	if (*entry == '\0' || (*eport != '\0' && strcmp(eport, port) != 0))
		return (0);
	if (ip_parse(&eip, entry) == 0)
		return (ip != NULL && ip->len == eip.len &&
		    memcmp(ip->addr, eip.addr, ip->len) == 0);
	return (ip == NULL && domain_match(entry, host));
}

static void
lower(char *dst, size_t size, const char *s, size_t len)
{
	size_t	i;

	for (i = 0; i < len && i + 1 < size; i++)
		dst[i] = (char)tolower((unsigned char)s[i]);
	dst[i] = '\0';
}

int
proxy_bypassed(const char *list, const char *host, uint16_t port)
{
	char		 name[URL_HOST_SIZE], number[8], entry[ENTRY_MAX];
	struct ip	 ip;
	int		 is_ip;
	size_t		 len;

	lower(name, sizeof(name), host, strlen(host));
	snprintf(number, sizeof(number), "%u", port);
	is_ip = ip_parse(&ip, name) == 0;
	if (strcmp(name, "localhost") == 0 || (is_ip && ip_is_loopback(&ip)))
		return (1);
	for (; *list != '\0'; list += len + (list[len] == ',')) {
		const char	*s = list;
		size_t		 n = len = strcspn(list, ",");

		for (; n > 0 && isspace((unsigned char)*s); s++)
			n--;
		for (; n > 0 && isspace((unsigned char)s[n - 1]); n--)
			;
		if (n == 0 || n >= sizeof(entry))
			continue;
		lower(entry, sizeof(entry), s, n);
		if (strcmp(entry, "*") == 0 || entry_match(entry, name, number,
		    is_ip ? &ip : NULL))
			return (1);
	}
	return (0);
}

/* What it answers. */

void
proxy_refusal(char *dst, size_t size, int status, const char *phrase,
    int credentials, int other_scheme)
{
	const char	*why = "it does not connect us", *todo = "";

	switch (status) {
	case 401:		/* says tinyproxy */
	case 407:
		why = credentials ? "it refuses user and password" :
		    "it wants a user and a password";
		todo = other_scheme ? "it takes no Basic, and nothing else is "
		    "spoken here" : credentials ? "check both in its address" :
		    "give them in its address, http://user:password@host:port";
		break;
	case 403:
		why = "it does not let us go there";
		todo = "its rules have to allow CONNECT to the server";
		break;
	case 500:
	case 502:
	case 503:
	case 504:
		why = "it cannot reach the server";
		todo = "does it know the name, and is the way open from there?";
		break;
	}
	snprintf(dst, size, "%s (%d%s%s)%s%s", why, status, *phrase == '\0' ?
	    "" : " ", phrase, *todo == '\0' ? "" : "; ", todo);
}
