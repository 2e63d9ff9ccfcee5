/* SPDX-License-Identifier: ISC */
#ifndef SERVICE_H
#define SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/label.h"
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
 * How a browser beside the service would call it: "http" or "https", and the
 * authority, its port left out where it is the one that the scheme implies.
 */
const char	*service_scheme(const struct service *);
void		 service_put_authority(struct out *, const struct service *);

#endif
