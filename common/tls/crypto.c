/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto.h"

static int	beginning, lacked;

/* At once: what libcrypto does at exit(3) needs what it could not make. */
static void
starved(void)
{
	lacked = 1;
	if (!beginning)
		return;
	log_warnx("libcrypto: out of memory");
	_exit(1);
}

static void *
crypto_malloc(size_t size, const char *file, int line)
{
	void	*p;

	(void)file;
	(void)line;
	if ((p = malloc(size)) == NULL && size > 0)
		starved();
	return (p);
}

static void *
crypto_realloc(void *was, size_t size, const char *file, int line)
{
	void	*p;

	(void)file;
	(void)line;
	if ((p = realloc(was, size)) == NULL && size > 0)
		starved();
	return (p);
}

static void
crypto_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

void
crypto_begin(void)
{
	/* It says no to whoever comes late. */
	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc,
	    crypto_free) != 1)
		fatalx("libcrypto: begun already");
	beginning = 1;
}

void
crypto_begun(void)
{
	beginning = 0;
}

int
crypto_lacked(void)
{
	int	was = lacked;

	lacked = 0;
	return (was);
}
