/* SPDX-License-Identifier: ISC */
/*
 * A new version, from the side of the new: read the table before anything else,
 * take what is in it, and replace who is of the old version; or, where
 * something is wrong, have the old program go on. TAKEOVER_BACK is the old
 * program, which takes everybody as they are.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/compat.h"
#include "base/log.h"
#include "entries.h"
#include "imsg/proto.h"
#include "signals.h"
#include "strangers.h"
#include "upgrade.h"

#define CHECK_SAYS_FD	3
#define CHECK_TABLE_FD	4
#define WHY_MAX		256

static struct {
	enum takeover_how	 how;
	int		 table, exe;
	const uint8_t	*p;
	size_t		 len;
	char		 why[WHY_MAX];		/* TAKEOVER_BACK */
	struct table_head head;
	char		 build[BUILD_SIZE], version[BUILD_SIZE];
} takeover = { .table = -1, .exe = -1 };

static void	takeover_done(void);

typedef void (*record_fn)(const struct table_record *);

enum takeover_how
takeover_how(void)
{
	return (takeover.how);
}

/* Each record of a type. */
static void
each(enum table_type type, record_fn fn)
{
	struct table_record	r;
	struct table_get	t;
	const char		*why;

	if (table_open(&t, takeover.p, takeover.len, &why) == -1)
		return;
	while (table_next(&t, &r, &why) == 1)
		if (r.type == type)
			fn(&r);
}

/*
 * Are its messages ours, those of the protocol before, or of the next one,
 * whose processes know ours? 0, or -1 with *why.
 */
static int
messages_judge(const char **why)
{
	const struct table_head	*h = &takeover.head;

	*why = "the messages between processes are others";
	if (h->protocol == PROTOCOL)
		return (h->messages == proto_sum(PROTOCOL) ? 0 : -1);
	if (h->protocol + 1 == PROTOCOL)
		return (h->messages == proto_sum(PROTOCOL - 1) ? 0 : -1);
	return (h->protocol == PROTOCOL + 1 &&
	    h->previous == proto_sum(PROTOCOL) ? 0 : -1);
}

/* Each speaks what we know; before an upgrade it can still be asked to. */
static int
child_judge(const struct table_child *c, const char **why)
{
	*why = "processes of an older version are still there: relayctl retire";
	return (proto_is_known(c->protocol) ||
	    (takeover.how == TAKEOVER_CHECK && c->protocol == PROTOCOL + 1) ?
	    0 : -1);
}

/* Can all of it be read? Keeps the head. 0, or -1 with *why. */
static int
table_judge(const char **why)
{
	struct table_record	r;
	struct table_get	t;
	int			n, first = 1;

	if (tablefile_map(takeover.table, &takeover.p, &takeover.len, why) == -1 ||
	    table_open(&t, takeover.p, takeover.len, why) == -1)
		return (-1);
	for (; (n = table_next(&t, &r, why)) == 1; first = 0) {
		if (first != (r.type == TABLE_HEAD)) {
			*why = "no head, or two";
			return (-1);
		}
		if (first)
			takeover.head = r.head;
		if (r.type == TABLE_CHILD && child_judge(&r.child, why) == -1)
			return (-1);
	}
	if (n == 0 && first)
		*why = "nothing in it";
	if (n != 0 || first)
		return (-1);
	return (messages_judge(why));
}

/* Our name is a descriptor's number, from fexecve(3). */
static void
names(void)
{
	(void)prctl(PR_SET_NAME, "relayd", 0, 0, 0);
	if (takeover.how != TAKEOVER_BACK)
		return;
	/* A fault may have brought us here. */
	signals_block();
}

#ifdef RELAYD_TESTING
/* What the test wants of us now. */
static void
test_word(char *word, size_t size)
{
	const char	*path = getenv("RELAYD_TEST_UPGRADE");
	FILE		*f;

	word[0] = '\0';
	if (path == NULL || (f = fopen(path, "re")) == NULL)
		return;
	if (fgets(word, (int)size, f) == NULL)
		word[0] = '\0';
	fclose(f);
}

/* Come no further as long as it says so. */
static void
test_hold(const char *here)
{
	char	word[16];

	do {
		usleep(20000);
		test_word(word, sizeof(word));
	} while (strcmp(word, here) == 0);
}

