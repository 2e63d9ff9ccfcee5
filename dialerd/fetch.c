/* SPDX-License-Identifier: ISC */
/*
 * libcurl's multi interface on our event loop. libcurl resolves nothing by
 * itself, which would take threads and files: the address is looked up first
 * (net/resolve.c) and given to it.
 */
#include <curl/curl.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "fetch.h"
#include "imsg/msg.h"
#include "json.h"
#include "net/net_int.h"
#include "proc/proc.h"
#include "tls/crypto.h"

#define LEAST_MS	1000	/* for the rest, however long the lookup took */
#define TRUST_MAX	(4 << 20)	/* bytes of the file of authorities */
#define WHY_SIZE	(CURL_ERROR_SIZE + 64)

struct fetch {
	/* set once */
	fetch_fn		 fn;
	void			*arg;
	char			 url[URL_SIZE], host[PLACE_SIZE];
	uint16_t		 port;
	unsigned		 timeout_ms;
	uint64_t		 begun_ms;
	/* state: looked up, then with libcurl, then told */
	struct lookup		*lookup;
	struct timer		 late;		/* for the lookup */
	CURL			*easy;
	struct curl_slist	*address;
	char			*text;
	size_t			 len, head;
	char			 said[CURL_ERROR_SIZE];	/* by libcurl */
	char			 why[WHY_SIZE];	/* by us */
};

static struct {
	CURLM		*multi;
	struct event	*timer;
	char		*trust;		/* PEM */
	size_t		 trust_len;
} curl;

/* ---- libcurl and the loop ---- */

static void
fetch_done(CURL *easy, CURLcode r)
{
	struct fetch	*f = NULL;
	char		*type = NULL;
	const char	*why = NULL;
	long		 status = 0;
	char		 text[64];

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
	if (r != CURLE_OK)
		why = f->why[0] != '\0' ? f->why : f->said[0] != '\0' ?
		    f->said : curl_easy_strerror(r);
	else if (status >= 300 && status < 400)
		why = "redirects, which is not followed";
	else if (status != 200) {
		snprintf(text, sizeof(text), "answers with status %ld", status);
		why = text;
	} else if (type == NULL || (strncasecmp(type, "application/json", 16) !=
	    0 && strncasecmp(type, "application/jwk-set+json", 24) != 0))
		why = "what comes is not JSON, by its content type";
	f->fn(f->arg, why, f->text, f->len);
	fetch_cancel(f);
}

/* What has come to an end. */
static void
curl_look(void)
{
	CURLMsg	*msg;
	int	 left;

	while ((msg = curl_multi_info_read(curl.multi, &left)) != NULL)
		if (msg->msg == CURLMSG_DONE)
			fetch_done(msg->easy_handle, msg->data.result);
}

static void
curl_event(evutil_socket_t fd, short what, void *arg)
{
	int	running;

	(void)arg;
	curl_multi_socket_action(curl.multi, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) |
	    (what & EV_WRITE ? CURL_CSELECT_OUT : 0), &running);
	curl_look();
}

static void
curl_timeout(evutil_socket_t fd, short what, void *arg)
{
	int	running;

	(void)fd;
	(void)what;
	(void)arg;
	curl_multi_socket_action(curl.multi, CURL_SOCKET_TIMEOUT, 0, &running);
	curl_look();
}

static int
curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_fd)
{
	struct event	*ev = of_fd;

	(void)easy;
	(void)arg;
	if (ev != NULL)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE && (ev = event_new(proc_base(), fd,
	    (what & CURL_POLL_IN ? EV_READ : 0) |
	    (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST, curl_event,
	    NULL)) != NULL && event_add(ev, NULL) == -1) {
		event_free(ev);
		ev = NULL;
	}
	curl_multi_assign(curl.multi, fd, ev);
	return (what == CURL_POLL_REMOVE || ev != NULL ? 0 : -1);
}

static int
curl_timer(CURLM *multi, long ms, void *arg)
{
	struct timeval	tv = { ms / 1000, ms % 1000 * 1000 };

	(void)multi;
	(void)arg;
	if (ms < 0)
		return (event_del(curl.timer));
	return (event_add(curl.timer, &tv));
}

/* In the only way that the sandbox lets through. */
static curl_socket_t
open_socket(void *arg, curlsocktype what, struct curl_sockaddr *to)
{
	(void)arg;
	(void)what;
	return (socket(to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0));
}

void
fetch_init(void)
{
	SSL_CTX	*warm;

	crypto_begin();
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (curl.multi = curl_multi_init()) == NULL ||
	    (warm = SSL_CTX_new(TLS_client_method())) == NULL)
		fatalx("libcurl");
	SSL_CTX_free(warm);
	crypto_begun();
	curl.timer = event_new(proc_base(), -1, 0, curl_timeout, NULL);
	if (curl.timer == NULL)
		fatalx("out of memory");
	curl_multi_setopt(curl.multi, CURLMOPT_SOCKETFUNCTION, curl_socket);
	curl_multi_setopt(curl.multi, CURLMOPT_TIMERFUNCTION, curl_timer);
	net_resolver_init(proc_base());
	net_reload();
}

int
fetch_trust(int fd)
{
	ssize_t	n;

	curl.trust_len = 0;
	if ((curl.trust = malloc(TRUST_MAX)) == NULL) {
		close(fd);
		return (-1);
	}
	while (curl.trust_len < TRUST_MAX && (n = read(fd, curl.trust +
	    curl.trust_len, TRUST_MAX - curl.trust_len)) > 0)
		curl.trust_len += (size_t)n;
	close(fd);
	return (0);
}

/* ---- one fetch ---- */

