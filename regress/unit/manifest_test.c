/* SPDX-License-Identifier: ISC */
/* The client's table of services. tunnel-protocol.md, 4.2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muxd/manifest.h"
#include "regress/lib/tap.h"

static char	dropped_text[256];

static void
dropped(void *arg, const char *name, size_t len, const char *why)
{
	++*(int *)arg;
	snprintf(dropped_text, sizeof(dropped_text), "%.*s: %s",
	    len > 40 ? 40 : (int)len, name, why);
}

/* One entry: is it taken, and if not, why. */
static void
entry(const char *name, const char *members, const char *why)
{
	struct manifest	*m = NULL;
	const char	*fault;
	char		 json[8192], want[256];
	int		 n = 0;

	snprintf(json, sizeof(json), "{\"services\":{\"%s\":{%s}}}", name,
	    members);
	if (manifest_parse(json, strlen(json), &m, dropped, &n, &fault) != 0) {
		ok(0, "%s %s: %s", name, members, fault);
		return;
	}
	if (why == NULL)
		ok(m->count == 1 && n == 0, "taken: %.20s %.60s", name,
		    members);
	else {
		snprintf(want, sizeof(want), ": %s", why);
		ok(m->count == 0 && m->dropped == 1 && n == 1 &&
		    strstr(dropped_text, want) != NULL,
		    "tunnel-30: left out: %.20s %.60s: %s", name, members, why);
	}
	manifest_free(m);
}

static char *
repeat(char c, size_t n, const char *before, const char *after)
{
	static char	buf[8192];
	size_t		len = strlen(before);

	memcpy(buf, before, len);
	memset(buf + len, c, n);
	memcpy(buf + len + n, after, strlen(after) + 1);
	return (buf);
}

#define T	"\"target\":\"10.0.0.1:80\""

static void
test_entries(void)
{
	entry("web", T, NULL);
	entry("A.b_c-9", T ",\"host\":\"a.example:8080\",\"tls\":true", NULL);
	entry(repeat('x', 64, "", ""), T, NULL);
	entry(repeat('x', 65, "", ""), T, "bad name");
	entry("", T, "bad name");
	entry("-a", T, "bad name");
	entry("a b", T, "bad name");
	entry("a\\n", T, "bad name");
	entry("terminal", T, "reserved name");
	entry("Terminal", T, NULL);
	entry("web", "\"host\":\"\"", "empty host");
	entry("web", "\"target\":7", "bad target");
	entry("web", "\"target\":\"169.254.169.254:80\"", "refused address");
	entry("web", "\"target\":\"metadata:80\"", "refused name");
	entry("web", T ",\"host\":\"-a\"", "bad host");
	entry("web", T ",\"host\":\"a-\"", "bad host");
	entry("web", T ",\"host\":\"a\\r\\nb\"", "bad host");
	entry("web", T ",\"host\":\"a/b\"", "bad host");
	entry("web", T ",\"host\":null,\"tls\":null,\"label\":null", NULL);
	entry("web", T ",\"tls\":1", "bad tls");
	entry("web", T ",\"tls\":\"yes\"", "bad tls");
	entry("web", T ",\"label\":[]", "bad label");
	entry("web", T ",\"path\":\"/a b\"", "bad path");
	entry("web", T ",\"path\":\"/a\\r\\nX: y\"", "bad path");
	entry("web", repeat('p', 1024, T ",\"path\":\"", "\""), NULL);
	entry("web", repeat('p', 1025, T ",\"path\":\"", "\""), "bad path");
	entry("web", repeat('h', 255, T ",\"host\":\"", "\""), NULL);
	entry("web", repeat('h', 256, T ",\"host\":\"", "\""), "bad host");
	entry("web", repeat('m', 128, T ",\"module_id\":\"", "\""), NULL);
	entry("web", repeat('m', 129, T ",\"module_id\":\"", "\""),
	    "bad module_id");
	entry("web", T ",\"unknown\":{\"deep\":[1,2]}", NULL);
}

