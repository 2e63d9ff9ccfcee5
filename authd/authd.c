/* SPDX-License-Identifier: ISC */
/*
 * authd: the only place where access is granted.
 *
 * May touch: the store's directory (its root), the signing key; no socket of an
 * operator or a customer, ever. It makes the socketpairs that are streams and
 * gives both ends away.
 * Hears from: the parent (SPAWNED with a channel to each other process) and, on
 * these, muxd, proxyd, termd and control: who may say what, and when, is
 * msg/table.def.
 * States: until SPAWNED_ALL has come all channels are kept unread, and until
 * the store is open those of workers from before; then each worker has a state
 * of its own (enum peer_state).
 * Starts in main(); authd_run() arms the first events; turn_end() closes every
 * turn of the loop with one commit.
 */
#include <cjson/cJSON.h>
#include <sodium.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "authd/api/api.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/conninfo.h"
#include "base/index.h"
#include "base/log.h"
#include "base/wipe.h"
#include "core/end.h"
#include "cred/jwk.h"
#include "cred/jwt.h"
#include "cred/secret.h"
#include "cred/shared.h"
#include "imsg/msg.h"
#include "load.h"
#include "metrics/pages.h"
#include "msg/admit.h"
#include "msg/cluster.h"
#include "msg/credit.h"
#include "msg/dialer.h"
#include "msg/drain.h"
#include "msg/follow.h"
#include "msg/forward.h"
#include "msg/guests.h"
#include "msg/handlers.h"
#include "msg/invalidate.h"
#include "msg/internal.h"
#include "msg/issue.h"
#include "msg/login.h"
#include "msg/peer.h"
#include "msg/member.h"
#include "msg/processes.h"
#include "msg/recheck.h"
#include "msg/recording.h"
#include "msg/relay.h"
#include "now.h"
#include "proc/proc.h"
#include "proc/sandbox.h"
#include "redis/bus.h"
#include "redis/conn.h"
#include "store/audit.h"
#include "store/store.h"
#include "tls/crypto.h"
#include "turn.h"

#define FILES_MAX	65536	/* a channel per worker, both ends of streams */
#define RETRY_MS	1000	/* a store that does not open */
#define CA_MAX		65536	/* CERTS_MAX of relayd/keyfiles.c */
#define SOON_MS		20	/* one that says in a moment */
#define LEAVE_MS	1500	/* for the proxyds to turn to the next one */
#define COMING_MS	1000	/* less: for who was let in to come */

static void	authd_begin(void);
static int	authd_key(uint8_t, int);
static size_t	authd_ports(uint16_t *, size_t);
static void	authd_run(void);
static void	authd_reloaded(void);
static void	authd_stop(void);
static void	authd_open(void *);
static void	store_path(char *, size_t);

static const struct dispatch	parent_table[] = {
	PROC_ROWS
#define P(TYPE, handler)	{ IMSG_##TYPE, R_PARENT, S_ANY, 0, handler },
#define PA(TYPE)		{ IMSG_##TYPE, R_PARENT, S_ANY, MF_ANSWER, NULL },
#include "msg/table.def"
	PROC_RELOAD_ROWS
};

/* The store's path counts at the next start only. */
static const struct proc_ops	ops = {
	.role = ROLE_AUTHD,
	.table = parent_table,
	.rows = sizeof(parent_table) / sizeof(parent_table[0]),
	.files = FILES_MAX,
	.begin = authd_begin,
	.keyfile = authd_key,
	.counters = pages_take,
	.ports = authd_ports,
	.run = authd_run,
	.judge = recording_judge,
	.swapped = authd_reloaded,
	.stop = authd_stop,
};

static struct {
	struct timer	retry;		/* to open the store */
	struct timer	leave;
	uint64_t	leave_ms;
	unsigned	failed;		/* how often it could not be opened */
	const char	*ca;		/* for its server */
	size_t		ca_len;
} authd;

/* What reads a file or asks the system is done before the sandbox closes. */
int
main(int argc, char **argv)
{
	time_t		t = 0;
	struct tm	tm;

#ifdef RELAYD_TESTING
	if (getenv("RELAYD_STORE_LATE") != NULL)
		store_set_late();
#endif
	gmtime_r(&t, &tm);
	umask(077);
	credit_init();
	cJSON_InitHooks(&(cJSON_Hooks){ wipe_malloc, wipe_free });
	if (sodium_init() == -1)
		return (1);
	index_init();
	pages_own(ROLE_AUTHD);
	proc_main(&ops, argc, argv);
}

