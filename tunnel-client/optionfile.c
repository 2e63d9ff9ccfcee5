/* SPDX-License-Identifier: ISC */
/*
 * The configuration file: the words of the flags, one a line. Who may change it
 * may have a terminal here, as he chooses the server; who may read a secret in
 * it can be this system.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "conffile.h"
#include "options_int.h"

#define WHERE_SIZE	1100

struct reading {
	struct options	*o;
	const char	*path;
	unsigned char	*set;
	unsigned	 lines[OPTIONS_MAX];	/* where a row was set */
	mode_t		 mode;
};

static void	say(const struct reading *, unsigned, const char *,
		    const char *);
static char	*text_read(struct reading *, int asked, int *absent);
static int	line_take(struct reading *, unsigned, const char *,
		    const char *);

static void
say(const struct reading *f, unsigned line, const char *what, const char *why)
{
	fprintf(stderr, "tunnel-client: %s", f->path);
	if (line > 0)
		fprintf(stderr, ":%u", line);
	fprintf(stderr, ": %s%s%s\n", what, *what == '\0' ? "" : ": ", why);
}

static const char *
stat_check(const struct stat *sb)
{
	if (!S_ISREG(sb->st_mode))
		return ("not a regular file");
	if (sb->st_uid != 0 && sb->st_uid != geteuid())
		return ("its owner is neither root nor you: chown it");
	if ((sb->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ("others may change it: chmod go-w");
	if (sb->st_size > CONFFILE_MAX)
		return ("too long");
	return (NULL);
}

static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t	n = 0;
	ssize_t	got;

	while (n < size && (got = read(fd, buf + n, size - n)) != 0) {
		if (got == -1)
			return (-1);
		n += (size_t)got;
	}
	return ((ssize_t)n);
}

/* On the heap, CONFFILE_MAX + 1 bytes; NULL after a word, or when absent. */
static char *
text_read(struct reading *f, int asked, int *absent)
{
	const char	*why = NULL;
	struct stat	 sb = { 0 };
	char		*text = calloc(1, CONFFILE_MAX + 1);
	ssize_t		 n = 0;
	int		 fd;

	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	*absent = fd == -1 && !asked && (errno == ENOENT || errno == ENOTDIR ||
	    (errno == EACCES && f->o->words[0] != NULL));
	if (fd == -1 || fstat(fd, &sb) == -1 || text == NULL)
		why = strerror(errno);
	else if ((why = stat_check(&sb)) == NULL &&
	    (n = read_all(fd, text, CONFFILE_MAX)) == -1)
		why = strerror(errno);
	else if (why == NULL && strlen(text) != (size_t)n)
		why = "has a NUL";
	if (fd != -1) {
		f->mode = sb.st_mode;
		close(fd);
	}
	if (why == NULL)
		return (text);
	if (!*absent)
		say(f, 0, "", why);
	if (text != NULL)
		freezero(text, CONFFILE_MAX + 1);
	return (NULL);
}

static const struct option_row *
row_named(const char *word)
{
	const struct option_row	*r;

	for (r = option_rows; r < option_rows + option_count; r++)
		if (strcmp(r->flag, word) == 0)
			return (r->kind == CONFIG || r->kind == ACTION ? NULL :
			    r);
	return (NULL);
}

/* What is wrong with having this row here; NULL nothing. */
static const char *
row_check(const struct reading *f, const struct option_row *r,
    const char *value, char *text, size_t size)
{
	unsigned	before = f->lines[r - option_rows];
	size_t		i;

	for (i = 0; before == 0 && r->at == AT(secret) && i < option_count; i++)
		if (option_rows[i].at == AT(secret))
			before = f->lines[i];
	if (before > 0 && r->kind != LIST) {
		snprintf(text, size, "is set in line %u already", before);
		return (text);
	}
	if (value == NULL && !option_is_flag(r))
		return ("a value is missing");
	if ((f->mode & S_IRWXO) == 0)
		return (NULL);
	if (r->kind == PROXY && strchr(value, '@') != NULL)
		return ("others may read this file with the password: chmod "
		    "o-rwx it");
	if (r->kind == SECRET && r->at == AT(secret))
		return ("others may read this file: chmod o-rwx it, or have "
		    "the secret in a secret-file");
	return (NULL);
}

static int
line_take(struct reading *f, unsigned line, const char *word, const char *value)
{
	const struct option_row	*r = row_named(word);
	const char		*why;
	char			 where[WHERE_SIZE], text[64];
	size_t			 i;
	int			 n;

	if (r == NULL) {
		say(f, line, word, "no such option");
		return (-1);
	}
	if ((why = row_check(f, r, value, text, sizeof(text))) != NULL) {
		say(f, line, word, why);
		return (-1);
	}
	i = (size_t)(r - option_rows);
	snprintf(where, sizeof(where), "%s:%u: ", f->path, line);
	if (f->lines[i] > 0)
		n = option_join(f->o, r, value);
	else
		n = option_take(f->o, r, value, where);
	f->lines[i] = line;
	f->set[i] = 1;
	return (n);
}

int
optionfile_read(struct options *o, unsigned char *set, int asked)
{
	struct reading	 f = { .o = o, .path = o->config, .set = set };
	struct conffile	 lines;
	const char	*why;
	char		*text, *word, *value;
	int		 r, absent;

	if (*o->config == '\0')
		return (0);
	if ((text = text_read(&f, asked, &absent)) == NULL)
		return (absent ? 0 : -1);
	conffile_begin(&lines, text);
	while ((r = conffile_next(&lines, &word, &value, &why)) == 1)
		if ((r = line_take(&f, lines.line, word, value)) == -1)
			break;
	if (r == -1 && why != NULL)
		say(&f, lines.line, "", why);
	freezero(text, CONFFILE_MAX + 1);
	return (r);
}
