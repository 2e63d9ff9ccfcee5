/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <cjson/cJSON.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "consent.h"
#include "owned.h"
#include "when.h"

#define PATH_SIZE	1024
#define LOOK_MS		60000	/* the wall clock may be set meanwhile */
#define LOG_EVERY_S	60	/* of those that are refused */

enum word { ALWAYS, ASK, ON, OFF, UNTIL, NOTHING };
static const char *const words[] = { "always", "ask", "on", "off", "until" };

static struct {
	enum word	 mode, said;	/* said NOTHING: the mode counts */
	int64_t		 mode_until, until;
	char		 file[PATH_SIZE];
	void		(*changed)(const char *);
	int		 was_given;	/* at the last look */
	int		 let_in;	/* somebody, since then */
	struct timer	 timer;
	uint64_t	 asked;
	int64_t		 asked_at, logged_at;
	char		 asked_for[160];
} consent;

static void	look(void *);

/* What is configured. */

static int
mode_parse(const char *s)
{
	if (strcmp(s, "always") == 0)
		consent.mode = ALWAYS;
	else if (strcmp(s, "ask") == 0)
		consent.mode = ASK;
	else if (strncmp(s, "until ", 6) == 0 &&
	    (consent.mode_until = when_parse(s + 6, 0)) != -1)
		consent.mode = UNTIL;
	else {
		fprintf(stderr, "tunnel-client: --consent: always, ask or "
		    "\"until 2026-12-01T18:00\" expected, got \"%s\"\n", s);
		return (-1);
	}
	return (0);
}

/* What was said, in the file: a word, for `until` its second. */

static int
said_parse(const char *s)
{
	const char	*why;

	if (strcmp(s, "on") == 0)
		consent.said = ON;
	else if (strcmp(s, "off") == 0)
		consent.said = OFF;
	else if (strcmp(s, "default") == 0)
		consent.said = NOTHING;
	else if (strncmp(s, "until ", 6) == 0) {
		int64_t	until = strtonum(s + 6, 1, INT64_MAX / 1000, &why);

		if (why != NULL)
			return (-1);
		consent.said = UNTIL;
		consent.until = until;
	} else
		return (-1);
	return (0);
}

static void
said_read(void)
{
	struct stat	 sb;
	const char	*why;
	char		 text[64];
	ssize_t		 n = -1;
	int		 fd = open(consent.file, O_RDONLY | O_CLOEXEC |
			    O_NONBLOCK | O_NOFOLLOW);

	consent.said = NOTHING;
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return;
	/* It gives others access to this machine. */
	if ((why = owned_file_refused(fd, &sb)) == NULL &&
	    (n = read(fd, text, sizeof(text) - 1)) == -1)
		why = strerror(errno);
	if (fd != -1)
		close(fd);
	if (n > 0) {
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		if (said_parse(text) == 0)
			return;
	}
	log_warnx("%s: %s: no consent until somebody gives it", consent.file,
	    why != NULL ? why : "not understood");
	consent.said = OFF;
}

static int
write_all(const char *path, const char *text)
{
	size_t	len = strlen(text);
	int	fd, r;

	(void)unlink(path);	/* of a crash */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd == -1)
		return (-1);
	r = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0 ? 0 : -1;
	return (close(fd) == 0 ? r : -1);
}

/* The directory may be new, the one above it is not. */
static int
said_write(void)
{
	char	temporary[PATH_SIZE + 8], text[64], *slash;

	snprintf(temporary, sizeof(temporary), "%s", consent.file);
	if ((slash = strrchr(temporary, '/')) != NULL && slash != temporary) {
		*slash = '\0';
		(void)mkdir(temporary, 0700);
	}
	snprintf(temporary, sizeof(temporary), "%s.new", consent.file);
	if (consent.said == NOTHING)
		return (unlink(consent.file) == 0 || errno == ENOENT ||
		    errno == ENOTDIR ? 0 : -1);
	if (consent.said == UNTIL)
		snprintf(text, sizeof(text), "until %lld\n",
		    (long long)consent.until);
	else
		snprintf(text, sizeof(text), "%s\n", words[consent.said]);
	if (write_all(temporary, text) == 0 &&
	    rename(temporary, consent.file) == 0)
		return (0);
	return (-1);
}

/* What counts. */

static enum word
counts(int64_t *until)
{
	*until = consent.said == NOTHING ? consent.mode_until : consent.until;
	return (consent.said == NOTHING ? consent.mode : consent.said);
}

