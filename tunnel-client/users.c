/* SPDX-License-Identifier: ISC */
/*
 * One thing at a time, in this order:
 *
 *	RECOVER	what a crash left behind is undone
 *	IDLE	until there are a tunnel and a discovery
 *	MAKE	users of our own, where this machine can
 *	FETCH	else those that another node has made
 *	PLUGIN	applications hear of them
 *	READY	the report is out, and goes out again when it changes
 *	UNDO	at the end, and without consent: plugins, users, state file
 *
 * RECOVER and UNDO last until all is gone, and are tried again: nothing is made
 * meanwhile, because the record of it would take the place of the old one.
 *
 * The state file is written before anything is made, and goes when all is gone
 * (T30). Only what we have made is deleted (T18).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "consent.h"
#include "diag.h"
#include "discover.h"
#include "document.h"
#include "machine.h"
#include "userplug.h"
#include "users.h"
#include "usersdoc.h"
#include "usersfetch.h"
#include "usersfile.h"
#include "usersrun.h"

#define FETCHES		3
#define FETCH_MS	10000	/* from one to the next */
#define UNDO_MS		60000	/* to the second try, then twice as long */
#define UNDO_MAX_MS	600000

enum phase { IDLE, RECOVER, MAKE, FETCH, PLUGIN, READY, UNDO };

static struct {
	const struct options	*o;
	enum phase		 phase;
	int			 connected, leaving;
	int			 blocked;	/* the state is another's */
	void			(*left)(void);
	struct users_state	 state;		/* what we have made */
	cJSON			*fetched;	/* what others have */
	cJSON			*domains;	/* name: [providers] */
	cJSON			*apps, *errors, *module_domains;
	int64_t			 wall_ms;
	uint64_t		 began_ms, took_ms;
	int			 fetches;
	struct timer		 timer;		/* to the next fetch */
	uint64_t		 undo_ms;	/* not gone: between tries */
	struct timer		 again;		/* to the next try */
	/* The one thing that goes on. */
	struct usersrun		*run;
	struct userplug		*plug;
	struct usersfetch	*fetch;
} users;

static void	begin(void);
static void	make(void);
static void	made(void *, const struct users_made *);
static void	fetch(void *);
static void	fetched(cJSON *);
static void	plug(void);
static void	plugged(void *, cJSON *, cJSON *);
static void	ready(void);
static void	report(void);
static void	undo(void);
static void	undo_plugged(void *, cJSON *, cJSON *);
static void	undo_made(void *, const struct users_made *);
static void	undone(int);
static void	undo_again(void *);

/* What is known. */

static const cJSON *
credentials(void)
{
	return (users.fetched != NULL ? users.fetched :
	    users.state.credentials);
}

/* For the report; for the state file, only what is ours. */
static struct users_facts
facts(int ours)
{
	struct users_facts	f = { .key = users.o->key,
				    .platform = users.state.platform,
				    .wall_ms = users.wall_ms,
				    .credentials = ours ?
				    users.state.credentials : credentials(),
				    .apps = users.apps,
				    .errors = users.errors,
				    .module_domains = users.module_domains };

	return (f);
}

static int
state_write(void)
{
	struct users_facts	 f = facts(1);
	cJSON			*o = users_object(&f);
	char			*text = users_state_text(&users.state, o);
	int			 r = -1;

	if (text != NULL)
		r = usersfile_write(users.o->users_state, text);
	cJSON_free(text);
	cJSON_Delete(o);
	return (r);
}

/* May something be made that has to be deleted again? 0 or -1. */
static int
state_have(void)
{
	return (users.blocked ? -1 : usersfile_lock(users.o->users_state));
}

/* As things stand now: what is to be undone, or nothing. */
static void
state_settle(void)
{
	if (users.state.planned || users.state.plugins ||
	    users_has_credentials(users.state.credentials))
		(void)state_write();
	else
		usersfile_remove(users.o->users_state);
}

/* It is all gone, or another start's business. */
static void
forget(void)
{
	cJSON_Delete(users.state.credentials);
	cJSON_Delete(users.fetched);
	cJSON_Delete(users.domains);
	cJSON_Delete(users.apps);
	cJSON_Delete(users.errors);
	cJSON_Delete(users.module_domains);
	users.state.credentials = users.fetched = users.domains = NULL;
	users.apps = users.errors = users.module_domains = NULL;
	users.state.planned = users.state.plugins = 0;
	users.fetches = 0;
	users.undo_ms = 0;
}

