/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "muxd_story.h"

#define IN_MAX		(8 << 20)

static int	client_fill(struct mux *, int);

const char drive_head[] =
    "GET /api/tunnel HTTP/1.1\r\n"
    "Host: support.example.net\r\n"
    "User-Agent: Go-http-client/1.1\r\n"
    "Authorization: Basic TkVUSC1BQUFBLUJCQkI6bXlfcHViLnNzc3Nzc3Nzc3Nz"
    "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Upgrade: websocket\r\n\r\n";

void
mux_start(struct mux *d)
{
	struct conf	cf;

	memset(d, 0, sizeof(*d));
	d->answer_pings = 1;
	d->sock = -1;
	drive_forget();
	conf_init(&cf);
	drive_start(&d->d, ROLE_MUXD, &cf);
}

void
mux_give(struct mux *d, const char *head, const void *more,
    size_t more_len)
{
	static uint8_t	bytes[GIVE_BYTES_MAX];
	size_t		len = strlen(head);
	int		sv[2];

	loopback_pair(sv, 0);
	memcpy(bytes, head, len);
	if (more_len > 0)
		memcpy(bytes + len, more, more_len);
	say_fd(d->d.parent, 0, sv[1], give, .class = CLASS_TUNNEL, .nonce = 77,
	    .addr = "192.0.2.7", .accept = "0123456789012345678901234567",
	    .bytes = { bytes, len + more_len });
	d->sock = sv[0];
	ws_init(&d->ws, WS_CLIENT, NULL);
}

void
mux_up(struct mux *d)
{
	uint32_t	id;

	mux_start(d);
	mux_give(d, drive_head, NULL, 0);
	id = hear(d->d.authd, login, NULL)->id;
	say_id(d->d.authd, id, login_result,
	    .session = "3f2a0000-1111-4222-8333-444455556666",
	    .reconnect = "00112233445566778899aabbccddeeff"
	    "00112233445566778899aabbccddeeff", .system = "sys-1");
	if (mux_reply(d) != 101)
		bail("no 101: %s", d->head);
	(void)hear(d->d.authd, up, NULL);
}

int
mux_reply(struct mux *d)
{
	struct pollfd	pfd = { d->sock, POLLIN, 0 };
	size_t		len = 0;
	int		status = 0;

	/* Byte by byte: what follows the head belongs to the tunnel. */
	while (len < sizeof(d->head) - 1) {
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("no reply to the upgrade");
		if (recv(d->sock, d->head + len, 1, 0) <= 0)
			break;
		d->head[++len] = '\0';
		if (strncmp(d->head, "HTTP/1.1 101", 12) == 0 && len > 4 &&
		    strcmp(d->head + len - 4, "\r\n\r\n") == 0)
			break;
	}
	if (sscanf(d->head, "HTTP/1.1 %d", &status) != 1)
		return (-1);
	return (status);
}

int
mux_wait(struct mux *d)
{
	int	status = drive_wait(&d->d);

	shut(&d->sock);
	free(d->in);
	free(d->raw);
	d->in = d->raw = NULL;
	return (status);
}

int
mux_end(struct mux *d)
{
	shut(d->sock != -1 ? &d->sock : &d->d.parent);
	return (mux_wait(d));
}

void
mux_pass(struct mux *d, uint64_t ms)
{
	struct frame	f;
	uint64_t	step;
	int		i, pongs;

	for (; ms > 0; ms -= step) {
		step = ms > 5000 ? 5000 : ms;
		drive_tick(&d->d, step);
		/* Timers fire one turn after the clock moved: two rounds. */
		for (i = 0; i < 2; i++) {
			pongs = d->pongs;
			client_frame(d, YM_PING, YM_SYN, 0, 0, NULL, 0);
			while (d->pongs == pongs && client_next(d, &f, WAIT_MS))
				continue;
		}
	}
}

/* The client. */

