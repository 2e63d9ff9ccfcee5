/* SPDX-License-Identifier: ISC */
/*
 * Streams that the client opens, through a real muxd: manifest, diagnostics,
 * users. tunnel-protocol.md, section 4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/muxd_drive.h"
#include "regress/lib/fields.h"
#include "regress/lib/tap.h"

static const char	*build;

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
services(struct drive *d, uint32_t *version)
{
	struct imsg	m;
	uint32_t	count = 0;

	drive_expect(d, d->authd, IMSG_SERVICES_BEGIN, &m);
	if (m_get_u32(&m, version) == -1 || m_get_u32(&m, &count) == -1)
		return (-1);
	drive_expect(d, d->authd, IMSG_SERVICES_END, &m);
	return ((int)count);
}

static void
test_manifest(void)
{
	struct drive	d;
	struct frame	f;
	struct imsg	m;
	uint32_t	version;
	char		*s;

	drive_up(&d, build);
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
	ok(!drive_maybe(&d, d.authd, IMSG_SERVICES_BEGIN, &m, 0),
	    "do not count yet");
	drive_pass(&d, 10000);
	is_int(services(&d, &version), 3,
	    "tunnel-32(partial): after 10 s the newest counts");
	is_int(version, 2, "version 2");

	drive_pass(&d, 10000);
	s = manifest(501, 0);
	client_control(&d, 7, "", s, strlen(s));
	free(s);
	is_int(services(&d, &version), 500,
	    "tunnel-29(partial): of 501 services 500 are kept");
	drive_pass(&d, 10000);
	s = manifest(4, 1048576);
	client_control(&d, 9, "", s, strlen(s));
	is_int(services(&d, &version), 4, "1 MiB is fine");
	free(s);
	drive_pass(&d, 10000);
	s = manifest(5, 1048577);
	client_control(&d, 11, "", s, strlen(s));
	ok(client_expect(&d, 11, YM_RST, &f),
	    "tunnel-29(partial): 1 MiB + 1 is refused");
	free(s);
	s = manifest(6, 0);
	client_control(&d, 13, "", s, strlen(s));
	is_int(services(&d, &version), 6, "tunnel-29(partial): tunnel alive");
	free(s);
	drive_pass(&d, 10000);
	client_control(&d, 15, "", "{\"version\":1}", 13);
	client_control(&d, 17, "", "[]", 2);
	client_control(&d, 19, "", "", 0);
	client_control(&d, 21, "", "{\"services\":{}}", 15);
	is_int(services(&d, &version), 0,
	    "no services: nothing changes; an empty object empties the table");
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
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
	struct drive	d;
	struct imsg	m;
	char		name[SERVICE_SIZE], target[TARGET_SIZE];
	char		host[HOST_SIZE], label[LABEL_SIZE], path[PATH_SIZE];
	char		prefix[PATH_SIZE], module[MODULE_SIZE];
	char		node[MODULE_SIZE];
	uint8_t		tls;

	drive_up(&d, build);
	client_control(&d, 1, "", s, sizeof(s) - 1);
	drive_expect(&d, d.authd, IMSG_SERVICE, &m);
	ok(m_get_str(&m, name, sizeof(name)) == 0 &&
	    m_get_str(&m, target, sizeof(target)) == 0 &&
	    m_get_str(&m, host, sizeof(host)) == 0 &&
	    m_get_u8(&m, &tls) == 0 &&
	    m_get_str(&m, label, sizeof(label)) == 0 &&
	    m_get_str(&m, path, sizeof(path)) == 0 &&
	    m_get_str(&m, prefix, sizeof(prefix)) == 0 &&
	    m_get_str(&m, module, sizeof(module)) == 0 &&
	    m_get_str(&m, node, sizeof(node)) == 0 && m_end(&m) == 0 &&
	    strcmp(name, "good") == 0 &&
	    strcmp(target, "127.0.0.1:9090") == 0 &&
	    strcmp(host, "p.example") == 0 && tls == 1 &&
	    strcmp(label, "L") == 0 && strcmp(path, "/p") == 0 &&
	    strcmp(prefix, "/q") == 0 && strcmp(module, "m1") == 0 &&
	    strcmp(node, "2") == 0, "a service with all its members");
	drive_expect(&d, d.authd, IMSG_SERVICE, &m);
	ok(m_get_str(&m, name, sizeof(name)) == 0 && strcmp(name, "lan") == 0,
	    "tunnel-30 tunnel-31(partial): refused entries are left out, a "
	    "name nobody here resolves is kept");
	ok(drive_logged(&d, "\"meta\" left out: refused address") &&
	    drive_logged(&d, "\"bad name\" left out: bad name") &&
	    drive_logged(&d, "\"terminal\" left out: reserved name"),
	    "and the log says why");
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
}

static void
test_headers(void)
{
	static const char *const	bad[] = { "DIAGNOSTICS 2\n", "USERS\n",
	    "DIAG x\n", "DIAGNOSTICS 1 2\n", "USERS 2\n", "D\n", "U",
	    "DIAGNOSTICS 1 and quite a few words more than anybody would send\n"
	    };
	struct drive	d;
	struct frame	f;
	struct imsg	m;
	uint32_t	id = 1;
	size_t		i;

	drive_up(&d, build);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++, id += 2) {
		client_control(&d, id, bad[i], "{\"overall_status\":\"ok\"}",
		    23);
		ok(client_expect(&d, id, YM_FIN | YM_RST, &f) &&
		    !(f.flags & YM_RST), "tunnel-33: header %zu is closed", i);
	}
	ok(!drive_maybe(&d, d.authd, IMSG_REPORT_BEGIN, &m, 0),
	    "tunnel-33: without effect");
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
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
	struct drive	d;
	struct frame	f;
	struct imsg	m;
	const uint8_t	*p;
	size_t		len;
	char		*big;

	drive_up(&d, build);
	client_control(&d, 1, "DIAGNOSTICS 1\n", report, sizeof(report) - 1);
	drive_expect(&d, d.authd, IMSG_DOC_CHUNK, &m);
	ok(m_get_blob(&m, &p, &len, CHUNK_MAX) == 0 &&
	    len == sizeof(want) - 1 && memcmp(p, want, len) == 0,
	    "tunnel-34(partial): written again, known members only");
	if ((big = malloc(524289)) == NULL)
		bail_out("memory");
	memset(big, ' ', 524289);
	memcpy(big, report, sizeof(report) - 1);
	client_control(&d, 3, "DIAGNOSTICS 1\n", big, 524288);
	drive_expect(&d, d.authd, IMSG_REPORT_BEGIN, &m);
	drive_expect(&d, d.authd, IMSG_REPORT_END, &m);
	client_control(&d, 5, "DIAGNOSTICS 1\n", big, 524289);
	ok(client_expect(&d, 5, YM_RST, &f),
	    "tunnel-34(partial): 512 KiB pass, one byte more is refused");
	client_control(&d, 7, "USERS 1\n", big, 262144);
	ok(client_expect(&d, 7, YM_FIN, &f), "users of 256 KiB are read");
	client_control(&d, 9, "USERS 1\n", big, 262145);
	ok(client_expect(&d, 9, YM_RST, &f),
	    "tunnel-35(partial): 256 KiB + 1 are refused");
	free(big);
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
}

static void
result(struct drive *d, uint32_t id, const char *doc, size_t len)
{
	size_t	off, n;

	pk_begin(d, IMSG_API_RESULT, id);
	pk_u16(d, 200);
	pk_str(d, "");
	pk_u32(d, (uint32_t)len);
	pk_send(d, d->authd, -1);
	for (off = 0; off < len; off += n) {
		n = len - off > CHUNK_MAX ? CHUNK_MAX : len - off;
		pk_begin(d, IMSG_DOC_CHUNK, id);
		pk_blob(d, doc + off, n);
		pk_send(d, d->authd, -1);
	}
}

static void
test_fetch(void)
{
	struct drive	d;
	struct frame	f;
	struct imsg	m;
	size_t		got = 0;
	char		*big;

	drive_up(&d, build);
	client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 1, 14, "USERS_FETCH 1\n", 14);
	drive_expect(&d, d.authd, IMSG_USERS_FETCH, &m);
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
	drive_expect(&d, d.authd, IMSG_USERS_FETCH, &m);
	result(&d, m.id, big, 262143);
	while (got < 262144 && client_expect(&d, 3, 0, &f))
		got += f.len;
	ok(got == 262144 && f.data[f.len - 1] == '\n' &&
	    client_expect(&d, 3, YM_FIN, &f), "a report of 256 KiB and FIN");
	free(big);

	/* authd does not answer in time. */
	client_frame(&d, YM_WINDOW, YM_SYN, 5, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 5, 14, "USERS_FETCH 1\n", 14);
	drive_expect(&d, d.authd, IMSG_USERS_FETCH, &m);
	drive_clock(&d, 5000);
	ok(client_expect(&d, 5, 0, &f) && f.len == 3 &&
	    memcmp(f.data, "{}\n", 3) == 0, "no answer in 5 s counts as none");
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
}

