/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "resume.h"

#define FIN		0x80

static size_t	all_kept;		/* bytes, of all legs */

struct resume *
resume_new(void)
{
	struct resume	*r = calloc(1, sizeof(*r));

	if (r != NULL)
		STAILQ_INIT(&r->kept);
	return (r);
}

static void
kept_drop(struct resume *r)
{
	struct kept	*k = STAILQ_FIRST(&r->kept);

	STAILQ_REMOVE_HEAD(&r->kept, entry);
	r->kept_len -= k->len;
	all_kept -= k->len;
	free(k);
}

void
resume_free(struct resume *r)
{
	if (r == NULL)
		return;
	while (!STAILQ_EMPTY(&r->kept))
		kept_drop(r);
	free(r->piece);
	free(r->part);
	free(r);
}

static uint64_t
number_get(const uint8_t *p)
{
	uint64_t	n = 0;
	int		i;

	for (i = 0; i < 8; i++)
		n = n << 8 | p[i];
	return (n);
}

static void
header_put(uint8_t *p, enum resume_kind kind, uint64_t number)
{
	int	i;

	p[0] = (uint8_t)kind;
	for (i = 0; i < 8; i++)
		p[1 + i] = (uint8_t)(number >> (56 - 8 * i));
}

/* The next of our own frames, which are whole: where its payload begins. */
static const uint8_t *
frame_next(const uint8_t *p, size_t *len)
{
	size_t	n = p[1] & 127, i, head = n < 126 ? 2 : n == 126 ? 4 : 10;

	if (head > 2)
		for (n = 0, i = 2; i < head; i++)
			n = n << 8 | p[i];
	*len = n;
	return (p + head);
}

/* ---- what it says ---- */

/* It has all up to this number. */
static int
acknowledged(struct resume *r, uint64_t number)
{
	struct kept	*k;

	if (number > r->out)
		return (-1);
	while ((k = STAILQ_FIRST(&r->kept)) != NULL && k->number <= number) {
		/* It cannot have what was not written to its end. */
		if (k == r->next)
			return (-1);
		kept_drop(r);
	}
	if (number > r->acked)
		r->acked = number;
	return (0);
}

static const char *
message_take(struct resume *r, struct pipe *to, uint64_t *payload)
{
	size_t		 n = r->piece_len - RESUME_HEADER, head;
	uint64_t	 number;
	uint8_t		*tail = to->data + to->off + to->len;

	if (r->piece_len < RESUME_HEADER || r->piece[0] > RESUME_ACKED)
		return ("no header of a message");
	number = number_get(r->piece + 1);
	if (r->piece[0] == RESUME_ACKED)
		return (n == 0 && acknowledged(r, number) == 0 ? NULL :
		    "a wrong acknowledgement");
	if (number <= r->in)
		return (NULL);		/* it is sent again */
	if (number != r->in + 1)
		return ("a message is missing");
	r->in = number;
	r->unacked += n + RESUME_HEADER;
	*payload += n;
	head = ws_header(tail, r->piece[0] == RESUME_TEXT ? WS_OP_TEXT :
	    WS_OP_BINARY, n, NULL);
	memcpy(tail + head, r->piece + RESUME_HEADER, n);
	to->len += head + n;
	return (NULL);
}

int
resume_take(struct resume *r, const uint8_t *p, size_t len, struct pipe *to,
    uint64_t *payload, const char **why)
{
	const uint8_t	*end = p + len, *data;
	size_t		 n;
	int		 first;

	*why = "out of memory";
	if (r->piece == NULL && (r->piece = malloc(RESUME_HEADER +
	    RESUME_MESSAGE)) == NULL)
		return (-1);
	for (; p < end; p = data + n) {
		first = p[0];
		data = frame_next(p, &n);
		*why = "text where all is binary";
		if ((first & 15) == WS_OP_TEXT)
			return (-1);
		*why = "message too big";
		if (n > RESUME_HEADER + RESUME_MESSAGE - r->piece_len)
			return (-1);
		memcpy(r->piece + r->piece_len, data, n);
		r->piece_len += n;
		if (!(first & FIN))
			continue;
		if ((*why = message_take(r, to, payload)) != NULL)
			return (-1);
		r->piece_len = 0;
	}
	if (r->unacked >= RESUME_ACK)
		r->ack_due = 1;
	if (r->piece_len == 0) {
		free(r->piece);		/* an idle one has none */
		r->piece = NULL;
	}
	return (0);
}

