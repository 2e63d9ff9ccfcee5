/* SPDX-License-Identifier: ISC */
/*
 * Read the configuration aside, let everyone judge their part, then swap; or
 * change nothing and say why (messages.md, section 4).
 */
#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cfg.h"
#include "base/compat.h"
#include "base/log.h"
#include "metrics/count.h"
#include "relayd.h"

static struct {
	int		 running;
	struct conf	 conf;		/* the new one */
	unsigned	 waiting;	/* answers that are still to come */
	int		 asking;	/* not all have been asked yet */
	char		 why_not[MESSAGE_SIZE];	/* "": nobody said no */
	reload_done_fn	 done;
	uint64_t	 who;
	uint32_t	 id;
	char		 request[REQUEST_SIZE];	/* for the log */
} reload;

static void	reload_no(const char *, const char *);
static int	is_asked(const struct child *);
static int	reload_ask(struct child *);
static int	reload_said(struct chan *, struct imsg *, void *);
static void	reload_swap(void);
static void	reload_end(void);

/* The first error goes to the asker, all go to the log. */
static void
reload_parse_error(void *arg, int error, const char *text)
{
	char	printable[MESSAGE_SIZE];

	(void)arg;
	log_escape(printable, sizeof(printable), text, strlen(text));
	log_warnx("%s", printable);
	if (error && reload.why_not[0] == '\0')
		strlcpy(reload.why_not, printable, sizeof(reload.why_not));
}

/* What was opened or started from the old values cannot change under way. */
static const char *
reload_fixed(const struct conf *old, const struct conf *new)
{
	unsigned	i;

	if (strcmp(old->store_path, new->store_path) != 0 ||
	    strcmp(old->store_server, new->store_server) != 0 ||
	    strcmp(old->store_password_file, new->store_password_file) != 0 ||
	    old->store_connections != new->store_connections)
		return ("store");
	if (strcmp(old->control_path, new->control_path) != 0 ||
	    strcmp(old->looking_path, new->looking_path) != 0 ||
	    strcmp(old->looking_group, new->looking_group) != 0)
		return ("control socket");
	if (strcmp(old->jwt_secret_file, new->jwt_secret_file) != 0)
		return ("jwt secret file");
	if (strcmp(old->redis_host, new->redis_host) != 0 ||
	    old->redis_port != new->redis_port ||
	    old->redis_number != new->redis_number ||
	    strcmp(old->redis_environment, new->redis_environment) != 0 ||
	    strcmp(old->redis_secret_file, new->redis_secret_file) != 0 ||
	    strcmp(old->redis_password_file, new->redis_password_file) != 0)
		return ("redis");
	if (strcmp(old->internal_secret_file, new->internal_secret_file) != 0)
		return ("internal secret file");
	if (strcmp(old->cluster_name, new->cluster_name) != 0 ||
	    strcmp(old->cluster_secret_file, new->cluster_secret_file) != 0 ||
	    strcmp(old->cluster_address, new->cluster_address) != 0 ||
	    old->cluster_port != new->cluster_port)
		return ("cluster");
	if (old->proxyd_count != new->proxyd_count)
		return ("proxyd");
	if (old->tlsd_count != new->tlsd_count)
		return ("tlsd");
	if (strcmp(old->acme_dir, new->acme_dir) != 0)
		return ("acme directory");
	if (old->n_listen != new->n_listen)
		return ("listen");
	for (i = 0; i < old->n_listen; i++)
		if (strcmp(old->listen[i].address, new->listen[i].address) != 0
		    || old->listen[i].port != new->listen[i].port ||
		    old->listen[i].flags != new->listen[i].flags)
			return ("listen");
	return (NULL);
}

/*
 * The service manager knows by the time which signal this answers
 * (Type=notify-reload). Who has never been ready says nothing.
 */
static void
reload_tell(int on)
{
	struct timespec	ts;
	char		text[64];

	if (!supervise_is_noted() || env()->stopping)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)ts.tv_sec * 1000000 +
	    (unsigned long long)ts.tv_nsec / 1000);
	notify_tell(on ? text : "READY=1");
}

int
reload_is_running(void)
{
	return (reload.running);
}

