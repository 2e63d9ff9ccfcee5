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
	struct bucket	 system[BUCKETS];	/* by of_system */
	size_t		 n;
	/* the table that is coming in */
	int		 open;
	struct session	*half;		/* NULL: no room, it is left out */
	uint32_t	 version, want;
	char		 member[MEMBER_SIZE];
	size_t		 got;
	struct service	*services;
} sessions;

static uint32_t
hash(const char *s)
{
	uint32_t	h = 2166136261U;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619U;
	return (h);
}

static struct bucket *
bucket_of(const char *id)
{
	return (&sessions.bucket[hash(id) % BUCKETS]);
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

static struct bucket *
system_of(const char *system)
{
	return (&sessions.system[hash(system) % BUCKETS]);
}

static void
view_clear(struct session *s)
{
	free((void *)(uintptr_t)s->view.v);
	memset(&s->view, 0, sizeof(s->view));
	s->viewed = 0;
}

/* The tables of its system have changed. */
static void
views_clear(struct session *s)
{
	struct session	*o;

	view_clear(s);
	if (s->system[0] == '\0')
		return;
	LIST_FOREACH(o, system_of(s->system), of_system)
		if (strcmp(o->system, s->system) == 0)
			view_clear(o);
}

static void
session_clear(struct session *s)
{
	views_clear(s);
	free(s->services);
	s->services = NULL;
	s->n_services = 0;
}

static void
session_free(struct session *s)
{
	timer_del(&s->trim);
	session_clear(s);
	LIST_REMOVE(s, entry);
	LIST_REMOVE(s, of_system);
	sessions.n--;
	free(s);
}

static int
is_old(const struct session *s)
{
	return (clock_ms() - s->made_ms > UNUSED_MS);
}

/* Has it, or a sibling, a grant? */
static int
session_is_used(const struct session *s)
{
	const struct session	*o;

	if (s->refs > 0 || s->system[0] == '\0')
		return (s->refs > 0);
	LIST_FOREACH(o, system_of(s->system), of_system)
		if (o->refs > 0 && strcmp(o->system, s->system) == 0)
			return (1);
	return (0);
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
			if (is_old(s) && !session_is_used(s))
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
	LIST_INSERT_HEAD(system_of(""), s, of_system);
	sessions.n++;
	return (s);
}

struct session *
session_ref(struct session *s)
{
	s->refs++;
	return (s);
}

/* The last of a system takes the others along. */
static void
session_clear_unused(struct session *s)
{
	struct bucket	*b = system_of(s->system);
	struct session	*o, *next;
	char		 system[ID_SIZE];

	if (session_is_used(s))
		return;
	strlcpy(system, s->system, sizeof(system));
	if (system[0] == '\0') {
		session_free(s);
		return;
	}
	for (o = LIST_FIRST(b); o != NULL; o = next) {
		next = LIST_NEXT(o, of_system);
		if (strcmp(o->system, system) == 0 && is_old(o))
			session_free(o);
	}
}

/* A table that has just come may belong to a grant that follows it. */
void
session_unref(struct session *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	if (s->system[0] == '\0' || is_old(s))
		session_clear_unused(s);
}

/* ---- what its hosts lead to ---- */

/* Nodes that are numbers go by their size. */
static int
comes_before(const struct session *a, const struct session *b)
{
	size_t	n = strlen(a->node), m = strlen(b->node);

	return (n != m ? n < m : strcmp(a->node, b->node) < 0);
}

/* Put it among its siblings. */
static void
session_place(struct session *s, const char *system, const char *node)
{
	struct session	*o, *last = NULL;

	if (strcmp(s->system, system) == 0 && strcmp(s->node, node) == 0)
		return;
	views_clear(s);
	LIST_REMOVE(s, of_system);
	strlcpy(s->system, system, sizeof(s->system));
	strlcpy(s->node, node, sizeof(s->node));
	LIST_FOREACH(o, system_of(system), of_system) {
		if (!comes_before(o, s))
			break;
		last = o;
	}
	if (last == NULL)
		LIST_INSERT_HEAD(system_of(system), s, of_system);
	else
		LIST_INSERT_AFTER(last, s, of_system);
}

static int
is_sibling(const struct session *s, const struct session *o)
{
	return (o != s && s->system[0] != '\0' &&
	    strcmp(o->system, s->system) == 0);
}

struct labelled {
	struct service	*sv;
	size_t		 at;		/* in the order of sessions */
};

typedef int	(*order_fn)(const struct labelled *, const struct labelled *);

static int
by_place(const struct labelled *x, const struct labelled *y)
{
	return (x->at < y->at ? -1 : x->at > y->at);
}

static int
by_label(const struct labelled *x, const struct labelled *y)
{
	int	c = strcmp(x->sv->label, y->sv->label);

	return (c != 0 ? c : by_place(x, y));
}

/* Down to where none below it is greater. */
static void
heap_sift(struct labelled *v, size_t at, size_t n, order_fn order)
{
	struct labelled	x = v[at];
	size_t		below;

	while ((below = 2 * at + 1) < n) {
		if (below + 1 < n && order(&v[below], &v[below + 1]) < 0)
			below++;
		if (order(&x, &v[below]) >= 0)
			break;
		v[at] = v[below];
		at = below;
	}
	v[at] = x;
}

/*
 * Not qsort(3): glibc's asks the kernel how much memory there is before it sorts
 * 1024 bytes or more, which the sandbox does not allow.
 */
static void
heap_sort(struct labelled *v, size_t n, order_fn order)
{
	struct labelled	x;
	size_t		i;

	for (i = n / 2; i-- > 0;)
		heap_sift(v, i, n, order);
	for (i = n; i-- > 1;) {
		x = v[0];
		v[0] = v[i];
		v[i] = x;
		heap_sift(v, 0, i, order);
	}
}

/* Whoever comes first has a label; the others go behind all that have one. */
static void
view_order(struct session *s, struct labelled *v, size_t n)
{
	struct service	**out = (struct service **)(uintptr_t)s->view.v;
	const char	*last = NULL;
	size_t		 i;

	heap_sort(v, n, by_label);
	for (s->view.labelled = i = 0; i < n; i++) {
		if (last != NULL && strcmp(v[i].sv->label, last) == 0)
			v[i].at += n;
		else
			s->view.labelled++;
		last = v[i].sv->label;
	}
	heap_sort(v, n, by_place);
	for (i = 0; i < n; i++)
		out[i] = v[i].sv;
}

static void
view_add(struct session *s, struct labelled *v, struct session *of)
{
	size_t	i;

	for (i = 0; i < of->n_services; i++) {
		if (of != s && of->services[i].host[0] == '\0')
			continue;
		s->has_hosts |= of->services[i].host[0] != '\0';
		v[s->view.n].sv = &of->services[i];
		v[s->view.n].at = s->view.n;
		s->view.n++;
	}
}

static void
view_make(struct session *s)
{
	struct labelled	*v;
	struct session	*o;
	size_t		 n = s->n_services;

	s->viewed = 1;
	s->has_hosts = 0;
	LIST_FOREACH(o, system_of(s->system), of_system)
		if (is_sibling(s, o))
			n += o->n_services;
	if (n == 0)
		return;
	s->view.v = calloc(n, sizeof(*s->view.v));
	if (s->view.v == NULL || (v = calloc(n, sizeof(*v))) == NULL) {
		view_clear(s);		/* once more the next time */
		return;
	}
	view_add(s, v, s);
	LIST_FOREACH(o, system_of(s->system), of_system)
		if (is_sibling(s, o))
			view_add(s, v, o);
	view_order(s, v, s->view.n);
	free(v);
}

const struct services *
session_view(struct session *s)
{
	if (!s->viewed)
		view_make(s);
	return (&s->view);
}

int
session_has_hosts(struct session *s)
{
	return (session_view(s)->n > 0 && s->has_hosts);
}

struct service *
session_service_at(struct session *s, const char *label,
    const struct slice *path)
{
	const struct services	*view = session_view(s);
	struct service		*sv = service_find(view, label);

	return (sv == NULL ? NULL : service_for_path(view, sv, path));
}

struct service *
session_own(const struct session *s, const char *name)
{
	size_t	i;

	for (i = 0; i < s->n_services; i++)
		if (strcmp(s->services[i].name, name) == 0)
			return (&s->services[i]);
	return (NULL);
}

/* ---- tables coming in ---- */

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

/* authd begins with this system anew, and tells of all that it has. */
static void
session_forget_siblings(struct session *s)
{
	struct session	*o;

	LIST_FOREACH(o, system_of(s->system), of_system)
		if (is_sibling(s, o))
			session_clear(o);
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
	strlcpy(sessions.member, in.member, sizeof(sessions.member));
	if ((sessions.half = session_get(in.session)) == NULL)
		return (0);
	session_place(sessions.half, in.system, in.node);
	if (in.anew)
		session_forget_siblings(sessions.half);
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
	s->node[0] = '\0';
	if (strlen(in.node_id) < sizeof(s->node))
		strlcpy(s->node, in.node_id, sizeof(s->node));
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
	session_clear(s);
	s->services = sessions.services;
	s->n_services = sessions.got;
	for (i = 0; i < s->n_services; i++) {
		s->services[i].session = s;
		s->services[i].at_home = s->services[i].node[0] != '\0' &&
		    strcmp(s->services[i].node, s->node) == 0;
	}
	s->version = sessions.version;
	strlcpy(s->member, sessions.member, sizeof(s->member));
	sessions.services = NULL;
	session_forget_half();
	return (0);
}
