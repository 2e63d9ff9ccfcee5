/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "document.h"
#include "stream.h"
#include "tunnel.h"

static void	document_data(struct stream *, const uint8_t *, size_t);
static void	document_gone(struct stream *, int);

static const struct stream_ops document_ops = { .name = "document",
    .data = document_data, .gone = document_gone };

static void
document_data(struct stream *st, const uint8_t *p, size_t len)
{
	(void)p;
	stream_consumed(st, len);
}

/* All that the protocol lets the server say about a document is RST. */
static void
document_gone(struct stream *st, int clean)
{
	if (!clean && tunnel_is_usable())
		log_warnx("%s: the server refuses it", (const char *)st->arg);
}

int
document_send(const char *what, const char *header, const char *text)
{
	struct stream	*st;

	st = stream_open(&document_ops, (void *)(uintptr_t)what);
	if (st == NULL)
		return (-1);
	if (stream_send(st, header, strlen(header)) == -1 ||
	    stream_send(st, text, strlen(text)) == -1) {
		stream_reset(st);
		return (-1);
	}
	stream_fin(st);	/* and stay: the server may refuse it yet */
	return (0);
}
