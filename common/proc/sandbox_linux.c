/* SPDX-License-Identifier: ISC */
/*
 * Linux: no_new_privs, rlimits, Landlock, and a seccomp allow-list per role.
 *
 * Each list is a constant: nothing is computed or allocated at start, so a
 * worker's filter costs no private page. A call that is not listed ends the
 * process; the few that libc tries for comfort get an errno instead. A test
 * build traps instead of killing, to name the call in the log.
 */
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "sandbox.h"

#if defined(__x86_64__)
#define SB_ARCH		AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SB_ARCH		AUDIT_ARCH_AARCH64
#else
#error "no system call list for this machine"
#endif

#ifdef RELAYD_TESTING
#define SB_DENY		SECCOMP_RET_TRAP
#else
#define SB_DENY		SECCOMP_RET_KILL_PROCESS
#endif

#define OFF(member)	((uint32_t)offsetof(struct seccomp_data, member))
/* The low half of an argument; both machines are little endian. */
#define OFF_ARG(n)	(OFF(args) + 8U * (n))

#define LOAD(off)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define RET(what)	BPF_STMT(BPF_RET | BPF_K, (what))
#define SKIP_UNLESS(v, n)						\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (v), 0, (n))

#define ALLOW(sys)							\
	SKIP_UNLESS((sys), 1), RET(SECCOMP_RET_ALLOW)
#define ERRNO(sys, e)							\
	SKIP_UNLESS((sys), 1), RET(SECCOMP_RET_ERRNO | (e))
/* Only with argument `a` equal to `v`; the number is loaded again behind it. */
#define ALLOW_ARG(sys, a, v)						\
	SKIP_UNLESS((sys), 4), LOAD(OFF_ARG(a)), SKIP_UNLESS((v), 1),	\
	RET(SECCOMP_RET_ALLOW), LOAD(OFF(nr))
/* Only with none of the bits of `mask` in argument `a`. */
#define ALLOW_WITHOUT(sys, a, mask)					\
	SKIP_UNLESS((sys), 4), LOAD(OFF_ARG(a)),				\
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (mask), 1, 0),		\
	RET(SECCOMP_RET_ALLOW), LOAD(OFF(nr))

/* Only with argument `a` equal to `v` and argument `b` equal to `w`. */
#define ALLOW_BOTH(sys, a, v, b, w)					\
	SKIP_UNLESS((sys), 6), LOAD(OFF_ARG(a)), SKIP_UNLESS((v), 3),	\
	LOAD(OFF_ARG(b)), SKIP_UNLESS((w), 1), RET(SECCOMP_RET_ALLOW),	\
	LOAD(OFF(nr))
/* Only anonymous memory, not executable: sockets can be mapped too. */
#define ALLOW_ANONYMOUS							\
	SKIP_UNLESS(SYS_mmap, 6), LOAD(OFF_ARG(2)),			\
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 3, 0),		\
	LOAD(OFF_ARG(3)),						\
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 1),	\
	RET(SECCOMP_RET_ALLOW), LOAD(OFF(nr))
/*
 * Never without O_NONBLOCK, which a neighbour with a copy of the socket may
 * count on; and not O_ASYNC: no signal for anyone.
 */
#define ALLOW_SETFL							\
	SKIP_UNLESS(SYS_fcntl, 7), LOAD(OFF_ARG(1)),			\
	SKIP_UNLESS(F_SETFL, 4), LOAD(OFF_ARG(2)),			\
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_ASYNC, 2, 0),		\
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_NONBLOCK, 0, 1),		\
	RET(SECCOMP_RET_ALLOW), LOAD(OFF(nr))

/*
 * Sending goes to whom the socket is connected to, and in its order. MSG_OOB
 * would jump the queue of a stream. Only sendmsg() can carry a descriptor.
 */
#define ALLOW_SEND							\
	SKIP_UNLESS(SYS_sendto, 6), LOAD(OFF_ARG(5)), SKIP_UNLESS(0, 3),	\
	LOAD(OFF_ARG(3)),						\
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MSG_OOB, 1, 0),		\
	RET(SECCOMP_RET_ALLOW), LOAD(OFF(nr))
/*
 * MSG_FASTOPEN would be a connect() to anywhere, past Landlock, for a socket
 * that is not: a listening one after shutdown().
 */
#define ALLOW_SENDMSG							\
	ALLOW_WITHOUT(SYS_sendmsg, 2, MSG_FASTOPEN | MSG_OOB)

