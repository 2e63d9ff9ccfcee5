/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "termd_story.h"

struct term	dr;
int		browser_buffer = 16384;
enum role	term_role = ROLE_TERMD;
static uint8_t	message_buf[1 << 20];

const char	drive_accept[] = "0123456789012345678901234567";
const char	drive_head[] =
    "GET /api/support-sessions/" SESSION "/terminal?ticket=abc HTTP/1.1\r\n"
    "Host: support.example.com\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n\r\n";

void
term_start(void)
{
	struct conf	cf;

	memset(&dr, 0, sizeof(dr));
	dr.sock = dr.stream = -1;
	/* Memory that was given back is not to look like a leak. */
	drive_with.asan = ":quarantine_size_mb=1";
	conf_init(&cf);
	drive_start(&dr.d, (int)term_role, &cf);
}

void
term_open(void)
{
	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	stream_put("OK\n", 3);
	if (browser_status() != 101)
		bail("no 101");
}

int
term_wait(void)
{
	int	status = drive_wait(&dr.d);

	shut(&dr.sock);
	shut(&dr.stream);
	return (status);
}

int
term_end(void)
{
	shut(&dr.sock);
	return (term_wait());
}

static void
on_message(void *arg, int op, uint8_t *data, size_t len)
{
	(void)arg;
	(void)op;
	if (dr.n == MESSAGES_MAX || dr.total + len > sizeof(dr.got))
		bail("too many messages for the browser");
	memcpy(dr.got + dr.total, data, len);
	dr.got_len[dr.n++] = len;
	dr.total += len;
}

void
term_give(const char *head, const void *more, size_t len)
{
	static uint8_t	bytes[GIVE_BYTES_MAX];
	int		sv[2];

	loopback_pair(sv, browser_buffer);
	memcpy(bytes, head, strlen(head));
	if (len > 0)
		memcpy(bytes + strlen(head), more, len);
	say_fd(dr.d.parent, 0, sv[1], give, .class = role_class(term_role),
	    .nonce = 77, .instance = 5, .addr = "192.0.2.7", .accept = drive_accept,
	    .bytes = { bytes, strlen(head) + len });
	dr.sock = sv[0];
	dr.msg.buf = message_buf;
	dr.msg.max = sizeof(message_buf);
	dr.msg.on_message = on_message;
	ws_init(&dr.ws, WS_CLIENT, term_role == ROLE_TERMD ? &dr.msg : NULL);
}

void
term_stream(uint32_t idle_s)
{
	int	sv[2];

	stream_pair(sv);
	say_fd(dr.d.authd, 0, sv[1], term_stream, .stream = 9, .session =
	    SESSION, .idle_s = idle_s, .service = term_role == ROLE_TERMD ?
	    "terminal" : "web");
	dr.stream = sv[0];
}

void
term_refuse(uint16_t status, const char *message)
{
	say(dr.d.authd, term_refuse, .status = status, .message = message);
}

void
term_close(uint16_t code, const char *reason)
{
	say(dr.d.authd, close, .code = code, .reason = reason);
}

int
term_heard_end(char *text)
{
	struct msg_term_end	in;

	(void)hear_next(dr.d.authd, term_end, &in);
	if (text != NULL)
		snprintf(text, MESSAGE_SIZE, "%s", in.text);
	return (in.why);
}

/* The browser. */

int
browser_status(void)
{
	struct pollfd	pfd = { dr.sock, POLLIN, 0 };
	size_t		len = 0;
	int		status = -1;

	/* Byte by byte: what follows a 101 is frames. */
	while (len < sizeof(dr.head) - 1) {
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("no reply to the upgrade");
		if (recv(dr.sock, dr.head + len, 1, 0) <= 0)
			break;
		dr.head[++len] = '\0';
		if (strncmp(dr.head, "HTTP/1.1 101", 12) == 0 && len > 4 &&
		    strcmp(dr.head + len - 4, "\r\n\r\n") == 0)
			break;
	}
	(void)sscanf(dr.head, "HTTP/1.1 %d", &status);
	return (status);
}

