/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "udp.h"
#include "way.h"
#include "wire.h"

#define WHY_SIZE	512
#define TURNS		32	/* datagrams, then others have their turn */

struct udp {
	conn_fn			 fn;
	void			*arg;
	int			 fd, to_sender;
	struct way		*way;		/* until it is there */
	struct wire		 wire;
	struct ws_msg		 msg;
	uint8_t			 message[WIRE_MAX], buf[WIRE_MAX];
	struct sockaddr_storage	 last;		/* who has sent last */
	socklen_t		 last_len;	/* 0: nobody yet */
	struct event		 ev;
};

static void	udp_open(void *, enum ended, struct sock *, const char *,
		    size_t, const char *);
static void	datagram(evutil_socket_t, short, void *);
static void	message(void *, int, uint8_t *, size_t);
static void	server_read(void *);
static void	nothing(void *);
static void	udp_update(void *);
static void	udp_silent(void *);
static void	udp_end(struct udp *, enum ended, const char *);

struct udp *
udp_start(int fd, int to_sender, conn_fn fn, void *arg)
{
	struct udp	*u = calloc(1, sizeof(*u));

	if (u == NULL || (u->way = way_start("", udp_open, u)) == NULL) {
		free(u);
		return (NULL);
	}
	u->fn = fn;
	u->arg = arg;
	u->fd = fd;
	u->to_sender = to_sender;
	return (u);
}

/* What the server has said: -1, it is over, and `u` gone. */
static int
udp_take(struct udp *u, uint8_t *p, size_t len)
{
	const char	*reason;
	char		 shown[WHY_SIZE];
	size_t		 n;

	if (ws_input(&u->wire.ws, p, len, NULL) == -1) {
		udp_end(u, ENDED_LOST, ws_error(&u->wire.ws));
		return (-1);
	}
	if (ws_peer_code(&u->wire.ws) == 0)
		return (0);
	n = ws_peer_reason(&u->wire.ws, &reason);
	log_escape(shown, sizeof(shown), reason, n);
	if (ws_peer_code(&u->wire.ws) == WS_NORMAL)
		udp_end(u, ENDED_WELL, "");
	else
		udp_end(u, ENDED_LOST, *shown != '\0' ? shown :
		    "closed by the server");
	return (-1);
}

static void
udp_open(void *arg, enum ended how, struct sock *s, const char *early,
    size_t len, const char *why)
{
	struct udp	*u = arg;
	struct wire	*w = &u->wire;

	u->way = NULL;
	if (how != ENDED_WELL) {
		udp_end(u, how, why);
		return;
	}
	tool_ready(NULL);
	u->msg = (struct ws_msg){ .buf = u->message,
	    .max = sizeof(u->message), .on_message = message, .arg = u,
	    .text = 1 };
	ws_init(&w->ws, WS_CLIENT, &u->msg);
	w->readable = server_read;
	w->fill = nothing;
	w->wrote = udp_update;
	w->silent = udp_silent;
	w->arg = u;
	wire_open(w, s);
	event_assign(&u->ev, net_base(), u->fd, EV_READ | EV_PERSIST,
	    datagram, u);
	if (len > sizeof(u->buf))
		len = sizeof(u->buf);
	if (len > 0) {
		memcpy(u->buf, early, len);
		if (udp_take(u, u->buf, len) == -1)
			return;
	}
	udp_update(u);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
udp_update(void *arg)
{
	struct udp	*u = arg;

	if (wire_busy(&u->wire) || !ws_may_send(&u->wire.ws) || u->wire.lost)
		event_del(&u->ev);
	else
		event_add(&u->ev, NULL);
	wire_listen(&u->wire, 1);
}

static void
udp_silent(void *arg)
{
	udp_end(arg, ENDED_LOST, "the server is silent");
}

/* Local to server. */
static void
datagram(evutil_socket_t fd, short what, void *arg)
{
	struct udp		*u = arg;
	struct sockaddr_storage	 from;
	socklen_t		 size;
	ssize_t			 n;
	int			 i;

	(void)what;
	for (i = 0; i < TURNS && !wire_busy(&u->wire); i++) {
		size = sizeof(from);
		n = recvfrom(fd, wire_room(&u->wire), WIRE_MAX, MSG_DONTWAIT,
		    (struct sockaddr *)&from, &size);
		/* A refusal is of one datagram: the next may be taken. */
		if (n == -1)
			break;
		if (u->to_sender) {
			u->last = from;
			u->last_len = size;
		}
		wire_frame(&u->wire, WS_OP_BINARY, (size_t)n);
		wire_write(&u->wire);
	}
}

/* Server to local: lost if it does not go now, or nobody is there. */
static void
message(void *arg, int op, uint8_t *p, size_t len)
{
	struct udp	*u = arg;

	(void)op;
	if (u->to_sender && u->last_len == 0)
		return;
	if (sendto(u->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, u->to_sender ?
	    (struct sockaddr *)&u->last : NULL, u->last_len) == -1)
		log_debug("a datagram was lost: %s", strerror(errno));
}

static void
server_read(void *arg)
{
	struct udp	*u = arg;
	ssize_t		 n = wire_read(&u->wire, u->buf, sizeof(u->buf));

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		udp_update(u);
		return;
	}
	if (n <= 0) {
		udp_end(u, ENDED_LOST, "the connection to the server was lost");
		return;
	}
	if (udp_take(u, u->buf, (size_t)n) == -1)
		return;
	if (ws_pending(&u->wire.ws))
		wire_write(&u->wire);
	else
		udp_update(u);
}

static void
udp_end(struct udp *u, enum ended how, const char *why)
{
	conn_fn	 fn = u->fn;
	void	*arg = u->arg;
	char	 text[WHY_SIZE];

	strlcpy(text, why, sizeof(text));
	if (u->wire.up)
		event_del(&u->ev);
	wire_close(&u->wire);
	close(u->fd);
	freezero(u, sizeof(*u));
	fn(arg, how, text);
}
