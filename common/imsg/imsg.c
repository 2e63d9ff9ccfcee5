/* SPDX-License-Identifier: ISC */
/* The pure half of messages: packets, fields, the dispatch check. */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "imsg.h"
#include "msg.h"

int
imsg_pair(int sv[2])
{
	return (socketpair(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv));
}

void
imsg_drop_fd(int fd)
{
	static const struct linger	off = { 0, 0 };

	if (fd == -1)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	close(fd);
}

/*
 * Keep the first descriptor, close the rest: a surplus one that stayed open
 * would be a right that nobody granted. 0, or the errno for imsg_recv().
 */
static int
recv_fds(struct msghdr *mh, int *fd)
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
	/* There is room for four; that not even one came is our shortage. */
	if (*fd == -1)
		return (EMFILE);
	imsg_drop_fd(*fd);
	*fd = -1;
	return (EBADMSG);
}

long
imsg_recv(int sock, uint8_t *buf, int *fd)
{
	union {
		struct cmsghdr	hdr;
		uint8_t		space[CMSG_SPACE(sizeof(int) * 4)];
	} cbuf;
	struct iovec	iov = { buf, IMSG_MAX };
	struct msghdr	mh = { 0 };
	ssize_t		n;
	int		error;

	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	mh.msg_control = &cbuf;
	mh.msg_controllen = sizeof(cbuf);
	*fd = -1;
	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return (-1);
	error = recv_fds(&mh, fd);
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

int
imsg_send(int sock, const uint8_t *buf, size_t len, int fd)
{
	union {
		struct cmsghdr	hdr;
		uint8_t		space[CMSG_SPACE(sizeof(int))];
	} cbuf;
	struct iovec	 iov = { (void *)(uintptr_t)buf, len };
	struct msghdr	 mh = { 0 };
	struct cmsghdr	*c;
	ssize_t		 n;

	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (fd != -1) {
		memset(&cbuf, 0, sizeof(cbuf));
		mh.msg_control = &cbuf;
		mh.msg_controllen = sizeof(cbuf);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_len = CMSG_LEN(sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do {
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
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
	if (len < info->min)
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
