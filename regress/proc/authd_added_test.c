/* SPDX-License-Identifier: ISC */
/*
 * Services that operators add, through a real authd: what its client is told,
 * and what the client's answers do. operator-api.md, 4; tunnel-protocol.md,
 * 5.4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define ROW(name)	"{\"name\":\"" name "\",\"target\":\"192.0.2.9:80\","	\
	"\"label\":\"\",\"tls\":false}"
#define ADD(name)	"{\"action\":\"add_services\",\"services\":{\"" name	\
	"\":{\"target\":\"192.0.2.9:80\",\"host\":\"\",\"tls\":false,"	\
	"\"label\":\"" name "\"}}}"

#define TCP(name)	"{\"name\":\"" name "\",\"target\":\"192.0.2.9:5432\"," \
	"\"label\":\"\",\"tls\":false,\"tcp\":true}"

static struct far	*proxyd, *control;
static char		*token;

/* The next command of the client; its text in `text`. */
static uint32_t
command(struct tunnel *t, char *text, size_t size)
{
	struct msg_command	 in;
	struct imsg		*m = hear(t->mux->fd, command, &in);

	if (in.json.len >= size)
		bail("a long command");
	memcpy(text, in.json.p, in.json.len);
	text[in.json.len] = '\0';
	return (m->id);
}

static void
commanded(struct tunnel *t, uint32_t id, int status, const char *text)
{
	say_id(t->mux->fd, id, commanded, .status = (uint16_t)status,
	    .message = text);
}

static void
ask(struct tunnel *t, int op, const char *what)
{
	struct msg_api	m = { .token = token, .addr = "192.0.2.7",
	    .session = t->session };

	if (op == API_SERVICES_ADD)
		m.services = what;
	else
		m.service = what;
	api_ask(proxyd, op, &m);
}

static long long
kept(const struct tunnel *t)
{
	return (world_sql("SELECT count(*) FROM support_session_services"
	    " WHERE session_id = '%s'", t->session));
}

static void
adding(struct tunnel *t)
{
	char		text[1024];
	struct imsg	m;
	uint32_t	id;

	ask(t, API_SERVICES_ADD, "[" ROW("a") "]");
	id = command(t, text, sizeof(text));
	is_str(text, ADD("a"), "what the client is told");
	ok(!hear_maybe(proxyd->fd, IMSG_API_RESULT, &m, 50), "operator-15(partial): nobody "
	    "says yes before it does");
	is_int(kept(t), 0, "nor is it kept");
	commanded(t, id, 422, "service \"a\" rejected: no");
	is_int(api_hear(proxyd), 422, "operator-15(partial): its ERROR");
	is_str(api_message, "service \"a\" rejected: no", "comes through");
	is_int(kept(t), 0, "nothing is kept");
	ask(t, API_SERVICES_ADD, "[" ROW("a") "," ROW("b") "]");
	commanded(t, command(t, text, sizeof(text)), 0, "");
	is_int(api_hear(proxyd), 200, "its OK");
	is_int(kept(t), 2, "and they are kept");
	is_int(world_sql("SELECT count(*) FROM audit_events WHERE action ="
	    " 'services_add' AND actor = 'alice' AND outcome = 'done'"), 2,
	    "each has its event");
	ask(t, API_SERVICES_ADD, "[" ROW("c") "]");
	(void)command(t, text, sizeof(text));
	drive_clock(&authd, 33000);
	is_int(api_hear(proxyd), 504, "operator-15(partial): a client that "
	    "says nothing: 504");
	ask(t, API_SERVICE_REMOVE, "x");
	is_int(api_hear(proxyd), 404, "operator-16(partial): none of that name");
	ask(t, API_SERVICE_REMOVE, "a");
	id = command(t, text, sizeof(text));
	is_str(text, "{\"action\":\"remove_services\",\"service_names\":"
	    "[\"a\"]}", "one is to go");
	commanded(t, id, 0, "");
	is_int(api_hear(proxyd), 200, "it goes");
	is_int(kept(t), 1, "and is not kept");
	ask(t, API_SERVICES_ADD, "[{\"name\":7}]");
	is_int(api_hear(proxyd), 400, "what no honest proxyd says");
	ask(t, API_SERVICES_ADD, "nothing");
	is_int(api_hear(proxyd), 400, "is looked at again");
}

/* A hundred of one session, and no more. */
static void
many(void)
{
	struct tunnel	t;
	char		text[1024];
	int		i;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.3");
	up(&t, 1);
	for (i = 0; i < 99; i++)
		world_sql("INSERT INTO support_session_services (session_id,"
		    " name, target, label, tls, added_at) VALUES ('%s', 'n%02d',"
		    " '192.0.2.%d:1', 'l', 0, 1)", t.session, i, i);
	ask(&t, API_SERVICES_ADD, "[" ROW("a") "," ROW("b") "]");
	is_int(api_hear(proxyd), 409, "two where there is room for one");
	ask(&t, API_SERVICES_ADD, "[" ROW("a") "]");
	commanded(&t, command(&t, text, sizeof(text)), 0, "OK");
	is_int(api_hear(proxyd), 200, "the hundredth is added");
	ask(&t, API_SERVICES_ADD, "[" ROW("b") "]");
	is_int(api_hear(proxyd), 409, "the next is one too many");
	far_close(t.mux);
}

