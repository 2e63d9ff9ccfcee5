/* SPDX-License-Identifier: ISC */
/* Users: names, passwords, what counts as one, the report, the state file. */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "regress/lib/tap.h"
#include "tunnel-client/usersdoc.h"

static void
name_is(const char *key, const char *want)
{
	char	got[USERS_NAME_SIZE];

	users_name(key, got, sizeof(got));
	is_str(got, want, "the name of %s", key);
	ok(users_name_ok(got), "is one of ours");
}

static void
names(void)
{
	char	a[USERS_NAME_SIZE], b[USERS_NAME_SIZE];

	name_is("NETH-2239-AAAA-BBBB-CCCC-DDDD-EEEE-FFFF-7D37",
	    "support-neth-2239-7d37");
	name_is("A-B", "support-a-b");
	name_is("ABCD", "support-abcd");
	name_is("A;B$C'D\nE", "support-abcde");
	users_name("abc", a, sizeof(a));
	users_name("abc", b, sizeof(b));
	ok(strcmp(a, b) != 0 && strlen(a) == 16 && users_name_ok(a),
	    "a short key: random letters");
	ok(!users_name_ok("root") && !users_name_ok("support-") &&
	    !users_name_ok("support-A") && !users_name_ok("support-a b") &&
	    !users_name_ok("xsupport-a"), "what is none of ours");
}

static void
passwords(void)
{
	char	p[USERS_PASSWORD_SIZE], before[USERS_PASSWORD_SIZE] = "";
	int	i, good = 1, differ = 1, first = 0;

	for (i = 0; i < 1000; i++) {
		users_password(p);
		good &= strlen(p) == 20 && strspn(p,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "0123456789!@#%^&*") == 20 &&
		    strpbrk(p, "abcdefghijklmnopqrstuvwxyz") != NULL &&
		    strpbrk(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL &&
		    strpbrk(p, "0123456789") != NULL &&
		    strpbrk(p, "!@#%^&*") != NULL;
		differ &= strcmp(p, before) != 0;
		first += p[0] >= 'a' && p[0] <= 'z';
		memcpy(before, p, sizeof(p));
	}
	ok(good, "20 characters, each class at least once");
	ok(differ && first < 900, "random, and shuffled");
}

/* What is kept of a text, written out. */
static void
kept(const char *text, const char *want, const char *what)
{
	cJSON	*o = cJSON_Parse(text), *c = users_credentials(o);
	char	*got = cJSON_PrintUnformatted(c);

	is_str(got, want, "%s", what);
	is_int(users_has_credentials(c), strlen(want) > 2, "has some");
	cJSON_free(got);
	cJSON_Delete(c);
	cJSON_Delete(o);
}

#define USER	"{\"username\":\"u\",\"password\":\"p\"}"

static void
credentials(void)
{
	kept("{\"cluster_admin\":" USER ",\"local_users\":[" USER "],\"x\":1}",
	    "{\"cluster_admin\":" USER ",\"local_users\":[" USER "]}",
	    "known members");
	kept("{\"cluster_admin\":[" USER "],\"local_users\":" USER "}", "{}",
	    "members of the wrong kind");
	kept("{\"local_users\":[{\"username\":\"u\"},{\"username\":\"\","
	    "\"password\":\"p\"},{\"username\":\"a\\nb\",\"password\":\"p\"},"
	    "{\"username\":7,\"password\":\"p\"},1]}", "{}",
	    "what is no user");
	kept("{\"domain_users\":[" USER ",{\"domain\":\"d\",\"module\":\"m\","
	    "\"username\":\"u\",\"password\":\"p\"}]}",
	    "{\"domain_users\":[{\"domain\":\"d\",\"module\":\"m\","
	    "\"username\":\"u\",\"password\":\"p\"}]}",
	    "a user of a domain has one");
	kept("7", "{}", "no object");
}

static void
reports(void)
{
	struct users_facts	 f = { .key = "K", .platform = PLATFORM_NONE,
				    .wall_ms = 0 };
	cJSON			*apps = cJSON_CreateArray(), *o;
	char			*text = users_report(&f, 7), big[1001];
	int			 i;

	is_str(text, "{\"created_at\":\"1970-01-01T00:00:00Z\","
	    "\"duration_ms\":7,\"users\":{\"session_id\":\"K\",\"platform\":"
	    "\"nethsecurity\",\"created_at\":\"1970-01-01T00:00:00Z\"}}\n",
	    "a report of nothing");
	free(text);
	memset(big, 'x', sizeof(big));
	big[1000] = '\0';
	for (i = 0; i < 300; i++) {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "id", big);
		cJSON_AddItemToArray(apps, o);
	}
	f.apps = apps;
	text = users_report(&f, 7);
	ok(text != NULL && strlen(text) < USERS_JSON_MAX &&
	    strstr(text, "apps") == NULL,
	    "too long: without apps");
	free(text);
	cJSON_Delete(apps);
}