/* As a new program that is broken in a way that its look does not show. */
static void
test_fault(void)
{
	char	word[16];

	if (takeover.how != TAKEOVER_NEW)
		return;
	test_hold("wait");
	test_word(word, sizeof(word));
	if (strcmp(word, "crash") == 0)
		raise(SIGSEGV);
	if (strcmp(word, "exit") == 0)
		exit(1);
	if (strcmp(word, "hang") == 0) {
		(void)alarm(1);
		for (;;)
			pause();
	}
	if (strcmp(word, "table") == 0)
		takeover.table = STDERR_FILENO;		/* none */
}
#endif

static void
begin_taking(void)
{
	const char	*why;
	char		 text[WHY_MAX];

	names();
	(void)fcntl(takeover.table, F_SETFD, FD_CLOEXEC);
	if (takeover.how == TAKEOVER_NEW) {
		(void)fcntl(takeover.exe, F_SETFD, FD_CLOEXEC);
		goback_guard(takeover.table, takeover.exe, handover_write);
	}
#ifdef RELAYD_TESTING
	test_fault();
#endif
	if (table_judge(&why) == 0) {
		goback_table(takeover.p, takeover.len);
		strlcpy(takeover.build, takeover.head.build, sizeof(takeover.build));
		strlcpy(takeover.version, takeover.head.version,
		    sizeof(takeover.version));
		return;
	}
	snprintf(text, sizeof(text), "the new program cannot take over: "
	    "%s", why);
	if (takeover.how == TAKEOVER_NEW)
		goback_now(text);
	_exit(1);
}

enum takeover_how
takeover_begin(void)
{
	const char	*text = getenv(TABLE_VARIABLE);
	int		 n = 0;

	if (text == NULL)
		return (TAKEOVER_NOT);
	if (strcmp(text, "check") == 0)
		takeover.how = TAKEOVER_CHECK;
	else if (sscanf(text, "new %d %d", &takeover.table, &takeover.exe) == 2)
		takeover.how = TAKEOVER_NEW;
	else if (sscanf(text, "back %d %n", &takeover.table, &n) == 1 && n > 0) {
		takeover.how = TAKEOVER_BACK;
		strlcpy(takeover.why, text + n, sizeof(takeover.why));
	}
	unsetenv(TABLE_VARIABLE);
	if (takeover.how == TAKEOVER_NEW || takeover.how == TAKEOVER_BACK)
		begin_taking();
	return (takeover.how);
}

/* ---- descriptors ---- */

static int	*kept;
static size_t	 nkept;

