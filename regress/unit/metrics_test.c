/* SPDX-License-Identifier: ISC */
/* The metrics: names as they should be, the text, the manual. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/count.h"
#include "metrics/table.h"
#include "proc/roles.h"
#include "regress/lib/tap.h"

static const char *const	units[] = { "", "_bytes", "_seconds" };

static int
ends(const char *s, const char *with)
{
	size_t	n = strlen(s), m = strlen(with);

	return (n >= m && strcmp(s + n - m, with) == 0);
}

/* prometheus.io/docs/practices/naming */
static void
test_name(const struct metric *f)
{
	size_t	 n = strspn(f->text, "abcdefghijklmnopqrstuvwxyz_"), i, same = 0;
	const struct metric	*m;
	int	 role;

	ok(f->text[n] == '\0' && (strncmp(f->text, "relayd_", 7) == 0 ||
	    strncmp(f->text, "process_", 8) == 0), "%s: a name", f->text);
	ok(ends(f->text, units[f->unit]) && (f->unit != METRIC_NONE ||
	    (!ends(f->text, "_bytes") && !ends(f->text, "_seconds"))),
	    "%s: its unit", f->text);
	ok(!ends(f->text, "_total") && !ends(f->text, "_count") &&
	    ends(f->text, "_info") == (f->type == METRIC_INFO),
	    "%s: says no type", f->text);
	ok(f->help[0] != '\0' && ends(f->help, ".") &&
	    strchr(f->help, '\\') == NULL && strchr(f->help, '\n') == NULL,
	    "%s: says what it is", f->text);
	for (role = 0; role < ROLE_COUNT; role++)
		for (m = metric_table(role, &n), i = 0; i < n; i++)
			same += m[i].kind == METRIC_FAMILY &&
			    strcmp(m[i].text, f->text) == 0;
	is_int(same, 1, "%s: once", f->text);
}

/* a="b",c="d": words, so that there is an end to them */
static int
labels_are_good(const char *s)
{
	size_t	n;

	while (*s != '\0') {
		if ((n = strspn(s, "abcdefghijklmnopqrstuvwxyz_")) == 0 ||
		    s[n] != '=' || s[n + 1] != '"')
			return (0);
		s += n + 2;
		s += strspn(s, "abcdefghijklmnopqrstuvwxyz_.-0123456789");
		if (*s++ != '"' || (*s != '\0' && *s++ != ','))
			return (0);
	}
	return (1);
}

static void
test_table(int role)
{
	const struct metric	*m, *f = NULL;
	unsigned		 at = 0;
	size_t			 i, n, values = 0;
	int			 order = 1, good = 1;

	m = metric_table(role, &n);
	for (i = 0; i < n; i++) {
		if (m[i].kind == METRIC_FAMILY) {
			ok(f == NULL || values > 0, "%s: has rows",
			    f == NULL ? "nothing" : f->text);
			f = &m[i];
			values = 0;
			test_name(f);
			continue;
		}
		values++;
		order &= m[i].at == at && f != NULL &&
		    (m[i].kind == METRIC_HISTO) ==
		    (f->type == METRIC_HISTOGRAM_TYPE);
		at += m[i].kind == METRIC_HISTO ? METRIC_HISTOGRAM : 1;
		good &= labels_are_good(m[i].text);
	}
	is_int(at, (long long)metric_count(role), "%s: all of its page",
	    role_name(role));
	ok(order, "%s: in its order", role_name(role));
	ok(good, "%s: labels", role_name(role));
}

static uint64_t			one[METRIC_MOST], two[METRIC_MOST],
				parent[METRIC_MOST];
static struct metric_pages	pages = { 3, { { ROLE_PARENT, parent },
	{ ROLE_PROXYD, one }, { ROLE_PROXYD, two } } };
static char			text[1 << 16];

static void
has(const char *what, int yes)
{
	ok((strstr(text, what) != NULL) == yes, "%s: %.60s",
	    yes ? "there" : "not there", what);
}

static void
test_text(void)
{
	size_t	len, i;

	one[CT_ROUTE_API] = 3;
	two[CT_ROUTE_API] = 4;
	one[CT_API_TIME] = 1;
	two[CT_API_TIME + 3] = 2;
	one[CT_API_TIME_SUM] = 1500000;
	parent[CT_CPU_AUTHD] = 12345678;
	len = metrics_text(text, sizeof(text), &pages, 1);
	ok(len < sizeof(text) && strlen(text) == len, "%zu bytes of text", len);
	has("\nrelayd_requests_total{route=\"api\"} 7\n", 1);
	has("# TYPE relayd_requests counter\n", 1);
	has("# UNIT process_cpu_seconds seconds\n", 1);
	has("\nprocess_cpu_seconds_total{role=\"authd\"} 12.345678\n", 1);
	has("\nrelayd_api_request_seconds_bucket{le=\"0.001\"} 1\n", 1);
	has("\nrelayd_api_request_seconds_bucket{le=\"0.01\"} 3\n", 1);
	has("\nrelayd_api_request_seconds_bucket{le=\"+Inf\"} 3\n", 1);
	has("\nrelayd_api_request_seconds_count 3\n"
	    "relayd_api_request_seconds_sum 1.500000\n", 1);
	has("# TYPE relayd_build info\n", 1);
	has("relayd_connections{", 0);
	parent[CT_UP_PARENT] = parent[CT_UP_PROXYD] = 1;
	(void)metrics_text(text, sizeof(text), &pages, 0);
	has("\nrelayd_connections{listener=\"front\"} 0\n", 1);
	has("# TYPE relayd_requests_total counter\n", 1);
	has("# UNIT", 0);
	has("# EOF", 0);
	for (i = 0; i < 4096; i += 97)
		if (metrics_text(text, i, &pages, 1) < i)
			break;
	ok(i >= 4096, "too little room is told");
}

