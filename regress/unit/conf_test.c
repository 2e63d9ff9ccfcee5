/* SPDX-License-Identifier: ISC */
/* Settings on their way to a process: need to know, ranges, broken packets. */
#include <stdint.h>

#include "base/compat.h"
#include "proc/conf.h"
#include "regress/lib/tap.h"

static uint8_t	buf[CHUNK_MAX + 1];
static const int	roles[] = { ROLE_PARENT, ROLE_CONTROL, ROLE_AUTHD,
    ROLE_PROXYD, ROLE_MUXD, ROLE_TERMD, ROLE_RENDD, ROLE_PAIRD };
#define NROLES	(sizeof(roles) / sizeof(roles[0]))

/* All strings and lists as long as they may be, numbers at their maximum. */
static void
fullest(struct conf *c)
{
	unsigned	i;

	conf_init(c);
#define X(member, def, min, max, unit, roles, keyword) c->member = max;
	CONF_NUMBERS(X)
#undef X
#define X(member, size, def, roles, keyword)				\
	memset(c->member, 's', (size) - 1);				\
	c->member[(size) - 1] = '\0';
	CONF_STRINGS(X)
#undef X
#define X(member, many, size, roles, keyword)				\
	for (i = 0; i < (many); i++) {					\
		memset(c->member[i], 'l', (size) - 1);			\
		c->member[i][(size) - 1] = '\0';			\
	}								\
	c->n_##member = many;
	CONF_LISTS(X)
#undef X
}

/* Does `role` see what it should, and nothing where it should not? */
static int
sees(const struct conf *a, const struct conf *b, int role)
{
	static const struct conf	none;
	int				bad = 0;

#define WANT(roles)	(((roles) & ROLE_BIT(role)) ? a : &none)
#define X(member, d, min, max, unit, roles, keyword)			\
	bad += b->member != WANT(roles)->member;
	CONF_NUMBERS(X)
#undef X
#define X(member, size, d, roles, keyword)				\
	bad += strcmp(b->member, WANT(roles)->member) != 0;
	CONF_STRINGS(X)
#undef X
#define X(member, many, size, roles, keyword)				\
	bad += b->n_##member != WANT(roles)->n_##member ||		\
	    memcmp(b->member, WANT(roles)->member, sizeof(b->member)) != 0;
	CONF_LISTS(X)
#undef X
	return (bad == 0);
}

static void
test_round_trip(void)
{
	static struct conf	full, got, copy;
	long			n, k;
	size_t			i;
	int			bad;

	for (i = 0; i < NROLES; i++) {
		fullest(&full);
		memset(&got, 0, sizeof(got));
		memset(&copy, 0, sizeof(copy));
		n = conf_pack(&full, roles[i], buf, CHUNK_MAX);
		ok(n >= 0, "%s: the fullest configuration fits a message: %ld "
		    "bytes", role_name(roles[i]), n);
		ok(conf_unpack(&got, roles[i], buf, (size_t)n) == 0 &&
		    sees(&full, &got, roles[i]),
		    "%s: gets what it needs to know, no more",
		    role_name(roles[i]));
		conf_copy(&copy, &full, roles[i]);
		ok(sees(&full, &copy, roles[i]),
		    "%s: a copy holds what it needs to know, no more",
		    role_name(roles[i]));
		bad = conf_unpack(&got, roles[i], buf, (size_t)n + 1) == 0;
		for (k = 0; k < n; k++)
			bad += conf_unpack(&got, roles[i], buf, (size_t)k) == 0;
		is_int(bad, 0, "%s: any byte short or long is refused",
		    role_name(roles[i]));
		if (n > 0)
			is_int(conf_pack(&full, roles[i], buf, (size_t)n - 1),
			    -1, "%s: a small buffer is an error",
			    role_name(roles[i]));
	}
}

/* What a reader accepts when the writer puts `v` there. */
static int
passes(const struct conf *c, uint32_t who)
{
	static struct conf	got;
	size_t			i;
	int			role = ROLE_NONE;
	long			n;

	for (i = 0; i < NROLES; i++)
		if (who & ROLE_BIT(roles[i]))
			role = roles[i];
	n = conf_pack(c, role, buf, CHUNK_MAX);
	return (n >= 0 && conf_unpack(&got, role, buf, (size_t)n) == 0);
}

static void
test_ranges(void)
{
	static struct conf	c;
	char			err[256];
	int			bad = 0;

#define X(member, def, min, max, unit, roles, keyword)			\
	conf_init(&c);							\
	bad += (def) + 1ULL < (min) + 1ULL || (def) > (max);		\
	bad += conf_set_number(&c, #member, max, err, sizeof(err)) != 0;\
	bad += !passes(&c, roles);					\
	bad += conf_set_number(&c, #member, min, err, sizeof(err)) != 0;\
	bad += !passes(&c, roles);					\
	bad += conf_set_number(&c, #member, (max) + 1ULL, err,		\
	    sizeof(err)) != -1 || strstr(err, keyword) == NULL;		\
	bad += c.member != (min);					\
	c.member = (max) + 1ULL;					\
	bad += passes(&c, roles);					\
	if ((min) > 0) {						\
		bad += conf_set_number(&c, #member, (min) - 1ULL, err,	\
		    sizeof(err)) != -1;					\
		c.member = (min) - 1ULL;				\
		bad += passes(&c, roles);				\
	}
	CONF_NUMBERS(X)
#undef X
	is_int(bad, 0, "each number: below, at and above its limits, in both "
	    "processes");
	conf_init(&c);
	is_int(conf_set_number(&c, "nonsense", 1, err, sizeof(err)), -1,
	    "no such number");
	conf_set_number(&c, "ticket_lifetime", 301, err, sizeof(err));
	is_str(err, "ticket lifetime: 301s is out of range 1s to 5m",
	    "an error says keyword, value, range and unit");
}

/* proxyd's packet ends with its lists: bend the last string and the count. */
static void
test_strings(void)
{
	static struct conf	c, got;
	uint32_t		n;
	long			len;

	conf_init(&c);
	strlcpy(c.trusted_proxy[0], "10.0.0.0/8", sizeof(c.trusted_proxy[0]));
	c.n_trusted_proxy = 1;
	len = conf_pack(&c, ROLE_PROXYD, buf, CHUNK_MAX);
	ok(len > 18 && conf_unpack(&got, ROLE_PROXYD, buf, (size_t)len) == 0,
	    "a list of one");
	buf[len - 3] = '\0';
	is_int(conf_unpack(&got, ROLE_PROXYD, buf, (size_t)len), -1,
	    "a NUL inside a string");
	buf[len - 3] = '0';
	n = 0xffffffff;
	memcpy(buf + len - 14, &n, 4);
	is_int(conf_unpack(&got, ROLE_PROXYD, buf, (size_t)len), -1,
	    "a string that claims 4 GiB");
	n = sizeof(c.trusted_proxy[0]);
	memcpy(buf + len - 14, &n, 4);
	memset(buf + len - 10, 'x', n);
	is_int(conf_unpack(&got, ROLE_PROXYD, buf, (size_t)len - 10 + n), -1,
	    "a string without room for its NUL");
	n = 17;
	memcpy(buf + len - 18, &n, 4);
	is_int(conf_unpack(&got, ROLE_PROXYD, buf, (size_t)len), -1,
	    "a list longer than there is room");
}

int
main(void)
{
	test_round_trip();
	test_ranges();
	test_strings();
	return (done_testing());
}
