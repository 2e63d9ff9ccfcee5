/* SPDX-License-Identifier: ISC */
/* The commands are patterns; everything else is made from them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "base/compat.h"

const struct cmd	cmds[] = {
#define C(NAME, word, pattern, words, answers, flags, help)		\
	{ pattern, CTL_##NAME, help },
#define L(pattern, help)	{ pattern, CTL_NONE, help },
#include "ctl/ctl.def"
#undef C
};
const size_t		ncmds = sizeof(cmds) / sizeof(cmds[0]);

#define ITEMS_MAX	16	/* of one pattern */
#define ITEM_SIZE	CMD_ARG_SIZE
#define USAGE_COLUMN	34	/* where explanations start */
#define USAGE_WIDTH	80

/* One word of a pattern. */
struct item {
	char	text[ITEM_SIZE];	/* without brackets */
	int	is_arg;			/* <x> */
	int	group;			/* 0: required, else which [..] */
	int	repeats;
};

struct pattern {
	const struct cmd	*cmd;
	struct item		 items[ITEMS_MAX];
	size_t			 n, required;
};

static void	pattern_read(const struct cmd *, struct pattern *);
static int	line_head(struct pattern **, size_t *, const char *, size_t,
		    char *, size_t);
static int	line_tail(const struct pattern *, int, char *const *, size_t,
		    char [][CTL_WORD_SIZE], char *, size_t);
static int	arg_take(const struct item *, const char *, char *, char *,
		    size_t);

/* Patterns are ours, so what does not fit is a bug. */
static void
pattern_read(const struct cmd *cmd, struct pattern *p)
{
	const char	*s = cmd->pattern;
	struct item	*it;
	size_t		 len;
	int		 group = 0, groups = 0;

	memset(p, 0, sizeof(*p));
	p->cmd = cmd;
	while (*s != '\0') {
		s += strspn(s, " ");
		if (*s == '[') {
			group = ++groups;
			s++;
		}
		if (p->n == ITEMS_MAX)
			abort();
		it = &p->items[p->n++];
		it->group = group;
		it->is_arg = *s == '<';
		s += it->is_arg;
		len = strcspn(s, " <>[].");
		if (len >= sizeof(it->text))
			abort();
		memcpy(it->text, s, len);
		s += len;
		s += *s == '>';
		if (group == 0)
			p->required = p->n;
		if (*s == ']') {
			group = 0;
			s++;
			if (strncmp(s, "...", 3) == 0) {
				it->repeats = it[-1].repeats = 1;
				s += 3;
			}
		}
	}
}

/* "sessions, tunnels or stats": what the patterns have at place `at`. */
static void
expected(struct pattern **ps, size_t n, size_t at, char *dst, size_t size)
{
	char		word[ITEM_SIZE + 2];
	size_t		i, j;

	dst[0] = '\0';
	for (i = 0; i < n; i++) {
		for (j = 0; j < i; j++)
			if (strcmp(ps[j]->items[at].text,
			    ps[i]->items[at].text) == 0)
				break;
		if (j < i)
			continue;
		if (dst[0] != '\0')
			strlcat(dst, ", ", size);
		snprintf(word, sizeof(word), ps[i]->items[at].is_arg ?
		    "<%s>" : "%s", ps[i]->items[at].text);
		strlcat(dst, word, size);
	}
}

/* Does `word` stand for `text`: 3 whole, 1 cut short, 0 no. */
static int
stands_for(const char *word, const char *text)
{
	size_t	len = strlen(word);

	if (len == 0 || strncmp(word, text, len) != 0)
		return (0);
	return (text[len] == '\0' ? 3 : 1);
}

/*
 * Keep of the `n` patterns those whose word `at` the given one can be. More
 * than one different word left is ambiguous.
 */
static int
line_head(struct pattern **ps, size_t *n, const char *word, size_t at,
    char *err, size_t err_size)
{
	char		list[256];
	size_t		i, kept = 0;
	int		best = 0, fits;

	for (i = 0; i < *n; i++) {
		fits = ps[i]->items[at].is_arg ? 2 :
		    stands_for(word, ps[i]->items[at].text);
		if (fits > best)
			best = fits;
	}
	expected(ps, *n, at, list, sizeof(list));
	for (i = 0; i < *n && best > 0; i++)
		if ((ps[i]->items[at].is_arg ? 2 :
		    stands_for(word, ps[i]->items[at].text)) == best)
			ps[kept++] = ps[i];
	if (kept == 0) {
		snprintf(err, err_size, "unknown word \"%s\"; expected %s",
		    word, list);
		return (-1);
	}
	*n = kept;
	for (i = 1; i < kept; i++) {
		if (strcmp(ps[i]->items[at].text, ps[0]->items[at].text) == 0)
			continue;
		expected(ps, kept, at, list, sizeof(list));
		snprintf(err, err_size, "\"%s\" can be %s", word, list);
		return (-1);
	}
	return (0);
}

