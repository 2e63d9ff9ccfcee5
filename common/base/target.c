/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <string.h>
#include <strings.h>

#include "ascii.h"
#include "target.h"

static int	host_take(const char *, size_t, struct target *);
static int	host_chars(const char *, size_t);
static int	port_take(const char *, uint16_t *);
static int	legacy_ipv4(const char *, uint8_t [4]);
static int	legacy_number(const char **, uint32_t *);
static int	check_ipv4(const uint8_t *);
static int	check_ipv6(const uint8_t *);
static int	in_net(const uint8_t *, const uint8_t *, int);
static int	embedded_ipv4(const uint8_t *, size_t, uint8_t [4]);

/*
 * The one list of what is refused. Where clouds hand out a machine's own
 * credentials (their documentation names these), and what is no host's address
 * (IANA's special-purpose registries, RFC 6890; RFC 4291, 5771).
 */
static const char	refused_names[][32] = {
	"metadata.google.internal",		/* Google Cloud */
	"metadata.goog",
	"metadata",
	"metadata.azure.internal",		/* Azure */
	"instance-data",			/* Amazon EC2 */
	"instance-data.ec2.internal",
	"metadata.platformequinix.com",		/* Equinix Metal */
	"metadata.packet.net",
	"metadata.tencentyun.com",		/* Tencent Cloud */
	"api.metadata.cloud.ibm.com",		/* IBM Cloud */
};

/* Network, prefix length. */
static const struct {
	uint8_t	net[4];
	int	bits;
} refused_ipv4[] = {
	{ { 0, 0, 0, 0 }, 32 },
	{ { 169, 254, 0, 0 }, 16 },		/* link-local; most clouds */
	{ { 100, 100, 100, 200 }, 32 },		/* Alibaba Cloud */
	{ { 168, 63, 129, 16 }, 32 },		/* Azure's platform */
	{ { 192, 0, 0, 192 }, 32 },		/* Oracle Cloud */
	{ { 224, 0, 0, 0 }, 4 },		/* multicast */
	{ { 240, 0, 0, 0 }, 4 },		/* reserved, broadcast */
};

static const struct {
	uint8_t	net[16];
	int	bits;
} refused_ipv6[] = {
	{ { 0xfe, 0x80 }, 10 },			/* link-local */
	{ { 0xff }, 8 },			/* multicast */
	/* Amazon EC2: fd00:ec2::254, and the credentials of pods, ::23 */
	{ { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 }, 128 },
	{ { 0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23 }, 128 },
	/* Google Cloud: fd20:ce::254 */
	{ { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 }, 128 },
	/* Scaleway: fd00:42::42 */
	{ { 0xfd, 0x00, 0x00, 0x42, [15] = 0x42 }, 128 },
};

/*
 * IPv6 networks whose addresses stand for an IPv4 address, and which of their
 * bytes that is. One of them inside is judged like the address itself.
 */
static const struct {
	uint8_t	net[16];
	int	bits;
	uint8_t	at[4];
	uint8_t	flip;			/* each byte is xored with this */
	int	guess;			/* whether it is there is not known */
} embedding[] = {
	/* RFC 4291: IPv4-mapped, IPv4-compatible */
	{ { [10] = 0xff, [11] = 0xff }, 96, { 12, 13, 14, 15 }, 0, 0 },
	{ { 0 }, 96, { 12, 13, 14, 15 }, 0, 0 },
	/* RFC 2765: IPv4-translated */
	{ { [8] = 0xff, [9] = 0xff }, 96, { 12, 13, 14, 15 }, 0, 0 },
	/* RFC 6052: 64:ff9b::/96 */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, { 12, 13, 14, 15 }, 0, 0 },
	/* RFC 8215: 64:ff9b:1::/48, where a site picks the length */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, { 6, 7, 9, 10 }, 0, 1 },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, { 7, 9, 10, 11 }, 0, 1 },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, { 9, 10, 11, 12 }, 0, 1 },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, { 12, 13, 14, 15 }, 0,
	    1 },
	/* RFC 3056: 6to4; RFC 4380: Teredo */
	{ { 0x20, 0x02 }, 16, { 2, 3, 4, 5 }, 0, 0 },
	{ { 0x20, 0x01, 0x00, 0x00 }, 32, { 12, 13, 14, 15 }, 0xff, 0 },
};
#define NEMBEDDING	(sizeof(embedding) / sizeof(embedding[0]))

