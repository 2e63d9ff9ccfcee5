/* SPDX-License-Identifier: ISC */
/* Static services: the entries and the table. */
#include <stdio.h>
#include <string.h>

#include "tunnel-client/client.h"
#include "base/log.h"
#include "base/target.h"
#include "regress/lib/tap.h"

static struct services	all;

/* The only service of a text, or NULL when there is not exactly one. */
static const struct service *
only(const char *spec)
{
	services_clear(&all);
	return (services_parse(&all, spec, "") == 1 ? &all.v[0] : NULL);
}

static void
entries(void)
{
	const struct service	*s;

	s = only("n=h:1:host=x:tls");
	ok(s != NULL && strcmp(s->name, "n") == 0 &&
	    strcmp(s->target, "h:1") == 0 && strcmp(s->host, "x") == 0 &&
	    s->tls == 1, "tunnel-55: n=h:1:host=x:tls");
	is_str(s == NULL ? "" : s->label, "n", "the label is the name");
	services_clear(&all);
	is_int(services_parse(&all, "n", ""), 0,
	    "tunnel-55: n alone is skipped");
	is_int(services_parse(&all, "n,a=h:1,,=h:2,b=", ""), 1,
	    "so are empty entries, names and targets; the rest counts");
	s = only(" n=h:1 ");
	ok(s != NULL && strcmp(s->name, "n") == 0 &&
	    strcmp(s->target, "h:1") == 0 && *s->host == '\0' && !s->tls,
	    "blanks around an entry are cut off");
	ok(only("n=h:1:tls:host=x") == NULL, ":tls counts at the end only");
	s = only("n=[::1]:22:tls");
	ok(s != NULL && strcmp(s->target, "[::1]:22") == 0 && s->tls,
	    "an IPv6 target");
	s = only("n=h:1:tls-old");
	ok(s != NULL && strcmp(s->target, "h:1") == 0 && s->tls && s->tls_old,
	    ":tls-old");
	s = only("n=h:1:tls");
	ok(s != NULL && s->tls && !s->tls_old, ":tls is no old one");
	ok(only("n=h") == NULL && only("n=a=b:1") == NULL &&
	    only("n=169.254.169.254:80") == NULL &&
	    only("n=metadata:80") == NULL && only("a b=h:1") == NULL &&
	    only("-n=h:1") == NULL && only("n=h:1:host=a b") == NULL,
	    "what a server would drop is not offered");
	ok(only("n=:host=x") == NULL && only("n=:tls") == NULL,
	    "no target at all");
	ok(only("terminal=h:1") == NULL, "the name terminal is taken");
	ok(only("n\xff=h:1") == NULL && only("n=h\xff:1") == NULL &&
	    only("n=h:1:host=\xff") == NULL, "only UTF-8");
	services_clear(&all);
	is_int(services_parse(&all, "n=h:1,m=h:2,n=h:3", ""), 3,
	    "three entries");
	is_int(all.n, 2, "two names");
	s = services_get(&all, "n");
	is_str(s == NULL ? "" : s->target, "h:3", "later duplicates win");
}

static void
lengths(void)
{
	char	spec[1024];

	snprintf(spec, sizeof(spec), "%0*d=h:1", TARGET_SERVICE_MAX, 0);
	ok(only(spec) != NULL, "a name of %d bytes", TARGET_SERVICE_MAX);
	snprintf(spec, sizeof(spec), "%0*d=h:1", TARGET_SERVICE_MAX + 1, 0);
	ok(only(spec) == NULL, "one more is skipped");
	memset(spec, 'a', sizeof(spec));
	memcpy(spec, "n=", 2);
	memcpy(spec + 2 + TARGET_HOST_SIZE - 1, ":1", 3);
	ok(only(spec) != NULL, "a host of %d bytes", TARGET_HOST_SIZE - 1);
	memset(spec, 'a', sizeof(spec));
	memcpy(spec, "n=", 2);
	memcpy(spec + 2 + TARGET_HOST_SIZE, ":1", 3);
	ok(only(spec) == NULL, "one more is skipped");
}

static void
table(void)
{
	struct service	s = { .target = "h:1" };
	int		i, sorted = 1, r = 0;

	services_clear(&all);
	for (i = 0; i < CLIENT_SERVICES_MAX; i++) {
		snprintf(s.name, sizeof(s.name), "s%d", i * 7919 % 500);
		r |= services_put(&all, &s);
	}
	is_int(r, 0, "500 services");
	for (i = 1; i < (int)all.n; i++)
		sorted &= strcmp(all.v[i - 1].name, all.v[i].name) < 0;
	ok(sorted, "sorted by name");
	snprintf(s.name, sizeof(s.name), "one more");
	is_int(services_put(&all, &s), -1, "not 501");
	snprintf(s.name, sizeof(s.name), "s250");
	snprintf(s.target, sizeof(s.target), "other:1");
	is_int(services_put(&all, &s), 0, "replacing is no growth");
	is_str(services_get(&all, "s250")->target, "other:1", "replaced");
	services_del(&all, "s250");
	ok(services_get(&all, "s250") == NULL && all.n == 499, "deleted");
	services_del(&all, "s250");
	is_int(all.n, 499, "what is not there is not deleted");
	ok(services_get(&all, "s249") != NULL &&
	    services_get(&all, "s251") != NULL, "its neighbours are there");
	services_clear(&all);
	ok(services_get(&all, "s1") == NULL, "cleared");
}

static void
catalogue(void)
{
	struct service	 s = { .name = "a", .target = "added:1", .added = 1 };
	struct services	*before;
	char		*m;

	catalog_found("a=found:1,b=found:2", NULL, "");
	is_int(catalog_add(&s), 0, "an added service");
	is_str(catalog_get("a")->target, "added:1", "shadows a found one");
	is_int(catalog_count(), 2, "and counts once");
	before = catalog_added_copy();
	is_int(catalog_remove("a"), 1, "removed");
	is_int(catalog_remove("b"), 0, "a found one is not");
	is_str(catalog_get("a")->target, "found:1",
	    "tunnel-46(partial): the shadowed one is back");
	catalog_added_restore(before);
	is_str(catalog_get("a")->target, "added:1", "rolled back");
	catalog_found("a=again:1", NULL, "");
	is_str(catalog_get("a")->target, "again:1",
	    "found anew wins over added");
	ok(catalog_get("b") == NULL, "what is found no more is gone");
	m = catalog_manifest();
	is_str(m, "{\"version\":1,\"services\":{\"a\":{\"target\":\"again:1\","
	    "\"host\":\"\",\"tls\":false,\"label\":\"a\"}}}\n", "the manifest");
	free(m);
	snprintf(s.name, sizeof(s.name), "c");
	is_int(catalog_add(&s), 0, "another");
	catalog_found("", NULL, "c*,x");
	ok(catalog_excludes("c2") && catalog_excludes("x") &&
	    !catalog_excludes("y"), "what is excluded cannot be added either");
	catalog_forget_added();
	ok(catalog_get("c") == NULL, "a new connection knows none of them");
	catalog_found("", NULL, "");
	m = catalog_manifest();
	is_str(m, "{\"version\":1,\"services\":{}}\n", "an empty manifest");
	free(m);
	catalog_clear();
}

int
main(void)
{
	log_init("services_test", -1, 0);
	entries();
	lengths();
	table();
	catalogue();
	return (done_testing());
}
