/* SPDX-License-Identifier: ISC */

/* What a request for a tunnel must look like: tunnel-protocol.md, section 1. */

#include <sodium.h>

#include "regress/lib/tap.h"
#include "http/upgrade.h"

#define START	"GET /support/api/tunnel HTTP/1.1\r\nHost: a\r\n"
#define CONN	"Connection: Upgrade\r\n"
#define UPGR	"Upgrade: websocket\r\n"
#define VERS	"Sec-WebSocket-Version: 13\r\n"
#define KEY	"Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n"
#define END	"\r\n"

static struct httphead	 h;

static int
parse(const char *s)
{
	static char		*copy;
	struct httphead_scan	 sc = { 0 };
	const char		*why;
	size_t			 len = strlen(s);
	int			 status = 0, rv;

	free(copy);
	if ((copy = malloc(len)) == NULL)
		bail_out("out of memory");
	memcpy(copy, s, len);
	rv = httphead_request(&h, &sc, copy, len, &status, &why);
	return (rv == 1 ? 1 : status);
}

/* ---- rows 9 and 10 ---- */

static void
test_reference(void)
{
	char		 node[UPGRADE_NODE_SIZE], key[64], secret[80];
	char		 want[80];

	is_int(parse("GET /support/api/tunnel?node_id=7&x=1 HTTP/1.1\r\n"
	    "Host: support.example.net\r\n"
	    "User-Agent: Go-http-client/1.1\r\n"
	    "Authorization: Basic TkVUSC1BQUFBLUJCQkI6bXlfcHViLnNzc3Nzc3Nzc3Nzc3"
    "Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=\r\n"
    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Upgrade: websocket\r\n\r\n"), 1,
	    "tunnel-2(partial): the request of section 1.2 parses");
	is_int(upgrade_check(&h), 0, "tunnel-2(partial): is an upgrade");
	is_int(upgrade_no_origin(&h), 0, "tunnel-2(partial): has no Origin");
	ok(memcmp(upgrade_key(&h), "faYVSnMKWmoWI91H/DuMrg==", 24) == 0,
	    "tunnel-2(partial): its key");
	ok(upgrade_node_id(&h, node) == 0 && strcmp(node, "7") == 0,
	    "tunnel-6(partial): its node");
	is_int(upgrade_basic(&h, key, sizeof(key), secret, sizeof(secret)),
	    UPGRADE_AUTH_OK, "tunnel-3(partial): its credentials");
	is_str(key, "NETH-AAAA-BBBB", "the key");
	snprintf(want, sizeof(want), "my_pub.%040d", 0);
	memset(want + 7, 's', 40);
	is_str(secret, want, "the secret");
}

static void
test_check(void)
{
	static const struct {
		const char	*name, *in;
		int		 status;
	} t[] = {
		{ "tunnel-2(partial): keep-alive, Upgrade",
		    START "Connection: keep-alive, Upgrade\r\n" UPGR VERS KEY
		    END, 0 },
		{ "tunnel-2(partial): upgrade: WebSocket",
		    START "connection: upgrade\r\nupgrade: WebSocket\r\n" VERS
		    KEY END, 0 },
		{ "Connection in two fields", START "Connection: keep-alive"
		    "\r\n" CONN UPGR VERS KEY END, 0 },
		{ "tunnel-8(partial): a plain GET", START END, 400 },
		{ "no Connection", START UPGR VERS KEY END, 400 },
		{ "Connection without upgrade", START "Connection: close\r\n"
		    UPGR VERS KEY END, 400 },
		{ "no Upgrade", START CONN VERS KEY END, 400 },
		{ "Upgrade to something else", START CONN "Upgrade: h2c\r\n"
		    VERS KEY END, 400 },
		{ "no version", START CONN UPGR KEY END, 400 },
		{ "version 12", START CONN UPGR "Sec-WebSocket-Version: 12\r\n"
		    KEY END, 400 },
		{ "version 13, 8", START CONN UPGR
		    "Sec-WebSocket-Version: 13, 8\r\n" KEY END, 400 },
		{ "no key", START CONN UPGR VERS END, 400 },
		{ "an empty key", START CONN UPGR VERS
		    "Sec-WebSocket-Key:\r\n" END, 400 },
		{ "a key of 15 bytes", START CONN UPGR VERS
		    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n" END, 400 },
		{ "a key of 17 bytes", START CONN UPGR VERS
		    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n" END,
		    400 },
		{ "a key without padding", START CONN UPGR VERS
		    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg\r\n" END,
		    400 },
		{ "a key that is no base64", START CONN UPGR VERS
		    "Sec-WebSocket-Key: faYVSnMKWmoWI91H_DuMrg==\r\n" END,
		    400 },
		{ "POST", "POST /api/tunnel HTTP/1.1\r\nHost: a\r\n" CONN UPGR
		    VERS KEY END, 400 },
		{ "HTTP/1.0", "GET /api/tunnel HTTP/1.0\r\nHost: a\r\n" CONN
		    UPGR VERS KEY END, 400 }
	};
	size_t		 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (parse(t[i].in) != 1)
			bail_out(t[i].name);
		is_int(upgrade_check(&h), t[i].status, "%s: %d", t[i].name,
		    t[i].status);
	}
}

static void
test_origin(void)
{
	parse(START "Origin: https://a\r\n" CONN UPGR VERS KEY END);
	is_int(upgrade_no_origin(&h), 403, "tunnel-7(partial): an Origin");
	parse(START "Origin: null\r\n" END);
	is_int(upgrade_no_origin(&h), 403, "tunnel-7(partial): Origin null");
	parse(START "Origin:\r\n" END);
	is_int(upgrade_no_origin(&h), 0, "an empty Origin is none");
}

/* ---- row 7 ---- */

static void
test_node(void)
{
	static const struct {
		const char	*query, *node;	/* node NULL: 400 */
	} t[] = {
		{ "", "" }, { "?", "" }, { "?node_id=", "" },
		{ "?node_id", "" }, { "?x=1&node_id=7", "7" },
		{ "?node_id=0", "0" }, { "?node_id=01", "01" },
		{ "?node_id=1234567890", "1234567890" },
		{ "?node_id=12345678901", NULL }, { "?node_id=1a", NULL },
		{ "?node_id=-1", NULL }, { "?node_id=+1", NULL },
		{ "?node_id=%31", "1" }, { "?node_id=%3", NULL },
		{ "?node_id=%zz", NULL }, { "?node_id=1%00", NULL },
		{ "?node_id=1&node_id=2", "1" }, { "?node%5fid=3", "3" },
		{ "?nnode_id=1", "" }, { "?node_idx=1", "" },
		{ "?&&node_id=4&", "4" }, { "?x%=1&node_id=5", "5" },
		{ "?NODE_ID=5", "" }, { "?node_id==5", NULL },
		{ "?node_id=5;x=1", NULL }
	};
	char		 in[256], node[UPGRADE_NODE_SIZE];
	size_t		 i;
	int		 rv;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(in, sizeof(in), "GET /api/tunnel%s HTTP/1.1\r\n"
		    "Host: a\r\n\r\n", t[i].query);
		if (parse(in) != 1)
			bail_out(t[i].query);
		rv = upgrade_node_id(&h, node);
		ok(t[i].node == NULL ? rv == 400 && *node == '\0' :
		    rv == 0 && strcmp(node, t[i].node) == 0,
		    "tunnel-6(partial): \"%s\" is %s%s", t[i].query,
		    t[i].node == NULL ? "400" : "node ",
		    t[i].node == NULL ? "" : t[i].node);
	}
}

