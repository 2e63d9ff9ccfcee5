/* SPDX-License-Identifier: ISC */
/*
 * When the clients of an authd that drains are asked to go: none before a
 * balancer has seen that it drains, and then not all in the same moment, as all
 * would come back in it. several-daemons.md, section 4.
 */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"
#include "ws/ws.h"

#define TUNNELS		300
#define STEP_MS		100
#define SECOND		(1000 / STEP_MS)
#define FIRST		(2 * SECOND)	/* steps until the first may go */
#define EACH_SECOND	100
#define TICK		(SECOND / 2)	/* how late one may be */
#define STEPS		(8 * SECOND)

static struct far	*control, *proxyd;
static struct tunnel	 tunnel[TUNNELS];
static unsigned		 closed[STEPS];	/* in each step */

static void
come(void)
{
	char	 addr[ADDR_SIZE];
	int	 i, n = 0;

	for (i = 0; i < TUNNELS; i++) {
		snprintf(addr, sizeof(addr), "10.1.%d.%d", i / 250, i % 250);
		if (tunnel[i].key[0] == '\0')
			system_add(control, &tunnel[i], "");
		login(proxyd, &tunnel[i], "", "", addr);
		if (tunnel[i].status != 0)
			bail("a login: %d %s", tunnel[i].status,
			    tunnel[i].message);
		up(&tunnel[i], 1);
		n++;
	}
	is_int(n, TUNNELS, "tunnels");
}

/* Those that were asked meanwhile; all are with the same words. */
static unsigned
asked(void)
{
	struct msg_close	 in;
	struct imsg		 m;
	unsigned		 n = 0;
	int			 i;

	for (i = 0; i < TUNNELS; i++) {
		if (tunnel[i].mux == NULL ||
		    !hear_maybe(tunnel[i].mux->fd, IMSG_CLOSE, &m, 0))
			continue;
		if (get_close(&m, &in) == -1 || in.code != WS_GOING_AWAY ||
		    strcmp(in.reason, WS_REASON_DRAINING) != 0)
			bail("closed with %u %s", in.code, in.reason);
		far_close(tunnel[i].mux);
		tunnel[i].mux = NULL;
		n++;
	}
	return (n);
}

/* Most in a second, whenever that begins. */
static unsigned
most(void)
{
	unsigned	i, k, n, max = 0;

	for (i = 0; i + SECOND <= STEPS; i++) {
		for (k = n = 0; k < SECOND; k++)
			n += closed[i + k];
		if (n > max)
			max = n;
	}
	return (max);
}

static unsigned
sum(unsigned from, unsigned to)
{
	unsigned	n = 0;

	for (; from < to; from++)
		n += closed[from];
	return (n);
}

/* All go within `seconds` after the first two; `rate` of them in each. */
static void
drains(const char *time, unsigned seconds, unsigned rate)
{
	unsigned	i, end = FIRST + seconds * SECOND + TICK;

	is_int(ctl(control, &(struct rows){ 0 }, CTL_DRAIN, time, CTL_END), 0,
	    "a drain of %s s", time);
	for (i = 0; i < STEPS; i++) {
		drive_clock(&authd, STEP_MS);
		closed[i] = asked();
	}
	is_int((int)sum(0, FIRST - 1), 0, "none goes in the first two seconds");
	is_int((int)sum(0, end), TUNNELS, "all have been asked to, with 1001, "
	    "%u s later", seconds);
	/* Chance may put some more into one; all at once would be three times. */
	ok(most() <= rate * 3 / 2, "%u in the fullest second, of %u", most(),
	    rate);
	for (i = 1; i < seconds; i++)
		ok(sum(FIRST + i * SECOND, FIRST + (i + 1) * SECOND) >=
		    rate / 2, "%u in second %u", sum(FIRST + i * SECOND,
		    FIRST + (i + 1) * SECOND), i + 1);
}

/* A ticket keeps its session here for one's time, others behind it no longer. */
static void
made_again(const char *token)
{
	unsigned	i, life = (unsigned)drive_conf.ticket_lifetime * SECOND;

	system_add(control, &tunnel[0], "");
	login(proxyd, &tunnel[0], "", "", "10.1.0.1");
	up(&tunnel[0], 1);
	is_int(ctl(control, &(struct rows){ 0 }, CTL_DRAIN, "10m", CTL_END), 0,
	    "a drain while tickets are made again and again");
	for (i = 0; i < 2 * life && tunnel[0].mux != NULL; i++) {
		if (i % (3 * SECOND) == 0 && api_say(proxyd,
		    API_TERMINAL_TICKET, token, .session = tunnel[0].session)
		    != 200)
			bail("no ticket: %s", api_message);
		drive_clock(&authd, STEP_MS);
		(void)asked();
	}
	ok(i >= FIRST + life - 1, "it stays for one's time: %u", i);
	ok(i <= FIRST + life + 2 * TICK, "and for no longer");
}

int
main(void)
{
	char	*token;

	authd_init();
	authd_scene(&control, &proxyd, &token);
	come();
	drains("60", TUNNELS / EACH_SECOND, EACH_SECOND);
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd leaves in order");
	authd_scene(&control, &proxyd, &token);
	come();
	/* Half of it, without the two seconds at its beginning. */
	drains("8", 2, TUNNELS / 2);
	is_int(authd_scene_end(control, proxyd, token), 0, "and again");
	memset(tunnel, 0, sizeof(tunnel));
	authd_scene(&control, &proxyd, &token);
	made_again(token);
	is_int(authd_scene_end(control, proxyd, token), 0, "and once more");
	return (done_testing());
}
