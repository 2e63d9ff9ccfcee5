/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "grant.h"
#include "base/log.h"
#include "services.h"
#include "session.h"
#include "base/target.h"
#include "authd/msg/peer.h"

#define PUSH_MS	1000	/* between two tables of a session to proxyds */
#define ALNUM	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static size_t	all_bytes;	/* of all tables */

struct services *
services_new(uint32_t version, unsigned count)
{
	struct services	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (NULL);
	t->version = version;
	t->left = count;
	return (t);
}

void
services_free(struct services *t)
{
	unsigned	i;

	if (t == NULL)
		return;
	for (i = 0; i < t->n; i++)
		free(t->v[i]);
	all_bytes -= t->bytes;
	free(t);
}

const struct service *
services_find(const struct services *t, const char *name)
{
	unsigned	i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->v[i]->name, name) == 0)
			return (t->v[i]);
	return (NULL);
}

int
services_check_name(const char *s)
{
	size_t	len = strlen(s);

	if (len == 0 || len >= SERVICE_SIZE || strchr(ALNUM, s[0]) == NULL ||
	    strspn(s, ALNUM "._-") != len ||
	    strcmp(s, SERVICE_TERMINAL) == 0)
		return (-1);
	return (0);
}

int
services_check_host(const char *s)
{
	size_t	len = strlen(s);

	if (len == 0)
		return (0);
	if (strchr(ALNUM, s[0]) == NULL || strchr(ALNUM, s[len - 1]) == NULL ||
	    strspn(s, ALNUM "._:-") != len)
		return (-1);
	return (0);
}

/* One entry as it arrives; the table keeps one block with all its strings. */
struct wire {
	char	name[SERVICE_SIZE], target[TARGET_SIZE], host[HOST_SIZE];
	char	label[LABEL_SIZE], path[PATH_SIZE], path_prefix[PATH_SIZE];
	char	module_id[MODULE_SIZE], node_id[MODULE_SIZE];
	uint8_t	tls;
};

static const char *
keep(char **at, const char *s)
{
	size_t	len = strlen(s) + 1;
	char	*dst = *at;

	memcpy(dst, s, len);
	*at += len;
	return (dst);
}

static int
services_add(struct services *t, const struct wire *w)
{
	struct service	*sv;
	size_t		 bytes;
	char		*at;

	bytes = sizeof(*sv) + strlen(w->name) + strlen(w->target) +
	    strlen(w->host) + strlen(w->label) + strlen(w->path) +
	    strlen(w->path_prefix) + strlen(w->module_id) +
	    strlen(w->node_id) + 8;
	if (all_bytes + bytes > SERVICES_BYTES_MAX ||
	    (sv = malloc(bytes)) == NULL)
		return (-1);
	at = (char *)(sv + 1);
	sv->name = keep(&at, w->name);
	sv->target = keep(&at, w->target);
	sv->host = keep(&at, w->host);
	sv->label = keep(&at, w->label);
	sv->path = keep(&at, w->path);
	sv->path_prefix = keep(&at, w->path_prefix);
	sv->module_id = keep(&at, w->module_id);
	sv->node_id = keep(&at, w->node_id);
	sv->tls = w->tls;
	t->v[t->n++] = sv;
	t->bytes += bytes;
	all_bytes += bytes;
	return (0);
}

int
services_on_begin(struct chan *c, struct imsg *m)
{
	struct msg_services_begin	 in;
	struct peer	*pe = peer_of(c);

	if (get_services_begin(m, &in) == -1 ||
	    in.count > SERVICES_MAX || in.session[0] != '\0')
		return (-1);
	services_free(pe->building);
	pe->building = services_new(in.version, in.count);
	return (0);
}

/* It becomes part of a request line. */
static int
path_check(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || *s == '?' || *s == '#')
			return (-1);
	return (0);
}