/*
 * One option. Others attach programs, change the protocol, or are not for us.
 * SO_LINGER makes a close() wait, ours or that of whoever is sent the socket:
 * proxyd alone may set it, which needs it to say that an answer has broken off.
 * The others are told no, when they disarm what a neighbour sent.
 */
#define OPTION(level, name)						\
	ALLOW_BOTH(SYS_setsockopt, 1, (level), 2, (name))
#define NO_LINGER							\
	SKIP_UNLESS(SYS_setsockopt, 6), LOAD(OFF_ARG(1)),		\
	SKIP_UNLESS(SOL_SOCKET, 3), LOAD(OFF_ARG(2)),			\
	SKIP_UNLESS(SO_LINGER, 1), RET(SECCOMP_RET_ERRNO | EPERM),	\
	LOAD(OFF(nr))

/* prlimit() without a new limit: to know how many descriptors there may be. */
#define READ_LIMITS							\
	SKIP_UNLESS(SYS_prlimit64, 6), LOAD(OFF_ARG(2)), SKIP_UNLESS(0, 3), \
	LOAD(OFF_ARG(2) + 4), SKIP_UNLESS(0, 1), RET(SECCOMP_RET_ALLOW), \
	LOAD(OFF(nr))

#if defined(__x86_64__)
/* x32 calls share the architecture word but not the numbers. */
#define HEAD_X32	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),	\
	RET(SECCOMP_RET_KILL_PROCESS),
#define BASE_X86	ALLOW(SYS_epoll_wait), ALLOW(SYS_poll),		\
	ALLOW(SYS_time), ERRNO(SYS_open, EACCES), ERRNO(SYS_access, EACCES), \
	ERRNO(SYS_stat, EACCES), ERRNO(SYS_readlink, EACCES),
#else
#define HEAD_X32
#define BASE_X86
#endif

#define HEAD								\
	LOAD(OFF(arch)), SKIP_UNLESS(SB_ARCH, 1),			\
	BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),				\
	RET(SECCOMP_RET_KILL_PROCESS), LOAD(OFF(nr)), HEAD_X32

/* What every role needs to move bytes on descriptors that it was given. */
#define BASE								\
	ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_recvmsg),		\
	ALLOW_SEND, ALLOW(SYS_epoll_pwait), ALLOW(SYS_epoll_ctl),	\
	ALLOW(SYS_readv), ALLOW(SYS_writev), ALLOW(SYS_recvfrom),	\
	ALLOW(SYS_close), ALLOW(SYS_shutdown),				\
	ALLOW(SYS_clock_gettime), ALLOW(SYS_gettimeofday),		\
	ALLOW(SYS_ppoll), ALLOW(SYS_getsockopt),			\
	ALLOW(SYS_getsockname), ALLOW(SYS_getrandom), ALLOW(SYS_brk),	\
	ALLOW(SYS_munmap), ALLOW(SYS_mremap), ALLOW(SYS_madvise),	\
	ALLOW_ANONYMOUS, ALLOW_WITHOUT(SYS_mprotect, 2, PROT_EXEC),	\
	ALLOW_ARG(SYS_fcntl, 1, F_GETFL), ALLOW_SETFL,			\
	ALLOW_ARG(SYS_fcntl, 1, F_GETFD), ALLOW_ARG(SYS_fcntl, 1, F_SETFD), \
	ALLOW_ARG(SYS_prctl, 0, PR_SET_NAME), READ_LIMITS,		\
	ALLOW(SYS_futex), ALLOW(SYS_rt_sigreturn),			\
	ALLOW(SYS_rt_sigprocmask), ALLOW(SYS_rt_sigaction),		\
	ALLOW(SYS_restart_syscall), ALLOW(SYS_getpid), ALLOW(SYS_gettid),	\
	ALLOW(SYS_exit), ALLOW(SYS_exit_group),				\
	ERRNO(SYS_ioctl, ENOTTY), ERRNO(SYS_openat, EACCES),		\
	ERRNO(SYS_newfstatat, EACCES), ERRNO(SYS_readlinkat, EACCES),	\
	BASE_X86

