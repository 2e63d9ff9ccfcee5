/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cast.h"
#include "record.h"

#define FULL	"this terminal's recording is full"
#define FAILED	"this terminal cannot be recorded any more"

static struct {
	int		 on, fd;
	uint64_t	 begin_ms, room;
	const char	*why;		/* it has failed */
	struct cast	 cast;		/* last: not touched without a file */
} record;

void
record_begin(int fd, uint64_t room)
{
	record.on = 1;
	record.fd = fd;
	record.room = room;
	record.begin_ms = clock_ms();
}

int
record_is_on(void)
{
	return (record.on);
}

static uint64_t
elapsed(void)
{
	return (clock_ms() - record.begin_ms);
}

/* A whole buffer, or none of it counts: a line in part is not read back. */
static void
record_write(void)
{
	struct cast	*c = &record.cast;
	size_t		 off;
	ssize_t		 n;

	cast_close(c);
	if (record.why == NULL && c->len > record.room) {
		log_info("recording: full");
		record.why = FULL;
	}
	for (off = 0; record.why == NULL && off < c->len; off += (size_t)n) {
		n = write(record.fd, c->buf + off, c->len - off);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1) {
			log_warn("recording");
			record.why = errno == EFBIG ? FULL : FAILED;
			break;
		}
		record.room -= (uint64_t)n;
	}
	c->len = 0;
}

void
record_output(const uint8_t *p, size_t n)
{
	size_t	done;

	while (record.on && n > 0) {
		done = cast_output(&record.cast, elapsed(), p, n);
		p += done;
		n -= done;
		if (n > 0)
			record_write();
	}
}

void
record_resize(const char *size)
{
	unsigned	cols, rows;

	if (!record.on ||
	    sscanf(size, "{\"cols\":%u,\"rows\":%u}", &cols, &rows) != 2)
		return;
	if (cast_resize(&record.cast, elapsed(), cols, rows) == -1) {
		record_write();
		(void)cast_resize(&record.cast, elapsed(), cols, rows);
	}
}

int
record_flush(const char **why)
{
	if (!record.on)
		return (0);
	if (record.cast.len > 0)
		record_write();
	*why = record.why;
	return (record.why == NULL ? 0 : -1);
}

int
record_end(const char **why)
{
	int	r;

	if (!record.on)
		return (0);
	if (cast_finish(&record.cast, elapsed()) == -1) {
		record_write();
		(void)cast_finish(&record.cast, elapsed());
	}
	r = record_flush(why);
	close(record.fd);
	record.on = 0;
	return (r);
}
