/* SPDX-License-Identifier: ISC */
/*
 * From nothing to a child that has all it needs. Each role is a program of its
 * own; it gets two descriptors (channel and log) and next to no environment.
 */
#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat_spawn.h"
#include "base/log.h"
#include "upgrade.h"

#define KEPT_FD	16	/* above what a child starts with */

/* Room behind argv for the process title (proc_title). */
#define TITLE_ROOM	"RELAYD=" \
	"................................................................" \
	"................................................................"

static pid_t	spawn_program(int, int, int);
static void	spawn_environment(int, char **);
static void	spawn_configure(struct child *);
static void	spawn_late(void *);
static int	log_pair(int [2]);
static int	chan_pair(int, int [2]);
static int	is_full(const int [2]);
static void	programs_open(void);

static int	programs[ROLE_COUNT];	/* open since the start */
/* Those of the program before us, for the way back; 0: none. */
static int	old_programs[ROLE_COUNT];

/* What children may say, by who listens to it. */
static struct {
	const struct dispatch	*table;
	size_t			 rows;
	chan_closed_fn		 closed;
} says;

void
spawn_init(const struct dispatch *table, size_t rows, chan_closed_fn closed)
{
	programs_open();
	says.table = table;
	says.rows = rows;
	says.closed = closed;
}

struct child *
spawn_child(int role, struct slot *slot, uint64_t nonce)
{
	struct child	*c;
	int		 chan[2] = { -1, -1 }, lines[2] = { -1, -1 };
	pid_t		 pid;

	if ((c = child_new(role, slot, nonce)) == NULL)
		return (NULL);
	if (chan_pair(role, chan) == -1 || log_pair(lines) == -1 ||
	    is_full(chan) || is_full(lines) ||
	    (pid = spawn_program(role, chan[1], lines[1])) == -1) {
		log_warn("cannot start %s", role_name(role));
		goto fail;
	}
	close(chan[1]);
	close(lines[1]);
	child_set_pid(c, pid);
	c->log = childlog_new(c, lines[0]);
	c->chan = chan_new(env()->base, chan[0], role, says.table, says.rows,
	    says.closed, c);
	timer_init(&c->deadline, spawn_late, c);
	if (c->log == NULL || c->chan == NULL) {
		/* SIGCHLD comes as ever; the place is filled by our caller. */
		c->slot = NULL;
		kill_child(c, "out of memory");
		return (NULL);
	}
	chan_set_instance(c->chan, c->instance);
	timer_set(&c->deadline, START_MS);
	if (slot != NULL)
		slot->child = c;
	log_debug("%s: started", child_name(c));
	spawn_configure(c);
	return (c);
fail:
	if (chan[0] != -1) {
		close(chan[0]);
		close(chan[1]);
	}
	if (lines[0] != -1) {
		close(lines[0]);
		close(lines[1]);
	}
	childlog_free(c->log);
	c->log = NULL;
	child_free(c);
	return (NULL);
}

/* One that the program before us has started. */
int
spawn_adopt(struct child *c, int chan, int lines)
{
	timer_init(&c->deadline, spawn_late, c);
	if (lines != -1)
		c->log = childlog_new(c, lines);
	if (chan == -1) {
		timer_set(&c->deadline, STOP_MS);
		return (0);
	}
	c->chan = chan_new(env()->base, chan, c->role, says.table, says.rows,
	    says.closed, c);
	if (c->chan == NULL)
		return (-1);
	chan_speak(c->chan, c->protocol);
	chan_hear(c->chan, c->protocol);
	chan_set_instance(c->chan, c->instance);
	return (0);
}

/*
 * Packets, so that a line is a line, and a pipe, so that nothing but bytes
 * comes; each end is one's own never to block.
 */
static int
log_pair(int sv[2])
{
	return (pipe2(sv, O_DIRECT | O_NONBLOCK | O_CLOEXEC));
}

/* Who sends us no descriptor cannot; nothing is on its way yet. */
static int
chan_pair(int role, int sv[2])
{
	if (imsg_pair(sv) == -1)
		return (-1);
	if (!imsg_carries(says.table, says.rows, role))
		(void)imsg_refuse_fds(sv[0]);
	return (0);
}

