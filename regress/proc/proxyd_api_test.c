/* SPDX-License-Identifier: ISC */
/* The operator API's HTTP side, reload, trusted proxies. */
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define BASE	"/api/support-sessions"

static struct drive	d;

/* One API message as authd hears it. */
struct call {
	uint32_t	id;
	struct msg_api	in;
};

static struct call *
called(void)
{
	static struct call	k;

	k.id = hear_next(d.authd, api, &k.in)->id;
	return (&k);
}

static void
result(uint32_t id, uint16_t status, const char *message, const char *data)
{
	size_t	len = strlen(data), n, off;

	/* Of 400 proxyd is to say what was wrong. */
	say_id(d.authd, id, api_result, .status = status,
	    .invalid = status == 400, .message = message,
	    .total = (uint32_t)len);
	for (off = 0; off < len; off += n) {
		n = len - off < CHUNK_MAX ? len - off : CHUNK_MAX;
		say_id(d.authd, id, doc_chunk, .bytes =
		    { (const uint8_t *)data + off, n });
	}
}

static void
request(int fd, const char *method, const char *path, const char *body)
{
	put(fd, "%s " BASE "%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
	    "sometoken\r\n", method, path);
	if (body != NULL)
		put(fd, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	else
		put(fd, "\r\n");
}

static void
tokens(void)
{
	static const struct {
		const char	*field, *message;
	} t[] = {
		{ "", "authorization header required" },
		{ "Authorization: Basic x\r\n",
		  "invalid authorization header format" },
		{ "Authorization: Bearerx\r\n",
		  "invalid authorization header format" },
		{ "Authorization: Bearer\r\n", "token not provided" },
		{ "Authorization: Bearer \r\n", "token not provided" },
	};
	char	 want[256], *a;
	size_t	 i;
	int	 fd = browser(&d, 0);

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		put(fd, "GET " BASE " HTTP/1.1\r\nHost: a\r\n%s\r\n",
		    t[i].field);
		a = answer(fd);
		snprintf(want, sizeof(want), "{\"code\":401,\"message\":\"%s\","
		    "\"data\":null}", t[i].message);
		is_str(body_of(a), want, "operator-3(partial): %s",
		    t[i].message);
		is_int(status_of(a), 401, "operator-3(partial): status");
	}
	ok(is_quiet(d.authd, 20), "authd was not asked");
	close(fd);
}

static void
calls(void)
{
	struct call	*k;
	char		*a;
	int		 fd = browser(&d, 0);

	request(fd, "GET", "?page=3&page_size=50&sort_by=started_at&"
	    "sort_direction=DESC&status=active&status=pending&system_id=s%2D1",
	    NULL);
	k = called();
	ok(k->in.op == API_SESSION_LIST && k->in.page == 3 && k->in.page_size ==
	    50 && k->in.sort_direction == 1, "list: paging");
	is_str(k->in.sort_by, "started_at", "list: sort key");
	is_int(k->in.status, 1 << SESSION_ACTIVE | 1 << SESSION_PENDING,
	    "operator-8(partial): status may repeat");
	is_str(k->in.system_id, "s-1", "list: system_id");
	is_str(k->in.token, "sometoken", "the token");
	is_str(k->in.addr, "127.0.0.1", "the address");
	result(k->id, 200, "support sessions retrieved successfully",
	    "{\"support_sessions\":[]}");
	a = answer(fd);
	is_str(body_of(a), "{\"code\":200,\"message\":\"support sessions "
	    "retrieved successfully\",\"data\":{\"support_sessions\":[]}}",
	    "operator-1: the envelope");

	request(fd, "GET", "?page=0&page_size=101&sort_direction=up", NULL);
	k = called();
	ok(k->in.page == 1 && k->in.page_size == 20 && k->in.sort_direction == 0,
	    "operator-2(partial): out of range is the default");
	result(k->id, 200, "", "");
	is_str(body_of(answer(fd)), "{\"code\":200,\"message\":\"\","
	    "\"data\":null}", "no data is null");
	request(fd, "GET", "?page_size=x&page=-1", NULL);
	k = called();
	ok(k->in.page == 1 && k->in.page_size == 20,
	    "operator-2(partial): junk is the default");
	result(k->id, 200, "", "");
	(void)answer(fd);
	request(fd, "GET", "?status=active&status=gone", NULL);
	k = called();
	is_int(k->in.invalid, 1, "authd is told that something is wrong");
	result(k->id, 400, "validation failed", "");
	a = answer(fd);
	is_int(status_of(a), 400, "an unknown status: 400");
	is_str(body_of(a), "{\"code\":400,\"message\":\"validation failed\","
	    "\"data\":{\"type\":\"validation_error\",\"errors\":[{\"key\":"
	    "\"status\",\"message\":\"oneof\",\"value\":\"gone\"}]}}",
	    "with what was wrong");
	request(fd, "GET", "?status=gone", NULL);
	result(called()->id, 403, "insufficient permissions", "");
	is_int(status_of(answer(fd)), 403, "but 403 comes first");

	request(fd, "DELETE", "/" SESSION, NULL);
	k = called();
	ok(k->in.op == API_SESSION_CLOSE && strcmp(k->in.session, SESSION) == 0,
	    "close");
	result(k->id, 200, "support session closed successfully", "{}");
	(void)answer(fd);
	request(fd, "GET", "/" SESSION "/services", NULL);
	is_int((k = called())->in.op, API_SERVICES, "services");
	result(k->id, 200, "", "{}");
	(void)answer(fd);
	request(fd, "GET", "/nonsense", NULL);
	k = called();
	ok(k->in.op == API_SESSION_GET && k->in.session[0] == '\0',
	    "operator-7(partial): a malformed id is none");
	result(k->id, 404, "support session not found", "");
	is_int(status_of(answer(fd)), 404, "operator-7(partial): 404");
	close(fd);
}

