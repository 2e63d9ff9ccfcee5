/* SPDX-License-Identifier: ISC */
/*
 * From a name to a connection: look the name up once, check every address,
 * dial only what was checked (T15), TLS. One address after the other, each
 * with its share of the time that is left.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net.h"
#include "net_int.h"

/*
 * Unsent bytes in the kernel: as muxd's.  Else what gives the server credit
 * waits behind megabytes on a slow line, and the other direction dries up.
 */
#define NOTSENT_LOWAT	(128 * 1024)

struct dial {
	/* set once */
	dial_fn		 fn;
	void		*arg;
	uint16_t	 port;
	int		 check, not_local;
	enum dial_tls	 tls;
	char		*name;
	/* state */
	struct lookup	*lookup;
	struct net_addr	 v[NET_ADDRS];
	size_t		 n, next;
	uint64_t	 due_ms;	/* of resolve and connect */
	struct sock	 sock;
	SSL		*under;		/* TLS to the proxy, below that in sock */
	struct event	 ev;
	int		 ev_set;
	struct timer	 timer;
	char		 why[256];
};

static void	dial_resolved(void *, const struct net_addr *, size_t,
		    const char *);
static void	dial_next(struct dial *);
static int	dial_connect(struct dial *, const struct net_addr *);
static void	dial_connected(evutil_socket_t, short, void *);
static void	dial_tls_start(evutil_socket_t, short, void *);
static void	dial_tls_step(evutil_socket_t, short, void *);
static void	dial_tls_failed(struct dial *);
static void	dial_timeout(void *);
static void	dial_wait(struct dial *, short, event_callback_fn);
static void	dial_done(struct dial *, const char *);
static void	dial_free(struct dial *);

static struct dial *
dial_new(const struct dial_how *how, dial_fn fn, void *arg)
{
	struct dial	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	d->fn = fn;
	d->arg = arg;
	d->port = how->port;
	d->check = how->check;
	d->not_local = how->not_local;
	d->tls = how->tls;
	d->sock.fd = -1;
	timer_init(&d->timer, dial_timeout, d);
	if (how->name != NULL && (d->name = strdup(how->name)) == NULL) {
		free(d);
		return (NULL);
	}
	return (d);
}

struct dial *
dial_start(const struct dial_how *how, dial_fn fn, void *arg)
{
	struct dial	*d;

	if ((d = dial_new(how, fn, arg)) == NULL)
		return (NULL);
	if ((d->lookup = lookup_start(how->host, dial_resolved, d)) == NULL) {
		dial_free(d);
		return (NULL);
	}
	d->due_ms = clock_ms() + DIAL_CONNECT_MS;
	timer_set(&d->timer, DIAL_CONNECT_MS);
	return (d);
}

struct dial *
dial_over(struct sock *c, const struct dial_how *how, dial_fn fn, void *arg)
{
	struct dial	*d;

	if ((d = dial_new(how, fn, arg)) == NULL)
		return (NULL);
	d->sock.fd = c->fd;
	d->under = c->ssl;
	c->fd = -1;
	c->ssl = NULL;
	/* The first bytes are ours: what is to be said begins with a write. */
	dial_wait(d, EV_WRITE, dial_tls_start);
	return (d);
}

static void
dial_resolved(void *arg, const struct net_addr *v, size_t n, const char *why)
{
	struct dial	*d = arg;
	size_t		 i;

	d->lookup = NULL;
	if (why != NULL) {
		dial_done(d, why);
		return;
	}
	for (i = 0; i < n; i++) {
		/* One bad address spoils the name: who says it is no friend. */
		if (d->check &&
		    target_check_addr(v[i].family, v[i].addr) != TARGET_OK) {
			dial_done(d, target_strerror(TARGET_E_ADDRESS));
			return;
		}
		if (d->not_local &&
		    target_addr_is_local(v[i].family, v[i].addr)) {
			dial_done(d, target_strerror(TARGET_E_LOCAL));
			return;
		}
		d->v[d->n++] = v[i];
	}
	dial_next(d);
}

