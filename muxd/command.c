/* SPDX-License-Identifier: ISC */
/*
 * COMMAND: what authd wants of the client, on a stream of its own, one at a
 * time; the reply's line is the answer. tunnel-protocol.md, 5.4.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "imsg/imsg.h"
#include "mux/sock.h"
#include "muxd.h"
#include "yamux/yamux.h"

#define HEAD		"COMMAND 1\n"
#define HEAD_LEN	(sizeof(HEAD) - 1)
#define REPLY_MAX	1024	/* bytes before the newline */
#define WAITING_MAX	8	/* commands, with the one that runs */

struct command {
	TAILQ_ENTRY(command)	 entry;
	uint32_t		 id;		/* authd's call; 0: nobody's */
	uint64_t		 wait_ms;	/* for the reply */
	struct timer		 deadline;
	struct yamux_stream	*ys;		/* NULL: not its turn yet */
	char			 line[REPLY_MAX + 1];
	size_t			 line_len;
	size_t			 sent, len;
	char			 text[];	/* line and JSON */
};

static void	command_next(void);
static void	command_late(void *);
static void	command_line(struct command *, size_t);
static void	command_end(struct command *, int, const char *);

/* The first one runs. */
static struct {
	TAILQ_HEAD(, command)	 all;
	struct mux		*mux;
	unsigned		 count;
} commands;

void
command_init(struct mux *m)
{
	commands.mux = m;
	TAILQ_INIT(&commands.all);
}

static struct command *
command_first(void)
{
	return (commands.mux == NULL ? NULL : TAILQ_FIRST(&commands.all));
}

int
command_is(const struct yamux_stream *ys)
{
	struct command	*c = command_first();

	return (c != NULL && c->ys == ys);
}

void
command_take(uint32_t id, uint32_t wait_s, const void *json, size_t len)
{
	struct command	*c;

	if (commands.mux == NULL || commands.mux->state != MUX_UP) {
		authd_commanded(id, 409, "tunnel is closing");
		return;
	}
	if (commands.count == WAITING_MAX ||
	    (c = calloc(1, sizeof(*c) + HEAD_LEN + len)) == NULL) {
		authd_commanded(id, 503, "server is busy");
		return;
	}
	c->id = id;
	c->wait_ms = (uint64_t)wait_s * 1000;
	timer_init(&c->deadline, command_late, c);
	memcpy(c->text, HEAD, HEAD_LEN);
	memcpy(c->text + HEAD_LEN, json, len);
	c->len = HEAD_LEN + len;
	TAILQ_INSERT_TAIL(&commands.all, c, entry);
	commands.count++;
	command_next();
}

/* The first of those that wait, if none runs. */
static void
command_next(void)
{
	struct command	*c = command_first();
	int		 r;

	if (c == NULL || c->ys != NULL)
		return;
	if ((r = yamux_open(commands.mux->y, c, &c->ys)) != 0) {
		c->ys = NULL;
		command_end(c, 409, yamux_strerror(r));
		return;
	}
	timer_set(&c->deadline, c->wait_ms);
	/* Its effect shows in the manifest that comes before its reply. */
	control_commanded(1);
}

/* As much as window and buffer take. */
void
command_turn(void)
{
	struct command	*c = command_first();
	uint8_t		*p;
	size_t		 n;

	while (c != NULL && c->ys != NULL && c->sent < c->len) {
		n = c->len - c->sent;
		if (n > yamux_sendable(c->ys))
			n = yamux_sendable(c->ys);
		if (n > FRAME_MAX)
			n = FRAME_MAX;
		if (n == 0 || (p = mux_reserve(commands.mux, n)) == NULL)
			return;
		memcpy(p, c->text + c->sent, n);
		if (mux_send(commands.mux, c->ys, p, n) == -1)
			return;
		c->sent += n;
	}
}

/* The reply, from the client. */

void
command_on_data(struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	struct command	*c = command_first();
	size_t		 n = REPLY_MAX + 1 - c->line_len;
	char		*nl;

	yamux_consumed(ys, len, clock_ns());
	if (n > len)
		n = len;
	memcpy(c->line + c->line_len, p, n);
	c->line_len += n;
	nl = memchr(c->line, '\n', c->line_len);
	if (nl != NULL)
		command_line(c, (size_t)(nl - c->line));
	else if (c->line_len > REPLY_MAX)
		command_end(c, 422, "reply of the client is too long");
}

/* `len` bytes before the newline. */
static void
command_line(struct command *c, size_t len)
{
	char	text[MESSAGE_SIZE];

	if (len == 2 && memcmp(c->line, "OK", 2) == 0) {
		command_end(c, 0, "");
		return;
	}
	if (len <= 6 || memcmp(c->line, "ERROR ", 6) != 0) {
		command_end(c, 422, "bad reply from the client");
		return;
	}
	command_end(c, 422, log_escape(text, sizeof(text), c->line + 6,
	    len - 6));
}

void
command_on_fin(struct yamux_stream *ys)
{
	(void)ys;
	command_end(command_first(), 422, "client closed before its reply");
}

/* RST; yamux has settled the stream. */
void
command_on_close(struct yamux_stream *ys)
{
	struct command	*c = command_first();

	(void)ys;
	c->ys = NULL;
	command_end(c, 422, "reset by the client");
}

static void
command_late(void *arg)
{
	command_end(arg, 504, "no answer from the client");
}

/* The one way out: what it did is told, and the next one runs. */
static void
command_end(struct command *c, int status, const char *text)
{
	timer_del(&c->deadline);
	if (c->ys != NULL) {
		yamux_set(c->ys, NULL);
		/* What was not sent will not be. */
		if (status == 504 || c->sent < c->len)
			yamux_reset(c->ys);
		else
			yamux_fin(c->ys);
	}
	TAILQ_REMOVE(&commands.all, c, entry);
	commands.count--;
	if (status == 0)
		log_info("command: done");
	else
		log_info("command: %d %s", status, text);
	authd_commanded(c->id, status, text);
	if (c->ys != NULL)
		control_commanded(0);
	free(c);
	command_next();
}

void
command_end_all(void)
{
	struct command	*c;

	while ((c = command_first()) != NULL) {
		if (c->ys != NULL)
			yamux_set(c->ys, NULL);
		timer_del(&c->deadline);
		TAILQ_REMOVE(&commands.all, c, entry);
		commands.count--;
		authd_commanded(c->id, 409, "tunnel is closing");
		free(c);
	}
}

void
command_forget(void)
{
	struct command	*c, *next;

	for (c = command_first(); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		c->id = 0;
		if (c->ys != NULL)
			continue;
		TAILQ_REMOVE(&commands.all, c, entry);
		commands.count--;
		free(c);
	}
}
