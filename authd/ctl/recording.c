/* SPDX-License-Identifier: ISC */
/*
 * Recordings, for people at the control socket. One is read in parts, each an
 * audit event and asked for by itself, so that nobody's queue fills.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/api/api.h"
#include "authd/msg/recording.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "ctl.h"

#define PART_MAX	(1024 * 1024)	/* bytes of one answer */
#define BEGINNING_MIN	4		/* of an id, as of a session's */

static void
recording_send(const struct asker *asker, const void *row)
{
	const struct recording_row	*r = row;
	char				 from[32], to[32], n[24];

	snprintf(n, sizeof(n), "%llu", (unsigned long long)recording_size(r));
	ctl_row(asker, r->id, r->session_id[0] != '\0' ? r->session_id : "-",
	    r->operator_name[0] != '\0' ? r->operator_name :
	    r->operator_id[0] != '\0' ? r->operator_id : "-",
	    api_time(r->started_at, from), r->ended_at != 0 ?
	    api_time(r->ended_at, to) : "-", n,
	    r->sha256[0] != '\0' ? r->sha256 : "-", CTL_END);
}

static void
recording_list(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "recording", "session", "operator", "started",
	    "ended", "bytes", "sha256", CTL_END);
	ctl_list(ctl, ASK_RECORDINGS, sizeof(struct recording_row),
	    recording_send);
}
const struct ctl_handler	ctl_recording_list = { .fn = recording_list };

/* A part of one on its way. */
struct part {
	struct ctl	 ctl;
	int64_t		 from;
	int		 fd;
	uint64_t	 left;
};

static void
part_free(struct part *p)
{
	if (p->fd != -1)
		close(p->fd);
	free(p);
}

static int
part_say(struct part *p, struct chan *c)
{
	static uint8_t	buf[CHUNK_MAX];
	ssize_t		n;

	while (p->left > 0) {
		n = pread(p->fd, buf, p->left < sizeof(buf) ?
		    (size_t)p->left : sizeof(buf), (off_t)p->from);
		if (n <= 0)
			return (-1);
		(void)say_ctl_text(c, p->ctl.asker.id, -1, &(struct msg_ctl_text){
		    .bytes = { buf, (size_t)n } });
		p->from += n;
		p->left -= (uint64_t)n;
	}
	return (0);
}

static void
part_logged(void *arg, int ok)
{
	struct part	*p = arg;
	struct chan	*c = asker_chan(&p->ctl.asker);

	if (!ok)
		ctl_done(&p->ctl.asker, 503, "store is unavailable");
	else if (c != NULL && chan_queued(c) > CHAN_QUEUE_HIGH)
		ctl_done(&p->ctl.asker, 503, "server is busy");
	else if (c != NULL && part_say(p, c) == -1)
		ctl_done(&p->ctl.asker, 500, "recording cannot be read");
	else
		ctl_done(&p->ctl.asker, 0, "");
	part_free(p);
}

static void
part_no(struct part *p, int status, const char *why)
{
	ctl_done(&p->ctl.asker, status, why);
	part_free(p);
}

static void
part_open(struct part *p, const struct recording_row *r, uint64_t bytes)
{
	char	what[32];

	p->left = bytes > (uint64_t)p->from ? bytes - (uint64_t)p->from : 0;
	if (p->left > PART_MAX)
		p->left = PART_MAX;
	if (p->left == 0) {
		part_no(p, 0, "");
		return;
	}
	snprintf(what, sizeof(what), "from %lld", (long long)p->from);
	ctl_audit(&p->ctl, r->session_id, r->id, what);
	turn_after(part_logged, p);
}

static void
part_known(const struct answer *a, void *arg)
{
	struct part	*p = arg;
	uint64_t	 bytes;

	errno = ENOENT;		/* should there be none */
	if (a->r == -1)
		part_no(p, 503, "store is unavailable");
	else if (a->n > 1)
		part_no(p, 409, "more than one recording begins so");
	else if (a->n == 0 || recording_read(a->recording, &p->fd, &bytes) ==
	    -1)
		part_no(p, errno == ENOENT ? 404 : 500, errno == ENOENT ?
		    "no such recording" : "recording cannot be read");
	else
		part_open(p, a->recording, bytes);
}

static void
recording_cat(struct ctl *ctl, const struct facts *f)
{
	const char	*from = ctl->word[1], *wrong = NULL;
	struct part	*p;

	(void)f;
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	p->ctl = *ctl;
	p->fd = -1;
	if (from[0] != '\0')
		p->from = strtonum(from, 0, INT64_MAX, &wrong);
	if (wrong != NULL) {
		part_no(p, 400, "from: not a number of bytes");
		return;
	}
	if (strlen(ctl->word[0]) < BEGINNING_MIN) {
		part_no(p, 404, "no such recording");
		return;
	}
	(void)store_ask(&(struct question){ .what = ASK_RECORDINGS_NAMED,
	    .key = ctl->word[0], .asker = ctl->asker.instance }, part_known, p);
}
const struct ctl_handler	ctl_recording_cat = { .fn = recording_cat };
