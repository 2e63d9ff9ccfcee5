/* SPDX-License-Identifier: ISC */
/* How much is held to be rewritten: of a body, and of all of them. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define MOST	5242880
#define APP	"app.lan"
#define WEB	"web--" SLUG "." DOMAIN
#define PAGES	12
/* One proxyd of 64 has room for 5767168 bytes: so many steps of 64 KiB. */
#define ROOM	88
#define SMALL	100

static struct drive	d;
static char		text[MOST + 1], packed[8 << 20], came[16 << 20];

/* A page that says its host at both ends, of `len` bytes. */
static void
fill(size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('a' + i * 7 / 3 % 26);
	memcpy(text, APP " ", 8);
	memcpy(text + len - 8, " " APP, 8);
}

/* `n` bytes of zeros between its ends; the packed length. */
static size_t
pack(size_t len, size_t zeros)
{
	static char	none[65536];
	z_stream	z;
	size_t		n;

	memset(&z, 0, sizeof(z));
	(void)deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0);
	z.next_in = (Bytef *)text;
	z.avail_in = (uInt)len;
	z.next_out = (Bytef *)packed;
	z.avail_out = sizeof(packed);
	(void)deflate(&z, Z_NO_FLUSH);
	for (; zeros > 0; zeros -= n) {
		n = zeros < sizeof(none) ? zeros : sizeof(none);
		z.next_in = (Bytef *)none;
		z.avail_in = (uInt)n;
		(void)deflate(&z, Z_NO_FLUSH);
	}
	(void)deflate(&z, Z_FINISH);
	(void)deflateEnd(&z);
	return (sizeof(packed) - z.avail_out);
}

/* From a process of its own: head and body. */
static pid_t
say_all(int st, const char *head, const char *body, size_t len)
{
	pid_t	pid = fork();

	if (pid != 0)
		return (pid);
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%s\r\n\r\n",
	    head);
	put_bytes(st, body, len);
	_exit(0);
}

/* All that comes behind the head until the service has been heard. */
static size_t
read_all(int fd, size_t want)
{
	size_t	n = 0;
	ssize_t	r = 1;

	while (n < want && (r = recv(fd, came + n, want - n, 0)) > 0)
		n += (size_t)r;
	return (n);
}

/* What a page becomes; its head, and `*len` bytes of body in `came`. */
static const char *
becomes(const char *head, const char *body, size_t len, size_t *got)
{
	static char	 kept[4096];
	int		 fd = browser(&d, 0), st, status;
	pid_t		 pid;
	const char	*cl;

	st = open_stream(&d, fd, "/big", 0);
	(void)request_at(st);
	pid = say_all(st, head, body, len);
	snprintf(kept, sizeof(kept), "%s", get_until(fd, "\r\n\r\n"));
	cl = header_of(kept, "content-length", 0);
	*got = read_all(fd, *cl != '\0' ? strtoul(cl, NULL, 10) : len);
	(void)waitpid(pid, &status, 0);
	close(st);
	close(fd);
	return (kept);
}

static int
is_rewritten(size_t got, size_t len)
{
	return (got == len + 2 * (strlen(WEB) - strlen(APP)) &&
	    memcmp(came, WEB " ", strlen(WEB) + 1) == 0 &&
	    memcmp(came + got - strlen(WEB), WEB, strlen(WEB)) == 0 &&
	    memcmp(came + strlen(WEB), text + strlen(APP), len - 14) == 0);
}

static const char *
length(size_t n, const char *more)
{
	static char	head[128];

	snprintf(head, sizeof(head), "Content-Length: %zu%s", n, more);
	return (head);
}

/* In chunks of 16000 bytes, in `packed`. */
static size_t
in_chunks(size_t len, const char *eol)
{
	size_t	at, n, out = 0;

	for (at = 0; at < len; at += n) {
		n = len - at < 16000 ? len - at : 16000;
		out += (size_t)sprintf(packed + out, "%zx%s", n, eol);
		memcpy(packed + out, text + at, n);
		out += n;
		out += (size_t)sprintf(packed + out, "%s", eol);
	}
	return (out + (size_t)sprintf(packed + out, "0%s%s", eol, eol));
}

/* Are these strict chunks of so much of the text, and all of it? */
static int
is_rechunked(size_t got, size_t len)
{
	size_t	 at = 0, n, sum = 0;
	char	*end;

	came[got] = '\0';
	do {
		n = strtoul(came + at, &end, 16);
		at = (size_t)(end - came) + 2;
		if (strncmp(end, "\r\n", 2) != 0 || at + n > got ||
		    sum + n > len || memcmp(came + at, text + sum, n) != 0 ||
		    strncmp(came + at + n, "\r\n", 2) != 0)
			return (0);
		at += n + 2;
		sum += n;
	} while (n > 0);
	return (sum == len && at == got);
}

