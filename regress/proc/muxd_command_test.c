/* SPDX-License-Identifier: ISC */
/* COMMAND through a real muxd: one at a time, and every way that it can end. */
#include <string.h>

#include "base/compat.h"
#include "regress/lib/muxd_story.h"
#include "regress/lib/tap.h"

#define ADD	"{\"action\":\"add_services\",\"services\":{}}"
#define LINE	"COMMAND 1\n" ADD
#define MANIFEST(name)	"{\"version\":1,\"services\":{\"" name "\":{\"target\":"	\
	"\"192.0.2.1:1\",\"host\":\"\",\"tls\":false,\"label\":\"\"}}}"

/* authd hears nothing of this type. */
static int
none(struct mux *d, uint32_t type)
{
	struct imsg	m;

	return (!hear_maybe(d->d.authd, type, &m, 50));
}

static void
give(struct mux *d, uint32_t id)
{
	say_id(d->d.authd, id, command, .wait_s = 30,
	    .json = { ADD, strlen(ADD) });
}

/* The client has it, whole: its stream. */
static uint32_t
comes(struct mux *d)
{
	struct frame	f;

	while (client_next(d, &f, WAIT_MS))
		if (f.type == YM_DATA && f.len == strlen(LINE) &&
		    memcmp(f.data, LINE, f.len) == 0)
			return (f.id);
	bail("no command for the client");
}

static void
reply(struct mux *d, uint32_t id, const char *text, int fin)
{
	client_frame(d, YM_DATA, YM_ACK | fin, id, (uint32_t)strlen(text), text,
	    strlen(text));
}

static void
answered(struct mux *d, uint32_t id, int status, const char *text,
    const char *what)
{
	struct msg_commanded	 in;
	struct imsg		*m = hear(d->d.authd, commanded, &in);

	ok(m->id == id && in.status == status && strcmp(in.message, text) == 0,
	    "%s: %d %s", what, in.status, in.message);
}

static void
replies(struct mux *d)
{
	static const struct {
		const char	*reply, *text;
		int		 status;
	} t[] = {
		{ "OK\n", "", 0 },
		{ "ERROR no services provided\n", "no services provided", 422 },
		{ "ERROR a\033[1mb\n", "a\\x1b[1mb", 422 },
		{ "ERROR \n", "bad reply from the client", 422 },
		{ "OKAY\n", "bad reply from the client", 422 },
		{ "\n", "bad reply from the client", 422 },
	};
	struct frame	f;
	uint32_t	id;
	size_t		i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		give(d, 10 + (uint32_t)i);
		id = comes(d);
		reply(d, id, t[i].reply, YM_FIN);
		answered(d, 10 + (uint32_t)i, t[i].status, t[i].text,
		    "tunnel-46(partial): a reply");
		ok(client_expect(d, id, YM_FIN, &f), "FIN for its stream");
	}
}

static void
no_replies(struct mux *d)
{
	static char	much[1026];
	struct frame	f;
	uint32_t	id;

	memset(much, 'x', 1025);
	give(d, 20);
	id = comes(d);
	reply(d, id, much, 0);
	answered(d, 20, 422, "reply of the client is too long", "over 1 KiB");
	give(d, 21);
	id = comes(d);
	reply(d, id, "ERR", YM_FIN);
	answered(d, 21, 422, "client closed before its reply", "half a line");
	give(d, 22);
	client_frame(d, YM_WINDOW, YM_RST, comes(d), 0, NULL, 0);
	answered(d, 22, 422, "reset by the client", "a reset");
	give(d, 23);
	id = comes(d);
	mux_pass(d, 29000);
	ok(none(d, IMSG_COMMANDED), "29 s are no end");
	drive_clock(&d->d, 1500);
	answered(d, 23, 504, "no answer from the client", "operator-15(partial): "
	    "30 s without a word");
	ok(client_expect(d, id, YM_RST, &f), "its stream is reset");
}

/* Of data the client gets none. */
static int
quiet(struct mux *d)
{
	struct frame	f;

	while (client_next(d, &f, 50))
		if (f.type == YM_DATA)
			return (0);
	return (1);
}

/* The second waits for the first, and not for ever. */
static void
queue(struct mux *d)
{
	uint32_t	id, i;

	for (i = 0; i < 9; i++)
		give(d, 30 + i);
	answered(d, 38, 503, "server is busy", "eight wait at most");
	for (i = 0; i < 8; i++) {
		id = comes(d);
		ok(quiet(d), "one at a time");
		reply(d, id, "OK\n", YM_FIN);
		answered(d, 30 + i, 0, "", "in order");
	}
}

/* After a command a manifest counts at once; without one it waits. */
static void
manifests(struct mux *d)
{
	struct msg_service	in;
	uint32_t		id;

	client_control(d, 101, MANIFEST("one"), "", 0);
	(void)hear(d->d.authd, service, &in);
	(void)hear(d->d.authd, services_end, NULL);
	give(d, 50);
	id = comes(d);
	/* One that was on its way already takes nothing from the next. */
	client_control(d, 103, MANIFEST("one"), "", 0);
	(void)hear(d->d.authd, services_end, NULL);
	client_control(d, 105, MANIFEST("two"), "", 0);
	reply(d, id, "OK\n", YM_FIN);
	(void)hear_next(d->d.authd, services_begin, NULL);
	(void)hear_next(d->d.authd, service, &in);
	is_str(in.name, "two", "tunnel-32(partial): behind a COMMAND a manifest "
	    "counts at once");
	(void)hear_next(d->d.authd, services_end, NULL);
	answered(d, 50, 0, "", "tunnel-46(partial): and before its answer");
	client_control(d, 107, MANIFEST("three"), "", 0);
	mux_pass(d, 5000);
	ok(none(d, IMSG_SERVICES_BEGIN), "the next one waits its 10 s");
}

int
main(void)
{
	struct mux	d;

	mux_up(&d);
	replies(&d);
	no_replies(&d);
	queue(&d);
	manifests(&d);
	give(&d, 60);
	(void)comes(&d);
	give(&d, 61);
	say(d.d.authd, close, .code = 4000, .reason = "session_closed");
	answered(&d, 60, 409, "tunnel is closing", "the tunnel's end");
	answered(&d, 61, 409, "tunnel is closing", "is that of all");
	is_int(client_closed(&d), 4000, "it closes");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
	return (done_testing());
}
