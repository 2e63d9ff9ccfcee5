/* SPDX-License-Identifier: ISC */
/*
 * Targets: what is allowed is not one of the worst addresses in disguise, as
 * the C library reads it.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include "base/target.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct target	t;
	struct in_addr	a;
	uint32_t	v4;
	char		s[512];
	int		r;

	if (len >= sizeof(s))
		len = sizeof(s) - 1;
	memcpy(s, data, len);
	s[len] = '\0';
	r = target_parse(s, &t);
	if (target_strerror(r) == NULL || target_parse(s, NULL) != r)
		abort();
	if (r == TARGET_OK || r == TARGET_E_NAME || r == TARGET_E_ADDRESS) {
		/* Where an address is loopback, it is local too. */
		if (target_is_loopback(&t) &&
		    !target_addr_is_local(t.family, t.addr))
			abort();
	}
	if (r != TARGET_OK)
		return (0);
	if (t.port == 0 || t.host[0] == '\0' ||
	    strpbrk(t.host, " \r\n/@[]") != NULL)
		abort();
	/* inet_aton() is what getaddrinfo() asks first. */
	if (t.family != AF_INET6 && inet_aton(t.host, &a) == 1) {
		v4 = ntohl(a.s_addr);
		if (v4 == 0 || v4 >> 16 == 0xa9fe || v4 >> 28 >= 0xe)
			abort();
	}
	return (0);
}
