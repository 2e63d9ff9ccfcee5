/* SPDX-License-Identifier: ISC */
/*
 * What the configuration says of a PostgreSQL server: libpq reads the same out
 * of it as is checked here, and nothing that is not checked.
 */
#include <libpq-fe.h>

#include "base/compat.h"
#include "base/conninfo.h"
#include "regress/lib/tap.h"

static void
test_good(void)
{
	static const struct {
		const char	*text;
		unsigned	 port;
		const char	*socket;
	} good[] = {
		{ "host=127.0.0.1 dbname=d user=u", 5432, NULL },
		{ "  host=::1   dbname=d user=u  ", 5432, NULL },
		{ "user=u dbname=d port=1 hostaddr=10.0.0.1", 1, NULL },
		{ "host=db.example hostaddr=::1 port=65535 dbname=d user=u",
		    65535, NULL },
		{ "host=/var/lib/x/pg dbname=d user=u", 5432,
		    "/var/lib/x/pg" },
		{ "dbname=xhost=/y user=u host=/z", 5432, "/z" },
	};
	const char	*s;
	char		 err[160];
	size_t		 i, len;
	unsigned	 port;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		is_int(conninfo_check(good[i].text, &port, err, sizeof(err)),
		    0, "good: %s", good[i].text);
		is_int(port, good[i].port, "its port");
		s = conninfo_socket(good[i].text, &len);
		ok((s == NULL) == (good[i].socket == NULL) && (s == NULL ||
		    (len == strlen(good[i].socket) &&
		    strncmp(s, good[i].socket, len) == 0)), "its socket");
	}
}

static void
test_bad(void)
{
	static const char *const	bad[] = {
		"", " ", "host", "host=", "=x", "host=127.0.0.1",
		"host=127.0.0.1 dbname=d", "host=127.0.0.1 user=u",
		"dbname=d user=u", "host=db dbname=d user=u",
		"host=@abstract dbname=d user=u",
		"host=127.0.0.1,::1 dbname=d user=u",
		"host=/a,/b dbname=d user=u",
		"host=/a host=/b dbname=d user=u",
		"host=/a host=127.0.0.1 dbname=d user=u",
		"host=/a hostaddr=::1 dbname=d user=u",
		"host=127.0.0.1 host=::1 dbname=d user=u",
		"hostaddr=::1 hostaddr=::1 dbname=d user=u",
		"host=::1 dbname=d dbname=e user=u",
		"host=::1 dbname=d user=u user=v",
		"host=::1 dbname=d user=u port=1 port=2",
		"host=::1 dbname= user=u", "host=::1 dbname=d user=",
		"host=::1 dbname=d user=u port=0",
		"host=::1 dbname=d user=u port=65536",
		"host=::1 dbname=d user=u port=1x",
		"host=::1 dbname=d user=u port=+1",
		"host=::1 dbname=d user=u password=p",
		"host=::1 dbname=d user=u passfile=/x",
		"host=::1 dbname=d user=u sslmode=disable",
		"host=::1 dbname=d user=u service=x",
		"host=::1 dbname=d user=u options=-cx",
		"host=::1 dbname='d' user=u", "host=::1 dbname=\\d user=u",
		"host=::1 dbname=d\tsslmode=disable user=u",
		"host=::1 dbname=d\noptions=x user=u",
		"host=::1 dbname=d\vx=y user=u",
		"host = ::1 dbname=d user=u", "postgresql://u@h/d",
	};
	char				 err[160];
	unsigned			 port;
	size_t				 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		is_int(conninfo_check(bad[i], &port, err, sizeof(err)), -1,
		    "bad %zu", i);
		ok(err[0] != '\0', "and why: %s", err);
	}
}

static void
test_long(void)
{
	char		text[2048] = "host=::1 user=u dbname=", err[160];
	unsigned	port;
	size_t		n = strlen(text);

	memset(text + n, 'd', 248);
	is_int(conninfo_check(text, &port, err, sizeof(err)), 0,
	    "a word of 255 bytes");
	text[n + 248] = 'd';
	is_int(conninfo_check(text, &port, err, sizeof(err)), -1,
	    "and none of 256");
	snprintf(text, sizeof(text), "user=u dbname=d host=/");
	n = strlen(text);
	memset(text + n, 's', 79);
	text[n + 79] = '\0';
	is_int(conninfo_check(text, &port, err, sizeof(err)), 0,
	    "the directory of a socket has 80 bytes");
	text[n + 79] = 's';
	text[n + 80] = '\0';
	is_int(conninfo_check(text, &port, err, sizeof(err)), -1, "not more");
}

int
main(void)
{
	test_good();
	test_bad();
	test_long();
	done_testing();
	return (tap_status());
}
