/* SPDX-License-Identifier: ISC */
/*
 * What relayctl asks of the parent, by way of the control worker: processes,
 * reload, log level, and in test builds the clock and forbidden calls.
 */
#include <event2/event.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "ctl/ctl.h"
#include "metrics/table.h"
#include "upgrade.h"

#define SLICE		64	/* processes looked at before others get a turn */

/* One `show processes` under way. */
struct listing {
	uint64_t	who;		/* the control worker's instance */
	uint32_t	id;
	uint64_t	last;		/* instance shown last */
	struct timer	next;
};

/* One `test try`. */
struct trial {
	uint64_t	who;
	uint32_t	id;
	uint64_t	instance;
	char		call[16];
};

static void	ctl_row(struct chan *, uint32_t, const char *const *, size_t);
static void	ctl_done(uint64_t, uint32_t, unsigned, const char *);
static void	show_some(void *);

typedef void (*ctl_fn)(struct chan *, uint32_t, const char *const *words);

/* As many words as ctl.def says; answered now or later. */
#define C(NAME, word, pattern, words, answers, flags, help)		\
	CTL_OF_##answers(NAME, word)
#define CTL_OF_AUTHD(NAME, word)
#define CTL_OF_PARENT(NAME, word)					\
	static void	ctl_##word(struct chan *, uint32_t, const char *const *);
#include "ctl/ctl.def"
#undef CTL_OF_PARENT

static const ctl_fn	handlers[CTL_OP_COUNT] = {
#define CTL_OF_PARENT(NAME, word)	[CTL_##NAME] = ctl_##word,
#include "ctl/ctl.def"
#undef C
};

static char	next_request[REQUEST_SIZE];	/* of the CTL that follows */

int
admin_on_request(struct chan *chan, struct imsg *m)
{
	struct msg_ctl_request	in;

	(void)chan;
	if (get_ctl_request(m, &in) == -1)
		return (-1);
	strlcpy(next_request, in.request, sizeof(next_request));
	return (0);
}

/* control has checked all this; it would not ask otherwise. */
int
admin_on_ctl(struct chan *chan, struct imsg *m)
{
	struct msg_ctl	in;

	if (get_ctl(m, &in) == -1 || in.version != CTL_VERSION ||
	    ctl_check(in.op, in.words.n) != NULL || handlers[in.op] == NULL)
		return (-1);
	log_request(next_request);
	next_request[0] = '\0';
	handlers[in.op](chan, m->id, in.words.v);
	return (0);
}

static void
ctl_row(struct chan *chan, uint32_t id, const char *const *cells, size_t n)
{
	struct msg_ctl_row	row = { .cells = { .n = 0 } };
	size_t			i;

	for (i = 0; i < n && i < CTL_CELLS_MAX; i++)
		row.cells.v[row.cells.n++] = cells[i];
	(void)say_ctl_row(chan, id, -1, &row);
}

/* The asker may have been replaced meanwhile; then nobody waits any more. */
static struct chan *
ctl_chan(uint64_t who)
{
	struct child	*c = child_find(who);

	return (c == NULL ? NULL : c->chan);
}

static void
ctl_done(uint64_t who, uint32_t id, unsigned code, const char *text)
{
	struct chan	*chan = ctl_chan(who);

	if (chan == NULL)
		return;
	(void)say_ctl_done(chan, id, -1, &(struct msg_ctl_done){
	    .code = (uint16_t)code, .text = text });
}

/* show processes */

static void
ctl_show_processes(struct chan *chan, uint32_t id, const char *const *words)
{
	static const char *const	head[] = { "instance", "role", "pid",
	    "system", "session", "state", "uptime", "memory", "private",
	    "sandbox", "restarts", "program" };
	struct listing			*l;

	(void)words;
	if ((l = calloc(1, sizeof(*l))) == NULL) {
		ctl_done(chan_instance(chan), id, 503, "out of memory");
		return;
	}
	l->who = chan_instance(chan);
	l->id = id;
	timer_init(&l->next, show_some, l);
	ctl_row(chan, id, head, sizeof(head) / sizeof(head[0]));
	show_some(l);
}

static void
format_uptime(uint64_t ms, char *dst, size_t size)
{
	uint64_t	s = ms / 1000;

	if (s < 60)
		snprintf(dst, size, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(dst, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60,
		    s % 60);
	else if (s < 86400)
		snprintf(dst, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
		    s / 60 % 60);
	else
		snprintf(dst, size, "%" PRIu64 "d%02" PRIu64 "h", s / 86400,
		    s / 3600 % 24);
}

static void
format_layers(uint32_t layers, char *dst, size_t size)
{
	static const struct {
		uint32_t	 bit;
		const char	*name;
	} names[] = {
#define L(NAME, bit, word)	{ bit, word },
		SANDBOX_LAYERS
#undef L
	};
	size_t	i;

	dst[0] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(layers & names[i].bit))
			continue;
		if (dst[0] != '\0')
			strlcat(dst, ",", size);
		strlcat(dst, names[i].name, size);
	}
	if (dst[0] == '\0')
		strlcpy(dst, "-", size);
}

