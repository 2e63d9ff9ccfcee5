/* SPDX-License-Identifier: ISC */
/* A request's whole way through authd: admission, login, grant, stream, end. */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/authd_story.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token;

/* Neither end may leave a descriptor in the other's hands. */
static void
bytes_only(const struct opened *o)
{
	char		 byte = 'x';
	struct iovec	 iov = { &byte, 1 };
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr	 m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr	*c = CMSG_FIRSTHDR(&m);
	int		 on;
	socklen_t	 len = sizeof(on);

	if (getsockopt(o->fd, SOL_SOCKET, SO_PASSRIGHTS, &on, &len) == -1) {
		ok(1, "descriptors on a stream # SKIP kernel before 6.16");
		return;
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &(int){ 0 }, sizeof(int));
	ok(sendmsg(o->fd, &m, MSG_NOSIGNAL) == -1 && errno == EPERM &&
	    sendmsg(o->mux_fd, &m, MSG_NOSIGNAL) == -1 && errno == EPERM,
	    "a stream carries bytes, no descriptors, both ways");
}

static void
story(void)
{
	struct msg_close	in;
	struct tunnel	t;
	struct granted	g;
	struct opened	o;
	struct api	a = { .token = token };
	char		proxy[TOKEN_SIZE], byte = 'x';

	system_add(control, &t, "");
	ok(strlen(t.key) == 44 && strncmp(t.key, "NETH-", 5) == 0,
	    "a system key as it is issued: %s", t.key);
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 0, "tunnel-11(partial): the login is granted");
	is_int(strlen(t.session), 36, "tunnel-11(partial): with a session id");
	is_int(strlen(t.token), 64,
	    "tunnel-11(partial): and a reconnect token");
	a.session = t.session;
	is_int(api(proxyd, API_SESSION_GET, &a), 200, "the session is there");
	is_str(api_str("status"), "pending", "pending before yamux runs");
	up(&t, 3);
	api(proxyd, API_SESSION_GET, &a);
	is_str(api_str("status"), "active", "active once it runs");
	ok(strstr(api_data, "\"tunnel_connected\":true") != NULL,
	    "with its tunnel");
	is_int(api(proxyd, API_SERVICES, &a), 200, "services");
	ok(strstr(api_data, "\"s2\":{\"target\":\"127.0.0.1:8002\"") != NULL,
	    "operator-13(partial): as an object with the manifest's entries");
	a.service = "s1";
	is_int(api(proxyd, API_PROXY_TOKEN, &a), 200, "a proxy token");
	strlcpy(proxy, api_str("token"), sizeof(proxy));
	ok(strncmp(api_str("url"), "https://s1--", 12) == 0 &&
	    strstr(api_data, ".support.example.com/\"") != NULL, "its url");

	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 0, "the token is granted: %s", g.message);
	is_int(g.services, 3, "the services came before the answer");
	is_str(g.operator, "alice", "the grant names the operator");
	is_int(g.idle_max, 32, "half the cap may lie idle");
	stream_open(proxyd, t.mux, g.grant, "s1", &o);
	is_int(o.status, 0, "a stream opens: %s", o.message);
	ok(o.fd != -1 && o.mux_fd != -1 && write(o.fd, &byte, 1) == 1 &&
	    read(o.mux_fd, &byte, 1) == 1, "its two ends are one socketpair");
	bytes_only(&o);
	stream_open(proxyd, t.mux, g.grant, "s9", &o);
	is_int(o.status, 404, "an unknown service: %s", o.message);

	is_int(api(proxyd, API_SESSION_CLOSE, &a), 200,
	    "operator-11(partial): close answers 200");
	(void)hear(t.mux->fd, stream_kill, NULL);
	ok(1, "operator-11(partial): the stream is killed first");
	(void)hear(t.mux->fd, close, &in);
	ok(in.code == 4000 && strcmp(in.reason, "session_closed") == 0,
	    "operator-11(partial) tunnel-15(partial): then 4000");
	is_int(dropped[IMSG_GRANT_END], 1,
	    "operator-34(partial): and the grant ends");
	is_int(api(proxyd, API_SESSION_CLOSE, &a), 200,
	    "operator-11(partial): a second close: 200");
	api(proxyd, API_SESSION_GET, &a);
	is_str(api_str("status"), "closed", "the session is closed");
	is_str(api_str("closed_by"), "operator", "by the operator");
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 400, "operator-34(partial): its token: %s",
	    g.message);
	ok(!drive_logged(&authd, t.secret + 30) && !drive_logged(&authd,
	    t.token) &&
	    !drive_logged(&authd, proxy) && !drive_logged(&authd, token),
	    "operator-63(partial): no secret is in the log");
	far_close(t.mux);
}

int
main(void)
{
	authd_init();
	authd_scene(&control, &proxyd, &token);
	ok(token[0] != '\0', "an operator's token");
	story();
	is_int(ctl(control, &rows, CTL_SHOW_STATS, CTL_END), 0, "show stats");
	rows_free(&rows);
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
