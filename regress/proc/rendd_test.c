/* SPDX-License-Identifier: ISC */
/*
 * rendd among neighbours that are not what they should be: on each of its
 * channels one that says what nobody may say, one that says nothing, and one
 * that goes; and what its peers see of that, which is nothing.
 */
#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "regress/lib/drive.h"
#include "regress/lib/tap.h"
#include "ws/ws.h"

#define HEAD	"HTTP/1.1 101 Switching Protocols\r\n\r\n"
#define SESSION	"abcdefghijklmnopqrstuv"

static struct drive	 d;
static uint64_t		 nonce;

/* A connection for it; ours is returned. */
static int
give(uint8_t class, uint8_t resume)
{
	int	sv[2];

	loopback_pair(sv, 0);
	say_fd(d.parent, 0, sv[1], give, .class = class, .nonce = ++nonce,
	    .addr = "192.0.2.1", .accept = "", .request = "",
	    .bytes = { (const uint8_t *)HEAD, sizeof(HEAD) - 1 },
	    .resume = resume);
	return (sv[0]);
}

/* The id with which it asks where that belongs. */
static uint32_t
asked(void)
{
	struct msg_seat	 in;
	struct imsg	*m = hear(d.authd, seat, &in);

	ok(in.nonce == nonce, "it asks where the connection belongs");
	return (m->id);
}

static void
seat(uint32_t id, uint16_t channel, uint8_t slot)
{
	say_id(d.authd, id, seated, .message = "", .session = SESSION,
	    .channel = channel, .slot = slot);
}

/* Exactly these bytes come. */
static int
gets(int fd, const void *want, size_t len)
{
	uint8_t	buf[512];
	size_t	got = 0;
	ssize_t	n;

	while (got < len && (n = recv(fd, buf + got, len - got, 0)) > 0)
		got += (size_t)n;
	return (got == len && memcmp(buf, want, len) == 0);
}

static int
joined(uint16_t channel, uint8_t slot)
{
	int	fd = give(CLASS_RELAY, RESUME_NOT);

	seat(asked(), channel, slot);
	ok(gets(fd, HEAD, sizeof(HEAD) - 1), "a peer has its 101");
	return (fd);
}

/* One byte from one to the other. */
static int
passes(int from, int to, uint8_t c)
{
	uint8_t	frame[7] = { 0x82, 0x81, 0, 0, 0, 0, c };
	uint8_t	want[3] = { 0x82, 0x01, c };

	put_bytes(from, frame, sizeof(frame));
	return (gets(to, want, sizeof(want)));
}

static void
begin(int pair[2])
{
	struct conf	conf;

	conf_init(&conf);
	conf.relay = 1;
	drive_start(&d, ROLE_RENDD, &conf);
	if (pair == NULL)
		return;
	pair[0] = joined(0, SLOT_INITIATOR);
	pair[1] = joined(0, SLOT_RESPONDER);
	ok(passes(pair[0], pair[1], 'a') && passes(pair[1], pair[0], 'b'),
	    "two peers meet");
}

/* ---- the parent ---- */

static void
wrong_class(void)
{
	close(give(CLASS_TUNNEL, RESUME_NOT));
}

static void
wrong_resume(void)
{
	close(give(CLASS_RELAY, RESUME_AGAIN + 1));
}

static void
no_socket(void)
{
	say(d.parent, give, .class = CLASS_RELAY, .nonce = 1, .addr = "",
	    .accept = "", .request = "", .bytes = { NULL, 0 });
}

static void
not_its_own(void)
{
	say(d.parent, seated, .message = "", .session = SESSION);
}

static void
no_message(void)
{
	say_raw(d.parent, IMSG_COUNT + 5, 0, -1, "x", 1);
}

static void
cut_short(void)
{
	say_raw(d.parent, IMSG_GIVE, 0, -1, "\1\2\3", 3);
}

static void
parent_breaks(void (*how)(void), const char *what)
{
	int	pair[2];

	begin(pair);
	how();
	ok(drive_wait(&d) != 0, "the parent: %s: rendd ends", what);
	close(pair[0]);
	close(pair[1]);
}

/* A head that is none is no fault of the parent's: only that one goes. */
static void
no_head(void)
{
	int	pair[2], sv[2];
	char	c;

	begin(pair);
	loopback_pair(sv, 0);
	say_fd(d.parent, 0, sv[1], give, .class = CLASS_RELAY, .nonce = 1,
	    .addr = "x", .accept = "", .request = "",
	    .bytes = { (const uint8_t *)"no head", 7 });
	ok(recv(sv[0], &c, 1, 0) <= 0, "a connection without a head is closed");
	ok(passes(pair[0], pair[1], 'c'), "and the others stay");
	close(sv[0]);
	close(pair[0]);
	close(pair[1]);
	ok(drive_leave(&d) == 0, "the parent goes: so does it");
}

/* ---- authd ---- */

