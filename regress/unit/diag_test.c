/* SPDX-License-Identifier: ISC */
/* What is kept of a diagnostics report. tunnel-protocol.md, 4.4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muxd/diag.h"
#include "regress/lib/tap.h"

static void
rewrite(const char *in, const char *want, const char *what)
{
	const char	*why;
	char		*out;
	size_t		 len;

	out = diag_rewrite(in, strlen(in), &len, &why);
	is_str(out, want, "%s", what);
	if (out != NULL && len != strlen(out))
		ok(0, "%s: its length", what);
	free(out);
}

/* How often `needle` is in the rewritten form of `in`; -1: refused. */
static int
count(const char *in, size_t len, const char *needle)
{
	const char	*why, *p;
	char		*out;
	size_t		 out_len;
	int		 n = 0;

	if ((out = diag_rewrite(in, len, &out_len, &why)) == NULL)
		return (-1);
	for (p = out; (p = strstr(p, needle)) != NULL; p++)
		n++;
	free(out);
	return (n);
}

#define HEAD	"{\"overall_status\":\"ok\",\"plugins\":[{\"id\":\"p\"," \
	"\"status\":\"ok\",\"checks\":[{\"name\":\"c\",\"status\":\"ok\","
#define TAIL	"}]}]}"
#define R	"\xef\xbf\xbd"

static void
test_members(void)
{
	rewrite("{\"collected_at\":\"2031-05-06T07:08:09.123Z\",\"duration_ms\""
	    ":41,\"overall_status\":\"warning\",\"plugins\":[{\"id\":\"system\""
	    ",\"name\":\"System\",\"status\":\"ok\",\"summary\":\"s\","
	    "\"checks\":[{\"name\":\"os\",\"status\":\"ok\",\"value\":\"v\","
	    "\"details\":{\"any\":1}}]}]}\n",
	    "{\"collected_at\":\"2031-05-06T07:08:09.123Z\",\"duration_ms\":41,"
	    "\"overall_status\":\"warning\",\"plugins\":[{\"id\":\"system\","
	    "\"name\":\"System\",\"status\":\"ok\",\"summary\":\"s\","
	    "\"checks\":[{\"name\":\"os\",\"status\":\"ok\",\"value\":\"v\","
	    "\"details\":{\"any\":1}}]}]}", "known members stay as they are");
	rewrite("{\"x\":1,\"duration_ms\":-1,\"overall_status\":\"fine\","
	    "\"plugins\":[{\"id\":\"p\",\"y\":2}]}",
	    "{\"overall_status\":\"error\",\"plugins\":[{\"id\":\"p\","
	    "\"status\":\"error\"}]}",
	    "tunnel-34(partial): unknown members go, odd status is error");
	rewrite("{}", "{\"overall_status\":\"error\",\"plugins\":[]}",
	    "an empty report");
	rewrite("{\"plugins\":[1,null,[],{\"name\":\"n\"},{\"id\":\"p\","
	    "\"checks\":[{\"status\":\"ok\"},7]}]}",
	    "{\"overall_status\":\"error\",\"plugins\":[{\"id\":\"p\","
	    "\"status\":\"error\",\"checks\":[]}]}",
	    "without id or name they are left out");
	rewrite(HEAD "\"details\":{\"a\":1,\"b\":\"x\",\"c\":[1],\"d\":{},"
	    "\"e\":null,\"f\":true}" TAIL,
	    HEAD "\"details\":{\"a\":1,\"b\":\"x\",\"e\":null,\"f\":true}"
	    TAIL, "details are one flat object of scalars");
	rewrite(HEAD "\"details\":\"text\"" TAIL,
	    "{\"overall_status\":\"ok\",\"plugins\":[{\"id\":\"p\",\"status\":"
	    "\"ok\",\"checks\":[{\"name\":\"c\",\"status\":\"ok\"}]}]}",
	    "or nothing");
	rewrite("[]", NULL, "not an object");
	rewrite("", NULL, "nothing");
	rewrite("{\"plugins\":", NULL, "cut short");
}

/* All that was said is there, and NUL is not. */
static void
test_mended(void)
{
	rewrite("{\"collected_at\":\"\\ud800\",\"overall_status\":\"o\\u0000\","
	    "\"plugins\":[{\"id\":\"p\xe9\",\"name\":\"\xed\xa0\x80\",\"status\""
	    ":\"ok\",\"summary\":\"a\\u0000b\",\"checks\":[{\"name\":\"c\","
	    "\"status\":\"ok\",\"value\":\"caf\xe9\",\"details\":{\"\xe4\":"
	    "\"\\u0000\",\"b\":1}}]}]}",
	    "{\"collected_at\":\"" R "\",\"overall_status\":\"error\","
	    "\"plugins\":[{\"id\":\"p" R "\",\"name\":\"" R R R "\",\"status\":"
	    "\"ok\",\"summary\":\"a" R "b\",\"checks\":[{\"name\":\"c\","
	    "\"status\":\"ok\",\"value\":\"caf" R "\",\"details\":{\"" R "\":"
	    "\"" R "\",\"b\":1}}]}]}",
	    "tunnel-34(partial): U+FFFD stands for what no text can have");
	rewrite("{\"plugins\":[],\xe4}", NULL,
	    "outside of strings it is no JSON");
}

static void
test_limits(void)
{
	static char	s[DIAG_BYTES_MAX + 2];
	size_t		len, i;
	int		n;

	for (n = 64; n <= 65; n++) {
		len = (size_t)sprintf(s, "{\"plugins\":[");
		for (i = 0; i < (size_t)n; i++)
			len += (size_t)sprintf(s + len, "%s{\"id\":\"p\"}",
			    i == 0 ? "" : ",");
		sprintf(s + len, "]}");
		is_int(count(s, strlen(s), "\"id\""), 64,
		    "of %d plugins 64 are kept", n);
		len = (size_t)sprintf(s, "{\"plugins\":[{\"id\":\"p\","
		    "\"checks\":[");
		for (i = 0; i < (size_t)n; i++)
			len += (size_t)sprintf(s + len, "%s{\"name\":\"c\"}",
			    i == 0 ? "" : ",");
		sprintf(s + len, "]}]}");
		is_int(count(s, strlen(s), "\"name\""), 64,
		    "of %d checks 64 are kept", n);
	}
	/* {"k":"..."} is 8 bytes and the text. */
	for (n = 0; n <= 1; n++) {
		len = (size_t)sprintf(s, HEAD "\"details\":{\"k\":\"");
		memset(s + len, 'd', 4096 - 8 + (size_t)n);
		memcpy(s + len + 4096 - 8 + n, "\"}" TAIL,
		    sizeof("\"}" TAIL));
		is_int(count(s, strlen(s), "details"), 1 - n,
		    "tunnel-34(partial): details of %d bytes", 4096 + n);
	}
	len = (size_t)sprintf(s, "{\"collected_at\":\"");
	memset(s + len, 'x', 1023);
	memcpy(s + len + 1023, "\xc3\xb6\"}", 5);
	is_int(count(s, strlen(s), "\xc3"), 0,
	    "a text is cut at 1 KiB, between characters");
	memcpy(s, "{}", 2);
	memset(s + 2, ' ', DIAG_BYTES_MAX);
	is_int(count(s, DIAG_BYTES_MAX, "plugins"), 1, "512 KiB are taken");
	is_int(count(s, DIAG_BYTES_MAX + 1, "plugins"), -1,
	    "tunnel-34(partial): one byte more is not");
}

int
main(void)
{
	test_members();
	test_mended();
	test_limits();
	return (done_testing());
}