void
client_raw(struct mux *d, const void *p, size_t len)
{
	struct pollfd	pfd = { d->sock, POLLIN | POLLOUT, 0 };
	const uint8_t	*at = p;
	ssize_t		 n;

	while (len > 0) {
		n = send(d->sock, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (n == -1 && errno != EAGAIN)
			return;		/* reading will tell */
		/* Both must go on, or two full pipes wait for each other. */
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("muxd does not read");
		if (pfd.revents & POLLIN)
			(void)client_fill(d, 0);
	}
}

void
client_send(struct mux *d, const void *p, size_t len)
{
	static const uint8_t	 key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t			*buf;
	size_t			 n;

	if ((buf = malloc(WS_HEADER_MAX + len)) == NULL)
		bail("memory");
	n = ws_header(buf, WS_OP_BINARY, len, key);
	if (len > 0) {
		memcpy(buf + n, p, len);
		ws_mask(buf + n, len, key, 0);
	}
	client_raw(d, buf, n + len);
	free(buf);
}

void
client_frame(struct mux *d, int type, int flags, uint32_t id, uint32_t len,
    const void *data, size_t data_len)
{
	uint8_t	*buf;
	int	 i;

	if ((buf = malloc(12 + data_len)) == NULL)
		bail("memory");
	buf[0] = 0;
	buf[1] = (uint8_t)type;
	buf[2] = (uint8_t)(flags >> 8);
	buf[3] = (uint8_t)flags;
	for (i = 0; i < 4; i++) {
		buf[4 + i] = (uint8_t)(id >> (24 - 8 * i));
		buf[8 + i] = (uint8_t)(len >> (24 - 8 * i));
	}
	if (data_len > 0)
		memcpy(buf + 12, data, data_len);
	client_send(d, buf, 12 + data_len);
	free(buf);
}

void
client_control(struct mux *d, uint32_t id, const char *header,
    const void *body, size_t len)
{
	struct frame	f;
	size_t		n, off, hlen = strlen(header);
	size_t		window = 262144 - hlen;

	client_frame(d, YM_WINDOW, YM_SYN, id, 0, NULL, 0);
	if (hlen > 0)
		client_frame(d, YM_DATA, 0, id, (uint32_t)hlen, header, hlen);
	for (off = 0; off < len; off += n) {
		n = len - off > 100000 ? 100000 : len - off;
		while (window < n && client_next(d, &f, WAIT_MS))
			if (f.id == id && f.type == YM_WINDOW)
				window += f.len;
		client_frame(d, YM_DATA, 0, id, (uint32_t)n,
		    (const uint8_t *)body + off, n);
		window -= n;
	}
	client_frame(d, YM_WINDOW, YM_FIN, id, 0, NULL, 0);
}

/* Read what is there into d->in, decoded. 1 if something came. */
static int
client_fill(struct mux *d, int ms)
{
	static uint8_t	 buf[65536];
	struct pollfd	 pfd = { d->sock, POLLIN, 0 };
	size_t		 payload = 0;
	ssize_t		 n;

	if (d->eof || poll(&pfd, 1, ms) != 1)
		return (0);
	if ((n = recv(d->sock, buf, sizeof(buf), MSG_DONTWAIT)) <= 0) {
		d->eof = n == 0 || errno != EAGAIN;
		return (0);
	}
	if (d->record) {
		if (d->raw == NULL && (d->raw = malloc(1 << 20)) == NULL)
			bail("memory");
		if (d->raw_len + (size_t)n <= 1 << 20) {
			memcpy(d->raw + d->raw_len, buf, (size_t)n);
			d->raw_len += (size_t)n;
		}
	}
	if (ws_input(&d->ws, buf, (size_t)n, &payload) == -1)
		bail("server's WebSocket: %s", ws_error(&d->ws));
	if (d->in_off == d->in_len)
		d->in_off = d->in_len = 0;
	if (d->in_off > 0 && d->in_len + payload > d->in_cap) {
		memmove(d->in, d->in + d->in_off, d->in_len - d->in_off);
		d->in_len -= d->in_off;
		d->in_off = 0;
	}
	if (d->in_len + payload > d->in_cap) {
		d->in_cap = d->in_len + payload + (1 << 20);
		if (d->in_cap > IN_MAX ||
		    (d->in = realloc(d->in, d->in_cap)) == NULL)
			bail("server sends too much");
	}
	if (payload > 0)
		memcpy(d->in + d->in_len, buf, payload);
	d->in_len += payload;
	return (1);
}

static uint32_t
be32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3]);
}

int
client_next(struct mux *d, struct frame *f, int ms)
{
	uint64_t	 limit = now_ms() + (uint64_t)ms;
	uint8_t		*p;
	size_t		 have;

	for (;;) {
		have = d->in_len - d->in_off;
		p = d->in + d->in_off;
		if (have >= 12) {
			f->type = p[1];
			f->flags = (uint16_t)(p[2] << 8 | p[3]);
			f->id = be32(p + 4);
			f->len = be32(p + 8);
			f->data = p + 12;
			if (f->type != YM_DATA || have >= 12 + f->len)
				break;
		}
		if (!client_fill(d, ms < 50 ? ms : 50) &&
		    (d->eof || now_ms() >= limit))
			return (0);
	}
	d->in_off += 12 + (f->type == YM_DATA ? f->len : 0);
	if (f->type != YM_PING)
		return (1);
	if (f->flags & YM_SYN) {
		d->pings++;
		if (d->answer_pings)
			client_frame(d, YM_PING, YM_ACK, 0, f->len, NULL, 0);
	} else
		d->pongs++;
	return (1);
}

int
client_expect(struct mux *d, uint32_t id, int flags, struct frame *f)
{
	while (client_next(d, f, WAIT_MS)) {
		if (f->id != id || f->type == YM_PING)
			continue;
		if (flags == 0 ? f->type == YM_DATA && f->len > 0 :
		    (f->flags & flags) != 0)
			return (1);
	}
	return (0);
}

int
client_closed(struct mux *d)
{
	struct frame	f;

	while (!d->eof && ws_peer_code(&d->ws) == 0 &&
	    client_next(d, &f, WAIT_MS))
		continue;
	return (ws_peer_code(&d->ws));
}

/* Askers. */

int
asker_open_with(struct mux *d, uint64_t stream, const char *service,
    const char *request)
{
	struct timeval	tv = { WAIT_MS / 1000, 0 };
	int		sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		bail("socketpair");
	fcntl(sv[1], F_SETFL, O_NONBLOCK);
	setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (request[0] != '\0' && write(sv[0], request, strlen(request)) !=
	    (ssize_t)strlen(request))
		bail("asker");
	say_fd(d->d.authd, 0, sv[1], stream_bridge, .stream = stream,
	    .service = service, .tag = { (const uint8_t *)"tag", 3 });
	return (sv[0]);
}

int
asker_open(struct mux *d, uint64_t stream, const char *service)
{
	return (asker_open_with(d, stream, service, ""));
}

size_t
asker_read(int fd, void *buf, size_t len)
{
	size_t	done = 0;
	ssize_t	n;

	while (done < len) {
		n = recv(fd, (uint8_t *)buf + done, len - done, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (done);
}

long
mux_cost(const struct mux *d)
{
	/* Pages of the program that were never written are shared by all. */
	return (drive_kib(&d->d, "smaps_rollup", "Anonymous:") +
	    drive_kib(&d->d, "status", "VmPTE:") + 16);
}