static void
wrong_slot(void)
{
	int	fd = give(CLASS_RELAY, RESUME_NOT);

	seat(asked(), 1, SLOT_COUNT);
	close(fd);
}

static void
wrong_channel(void)
{
	int	fd = give(CLASS_RELAY, RESUME_NOT);

	seat(asked(), RELAY_CHANNELS, 0);
	close(fd);
}

static void
wrong_code(void)
{
	say(d.authd, close, .code = 99, .reason = "x");
}

static void
a_give(void)
{
	int	sv[2];

	loopback_pair(sv, 0);
	say_fd(d.authd, 0, sv[1], give, .class = CLASS_RELAY, .nonce = 1,
	    .addr = "", .accept = "", .request = "", .bytes = { NULL, 0 });
	close(sv[0]);
}

static void
short_close(void)
{
	say_raw(d.authd, IMSG_CLOSE, 0, -1, "\1", 1);
}

/* Its channel ends; the peers meet still, and the next authd hears of them. */
static void
authd_breaks(void (*how)(void), const char *what)
{
	struct msg_slot	in;
	int		pair[2], i, seen = 0;

	begin(pair);
	how();
	ok(hear_end(d.authd) == 0, "authd: %s: its channel is closed", what);
	ok(passes(pair[0], pair[1], 'd'), "what is joined goes on");
	drive_channel(&d);
	for (i = 0; i < 2; i++) {
		(void)hear(d.authd, slot, &in);
		seen |= in.taken ? 1 << in.slot : 0;
	}
	ok(seen == 3, "and the next one hears who is there");
	say(d.authd, close, .code = 1001, .reason = "session closed");
	ok(gets(pair[0], "\x88\x10\x03\xe9session closed", 18),
	    "and can end it");
	close(pair[0]);
	close(pair[1]);
	ok(drive_wait(&d) == 0, "it ends when they have gone");
}

/* It answers never, or is not there. */
static void
authd_silent(void)
{
	static const char	no[] = "HTTP/1.1 503 ";
	int			pair[2], fd;

	begin(pair);
	fd = give(CLASS_RELAY, RESUME_NOT);
	(void)asked();
	drive_clock(&d, 5100);
	ok(gets(fd, no, sizeof(no) - 1), "an authd that is silent: 503");
	close(fd);
	shut(&d.authd);
	fd = give(CLASS_RELAY, RESUME_NOT);
	ok(gets(fd, no, sizeof(no) - 1), "none at all: 503");
	close(fd);
	ok(passes(pair[0], pair[1], 'e'), "what is joined goes on");
	close(pair[0]);
	close(pair[1]);
	(void)drive_leave(&d);
}

/* An answer to what nobody has asked, or twice. */
static void
authd_twice(void)
{
	int		pair[2], fd;
	uint32_t	id;

	begin(pair);
	fd = give(CLASS_RELAY, RESUME_NOT);
	id = asked();
	seat(id, 3, SLOT_INITIATOR);
	ok(gets(fd, HEAD, sizeof(HEAD) - 1), "an answer");
	seat(id, 0, SLOT_INITIATOR);
	seat(id + 1000, 0, SLOT_INITIATOR);
	ok(passes(pair[0], pair[1], 'f'), "the same again moves nobody");
	close(fd);
	close(pair[0]);
	close(pair[1]);
	(void)drive_leave(&d);
}

/* Counters for authd, and that it is empty. */
static void
honest(void)
{
	struct msg_relay_stats	stats;
	struct msg_slot		in;
	int			pair[2];

	begin(pair);
	(void)hear(d.authd, relay_stats, &stats);
	ok(stats.in == 1 && stats.out == 1, "a byte each way is counted");
	close(pair[0]);
	do
		(void)hear(d.authd, slot, &in);
	while (in.taken);
	ok(in.code == 1006, "a loss is told");
	ok(gets(pair[1], "\x88\x16\x03\xe9peer connection lost", 24),
	    "to the other, too");
	close(pair[1]);
	(void)hear(d.authd, relay_empty, NULL);
	ok(1, "and that nobody is left");
	(void)drive_leave(&d);
}

int
main(void)
{
	honest();
	parent_breaks(wrong_class, "a connection of another kind");
	parent_breaks(wrong_resume, "a kind of leg that is none");
	parent_breaks(no_socket, "GIVE without a socket");
	parent_breaks(not_its_own, "what only authd says");
	parent_breaks(no_message, "a message that is none");
	parent_breaks(cut_short, "GIVE cut short");
	no_head();
	authd_breaks(wrong_slot, "a slot that is none");
	authd_breaks(wrong_channel, "a channel that is none");
	authd_breaks(wrong_code, "a close code that is none");
	authd_breaks(a_give, "what only the parent says");
	authd_breaks(short_close, "CLOSE cut short");
	authd_silent();
	authd_twice();
	return (done_testing());
}
