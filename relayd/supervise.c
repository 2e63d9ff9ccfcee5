/* SPDX-License-Identifier: ISC */
/*
 * The places that are always filled, the ends of children, and our own end.
 * Whatever happens to a child is seen twice: its channel ends (parent.c), and
 * SIGCHLD comes. Only the second forgets it.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "metrics/count.h"
#include "entries.h"
#include "strangers.h"
#include "upgrade.h"

#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	10000
#define BACKOFF_GOOD_MS	60000	/* alive so long: the next start is at once */
#define SLOTS_MAX	136	/* 64 proxyds, 64 tlsds, and some */
#define HEAD_START_MS	200	/* for termd to say 1001 before its stream goes */
#define WELL_MS		30000	/* a place may be empty, or full of one that hangs */
#define ON_STOP_MAX	2	/* upgrade.c, takeover.c */
#define AGAIN_MS	1000	/* a second signal so soon is the first's echo */

static struct {
	struct slot	slots[SLOTS_MAX];
	unsigned	nslots;
	int		all_ready, serving, noted;
	struct timer	head_start;
	int		told;		/* to stop: all up to this order */
	uint64_t	stop_ms;	/* when we were told to */
	const struct supervise_ops *who;	/* replaces old ones */
	void		(*on_stop[ON_STOP_MAX])(void);
} supervised;

static void	slot_start(void *);
static void	slot_again(struct slot *, uint64_t);
static void	slot_give_up(const struct slot *);
static void	slot_each(void (*)(struct slot *));
static void	slot_well(struct slot *);
static void	login_deadline(struct child *);
static void	count_end(const struct child *, int);
static void	child_ended(struct child *, int);
static void	stop_child(struct child *);
static void	stop_rest(void *);
static void	stop_up_to(int);
static void	stop_next(void);

unsigned
supervise_restarts(const struct child *c)
{
	return (c->slot == NULL ? 0 : c->slot->restarts);
}

static void
slot_add(int role, unsigned index)
{
	struct slot	*s;

	if (supervised.nslots == SLOTS_MAX)
		fatalx("more processes than there are places");
	s = &supervised.slots[supervised.nslots++];
	s->role = role;
	s->index = index;
	timer_init(&s->again, slot_start, s);
}

static void
slot_each(void (*fn)(struct slot *))
{
	unsigned	i;

	for (i = 0; i < supervised.nslots; i++)
		fn(&supervised.slots[i]);
}

static void
slot_first(struct slot *s)
{
	slot_start(s);
}

/* Is this place to be filled? */
static int
slot_is_wanted(const struct slot *s)
{
	return (limits_wants(&env()->conf, s->role));
}

/*
 * Who ends is replaced in 10 s at most, who hangs in less: a place that is
 * empty for longer than both we cannot fill. Nobody's tunnel depends on those
 * that are there for some configurations only.
 */
int
supervise_is_well(void)
{
	const struct slot	*s = supervised.slots;
	unsigned		 i;

	for (i = 0; supervised.noted && i < supervised.nslots; i++, s++)
		if (role_info(s->role)->many != MANY_METRICS &&
		    role_info(s->role)->many != MANY_ISSUERS &&
		    role_info(s->role)->many != MANY_PAIRS &&
		    clock_ms() - s->well_ms > WELL_MS)
			return (0);
	return (1);
}

/* authd first: the others find it there. */
static void
slots_make(void)
{
	unsigned	i;
	int		role;

	slot_add(ROLE_AUTHD, 0);
	for (role = 0; role < ROLE_COUNT; role++)
		for (i = 0; i < limits_places(&env()->conf, role); i++)
			if (role != ROLE_AUTHD)
				slot_add(role, i);
}

void
supervise_start(void)
{
	slots_make();
	slot_each(slot_first);
}

/* ---- in place of another program ---- */

struct slot *
supervise_slots(unsigned *n)
{
	*n = supervised.nslots;
	return (supervised.slots);
}

void
supervise_fill(struct slot *s)
{
	timer_del(&s->again);
	slot_start(s);
}

void
supervise_end(struct child *c)
{
	stop_child(c);
}

