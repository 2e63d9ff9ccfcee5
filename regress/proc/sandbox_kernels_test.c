/* SPDX-License-Identifier: ISC */
/*
 * What the kernel has a say in: ports that Landlock lets through, and kernels
 * that lack a layer, or have it and fail.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "imsg/msg.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "regress/lib/sandbox_child.h"
#include "regress/lib/tap.h"

/* fix.client may have a connection; a new socket has not. */
static int
dial(void)
{
	long	fd = syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK |
		    SOCK_CLOEXEC, 0);
	int	r = result(syscall(SYS_connect, fd, &fix.addr,
		    sizeof(fix.addr)));

	return (r == EINPROGRESS ? 0 : r);
}

static int
bad_socket_unix(void)
{
	return (result(syscall(SYS_socket, AF_UNIX, SOCK_STREAM |
	    SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
}

/* A socket in the one directory that it sees; nobody listens. */
static int
dial_beside(void)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	long			fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM |
				    SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/none", fix.dir);
	return (result(syscall(SYS_connect, fd, &sun, sizeof(sun))));
}

static int
bad_dial_short(void)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	long			fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM,
				    0);

	return (result(syscall(SYS_connect, fd, &sun, 7)));
}

static int
bad_dial_elsewhere(void)
{
	fix.addr.sin_port = htons((uint16_t)(ntohs(fix.addr.sin_port) ^ 1));
	return (dial());
}

/* dialerd may connect; to which ports is Landlock's to say (kernel 6.7). */
static void
test_dialer(void)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 4) {
		diag("landlock here knows no ports");
		return;
	}
	is_int(run(ROLE_DIALERD, 1, dial), EACCES,
	    "dialerd: no connection to a port that is not configured");
	fix.dials = 1;
	is_int(run(ROLE_DIALERD, 1, dial), 0, "dialerd: but to one that is");
	is_int(run(ROLE_MUXD, 1, dial), KILLED,
	    "and nobody else, whatever the port");
	is_int(run(ROLE_AUTHD, 1, dial), 0,
	    "authd, where Redis is configured: to its port");
	is_int(run(ROLE_AUTHD, 1, bad_socket_unix), KILLED,
	    "authd: no socket but of TCP");
	is_int(run(ROLE_AUTHD, 1, bad_dial_elsewhere), EACCES,
	    "authd: no connection to another port");
	fix.dials = 0;
	is_int(run(ROLE_AUTHD, 1, dial), KILLED,
	    "authd, where nothing is configured: no socket");
	fix.sockets = 1;
	is_int(run(ROLE_AUTHD, 1, dial_beside), ENOENT,
	    "authd, where the store's server has a socket: one in its root");
	is_int(run(ROLE_AUTHD, 1, bad_dial_short), KILLED,
	    "authd: with an address as libpq's");
	is_int(run(ROLE_AUTHD, 1, dial), EACCES,
	    "authd: and no port besides");
	is_int(run(ROLE_MUXD, 1, bad_socket_unix), KILLED,
	    "and nobody else, whatever the socket");
	fix.sockets = 0;
}

static void
pretend(struct sock_filter *f, size_t n)
{
	struct sock_fprog	prog = { (unsigned short)n, f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
		_exit(99);
}

/* Every call of `nr` fails with `e`; spares those with argument `arg` 0. */
static void
pretend_errno(long nr, int e, int spare_arg)
{
	struct sock_filter	f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr == SYS_prctl ?
		    PR_SET_SECCOMP : 0, 0, nr == SYS_prctl ? 3 : 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(
		    offsetof(struct seccomp_data, args[0]) + 8 *
		    (size_t)(spare_arg < 0 ? 0 : spare_arg))),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, spare_arg < 0 ?
		    0xffffffff : 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)e),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	pretend(f, sizeof(f) / sizeof(f[0]));
}

/* The layers in force after that, or -1 when the process ended itself. */
static int
layers_with(long nr, int e, int spare_arg)
{
	int	status;
	pid_t	pid;

	(void)fflush(stdout);
	if ((pid = fork()) == -1)
		bail_out("fork");
	if (pid == 0) {
		int	null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		pretend_errno(nr, e, spare_arg);
		leave(0x80 | (int)sandbox_apply_prod(ROLE_MUXD, NULL, 64, 0));
	}
	waitpid(pid, &status, 0);
	return (WIFEXITED(status) && (WEXITSTATUS(status) & 0x80) ?
	    WEXITSTATUS(status) & 0x7f : -1);
}

#ifdef SYS_landlock_create_ruleset
static void
test_kernels(void)
{
	int	rest = SB_RLIMIT | SB_NODUMP | SB_NNP;

	is_int(layers_with(SYS_landlock_create_ruleset, ENOSYS, -1),
	    rest | SB_SECCOMP, "a kernel without Landlock: the rest applies");
	is_int(layers_with(SYS_landlock_create_ruleset, EOPNOTSUPP, -1),
	    rest | SB_SECCOMP, "one that was booted without it");
	is_int(layers_with(SYS_landlock_restrict_self, EPERM, -1), -1,
	    "Landlock offered and failing ends the process");
	is_int(layers_with(SYS_prctl, EINVAL, -1) & ~SB_LANDLOCK, rest,
	    "a kernel without filters: the rest applies");
	is_int(layers_with(SYS_prctl, EINVAL, 2), -1,
	    "filters offered and refused end the process");
}
#else
static void
test_kernels(void)
{
}
#endif

int
main(void)
{
	sandbox_begin();
	test_dialer();
	test_kernels();
	sandbox_end();
	return (done_testing());
}