/* 0, 1 or -1 for a whole document. */
static void
document(const char *json, int want, const char *what)
{
	struct manifest	*m = NULL;
	const char	*why;

	is_int(manifest_parse(json, strlen(json), &m, NULL, NULL, &why), want,
	    "%s", what);
	manifest_free(m);
}

static void
test_documents(void)
{
	struct manifest	*m = NULL;
	const char	*why;
	char		*s;
	size_t		 len, i;
	int		 n = 0;

	document("{\"version\":1,\"services\":{}}\n", 0, "an empty table");
	document("{\"version\":1}", 1, "no services: nothing changes");
	document("{\"services\":null}", 1, "null: nothing changes");
	document("{\"services\":[]}", -1, "a list is refused");
	document("[]", -1, "not an object");
	document("", -1, "nothing");
	document("{", -1, "cut short");
	document("{} x", -1, "something behind it");
	document("{\"services\":{\"a\":7,\"b\":null}}", 0,
	    "entries that are no objects");

	s = repeat('l', 300, "{\"services\":{\"a\":{" T ",\"label\":\"",
	    "\"}}}");
	ok(manifest_parse(s, strlen(s), &m, NULL, NULL, &why) == 0 &&
	    m->count == 1 && strlen(m->service[0].label) == 256,
	    "a long label is cut");
	manifest_free(m);
	s = repeat(' ', 1, "{\"services\":{\"a\":{" T "},\"a\":{\"target\":",
	    "\"10.0.0.2:81\"}}}");
	ok(manifest_parse(s, strlen(s), &m, NULL, NULL, &why) == 0 &&
	    m->count == 1 && strcmp(m->service[0].target, "10.0.0.2:81") == 0,
	    "of a name that comes twice the last one counts");
	manifest_free(m);
	m = NULL;

	if ((s = malloc(MANIFEST_BYTES_MAX + 2)) == NULL)
		bail_out("memory");
	len = (size_t)sprintf(s, "{\"services\":{");
	for (i = 0; i < 501; i++)
		len += (size_t)sprintf(s + len, "%s\"s%zu\":{" T "}",
		    i == 0 ? "" : ",", i);
	len += (size_t)sprintf(s + len, "}}");
	ok(manifest_parse(s, len, &m, dropped, &n, &why) == 0 &&
	    m->count == 500 && m->dropped == 1 && n == 1,
	    "tunnel-29(partial): of 501 services 500 are kept");
	manifest_free(m);
	m = NULL;
	memset(s + len, ' ', MANIFEST_BYTES_MAX + 1 - len);
	is_int(manifest_parse(s, MANIFEST_BYTES_MAX, &m, NULL, NULL, &why), 0,
	    "1 MiB is taken");
	manifest_free(m);
	m = NULL;
	ok(manifest_parse(s, MANIFEST_BYTES_MAX + 1, &m, NULL, NULL, &why) == -1
	    && strcmp(why, "too long") == 0,
	    "tunnel-29(partial): one byte more is not");
	free(s);
}

