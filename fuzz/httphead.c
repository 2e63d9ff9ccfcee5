/* SPDX-License-Identifier: ISC */

/*
 * Heads and chunked bodies: the first byte chooses between a request (with
 * everything that is read out of one), a response and a chunked body. Whole
 * and byte by byte must agree, and all slices lie inside the head.
 */
#include <llhttp.h>

#include "http/head.h"
#include "http/upgrade.h"
#include "fuzz.h"

static void
inside(const struct slice *sl, const char *buf, size_t len)
{
	if (sl->s != NULL && (sl->s < buf || sl->s + sl->len > buf + len))
		abort();
}

static void
check_fields(const struct httphead *h, const char *buf)
{
	size_t		 i;

	if (h->nfields > HTTPHEAD_FIELDS)
		abort();
	for (i = 0; i < h->nfields; i++) {
		inside(&h->field[i].name, buf, h->head_len);
		inside(&h->field[i].value, buf, h->head_len);
		if (h->field[i].name.len == 0 ||
		    httphead_get(h, "\1") != NULL ||
		    memchr(h->field[i].value.s, '\n', h->field[i].value.len))
			abort();
	}
	if ((h->flags & HTTPHEAD_LENGTH) && (h->flags & HTTPHEAD_CHUNKED))
		abort();
}

/* What proxyd and muxd do with a request. */
static void
use_request(const struct httphead *h, const char *buf)
{
	char		 host[HTTPHEAD_HOST_SIZE], node[UPGRADE_NODE_SIZE];
	char		 key[32], secret[64];
	uint16_t	 port;

	check_fields(h, buf);
	inside(&h->target, buf, h->head_len);
	inside(&h->query, buf, h->head_len);
	inside(&h->host, buf, h->head_len);
	if (h->path.len == 0 || (h->path.s[0] != '/' && h->path.s[0] != '*'))
		abort();
	if (h->host.s != NULL &&
	    httphead_split_host(&h->host, host, &port) == -1)
		abort();
	if (upgrade_check(h) == 0 && memchr(upgrade_key(h), '\r', 24) != NULL)
		abort();
	upgrade_no_origin(h);
	if (upgrade_node_id(h, node) == 0 &&
	    strspn(node, "0123456789") != strlen(node))
		abort();
	if (upgrade_basic(h, key, sizeof(key), secret, sizeof(secret)) !=
	    UPGRADE_AUTH_OK && (key[0] != '\0' || secret[0] != '\0'))
		abort();
}

/*
 * Once whole and once byte by byte. A head that is refused whole may be
 * complete earlier, or refused earlier, byte by byte: never the reverse.
 */
static void
run_head(const char *buf, size_t len, int request)
{
	static struct httphead	 h, slow;
	struct httphead_scan	 sc = { 0 }, one = { 0 };
	const char		*why;
	size_t			 n = 0;
	int			 status, rv, rv2 = 0;

	rv = request ? httphead_request(&h, &sc, buf, len, &status, &why) :
	    httphead_response(&h, &sc, HTTP_GET, buf, len, &why);
	while (n < len && rv2 == 0) {
		n++;
		rv2 = request ?
		    httphead_request(&slow, &one, buf, n, &status, &why) :
		    httphead_response(&slow, &one, HTTP_GET, buf, n, &why);
	}
	if (rv != rv2 || (rv == 1 && (h.head_len != slow.head_len ||
	    h.flags != slow.flags || h.nfields != slow.nfields ||
	    h.content_length != slow.content_length || n != h.head_len)))
		abort();
	if (rv == 1 && request)
		use_request(&h, buf);
	else if (rv == 1)
		check_fields(&h, buf);
}

static void
run_chunks(const char *buf, size_t len)
{
	struct httphead_chunk	 whole = { 0 }, slow = { 0 }, bare = { 0 };
	ssize_t			 used, one = 0;
	size_t			 n, left = len;
	char			*copy;

	used = httphead_chunk_scan(&whole, buf, len);
	for (n = 0; n < len && !slow.done; n++)
		if ((one = httphead_chunk_scan(&slow, buf + n, 1)) == -1)
			break;
	if ((used == -1) != (one == -1) || whole.done != slow.done ||
	    (used != -1 && (size_t)used != n))
		abort();
	/* Without trailers it is a body that has the same end. */
	if ((copy = malloc(len == 0 ? 1 : len)) == NULL)
		abort();
	memcpy(copy, buf, len);
	one = httphead_chunk_bare(&bare, copy, &left);
	if ((one == -1) != (used == -1) || bare.done != whole.done)
		abort();
	if (one != -1 && (one > used || len - left != (size_t)(used - one) ||
	    memcmp(copy + one, buf + used, left - (size_t)one) != 0))
		abort();
	memset(&slow, 0, sizeof(slow));
	if (one != -1 && bare.done &&
	    (httphead_chunk_scan(&slow, copy, left) != one || !slow.done))
		abort();
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	char		*copy;
	uint8_t		 how;

	if (size == 0)
		return (0);
	how = *p++;
	size--;
	/* A copy with nothing behind it shows reads past the end. */
	if ((copy = malloc(size == 0 ? 1 : size)) == NULL)
		abort();
	memcpy(copy, p, size);
	if (how % 3 == 0)
		run_head(copy, size, 1);
	else if (how % 3 == 1)
		run_head(copy, size, 0);
	else
		run_chunks(copy, size);
	free(copy);
	return (0);
}
