/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <ftw.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compat.h"
#include "drive.h"
#include "world.h"

static char	dir[64], store[128];

static int
remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
	(void)sb;
	(void)flag;
	(void)ftw;
	return (remove(path));
}

static void
world_end(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void
world_init(struct conf *cf)
{
	strlcpy(dir, "/tmp/relayd-test.XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL)
		bail("mkdtemp");
	if (atexit(world_end) != 0)
		bail("atexit");
	snprintf(store, sizeof(store), "%s/relayd.db", dir);
	conf_init(cf);
	strlcpy(cf->store_path, store, sizeof(cf->store_path));
	strlcpy(cf->proxy_domain, "support.example.com",
	    sizeof(cf->proxy_domain));
	cf->rate_address = 100000;
	cf->rate_slot = 100000;
	cf->rate_key = 100000;
	cf->penalty_authfail = cf->penalty_noauth = cf->penalty_crash = 0;
}

static long long
sql_run(const char *text)
{
	sqlite3		*db;
	sqlite3_stmt	*st = NULL;
	long long	 v = 0;

	if (sqlite3_open(store, &db) != SQLITE_OK)
		bail("sqlite3_open");
	sqlite3_busy_timeout(db, WAIT_MS);
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) != SQLITE_OK)
		bail("%s", sqlite3_errmsg(db));
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		v = sqlite3_column_int64(st, 0);
		break;
	case SQLITE_DONE:
		break;
	default:
		bail("%s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return (v);
}

long long
world_sql(const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return (sql_run(text));
}

long long
sql_becomes(long long want, const char *fmt, ...)
{
	char		text[1024];
	long long	v = want;
	va_list		ap;
	int		i;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (i = 0; i < WAIT_MS / 5; i++) {
		if ((v = sql_run(text)) == want)
			break;
		poll(NULL, 0, 5);
	}
	return (v);
}
