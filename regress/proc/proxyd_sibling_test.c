/* SPDX-License-Identifier: ISC */
/* Services that share a host: which of them a path is for. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

static struct drive	d;

static void
grant_siblings(uint64_t grant)
{
	static const struct {
		const char	*name, *host, *path, *prefix;
	} t[] = {
		{ "ui", "app.lan", "", "" },
		{ "api", "App.LAN", "", "/api/" },
		{ "twin", "app.lan", "/api", "" },
		{ "v2", "app.lan", "/api/v2", "/" },
		{ "other", "b.lan", "", "" },
		{ "bare", "", "", "" },
	};
	uint32_t	call = hear_next(d.authd, grant, NULL)->id;
	size_t		i;

	say(d.authd, services_begin, .version = 2, .count = 6,
	    .session = SESSION);
	for (i = 0; i < 6; i++)
		say(d.authd, service, .name = t[i].name,
		    .target = "10.0.0.5:80", .host = t[i].host,
		    .path = t[i].path, .path_prefix = t[i].prefix);
	say(d.authd, services_end);
	say_id(d.authd, call, granted, .grant = grant, .session = SESSION,
	    .operator = "op", .expires = (uint64_t)time(NULL) + 28800,
	    .idle_max = 32);
}

/* The service that is asked for, by its name; the path as it gets it. */
static const char *
asked_for(const char *label, const char *path, uint64_t grant, char line[64])
{
	static char		 name[SERVICE_SIZE];
	struct msg_stream_open	 in;
	int			 fd = browser(&d, 0), sv[2];
	const char		*a;
	uint32_t		 id;

	put(fd, "GET %s HTTP/1.1\r\nHost: %s--" SLUG "." DOMAIN "\r\n"
	    "Cookie: support_proxy_" SLUG "=%s\r\n\r\n", path, label,
	    proxy_token(SESSION, "siblings"));
	if (grant != 0)
		grant_siblings(grant);
	id = hear_next(d.authd, stream_open, &in)->id;
	snprintf(name, sizeof(name), "%s", in.service);
	stream_pair(sv);
	say_fd(d.authd, id, sv[1], stream_opened, .stream = 7000 + id);
	a = request_at(sv[0]);
	snprintf(line, 64, "%.*s", (int)strcspn(a, "\r"), a);
	put(sv[0], "OK\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
	    "Connection: close\r\n\r\n");
	(void)answer(fd);
	close(sv[0]);
	close(fd);
	return (name);
}

static void
siblings(void)
{
	char	line[64];

	is_str(asked_for("ui", "/", 800, line), "ui", "/ is for the named one");
	is_str(asked_for("ui", "/api/login?x", 0, line), "api",
	    "operator-40: /api/login is for /api's");
	is_str(line, "GET /login?x HTTP/1.1", "operator-40: by its own rule");
	is_str(asked_for("ui", "/api", 0, line), "api", "operator-40: /api too");
	is_str(asked_for("ui", "/apix", 0, line), "ui",
	    "operator-40: /apix is not");
	is_str(asked_for("ui", "/api/v2/x", 0, line), "v2",
	    "operator-40: the longest wins");
	is_str(line, "GET /api/v2/x HTTP/1.1", "a path stays");
	is_str(asked_for("twin", "/api/login", 0, line), "twin",
	    "operator-40: of two that are equal the named one has it");
	is_str(asked_for("other", "/api/login", 0, line), "other",
	    "another host's services have no say");
	is_str(asked_for("bare", "/api/login", 0, line), "bare",
	    "nor have others for one without a host");
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	siblings();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