static int
is_full(const int pair[2])
{
	errno = EMFILE;
	return (imsg_is_spare(pair[0]) || imsg_is_spare(pair[1]));
}

/* What the child finds in its environment: room, and in our builds a word. */
static void
spawn_environment(int role, char **envp)
{
	*envp++ = (char *)(uintptr_t)TITLE_ROOM;
	if (role_info(role)->many == MANY_DEMAND)
		*envp++ = (char *)(uintptr_t)LEAN_HEAP;
#ifdef RELAYD_SANITIZE
	static const char *const	pass[] = { "ASAN_OPTIONS",
	    "UBSAN_OPTIONS", "LSAN_OPTIONS", "RELAYD_SANITIZE_LOG" };
	static char			vars[4][1024];
	const char			*value;
	size_t				 i;

	for (i = 0; i < sizeof(pass) / sizeof(pass[0]); i++) {
		if ((value = getenv(pass[i])) == NULL)
			continue;
		snprintf(vars[i], sizeof(vars[i]), "%s=%s", pass[i], value);
		*envp++ = vars[i];
	}
#endif
	*envp = NULL;
}

static int
program_path(int role, char *path, size_t size)
{
	if ((size_t)snprintf(path, size, "%s/%s", env()->libexec,
	    role_name(role)) < size)
		return (0);
	errno = ENAMETOOLONG;
	return (-1);
}

int
spawn_find(char *err, size_t err_size)
{
	char	path[PATH_SIZE_MAX];
	int	role;

	for (role = 0; role < ROLE_COUNT; role++) {
		if (role_info(role)->many == MANY_NONE ||
		    (program_path(role, path, sizeof(path)) == 0 &&
		    access(path, X_OK) == 0))
			continue;
		snprintf(err, err_size, "%s/%s: %s (the programs of another "
		    "place: -L)", env()->libexec, role_name(role),
		    strerror(errno));
		return (-1);
	}
	return (0);
}

/*
 * Once: what is put in their place later does not become ours, and what is
 * missing later is still there for us.
 */
static void
programs_open(void)
{
	char	path[PATH_SIZE_MAX];
	int	role;

	for (role = 0; role < ROLE_COUNT; role++) {
		if (role_info(role)->many == MANY_NONE)
			continue;
		if (program_path(role, path, sizeof(path)) == -1 ||
		    (programs[role] = open(path, O_PATH | O_CLOEXEC)) == -1)
			fatal("cannot start: %s", path);
	}
}

/*
 * Those that this program's children came from, or on the way back the old's.
 */
void
spawn_save(struct table_put *t)
{
	struct table_record	r = { .type = TABLE_PROGRAM };
	const int		*from = env()->guarded ? old_programs :
				    programs;
	int			 role;

	for (role = 0; role < ROLE_COUNT; role++) {
		if (role_info(role)->many == MANY_NONE || from[role] == 0)
			continue;
		r.program = (struct table_program){ .name = role_name(role),
		    .fd = (uint32_t)from[role],
		    .inode = tablefile_inode(from[role]) };
		table_add(t, &r);
	}
}

void
spawn_take_program(const struct table_program *in, int old)
{
	int	role;

	for (role = 0; role < ROLE_COUNT; role++)
		if (role_info(role)->many != MANY_NONE &&
		    strcmp(role_name(role), in->name) == 0)
			break;
	if (role == ROLE_COUNT) {
		close((int)in->fd);
		return;
	}
	if (old) {
		old_programs[role] = (int)in->fd;
		return;
	}
	close(programs[role]);
	programs[role] = (int)in->fd;
}

void
spawn_forget_old(void)
{
	int	role;

	for (role = 0; role < ROLE_COUNT; role++) {
		if (old_programs[role] != 0)
			close(old_programs[role]);
		old_programs[role] = 0;
	}
}

