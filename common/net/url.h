/* SPDX-License-Identifier: ISC */
#ifndef URL_H
#define URL_H

#include <stdint.h>

/*
 * The address of the support server, and the request target made of it. Pure.
 * tunnel-protocol.md, 1.2.
 */

#define URL_MAX		2048	/* longest address, with its NUL */
#define URL_HOST_SIZE	256
#define URL_TARGET_MAX	(3 * URL_MAX + 128)	/* after re-encoding */

struct url {
	int		tls;			/* wss */
	char		host[URL_HOST_SIZE];	/* no brackets; to connect to */
	uint16_t	port;			/* 80 or 443 if not given */
	char		authority[URL_HOST_SIZE + 8];	/* for Host, as given */
	char		path[URL_MAX];		/* begins with '/' */
	char		query[URL_MAX];		/* without '?'; may be "" */
};

/*
 * Take `ws://` or `wss://` apart; `https://` means the latter, as people copy
 * it from a browser; a fragment is cut off. Returns NULL, or a
 * constant text that says what is wrong: another scheme, user information, no
 * host, a bad port, blanks or control characters, too long.
 */
const char	*url_parse(struct url *, const char *);

/*
 * Its middle: take host[:port] into host, port and authority; `tls` says which
 * port is the default. As above.
 */
const char	*url_authority(struct url *, const char *, size_t len);

/* %XX, and in a `form` '+', in place; -1: a bad escape or a NUL. */
int	url_unescape(char *, int form);

/* Does the host's name say that it is this machine? 1 or 0. */
int	url_is_here(const struct url *);

/*
 * The request target: path and query. With `node` or `token` (NULL or "":
 * none) they become node_id and reconnect_token in the query, which is then
 * decoded, sorted by name and encoded again, as the existing client does it;
 * parameters of these names that were there are replaced. Without either the
 * query is sent as it was given. Returns 0, or -1 when it does not fit.
 */
int	url_target(const struct url *, const char *node, const char *token,
	    char *out, size_t size);

#endif
