/* SPDX-License-Identifier: ISC */
/* A connection, plain or TLS, behind the same few calls. */
#include <sys/socket.h>

#include <openssl/err.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net.h"

static int	ssl_errno(struct sock *, int);

/* What SSL_get_error() says, as an errno; 0 is the end of the peer's data. */
static int
ssl_errno(struct sock *c, int r)
{
	char	text[256];
	int	saved = errno;

	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_WRITE:
		c->want_write = 1;
		return (EAGAIN);
	case SSL_ERROR_WANT_READ:
		return (EAGAIN);
	case SSL_ERROR_ZERO_RETURN:
		return (0);
	case SSL_ERROR_SYSCALL:
		return (saved == 0 ? ECONNRESET : saved);
	default:
		ERR_error_string_n(ERR_get_error(), text, sizeof(text));
		log_debug("tls: %s", text);
		ERR_clear_error();
		return (EPROTO);
	}
}

ssize_t
sock_read(struct sock *c, void *buf, size_t len)
{
	size_t	n = 0, got;
	int	r, e = 0;

	if (c->ssl == NULL)
		return (read(c->fd, buf, len));
	c->want_write = c->more = 0;
	/* A record is 16 KiB at most: take all that there is room for. */
	do {
		ERR_clear_error();
		errno = 0;
		r = SSL_read_ex(c->ssl, (uint8_t *)buf + n, len - n, &got);
		if (r == 1)
			n += got;
	} while (r == 1 && n < len && (!c->ahead || SSL_has_pending(c->ssl)));
	if (r == 1)
		c->more = c->ahead && SSL_has_pending(c->ssl);
	else if ((e = ssl_errno(c, r)) != EAGAIN)
		c->more = n > 0;
	if (n > 0 || e == 0)
		return ((ssize_t)n);
	errno = e;
	return (-1);
}

void
sock_ahead(struct sock *c)
{
	BIO	*bio = SSL_get_rbio(c->ssl);

	if (BIO_method_type(bio) != BIO_TYPE_SOCKET || BIO_get_ktls_recv(bio))
		return;
	c->ahead = 1;
	SSL_set_read_ahead(c->ssl, 1);
}

ssize_t
sock_writev(struct sock *c, const struct iovec *iov, int n)
{
	size_t	done = 0, put, off;
	int	i, r = 1;

	if (c->ssl == NULL)
		return (writev(c->fd, iov, n));
	for (i = 0; i < n && r == 1; i++) {
		for (off = 0; off < iov[i].iov_len; off += put, done += put) {
			ERR_clear_error();
			errno = 0;
			r = SSL_write_ex(c->ssl,
			    (const uint8_t *)iov[i].iov_base + off,
			    iov[i].iov_len - off, &put);
			if (r != 1)
				break;
		}
	}
	if (r == 1 || done > 0)
		return ((ssize_t)done);
	if ((errno = ssl_errno(c, r)) == 0)
		errno = EPIPE;
	c->want_write = 0;	/* who writes waits for that anyway */
	return (-1);
}

ssize_t
sock_put(struct sock *c, const void *p, size_t len)
{
	struct iovec	iov = { (void *)(uintptr_t)p, len };
	ssize_t		n = sock_writev(c, &iov, 1);

	return (n == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : n);
}

/* TLS to a proxy below may have more than the one above took. */
static int
under_pending(SSL *ssl)
{
	BIO	*bio = SSL_get_rbio(ssl);
	SSL	*under = NULL;

	if (BIO_method_type(bio) == BIO_TYPE_SSL)
		(void)BIO_get_ssl(bio, &under);
	return (under != NULL && SSL_pending(under) > 0);
}

int
sock_pending(const struct sock *c)
{
	return (c->ssl != NULL && (c->more || SSL_pending(c->ssl) > 0 ||
	    under_pending(c->ssl)));
}

void
sock_shut(struct sock *c)
{
	if (c->fd == -1 || c->eof)
		return;
	c->eof = 1;
	if (c->ssl == NULL) {
		(void)shutdown(c->fd, SHUT_WR);
		return;
	}
	ERR_clear_error();
	(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}

void
sock_reset(struct sock *c)
{
	struct linger	now = { .l_onoff = 1, .l_linger = 0 };

	/* A terminal's end is no socket. */
	if (c->fd != -1)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now,
		    sizeof(now));
	c->eof = 1;	/* no farewell of TLS either */
	sock_close(c);
}

void
sock_close(struct sock *c)
{
	if (c->ssl != NULL) {
		sock_shut(c);
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}
