/* SPDX-License-Identifier: ISC */
/*
 * Each role shuts itself in and then does its work, or what an intruder would
 * try: in a child of its own, with straight system calls, through the filter of
 * this build and through that of production.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "imsg/imsg.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "proc/sandbox.h"
#include "regress/lib/sandbox_child.h"
#include "regress/lib/tap.h"

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN	0x20000000
#endif

/* What work needs. */

static int
do_layers(void)
{
	uint32_t	all = SB_RLIMIT | SB_NODUMP | SB_NNP | SB_SECCOMP;

	return ((fix.layers & all) == all ? 0 : 1);
}

static int
message(int carried)
{
	static uint8_t	buf[IMSG_MAX];
	int		fd;

	if (imsg_send(fix.pair[0], buf, IMSG_HDR, carried) == -1 ||
	    imsg_recv(fix.pair[1], buf, &fd) != IMSG_HDR ||
	    (fd == -1) != (carried == -1))
		return (errno);
	imsg_drop_fd(fd);
	return (0);
}

static int
do_messages(void)
{
	return (message(-1));
}

static int
do_descriptors(void)
{
	return (message(fix.file));
}

/* What a neighbour sent, and what cannot be changed about it. */
static int
do_drop(void)
{
	imsg_drop_fd(fix.client);
	return (0);
}

static int
option(int level, int name, int value)
{
	return (result(setsockopt(fix.client, level, name, &value,
	    sizeof(value))));
}

static int
do_nodelay(void)
{
	return (option(IPPROTO_TCP, TCP_NODELAY, 1));
}

static int
do_low_water(void)
{
	return (option(SOL_SOCKET, SO_RCVLOWAT, 1));
}

static int
do_send_buffer(void)
{
	return (option(SOL_SOCKET, SO_SNDBUF, 16384));
}

static int
do_linger(void)
{
	struct linger	on = { 1, 0 };

	return (result(setsockopt(fix.client, SOL_SOCKET, SO_LINGER, &on,
	    sizeof(on))));
}

static int
do_reset(void)
{
	struct sockaddr	nobody = { .sa_family = AF_UNSPEC };
	struct pollfd	pfd = { fix.client, 0, 0 };

	if (syscall(SYS_connect, fix.client, &nobody,
	    sizeof(nobody.sa_family)) == -1)
		return (errno);
	return (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLHUP) ? 0 : EIO);
}

/* Once taken back, it cannot be connected elsewhere. */
static int
do_nowhere(void)
{
	int	error;

	if ((error = do_reset()) != 0)
		return (error);
	return (result(syscall(SYS_connect, fix.client, &fix.addr,
	    sizeof(sa_family_t))));
}

