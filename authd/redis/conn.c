/* SPDX-License-Identifier: ISC */
/*
 * One connection. Its life: redis_connect, redis_connected, the questions of
 * the beginning (AUTH, SELECT, SUBSCRIBE), redis_up; after each silence a PING;
 * at the end redis_lost, and a while later redis_connect.
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/redis/conn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "proc/proc.h"

#define ANSWER_MS	500	/* for one answer, and for the connection */
#define LOOK_MS		250	/* while one is waited for */
#define PING_MS		1000	/* of silence */
#define AGAIN_MS	250	/* from a loss to the next attempt */
#define WAITING_MAX	1024	/* commands without an answer */
#define WORDS_MAX	8	/* of a command */
#define ELEMENTS_MAX	16	/* of an answer */
#define REPLY_MAX	(1 << 20)	/* bytes of one */
#define READ_SIZE	16384
#define PASSWORD_MAX	4096

enum state { REDIS_AWAY, REDIS_CONNECTING, REDIS_GREETING, REDIS_UP };

struct asked {
	STAILQ_ENTRY(asked)	 entry;
	redis_then		 then;
	void			*arg;
	uint64_t		 since_ms;
};
STAILQ_HEAD(askeds, asked);

struct redis {
	/* set once */
	const struct redis_ops	*ops;
	const char *const	*channels;
	/* state */
	enum state		 state;
	int			 fd;
	struct event		*reading, *writing;
	struct evbuffer		*out;
	redisReader		*reader;
	struct askeds		 asked;
	unsigned		 waiting;
	unsigned		 greetings;	/* answers until it is up */
	size_t			 unread;	/* bytes of an answer so far */
	uint64_t		 heard_ms, pinged_ms;
	int			 said_lost;	/* in the log */
	struct timer		 tick;
};

static void	redis_connect(struct redis *);
static void	redis_lost(struct redis *, const char *);
static void	redis_read(evutil_socket_t, short, void *);
static void	redis_write(evutil_socket_t, short, void *);
static void	redis_tick(void *);

static struct {
	char	bytes[PASSWORD_MAX + 1];
} password;

int
redis_password(const void *bytes, size_t len)
{
	if (len == 0 || len > PASSWORD_MAX || memchr(bytes, '\0', len) != NULL)
		return (-1);
	memcpy(password.bytes, bytes, len);
	password.bytes[len] = '\0';
	password.bytes[strcspn(password.bytes, "\r\n")] = '\0';
	return (0);
}

/* hiredis allots what an answer says that it has: not more than it can have. */
#if HIREDIS_MAJOR >= 1
typedef size_t elements;
#else
typedef int elements;
#endif
static void	*(*make_array)(const redisReadTask *, elements);

static void *
make_small_array(const redisReadTask *task, elements n)
{
	return (n > ELEMENTS_MAX ? NULL : make_array(task, n));
}

static redisReader *
reader_new(void)
{
	static redisReplyObjectFunctions	 small;
	redisReader				*r = redisReaderCreate();

	if (r == NULL)
		return (NULL);
	if (make_array == NULL) {
		small = *r->fn;
		make_array = small.createArray;
		small.createArray = make_small_array;
	}
	r->fn = &small;
	return (r);
}

struct redis *
redis_new(const struct redis_ops *ops, const char *const *channels)
{
	struct redis	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->ops = ops;
	r->channels = channels;
	r->fd = -1;
	STAILQ_INIT(&r->asked);
	timer_init(&r->tick, redis_tick, r);
	if ((r->out = evbuffer_new()) == NULL) {
		free(r);
		return (NULL);
	}
	redis_connect(r);
	return (r);
}

int
redis_is_up(const struct redis *r)
{
	return (r != NULL && r->state == REDIS_UP);
}

static void
redis_close(struct redis *r)
{
	if (r->reading != NULL)
		event_free(r->reading);
	if (r->writing != NULL)
		event_free(r->writing);
	r->reading = r->writing = NULL;
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
	if (r->reader != NULL)
		redisReaderFree(r->reader);
	r->reader = NULL;
	evbuffer_drain(r->out, evbuffer_get_length(r->out));
	r->state = REDIS_AWAY;
	r->greetings = 0;
	r->unread = 0;
}

/* Whoever waits hears that nobody knows. */
static void
redis_forsake(struct redis *r)
{
	struct asked	*a;
	struct askeds	 all = STAILQ_HEAD_INITIALIZER(all);

	STAILQ_CONCAT(&all, &r->asked);
	r->waiting = 0;
	while ((a = STAILQ_FIRST(&all)) != NULL) {
		STAILQ_REMOVE_HEAD(&all, entry);
		if (a->then != NULL)
			a->then(NULL, a->arg);
		free(a);
	}
}

