/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "imsg/proto.h"
#include "proc/proc.h"
#include "fuzz.h"
#include "process.h"

#define KEY	"0123456789abcdef0123456789abcdef-fuzz-key\n"

static struct {
	const struct proc_ops	*ops;
	void			(*configure)(struct conf *);
	jmp_buf			 started;
	struct event_base	*base;
	struct chan		*parent;
	int			 parent_fd, authd_fd;
	void			(*after_turn)(void);
	struct conf		 conf;
} proc;

struct event_base *
proc_base(void)
{
	return (proc.base);
}

struct chan *
proc_parent(void)
{
	return (proc.parent);
}

const struct conf *
proc_conf(void)
{
	return (&proc.conf);
}

const char *
proc_root(void)
{
	return ("");
}

void
proc_title(const char *fmt, ...)
{
	(void)fmt;
}

void
proc_beat(void)
{
}

void
proc_after_turn(void (*fn)(void))
{
	proc.after_turn = fn;
}

/* Nobody here says STOP. */
void
proc_exit(int status)
{
	(void)status;
	abort();
}

static int
unheard(struct chan *c, struct imsg *m)
{
	(void)c;
	(void)m;
	return (0);
}

#define HANDLER(name)							\
int									\
name(struct chan *c, struct imsg *m)					\
{									\
	return (unheard(c, m));						\
}
HANDLER(proc_on_stop)
HANDLER(proc_on_leave)
HANDLER(proc_on_ping)
HANDLER(proc_on_speak)
HANDLER(proc_on_loglevel)
HANDLER(proc_on_channel)
HANDLER(proc_on_peer)
HANDLER(proc_on_cert)
HANDLER(proc_on_reload)
HANDLER(proc_on_reload_swap)
HANDLER(proc_on_clock)
HANDLER(proc_on_try)

static void
parent_closed(struct chan *c, int offence, const char *reason)
{
	(void)c;
	(void)offence;
	(void)reason;
	abort();			/* the parent says nothing wrong here */
}

static void
give_key(void)
{
	int	fd = memfd_create("key", MFD_CLOEXEC);

	if (fd == -1 || write(fd, KEY, strlen(KEY)) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1 ||
	    proc.ops->keyfile(KEY_JWT, fd) == -1)
		abort();
}

void
proc_main(const struct proc_ops *ops, int argc, char **argv)
{
	int	sv[2];

	(void)argc;
	(void)argv;
	proc.ops = ops;
	log_init("fuzz", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	if (ops->begin != NULL)
		ops->begin();
	if ((proc.base = event_base_new()) == NULL || imsg_pair(sv) == -1)
		abort();
	clock_init(proc.base);
	conf_init(&proc.conf);
	proc.configure(&proc.conf);
	if (ops->keyfile != NULL)
		give_key();
	proc.parent_fd = sv[0];
	if ((proc.parent = chan_new(proc.base, sv[1], ROLE_PARENT, ops->table,
	    ops->rows, parent_closed, NULL)) == NULL)
		abort();
	if (ops->channel != NULL) {
		if (imsg_pair(sv) == -1 || ops->channel(sv[1], PROTOCOL) == -1)
			abort();
		proc.authd_fd = sv[0];
	}
	ops->run();
	longjmp(proc.started, 1);
}

void
process_start(int (*main_)(int, char **), void (*configure)(struct conf *))
{
	char	*argv[] = { NULL };

	proc.configure = configure;
	if (setjmp(proc.started) == 0) {
		(void)main_(0, argv);
		abort();
	}
}

int
process_parent(void)
{
	return (proc.parent_fd);
}

int
process_authd(void)
{
	return (proc.authd_fd);
}

void
process_renew(void)
{
	int	sv[2];

	close(proc.authd_fd);
	if (imsg_pair(sv) == -1 || proc.ops->channel(sv[1], PROTOCOL) == -1)
		abort();
	proc.authd_fd = sv[0];
}

void
process_turn(int rounds)
{
	while (rounds-- > 0) {
		if (event_base_loop(proc.base, EVLOOP_ONCE |
		    EVLOOP_NONBLOCK) == -1)
			abort();
		if (proc.after_turn != NULL)
			proc.after_turn();
	}
}

int
process_say(int sock, uint32_t type, uint32_t id, int fd, const void *m)
{
	static uint8_t	 buf[IMSG_MAX];
	uint32_t	 head[2] = { type, id };
	long		 n = msg_put(type, m, buf + IMSG_HDR,
			    sizeof(buf) - IMSG_HDR);
	int		 r = -1;

	memcpy(buf, head, sizeof(head));
	if (n != -1)
		r = imsg_send(sock, buf, IMSG_HDR + (size_t)n, fd);
	if (fd != -1)
		close(fd);
	return (r);
}

int
process_hear(int sock, struct imsg *m)
{
	static uint8_t	 buf[IMSG_MAX];
	const char	*why;
	long		 n;
	int		 fd = -1;

	while ((n = imsg_recv(sock, buf, &fd)) == -1 && errno == ECONNRESET)
		continue;
	if (n == -1 && errno == EAGAIN)
		return (0);
	if (n <= 0)
		return (-1);
	memset(m, 0, sizeof(*m));
	if (imsg_parse(m, buf, (size_t)n, &why) == -1)
		abort();
	m->fd = fd;
	return ((int)m->type);
}

uint8_t
take_byte(struct take *t)
{
	return (t->p < t->end ? *t->p++ : 0);
}

uint64_t
take_number(struct take *t, int bytes)
{
	uint64_t	n = 0;

	while (bytes-- > 0)
		n = n << 8 | take_byte(t);
	return (n);
}

const uint8_t *
take_bytes(struct take *t, size_t len, size_t *got)
{
	const uint8_t	*p = t->p;

	*got = len < (size_t)(t->end - t->p) ? len : (size_t)(t->end - t->p);
	t->p += *got;
	return (p);
}

/* A whole process keeps what it has to its end, which is none here. */
const char	*__asan_default_options(void);
int		 __lsan_is_turned_off(void);

const char *
__asan_default_options(void)
{
	return ("detect_leaks=0");
}

int
__lsan_is_turned_off(void)
{
	return (1);
}
