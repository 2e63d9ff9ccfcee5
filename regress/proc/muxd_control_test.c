/* SPDX-License-Identifier: ISC */
/*
 * Streams that the client opens, through a real muxd: manifest, diagnostics,
 * users. tunnel-protocol.md, section 4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/muxd_story.h"
#include "regress/lib/tap.h"

/* A manifest with `n` services, padded with blanks to at least `size`. */
static char *
manifest(int n, size_t size)
{
	char	*s = malloc(size + 100 + (size_t)n * 100);
	size_t	 len;
	int	 i;

	if (s == NULL)
		bail_out("memory");
	len = (size_t)sprintf(s, "{\"version\":1,\"services\":{");
	for (i = 0; i < n; i++)
		len += (size_t)sprintf(s + len, "%s\"s%d\":{\"target\":"
		    "\"10.0.0.1:80\",\"host\":\"\",\"tls\":false,"
		    "\"label\":\"\"}", i == 0 ? "" : ",", i);
	len += (size_t)sprintf(s + len, "}}");
	while (len < size)
		s[len++] = ' ';
	s[len] = '\0';
	return (s);
}

/* The next SERVICES_BEGIN: how many. */
static int
services(struct mux *d, uint32_t *version)
{
	struct msg_services_begin	in;

	(void)hear(d->d.authd, services_begin, &in);
	(void)hear(d->d.authd, services_end, NULL);
	*version = in.version;
	return ((int)in.count);
}

