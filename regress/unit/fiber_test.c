/* SPDX-License-Identifier: ISC */
/* Functions with a stack of their own, which wait in the middle. */
#include <sys/wait.h>

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "authd/store/pg/fiber.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define MANY	200
#define ROUNDS	50

static char	trace[256];

static void
note(const char *s)
{
	strlcat(trace, s, sizeof(trace));
}

static void
steps(void *arg)
{
	const char	*name = arg;
	char		 mine[16];
	int		 i;

	for (i = 0; i < 3; i++) {
		snprintf(mine, sizeof(mine), "%s%d ", name, i);
		note(mine);
		if (i < 2)
			fiber_wait();
	}
}

static void
test_turns(void)
{
	struct fiber	*a = fiber_new(steps, (void *)(uintptr_t)"a");
	struct fiber	*b = fiber_new(steps, (void *)(uintptr_t)"b");

	ok(a != NULL && b != NULL && trace[0] == '\0',
	    "a fiber that is new has not begun");
	ok(fiber_now() == NULL, "and none runs");
	is_int(fiber_run(a), 0, "one that waits is not over");
	is_int(fiber_run(b), 0, "nor is the other");
	is_int(fiber_run(b), 0, "in any order");
	is_int(fiber_run(a), 0, "each goes on where it was");
	is_int(fiber_run(a), 1, "until it is over");
	is_int(fiber_run(b), 1, "and so is the other");
	ok(strcmp(trace, "a0 b0 b1 a1 a2 b2 ") == 0, "in turn: %s", trace);
	ok(fiber_now() == NULL, "none runs then");
}

static struct {
	struct fiber	*f;
	uint64_t	 sum;
	unsigned	 step;
} crowd[MANY];

/* What is on the stack stays. */
static void
adds(void *arg)
{
	unsigned	i = (unsigned)(uintptr_t)arg, k;
	volatile uint64_t	own[64];

	for (k = 0; k < 64; k++)
		own[k] = (uint64_t)i * 1000 + k;
	while (crowd[i].step < ROUNDS) {
		crowd[i].step++;
		if (fiber_now() != crowd[i].f)
			crowd[i].step = 1000;
		fiber_wait();
	}
	for (k = 0; k < 64; k++)
		crowd[i].sum += own[k];
}

static void
test_crowd(void)
{
	unsigned	i, left = MANY, seed = 7, good = 0;

	for (i = 0; i < MANY; i++)
		crowd[i].f = fiber_new(adds, (void *)(uintptr_t)i);
	while (left > 0) {
		seed = seed * 1103515245 + 12345;
		i = (seed >> 16) % MANY;
		if (crowd[i].f != NULL && fiber_run(crowd[i].f)) {
			crowd[i].f = NULL;
			left--;
		}
	}
	for (i = 0; i < MANY; i++)
		good += crowd[i].step == ROUNDS &&
		    crowd[i].sum == 64ULL * i * 1000 + 2016;
	is_int(good, MANY, "%d in any order, each with its own stack", MANY);
}

#ifdef RELAYD_SANITIZE
#define STACK_BYTES	(512 << 10)	/* of fiber.c */
#else
#define STACK_BYTES	(64 << 10)
#endif

/*
 * Somewhat deeper than a stack is: the page below it is nobody's, and below
 * that another one's begins.
 */
static unsigned
deep(uintptr_t from)
{
	volatile uint8_t	much[3000];

	memset((void *)(uintptr_t)much, 7, sizeof(much));
	if (from - (uintptr_t)__builtin_frame_address(0) >
	    STACK_BYTES + 12000)
		return (much[7]);
	return (deep(from) + much[8]);
}

static void
falls(void *arg)
{
	*(unsigned *)arg = deep((uintptr_t)__builtin_frame_address(0));
}

#define FELL	7
#define STACKS	20	/* more than are kept */

static void
fell(int sig)
{
	(void)sig;
	_exit(FELL);
}

/* On a stack of its own: the other is used up. */
static void
watch(void)
{
	static uint8_t		stack[65536];
	stack_t			ss = { .ss_sp = stack,
				    .ss_size = sizeof(stack) };
	struct sigaction	sa = { .sa_handler = fell,
				    .sa_flags = SA_ONSTACK };

	(void)sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/* Of many stacks, of which some are below others, the `which`th overflows. */
static int
overflows(int which)
{
	struct fiber	*f[STACKS];
	unsigned	 r = 0;
	int		 status, i;
	pid_t		 pid;

	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		for (i = 0; i < STACKS; i++)
			f[i] = fiber_new(falls, &r);
		watch();
		(void)fiber_run(f[which]);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == FELL);
}

static void
test_overflow(void)
{
	int	i, n = 0;

	for (i = 0; i < STACKS; i++)
		n += overflows(i);
	is_int(n, STACKS,
	    "who needs more stack than there is falls, and over nothing else");
}

int
main(void)
{
	test_turns();
	test_crowd();
	test_overflow();
	done_testing();
	return (tap_status());
}
