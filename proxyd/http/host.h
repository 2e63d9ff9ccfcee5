/* SPDX-License-Identifier: ISC */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

#include "http/head.h"
#include "base/label.h"
#include "imsg/msg.h"

/* Host names of the subdomain proxy. Pure. operator-api.md, 7.1 and 7.5. */

struct host {
	char	label[LABEL_DNS_SIZE];
	char	slug[SLUG_SIZE];
};

enum host_verdict {
	HOST_OTHER,		/* not under the proxy domain */
	HOST_OK,
	HOST_BAD,		/* under it, but not {label}--{32 hex} */
	HOST_BAD_NAME		/* the label is no service's */
};

/*
 * Take a Host value apart, as sent: case, port and a trailing dot do not
 * matter. `domain` is in lower case, "" for none. A name that has the form of
 * a proxy host under a foreign domain is HOST_BAD too. On HOST_OK `h` is
 * filled; *port is the port in the value, 0 for none.
 */
enum host_verdict	host_parse(struct host *h, uint16_t *port,
			    const struct slice *value, const char *domain);

/* The session's id: its slug with the dashes. */
void	host_session(const struct host *, char id[UUID_SIZE]);

/* Is this Host value a name under the domain, whatever its left part is? */
int	host_is_under(const struct slice *value, const char *domain);

/*
 * Whether an Origin value is this very host (2), a host of the same session
 * (1) or anything else (0, "null" too). `scheme` is "http" or "https", `port`
 * the configured one; `own_port` that of the Host field (0: none), which is
 * right for the host itself whatever the configuration says. `whose` is
 * filled on 1 and 2.
 */
struct origin_at {
	const char	*domain;
	const char	*scheme;
	uint16_t	 port;
	uint16_t	 own_port;
};
int	host_origin(const struct slice *origin, const struct host *self,
	    const struct origin_at *, struct host *whose);

/* Cut a URL to its origin (scheme://host:port): for Referer. 0 or -1. */
int	host_url_origin(const struct slice *url, struct slice *origin,
	    struct slice *rest);

#endif