/* Until then, and a moment to stop. */
static void
leave_deadline(struct child *c)
{
	uint64_t	now = clock_ms();

	if (c->leave_ms != 0)
		timer_set(&c->deadline, (c->leave_ms > now ? c->leave_ms - now :
		    0) + STOP_MS);
}

void
supervise_leave(struct child *c, uint32_t seconds)
{
	if (c->chan == NULL || c->leaving || c->state == CHILD_STOPPING)
		return;
	c->leaving = 1;
	c->leave_ms = seconds > 0 ? clock_ms() + (uint64_t)seconds * 1000 : 0;
	(void)say_leave(c->chan, 0, -1, &(struct msg_leave){
	    .seconds = seconds });
	leave_deadline(c);
}

int
supervise_is_serving(void)
{
	return (supervised.serving);
}

void
supervise_on_stop(void (*fn)(void))
{
	unsigned	i = 0;

	while (i < ON_STOP_MAX && supervised.on_stop[i] != NULL)
		i++;
	if (i == ON_STOP_MAX)
		fatalx("more to tell of a stop than there is room for");
	supervised.on_stop[i] = fn;
}

int
supervise_is_noted(void)
{
	return (supervised.noted);
}

/* Into the place that it had, if that is there and nobody has it. */
static void
slot_take(struct child *c)
{
	struct slot	*s = supervised.slots;
	unsigned	 i;

	for (i = 0; i < supervised.nslots; i++, s++)
		if (s->role == c->role && s->index + 1 == c->place &&
		    s->child == NULL) {
			s->child = c;
			c->slot = s;
			s->was_ready = c->state != CHILD_STARTING;
			return;
		}
}

/* Each has as long as is left of what it had. */
static void
deadline_again(struct child *c)
{
	uint64_t	lived_ms = clock_ms() - c->started_ms;

	if (c->chan == NULL)
		return;
	if (c->state == CHILD_STOPPING)
		timer_set(&c->deadline, STOP_MS);
	else if (c->state == CHILD_STARTING)
		timer_set(&c->deadline, lived_ms < START_MS ?
		    START_MS - lived_ms : 0);
	else if (c->leaving)
		leave_deadline(c);
	else
		login_deadline(c);
}

void
supervise_take(int serving, const struct supervise_ops *who)
{
	struct child	*c;

	slots_make();
	supervised.serving = supervised.noted = serving;
	supervised.who = who;
	for (c = child_after(0); c != NULL; c = child_after(c->instance)) {
		deadline_again(c);
		if (c->place != 0 && (who == NULL || who->placed(c->role)))
			slot_take(c);
	}
	slot_each(slot_well);
	if (who != NULL)
		who->begin();
	else
		slot_each(slot_first);
	supervise_reap();
}

/* Fill the place; authd first hears of everyone who lives. */
static void
slot_start(void *arg)
{
	struct slot	*s = arg;

	if (env()->stopping || s->child != NULL || !slot_is_wanted(s))
		return;
	if (spawn_child(s->role, s, 0) == NULL) {
		if (s->was_ready || supervised.noted)
			slot_again(s, 0);
		else
			slot_give_up(s);
		return;
	}
	if (s->role == ROLE_AUTHD && (supervised.who == NULL ||
	    !supervised.who->turning()))
		authlink_all();
}

static void
slot_again(struct slot *s, uint64_t lived_ms)
{
	if (env()->stopping)
		return;
	if (s->backoff_ms == 0 || lived_ms >= BACKOFF_GOOD_MS)
		s->backoff_ms = BACKOFF_MIN_MS;
	s->restarts++;
	count(CT_RESTART_CONTROL + (unsigned)(s->role - ROLE_CONTROL));
	log_info("%s: starts again in %llu ms", role_name(s->role),
	    (unsigned long long)s->backoff_ms);
	timer_set(&s->again, s->backoff_ms);
	s->backoff_ms *= 2;
	if (s->backoff_ms > BACKOFF_MAX_MS)
		s->backoff_ms = BACKOFF_MAX_MS;
}

/* What a first start complains of will not go away by itself. */
static void
slot_give_up(const struct slot *s)
{
	log_warnx("cannot start: %s gave up", role_name(s->role));
	if (env()->guarded)
		goback_now("the new program cannot start its processes");
	env()->status = 1;
	supervise_stop();
}

