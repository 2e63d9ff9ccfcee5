/* SPDX-License-Identifier: ISC */
#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "imsg/msg.h"
#include "base/target.h"
#include "text.h"

/* What an entry's members are, before they are copied. */
struct entry {
	const char	*text[8];
	size_t		 len[8];
	int		 tls, tcp;
};

#define ROOM	4	/* bytes of a table for one of JSON, about */

enum { E_NAME, E_TARGET, E_HOST, E_LABEL, E_PATH, E_PREFIX, E_MODULE, E_NODE,
    E_TEXTS };

/* Member, size with NUL in msg.h. */
static const struct {
	char	member[12];
	size_t	size;
	char	why[20];
} texts[E_TEXTS] = {
	{ "", SERVICE_SIZE, "bad name" },
	{ "target", TARGET_SIZE, "bad target" },
	{ "host", HOST_SIZE, "bad host" },
	{ "label", LABEL_SIZE, "bad label" },
	{ "path", PATH_SIZE, "bad path" },
	{ "path_prefix", PATH_SIZE, "bad path_prefix" },
	{ "module_id", MODULE_SIZE, "bad module_id" },
	{ "node_id", MODULE_SIZE, "bad node_id" },
};

static const char	*entry_take(struct entry *, const char *, size_t,
			    const json_t *);
static int	entry_flag(const json_t *, const char *, int *);
static const char	*entry_check(struct entry *);
static struct manifest	*manifest_build(const struct entry *, unsigned);
static const char	*text_put(char **, const struct entry *, int);

int
manifest_parse(const char *json, size_t len, struct manifest **mp,
    manifest_dropped_fn dropped, void *arg, const char **why)
{
	struct entry	*e = NULL;
	json_t		*root = NULL, *services, *value;
	const char	*name, *fault;
	void		*it;
	unsigned	 n = 0, out = 0;
	int		 r = -1, lacking;
	char		*room;

	*why = "too long";
	if (len > MANIFEST_BYTES_MAX)
		return (-1);
	*why = "too many values";
	if (!text_json_small(json, len))
		return (-1);
	*why = "not a JSON object";
	/* What is kept goes here, and not above all that parsing takes. */
	room = malloc(ROOM * len);
	root = text_json_load(json, len, &lacking);
	if (lacking)
		goto no_memory;
	if (!json_is_object(root))
		goto done;
	services = json_object_get(root, "services");
	r = 1;
	if (services == NULL || json_is_null(services))
		goto done;
	r = -1;
	*why = "services is not an object";
	if (!json_is_object(services))
		goto done;
	if ((e = calloc(MANIFEST_SERVICES_MAX, sizeof(*e))) == NULL)
		goto no_memory;
	for (it = json_object_iter(services); it != NULL;
	    it = json_object_iter_next(services, it)) {
		name = json_object_iter_key(it);
		value = json_object_iter_value(it);
		fault = n == MANIFEST_SERVICES_MAX ? "too many services" :
		    entry_take(&e[n], name, strlen(name), value);
		if (fault == NULL) {
			n++;
			continue;
		}
		out++;
		if (dropped != NULL)
			dropped(arg, name, strlen(name), fault);
	}
	free(room);
	room = NULL;
	if ((*mp = manifest_build(e, n)) == NULL)
		goto no_memory;
	(*mp)->dropped = out;
	r = 0;
	goto done;
no_memory:
	*why = "out of memory";
	r = -2;
done:
	free(room);
	free(e);
	json_decref(root);
	return (r);
}

/* One entry's members, borrowed from the document; a reason if it is bad. */
static const char *
entry_take(struct entry *e, const char *name, size_t len, const json_t *value)
{
	const json_t	*v;
	int		 i;

	memset(e, 0, sizeof(*e));
	if (!json_is_object(value))
		return ("not an object");
	e->text[E_NAME] = name;
	e->len[E_NAME] = len;
	for (i = E_TARGET; i < E_TEXTS; i++) {
		e->text[i] = "";
		v = json_object_get(value, texts[i].member);
		if (v == NULL || json_is_null(v))
			continue;
		if (!json_is_string(v))
			return (texts[i].why);
		e->text[i] = json_string_value(v);
		e->len[i] = json_string_length(v);
	}
	if (entry_flag(value, "tls", &e->tls) == -1)
		return ("bad tls");
	if (entry_flag(value, "tcp", &e->tcp) == -1)
		return ("bad tcp");
	return (entry_check(e));
}

