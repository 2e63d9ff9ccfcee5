/* SPDX-License-Identifier: ISC */
/*
 * What is kept of a report of users, and what is merged. tunnel-protocol.md,
 * 4.5.
 */
#include <stdlib.h>
#include <string.h>

#include "muxd/users.h"
#include "regress/lib/tap.h"

static int	credentials;

static char *
rewrite(const char *in, size_t *len)
{
	const char	*why;

	return (users_rewrite(in, strlen(in), len, &credentials, &why));
}

static void
becomes(const char *in, const char *want, int good, const char *what)
{
	size_t	 len = 0;
	char	*out = rewrite(in, &len);

	is_str(out, want, "%s", what);
	ok(out == NULL || (len == strlen(out) && credentials == good),
	    "%s: its length, and %s credentials", what, good ? "it has" :
	    "no");
	free(out);
}

static void
members(void)
{
	becomes("{\"created_at\":\"t\",\"duration_ms\":7,\"users\":{"
	    "\"session_id\":\"NETH-1\",\"platform\":\"ns8\","
	    "\"cluster_admin\":{\"username\":\"a\",\"password\":\"p\"},"
	    "\"domain_users\":[{\"domain\":\"d\",\"module\":\"m\","
	    "\"username\":\"u\",\"password\":\"q\"}],\"local_users\":[{"
	    "\"username\":\"l\",\"password\":\"r\"}],\"apps\":[{\"id\":\"i\","
	    "\"name\":\"n\",\"url\":\"h\",\"notes\":\"o\"}],\"errors\":[{"
	    "\"id\":\"e\",\"message\":\"s\"}],\"module_domains\":{\"m\":\"d\"}"
	    ",\"created_at\":\"t\"}}\n",
	    "{\"created_at\":\"t\",\"duration_ms\":7,\"users\":{"
	    "\"session_id\":\"NETH-1\",\"platform\":\"ns8\","
	    "\"cluster_admin\":{\"username\":\"a\",\"password\":\"p\"},"
	    "\"domain_users\":[{\"domain\":\"d\",\"module\":\"m\","
	    "\"username\":\"u\",\"password\":\"q\"}],\"local_users\":[{"
	    "\"username\":\"l\",\"password\":\"r\"}],\"apps\":[{\"id\":\"i\","
	    "\"name\":\"n\",\"url\":\"h\",\"notes\":\"o\"}],\"errors\":[{"
	    "\"id\":\"e\",\"message\":\"s\"}],\"module_domains\":{\"m\":\"d\"}"
	    ",\"created_at\":\"t\"}}", 1, "known members stay as they are");
	becomes("{\"x\":1,\"users\":{\"y\":2,\"local_users\":[{\"z\":3},4,"
	    "{\"username\":\"\"}],\"cluster_admin\":{\"password\":\"p\"},"
	    "\"apps\":[{\"name\":\"n\"}],\"module_domains\":{\"m\":1}}}",
	    "{\"users\":{\"local_users\":[],\"apps\":[],\"module_domains\":{}}}",
	    0, "what is unknown, or nothing without its name, is left out");
	becomes("{\"users\":{}}", "{\"users\":{}}", 0, "nothing at all");
	becomes("{\"users\":{\"domain_users\":[{\"username\":\"u\"}]}}",
	    "{\"users\":{\"domain_users\":[{\"username\":\"u\"}]}}", 1,
	    "a user of a domain");
	becomes("{\"users\":null}", NULL, 0, "no users");
	becomes("[]", NULL, 0, "no object");
	becomes("{\"users\":{}", NULL, 0, "no JSON");
}

/* A name or password that is not what it was is none; texts are for people. */
static void
mended(void)
{
	becomes("{\"users\":{\"platform\":\"ns8\",\"session_id\":\"N\xe4\","
	    "\"cluster_admin\":{\"username\":\"a\",\"password\":\"\\u0000\"},"
	    "\"domain_users\":[{\"domain\":\"d\xe9\",\"username\":\"u\"},{"
	    "\"domain\":\"d\",\"module\":\"m\\ud800\",\"username\":\"v\"},{"
	    "\"domain\":\"d\",\"username\":\"w\"}],"
	    "\"local_users\":[{\"username\":\"\xe9\",\"password\":\"r\"},{"
	    "\"username\":\"k\",\"password\":\"\\ufffd\"},{"
	    "\"username\":\"l\",\"password\":\"\xc3\xa4\"}],"
	    "\"module_domains\":{\"\xe4\":\"d\",\"m\":\"\xe4\",\"n\":\"d\"}}}",
	    "{\"users\":{\"platform\":\"ns8\","
	    "\"domain_users\":[{\"domain\":\"d\",\"username\":\"w\"}],"
	    "\"local_users\":[{\"username\":\"l\",\"password\":\"\xc3\xa4\"}],"
	    "\"module_domains\":{\"n\":\"d\"}}}", 1,
	    "tunnel-35(partial): what has U+FFFD goes alone, and whole");
	becomes("{\"users\":{\"apps\":[{\"id\":\"a\",\"name\":\"K\xfc" "che\","
	    "\"notes\":\"\\u0000\"}],\"errors\":[{\"id\":\"e\","
	    "\"message\":\"caf\xe9\"}]}}",
	    "{\"users\":{\"apps\":[{\"id\":\"a\",\"name\":"
	    "\"K\xef\xbf\xbd" "che\","
	    "\"notes\":\"\xef\xbf\xbd\"}],\"errors\":[{\"id\":\"e\","
	    "\"message\":\"caf\xef\xbf\xbd\"}]}}", 0,
	    "apps and errors are shown with it");
	becomes("{\"users\":{\"platform\":\xe4}}", NULL, 0,
	    "outside of strings it is no JSON");
}

