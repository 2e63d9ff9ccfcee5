/* SPDX-License-Identifier: ISC */
/* compat_spawn(): what a started program has, and has not. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "base/compat_spawn.h"
#include "regress/lib/tap.h"

#define LOW	3
#define MANY	200	/* descriptors that must not be inherited */

/* The program: say on descriptor 3 what we have. */
static int
report(void)
{
	sigset_t		 set;
	struct sigaction	 sa;
	char			 text[256];
	int			 fd, open_fds = 0, blocked, ignored;

	for (fd = 0; fd < 1024; fd++)
		open_fds += fcntl(fd, F_GETFD) != -1;
	sigprocmask(SIG_SETMASK, NULL, &set);
	blocked = sigismember(&set, SIGUSR1);
	sigaction(SIGPIPE, NULL, &sa);
	ignored = sa.sa_handler == SIG_IGN;
	snprintf(text, sizeof(text), "fds %d blocked %d ignored %d env %s",
	    open_fds, blocked, ignored, getenv("SPAWNED"));
	if (write(3, text, strlen(text)) == -1 || write(4, "log", 3) == -1)
		return (1);
	return (7);
}

int
main(int argc, char **argv)
{
	char	 text[256] = "", *args[] = { argv[0], NULL };
	char	*envp[] = { (char *)(uintptr_t)"SPAWNED=yes",
	    (char *)(uintptr_t)"ASAN_OPTIONS=detect_leaks=0", NULL };
	int	 a[2], b[2], fds[2], i, status, fd = -1, self, text_file;
	sigset_t set;
	pid_t	 pid;
	ssize_t	 n;

	(void)argc;
	if (getenv("SPAWNED") != NULL)
		return (report());
	/* Kept open, all of them. */
	for (i = 0; i < MANY; i++)
		if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
			bail_out("open");
	ok(fd >= MANY, "many descriptors are open");
	if (pipe2(a, O_CLOEXEC) == -1 || pipe2(b, O_CLOEXEC) == -1)
		bail_out("pipe");
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[0] = a[1];
	fds[1] = b[1];
	self = open(argv[0], O_PATH | O_CLOEXEC);
	pid = compat_spawn(argv[0], self, args, envp, LOW, fds, 2);
	ok(pid > 0, "a program is started");
	close(a[1]);
	close(b[1]);
	n = read(a[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	is_str(text, "fds 5 blocked 0 ignored 0 env yes",
	    "it has five descriptors, fresh signals, the environment given");
	n = read(b[0], text, sizeof(text) - 1);
	is_int(n, 3, "the second descriptor is where it should be");
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "it ends by itself");
	is_int(read(a[0], text, 1), 0, "we have not kept its descriptors");
	is_int(fcntl(LOW, F_GETFD), FD_CLOEXEC, "their places are reserved");
	is_int(fcntl(LOW + 1, F_GETFD), FD_CLOEXEC, "both");
	is_int(fcntl(LOW + 2, F_GETFD), FD_CLOEXEC, "and the program's");
	ok(fcntl(b[0], F_GETFD) != -1, "ours are still open");
	sigprocmask(SIG_SETMASK, NULL, &set);
	ok(sigismember(&set, SIGUSR1) && !sigismember(&set, SIGTERM),
	    "our signals are as before");
	fds[0] = a[0];
	fds[1] = b[0];
	text_file = open("/dev/null", O_PATH | O_CLOEXEC);
	pid = compat_spawn("/dev/null", text_file, args, envp, LOW, fds, 2);
	ok(pid == -1 && errno == EACCES, "what is no program is not started");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "and no child is left");
	return (done_testing());
}
