/* SPDX-License-Identifier: ISC */
/* A long day: what a browser collects of proxyd's cookies. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define DAY	200		/* sessions */
#define LINE	1024		/* an eighth of what nginx takes by default */
#define HOST_COOKIE	"__Host-support_proxy"

static struct drive	d;

/* A browser's cookies: those of the parent domain, and each host's own. */
static struct {
	char	name[64], value[1024];
} domain[DAY + 10];
static size_t	n_domain;
static char	own[DAY][1024];

static const char *
slug_of(int i)
{
	static char	slug[33];

	snprintf(slug, sizeof(slug), "%08x111122223333444455555555", i);
	return (slug);
}

/* As long as a real one. */
static const char *
token_of(int i)
{
	static char	token[2048];
	char		text[512], b64[1024];
	int		n;

	n = snprintf(text, sizeof(text), "{\"token_type\":\"proxy\","
	    "\"session_id\":\"%08x-1111-2222-3333-444455555555\",\"exp\":%d,"
	    "\"user_id\":\"", i, 1900000000 + i);
	memset(text + n, 'u', 200);
	snprintf(text + n + 200, sizeof(text) - (size_t)n - 200, "\"}");
	sodium_bin2base64(b64, sizeof(b64), (unsigned char *)text,
	    strlen(text), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	snprintf(token, sizeof(token), "eyJhbGciOiJIUzI1NiJ9.%s.%043d", b64, i);
	return (token);
}

/* What authd calls it from then on. */
static const char *
reference_of(int i)
{
	static char		text[REFERENCE_SIZE];
	struct reference	r = { .expires = 1900000000U + (unsigned)i };

	(void)reference_session(slug_of(i), r.session);
	memset(r.secret, i, sizeof(r.secret));
	reference_write(&r, text);
	return (text);
}

static void
domain_set(const char *name, const char *value, int age)
{
	size_t	i;

	for (i = 0; i < n_domain; i++)
		if (strcmp(domain[i].name, name) == 0)
			break;
	if (i == n_domain && age > 0)
		n_domain++;
	if (age > 0) {
		snprintf(domain[i].name, sizeof(domain[i].name), "%s", name);
		snprintf(domain[i].value, sizeof(domain[i].value), "%s", value);
	} else if (i < n_domain)
		domain[i] = domain[--n_domain];
}

/* Take what an answer sets, as a browser does for host number `host`. */
static void
browser_takes(const char *a, int host)
{
	char		 line[4096], *eq, *semi, *age;
	const char	*v;
	int		 i;

	for (i = 0; *(v = header_of(a, "set-cookie", i)) != '\0'; i++) {
		snprintf(line, sizeof(line), "%s", v);
		eq = strchr(line, '=');
		semi = strchr(line, ';');
		age = strstr(line, "Max-Age=");
		if (eq == NULL || semi == NULL || age == NULL)
			continue;
		*eq = *semi = '\0';
		if (strstr(semi + 1, "Domain=." DOMAIN ";") != NULL)
			domain_set(line, eq + 1, atoi(age + 8));
		else if (strcmp(line, HOST_COOKIE) == 0 &&
		    strstr(semi + 1, "Path=/;") != NULL &&
		    strstr(semi + 1, "; Secure") != NULL)
			snprintf(own[host], sizeof(own[host]), "%s", eq + 1);
	}
}

/* The Cookie field for host number `host`. */
static const char *
cookies_for(int host)
{
	static char	line[65536];
	size_t		i, n = 0;

	n += (size_t)snprintf(line, sizeof(line), "mine=1");
	for (i = 0; i < n_domain; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "; %s=%s",
		    domain[i].name, domain[i].value);
	if (own[host][0] != '\0')
		(void)snprintf(line + n, sizeof(line) - n, "; " HOST_COOKIE
		    "=%s", own[host]);
	return (line);
}

/* Go to a page of a host; the request as its service gets it. */
static const char *
page(int host, const char *service, uint64_t grant, const char *fields)
{
	static char	 seen[65536];
	int		 fd = browser(&d, 0), st;
	char		*a;

	put(fd, "GET / HTTP/1.1\r\nHost: %s--%s." DOMAIN "\r\nCookie: %s\r\n"
	    "%s\r\n", service, slug_of(host), cookies_for(host), fields);
	if (grant != 0)
		grant_yes(&d, grant);
	st = stream_yes(&d);
	snprintf(seen, sizeof(seen), "%s", request_at(st));
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
	    "Set-Cookie: " HOST_COOKIE "=evil; Path=/; Secure\r\n\r\nok");
	a = answer(fd);
	if (status_of(a) != 200)
		diag("host %d: %d", host, status_of(a));
	browser_takes(a, host);
	close(st);
	close(fd);
	return (seen);
}