static void
apps(void)
{
	cJSON	*all = cJSON_CreateArray(), *errors = cJSON_CreateArray();
	char	*text;
	int	 i;

#define SAID(s)	users_apps(all, s, strlen(s))
	is_int(SAID(""), 0, "nothing is no fault");
	is_int(SAID(" \n"), 0, "nor are blanks");
	is_int(SAID("{\"id\":\"a\",\"url\":\"u\\u0001\",\"x\":1}\n"), 0,
	    "an app");
	is_int(SAID("[{\"id\":\"b\"},{}]"), -1, "two, one of them none");
	is_int(SAID("text"), -1, "no JSON");
	is_int(SAID("7"), -1, "no app");
	text = cJSON_PrintUnformatted(all);
	is_str(text, "[{\"id\":\"a\",\"url\":\"u \"},{\"id\":\"b\"}]",
	    "what is kept");
	cJSON_free(text);
	for (i = 0; i < 100; i++) {
		(void)SAID("{\"id\":\"a\"}");
		users_error(errors, "a", "b");
	}
	is_int(cJSON_GetArraySize(all), 64, "64 apps at most");
	is_int(cJSON_GetArraySize(errors), 64, "64 errors at most");
	cJSON_Delete(all);
	cJSON_Delete(errors);
}

static void
instances(void)
{
	struct discovered	 d = { 0 };
	char			*text;

	d.modules = cJSON_Parse("{\"pbx1\":{},\"pbx\":{},\"pbx2x\":{},"
	    "\"pbxui3\":{}}");
	text = users_instances("pbx", &d, NULL);
	is_str(text, "{\"module\":\"pbx\",\"instances\":[{\"id\":\"pbx1\","
	    "\"node_id\":\"\",\"label\":\"\",\"domain\":\"\",\"services\":{}}"
	    "]}", "the modules of a name");
	cJSON_free(text);
	ok(users_instances("mail", &d, NULL) == NULL, "of another: none");
	ok(users_instances("", &d, NULL) == NULL, "of none: none");
	cJSON_Delete(d.modules);
}

static void
states(void)
{
	struct users_state	 s = { .planned = 1, .platform = PLATFORM_NS8,
				    .name = "support-a" }, back;
	struct users_facts	 f = { .key = "K", .platform = PLATFORM_NS8 };
	cJSON			*o = users_object(&f);
	char			*text = users_state_text(&s, o);

	is_int(users_state_parse(&back, text, strlen(text)), 0, "a state");
	ok(back.planned && !back.plugins && back.platform == PLATFORM_NS8,
	    "is read as it was written");
	is_str(back.name, "support-a", "with its name");
	cJSON_Delete(back.credentials);
	cJSON_free(text);
	cJSON_Delete(o);
#define READ(s)	users_state_parse(&back, s, strlen(s))
	is_int(READ("[]"), -1, "no object");
	is_int(READ(""), -1, "nothing");
	is_int(READ("{\"platform\":\"ns8\",\"cluster_admin\":{\"username\":"
	    "\"support-b\",\"password\":\"p\"}}"), 0, "another program's");
	is_str(back.name, "support-b", "the name is its admin's");
	ok(back.plugins, "its plugins may have run");
	cJSON_Delete(back.credentials);
	is_int(READ("{\"domain_users\":[{\"domain\":\"d\",\"module\":\"m\","
	    "\"username\":\"support-c\",\"password\":\"p\"}]}"), 0,
	    "users of domains alone");
	is_str(back.name, "support-c", "the name is that of one");
	cJSON_Delete(back.credentials);
	is_int(READ("{\"username\":\"root\",\"local_users\":[{\"username\":"
	    "\"root\",\"password\":\"p\"}]}"), 0, "one with a strange name");
	is_str(back.name, "", "has none (T18)");
	cJSON_Delete(back.credentials);
	is_int(READ("{\"username\":\"root\",\"local_users\":[{\"username\":"
	    "\"root\",\"password\":\"p\"},{\"username\":\"support-d\","
	    "\"password\":\"p\"}]}"), 0, "a strange name before one of ours");
	is_str(back.name, "support-d", "the first that is ours");
	cJSON_Delete(back.credentials);
}

static void
domains(void)
{
	cJSON	*modules = cJSON_Parse("{\"a\":{\"domain\":\"x\"},\"s1\":{},"
		    "\"s2\":{},\"n\":{}}");
	cJSON	*lists = cJSON_Parse("{\"one\":[\"s1\"],\"odd\":7}");
	cJSON	*users = cJSON_Parse("{\"domain_users\":[{\"domain\":\"two\","
		    "\"module\":\"s2\"}]}");
	cJSON	*got = users_module_domains(modules, lists, users);
	char	*text = cJSON_PrintUnformatted(got);

	is_str(text, "{\"a\":\"x\",\"s1\":\"one\",\"s2\":\"two\"}",
	    "domains of modules");
	cJSON_free(text);
	cJSON_Delete(got);
	cJSON_Delete(modules);
	cJSON_Delete(lists);
	cJSON_Delete(users);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	log_init("test", 1 << 20, 0);
	names();
	passwords();
	credentials();
	reports();
	apps();
	instances();
	states();
	domains();
	return (done_testing());
}