/* What other calls are about to add counts, too. */
static void
together(void)
{
	struct tunnel	t;
	char		text[1024];
	uint32_t	a, b;
	int		i;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.4");
	up(&t, 1);
	for (i = 0; i < 98; i++)
		world_sql("INSERT INTO support_session_services (session_id,"
		    " name, target, label, tls, added_at) VALUES ('%s', 'n%02d',"
		    " '192.0.2.%d:1', 'l', 0, 1)", t.session, i, i);
	ask(&t, API_SERVICES_ADD, "[" ROW("a") "]");
	a = command(&t, text, sizeof(text));
	ask(&t, API_SERVICES_ADD, "[" ROW("a") "," ROW("b") "]");
	b = command(&t, text, sizeof(text));
	ask(&t, API_SERVICES_ADD, "[" ROW("c") "]");
	is_int(api_hear(proxyd), 409, "two are being added, the third is one "
	    "too many");
	commanded(&t, a, 0, "");
	is_int(api_hear(proxyd), 200, "the first");
	commanded(&t, b, 422, "no");
	is_int(api_hear(proxyd), 422, "the second is refused");
	ask(&t, API_SERVICES_ADD, "[" ROW("c") "]");
	commanded(&t, command(&t, text, sizeof(text)), 0, "");
	is_int(api_hear(proxyd), 200, "and leaves its place");
	is_int(kept(&t), 100, "a hundred");
	far_close(t.mux);
}

/* Whose access ends while the client is asked has his answer at once. */
static void
revoked(void)
{
	struct tunnel	 t;
	struct rows	 rows;
	struct imsg	 m;
	char		 text[1024], *mine = token;
	uint32_t	 id;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.5");
	up(&t, 1);
	token = operator_token(control, "bob", "", "owner", "");
	ask(&t, API_SERVICES_ADD, "[" ROW("a") "]");
	id = command(&t, text, sizeof(text));
	is_int(ctl(control, &rows, CTL_TOKEN_REVOKE_USER, "bob", "", "",
	    CTL_END), 0, "he is revoked while the client is asked");
	rows_free(&rows);
	is_int(api_hear(proxyd), 401, "operator-34(partial): his call ends");
	commanded(&t, id, 0, "");
	drive_sync(control);
	is_int(kept(&t), 1, "what the client has done is kept all the same");
	ok(!hear_maybe(proxyd->fd, IMSG_API_RESULT, &m, 50),
	    "and nobody hears of it");
	free(token);
	token = mine;
	far_close(t.mux);
}

/* A broken muxd: what it says unasked, and what nobody may say. */
static void
lies(void)
{
	struct tunnel	t;
	char		text[1024];

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.2");
	up(&t, 1);
	commanded(&t, 77, 0, "");
	is_int(lend(t.mux, 0), 0, "an answer that nobody waits for is dropped");
	is_int(kept(&t), 0, "and adds nothing");
	ask(&t, API_SERVICES_ADD, "[" ROW("a") "]");
	commanded(&t, command(&t, text, sizeof(text)), 200, "OK");
	is_int(api_hear(proxyd), 504, "a status that there is none: the "
	    "operator has no yes");
	is_int(get_end(t.mux), 0, "and the channel of that muxd ends");
	is_int(kept(&t), 0, "nothing is kept");
	far_close(t.mux);
}

/* A manifest of one service; proxyds that hold a grant would hear of it. */
static void
offers_one(struct tunnel *t, const char *name, const char *target)
{
	say(t->mux->fd, services_begin, .version = 1, .count = 1);
	say(t->mux->fd, service, .name = name, .target = target);
	say(t->mux->fd, services_end);
}

/* And it is in force. */
static void
offered(struct tunnel *t, const char *name, const char *target)
{
	offers_one(t, name, target);
	is_int(lend(t->mux, 0), 0, "a manifest of %s", target);
}

static int
is_tcp(const struct tunnel *t)
{
	api_ask(proxyd, API_SERVICES, &(struct msg_api){ .token = token,
	    .addr = "192.0.2.7", .session = t->session });
	if (api_hear(proxyd) != 200)
		bail("services");
	return (strstr(api_data, "\"tcp\":true") != NULL);
}