/* Resident memory, from what everyone may read. */
static void
memory_resident(pid_t pid, char *dst, size_t size)
{
	uint64_t	bytes;

	if (usage_memory(pid, &bytes) == 0)
		snprintf(dst, size, "%" PRIu64 "K", bytes / 1024);
	else
		strlcpy(dst, "-", size);
}

/* Pages that nobody shares; only root may look into one that cannot dump. */
static void
memory_private(pid_t pid, char *dst, size_t size)
{
	char		path[64], line[256];
	uint64_t	sum = 0, kib;
	int		found = 0;
	FILE		*f;

	strlcpy(dst, "-", size);
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Private_Clean: %" SCNu64, &kib) != 1 &&
		    sscanf(line, "Private_Dirty: %" SCNu64, &kib) != 1)
			continue;
		sum += kib;
		found = 1;
	}
	fclose(f);
	if (found)
		snprintf(dst, size, "%" PRIu64 "K", sum);
}

/* A child, or ourselves (NULL). */
static void
show_row(struct chan *chan, uint32_t id, const struct child *c)
{
	char	instance[24], pid[16], uptime[32], memory[24], private[24];
	char	layers[96], restarts[16];
	pid_t	p = c == NULL ? getpid() : c->pid;

	snprintf(instance, sizeof(instance), "%" PRIu64,
	    c == NULL ? 0 : c->instance);
	snprintf(pid, sizeof(pid), "%d", (int)p);
	format_uptime(clock_ms() - (c == NULL ? env()->started_ms :
	    c->started_ms), uptime, sizeof(uptime));
	memory_resident(p, memory, sizeof(memory));
	memory_private(p, private, sizeof(private));
	format_layers(c == NULL ? 0 : c->layers, layers, sizeof(layers));
	snprintf(restarts, sizeof(restarts), "%u",
	    c == NULL ? 0 : supervise_restarts(c));
	ctl_row(chan, id, (const char *[]){ instance,
	    role_name(c == NULL ? ROLE_PARENT : c->role), pid,
	    c == NULL || c->system[0] == '\0' ? "-" : c->system,
	    c == NULL || c->session[0] == '\0' ? "-" : c->session,
	    c == NULL ? "ready" : c->leaving ? "leaving" :
	    c->role == ROLE_AUTHD && c->state == CHILD_READY &&
	    env()->drain_until != 0 ? "draining" :
	    child_state_name(c->state), uptime, memory,
	    private, layers, restarts, c != NULL && c->old ? "old" :
	    "current" }, 12);
}

static void
show_some(void *arg)
{
	struct listing	*l = arg;
	struct chan	*chan = ctl_chan(l->who);
	struct child	*c;
	int		 i;

	if (chan != NULL && l->last == 0)
		show_row(chan, l->id, NULL);
	c = child_after(l->last);
	for (i = 0; chan != NULL && c != NULL && i < SLICE; i++) {
		show_row(chan, l->id, c);
		l->last = c->instance;
		c = child_after(l->last);
	}
	if (chan != NULL && c != NULL) {
		timer_set(&l->next, 1);
		return;
	}
	ctl_done(l->who, l->id, 0, "");
	free(l);
}

/* show metrics */

struct answering {
	struct chan	*chan;
	uint32_t	 id;
};

static void
metric_row(void *arg, const char *name, const char *labels, const char *value)
{
	const struct answering	*a = arg;

	ctl_row(a->chan, a->id, (const char *[]){ name,
	    labels[0] != '\0' ? labels : "-", value }, 3);
}

static void
ctl_show_metrics(struct chan *chan, uint32_t id, const char *const *words)
{
	struct answering	a = { chan, id };

	(void)words;
	usage_wanted();
	ctl_row(chan, id, (const char *[]){ "metric", "labels", "value" }, 3);
	metrics_each(pages_all(), metric_row, &a);
	ctl_done(chan_instance(chan), id, 0, "");
}

#ifdef RELAYD_TESTING
static void
move_child(struct child *c, uint64_t ms)
{
	if (c->chan == NULL)
		return;
	(void)say_clock(c->chan, 0, -1, &(struct msg_clock){ .ms = ms });
}

/*
 * test clock MS: every process, this one included. Who asks for us is last,
 * behind the answer: or its own deadline for that answer would pass.
 */
