/* SPDX-License-Identifier: ISC */
#ifndef SERVICE_H
#define SERVICE_H

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

#endif
