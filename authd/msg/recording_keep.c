/* SPDX-License-Identifier: ISC */
/*
 * How long recordings stay: by age, and by what all may have together. One at a
 * time goes, the oldest of those that have ended, its file before its row. And
 * files of which a restored store knows nothing are taken into it, so that they
 * go like the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "authd/store/castdir.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "proc/proc.h"
#include "recording.h"

#define LOOK_MS		60000
#define NEXT_MS		50	/* when there was something */
#define FIRST_MS	1000
#define SCAN_STEP	16	/* files that are looked at in one turn */

static void	keep_look(void *);

static struct {
	struct timer	timer;
	int		scanned;	/* all files of the directory */
	uint64_t	bytes;		/* of all recordings */
} keep;

void
recording_keep(void)
{
	keep.scanned = 0;
	if (keep.timer.fn == NULL)
		timer_init(&keep.timer, keep_look, NULL);
	timer_set(&keep.timer, FIRST_MS);
}

/* ---- what goes ---- */

static int
is_too_much(const struct recording_row *r)
{
	const struct conf	*conf = proc_conf();

	return (keep.bytes > conf->recording_max || r->ended_at <
	    clock_wall_ms() - (int64_t)conf->keep_recordings * 1000);
}

static void
oldest_known(const struct answer *a, void *arg)
{
	(void)arg;
	timer_set(&keep.timer, LOOK_MS);
	if (a->r != 0 || !is_too_much(a->recording))
		return;
	if (castdir_remove(a->recording->id) == -1 && errno != ENOENT) {
		log_warn("recording %s", a->recording->id);
		return;
	}
	log_info("recording %s: kept long enough, removed",
	    a->recording->id);
	(void)store_recording_del(a->recording->id);
	timer_set(&keep.timer, NEXT_MS);
}

static void
sum_known(const struct answer *a, void *arg)
{
	(void)arg;
	timer_set(&keep.timer, LOOK_MS);
	if (a->r != 0)
		return;
	keep.bytes = (uint64_t)a->recordings->bytes + recording_open_bytes();
	if (a->recordings->n > 0)
		(void)store_ask(&(struct question){
		    .what = ASK_RECORDING_OLDEST, .key = "" }, oldest_known,
		    NULL);
}

/* ---- what is found ---- */

struct found {
	char		id[UUID_SIZE];
	int64_t		at;
};

static void
found_known(const struct answer *a, void *arg)
{
	struct found	*f = arg;
	uint64_t	 bytes;

	/* It may have gone meanwhile, with its row. */
	if (a->r == STORE_NONE && castdir_size(f->id, &bytes) == 0) {
		log_warnx("recording %s: the store did not know it", f->id);
		(void)store_recording_adopt(f->id, f->at, bytes);
	} else if (a->r == -1)
		keep.scanned = 0;
	free(f);
}

static void
scan(void)
{
	struct found	*f;
	uint64_t	 bytes;
	int		 i;

	keep.scanned = 1;
	for (i = 0; i < SCAN_STEP && (f = calloc(1, sizeof(*f))) != NULL;
	    i++) {
		if (castdir_next(f->id, &f->at, &bytes) == 0) {
			free(f);
			return;
		}
		(void)store_ask(&(struct question){ .what = ASK_RECORDING,
		    .key = f->id }, found_known, f);
	}
	keep.scanned = 0;
}

/* Without a directory nothing was recorded; it may come with a reload. */
static void
keep_look(void *arg)
{
	(void)arg;
	if (!castdir_is_open()) {
		keep.scanned = 0;
		timer_set(&keep.timer, LOOK_MS);
	} else if (!store_is_up()) {
		timer_set(&keep.timer, LOOK_MS);
	} else if (!keep.scanned) {
		scan();
		timer_set(&keep.timer, NEXT_MS);
	} else {
		(void)store_ask(&(struct question){ .what = ASK_RECORDING_SUM,
		    .key = "" }, sum_known, NULL);
	}
}