int
resume_fits(const struct resume *r, const struct pipe *to)
{
	size_t	used = to != NULL ? to->off + to->len : 0;

	return (used + r->piece_len + RESUME_READ <= PIPE_SIZE +
	    PIPE_SPARE - WS_PASS_ROOM);
}

/* ---- what it is told ---- */

static int
keep_one(struct resume *r)
{
	struct kept	*k = malloc(sizeof(*k) + 10 + RESUME_HEADER +
			    r->part_len);

	if (k == NULL)
		return (-1);
	k->number = ++r->out;
	k->len = ws_header(k->data, WS_OP_BINARY, RESUME_HEADER + r->part_len,
	    NULL);
	header_put(k->data + k->len, r->part_text ? RESUME_TEXT :
	    RESUME_BINARY, k->number);
	k->len += RESUME_HEADER;
	if (r->part_len > 0)
		memcpy(k->data + k->len, r->part, r->part_len);
	k->len += r->part_len;
	STAILQ_INSERT_TAIL(&r->kept, k, entry);
	r->kept_len += k->len;
	all_kept += k->len;
	if (r->next == NULL) {
		r->next = k;
		r->off = 0;
	}
	r->part_len = 0;
	return (0);
}

int
resume_keep(struct resume *r, const uint8_t *p, size_t len)
{
	const uint8_t	*end = p + len, *data;
	size_t		 n;

	if (r->part == NULL && (r->part = malloc(RESUME_MESSAGE)) == NULL)
		return (-1);
	for (; p < end; p = data + n) {
		data = frame_next(p, &n);
		if (n > RESUME_MESSAGE - r->part_len)
			return (-1);
		if ((p[0] & 15) != WS_OP_CONT)
			r->part_text = (p[0] & 15) == WS_OP_TEXT;
		memcpy(r->part + r->part_len, data, n);
		r->part_len += n;
		if ((p[0] & FIN) && keep_one(r) == -1)
			return (-1);
	}
	if (r->part_len == 0) {
		free(r->part);
		r->part = NULL;
	}
	return (0);
}

int
resume_has_room(const struct resume *r)
{
	return (r->kept_len == 0 || (r->kept_len + PIPE_SIZE <= RESUME_KEPT &&
	    all_kept + PIPE_SIZE <= RESUME_ALL));
}

size_t
resume_ack(struct resume *r, uint8_t *dst)
{
	size_t	n = ws_header(dst, WS_OP_BINARY, RESUME_HEADER, NULL);

	header_put(dst + n, RESUME_ACKED, r->in);
	r->ack_due = 0;
	r->unacked = 0;
	return (n + RESUME_HEADER);
}

void
resume_wrote(struct resume *r, size_t n)
{
	r->off += n;
	if (r->off < r->next->len)
		return;
	r->next = STAILQ_NEXT(r->next, entry);
	r->off = 0;
}

int
resume_again(struct resume *r, uint64_t seen)
{
	struct kept	*k;

	if (seen < r->acked || seen > r->out)
		return (-1);
	while ((k = STAILQ_FIRST(&r->kept)) != NULL && k->number <= seen)
		kept_drop(r);
	r->acked = seen;
	r->next = STAILQ_FIRST(&r->kept);
	r->off = 0;
	r->piece_len = 0;		/* it sends the whole of it again */
	r->ack_due = 1;
	return (0);
}
