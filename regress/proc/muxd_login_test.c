/* SPDX-License-Identifier: ISC */
/*
 * From the given connection to the 101 or a refusal. tunnel-protocol.md,
 * section 1, and what muxd itself has to say there.
 */
#include <sys/socket.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/muxd_story.h"
#include "regress/lib/tap.h"
#include "regress/lib/walk.h"

#define BASIC "Authorization: Basic " \
	"TkVUSC1BQUFBLUJCQkI6bXlfcHViLnNzc3Nzc3Nzc3Nz" \
	"c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=\r\n"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" \
	"Sec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: s.example.net\r\n"

/* A head that muxd answers without asking authd. */
static void
refused(const char *head, int status, const char *text, const char *what)
{
	struct mux	d;
	struct imsg	m;

	mux_start(&d);
	mux_give(&d, head, NULL, 0);
	is_int(mux_reply(&d), status, "%s: %d", what, status);
	if (!ok(strstr(d.head, text) != NULL, "%s: says so", what))
		diag("%s", d.head);
	ok(!hear_maybe(d.d.authd, IMSG_LOGIN, &m, 0),
	    "%s: authd is not asked", what);
	is_int(mux_end(&d), 0, "%s: and leaves", what);
}

static void
test_refusals(void)
{
	refused(GET("/api/tunnel") BASIC "\r\n", 400,
	    "Sec-WebSocket-Version: 13\r\n",
	    "tunnel-8(partial): no upgrade");
	refused(GET("/api/tunnel") BASIC UPGRADE "Origin: https://x\r\n\r\n",
	    403, "{\"code\":403,", "tunnel-7(partial): Origin");
	refused(GET("/api/tunnel?node_id=12345678901") BASIC UPGRADE "\r\n",
	    400, "{\"code\":400,\"message\":\"invalid node_id format\","
	    "\"data\":null}", "tunnel-6(partial): node_id of 11 digits");
	refused(GET("/api/tunnel?node_id=1a") BASIC UPGRADE "\r\n", 400,
	    "invalid node_id format", "tunnel-6(partial): node_id 1a");
	refused(GET("/api/tunnel") UPGRADE "\r\n", 401,
	    "WWW-Authenticate: Basic realm=\"System Authentication\"\r\n",
	    "tunnel-3(partial): no Authorization");
	refused(GET("/api/tunnel") UPGRADE "Authorization: Bearer x\r\n\r\n",
	    401, "invalid authentication format",
	    "tunnel-3(partial): not Basic");
	refused(GET("/api/tunnel") UPGRADE "Authorization: Basic ???\r\n\r\n",
	    401, "invalid authentication encoding",
	    "tunnel-3(partial): not base64");
	refused(GET("/api/tunnel") UPGRADE "Authorization: Basic eHl6\r\n\r\n",
	    401, "invalid credentials format",
	    "tunnel-3(partial): no colon");
	refused("BLAH\r\n\r\n", 400, "{\"code\":400,", "not HTTP");
	refused(GET("/api/tunnel") UPGRADE, 400, "incomplete", "half a head");
}

static void
answer(struct mux *d, uint32_t id, uint16_t status, uint32_t retry,
    const char *message, const char *session)
{
	say_id(d->d.authd, id, login_result, .status = status,
	    .retry_s = retry, .message = message, .session = session,
	    .reconnect = "abcdef");
}