void
redis_free(struct redis *r)
{
	if (r == NULL)
		return;
	timer_del(&r->tick);
	redis_close(r);
	redis_forsake(r);
	evbuffer_free(r->out);
	free(r);
}

static void
redis_lost(struct redis *r, const char *why)
{
	int	was_up = r->state == REDIS_UP;

	if (!r->said_lost)
		log_warnx("redis: %s: %s; tried again until it answers",
		    r->ops->name, why);
	r->said_lost = 1;
	redis_close(r);
	timer_set(&r->tick, AGAIN_MS);
	redis_forsake(r);
	if (was_up && r->ops->down != NULL)
		r->ops->down(r);
}

static socklen_t
redis_address(struct sockaddr_storage *ss)
{
	const struct conf	*conf = proc_conf();
	struct sockaddr_in	*in = (struct sockaddr_in *)ss;
	struct sockaddr_in6	*in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, conf->redis_host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)conf->redis_port);
		return (sizeof(*in));
	}
	if (inet_pton(AF_INET6, conf->redis_host, &in6->sin6_addr) != 1)
		return (0);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)conf->redis_port);
	return (sizeof(*in6));
}

static void
redis_connect(struct redis *r)
{
	struct sockaddr_storage	ss;
	socklen_t		len = redis_address(&ss);
	int			one = 1;

	r->heard_ms = clock_ms();
	if ((r->reader = reader_new()) == NULL ||
	    (r->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0)) == -1 || (r->reading = event_new(proc_base(),
	    r->fd, EV_READ | EV_PERSIST, redis_read, r)) == NULL ||
	    (r->writing = event_new(proc_base(), r->fd, EV_WRITE, redis_write,
	    r)) == NULL || event_add(r->writing, NULL) == -1) {
		redis_lost(r, strerror(errno));
		return;
	}
	(void)setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(r->fd, (struct sockaddr *)&ss, len) == -1 &&
	    errno != EINPROGRESS) {
		redis_lost(r, strerror(errno));
		return;
	}
	r->state = REDIS_CONNECTING;
	timer_set(&r->tick, LOOK_MS);
}

static int
redis_put(struct redis *r, redis_then then, void *arg, int n,
    const char **words)
{
	struct asked	*a;
	char		*cmd;
	int		 len;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (-1);
	if ((len = redisFormatCommandArgv(&cmd, n, words, NULL)) == -1) {
		free(a);
		return (-1);
	}
	if (evbuffer_add(r->out, cmd, (size_t)len) == -1 ||
	    event_add(r->writing, NULL) == -1) {
		redisFreeCommand(cmd);
		free(a);
		return (-1);
	}
	explicit_bzero(cmd, (size_t)len);
	redisFreeCommand(cmd);
	a->then = then;
	a->arg = arg;
	a->since_ms = clock_ms();
	if (STAILQ_EMPTY(&r->asked))
		timer_set(&r->tick, LOOK_MS);
	STAILQ_INSERT_TAIL(&r->asked, a, entry);
	r->waiting++;
	return (0);
}

int
redis_ask(struct redis *r, redis_then then, void *arg, ...)
{
	const char	*words[WORDS_MAX];
	va_list		 ap;
	int		 n = 0;

	if (!redis_is_up(r) || r->channels != NULL ||
	    r->waiting == WAITING_MAX)
		return (-1);
	va_start(ap, arg);
	while (n < WORDS_MAX && (words[n] = va_arg(ap, const char *)) != NULL)
		n++;
	va_end(ap);
	return (redis_put(r, then, arg, n, words));
}

/* An answer of the beginning; what is refused will be refused again. */
static void
redis_greeted(const struct redisReply *reply, void *arg)
{
	struct redis	*r = arg;
	char		 why[128];

	if (reply == NULL)
		return;
	if (reply->type == REDIS_REPLY_ERROR) {
		log_escape(why, sizeof(why), reply->str, reply->len);
		redis_lost(r, why);
		return;
	}
	if (--r->greetings > 0)
		return;
	r->state = REDIS_UP;
	log_info("redis: %s: it answers", r->ops->name);
	r->said_lost = 0;
	if (r->ops->up != NULL)
		r->ops->up(r);
}

/* `last` may be NULL. */
static int
redis_greet(struct redis *r, const char *word, const char *arg,
    const char *last)
{
	const char	*words[] = { word, arg, last };

	r->greetings++;
	return (redis_put(r, redis_greeted, r, last != NULL ? 3 : 2, words));
}

static void
redis_connected(struct redis *r)
{
	const char		*user = proc_conf()->redis_user;
	const char *const	*c;
	char			 number[8];
	int			 bad = 0;

	r->state = REDIS_GREETING;
	snprintf(number, sizeof(number), "%u",
	    (unsigned)proc_conf()->redis_number);
	if (event_add(r->reading, NULL) == -1)
		bad = -1;
	if (password.bytes[0] != '\0' && user[0] != '\0')
		bad |= redis_greet(r, "AUTH", user, password.bytes);
	else if (password.bytes[0] != '\0')
		bad |= redis_greet(r, "AUTH", password.bytes, NULL);
	bad |= redis_greet(r, "SELECT", number, NULL);
	for (c = r->channels; c != NULL && *c != NULL; c++)
		bad |= redis_greet(r, "SUBSCRIBE", *c, NULL);
	if (bad)
		redis_lost(r, "out of memory");
}

