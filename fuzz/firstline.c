/* SPDX-License-Identifier: ISC */
/*
 * What a server writes to tunnel-client's streams: first lines, terminal
 * frames, the end of a command's JSON. The first byte says which, the second
 * in what pieces.
 */
#include "tunnel-client/firstline.h"
#include "tunnel-client/jsonend.h"
#include "tunnel-client/termframe.h"
#include "fuzz.h"

static void
line(const uint8_t *p, size_t len, size_t step)
{
	struct firstline	l = { .len = 0 };
	const char		*rest = l.text;
	size_t			 n, used;
	int			 r = 0;

	for (; len > 0 && r == 0; p += n, len -= n) {
		n = len < step ? len : step;
		r = firstline_feed(&l, p, n, &used);
		if (used > n || l.len > FIRSTLINE_MAX)
			abort();
		if (r == 0 && used != n)
			abort();
	}
	(void)firstline_kind(&l, &rest);
	if (rest < l.text || rest > l.text + l.len)
		abort();
}

static void
frames(const uint8_t *p, size_t len, size_t step)
{
	struct termframe	 f = { .have = 0 };
	const uint8_t		*data = NULL;
	size_t			 n, used, data_len;

	for (; len > 0; p += used, len -= used) {
		n = len < step ? len : step;
		switch (termframe_next(&f, p, n, &used, &data, &data_len)) {
		case TERMFRAME_BAD:
			return;
		case TERMFRAME_DATA:
			if (data < p || data + data_len > p + used)
				abort();
			break;
		case TERMFRAME_RESIZED:
			if (f.cols < 0 || f.cols > 0xffff || f.rows < 0 ||
			    f.rows > 0xffff)
				abort();
			break;
		case TERMFRAME_MORE:
			break;
		}
		if (used == 0 || used > n)
			abort();
	}
}

static void
object(const uint8_t *p, size_t len, size_t step)
{
	struct jsonend	j = { .depth = 0 };
	size_t		n, used;
	int		r = 0;

	for (; len > 0 && r == 0; p += n, len -= n) {
		n = len < step ? len : step;
		r = jsonend_feed(&j, p, n, &used);
		if (r != -1 && used > n)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t	step;

	if (len < 2)
		return (0);
	step = data[1] == 0 ? len : data[1];
	switch (data[0] % 3) {
	case 0:
		line(data + 2, len - 2, step);
		break;
	case 1:
		frames(data + 2, len - 2, step);
		break;
	default:
		object(data + 2, len - 2, step);
	}
	return (0);
}