static void
test_histogram(void)
{
	uint64_t	*was = counts, mine[METRIC_MOST] = { 0 };

	counts = mine;
	observe_us(CT_TURN, 0);
	observe_us(CT_TURN, 1000);
	observe_us(CT_TURN, 1001);
	observe_us(CT_TURN, 10000000);
	observe_us(CT_TURN, 10000001);
	observe_us(CT_TURN, 1ULL << 50);
	counts = was;
	is_int((long long)mine[CT_TURN], 2, "a bound is in its bucket");
	is_int((long long)mine[CT_TURN + 1], 1, "above it is in the next");
	is_int((long long)mine[CT_TURN + METRIC_BUCKETS - 2], 1, "the last");
	is_int((long long)mine[CT_TURN + METRIC_BUCKETS - 1], 2, "beyond");
	is_int((long long)mine[CT_TURN_SUM], (long long)(20002002 +
	    (1ULL << 50)), "the sum");
}

static void
test_status(void)
{
	static const struct {
		unsigned	status, class, outcome;
	} t[] = { { 0, 0, 0 }, { 101, 0, 0 }, { 200, 1, 0 }, { 302, 2, 0 },
	    { 400, 3, 6 }, { 401, 3, 1 }, { 403, 3, 2 }, { 404, 3, 3 },
	    { 409, 3, 4 }, { 429, 3, 5 }, { 500, 4, 7 }, { 503, 4, 7 },
	    { 599, 4, 7 }, { 600, 0, 7 } };
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		is_int(metric_class(t[i].status), t[i].class, "class of %u",
		    t[i].status);
		is_int(metric_outcome(t[i].status), t[i].outcome,
		    "outcome of %u", t[i].status);
	}
}

/* What the manual says behind ".It Ic NAME", in one line. */
static int
manual_says(FILE *f, const char *name, char *dst, size_t size)
{
	char	line[512];
	int	in = 0;
	size_t	n = 0;

	rewind(f);
	dst[0] = '\0';
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '.') {
			if (in)
				break;
			in = strncmp(line, ".It Ic ", 7) == 0 &&
			    strcmp(line + 7, name) == 0;
		} else if (in && n < size)
			n += (size_t)snprintf(dst + n, size - n, "%s%s",
			    n > 0 ? " " : "", line);
	}
	return (in);
}

/* Names of the labels of the first row. */
static void
label_names(const struct metric *v, char *dst, size_t size)
{
	const char	*s = v->text;
	size_t		 n = 0;

	dst[0] = '\0';
	while (*s != '\0') {
		n += (size_t)snprintf(dst + n, size - n, "%s%.*s",
		    n == 0 ? ": " : ", ", (int)strcspn(s, "="), s);
		s = strchr(strchr(s, '"') + 1, '"') + 1;
		s += *s == ',';
	}
}

/* Each family is in relayd-metrics(7), with its kind, labels and help. */
static void
test_manual(void)
{
	static const char *const types[] = { "counter", "gauge", "information",
	    "histogram" };
	const char		*src = getenv("RELAYD_SRC");
	const struct metric	*m;
	char			 path[1024], name[128], want[1024], said[1024];
	char			 labels[128], line[512];
	size_t			 i, n, all = 0, there = 0;
	int			 role;
	FILE			*f;

	snprintf(path, sizeof(path), "%s/man/relayd-metrics.7", src ? src :
	    ".");
	if ((f = fopen(path, "r")) == NULL) {
		ok(0, "%s: %s", path, strerror(errno));
		return;
	}
	for (role = 0; role < ROLE_COUNT; role++)
		for (m = metric_table(role, &n), i = 0; i < n; i++) {
			if (m[i].kind != METRIC_FAMILY)
				continue;
			all++;
			label_names(&m[i + 1], labels, sizeof(labels));
			snprintf(name, sizeof(name), "%s%s", m[i].text,
			    m[i].type == METRIC_COUNTER ? "_total" : "");
			snprintf(want, sizeof(want), "(%s%s) %s",
			    types[m[i].type], labels, m[i].help);
			(void)manual_says(f, name, said, sizeof(said));
			is_str(said, want, "in the manual: %s", name);
		}
	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL)
		there += strncmp(line, ".It Ic ", 7) == 0;
	is_int((long long)there, (long long)all, "and nothing else");
	(void)fclose(f);
}

int
main(void)
{
	int	role;

	for (role = 1; role < ROLE_CLIENT; role++)
		test_table(role);
	test_text();
	test_histogram();
	test_status();
	test_manual();
	return (done_testing());
}
