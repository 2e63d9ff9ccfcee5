/* SPDX-License-Identifier: ISC */
/*
 * Reports of users through a real authd: which is kept, who is told of it, what
 * the store shows. tunnel-protocol.md, 4.5 and 4.6; operator-api.md, 4 and 10.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define USERS(name)	"{\"users\":{\"local_users\":[{\"username\":\"" name	\
	"\",\"password\":\"hunter2\"}]}}"
#define BARE	"{\"users\":{\"platform\":\"ns8\"}}"

static struct far	*proxyd, *control;
static char		*token;

static void
report(struct tunnel *t, enum report_kind kind, const char *text)
{
	report_say_of(t->mux, kind, text, strlen(text));
	is_int(lend(t->mux, 0), 0, "a report is read");
}

/* What a muxd is told: terminated, in memory of its own. */
static const char *
told(struct far *mux, uint32_t id)
{
	static char		 text[4096];
	struct msg_api_result	 r;
	struct msg_doc_chunk	 in;
	size_t			 n = 0;

	(void)hear(mux->fd, api_result, &r);
	while (n < r.total) {
		(void)hear(mux->fd, doc_chunk, &in);
		if (n + in.bytes.len >= sizeof(text))
			bail("too much is told");
		memcpy(text + n, in.bytes.p, in.bytes.len);
		n += in.bytes.len;
	}
	text[n] = '\0';
	(void)id;
	return (text);
}

static const char *
fetch(struct tunnel *t)
{
	uint32_t	id = next_id(t->mux);

	say_id(t->mux->fd, id, users_fetch);
	return (told(t->mux, id));
}

static const char *
kept(struct tunnel *t)
{
	uint32_t	id = next_id(t->mux);

	say_id(t->mux->fd, id, users_kept);
	return (told(t->mux, id));
}

/* As an operator reads them; what the log says of that. */
static void
reads(const struct tunnel *t, const char *want, const char *what)
{
	is_int(api_say(proxyd, API_USERS, token, .session = t->session), 200,
	    "an operator reads them");
	is_str(api_at("users"), want, "%s", what);
}

static int64_t
views(void)
{
	return (world_sql("SELECT count(*) FROM support_access_logs"
	    " WHERE access_type = 'view' AND operator_id = 'alice'"));
}

static void
one_session(struct tunnel *t)
{
	char	*stranger;

	system_add(control, t, "");
	login(proxyd, t, "", "", "192.0.2.1");
	up(t, 1);
	is_str(fetch(t), "", "tunnel-36(partial): without data there is none");
	is_str(kept(t), "", "nor of its own");
	reads(t, "null", "null before the first report");
	is_str(api_at("users_at"), "null", "at no time");
	is_int(views(), 0, "nobody has read what is not there");
	report(t, REPORT_USERS_BARE, BARE);
	reads(t, BARE, "one without credentials is kept while there is none");
	is_str(fetch(t), "", "tunnel-36(partial): and nobody's to fetch");
	is_str(kept(t), "", "nor to be merged into");
	report(t, REPORT_USERS, USERS("one"));
	reads(t, USERS("one"), "tunnel-35(partial): what comes later takes "
	    "its place");
	is_int(strlen(api_str("users_at")), 24, "and when");
	is_int(views(), 2, "operator-61(partial): each reading has its row");
	drive_clock(&authd, 1100);
	drive_sync(control);
	is_int(world_sql("SELECT count(*) FROM support_access_logs WHERE"
	    " access_type = 'view' AND disconnected_at IS NULL"), 0,
	    "which is over");
	report(t, REPORT_USERS_BARE, BARE);
	reads(t, USERS("one"), "tunnel-35(partial): one without credentials "
	    "does not take the place of one with them");
	is_str(fetch(t), USERS("one"), "tunnel-36(partial): it is told");
	is_str(kept(t), USERS("one"), "also as its own");
	is_int(world_sql("SELECT count(*) FROM support_sessions WHERE"
	    " instr(CAST(users AS BLOB), 'hunter2') > 0 OR"
	    " instr(CAST(users AS BLOB), 'username') > 0"), 0,
	    "operator-60: the store does not show them");
	is_int(world_sql("SELECT users_len > 40 AND users_len = length(users)"
	    " FROM support_sessions WHERE id = '%s'",
	    t->session), 1, "operator-60: they are there, sealed");
	stranger = operator_token(control, "eve", "o", "customer", "");
	is_int(api_say(proxyd, API_USERS, stranger, .session = t->session),
	    404, "a stranger's: 404");
	free(stranger);
}

/* The nodes of a cluster: the leader makes users, a worker asks for them. */
static void
cluster(void)
{
	struct tunnel	t[3];
	int		i;

	system_add(control, &t[0], "");
	t[1] = t[2] = t[0];
	for (i = 0; i < 3; i++) {
		login(proxyd, &t[i], i == 0 ? "1" : i == 1 ? "2" : "3", "",
		    "192.0.2.2");
		up(&t[i], 1);
	}
	report(&t[0], REPORT_USERS, USERS("old"));
	drive_clock(&authd, 1000);
	report(&t[1], REPORT_USERS, USERS("new"));
	drive_clock(&authd, 1000);
	report(&t[2], REPORT_USERS_BARE, BARE);
	is_str(fetch(&t[2]), USERS("new"), "tunnel-36: of the reports with "
	    "credentials the newest");
	is_str(kept(&t[2]), "", "another session's is not its own");
	is_int(api_say(proxyd, API_SESSION_CLOSE, token,
	    .session = t[1].session), 200, "that session is closed");
	drive_sync(control);
	is_str(fetch(&t[2]), USERS("old"), "tunnel-36: then the other");
	is_int(world_sql("SELECT count(*) FROM support_sessions WHERE"
	    " id = '%s' AND users IS NULL AND users_len = 0",
	    t[1].session), 1, "operator-11(partial): and its users are gone");
	reads(&t[1], "null", "for an operator, too");
	for (i = 0; i < 3; i++)
		far_close(t[i].mux);
}

/* A broken muxd writes without end, and reads. */
static void
flood(struct tunnel *t)
{
	int	i, told_some = 0;

	drive_clock(&authd, 60001);
	for (i = 0; i < 30; i++)
		report(t, REPORT_USERS, i == 29 ? USERS("last") :
		    USERS("first"));
	reads(t, USERS("first"), "of 30 reports in a minute some are kept");
	for (i = 0; i < 30; i++)
		told_some += fetch(t)[0] != '\0';
	is_int(told_some, 0, "and what was asked then is not answered");
	drive_clock(&authd, 60001);
	is_str(fetch(t), USERS("first"), "a minute later it is");
}

int
main(void)
{
	struct tunnel	t;

	authd_init();
	authd_scene(&control, &proxyd, &token);
	one_session(&t);
	cluster();
	flood(&t);
	far_close(t.mux);
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