static void
day(void)
{
	size_t	 longest = 0, value = 0, len;
	int	 i, fd, good = 0;
	char	*a;

	for (i = 0; i < DAY; i++) {
		fd = browser(&d, 0);
		len = strlen(cookies_for(i));
		longest = len > longest ? len : longest;
		put(fd, "GET /?token=%s HTTP/1.1\r\nHost: web--%s." DOMAIN
		    "\r\nCookie: %s\r\n\r\n", token_of(i), slug_of(i),
		    cookies_for(i));
		grant_yes_as(&d, (uint64_t)i + 1, reference_of(i));
		a = answer(fd);
		good += status_of(a) == 302;
		browser_takes(a, i);
		value = strlen(own[i]) > value ? strlen(own[i]) : value;
		close(fd);
	}
	ok(value > 0 && value <= 64, "cookies of %zu bytes", value);
	is_int(good, DAY, "200 sessions in a day: each is opened");
	ok(longest < LINE && n_domain <= 6,
	    "and the longest Cookie field has %zu bytes", longest);
	for (i = good = 0; i < DAY; i++) {
		len = strlen(cookies_for(i));
		longest = len > longest ? len : longest;
		good += strstr(page(i, "web", (uint64_t)DAY + 1 + (uint64_t)i,
		    ""), "Cookie: mine=1\r\n")
		    != NULL;
	}
	is_int(good, DAY, "each is still open in the evening, and its service "
	    "sees no cookie of ours");
	ok(longest < LINE, "with a Cookie field of %zu bytes", longest);
}

static int
has_domain(int i)
{
	size_t	j;

	for (j = 0; j < n_domain; j++)
		if (strstr(domain[j].name, slug_of(i)) != NULL)
			return (1);
	return (0);
}