void
reload_start(reload_done_fn done, uint64_t who, uint32_t id)
{
	struct child	*c;
	const char	*fixed;
	char		 err[MESSAGE_SIZE];
	int		 errors;

	reload_tell(1);
	if (reload.running || env()->stopping || env()->upgrading ||
	    env()->guarded) {
		done(who, id, 409, reload.running ?
		    "another reload is under way" : env()->stopping ?
		    "relayd is stopping" : "an upgrade is under way");
		if (!reload.running)
			reload_tell(0);
		return;
	}
	memset(&reload, 0, sizeof(reload));
	reload.running = 1;
	reload.done = done;
	reload.who = who;
	reload.id = id;
	strlcpy(reload.request, log_request_now(), sizeof(reload.request));
	errors = conf_read(&reload.conf, reload_parse_error);
	if (errors > 0) {
		snprintf(err, sizeof(err), "%s", reload.why_not);
		snprintf(reload.why_not, sizeof(reload.why_not),
		    errors == 1 ? "%.450s" : "%.450s (%d errors in all)", err,
		    errors);
	} else if ((fixed = reload_fixed(&env()->conf, &reload.conf)) != NULL)
		snprintf(reload.why_not, sizeof(reload.why_not),
		    "%s: a change needs a restart of relayd", fixed);
	else if (limits_check(&reload.conf, err, sizeof(err)) == -1)
		strlcpy(reload.why_not, err, sizeof(reload.why_not));
	else if (listen_judge(&reload.conf, err, sizeof(err)) == -1)
		strlcpy(reload.why_not, err, sizeof(reload.why_not));
	else if (certs_judge(&reload.conf, err, sizeof(err)) == -1)
		strlcpy(reload.why_not, err, sizeof(reload.why_not));
	else if (users_judge(&reload.conf, err, sizeof(err)) == -1)
		strlcpy(reload.why_not, err, sizeof(reload.why_not));
	reload.asking = 1;
	for (c = child_after(0); c != NULL && reload.why_not[0] == '\0';
	    c = child_after(c->instance))
		if (is_asked(c) && reload_ask(c) == -1)
			reload_no(child_name(c), "cannot be asked");
	reload.asking = 0;
	reload_end();
}

/*
 * Who has a place, but for dialerd, which starts anew with what is then, and
 * for paird of an older program.
 */
static int
is_asked(const struct child *c)
{
	return (c->slot != NULL && !c->old &&
	    !(role_info(c->role)->flags & RF_DIALS));
}

static void
reload_no(const char *who, const char *why)
{
	if (reload.why_not[0] == '\0')
		snprintf(reload.why_not, sizeof(reload.why_not), "%s: %s", who,
		    why);
}

static int
reload_ask(struct child *c)
{
	static uint8_t	buf[CHUNK_MAX];
	uint32_t	id;
	long		len;

	len = conf_pack(&reload.conf, c->role, buf, sizeof(buf));
	if (len == -1 || c->chan == NULL || c->state != CHILD_READY)
		return (-1);
	if (((role_info(c->role)->flags & RF_CERTS) &&
	    certs_send(c, 1) == -1) ||
	    (id = chan_call(c->chan, RELOAD_MS, reload_said, c)) == 0)
		return (-1);
	reload.waiting++;
	(void)say_reload(c->chan, id, -1, &(struct msg_reload){
	    .conf = { buf, (size_t)len } });
	return (0);
}

/* An answer, or none: silence is a no. */
static int
reload_said(struct chan *chan, struct imsg *m, void *arg)
{
	struct msg_reload_said	 in;
	struct child		*c = arg;
	char			 printable[MESSAGE_SIZE];
	int			 r = 0;

	(void)chan;
	reload.waiting--;
	if (m == NULL)
		reload_no(child_name(c), "did not answer");
	else if (get_reload_said(m, &in) == -1) {
		reload_no(child_name(c), "answered nonsense");
		r = -1;
	} else if (!in.yes) {
		log_escape(printable, sizeof(printable), in.why,
		    strlen(in.why));
		reload_no(child_name(c), printable);
	}
	reload_end();
	return (r);
}

static void
reload_swap(void)
{
	struct child	*c;
	int		 changed;

	for (c = child_after(0); c != NULL; c = child_after(c->instance)) {
		if (!is_asked(c) || c->chan == NULL)
			continue;
		(void)say_reload_swap(c->chan, 0);
	}
	certs_judged(1);
	changed = listen_judged(1);
	env()->conf = reload.conf;
	supervise_optional(ROLE_METRICD, changed);
	supervise_optional(ROLE_DIALERD, 1);
	count(CT_RELOAD_LOADED);
	gauge(CT_RELOADED_AT, (uint64_t)clock_wall_ms() * 1000);
}

/* When nobody is left to wait for, once. */
static void
reload_end(void)
{
	if (!reload.running || reload.asking || reload.waiting > 0)
		return;
	reload.running = 0;
	log_request(reload.request);
	if (reload.why_not[0] == '\0') {
		reload_swap();
		log_info("%s: loaded again", env()->conf_path);
		reload.done(reload.who, reload.id, 0, "configuration loaded");
	} else {
		count(CT_RELOAD_REFUSED);
		certs_judged(0);
		(void)listen_judged(0);
		log_warnx("%s: not loaded, nothing is changed: %s",
		    env()->conf_path, reload.why_not);
		reload.done(reload.who, reload.id, 400, reload.why_not);
	}
	log_request(NULL);
	reload_tell(0);
}
