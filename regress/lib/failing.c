/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into a real process: notes each place that asks for memory or makes
 * a system call, and lets one of them fail, once, with an error of the test's
 * choice. A place is what it calls, the return address, and the first return
 * address within the program itself, so that a library's places are those of
 * its callers, also where it asks the program for memory.
 *
 * It is told and tells through the file $FAILING, a struct table that is mapped
 * before the process shuts itself in: afterwards it makes no call of its own.
 * regress/e2e/failing.py has the same struct. Test builds only, and no part of
 * any program.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#define SITES_MAX	16384
#define MODULES_MAX	64
#define DEPTH_MAX	64
#define SHORT		-1	/* not an error: one byte */

/* What failing.py reads and writes; all of it little endian. */
struct site {
	_Atomic uint64_t	 key;		/* 0: free */
	uint64_t		 at;		/* return address in the program */
	_Atomic uint32_t	 hits;
	char			 call[20];
};

struct table {
	_Atomic uint64_t	 armed;		/* key that fails next; 0: none */
	_Atomic int32_t		 error;		/* an errno, or SHORT */
	_Atomic uint32_t	 pid;		/* of whom it failed in */
	_Atomic uint32_t	 skip;		/* so many hits of it go well */
	uint32_t		 unused;
	struct site		 sites[SITES_MAX];
};

struct module {
	uintptr_t	 from, to;
};

/*
 * The program's allocators for libraries, and what each message goes through:
 * whoever calls these asks for memory.
 */
static const char *const	passes[] = { "wipe_malloc", "wipe_need",
    "crypto_malloc", "crypto_realloc", "chan_say", "chan_call", "call_start" };
#define PASSES	(sizeof(passes) / sizeof(passes[0]))

static struct module	 pass[PASSES];
static struct table	*table;
static struct module	 modules[MODULES_MAX];
static int		 nmodules;
static uintptr_t	 program;
static __thread int	 inside;

struct walk {
	uintptr_t	 first;		/* who called us */
	uintptr_t	 own;		/* the first of the program */
	int		 skip, left;
};

static int
module_note(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module	*m = &modules[nmodules];
	int		 i;

	(void)size;
	(void)arg;
	if (nmodules == MODULES_MAX)
		return (1);
	m->from = UINTPTR_MAX;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr)	*ph = &info->dlpi_phdr[i];
		uintptr_t		 from = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type != PT_LOAD)
			continue;
		if (from < m->from)
			m->from = from;
		if (from + ph->p_memsz > m->to)
			m->to = from + ph->p_memsz;
	}
	if (nmodules == 0)
		program = info->dlpi_addr;
	nmodules++;
	return (0);
}

/* Where it is, whatever the address that its module was mapped at. */
static uint64_t
place(uintptr_t at)
{
	int	i;

	for (i = 0; i < nmodules; i++)
		if (at >= modules[i].from && at < modules[i].to)
			return ((uint64_t)(i + 1) << 40 |
			    (at - modules[i].from));
	return (0);
}

/* Where they are in the program, by its symbols. */
static void
passes_find(void)
{
	const Elf64_Ehdr	*e;
	const Elf64_Shdr	*sh;
	const Elf64_Sym		*sym;
	const char		*text;
	off_t			 size = 0;
	size_t			 i, k, n;
	void			*p;
	int			 fd;

	if ((fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)) == -1)
		return;
	size = lseek(fd, 0, SEEK_END);
	p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	e = p;
	sh = (const void *)((const char *)p + e->e_shoff);
	for (i = 0; i < e->e_shnum; i++) {
		if (sh[i].sh_type != SHT_SYMTAB)
			continue;
		sym = (const void *)((const char *)p + sh[i].sh_offset);
		n = sh[i].sh_size / sizeof(*sym);
		text = (const char *)p + sh[sh[i].sh_link].sh_offset;
		for (; n > 0; n--, sym++)
			for (k = 0; k < PASSES; k++)
				if (strcmp(text + sym->st_name, passes[k]) ==
				    0) {
					pass[k].from = program + sym->st_value;
					pass[k].to = pass[k].from +
					    sym->st_size;
				}
	}
	munmap(p, (size_t)size);
}

static int
passes_on(uintptr_t at)
{
	size_t	i;

	for (i = 0; i < PASSES; i++)
		if (at > pass[i].from && at <= pass[i].to)
			return (1);
	return (0);
}