int
consent_given(void)
{
	int64_t	until;

	switch (counts(&until)) {
	case ALWAYS:
	case ON:
		return (1);
	case UNTIL:
		return (clock_wall() < until);
	default:
		return (0);
	}
}

const char *
consent_why_not(void)
{
	int64_t	until;

	switch (counts(&until)) {
	case UNTIL:
		return ("the customer's consent has run out");
	case OFF:
		return ("the customer has withdrawn consent");
	default:
		return ("the customer has not given consent yet");
	}
}

/* Has it ended? And when to look again. */
static void
look(void *arg)
{
	int64_t	until, left;
	int	given = consent_given(), had = consent.was_given ||
		    consent.let_in;

	(void)arg;
	consent.let_in = 0;
	if (had && !given) {
		log_info("%s", consent_why_not());
		consent.changed(consent_why_not());
	} else if (!consent.was_given && given)
		consent.changed(NULL);
	consent.was_given = given;
	timer_del(&consent.timer);
	if (counts(&until) != UNTIL)
		return;
	/* The clock may go back behind its end, too. */
	left = given ? until * 1000 - clock_wall_ms() : LOOK_MS;
	timer_set(&consent.timer, left < 0 ? 0 : left < LOOK_MS ?
	    (uint64_t)left : LOOK_MS);
}

int
consent_admits(void)
{
	int	given = consent_given();

	if (given != consent.was_given) {
		consent.let_in |= given;
		timer_set(&consent.timer, 0);	/* not below a stream */
	}
	return (given);
}

int
consent_init(const char *mode, const char *file,
    void (*changed)(const char *))
{
	if (mode_parse(mode) == -1)
		return (-1);
	if (strlcpy(consent.file, file, sizeof(consent.file)) >=
	    sizeof(consent.file)) {
		fprintf(stderr, "tunnel-client: --consent-file: too long\n");
		return (-1);
	}
	consent.changed = changed;
	timer_init(&consent.timer, look, NULL);
	said_read();
	look(NULL);
	if (!consent.was_given)
		log_info("%s: operators are refused", consent_why_not());
	return (0);
}

void
consent_clear(void)
{
	timer_del(&consent.timer);
}

void
consent_asked(const char *what)
{
	consent.asked++;
	consent.asked_at = clock_wall();
	strlcpy(consent.asked_for, what, sizeof(consent.asked_for));
	if (consent.asked_at - consent.logged_at < LOG_EVERY_S)
		return;
	consent.logged_at = consent.asked_at;
	log_info("an operator asks for %s: refused, %s; `tunnel-client consent "
	    "2h` gives it for two hours", what, consent_why_not());
}

int
consent_order(const char *order, char *reply, size_t size)
{
	char	t[WHEN_SIZE];
	int	r;

	if (said_parse(order) == -1) {
		snprintf(reply, size, "on, off, default or until expected");
		return (-1);
	}
	log_info("consent: %s%s, says somebody of this machine",
	    consent.said == UNTIL ? "until " : order,
	    consent.said == UNTIL ? when_print(t, consent.until) : "");
	if ((r = said_write()) == -1)
		snprintf(reply, size, "it counts, but only until the client "
		    "ends: %s: %s", consent.file, strerror(errno));
	consent.asked = 0;
	consent.logged_at = 0;
	look(NULL);
	return (r);
}

void
consent_add(struct cJSON *top)
{
	cJSON	*o = cJSON_AddObjectToObject(top, "consent");
	char	 t[WHEN_SIZE];
	int64_t	 until;
	int	 given = consent_given();

	cJSON_AddBoolToObject(o, "given", given);
	cJSON_AddStringToObject(o, "mode", words[consent.mode]);
	if (consent.said != NOTHING)
		cJSON_AddStringToObject(o, "said", words[consent.said]);
	if (counts(&until) == UNTIL)
		cJSON_AddStringToObject(o, "until", when_print(t, until));
	if (!given)
		cJSON_AddStringToObject(o, "why", consent_why_not());
	if (consent.asked == 0)
		return;
	cJSON_AddNumberToObject(o, "asked", (double)consent.asked);
	cJSON_AddStringToObject(o, "asked_at",
	    when_print(t, consent.asked_at));
	cJSON_AddStringToObject(o, "asked_for", consent.asked_for);
}
