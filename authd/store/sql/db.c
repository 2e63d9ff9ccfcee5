/* SPDX-License-Identifier: ISC */
/* To the engine that is in use. */
#include <string.h>

#include "base/compat.h"
#include "authd/store/store.h"
#include "db.h"
#include "engine.h"

static const struct engine	*engine = &sqlite_engine;

void
db_use(const struct engine *e)
{
	engine = e;
}

static char	member[MEMBER_SIZE];

void
store_member(const char *name)
{
	strlcpy(member, name, sizeof(member));
}

const char *
db_member(void)
{
	return (member);
}

struct place {
	char		address[PEER_SIZE];
	uint16_t	port;
};
static struct place	member_at, member_was_at;

static void
place_set(struct place *p, const char *address, uint16_t port)
{
	strlcpy(p->address, address, sizeof(p->address));
	p->port = port;
}

void
store_member_at(const char *address, uint16_t port)
{
	place_set(&member_at, address, port);
}

void
store_member_was_at(const char *address, uint16_t port)
{
	place_set(&member_was_at, address, port);
}

const char *
db_member_at(int *port)
{
	*port = member_at.port;
	return (member_at.address);
}

const char *
db_member_was_at(int *port)
{
	*port = member_was_at.port;
	return (member_was_at.address);
}

int
db_is_late(void)
{
	return (engine->aside != NULL);
}

int
db_is_shared(void)
{
	return (db_is_late() && member[0] != '\0');
}

int
store_open(const char *where)
{
	return (engine->open(where));
}

void
store_schema(struct store_schema *s)
{
	s->engine = engine->name;
	s->version = engine->version();
	s->needed = STORE_SCHEMA;
}

/* A file has had them since it was opened. */
int
store_schema_apply(void (*then)(const char *, void *), void *arg)
{
	if (engine->apply != NULL)
		return (engine->apply(then, arg));
	then(engine->is_up() ? NULL : "store is unavailable", arg);
	return (0);
}

const char *
store_why_not(void)
{
	return (engine->why_not());
}

void
store_close(void)
{
	engine->close();
}

int
store_is_up(void)
{
	return (engine->is_up());
}

int
store_has_writes(void)
{
	return (engine->has_writes());
}

int
store_probe(void)
{
	return (engine->probe());
}

uint64_t
store_used(void)
{
	return (engine->used());
}

uint64_t
store_spent_us(const char **slowest, uint64_t *most)
{
	return (engine->spent_us(slowest, most));
}

void
db_commit(void (*then)(int, void *), void *arg)
{
	if (engine->commit_later != NULL)
		engine->commit_later(then, arg);
	else
		then(engine->commit() == 0, arg);
}

void
db_finish(void)
{
	if (engine->finish != NULL)
		engine->finish();
}

void
db_limit(uint64_t bytes, void (*oldest)(void))
{
	if (engine->limit != NULL)
		engine->limit(bytes, oldest);
}

void
db_void(void)
{
	engine->spoil();
}

unsigned
db_lost(void)
{
	return (engine->lost());
}

int
db_write(struct query *q, const char *types, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, types);
	r = engine->write(q, types, ap);
	va_end(ap);
	return (r);
}

int
db_write_now(struct query *q, const char *types, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, types);
	r = engine->write_now != NULL ? engine->write_now(q, types, ap) :
	    engine->write(q, types, ap);
	va_end(ap);
	return (r);
}

unsigned
db_changes(void)
{
	return (engine->changes());
}

int
db_read(struct query *q, const char *types, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, types);
	r = engine->read(q, types, ap);
	va_end(ap);
	return (r);
}

int
db_step(struct query *q)
{
	return (engine->step(q));
}

int
db_number(struct query *q, int r, int64_t *n)
{
	if (r != 0)
		return (r);
	*n = db_int(q, 0);
	db_done(q);
	return (0);
}

void
db_done(struct query *q)
{
	engine->done(q);
}

void
db_text(struct query *q, int i, char *dst, size_t size)
{
	engine->text(q, i, dst, size);
}

const char *
db_bytes(struct query *q, int i, size_t *len)
{
	return (engine->bytes(q, i, len));
}

int64_t
db_int(struct query *q, int i)
{
	return (engine->number(q, i));
}

int
db_type(struct query *q, int i)
{
	return (engine->type(q, i));
}

int
db_blob(struct query *q, int i, void *dst, size_t size)
{
	return (engine->blob(q, i, dst, size));
}

struct aside *
db_aside(void (*fn)(void *), void (*done)(void *), void *arg, int *r)
{
	*r = 0;
	if (engine->aside != NULL)
		return (engine->aside(fn, done, arg, r));
	fn(arg);
	done(arg);
	return (NULL);
}

void
db_cancel(struct aside *a)
{
	engine->cancel(a);
}
