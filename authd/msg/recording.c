/* SPDX-License-Identifier: ISC */
/*
 * The life of a recording. The row is in the store before there is a file, and
 * goes after it, so that no crash leaves a file that nobody knows of. What a
 * restored store does not know of is taken into it.
 */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/core/rowlog.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/terminal.h"
#include "authd/core/tunnel.h"
#include "authd/store/audit.h"
#include "authd/store/castdir.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "base/log.h"
#include "base/wipe_json.h"
#include "metrics/count.h"
#include "peer.h"
#include "proc/proc.h"
#include "recording.h"
#include "streamlog.h"

#define TICK_MS		1000	/* while any is going on */
#define SIZE_TICKS	10	/* between two looks at how large they are */
#define HASH_MS		5	/* between two steps of */
#define HASH_STEP	(256 * 1024)
#define WIDTH		80	/* until the browser says */
#define HEIGHT		24

enum state { GOING_ON, OVER, HASHING, ENDING };

struct recording {
	TAILQ_ENTRY(recording)	 entry;
	struct link		 link;		/* by id */
	struct recording_row	 row;		/* bytes: as last looked at */
	enum state		 state;
};

static void	recording_tick(void *);
static void	hash_step(void *);

static struct {
	after_fn	 after;		/* the turn's */
	TAILQ_HEAD(, recording)	 all;
	struct index		 by_id;
	struct timer		 tick, step;
	unsigned		 ticks;
	/* the one that is read for its end */
	struct recording	*hashing;
	int			 fd;
	uint64_t		 left;
	crypto_hash_sha256_state hash;
} recordings = { .all = TAILQ_HEAD_INITIALIZER(recordings.all), .fd = -1 };

void
recording_init(after_fn after)
{
	recordings.after = after;
}

unsigned
recording_count(void)
{
	return ((unsigned)recordings.by_id.count);
}

static struct recording *
recording_find(const char *id)
{
	struct link		*l;
	struct recording	*r;

	for (l = index_find(&recordings.by_id, index_key(id)); l != NULL;
	    l = index_next(l)) {
		r = OWNER(l, struct recording, link);
		if (strcmp(r->row.id, id) == 0)
			return (r);
	}
	return (NULL);
}

static struct recording *
recording_new(const struct recording_row *row)
{
	struct recording	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->row = *row;
	index_add(&recordings.by_id, &r->link, index_key(r->row.id));
	TAILQ_INSERT_TAIL(&recordings.all, r, entry);
	if (recordings.tick.fn == NULL) {
		timer_init(&recordings.tick, recording_tick, NULL);
		timer_init(&recordings.step, hash_step, NULL);
	}
	if (!timer_is_set(&recordings.tick))
		timer_set(&recordings.tick, TICK_MS);
	return (r);
}

static void
recording_free(struct recording *r)
{
	index_del(&recordings.by_id, &r->link);
	TAILQ_REMOVE(&recordings.all, r, entry);
	freezero(r, sizeof(*r));
}

void
recording_load(const struct recording_row *row)
{
	if (recording_find(row->id) == NULL && recording_new(row) == NULL)
		log_warnx("recording %s: out of memory", row->id);
}

/* Where the store is, as we see it. */
static const char *
root(char dst[PATH_SIZE])
{
	char	*end;

	if (strlcpy(dst, proc_root(), PATH_SIZE) > 0)
		return (dst);
	strlcpy(dst, proc_conf()->store_path, PATH_SIZE);
	if ((end = strrchr(dst, '/')) != NULL)
		*end = '\0';
	return (dst);
}

int
recording_judge(const struct conf *conf, const char **why)
{
	char	dir[PATH_SIZE];

	if (!conf->record_terminals ||
	    castdir_make(root(dir), conf->recording_dir) == 0)
		return (0);
	log_warn("recording directory %s", conf->recording_dir);
	*why = "recording directory cannot be used";
	return (-1);
}

void
recording_reloaded(void)
{
	const struct conf	*conf = proc_conf();
	char			 dir[PATH_SIZE];

	if ((conf->record_terminals && castdir_make(root(dir),
	    conf->recording_dir) == -1) || (castdir_open(root(dir),
	    conf->recording_dir) == -1 && conf->record_terminals))
		log_warn("recording directory %s: no terminal opens",
		    conf->recording_dir);
}

/* ---- the beginning ---- */

