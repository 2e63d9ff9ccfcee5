/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "conninfo.h"

#define WORD_MAX	256
#define PORT_USUAL	5432
#define SOCKET_MAX	80	/* of a directory; the name in it is as long */

/* What was said. */
#define HAVE_ADDRESS	0x01
#define HAVE_NAME	0x02	/* a host that is none */
#define HAVE_SOCKET	0x04
#define HAVE_DBNAME	0x08
#define HAVE_USER	0x10

static int
is_address(const char *s)
{
	struct in6_addr	a;

	return (inet_pton(AF_INET, s, &a) == 1 ||
	    inet_pton(AF_INET6, s, &a) == 1);
}

static int
is_name(const char *s)
{
	return (s[0] != '\0' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")] == '\0');
}

static const char *
host_check(const char *value, unsigned *have)
{
	if (value[0] == '/') {
		*have |= HAVE_SOCKET;
		return (strlen(value) > SOCKET_MAX || strchr(value, ',') !=
		    NULL ? "the directory of the socket is too long" : NULL);
	}
	*have |= is_address(value) ? HAVE_ADDRESS : HAVE_NAME;
	return (is_address(value) || is_name(value) ? NULL :
	    "the host is neither an address nor a name");
}

/* One word; what is wrong with it, NULL: nothing. */
static const char *
word_check(const char *key, const char *value, unsigned *port, unsigned *have)
{
	const char	*err;
	long long	 n;

	if (strcmp(key, "host") == 0)
		return (host_check(value, have));
	if (strcmp(key, "hostaddr") == 0) {
		*have |= HAVE_ADDRESS;
		return (is_address(value) ? NULL :
		    "hostaddr has to be an address, such as 127.0.0.1");
	}
	if (strcmp(key, "port") == 0) {
		n = strtonum(value, 1, 65535, &err);
		*port = (unsigned)n;
		return (err == NULL ? NULL : "the port is no number");
	}
	if (strcmp(key, "dbname") == 0 || strcmp(key, "user") == 0) {
		*have |= key[0] == 'd' ? HAVE_DBNAME : HAVE_USER;
		return (value[0] != '\0' ? NULL : "a value is empty");
	}
	if (strcmp(key, "password") == 0)
		return ("a password is kept in a file: password file \"...\"");
	if (strncmp(key, "ssl", 3) == 0)
		return ("TLS is said by: ca file \"...\"");
	return ("only host, hostaddr, port, dbname and user can be said");
}

/* What is wrong with all of it. */
static const char *
whole_check(unsigned have)
{
	if ((have & (HAVE_DBNAME | HAVE_USER)) != (HAVE_DBNAME | HAVE_USER) ||
	    (have & (HAVE_ADDRESS | HAVE_NAME | HAVE_SOCKET)) == 0)
		return ("host, dbname and user are needed");
	if ((have & HAVE_SOCKET) && (have & (HAVE_ADDRESS | HAVE_NAME)))
		return ("a socket has no address");
	if ((have & HAVE_NAME) && !(have & HAVE_ADDRESS))
		return ("the host has to be an address, such as 127.0.0.1, or "
		    "to have one: hostaddr=...");
	return (NULL);
}

int
conninfo_check(const char *text, unsigned *port, char *err, size_t size)
{
	const char	*wrong = NULL;
	char		 word[WORD_MAX], *value;
	unsigned	 have = 0;
	size_t		 n;

	*port = PORT_USUAL;
	for (; wrong == NULL && *(text += strspn(text, " ")) != '\0';
	    text += n) {
		n = strcspn(text, " ");
		if (n >= sizeof(word) || memchr(text, '\'', n) != NULL ||
		    memchr(text, '\\', n) != NULL) {
			wrong = "a word is too long, or quoted";
			break;
		}
		memcpy(word, text, n);
		word[n] = '\0';
		if ((value = strchr(word, '=')) == NULL) {
			wrong = "it has to be host=... dbname=... user=...";
			break;
		}
		*value++ = '\0';
		wrong = word_check(word, value, port, &have);
	}
	if (wrong == NULL)
		wrong = whole_check(have);
	if (wrong == NULL)
		return (0);
	strlcpy(err, wrong, size);
	return (-1);
}

const char *
conninfo_socket(const char *text, size_t *len)
{
	static const char	word[] = "host=/";
	const char		*at = text;

	while ((at = strstr(at, word)) != NULL && at != text && at[-1] != ' ')
		at++;
	if (at == NULL)
		return (NULL);
	at += sizeof(word) - 2;
	*len = strcspn(at, " ");
	return (at);
}
