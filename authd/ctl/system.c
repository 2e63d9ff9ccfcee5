/* SPDX-License-Identifier: ISC */
/* One system: all about it, another name, another secret. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/cred/secret.h"
#include "authd/msg/invalidate.h"
#include "authd/msg/member.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"

#define SHOW_MS	1500	/* for the store to say */

/* --- show --- */

static void
say(const struct asker *to, const char *field, const char *text)
{
	ctl_row(to, field, text[0] != '\0' ? text : "-", CTL_END);
}

static void
say_time(const struct asker *to, const char *field, int64_t ms)
{
	char	text[32];

	say(to, field, ms != 0 ? api_time(ms, text) : "");
}

static void
say_session(struct session *se, void *to)
{
	char	text[512], until[32];

	snprintf(text, sizeof(text), "%s%s%s, %s, tunnel %s, services %u, "
	    "streams %u, until %s", se->row.id,
	    se->row.node[0] != '\0' ? " of node " : "", se->row.node,
	    session_status_name(se->row.status),
	    se->tunnel != NULL ? "up" : "down",
	    se->services != NULL ? (unsigned)se->services->n : 0,
	    se->tunnel != NULL ? se->tunnel->nstreams : 0,
	    api_time(se->row.expires_at, until));
	say(to, "session", text);
}

/* One that another member has, or none has now. */
static void
say_elsewhere(const struct asker *to, const struct session_row *r)
{
	char	text[512], until[32];

	snprintf(text, sizeof(text), "%s%s%s, %s, tunnel %s, until %s%s%s",
	    r->id, r->node[0] != '\0' ? " of node " : "", r->node,
	    session_status_name(r->status), member_is_elsewhere(r->member) ?
	    "up" : "down", api_time(r->expires_at, until),
	    r->member[0] != '\0' ? ", at " : "", r->member);
	say(to, "session", text);
}

static void
say_maker(const struct asker *to, const struct system_more *m)
{
	char	text[NAME_SIZE + ID_SIZE + 4] = "";

	if (m->created_by[0] != '\0' && m->created_by_name[0] != '\0')
		snprintf(text, sizeof(text), "%s (%s)", m->created_by_name,
		    m->created_by);
	else
		strlcpy(text, m->created_by, sizeof(text));
	say(to, "created_by", text);
}

static void
say_system(const struct asker *to, const struct system_detail *d)
{
	const struct system_row	*s = &d->row;

	ctl_row(to, "field", "text", CTL_END);
	say(to, "id", s->id);
	say(to, "key", s->key);
	say(to, "name", s->name);
	say(to, "type", s->type);
	say(to, "version", d->more.version);
	say(to, "organization", s->org_id);
	say(to, "organization_name", d->org_name);
	say(to, "enabled", s->suspended_at != 0 ? "suspended" :
	    s->support_enabled ? "yes" : "no");
	say_time(to, "created", s->created_at);
	say_maker(to, &d->more);
	say_time(to, "registered", s->registered_at);
	say_time(to, "updated", d->more.updated_at);
	say(to, "notes", d->more.notes);
	session_each_of(s->id, say_session, (void *)(uintptr_t)to);
}

static void
show_others(const struct answer *a, void *arg)
{
	struct asker	*to = arg;
	size_t		 i;

	for (i = 0; i < a->n; i++)
		if (session_find(a->session[i].id) == NULL)
			say_elsewhere(to, &a->session[i]);
	if (a->r != 0)
		ctl_done(to, 503, "store is unavailable");
	else
		ctl_done(to, 0, "");
	free(to);
}

static void
show_known(const struct answer *a, void *arg)
{
	struct asker		*to = arg;
	struct list_query	 open = { .statuses = STATUS_ALL };
	struct group_row	 group = { .system_id = "" };

	if (a->r == 0 && a->n == 1) {
		say_system(to, a->detail);
		strlcpy(group.system_id, a->detail->row.id,
		    sizeof(group.system_id));
		(void)store_ask(&(struct question){ .what =
		    ASK_PAGE_SESSIONS, .list = &open, .groups = &group, .n = 1,
		    .asker = to->instance, .until_ms = clock_ms() + SHOW_MS },
		    show_others, to);
		return;
	}
	if (a->r != 0)
		ctl_done(to, 503, "store is unavailable");
	else
		ctl_done(to, 404, "no such system");
	free(to);
}

static void
system_show(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);
	struct group_row	 group = { .system_id = "" };
	struct asker		*to;

	if (sys == NULL)
		return;
	if ((to = malloc(sizeof(*to))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	*to = ctl->asker;
	strlcpy(group.system_id, sys->id, sizeof(group.system_id));
	(void)store_ask(&(struct question){ .what = ASK_SYSTEM_DETAILS,
	    .groups = &group, .n = 1, .asker = to->instance,
	    .until_ms = clock_ms() + SHOW_MS }, show_known, to);
}
const struct ctl_handler	ctl_system_show = { .fn = system_show,
    .needs = CTL_NAMED };

/* --- change --- */

/* The name that it gets is no key of anything. */
static void
system_rename(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);
	struct system_change	 c = { .name = ctl->word[1] };

	if (sys == NULL)
		return;
	if (ctl_name_check(ctl->word[1]) == -1) {
		ctl_done(&ctl->asker, 400, "bad name");
		return;
	}
	if (f->got_taken == -1) {
		ctl_done(&ctl->asker, 503, "store is unavailable");
		return;
	}
	if (f->got_taken != STORE_NONE && !ctl->force &&
	    strcmp(sys->name, ctl->word[1]) != 0) {
		ctl_done(&ctl->asker, 409, "another system has this name; -f "
		    "gives it all the same");
		return;
	}
	(void)store_system_change(sys->id, &c, clock_wall_ms());
	invalidate_say(sys->key);
	session_renamed(sys->id, ctl->word[1]);
	ctl_audit(ctl, "", sys->id, ctl->word[1]);
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_system_rename = { .fn = system_rename,
    .needs = CTL_NAMED | NEED_NAME_TAKEN };

/*
 * The old secret counts no more, from the next login on; what is open stays, as
 * in the API: by way of it the new one can be brought there.
 */
static void
system_rotate(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);
	char			 key[SYSKEY_SIZE], secret[SECRET_SIZE];
	char			 public[SECRET_PUBLIC_SIZE];
	char			 stored[SECRET_STORED_SIZE];

	if (sys == NULL)
		return;
	if (secret_new(key, secret, public, stored) == -1) {
		ctl_done(&ctl->asker, 503, "cannot make a secret");
		return;
	}
	(void)store_system_secret(sys->id, public, stored, 1,
	    clock_wall_ms());
	invalidate_say(sys->key);
	ctl_audit(ctl, "", sys->id, sys->name);
	ctl_after(&ctl->asker, "id", sys->id, "key", sys->key, "secret",
	    secret, CTL_END);
	explicit_bzero(secret, sizeof(secret));
}
const struct ctl_handler	ctl_system_rotate = { .fn = system_rotate,
    .needs = CTL_NAMED };