static int
do_bytes(void)
{
	struct epoll_event	ev = { .events = EPOLLIN };
	struct pollfd		pfd = { fix.client, POLLOUT, 0 };
	socklen_t		len = sizeof(int);
	int			error;
	char			c;

	if (fcntl(fix.client, F_GETFL) == -1 ||
	    poll(&pfd, 1, 1000) != 1 ||
	    send(fix.client, "ab", 2, MSG_NOSIGNAL) != 2 ||
	    epoll_ctl(fix.epoll, EPOLL_CTL_ADD, fix.accepted, &ev) == -1 ||
	    epoll_wait(fix.epoll, &ev, 1, 1000) != 1 ||
	    recv(fix.accepted, &c, 1, 0) != 1 ||
	    read(fix.accepted, &c, 1) != 1 || c != 'b' ||
	    getsockopt(fix.client, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    shutdown(fix.client, SHUT_WR) == -1 || close(fix.client) == -1)
		return (errno);
	return (0);
}

static int
do_nonblocking(void)
{
	return (result(syscall(SYS_fcntl, fix.client, F_SETFL, O_RDWR |
	    O_NONBLOCK)));
}

/* A recording grows, up to its limit; and nothing else happens to it. */
static int
do_append(void)
{
	static char	much[2 << 20];
	ssize_t		n;

	if (write(fix.recording, "ab", 2) != 2)
		return (errno);
	if ((n = write(fix.recording, much, sizeof(much))) != -1 &&
	    (size_t)n < sizeof(much))
		n = write(fix.recording, much, 1);
	return (n == -1 ? errno : 0);
}

static int
bad_append(void)
{
	return (result(syscall(SYS_fcntl, fix.recording, F_SETFL, O_WRONLY |
	    O_NONBLOCK)));
}

static int
bad_truncate(void)
{
	return (result(syscall(SYS_ftruncate, fix.recording, 0)));
}

static int
bad_pwrite(void)
{
	return (result(syscall(SYS_pwrite64, fix.recording, "x", 1, 0)));
}

static int
bad_pwritev(void)
{
	struct iovec	iov = { (void *)(uintptr_t)"x", 1 };

	return (result(syscall(SYS_pwritev2, fix.recording, &iov, 1, 0, 0,
	    0)));
}

static int
bad_fallocate(void)
{
	return (result(syscall(SYS_fallocate, fix.recording, 3, 0, 1)));
}

static int
bad_read(void)
{
	char	c;

	return (result(syscall(SYS_read, fix.recording, &c, 1)));
}

static int
bad_mkdir(void)
{
	return (result(syscall(SYS_mkdirat, AT_FDCWD,
	    "/tmp/relayd-intruder", 0700)));
}

static int
do_comfort(void)
{
	struct rlimit	 rl;
	char		*p;
	uint8_t		 r[8];

	log_info("a line");
	if ((p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED)
		return (errno);
	p[4096] = 1;
	if (mprotect(p, 4096, PROT_READ) == -1 ||
	    madvise(p, 1 << 20, MADV_DONTNEED) == -1 ||
	    munmap(p, 1 << 20) == -1 ||
	    syscall(SYS_getrandom, r, sizeof(r), 0) != sizeof(r) ||
	    getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return (errno);
	return (rl.rlim_cur == 64 && rl.rlim_max == 64 ? 0 : 1);
}

static int
do_accept(void)
{
	int	fd = accept4(fix.listener, NULL, NULL, SOCK_CLOEXEC);

	return (fd == -1 ? errno : 0);
}

static int
do_streams(void)
{
	int	sv[2];

	return (result(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv)));
}

static int
store(const char *sql, int want)
{
	sqlite3	*db;
	char	 path[128];
	int	 r;

	snprintf(path, sizeof(path), "%s/t.db", fix.dir);
	if ((r = sqlite3_open(path, &db)) != SQLITE_OK ||
	    (r = sqlite3_exec(db, "PRAGMA journal_mode=WAL;"
	    "PRAGMA synchronous=FULL;"
	    "CREATE TABLE IF NOT EXISTS t (x);", NULL, NULL, NULL)) !=
	    SQLITE_OK)
		return (100 + r);
	r = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if ((r & 0xff) != want)
		return (100 + (r & 0xff));
	sqlite3_close(db);
	return (0);
}

static int
do_store(void)
{
	return (store("BEGIN; INSERT INTO t VALUES (randomblob(100000));"
	    "COMMIT; PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM t;",
	    SQLITE_OK));
}

/* A file that may not grow is an error, not the end. */
static int
do_store_full(void)
{
	int	r = store("INSERT INTO t VALUES (zeroblob(4000000));",
	    SQLITE_FULL);

	return (r == 100 + SQLITE_IOERR ? 0 : r);
}

/* What an intruder would try. */


static int
bad_socket(void)
{
	return (result(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)));
}

static int
open_socket(int family, int type)
{
	return (result(syscall(SYS_socket, family, type | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0)));
}

static int
do_socket(void)
{
	return (open_socket(AF_INET, SOCK_STREAM) |
	    open_socket(AF_INET6, SOCK_STREAM));
}

static int
bad_udp(void)
{
	return (open_socket(AF_INET, SOCK_DGRAM));
}

static int
bad_raw(void)
{
	return (open_socket(AF_INET, SOCK_RAW));
}

static int
bad_unix(void)
{
	return (open_socket(AF_UNIX, SOCK_STREAM));
}

static int
bad_connect(void)
{
	return (result(syscall(SYS_connect, fix.client, &fix.addr,
	    sizeof(fix.addr))));
}

static int
bad_bind(void)
{
	return (result(syscall(SYS_bind, fix.client, &fix.addr,
	    sizeof(fix.addr))));
}

static int
bad_listen(void)
{
	return (result(syscall(SYS_listen, fix.client, 1)));
}

/* A listening socket, shut down, is one that can be connected anywhere. */
static int
bad_fastopen_sendto(void)
{
	(void)shutdown(fix.listener, SHUT_RD);
	return (result(syscall(SYS_sendto, fix.listener, "x", 1,
	    MSG_FASTOPEN | MSG_NOSIGNAL, &fix.addr, sizeof(fix.addr))));
}

static int
bad_fastopen_sendmsg(void)
{
	struct iovec	iov = { (void *)(uintptr_t)"x", 1 };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_name = &fix.addr, .msg_namelen = sizeof(fix.addr) };

	(void)shutdown(fix.listener, SHUT_RD);
	return (result(syscall(SYS_sendmsg, fix.listener, &mh,
	    MSG_FASTOPEN | MSG_NOSIGNAL)));
}