/* A sibling of a session that is worked with, and one that comes for good. */
static void
siblings(void)
{
	char	keep[1024];

	ok(!has_domain(3), "an old session is not on the parent domain");
	(void)page(3, "web", 0, "Accept: */*\r\n");
	ok(!has_domain(3), "nor does a script's request change that");
	(void)page(3, "web", 0, "Sec-Fetch-Site: none\r\n"
	    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n");
	ok(has_domain(3) && n_domain <= 6, "a page of it brings it back there");
	snprintf(keep, sizeof(keep), "%s", own[3]);
	own[3][0] = '\0';
	(void)page(3, "api", 0, "Accept: text/html\r\n");
	is_str(own[3], keep, "a sibling that comes in has its own from then");
}

/* Another session's page plants what it likes on the parent domain. */
static void
planted(void)
{
	char	name[128];
	int	i;

	snprintf(name, sizeof(name), "support_proxy_%s", slug_of(5));
	n_domain = 0;
	for (i = 0; i < 5; i++) {
		/* Other paths: browsers send the longer first. */
		snprintf(domain[n_domain].name, 64, "%s", name);
		snprintf(domain[n_domain++].value, 64, "planted%d", i);
	}
	ok(strstr(page(5, "web", 0, ""), "Cookie: mine=1\r\n") != NULL,
	    "five planted cookies do not hide the host's own");
	ok(is_quiet(d.authd, 20), "and are not even asked about");
}

#define FROM(site)	"Sec-Fetch-Site: " site "\r\n"			\
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"

/* What the service of host 7 sees, the browser having `cookies` besides. */
static const char *
seen(const char *cookies, const char *fields, char **answered)
{
	int		 fd = browser(&d, 0), st;
	static char	 see[4096];

	put(fd, "GET /a/b HTTP/1.1\r\nHost: web--%s." DOMAIN "\r\n"
	    "Cookie: " HOST_COOKIE "=%s; %s\r\n%s\r\n", slug_of(7), own[7],
	    cookies, fields);
	st = stream_yes(&d);
	snprintf(see, sizeof(see), "%s", header_of(request_at(st), "cookie",
	    0));
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	*answered = answer(fd);
	close(st);
	close(fd);
	return (see);
}

/* How many of its Set-Cookie fields have this text in them. */
static int
sets(const char *a, const char *what)
{
	const char	*v;
	int		 i, n = 0;

	for (i = 0; *(v = header_of(a, "set-cookie", i)) != '\0'; i++)
		n += strstr(v, what) != NULL;
	return (n);
}

static void
applications(void)
{
	char	*a;

	is_str(seen("sid=evil; __Host-~sid=.good; lang=de",
	    FROM("none"), &a), "sid=good",
	    "operator-37: what comes from elsewhere brings no other cookies");
	ok(sets(a, "sid=; Domain=" DOMAIN "; Path=/; Max-Age=0") == 2 &&
	    sets(a, "lang=; Domain=" DOMAIN "; Path=/a; Max-Age=0") == 2 &&
	    sets(a, "lang=; Domain=" DOMAIN "; Path=/a/b/; Max-Age=0") == 0 &&
	    sets(a, "lang=; Domain=" DOMAIN "; Path=/a/b; Max-Age=0") == 2,
	    "which are taken away, wherever they can be");
	is_str(seen("lang=de; __Host-~sid=.good", FROM("same-origin"), &a),
	    "sid=good; lang=de", "a page's own script may have set it");
	ok(sets(a, "__Host-~lang=#") == 1 && sets(a, "Max-Age=0") == 0,
	    "which is remembered");
	is_str(seen("lang=de; __Host-~lang=#j68PC78OTBMwf3pixNWirA",
	    FROM("none"), &a), "lang=de", "and holds for whoever comes back");
}

/* With "script cookies no" only what the service has set. */
static void
strictly(void)
{
	char	*a;

	is_str(seen("lang=de; csrf=t; __Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw; "
	    "new=1; __Host-~new=#j68PC78OTBMwf3pixNWirA", FROM("same-origin"),
	    &a), "csrf=t", "strictly: no script's cookie, nor its change");
	ok(sets(a, "#") == 0, "and none is vouched for");
}

/* More than we read. */
static void
overlong(void)
{
	static char	 line[70000];
	int		 fd = browser(&d, 0), n, i;
	char		*a;

	n = snprintf(line, sizeof(line), "Cookie: small=1");
	for (i = 0; n < 65000; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
		    "; fill%d=%03000d", i, i);
	line[66000] = '\0';
	put(fd, "GET /x HTTP/1.1\r\nHost: web--%s." DOMAIN "\r\n%s\r\n\r\n",
	    slug_of(7), line);
	a = answer(fd);
	is_int(status_of(a), 431, "a head that is too long");
	ok(sets(a, "fill0=; Domain=" DOMAIN "; Path=/; Max-Age=0") == 2 &&
	    sets(a, "fill19=; Domain=" DOMAIN "; Path=/x; Max-Age=0") == 2,
	    "what fills it is taken away");
	close(fd);
	fd = browser(&d, 0);
	put(fd, "GET /x;Domain=evil HTTP/1.1\r\nHost: web--%s." DOMAIN
	    "\r\n%s\r\n\r\n", slug_of(7), line);
	a = answer(fd);
	ok(sets(a, "fill0=; Domain=" DOMAIN "; Path=/x; Max-Age=0") == 2 &&
	    sets(a, ";Domain") == 0,
	    "operator-43: a path ends before it becomes attributes");
	close(fd);
	fd = browser(&d, 0);
	put(fd, "GET /x HTTP/1.1\r\nHost: www.example.net\r\n%s\r\n\r\n",
	    line);
	a = answer(fd);
	ok(status_of(a) == 431 && sets(a, "") == 0, "on proxied hosts only");
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	day();
	siblings();
	planted();
	applications();
	overlong();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	cf.script_cookies = 0;
	drive_start(&d, ROLE_PROXYD, &cf);
	(void)page(7, "web", 9001, "");
	strictly();
	is_int(drive_leave(&d), 0, "and that one");
	return (done_testing());
}
