/* SPDX-License-Identifier: ISC */
/*
 * What ps shows of this process, and the way out of it. Uses no other file of
 * muxd, so that every one of them may leave.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/compat.h"
#include "imsg/msg.h"
#include "muxd.h"
#include "proc/link.h"
#include "proc/proc.h"

#define TITLE_MS	1000	/* at most one change of title in it */

static void	muxd_title(void *);

static struct {
	char		key[2 * SYSKEY_SIZE];
	char		session[UUID_SIZE];
	unsigned	streams;
	struct timer	title;
	int		leaving;
} self;

void
muxd_set_name(const char *key, const char *session)
{
	strlcpy(self.key, key, sizeof(self.key));
	strlcpy(self.session, session, sizeof(self.session));
	timer_init(&self.title, muxd_title, NULL);
	muxd_title(NULL);
}

void
muxd_title_changed(unsigned streams)
{
	self.streams = streams;
	if (!timer_is_set(&self.title))
		timer_set(&self.title, TITLE_MS);
}

static void
muxd_title(void *arg)
{
	(void)arg;
	proc_title("%s, session %s, %u stream%s", self.key, self.session,
	    self.streams, PLURAL(self.streams));
}

void
muxd_exit(int status)
{
	if (self.leaving)		/* from within proc_exit() */
		_exit(status);
	self.leaving = 1;
	link_flush();
	proc_exit(status);
}
