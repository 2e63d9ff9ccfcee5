/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <string.h>
#include <strings.h>

#include "target.h"

static int	host_take(const char *, size_t, struct target *);
static int	host_chars(const char *, size_t);
static int	port_take(const char *, uint16_t *);
static int	legacy_ipv4(const char *, uint8_t [4]);
static int	legacy_number(const char **, uint32_t *);
static int	check_ipv4(const uint8_t *);
static int	check_ipv6(const uint8_t *);
static const uint8_t *embedded_ipv4(const uint8_t *);

/* Where clouds hand out the machine's own credentials. */
static const char *const refused_names[] = {
	"metadata.google.internal",
	"metadata",
	"metadata.azure.internal",
	"instance-data",
	"metadata.platformequinix.com",
};

/* Network, prefix length: the IPv4 addresses nobody may be sent to. */
static const struct {
	uint8_t	net[4];
	int	bits;
} refused_ipv4[] = {
	{ { 0, 0, 0, 0 }, 32 },
	{ { 169, 254, 0, 0 }, 16 },		/* link-local, metadata */
	{ { 100, 100, 100, 200 }, 32 },		/* metadata at Alibaba */
	{ { 168, 63, 129, 16 }, 32 },		/* platform at Azure */
	{ { 224, 0, 0, 0 }, 4 },		/* multicast */
	{ { 240, 0, 0, 0 }, 4 },		/* reserved, broadcast */
};

/* fd00:ec2::254, metadata at Amazon. */
static const uint8_t	ec2_metadata[16] = { 0xfd, 0x00, 0x0e, 0xc2,
	[14] = 0x02, [15] = 0x54 };

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

static int
check_ipv4(const uint8_t *a)
{
	uint32_t	addr, net;
	size_t		i;

	addr = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 |
	    (uint32_t)a[2] << 8 | a[3];
	for (i = 0; i < sizeof(refused_ipv4) / sizeof(refused_ipv4[0]); i++) {
		net = (uint32_t)refused_ipv4[i].net[0] << 24 |
		    (uint32_t)refused_ipv4[i].net[1] << 16 |
		    (uint32_t)refused_ipv4[i].net[2] << 8 |
		    refused_ipv4[i].net[3];
		if ((addr ^ net) >> (32 - refused_ipv4[i].bits) == 0)
			return (TARGET_E_ADDRESS);
	}
	return (TARGET_OK);
}

static int
check_ipv6(const uint8_t *a)
{
	static const uint8_t	 loopback[16] = { [15] = 1 };
	const uint8_t		*v4;

	if (memcmp(a, loopback, 16) == 0)
		return (TARGET_OK);
	if ((a[0] == 0xfe && (a[1] & 0xc0) == 0x80) || a[0] == 0xff ||
	    memcmp(a, ec2_metadata, 16) == 0)
		return (TARGET_E_ADDRESS);
	/* `::` is caught here too: it embeds 0.0.0.0. */
	if ((v4 = embedded_ipv4(a)) != NULL)
		return (check_ipv4(v4));
	return (TARGET_OK);
}

/* The IPv4 address inside a mapped, compatible, NAT64 or 6to4 one, or NULL. */
static const uint8_t *
embedded_ipv4(const uint8_t *a)
{
	static const uint8_t	mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t	compatible[12];
	static const uint8_t	nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

	if (memcmp(a, mapped, 12) == 0 || memcmp(a, compatible, 12) == 0 ||
	    memcmp(a, nat64, 12) == 0)
		return (a + 12);
	if (a[0] == 0x20 && a[1] == 0x02)
		return (a + 2);
	return (NULL);
}

int
target_is_loopback(const struct target *t)
{
	static const uint8_t	 loopback[16] = { [15] = 1 };
	const uint8_t		*v4;
	size_t			 len;

	switch (t->family) {
	case AF_INET:
		return (t->addr[0] == 127);
	case AF_INET6:
		if (memcmp(t->addr, loopback, 16) == 0)
			return (1);
		return ((v4 = embedded_ipv4(t->addr)) != NULL && v4[0] == 127);
	default:
		len = strlen(t->host);
		if (len > 0 && t->host[len - 1] == '.')
			len--;
		if (len < 9 || strncasecmp(t->host + len - 9, "localhost", 9))
			return (0);
		return (len == 9 || t->host[len - 10] == '.');
	}
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
	default:
		return ("unknown error");
	}
}