/* An instrumented program does more, most of it to say what went wrong. */
#ifdef RELAYD_SANITIZE
#define EXTRA								\
	ALLOW(SYS_sigaltstack), ALLOW(SYS_sched_yield), ALLOW(SYS_mmap),	\
	ALLOW(SYS_mprotect), ALLOW(SYS_prlimit64), ALLOW(SYS_getrlimit),	\
	ALLOW(SYS_tgkill), ALLOW(SYS_getuid), ALLOW(SYS_geteuid),	\
	ALLOW(SYS_lseek), ALLOW(SYS_fstat), ALLOW(SYS_dup),		\
	ALLOW(SYS_clock_nanosleep), ALLOW(SYS_nanosleep),		\
	ERRNO(SYS_fork, EPERM), ERRNO(SYS_clone, EPERM),		\
	ERRNO(SYS_clone3, EPERM), ERRNO(SYS_pipe2, EPERM),		\
	ERRNO(SYS_pipe, EPERM), ERRNO(SYS_getppid, EPERM),
#else
#define EXTRA
#endif

#define TAIL		EXTRA RET(SB_DENY)

static const struct sock_filter worker_filter[] = {	/* muxd, termd */
	HEAD OPTION(IPPROTO_TCP, TCP_NODELAY),
	OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	OPTION(SOL_SOCKET, SO_RCVLOWAT), OPTION(SOL_SOCKET, SO_SNDBUF),
	NO_LINGER, BASE TAIL
};

static const struct sock_filter listener_filter[] = {	/* proxyd */
	HEAD ALLOW(SYS_accept4), OPTION(IPPROTO_TCP, TCP_NODELAY),
	OPTION(SOL_SOCKET, SO_LINGER), ALLOW_SENDMSG, BASE TAIL
};

static const struct sock_filter desk_filter[] = {	/* control */
	HEAD ALLOW(SYS_accept4), NO_LINGER, BASE TAIL
};

#if defined(__x86_64__)
#define STORE_X86	ALLOW(SYS_open), ALLOW(SYS_access), ALLOW(SYS_stat),	\
	ALLOW(SYS_lstat), ALLOW(SYS_unlink), ALLOW(SYS_readlink),	\
	ALLOW(SYS_rename),
#else
#define STORE_X86
#endif

/* Its files are what the store is made of; Landlock says where they may be. */
static const struct sock_filter authd_filter[] = {
	HEAD
	ALLOW(SYS_openat), ALLOW(SYS_pread64), ALLOW(SYS_pwrite64),
	ALLOW(SYS_fsync), ALLOW(SYS_fdatasync), ALLOW(SYS_ftruncate),
	ALLOW(SYS_lseek), ALLOW(SYS_newfstatat), ALLOW(SYS_fstat),
	ALLOW_ARG(SYS_fcntl, 1, F_GETLK), ALLOW_ARG(SYS_fcntl, 1, F_SETLK),
	ALLOW_ARG(SYS_fcntl, 1, F_SETLKW),
	OPTION(SOL_SOCKET, SO_PASSRIGHTS), NO_LINGER, ALLOW_SENDMSG,
	ALLOW_WITHOUT(SYS_mmap, 2, PROT_EXEC),		/* the WAL's index */
	ALLOW(SYS_unlinkat), ALLOW(SYS_faccessat),
	ALLOW(SYS_faccessat2), ALLOW(SYS_fchmod), ALLOW(SYS_fchown),
	ALLOW(SYS_fallocate), ALLOW(SYS_getcwd), ALLOW(SYS_readlinkat),
	ALLOW(SYS_statx), ALLOW(SYS_getuid), ALLOW(SYS_geteuid),
	ALLOW(SYS_sysinfo), ALLOW(SYS_umask), ALLOW(SYS_nanosleep),
	ALLOW(SYS_clock_nanosleep),
	ALLOW_BOTH(SYS_socketpair, 0, AF_UNIX,
	    1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),	/* streams */
	STORE_X86 BASE TAIL
};

#define FILTER(f)	{ (unsigned short)(sizeof(f) / sizeof((f)[0])),	\
	(struct sock_filter *)(uintptr_t)(f) }

/* Landlock by number: the headers of the build machine may be older. */
struct ll_ruleset {
	uint64_t	fs, net, scoped;
};

#define LL_FS_V1	0x1fffULL	/* execute ... make symlink */
#define LL_FS_REFER	(1ULL << 13)
#define LL_FS_TRUNCATE	(1ULL << 14)
#define LL_FS_IOCTL	(1ULL << 15)
#define LL_NET_ALL	0x3ULL		/* bind, connect */
#define LL_SCOPE_ALL	0x3ULL		/* abstract sockets, signals */
#define LL_FS_STORE	(0x2ULL | 0x4ULL | 0x8ULL | (1ULL << 5) | (1ULL << 8))
				/* write, read, list, remove, make files */