static _Unwind_Reason_Code
walk_step(struct _Unwind_Context *ctx, void *arg)
{
	struct walk	*w = arg;
	uintptr_t	 at = _Unwind_GetIP(ctx);

	if (w->skip > 0) {
		w->skip--;
		return (_URC_NO_REASON);
	}
	if (passes_on(at))
		return (_URC_NO_REASON);
	if (w->first == 0)
		w->first = at;
	if (at >= modules[0].from && at < modules[0].to) {
		w->own = at;
		return (_URC_END_OF_STACK);
	}
	return (--w->left == 0 ? _URC_END_OF_STACK : _URC_NO_REASON);
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return (h ^ h >> 29);
}

/*
 * Has the call that we stand for to fail? 0: no; otherwise the error. skip is
 * how many frames of this file there are, so none of it is inlined.
 */
static __attribute__((noinline)) int
fails(const char *call)
{
	struct walk	 w = { .skip = 2, .left = DEPTH_MAX };
	struct site	*s;
	uint64_t	 key, want = 0;
	const char	*p;
	size_t		 i;
	int		 error = 0, saved = errno;

	if (table == NULL || inside)
		return (0);
	inside = 1;
	_Unwind_Backtrace(walk_step, &w);
	key = mix(mix(1, place(w.first)), place(w.own));
	for (p = call; *p != '\0'; p++)
		key = mix(key, (uint8_t)*p);
	if (key == 0)
		key = 1;
	for (i = 0; i < SITES_MAX; i++) {
		s = &table->sites[(key + i) % SITES_MAX];
		want = 0;
		if (atomic_compare_exchange_strong(&s->key, &want, key)) {
			s->at = w.own - program;
			strncpy(s->call, call, sizeof(s->call) - 1);
		} else if (want != key)
			continue;
		atomic_fetch_add(&s->hits, 1);
		break;
	}
	want = key;
	if (atomic_load(&table->armed) == key && atomic_load(&table->skip) > 0)
		atomic_fetch_sub(&table->skip, 1);
	else if (atomic_compare_exchange_strong(&table->armed, &want, 0)) {
		error = atomic_load(&table->error);
		atomic_store(&table->pid, (uint32_t)getpid());
	}
	inside = 0;
	errno = saved;
	return (error);
}

#define REAL(type, name, ...)						\
	static type	(*real)(__VA_ARGS__);				\
	if (real == NULL)						\
		*(void **)&real = dlsym(RTLD_NEXT, #name)
#define FAIL(name, bad)							\
	do {								\
		int	error = fails(name);				\
									\
		if (error > 0) {					\
			errno = error;					\
			return (bad);					\
		}							\
	} while (0)

/* ---- memory ---- */

#define MEMORY(name, params, args, ...)					\
__attribute__((noinline)) void *					\
name params								\
{									\
	REAL(void *, name, __VA_ARGS__);				\
	FAIL(#name, NULL);						\
	return (real args);						\
}

MEMORY(malloc, (size_t n), (n), size_t)
MEMORY(realloc, (void *p, size_t n), (p, n), void *, size_t)
MEMORY(reallocarray, (void *p, size_t n, size_t m), (p, n, m), void *, size_t,
    size_t)
MEMORY(aligned_alloc, (size_t a, size_t n), (a, n), size_t, size_t)

/* dlsym() itself may want some. */
void *
calloc(size_t n, size_t size)
{
	static _Alignas(16) char	 early[4096];
	static size_t			 used;
	static void			*(*real)(size_t, size_t);
	static int			 looking;
	void				*p;

	if (real == NULL && looking) {
		p = early + used;
		used += (n * size + 15) & ~(size_t)15;
		return (used > sizeof(early) ? NULL : p);
	}
	if (real == NULL) {
		looking = 1;
		*(void **)&real = dlsym(RTLD_NEXT, "calloc");
		looking = 0;
	}
	FAIL("calloc", NULL);
	return (real(n, size));
}

char *
strdup(const char *s)
{
	REAL(char *, strdup, const char *);
	FAIL("strdup", NULL);
	return (real(s));
}

char *
strndup(const char *s, size_t n)
{
	REAL(char *, strndup, const char *, size_t);
	FAIL("strndup", NULL);
	return (real(s, n));
}

/* ---- system calls ---- */

#define CALL(type, name, params, args, ...)				\
type									\
name params								\
{									\
	REAL(type, name, __VA_ARGS__);					\
	FAIL(#name, -1);						\
	return (real args);						\
}
/* Where `n` may be made 1. */
#define MOVE(name, params, args, ...)					\
ssize_t									\
name params								\
{									\
	REAL(ssize_t, name, __VA_ARGS__);				\
	int	error = fails(#name);					\
									\
	if (error > 0) {						\
		errno = error;						\
		return (-1);						\
	}								\
	if (error == SHORT && n > 1)					\
		n = 1;							\
	return (real args);						\
}

MOVE(read, (int fd, void *p, size_t n), (fd, p, n), int, void *, size_t)
MOVE(write, (int fd, const void *p, size_t n), (fd, p, n), int, const void *,
    size_t)
MOVE(recv, (int fd, void *p, size_t n, int f), (fd, p, n, f), int, void *,
    size_t, int)
MOVE(send, (int fd, const void *p, size_t n, int f), (fd, p, n, f), int,
    const void *, size_t, int)
MOVE(pread, (int fd, void *p, size_t n, off_t o), (fd, p, n, o), int, void *,
    size_t, off_t)
MOVE(pwrite, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o), int,
    const void *, size_t, off_t)
MOVE(pread64, (int fd, void *p, size_t n, off64_t o), (fd, p, n, o), int,
    void *, size_t, off64_t)
MOVE(pwrite64, (int fd, const void *p, size_t n, off64_t o), (fd, p, n, o), int,
    const void *, size_t, off64_t)

/* As many pieces as come, but of the first only a byte. */
#define PIECES(name)							\
ssize_t									\
name(int fd, const struct iovec *iov, int n)				\
{									\
	REAL(ssize_t, name, int, const struct iovec *, int);		\
	int		error = fails(#name);				\
	struct iovec	one;						\
									\
	if (error > 0) {						\
		errno = error;						\
		return (-1);						\
	}								\
	if (error == SHORT && n > 0 && iov[0].iov_len > 0) {		\
		one = (struct iovec){ iov[0].iov_base, 1 };		\
		return (real(fd, &one, 1));				\
	}								\
	return (real(fd, iov, n));					\
}

PIECES(readv)
PIECES(writev)

CALL(ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f), int,
    struct msghdr *, int)
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f), int,
    const struct msghdr *, int)
CALL(int, accept4, (int fd, struct sockaddr *a, socklen_t *l, int f),
    (fd, a, l, f), int, struct sockaddr *, socklen_t *, int)
CALL(int, socket, (int d, int t, int p), (d, t, p), int, int, int)
CALL(int, socketpair, (int d, int t, int p, int sv[2]), (d, t, p, sv), int, int,
    int, int *)
CALL(int, connect, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l),
    int, const struct sockaddr *, socklen_t)
