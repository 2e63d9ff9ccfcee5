/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/target.h"

/* Where `name` is, or would have to be. */
static size_t
place_of(const struct services *s, const char *name, int *found)
{
	size_t	lo = 0, hi = s->n, mid;
	int	c;

	*found = 0;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = strcmp(s->v[mid].name, name);
		if (c == 0) {
			*found = 1;
			return (mid);
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

void
services_clear(struct services *s)
{
	free(s->v);
	memset(s, 0, sizeof(*s));
}

int
services_put(struct services *s, const struct service *service)
{
	struct service	*v;
	size_t		 at, cap;
	int		 found;

	at = place_of(s, service->name, &found);
	if (found) {
		s->v[at] = *service;
		return (0);
	}
	if (s->n == CLIENT_SERVICES_MAX)
		return (-1);
	if (s->n == s->cap) {
		cap = s->cap == 0 ? 8 : s->cap * 2;
		if ((v = reallocarray(s->v, cap, sizeof(*v))) == NULL)
			return (-1);
		s->v = v;
		s->cap = cap;
	}
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(*s->v));
	s->v[at] = *service;
	s->n++;
	return (0);
}

const struct service *
services_get(const struct services *s, const char *name)
{
	int	found;
	size_t	at = place_of(s, name, &found);

	return (found ? &s->v[at] : NULL);
}

void
services_del(struct services *s, const char *name)
{
	int	found;
	size_t	at = place_of(s, name, &found);

	if (!found)
		return;
	s->n--;
	memmove(&s->v[at], &s->v[at + 1], (s->n - at) * sizeof(*s->v));
}

/* The next piece up to `sep`, blanks around it cut off; NULL at the end. */
static char *
next_piece(char **rest, char sep)
{
	char	*piece = *rest, *end;

	if (piece == NULL)
		return (NULL);
	if ((end = strchr(piece, sep)) != NULL)
		*end++ = '\0';
	*rest = end;
	while (isspace((unsigned char)*piece))
		piece++;
	end = piece + strlen(piece);
	while (end > piece && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return (piece);
}

int
services_excluded(const char *name, const char *patterns)
{
	char	*copy, *rest, *pattern;
	int	 match = 0;

	if (patterns == NULL || (copy = strdup(patterns)) == NULL)
		return (0);
	rest = copy;
	while (!match && (pattern = next_piece(&rest, ',')) != NULL)
		match = *pattern != '\0' &&
		    fnmatch(pattern, name, FNM_PATHNAME) == 0;
	free(copy);
	return (match);
}

/* Take `end` off a text; 1 if it was there. */
static int
ends_with(char *text, const char *end)
{
	size_t	len = strlen(text), n = strlen(end);

	if (len < n || strcmp(text + len - n, end) != 0)
		return (0);
	text[len - n] = '\0';
	return (1);
}

/* `host:port[:host=name][:tcp][:tls]` into *s; -1: something is too long. */
static int
entry_parse(struct service *s, char *text)
{
	char	*p;

	s->tls_old = ends_with(text, ":tls-old");
	s->tls = s->tls_old || ends_with(text, ":tls");
	s->tcp = ends_with(text, ":tcp");
	if ((p = strstr(text, ":host=")) != NULL) {
		*p = '\0';
		if (strlcpy(s->host, p + 6, sizeof(s->host)) >=
		    sizeof(s->host))
			return (-1);
	}
	return (strlcpy(s->target, text, sizeof(s->target)) >=
	    sizeof(s->target) ? -1 : 0);
}

/* A server keeps printable ASCII, and nothing that ends a path. */
static int
word_ok(const char *s, const char *but)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || strchr(but, *s) != NULL)
			return (0);
	return (1);
}

const char *
service_fault(const struct service *s)
{
	int	r;

	if (strcmp(s->name, "terminal") == 0)
		return ("the name is taken");
	if (!target_service_ok(s->name, strlen(s->name)))
		return ("a name is 1 to 64 letters, digits, '.', '_', '-', "
		    "and begins with a letter or digit");
	if (*s->target == '\0')
		return ("no target");
	if ((r = target_parse(s->target, NULL)) != TARGET_OK)
		return (target_strerror(r));
	if (!target_host_ok(s->host, strlen(s->host)))
		return ("bad host");
	if (!word_ok(s->path, "?#") || !word_ok(s->path_prefix, "?#"))
		return ("bad path");
	if (!word_ok(s->module_id, "") || !word_ok(s->node_id, ""))
		return ("bad module or node");
	return (NULL);
}

/* 1: taken, 0: skipped with a log line, -1: no room. */
static int
entry_add(struct services *all, char *entry, const char *exclude)
{
	struct service	 s = { 0 };
	const char	*fault;
	char		*eq, shown[128];

	if (*entry == '\0')
		return (0);
	log_escape(shown, sizeof(shown), entry, strlen(entry));
	if ((eq = strchr(entry, '=')) == NULL || eq == entry ||
	    eq[1] == '\0') {
		log_warnx("service \"%s\": want name=host:port, skipped",
		    shown);
		return (0);
	}
	*eq = '\0';
	fault = strlcpy(s.name, entry, sizeof(s.name)) >= sizeof(s.name) ||
	    entry_parse(&s, eq + 1) == -1 ? "too long" : service_fault(&s);
	if (fault != NULL) {
		log_warnx("service \"%s\": %s, skipped", shown, fault);
		return (0);
	}
	strlcpy(s.label, s.name, sizeof(s.label));
	if (services_excluded(s.name, exclude)) {
		log_info("service %s: excluded", s.name);
		return (0);
	}
	if (s.tls_old)
		log_info("service %s: old TLS is spoken to it", s.name);
	return (services_put(all, &s) == -1 ? -1 : 1);
}

int
services_parse(struct services *s, const char *spec, const char *exclude)
{
	char	*copy, *rest, *entry;
	int	 r, n = 0;

	if ((copy = strdup(spec)) == NULL)
		return (-1);
	rest = copy;
	while ((entry = next_piece(&rest, ',')) != NULL) {
		if ((r = entry_add(s, entry, exclude)) == -1) {
			log_warnx("too many services: %d at most",
			    CLIENT_SERVICES_MAX);
			break;
		}
		n += r;
	}
	free(copy);
	return (n);
}