static int
bad_sendto_address(void)
{
	return (result(syscall(SYS_sendto, fix.pair[0], "x", 1, 0, &fix.addr,
	    sizeof(fix.addr))));
}

static int
bad_fork(void)
{
	long	r = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (r == 0)
		leave(0);
	return (result(r));
}

static int
bad_exec(void)
{
	static char	*none[] = { NULL };

	return (result(syscall(SYS_execve, "/bin/true", none, none)));
}

static int
bad_ptrace(void)
{
	return (result(syscall(SYS_ptrace, 16, getppid(), 0, 0)));
}

static int
bad_kill(void)
{
	return (result(syscall(SYS_kill, 1, 0)));
}

static int
bad_setown(void)
{
	return (result(syscall(SYS_fcntl, fix.client, F_SETOWN, 1)));
}

static int
bad_setsig(void)
{
	return (result(syscall(SYS_fcntl, fix.client, F_SETSIG, SIGKILL)));
}

static int
bad_async(void)
{
	return (result(syscall(SYS_fcntl, fix.client, F_SETFL,
	    O_RDWR | O_ASYNC)));
}

static int
bad_blocking(void)
{
	return (result(syscall(SYS_fcntl, fix.client, F_SETFL, O_RDWR)));
}

static int
bad_urgent(void)
{
	return (result(syscall(SYS_sendto, fix.client, "x", 1, MSG_OOB, NULL,
	    0)));
}

static int
bad_urgent_sendmsg(void)
{
	struct iovec	iov = { (void *)(uintptr_t)"x", 1 };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	return (result(syscall(SYS_sendmsg, fix.client, &mh, MSG_OOB)));
}

static int
bad_dupfd(void)
{
	return (result(syscall(SYS_fcntl, fix.client, F_DUPFD, 0)));
}

static int
bad_lease(void)
{
	return (result(syscall(SYS_fcntl, fix.file, F_SETLEASE, F_RDLCK)));
}

static int
bad_dumpable(void)
{
	return (result(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)));
}

static int
bad_name(void)
{
	return (result(syscall(SYS_prctl, PR_SET_NAME, "name", 0, 0, 0)));
}

static int
bad_filter(void)
{
	struct sock_filter	f = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog	prog = { 1, &f };

	return (result(syscall(SYS_setsockopt, fix.client, SOL_SOCKET,
	    SO_ATTACH_FILTER, &prog, sizeof(prog))));
}

static int
bad_option(void)
{
	int	on = 1;

	return (result(syscall(SYS_setsockopt, fix.client, IPPROTO_TCP,
	    TCP_FASTOPEN, &on, sizeof(on))));
}

static int
bad_ulp(void)
{
	return (result(syscall(SYS_setsockopt, fix.client, IPPROTO_TCP, 31,
	    "tls", 3)));
}

static int
bad_mmap_exec(void)
{
	return (result(syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
}

static int
bad_mprotect_exec(void)
{
	static char	page[8192] __attribute__((aligned(4096)));

	return (result(syscall(SYS_mprotect, page, 4096,
	    PROT_READ | PROT_EXEC)));
}

static int
bad_mmap_file(void)
{
	return (result(syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE,
	    fix.file, 0)));
}

static int
bad_limit(void)
{
	struct rlimit	rl = { 10, 64 };

	return (result(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &rl, NULL)));
}

static int
bad_socketpair(void)
{
	int	sv[2];

	return (result(syscall(SYS_socketpair, AF_UNIX,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv)));
}

static int
bad_open(void)
{
	return (result(syscall(SYS_openat, AT_FDCWD, "/etc/passwd",
	    O_RDONLY)));
}

