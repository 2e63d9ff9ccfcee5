/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "termframe.h"

static int	resize_parse(struct termframe *);

static int
clamp(int n)
{
	return (n > TERM_SIZE_MAX ? TERM_SIZE_MAX : n);
}

/* Numbers over 0; cJSON bounds them, we do so further. */
static int
resize_parse(struct termframe *f)
{
	cJSON		*o;
	const cJSON	*cols, *rows;
	int		 good;

	if (f->text_len > TERM_RESIZE_MAX)
		return (0);
	o = cJSON_ParseWithLength(f->text, f->text_len);
	cols = cJSON_GetObjectItemCaseSensitive(o, "cols");
	rows = cJSON_GetObjectItemCaseSensitive(o, "rows");
	good = cJSON_IsNumber(cols) && cJSON_IsNumber(rows) &&
	    cols->valueint > 0 && rows->valueint > 0;
	if (good) {
		f->cols = clamp(cols->valueint);
		f->rows = clamp(rows->valueint);
	}
	cJSON_Delete(o);
	return (good);
}

/* The header, byte by byte if need be. 1: complete, and a payload follows. */
static int
header_take(struct termframe *f, const uint8_t *p, size_t len, size_t *used)
{
	uint32_t	n;

	for (*used = 0; *used < len && f->have < TERM_HEADER;) {
		f->hdr[f->have++] = p[(*used)++];
		if (f->have != 4)
			continue;
		n = (uint32_t)f->hdr[0] << 24 | (uint32_t)f->hdr[1] << 16 |
		    (uint32_t)f->hdr[2] << 8 | f->hdr[3];
		if (n > TERM_FRAME_MAX)
			return (-1);
		if (n == 0) {
			f->have = 0;	/* an empty frame */
			continue;
		}
		f->left = n - 1;
		f->text_len = 0;
	}
	return (f->have == TERM_HEADER);
}

enum termframe_event
termframe_next(struct termframe *f, const uint8_t *p, size_t len, size_t *used,
    const uint8_t **data, size_t *data_len)
{
	size_t	n, keep;
	int	r, type;

	if ((r = header_take(f, p, len, used)) != 1)
		return (r == -1 ? TERMFRAME_BAD : TERMFRAME_MORE);
	type = f->hdr[4];
	n = len - *used < f->left ? len - *used : f->left;
	p += *used;
	*used += n;
	f->left -= (uint32_t)n;
	if (type == TERM_RESIZE && n > 0) {
		/* One byte over the limit is kept, to know that it was over. */
		keep = sizeof(f->text) - f->text_len;
		keep = n < keep ? n : keep;
		memcpy(f->text + f->text_len, p, keep);
		f->text_len += keep;
	}
	if (f->left == 0)
		f->have = 0;
	if (type == TERM_DATA && n > 0) {
		*data = p;
		*data_len = n;
		return (TERMFRAME_DATA);
	}
	if (type == TERM_RESIZE && f->left == 0 && resize_parse(f))
		return (TERMFRAME_RESIZED);
	return (TERMFRAME_MORE);
}

void
termframe_header(uint8_t out[TERM_HEADER], size_t len)
{
	uint32_t	n = (uint32_t)len + 1;

	out[0] = (uint8_t)(n >> 24);
	out[1] = (uint8_t)(n >> 16);
	out[2] = (uint8_t)(n >> 8);
	out[3] = (uint8_t)n;
	out[4] = TERM_DATA;
}

size_t
termframe_status(uint8_t out[TERM_STATUS_MAX], int status)
{
	char	text[TERM_STATUS_MAX - TERM_HEADER];
	int	n;

	n = WIFEXITED(status) ?
	    snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status)) :
	    snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
	termframe_header(out, (size_t)n);
	out[TERM_HEADER - 1] = TERM_STATUS;
	memcpy(out + TERM_HEADER, text, (size_t)n);
	return (TERM_HEADER + (size_t)n);
}
