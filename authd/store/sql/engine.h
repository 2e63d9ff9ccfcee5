/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What runs statements: SQLite in this process, or a PostgreSQL server. Each
 * member is what db.h or store.h says of its namesake there. One that answers
 * later has `aside` and `commit_later`, the other `commit`; what is NULL is
 * nothing to it.
 */
struct query;
struct aside;

struct engine {
	const char	*name;
	int		 (*open)(const char *where);
	int		 (*version)(void);
	int		 (*apply)(void (*)(const char *, void *), void *);
	const char	*(*why_not)(void);
	void		 (*close)(void);
	int		 (*is_up)(void);
	int		 (*has_writes)(void);
	int		 (*commit)(void);
	void		 (*commit_later)(void (*)(int, void *), void *);
	void		 (*finish)(void);
	int		 (*probe)(void);
	uint64_t	 (*used)(void);
	uint64_t	 (*spent_us)(const char **, uint64_t *);
	void		 (*limit)(uint64_t, void (*)(void));
	unsigned	 (*lost)(void);
	void		 (*spoil)(void);
	int		 (*write)(struct query *, const char *, va_list);
	int		 (*write_now)(struct query *, const char *, va_list);
	unsigned	 (*changes)(void);
	int		 (*read)(struct query *, const char *, va_list);
	int		 (*step)(struct query *);
	void		 (*done)(struct query *);
	void		 (*text)(struct query *, int, char *, size_t);
	const char	*(*bytes)(struct query *, int, size_t *);
	int64_t		 (*number)(struct query *, int);
	int		 (*type)(struct query *, int);
	int		 (*blob)(struct query *, int, void *, size_t);
	struct aside	*(*aside)(void (*)(void *), void (*)(void *), void *,
			    int *);
	void		 (*cancel)(struct aside *);
};

extern const struct engine	sqlite_engine, pg_engine;

/* Before the store is opened; without it is SQLite. */
void	db_use(const struct engine *);

#endif
