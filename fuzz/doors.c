/* SPDX-License-Identifier: ISC */
/*
 * proxyd at all its doors but those of services: calls of the operator API,
 * relay sessions and their admin API, tunnels, terminals, pairing, the internal
 * interface, the console, probes. The input is which listener, then what
 * somebody says there in which pieces, what authd answers, and how time passes.
 *
 * Besides what the sanitizers see: what comes back are whole answers, framed so
 * that a strict reader finds their ends; a connection that was given away is
 * said nothing any more, and what goes with it is what came.
 */
#define main proxyd_main
#include "proxyd/proxyd.c"
#undef main
#include <sys/mman.h>
#include <sys/socket.h>

#include <llhttp.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/compat.h"
#include "proxyd/door/conn.h"
#include "fuzz.h"
#include "heard.h"
#include "process.h"

#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)
#define ID		"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"
#define DOMAIN		"support.example.com"
#define UPGRADE		"Connection: Upgrade\r\nUpgrade: websocket\r\n"		\
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "			\
	"AAAAAAAAAAAAAAAAAAAAAA==\r\n"
#define CALLS		16
#define STEPS_MAX	64
#define SAID_MAX	65536

static const uint32_t	at_door[] = { 0, LISTEN_INTERNAL, LISTEN_TUNNEL,
	LISTEN_PAIR, LISTEN_PAIR | LISTEN_ONLY, LISTEN_ADMIN, LISTEN_NO_ADMIN,
	LISTEN_RELAY | LISTEN_ONLY };
#define DOORS		(sizeof(at_door) / sizeof(at_door[0]))

static const char *const	pieces[] = {
	"GET ", "POST ", "DELETE ", "PUT ", "PATCH ", "HEAD ", "OPTIONS ",
	" HTTP/1.1\r\n", " HTTP/1.0\r\n", "Host: " DOMAIN "\r\n",
	"Host: x.y." DOMAIN "\r\n", "\r\n", "/api/support-sessions",
	"/" ID, "/services", "/api/systems", "/register", "/api/events",
	"/api/sign-in", "/api/me", "/api/status", "/api/terminals",
	"/api/proxy/" ID "/web/x", "/api/terminal/" ID, "/api/health",
	"/admin/sessions", "/relay/0123456789abcdefghijkl", "/events", "/ws",
	"/api/tunnel", "/healthz", "/readyz", "/health", "/",
	"/assets/x.js", "/.well-known/swsrs-config",
	"/.well-known/acme-challenge/x", "/terminal", "/tcp/web", "~3",
	"?page=2&page_size=5", "?resume=7", "?token=x&ticket=y",
	"Authorization: Bearer abc.def.ghi\r\n",
	"Authorization: Basic YTpi\r\n", "Content-Length: 2\r\n",
	"Content-Length: 70000\r\n", "Transfer-Encoding: chunked\r\n",
	"Expect: 100-continue\r\n", "Content-Type: application/json\r\n",
	"Origin: https://app.example.com\r\n",
	"Access-Control-Request-Method: POST\r\n", "Accept: text/html\r\n",
	"Accept-Encoding: gzip\r\n", UPGRADE,
	"Sec-WebSocket-Protocol: relayd.resume.1\r\n",
	"X-Forwarded-Host: web." DOMAIN "\r\n",
	"X-Forwarded-For: 192.0.2.9\r\n", "{}", "{\"channels\":3,\"ttl\":9}",
	"2\r\n{}\r\n", "0\r\n\r\n", "{\"name\":\"x\",\"hours\":24}",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "Connection: close\r\n",
	"If-None-Match: \"x\"\r\n", "Range: bytes=0-\r\n", "/logs",
	"/diagnostics", "/users", "/recordings", "/7", "/extend",
	"/proxy-token", "/terminal-ticket", "/tcp-ticket",
	"/regenerate-secret",
};
#define PIECES		(sizeof(pieces) / sizeof(pieces[0]))

static struct take	 t;
static int		 begun, fd = -1, given;
static struct heard	 heard;
static char		 said[SAID_MAX];	/* by who came */
static size_t		 nsaid;
static struct call_of {
	uint32_t	id, type;
	uint8_t		op;			/* of an API */
} calls[CALLS];					/* authd is asked, and waits */
static unsigned		 ncalls;
static uint32_t		 follows;		/* 0, or whom events go to */