static void
test_silent(void)
{
	struct drive	d;
	struct frame	f;
	uint32_t	version;
	char		*s = manifest(1, 0);
	int		i;

	drive_up(&d, build);
	client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 1, 5, "{\"ser", 5);
	client_control(&d, 3, "", s, strlen(s));
	is_int(services(&d, &version), 1,
	    "tunnel-37: a silent control stream does not delay another one");
	for (i = 0; i < 4; i++) {
		drive_clock(&d, 7500);
		client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
		while (d.pongs <= i && client_next(&d, &f, WAIT_MS) &&
		    !(f.flags & YM_RST))
			continue;
	}
	ok((f.id == 1 && (f.flags & YM_RST)) || client_expect(&d, 1, YM_RST,
	    &f), "and is reset after 30 s");
	free(s);
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
}

/* authd goes when half of a document is here. */
static void
test_fetch_cut(void)
{
	struct drive	d;
	struct frame	f;
	struct imsg	m;

	drive_up(&d, build);
	client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 1, 14, "USERS_FETCH 1\n", 14);
	drive_expect(&d, d.authd, IMSG_USERS_FETCH, &m);
	pk_begin(&d, IMSG_API_RESULT, m.id);
	pk_u16(&d, 200);
	pk_str(&d, "");
	pk_u32(&d, 100);
	pk_send(&d, d.authd, -1);
	pk_begin(&d, IMSG_DOC_CHUNK, m.id);
	pk_blob(&d, "half", 4);
	pk_send(&d, d.authd, -1);
	drive_new_authd(&d);
	ok(client_expect(&d, 1, 0, &f) && f.len == 3 &&
	    memcmp(f.data, "{}\n", 3) == 0, "half a users report is none");
	drive_expect(&d, d.authd, IMSG_ANNOUNCE_END, &m);
	client_frame(&d, YM_WINDOW, YM_SYN, 3, 0, NULL, 0);
	client_frame(&d, YM_DATA, 0, 3, 14, "USERS_FETCH 1\n", 14);
	drive_expect(&d, d.authd, IMSG_USERS_FETCH, &m);
	result(&d, m.id, "{\"a\":1}", 7);
	ok(client_expect(&d, 3, 0, &f) && f.len == 8 &&
	    memcmp(f.data, "{\"a\":1}\n", 8) == 0, "the new authd is asked");
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
}

