/* SPDX-License-Identifier: ISC */
#ifndef RELAYD_H
#define RELAYD_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "proc/conf.h"
#include "base/log.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"

/*
 * The parent: what its files share. It parses no byte that came from the
 * network; what a child says is checked against parent_table.
 */

struct event_base;
struct child;
struct childlog;
struct metric_pages;

/* The one static struct of the process, in env.c. */
struct env {
	/* set once */
	struct event_base	*base;
	const char		*conf_path, *libexec;
	char			**argv;		/* as we were called */
	char			*conf_text;	/* -E; NULL: the file */
	int			 foreground, root;
	uint64_t		 started_ms;
	char			 store_dir[1024];	/* authd's root */
	char			 empty_dir[1024];	/* the others' */
	/* state */
	struct conf		 conf;
	int			 verbose;
	int			 stopping;
	int			 upgrading;	/* looking at a new program */
	int			 guarded;	/* we are new, and may go back */
	uint64_t		 asked_by;	/* for the upgrade; 0: nobody */
	uint32_t		 asked_id;
	uint64_t		 drain_until;	/* wall ms; 0: it does not */
	/* where others reached this member, until authd serves; "": as now */
	char			 was_at[PEER_SIZE];
	uint32_t		 was_port;
	int			 status;	/* what we exit with */
};
struct env	*env(void);

/*
 * source.c: once, before the configuration is read: of the environment, which a
 * reload does not read again, or of the file. 0, or -1: told on stderr. Then as
 * cfg_parse_file(), whichever it is.
 */
int	source_init(int from_env);
int	conf_read(struct conf *, void (*)(void *, int, const char *));

#define PATH_SIZE_MAX	1024
#define START_MS	(10 * 1000)	/* from spawn to READY */
#define LOGIN_MS	(30 * 1000)	/* from spawn to BOUND */
#define PROXYD_MAX	64
#define GIVES_EARLY	128	/* connections of a proxyd that wait for authd */
#define STOP_MS		(6 * 1000)	/* from STOP to SIGKILL */
#define RELOAD_MS	(5 * 1000)	/* for a child to judge its part */

/* ---- child.c: who lives ---- */

enum child_state { CHILD_STARTING, CHILD_READY, CHILD_STOPPING };

/* A place that is always filled: authd, control, each proxyd. */
struct slot {
	/* set once */
	int		 role;
	unsigned	 index;
	/* state */
	struct child	*child;		/* NULL: between two lives */
	struct timer	 again;
	uint64_t	 backoff_ms;
	unsigned	 restarts;
	int		 was_ready;
	uint64_t	 well_ms;	/* when who is there was well last */
	int		 moved;		/* told to stop, for another to start */
};

struct child {
	TAILQ_ENTRY(child)	 entry;		/* by instance */
	TAILQ_ENTRY(child)	 by_heard;
	LIST_ENTRY(child)	 by_instance, by_pid;
	/* set once */
	int			 role;
	uint64_t		 instance;
	pid_t			 pid;
	uint64_t		 nonce;		/* of the GIVE it was made for */
	uint64_t		 started_ms;
	struct slot		*slot;		/* NULL: made for one thing */
	/* state */
	struct chan		*chan;		/* NULL: has ended */
	struct childlog		*log;
	enum child_state	 state;
	int			 killed;	/* by us; its end is no surprise */
	struct timer		 deadline;	/* of the state */
	uint32_t		 layers;	/* SB_*, from READY */
	unsigned		 silent_s;	/* since PING; 0: not asked */
	uint64_t		 heard_ms;	/* its start, then its last PONG */
	int			 answered;	/* it has, once */
	int			 misfit;	/* of another build */
	int			 old;		/* from before an upgrade */
	int			 leaving;	/* has been told to */
	int			 retiring;	/* has been asked to, if idle */
	uint64_t		 leave_ms;	/* by then; 0: when it can */
	int			 inherited;	/* of the program before this */
	int			 was_old;	/* to that one */
	uint32_t		 place;		/* of its slot + 1, there */
	char			 build[BUILD_SIZE];
	unsigned		 protocol;	/* that it speaks with us */
	int			 turning;	/* to it: SPOKEN is to come */
	uint64_t		 cpu_us, memory, fds;	/* when looked at last */
	/* what authd said about it (BOUND) */
	int			 bound;
	char			 system[ID_SIZE], session[UUID_SIZE];
	uint64_t		 generation, since;
	char			 addr[ADDR_SIZE];
	/* connections that are not logged in yet: of a muxd who gave it, of a
	   proxyd how many it gave */
	LIST_ENTRY(child)	 of_doors;	/* proxyds */
	uint64_t		 giver;
	size_t			 given;
	uint64_t		 authd;		/* whom it has a channel to */
};

