/* SPDX-License-Identifier: ISC */
/* What a session offers, said to other members and read by them. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "authd/core/services.h"
#include "authd/msg/offers.h"
#include "base/compat.h"
#include "base/index.h"
#include "regress/lib/tap.h"

#define ENTRY(name, more)						\
	"{\"name\":\"" name "\",\"target\":\"10.0.0.1:80\","		\
	"\"host\":\"app.lan\",\"tls\":true,\"path\":\"\","		\
	"\"path_prefix\":\"/f\",\"node_id\":\"2\"" more "}"

static struct services *
read_text(const char *text)
{
	return (offers_read(text, strlen(text), "system", "org"));
}

static void
add(struct services *t, const char *name, const char *host, int tcp)
{
	struct msg_service	w = { .name = name, .target = "10.0.0.1:443",
	    .host = host, .label = "a label", .path = "/p",
	    .path_prefix = "/f", .module_id = "m", .node_id = "2", .tls = 1,
	    .tcp = (uint8_t)tcp };

	if (services_add(t, &w) != NULL)
		ok(0, "service %s", name);
}

static void
round_trip(void)
{
	struct services		*t = services_new(7, 4, "system", "org"), *u;
	const struct service	*sv;
	char			*text;
	size_t			 len;

	add(t, "ui", "app.lan", 0);
	add(t, "hostless", "", 0);
	add(t, "ssh", "app.lan", 1);
	add(t, "files", "app.lan", 0);
	text = offers_print(t, &len);
	is_int((long long)len, (long long)strlen(text), "it has its length");
	u = offers_read(text, len, "system", "org");
	ok(u != NULL && u->n == 2, "what has no host, or is TCP, is not told");
	sv = services_find(u, "files");
	ok(sv != NULL && strcmp(sv->target, "10.0.0.1:443") == 0 &&
	    strcmp(sv->host, "app.lan") == 0 && strcmp(sv->path, "/p") == 0 &&
	    strcmp(sv->path_prefix, "/f") == 0 &&
	    strcmp(sv->node_id, "2") == 0 && sv->tls && !service_is_tcp(sv),
	    "the rest as it is");
	cJSON_free(text);
	services_free(t);
	services_free(u);
}

/* How many of it are read; -1: it is no table. */
static int
read_of(const char *text)
{
	struct services	*t = read_text(text);
	int		 n = t != NULL ? (int)t->n : -1;

	services_free(t);
	return (n);
}

static void
lies(void)
{
	is_int(read_of("[" ENTRY("a", "") "," ENTRY("b", "") "]"), 2,
	    "two entries");
	is_int(read_of("[]"), 0, "none");
	is_int(read_of(""), -1, "nothing");
	is_int(read_of("{}"), -1, "no array");
	is_int(read_of("[" ENTRY("a", "")), -1, "half of one");
	is_int(read_of("[" ENTRY("a", "") "," ENTRY("a", "") "]"), 1,
	    "a name twice");
	is_int(read_of("[1,null,[]," ENTRY("a", "") "]"), 1, "no objects");
	is_int(read_of("[" ENTRY("A B", "") "," ENTRY("", "") ","
	    ENTRY("terminal", "") "]"), 0, "names that are none");
	is_int(read_of("[{\"name\":\"a\",\"target\":7,\"host\":\"app.lan\","
	    "\"path\":\"\",\"path_prefix\":\"\",\"node_id\":\"\"}]"), 0,
	    "a number for a text");
	is_int(read_of("[{\"name\":\"a\",\"target\":\"127.0.0.1:80\\r\\n\","
	    "\"host\":\"app.lan\",\"path\":\"\",\"path_prefix\":\"\","
	    "\"node_id\":\"\"}]"), 0, "a target that ends a line");
	is_int(read_of("[{\"name\":\"a\",\"target\":\"10.0.0.1:80\","
	    "\"host\":\"app.lan\",\"path\":\"/a b\",\"path_prefix\":\"\","
	    "\"node_id\":\"\"}]"), 0, "a path that ends a request's");
}