static void
slot_count_unready(struct slot *s)
{
	if (!s->was_ready && slot_is_wanted(s))
		supervised.all_ready = 0;
}

/* "authd, control, 2 proxyd": each role once, with how many. */
static void
ready_note(void)
{
	const struct slot	*s;
	char			 one[48], text[512] = "";
	unsigned		 i;

	for (i = 0; i < supervised.nslots; i++) {
		s = &supervised.slots[i];
		if (s->index > 0 || !slot_is_wanted(s))
			continue;
		if (role_info(s->role)->many != MANY_PROXYDS &&
		    role_info(s->role)->many != MANY_TLSDS)
			snprintf(one, sizeof(one), "%s", role_name(s->role));
		else
			snprintf(one, sizeof(one), "%u %s",
			    limits_places(&env()->conf, s->role),
			    role_name(s->role));
		strlcat(text, i == 0 ? "" : ", ", sizeof(text));
		strlcat(text, one, sizeof(text));
	}
	log_info("ready: %s", text);
	notify_tell("READY=1");
}

/* From READY on authd has the say, but somebody has to log in. */
static void
login_deadline(struct child *c)
{
	uint64_t	lived_ms = clock_ms() - c->started_ms;

	if ((role_info(c->role)->flags & RF_LOGIN) && !c->bound)
		timer_set(&c->deadline, lived_ms < LOGIN_MS ?
		    LOGIN_MS - lived_ms : 0);
}

static void
slot_well(struct slot *s)
{
	s->well_ms = clock_ms();
}

/* All are there, and have what they serve from: said once. */
static void
ready_check(void)
{
	supervised.all_ready = 1;
	slot_each(slot_count_unready);
	if (!supervised.all_ready || !supervised.serving || supervised.noted)
		return;
	supervised.noted = 1;
	slot_each(slot_well);
	ready_note();
}

void
supervise_ready(struct child *c)
{
	timer_del(&c->deadline);
	if (c->state == CHILD_STARTING) {
		child_set_state(c, CHILD_READY);
		login_deadline(c);
	}
	if (c->slot != NULL && !c->slot->was_ready) {
		c->slot->was_ready = 1;
		ready_check();
	}
	if (supervised.who != NULL)
		supervised.who->ready(c);
}

void
supervise_serving(void)
{
	supervised.serving = 1;
	ready_check();
}

/* What it was given is its for life: it starts anew with that of now. */
void
supervise_optional(int role, int changed)
{
	struct slot	*s = supervised.slots;

	while (s->role != role)
		s++;
	if (s->child != NULL && changed) {
		s->moved = 1;
		stop_child(s->child);
	} else
		slot_start(s);
}

void
supervise_reap(void)
{
	struct child	*c;
	pid_t		 pid;
	struct rusage	 used;
	int		 status;

	for (;;) {
		pid = wait4(-1, &status, WNOHANG, &used);
		if (pid == -1 && errno == EINTR)
			continue;
		if (pid <= 0)
			break;
		if ((c = child_find_pid(pid)) == NULL) {
			(void)strangers_ended(pid, status);
			continue;
		}
		usage_ended(c, &used);
		child_ended(c, status);
	}
	if (env()->stopping)
		stop_next();
}

/* What a proxyd let in and is not logged in yet is nobody's share any more. */
static void
end_given(const struct child *door)
{
	struct child	*c;

	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (c->giver != door->instance)
			continue;
		else if (door->leaving)
			c->giver = 0;
		else
			kill_child(c, "its proxyd has gone");
}

/* A row of EACH_CHILD for it. */
static void
count_end(const struct child *c, int status)
{
	unsigned	first = c->killed ? CT_END_KILLED_CONTROL :
			    WIFSIGNALED(status) ? CT_END_SIGNAL_CONTROL :
			    WEXITSTATUS(status) != 0 ? CT_END_ERROR_CONTROL :
			    CT_END_EXIT_CONTROL;

	count(first + (unsigned)(c->role - ROLE_CONTROL));
	pages_ended(c);
}

/*
 * A signal that nobody sent: who made a worker crash waits before he tries the
 * next address of whatever he looks for.
 */