/* NULL when out of memory. Numbers the instance; the pid is set later. */
struct child	*child_new(int role, struct slot *, uint64_t nonce);
void		 child_set_pid(struct child *, pid_t);
/* Close its channel and forget it; its log has been closed before. */
void		 child_free(struct child *);
/* The authd of now; NULL between two. */
struct child	*child_authd(void);
void		 child_set_authd(struct child *);
/* kill.c: end it by force, saying why. It stays known until SIGCHLD. */
void		 kill_child(struct child *, const char *reason);
/* The same, because something did not come in time. */
void		 kill_hung(struct child *, const char *reason);
struct child	*child_find(uint64_t instance);
struct child	*child_find_pid(pid_t);
/* The first with a number above `instance`, NULL at the end. */
struct child	*child_after(uint64_t instance);
/* Those that run at all times, and all others, the longest silent first. */
struct child	*child_standing(const struct child *after);
struct child	*child_silent(const struct child *after);
/* It has said that it turns. */
void		 child_heard(struct child *);
/* Into all lists, by its members: child_new() does it. */
void		 child_list(struct child *);
/* Let it speak an earlier protocol, of a program to come. */
void		 child_speak(struct child *, unsigned protocol);
/* Somebody does not take what we said; NULL: nobody is behind. */
const char	*child_is_behind(void);
size_t		 child_all(void);
/* The next instance's number, if that is more. */
void		 child_number_from(uint64_t);
uint64_t	 child_last(void);
/* Was this number ever given? */
int		 child_was(uint64_t instance);
size_t		 child_count(int role);
/* muxds that authd has not bound yet (max startups). */
size_t		 child_startups(void);
/*
 * Shares of that: how many proxyds there are, how many of its muxds one has,
 * and how many there are for it when each other one's count up to `most`.
 */
size_t		 child_doors(void);
size_t		 child_given(uint64_t proxyd);
size_t		 child_startups_seen(uint64_t proxyd, size_t most);
void		 child_set_giver(struct child *, uint64_t proxyd);
void		 child_set_bound(struct child *, const struct msg_bound *);
/* Change the state, with a line in the debug log. */
void		 child_set_state(struct child *, enum child_state);
const char	*child_state_name(enum child_state);
/* "muxd[4711] 17", for log lines; valid until the next call. */
const char	*child_name(const struct child *);

/* ---- childlog.c: what children say ---- */

/* Read lines from `fd` (taken) and print them with the child's name. */
struct childlog	*childlog_new(struct child *, int fd);
/* Print what has still come, then close. NULL is allowed. */
void		 childlog_free(struct childlog *);
int		 childlog_fd(const struct childlog *);
/* For log_own(): lines of the parent, as `log format` has it. */
void		 childlog_own(enum log_level, const char *text);

/* ---- users.c, files.c, limits.c: before anything runs ---- */

/*
 * Find the users of the roles. As root a missing user ends the program with
 * the commands that create it, unless `missing users nobody` is configured.
 */
void	users_init(void);
/* -n: warn of what the start would not find; who asks need not be root. */
void	users_check(void);
void	files_check(void);
/* The same for who comes with a reload. 0, or -1 with a text. */
int	users_judge(const struct conf *, char *err, size_t err_size);
void	users_get(int role, uid_t *, gid_t *);
/* Before users_init(): that role's, or nobody's where there is none. */
void	users_try(int role, uid_t *, gid_t *);
/* Whom a role would run as if root started it. 0, or -1: nobody is there. */
int	users_would(int role, uid_t *);

/* Directories of store, socket and the empty root. Fatal on failure. */
void	files_init(void);
/*
 * Open a file with a secret: a regular file of root or of our user that others
 * can neither read nor write. -1 after an error was logged into `err`.
 */
int	files_secret(const char *what, const char *path, char *err,
	    size_t err_size);
/*
 * Open one of any other kind, with at most `max` bytes: `what` for the text.
 * With `secret` others can neither read nor write it, without they cannot
 * write.
 */
int	files_open(const char *what, const char *path, int secret, off_t max,
	    char *err, size_t err_size);
/*
 * Those of authd: are they good (`check`: who asks need not read them); send.
 */
int	keyfiles_check(int check);
void	keyfiles_send(struct child *);

/*
 * Will `max tunnels` fit into RLIMIT_NOFILE (raised as far as allowed) and
 * pid_max? 0, or -1 with a text that names the number that would. The default
 * is lowered to that number instead.
 */
