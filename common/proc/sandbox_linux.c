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
#include <sys/un.h>
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
#define SKIP(n)		BPF_JUMP(BPF_JMP | BPF_JA, (n), 0, 0)

/*
 * A list L(X, l) of calls that are known by their number alone: one comparison
 * each, all of which lead to one answer behind the last. The kernel walks a new
 * filter for every call there is, so its length is what a worker's start costs.
 */
#define NUMBER(l, call)	l##_##call,
#define JUMP_FROM(l, call)						\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, l##_n - l##_##call, 0),
#define ANSWER(L, l, what)	L(JUMP_FROM, l) SKIP(1), RET(what)
#define REACH(l, call)	char l##_##call[SYS_##call + 1];
/* The places of a list, and by its size the first number behind all of it. */
#define LIST(L, E, l)							\
	enum { L(NUMBER, l##_yes) l##_yes_n };				\
	enum { E(NUMBER, l##_no) l##_no_n };				\
	union l##_all { L(REACH, yes) E(REACH, no) char end[SYS_prlimit64 + 1]; }
#define BEYOND(l)							\
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, sizeof(union l##_all), 0, 1), \
	RET(SB_DENY)

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
 * nobody may set it. They are told no, when they disarm what a neighbour sent.
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
#define YES_X86(X, l)	X(l, epoll_wait) X(l, poll) X(l, time)
#define NO_X86(X, l)	X(l, open) X(l, access) X(l, stat) X(l, readlink)
#define STORE_X86(X, l)	X(l, open) X(l, access) X(l, stat) X(l, lstat)	\
	X(l, unlink) X(l, readlink) X(l, rename)
#else
#define HEAD_X32
#define YES_X86(X, l)
#define NO_X86(X, l)
#define STORE_X86(X, l)
#endif

/* What files need: known by number, and harmless elsewhere. */
#define FILES(X, l)							\
	X(l, lseek) X(l, fstat) X(l, getuid) X(l, geteuid)		\
	X(l, nanosleep) X(l, clock_nanosleep)

/* An instrumented program does more, most of it to say what went wrong. */
#ifdef RELAYD_SANITIZE
#define YES_MORE(X, l)							\
	X(l, sigaltstack) X(l, sched_yield) X(l, mmap) X(l, mprotect)	\
	X(l, prlimit64) X(l, getrlimit) X(l, tgkill) X(l, dup) FILES(X, l)
#define STORE_MORE(X, l)	/* has them */
#define NO_MORE(X, l)							\
	X(l, fork) X(l, clone) X(l, clone3) X(l, pipe2) X(l, pipe)	\
	X(l, getppid)
#else
#define YES_MORE(X, l)
#define STORE_MORE(X, l)	FILES(X, l)
#define NO_MORE(X, l)
#endif

/* What every role needs to move bytes on descriptors that it was given. */
#define YES(X, l)							\
	X(l, read) X(l, write) X(l, recvmsg) X(l, epoll_pwait)		\
	X(l, epoll_ctl) X(l, readv) X(l, writev) X(l, recvfrom)		\
	X(l, close) X(l, shutdown) X(l, clock_gettime)			\
	X(l, gettimeofday) X(l, ppoll) X(l, getsockopt)			\
	X(l, getsockname) X(l, getrandom) X(l, brk) X(l, munmap)	\
	X(l, mremap) X(l, madvise) X(l, futex) X(l, rt_sigreturn)	\
	X(l, rt_sigprocmask) X(l, rt_sigaction) X(l, restart_syscall)	\
	X(l, getpid) X(l, gettid) X(l, exit) X(l, exit_group)		\
	YES_X86(X, l) YES_MORE(X, l)
/* What libc tries for comfort. */
#define NO(X, l)							\
	X(l, openat) X(l, newfstatat) X(l, readlinkat)			\
	NO_X86(X, l) NO_MORE(X, l)
#define YES_LISTENER(X, l)	X(l, accept4) YES(X, l)
/* authd's files are what the store is made of; Landlock says where they are. */
#define YES_STORE(X, l)							\
	X(l, openat) X(l, pread64) X(l, pwrite64) X(l, fsync)		\
	X(l, fdatasync) X(l, ftruncate) X(l, fstatfs) X(l, newfstatat)	\
	X(l, unlinkat) X(l, faccessat) X(l, faccessat2) X(l, fchmod)	\
	X(l, fchown) X(l, fallocate) X(l, getcwd) X(l, readlinkat)	\
	X(l, statx) X(l, sysinfo) X(l, umask) X(l, mkdirat)		\
	X(l, getdents64) STORE_X86(X, l)				\
	STORE_MORE(X, l) YES(X, l)

LIST(YES, NO, worker);
LIST(YES_LISTENER, NO, listener);
LIST(YES_STORE, NO, store);

/* Nothing above the highest number of a list is in it. */
#define HEAD(l)								\
	LOAD(OFF(arch)), SKIP_UNLESS(SB_ARCH, 1), SKIP(1),		\
	RET(SECCOMP_RET_KILL_PROCESS), LOAD(OFF(nr)), HEAD_X32 BEYOND(l)
#define TAIL(Y, l)							\
	ALLOW_SEND, ALLOW_ANONYMOUS,					\
	ALLOW_WITHOUT(SYS_mprotect, 2, PROT_EXEC),			\
	ALLOW_ARG(SYS_fcntl, 1, F_GETFL), ALLOW_SETFL,			\
	ALLOW_ARG(SYS_fcntl, 1, F_GETFD), ALLOW_ARG(SYS_fcntl, 1, F_SETFD), \
	READ_LIMITS, SKIP_UNLESS(SYS_ioctl, 1),				\
	RET(SECCOMP_RET_ERRNO | ENOTTY),				\
	ANSWER(Y, l##_yes, SECCOMP_RET_ALLOW),				\
	ANSWER(NO, l##_no, SECCOMP_RET_ERRNO | EACCES), RET(SB_DENY)

#define WORKER_HEAD							\
	HEAD(worker), OPTION(IPPROTO_TCP, TCP_NODELAY),			\
	OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),				\
	OPTION(SOL_SOCKET, SO_RCVLOWAT), OPTION(SOL_SOCKET, SO_SNDBUF),	\
	NO_LINGER

static const struct sock_filter worker_filter[] = {	/* muxd */
	WORKER_HEAD, TAIL(YES, worker)
};

/*
 * What a recording was opened for stays: O_APPEND can be taken off by F_SETFL,
 * which is not needed, since every descriptor comes with its flags.
 */
#define NO_SETFL							\
	SKIP_UNLESS(SYS_fcntl, 4), LOAD(OFF_ARG(1)),			\
	SKIP_UNLESS(F_SETFL, 1), RET(SECCOMP_RET_ERRNO | EPERM), LOAD(OFF(nr))

static const struct sock_filter recorder_filter[] = {	/* termd */
	WORKER_HEAD, NO_SETFL, TAIL(YES, worker)
};

/*
 * connect() with an address that has room for its family only: there is none to
 * go to. AF_UNSPEC, to reset a connection, is what is left of it.
 */
#define ALLOW_RESET	ALLOW_ARG(SYS_connect, 2, sizeof(sa_family_t))

static const struct sock_filter listener_filter[] = {	/* proxyd */
	HEAD(listener), OPTION(IPPROTO_TCP, TCP_NODELAY), ALLOW_RESET,
	NO_LINGER, ALLOW_SENDMSG,
	TAIL(YES_LISTENER, listener)
};

/*
 * TLS in the kernel, where there is some: TCP_ULP to ask for it, TLS_TX and
 * TLS_RX to hand it the keys of a connection.
 */
#define ALLOW_KTLS							\
	OPTION(IPPROTO_TCP, TCP_ULP), OPTION(SOL_TLS, 1), OPTION(SOL_TLS, 2)

static const struct sock_filter tls_filter[] = {	/* tlsd */
	HEAD(listener), OPTION(IPPROTO_TCP, TCP_NODELAY), ALLOW_KTLS,
	ALLOW_RESET, NO_LINGER, ALLOW_SENDMSG,
	ALLOW_BOTH(SYS_socketpair, 0, AF_UNIX,
	    1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
	TAIL(YES_LISTENER, listener)
};

static const struct sock_filter desk_filter[] = {	/* control */
	HEAD(listener), NO_LINGER, TAIL(YES_LISTENER, listener)
};

#define AUTHD_HEAD							\
	HEAD(store), ALLOW_ARG(SYS_fcntl, 1, F_GETLK),			\
	ALLOW_ARG(SYS_fcntl, 1, F_SETLK), ALLOW_ARG(SYS_fcntl, 1, F_SETLKW), \
	OPTION(SOL_SOCKET, SO_PASSRIGHTS), NO_LINGER, ALLOW_SENDMSG,	\
	ALLOW_WITHOUT(SYS_mmap, 2, PROT_EXEC),	/* the WAL's index */	\
	ALLOW_BOTH(SYS_socketpair, 0, AF_UNIX,				\
	    1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)	/* streams */

static const struct sock_filter authd_filter[] = {
	AUTHD_HEAD, TAIL(YES_STORE, store)
};

/*
 * The same where there is a server to ask: TCP of its own. Landlock says to
 * which ports; a filter cannot read an address.
 */
#define STREAM_SOCKET(family)						\
	ALLOW_BOTH(SYS_socket, 0, (family), 1, SOCK_STREAM),		\
	ALLOW_BOTH(SYS_socket, 0, (family), 1,				\
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

#define ASKER_HEAD							\
	AUTHD_HEAD, STREAM_SOCKET(AF_INET), STREAM_SOCKET(AF_INET6),		\
	OPTION(IPPROTO_TCP, TCP_NODELAY), OPTION(SOL_SOCKET, SO_KEEPALIVE), \
	OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),				\
	ALLOW_ARG(SYS_connect, 2, sizeof(struct sockaddr_in)),		\
	ALLOW_ARG(SYS_connect, 2, sizeof(struct sockaddr_in6))

static const struct sock_filter asker_filter[] = {
	ASKER_HEAD, TAIL(YES_STORE, store)
};

/* And by a socket of this machine, which is in our root or nowhere. */
static const struct sock_filter neighbour_filter[] = {
	ASKER_HEAD, STREAM_SOCKET(AF_UNIX),
	ALLOW_ARG(SYS_connect, 2, sizeof(struct sockaddr_un)),
	TAIL(YES_STORE, store)
};

/*
 * Connections of its own, to ports that Landlock knows; the sockets for DNS
 * were opened before, and are asked and answered with addresses.
 */
#define DIALER_CALLS(X, l)	X(l, connect) X(l, getpeername) YES(X, l)
LIST(DIALER_CALLS, NO, dialer);

static const struct sock_filter dialer_filter[] = {	/* dialerd */
	HEAD(dialer), OPTION(IPPROTO_TCP, TCP_NODELAY), NO_LINGER,
	OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
	OPTION(SOL_SOCKET, SO_KEEPALIVE), ALLOW_SENDMSG,
	ALLOW_BOTH(SYS_socket, 0, AF_INET,
	    1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
	ALLOW_BOTH(SYS_socket, 0, AF_INET6,
	    1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
	ALLOW_WITHOUT(SYS_sendto, 3, MSG_FASTOPEN | MSG_OOB),
	TAIL(DIALER_CALLS, dialer)
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
#define LL_NET_CONNECT	0x2ULL
#define LL_RULE_PORT	2
#define LL_SCOPE_ALL	0x3ULL		/* abstract sockets, signals */
#define LL_FS_STORE	(0x2ULL | 0x4ULL | 0x8ULL | (1ULL << 5) |		\
			    (1ULL << 7) | (1ULL << 8))
				/*
				 * write, read, list, remove, make dirs, files
				 */

static struct {
	uint16_t	v[SANDBOX_PORTS_MAX];
	size_t		n;
	int		sockets;	/* of this machine as well */
} ports;

static const struct sock_fprog *
filter_of(int role)
{
	static const struct sock_fprog	worker = FILTER(worker_filter),
	    recorder = FILTER(recorder_filter),
	    listener = FILTER(listener_filter), desk = FILTER(desk_filter),
	    store = FILTER(authd_filter), asker = FILTER(asker_filter),
	    neighbour = FILTER(neighbour_filter),
	    dialer = FILTER(dialer_filter), tls = FILTER(tls_filter);

	switch (role_info(role)->filter) {
	case FILTER_RECORDER:
		return (&recorder);
	case FILTER_STORE:
		return (ports.sockets ? &neighbour : ports.n > 0 ? &asker :
		    &store);
	case FILTER_DIALER:
		return (&dialer);
	case FILTER_TLS:
		return (&tls);
	case FILTER_LISTENER:
		return (&listener);
	case FILTER_DESK:
		return (&desk);
	default:
		return (&worker);
	}
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

void
sandbox_sockets(void)
{
	ports.sockets = 1;
}

void
sandbox_ports(const uint16_t *v, size_t n)
{
	memcpy(ports.v, v, n * sizeof(v[0]));
	ports.n = n;
}

static int
landlock_allow_ports(int ruleset)
{
	struct { uint64_t access, port; }	to = { LL_NET_CONNECT, 0 };
	size_t					i;

	for (i = 0; i < ports.n; i++) {
		to.port = ports.v[i];
		if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PORT, &to,
		    0) == -1)
			return (-1);
	}
	return (0);
}

/* Nothing but `dir`, no TCP of our own but to `ports`, no signal to others. */
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
	if (abi < 4 && ports.n > 0)
		log_warnx("landlock: this kernel knows no ports (before 6.7): "
		    "connections go to any");
	if (abi >= 4 && landlock_allow_ports(fd) == -1)
		fatal("landlock: ports");
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

	sandbox_limits(files, fsize);
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
