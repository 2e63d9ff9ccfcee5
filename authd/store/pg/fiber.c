/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "base/compat.h"
#include "fiber.h"

#ifdef RELAYD_SANITIZE
#include <dlfcn.h>
#include <sanitizer/common_interface_defs.h>
#define STACK_BYTES	(512 << 10)
#define SWITCH(keep, bottom, size)					\
	__sanitizer_start_switch_fiber((keep), (bottom), (size))
#define SWITCHED(kept, bottom, size)					\
	__sanitizer_finish_switch_fiber((kept), (bottom), (size))
#else
#define STACK_BYTES	(64 << 10)
#define SWITCH(keep, bottom, size)
#define SWITCHED(kept, bottom, size)
#endif
#define SPARES	8	/* stacks that are kept */

struct fiber {
	ucontext_t	 here, there;	/* of its own, of who runs it */
	uint8_t		*stack;
	void		(*fn)(void *);
	void		*arg;
	int		 is_over;
#ifdef RELAYD_SANITIZE
	void		*kept;
	const void	*bottom;	/* of who runs it */
	size_t		 size;
#endif
};

static struct fiber	*now;
static uint8_t		*spare[SPARES];
static unsigned		 nspare;

struct fiber *
fiber_now(void)
{
	return (now);
}

static uint8_t *
stack_get(void)
{
	void	*p;

	if (nspare > 0)
		return (spare[--nspare]);
	p = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return (NULL);
	/* Who grows over the end falls, and over nobody else's data. */
	if (mprotect(p, 4096, PROT_NONE) == -1) {
		munmap(p, STACK_BYTES);
		return (NULL);
	}
	return (p);
}

static void
stack_put(uint8_t *stack)
{
	if (nspare < SPARES)
		spare[nspare++] = stack;
	else
		munmap(stack, STACK_BYTES);
}

/* A pointer goes through makecontext() as two halves. */
static void
fiber_begin(unsigned high, unsigned low)
{
	struct fiber	*f = (struct fiber *)((uintptr_t)high << 32 | low);

	SWITCHED(NULL, &f->bottom, &f->size);
	f->fn(f->arg);
	f->is_over = 1;
	SWITCH(NULL, f->bottom, f->size);
	setcontext(&f->there);
}

/*
 * ASan is told of each switch, and its own swapcontext() would only warn that
 * it knows nothing of them: libc's is taken.
 */
#ifdef RELAYD_SANITIZE
static void
swap(ucontext_t *from, const ucontext_t *to)
{
	static int	(*fn)(ucontext_t *, const ucontext_t *);
	void		*libc;

	if (fn == NULL) {
		libc = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
		*(void **)&fn = dlsym(libc, "swapcontext");
	}
	(void)fn(from, to);
}
#else
static void
swap(ucontext_t *from, const ucontext_t *to)
{
	(void)swapcontext(from, to);
}
#endif

static void
fiber_prepare(struct fiber *f)
{
	(void)getcontext(&f->here);
	f->here.uc_stack.ss_sp = f->stack + 4096;
	f->here.uc_stack.ss_size = STACK_BYTES - 4096;
	f->here.uc_link = NULL;
	makecontext(&f->here, (void (*)(void))(void *)fiber_begin, 2,
	    (unsigned)((uintptr_t)f >> 32), (unsigned)(uintptr_t)f);
}

struct fiber *
fiber_new(void (*fn)(void *), void *arg)
{
	struct fiber	*f = calloc(1, sizeof(*f));

	if (f == NULL || (f->stack = stack_get()) == NULL) {
		free(f);
		return (NULL);
	}
	f->fn = fn;
	f->arg = arg;
	fiber_prepare(f);
	return (f);
}

int
fiber_run(struct fiber *f)
{
	struct fiber	*before = now;
#ifdef RELAYD_SANITIZE
	void		*kept;
#endif

	now = f;
	SWITCH(&kept, f->here.uc_stack.ss_sp, f->here.uc_stack.ss_size);
	swap(&f->there, &f->here);
	SWITCHED(kept, NULL, NULL);
	now = before;
	if (!f->is_over)
		return (0);
	stack_put(f->stack);
	free(f);
	return (1);
}

void
fiber_wait(void)
{
	struct fiber	*f = now;

	SWITCH(&f->kept, f->bottom, f->size);
	swap(&f->here, &f->there);
	SWITCHED(f->kept, &f->bottom, &f->size);
}
