/* SPDX-License-Identifier: ISC */
/*
 * A node of an NS8 cluster: which nodes there are, the routes of each, and what
 * modules they belong to, out of Redis and api-cli. tunnel-protocol.md, 7.4.
 */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/target.h"
#include "capture.h"
#include "client.h"
#include "machine.h"
#include "owned.h"
#include "survey.h"

#define ENVIRONMENT	"/var/lib/nethserver/node/state/environment"
#define ETC		"/etc/nethserver"
#define REDIS_DEFAULT	"127.0.0.1:6379"
#define REDIS_MS	2000	/* to connect, and for each answer */
#define API_MS		30000	/* T31 */
#define API_MAX		(1024 * 1024)
#define NODES_MAX	64
#define SCANS_MAX	10000	/* steps through the keys */
#define TEXT_MAX	256

struct ns8 {
	redisContext		*redis;
	const struct survey	*survey;
	struct findings		*f;
	char			 nodes[NODES_MAX][CLIENT_NODE_SIZE];
	int			 n;
	char			 own[CLIENT_NODE_SIZE];
	char			 leader[CLIENT_NODE_SIZE];
};

/* Redis. */

static redisReply *
ask(struct ns8 *c, const char *fmt, ...)
{
	redisReply	*r;
	va_list		 ap;

	if (c->redis->err != 0)
		return (NULL);
	va_start(ap, fmt);
	r = redisvCommand(c->redis, fmt, ap);
	va_end(ap);
	return (r);
}

/* A text without control characters, or "". The answer is gone. */
static void
text_take(redisReply *r, char *out, size_t size)
{
	size_t	i;

	*out = '\0';
	if (r == NULL)
		return;
	if (r->type == REDIS_REPLY_STRING && r->len > 0 &&
	    (size_t)r->len < size) {
		memcpy(out, r->str, (size_t)r->len);
		out[r->len] = '\0';
		for (i = 0; i < (size_t)r->len; i++)
			if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
				*out = '\0';
	}
	freeReplyObject(r);
}

static int
node_ok(const char *s)
{
	size_t	n = strspn(s, "0123456789");

	return (n > 0 && n < CLIENT_NODE_SIZE && s[n] == '\0');
}

/* A module's name goes into what is run: letters, digits, `-`, `_`, `.`. */
static int
module_ok(const char *s)
{
	return (target_service_ok(s, strlen(s)));
}

/* `node/<id>/default_instance/traefik` */
static void
node_add(struct ns8 *c, const redisReply *key)
{
	char	text[TEXT_MAX], *p = text + 5, *end;
	int	i;

	if (key->type != REDIS_REPLY_STRING || key->len <= 5 ||
	    (size_t)key->len >= sizeof(text) || c->n == NODES_MAX)
		return;
	memcpy(text, key->str, (size_t)key->len);
	text[key->len] = '\0';
	if ((end = strchr(p, '/')) == NULL)
		return;
	*end = '\0';
	if (!node_ok(p))
		return;
	for (i = 0; i < c->n; i++)
		if (strcmp(c->nodes[i], p) == 0)
			return;	/* SCAN may say it twice */
	strlcpy(c->nodes[c->n++], p, CLIENT_NODE_SIZE);
}

static int
node_cmp(const void *a, const void *b)
{
	return (strcmp(a, b));
}

/* 0, or -1 when Redis does not answer. */
static int
nodes_find(struct ns8 *c)
{
	redisReply	*r;
	char		 cursor[32] = "0";
	size_t		 i;
	int		 steps;

	for (steps = 0; steps < SCANS_MAX; steps++) {
		r = ask(c, "SCAN %s MATCH node/*/default_instance/traefik "
		    "COUNT 1000", cursor);
		if (r == NULL || r->type != REDIS_REPLY_ARRAY ||
		    r->elements != 2 ||
		    r->element[0]->type != REDIS_REPLY_STRING ||
		    r->element[1]->type != REDIS_REPLY_ARRAY) {
			if (r != NULL)
				freeReplyObject(r);
			return (-1);
		}
		for (i = 0; i < r->element[1]->elements; i++)
			node_add(c, r->element[1]->element[i]);
		strlcpy(cursor, r->element[0]->str, sizeof(cursor));
		freeReplyObject(r);
		if (strcmp(cursor, "0") == 0)
			break;
	}
	qsort(c->nodes, (size_t)c->n, sizeof(c->nodes[0]), node_cmp);
	return (0);
}