/* How many proxyds: as configured, or one for each core. */
unsigned limits_proxyds(const struct conf *);
/* How many places a role has that are filled at all times, if it is wanted. */
unsigned limits_places(const struct conf *, int role);
/* Is there anything for this role to do? */
int	 limits_wants(const struct conf *, int role);
int	limits_check(struct conf *, char *err, size_t err_size);
/* How many open files and processes that needs. */
void	limits_want(const struct conf *, uint64_t *files, uint64_t *processes);
/* The same from given numbers, for tests: how many tunnels fit. */
uint64_t limits_fit(const struct conf *, uint64_t files, uint64_t pids);
/*
 * sshd's random early drop: is the next connection, with `n` already waiting
 * for login, to be dropped? `dice` is 0 to 99.
 */
int	limits_drop(const struct conf *, uint64_t n, unsigned dice);
/*
 * Of `doors` proxyds, has one with `n` that wait its share of `max startups`?
 */
int	limits_share(const struct conf *, uint64_t doors, uint64_t n);
/* How many of one proxyd's count against another's: a share of its begin. */
uint64_t limits_seen(const struct conf *, uint64_t doors);

/* ---- listen.c ---- */

/*
 * Bind all listeners and the control socket, but for those that were taken over
 * from the program before this (upgrade.h). Fatal on failure.
 */
void	listen_init(void);
/* Queue LISTENER messages for who takes connections. 0, or -1: not all. */
int	listen_send(struct child *);
/* The last of this role has gone: listen for the next one. */
void	listen_prepare(int role);
/* Remove the control socket. */
void	listen_close(void);
/*
 * The listeners for metrics of a configuration that is to be loaded: bind those
 * that are new, 0, or -1 with a text; then listen_judged() once, before it is
 * in force: take them, and was there a change? Or (0) let them go.
 */
int	listen_judge(const struct conf *, char *err, size_t err_size);
int	listen_judged(int yes);

/* ---- certs.c: the files of certificates and keys ---- */

/*
 * Copy all that a configuration names into memory that cannot change, without
 * reading it: 0, or -1 with a text. Then certs_judged() once: use them from now
 * on, or (0) forget them.
 */
int	certs_judge(const struct conf *, char *err, size_t err_size);
void	certs_judged(int yes);
/* Queue CERT messages; `judged`: of what is being judged. 0, or -1: not all. */
int	certs_send(struct child *, int judged);

#define CERT_FILE_MAX	(256 << 10)	/* of a chain, or of a key */
#define CERT_CA_FILE	"peer tls ca file"

/* ---- certcheck.c: certificates before the start ---- */

/*
 * And of relayd -n: are they there, and would keyd have them? 0, or -1 with a text,
 * and errno; a member's own that no other will believe is warned of.
 */
int	certs_check(const struct conf *, char *err, size_t err_size);

/* ---- acme.c: challenges of ACME ---- */

/* Watch the directory, if there is to be one. Fatal on failure. */
void	acme_init(void);
void	acme_clear(void);
/* Queue CHALLENGE messages for a proxyd. 0, or -1: not all. */
int	acme_send(struct child *);

/* ---- peers.c: the channels among tlsds, keyd and proxyds ---- */

/* Queue PEER messages for it and for everybody it is to know. */
void	peers_join(struct child *);

/* ---- pages.c: what everybody counts ---- */

/* A page for each place that counts; fatal. */
void	pages_init(void);
/* Queue COUNTERS: its own, and all to who reads them. 0, or -1. */
int	pages_send(struct child *);
/* A child has ended: what it was is no more, what it counted stays. */
void	pages_ended(const struct child *);
/* For `relayctl show metrics`. */
const struct metric_pages	*pages_all(void);

/* ---- spawn.c ---- */

/* Once: what children may say (parent_table), and what hears their ends. */
void	spawn_init(const struct dispatch *, size_t rows, chan_closed_fn);
/* Is every program there? 0, or -1 with a text that names the first. */
int	spawn_find(char *err, size_t err_size);
/*
 * Before the children: a program of one, by its path, that looks at something with
 * `fd` (which is kept) as descriptor 3, and ends. Its pid, or -1 with errno.
 */
pid_t	spawn_check(int role, char *const argv[], int fd);
/* Start a program and send it all it needs. NULL after a log line. */
struct child	*spawn_child(int role, struct slot *, uint64_t nonce);

/* ---- supervise.c ---- */