static void
authd_begin(void)
{
	crypto_begin();
	if (jwk_init() == -1)
		fatalx("libcrypto: no SHA-256");
	crypto_begun();
}

/*
 * Whose certificates count for the store's server: libpq wants a file. It comes
 * by an open descriptor, since where it lies we see nothing, and is laid beside
 * the store once that is all we see.
 */
static int
authd_keep_ca(int fd)
{
	static char	pem[CA_MAX];
	ssize_t		n;

	authd.ca_len = 0;
	authd.ca = pem;
	while (authd.ca_len < sizeof(pem) && (n = read(fd, pem + authd.ca_len,
	    sizeof(pem) - authd.ca_len)) > 0)
		authd.ca_len += (size_t)n;
	close(fd);
	return (authd.ca_len > 0 ? 0 : -1);
}

static void
authd_lay_ca(void)
{
	char	path[2048];
	int	fd;

	if (authd.ca_len == 0)
		return;
	store_path(path, sizeof(path));
	if (strlcat(path, "-ca.pem", sizeof(path)) >= sizeof(path) ||
	    (fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
	    O_CLOEXEC, 0600)) == -1)
		fatal("%s", path);
	if (write(fd, authd.ca, authd.ca_len) != (ssize_t)authd.ca_len)
		fatal("%s", path);
	close(fd);
	store_server_ca(path);
}

static int
authd_key(uint8_t kind, int fd)
{
	uint8_t	buf[JWT_KEY_MAX + 1];
	ssize_t	n, got = 0;
	int	r = -1;

	if (kind == KEY_STORE_CA)
		return (authd_keep_ca(fd));
	while (got < (ssize_t)sizeof(buf) &&
	    (n = read(fd, buf + got, sizeof(buf) - (size_t)got)) > 0)
		got += n;
	close(fd);
	if (kind == KEY_JWT && got > 0 && got <= JWT_KEY_MAX)
		r = jwt_set_key(buf, (size_t)got);
	if (kind == KEY_REDIS && got > 0 && got <= JWT_KEY_MAX)
		r = redis_password(buf, (size_t)got);
	if ((kind == KEY_INTERNAL || kind == KEY_INVALIDATE) && got > 0)
		r = shared_set(kind == KEY_INTERNAL ? SHARED_INTERNAL :
		    SHARED_INVALIDATE, buf, (size_t)got);
	if (kind == KEY_CLUSTER && got > 0)
		r = shared_set(SHARED_CLUSTER, buf, (size_t)got);
	if (kind == KEY_STORE && got > 0)
		r = store_server_password((const char *)buf, (size_t)got);
	if (kind == KEY_JWT && r == 0 && jwt_key_len() < JWT_KEY_MIN)
		log_warnx("jwt secret: shorter than %d bytes", JWT_KEY_MIN);
	explicit_bzero(buf, sizeof(buf));
	return (r);
}

/* The directory of a socket is in ours, and named from our root. */
static void
authd_server(void)
{
	const struct conf	*c = proc_conf();
	const char		*s = c->store_server, *at;
	char			 here[sizeof(c->store_server)];
	size_t			 len, skip;

	if (s[0] == '\0')
		return;
	strlcpy(here, s, sizeof(here));
	if (strcmp(proc_root(), "/") == 0 &&
	    (at = conninfo_socket(s, &len)) != NULL) {
		skip = (size_t)(strrchr(c->store_path, '/') - c->store_path);
		snprintf(here, sizeof(here), "%.*s%s", (int)(at - s), s,
		    at + skip);
	}
	if (store_server(here, (unsigned)c->store_connections) == -1)
		fatalx("store: %s", store_why_not());
}

/* Where it may connect to. */
static size_t
authd_ports(uint16_t *ports, size_t max)
{
	const struct conf	*conf = proc_conf();
	size_t			 n = 0, len;

	if (conf->redis_host[0] != '\0' && n < max)
		ports[n++] = (uint16_t)conf->redis_port;
	if (conninfo_socket(conf->store_server, &len) != NULL)
		sandbox_sockets();
	else if (conf->store_server[0] != '\0' && n < max)
		ports[n++] = (uint16_t)conf->store_port;
	return (n);
}

