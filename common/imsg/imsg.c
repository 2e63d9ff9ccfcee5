/* SPDX-License-Identifier: ISC */
/* The pure half of messages: packets, fields, the dispatch check. */
#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "imsg.h"
#include "msg.h"

/* The most that one packet can carry: SCM_MAX_FD of the kernel. */
#define RIGHTS_MAX	253
#define DEPTH_MAX	16	/* sockets sent in sockets */

/* As many descriptors as can come, so that the kernel closes none for us. */
union rights {
	struct cmsghdr	hdr;
	uint8_t		space[CMSG_SPACE(sizeof(int) * RIGHTS_MAX)];
};

static int	spare = INT_MAX;	/* the first number that is */

static long	receive(int, struct iovec *, union rights *, struct msghdr *);
static int	take_fds(struct msghdr *, int *);

int
imsg_pair(int sv[2])
{
	return (socketpair(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv));
}

int
imsg_refuse_fds(int sock)
{
	int	off = 0;

#ifdef RELAYD_TESTING
	/* As a kernel before 6.16 would say. */
	if (getenv("RELAYD_TEST_NO_PASSRIGHTS") != NULL) {
		errno = ENOPROTOOPT;
		return (-1);
	}
#endif
	return (setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &off,
	    sizeof(off)));
}

void
imsg_set_spare(int first)
{
	spare = first;
}

int
imsg_is_spare(int fd)
{
	return (fd >= spare);
}

int
imsg_carries(const struct dispatch *table, size_t rows, int role)
{
	size_t	i;

	for (i = 0; i < rows; i++)
		if ((table[i].roles & ROLE_BIT(role)) &&
		    msg_info(table[i].type)->carries != CARRIES_NOTHING)
			return (1);
	return (0);
}

static int
option(int fd, int name)
{
	int		value;
	socklen_t	len = sizeof(value);

	return (getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1 ? -1 :
	    value);
}

int
imsg_disarm_fd(int fd)
{
	static const struct linger	off = { 0, 0 };
	struct linger			now = { 0, 0 };
	socklen_t			len = sizeof(now);

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) == 0)
		return (0);
	return (getsockopt(fd, SOL_SOCKET, SO_LINGER, &now, &len) == 0 &&
	    now.l_onoff && now.l_linger > 0 ? -1 : 0);
}

void
imsg_drain(int sock)
{
	uint8_t		byte;
	struct iovec	iov = { &byte, 1 };
	union rights	rights;
	struct msghdr	mh;
	long		n;
	int		fd;

	/* From now on nothing can be sent to it: it has an end. */
	if (shutdown(sock, SHUT_RD) == -1)
		return;
	do {
		n = receive(sock, &iov, &rights, &mh);
		if (n >= 0 && take_fds(&mh, &fd) == 0)
			imsg_drop_fd(fd);
	} while (n > 0 || (n == -1 && errno == ECONNRESET));
}

void
imsg_close_fd(int fd)
{
	/* Left open, it ends with this process, whose end waits for none. */
	if (fd != -1 && imsg_disarm_fd(fd) == 0)
		close(fd);
}

void
imsg_drop_fd(int fd)
{
	static int	depth;

	/* What waits in it unread is closed with it, sockets in sockets too. */
	if (fd != -1 && option(fd, SO_DOMAIN) == AF_UNIX &&
	    option(fd, SO_ACCEPTCONN) == 0) {
		if (depth == DEPTH_MAX)
			return;		/* stays open: that waits for none */
		depth++;
		imsg_drain(fd);
		depth--;
	}
	imsg_close_fd(fd);
}

/*
 * Keep the first descriptor, close the rest: a surplus one that stayed open
 * would be a right that nobody granted. 0, or the errno for imsg_recv().
 */
static int
take_fds(struct msghdr *mh, int *fd)
{
	struct cmsghdr	*c;
	int		 got, surplus = 0;
	size_t		 i, n;

	*fd = -1;
	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&got, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(got));
			if (*fd == -1) {
				*fd = got;
				continue;
			}
			imsg_drop_fd(got);
			surplus = 1;
		}
	}
	if (!surplus && !(mh->msg_flags & MSG_CTRUNC))
		return (0);
	/* There is room for all; that not even one came is our shortage. */
	if (*fd == -1)
		return (EMFILE);
	imsg_drop_fd(*fd);
	*fd = -1;
	return (EBADMSG);
}

