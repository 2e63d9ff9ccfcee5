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

/* What was said: the words, in their order, and what the host is. */
static const char *const	words[] = { "host", "hostaddr", "port",
				    "dbname", "user" };
#define WORDS		(sizeof(words) / sizeof(words[0]))
#define HAVE_HOST	0x01
#define HAVE_HOSTADDR	0x02
#define HAVE_DBNAME	0x08
#define HAVE_USER	0x10
#define IS_NAME		0x20
#define IS_SOCKET	0x40

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
		*have |= IS_SOCKET;
		return (strlen(value) > SOCKET_MAX || strchr(value, ',') !=
		    NULL ? "the directory of the socket is too long" : NULL);
	}
	if (is_address(value))
		return (NULL);
	*have |= IS_NAME;
	return (is_name(value) ? NULL :
	    "the host is neither an address nor a name");
}

static const char *
port_check(const char *value, unsigned *port)
{
	const char	*err;
	long long	 n = strtonum(value, 1, 65535, &err);

	*port = (unsigned)n;
	return (err == NULL && value[0] != '+' ? NULL :
	    "the port is no number");
}

static const char *
unknown(const char *key)
{
	if (strcmp(key, "password") == 0)
		return ("a password is kept in a file: password file \"...\"");
	if (strncmp(key, "ssl", 3) == 0)
		return ("TLS is said by: ca file \"...\"");
	return ("only host, hostaddr, port, dbname and user can be said");
}

/* One word; what is wrong with it, NULL: nothing. */
static const char *
word_check(const char *key, const char *value, unsigned *port, unsigned *have)
{
	size_t	i;

	for (i = 0; i < WORDS; i++)
		if (strcmp(key, words[i]) == 0)
			break;
	if (i == WORDS)
		return (unknown(key));
	if (*have & (1U << i))
		return ("a word is said twice");
	*have |= 1U << i;
	switch (i) {
	case 0:
		return (host_check(value, have));
	case 1:
		return (is_address(value) ? NULL :
		    "hostaddr has to be an address, such as 127.0.0.1");
	case 2:
		return (port_check(value, port));
	default:
		return (value[0] != '\0' ? NULL : "a value is empty");
	}
}

/* What is wrong with all of it. */
static const char *
whole_check(unsigned have)
{
	if ((have & (HAVE_DBNAME | HAVE_USER)) != (HAVE_DBNAME | HAVE_USER) ||
	    (have & (HAVE_HOST | HAVE_HOSTADDR)) == 0)
		return ("host, dbname and user are needed");
	if ((have & IS_SOCKET) && (have & HAVE_HOSTADDR))
		return ("a socket has no address");
	if ((have & IS_NAME) && !(have & HAVE_HOSTADDR))
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
	/* libpq ends a word at any white space. */
	if (text[strcspn(text, "\t\n\v\f\r")] != '\0')
		wrong = "words are separated by spaces";
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