/* What goes on is given up. */
static void
stop(void)
{
	timer_del(&users.timer);
	timer_del(&users.again);
	if (users.run != NULL)
		usersrun_cancel(users.run);
	if (users.plug != NULL)
		userplug_cancel(users.plug);
	if (users.fetch != NULL)
		usersfetch_cancel(users.fetch);
	users.run = NULL;
	users.plug = NULL;
	users.fetch = NULL;
}

static void
error_add(const char *id, const char *message)
{
	char	shown[300];

	log_warnx("users: %s", log_escape(shown, sizeof(shown), message,
	    strlen(message)));
	if (users.errors == NULL)
		users.errors = cJSON_CreateArray();
	users_error(users.errors, id, message);
}

static void
errors_take(const cJSON *from)
{
	const cJSON	*e;

	cJSON_ArrayForEach(e, from)
		if (cJSON_IsString(e))
			error_add("users", e->valuestring);
}

/* 1: they are not what they were. */
static int
module_domains_find(void)
{
	cJSON	*now = users_module_domains(discover_known()->modules,
		    users.domains, credentials());

	if (cJSON_Compare(now, users.module_domains, 1)) {
		cJSON_Delete(now);
		return (0);
	}
	cJSON_Delete(users.module_domains);
	users.module_domains = now;
	return (1);
}

/* From outside. */

int
users_start(const struct options *o)
{
	char	*text;
	size_t	 len;
	int	 good = 0;

	users.o = o;
	timer_init(&users.timer, fetch, NULL);
	timer_init(&users.again, undo_again, NULL);
	if (!usersfile_exists(o->users_state))
		return (0);
	if (usersfile_lock(o->users_state) == -1) {
		users.blocked = 1;
		return (0);
	}
	if ((text = usersfile_read(o->users_state, &len)) != NULL) {
		good = users_state_parse(&users.state, text, len) == 0;
		freezero(text, len);
		if (!good)
			log_warnx("users: %s: nothing that can be read",
			    o->users_state);
	}
	if (!good) {
		users.blocked = usersfile_aside(o->users_state) == -1;
		return (0);
	}
	log_warnx("users: the last client was not ended in good order, "
	    "what it has made is taken away");
	users.phase = RECOVER;
	return (1);
}

void
users_connected(void)
{
	users.connected = 1;
	if (users.phase == READY)
		report();
	else
		begin();
}

void
users_disconnected(void)
{
	users.connected = 0;
}

void
users_discovered(void)
{
	if (users.phase == RECOVER && users.run == NULL &&
	    users.plug == NULL && users.undo_ms == 0)
		undo();
	else if (users.phase == READY && module_domains_find())
		report();
	else
		begin();
}

/* Making. */

static void
begin(void)
{
	const struct discovered	*d = discover_known();

	if (users.phase != IDLE || !users.connected || users.leaving ||
	    !discover_has_looked() || !consent_given())
		return;
	users.wall_ms = clock_wall_ms();
	users.began_ms = clock_ms();
	users.state.platform = d->platform == PLATFORM_NS8 ? PLATFORM_NS8 :
	    PLATFORM_NETHSECURITY;
	if (*users.state.name == '\0')
		users_name(users.o->key, users.state.name,
		    sizeof(users.state.name));
	if ((d->platform == PLATFORM_NS8 && d->master) ||
	    d->platform == PLATFORM_NETHSECURITY)
		make();
	else
		fetch(NULL);
}

static void
make(void)
{
	users.phase = MAKE;
	users.state.planned = 1;
	if (state_have() == 0 && state_write() == 0)
		users.run = usersrun_make(&users.state, made, NULL);
	if (users.run != NULL)
		return;
	users.state.planned = 0;
	if (state_have() == 0)
		state_settle();
	error_add("users", "no user can be made");
	fetch(NULL);
}