/* Try the next address; the last one's failure is the dial's. */
static void
dial_next(struct dial *d)
{
	uint64_t	now = clock_ms(), left;

	left = d->due_ms > now ? d->due_ms - now : 0;
	while (d->next < d->n) {
		timer_set(&d->timer, left / (d->n - d->next));
		if (dial_connect(d, &d->v[d->next++]) == 0)
			return;
	}
	dial_done(d, NULL);
}

static int
dial_connect(struct dial *d, const struct net_addr *a)
{
	struct sockaddr_in	sin = { 0 };
	struct sockaddr_in6	sin6 = { 0 };
	int			fd, r, one = 1, lowat = NOTSENT_LOWAT;

	fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		snprintf(d->why, sizeof(d->why), "%s", strerror(errno));
		return (-1);
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
#ifdef TCP_NOTSENT_LOWAT
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat,
	    sizeof(lowat));
#endif
	if (a->family == AF_INET) {
		sin.sin_family = AF_INET;
		sin.sin_port = htons(d->port);
		memcpy(&sin.sin_addr, a->addr, 4);
		r = connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	} else {
		sin6.sin6_family = AF_INET6;
		sin6.sin6_port = htons(d->port);
		memcpy(&sin6.sin6_addr, a->addr, 16);
		r = connect(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	}
	if (r == -1 && errno != EINPROGRESS) {
		snprintf(d->why, sizeof(d->why), "%s", strerror(errno));
		close(fd);
		return (-1);
	}
	d->sock.fd = fd;
	dial_wait(d, EV_WRITE, dial_connected);
	/* Reading certificates takes 10 ms: do it while the SYN travels. */
	if (d->tls != DIAL_PLAIN)
		(void)net_tls(d->tls);
	return (0);
}

static void
dial_wait(struct dial *d, short what, event_callback_fn fn)
{
	event_assign(&d->ev, net_base(), d->sock.fd, what, fn, d);
	d->ev_set = event_add(&d->ev, NULL) == 0;
}

static void
dial_drop(struct dial *d)
{
	if (d->ev_set)
		event_del(&d->ev);
	d->ev_set = 0;
	SSL_free(d->under);
	d->under = NULL;
	sock_close(&d->sock);
}

static void
dial_connected(evutil_socket_t fd, short what, void *arg)
{
	struct dial	*d = arg;
	socklen_t	 len = sizeof(int);
	int		 err = 0;

	(void)what;
	d->ev_set = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err != 0) {
		snprintf(d->why, sizeof(d->why), "%s", strerror(err));
		dial_drop(d);
		dial_next(d);
		return;
	}
	timer_del(&d->timer);
	if (d->tls == DIAL_PLAIN) {
		d->why[0] = '\0';
		dial_done(d, "");
	} else
		dial_tls_start(fd, 0, d);
}