int
target_parse(const char *s, struct target *t)
{
	struct target	 own;
	const char	*host = s, *colon, *close;
	size_t		 len;

	if (t == NULL)
		t = &own;
	memset(t, 0, sizeof(*t));
	if (*s == '[') {
		host++;
		if ((close = strchr(host, ']')) == NULL)
			return (TARGET_E_FORM);
		len = (size_t)(close - host);
		colon = close + 1;
		if (*colon == '\0')
			return (TARGET_E_PORT);
		if (*colon != ':')
			return (TARGET_E_FORM);
	} else {
		if ((colon = strchr(s, ':')) == NULL)
			return (*s == '\0' ? TARGET_E_EMPTY : TARGET_E_PORT);
		/* IPv6 without brackets: which colon is the port's? */
		if (strchr(colon + 1, ':') != NULL)
			return (TARGET_E_FORM);
		len = (size_t)(colon - s);
	}
	if (len == 0)
		return (TARGET_E_EMPTY);
	if (port_take(colon + 1, &t->port) == -1)
		return (TARGET_E_PORT);
	if (len >= sizeof(t->host) || host_take(host, len, t) == -1)
		return (TARGET_E_FORM);
	if ((*s == '[') != (t->family == AF_INET6))
		return (TARGET_E_FORM);
	if (t->family == 0)
		return (target_check_name(t->host));
	return (target_check_addr(t->family, t->addr));
}

/* Copy the host and find out what kind it is. */
static int
host_take(const char *s, size_t len, struct target *t)
{
	memcpy(t->host, s, len);
	t->host[len] = '\0';
	if (inet_pton(AF_INET6, t->host, t->addr) == 1) {
		t->family = AF_INET6;
		return (0);
	}
	if (inet_pton(AF_INET, t->host, t->addr) == 1 ||
	    legacy_ipv4(t->host, t->addr) == 0) {
		t->family = AF_INET;
		return (0);
	}
	memset(t->addr, 0, sizeof(t->addr));
	return (host_chars(s, len));
}

/* A name: labels of letters, digits, '-' and '_', none empty but the last. */
static int
host_chars(const char *s, size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++) {
		if ((s[i] >= 'a' && s[i] <= 'z') ||
		    (s[i] >= 'A' && s[i] <= 'Z') ||
		    (s[i] >= '0' && s[i] <= '9') || s[i] == '-' || s[i] == '_')
			continue;
		if (s[i] != '.' || i == 0 || s[i - 1] == '.')
			return (-1);
	}
	return (0);
}

static int
port_take(const char *s, uint16_t *port)
{
	uint32_t	n = 0;
	size_t		i;

	for (i = 0; s[i] != '\0'; i++) {
		if (s[i] < '0' || s[i] > '9' || i == 5)
			return (-1);
		n = n * 10 + (uint32_t)(s[i] - '0');
	}
	if (n < 1 || n > 65535)
		return (-1);
	*port = (uint16_t)n;
	return (0);
}

/*
 * IPv4 as inet_aton(3) reads it, which getaddrinfo(3) calls: one to four
 * numbers, decimal, octal or hexadecimal, the last fills what is left. A
 * trailing dot is tolerated, so that it cannot hide an address.
 */
static int
legacy_ipv4(const char *s, uint8_t addr[4])
{
	uint32_t	part[4], last, value = 0;
	int		i, n = 0;

	for (;;) {
		if (n == 4 || legacy_number(&s, &part[n++]) == -1)
			return (-1);
		if (*s == '.' && s[1] != '\0')
			s++;
		else
			break;
	}
	if (*s == '.')
		s++;
	if (*s != '\0')
		return (-1);
	for (i = 0; i < n - 1; i++) {
		if (part[i] > 255)
			return (-1);
		value |= part[i] << (24 - 8 * i);
	}
	last = part[n - 1];
	if (n > 1 && last >> (8 * (5 - n)) != 0)
		return (-1);
	value |= last;
	for (i = 0; i < 4; i++)
		addr[i] = (uint8_t)(value >> (24 - 8 * i));
	return (0);
}

static int
legacy_number(const char **s, uint32_t *out)
{
	const char	*p = *s;
	uint64_t	 n = 0;
	unsigned	 base = 10, digit;
	int		 digits = 0;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	} else if (p[0] == '0')
		base = 8;
	for (;; p++, digits++) {
		if (*p >= '0' && *p <= '9')
			digit = (unsigned)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			digit = (unsigned)(*p - 'a') + 10;
		else if (*p >= 'A' && *p <= 'F')
			digit = (unsigned)(*p - 'A') + 10;
		else
			break;
		if (digit >= base)
			return (-1);
		if ((n = n * base + digit) > UINT32_MAX)
			return (-1);
	}
	if (digits == 0)
		return (-1);
	*s = p;
	*out = (uint32_t)n;
	return (0);
}

int
target_check_name(const char *name)
{
	size_t	i, len = strlen(name);

	if (len > 0 && name[len - 1] == '.')
		len--;
	for (i = 0; i < sizeof(refused_names) / sizeof(refused_names[0]); i++)
		if (strlen(refused_names[i]) == len &&
		    strncasecmp(refused_names[i], name, len) == 0)
			return (TARGET_E_NAME);
	return (TARGET_OK);
}