static void
test_login(void)
{
	struct mux	d;
	struct imsg	*m;
	struct msg_login	in;
	uint32_t	id;

	mux_start(&d);
	mux_give(&d, GET("/api/tunnel?node_id=7&reconnect_token=ab&x=1")
	    BASIC UPGRADE "\r\n", NULL, 0);
	m = hear(d.d.authd, login, NULL);
	id = m->id;
	ok(get_login(m, &in) == 0, "LOGIN is well-formed");
	is_int(in.nonce, 77, "the nonce that proxyd was given");
	is_str(in.key, "NETH-AAAA-BBBB", "key");
	is_str(in.secret, "my_pub.ssssssssssssssssssssssssssssssssssssssss",
	    "secret");
	is_str(in.node, "7", "node");
	is_str(in.reconnect, "ab", "reconnect token");
	is_str(in.addr, "192.0.2.7", "address as proxyd says");
	answer(&d, id, 0, 0, "", "3f2a0000-1111-4222-8333-444455556666");
	is_int(mux_reply(&d), 101, "tunnel-2(partial): 101");
	ok(strstr(d.head, "\r\nUpgrade: websocket\r\n") != NULL &&
	    strstr(d.head, "\r\nConnection: Upgrade\r\n") != NULL &&
	    strstr(d.head, "\r\nSec-WebSocket-Accept: "
	    "0123456789012345678901234567\r\n") != NULL &&
	    strstr(d.head, "Extensions") == NULL &&
	    strstr(d.head, "Protocol:") == NULL,
	    "tunnel-2(partial): accept value, no extension, no subprotocol");
	ok(strstr(d.head, "\r\nX-Support-Session-Id: "
	    "3f2a0000-1111-4222-8333-444455556666\r\n") != NULL &&
	    strstr(d.head, "\r\nX-Support-Features: terminal-status, "
	    "half-close\r\n") != NULL &&
	    strstr(d.head, "\r\nX-Support-Reconnect-Token: abcdef\r\n") != NULL,
	    "tunnel-11(partial): session id and reconnect token");
	(void)hear(d.d.authd, up, NULL);
	ok(drive_logs(&d.d, "up: NETH-AAAA-BBBB from 192.0.2.7"),
	    "the log says who is up");
	ok(strstr(drive_text, "ssssssss") == NULL, "and no secret");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_said_no(void)
{
	struct mux	d;
	uint32_t	id;

	mux_start(&d);
	mux_give(&d, drive_head, NULL, 0);
	id = hear(d.d.authd, login, NULL)->id;
	answer(&d, id, 429, 42, "too many connection attempts for this system",
	    "");
	is_int(mux_reply(&d), 429, "tunnel-10(partial): 429 of authd");
	ok(strstr(d.head, "\r\nRetry-After: 42\r\n") != NULL &&
	    strstr(d.head, "{\"code\":429,\"message\":\"too many connection "
	    "attempts for this system\",\"data\":null}") != NULL,
	    "with Retry-After and the envelope");
	is_int(mux_end(&d), 0, "and leaves");

	mux_start(&d);
	mux_give(&d, drive_head, NULL, 0);
	id = hear(d.d.authd, login, NULL)->id;
	answer(&d, id, 401, 0, "invalid system credentials", "");
	is_int(mux_reply(&d), 401, "tunnel-3(partial): 401 of authd");
	ok(strstr(d.head, "\r\nWWW-Authenticate: Basic realm=\"System "
	    "Authentication\"\r\n") != NULL, "with its header");
	is_int(mux_end(&d), 0, "and leaves");

	mux_start(&d);
	mux_give(&d, drive_head, NULL, 0);
	(void)hear(d.d.authd, login, NULL);
	drive_clock(&d.d, 8000);
	is_int(mux_reply(&d), 503, "no answer within 8 s: 503");
	is_int(mux_end(&d), 0, "and leaves");

	mux_start(&d);
	mux_give(&d, drive_head, NULL, 0);
	(void)hear(d.d.authd, login, NULL);
	drive_channel(&d.d);
	is_int(mux_reply(&d), 503, "authd restarted before the answer: 503");
	ok(strstr(d.head, "\r\nRetry-After: ") != NULL, "with Retry-After");
	is_int(mux_end(&d), 0, "and leaves");

	mux_start(&d);
	mux_give(&d, drive_head, NULL, 0);
	id = hear(d.d.authd, login, NULL)->id;
	answer(&d, id, 0, 0, "", "x\r\nInjected: 1");
	is_int(mux_reply(&d), 500, "a session id that is none: 500");
	ok(strstr(d.head, "Injected") == NULL, "and no header from it");
	is_int(mux_end(&d), 0, "and leaves");
}

/* Bytes that came behind the head are the tunnel's first. */
static void
test_early(void)
{
	static const uint8_t	ping[] = { 0x89, 0x82, 0, 0, 0, 0, 'h', 'i' };
	struct mux		d;
	uint32_t	id;
	uint8_t			buf[4] = { 0 };

	mux_start(&d);
	mux_give(&d, drive_head, ping, sizeof(ping));
	id = hear(d.d.authd, login, NULL)->id;
	answer(&d, id, 0, 0, "", "3f2a0000-1111-4222-8333-444455556666");
	is_int(mux_reply(&d), 101, "101");
	while (buf[0] != 0x8a && recv(d.sock, buf, 1, 0) == 1)
		continue;
	ok(recv(d.sock, buf + 1, 3, MSG_WAITALL) == 3 &&
	    memcmp(buf, "\x8a\x02hi", 4) == 0,
	    "tunnel-14(partial): ping `hi` behind the head is answered");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* Before login authd may say nothing but yes or no. */
static void
test_before(void)
{
	struct mux	d;

	mux_start(&d);
	mux_give(&d, drive_head, NULL, 0);
	(void)hear(d.d.authd, login, NULL);
	say(d.d.authd, stream_kill, .stream = 1, .why = 1);
	ok(drive_logs(&d.d, "authd: STREAM_KILL"),
	    "a message out of state ends the channel");
	is_int(mux_reply(&d), 503, "and the login");
	is_int(mux_end(&d), 0, "and leaves");

	mux_start(&d);
	say(d.d.parent, stop);
	is_int(mux_wait(&d), 0, "STOP before the connection: leaves");

	mux_start(&d);
	close(d.d.parent);
	d.d.parent = dup(d.d.log);
	is_int(mux_wait(&d), 0, "parent gone: leaves");
}

/* What authd may say after login. */
#define FROM_AUTHD	ROLE_BIT(ROLE_AUTHD), S_ANY
static const struct dispatch rows[] = {
	{ IMSG_CLOSE, FROM_AUTHD, 0, NULL },
	{ IMSG_STREAM_BRIDGE, FROM_AUTHD, 0, NULL },
	{ IMSG_STREAM_KILL, FROM_AUTHD, 0, NULL },
	{ IMSG_PROBE, FROM_AUTHD, MF_REQUEST, NULL },
	{ IMSG_DOC_CHUNK, FROM_AUTHD, MF_REQUEST, NULL },
};

/* Send a row's message bent in one way; muxd has to drop the channel. */
static void
bent(const struct dispatch *r, const struct bent *b)
{
	struct mux	d;
	struct frame	f;
	char		want[64];

	if (b->how < BEND_SHORT)
		return;
	mux_up(&d);
	walk_say(d.d.authd, r, b, dup(d.sock));
	snprintf(want, sizeof(want), "authd: %s", imsg_name(r->type));
	if (!ok(drive_logs(&d.d, want), "%s %s ends the channel",
	    imsg_name(r->type), b->how == BEND_LONG ?
	    "over its length" : b->word))
		diag("%s", drive_text);
	client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
	while (d.pongs == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	is_int(d.pongs, 1, "and not the tunnel");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* We end the channel, authd lives on and takes the tunnel for gone. */
static void
test_broken(void)
{
	struct mux	d;
	struct frame	f;

	mux_up(&d);
	say(d.d.authd, probe);
	ok(drive_logs(&d.d, "authd: PROBE"), "a bad PROBE ends the channel");
	drive_channel(&d.d);
	(void)hear(d.d.authd, announce_end, NULL);
	mux_pass(&d, 40000);
	client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
	for (d.pongs = 0; d.pongs == 0 && client_next(&d, &f, WAIT_MS);)
		continue;
	is_int(d.pongs, 1, "a new authd keeps the tunnel");
	drive_forget();
	say(d.d.authd, probe);
	ok(drive_logs(&d.d, "authd: PROBE"), "another bad PROBE");
	drive_clock(&d.d, 30000);
	is_int(client_closed(&d), 1011, "without one the client is told");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_table(void)
{
	walk_table(rows, sizeof(rows) / sizeof(rows[0]), bent);
}

int
main(void)
{
	test_login();
	test_refusals();
	test_said_no();
	test_early();
	test_before();
	test_table();
	test_broken();
	return (done_testing());
}