void	supervise_start(void);		/* authd, control, proxyds */
void	supervise_reap(void);		/* SIGCHLD */
void	supervise_stop(void);		/* the end: children first, then us */
void	supervise_ready(struct child *);
void	supervise_serving(void);	/* the store is open */
/*
 * One that is there if it is wanted: is it, is it to be, is it to start anew?
 */
void	supervise_optional(int role, int changed);
/*
 * Instead of supervise_start(): who is there, is there. Then all places are
 * filled, or with `who` it says which old ones keep theirs (placed) and fills
 * them (begin), and hears who has come and gone, until everybody has.
 */
struct supervise_ops {
	int	(*placed)(int role);
	void	(*begin)(void);
	void	(*ready)(struct child *);
	/* 1: follow() is to be called when it is forgotten */
	int	(*ended)(const struct child *, const char *why);
	void	(*follow)(void);
	/* a new authd is there beside the one that serves */
	int	(*turning)(void);
};
void	supervise_take(int serving, const struct supervise_ops *who);
/* Who is to be told when we begin to stop. */
void	supervise_on_stop(void (*)(void));
/* For replace.c: the places; fill one; ask somebody to go. */
struct slot	*supervise_slots(unsigned *n);
void	supervise_fill(struct slot *);
void	supervise_end(struct child *);
/* Orderly, in `seconds` at most; 0: when what it has has ended. */
void	supervise_leave(struct child *, uint32_t seconds);
int	supervise_is_serving(void);
/* Has READY=1 been said? */
int	supervise_is_noted(void);
/* Has every place had somebody who answers, of late? */
int	supervise_is_well(void);
unsigned	 supervise_restarts(const struct child *);

/* ---- authlink.c: the channels between authd and the others ---- */

/*
 * Make a channel pair: one end to the child, the other to authd. 0, or -1 when
 * there is no authd or no descriptor.
 */
int	authlink_join(struct child *);
/* The same with an authd that is to follow the one of now. */
int	authlink_join_next(struct child *, struct child *authd);
/* Everybody who lives to a new authd, then SPAWNED_ALL. */
void	authlink_all(void);

/* ---- usage.c: what the processes cost ---- */

/* Resident memory of one, from what everyone may read. 0, or -1: not said. */
int	usage_memory(pid_t, uint64_t *bytes);
void	usage_round(void);		/* each second: look at some */
void	usage_wanted(void);		/* now, and for some time */
/* It has ended; so much did it use in all. */
struct rusage;
void	usage_ended(struct child *, const struct rusage *);

/* ---- watch.c: who hangs ---- */

void	watch_init(void);
void	watch_clear(void);
void	watch_round(void);		/* what is done each second */
int	watch_on_pong(struct chan *, struct imsg *);

/* ---- notify.c: "READY=1" and the like, to the service manager if any ---- */

void	notify_tell(const char *state);
/* For how many seconds we may be silent; 0: as long as we like. */
unsigned notify_patience(void);

/* ---- parent.c: what children may say ---- */

extern const struct dispatch	parent_table[];
extern const size_t		parent_rows;
void	parent_channel_closed(struct chan *, int, const char *);

/* ---- give.c: connections on their way to a worker ---- */

/* The handlers of ADMITTED and GIVE. */
int	give_on_admitted(struct chan *, struct imsg *);
int	give_on_give(struct chan *, struct imsg *);
/* Is there a connection that nobody has yet? */
int	give_is_waiting(void);
/* authd's words that nobody has used: each; one more. */
void	give_each(void (*)(void *, uint64_t nonce, uint64_t instance,
	    uint8_t class, uint64_t until_ms), void *);
void	give_expect(uint64_t nonce, uint64_t instance, uint8_t class,
	    uint64_t until_ms);
/* Forget all, for the end of a test. */
void	give_clear(void);

/* ---- reload.c ---- */

/*
 * Re-read the configuration, ask everyone, swap or change nothing. `done` is
 * called once, at once or later: code as in CTL_DONE and a text.
 */
typedef void (*reload_done_fn)(uint64_t who, uint32_t id, unsigned code,
    const char *text);
void	reload_start(reload_done_fn, uint64_t who, uint32_t id);
int	reload_is_running(void);

/* ---- processes.c: what an administrator hears of the processes ---- */

int	processes_on_ask(struct chan *, struct imsg *);

/* ---- ctl_parent.c: what relayctl asks of the parent ---- */

int	admin_on_request(struct chan *, struct imsg *);
int	admin_on_ctl(struct chan *, struct imsg *);
/* To who asked for an upgrade. */
void	admin_upgraded(unsigned code, const char *text);

#endif