/* A body is still to come: authd judges the token, in a call for nothing. */
static void
token_asked(uint16_t status)
{
	struct call	*k = called();

	ok(k->in.op == API_SESSION_LIST && k->in.invalid == 1 &&
	    strcmp(k->in.token, "sometoken") == 0,
	    "the token is asked about before a body is read");
	result(k->id, status, status == 401 ? "invalid token" : "", "");
}

/* A POST whose body of `fields` is to follow. */
static int
posted(const char *fields)
{
	int	 fd = browser(&d, 0);

	put(fd, "POST " BASE "/" SESSION "/terminal-ticket HTTP/1.1\r\n"
	    "Host: a\r\nAuthorization: Bearer sometoken\r\n%s\r\n", fields);
	return (fd);
}

static void
body_limits(void)
{
	static char	 big[4097];
	char		*a;
	int		 fd;

	memset(big, ' ', sizeof(big));
	fd = posted("Content-Length: 4096\r\n");
	token_asked(400);
	put_bytes(fd, big, 4096);
	result(called()->id, 200, "", "");
	is_int(status_of(answer(fd)), 200, "a body of 4 KiB is taken");
	close(fd);
	fd = posted("Content-Length: 4097\r\n");
	is_int(status_of(answer(fd)), 413, "one byte more: 413");
	is_int(end_of(fd), 0, "413: closed");
	close(fd);
	fd = posted("Transfer-Encoding: chunked\r\n");
	put(fd, "1000\r\n");
	token_asked(403);
	put_bytes(fd, big, 4096);
	put(fd, "\r\n1\r\nx\r\n0\r\n\r\n");
	is_int(status_of(answer(fd)), 413, "the same in chunks: 413");
	close(fd);
	fd = posted("Content-Length: 10\r\n");
	token_asked(400);
	put(fd, "{");
	ok(is_quiet(d.authd, 20), "a body that does not come");
	drive_clock(&d, 29000);
	ok(is_quiet(fd, 20), "29 s are fine");
	drive_clock(&d, 1100);
	is_int(status_of(answer(fd)), 408, "30 s: 408");
	close(fd);
	fd = posted("Content-Length: 10\r\nExpect: 100-continue\r\n");
	ok(is_quiet(fd, 20), "no 100 before the token is good");
	token_asked(400);
	is_int(status_of(answer(fd)), 100, "then it is");
	close(fd);
	fd = posted("Content-Length: 10\r\nExpect: 100-continue\r\n");
	token_asked(401);
	a = answer(fd);
	is_int(status_of(a), 401, "a bad token: no body is waited for");
	is_str(header_of(a, "connection", 0), "close", "nor read");
	close(fd);
	fd = browser(&d, 0);
	request(fd, "GET", "", "{}");
	is_int(status_of(answer(fd)), 400, "GET takes no body");
	is_int(end_of(fd), 0, "and reads none");
	close(fd);
	fd = browser(&d, 0);
	request(fd, "DELETE", "/" SESSION, "{}");
	is_int(status_of(answer(fd)), 400, "nor does DELETE");
	close(fd);
	fd = browser(&d, 0);
	put(fd, "GET " BASE " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
	    "sometoken\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	is_int(status_of(answer(fd)), 400, "nor one in chunks");
	close(fd);
	ok(is_quiet(d.authd, 20), "none of these calls was made");
	drive_clock(&d, 60000);
}

/* All bodies that come in together have a limit; it comes back with them. */
static void
body_total(void)
{
	enum { N = 1026, EACH = 500 };
	static int	 fds[N];
	static char	 part[4095];
	struct rlimit	 rl = { N + 100, N + 100 };
	struct call	*k;
	int		 i, kept;

	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		bail("setrlimit");
	for (i = 0; i < N; i++) {
		fds[i] = browser_from(&d, i / EACH);
		put(fds[i], "POST " BASE "/" SESSION "/terminal-ticket "
		    "HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t%d\r\n"
		    "Content-Length: 4096\r\n\r\n", i / EACH);
		k = called();
		result(k->id, 400, "", "");
		put_bytes(fds[i], part, sizeof(part));
		(void)is_quiet(fds[i], 0);
	}
	(void)status_of(answer(fds[N - 1]));
	drive_clock(&d, 0);
	for (i = kept = 0; i < N; i++)
		kept += is_quiet(fds[i], 0);
	is_int(kept, N - 2, "4 MiB of bodies come in at once, not more");
	for (i = 0; i < N; i++)
		close(fds[i]);
	drive_clock(&d, 0);
	i = posted("Content-Length: 10\r\n");
	token_asked(400);
	put(i, "{        }");
	result(called()->id, 200, "", "");
	is_int(status_of(answer(i)), 200, "and others after them");
	close(i);
	drive_clock(&d, 60000);
}

static void
bodies(void)
{
	static const char *const odd[] = {
	    "{\"service\":\"web\",\"service\":\"ssh\"}",
	    "{\"service\":\"web\",\"x\":01}" };
	static char	 huge[200001];
	struct call	*k;
	char		*a;
	int		 fd = browser(&d, 0);
	size_t		 i;

	request(fd, "POST", "/" SESSION "/proxy-token",
	    "{\"service\":\"web\"}");
	k = called();
	ok(k->in.op == API_PROXY_TOKEN && strcmp(k->in.service, "web") == 0,
	    "proxy-token: the service");
	result(k->id, 200, "proxy token generated", "{\"url\":\"u\"}");
	(void)answer(fd);
	request(fd, "POST", "/" SESSION "/proxy-token", "{not json");
	k = called();
	is_str(k->in.service, "", "a body that is no JSON: no service");
	result(k->id, 400, "service name required", "");
	a = answer(fd);
	ok(strstr(body_of(a), "\"key\":\"unknown\"") != NULL,
	    "and the answer says so");
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		request(fd, "POST", "/" SESSION "/proxy-token", odd[i]);
		result(called()->id, 400, "service name required", "");
		ok(strstr(body_of(answer(fd)), "\"key\":\"unknown\"") != NULL,
		    "nor is what is read in two ways: %s", odd[i]);
	}
	request(fd, "POST", "/" SESSION "/proxy-token", "{}");
	result(called()->id, 400, "service name required", "");
	a = answer(fd);
	ok(strstr(body_of(a), "{\"key\":\"service\",\"message\":\"required\"")
	    != NULL, "a missing service: required");
	request(fd, "POST", "/" SESSION "/proxy-token", "[]");
	result(called()->id, 401, "invalid token", "");
	a = answer(fd);
	ok(status_of(a) == 401 && strstr(body_of(a), "unknown") == NULL,
	    "a bad token comes before a bad body");

	/* Chunked, in pieces, another request behind it. */
	put(fd, "POST " BASE "/" SESSION "/terminal-ticket HTTP/1.1\r\n"
	    "Host: a\r\nAuthorization: Bearer sometoken\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1");
	token_asked(400);
	ok(is_quiet(d.authd, 20), "half a body: no more is asked yet");
	put(fd, "\r\n}\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	k = called();
	is_int(k->in.op, API_TERMINAL_TICKET, "a chunked body");
	ok(is_quiet(fd, 20), "nothing further is parsed meanwhile");
	result(k->id, 200, "terminal ticket generated", "{\"ticket\":\"t\"}");
	ok(strstr(body_of(answer(fd)), "\"ticket\":\"t\"") != NULL,
	    "its answer first");
	is_int(status_of(answer(fd)), 404, "then the next one");
	request(fd, "POST", "/" SESSION "/terminal-ticket", "");
	result(called()->id, 200, "", "");
	(void)answer(fd);
	close(fd);

	/* An answer of many chunks. */
	memset(huge, 'h', sizeof(huge) - 1);
	huge[0] = huge[sizeof(huge) - 2] = '"';
	fd = browser(&d, 0);
	request(fd, "GET", "", NULL);
	result(called()->id, 200, "m", huge);
	a = answer(fd);
	ok(a != NULL && strlen(body_of(a)) == sizeof(huge) - 1 +
	    strlen("{'code':200,'message':'m','data':}"),
	    "an answer of 200,000 bytes is whole");
	close(fd);
}

static void
losses(void)
{
	struct msg_api_gone	 gone;
	uint32_t		 id;
	struct call	*k;
	int		 fd = browser(&d, 0);

	request(fd, "GET", "", NULL);
	(void)called();
	drive_clock(&d, 10100);
	is_int(status_of(answer(fd)), 503, "no answer in 10 s: 503");
	request(fd, "GET", "", NULL);
	k = called();
	say_id(d.authd, k->id, api_result, .status = 200, .total = 10);
	say_id(d.authd, k->id, doc_chunk,
	    .bytes = { (const uint8_t *)"12345", 5 });
	ok(is_quiet(fd, 20), "half an answer is none");
	drive_clock(&d, 15100);
	is_int(status_of(answer(fd)), 503, "the other half never comes: 503");
	request(fd, "GET", "", NULL);
	k = called();
	say_id(d.authd, k->id, api_result, .status = 200, .total = 1);
	say_id(d.authd, k->id, doc_chunk,
	    .bytes = { (const uint8_t *)"12", 2 });
	is_int(status_of(answer(fd)), 503, "more than announced: 503");
	ok(hear_end(d.authd) == 0, "and the channel ends");
	drive_channel(&d);
	request(fd, "GET", "", NULL);
	say_id(d.authd, called()->id, api_result, .status = 99);
	is_int(status_of(answer(fd)), 503, "a status that is none: 503");
	drive_channel(&d);
	close(fd);

	/* The asker goes; half-closing is not going. */
	fd = browser(&d, 0);
	request(fd, "GET", "", NULL);
	k = called();
	shutdown(fd, SHUT_WR);
	is_int(status_of(answer(fd)), 100, "it is asked whether it waits");
	drive_clock(&d, 1000);
	result(k->id, 200, "half", "{}");
	ok(strstr(body_of(answer(fd)), "half") != NULL,
	    "a browser that half-closes has its answer");
	is_int(end_of(fd), 0, "and its end");
	close(fd);
	fd = browser(&d, 0);
	request(fd, "GET", "", NULL);
	id = called()->id;
	close(fd);
	(void)hear_next(d.authd, api_gone, &gone);
	ok(gone.call == id, "authd hears of one that has gone at once");
	result(id, 200, "late", "{}");
	fd = browser(&d, 0);
	request(fd, "GET", "", NULL);
	result(called()->id, 200, "next", "{}");
	is_int(status_of(answer(fd)), 200, "an answer that comes too late "
	    "harms nobody");
	close(fd);
}

static void
rates(void)
{
	int	 fd, i;
	char	*a;

	drive_clock(&d, 60000);
	fd = browser(&d, 0);
	for (i = 0; i < 600; i++) {
		request(fd, "GET", "", NULL);
		result(called()->id, 200, "", "");
		a = answer(fd);
		if (status_of(a) != 200)
			break;
	}
	is_int(i, 600, "600 calls a minute are fine");
	request(fd, "GET", "", NULL);
	a = answer(fd);
	is_int(status_of(a), 429, "the 601st: 429");
	ok(atoi(header_of(a, "retry-after", 0)) > 0, "429: Retry-After");
	drive_clock(&d, 60000);
	request(fd, "GET", "", NULL);
	result(called()->id, 200, "", "");
	is_int(status_of(answer(fd)), 200, "a minute later");

	for (i = 0; i < 20; i++) {
		request(fd, "GET", "", NULL);
		result(called()->id, 401, "invalid token", "");
		is_int(status_of(answer(fd)), 401, "refused token %d", i + 1);
	}
	request(fd, "GET", "", NULL);
	is_int(status_of(answer(fd)), 429, "20 refused tokens: 429");
	ok(is_quiet(d.authd, 20), "without asking authd");
	close(fd);
	drive_clock(&d, 60000);
}

/* Ask for a list with these fields; whom authd hears of. */
static const char *
address_with(const char *fields)
{
	static char	 addr[ADDR_SIZE];
	struct call	*k;
	int		 fd = browser(&d, 0);

	put(fd, "GET " BASE " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t"
	    "\r\n%s\r\n", fields);
	k = called();
	snprintf(addr, sizeof(addr), "%s", k->in.addr);
	result(k->id, 200, "", "");
	(void)answer(fd);
	close(fd);
	return (addr);
}

static void
reload(const struct conf *cf, int want)
{
	struct msg_reload_said	 in;
	struct imsg		*m;
	uint8_t			 buf[CHUNK_MAX];
	long			 n;

	n = conf_pack(cf, ROLE_PROXYD, buf, sizeof(buf));
	say_id(d.parent, 5, reload, .conf = { buf, (size_t)n });
	m = hear_next(d.parent, reload_said, &in);
	ok(m->id == 5 && in.yes == want, "reload: %s %s", want ? "yes" : "no",
	    in.why);
}

static void
proxies(struct conf *cf)
{
	is_str(address_with("X-Forwarded-For: 192.0.2.1\r\n"), "127.0.0.1",
	    "a stranger's X-Forwarded-For does not count");
	snprintf(cf->trusted_proxy[0], sizeof(cf->trusted_proxy[0]),
	    "nonsense");
	cf->n_trusted_proxy = 1;
	reload(cf, 0);
	is_str(address_with("X-Forwarded-For: 192.0.2.1\r\n"), "127.0.0.1",
	    "a refused configuration changes nothing");
	snprintf(cf->trusted_proxy[0], sizeof(cf->trusted_proxy[0]),
	    "127.0.0.0/8");
	snprintf(cf->trusted_proxy[1], sizeof(cf->trusted_proxy[1]),
	    "2001:db8::/32");
	cf->n_trusted_proxy = 2;
	reload(cf, 1);
	is_str(address_with("X-Forwarded-For: 192.0.2.1\r\n"), "127.0.0.1",
	    "nothing changes before the swap");
	say(d.parent, reload_swap);
	drive_clock(&d, 0);
	is_str(address_with("X-Forwarded-For: 10.9.9.9, 192.0.2.1\r\n"),
	    "192.0.2.1", "a trusted proxy's counts");
	is_str(address_with("X-Forwarded-For: 192.0.2.1 , 127.0.0.9\r\n"
	    "X-Forwarded-For: [2001:db8::1]:443,127.1.1.1:99\r\n"), "192.0.2.1",
	    "the right-most that is not trusted");
	is_str(address_with("X-Forwarded-For: 127.0.0.8,127.0.0.9\r\n"),
	    "127.0.0.8", "all trusted: the left-most");
	is_str(address_with("X-Forwarded-For: 192.0.2.1, junk\r\n"),
	    "127.0.0.1", "junk ends the search");
	is_str(address_with("X-Forwarded-For: 2001:db9::1\r\n"), "2001:db9::1",
	    "IPv6");
}

/* More than the kernel keeps for a connection (tcp_wmem, RCVBUF). */
#define LARGE	(12 << 20)
#define RCVBUF	65536

static char	large[LARGE];

/* A file of `len` bytes, of which the answer is `size`. */
static void
send_file(struct call *k, size_t len, uint64_t size)
{
	char	path[] = "/tmp/proxyd_api_test.XXXXXX";
	int	fd = mkstemp(path);

	if (fd == -1 || unlink(path) == -1 ||
	    write(fd, large, len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) == -1)
		bail("a file");
	say_fd(d.authd, k->id, fd, api_file, .size = size);
}

/* Bytes up to the end of the connection that are as they should be. */
static size_t
read_large(int fd, size_t from)
{
	static char	buf[65536];
	ssize_t		n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (from + (size_t)n > LARGE ||
		    memcmp(large + from, buf, (size_t)n) != 0)
			break;
		from += (size_t)n;
	}
	return (from);
}