static void
ctl_test_clock(struct chan *chan, uint32_t id, const char *const *words)
{
	struct child	*c;
	const char	*wrong;
	uint64_t	 ms;

	ms = (uint64_t)strtonum(words[0], 0, 1000LL * 86400 * 3660, &wrong);
	if (wrong != NULL) {
		ctl_done(chan_instance(chan), id, 400, "not milliseconds");
		return;
	}
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (c->chan != chan)
			move_child(c, ms);
	ctl_done(chan_instance(chan), id, 0, "clock moved");
	(void)say_clock(chan, 0, -1, &(struct msg_clock){ .ms = ms });
	clock_move(ms);
}

static int
test_tried(struct chan *chan, struct imsg *m, void *arg)
{
	struct msg_tried	 in;
	struct trial		*t = arg;
	struct chan		*asker = ctl_chan(t->who);
	char			 instance[24], result[64] = "killed";
	const char		*name;

	(void)chan;
	if (m != NULL) {
		if (get_tried(m, &in) == -1) {
			free(t);
			return (-1);
		}
		name = strerrorname_np((int)in.error);
		snprintf(result, sizeof(result), in.error == 0 ? "worked" :
		    "errno %s", name == NULL ? "unknown" : name);
	}
	snprintf(instance, sizeof(instance), "%" PRIu64, t->instance);
	if (asker != NULL) {
		ctl_row(asker, t->id, (const char *[]){ "instance", "call",
		    "result" }, 3);
		ctl_row(asker, t->id, (const char *[]){ instance, t->call,
		    result }, 3);
		ctl_done(t->who, t->id, 0, "");
	}
	free(t);
	return (0);
}

/* test try INSTANCE CALL */
static void
ctl_test_try(struct chan *chan, uint32_t id, const char *const *words)
{
	static const char *const	calls[TRY_COUNT] = { "", "open",
	    "connect", "fork", "exec", "ptrace", "kill" };
	struct child			*c;
	struct trial			*t;
	const char			*call = words[1];
	uint32_t			 request;
	int				 i;

	c = child_find((uint64_t)strtonum(words[0], 1, INT64_MAX, NULL));
	for (i = TRY_OPEN; i < TRY_COUNT && strcmp(call, calls[i]) != 0; i++)
		continue;
	if (i == TRY_COUNT || c == NULL || c->chan == NULL) {
		ctl_done(chan_instance(chan), id, 404,
		    i == TRY_COUNT ? "no such call" : "no such instance");
		return;
	}
	if ((t = calloc(1, sizeof(*t))) == NULL ||
	    (request = chan_call(c->chan, RELOAD_MS, test_tried, t)) == 0) {
		free(t);
		ctl_done(chan_instance(chan), id, 503, "out of memory");
		return;
	}
	t->who = chan_instance(chan);
	t->id = id;
	t->instance = c->instance;
	strlcpy(t->call, call, sizeof(t->call));
	(void)say_try(c->chan, request, -1, &(struct msg_try){
	    .call = (uint8_t)i });
}
#endif

static void
ctl_reload(struct chan *chan, uint32_t id, const char *const *words)
{
	(void)words;
	reload_start(ctl_done, chan_instance(chan), id);
}

static void
ctl_upgrade(struct chan *chan, uint32_t id, const char *const *words)
{
	(void)words;
	upgrade_start(ctl_done, chan_instance(chan), id);
}

static void
ctl_retire(struct chan *chan, uint32_t id, const char *const *words)
{
	char	text[64];
	size_t	n = retire_start();

	(void)words;
	snprintf(text, sizeof(text), "%zu process%s of before %s asked", n,
	    n == 1 ? "" : "es", n == 1 ? "is" : "are");
	ctl_done(chan_instance(chan), id, 0, text);
}

void
admin_upgraded(unsigned code, const char *text)
{
	ctl_done(env()->asked_by, env()->asked_id, code, text);
	env()->asked_by = 0;
}

/* The log level of all processes. */
static void
log_level_all(int verbose)
{
	struct child	*c;

	env()->verbose = verbose;
	log_verbose(verbose);
	for (c = child_after(0); c != NULL; c = child_after(c->instance)) {
		if (c->chan == NULL)
			continue;
		(void)say_loglevel(c->chan, 0, -1, &(struct msg_loglevel){
		    .verbose = (uint8_t)verbose });
	}
}

static void
ctl_log_brief(struct chan *chan, uint32_t id, const char *const *words)
{
	(void)words;
	log_level_all(0);
	ctl_done(chan_instance(chan), id, 0, "log is brief");
}

static void
ctl_log_verbose(struct chan *chan, uint32_t id, const char *const *words)
{
	(void)words;
	log_level_all(1);
	ctl_done(chan_instance(chan), id, 0, "log is verbose");
}
