/* SPDX-License-Identifier: ISC */
/*
 * What the static workers do without. A library's object comes whole: with
 * libevent's loop getaddrinfo(3), and with that name services, a resolver and
 * dlopen(3); with libsodium's base64 Argon2 and Curve25519, for sodium_init(3).
 * None of it is called in a process that may open no socket and no file, and
 * what is not there is nothing to an intruder, nor relocated at each start. So
 * these names are ours, and say no.
 *
 * Only for programs that resolve nothing and do not call sodium_init(3); in a
 * build that is not static it is left out (common.mk).
 */
#include <sys/socket.h>
#include <net/if.h>

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/log.h"

/* Of libsodium, which declares it in its own sources alone. */
void	sodium_misuse(void) __attribute__((noreturn));

int
getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
	(void)host;
	(void)service;
	(void)hints;
	*res = NULL;
	return (EAI_FAIL);
}

void
freeaddrinfo(struct addrinfo *ai)
{
	(void)ai;
}

const char *
gai_strerror(int error)
{
	(void)error;
	return ("no names are looked up here");
}

struct servent *
getservbyname(const char *name, const char *proto)
{
	(void)name;
	(void)proto;
	return (NULL);
}

struct protoent *
getprotobynumber(int proto)
{
	(void)proto;
	return (NULL);
}

int
getifaddrs(struct ifaddrs **list)
{
	*list = NULL;
	errno = ENOSYS;
	return (-1);
}

void
freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

unsigned int
if_nametoindex(const char *name)
{
	(void)name;
	errno = ENODEV;
	return (0);
}

/*
 * libc's would print to a standard error that leads nowhere, in any language.
 */
void
__assert_fail(const char *what, const char *file, unsigned int line,
    const char *function)
{
	log_warnx("%s:%u: %s: not so: %s", file, line,
	    function == NULL ? "?" : function, what);
	abort();
}

void
sodium_misuse(void)
{
	log_warnx("libsodium was called in a way that it does not allow");
	abort();
}