/* SNI and the name to check; an address has no SNI. */
static int
dial_tls_name(struct dial *d)
{
	uint8_t	addr[16];
	int	literal;

	if (d->name == NULL || *d->name == '\0')
		return (0);
	literal = inet_pton(AF_INET, d->name, addr) == 1 ||
	    inet_pton(AF_INET6, d->name, addr) == 1;
	if (!literal &&
	    SSL_set_tlsext_host_name(d->sock.ssl, d->name) != 1)
		return (-1);
	if (d->tls != DIAL_TLS_SERVER && d->tls != DIAL_TLS_PROXY)
		return (0);
	if (literal)
		return (X509_VERIFY_PARAM_set1_ip_asc(
		    SSL_get0_param(d->sock.ssl), d->name) == 1 ? 0 : -1);
	SSL_set_hostflags(d->sock.ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return (SSL_set1_host(d->sock.ssl, d->name) == 1 ? 0 : -1);
}

/* TLS over the socket, or over the TLS to the proxy. */
static int
dial_tls_below(struct dial *d)
{
	BIO	*bio;

	if (d->under == NULL)
		return (SSL_set_fd(d->sock.ssl, d->sock.fd) == 1 ? 0 : -1);
	if ((bio = BIO_new(BIO_f_ssl())) == NULL)
		return (-1);
	(void)BIO_set_ssl(bio, d->under, BIO_CLOSE);
	d->under = NULL;
	SSL_set_bio(d->sock.ssl, bio, bio);
	return (0);
}

static void
dial_tls_start(evutil_socket_t fd, short what, void *arg)
{
	struct dial	*d = arg;
	SSL_CTX		*ctx = net_tls(d->tls);

	(void)what;
	d->ev_set = 0;
	d->sock.ssl = ctx == NULL ? NULL : SSL_new(ctx);
	if (d->sock.ssl == NULL || dial_tls_name(d) == -1 ||
	    dial_tls_below(d) == -1) {
		dial_done(d, "TLS cannot be set up");
		return;
	}
	SSL_set_connect_state(d->sock.ssl);
	timer_set(&d->timer, DIAL_TLS_MS);
	dial_tls_step(fd, 0, d);
}

static void
dial_tls_step(evutil_socket_t fd, short what, void *arg)
{
	struct dial	*d = arg;
	int		 r;

	(void)fd;
	(void)what;
	d->ev_set = 0;
	ERR_clear_error();
	errno = 0;
	if ((r = SSL_do_handshake(d->sock.ssl)) == 1) {
		dial_done(d, "");
		return;
	}
	switch (SSL_get_error(d->sock.ssl, r)) {
	case SSL_ERROR_WANT_READ:
		dial_wait(d, EV_READ, dial_tls_step);
		break;
	case SSL_ERROR_WANT_WRITE:
		dial_wait(d, EV_WRITE, dial_tls_step);
		break;
	default:
		dial_tls_failed(d);
	}
}

static void
dial_tls_failed(struct dial *d)
{
	long		 verify = SSL_get_verify_result(d->sock.ssl);
	unsigned long	 e = ERR_get_error();
	const char	*text = e == 0 ? NULL : ERR_reason_error_string(e);

	if ((d->tls == DIAL_TLS_SERVER || d->tls == DIAL_TLS_PROXY) &&
	    verify != X509_V_OK)
		snprintf(d->why, sizeof(d->why), "TLS: certificate refused: %s",
		    X509_verify_cert_error_string(verify));
	else
		snprintf(d->why, sizeof(d->why), "TLS: %s", text != NULL ?
		    text : "the peer closed the connection");
	ERR_clear_error();
	dial_done(d, NULL);
}

static void
dial_timeout(void *arg)
{
	struct dial	*d = arg;

	if (d->sock.ssl != NULL) {
		dial_done(d, "TLS handshake timed out");
	} else if (d->lookup != NULL) {
		dial_done(d, "name lookup timed out");
	} else {
		snprintf(d->why, sizeof(d->why), "%s", strerror(ETIMEDOUT));
		dial_drop(d);
		dial_next(d);
	}
}

/* `why`: "" is success, NULL means that d->why has the reason. */
static void
dial_done(struct dial *d, const char *why)
{
	dial_fn		 fn = d->fn;
	void		*arg = d->arg;
	struct sock	 c;
	char		 text[256];

	if (why == NULL)
		why = d->why[0] == '\0' ? "no address" : d->why;
	snprintf(text, sizeof(text), "%s", why);
	if (text[0] == '\0') {
		c = d->sock;
		d->sock.fd = -1;
		d->sock.ssl = NULL;
	}
	dial_free(d);
	if (text[0] == '\0')
		fn(arg, &c, NULL);
	else
		fn(arg, NULL, text);
}

static void
dial_free(struct dial *d)
{
	timer_del(&d->timer);
	if (d->lookup != NULL)
		lookup_cancel(d->lookup);
	dial_drop(d);
	free(d->name);
	free(d);
}

void
dial_cancel(struct dial *d)
{
	dial_free(d);
}
