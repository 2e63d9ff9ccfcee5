/* SPDX-License-Identifier: ISC */
#ifndef SERVICE_H
#define SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/label.h"
#include "http/head.h"
#include "imsg/msg.h"

/* A customer's service, as the manifest names it. */
struct service {
	char	label[LABEL_DNS_SIZE];	/* in the host name */
	char	name[SERVICE_SIZE];
	char	target[TARGET_SIZE];
	char	host[HOST_SIZE];
	char	path[PATH_SIZE];
	char	path_prefix[PATH_SIZE];
	uint8_t	tls;			/* the client speaks TLS to it */
	uint8_t	wants_https;		/* plain, but sends browsers to https */
};

struct out;

/* The one with this label, or NULL. */
const struct service *service_find(const struct service *, size_t n,
		    const char *label);

/*
 * Which service a request is for that came to the host of `named`, one of them:
 * of those that share its `host` the one whose path_prefix or path is the
 * longest that `path` begins with in whole segments; itself where none is
 * longer. operator-api.md, 7.8.
 */
const struct service *service_for_path(const struct service *, size_t n,
		    const struct service *named, const struct slice *path);
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
