/* SPDX-License-Identifier: ISC */
/*
 * Much at once through a real muxd: streams in both directions with uneven
 * pieces, one asker that stops for a while, a slow client, authd gone and back
 * in the middle, pings all the time. Every byte is checked by its place.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/muxd_story.h"
#include "regress/lib/tap.h"

#define STREAMS	16
#define TOTAL	(3 * 1024 * 1024 + 77)	/* bytes each way on each stream */
#define STALLED	5		/* does not read until others have half */

struct side {
	int	 fd;
	size_t	 asker_sent, asker_got;		/* at the asker */
	size_t	 client_sent, client_got;	/* at the client */
	size_t	 window;		/* what muxd lets the client send */
	size_t	 owed;			/* credit not yet given to muxd */
	int	 fin;
};

static struct side	 side[STREAMS];
static struct mux	 d;
static unsigned		 dice = 12345;
static int		 wrong;

static unsigned
roll(unsigned n)
{
	dice = dice * 1103515245 + 12345;
	return ((dice >> 8) % n);
}

/* The byte at a place of a stream, one way (0) or the other (1). */
static uint8_t
pattern(int stream, int way, size_t at)
{
	return ((uint8_t)((at >> 10) * 31 + at * 7 + (size_t)stream * 13 +
	    (size_t)way * 101));
}

static void
fill(uint8_t *buf, int stream, int way, size_t at, size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++)
		buf[i] = pattern(stream, way, at + i);
}

static void
check(const uint8_t *buf, int stream, int way, size_t at, size_t len)
{
	size_t	i;

	for (i = 0; i < len && wrong == 0; i++)
		if (buf[i] != pattern(stream, way, at + i)) {
			wrong = 1;
			diag("stream %d way %d: wrong byte at %zu", stream,
			    way, at + i);
		}
}

static void
asker_turn(int i)
{
	static uint8_t	 buf[65536];
	struct side	*s = &side[i];
	size_t		 n;
	ssize_t		 r;

	if (s->asker_sent < TOTAL) {
		n = 1 + roll(roll(8) == 0 ? 60000 : 3000);
		if (n > TOTAL - s->asker_sent)
			n = TOTAL - s->asker_sent;
		fill(buf, i, 0, s->asker_sent, n);
		if ((r = write(s->fd, buf, n)) > 0)
			s->asker_sent += (size_t)r;
	}
	if (i == STALLED && side[0].asker_got < TOTAL / 2)
		return;
	if ((r = read(s->fd, buf, 1 + roll(sizeof(buf)))) > 0) {
		check(buf, i, 1, s->asker_got, (size_t)r);
		s->asker_got += (size_t)r;
	}
}

static void
client_turn(int i)
{
	static uint8_t	 buf[65536];
	struct side	*s = &side[i];
	size_t		 n;

	if (s->client_sent == TOTAL)
		return;
	n = 1 + roll(roll(4) == 0 ? 60000 : 2000);
	if (n > TOTAL - s->client_sent)
		n = TOTAL - s->client_sent;
	if (n > s->window)
		n = s->window;
	if (n == 0)
		return;
	fill(buf, i, 1, s->client_sent, n);
	client_frame(&d, YM_DATA, 0, (uint32_t)i * 2 + 2, (uint32_t)n, buf, n);
	s->client_sent += n;
	s->window -= n;
}

static void
client_take(const struct frame *f)
{
	struct side	*s;
	int		 i = (int)(f->id / 2) - 1;

	if (f->type == YM_PING || f->type == YM_GOAWAY)
		return;
	s = &side[i];
	if (f->type == YM_WINDOW) {
		s->window += f->len;
		return;
	}
	check(f->data, i, 0, s->client_got, f->len);
	s->client_got += f->len;
	s->owed += f->len;
	if (s->owed >= 100000 + roll(100000)) {
		client_frame(&d, YM_WINDOW, 0, f->id, (uint32_t)s->owed, NULL,
		    0);
		s->owed = 0;
	}
}

/* authd lends what is asked for; when it is new it hears of all streams. */
static void
authd_turn(int *announced)
{
	struct msg_credit_ask	ask;
	struct imsg		m;

	while (hear_any(d.d.authd, &m, 0) > 0) {
		*announced += m.type == IMSG_ANNOUNCE_STREAM;
		if (get_credit_ask(&m, &ask) == 0)
			say_id(d.d.authd, m.id, credit, .mib = ask.mib);
	}
}

static void
begin(void)
{
	struct frame	f;
	char		ok_line[3];
	uint32_t	id;
	int		i;

	mux_up(&d);
	for (i = 0; i < STREAMS; i++) {
		id = (uint32_t)i * 2 + 2;
		side[i].fd = asker_open(&d, (uint64_t)i + 1, "web");
		if (!client_expect(&d, id, 0, &f))
			bail_out("no CONNECT");
		client_frame(&d, YM_DATA, YM_ACK, id, 3, "OK\n", 3);
		if (asker_read(side[i].fd, ok_line, 3) != 3)
			bail_out("no OK");
		side[i].window = 262144 - 3;
		fcntl(side[i].fd, F_SETFL, O_NONBLOCK);
	}
}

static int
finished(void)
{
	int	i;

	for (i = 0; i < STREAMS; i++)
		if (side[i].asker_got < TOTAL || side[i].client_got < TOTAL)
			return (0);
	return (1);
}

int
main(void)
{
	struct frame	f;
	uint64_t	limit;
	size_t		moved = 0, last = 0;
	int		i, announced = 0, gone = 0, back = 0, pings = 0;

	begin();
	limit = now_ms() + WAIT_MS;
	while (!finished() && !wrong && now_ms() < limit) {
		for (i = 0; i < STREAMS; i++) {
			asker_turn(i);
			client_turn(i);
		}
		/* Half of the time the client is slow to read. */
		if (roll(2) == 0)
			while (client_next(&d, &f, 0))
				client_take(&f);
		if (!gone && side[1].client_got > TOTAL / 4) {
			shut(&d.d.authd);
			gone = 1;
		}
		if (gone && !back && side[1].client_got > TOTAL / 2) {
			drive_channel(&d.d);
			back = 1;
		}
		if (d.d.authd != -1)
			authd_turn(&announced);
		for (moved = 0, i = 0; i < STREAMS; i++)
			moved += side[i].asker_got + side[i].client_got;
		if (moved != last)
			limit = now_ms() + WAIT_MS;
		last = moved;
		if (pings < 3 && d.pongs == pings) {
			client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
			pings++;
		}
	}
	ok(finished(), "tunnel-22(partial): all streams finish, both ways");
	ok(!wrong, "and every byte is where it belongs");
	is_int(announced, STREAMS, "authd came back in the middle");
	while (d.pongs < 3 && client_next(&d, &f, WAIT_MS))
		continue;
	is_int(d.pongs, 3, "tunnel-26(partial): pings are answered meanwhile");
	for (i = 0; i < STREAMS; i++) {
		client_frame(&d, YM_WINDOW, YM_FIN, (uint32_t)i * 2 + 2, 0,
		    NULL, 0);
		fcntl(side[i].fd, F_SETFL, 0);
		side[i].fin = (int)asker_read(side[i].fd, &f, 1);
		close(side[i].fd);
	}
	for (i = 0; i < STREAMS && side[i].fin == 0; i++)
		if (!client_expect(&d, (uint32_t)i * 2 + 2, YM_FIN, &f))
			break;
	is_int(i, STREAMS, "tunnel-23(partial): FIN both ways, once each");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
	return (done_testing());
}