static void
merges(const char *kept, const char *bare, const char *want, const char *what)
{
	size_t	 len, kept_len = strlen(kept);
	char	*out;

	out = users_merge(kept, kept_len, bare, strlen(bare), &len);
	is_str(out, want, "%s", what);
	free(out);
}

#define KEPT	"{\"users\":{\"local_users\":[{\"username\":\"l\"}]"

static void
merging(void)
{
	merges(KEPT ",\"apps\":[{\"id\":\"a\",\"name\":\"1\"},{\"id\":\"b\"}]}}",
	    "{\"users\":{\"platform\":\"x\",\"apps\":[{\"id\":\"a\","
	    "\"name\":\"2\"},{\"id\":\"c\"}],\"errors\":[{\"id\":\"e\"}],"
	    "\"module_domains\":{\"m\":\"d\"}}}",
	    KEPT ",\"apps\":[{\"id\":\"b\"},{\"id\":\"a\",\"name\":\"2\"},"
	    "{\"id\":\"c\"}],\"errors\":[{\"id\":\"e\"}],"
	    "\"module_domains\":{\"m\":\"d\"}}}",
	    "tunnel-35(partial): apps, errors and domains are merged");
	merges(KEPT ",\"module_domains\":{\"m\":\"1\",\"n\":\"2\"}}}",
	    "{\"users\":{\"module_domains\":{\"m\":\"3\"}}}",
	    KEPT ",\"module_domains\":{\"m\":\"3\",\"n\":\"2\"}}}",
	    "what is said again takes the place of what was said");
	merges(KEPT "}}", "{\"users\":{}}", KEPT "}}", "nothing new");
	merges("{}", "{\"users\":{}}", NULL, "nothing to merge with");
}

/* The longest that come, and what would grow in writing. */
static void
limits(void)
{
	char	*in = malloc(USERS_BYTES_MAX + 100), *out;
	size_t	 len, n = 0;
	int	 i;

	strcpy(in, "{\"users\":{\"errors\":[");
	n = strlen(in);
	for (i = 0; i <= USERS_LIST_MAX; i++)
		n += (size_t)sprintf(in + n, "%s{\"id\":\"%d\"}", i ? "," : "",
		    i);
	strcpy(in + n, "]}}");
	out = rewrite(in, &len);
	ok(out != NULL && strstr(out, "\"499\"") != NULL &&
	    strstr(out, "\"500\"") == NULL, "a list has 500 at most");
	free(out);
	strcpy(in, "{\"users\":{\"platform\":\"");
	n = strlen(in);
	memset(in + n, 'x', USERS_STRING_MAX + 1);
	strcpy(in + n + USERS_STRING_MAX + 1, "\"}}");
	becomes(in, "{\"users\":{}}", 0, "a text over 1 KiB is left out");
	strcpy(in + n + USERS_STRING_MAX, "\"}}");
	is_int((long long)strlen(in), (long long)n + USERS_STRING_MAX + 3,
	    "one of 1 KiB");
	out = rewrite(in, &len);
	is_int((long long)len, (long long)strlen(in), "stays");
	free(out);
	strcpy(in, "{\"users\":{\"local_users\":[{\"username\":\"u\","
	    "\"password\":\"");
	n = strlen(in);
	memset(in + n, 'x', USERS_STRING_MAX + 1);
	strcpy(in + n + USERS_STRING_MAX + 1, "\"},{\"username\":\"v\"}]}}");
	becomes(in, "{\"users\":{\"local_users\":[{\"username\":\"v\"}]}}", 1,
	    "half a password is none");
	out = NULL;
	free(out);
	free(in);
}

int
main(void)
{
	members();
	mended();
	merging();
	limits();
	return (done_testing());
}