/* Odd ones of a page that is too long: what is held goes first. */
static void
odd_chunks(void)
{
	size_t	n = in_chunks(MOST + 1, "\n"), got = 0;
	int	fd = browser(&d, 0), st = open_stream(&d, fd, "/odd", 0), status;
	ssize_t	r = 1;
	pid_t	pid;

	(void)request_at(st);
	pid = say_all(st, "Transfer-Encoding: chunked", packed, n);
	(void)get_until(fd, "\r\n\r\n");
	while (r > 0 && (got < 5 || memcmp(came + got - 5, "0\r\n\r\n", 5) != 0))
		if ((r = recv(fd, came + got, sizeof(came) - 1 - got, 0)) > 0)
			got += (size_t)r;
	(void)waitpid(pid, &status, 0);
	ok(is_rechunked(got, MOST + 1), "in odd chunks too: in strict ones");
	close(st);
	close(fd);
}


static void
plain(void)
{
	const char	*head;
	size_t		 got, n;

	fill(MOST);
	(void)becomes(length(MOST, ""), text, MOST, &got);
	ok(is_rewritten(got, MOST), "operator-46: 5242880 bytes are rewritten");
	n = in_chunks(MOST, "\r\n");
	(void)becomes("Transfer-Encoding: chunked", packed, n, &got);
	ok(is_rewritten(got, MOST), "operator-46: in chunks too");
	fill(MOST + 1);
	head = becomes(length(MOST + 1, "\r\nETag: \"e\""), text, MOST + 1,
	    &got);
	ok(got == MOST + 1 && memcmp(came, text, got) == 0 &&
	    strcmp(header_of(head, "etag", 0), "\"e\"") == 0,
	    "operator-46: 5242881 come through whole and as they were");
	n = in_chunks(MOST + 1, "\r\n");
	(void)becomes("Transfer-Encoding: chunked", packed, n, &got);
	ok(got == n && memcmp(came, packed, n) == 0,
	    "operator-46: in chunks too");
	odd_chunks();
}

/* The unpacked answer takes the place of the packed one: its length, or 0. */
static size_t
unpack(size_t len)
{
	z_stream	z;
	int		n;

	memset(&z, 0, sizeof(z));
	(void)inflateInit2(&z, 31);
	memcpy(packed, came, len);
	z.next_in = (Bytef *)packed;
	z.avail_in = (uInt)len;
	z.next_out = (Bytef *)came;
	z.avail_out = sizeof(came);
	n = inflate(&z, Z_FINISH);
	(void)inflateEnd(&z);
	return (n == Z_STREAM_END ? sizeof(came) - z.avail_out : 0);
}

static void
gzip(void)
{
	const char	*more = "\r\nContent-Encoding: gzip", *head;
	size_t		 got, n;
	long		 before;

	fill(MOST);
	n = pack(MOST, 0);
	head = becomes(length(n, more), packed, n, &got);
	ok(strcmp(header_of(head, "content-encoding", 0), "gzip") == 0 &&
	    is_rewritten(unpack(got), MOST),
	    "operator-46: gzip of 5242880 bytes is rewritten");
	fill(MOST + 1);
	n = pack(MOST + 1, 0);
	(void)becomes(length(n, more), packed, n, &got);
	ok(got == n && memcmp(came, packed, n) == 0,
	    "operator-46: gzip of 5242881 bytes passes as it is");

	n = pack(64, 1 << 30);
	before = drive_kib(&d, "status", "VmHWM:");
	head = becomes(length(n, more), packed, n, &got);
	ok(got == n && memcmp(came, packed, n) == 0,
	    "operator-46: a gzip bomb of 1 GiB (%zu bytes) gets through", n);
	ok(drive_kib(&d, "status", "VmHWM:") < before + 2048,
	    "operator-46: and memory does not grow (%ld kB, then %ld)", before,
	    drive_kib(&d, "status", "VmHWM:"));
}