static int
bad_create(void)
{
	return (result(syscall(SYS_openat, AT_FDCWD, "/tmp/relayd-intruder",
	    O_WRONLY | O_CREAT, 0600)));
}

static int
bad_write_proc(void)
{
	return (result(syscall(SYS_openat, AT_FDCWD, "/proc/self/mem",
	    O_RDWR)));
}

static int
bad_ioctl(void)
{
	return (result(syscall(SYS_ioctl, fix.client, 0x8902 /* SIOCSPGRP */,
	    &fix.file)));
}

#if defined(__x86_64__)
static int
bad_x32(void)
{
	return (result(syscall(0x40000000 + SYS_getpid)));
}

static int
bad_32bit(void)
{
	long	r;

	__asm__ volatile ("int $0x80" : "=a" (r) : "a" (20L) : "memory");
	return (r > 0 ? 0 : EPERM);
}
#endif

static long	bare_call;

static int
bad_bare(void)
{
	return (result(syscall(bare_call, 0, 0, 0, 0, 0, 0)));
}

/* Whom a probe is for, by the filter of roles.def. */
#define ALL	(~0U)
#define STORE	(1U << FILTER_STORE)
#define DOOR	(1U << FILTER_LISTENER)
#define DESK	(1U << FILTER_DESK)
#define MUX	(1U << FILTER_WORKER)
#define TERM	(1U << FILTER_RECORDER)
#define TLS	(1U << FILTER_TLS)
#define WORKER	(MUX | TERM)
#define DIAL	(1U << FILTER_DIALER)