/* Routes. */

static void
node_failed(struct ns8 *c, const char *node, const char *what, const char *why)
{
	findings_error(c->f, "node %s: %s %s", node, what, why);
	cJSON_AddItemToArray(c->f->failed, cJSON_CreateString(node));
}

static int
api_limit(void)
{
#ifdef RELAYD_TESTING
	const char	*ms = getenv("TUNNEL_CLIENT_API_MS");

	if (ms != NULL)
		return (atoi(ms));
#endif
	return (API_MS);
}

static void
node_routes(struct ns8 *c, const char *node)
{
	char		 instance[TEXT_MAX], address[TEXT_MAX] = "";
	char		 action[TEXT_MAX + 32], api[] = "api-cli", run[] = "run";
	char		 data[] = "--data", list[] = "{\"expand_list\": true}";
	char		*argv[] = { api, run, action, data, list, NULL }, *out;
	const char	*why;
	size_t		 len;

	text_take(ask(c, "GET node/%s/default_instance/traefik", node),
	    instance, sizeof(instance));
	if (!module_ok(instance))
		return;
	if (strcmp(node, c->own) != 0) {
		text_take(ask(c, "HGET node/%s/vpn ip_address", node), address,
		    sizeof(address));
		if (*address == '\0')
			return;
	}
	snprintf(action, sizeof(action), "module/%s/list-routes", instance);
	out = capture(argv, c->survey->envp, API_MAX, api_limit(), &len, &why);
	if (out == NULL)
		node_failed(c, node, api, why);
	else if (routes_take(c->f->services, out, len, node,
	    *address == '\0' ? NULL : address) == -1)
		node_failed(c, node, api, "says no list of routes");
	free(out);
}

/* The leader, this node, the rest: the first to claim a name keeps it. */
static void
nodes_routes(struct ns8 *c)
{
	int	i, pass, which;

	for (pass = 0; pass < 3; pass++)
		for (i = 0; i < c->n; i++) {
			which = strcmp(c->nodes[i], c->leader) == 0 ? 0 :
			    strcmp(c->nodes[i], c->own) == 0 ? 1 : 2;
			if (which == pass)
				node_routes(c, c->nodes[i]);
		}
}

/* Modules. */

static void
module_domain(struct ns8 *c, const char *id, char *out, size_t size)
{
	text_take(ask(c, "HGET cluster/module_domains %s", id), out, size);
	out[strcspn(out, " \t")] = '\0';
	if (*out == '\0')
		text_take(ask(c, "HGET module/%s/environment USER_DOMAIN", id),
		    out, size);
}

static cJSON *
module_add(struct ns8 *c, const char *id, const char *node)
{
	char	 label[TEXT_MAX], domain[TEXT_MAX];
	cJSON	*o = cJSON_GetObjectItemCaseSensitive(c->f->modules, id);

	if (o != NULL)
		return (o);
	text_take(ask(c, "GET module/%s/ui_name", id), label, sizeof(label));
	module_domain(c, id, domain, sizeof(domain));
	o = cJSON_AddObjectToObject(c->f->modules, id);
	cJSON_AddStringToObject(o, "label", label);
	cJSON_AddStringToObject(o, "domain", domain);
	cJSON_AddStringToObject(o, "node_id", node);
	return (o);
}

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsString(s) ? s->valuestring : "");
}

/* Of the services that were found; each gets its module's label. */
static void
modules_of_services(struct ns8 *c)
{
	cJSON		*s;
	const cJSON	*m;
	const char	*id;

	cJSON_ArrayForEach(s, c->f->services) {
		id = text_of(s, "module_id");
		m = module_ok(id) ? module_add(c, id, text_of(s, "node_id")) :
		    NULL;
		cJSON_AddStringToObject(s, "label", text_of(m, "label"));
	}
}

/* A worker may have modules that have no route. */
static void
modules_of_node(struct ns8 *c)
{
	redisReply	*r = ask(c, "HGETALL cluster/module_node");
	size_t		 i;

	for (i = 0; r != NULL && r->type == REDIS_REPLY_ARRAY &&
	    i + 1 < r->elements && i < 2 * CLIENT_SERVICES_MAX; i += 2)
		if (r->element[i]->type == REDIS_REPLY_STRING &&
		    r->element[i + 1]->type == REDIS_REPLY_STRING &&
		    strcmp(r->element[i + 1]->str, c->own) == 0 &&
		    module_ok(r->element[i]->str))
			module_add(c, r->element[i]->str, c->own);
	if (r != NULL)
		freeReplyObject(r);
}

