/* SPDX-License-Identifier: ISC */
#ifndef SERVICE_H
#define SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/label.h"
#include "http/head.h"
#include "imsg/msg.h"

/* A customer's service, as the manifest names it. */
struct session;

struct service {
	char	label[LABEL_DNS_SIZE];	/* in the host name */
	char	name[SERVICE_SIZE];
	char	target[TARGET_SIZE];
	char	host[HOST_SIZE];
	char	path[PATH_SIZE];
	char	path_prefix[PATH_SIZE];
	uint8_t	tls;			/* the client speaks TLS to it */
	char	node[NODE_SIZE];	/* on which it runs, "" when not said */
	uint8_t	at_home;		/* and that is its session's */
	uint8_t	wants_https;		/* plain, but sends browsers to https */
	struct session *session;	/* whose tunnel leads to it */
};

struct out;

/*
 * What the hosts of one session lead to: its own services, then those of its
 * siblings, the other sessions of its system, that have a host; these by the
 * order of nodes, those last whose label is taken already.
 */
struct services {
	struct service *const	*v;
	size_t			 n;
	size_t			 labelled;	/* the rest has no label here */
};

/* The one with this label, or NULL. */
struct service	*service_find(const struct services *, const char *label);
/* Does its label lead to it? */
int		 service_has_label(const struct services *,
		    const struct service *);

/*
 * Which service a request is for that came to the host of `named`, one of them:
 * of those that share its `host` the one whose path_prefix or path is the
 * longest that `path` begins with in whole segments; itself where none is
 * longer. If that is known in several sessions, in the one of its own node
 * rather than elsewhere. operator-api.md, 7.8.
 */
struct service	*service_for_path(const struct services *,
		    struct service *named, const struct slice *path);
/* Length of a path_prefix or path without the '/' at its end. */
size_t	service_path_len(const char *);
/* Does a path equal these segments, or go on behind them with '/'? */
int	service_path_fits(const struct slice *path, const char *, size_t len);

/*
 * How a browser beside the service would call it: "http" or "https", and the
 * authority, its port left out where it is the one that the scheme implies.
 */
const char	*service_scheme(const struct service *);
void		 service_put_authority(struct out *, const struct service *);

#endif