/* What is costly to parse is looked at within limits only. */
static void
test_flood(void)
{
	struct drive	d;
	struct frame	f;
	struct imsg	m;
	uint32_t	id = 1, version;
	char		*big, *s = manifest(1, 0);
	int		i, taken = 0;

	if ((big = malloc(524288)) == NULL)
		bail_out("memory");
	memset(big, ' ', 524288);
	memcpy(big, "{\"overall_status\":\"ok\"}", 23);
	drive_up(&d, build);
	for (i = 0; i < 16; i++, id += 2) {
		client_control(&d, id, "DIAGNOSTICS 1\n", big, 524288);
		(void)client_expect(&d, id, YM_FIN, &f);
		while (drive_maybe(&d, d.authd, IMSG_REPORT_END, &m, 0))
			taken++;
	}
	while (drive_maybe(&d, d.authd, IMSG_REPORT_END, &m, 0))
		taken++;
	ok(taken >= 7 && taken < 16 &&
	    drive_logged(&d, "diagnostics ignored: too many"),
	    "of a flood of reports authd hears %d", taken);
	for (i = 0; i < 8; i++, id += 2)	/* and nothing is left */
		client_control(&d, id, "", big, 524288);
	client_control(&d, id, "", s, strlen(s));
	ok(client_expect(&d, id, YM_FIN, &f), "a manifest meanwhile");
	drive_pass(&d, 10000);
	is_int(services(&d, &version), 1, "is not lost, and counts in time");
	free(big);
	free(s);
	is_int(drive_end(&d), 0, "muxd leaves with status 0");
}

int
main(void)
{
	if ((build = getenv("RELAYD_BUILD")) == NULL)
		build = ".";
	test_manifest();
	test_entries();
	test_headers();
	test_reports();
	test_fetch();
	test_fetch_cut();
	test_flood();
	test_silent();
	return (done_testing());
}
