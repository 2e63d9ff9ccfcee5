/* SPDX-License-Identifier: ISC */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <stdint.h>

/*
 * May a tunnel client be asked to connect there? The one list of refused names
 * and addresses, for muxd (manifest), authd (before each stream) and
 * tunnel-client (after it has resolved). Pure: nothing is resolved here, since
 * the server's DNS is not the customer's. tunnel-protocol.md, 4.3.
 */

/* Longest host in a target, with its NUL; longer is malformed. */
#define TARGET_HOST_SIZE	256

enum target_error {
	TARGET_OK = 0,
	TARGET_E_EMPTY = -1,		/* no host */
	TARGET_E_FORM = -2,		/* not host:port, or odd characters */
	TARGET_E_PORT = -3,		/* no port, or not 1 to 65535 */
	TARGET_E_NAME = -4,		/* a refused name */
	TARGET_E_ADDRESS = -5,		/* a refused address */
	TARGET_E_LOCAL = -6		/* one of the client's own machine */
};

struct target {
	char		host[TARGET_HOST_SIZE];	/* as written, no brackets */
	uint16_t	port;
	int		family;		/* AF_INET, AF_INET6; 0: a name */
	uint8_t		addr[16];	/* network order, 4 or 16 bytes */
};

/*
 * Take `host:port` apart (an IPv6 address stands in brackets) and check all
 * that can be known without resolving. `t` (may be NULL) is filled whenever
 * the result is 0, E_NAME or E_ADDRESS. Loopback and private addresses are
 * allowed. Old numeric spellings of IPv4 (`0x7f.1`, `2852039166`), which some
 * resolvers take for addresses, are checked as such. Returns TARGET_OK or
 * TARGET_E_*.
 */
int	target_parse(const char *s, struct target *t);

/*
 * The same checks for the parts: a name (in any case, a trailing dot does not
 * matter) and an address in network order (4 bytes for AF_INET, 16 for
 * AF_INET6). Addresses that stand for one of IPv4 (mapped, compatible,
 * translated, NAT64, 6to4, Teredo) are judged by that as well. An unknown
 * family is refused. Return TARGET_OK or TARGET_E_NAME, TARGET_E_ADDRESS.
 */
int	target_check_name(const char *name);
int	target_check_addr(int family, const void *addr);

/*
 * Does it lead to the client's own machine: 127.0.0.0/8 in any of the forms
 * above, ::1, `localhost` and names below it? 1 or 0. Services that an operator
 * adds must not (tunnel-protocol.md, section 8).
 */
int	target_is_loopback(const struct target *t);

/*
 * The same of an address that a name was resolved to, in network order as
 * above: loopback, or of 0.0.0.0/8 (RFC 1122, 3.2.1.3: this host). 1 or 0; an
 * unknown family counts as local.
 */
int	target_addr_is_local(int family, const void *addr);

/*
 * What else an entry of a manifest has to keep: its name,
 * `^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`, and the name that the service expects,
 * `^[a-zA-Z0-9]([a-zA-Z0-9._:-]*[a-zA-Z0-9])?$` or empty. `len` bytes, no NUL
 * is needed. 1 or 0. tunnel-protocol.md, 4.2.
 */
#define TARGET_SERVICE_MAX	64
int	target_service_ok(const char *, size_t len);
int	target_host_ok(const char *, size_t len);

/* A short text, never NULL: "refused address". */
const char *target_strerror(int);

#endif