static void
limits(void)
{
	size_t		 i, len = 0;
	char		*text = malloc(OFFERS_MAX + 2), name[SERVICE_SIZE + 1];
	struct services	*t;

	for (i = 0; i <= SERVICES_MAX; i++)
		len += (size_t)snprintf(text + len, OFFERS_MAX - len,
		    "%c{\"name\":\"s%zu\",\"target\":\"10.0.0.1:80\","
		    "\"host\":\"app.lan\",\"path\":\"\",\"path_prefix\":\"\","
		    "\"node_id\":\"\"}", i == 0 ? '[' : ',', i);
	text[len] = ']';
	ok(offers_read(text, len + 1, "system", "org") == NULL,
	    "%d services", SERVICES_MAX + 1);
	for (i = len; text[i] != ',' || text[i + 1] != '{'; i--)
		;
	text[i] = ']';
	t = offers_read(text, i + 1, "system", "org");
	is_int(t != NULL ? (int)t->n : -1, SERVICES_MAX, "and one less");
	services_free(t);
	memset(text, ' ', OFFERS_MAX + 1);
	text[0] = '[';
	text[OFFERS_MAX - 1] = text[OFFERS_MAX] = ']';
	t = offers_read(text, OFFERS_MAX, "system", "org");
	ok(t != NULL, "%d bytes", OFFERS_MAX);
	services_free(t);
	text[OFFERS_MAX - 1] = ' ';
	ok(offers_read(text, OFFERS_MAX + 1, "system", "org") == NULL,
	    "and one more");
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, OFFERS_MAX, "[{\"name\":\"%s\",\"target\":"
	    "\"10.0.0.1:80\",\"host\":\"app.lan\",\"path\":\"\","
	    "\"path_prefix\":\"\",\"node_id\":\"\"}]", name);
	is_int(read_of(text), 0, "a name that is too long");
	free(text);
}

/* How many are read of one entry, whose member `which` has `len` bytes. */
static int
read_long(const char *which, size_t len)
{
	static const char	*const member[][2] = { { "name", "a" },
	    { "target", "10.0.0.1:80" }, { "host", "a" }, { "path", "/" },
	    { "path_prefix", "/" }, { "node_id", "2" } };
	char			 fill[2048], *text;
	cJSON			*a = cJSON_CreateArray(), *o;
	size_t			 i;
	int			 n;

	o = cJSON_CreateObject();
	cJSON_AddItemToArray(a, o);
	for (i = 0; i < sizeof(member) / sizeof(member[0]); i++) {
		memset(fill, 'a', sizeof(fill));
		fill[len] = '\0';
		if (strcmp(which, member[i][0]) != 0)
			strlcpy(fill, member[i][1], sizeof(fill));
		else
			memcpy(fill, member[i][1], 1);
		cJSON_AddStringToObject(o, member[i][0], fill);
	}
	text = cJSON_PrintUnformatted(a);
	n = read_of(text);
	cJSON_free(text);
	cJSON_Delete(a);
	return (n);
}

static void
lengths(void)
{
	static const struct {
		const char	*name;
		size_t		 size;
	} m[] = { { "name", SERVICE_SIZE }, { "host", HOST_SIZE },
	    { "path", PATH_SIZE }, { "path_prefix", PATH_SIZE },
	    { "node_id", MODULE_SIZE } };
	size_t	i;

	for (i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		is_int(read_long(m[i].name, m[i].size - 1), 1,
		    "%s of %zu bytes", m[i].name, m[i].size - 1);
		is_int(read_long(m[i].name, m[i].size), 0, "and one more");
	}
	is_int(read_long("target", TARGET_SIZE), 0, "a target too long");
}

int
main(void)
{
	index_init();
	round_trip();
	lies();
	limits();
	lengths();
	return (done_testing());
}
