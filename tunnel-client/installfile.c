/* SPDX-License-Identifier: ISC */
/* What `tunnel-client install` writes. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "install.h"
#include "options_int.h"

static int
write_whole(int fd, const char *text)
{
	size_t	len = strlen(text);
	ssize_t	n;

	while (len > 0) {
		if ((n = write(fd, text, len)) == -1)
			return (-1);
		text += n;
		len -= (size_t)n;
	}
	return (fsync(fd));
}

int
install_file(const char *path, unsigned mode, const char *text)
{
	char	new[1100];
	int	fd, r = -1;

	snprintf(new, sizeof(new), "%s.new", path);
	(void)unlink(new);
	/* O_EXCL follows nothing that lies there. */
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1 && fchmod(fd, mode) == 0 && write_whole(fd, text) == 0 &&
	    rename(new, path) == 0)
		r = 0;
	if (r == -1) {
		fprintf(stderr, "tunnel-client: %s: %s\n", path,
		    strerror(errno));
		if (fd != -1)
			(void)unlink(new);
	} else
		printf("tunnel-client: wrote %s\n", path);
	if (fd != -1)
		close(fd);
	return (r);
}

/* In double quotes, as conffile.h has them. */
static void
put_text(FILE *f, const char *word, const char *value)
{
	fprintf(f, "%s \"", word);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', f);
		fputc(*value, f);
	}
	fprintf(f, "\"\n");
}

/* A service starts in another directory than who installs it is in. */
static int
put_path(FILE *f, const char *word, const char *path)
{
	char	*dir = NULL, *whole = NULL;
	int	 r = -1;

	if (*path == '/' || strcmp(path, "none") == 0) {
		put_text(f, word, path);
		return (0);
	}
	if ((dir = getcwd(NULL, 0)) == NULL)
		perror("tunnel-client: the working directory");
	else if (strpbrk(dir, "\r\n") != NULL)
		fprintf(stderr, "tunnel-client: the working directory has a "
		    "line break\n");
	else if (asprintf(&whole, "%s/%s", dir, path) != -1) {
		put_text(f, word, whole);
		free(whole);
		r = 0;
	}
	free(dir);
	return (r);
}

static void
put_duration(FILE *f, const struct option_row *r, uint64_t ms)
{
	uint64_t	def = 0;

	if (r->def != NULL && duration_parse(r->def, &def) == 0 && def == ms)
		return;
	fprintf(f, "%s %llums\n", r->flag, (unsigned long long)ms);
}

/* -1: it cannot be said in a file. */
static int
put_row(FILE *f, const struct options *o, const struct option_row *r)
{
	const char	*at = (const char *)o + r->at, *text;

	if (r->kind == ACTION || r->kind == CONFIG || r->kind == FILE_FLAG ||
	    r->at == AT(secret))
		return (0);
	if (r->kind == DURATION)
		put_duration(f, r, *(const uint64_t *)(const void *)at);
	else if (r->kind == FLAG) {
		if (*(const int *)(const void *)at)
			fprintf(f, "%s\n", r->flag);
	} else {
		text = *(char *const *)(const void *)at;
		if (text == NULL || strcmp(text, r->def != NULL ? r->def :
		    "") == 0)
			return (0);
		if (strpbrk(text, "\r\n") != NULL) {
			fprintf(stderr, "tunnel-client: --%s: has a line "
			    "break\n", r->flag);
			return (-1);
		}
		if (r->kind == PATH)
			return (put_path(f, r->flag, text));
		put_text(f, r->flag, text);
	}
	return (0);
}

char *
install_conf(const struct options *o, const char *secret_path)
{
	char	*text = NULL;
	size_t	 len, i;
	FILE	*f;
	int	 r = 0;

	if ((f = open_memstream(&text, &len)) == NULL) {
		fprintf(stderr, "tunnel-client: out of memory\n");
		return (NULL);
	}
	fprintf(f, "# Written by tunnel-client install; tunnel-client(1).\n");
	for (i = 0; i < option_count && r == 0; i++)
		r = put_row(f, o, &option_rows[i]);
	put_text(f, "secret-file", secret_path);
	if (fclose(f) == EOF)
		r = -1;
	if (r == 0)
		return (text);
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	return (NULL);
}