static void
test_query(void)
{
	char		 out[16];
	struct slice	 q = { "ticket=abc&a=x+y%26&long=0123456789abcdef", 0 };
	struct slice	 none = { NULL, 0 };

	q.len = strlen(q.s);
	ok(upgrade_query_get(&q, "ticket", out, sizeof(out)) == 3 &&
	    strcmp(out, "abc") == 0, "a parameter");
	ok(upgrade_query_get(&q, "a", out, sizeof(out)) == 4 &&
	    strcmp(out, "x y&") == 0, "decoded");
	is_int(upgrade_query_get(&q, "b", out, sizeof(out)), UPGRADE_Q_NONE,
	    "absent");
	is_int(upgrade_query_get(&q, "long", out, sizeof(out)), UPGRADE_Q_BAD,
	    "one byte too long");
	is_int(upgrade_query_get(&none, "a", out, sizeof(out)),
	    UPGRADE_Q_NONE, "no query");
}

/* ---- rows 2 to 4 ---- */

static void
test_basic(void)
{
	static const struct {
		const char		*name, *line;
		enum upgrade_auth	 want;
	} t[] = {
		{ "no Authorization", "", UPGRADE_AUTH_REQUIRED },
		{ "an empty one", "Authorization:\r\n",
		    UPGRADE_AUTH_REQUIRED },
		{ "Bearer", "Authorization: Bearer YTpi\r\n",
		    UPGRADE_AUTH_FORMAT },
		{ "basic", "Authorization: basic YTpi\r\n",
		    UPGRADE_AUTH_FORMAT },
		{ "Basic alone", "Authorization: Basic\r\n",
		    UPGRADE_AUTH_FORMAT },
		{ "two blanks", "Authorization: Basic  YTpi\r\n",
		    UPGRADE_AUTH_ENCODING },
		{ "not base64", "Authorization: Basic YTp!\r\n",
		    UPGRADE_AUTH_ENCODING },
		{ "no padding", "Authorization: Basic YTpiYw\r\n",
		    UPGRADE_AUTH_ENCODING },
		{ "URL-safe base64", "Authorization: Basic YTr_\r\n",
		    UPGRADE_AUTH_ENCODING },
		{ "no colon", "Authorization: Basic YWJj\r\n",
		    UPGRADE_AUTH_CREDENTIALS },
		{ "a NUL inside", "Authorization: Basic YToA\r\n",
		    UPGRADE_AUTH_INVALID },
		{ "right", "Authorization: Basic YTpiOmM=\r\n",
		    UPGRADE_AUTH_OK },
		{ "an empty key", "Authorization: Basic OmI=\r\n",
		    UPGRADE_AUTH_OK },
		{ "key too long", "Authorization: Basic YWFhYWFhYWE6Yg==\r\n",
		    UPGRADE_AUTH_INVALID },
		{ "secret too long",
		    "Authorization: Basic YTpiYmJiYmJiYg==\r\n",
		    UPGRADE_AUTH_INVALID }
	};
	static const struct {
		enum upgrade_auth	 auth;
		const char		*text;
	} msg[] = {
		{ UPGRADE_AUTH_REQUIRED, "authentication required" },
		{ UPGRADE_AUTH_FORMAT, "invalid authentication format" },
		{ UPGRADE_AUTH_ENCODING, "invalid authentication encoding" },
		{ UPGRADE_AUTH_CREDENTIALS, "invalid credentials format" },
		{ UPGRADE_AUTH_INVALID, "invalid system credentials" },
		{ UPGRADE_AUTH_OK, NULL }
	};
	char		 in[256], key[8], secret[8];
	size_t		 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(in, sizeof(in), START "%s\r\n", t[i].line);
		if (parse(in) != 1)
			bail_out(t[i].name);
		is_int(upgrade_basic(&h, key, sizeof(key), secret,
		    sizeof(secret)), t[i].want, "tunnel-3(partial): %s",
		    t[i].name);
		if (t[i].want != UPGRADE_AUTH_OK)
			ok(*key == '\0' && *secret == '\0', "leaves nothing");
	}
	snprintf(in, sizeof(in), START "Authorization: Basic YTpiOmM=\r\n\r\n");
	parse(in);
	upgrade_basic(&h, key, sizeof(key), secret, sizeof(secret));
	ok(strcmp(key, "a") == 0 && strcmp(secret, "b:c") == 0,
	    "the key ends at the first colon");
	for (i = 0; i < sizeof(msg) / sizeof(msg[0]); i++)
		is_str(upgrade_auth_message(msg[i].auth), msg[i].text,
		    "tunnel-3(partial): the message of refusal %zu", i);
}

static void
test_long(void)
{
	static char	 in[8192];
	char		 key[8], secret[8];
	size_t		 n;

	n = sprintf(in, START "Authorization: Basic ");
	memset(in + n, 'A', 4096);
	memcpy(in + n + 4096, "\r\n\r\n", 5);
	is_int(parse(in), 1, "4096 characters of credentials");
	is_int(upgrade_basic(&h, key, sizeof(key), secret, sizeof(secret)),
	    UPGRADE_AUTH_INVALID, "are no system's");
	is_int(parse(START CONN UPGR VERS KEY "Sec-WebSocket-Version: 13\r\n"
	    END), 400, "tunnel-8(partial): a second version field");
	is_int(parse(START CONN UPGR VERS KEY "Content-Length: 5\r\n" END),
	    400, "tunnel-8(partial): a body on an upgrade");
}

int
main(void)
{
	if (sodium_init() == -1)
		bail_out("libsodium does not start");
	test_reference();
	test_check();
	test_origin();
	test_node();
	test_query();
	test_basic();
	test_long();
	return (done_testing());
}
