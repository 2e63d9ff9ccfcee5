/* SPDX-License-Identifier: ISC */
#ifndef SESSION_H
#define SESSION_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "proxyd/http/service.h"

struct chan;
struct imsg;

/* What proxyd knows of a session that it has a grant for: its services. */

struct session {
	LIST_ENTRY(session)	 entry;
	char			 id[UUID_SIZE];
	int			 refs;		/* grants; a table coming in */
	uint64_t		 made_ms;	/* or its newest table */
	uint32_t		 version;
	struct service		*services;
	size_t			 n_services;
	int			 has_hosts;	/* one of them has a host */
	/* idle streams of all its grants */
	unsigned int		 n_idle;
	struct timer		 trim;
};

/* Known, or made; NULL when out of memory or too many. */
struct session	*session_get(const char *id);
struct session	*session_known(const char *id);
struct session	*session_ref(struct session *);
void		 session_unref(struct session *);
const struct service *session_service(const struct session *,
		    const char *label);
/* For a path on its host: service_for_path(). NULL: it is not in the table. */
const struct service *session_service_at(const struct session *,
		    const char *label, const struct slice *path);
/* The service sends browsers to https: from now on it is told so. */
void		 session_wants_https(struct session *, const struct service *);
/* The channel has gone: a table half read will not be finished. */
void		 session_forget_half(void);

/* Handlers of SERVICES_BEGIN, SERVICE, SERVICES_END. */
int	session_on_begin(struct chan *, struct imsg *);
int	session_on_service(struct chan *, struct imsg *);
int	session_on_end(struct chan *, struct imsg *);

#endif
