/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "metrics/ids.h"
#include "proc/roles.h"
#include "table.h"

#define TYPE_COUNTER		METRIC_COUNTER
#define TYPE_GAUGE		METRIC_GAUGE
#define TYPE_INFO		METRIC_INFO
#define TYPE_HISTOGRAM		METRIC_HISTOGRAM_TYPE

#define F(name, TYPE, UNIT, help)					\
	{ METRIC_FAMILY, TYPE_##TYPE, METRIC_##UNIT, 0, name, help },
#define V(NAME, labels)							\
	{ METRIC_VALUE, METRIC_COUNTER, METRIC_NONE, CT_##NAME, labels, NULL },
#define H(NAME, labels)							\
	{ METRIC_HISTO, METRIC_COUNTER, METRIC_NONE, CT_##NAME, labels, NULL },
static const struct metric	parent_rows[] = {
#include "metrics/parent.def"
};
static const struct metric	authd_rows[] = {
#include "metrics/authd.def"
};
static const struct metric	proxyd_rows[] = {
#include "metrics/proxyd.def"
};
static const struct metric	metricd_rows[] = {
#include "metrics/metricd.def"
};
static const struct metric	tlsd_rows[] = {
#include "metrics/tlsd.def"
};
static const struct metric	keyd_rows[] = {
#include "metrics/keyd.def"
};
static const struct metric	paird_rows[] = {
#include "metrics/paird.def"
};
#undef F
#undef V
#undef H

#define EACH(X)								\
	X(PARENT, parent) X(AUTHD, authd) X(PROXYD, proxyd)		\
	X(METRICD, metricd) X(TLSD, tlsd) X(KEYD, keyd)		\
	X(PAIRD, paird)

#define FITS(ROLE, name)						\
	_Static_assert(CT_##ROLE##_COUNT <= METRIC_MOST, #ROLE);
EACH(FITS)

#define B(us, shown)	shown,
static const char *const	bounds[] = { METRIC_BOUNDS(B) };
#undef B

const struct metric *
metric_table(int role, size_t *n)
{
	switch (role) {
#define TABLE(ROLE, name)						\
	case ROLE_##ROLE:						\
		*n = sizeof(name##_rows) / sizeof(name##_rows[0]);	\
		return (name##_rows);
	EACH(TABLE)
	default:
		*n = 0;
		return (NULL);
	}
}

size_t
metric_count(int role)
{
	switch (role) {
#define COUNT(ROLE, name)						\
	case ROLE_##ROLE:						\
		return (CT_##ROLE##_COUNT);
	EACH(COUNT)
	default:
		return (0);
	}
}

/* Each is read once, whole. */
uint64_t
metric_sum(const struct metric_pages *pages, int role, unsigned at)
{
	uint64_t	sum = 0;
	size_t		i;

	for (i = 0; i < pages->n; i++)
		if (pages->page[i].role == role)
			sum += __atomic_load_n(&pages->page[i].at[at],
			    __ATOMIC_RELAXED);
	return (sum);
}

/* Is there one of whose state can be spoken? */
static int
is_there(const struct metric_pages *pages, int role)
{
	return (metric_sum(pages, ROLE_PARENT,
	    CT_UP_PARENT + (unsigned)(role - ROLE_PARENT)) > 0);
}

static void
value_print(char *dst, size_t size, enum metric_unit unit, uint64_t n)
{
	if (unit == METRIC_SECONDS)
		snprintf(dst, size, "%" PRIu64 ".%06" PRIu64, n / 1000000,
		    n % 1000000);
	else
		snprintf(dst, size, "%" PRIu64, n);
}

struct out {
	char	*dst;
	size_t	 size, len;
	int	 openmetrics;
};

static void	add(struct out *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

static void
add(struct out *o, const char *fmt, ...)
{
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(o->len < o->size ? o->dst + o->len : NULL,
	    o->len < o->size ? o->size - o->len : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->len += (size_t)n;
}

/* What a family's samples are called besides its name. */
static const char *
suffix_of(enum metric_type type)
{
	return (type == METRIC_COUNTER ? "_total" : "");
}

/* Only OpenMetrics has info, and tells a counter's name from its sample's. */
static void
add_family(void *arg, const struct metric *f)
{
	static const char *const	types[] = { "counter", "gauge", "info",
	    "histogram" };
	static const char *const	units[] = { "", "bytes", "seconds" };
	struct out			*o = arg;
	const char			*more = "", *type = types[f->type];
	int				 len = (int)strlen(f->text);

	if (!o->openmetrics)
		more = suffix_of(f->type);
	if (f->type == METRIC_INFO && o->openmetrics)
		len -= (int)sizeof("_info") - 1;
	if (f->type == METRIC_INFO && !o->openmetrics)
		type = "gauge";
	add(o, "# HELP %.*s%s %s\n", len, f->text, more, f->help);
	add(o, "# TYPE %.*s%s %s\n", len, f->text, more, type);
	if (o->openmetrics && f->unit != METRIC_NONE)
		add(o, "# UNIT %s %s\n", f->text, units[f->unit]);
}

static void
add_value(void *arg, const struct metric *f, const struct metric *v,
    uint64_t n)
{
	struct out	*o = arg;
	char		 text[32];

	value_print(text, sizeof(text), f->unit, n);
	if (v->text[0] != '\0')
		add(o, "%s%s{%s} %s\n", f->text, suffix_of(f->type), v->text,
		    text);
	else
		add(o, "%s%s %s\n", f->text, suffix_of(f->type), text);
}

static void
add_histogram(void *arg, const struct metric *f, const struct metric *v,
    const struct metric_pages *pages, int role)
{
	struct out	*o = arg;
	const char	*comma = v->text[0] != '\0' ? "," : "";
	const char	*open = v->text[0] != '\0' ? "{" : "";
	const char	*close = v->text[0] != '\0' ? "}" : "";
	uint64_t	 n = 0;
	char		 sum[32];
	unsigned	 i;

	for (i = 0; i < METRIC_BUCKETS; i++) {
		n += metric_sum(pages, role, v->at + i);
		add(o, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", f->text,
		    v->text, comma, bounds[i], n);
	}
	value_print(sum, sizeof(sum), f->unit,
	    metric_sum(pages, role, v->at + METRIC_BUCKETS));
	add(o, "%s_count%s%s%s %" PRIu64 "\n", f->text, open, v->text, close,
	    n);
	add(o, "%s_sum%s%s%s %s\n", f->text, open, v->text, close, sum);
}

/* What is done with each, in the order of the lists; `family` may be NULL. */
struct visit {
	void	(*family)(void *, const struct metric *);
	void	(*value)(void *, const struct metric *f, const struct metric *,
		    uint64_t n);
	void	(*histogram)(void *, const struct metric *f,
		    const struct metric *, const struct metric_pages *,
		    int role);
	void	*arg;
};

/* States of a role of which there is no process are left out. */
static void
visit_role(const struct metric_pages *pages, int role, const struct visit *v)
{
	const struct metric	*m, *f = NULL;
	size_t			 i, n;

	m = metric_table(role, &n);
	for (i = 0; i < n; i++, m++) {
		if (m->kind == METRIC_FAMILY) {
			f = m->type != METRIC_GAUGE || is_there(pages, role) ?
			    m : NULL;
			if (f != NULL && v->family != NULL)
				v->family(v->arg, f);
		} else if (f != NULL && m->kind == METRIC_HISTO)
			v->histogram(v->arg, f, m, pages, role);
		else if (f != NULL)
			v->value(v->arg, f, m, metric_sum(pages, role, m->at));
	}
}

static void
visit_all(const struct metric_pages *pages, const struct visit *v)
{
	int	role;

	for (role = 0; role < ROLE_COUNT; role++)
		visit_role(pages, role, v);
}

size_t
metrics_text(char *dst, size_t size, const struct metric_pages *pages,
    int openmetrics)
{
	struct out	o = { dst, size, 0, openmetrics };

	visit_all(pages, &(struct visit){ add_family, add_value,
	    add_histogram, &o });
	if (openmetrics)
		add(&o, "# EOF\n");
	return (o.len);
}

/* Who wants each number for itself. */
struct each {
	metric_fn	 fn;
	void		*arg;
};

static void
each_value(void *arg, const struct metric *f, const struct metric *m,
    uint64_t n)
{
	const struct each	*e = arg;
	char			 name[128], value[32];

	snprintf(name, sizeof(name), "%s%s", f->text, suffix_of(f->type));
	value_print(value, sizeof(value), f->unit, n);
	e->fn(e->arg, name, m->text, value);
}

static void
each_histogram(void *arg, const struct metric *f, const struct metric *m,
    const struct metric_pages *pages, int role)
{
	const struct each	*e = arg;
	char			 name[128], value[32];
	uint64_t		 n = 0;
	unsigned		 i;

	for (i = 0; i < METRIC_BUCKETS; i++)
		n += metric_sum(pages, role, m->at + i);
	snprintf(name, sizeof(name), "%s_count", f->text);
	value_print(value, sizeof(value), METRIC_NONE, n);
	e->fn(e->arg, name, m->text, value);
	snprintf(name, sizeof(name), "%s_sum", f->text);
	value_print(value, sizeof(value), f->unit,
	    metric_sum(pages, role, m->at + METRIC_BUCKETS));
	e->fn(e->arg, name, m->text, value);
}

void
metrics_each(const struct metric_pages *pages, metric_fn fn, void *arg)
{
	struct each	e = { fn, arg };

	visit_all(pages, &(struct visit){ NULL, each_value, each_histogram,
	    &e });
}
