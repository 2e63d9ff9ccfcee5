/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/target.h"
#include "services.h"

#define ALNUM	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static struct budget	all_bytes = { .total = SERVICES_BYTES_MAX,
    .one = SERVICES_BYTES_ONE, .few = SERVICES_BYTES_FEW };

struct services *
services_new(uint32_t version, unsigned count, const char *system,
    const char *org)
{
	struct services	*t;

	if ((t = calloc(1, sizeof(*t) + count * sizeof(t->v[0]))) == NULL)
		return (NULL);
	t->version = version;
	t->left = count;
	strlcpy(t->system, system, sizeof(t->system));
	strlcpy(t->org, org, sizeof(t->org));
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
	budget_leave(&all_bytes, &t->bytes);
	free(t);
}

const struct service *
services_find(const struct services *t, const char *name)
{
	unsigned	i;

	for (i = 0; t != NULL && i < t->n; i++)
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

/* One block holds an entry with all its strings. */
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
services_store(struct services *t, const struct msg_service *w,
    const char *node_id)
{
	struct service	*sv;
	size_t		 bytes;
	char		*at;

	bytes = sizeof(*sv) + strlen(w->name) + strlen(w->target) +
	    strlen(w->host) + strlen(w->label) + strlen(w->path) +
	    strlen(w->path_prefix) + strlen(w->module_id) +
	    strlen(node_id) + 8;
	if (budget_take(&all_bytes, &t->bytes, t->system, t->org, bytes) ==
	    -1)
		return (-1);
	if ((sv = malloc(bytes)) == NULL) {
		budget_give(&all_bytes, &t->bytes, bytes);
		return (-1);
	}
	at = (char *)(sv + 1);
	sv->name = keep(&at, w->name);
	sv->target = keep(&at, w->target);
	sv->host = keep(&at, w->host);
	sv->label = keep(&at, w->label);
	sv->path = keep(&at, w->path);
	sv->path_prefix = keep(&at, w->path_prefix);
	sv->module_id = keep(&at, w->module_id);
	sv->node_id = keep(&at, node_id);
	sv->tls = w->tls;
	sv->tcp = w->tcp;
	sv->tcp_added = 0;
	t->v[t->n++] = sv;
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
services_refuse(const struct services *t, const struct msg_service *w)
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

const char *
services_add(struct services *t, const struct msg_service *w)
{
	const char	*why;

	t->left--;
	if ((why = services_refuse(t, w)) != NULL)
		return (why);
	/* A node that no session can have groups nothing. */
	return (services_store(t, w, strlen(w->node_id) >= NODE_SIZE ? "" :
	    w->node_id) == -1 ? "no room" : NULL);
}

int
service_is_tcp(const struct service *sv)
{
	return (sv->tcp || sv->tcp_added);
}

int
services_set_tcp(struct services *t, const char *name, const char *target,
    int tcp)
{
	struct service	*sv;
	unsigned	 i;
	int		 was;

	for (i = 0; t != NULL && i < t->n; i++) {
		sv = t->v[i];
		if (strcmp(sv->name, name) != 0)
			continue;
		was = sv->tcp_added;
		sv->tcp_added = tcp && strcmp(sv->target, target) == 0;
		return (sv->tcp_added != was);
	}
	return (0);
}

void
services_keep_tcp(struct services *t, const struct services *old)
{
	unsigned	i;

	for (i = 0; old != NULL && i < old->n; i++)
		if (old->v[i]->tcp_added)
			(void)services_set_tcp(t, old->v[i]->name, old->v[i]->target,
			    1);
}