/* Is a connection over, though what came on it has not been read? */
static int
is_gone(int fd)
{
	struct pollfd	pfd = { fd, 0, 0 };

	return (poll(&pfd, 1, 100) == 1 &&
	    (pfd.revents & (POLLHUP | POLLERR)));
}

#define RECORDING							\
	"/00000000-0000-4000-8000-000000000001/recordings/"		\
	"00000000-0000-4000-8000-000000000002"

static void
files(void)
{
	struct call	*k;
	char		*a;
	size_t		 i;
	int		 fd = browser(&d, 0);

	for (i = 0; i < LARGE; i++)
		large[i] = (char)('!' + i * 7 % 89);
	request(fd, "GET", RECORDING, NULL);
	k = called();
	ok(k->in.op == API_RECORDING && strcmp(k->in.recording,
	    "00000000-0000-4000-8000-000000000002") == 0, "a recording");
	send_file(k, 1000, 900);
	a = answer(fd);
	ok(status_of(a) == 200 && strstr(a,
	    "Content-Type: application/x-asciicast\r\n") != NULL &&
	    strlen(body_of(a)) == 900 && memcmp(body_of(a), large, 900) == 0,
	    "as much of the file as authd said");
	request(fd, "GET", RECORDING, NULL);
	send_file(called(), 0, 0);
	ok(status_of(answer(fd)) == 200, "an empty one, on the same connection");

	/* More than a socket takes, by one that reads late. */
	put(fd, "GET " BASE RECORDING " HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer sometoken\r\nConnection: close\r\n\r\n");
	send_file(called(), LARGE, LARGE);
	(void)get_until(fd, "\r\n\r\n");
	drive_clock(&d, 30000);
	is_int((int)read_large(fd, 0), LARGE, "a large one, whole");
	close(fd);

	/* Nobody takes a part of one for all of it. */
	fd = browser(&d, 0);
	request(fd, "GET", RECORDING, NULL);
	send_file(called(), 1000, 2000);
	ok(strstr(get_until(fd, "\r\n\r\n"), "Content-Length: 2000\r\n") !=
	    NULL, "one that is shorter than authd said");
	errno = 0;
	ok(read_large(fd, 0) <= 1000 && errno == ECONNRESET,
	    "is cut off audibly");
	close(fd);
	fd = browser(&d, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ RCVBUF },
	    sizeof(int));
	request(fd, "GET", RECORDING, NULL);
	send_file(called(), LARGE, LARGE);
	ok(strstr(get_until(fd, "\r\n\r\n"), "Content-Length: ") != NULL,
	    "who takes nothing of it");
	/* The first minutes may pass while it still finds room. */
	for (i = 0; i < 100 && !is_gone(fd); i++)
		drive_clock(&d, 61000);
	ok(read_large(fd, 0) < LARGE, "has a minute");
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	tokens();
	calls();
	bodies();
	body_limits();
	body_total();
	losses();
	files();
	rates();
	proxies(&cf);
	ok(!drive_logged(&d, "sometoken") && !drive_logged(&d, "status=") &&
	    !drive_logged(&d, "Bearer"),
	    "operator-63(partial): no token and no query in the log");
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
