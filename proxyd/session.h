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

/*
 * What proxyd knows of a session that it has a grant for, and of its siblings,
 * the other sessions of its system: their services.
 */

struct session {
	LIST_ENTRY(session)	 entry;
	LIST_ENTRY(session)	 of_system;
	char			 id[UUID_SIZE];
	char			 system[ID_SIZE];	/* "": not known yet */
	char			 node[NODE_SIZE];
	char			 member[MEMBER_SIZE];	/* elsewhere; "" here */
	int			 refs;		/* grants; a table coming in */
	uint64_t		 made_ms;	/* or its newest table */
	uint32_t		 version;
	struct service		*services;
	size_t			 n_services;
	/* what its hosts lead to, siblings' too; made when it is wanted */
	struct services		 view;
	int			 viewed;
	int			 has_hosts;	/* one in the view has a host */
	/* idle streams of all its grants */
	unsigned int		 n_idle;
	struct timer		 trim;
};

/* Known, or made; NULL when out of memory or too many. */
struct session	*session_get(const char *id);
struct session	*session_known(const char *id);
struct session	*session_ref(struct session *);
void		 session_unref(struct session *);
/* What its hosts lead to, good for this turn. */
const struct services *session_view(struct session *);
int		 session_has_hosts(struct session *);
/* For a path on its host: service_for_path(). NULL: it is in no table. */
struct service	*session_service_at(struct session *, const char *label,
		    const struct slice *path);
/* Its own of this name, or NULL. */
struct service	*session_own(const struct session *, const char *name);
/* The channel has gone: a table half read will not be finished. */
void		 session_forget_half(void);

/* Handlers of SERVICES_BEGIN, SERVICE, SERVICES_END. */
int	session_on_begin(struct chan *, struct imsg *);
int	session_on_service(struct chan *, struct imsg *);
int	session_on_end(struct chan *, struct imsg *);

#endif