static void
test_manifest(void)
{
	struct mux	d;
	struct frame	f;
	struct imsg	m;
	uint32_t	version;
	char		*s;

	mux_up(&d);
	s = manifest(1, 0);
	client_control(&d, 1, "", s, strlen(s));
	ok(client_expect(&d, 1, YM_ACK, &f), "accepted");
	ok((f.flags & YM_FIN) || client_expect(&d, 1, YM_FIN, &f),
	    "the only reply is FIN");
	is_int(services(&d, &version), 1, "the first manifest counts at once");
	is_int(version, 1, "version 1");
	free(s);

	s = manifest(2, 0);
	client_control(&d, 3, "", s, strlen(s));
	free(s);
	s = manifest(3, 0);
	client_control(&d, 5, "", s, strlen(s));
	free(s);
	ok(client_expect(&d, 5, YM_FIN, &f), "two more within 10 s");
	ok(!hear_maybe(d.d.authd, IMSG_SERVICES_BEGIN, &m, 0),
	    "do not count yet");
	mux_pass(&d, 10000);
	is_int(services(&d, &version), 3,
	    "tunnel-32(partial): after 10 s the newest counts");
	is_int(version, 2, "version 2");

	mux_pass(&d, 10000);
	s = manifest(501, 0);
	client_control(&d, 7, "", s, strlen(s));
	free(s);
	is_int(services(&d, &version), 500,
	    "tunnel-29(partial): of 501 services 500 are kept");
	mux_pass(&d, 10000);
	s = manifest(4, 1048576);
	client_control(&d, 9, "", s, strlen(s));
	is_int(services(&d, &version), 4, "1 MiB is fine");
	free(s);
	mux_pass(&d, 10000);
	s = manifest(5, 1048577);
	client_control(&d, 11, "", s, strlen(s));
	ok(client_expect(&d, 11, YM_RST, &f),
	    "tunnel-29(partial): 1 MiB + 1 is refused");
	free(s);
	s = manifest(6, 0);
	client_control(&d, 13, "", s, strlen(s));
	is_int(services(&d, &version), 6, "tunnel-29(partial): tunnel alive");
	free(s);
	mux_pass(&d, 10000);
	client_control(&d, 15, "", "{\"version\":1}", 13);
	client_control(&d, 17, "", "[]", 2);
	client_control(&d, 19, "", "", 0);
	client_control(&d, 21, "", "{\"services\":{}}", 15);
	is_int(services(&d, &version), 0,
	    "no services: nothing changes; an empty object empties the table");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_entries(void)
{
	static const char	s[] = "{\"version\":1,\"services\":{"
	    "\"good\":{\"target\":\"127.0.0.1:9090\",\"host\":\"p.example\","
	    "\"tls\":true,\"label\":\"L\",\"path\":\"/p\",\"path_prefix\":"
	    "\"/q\",\"module_id\":\"m1\",\"node_id\":\"2\"},"
	    "\"meta\":{\"target\":\"169.254.169.254:80\",\"host\":\"\"},"
	    "\"host\":{\"target\":\"10.0.0.1:80\",\"host\":\"a b\"},"
	    "\"bad name\":{\"target\":\"10.0.0.1:80\",\"host\":\"\"},"
	    "\"terminal\":{\"target\":\"10.0.0.1:80\",\"host\":\"\"},"
	    "\"lan\":{\"target\":\"nas.lan:80\",\"host\":\"\"}}}";
	struct mux	d;
	struct msg_service	in;

	mux_up(&d);
	client_control(&d, 1, "", s, sizeof(s) - 1);
	(void)hear(d.d.authd, service, &in);
	ok(strcmp(in.name, "good") == 0 &&
	    strcmp(in.target, "127.0.0.1:9090") == 0 &&
	    strcmp(in.host, "p.example") == 0 && in.tls == 1 &&
	    strcmp(in.label, "L") == 0 && strcmp(in.path, "/p") == 0 &&
	    strcmp(in.path_prefix, "/q") == 0 && strcmp(in.module_id, "m1") ==
	    0 &&
	    strcmp(in.node_id, "2") == 0, "a service with all its members");
	(void)hear(d.d.authd, service, &in);
	ok(strcmp(in.name, "lan") == 0,
	    "tunnel-30 tunnel-31(partial): refused entries are left out, a "
	    "name nobody here resolves is kept");
	ok(drive_logs(&d.d, "\"meta\" left out: refused address") &&
	    drive_logs(&d.d, "\"bad name\" left out: bad name") &&
	    drive_logs(&d.d, "\"terminal\" left out: reserved name"),
	    "and the log says why");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_headers(void)
{
	static const char *const	bad[] = { "DIAGNOSTICS 2\n", "USERS\n",
	    "DIAG x\n", "DIAGNOSTICS 1 2\n", "USERS 2\n", "D\n", "U",
	    "DIAGNOSTICS 1 and quite a few words more than anybody would send\n"
	    };
	struct mux	d;
	struct frame	f;
	struct imsg	m;
	uint32_t	id = 1;
	size_t		i;

	mux_up(&d);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++, id += 2) {
		client_control(&d, id, bad[i], "{\"overall_status\":\"ok\"}",
		    23);
		ok(client_expect(&d, id, YM_FIN | YM_RST, &f) &&
		    !(f.flags & YM_RST), "tunnel-33: header %zu is closed", i);
	}
	ok(!hear_maybe(d.d.authd, IMSG_REPORT_BEGIN, &m, 0),
	    "tunnel-33: without effect");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_reports(void)
{
	static const char	report[] = "{\"collected_at\":\"2031-05-06T"
	    "07:08:09Z\",\"duration_ms\":41,\"overall_status\":\"fine\","
	    "\"secret\":1,\"plugins\":[]}\n";
	static const char	want[] = "{\"collected_at\":\"2031-05-06T"
	    "07:08:09Z\",\"duration_ms\":41,\"overall_status\":\"error\","
	    "\"plugins\":[]}";
	struct mux	d;
	struct frame	f;
	struct msg_doc_chunk	in;
	char		*big;

	mux_up(&d);
	client_control(&d, 1, "DIAGNOSTICS 1\n", report, sizeof(report) - 1);
	(void)hear(d.d.authd, doc_chunk, &in);
	ok(in.bytes.len == sizeof(want) - 1 &&
	    memcmp(in.bytes.p, want, in.bytes.len) == 0,
	    "tunnel-34(partial): written again, known members only");
	if ((big = malloc(524289)) == NULL)
		bail_out("memory");
	memset(big, ' ', 524289);
	memcpy(big, report, sizeof(report) - 1);
	client_control(&d, 3, "DIAGNOSTICS 1\n", big, 524288);
	(void)hear(d.d.authd, report_begin, NULL);
	(void)hear(d.d.authd, report_end, NULL);
	client_control(&d, 5, "DIAGNOSTICS 1\n", big, 524289);
	ok(client_expect(&d, 5, YM_RST, &f),
	    "tunnel-34(partial): 512 KiB pass, one byte more is refused");
	client_control(&d, 7, "USERS 1\n", big, 262144);
	ok(client_expect(&d, 7, YM_FIN, &f), "users of 256 KiB are read");
	client_control(&d, 9, "USERS 1\n", big, 262145);
	ok(client_expect(&d, 9, YM_RST, &f),
	    "tunnel-35(partial): 256 KiB + 1 are refused");
	free(big);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void	result(struct mux *, uint32_t, const char *, size_t);

#define GOOD	"{\"users\":{\"local_users\":[{\"username\":\"u\","	\
	"\"password\":\"p\"}]}}"
#define BARE	"{\"users\":{\"apps\":[{\"id\":\"a\"}]}}"
#define OLD	"{\"users\":{\"local_users\":[{\"username\":\"o\","	\
	"\"password\":\"q\"}]}}"
#define BOTH	"{\"users\":{\"local_users\":[{\"username\":\"u\","	\
	"\"password\":\"p\"}],\"apps\":[{\"id\":\"a\"}]}}"

/* The next report of users is of this kind and text. */
static void
told(struct mux *d, int kind, const char *text, const char *what)
{
	struct msg_report_begin	 begin;
	struct msg_doc_chunk	 in;

	(void)hear_next(d->d.authd, report_begin, &begin);
	(void)hear_next(d->d.authd, doc_chunk, &in);
	ok(begin.kind == kind && in.bytes.len == strlen(text) &&
	    memcmp(in.bytes.p, text, in.bytes.len) == 0, "%s: %.*s", what,
	    (int)in.bytes.len, (const char *)in.bytes.p);
	(void)hear_next(d->d.authd, report_end, NULL);
}

static void
test_users(void)
{
	struct mux	d;
	uint32_t	id;

	mux_up(&d);
	client_control(&d, 1, "USERS 1\n", GOOD, strlen(GOOD));
	told(&d, REPORT_USERS, GOOD, "tunnel-35(partial): one with credentials");
	client_control(&d, 3, "USERS 1\n", BARE, strlen(BARE));
	id = hear_next(d.d.authd, users_kept, NULL)->id;
	result(&d, id, GOOD, strlen(GOOD));
	told(&d, REPORT_USERS, BOTH, "tunnel-35(partial): one without is "
	    "merged into what authd has");
	client_control(&d, 5, "USERS 1\n", BARE, strlen(BARE));
	id = hear_next(d.d.authd, users_kept, NULL)->id;
	result(&d, id, "", 0);
	told(&d, REPORT_USERS_BARE, BARE, "and told alone if it has none");
	client_control(&d, 7, "USERS 1\n", BARE, strlen(BARE));
	id = hear_next(d.d.authd, users_kept, NULL)->id;
	client_control(&d, 9, "USERS 1\n", GOOD, strlen(GOOD));
	told(&d, REPORT_USERS, GOOD, "a newer one");
	client_control(&d, 11, "USERS 1\n", BARE, strlen(BARE));
	/* This word comes when that is taken. */
	client_control(&d, 13, "USERS 1\n", "{\"users\":1}", 11);
	ok(drive_logs(&d.d, "users report ignored: not a report of users"),
	    "what is none is named in the log");
	result(&d, id, OLD, strlen(OLD));
	id = hear_next(d.d.authd, users_kept, NULL)->id;
	ok(id != 0, "is not undone by the older one that waited, nor by what "
	    "authd had before it: authd is asked again");
	result(&d, id, GOOD, strlen(GOOD));
	told(&d, REPORT_USERS, BOTH, "and the one after is merged into it");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
result(struct mux *d, uint32_t id, const char *doc, size_t len)
{
	size_t	off, n;

	say_id(d->d.authd, id, api_result, .status = 200, .total =
	    (uint32_t)len);
	for (off = 0; off < len; off += n) {
		n = len - off > CHUNK_MAX ? CHUNK_MAX : len - off;
		say_id(d->d.authd, id, doc_chunk, .bytes = { doc + off, n });
	}
}

static void
test_fetch(void)
{
	struct mux	d;
	struct frame	f;
	struct imsg	m;
	size_t		got = 0;
	char		*big;

	mux_up(&d);
	client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 1, 14, "USERS_FETCH 1\n", 14);
	m = *hear(d.d.authd, users_fetch, NULL);
	result(&d, m.id, "", 0);
	ok(client_expect(&d, 1, 0, &f) && f.len == 3 &&
	    memcmp(f.data, "{}\n", 3) == 0 && client_expect(&d, 1, YM_FIN, &f),
	    "tunnel-36(partial): without data exactly `{}` and FIN");
	client_frame(&d, YM_WINDOW, YM_FIN, 1, 0, NULL, 0);

	if ((big = malloc(262144)) == NULL)
		bail_out("memory");
	memset(big, 'x', 262144);
	client_frame(&d, YM_WINDOW, YM_SYN, 3, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 3, 14, "USERS_FETCH 1\n", 14);
	m = *hear(d.d.authd, users_fetch, NULL);
	result(&d, m.id, big, 262143);
	while (got < 262144 && client_expect(&d, 3, 0, &f))
		got += f.len;
	ok(got == 262144 && f.data[f.len - 1] == '\n' &&
	    client_expect(&d, 3, YM_FIN, &f), "a report of 256 KiB and FIN");
	free(big);

	/* authd does not answer in time. */
	client_frame(&d, YM_WINDOW, YM_SYN, 5, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 5, 14, "USERS_FETCH 1\n", 14);
	m = *hear(d.d.authd, users_fetch, NULL);
	drive_clock(&d.d, 5000);
	ok(client_expect(&d, 5, 0, &f) && f.len == 3 &&
	    memcmp(f.data, "{}\n", 3) == 0, "no answer in 5 s counts as none");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_silent(void)
{
	struct mux	d;
	struct frame	f;
	uint32_t	version;
	char		*s = manifest(1, 0);
	int		i;

	mux_up(&d);
	client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 1, 5, "{\"ser", 5);
	client_control(&d, 3, "", s, strlen(s));
	is_int(services(&d, &version), 1,
	    "tunnel-37: a silent control stream does not delay another one");
	for (i = 0; i < 4; i++) {
		drive_clock(&d.d, 7500);
		client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
		while (d.pongs <= i && client_next(&d, &f, WAIT_MS) &&
		    !(f.flags & YM_RST))
			continue;
	}
	ok((f.id == 1 && (f.flags & YM_RST)) || client_expect(&d, 1, YM_RST,
	    &f), "and is reset after 30 s");
	free(s);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* authd goes when half of a document is here. */
static void
test_fetch_cut(void)
{
	struct mux	d;
	struct frame	f;
	struct imsg	m;

	mux_up(&d);
	client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 1, 14, "USERS_FETCH 1\n", 14);
	m = *hear(d.d.authd, users_fetch, NULL);
	say_id(d.d.authd, m.id, api_result, .status = 200, .total = 100);
	say_id(d.d.authd, m.id, doc_chunk,
	    .bytes = { (const uint8_t *)"half", 4 });
	drive_channel(&d.d);
	ok(client_expect(&d, 1, 0, &f) && f.len == 3 &&
	    memcmp(f.data, "{}\n", 3) == 0, "half a users report is none");
	(void)hear(d.d.authd, announce_end, NULL);
	client_frame(&d, YM_WINDOW, YM_SYN, 3, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 3, 14, "USERS_FETCH 1\n", 14);
	m = *hear(d.d.authd, users_fetch, NULL);
	result(&d, m.id, "{\"a\":1}", 7);
	ok(client_expect(&d, 3, 0, &f) && f.len == 8 &&
	    memcmp(f.data, "{\"a\":1}\n", 8) == 0, "the new authd is asked");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* What is costly to parse is looked at within limits only. */
static void
test_flood(void)
{
	struct mux	d;
	struct frame	f;
	struct imsg	m;
	uint32_t	id = 1, version;
	char		*big, *s = manifest(1, 0);
	int		i, taken = 0;

	if ((big = malloc(524288)) == NULL)
		bail_out("memory");
	memset(big, ' ', 524288);
	memcpy(big, "{\"overall_status\":\"ok\"}", 23);
	mux_up(&d);
	for (i = 0; i < 16; i++, id += 2) {
		client_control(&d, id, "DIAGNOSTICS 1\n", big, 524288);
		(void)client_expect(&d, id, YM_FIN, &f);
		while (hear_maybe(d.d.authd, IMSG_REPORT_END, &m, 0))
			taken++;
	}
	while (hear_maybe(d.d.authd, IMSG_REPORT_END, &m, 0))
		taken++;
	ok(taken >= 7 && taken < 16 &&
	    drive_logs(&d.d, "diagnostics ignored: too many"),
	    "of a flood of reports authd hears %d", taken);
	for (i = 0; i < 8; i++, id += 2)	/* and nothing is left */
		client_control(&d, id, "", big, 524288);
	client_control(&d, id, "", s, strlen(s));
	ok(client_expect(&d, id, YM_FIN, &f), "a manifest meanwhile");
	mux_pass(&d, 10000);
	is_int(services(&d, &version), 1, "is not lost, and counts in time");
	free(big);
	free(s);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* The newest of the statistics that came, at least one. */
static uint64_t
newest_in(struct mux *d)
{
	struct msg_tunnel_stats	 in;
	struct imsg		 m;
	uint64_t		 bytes;

	(void)hear(d->d.authd, tunnel_stats, &in);
	bytes = in.bytes_in;
	while (hear_maybe(d->d.authd, IMSG_TUNNEL_STATS, &m, 50) &&
	    get_tunnel_stats(&m, &in) == 0)
		bytes = in.bytes_in;
	return (bytes);
}

/* 20 s in which nobody answers a ping, and bytes come. */
static uint32_t
busy(struct mux *d, uint32_t id, const char *s)
{
	struct frame	f;
	int		i;

	for (i = 0; i < 4; i++, id += 2) {
		client_control(d, id, "", s, strlen(s));
		(void)client_expect(d, id, YM_FIN, &f);
		drive_clock(&d->d, 5000);
	}
	return (id);
}

/* authd hears what has moved, though no ping is answered. */
static void
test_stats(void)
{
	struct mux	 d;
	char		*s = manifest(1, 0);
	uint64_t	 len = strlen(s), first, second;
	uint32_t	 id;

	mux_up(&d);
	d.answer_pings = 0;
	id = busy(&d, 1, s);
	first = newest_in(&d);
	ok(first >= len, "authd hears what moves through a tunnel");
	(void)busy(&d, id, s);
	second = newest_in(&d);
	ok(second >= first + len, "and 15 s later again");
	drive_channel(&d.d);
	(void)hear(d.d.authd, announce_end, NULL);
	ok(newest_in(&d) >= second, "a new authd hears it at once");
	free(s);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

int
main(void)
{
	test_manifest();
	test_entries();
	test_headers();
	test_reports();
	test_users();
	test_fetch();
	test_fetch_cut();
	test_flood();
	test_stats();
	test_silent();
	return (done_testing());
}
