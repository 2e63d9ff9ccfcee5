/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "session.h"

#define SESSIONS_MAX	16384
#define SERVICES_MAX	4096		/* in one table; clients hold 500 */
#define BUCKETS		1024
#define UNUSED_MS	30000		/* a table whose grant was refused */

LIST_HEAD(bucket, session);

static struct {
	struct bucket	 bucket[BUCKETS];
	size_t		 n;
	/* the table that is coming in */
	int		 open;
	struct session	*half;		/* NULL: no room, it is left out */
	uint32_t	 version, want;
	size_t		 got;
	struct service	*services;
} sessions;

static struct bucket *
bucket_of(const char *id)
{
	uint32_t	h = 2166136261U;

	for (; *id != '\0'; id++)
		h = (h ^ (unsigned char)*id) * 16777619U;
	return (&sessions.bucket[h % BUCKETS]);
}

struct session *
session_known(const char *id)
{
	struct session	*s;

	LIST_FOREACH(s, bucket_of(id), entry)
		if (strcmp(s->id, id) == 0)
			return (s);
	return (NULL);
}

static void
session_free(struct session *s)
{
	timer_del(&s->trim);
	LIST_REMOVE(s, entry);
	sessions.n--;
	free(s->services);
	free(s);
}

/* Tables come before the answer that they belong to, which may be no. */
static void
session_sweep(void)
{
	struct session	*s, *next;
	size_t		 i;

	for (i = 0; i < BUCKETS; i++)
		for (s = LIST_FIRST(&sessions.bucket[i]); s != NULL; s = next) {
			next = LIST_NEXT(s, entry);
			if (s->refs == 0 &&
			    clock_ms() - s->made_ms > UNUSED_MS)
				session_free(s);
		}
}

struct session *
session_get(const char *id)
{
	static uint64_t	 swept_ms;
	struct session	*s;

	if ((s = session_known(id)) != NULL)
		return (s);
	if (clock_ms() - swept_ms > UNUSED_MS) {
		swept_ms = clock_ms();
		session_sweep();
	}
	if (sessions.n >= SESSIONS_MAX || (s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	strlcpy(s->id, id, sizeof(s->id));
	s->made_ms = clock_ms();
	LIST_INSERT_HEAD(bucket_of(id), s, entry);
	sessions.n++;
	return (s);
}

struct session *
session_ref(struct session *s)
{
	s->refs++;
	return (s);
}

void
session_unref(struct session *s)
{
	if (s != NULL && --s->refs == 0)
		session_free(s);
}

const struct service *
session_service(const struct session *s, const char *label)
{
	return (service_find(s->services, s->n_services, label));
}

const struct service *
session_service_at(const struct session *s, const char *label,
    const struct slice *path)
{
	const struct service	*sv = session_service(s, label);

	return (sv == NULL ? NULL : service_for_path(s->services,
	    s->n_services, sv, path));
}

void
session_wants_https(struct session *s, const struct service *sv)
{
	if (sv != NULL)
		s->services[sv - s->services].wants_https = 1;
}

void
session_forget_half(void)
{
	free(sessions.services);
	sessions.services = NULL;
	/* Unused it stays for a while: the answer to a GRANT may follow. */
	if (sessions.half != NULL)
		sessions.half->refs--;
	sessions.half = NULL;
	sessions.open = 0;
	sessions.want = 0;
	sessions.got = 0;
}

int
session_on_begin(struct chan *c, struct imsg *m)
{
	struct msg_services_begin	 in;

	(void)c;
	if (get_services_begin(m, &in) == -1 ||
	    in.count > SERVICES_MAX || sessions.open)
		return (-1);
	sessions.open = 1;
	sessions.version = in.version;
	sessions.want = in.count;
	sessions.got = 0;
	if ((sessions.half = session_get(in.session)) == NULL)
		return (0);
	/* Its last grant may end before the table does. */
	session_ref(sessions.half);
	sessions.half->made_ms = clock_ms();
	if (in.count > 0 &&
	    (sessions.services =
		    calloc(in.count, sizeof(*sessions.services))) == NULL) {
		sessions.half->refs--;
		sessions.half = NULL;
	}
	return (0);
}

int
session_on_service(struct chan *c, struct imsg *m)
{
	struct msg_service	 in;
	static struct {
		char	label[LABEL_SIZE], module[MODULE_SIZE];
		char	node[NODE_SIZE];
	} skip;
	static struct service	none;
	struct service	*s;

	(void)c;
	if (!sessions.open || sessions.got >= sessions.want)
		return (-1);
	s = sessions.half != NULL ? &sessions.services[sessions.got] : &none;
	if (get_service(m, &in) == -1)
		return (-1);
	strlcpy(s->name, in.name, sizeof(s->name));
	strlcpy(s->target, in.target, sizeof(s->target));
	strlcpy(s->host, in.host, sizeof(s->host));
	s->tls = in.tls != 0;
	strlcpy(skip.label, in.label, sizeof(skip.label));
	strlcpy(s->path, in.path, sizeof(s->path));
	strlcpy(s->path_prefix, in.path_prefix, sizeof(s->path_prefix));
	strlcpy(skip.module, in.module_id, sizeof(skip.module));
	strlcpy(skip.node, in.node_id, sizeof(skip.node));
	/* What goes into a request line or a header must not end it. */
	if (strpbrk(s->host, " \t\r\n/") != NULL ||
	    strpbrk(s->target, " \t\r\n/") != NULL ||
	    strpbrk(s->path, " \t\r\n?#") != NULL)
		return (-1);
	label_of_service(s->name, s->label);
	sessions.got++;
	return (0);
}

int
session_on_end(struct chan *c, struct imsg *m)
{
	struct session	*s = sessions.half;
	size_t		 i;

	(void)c;
	if (!sessions.open || sessions.got != sessions.want ||
	    get_services_end(m) == -1)
		return (-1);
	if (s == NULL) {
		session_forget_half();
		return (0);
	}
	free(s->services);
	s->services = sessions.services;
	s->n_services = sessions.got;
	for (s->has_hosts = 0, i = 0; i < s->n_services; i++)
		s->has_hosts |= s->services[i].host[0] != '\0';
	s->version = sessions.version;
	sessions.services = NULL;
	session_forget_half();
	return (0);
}
