/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "conninfo.h"

#define WORD_MAX	256
#define PORT_USUAL	5432

static int
is_address(const char *s)
{
	struct in6_addr	a;

	return (inet_pton(AF_INET, s, &a) == 1 ||
	    inet_pton(AF_INET6, s, &a) == 1);
}

/* One word; what is wrong with it, NULL: nothing. */
static const char *
word_check(const char *key, const char *value, unsigned *port, unsigned *have)
{
	const char	*err;
	long long	 n;

	if (strcmp(key, "host") == 0 || strcmp(key, "hostaddr") == 0) {
		*have |= 1;
		return (is_address(value) ? NULL :
		    "the host has to be an address, such as 127.0.0.1");
	}
	if (strcmp(key, "port") == 0) {
		n = strtonum(value, 1, 65535, &err);
		*port = (unsigned)n;
		return (err == NULL ? NULL : "the port is no number");
	}
	if (strcmp(key, "dbname") == 0 || strcmp(key, "user") == 0) {
		*have |= key[0] == 'd' ? 2 : 4;
		return (value[0] != '\0' ? NULL : "a value is empty");
	}
	if (strcmp(key, "password") == 0)
		return ("a password is kept in a file: password file \"...\"");
	return ("only host, port, dbname and user can be said");
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
	if (wrong == NULL && have != 7)
		wrong = "host, dbname and user are needed";
	if (wrong == NULL)
		return (0);
	strlcpy(err, wrong, size);
	return (-1);
}
