/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "wire.h"

void
wput_init(struct wput *w, uint8_t *buf, size_t size)
{
	w->p = buf;
	w->size = size;
	w->len = 0;
	w->full = 0;
}

static void
wput(struct wput *w, const void *src, size_t n)
{
	if (w->full || n > w->size - w->len) {
		w->full = 1;
		return;
	}
	if (w->p != NULL && n > 0)
		memcpy(w->p + w->len, src, n);
	w->len += n;
}

void
wput_u8(struct wput *w, uint8_t v)
{
	wput(w, &v, sizeof(v));
}

void
wput_u16(struct wput *w, uint16_t v)
{
	wput(w, &v, sizeof(v));
}

void
wput_u32(struct wput *w, uint32_t v)
{
	wput(w, &v, sizeof(v));
}

void
wput_u64(struct wput *w, uint64_t v)
{
	wput(w, &v, sizeof(v));
}

void
wput_blob(struct wput *w, const void *p, size_t len)
{
	if (len > UINT32_MAX) {
		w->full = 1;
		return;
	}
	wput_u32(w, (uint32_t)len);
	wput(w, p, len);
}

void
wput_str(struct wput *w, const char *s)
{
	if (s == NULL)
		s = "";
	wput_blob(w, s, strlen(s));
	wput_u8(w, 0);
}

void
wget_init(struct wget *w, const uint8_t *buf, size_t len)
{
	w->p = buf;
	w->end = buf + len;
}

static int
wget(struct wget *w, void *dst, size_t n)
{
	if ((size_t)(w->end - w->p) < n)
		return (-1);
	memcpy(dst, w->p, n);
	w->p += n;
	return (0);
}

int
wget_u8(struct wget *w, uint8_t *v)
{
	return (wget(w, v, sizeof(*v)));
}

int
wget_u16(struct wget *w, uint16_t *v)
{
	return (wget(w, v, sizeof(*v)));
}

int
wget_u32(struct wget *w, uint32_t *v)
{
	return (wget(w, v, sizeof(*v)));
}

int
wget_u64(struct wget *w, uint64_t *v)
{
	return (wget(w, v, sizeof(*v)));
}

int
wget_blob(struct wget *w, struct blob *b, size_t max)
{
	uint32_t	n;

	if (wget_u32(w, &n) == -1 || n > max || (size_t)(w->end - w->p) < n)
		return (-1);
	b->p = w->p;
	b->len = n;
	w->p += n;
	return (0);
}

int
wget_str(struct wget *w, const char **s, size_t size)
{
	struct blob	b;
	uint8_t		nul;

	if (size == 0 || wget_blob(w, &b, size - 1) == -1 ||
	    wget_u8(w, &nul) == -1 || nul != 0 ||
	    memchr(b.p, '\0', b.len) != NULL)
		return (-1);
	*s = (const char *)b.p;
	return (0);
}

int
wget_end(const struct wget *w)
{
	return (w->p == w->end ? 0 : -1);
}
