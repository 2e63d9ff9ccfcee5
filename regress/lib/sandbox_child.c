/* SPDX-License-Identifier: ISC */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "imsg/imsg.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "regress/lib/sandbox_child.h"
#include "regress/lib/tap.h"

struct fix	fix;

#ifdef RELAYD_SANITIZE
/* The leak check looks at the process from outside, which is forbidden. */
int	__lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return (1);
}
#endif

void
leave(int status)
{
	(void)syscall(SYS_exit_group, status);
}

int
result(long r)
{
	return (r == -1 ? errno : 0);
}

/* A connection to the listener, still to be accepted. */
static int
caller(void)
{
	int	fd = socket(AF_INET, SOCK_STREAM, 0);

	return (fd == -1 || connect(fd, (void *)&fix.addr,
	    sizeof(fix.addr)) == -1 ? -1 : fd);
}

static const char *
recording_path(void)
{
	static char	path[128];

	snprintf(path, sizeof(path), "%s/rec", fix.dir);
	return (path);
}

/* In the child, so that no probe spoils them for the next. */
static void
fixtures(void)
{
	socklen_t	len = sizeof(fix.addr);

	fix.addr.sin_family = AF_INET;
	fix.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (imsg_pair(fix.pair) == -1 ||
	    (fix.listener = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    bind(fix.listener, (void *)&fix.addr, len) == -1 ||
	    listen(fix.listener, 64) == -1 ||
	    getsockname(fix.listener, (void *)&fix.addr, &len) == -1 ||
	    (fix.client = caller()) == -1 ||
	    (fix.accepted = accept(fix.listener, NULL, NULL)) == -1 ||
	    caller() == -1 ||
	    (fix.file = open("/dev/zero", O_RDONLY)) == -1 ||
	    (fix.recording = open(recording_path(), O_WRONLY | O_APPEND |
	    O_CREAT | O_TRUNC, 0600)) == -1 ||
	    (fix.epoll = epoll_create1(0)) == -1)
		leave(98);
}

/* A test build's filter traps, and the handler exits with 128 + SIGSYS. */
int
run(int role, int production, probe_fn fn)
{
	int	status;
	pid_t	pid;

	(void)fflush(stdout);
	if ((pid = fork()) == -1)
		bail_out("fork");
	if (pid == 0) {
		int	null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		fixtures();
		if (fix.dials) {
			uint16_t	port = ntohs(fix.addr.sin_port);

			(production ? sandbox_ports_prod : sandbox_ports)
			    (&port, 1);
		}
		if (fix.sockets)
			(production ? sandbox_sockets_prod :
			    sandbox_sockets)();
		fix.layers = (production ? sandbox_apply_prod : sandbox_apply)
		    (role, role_info(role)->room == ROOM_STORE ? fix.dir :
		    NULL, 64, role == ROLE_TERMD ? 1 << 20 : fix.fsize);
		leave(fn());
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return (WTERMSIG(status) == SIGSYS ? KILLED :
		    1000 + WTERMSIG(status));
	return (WEXITSTATUS(status) == 128 + SIGSYS ? KILLED :
	    WEXITSTATUS(status));
}

void
sandbox_begin(void)
{
	snprintf(fix.dir, sizeof(fix.dir), "/tmp/relayd-sandbox-XXXXXX");
	if (mkdtemp(fix.dir) == NULL)
		bail_out("directory");
	fix.fsize = 1ULL << 32;
}

void
sandbox_end(void)
{
	static const char *const	names[] = { "t.db", "t.db-wal",
	    "t.db-shm", "t.db-journal", "rec" };
	char				path[128];
	size_t				i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", fix.dir, names[i]);
		unlink(path);
	}
	rmdir(fix.dir);
}