static void
tell_crash(const struct child *c, int status)
{
	struct child	*authd = child_authd();

	if (!(role_info(c->role)->flags & RF_LOGIN) || !WIFSIGNALED(status) ||
	    WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM ||
	    authd == NULL || authd->chan == NULL)
		return;
	(void)say_crashed(authd->chan, 0, -1, &(struct msg_crashed){
	    .instance = c->instance });
}

static void
child_ended(struct child *c, int status)
{
	struct slot	*s = c->slot;
	uint64_t	 lived_ms = clock_ms() - c->started_ms;
	char		 why[64];
	int		 surprise, follows, misfit = c->misfit;

	surprise = !c->killed && c->state != CHILD_STOPPING && !c->leaving &&
	    !(c->retiring && status == 0);
	count_end(c, status);
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "exit status %d",
		    WEXITSTATUS(status));
	/* What it had to say comes before that it has gone. */
	childlog_free(c->log);
	c->log = NULL;
	if (surprise && (WIFSIGNALED(status) || WEXITSTATUS(status) != 0 ||
	    s != NULL))
		log_warnx("%s: ended: %s", child_name(c), why);
	else
		log_debug("%s: ended: %s", child_name(c), why);
	if (role_info(c->role)->flags & RF_DOORS)
		end_given(c);
	entries_ended(c);
	if (surprise)
		tell_crash(c, status);
	follows = supervised.who != NULL && supervised.who->ended(c, why);
	child_free(c);
	if (follows)
		supervised.who->follow();
	if (s == NULL || env()->stopping || !slot_is_wanted(s))
		return;
	if (!surprise && s->moved) {
		s->moved = 0;
		slot_start(s);
		return;
	}
	if ((role_info(s->role)->flags & (RF_DOORS | RF_TLS)) &&
	    child_count(s->role) == 0)
		listen_prepare(s->role);
	if (!s->was_ready && !supervised.noted &&
	    (WIFEXITED(status) || misfit))
		slot_give_up(s);
	else
		slot_again(s, lived_ms);
}

/* The end. */

static void
stop_child(struct child *c)
{
	if (c->chan == NULL || c->state == CHILD_STOPPING)
		return;
	(void)say_stop(c->chan, 0);
	child_set_state(c, CHILD_STOPPING);
	timer_set(&c->deadline, STOP_MS);
}

/* Its place in the order of stopping. */
static int
stop_order(const struct child *c)
{
	unsigned	flags = role_info(c->role)->flags;

	return (flags & RF_FIRST ? 1 : flags & RF_LATE ? 3 :
	    flags & RF_LAST ? 4 : 2);
}

/*
 * Terminals first, so that operators hear why; then the proxyds, which finish
 * what runs through the tunnels; then the tunnels; then authd: all others have
 * still to tell it how their streams and sessions ended. A second signal cuts
 * this short.
 */
void
supervise_stop(void)
{
	struct child	*c;
	unsigned	 i;

	if (env()->stopping && clock_ms() - supervised.stop_ms < AGAIN_MS)
		return;
	if (env()->stopping) {
		for (c = child_after(0); c != NULL;
		    c = child_after(c->instance))
			kill_child(c, "asked to stop twice");
		return;
	}
	env()->stopping = 1;
	gauge(CT_STOPPING, 1);
	supervised.stop_ms = clock_ms();
	log_info("stopping");
	for (i = 0; i < ON_STOP_MAX && supervised.on_stop[i] != NULL; i++)
		supervised.on_stop[i]();
	entries_close();
	notify_tell("STOPPING=1");
	timer_init(&supervised.head_start, stop_rest, NULL);
	stop_next();
	if (supervised.told == 1)
		timer_set(&supervised.head_start, HEAD_START_MS);
}

/* Terminals that do not hurry do not hold the others up. */
static void
stop_rest(void *arg)
{
	(void)arg;
	if (supervised.told < 2)
		stop_up_to(2);
}

static void
stop_up_to(int order)
{
	struct child	*c;

	supervised.told = order;
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (stop_order(c) <= order)
			stop_child(c);
}

/* The next in order, when those before them have gone. */
static void
stop_next(void)
{
	struct child	*c;
	int		 first = 5;

	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (stop_order(c) < first)
			first = stop_order(c);
	if (first == 5)
		event_base_loopbreak(env()->base);
	else if (first > supervised.told)
		stop_up_to(first);
}