/* The patterns that have a word at place `at`; how many. */
static size_t
still_open(struct pattern **ps, size_t n, size_t at)
{
	size_t	i, kept = 0;

	for (i = 0; i < n; i++)
		if (ps[i]->required > at)
			ps[kept++] = ps[i];
	return (kept);
}

/* The pattern that ends before place `at`, or NULL. */
static struct pattern *
ends_here(struct pattern **ps, size_t n, size_t at)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (ps[i]->required == at)
			return (ps[i]);
	return (NULL);
}

static struct pattern *
patterns(struct pattern ***list)
{
	struct pattern	*all, **ps;
	size_t		 i;

	if ((all = calloc(ncmds, sizeof(*all))) == NULL ||
	    (ps = calloc(ncmds, sizeof(*ps))) == NULL)
		abort();
	for (i = 0; i < ncmds; i++) {
		pattern_read(&cmds[i], &all[i]);
		ps[i] = &all[i];
	}
	*list = ps;
	return (all);
}

/* Where in the words the argument at place `at` goes: arguments in order. */
static size_t
arg_index(const struct pattern *p, size_t at)
{
	size_t	i, n = 0;

	for (i = 0; i < at; i++)
		n += p->items[i].is_arg != 0;
	return (n);
}

static size_t	tail_find(const struct pattern *, const char *, char *, size_t);

/*
 * Of a pattern that could end here: is this an optional word of its, and none
 * of those that go on have it?
 */
static int
tail_begins(const struct pattern *p, struct pattern **longer, size_t n,
    const char *word, size_t at)
{
	char	unsaid[256];
	size_t	i;

	for (i = 0; i < n; i++)
		if (longer[i]->items[at].is_arg || stands_for(word,
		    longer[i]->items[at].text))
			return (0);
	return (tail_find(p, word, unsaid, sizeof(unsaid)) != 0);
}

int
cmd_parse(int argc, char *const *argv, struct cmd_line *line, char *err,
    size_t err_size)
{
	struct pattern	*all, **ps, *done = NULL;
	char		 list[256];
	size_t		 n = ncmds, at, i;
	int		 r = -1;

	memset(line, 0, sizeof(*line));
	all = patterns(&ps);
	for (at = 0; at < (size_t)argc; at++) {
		done = ends_here(ps, n, at);
		if ((i = still_open(ps, n, at)) == 0)
			break;
		n = i;
		if (done != NULL && tail_begins(done, ps, n, argv[at], at))
			break;
		if (line_head(ps, &n, argv[at], at, err, err_size) == -1) {
			if (done != NULL && done->n > done->required) {
				strlcat(err, ", ", err_size);
				strlcat(err, done->items[done->required].text,
				    err_size);
			}
			goto out;
		}
		done = NULL;
	}
	if (done == NULL && (done = ends_here(ps, n, at)) == NULL) {
		n = still_open(ps, n, at);
		expected(ps, n, at, list, sizeof(list));
		snprintf(err, err_size, "expected %s", list);
		goto out;
	}
	line->op = done->cmd->op;
	line->nwords = (unsigned)arg_index(done, done->n);
	for (i = 0; i < done->required; i++)
		if (done->items[i].is_arg && arg_take(&done->items[i], argv[i],
		    line->words[arg_index(done, i)], err, err_size) == -1)
			goto out;
	r = line_tail(done, argc, argv, at, line->words, err, err_size);
out:
	free(all);
	free(ps);
	return (r);
}