/* --- the other processes --- */

static void
file_answer(uint32_t id, uint64_t size)
{
	int	file = memfd_create("file", MFD_CLOEXEC);

	CHECK(file != -1 && write(file, "recorded", 8) == 8 &&
	    lseek(file, 0, SEEK_SET) == 0);
	(void)process_say(process_authd(), IMSG_API_FILE, id, file,
	    &(struct msg_api_file){ .size = size });
}

static void
result(const struct call_of *call, uint8_t how)
{
	static const uint16_t	status[] = { 200, 201, 204, 400, 401, 403, 404,
	    409, 422, 429, 500, 503, 200, 200, 200, 200 };
	static const char	doc[] = "{\"rows\":[1,2],\"page\":{}}";
	uint32_t		id = call->id;
	/* To a call of the API authd has always something to say. */
	uint16_t		code = status[how & 15] == 204 && call->type ==
				    IMSG_API ? 200 : status[how & 15];
	uint32_t		total = how & 16 ? sizeof(doc) - 1 : 0;

	(void)process_say(process_authd(), IMSG_API_RESULT, id, -1,
	    &(struct msg_api_result){ .status = code, .message = "said",
	    .total = total, .invalid = (how & 32) != 0 });
	if (code == 200 && total == 0)
		follows = id;
	if (total > 0 && (how & 64) == 0)
		(void)process_say(process_authd(), IMSG_DOC_CHUNK, id, -1,
		    &(struct msg_doc_chunk){ .bytes = { (const uint8_t *)doc,
		    total } });
}

static void
answer(const struct call_of *call, uint8_t how)
{
	if (call->type == IMSG_ADMIT)
		(void)process_say(process_authd(), IMSG_ADMITTED, call->id, -1,
		    &(struct msg_admitted){ .status = how & 1 ? 404 :
		    how & 2 ? 429 : 0, .retry_s = 3, .message = "no",
		    .nonce = 5, .class = how >> 4 });
	else if (call->type == IMSG_GRANT)
		(void)process_say(process_authd(), IMSG_GRANTED, call->id, -1,
		    &(struct msg_granted){ .status = 401, .message = "no",
		    .session = "", .operator = "", .reference = "" });
	else if (call->type == IMSG_API && call->op == API_RECORDING &&
	    how >= 240)
		file_answer(call->id, how & 8);
	else
		result(call, how);
}

static void
authd_asked(void)
{
	struct msg_api	in = { .op = 0 };
	struct imsg	m;
	int		r;

	while ((r = process_hear(process_authd(), &m)) != 0) {
		CHECK(r != -1 && m.fd == -1);
		CHECK(m.type != IMSG_API || get_api(&m, &in) == 0);
		if (m.type == IMSG_API_GONE)
			follows = 0;
		if ((m.type != IMSG_API && m.type != IMSG_RELAY &&
		    m.type != IMSG_ADMIT && m.type != IMSG_GRANT))
			continue;
		if (ncalls == CALLS)
			memmove(calls, calls + 1, --ncalls * sizeof(*calls));
		calls[ncalls++] = (struct call_of){ m.id, m.type,
		    in.op };
	}
}

/* A connection goes to a worker, with what it has said and nobody has read. */
static void
parent_hears(void)
{
	struct msg_give	 in;
	struct imsg	 m;

	while (process_hear(process_parent(), &m) > 0) {
		if (m.type == IMSG_GIVE) {
			CHECK(m.fd != -1 && get_give(&m, &in) == 0 && !given);
			/* A relay session's begins with our own 101. */
			CHECK(in.class == CLASS_RELAY || memmem(said, nsaid,
			    in.bytes.p, in.bytes.len) != NULL);
			given = 1;
		}
		if (m.fd != -1)
			close(m.fd);
	}
}

static void
settle(void)
{
	unsigned	k;
	size_t		before;

	for (k = 0; k < 4; k++) {
		process_turn(1);
		authd_asked();
		before = heard.len;
		heard_listen(fd, &heard);
		CHECK(!given || heard.len == before);
		parent_hears();
	}
}

/* --- what has to hold --- */