static const char *
services_refuse(const struct services *t, const struct wire *w)
{
	if (services_check_name(w->name) == -1)
		return ("bad name");
	if (services_find(t, w->name) != NULL)
		return ("name is taken");
	if (target_parse(w->target, NULL) != TARGET_OK)
		return ("target refused");
	if (services_check_host(w->host) == -1)
		return ("bad host");
	if (path_check(w->path) == -1 || path_check(w->path_prefix) == -1)
		return ("bad path");
	return (NULL);
}

int
services_on_service(struct chan *c, struct imsg *m)
{
	struct msg_service	 in;
	struct peer	*pe = peer_of(c);
	struct services	*t = pe->building;
	struct wire	 w;
	const char	*why;
	char		 text[80];

	if (get_service(m, &in) == -1 || in.tls > 1 || t == NULL ||
	    t->left == 0)
		return (-1);
	strlcpy(w.name, in.name, sizeof(w.name));
	strlcpy(w.target, in.target, sizeof(w.target));
	strlcpy(w.host, in.host, sizeof(w.host));
	w.tls = in.tls;
	strlcpy(w.label, in.label, sizeof(w.label));
	strlcpy(w.path, in.path, sizeof(w.path));
	strlcpy(w.path_prefix, in.path_prefix, sizeof(w.path_prefix));
	strlcpy(w.module_id, in.module_id, sizeof(w.module_id));
	strlcpy(w.node_id, in.node_id, sizeof(w.node_id));
	t->left--;
	/* A node that no session can have groups nothing. */
	if (strlen(w.node_id) >= NODE_SIZE)
		w.node_id[0] = '\0';
	if ((why = services_refuse(t, &w)) == NULL &&
	    services_add(t, &w) == -1)
		why = "no room";
	if (why != NULL)
		log_debug("tunnel %llu: service %s left out: %s",
		    (unsigned long long)pe->instance, log_escape(text,
		    sizeof(text), w.name, strlen(w.name)), why);
	return (0);
}

int
services_on_end(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);
	struct services	*t = pe->building;

	if (get_services_end(m) == -1 || t == NULL || t->left != 0)
		return (-1);
	pe->building = NULL;
	if (pe->session == NULL) {
		services_free(t);
		return (0);
	}
	services_free(pe->session->services);
	pe->session->services = t;
	log_debug("session %s: %u services", pe->session->row.id, t->n);
	services_push(pe->session);
	return (0);
}

void
services_send(const struct session *se, struct peer *proxyd)
{
	const struct services	*t = se->services;
	const struct service	*sv;
	struct chan		*c = proxyd->chan;
	unsigned		 i;

	(void)say_services_begin(c, 0, -1, &(struct msg_services_begin){
	    .version = t->version, .count = t->n, .session = se->row.id });
	for (i = 0; i < t->n; i++) {
		sv = t->v[i];
		(void)say_service(c, 0, -1, &(struct msg_service){
		    .name = sv->name, .target = sv->target, .host = sv->host,
		    .tls = (uint8_t)sv->tls, .label = sv->label,
		    .path = sv->path, .path_prefix = sv->path_prefix,
		    .module_id = sv->module_id, .node_id = sv->node_id });
	}
	(void)say_services_end(c, 0);
}

/* A muxd that sends tables without end is not to drown proxyds in them. */
void
services_push(struct session *se)
{
	if (se->pushed_ms != 0 && clock_ms() - se->pushed_ms < PUSH_MS) {
		if (!timer_is_set(&se->push))
			timer_set(&se->push, PUSH_MS);
		return;
	}
	services_push_due(se);
}

void
services_push_due(void *arg)
{
	struct session	*se = arg;
	struct peer	*pe;

	timer_del(&se->push);
	se->pushed_ms = clock_ms();
	TAILQ_FOREACH(pe, &peers, entry) {
		if (pe->role != ROLE_PROXYD || !grant_holds(pe, se))
			continue;
		if (chan_queued(pe->chan) > CHAN_QUEUE_HIGH)
			timer_set(&se->push, PUSH_MS);
		else
			services_send(se, pe);
	}
}