static const struct sock_fprog *
filter_of(int role)
{
	static const struct sock_fprog	worker = FILTER(worker_filter),
	    listener = FILTER(listener_filter), desk = FILTER(desk_filter),
	    store = FILTER(authd_filter);

	switch (role_info(role)->filter) {
	case FILTER_STORE:
		return (&store);
	case FILTER_LISTENER:
		return (&listener);
	case FILTER_DESK:
		return (&desk);
	default:
		return (&worker);
	}
}

static void
limit(int what, rlim_t value)
{
	struct rlimit	rl = { value, value };

	if (setrlimit(what, &rl) == -1)
		fatal("setrlimit %d", what);
}

static void
limit_all(uint64_t files, uint64_t fsize)
{
	struct rlimit	rl;

	limit(RLIMIT_CORE, 0);
#ifndef RELAYD_SANITIZE
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_FSIZE, fsize);
#else
	if (fsize != 0)
		limit(RLIMIT_FSIZE, fsize);
#endif
	if (fsize != 0)
		signal(SIGXFSZ, SIG_IGN);	/* a full store is an error */
	if (files == 0 || getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	limit(RLIMIT_NOFILE, files < rl.rlim_max ? files : rl.rlim_max);
}

static int
landlock_allow(int ruleset, const char *dir, uint64_t rights)
{
	struct landlock_path_beneath_attr	beneath = { .allowed_access =
	    rights };
	int					r;

	beneath.parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (beneath.parent_fd == -1)
		return (-1);
	r = (int)syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	close(beneath.parent_fd);
	return (r);
}

/* Nothing but `dir`, no TCP of our own, no signal to others. */
static uint32_t
landlock_apply(int role, const char *dir)
{
	struct ll_ruleset	rules = { LL_FS_V1, 0, 0 };
	uint64_t		store = LL_FS_STORE;
	size_t			size = sizeof(rules.fs);
	long			abi;
	int			fd;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		log_warnx("landlock: not offered by this kernel, skipped");
		return (0);
	}
	if (abi >= 2)
		rules.fs |= LL_FS_REFER;
	if (abi >= 3) {
		rules.fs |= LL_FS_TRUNCATE;
		store |= LL_FS_TRUNCATE;
	}
	if (abi >= 4) {
		rules.net = LL_NET_ALL;
		size = sizeof(rules.fs) + sizeof(rules.net);
	}
	if (abi >= 5)
		rules.fs |= LL_FS_IOCTL;
	if (abi >= 6) {
		rules.scoped = LL_SCOPE_ALL;
		size = sizeof(rules);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd == -1)
		fatal("landlock");
	if (role_info(role)->room == ROOM_STORE && dir != NULL &&
	    landlock_allow(fd, dir, store) == -1)
		fatal("landlock: %s", dir);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		fatal("landlock");
	close(fd);
	return (SB_LANDLOCK);
}

#ifdef RELAYD_TESTING
static void
denied(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	log_warnx("sandbox: system call %d is not allowed here",
	    si->si_syscall);
	_exit(128 + SIGSYS);
}

static void
deny_loudly(void)
{
	struct sigaction	sa = { .sa_flags = SA_SIGINFO };

	sa.sa_sigaction = denied;
	sigaction(SIGSYS, &sa, NULL);
}
#endif

/* A kernel that has filters looks at where this one should be. */
static int
seccomp_offered(void)
{
	return (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1 &&
	    errno == EFAULT);
}

static uint32_t
seccomp_apply(int role)
{
	if (!seccomp_offered()) {
		log_warnx("seccomp: not offered by this kernel, skipped");
		return (0);
	}
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_of(role), 0,
	    0) == -1)
		fatal("seccomp");
	return (SB_SECCOMP);
}

uint32_t
sandbox_apply(int role, const char *dir, uint64_t files, uint64_t fsize)
{
	uint32_t	layers = 0;

	limit_all(files, fsize);
	layers |= SB_RLIMIT;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("not dumpable");
	layers |= SB_NODUMP;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("no_new_privs");
	layers |= SB_NNP;
	layers |= landlock_apply(role, dir);
#ifdef RELAYD_TESTING
	deny_loudly();
#endif
	return (layers | seccomp_apply(role));
}
