/* SPDX-License-Identifier: ISC */
/*
 * Test builds only: do on purpose what an intruder would try first. Straight
 * system calls, since it is the kernel's answer that counts.
 */
#ifdef RELAYD_TESTING
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "imsg/msg.h"
#include "sandbox.h"

static long
try_connect(void)
{
	struct sockaddr_in	sin;
	long			fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(9);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)) == -1)
		return (-1);
	return (syscall(SYS_connect, fd, &sin, sizeof(sin)));
}

int
sandbox_try(int call)
{
	static char *const	none[] = { NULL };
	long			r = -1;

	errno = EINVAL;
	switch (call) {
	case TRY_OPEN:
		r = syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
		break;
	case TRY_CONNECT:
		r = try_connect();
		break;
	case TRY_FORK:
		r = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (r == 0)
			_exit(0);
		break;
	case TRY_EXEC:
		r = syscall(SYS_execve, "/bin/true", none, none);
		break;
	case TRY_PTRACE:
		r = syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0);
		break;
	case TRY_KILL:
		r = syscall(SYS_kill, getppid(), 0);
		break;
	}
	return (r == -1 ? errno : 0);
}
#endif