/* Find the optional word that `word` is; its place, or 0 with *err. */
static size_t
tail_find(const struct pattern *p, const char *word, char *err,
    size_t err_size)
{
	size_t	i, found = 0;
	int	fits, best = 0;

	snprintf(err, err_size, "unknown word \"%s\"", word);
	for (i = p->required; i < p->n; i++) {
		if (p->items[i].is_arg)
			continue;
		if ((fits = stands_for(word, p->items[i].text)) == best &&
		    fits == 1)
			found = 0;	/* two of them: ambiguous */
		else if (fits > best) {
			best = fits;
			found = i;
		}
		if (best == 0) {
			strlcat(err, i == p->required ? "; expected " : ", ",
			    err_size);
			strlcat(err, p->items[i].text, err_size);
		}
	}
	if (found == 0 && best > 0)
		snprintf(err, err_size, "\"%s\" can be several words", word);
	return (found);
}

/* The optional part: [word <x>] in any order. */
static int
line_tail(const struct pattern *p, int argc, char *const *argv, size_t at,
    char words[][CTL_WORD_SIZE], char *err, size_t err_size)
{
	const struct item	*arg;
	char			 value[CTL_WORD_SIZE], *dst;
	size_t			 i;

	for (; at < (size_t)argc; at += 2) {
		if (p->required == p->n) {
			snprintf(err, err_size, "unexpected word \"%s\"",
			    argv[at]);
			return (-1);
		}
		if ((i = tail_find(p, argv[at], err, err_size)) == 0)
			return (-1);
		arg = &p->items[i + 1];
		if (at + 1 == (size_t)argc) {
			snprintf(err, err_size, "expected <%s> after \"%s\"",
			    arg->text, argv[at]);
			return (-1);
		}
		if (arg_take(arg, argv[at + 1], value, err, err_size) == -1)
			return (-1);
		dst = words[arg_index(p, i + 1)];
		if (dst[0] != '\0' && !arg->repeats) {
			snprintf(err, err_size, "\"%s\" is given twice",
			    p->items[i].text);
			return (-1);
		}
		if (dst[0] != '\0')
			strlcat(dst, ",", CTL_WORD_SIZE);
		if (strlcat(dst, value, CTL_WORD_SIZE) >= CTL_WORD_SIZE) {
			snprintf(err, err_size, "<%s> is too long", arg->text);
			return (-1);
		}
	}
	return (0);
}

/* "8h" to "28800". */
static int
take_duration(const char *word, char *dst)
{
	static const char	letters[] = "smhd";
	static const uint64_t	factors[] = { 1, 60, 3600, 86400 };
	const char		*unit, *wrong;
	char			 digits[16];
	size_t			 len = strspn(word, "0123456789");
	long long		 n;

	if (len == 0 || len >= sizeof(digits) || word[len] == '\0' ||
	    word[len + 1] != '\0' ||
	    (unit = strchr(letters, word[len])) == NULL)
		return (-1);
	memcpy(digits, word, len);
	digits[len] = '\0';
	n = strtonum(digits, 1, 36500, &wrong);
	if (wrong != NULL)
		return (-1);
	snprintf(dst, CTL_WORD_SIZE, "%llu", (unsigned long long)n *
	    (unsigned long long)factors[unit - letters]);
	return (0);
}

/* An argument, checked as far as its name says what it is. */
static int
arg_take(const struct item *it, const char *word, char *dst, char *err,
    size_t err_size)
{
	const char	*wrong = NULL;

	if (strcmp(it->text, "duration") == 0) {
		if (take_duration(word, dst) == 0)
			return (0);
		snprintf(err, err_size,
		    "\"%s\" is not a duration such as 30m, 8h or 7d", word);
		return (-1);
	}
	if (strcmp(it->text, "ms") == 0 || strcmp(it->text, "instance") == 0)
		(void)strtonum(word, 0, INT64_MAX, &wrong);
	if (strcmp(it->text, "permission") == 0 && strchr(word, ',') != NULL)
		wrong = "has a comma";
	if (wrong != NULL) {
		snprintf(err, err_size, "<%s> \"%s\": %s", it->text, word,
		    wrong);
		return (-1);
	}
	if (word[0] == '\0' ||
	    strlcpy(dst, word, CTL_WORD_SIZE) >= CTL_WORD_SIZE) {
		snprintf(err, err_size, "<%s> is %s", it->text,
		    word[0] == '\0' ? "empty" : "too long");
		return (-1);
	}
	return (0);
}

