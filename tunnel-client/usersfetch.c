/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "stream.h"
#include "usersdoc.h"
#include "usersfetch.h"

#define FETCH_MS	30000

struct usersfetch {
	void		(*fn)(cJSON *);
	struct stream	*st;
	struct timer	 timer;
	char		*buf;
	size_t		 len;
};

static void	fetch_data(struct stream *, const uint8_t *, size_t);
static void	fetch_fin(struct stream *);
static void	fetch_gone(struct stream *, int);
static void	fetch_timeout(void *);
static void	fetch_end(struct usersfetch *, cJSON *);

static const struct stream_ops fetch_ops = { .name = "users fetch",
    .data = fetch_data, .fin = fetch_fin, .gone = fetch_gone };

struct usersfetch *
usersfetch_start(void (*fn)(cJSON *))
{
	static const char	 line[] = "USERS_FETCH 1\n";
	struct usersfetch	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL ||
	    (f->buf = malloc(USERS_JSON_MAX + 1)) == NULL ||
	    (f->st = stream_open(&fetch_ops, f)) == NULL) {
		if (f != NULL)
			free(f->buf);
		free(f);
		return (NULL);
	}
	f->fn = fn;
	timer_init(&f->timer, fetch_timeout, f);
	/* Our side stays open until the answer is there. */
	if (stream_send(f->st, line, sizeof(line) - 1) == -1)
		timer_set(&f->timer, 0);
	else
		timer_set(&f->timer, FETCH_MS);
	return (f);
}

static void
fetch_data(struct stream *st, const uint8_t *p, size_t len)
{
	struct usersfetch	*f = st->arg;

	stream_consumed(st, len);
	if (len > USERS_JSON_MAX - f->len) {
		log_warnx("users: the server says too much");
		stream_reset(st);
		f->st = NULL;
		fetch_end(f, NULL);
		return;
	}
	memcpy(f->buf + f->len, p, len);
	f->len += len;
}

static void
fetch_fin(struct stream *st)
{
	struct usersfetch	*f = st->arg;
	cJSON			*o = cJSON_ParseWithLength(f->buf, f->len);
	cJSON			*c;

	c = users_credentials(cJSON_GetObjectItemCaseSensitive(o, "users"));
	cJSON_Delete(o);
	users_keep_ours(c);
	if (c != NULL && !users_has_credentials(c)) {
		cJSON_Delete(c);
		c = NULL;
	}
	f->st = NULL;
	stream_done(st);
	fetch_end(f, c);
}

/* Reset, or the tunnel is gone. */
static void
fetch_gone(struct stream *st, int clean)
{
	struct usersfetch	*f = st->arg;

	(void)clean;
	f->st = NULL;
	fetch_end(f, NULL);
}

static void
fetch_timeout(void *arg)
{
	struct usersfetch	*f = arg;

	stream_reset(f->st);
	f->st = NULL;
	fetch_end(f, NULL);
}

static void
fetch_end(struct usersfetch *f, cJSON *credentials)
{
	void	(*fn)(cJSON *) = f->fn;

	usersfetch_cancel(f);
	fn(credentials);
}

void
usersfetch_cancel(struct usersfetch *f)
{
	timer_del(&f->timer);
	if (f->st != NULL)
		stream_reset(f->st);
	freezero(f->buf, USERS_JSON_MAX + 1);
	free(f);
}