/* What no text can have spoils a name, and a label only where it stands. */
static void
test_mended(void)
{
	struct manifest	*m = NULL;
	const char	*why, *s;
	int		 n = 0;

	entry("caf\xe9", T, "bad name");
	entry("a\\u0000", T, "bad name");
	entry("web", "\"target\":\"10.0.0.1\\u0000:80\"", "not host:port");
	entry("web", "\"target\":\"h\xe4:80\"", "not host:port");
	entry("web", T ",\"host\":\"a\xe4\"", "bad host");
	entry("web", T ",\"path\":\"/\\udc00\"", "bad path");
	entry("web", T ",\"path_prefix\":\"/\xe4\"", "bad path_prefix");
	entry("web", T ",\"module_id\":\"\\u0000\"", "bad module_id");
	entry("web", T ",\"label\":\"\xe4\"", NULL);
	s = "{\"services\":{\"caf\xe9\":{" T "},\"web\":{" T
	    ",\"label\":\"K\xfc" "che\\u0000\"}}}";
	ok(manifest_parse(s, strlen(s), &m, dropped, &n, &why) == 0 &&
	    m->count == 1 && n == 1 && strcmp(m->service[0].label,
	    "K\xef\xbf\xbd" "che\xef\xbf\xbd") == 0,
	    "tunnel-30(partial): the others stay, and a label has U+FFFD");
	manifest_free(m);
	m = NULL;
	s = repeat('\xe4', 100, "{\"services\":{\"a\":{" T ",\"label\":\"",
	    "\"}}}");
	ok(manifest_parse(s, strlen(s), &m, NULL, NULL, &why) == 0 &&
	    m->count == 1 && strlen(m->service[0].label) == 255,
	    "one that is too long then is cut between two");
	manifest_free(m);
	document("{\"services\":{\"a\":{" T ",\"label\":\xe4}}}", -1,
	    "outside of strings it is not JSON");
}

/* `n` empty objects under a name that is passed over, then a service. */
static int
crowd(int n, const char **why)
{
	struct manifest	*m = NULL;
	char		*s, *p;
	int		 r;

	if ((s = malloc((size_t)n * 3 + 128)) == NULL)
		return (-2);
	p = s + sprintf(s, "{\"\\\",{[\":[0");
	for (; n > 0; n--)
		p += sprintf(p, ",{}");
	sprintf(p, "],\"services\":{\"a\":{\"target\":\"h:1\"}}}");
	r = manifest_parse(s, strlen(s), &m, NULL, NULL, why);
	manifest_free(m);
	free(s);
	return (r);
}

static void
test_crowd(void)
{
	const char	*why = "";

	/* Its own: three objects, an array, and a comma. */
	is_int(crowd(49997, &why), 0, "100000 values are parsed");
	is_int(crowd(49998, &why), -1, "more are not");
	is_str(why, "too many values", "and the reason is told");
}

static void
test_same(void)
{
	static const struct { const char *a, *b; int same; } t[] = {
		{ "{}", "{}", 1 },
		{ "{\"a\":{" T "}}", "{ \"a\":{" T ",\"label\":\"\"}}", 1 },
		{ "{\"a\":{" T "}}", "{\"b\":{" T "}}", 0 },
		{ "{\"a\":{" T "}}", "{\"a\":{" T ",\"tls\":true}}", 0 },
		{ "{\"a\":{" T "}}", "{\"a\":{" T ",\"label\":\"x\"}}", 0 },
		{ "{\"a\":{" T "}}", "{\"a\":{" T ",\"host\":\"x\"}}", 0 },
		{ "{\"a\":{" T "}}", "{\"a\":{" T ",\"path\":\"/x\"}}", 0 },
		{ "{\"a\":{" T "}}", "{\"a\":{" T "},\"b\":{" T "}}", 0 },
	};
	struct manifest	*a, *b;
	const char	*why;
	char		 text[256];
	size_t		 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "{\"services\":%s}", t[i].a);
		if (manifest_parse(text, strlen(text), &a, NULL, NULL, &why) ==
		    -1)
			bail_out(why);
		snprintf(text, sizeof(text), "{\"services\":%s}", t[i].b);
		if (manifest_parse(text, strlen(text), &b, NULL, NULL, &why) ==
		    -1)
			bail_out(why);
		is_int(manifest_same(a, b), t[i].same, "the same: %s %s",
		    t[i].a, t[i].b);
		ok(!manifest_same(NULL, b), "nothing is the same as none");
		manifest_free(a);
		manifest_free(b);
	}
}

int
main(void)
{
	test_same();
	test_crowd();
	test_entries();
	test_documents();
	test_mended();
	return (done_testing());
}