static void
keep(uint32_t fd, uint64_t inode)
{
	int	*p;

	if (inode == 0 || tablefile_inode((int)fd) != inode)
		return;
	(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	if ((p = reallocarray(kept, nkept + 1, sizeof(*p))) == NULL)
		fatalx("out of memory");
	kept = p;
	kept[nkept++] = (int)fd;
}

static void
keep_record(const struct table_record *r)
{
	switch (r->type) {
	case TABLE_CHILD:
		keep(r->child.chan, r->child.chan_inode);
		keep(r->child.log, r->child.log_inode);
		break;
	case TABLE_DOOR:
		keep(r->door.fd, r->door.inode);
		break;
	case TABLE_DESK:
		keep(r->desk.fd, r->desk.inode);
		break;
	case TABLE_PROGRAM:
		keep(r->program.fd, r->program.inode);
		break;
	case TABLE_ENTRY:
		keep(r->entry.fd, r->entry.inode);
		break;
	default:
		break;
	}
}

static int
by_number(const void *a, const void *b)
{
	return (*(const int *)a - *(const int *)b);
}

void
takeover_close_others(int first)
{
	enum table_type	type;
	size_t		i;
	int		fd = first;

	if (takeover.how == TAKEOVER_NOT) {
		closefrom(first);
		return;
	}
	for (type = TABLE_HEAD; type < TABLE_TYPES; type++)
		each(type, keep_record);
	keep((uint32_t)takeover.table, tablefile_inode(takeover.table));
	if (takeover.exe != -1)
		keep((uint32_t)takeover.exe, tablefile_inode(takeover.exe));
	qsort(kept, nkept, sizeof(*kept), by_number);
	for (i = 0; i < nkept; i++) {
		for (; fd < kept[i]; fd++)
			(void)close(fd);
		fd = kept[i] + 1;
	}
	closefrom(fd);
	free(kept);
	kept = NULL;
}

/* ---- relayd -n ---- */

int
takeover_check(void)
{
	char			 err[1200], says[128];
	const char		*why;

#ifdef RELAYD_TESTING
	test_hold("look");
#endif
	takeover.table = CHECK_TABLE_FD;
	if (program_judge_all(err, sizeof(err)) == -1) {
		fprintf(stderr, "%s\n", err);
		return (-1);
	}
	if (table_judge(&why) == -1) {
		fprintf(stderr, "the new program cannot take over: %s\n",
		    why);
		return (-1);
	}
	snprintf(says, sizeof(says), TABLE_SAYS "%u\n",
	    (unsigned)PROTOCOL);
	return (write(CHECK_SAYS_FD, says, strlen(says)) > 0 ? 0 : -1);
}

/* ---- taking ---- */

static void
take_door(const struct table_record *r)
{
	if (tablefile_inode((int)r->door.fd) == r->door.inode)
		listen_take_door(&r->door);
}

static void
take_desk(const struct table_record *r)
{
	if (tablefile_inode((int)r->desk.fd) == r->desk.inode)
		listen_take_desk(&r->desk);
}

static void
take_entry(const struct table_record *r)
{
	if (tablefile_inode((int)r->entry.fd) == r->entry.inode)
		entries_take(&r->entry);
}

void
takeover_listeners(void)
{
	each(TABLE_ENTRY, take_entry);
	each(TABLE_DOOR, take_door);
	each(TABLE_DESK, take_desk);
}

static void
take_program(const struct table_record *r)
{
	if (tablefile_inode((int)r->program.fd) == r->program.inode)
		spawn_take_program(&r->program,
		    takeover.how == TAKEOVER_NEW);
}

static void
take_pass(const struct table_record *r)
{
	give_take(&r->pass);
}

static void
take_drain(const struct table_record *r)
{
	env()->drain_until = r->drain.until;
}

static void
take_member(const struct table_record *r)
{
	const struct table_member	*in = &r->member;
	const struct conf		*c = &env()->conf;

	if (strcmp(in->name, c->cluster_name) != 0 ||
	    (strcmp(in->address, c->cluster_address) == 0 &&
	    in->port == c->cluster_port))
		return;
	strlcpy(env()->was_at, in->address, sizeof(env()->was_at));
	env()->was_port = in->port;
}

/* It may have ended, where a fault of the new one was in between. */
static int
is_there(pid_t pid)
{
	siginfo_t	si;

	return (pid > 0 && waitid(P_PID, (id_t)pid, &si,
	    WEXITED | WNOHANG | WNOWAIT) == 0);
}

static void
take_child(const struct table_record *r)
{
	const struct table_child	*in = &r->child;
	int				 chan = (int)in->chan;
	int				 lines = (int)in->log;

	if (in->chan_inode == 0 || tablefile_inode(chan) != in->chan_inode)
		chan = -1;
	if (in->log_inode == 0 || tablefile_inode(lines) != in->log_inode)
		lines = -1;
	if (!is_there((pid_t)in->pid) || in->role >= ROLE_COUNT ||
	    role_info(in->role)->many == MANY_NONE ||
	    in->state > CHILD_STOPPING || child_restore(in,
	    takeover.how == TAKEOVER_NEW, chan, lines) == NULL) {
		log_warnx("upgrade: %s %llu is not taken over",
		    role_name(in->role), (unsigned long long)in->instance);
		if (chan != -1)
			close(chan);
		if (lines != -1)
			close(lines);
	}
}

/* Who stops does not go back. */
static void
stopping(void)
{
	if (!env()->guarded)
		return;
	goback_over();
	admin_upgraded(409, "relayd is stopping");
}

void
takeover_children(void)
{
	supervise_on_stop(stopping);
	child_number_from(takeover.head.last_instance + 1);
	each(TABLE_PROGRAM, take_program);
	each(TABLE_CHILD, take_child);
	each(TABLE_PASS, take_pass);
	each(TABLE_DRAIN, take_drain);
	each(TABLE_MEMBER, take_member);
	env()->asked_by = takeover.head.asked_by;
	env()->asked_id = takeover.head.asked_id;
	log_info("upgrade: %zu processes taken over from %s", child_all(),
	    takeover.build);
	goback_taken();
	supervise_take(takeover.head.serving, takeover.how == TAKEOVER_NEW ?
	    replace_init(takeover_done) : NULL);
	if (takeover.how == TAKEOVER_NEW)
		return;
	strangers_find(STOP_MS);
	log_warnx("upgrade: not done: %s", takeover.why);
	admin_upgraded(500, takeover.why);
}

/* ---- all is well, or not ---- */

static void
takeover_done(void)
{
	char	text[256];

	goback_over();
	spawn_forget_old();
	entries_settled();
	close(takeover.table);
	snprintf(text, sizeof(text), "upgraded from %s to %s", takeover.build,
	    build_id);
	log_info("%s", text);
	admin_upgraded(0, text);
}