static void
made(void *arg, const struct users_made *m)
{
	(void)arg;
	users.run = NULL;
	users.state.credentials = cJSON_Duplicate(m->credentials, 1);
	users.domains = cJSON_Duplicate(m->domains, 1);
	errors_take(m->errors);
	/* One that did not come to its end may have made what it never said. */
	users.state.planned = (!m->good && !m->absent) || m->left;
	if (!m->good)
		error_add("users", m->absent ? "this machine cannot make users" :
		    "users were not made");
	state_settle();
	log_info("users: %s", users_has_credentials(users.state.credentials) ?
	    users.state.name : "none");
	fetch(NULL);
}

/* Until there are some, or nobody has any; again when there is a tunnel. */
static void
fetch(void *arg)
{
	(void)arg;
	users.phase = FETCH;
	timer_del(&users.timer);
	if (users_has_credentials(users.state.credentials) ||
	    users.fetched != NULL || users.fetches == FETCHES) {
		plug();
		return;
	}
	if (users.connected)
		users.fetch = usersfetch_start(fetched);
	if (users.fetch == NULL)
		timer_set(&users.timer, FETCH_MS);
}

static void
fetched(cJSON *c)
{
	users.fetch = NULL;
	users.fetched = c;
	users.fetches++;
	if (c != NULL || users.fetches == FETCHES)
		fetch(NULL);
	else
		timer_set(&users.timer, FETCH_MS);
}

/* They read the users object. 0, or -1: they cannot run, and `p` is gone. */
static int
plug_run(struct userplug *p, userplug_fn fn)
{
	struct users_facts	 f = facts(0);
	cJSON			*o = users_object(&f);
	char			*text = cJSON_PrintUnformatted(o);

	users.plug = p;
	if (text == NULL) {
		userplug_cancel(p);
		users.plug = NULL;
	} else if (userplug_run(p, text, discover_known(),
	    users.module_domains, fn, NULL) == -1)
		users.plug = NULL;
	cJSON_free(text);
	cJSON_Delete(o);
	return (users.plug == NULL ? -1 : 0);
}

static void
plug(void)
{
	struct userplug	*p;

	users.phase = PLUGIN;
	(void)module_domains_find();
	if ((p = userplug_new(users.o, 1)) == NULL) {
		ready();
		return;
	}
	users.state.plugins = 1;
	if (state_have() == -1 || state_write() == -1)
		userplug_cancel(p);
	else if (plug_run(p, plugged) == 0)
		return;
	users.state.plugins = 0;
	if (state_have() == 0)
		state_settle();
	error_add("plugins", "no plugin was run");
	ready();
}

static void
plugged(void *arg, cJSON *apps, cJSON *errors)
{
	cJSON	*e;

	(void)arg;
	users.plug = NULL;
	users.apps = apps;
	if (users.errors == NULL)
		users.errors = errors;
	else {
		while ((e = cJSON_DetachItemFromArray(errors, 0)) != NULL)
			cJSON_AddItemToArray(users.errors, e);
		cJSON_Delete(errors);
	}
	ready();
}

static void
ready(void)
{
	users.phase = READY;
	users.took_ms = clock_ms() - users.began_ms;
	report();
}

static void
report(void)
{
	struct users_facts	 f = facts(0);
	char			*text;

	if (!users.connected)
		return;		/* it goes out when a tunnel is up */
	if ((text = users_report(&f, users.took_ms)) == NULL ||
	    document_send("users", "USERS 1\n", text) == -1)
		log_warnx("users: not reported");
	else
		log_info("users reported");
	if (text != NULL)
		freezero(text, strlen(text));
}

static void
add_user(cJSON *list, const cJSON *user, const char *of)
{
	const cJSON	*name, *domain;
	cJSON		*o;

	name = cJSON_GetObjectItemCaseSensitive(user, "username");
	domain = cJSON_GetObjectItemCaseSensitive(user, "domain");
	if (!cJSON_IsString(name) || (o = cJSON_CreateObject()) == NULL)
		return;
	cJSON_AddStringToObject(o, "name", name->valuestring);
	cJSON_AddStringToObject(o, "of", cJSON_IsString(domain) ?
	    domain->valuestring : of);
	cJSON_AddItemToArray(list, o);
}

static void
not_deleted(char *out, size_t size)
{
	int	named = *users.state.name != '\0';

	snprintf(out, size, "%s%s could not be deleted", named ? "" :
	    "what is named in ", named ? users.state.name :
	    users.o->users_state);
}