static long
receive(int sock, struct iovec *iov, union rights *rights, struct msghdr *mh)
{
	long	n;

	memset(mh, 0, sizeof(*mh));
	mh->msg_iov = iov;
	mh->msg_iovlen = 1;
	mh->msg_control = rights;
	mh->msg_controllen = sizeof(*rights);
	do {
		n = recvmsg(sock, mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	return (n);
}

long
imsg_recv(int sock, uint8_t *buf, int *fd)
{
	union rights	rights;
	struct iovec	iov = { buf, IMSG_MAX };
	struct msghdr	mh;
	long		n;
	int		error;

	*fd = -1;
	if ((n = receive(sock, &iov, &rights, &mh)) == -1)
		return (-1);
	error = take_fds(&mh, fd);
	if (error == 0 && imsg_is_spare(*fd)) {
		imsg_drop_fd(*fd);
		*fd = -1;
		error = EMFILE;
	}
	if (error == 0 && (mh.msg_flags & MSG_TRUNC)) {
		imsg_drop_fd(*fd);
		*fd = -1;
		error = EMSGSIZE;
	}
	if (error == 0 && n == 0) {
		/* An empty packet is no message, whatever came with it. */
		imsg_drop_fd(*fd);
		*fd = -1;
	}
	if (error == 0)
		return (n);
	explicit_bzero(buf, (size_t)n);		/* it may hold a secret */
	errno = error;
	return (-1);
}

static ssize_t
send_with(int sock, const uint8_t *buf, size_t len, int fd)
{
	union {
		struct cmsghdr	hdr;
		uint8_t		space[CMSG_SPACE(sizeof(int))];
	} cbuf;
	struct iovec	 iov = { (void *)(uintptr_t)buf, len };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr	*c;

	memset(&cbuf, 0, sizeof(cbuf));
	mh.msg_control = &cbuf;
	mh.msg_controllen = sizeof(cbuf);
	c = CMSG_FIRSTHDR(&mh);
	c->cmsg_len = CMSG_LEN(sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return (sendmsg(sock, &mh, MSG_NOSIGNAL));
}

int
imsg_send(int sock, const uint8_t *buf, size_t len, int fd)
{
	ssize_t	n;

	do {
		/* sendmsg() is not in every role's filter. */
		n = fd == -1 ? send(sock, buf, len, MSG_NOSIGNAL) :
		    send_with(sock, buf, len, fd);
	} while (n == -1 && errno == EINTR);
	return (n == -1 ? -1 : 0);
}

int
imsg_parse(struct imsg *m, const uint8_t *buf, size_t len, const char **reason)
{
	if (len < IMSG_HDR) {
		*reason = "shorter than a header";
		return (-1);
	}
	if (len > IMSG_MAX) {
		*reason = "longer than a message may be";
		return (-1);
	}
	memcpy(&m->type, buf, 4);
	memcpy(&m->id, buf + 4, 4);
	m->p = buf + IMSG_HDR;
	m->end = buf + len;
	return (0);
}

static const char *
check_fd(const struct imsg *m, enum msg_carries carries)
{
	int		type;
	socklen_t	len = sizeof(type);

	if (carries == CARRIES_NOTHING)
		return (m->fd == -1 ? NULL : "surplus descriptor");
	if (m->fd == -1)
		return ("missing descriptor");
	if (carries == CARRIES_SOCKET && getsockopt(m->fd, SOL_SOCKET, SO_TYPE,
	    &type, &len) == -1)
		return ("descriptor is not a socket");
	return (NULL);
}

static const char *
check_row(const struct imsg *m, const struct dispatch *d, int role, int state)
{
	const struct msg_info	*info = msg_info(d->type);
	size_t			 len = (size_t)(m->end - m->p);

	if (!(d->roles & ROLE_BIT(role)))
		return ("not for this role to send");
	if (!(d->states & S(state)))
		return ("not in this state");
	if (len < info->min && m->protocol == 0)
		return ("too short");
	if (len > info->max)
		return ("too long");
	if ((d->flags & (MF_REQUEST | MF_ANSWER)) && m->id == 0)
		return ("no request id");
	return (check_fd(m, info->carries));
}

const struct dispatch *
imsg_check(const struct imsg *m, const struct dispatch *table, size_t rows,
    int role, int state, uint64_t *seen, const char **reason)
{
	size_t	i;

	*reason = "unknown type";
	for (i = 0; i < rows; i++) {
		if (table[i].type != m->type)
			continue;
		*reason = check_row(m, &table[i], role, state);
		if (*reason != NULL)
			continue;	/* another row may allow it */
		if ((table[i].flags & MF_ONCE) && seen != NULL) {
			if (*seen & (1ULL << i)) {
				*reason = "sent twice";
				return (NULL);
			}
			*seen |= 1ULL << i;
		}
		return (&table[i]);
	}
	return (NULL);
}

const char *
imsg_table(const struct dispatch *table, size_t rows)
{
	size_t	i, j;

	if (rows > ROWS_MAX)
		return ("more rows than MF_ONCE has bits for");
	for (i = 0; i < rows; i++) {
		if (msg_info(table[i].type) == NULL)
			return ("a row without a type");
		if ((table[i].fn == NULL) != !!(table[i].flags & MF_ANSWER))
			return ("a handler on an answer, or none");
		for (j = 0; j < i; j++)
			if (table[j].type == table[i].type &&
			    (table[j].roles & table[i].roles) &&
			    (table[j].states & table[i].states))
				return ("two rows for one message");
	}
	return (NULL);
}

int
m_take_fd(struct imsg *m)
{
	int	fd = m->fd;

	m->fd = -1;
	return (fd);
}