/* Read what is there; 1 if something came within `ms`. */
static int
browser_fill(int ms, size_t max)
{
	static uint8_t	 buf[65536];
	struct pollfd	 pfd = { dr.sock, POLLIN, 0 };
	size_t		 len = 0;
	ssize_t		 n;

	if (dr.eof || poll(&pfd, 1, ms) != 1)
		return (0);
	if ((n = recv(dr.sock, buf, max < sizeof(buf) ? max : sizeof(buf),
	    MSG_DONTWAIT)) <= 0) {
		dr.eof = n == 0 || errno != EAGAIN;
		return (0);
	}
	if (ws_input(&dr.ws, buf, (size_t)n, &len) == -1)
		bail("%s", ws_error(&dr.ws));
	if (len > 0)
		on_message(NULL, WS_OP_BINARY, buf, len);
	return (1);
}

void
browser_sip(size_t n)
{
	(void)browser_fill(50, n);
}

void
browser_raw(const void *p, size_t len)
{
	put_bytes(dr.sock, p, len);
}

void
browser_frame(int fin, int op, const void *p, size_t len)
{
	static const uint8_t	 key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t			*buf;
	size_t			 n;

	if ((buf = malloc(WS_HEADER_MAX + len)) == NULL)
		bail("memory");
	n = ws_header(buf, (enum ws_opcode)op, len, key);
	if (!fin)
		buf[0] &= 0x7f;
	if (len > 0) {
		memcpy(buf + n, p, len);
		ws_mask(buf + n, len, key, 0);
	}
	browser_raw(buf, n + len);
	free(buf);
}

void
browser_pong(void)
{
	uint8_t	out[WS_OUTPUT_MAX], rnd[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	browser_raw(out, ws_output(&dr.ws, out, rnd));
}

void
browser_send(const void *p, size_t len)
{
	browser_frame(1, WS_OP_BINARY, p, len);
}

int
browser_wait(size_t n)
{
	uint64_t	limit = now_ms() + WAIT_MS;

	while (dr.n < n) {
		if (!browser_fill(50, SIZE_MAX) && dr.eof)
			return (0);
		if (now_ms() > limit)
			bail("no message for the browser");
	}
	return (1);
}

const uint8_t *
browser_message(size_t i, size_t *len)
{
	size_t	k, off = 0;

	if (i >= dr.n)
		bail("no such message");
	for (k = 0; k < i; k++)
		off += dr.got_len[k];
	*len = dr.got_len[i];
	return (dr.got + off);
}

int
browser_red(size_t i, const char *text)
{
	const uint8_t	*p;
	size_t		 len;

	if (i >= dr.n)
		return (0);
	p = browser_message(i, &len);
	if (len == strlen(text) + 1 && p[0] == 3 &&
	    memcmp(p + 1, text, len - 1) == 0)
		return (1);
	printf("# got type %d: %.*s\n", p[0], (int)len - 1, p + 1);
	return (0);
}

int
browser_closed(void)
{
	uint64_t	limit = now_ms() + WAIT_MS;

	while (!dr.eof && ws_peer_code(&dr.ws) == 0) {
		(void)browser_fill(50, SIZE_MAX);
		if (now_ms() > limit)
			bail("no close for the browser");
	}
	return (ws_peer_code(&dr.ws));
}

/* The stream. */

void
stream_put(const void *p, size_t len)
{
	put_bytes(dr.stream, p, len);
}

void
stream_frame(const void *p, size_t len)
{
	uint8_t	head[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16),
		    (uint8_t)(len >> 8), (uint8_t)len };

	stream_put(head, sizeof(head));
	stream_put(p, len);
}

int
stream_got(const void *want, size_t len)
{
	struct pollfd	 pfd = { dr.stream, POLLIN, 0 };
	uint8_t		*buf;
	size_t		 done = 0;
	ssize_t		 n;
	int		 same;

	if ((buf = malloc(len + 1)) == NULL)
		bail("memory");
	while (done < len) {
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("nothing on the stream");
		n = recv(dr.stream, buf + done, len - done, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	same = done == len && memcmp(buf, want, len) == 0;
	free(buf);
	return (same);
}

int
stream_ended(void)
{
	struct pollfd	pfd = { dr.stream, POLLIN, 0 };
	uint8_t		buf[4096];
	uint64_t	limit = now_ms() + WAIT_MS;
	ssize_t		n;

	while (now_ms() < limit && poll(&pfd, 1, 100) != -1) {
		n = recv(dr.stream, buf, sizeof(buf), 0);
		if (n == 0 || (n == -1 && errno != EAGAIN))
			return (1);
	}
	return (0);
}