static void
check_answers(void)
{
	static struct httphead	h;
	size_t			at = 0;
	ssize_t			n;
	int			whole = 1, r;

	/*
	 * In frames of HTTP/2, or to a request that had no body in its answer.
	 */
	if (memmem(said, nsaid, "PRI", 3) != NULL ||
	    memmem(said, nsaid, "HEAD", 4) != NULL)
		return;
	while (at < heard.len) {
		CHECK(whole);
		r = heard_answer(&heard, &at, HTTP_GET, &h);
		CHECK(r != -1);
		if (r == 0)
			break;
		CHECK(h.status != 101);
		n = heard_body(&h, heard.bytes + at, heard.len - at,
		    heard.ended, &whole);
		CHECK(n != -1);
		at += (size_t)n;
	}
}

/* --- the play --- */

static void
say(const void *p, size_t len)
{
	if (nsaid + len > SAID_MAX || given)
		return;
	memcpy(said + nsaid, p, len);
	nsaid += len;
	heard_say(fd, p, len);
}

static void
event(uint8_t how)
{
	switch (how % 6) {
	case 0:
		shutdown(fd, SHUT_WR);
		break;
	case 1:
		clock_move(take_byte(&t) * 500U);
		break;
	case 2:
		if (follows != 0)
			(void)process_say(process_authd(), IMSG_EVENT, follows,
			    -1, &(struct msg_event){ .kind = how / 6 % EVENT_KINDS,
			    .session = ID, .system = "s" });
		break;
	case 3:
		if (follows != 0)
			(void)process_say(process_authd(), IMSG_EVENTS_END,
			    follows, -1, &(struct msg_events_end){
			    .why = "over" });
		follows = 0;
		break;
	case 4:
		(void)process_say(process_authd(), IMSG_USABLE, 0, -1,
		    &(struct msg_usable){ .yes = how / 6 % 3 });
		break;
	default:
		(void)process_say(process_authd(), IMSG_RATE_OVER, 0, -1,
		    &(struct msg_rate_over){ .session = ID, .wait_s = 5 });
	}
}

static void
step(void)
{
	uint8_t		 op = take_byte(&t);
	const uint8_t	*p;
	size_t		 len;

	if (op < 2 * PIECES) {
		say(pieces[op % PIECES], strlen(pieces[op % PIECES]));
		if (op < PIECES)
			return;		/* the next comes with it */
	} else if (op < 200) {
		p = take_bytes(&t, 1 + op % 40U, &len);
		say(p, len);
	} else if (op < 230) {
		if (ncalls > 0)
			answer(&calls[--ncalls], take_byte(&t));
	} else
		event(op - 230);
	settle();
}

static void
configure(struct conf *c)
{
	strlcpy(c->proxy_domain, DOMAIN, sizeof(c->proxy_domain));
	strlcpy(c->relay_origin[0], "https://*.example.com",
	    sizeof(c->relay_origin[0]));
	c->n_relay_origin = 1;
	strlcpy(c->console_origin[0], "https://app.example.com",
	    sizeof(c->console_origin[0]));
	c->n_console_origin = 1;
	c->relay = 1;
}

static void
come(uint8_t where)
{
	struct addr	a;
	int		sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1 || addr_parse(&a, "192.0.2.1", 9) == -1)
		abort();
	fd = sv[0];
	conn_new(sv[1], at_door[where % DOORS], &a, where & 128, NULL);
}

static void
over(void)
{
	settle();
	check_answers();
	close(fd);
	fd = -1;
	settle();
	clock_move(200000);	/* a call's time, and what is remembered */
	settle();
	ncalls = 0;
	heard.len = 0;
	nsaid = 0;
	heard.ended = given = 0;
	follows = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned	steps;

	if (!begun) {
		process_start(proxyd_main, configure);
		if ((heard.bytes = malloc(HEARD_MAX)) == NULL)
			abort();
		begun = 1;
	}
	(void)process_say(process_authd(), IMSG_USABLE, 0, -1,
	    &(struct msg_usable){ .yes = 1 });
	t.p = data;
	t.end = data + len;
	come(take_byte(&t));
	settle();
	for (steps = 0; t.p < t.end && steps < STEPS_MAX; steps++)
		step();
	over();
	return (0);
}