void
recording_begin(const struct stream *st)
{
	struct recording_row	row = { .bytes = 0 };
	const struct access_row	*a;

	if (st->kind != &stream_terminal || st->row == NULL ||
	    !proc_conf()->record_terminals)
		return;
	a = &st->row->row;
	strlcpy(row.id, a->id, sizeof(row.id));
	strlcpy(row.session_id, a->session_id, sizeof(row.session_id));
	strlcpy(row.operator_id, a->operator_id, sizeof(row.operator_id));
	strlcpy(row.operator_name, a->operator_name,
	    sizeof(row.operator_name));
	row.started_at = clock_wall_ms();
	/* Without memory it is not known when it is to be opened: a no. */
	if (recording_new(&row) != NULL)
		(void)store_recording_add(&row);
}

/* The first line: what a termd cannot say otherwise. */
static char *
header(const struct stream *st, const struct recording_row *row, size_t *len)
{
	cJSON	*o = cJSON_CreateObject();
	char	 who[WHO_SIZE], title[512], *text;

	snprintf(title, sizeof(title), "%s on %s, session %s",
	    streamlog_who(st, who), st->tunnel->session->system_key,
	    row->session_id);
	cJSON_AddNumberToObject(o, "version", 2);
	cJSON_AddNumberToObject(o, "width", WIDTH);
	cJSON_AddNumberToObject(o, "height", HEIGHT);
	cJSON_AddNumberToObject(o, "timestamp",
	    (double)(row->started_at / 1000));
	cJSON_AddStringToObject(o, "title", title);
	text = wipe_print(o);
	cJSON_Delete(o);
	if (text == NULL)
		return (NULL);
	*len = strlen(text);
	text[(*len)++] = '\n';		/* in place of its NUL */
	return (text);
}

uint64_t
recording_open_bytes(void)
{
	const struct recording	*r;
	uint64_t		 bytes = 0;

	TAILQ_FOREACH(r, &recordings.all, entry)
		bytes += r->row.bytes;
	return (bytes);
}

static int
file_begin(const struct stream *st, struct recording *r, int *fd)
{
	size_t	 len;
	char	*text;
	ssize_t	 n;

	if (castdir_new(r->row.id, fd) == -1)
		return (-1);
	if ((text = header(st, &r->row, &len)) == NULL)
		n = -1;
	else
		n = write(*fd, text, len);
	cJSON_free(text);
	if (n != -1 && (size_t)n == len) {
		r->row.bytes = len;
		return (0);
	}
	if (n != -1)
		errno = ENOSPC;
	close(*fd);
	*fd = -1;
	return (-1);
}

/*
 * What is on the disk with recordings has to be able to go on: below `free` no
 * other begins, below half of that those that go on end. 1 if it is so.
 */
static int
is_short(uint64_t floor)
{
	uint64_t	bytes;

	return (castdir_free(&bytes) == 0 && bytes < floor);
}

enum refusal
recording_open(const struct stream *st, int *fd, uint64_t *room)
{
	const struct conf	*conf = proc_conf();
	struct recording	*r = recording_find(st->row->row.id);

	*fd = -1;
	if (r == NULL)
		return (st->kind == &stream_terminal &&
		    conf->record_terminals ? REFUSE_RECORDING : REFUSE_NOT);
	if (recording_open_bytes() >= conf->recording_max) {
		log_warnx("recording: those that go on have all the room");
		return (REFUSE_RECORDING);
	}
	if (!castdir_is_open())
		recording_reloaded();
	if (is_short(conf->recording_free)) {
		log_warnx("recording: too little is free on the disk: no "
		    "terminal opens");
		return (REFUSE_RECORDING_FULL);
	}
	if (file_begin(st, r, fd) == -1) {
		log_warn("recording %s", r->row.id);
		return (REFUSE_RECORDING);
	}
	*room = conf->recording_each - r->row.bytes;
	log_info("session %s: terminal recorded as %s", r->row.session_id,
	    r->row.id);
	return (REFUSE_NOT);
}

/* ---- the end ---- */

int
recording_read(const struct recording_row *row, int *fd, uint64_t *bytes)
{
	return (castdir_read(row->id, row->ended_at != 0 ? row->bytes :
	    UINT64_MAX, fd, bytes));
}

uint64_t
recording_size(const struct recording_row *row)
{
	uint64_t	bytes = row->bytes;

	if (row->ended_at == 0)
		(void)castdir_size(row->id, &bytes);
	return (bytes);
}