pid_t
spawn_check(int role, char *const argv[], int fd)
{
	char	 path[PATH_SIZE_MAX], *envp[8];
	int	 program, saved, kept[2], i;
	pid_t	 pid;

	spawn_environment(role, envp);
	if (program_path(role, path, sizeof(path)) == -1 ||
	    (program = open(path, O_PATH | O_CLOEXEC)) == -1)
		return (-1);
	/* An upgrade's look has what it was given in these places. */
	for (i = 0; i < 2; i++)
		kept[i] = fcntl(PARENT_FD + i, F_DUPFD_CLOEXEC, KEPT_FD);
	pid = compat_spawn(path, program, argv, envp, PARENT_FD, &fd, 1);
	saved = errno;
	for (i = 0; i < 2; i++) {
		if (kept[i] == -1)
			continue;
		(void)dup3(kept[i], PARENT_FD + i, O_CLOEXEC);
		close(kept[i]);
	}
	close(program);
	errno = saved;
	return (pid);
}

/* PARENT_FD and LOG_FD are neighbours, and reserved in the parent. */
static pid_t
spawn_program(int role, int chan, int lines)
{
	char	 path[PATH_SIZE_MAX], name[32];
	char	*argv[] = { name, NULL }, *envp[8];
	int	 fds[] = { chan, lines };

	snprintf(name, sizeof(name), "%s", role_name(role));
	if (program_path(role, path, sizeof(path)) == -1)
		return (-1);
	spawn_environment(role, envp);
	return (compat_spawn(path, programs[role], argv, envp, PARENT_FD, fds,
	    2));
}

/* Whom to trust with TLS; without that nothing is fetched. */
static void
send_authorities(struct child *c)
{
	int	fd = open(env()->conf.ca_file, O_RDONLY | O_CLOEXEC |
		    O_NONBLOCK | O_NOCTTY);

	if (fd == -1) {
		log_warn("ca file %s", env()->conf.ca_file);
		return;
	}
	(void)say_keyfile(c->chan, 0, fd, &(struct msg_keyfile){
	    .kind = KEY_CA });
}

/*
 * CONF, LISTENER.., KEYFILE, CERT.., PEER.., CHANNEL, COUNTERS.., START: in
 * this order, without waiting.
 */
static void
spawn_configure(struct child *c)
{
	static uint8_t	 buf[CHUNK_MAX];
	struct env	*e = env();
	unsigned	 flags = role_info(c->role)->flags;
	uid_t		 uid;
	gid_t		 gid;
	long		 len;
	int		 doors;

	if ((len = conf_pack(&e->conf, c->role, buf, sizeof(buf))) == -1)
		fatalx("the configuration of %s is too long",
		    role_name(c->role));
	(void)say_conf(c->chan, 0, -1, &(struct msg_conf){
	    .conf = { buf, (size_t)len } });
	doors = listen_send(c);
	if (flags & RF_KEYS)
		keyfiles_send(c);
	if (flags & RF_DIALS)
		send_authorities(c);
	if ((flags & RF_CERTS) && certs_send(c, 0) == -1)
		log_warnx("%s: not all certificates", child_name(c));
	peers_join(c);
	if ((flags & RF_LINKED) && authlink_join(c) == -1)
		log_debug("%s: no authd to talk to yet", child_name(c));
	if (pages_send(c) == -1)
		log_warnx("%s: counts for itself", child_name(c));
	users_get(c->role, &uid, &gid);
	(void)say_start(c->chan, 0, -1, &(struct msg_start){
	    .uid = (uint32_t)uid, .gid = (uint32_t)gid,
	    .root = role_info(c->role)->room == ROOM_STORE ? e->store_dir :
	    e->empty_dir,
	    .verbose = (uint8_t)e->verbose });
#ifdef RELAYD_TESTING
	if (c->slot != NULL)
		(void)say_clock(c->chan, 0, -1, &(struct msg_clock){
		    .ms = clock_moved() });
#endif
	if ((flags & RF_DOORS) && acme_send(c) == -1)
		log_warnx("%s: not all challenges", child_name(c));
	if (doors == -1)
		kill_child(c, "nowhere to listen");
}

static void
spawn_late(void *arg)
{
	struct child	*c = arg;

	kill_hung(c, c->state == CHILD_STOPPING || c->chan == NULL ||
	    c->leaving ?
	    "does not stop" : c->state == CHILD_READY ? "did not log in" :
	    "did not become ready");
}