static void
redis_write(evutil_socket_t fd, short what, void *arg)
{
	struct redis	*r = arg;
	socklen_t	 len = sizeof(int);
	int		 error = 0;

	(void)what;
	if (r->state == REDIS_CONNECTING) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
			error = errno;
		if (error != 0) {
			redis_lost(r, strerror(error));
			return;
		}
		redis_connected(r);
		return;
	}
	if (evbuffer_get_length(r->out) > 0 &&
	    evbuffer_write(r->out, fd) == -1 && errno != EAGAIN) {
		redis_lost(r, strerror(errno));
		return;
	}
	if (evbuffer_get_length(r->out) > 0 &&
	    event_add(r->writing, NULL) == -1)
		redis_lost(r, strerror(errno));
}

static int
is_word(const redisReply *reply, size_t i, const char *word)
{
	return (reply->elements > i &&
	    reply->element[i]->type == REDIS_REPLY_STRING &&
	    strcmp(reply->element[i]->str, word) == 0);
}

/* What comes unasked: messages of channels. */
static int
redis_told(struct redis *r, const redisReply *reply)
{
	const redisReply	*channel, *text;

	if (r->channels == NULL || reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != 3 || !is_word(reply, 0, "message"))
		return (0);
	channel = reply->element[1];
	text = reply->element[2];
	if (channel->type == REDIS_REPLY_STRING &&
	    text->type == REDIS_REPLY_STRING && r->state == REDIS_UP)
		r->ops->said(channel->str, text->str, (size_t)text->len);
	return (1);
}

/* -1: it has gone meanwhile, or is to go. */
static int
redis_reply(struct redis *r, const redisReply *reply)
{
	struct asked	*a;
	redisReader	*reader = r->reader;

	if (redis_told(r, reply))
		return (0);
	if ((a = STAILQ_FIRST(&r->asked)) == NULL) {
		redis_lost(r, "an answer that nobody asked for");
		return (-1);
	}
	STAILQ_REMOVE_HEAD(&r->asked, entry);
	r->waiting--;
	if (a->then != NULL)
		a->then(reply, a->arg);
	free(a);
	return (r->reader == reader ? 0 : -1);
}

static void
redis_parse(struct redis *r)
{
	void	*reply;
	int	 gone = 0;

	while (!gone) {
		if (redisReaderGetReply(r->reader, &reply) != REDIS_OK) {
			redis_lost(r, "an answer that is none");
			return;
		}
		if (reply == NULL)
			break;
		r->unread = 0;
		gone = redis_reply(r, reply);
		freeReplyObject(reply);
	}
	if (!gone && r->unread > REPLY_MAX)
		redis_lost(r, "an answer that is too long");
}

static void
redis_read(evutil_socket_t fd, short what, void *arg)
{
	struct redis	*r = arg;
	char		 buf[READ_SIZE];
	ssize_t		 n;

	(void)what;
	n = read(fd, buf, sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		redis_lost(r, n == 0 ? "connection closed" : strerror(errno));
		return;
	}
	r->heard_ms = clock_ms();
	r->unread += (size_t)n;
	if (redisReaderFeed(r->reader, buf, (size_t)n) != REDIS_OK)
		redis_lost(r, "out of memory");
	else
		redis_parse(r);
}

/* A server that is stopped takes connections, and says nothing in them. */
static int
redis_is_hung(const struct redis *r)
{
	const struct asked	*a = STAILQ_FIRST(&r->asked);
	uint64_t		 now = clock_ms();

	if (r->state == REDIS_CONNECTING)
		return (now - r->heard_ms >= ANSWER_MS);
	return (a != NULL && now - a->since_ms >= ANSWER_MS &&
	    now - r->heard_ms >= ANSWER_MS);
}

static void
redis_tick(void *arg)
{
	static const char	*ping[] = { "PING" };
	struct redis		*r = arg;

	if (r->state == REDIS_AWAY) {
		redis_connect(r);
		return;
	}
	if (redis_is_hung(r)) {
		redis_lost(r, "no answer in time");
		return;
	}
	timer_set(&r->tick, STAILQ_EMPTY(&r->asked) ? PING_MS : LOOK_MS);
	if (r->state == REDIS_UP && STAILQ_EMPTY(&r->asked) &&
	    clock_ms() - r->heard_ms >= PING_MS)
		(void)redis_put(r, NULL, NULL, 1, ping);
}