void
users_add(cJSON *top)
{
	const cJSON	*made = users.state.credentials, *u;
	cJSON		*list = cJSON_AddArrayToObject(top, "users");
	char		 why[300];

	if (users.undo_ms != 0) {
		not_deleted(why, sizeof(why));
		(void)json_add_text(top, "users_error", why, strlen(why));
	}
	add_user(list, cJSON_GetObjectItemCaseSensitive(made, "cluster_admin"),
	    "the cluster");
	cJSON_ArrayForEach(u, cJSON_GetObjectItemCaseSensitive(made,
	    "domain_users")) {
		add_user(list, u, "");
	}
	cJSON_ArrayForEach(u, cJSON_GetObjectItemCaseSensitive(made,
	    "local_users")) {
		add_user(list, u, "this machine");
	}
}

/* Taking away. */

int
users_leave(void (*fn)(void))
{
	users.leaving = 1;
	users.left = fn;
	if ((users.phase == UNDO || users.phase == RECOVER) &&
	    (users.run != NULL || users.plug != NULL))
		return (1);	/* that goes on already */
	stop();
	if (users.phase != RECOVER && users.phase != UNDO &&
	    !users.state.plugins &&
	    !users.state.planned &&
	    !users_has_credentials(users.state.credentials))
		return (0);
	if (users.phase != RECOVER)
		users.phase = UNDO;
	undo();
	return (1);
}

void
users_consent(void)
{
	if (consent_given()) {
		begin();
		return;
	}
	if (users.phase == IDLE || users.phase == UNDO ||
	    users.phase == RECOVER)
		return;
	log_info("users: %s", consent_why_not());
	stop();
	users.phase = UNDO;
	undo();
}

static void
undo(void)
{
	struct userplug	*p = NULL;

	if (users.state.plugins)
		p = userplug_new(users.o, 0);
	if (p == NULL || plug_run(p, undo_plugged) == -1)
		undo_plugged(NULL, NULL, NULL);
}

static void
undo_plugged(void *arg, cJSON *apps, cJSON *errors)
{
	struct users_made	nothing = { .gone = 1 };

	(void)arg;
	cJSON_Delete(apps);
	cJSON_Delete(errors);
	if (users.plug != NULL)
		users.state.plugins = 0;	/* once is enough */
	users.plug = NULL;
	if (users.state.planned ||
	    users_has_credentials(users.state.credentials)) {
		nothing.gone = 0;
		/* Whoever is none of ours is not touched (T18). */
		if (*users.state.name != '\0')
			users.run = usersrun_delete(&users.state, undo_made,
			    NULL);
	}
	if (users.run == NULL)
		undo_made(NULL, &nothing);
}

static void
undo_made(void *arg, const struct users_made *m)
{
	const cJSON	*e;
	char		 shown[300];

	(void)arg;
	users.run = NULL;
	cJSON_ArrayForEach(e, m->errors)
		if (cJSON_IsString(e))
			log_warnx("users: %s", log_escape(shown, sizeof(shown),
			    e->valuestring, strlen(e->valuestring)));
	undone(m->gone || (m->absent &&
	    !users_has_credentials(users.state.credentials)));
}

static void
undo_later(void)
{
	char	why[300];

	not_deleted(why, sizeof(why));
	if (users.leaving) {
		log_warnx("users: %s, the next start tries again", why);
		users.left();
		return;
	}
	users.undo_ms = users.undo_ms == 0 ? UNDO_MS : users.undo_ms * 2;
	if (users.undo_ms > UNDO_MAX_MS)
		users.undo_ms = UNDO_MAX_MS;
	log_warnx("users: %s, tried again in %llu s", why,
	    (unsigned long long)(users.undo_ms / 1000));
	timer_set(&users.again, users.undo_ms);
}

static void
undo_again(void *arg)
{
	(void)arg;
	undo();
}

/* Until all is gone the state file stays, and nothing else is made. */
static void
undone(int gone)
{
	if (!gone) {
		undo_later();
		return;
	}
	usersfile_remove(users.o->users_state);
	log_info("users: all that was made is gone");
	forget();
	users.phase = IDLE;
	if (users.leaving)
		users.left();
	else
		begin();
}

void
users_clear(void)
{
	stop();
	forget();
	usersfile_unlock();
}