static const struct {
	const char	*name;
	probe_fn	 fn;
	unsigned	 filters;
	int		 want;		/* KILLED, 0, or an errno */
	int		 sanitized;	/* the same in a sanitizer build */
} probes[] = {
	{ "layers are in force", do_layers, ALL, 0, 1 },
	{ "messages", do_messages, ALL, 0, 1 },
	{ "messages with descriptors", do_descriptors, STORE | DOOR | TLS, 0,
	    1 },
	{ "a descriptor", do_descriptors, WORKER | DESK, KILLED, 1 },
	{ "dropping what was sent", do_drop, ALL, 0, 1 },
	{ "TCP_NODELAY", do_nodelay, WORKER | DOOR | DIAL | TLS, 0, 1 },
	{ "TCP_NODELAY", do_nodelay, STORE | DESK, KILLED, 1 },
	{ "SO_RCVLOWAT", do_low_water, WORKER, 0, 1 },
	{ "SO_RCVLOWAT", do_low_water, ALL & ~WORKER, KILLED, 1 },
	{ "SO_SNDBUF", do_send_buffer, WORKER, 0, 1 },
	{ "SO_SNDBUF", do_send_buffer, ALL & ~WORKER, KILLED, 1 },
	{ "SO_LINGER", do_linger, ALL, EPERM, 1 },
	{ "resetting a connection", do_reset, DOOR | TLS, 0, 1 },
	{ "resetting a connection", do_reset, ALL & ~(DOOR | DIAL | TLS),
	    KILLED, 1 },
	{ "a connection to nowhere", do_nowhere, DOOR | TLS, EINVAL, 1 },
	{ "O_NONBLOCK", do_nonblocking, ALL & ~TERM, 0, 1 },
	{ "other flags", do_nonblocking, TERM, EPERM, 1 },
	{ "clearing O_APPEND", bad_append, TERM, EPERM, 1 },
	{ "shortening a recording", bad_truncate, TERM, KILLED, 1 },
	{ "writing into it", bad_pwrite, TERM, KILLED, 1 },
	{ "writing into it", bad_pwritev, TERM, KILLED, 1 },
	{ "a hole in it", bad_fallocate, TERM, KILLED, 1 },
	{ "reading it", bad_read, TERM, EBADF, 1 },
	{ "making it longer than its limit", do_append, TERM, EFBIG, 1 },
	{ "making a directory", bad_mkdir, ALL & ~STORE, KILLED, 1 },
	{ "clearing O_NONBLOCK", bad_blocking, ALL & ~TERM, KILLED, 1 },
	{ "clearing O_NONBLOCK", bad_blocking, TERM, EPERM, 1 },
	{ "MSG_OOB", bad_urgent, ALL, KILLED, 1 },
	{ "sendmsg with MSG_OOB", bad_urgent_sendmsg, ALL, KILLED, 1 },
	{ "bytes on sockets", do_bytes, ALL, 0, 1 },
	{ "memory, random, log, limits", do_comfort, ALL, 0, 1 },
	{ "accept", do_accept, DOOR | DESK | TLS, 0, 1 },
	{ "streams", do_streams, STORE | TLS, 0, 1 },
	{ "the store", do_store, STORE, 0, 1 },
	{ "accept", do_accept, ALL & ~(DOOR | DESK | TLS), KILLED, 1 },
	{ "a socketpair", do_streams, ALL & ~(STORE | TLS), KILLED, 1 },
	{ "a datagram pair", bad_socketpair, ALL, KILLED, 1 },
	{ "socket", bad_socket, ALL, KILLED, 1 },
	{ "connect", bad_connect, ALL & ~DIAL, KILLED, 1 },
	{ "a socket of TCP", do_socket, DIAL, 0, 1 },
	{ "a socket of TCP", do_socket, ALL & ~DIAL, KILLED, 1 },
	{ "a socket of UDP", bad_udp, ALL, KILLED, 1 },
	{ "a raw socket", bad_raw, ALL, KILLED, 1 },
	{ "a socket of this machine", bad_unix, ALL, KILLED, 1 },
	{ "bind", bad_bind, ALL, KILLED, 1 },
	{ "listen", bad_listen, ALL, KILLED, 1 },
	{ "sendto with MSG_FASTOPEN", bad_fastopen_sendto, ALL, KILLED, 1 },
	{ "sendmsg with MSG_FASTOPEN", bad_fastopen_sendmsg, ALL, KILLED, 1 },
	{ "sendto with an address", bad_sendto_address, ALL & ~DIAL, KILLED, 1 },
	{ "sendto with an address", bad_sendto_address, DIAL, 0, 1 },
	{ "fork", bad_fork, ALL, KILLED, 0 },
	{ "exec", bad_exec, ALL, KILLED, 1 },
	{ "ptrace", bad_ptrace, ALL, KILLED, 1 },
	{ "kill", bad_kill, ALL, KILLED, 1 },
	{ "F_SETOWN", bad_setown, ALL, KILLED, 1 },
	{ "F_SETSIG", bad_setsig, ALL, KILLED, 1 },
	{ "O_ASYNC", bad_async, ALL & ~TERM, KILLED, 1 },
	{ "O_ASYNC", bad_async, TERM, EPERM, 1 },
	{ "F_DUPFD", bad_dupfd, ALL, KILLED, 1 },
	{ "F_SETLEASE", bad_lease, ALL, KILLED, 1 },
	{ "becoming dumpable", bad_dumpable, ALL, KILLED, 1 },
	{ "another name", bad_name, ALL, KILLED, 1 },
	{ "a socket filter", bad_filter, ALL, KILLED, 1 },
	{ "TCP_FASTOPEN", bad_option, ALL, KILLED, 1 },
	{ "TCP_ULP", bad_ulp, ALL & ~TLS, KILLED, 1 },
	{ "executable memory", bad_mmap_exec, ALL, KILLED, 0 },
	{ "making memory executable", bad_mprotect_exec, ALL, KILLED, 0 },
	{ "mapping a file", bad_mmap_file, ALL & ~STORE, KILLED, 0 },
	{ "a new limit", bad_limit, ALL, KILLED, 0 },
	{ "opening a file", bad_open, ALL & ~STORE, EACCES, 1 },
	{ "making a file", bad_create, ALL & ~STORE, EACCES, 1 },
	{ "its own memory as a file", bad_write_proc, ALL & ~STORE, EACCES, 1 },
	{ "ioctl", bad_ioctl, ALL, ENOTTY, 1 },
#if defined(__x86_64__)
	{ "an x32 call", bad_x32, ALL, KILLED, 1 },
	{ "a 32-bit call", bad_32bit, ALL, KILLED, 1 },
#endif
};