int
target_check_addr(int family, const void *addr)
{
	switch (family) {
	case AF_INET:
		return (check_ipv4(addr));
	case AF_INET6:
		return (check_ipv6(addr));
	default:
		return (TARGET_E_ADDRESS);
	}
}

/* Are the first `bits` bits of two addresses the same? */
static int
in_net(const uint8_t *a, const uint8_t *net, int bits)
{
	int	n = bits / 8, rest = bits % 8;

	return (memcmp(a, net, (size_t)n) == 0 &&
	    (rest == 0 || (a[n] ^ net[n]) >> (8 - rest) == 0));
}

static int
check_ipv4(const uint8_t *a)
{
	size_t	i;

	for (i = 0; i < sizeof(refused_ipv4) / sizeof(refused_ipv4[0]); i++)
		if (in_net(a, refused_ipv4[i].net, refused_ipv4[i].bits))
			return (TARGET_E_ADDRESS);
	return (TARGET_OK);
}

static int
check_ipv6(const uint8_t *a)
{
	static const uint8_t	loopback[16] = { [15] = 1 };
	uint8_t			v4[4];
	size_t			i;

	if (memcmp(a, loopback, 16) == 0)
		return (TARGET_OK);
	for (i = 0; i < sizeof(refused_ipv6) / sizeof(refused_ipv6[0]); i++)
		if (in_net(a, refused_ipv6[i].net, refused_ipv6[i].bits))
			return (TARGET_E_ADDRESS);
	/* `::` is caught here too: it embeds 0.0.0.0. */
	for (i = 0; i < NEMBEDDING; i++)
		if (embedded_ipv4(a, i, v4) && check_ipv4(v4) != TARGET_OK)
			return (TARGET_E_ADDRESS);
	return (TARGET_OK);
}

/* The IPv4 address inside, if `a` is of the network in row `i`: 1 or 0. */
static int
embedded_ipv4(const uint8_t *a, size_t i, uint8_t v4[4])
{
	static const uint8_t	none[4];
	int			k;

	if (!in_net(a, embedding[i].net, embedding[i].bits))
		return (0);
	for (k = 0; k < 4; k++)
		v4[k] = a[embedding[i].at[k]] ^ embedding[i].flip;
	/* Zeros are where a longer prefix has its own. */
	return (!embedding[i].guess || memcmp(v4, none, 4) != 0);
}

int
target_is_loopback(const struct target *t)
{
	static const uint8_t	loopback[16] = { [15] = 1 };
	uint8_t			v4[4];
	size_t			len, i;

	switch (t->family) {
	case AF_INET:
		return (t->addr[0] == 127);
	case AF_INET6:
		if (memcmp(t->addr, loopback, 16) == 0)
			return (1);
		for (i = 0; i < NEMBEDDING; i++)
			if (embedded_ipv4(t->addr, i, v4) && v4[0] == 127)
				return (1);
		return (0);
	default:
		len = strlen(t->host);
		if (len > 0 && t->host[len - 1] == '.')
			len--;
		if (len < 9 || strncasecmp(t->host + len - 9, "localhost", 9))
			return (0);
		return (len == 9 || t->host[len - 10] == '.');
	}
}

int
target_addr_is_local(int family, const void *addr)
{
	struct target	t = { .family = family };
	const uint8_t	*a = addr;
	uint8_t		 v4[4];
	size_t		 i;

	if (family == AF_INET)
		return (a[0] == 127 || a[0] == 0);
	if (family != AF_INET6)
		return (1);
	memcpy(t.addr, a, 16);
	if (target_is_loopback(&t))
		return (1);
	for (i = 0; i < NEMBEDDING; i++)
		if (!embedding[i].guess && embedded_ipv4(a, i, v4) &&
		    v4[0] == 0)
			return (1);
	return (0);
}

int
target_service_ok(const char *s, size_t len)
{
	return (len >= 1 && len <= TARGET_SERVICE_MAX && ascii_alnum(s[0]) &&
	    ascii_all(s + 1, len - 1, "._-"));
}

int
target_host_ok(const char *s, size_t len)
{
	return (len == 0 || (ascii_alnum(s[0]) && ascii_alnum(s[len - 1]) &&
	    ascii_all(s, len, "._:-")));
}

const char *
target_strerror(int error)
{
	switch (error) {
	case TARGET_OK:
		return ("allowed");
	case TARGET_E_EMPTY:
		return ("empty host");
	case TARGET_E_FORM:
		return ("not host:port");
	case TARGET_E_PORT:
		return ("port must be 1 to 65535");
	case TARGET_E_NAME:
		return ("refused name");
	case TARGET_E_ADDRESS:
		return ("refused address");
	case TARGET_E_LOCAL:
		return ("address of the client's own machine");
	default:
		return ("unknown error");
	}
}