/* The whole. */

/* Has root made this machine a node? Everybody can make a Redis. */
static int
is_node(void)
{
	static const char *const	files[] = { ENVIRONMENT, ETC };
	struct stat			sb;
	size_t				i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (stat(machine_path(files[i]), &sb) == 0 &&
		    owned_refused(&sb) == NULL)
			return (1);
	return (0);
}

int
ns8_own_node(char *out, size_t size)
{
	char	 buf[8192], *p;
	ssize_t	 n;
	int	 fd;

	*out = '\0';
	fd = open(machine_path(ENVIRONMENT), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return (-1);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return (-1);
	buf[n] = '\0';
	for (p = buf; p != NULL; p = strchr(p, '\n'), p += p != NULL) {
		if (strncmp(p, "NODE_ID=", 8) != 0)
			continue;
		p += 8;
		p += *p == '"' || *p == '\'';
		p[strcspn(p, "\"'\r\n")] = '\0';
		return (node_ok(p) && strlcpy(out, p, size) < size ? 0 : -1);
	}
	return (-1);
}

static redisContext *
redis_connect(const char *where)
{
	struct timeval	 limit = { REDIS_MS / 1000, 0 };
	struct target	 t;
	redisContext	*c;
	redisReply	*r;

	/* A refused one is none that a Redis is at. */
	if (target_parse(where, &t) != TARGET_OK ||
	    (c = redisConnectWithTimeout(t.host, t.port, limit)) == NULL)
		return (NULL);
	if (c->err == 0 && redisSetTimeout(c, limit) == REDIS_OK &&
	    (r = redisCommand(c, "PING")) != NULL) {
		freeReplyObject(r);
		return (c);
	}
	redisFree(c);
	return (NULL);
}

static const char *
redis_default(void)
{
#ifdef RELAYD_TESTING
	if (getenv("TUNNEL_CLIENT_REDIS") != NULL)
		return (getenv("TUNNEL_CLIENT_REDIS"));
#endif
	return (REDIS_DEFAULT);
}

static void
role_find(struct ns8 *c)
{
	redisReply	*r = ask(c, "ROLE");

	cJSON_AddBoolToObject(c->f->top, "master", r != NULL &&
	    r->type == REDIS_REPLY_ARRAY && r->elements > 0 &&
	    r->element[0]->type == REDIS_REPLY_STRING &&
	    strcmp(r->element[0]->str, "master") == 0);
	if (r != NULL)
		freeReplyObject(r);
}

int
ns8_survey(const struct survey *s, struct findings *f)
{
	struct ns8	c = { .survey = s, .f = f };
	const char	*where = *s->redis != '\0' ? s->redis : redis_default();
	int		 sure, r;

	if (*s->redis == '\0' && !s->ns8 && !is_node())
		return (0);
	sure = ns8_own_node(c.own, sizeof(c.own)) == 0 || s->ns8 ||
	    *s->redis != '\0';
	if ((c.redis = redis_connect(where)) == NULL) {
		if (!sure)
			return (0);
		findings_error(f, "redis at %s: no answer", where);
		return (-1);
	}
	/* It may be another one. */
	r = nodes_find(&c);
	if (!sure && (r == -1 || c.n == 0)) {
		redisFree(c.redis);
		return (0);
	}
	if (r == 0) {
		text_take(ask(&c, "HGET cluster/environment NODE_ID"), c.leader,
		    sizeof(c.leader));
		nodes_routes(&c);
		modules_of_services(&c);
		if (cJSON_GetArraySize(f->services) == 0)
			modules_of_node(&c);
		role_find(&c);
		cJSON_AddStringToObject(f->top, "node", c.own);
	}
	r = r == 0 && c.redis->err == 0 ? 1 : -1;
	if (r == -1)
		findings_error(f, "redis at %s: %s", where,
		    c.redis->err != 0 ? c.redis->errstr : "odd answer");
	redisFree(c.redis);
	return (r);
}
