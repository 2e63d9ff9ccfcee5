/* SPDX-License-Identifier: ISC */
/* How TLS is read: once where little is there, and nothing is forgotten. */
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net/net.h"
#include "regress/lib/tap.h"

static struct sock	ours;
static SSL		*theirs;	/* between two memories */
static int		 far;		/* what is written there comes to us */
static unsigned		 reads;		/* of our socket */
static char		 buf[65536];

static unsigned
psk_ours(SSL *ssl, const char *hint, char *id, unsigned id_size,
    unsigned char *psk, unsigned size)
{
	(void)ssl;
	(void)hint;
	snprintf(id, id_size, "test");
	memset(psk, 7, size < 32 ? size : 32);
	return (32);
}

static unsigned
psk_theirs(SSL *ssl, const char *id, unsigned char *psk, unsigned size)
{
	(void)ssl;
	(void)id;
	memset(psk, 7, size < 32 ? size : 32);
	return (32);
}

static long
counts(BIO *b, int op, const char *p, size_t len, int i, long l, int r,
    size_t *n)
{
	(void)b;
	(void)p;
	(void)len;
	(void)i;
	(void)l;
	(void)n;
	reads += op == BIO_CB_READ;
	return (r);
}

/* What they have written and we have not got yet. */
static size_t
written(void)
{
	return (BIO_ctrl_pending(SSL_get_wbio(theirs)));
}

/* So much of it comes to us. */
static void
arrives(size_t n)
{
	char	*p = malloc(n);

	if (p == NULL || BIO_read(SSL_get_wbio(theirs), p, (int)n) != (int)n ||
	    write(far, p, n) != (ssize_t)n)
		diag("%zu bytes do not arrive", n);
	free(p);
}

static void
say(const char *what, size_t len)
{
	if (SSL_write(theirs, what, (int)len) != (int)len)
		diag("they cannot write");
}

static void
shake_hands(void)
{
	ssize_t	n;
	int	i;

	for (i = 0; i < 8; i++) {
		(void)SSL_do_handshake(ours.ssl);
		if ((n = read(far, buf, sizeof(buf))) > 0)
			(void)BIO_write(SSL_get_rbio(theirs), buf, (int)n);
		(void)SSL_do_handshake(theirs);
		if (written() > 0)
			arrives(written());
	}
	ok(SSL_is_init_finished(ours.ssl) && SSL_is_init_finished(theirs),
	    "a handshake");
	/* Their tickets are no data. */
	is_int(sock_read(&ours, buf, sizeof(buf)), -1, "nothing was said yet");
}

static void
begin(void)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_method());
	int	 sv[2];

	if (ctx == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    sv) == -1)
		exit(1);
	SSL_CTX_set_psk_client_callback(ctx, psk_ours);
	SSL_CTX_set_psk_server_callback(ctx, psk_theirs);
	memset(&ours, 0, sizeof(ours));
	ours.fd = sv[0];
	far = sv[1];
	ours.ssl = SSL_new(ctx);
	theirs = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_fd(ours.ssl, ours.fd);
	SSL_set_connect_state(ours.ssl);
	SSL_set_bio(theirs, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(theirs);
	shake_hands();
	BIO_set_callback_ex(SSL_get_rbio(ours.ssl), counts);
	sock_ahead(&ours);
}

static void
end(void)
{
	sock_close(&ours);
	SSL_free(theirs);
	close(far);
}

static void
little(void)
{
	begin();
	reads = 0;
	say("one", 3);
	arrives(written());
	is_int(sock_read(&ours, buf, sizeof(buf)), 3, "a record");
	is_int(reads, 1, "is one read of the socket");
	ok(!sock_pending(&ours), "and nothing is left");
	reads = 0;
	say("one", 3);
	say("three", 5);
	arrives(written());
	is_int(sock_read(&ours, buf, sizeof(buf)), 8, "two records");
	is_int(reads, 1, "are one read, too");
	ok(!sock_pending(&ours), "and nothing is left");
	end();
}

static void
no_room(void)
{
	begin();
	say("one", 3);
	say("three", 5);
	arrives(written());
	is_int(sock_read(&ours, buf, 3), 3, "there is room for one of two");
	ok(sock_pending(&ours), "no event tells of the other");
	is_int(sock_read(&ours, buf, 3), 3, "there is room for some of it");
	ok(sock_pending(&ours), "none tells of the rest");
	is_int(sock_read(&ours, buf, 3), 2, "which is read");
	ok(!sock_pending(&ours), "and nothing is left");
	end();
}

static void
in_parts(void)
{
	size_t	n;

	begin();
	say("one", 3);
	n = written();
	arrives(n - 1);
	is_int(sock_read(&ours, buf, sizeof(buf)), -1, "all but a byte");
	is_int(errno, EAGAIN, "is for later");
	ok(!sock_pending(&ours), "an event will tell");
	arrives(1);
	is_int(sock_read(&ours, buf, sizeof(buf)), 3, "it is read with it");
	say("one", 3);
	n = written();
	say("three", 5);
	arrives(n + 4);
	is_int(sock_read(&ours, buf, 3), 3, "one, and some of the next");
	if (sock_pending(&ours))
		is_int(sock_read(&ours, buf, 3), -1, "which is not whole");
	ok(!sock_pending(&ours), "so an event will tell");
	arrives(written());
	is_int(sock_read(&ours, buf, sizeof(buf)), 5, "and the rest");
	end();
}

/* What is behind data is told without an event: they need not hang up. */
static void
ends(void)
{
	begin();
	say("one", 3);
	(void)SSL_shutdown(theirs);
	arrives(written());
	is_int(sock_read(&ours, buf, sizeof(buf)), 3, "the last words");
	ok(sock_pending(&ours), "no event tells of the end behind them");
	is_int(sock_read(&ours, buf, sizeof(buf)), 0, "which comes next");
	end();

	begin();
	say("one", 3);
	arrives(written());
	if (write(far, "\x17\x03\x03\0\x11this is no record", 22) != 22)
		diag("nothing is broken");
	is_int(sock_read(&ours, buf, sizeof(buf)), 3, "what comes before "
	    "something broken");
	ok(sock_pending(&ours), "no event tells of that");
	is_int(sock_read(&ours, buf, sizeof(buf)), -1, "which is an error");
	end();
}

static void
much(void)
{
	static char	big[300000];
	size_t		n = 0, i;
	ssize_t		r;
	int		right;

	begin();
	for (i = 0; i < sizeof(big); i++)
		big[i] = (char)(i % 251);
	say(big, sizeof(big));
	while (n < sizeof(big)) {
		if (written() > 0)
			arrives(written() < 40001 ? written() : 40001);
		do {
			r = sock_read(&ours, buf, 5000);
			right = r <= 0 || memcmp(buf, big + n, (size_t)r) == 0;
			if (r > 0 && right)
				n += (size_t)r;
		} while (r > 0 && right && sock_pending(&ours));
		if (!right || r == 0 || (r == -1 && written() == 0))
			break;
	}
	is_int(n, sizeof(big), "no byte is forgotten where much comes");
	end();
}

int
main(void)
{
	little();
	no_room();
	in_parts();
	ends();
	much();
	done_testing();
	return (tap_status());
}