static void
authd_run(void)
{
	core_env.conf = proc_conf();
	core_env.uuid = secret_uuid;
	core_env.refused = audit_refused;
	core_env.changed = follow_session;
	core_env.is_elsewhere = member_is_elsewhere;
	core_init(now_at());
	turn_init();
	if (admit_init(turn_after) == -1 || login_init() == -1 ||
	    issue_init() == -1 || internal_rates() == -1 ||
	    recheck_init() == -1)
		fatalx("out of memory");
	relay_init();
	drain_init();
	recheck_also(api_changes_recheck);
	recheck_on_revoked(cluster_revoked);
	guests_init(turn_after, cluster_told);
	member_on_beat(cluster_beaten);
	proc_after_turn(turn_end);
	recording_reloaded();
	dialer_init();
	forward_init();
	invalidate_init();
	processes_init();
	timer_init(&authd.retry, authd_open, NULL);
	authd_server();
	authd_lay_ca();
	/* Until then the one before us may have it. */
	parent_began(authd_open);
	turn_end();
}

static void
authd_reloaded(void)
{
	recording_reloaded();
	recording_keep();
	dialer_reloaded();
}

/* Below our root, whatever directory the parent knows it by. */
static void
store_path(char *dst, size_t size)
{
	const char	*path = proc_conf()->store_path, *root = proc_root();
	const char	*base = strrchr(path, '/');
	int		 n;

	if (root[0] == '\0')
		n = snprintf(dst, size, "%s", path);
	else
		n = snprintf(dst, size, "%s/%s", strcmp(root, "/") == 0 ? "" :
		    root, base != NULL ? base + 1 : path);
	if (n < 0 || (size_t)n >= size)
		fatalx("store: path too long");
}

static const char *
store_name(void)
{
	const struct conf	*c = proc_conf();

	return (c->store_server[0] != '\0' ? c->store_server : c->store_path);
}

static void
authd_again(void)
{
	parent_store_loading(0);
	timer_set(&authd.retry, RETRY_MS);
}

static void
authd_guests(int ok)
{
	if (!ok) {
		authd_again();
		return;
	}
	parent_store_ready();
	recording_keep();
	(void)say_serving(proc_parent(), 0);
}

/* What runs may have been lent by another member's session. */
static void
authd_loaded(int result)
{
	if (result == 0)
		guests_begin(authd_guests);
	else
		authd_again();
}

/* The others have to know that we are there, and keep what is ours. */
static void
authd_begun(int ok)
{
	if (ok)
		load_run(authd_loaded);
	else
		authd_again();
}

/* A store that is not there: nobody is let in, nobody is thrown out. */
static void
authd_open(void *arg)
{
	char	path[2048];
	int	r;

	(void)arg;
	store_path(path, sizeof(path));
	store_limit(proc_conf()->store_max);
	if ((r = store_open(path)) == STORE_NONE) {
		parent_store_loading(1);
		timer_set(&authd.retry, SOON_MS);
		return;
	}
	if (r == -1) {
		/* The first time, the second, the fourth, the eighth. */
		authd.failed++;
		if ((authd.failed & (authd.failed - 1)) == 0)
			log_warnx("store %s: cannot open: %s; nobody is let "
			    "in until it can", store_name(),
			    store_why_not());
		timer_set(&authd.retry, RETRY_MS);
		parent_store_loading(0);
		return;
	}
	parent_store_loading(1);
	member_begin(authd_begun);
}

static void
authd_leave(void *arg)
{
	(void)arg;
	/*
	 * Where another one follows us under way: what the proxyds have asked
	 * is answered, and who was let in has come.
	 */
	if ((peer_doors() > 0 && clock_ms() < authd.leave_ms) ||
	    (admit_count() > 0 && clock_ms() < authd.leave_ms - COMING_MS)) {
		timer_set(&authd.leave, SOON_MS / 4);
		return;
	}
	/*
	 * Somebody is still there: another authd follows, of the same member.
	 */
	if (TAILQ_EMPTY(&peers))
		member_end();
	turn_last();
	store_close();
	jwt_clear_key();
	proc_exit(0);
}

/* The others end by themselves; what is still to be written is written. */
static void
authd_stop(void)
{
	timer_init(&authd.leave, authd_leave, NULL);
	authd.leave_ms = clock_ms() + LEAVE_MS;
	authd_leave(NULL);
}