/* What the operator says of it holds, though no manifest says so. */
static void
plain(void)
{
	struct tunnel	t, second;
	char		text[1024];
	uint32_t	id;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.6");
	up(&t, 1);
	ask(&t, API_SERVICES_ADD, "[" TCP("db") "]");
	id = command(&t, text, sizeof(text));
	ok(strstr(text, "\"tcp\":true") != NULL, "its client may know it: %s",
	    text);
	offered(&t, "db", "192.0.2.9:5432");
	commanded(&t, id, 0, "");
	is_int(api_hear(proxyd), 200, "a service that is plain TCP is added");
	is_int(is_tcp(&t), 1, "it is, whatever the manifest says");
	offered(&t, "db", "192.0.2.9:5432");
	is_int(is_tcp(&t), 1, "nor does a later one change it");
	offered(&t, "db", "192.0.2.1:80");
	is_int(is_tcp(&t), 0, "what is elsewhere is another service");
	far_close(t.mux);
	drive_sync(control);
	second = t;
	login(proxyd, &second, "", "", "192.0.2.6");
	say(second.mux->fd, up);
	offers_one(&second, "x", "192.0.2.1:80");
	id = command(&second, text, sizeof(text));
	ok(strstr(text, "\"tcp\":true") != NULL, "it is added again as what "
	    "it was");
	offered(&second, "db", "192.0.2.9:5432");
	commanded(&second, id, 0, "");
	drive_sync(control);
	is_int(is_tcp(&second), 1, "and is that again");
	far_close(second.mux);
	drive_sync(control);
	login(proxyd, &second, "", "", "192.0.2.6");
	say(second.mux->fd, up);
	offered(&second, "db", "192.0.2.9:5432");
	drive_sync(control);
	is_int(is_tcp(&second), 1, "one that a client has kept is, too");
	ask(&second, API_SERVICE_REMOVE, "db");
	id = command(&second, text, sizeof(text));
	offered(&second, "db", "192.0.2.9:5432");
	commanded(&second, id, 0, "");
	is_int(api_hear(proxyd), 200, "it is removed");
	is_int(is_tcp(&second), 0, "what the client has of that name is its "
	    "own");
	far_close(second.mux);
}

/* What it offers; the answer that up() waits for would swallow a command. */
static void
offers(struct tunnel *t)
{
	say(t->mux->fd, services_begin, .version = 1, .count = 1);
	say(t->mux->fd, service, .name = "s0", .target = "192.0.2.3:80");
	say(t->mux->fd, services_end);
}

/* Back with another muxd: what was added and is not there is added again. */
static void
again(struct tunnel *t)
{
	struct tunnel	second;
	char		text[4096];
	struct imsg	m;
	uint32_t	id;
	int		i;

	for (i = 0; i < 14; i++)
		world_sql("INSERT INTO support_session_services (session_id,"
		    " name, target, label, tls, added_at) VALUES ('%s', 'n%02d',"
		    " '192.0.2.%d:1', 'l', 1, 1)", t->session, i, i);
	world_sql("INSERT INTO support_session_services (session_id, name,"
	    " target, label, tls, added_at) VALUES ('%s', 's0',"
	    " '192.0.2.1:1', 'l', 1, 1)", t->session);
	far_close(t->mux);
	drive_sync(control);
	second = *t;
	login(proxyd, &second, "", "", "192.0.2.1");
	is_str(second.session, t->session, "the same session");
	say(second.mux->fd, up);
	offers(&second);
	id = command(&second, text, sizeof(text));
	ok(strstr(text, "\"b\"") != NULL && strstr(text, "\"n08\"") != NULL &&
	    strstr(text, "\"n09\"") == NULL, "tunnel-47(partial): ten are "
	    "added again");
	ok(strstr(text, "\"s0\"") == NULL, "but what the client has found");
	commanded(&second, id, 0, "");
	id = command(&second, text, sizeof(text));
	ok(strstr(text, "\"n09\"") != NULL && strstr(text, "\"n13\"") != NULL,
	    "tunnel-47(partial): then the rest");
	commanded(&second, id, 422, "service \"n11\" rejected: no");
	for (i = 9; i < 14; i++) {
		char	name[8];

		snprintf(name, sizeof(name), "\"n%02d\"", i);
		id = command(&second, text, sizeof(text));
		ok(strstr(text, name) != NULL && strlen(text) < 140,
		    "of those one was refused: they come one by one: %s",
		    name);
		commanded(&second, id, i == 11 ? 422 : 0, "");
	}
	offers(&second);
	ok(!hear_maybe(second.mux->fd, IMSG_COMMAND, &m, 50), "a later manifest brings no "
	    "more of them");
	is_int(kept(&second), 16, "what was refused now is kept for the next "
	    "time");
	ask(&second, API_SERVICES_ADD, "[" ROW("s0") "]");
	(void)command(&second, text, sizeof(text));
	far_close(second.mux);
	is_int(api_hear(proxyd), 504, "a tunnel that is lost meanwhile");
	ask(&second, API_SERVICES_ADD, "[" ROW("x") "]");
	is_int(api_hear(proxyd), 409, "without one: 409");
}

int
main(void)
{
	struct tunnel	t;

	authd_init();
	authd_scene(&control, &proxyd, &token);
	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	adding(&t);
	again(&t);
	lies();
	many();
	together();
	revoked();
	plain();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
