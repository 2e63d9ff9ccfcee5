/* SPDX-License-Identifier: ISC */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The Test Anything Protocol for unit tests, header only: one program includes
 * it once. plan() first or done_testing() last, main() returns tap_status().
 * Descriptions are printf formats; a test that proves a line of a contract
 * names it first: "tunnel-17 operator-30: ..." or "tunnel-47(partial): ...".
 */

static int	tap_count, tap_failed, tap_planned = -1;

/* The number of tests, when it is known before the first. */
static inline void
plan(int n)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	tap_planned = n;
	printf("1..%d\n", n);
}

/* A comment line. */
__attribute__((format(printf, 1, 2))) static inline void
diag(const char *fmt, ...)
{
	va_list	 ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

__attribute__((format(printf, 4, 0))) static inline int
tap_result(int good, const char *file, int line, const char *fmt, va_list ap)
{
	if (tap_count == 0 && tap_planned == -1)
		(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	vprintf(fmt, ap);
	printf("\n");
	if (!good) {
		tap_failed++;
		printf("#   failed at %s:%d\n", file, line);
	}
	return (good);
}

__attribute__((format(printf, 4, 5))) static inline int
tap_ok(int good, const char *file, int line, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	tap_result(good, file, line, fmt, ap);
	va_end(ap);
	return (good);
}

__attribute__((format(printf, 5, 6))) static inline int
tap_is_int(long long got, long long want, const char *file, int line,
    const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	tap_result(got == want, file, line, fmt, ap);
	va_end(ap);
	if (got != want)
		printf("#   got %lld, want %lld\n", got, want);
	return (got == want);
}

__attribute__((format(printf, 5, 6))) static inline int
tap_is_str(const char *got, const char *want, const char *file, int line,
    const char *fmt, ...)
{
	va_list	 ap;
	int	 same;

	same = got == want ||
	    (got != NULL && want != NULL && strcmp(got, want) == 0);
	va_start(ap, fmt);
	tap_result(same, file, line, fmt, ap);
	va_end(ap);
	if (!same)
		printf("#   got \"%s\"\n#  want \"%s\"\n",
		    got == NULL ? "(null)" : got,
		    want == NULL ? "(null)" : want);
	return (same);
}

__attribute__((format(printf, 6, 7))) static inline int
tap_is_mem(const void *got, const void *want, size_t len, const char *file,
    int line, const char *fmt, ...)
{
	const unsigned char	*g = got, *w = want;
	va_list			 ap;
	size_t			 i;

	for (i = 0; i < len && g[i] == w[i]; i++)
		;
	va_start(ap, fmt);
	tap_result(i == len, file, line, fmt, ap);
	va_end(ap);
	if (i < len)
		printf("#   byte %zu of %zu: got 0x%02x, want 0x%02x\n", i,
		    len, g[i], w[i]);
	return (i == len);
}

/* Each returns whether the test passed. */
#define ok(cond, ...) \
	tap_ok((cond) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
	tap_is_int((long long)(got), (long long)(want), __FILE__, __LINE__, \
	    __VA_ARGS__)
#define is_str(got, want, ...) \
	tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_mem(got, want, len, ...) \
	tap_is_mem((got), (want), (len), __FILE__, __LINE__, __VA_ARGS__)

/* The whole program does not apply here: say why and leave. */
__attribute__((noreturn)) static inline void
skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

/* Give up: the rest makes no sense. */
__attribute__((noreturn)) static inline void
bail_out(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(255);
}

/* What main() returns. */
static inline int
tap_status(void)
{
	if (tap_planned != -1 && tap_planned != tap_count) {
		printf("# planned %d tests, ran %d\n", tap_planned, tap_count);
		return (1);
	}
	return (tap_failed == 0 ? 0 : 1);
}

/* Print the plan now that it is known; returns what main() returns. */
static inline int
done_testing(void)
{
	if (tap_planned == -1) {
		tap_planned = tap_count;
		printf("1..%d\n", tap_count);
	}
	return (tap_status());
}

#endif