CALL(int, pipe2, (int fds[2], int f), (fds, f), int *, int)
CALL(int, dup, (int fd), (fd), int)
CALL(int, eventfd, (unsigned n, int f), (n, f), unsigned, int)
CALL(int, epoll_wait, (int e, struct epoll_event *v, int n, int ms),
    (e, v, n, ms), int, struct epoll_event *, int, int)

/* Only what is new may be too much for the kernel. */
int
epoll_ctl(int e, int op, int fd, struct epoll_event *v)
{
	REAL(int, epoll_ctl, int, int, int, struct epoll_event *);

	if (op == EPOLL_CTL_ADD)
		FAIL("epoll_ctl", -1);
	return (real(e, op, fd, v));
}

CALL(int, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms),
    struct pollfd *, nfds_t, int)
CALL(int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n),
    (fd, l, o, v, n), int, int, int, const void *, socklen_t)
CALL(int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n),
    (fd, l, o, v, n), int, int, int, void *, socklen_t *)
CALL(int, fsync, (int fd), (fd), int)
CALL(int, fdatasync, (int fd), (fd), int)
CALL(int, ftruncate, (int fd, off_t n), (fd, n), int, off_t)
CALL(int, ftruncate64, (int fd, off64_t n), (fd, n), int, off64_t)
CALL(int, shutdown, (int fd, int how), (fd, how), int, int)

#define OPEN(name)							\
int									\
name(const char *path, int flags, ...)					\
{									\
	REAL(int, name, const char *, int, ...);			\
	mode_t	mode = 0;						\
	va_list	ap;							\
									\
	if (flags & (O_CREAT | O_TMPFILE)) {				\
		va_start(ap, flags);					\
		mode = va_arg(ap, mode_t);				\
		va_end(ap);						\
	}								\
	FAIL(#name, -1);						\
	return (real(path, flags, mode));				\
}

OPEN(open)
OPEN(open64)

/* ---- the table ---- */

static __attribute__((constructor)) void
failing_start(void)
{
	struct walk	 w = { .left = DEPTH_MAX };
	const char	*path = getenv("FAILING");
	void		*p;
	int		 fd;

	if (path == NULL)
		return;
	dl_iterate_phdr(module_note, NULL);
	passes_find();
	/* Once, so that what the unwinder needs of files it has. */
	_Unwind_Backtrace(walk_step, &w);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return;
	p = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	close(fd);
	if (p != MAP_FAILED)
		table = p;
}