/* Words, from column `at` on; what does not fit, in lines from `in` on. */
static size_t
fold(FILE *f, const char *text, size_t at, size_t in)
{
	size_t	len, first = 1;

	for (; *text != '\0'; text += len + strspn(text + len, " ")) {
		len = strcspn(text, *text == '[' ? "]" : " ");
		len += strcspn(text + len, " ");
		if (!first && at + 1 + len >= USAGE_WIDTH) {
			fprintf(f, "\n%*s", (int)in, "");
			at = in;
			first = 1;
		}
		fprintf(f, "%s%.*s", first ? "" : " ", (int)len, text);
		at += len + !first;
		first = 0;
	}
	return (at);
}

static void
usage_line(FILE *f, const char *pattern, const char *help)
{
	size_t	at;

	fprintf(f, "  ");
	if ((at = fold(f, pattern, 2, 6)) + 2 > USAGE_COLUMN) {
		fputc('\n', f);
		at = 0;
	}
	fprintf(f, "%*s", (int)(USAGE_COLUMN - at), "");
	fold(f, help, USAGE_COLUMN, USAGE_COLUMN);
	fputc('\n', f);
}

static int
same_group(const char *a, const char *b)
{
	size_t	len = strcspn(a, " ");

	return (len == strcspn(b, " ") && strncmp(a, b, len) == 0);
}

/* Those with one first word together, where the first of them is. */
void
cmd_usage(FILE *f)
{
	size_t	i, k;

	for (i = 0; i < ncmds; i++) {
		for (k = 0; k < i; k++)
			if (same_group(cmds[k].pattern, cmds[i].pattern))
				break;
		for (; k == i || (k > i && k < ncmds); k++)
			if (same_group(cmds[i].pattern, cmds[k].pattern))
				usage_line(f, cmds[k].pattern, cmds[k].help);
	}
}

/* Optional words that have not been said, or may be said again. */
static void
complete_tail(const struct pattern *p, int argc, char *const *argv, size_t at,
    FILE *f, char arg[CMD_ARG_SIZE])
{
	const char	*last = argv[argc - 1];
	char		 err[512];
	size_t		 i, j;

	if (((size_t)argc - 1 - at) % 2 != 0) {	/* the argument of one */
		i = tail_find(p, argv[argc - 2], err, sizeof(err));
		if (i != 0)
			strlcpy(arg, p->items[i + 1].text, CMD_ARG_SIZE);
		return;
	}
	for (i = p->required; i < p->n; i++) {
		if (p->items[i].is_arg ||
		    strncmp(p->items[i].text, last, strlen(last)) != 0)
			continue;
		for (j = at; j < (size_t)argc - 1 && !p->items[i].repeats;
		    j += 2)
			if (strcmp(argv[j], p->items[i].text) == 0)
				break;
		if (j >= (size_t)argc - 1 || p->items[i].repeats)
			fprintf(f, "%s\n", p->items[i].text);
	}
}

void
cmd_complete(int argc, char *const *argv, FILE *f, char arg[CMD_ARG_SIZE])
{
	struct pattern	*all, **ps, *done = NULL;
	char		 err[512];
	const char	*last;
	size_t		 n = ncmds, at, i, j;

	arg[0] = '\0';
	if (argc < 1)
		return;
	all = patterns(&ps);
	last = argv[argc - 1];
	for (at = 0; at < (size_t)argc - 1; at++) {
		done = ends_here(ps, n, at);
		if ((i = still_open(ps, n, at)) == 0)
			break;
		n = i;
		if (done != NULL && tail_begins(done, ps, n, argv[at], at))
			break;
		done = NULL;
		if (line_head(ps, &n, argv[at], at, err, sizeof(err)) == -1)
			goto out;
	}
	n = done != NULL ? 0 : n;
	if (done == NULL)
		done = ends_here(ps, n, at);
	if (done != NULL)
		complete_tail(done, argc, argv, done->required, f, arg);
	n = still_open(ps, n, at);
	for (i = 0; i < n; i++) {
		if (ps[i]->items[at].is_arg)
			strlcpy(arg, ps[i]->items[at].text, CMD_ARG_SIZE);
		if (ps[i]->items[at].is_arg ||
		    strncmp(ps[i]->items[at].text, last, strlen(last)) != 0)
			continue;
		for (j = 0; j < i; j++)
			if (strcmp(ps[j]->items[at].text,
			    ps[i]->items[at].text) == 0)
				break;
		if (j == i)
			fprintf(f, "%s\n", ps[i]->items[at].text);
	}
out:
	free(all);
	free(ps);
}