/* Twelve pages at once, of browsers that do not read yet. */
static void
many(void)
{
	int		 fd[PAGES], st[PAGES], i, status, rewritten = 0, asis = 0;
	long		 before, most;
	pid_t		 pid[PAGES];
	const char	*cl;
	size_t		 n;

	fill(MOST);
	before = drive_kib(&d, "status", "VmRSS:");
	for (i = 0; i < PAGES; i++) {
		fd[i] = browser(&d, 0);
		st[i] = open_stream(&d, fd[i], "/many", 0);
		(void)request_at(st[i]);
		/* All but the last byte: nothing can be answered. */
		put(st[i], "OK\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
		    "Content-Length: %d\r\n\r\n", MOST);
		if ((pid[i] = fork()) == 0) {
			put_bytes(st[i], text, MOST - 1);
			_exit(0);
		}
		/* Those that are not held would wait for their browser. */
		if (i < 10)
			(void)waitpid(pid[i], &status, 0);
	}
	(void)get_until(fd[10], "\r\n\r\n");
	(void)get_until(fd[11], "\r\n\r\n");
	most = drive_kib(&d, "status", "VmRSS:");
	ok(most - before < 53 * 1024 && most - before > 48 * 1024,
	    "operator-48: of 12 pages of 5 MB 50 MB are held (%ld kB)",
	    most - before);
	for (i = 0; i < PAGES; i++) {
		n = i >= 10 ? read_all(fd[i], MOST - 1) : 0;
		if (i >= 10)
			(void)waitpid(pid[i], &status, 0);
		put_bytes(st[i], text + MOST - 1, 1);
		if (i >= 10) {
			n += (size_t)recv(fd[i], came + n, 1, 0);
			asis += n == MOST && memcmp(came, text, MOST) == 0;
		} else {
			cl = header_of(get_until(fd[i], "\r\n\r\n"),
			    "content-length", 0);
			n = read_all(fd[i], strtoul(cl, NULL, 10));
			rewritten += is_rewritten(n, MOST);
		}
		close(st[i]);
		close(fd[i]);
	}
	is_int(rewritten, 10, "operator-48: these are rewritten");
	is_int(asis, 2, "operator-48: those beyond go through as they are");
	(void)becomes(length(MOST, ""), text, MOST, &n);
	ok(is_rewritten(n, MOST), "operator-48: and then there is room again");
	/* The last one may not have heard yet that nobody reads it. */
	for (i = 0; i < 1000 &&
	    drive_kib(&d, "status", "VmRSS:") >= before + 4096; i++)
		drive_clock(&d, 0);
	ok(drive_kib(&d, "status", "VmRSS:") < before + 4096,
	    "and memory is given back (%ld kB, then %ld)", before,
	    drive_kib(&d, "status", "VmRSS:"));
}

/* A small share is one page. */
static void
crowded(void)
{
	size_t	got;
	int	fd = browser(&d, 0), st, i;

	fill(MOST);
	(void)becomes(length(MOST, ""), text, MOST, &got);
	ok(is_rewritten(got, MOST),
	    "operator-46: one proxyd of 64 rewrites 5242880 bytes");
	st = open_stream(&d, fd, "/held", 0);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
	    "Content-Length: %d\r\n\r\n", MOST);
	put_bytes(st, text, MOST / 2);
	(void)becomes(length(MOST, ""), text, MOST, &got);
	ok(got == MOST && memcmp(came, text, MOST) == 0,
	    "and one at a time");
	close(st);
	close(fd);
	/*
	 * It has heard that nobody waits for the half one when there is room.
	 */
	for (i = 0; i < 1000 && !is_rewritten(got, MOST); i++)
		(void)becomes(length(MOST, ""), text, MOST, &got);
	ok(is_rewritten(got, MOST), "when that one has gone there is room again");
}

/* Of these browsers, how many have heard nothing. */
static int
held_of(const int *fd)
{
	int	i, held = 0;

	for (i = 0; i < SMALL; i++)
		held += recv(fd[i], came, 1, MSG_DONTWAIT | MSG_PEEK) == -1;
	return (held);
}

/* What a small page that is held takes is its own, not what it might become. */
static void
small(void)
{
	static const char	*said = "HTTP/1.1 200 OK\r\n"
	    "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
	int	fd[SMALL], st[SMALL], i, held, tries;
	long	before = drive_kib(&d, "status", "VmSize:"), now;

	for (i = 0; i < SMALL; i++) {
		fd[i] = browser_from(&d, 1 + i / 50);
		st[i] = open_stream(&d, fd[i], "/small", 0);
		(void)request_at(st[i]);
		put(st[i], "OK\n%s5\r\nhello\r\n", said);
	}
	/* Those beyond are answered, in whatever order. */
	for (tries = 0; tries < 1000 && held_of(fd) > ROOM; tries++)
		drive_clock(&d, 0);
	held = held_of(fd);
	now = drive_kib(&d, "status", "VmSize:");
	for (i = 0; i < SMALL; i++) {
		close(st[i]);
		close(fd[i]);
	}
	is_int(held, ROOM, "operator-48: of %d pages in chunks so many are "
	    "held as there is room for a step each", SMALL);
	ok(now - before < ROOM * 64 + 16384, "operator-48: and no more than "
	    "that is mapped (%ld kB)", now - before);
}

static void
begin(struct conf *cf, unsigned int proxyds)
{
	cf->proxyd_count = proxyds;
	drive_start(&d, ROLE_PROXYD, cf);
	grant_first(&d);
	services(&d, "web", "10.0.0.5:8080", APP, "", "");
}

int
main(void)
{
	struct conf	cf;
	const char	*fast = getenv("RELAYD_FAST_BUILD");

	if (fast != NULL)
		setenv("RELAYD_BUILD", fast, 1);
	/* A page whose service is silent for 5 s is held no more. */
	setenv("RELAYD_CLOCK_SLOW", "50", 1);
	proxyd_conf(&cf);
	begin(&cf, 1);
	plain();
	gzip();
	many();
	(void)drive_leave(&d);
	begin(&cf, 64);
	crowded();
	small();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