static int
entry_flag(const json_t *value, const char *member, int *flag)
{
	const json_t	*v = json_object_get(value, member);

	*flag = json_is_true(v);
	return (v == NULL || json_is_null(v) || json_is_boolean(v) ? 0 : -1);
}

static const char *
entry_check(struct entry *e)
{
	int	i, r;

	if (!target_service_ok(e->text[E_NAME], e->len[E_NAME]))
		return (texts[E_NAME].why);
	if (strcmp(e->text[E_NAME], "terminal") == 0)
		return ("reserved name");
	if ((r = target_parse(e->text[E_TARGET], NULL)) != TARGET_OK)
		return (target_strerror(r));
	if (!target_host_ok(e->text[E_HOST], e->len[E_HOST]))
		return (texts[E_HOST].why);
	if (e->len[E_LABEL] >= LABEL_SIZE)
		e->len[E_LABEL] = text_cut(e->text[E_LABEL], e->len[E_LABEL],
		    LABEL_SIZE - 1);
	for (i = E_TARGET; i < E_TEXTS; i++) {
		if (e->len[i] >= texts[i].size)
			return (texts[i].why);
		/* Paths end up in request lines and headers. */
		if (i >= E_PATH && !text_plain(e->text[i], e->len[i]))
			return (texts[i].why);
	}
	return (NULL);
}

/* One block: the table, then the texts. */
static struct manifest *
manifest_build(const struct entry *e, unsigned n)
{
	struct manifest	*m;
	struct service	*s;
	size_t		 size = sizeof(*m) + n * sizeof(m->service[0]);
	char		*p;
	unsigned	 i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < E_TEXTS; k++)
			size += e[i].len[k] + 1;
	if ((m = calloc(1, size)) == NULL)
		return (NULL);
	m->count = n;
	p = (char *)&m->service[n];
	for (i = 0; i < n; i++) {
		s = &m->service[i];
		s->name = text_put(&p, &e[i], E_NAME);
		s->target = text_put(&p, &e[i], E_TARGET);
		s->host = text_put(&p, &e[i], E_HOST);
		s->label = text_put(&p, &e[i], E_LABEL);
		s->path = text_put(&p, &e[i], E_PATH);
		s->path_prefix = text_put(&p, &e[i], E_PREFIX);
		s->module_id = text_put(&p, &e[i], E_MODULE);
		s->node_id = text_put(&p, &e[i], E_NODE);
		s->tls = e[i].tls;
		s->tcp = e[i].tcp;
	}
	return (m);
}

/* Copy a text to *p and move on; the block is zero, so it is terminated. */
static const char *
text_put(char **p, const struct entry *e, int which)
{
	char	*at = *p;

	memcpy(at, e->text[which], e->len[which]);
	*p = at + e->len[which] + 1;
	return (at);
}

int
manifest_same(const struct manifest *a, const struct manifest *b)
{
	const struct service	*x, *y;
	unsigned		 i;

	if (a == NULL || b == NULL || a->count != b->count)
		return (0);
	for (i = 0; i < a->count; i++) {
		x = &a->service[i];
		y = &b->service[i];
		if (strcmp(x->name, y->name) != 0 ||
		    strcmp(x->target, y->target) != 0 ||
		    strcmp(x->host, y->host) != 0 ||
		    strcmp(x->label, y->label) != 0 ||
		    strcmp(x->path, y->path) != 0 ||
		    strcmp(x->path_prefix, y->path_prefix) != 0 ||
		    strcmp(x->module_id, y->module_id) != 0 ||
		    strcmp(x->node_id, y->node_id) != 0 || x->tls != y->tls ||
		    x->tcp != y->tcp)
			return (0);
	}
	return (1);
}

void
manifest_free(struct manifest *m)
{
	free(m);
}
