/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "imsg/msg.h"
#include "message.h"
#include "out.h"
#include "proc/proc.h"
#include "proc/visit.h"
#include "shell.h"

#define FRAME_MAX	65536		/* bytes of one frame, with its type */
#define LENGTH_SIZE	4		/* of the length before it */
#define READ_MAX	(16 * 1024)	/* at once */
#define STATUS_SIZE	16		/* "signal 64" and a NUL */
#define LINE_MAX_LEN	1024		/* of the client's reply line */

static struct {
	const struct shell_ops	*ops;
	int		 fd;
	size_t		 frame_max;	/* with its type */
	struct event	*readable, *writable;
	struct outbuf	 out;
	uint8_t		 in[LENGTH_SIZE + FRAME_MAX];
	size_t		 in_len;
	int		 line_seen;
	char		 status[STATUS_SIZE];
} shell = { .fd = -1 };

int
shell_send(uint8_t type, const uint8_t *p, size_t len)
{
	uint8_t	head[LENGTH_SIZE + 1];
	size_t	n;

	do {
		n = len < shell.frame_max - 1 ? len : shell.frame_max - 1;
		head[0] = (uint8_t)((n + 1) >> 24);
		head[1] = (uint8_t)((n + 1) >> 16);
		head[2] = (uint8_t)((n + 1) >> 8);
		head[3] = (uint8_t)(n + 1);
		head[4] = type;
		if (out_add(&shell.out, head, sizeof(head)) == -1 ||
		    out_add(&shell.out, p, n) == -1)
			return (-1);
		p += n;
		len -= n;
	} while (len > 0);
	return (0);
}

void
shell_flush(void)
{
	if (shell.fd == -1 || out_left(&shell.out) == 0)
		return;
	if (out_write(&shell.out, shell.fd) == -1)
		return;		/* its reading end says why */
	if (out_left(&shell.out) > 0)
		event_want(shell.writable, NULL);
}

static void
shell_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	shell_flush();
	shell.ops->moved(0);
}

/* The client's `OK` or `ERROR ...`: 1 past it, 0 not whole yet, -1 refused. */
static int
shell_line(void)
{
	char	 text[MESSAGE_SIZE], reason[256];
	uint8_t	*end;
	size_t	 len;

	end = memchr(shell.in, '\n',
	    shell.in_len <= LINE_MAX_LEN ? shell.in_len : LINE_MAX_LEN + 1);
	if (end == NULL && shell.in_len <= LINE_MAX_LEN)
		return (0);
	len = end != NULL ? (size_t)(end - shell.in) : 0;
	if (len == 2 && memcmp(shell.in, "OK", 2) == 0) {
		shell.line_seen = 1;
		shell.in_len -= 3;
		memmove(shell.in, end + 1, shell.in_len);
		return (1);
	}
	if (len > 6 && memcmp(shell.in, "ERROR ", 6) == 0)
		log_escape(reason, sizeof(reason), (char *)shell.in + 6,
		    len - 6);
	else
		strlcpy(reason, "unexpected answer", sizeof(reason));
	snprintf(text, sizeof(text), "terminal not available: %s", reason);
	shell.ops->ended(1011, END_REFUSED, text);
	return (-1);
}

/* A customer's word: what it means is read, and said in our own. */
static void
shell_said(const uint8_t *p, size_t len)
{
	char	 text[STATUS_SIZE];
	unsigned n;

	if (len >= sizeof(text))
		return;
	memcpy(text, p, len);
	text[len] = '\0';
	if (sscanf(text, "exit %3u", &n) == 1 && n <= 255)
		snprintf(shell.status, sizeof(shell.status), "exit %u", n);
	else if (sscanf(text, "signal %2u", &n) == 1 && n >= 1 && n <= 64)
		snprintf(shell.status, sizeof(shell.status), "signal %u", n);
}

/* One frame. The other types are ours or nobody's to send. */
static void
shell_frame(const uint8_t *p, size_t len)
{
	if (len > 0 && p[0] == FRAME_DATA)
		shell.ops->shown(p + 1, len - 1);
	else if (len > 0 && p[0] == FRAME_STATUS)
		shell_said(p + 1, len - 1);
}

static void
shell_take(void)
{
	const uint8_t	*p;
	size_t		 off = 0, len;

	if (!shell.line_seen && shell_line() != 1)
		return;
	while (shell.in_len - off >= LENGTH_SIZE) {
		p = shell.in + off;
		len = (size_t)p[0] << 24 | (size_t)p[1] << 16 |
		    (size_t)p[2] << 8 | p[3];
		if (len > shell.frame_max) {
			shell.ops->ended(1011, END_LIMIT,
			    "terminal frame too long");
			return;
		}
		if (shell.in_len - off - LENGTH_SIZE < len)
			break;
		shell_frame(p + LENGTH_SIZE, len);
		if (shell.fd == -1)
			return;
		off += LENGTH_SIZE + len;
	}
	shell.in_len -= off;
	memmove(shell.in, shell.in + off, shell.in_len);
}

/*
 * A clean end is end of file without POLLHUP (messages.md, section 2), and not
 * inside a frame.
 */
static void
shell_ended(void)
{
	struct pollfd	pfd = { shell.fd, POLLIN, 0 };
	int		broken;

	broken = poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR));
	if (!shell.line_seen)
		shell.ops->ended(1011, END_TUNNEL, "tunnel connect failed");
	else if (broken || shell.in_len > 0)
		shell.ops->ended(1011, END_TUNNEL,
		    "connection to the system was lost");
	else
		shell.ops->ended(1000, END_CLEAN, NULL);
}

static void
shell_event(evutil_socket_t fd, short what, void *arg)
{
	size_t	room = sizeof(shell.in) - shell.in_len;
	ssize_t	n;

	(void)what;
	(void)arg;
	n = recv(fd, shell.in + shell.in_len,
	    room < READ_MAX ? room : READ_MAX, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		shell_ended();
		return;
	}
	shell.in_len += (size_t)n;
	shell_take();
	shell.ops->moved((size_t)n);
}

void
shell_begin(int fd, size_t max, const struct shell_ops *ops)
{
	shell.ops = ops;
	shell.fd = fd;
	shell.frame_max = max < FRAME_MAX ? max : FRAME_MAX;
	shell.readable = event_new(proc_base(), fd, EV_READ | EV_PERSIST,
	    shell_event, NULL);
	shell.writable = event_new(proc_base(), fd, EV_WRITE, shell_write,
	    NULL);
	if (shell.readable == NULL || shell.writable == NULL)
		fatalx("terminal: out of memory");
}

size_t
shell_left(void)
{
	return (out_left(&shell.out));
}

void
shell_reading(int on)
{
	if (shell.fd == -1)
		return;
	if (on)
		event_want(shell.readable, NULL);
	else
		event_del(shell.readable);
}

const char *
shell_status(void)
{
	return (shell.status);
}

void
shell_close(void)
{
	event_free(shell.readable);
	event_free(shell.writable);
	close(shell.fd);
	shell.fd = -1;
	shell.in_len = 0;
	out_clear(&shell.out);
	explicit_bzero(shell.in, sizeof(shell.in));
}