/* A part of the document; more than is allowed ends the fetch. */
static size_t
take_text(char *p, size_t one, size_t n, void *arg)
{
	struct fetch	*f = arg;
	char		*more;

	n *= one;
	if (n > FETCH_MAX - f->len) {
		snprintf(f->why, sizeof(f->why), "more than %d bytes come",
		    FETCH_MAX);
		return (0);
	}
	if ((more = realloc(f->text, f->len + n + 1)) == NULL)
		return (0);
	f->text = more;
	memcpy(f->text + f->len, p, n);
	f->len += n;
	return (n);
}

static size_t
take_head(char *p, size_t one, size_t n, void *arg)
{
	struct fetch	*f = arg;

	(void)p;
	if ((f->head += n * one) <= FETCH_HEAD_MAX)
		return (n * one);
	snprintf(f->why, sizeof(f->why), "its head is longer than %d bytes",
	    FETCH_HEAD_MAX);
	return (0);
}

/* What is asked for, how, and from whom it may come. */
static CURLcode
set_options(struct fetch *f, long timeout_ms)
{
	struct curl_blob	trust = { curl.trust, curl.trust_len,
				    CURL_BLOB_NOCOPY };
	CURLcode		r = CURLE_OK;

#define SET(option, value)						\
	(r = r != CURLE_OK ? r :					\
	    curl_easy_setopt(f->easy, CURLOPT_##option, (value)))
	SET(URL, f->url);
	SET(PRIVATE, (void *)f);
	SET(ERRORBUFFER, f->said);
	SET(RESOLVE, f->address);
	SET(PROTOCOLS_STR, "https");
	SET(FOLLOWLOCATION, 0L);
	SET(PROXY, "");
	SET(NOSIGNAL, 1L);
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(USERAGENT, "relayd");
	SET(TIMEOUT_MS, timeout_ms);
	SET(CONNECTTIMEOUT_MS, timeout_ms < FETCH_CONNECT_MS ? timeout_ms :
	    (long)FETCH_CONNECT_MS);
	SET(FRESH_CONNECT, 1L);
	SET(FORBID_REUSE, 1L);
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	SET(CAPATH, NULL);
	SET(CAINFO, NULL);
	SET(CAINFO_BLOB, &trust);
	SET(OPENSOCKETFUNCTION, open_socket);
	SET(WRITEFUNCTION, take_text);
	SET(WRITEDATA, (void *)f);
	SET(HEADERFUNCTION, take_head);
	SET(HEADERDATA, (void *)f);
#undef SET
	return (r);
}

/* "+host:port:address,address" for the time being; libcurl asks nobody. */
static int
set_address(struct fetch *f, const struct net_addr *v, size_t n)
{
	char	text[PLACE_SIZE + NET_ADDRS * (INET6_ADDRSTRLEN + 3) + 16];
	char	one[INET6_ADDRSTRLEN];
	size_t	i;

	snprintf(text, sizeof(text), "+%s:%u:", f->host, (unsigned)f->port);
	for (i = 0; i < n; i++) {
		inet_ntop(v[i].family, v[i].addr, one, sizeof(one));
		strlcat(text, i > 0 ? "," : "", sizeof(text));
		strlcat(text, v[i].family == AF_INET6 ? "[" : "", sizeof(text));
		strlcat(text, one, sizeof(text));
		strlcat(text, v[i].family == AF_INET6 ? "]" : "", sizeof(text));
	}
	f->address = curl_slist_append(NULL, text);
	return (f->address == NULL ? -1 : 0);
}

static void
fetch_fail(struct fetch *f, const char *why)
{
	f->fn(f->arg, why, NULL, 0);
	fetch_cancel(f);
}

static void
fetch_late(void *arg)
{
	fetch_fail(arg, "its name could not be looked up in time");
}

/* How much of its time is left behind the lookup. */
static long
fetch_left(const struct fetch *f)
{
	uint64_t	spent = clock_ms() - f->begun_ms;

	return (spent + LEAST_MS < f->timeout_ms ?
	    (long)(f->timeout_ms - spent) : LEAST_MS);
}

static void
fetch_found(void *arg, const struct net_addr *v, size_t n, const char *why)
{
	struct fetch	*f = arg;

	f->lookup = NULL;
	timer_del(&f->late);
	if (why != NULL) {
		fetch_fail(f, why);
		return;
	}
	if (curl.trust_len == 0)
		fetch_fail(f, "no authority is trusted: see \"ca file\"");
	else if (set_address(f, v, n) == -1 ||
	    (f->easy = curl_easy_init()) == NULL ||
	    set_options(f, fetch_left(f)) != CURLE_OK ||
	    curl_multi_add_handle(curl.multi, f->easy) != CURLM_OK)
		fetch_fail(f, "could not be begun");
}

struct fetch *
fetch_start(const char *url, unsigned timeout_ms, fetch_fn fn, void *arg)
{
	struct fetch	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (NULL);
	f->fn = fn;
	f->arg = arg;
	f->timeout_ms = timeout_ms;
	f->begun_ms = clock_ms();
	timer_init(&f->late, fetch_late, f);
	if (strlcpy(f->url, url, sizeof(f->url)) >= sizeof(f->url) ||
	    place_of(url, f->host, &f->port) == -1 ||
	    (f->lookup = lookup_start(f->host, fetch_found, f)) == NULL) {
		free(f);
		return (NULL);
	}
	timer_set(&f->late, timeout_ms);
	return (f);
}

/* The one way out. */
void
fetch_cancel(struct fetch *f)
{
	if (f == NULL)
		return;
	timer_del(&f->late);
	if (f->lookup != NULL)
		lookup_cancel(f->lookup);
	if (f->easy != NULL) {
		(void)curl_multi_remove_handle(curl.multi, f->easy);
		curl_easy_cleanup(f->easy);
	}
	curl_slist_free_all(f->address);
	free(f->text);
	free(f);
}