/* Not even with the right arguments. */
static const struct {
	const char	*name;
	long		 nr;
} calls[] = {
	{ "tgkill", SYS_tgkill }, { "rt_sigqueueinfo", SYS_rt_sigqueueinfo },
	{ "process_vm_readv", SYS_process_vm_readv },
	{ "chroot", SYS_chroot }, { "mount", SYS_mount },
	{ "unshare", SYS_unshare }, { "setns", SYS_setns },
	{ "setuid", SYS_setuid }, { "setresuid", SYS_setresuid },
	{ "setgroups", SYS_setgroups }, { "capset", SYS_capset },
	{ "personality", SYS_personality }, { "bpf", SYS_bpf },
	{ "keyctl", SYS_keyctl }, { "add_key", SYS_add_key },
	{ "memfd_create", SYS_memfd_create },
	{ "userfaultfd", SYS_userfaultfd },
	{ "perf_event_open", SYS_perf_event_open },
	{ "seccomp", SYS_seccomp }, { "dup3", SYS_dup3 },
	{ "sendmmsg", SYS_sendmmsg }, { "splice", SYS_splice },
	{ "setpriority", SYS_setpriority },
	{ "sched_setaffinity", SYS_sched_setaffinity },
	{ "shmget", SYS_shmget }, { "msgget", SYS_msgget },
	{ "inotify_init1", SYS_inotify_init1 },
	{ "chdir", SYS_chdir }, { "linkat", SYS_linkat },
	{ "symlinkat", SYS_symlinkat }, { "mknodat", SYS_mknodat },
	{ "fchmodat", SYS_fchmodat }, { "reboot", SYS_reboot },
#ifdef SYS_pidfd_open
	{ "pidfd_open", SYS_pidfd_open },
#endif
#ifdef SYS_io_uring_setup
	{ "io_uring_setup", SYS_io_uring_setup },
#endif
#ifdef SYS_clone3
	{ "clone3", SYS_clone3 },
#endif
};

static void
test_role(int role, int production)
{
	const char	*variant = production ? "production" : "this build";
	size_t		 i;
	int		 bad = 0, got;

	for (i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		if (!(probes[i].filters & 1U << role_info(role)->filter))
			continue;
#ifdef RELAYD_SANITIZE
		if (!production && !probes[i].sanitized)
			continue;
#endif
		got = run(role, production, probes[i].fn);
		is_int(got, probes[i].want, "%s, %s: %s%s", variant,
		    role_name(role), probes[i].name,
		    probes[i].want == 0 ? "" : " is refused");
	}
	if (!production)
		return;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		bare_call = calls[i].nr;
		got = run(role, production, bad_bare);
		if (got != KILLED) {
			diag("%s: %d", calls[i].name, got);
			bad++;
		}
	}
	is_int(bad, 0, "%s, %s: %zu other calls end it", variant,
	    role_name(role), i);
}

static int
landlocked(void)
{
	return (fix.layers & SB_LANDLOCK ? 0 : 1);
}

static int
own_directory(void)
{
	char	path[128];

	snprintf(path, sizeof(path), "%s/sub", fix.dir);
	return (result(syscall(SYS_openat, AT_FDCWD, path,
	    O_RDONLY | O_DIRECTORY)));
}

/* authd has calls on files; which files is Landlock's to say. */
static void
test_store(void)
{
	fix.fsize = 1 << 20;
	is_int(run(ROLE_AUTHD, 1, do_store_full), 0,
	    "authd: a full store is an error it survives");
	if (run(ROLE_AUTHD, 1, landlocked) == 0) {
		is_int(run(ROLE_AUTHD, 1, bad_open), EACCES,
		    "authd: no file elsewhere");
		is_int(run(ROLE_AUTHD, 1, bad_create), EACCES,
		    "authd: no new file elsewhere");
		is_int(run(ROLE_AUTHD, 1, bad_mkdir), EACCES,
		    "authd: no directory elsewhere");
		is_int(run(ROLE_AUTHD, 1, bad_write_proc), EACCES,
		    "authd: nor its own memory");
		is_int(run(ROLE_AUTHD, 1, own_directory), ENOENT,
		    "authd: but its directory");
	}
	fix.fsize = 1ULL << 32;
}

int
main(void)
{
	int	role, production;

	sandbox_begin();
	for (production = 1; production >= 0; production--)
		for (role = 0; role < ROLE_COUNT; role++)
			if (R_CHILDREN & ROLE_BIT(role))
				test_role(role, production);
	test_store();
	sandbox_end();
	return (done_testing());
}
