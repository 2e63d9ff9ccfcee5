/* SPDX-License-Identifier: ISC */
/*
 * dialerd and names: questions and answers of DNS through its sandbox, a name
 * server that is silent, says no, or says nonsense; and questions of authd's
 * that it has no answer to.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "regress/lib/drive.h"
#include "regress/lib/tap.h"

#define DNS_HEAD	12	/* bytes before the question */
#define TYPE_A		1
#define NXDOMAIN	3

static struct drive	dialerd;
static struct conf	conf;
static uint32_t		last_id;

/*
 * By the first letter of the name: h(ere), n(o such), q(uiet), r(ubbish). What
 * there is has one address, 127.0.0.1. Returns how long the answer is.
 */
static size_t
dns_answer(uint8_t *m, size_t len)
{
	static const uint8_t	record[] = { 0xc0, 0x0c, 0, TYPE_A, 0, 1, 0, 0,
	    0, 60, 0, 4, 127, 0, 0, 1 };
	int			here;

	if (len < DNS_HEAD + 6 || m[DNS_HEAD + 1] == 'q')
		return (0);
	here = m[DNS_HEAD + 1] == 'h' && m[len - 3] == TYPE_A;
	if (m[DNS_HEAD + 1] == 'r') {
		memset(m + 2, 0xff, len - 2);
		return (len);
	}
	m[2] |= 0x80;
	m[3] = m[DNS_HEAD + 1] == 'n' ? NXDOMAIN : 0;
	m[7] = (uint8_t)here;
	m[9] = m[11] = 0;	/* nothing behind the question */
	if (!m[7])
		return (len);
	memcpy(m + len, record, sizeof(record));
	return (len + sizeof(record));
}

static void
dns_serve(int fd)
{
	struct sockaddr_in	from;
	uint8_t			m[1024];
	socklen_t		size;
	ssize_t			n;
	size_t			len;

	for (;;) {
		size = sizeof(from);
		n = recvfrom(fd, m, sizeof(m) - 64, 0, (void *)&from, &size);
		if (n <= DNS_HEAD)
			continue;
		len = dns_answer(m, (size_t)n);
		if (len > 0)
			(void)sendto(fd, m, len, 0, (void *)&from, size);
	}
}

/* A name server on a port of its own, in a process of its own. */
static pid_t
dns_start(void)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		size = sizeof(sin);
	int			fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
				    0);
	char			where[32];
	pid_t			pid;

	if (fd == -1 || bind(fd, (void *)&sin, sizeof(sin)) == -1 ||
	    getsockname(fd, (void *)&sin, &size) == -1 ||
	    (pid = fork()) == -1)
		bail("name server");
	if (pid == 0)
		dns_serve(fd);
	close(fd);
	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(sin.sin_port));
	setenv("TUNNEL_CLIENT_DNS", where, 1);
	return (pid);
}

static uint32_t
ask(const char *issuer)
{
	say_id(dialerd.authd, ++last_id, issuer_ask, .issuer = issuer);
	return (last_id);
}

static void
hears(uint32_t id, const char *want, const char *what)
{
	struct msg_issuer_said	 in;
	struct imsg		*m = hear_next(dialerd.authd, issuer_said, &in);

	is_int(m->id, id, "%s: an answer", what);
	is_str(in.why, want, "%s", what);
}

static void
names(void)
{
	static const struct {
		const char	*issuer, *why, *what;
	} cases[] = {
		/* Found, and then there is nobody to trust. */
		{ "https://here.test/x", "no authority is trusted: see \"ca "
		    "file\"", "a name that is found" },
		{ "https://no.test", "no such host", "a name that is not" },
		{ "https://quiet.test", "its name could not be looked up in "
		    "time", "a name server that is silent" },
	};
	size_t	i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		hears(ask(cases[i].issuer), cases[i].why, cases[i].what);
}

/* Whatever comes back, nothing is found, and it serves on. */
static void
nonsense(void)
{
	struct msg_issuer_said	 in;

	(void)ask("https://rubbish.test");
	(void)hear_next(dialerd.authd, issuer_said, &in);
	ok(strstr(in.why, "authority") == NULL && in.why[0] != '\0',
	    "rubbish is no address: %s", in.why);
	hears(ask("https://here.test/x"), "no authority is trusted: see \"ca "
	    "file\"", "and the next is looked up");
}

static void
no_answer(void)
{
	uint32_t	id;

	hears(ask("https://else.test"), "not in the configuration",
	    "one that is not configured");
	hears(ask("https://here.test/"), "not in the configuration",
	    "nor one that is nearly");
	id = ask("https://quiet.test");
	hears(ask("https://quiet.test"), "it is being asked",
	    "the same again meanwhile");
	hears(id, "its name could not be looked up in time",
	    "the first is answered");
}

/* A new authd: what the old one asked is nobody's. */
static void
authd_goes(void)
{
	(void)ask("https://quiet.test");
	drive_channel(&dialerd);
	hears(ask("https://here.test/x"), "no authority is trusted: see \"ca "
	    "file\"", "its successor's question");
	hears(ask("https://quiet.test"), "its name could not be looked up in "
	    "time", "and the one that the other had asked");
	say_raw(dialerd.authd, IMSG_ISSUER_ASK, 1, -1, "x", 1);
	ok(hear_end(dialerd.authd) == 0, "a malformed question ends the link");
	drive_channel(&dialerd);
	hears(ask("https://no.test"), "no such host", "and not the process");
}

int
main(void)
{
	static const char *const	urls[] = { "https://here.test/x",
	    "https://no.test", "https://quiet.test", "https://rubbish.test" };
	pid_t				dns;
	size_t				i;

	conf_init(&conf);
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		strlcpy(conf.issuer[i], urls[i], ISSUER_SIZE);
	conf.n_issuer = conf.n_issuer_keys = (unsigned)i;
	conf.keys_timeout = 1;
	dns = dns_start();
	drive_start(&dialerd, ROLE_DIALERD, &conf);
	names();
	nonsense();
	no_answer();
	authd_goes();
	is_int(drive_leave(&dialerd), 0, "it leaves with the parent");
	kill(dns, SIGKILL);
	waitpid(dns, NULL, 0);
	return (done_testing());
}
