/* SPDX-License-Identifier: ISC */
/*
 * A channel without memory for a message: of an answer no end comes without all of
 * its parts; what nobody has asked for is not lost in silence.
 */
#include <stdlib.h>

static int	 lacking;

static void *
flaky_malloc(size_t size)
{
	return (lacking ? NULL : malloc(size));
}

#define malloc	flaky_malloc
#include "imsg/chan.c"		/* NOLINT(bugprone-suspicious-include) */
#undef malloc

#include <sys/wait.h>

#include "regress/lib/tap.h"

static struct event_base	*base;
static int			 closed, offended;
static char			 reason_was[64];

static const struct dispatch	table[] = {
	{ IMSG_CREDIT, ROLE_BIT(ROLE_CONTROL), S_ANY, MF_ANSWER, NULL },
};

static void
on_closed(struct chan *c, int offence, const char *reason)
{
	closed++;
	offended = offence;
	strlcpy(reason_was, reason, sizeof(reason_was));
	chan_free(c);
}

static struct chan *
fresh(int *far)
{
	struct chan	*c;
	int		 sv[2];

	closed = 0;
	if (imsg_pair(sv) == -1)
		exit(1);
	*far = sv[1];
	if ((c = chan_new(base, sv[0], ROLE_CONTROL, table, 1, on_closed,
	    NULL)) == NULL)
		exit(1);
	return (c);
}

/* The type of the next message, 0: there is none. */
static uint32_t
comes(int far, uint32_t *id)
{
	uint8_t		buf[IMSG_MAX];
	uint32_t	type;
	int		fd;

	if (imsg_recv(far, buf, &fd) <= 0)
		return (0);
	memcpy(&type, buf, 4);
	memcpy(id, buf + 4, 4);
	return (proto_type(PROTOCOL, type));
}

static int
done(struct chan *c, uint32_t id)
{
	return (say_ctl_done(c, id, -1, &(struct msg_ctl_done){
	    .text = "" }));
}

static int
row(struct chan *c, uint32_t id)
{
	return (say_ctl_text(c, id, -1, &(struct msg_ctl_text){
	    .bytes = { (const uint8_t *)"x", 1 } }));
}

static void
answers(void)
{
	struct chan	*c;
	uint32_t	 id;
	int		 far;

	c = fresh(&far);
	ok(row(c, 7) == 0 && comes(far, &id) == IMSG_CTL_TEXT && id == 7,
	    "a part of an answer");
	lacking = 1;
	is_int(row(c, 7), -1, "without memory for the next one");
	lacking = 0;
	ok(row(c, 7) == -1 && done(c, 7) == -1 && comes(far, &id) == 0,
	    "there is none behind it, and no end");
	lacking = 1;
	(void)say_jwk_key(c, 5, -1, &(struct msg_jwk_key){ .kid = "",
	    .alg = "" });
	lacking = 0;
	ok(say_issuer_said(c, 5, -1, &(struct msg_issuer_said){ .why = "",
	    .authorization = "", .token = "", .device = "", .algs = "" }) == -1,
	    "nor behind keys of an issuer");
	ok(row(c, 8) == 0 && done(c, 8) == 0 &&
	    comes(far, &id) == IMSG_CTL_TEXT &&
	    comes(far, &id) == IMSG_CTL_DONE && id == 8,
	    "another answer is whole");
	event_base_loop(base, EVLOOP_NONBLOCK);
	is_int(closed, 0, "and the channel goes on");
	chan_free(c);
	close(far);
}

static void
told(void)
{
	struct chan	*c;
	pid_t		 pid;
	int		 far, status;

	c = fresh(&far);
	lacking = 1;
	ok(say_ping(c, 0) == -1 && done(c, 9) == -1,
	    "what is said again, and what somebody waits for");
	lacking = 0;
	event_base_loop(base, EVLOOP_NONBLOCK);
	is_int(closed, 0, "may be missing");
	lacking = 1;
	is_int(say_stop(c, 0), -1, "what nobody has asked for is missing");
	lacking = 0;
	is_int(closed, 0, "under the sender's feet nothing ends");
	event_base_loop(base, EVLOOP_NONBLOCK);
	ok(closed == 1 && !offended, "but in the next turn the channel");
	is_str(reason_was, "out of memory", "with the reason");
	close(far);
	c = fresh(&far);
	lacking = 1;
	(void)say_event(c, 7, -1, &(struct msg_event){ .session = "",
	    .system = "" });
	lacking = 0;
	event_base_loop(base, EVLOOP_NONBLOCK);
	is_int(closed, 1, "who follows events is not left without one");
	close(far);
	c = fresh(&far);
	lacking = 1;
	(void)say_events_end(c, 7, -1, &(struct msg_events_end){ .why = "" });
	lacking = 0;
	event_base_loop(base, EVLOOP_NONBLOCK);
	is_int(closed, 1, "nor without their end");
	close(far);
	c = fresh(&far);
	c->role = ROLE_CLIENT;
	lacking = 1;
	is_int(done(c, 9), -1, "relayctl is not told the end of its answer");
	lacking = 0;
	event_base_loop(base, EVLOOP_NONBLOCK);
	ok(closed == 1 && !offended, "and does not wait for it");
	close(far);
	c = fresh(&far);
	if ((pid = fork()) == 0) {
		chan_must_say();
		lacking = 1;
		(void)say_stop(c, 0);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 1, "a process that starts anew ends");
	chan_free(c);
	close(far);
}

int
main(void)
{
	base = event_base_new();
	clock_init_any(base);
	answers();
	told();
	event_base_free(base);
	return (done_testing());
}
