/* SPDX-License-Identifier: ISC */
/*
 * Runs a fuzz target without a fuzzer: every seed as it is, cut short at each
 * length, and with each single bit flipped, one test line per seed. Part of
 * `make check`, so that a parser that breaks is seen without libFuzzer.
 *
 * usage: NAME_replay [directory ...]; by default $RELAYD_SRC/fuzz/corpus/NAME.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include "fuzz.h"

#define SEED_MAX	(1 << 20)	/* bytes read of one seed */
#define CUTS_MAX	512		/* variants of one kind made of a seed, */
#define CUTS_BYTES	(4 << 20)	/* or as many as have so much together */

static int	count;

static uint8_t	*seed_read(const char *, size_t *);
static void	 seed_run(const uint8_t *, size_t);
static void	 seed_vary(const uint8_t *, size_t);
static void	 dir_run(const char *);
static int	 not_hidden(const struct dirent *);

int
main(int argc, char *argv[])
{
	const char	*src, *name;
	char		 path[PATH_MAX];
	int		 i, len;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	/* The empty input is everybody's first seed. */
	seed_run((const uint8_t *)"", 0);
	printf("ok %d - empty input\n", ++count);

	for (i = 1; i < argc; i++)
		dir_run(argv[i]);
	if (argc == 1) {
		if ((src = getenv("RELAYD_SRC")) == NULL)
			src = ".";
		name = strrchr(argv[0], '/');
		name = name == NULL ? argv[0] : name + 1;
		len = (int)strlen(name);
		if (len > 7 && strcmp(name + len - 7, "_replay") == 0)
			len -= 7;
		i = snprintf(path, sizeof(path), "%s/fuzz/corpus/%.*s", src,
		    len, name);
		if (i < 0 || (size_t)i >= sizeof(path))
			errx(1, "path too long");
		dir_run(path);
	}
	printf("1..%d\n", count);
	return (0);
}

static int
not_hidden(const struct dirent *de)
{
	return (de->d_name[0] != '.');
}

/* In the order of names, so that two runs compare. */
static void
dir_run(const char *dir)
{
	struct dirent	**names;
	char		  path[PATH_MAX];
	uint8_t		 *seed;
	size_t		  len;
	int		  i, n, r;

	if ((n = scandir(dir, &names, not_hidden, alphasort)) == -1) {
		printf("# %s: no seeds\n", dir);
		return;
	}
	for (i = 0; i < n; i++) {
		r = snprintf(path, sizeof(path), "%s/%s", dir,
		    names[i]->d_name);
		if (r < 0 || (size_t)r >= sizeof(path))
			errx(1, "path too long");
		if ((seed = seed_read(path, &len)) != NULL) {
			printf("# %s\n", path);
			seed_run(seed, len);
			seed_vary(seed, len);
			printf("ok %d - seed %s, %zu bytes\n", ++count,
			    names[i]->d_name, len);
			free(seed);
		}
		free(names[i]);
	}
	free(names);
}

/* NULL if it is not a regular file. */
static uint8_t *
seed_read(const char *path, size_t *len)
{
	struct stat	 st;
	uint8_t		*buf;
	FILE		*f;

	if (stat(path, &st) == -1)
		err(1, "%s", path);
	if (!S_ISREG(st.st_mode))
		return (NULL);
	if ((buf = malloc(SEED_MAX)) == NULL || (f = fopen(path, "r")) == NULL)
		err(1, "%s", path);
	*len = fread(buf, 1, SEED_MAX, f);
	if (ferror(f))
		err(1, "%s", path);
	(void)fclose(f);
	return (buf);
}

/*
 * One input in a block of exactly its size, so that reading one byte beyond it
 * is seen by the sanitizer.
 */
static void
seed_run(const uint8_t *data, size_t len)
{
	uint8_t	*copy;

	if ((copy = malloc(len > 0 ? len : 1)) == NULL)
		err(1, NULL);
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static size_t
cuts_of(size_t len)
{
	return (len > CUTS_BYTES / CUTS_MAX ? CUTS_BYTES / len : CUTS_MAX);
}

/* Long seeds are cut and flipped at evenly spread places only. */
static void
seed_vary(const uint8_t *seed, size_t len)
{
	uint8_t	*bent;
	size_t	 i, step, cuts = cuts_of(len);

	step = len / cuts + 1;
	for (i = 0; i < len; i += step)
		seed_run(seed, i);

	if ((bent = malloc(len > 0 ? len : 1)) == NULL)
		err(1, NULL);
	memcpy(bent, seed, len);
	step = len * 8 / (4 * cuts) + 1;
	for (i = 0; i < len * 8; i += step) {
		bent[i / 8] ^= (uint8_t)(1U << (i % 8));
		seed_run(bent, len);
		bent[i / 8] ^= (uint8_t)(1U << (i % 8));
	}
	free(bent);
}