static void
recording_ended(void *arg, int ok)
{
	struct recording	*r = arg;

	if (!ok) {
		r->state = OVER;
		return;
	}
	if (r->row.bytes > 0)
		log_info("session %s: recording %s ended, %llu bytes",
		    r->row.session_id, r->row.id,
		    (unsigned long long)r->row.bytes);
	recording_free(r);
}

/* A terminal that never came about has no file. */
static void
recording_write(struct recording *r)
{
	char	detail[MESSAGE_SIZE];

	r->state = ENDING;
	if (r->row.bytes == 0) {
		(void)store_recording_del(r->row.id);
	} else {
		r->row.ended_at = clock_wall_ms();
		(void)store_recording_end(&r->row);
		snprintf(detail, sizeof(detail), "%llu bytes, sha256 %s",
		    (unsigned long long)r->row.bytes, r->row.sha256);
		audit_done(&(struct audit){ .actor = r->row.operator_id,
		    .action = "recording", .session = r->row.session_id,
		    .object = r->row.id, .reason = detail });
	}
	recordings.after(recording_ended, r);
}

static void
hash_end(void)
{
	struct recording	*r = recordings.hashing;
	unsigned char		 sum[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(&recordings.hash, sum);
	if (recordings.left == 0)
		sodium_bin2hex(r->row.sha256, sizeof(r->row.sha256), sum,
		    sizeof(sum));
	close(recordings.fd);
	recordings.fd = -1;
	recordings.hashing = NULL;
	recording_write(r);
}

/* A part in each turn: others are heard in between. */
static void
hash_step(void *arg)
{
	static unsigned char	buf[HASH_STEP];
	ssize_t			n;

	(void)arg;
	n = read(recordings.fd, buf, recordings.left < sizeof(buf) ?
	    (size_t)recordings.left : sizeof(buf));
	if (n > 0) {
		crypto_hash_sha256_update(&recordings.hash, buf,
		    (unsigned long long)n);
		recordings.left -= (uint64_t)n;
	}
	if (n <= 0 || recordings.left == 0)
		hash_end();
	else
		timer_set(&recordings.step, HASH_MS);
}

/* One at a time is read. */
static void
recording_over(struct recording *r)
{
	uint64_t	bytes;
	int		fd;

	if (recordings.hashing != NULL)
		return;
	if (castdir_read(r->row.id, UINT64_MAX, &fd, &bytes) == -1) {
		if (errno != ENOENT)
			log_warn("recording %s", r->row.id);
		if (errno != EILSEQ)
			r->row.bytes = 0;
		recording_write(r);
		return;
	}
	r->state = HASHING;
	r->row.bytes = recordings.left = bytes;
	recordings.hashing = r;
	recordings.fd = fd;
	crypto_hash_sha256_init(&recordings.hash);
	timer_set(&recordings.step, 0);
}

static int
row_is_open(const char *id)
{
	struct rowlog	*a = rowlog_take(id);

	if (a != NULL)
		rowlog_release(a);
	return (a != NULL);
}

/* Before the disk is full: those who are recorded have to go. */
static void
recordings_stop(void)
{
	struct stream	*st;
	struct peer	*pe;

	TAILQ_FOREACH(pe, &peers, entry) {
		if (!peer_has(pe, RF_STREAM) || peer_state(pe) == P_CLOSING ||
		    (st = stream_find(pe->stream)) == NULL || st->row == NULL ||
		    recording_find(st->row->row.id) == NULL)
			continue;
		log_warnx("session %s: recording %s: too little is free on "
		    "the disk", st->row->row.session_id, st->row->row.id);
		count(CT_RECORDING_SHORT);
		peer_close(pe, 1011, "no room on the disk to record this "
		    "terminal");
		peer_must_go(pe);
	}
}

/* Whose terminal has gone has a second more for what was under way. */
static void
recording_tick(void *arg)
{
	struct recording	*r, *next;

	(void)arg;
	recordings.ticks++;
	if (is_short(proc_conf()->recording_free / 2))
		recordings_stop();
	for (r = TAILQ_FIRST(&recordings.all); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->state == OVER)
			recording_over(r);
		else if (r->state == GOING_ON && !row_is_open(r->row.id))
			r->state = OVER;
		else if (r->state == GOING_ON &&
		    recordings.ticks % SIZE_TICKS == 0)
			(void)castdir_size(r->row.id, &r->row.bytes);
	}
	if (!TAILQ_EMPTY(&recordings.all))
		timer_set(&recordings.tick, TICK_MS);
}
