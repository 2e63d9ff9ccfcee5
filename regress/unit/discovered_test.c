/* SPDX-License-Identifier: ISC */
/* Discovery: routes, modules, ports, what counts of a document. */
#include <stdio.h>
#include <stdlib.h>

#include "tunnel-client/discovered.h"
#include "tunnel-client/survey.h"
#include "base/log.h"
#include "regress/lib/tap.h"

static void
module_is(const char *instance, const char *want)
{
	char	got[CLIENT_MODULE_SIZE];

	routes_module(instance, got, sizeof(got));
	is_str(got, want, "the module of %s", instance);
}

static void
modules(void)
{
	char	long_name[300], got[CLIENT_MODULE_SIZE];

	module_is("pbx103-ui", "pbx103");
	module_is("pbx103_ui", "pbx103");
	module_is("pbx103", "pbx103");
	module_is("n8n1-x", "n8n1");
	module_is("my-app12-ui-3", "my-app12");
	module_is("cluster-admin", "");
	module_is("pbx103.ui", "");
	module_is("1-x", "");
	module_is("", "");
	snprintf(long_name, sizeof(long_name), "%0200d1", 0);
	*long_name = 'a';
	routes_module(long_name, got, sizeof(got));
	is_str(got, "", "one that is too long");
}

/* Of one route: the target, or "" if it was not taken. */
static void
target_is(const char *url, const char *address, const char *want)
{
	char		 text[256];
	cJSON		*all = cJSON_CreateObject(), *s;
	int		 n;

	snprintf(text, sizeof(text), "[{\"instance\":\"a\",\"url\":\"%s\"}]",
	    url);
	n = routes_take(all, text, strlen(text), "1", address);
	s = cJSON_GetObjectItem(cJSON_GetObjectItem(all, "a"), "target");
	is_str(s == NULL ? "" : s->valuestring, want, "%s%s%s", url,
	    address == NULL ? "" : " at ", address == NULL ? "" : address);
	is_int(n, *want != '\0', "counted");
	cJSON_Delete(all);
}

static void
routes(void)
{
	cJSON	*all = cJSON_CreateObject();

	target_is("http://h:1/x", NULL, "h:1");
	target_is("https://h/x", NULL, "h:443");
	target_is("http://h?q", NULL, "h:80");
	target_is("http://[::1]:8", NULL, "[::1]:8");
	target_is("https://[::1]", NULL, "[::1]:443");
	target_is("http://u@h", NULL, "");
	target_is("ftp://h", NULL, "");
	target_is("h:1", NULL, "");
	target_is("http:///x", NULL, "");
	target_is("http://h:1", "10.0.0.1", "10.0.0.1:443");
	target_is("http://h:1", "fd00::1", "[fd00::1]:443");
	is_int(routes_take(all, "{}", 2, "1", NULL), -1, "no array");
	is_int(routes_take(all, "[{", 2, "1", NULL), -1, "no JSON");
	is_int(routes_take(all, "[1,{}]", 6, "1", NULL), 0, "nothing in it");
	cJSON_Delete(all);
}

static void
ports(void)
{
	is_int(nethsec_port(""), 443, "no configuration");
	is_int(nethsec_port("listen 9090 ssl;"), 9090, "a port");
	is_int(nethsec_port(" \tlisten\t127.0.0.1:9090 ssl;\n"), 9090,
	    "T31: an address and a port");
	is_int(nethsec_port("listen 80;\nlisten [::]:1 ssl;\n#listen 2 ssl;\n"
	    "listen 3 http2 ssl;\nlisten 4 ssl;"), 3,
	    "the first with TLS, not for IPv6");
	is_int(nethsec_port("listen 70000 ssl;"), 443, "no port");
	is_int(nethsec_port("listen unix:/x ssl;"), 443, "no number");
	is_int(nethsec_port("listen 9x ssl;"), 443, "half a number");
}

#define ONE(name, node)	"\"" name "\":{\"target\":\"h:1\",\"node_id\":\"" \
			node "\"}"

static int
reads(struct discovered *d, const char *text)
{
	return (discovered_read(d, text, strlen(text)));
}

static void
documents(void)
{
	struct discovered	 d = { 0 };

	is_int(reads(&d, "{\"mode\":\"ns8\",\"master\":true,\"node\":\"2\","
	    "\"services\":{" ONE("a", "1") "," ONE("b", "2") ",\"c\":{},"
	    "\"d\":{\"target\":\"169.254.169.254:1\"},\"terminal\":{"
	    "\"target\":\"h:1\"}},\"modules\":{\"m1\":{}}}"), 0,
	    "a document");
	ok(d.platform == PLATFORM_NS8 && d.master, "platform and role");
	is_str(d.node, "2", "node");
	is_int(d.services.n, 2, "bad ones are left out");
	ok(cJSON_GetObjectItem(d.modules, "m1") != NULL, "modules");
	is_int(reads(&d, "{\"mode\":\"ns8\",\"services\":{" ONE("c", "2")
	    "},\"failed\":[\"1\",3]}"), 0, "node 1 could not be asked");
	ok(d.services.n == 2 && services_get(&d.services, "a") != NULL &&
	    services_get(&d.services, "c") != NULL,
	    "what was known of it stays");
	is_int(reads(&d, "{\"services\":{},\"fatal\":true,\"errors\":[\"x\"]}"),
	    -1, "one that does not count");
	is_int(reads(&d, "{}"), -1, "no services in it");
	is_int(reads(&d, "[]"), -1, "no object");
	is_int(reads(&d, ""), -1, "nothing");
	is_int(d.services.n, 2, "all of that changes nothing");
	is_int(reads(&d, "{\"services\":{" ONE("x", "1") "}}"), 0, "another");
	ok(d.services.n == 1 && d.platform == PLATFORM_NONE, "takes its place");
	is_int(reads(&d, "{\"services\":{\"x\":{\"target\":\"h:1\",\"label\":"
	    "\"a\\u0001b\",\"path\":7},\"y\":{\"target\":\"h:1\",\"label\":"
	    "\"a\\u0001b\"}}}"), 0, "odd members");
	ok(d.services.n == 1 && *d.services.v[0].label == '\0',
	    "an odd label is dropped, an odd path drops the service");
	discovered_clear(&d);
}

int
main(void)
{
	log_init("test", 1 << 20, 0);
	modules();
	routes();
	ports();
	documents();
	return (done_testing());
}
