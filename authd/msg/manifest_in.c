/* SPDX-License-Identifier: ISC */
/* What a muxd says of its manifest. */
#include <string.h>

#include "authd/core/services.h"
#include "authd/core/session.h"
#include "base/log.h"
#include "command.h"
#include "guests.h"
#include "handlers.h"
#include "manifest.h"
#include "peer.h"

int
manifest_on_begin(struct chan *c, struct imsg *m)
{
	struct msg_services_begin	 in;
	struct peer			*pe = peer_of(c);
	struct session			*se = peer_session(pe);

	if (get_services_begin(m, &in) == -1 ||
	    in.count > SERVICES_MAX || in.session[0] != '\0')
		return (-1);
	services_free(pe->mux.building);
	pe->mux.building = services_new(in.version, in.count,
	    se != NULL ? se->row.system_id : "", se != NULL ? se->org_id : "");
	/* The next authd hears of all tables; this one would lack this one. */
	if (pe->mux.building == NULL)
		fatalx("a tunnel's services: out of memory");
	return (0);
}

int
manifest_on_service(struct chan *c, struct imsg *m)
{
	struct msg_service	 in;
	struct peer		*pe = peer_of(c);
	const char		*why;
	char			 text[80];

	if (get_service(m, &in) == -1 || in.tls > 1 || in.tcp > 1 ||
	    pe->mux.building == NULL || pe->mux.building->left == 0)
		return (-1);
	if ((why = services_add(pe->mux.building, &in)) != NULL)
		log_debug("tunnel %llu: service %s left out: %s",
		    (unsigned long long)pe->instance, log_escape(text,
		    sizeof(text), in.name, strlen(in.name)), why);
	return (0);
}

int
manifest_on_end(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);
	struct session	*se = pe->tunnel->session;
	struct services	*t = pe->mux.building;

	if (get_services_end(m) == -1 || t == NULL || t->left != 0)
		return (-1);
	pe->mux.building = NULL;
	if (se == NULL) {
		services_free(t);
		return (0);
	}
	services_keep_tcp(t, se->services);
	services_free(se->services);
	se->services = t;
	log_debug("session %s: %u service%s", se->row.id, t->n,
	    PLURAL(t->n));
	manifest_push(se);
	guests_changed(se);
	command_restore(pe);
	return (0);
}
