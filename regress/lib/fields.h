/* SPDX-License-Identifier: ISC */
#ifndef FIELDS_H
#define FIELDS_H

#include <string.h>

#include "imsg/imsg.h"

/*
 * Fields of a message one by one, for tests that look at packets as bytes: 0,
 * or -1 when the bytes run out or a limit is crossed. A string is copied with
 * its NUL into `size` bytes, a blob is borrowed. m_end: -1 unless all bytes
 * were read.
 */
static inline int
m_get(struct imsg *m, void *dst, size_t n)
{
	if ((size_t)(m->end - m->p) < n)
		return (-1);
	memcpy(dst, m->p, n);
	m->p += n;
	return (0);
}

static inline int
m_get_u8(struct imsg *m, uint8_t *v)
{
	return (m_get(m, v, sizeof(*v)));
}

static inline int
m_get_u16(struct imsg *m, uint16_t *v)
{
	return (m_get(m, v, sizeof(*v)));
}

static inline int
m_get_u32(struct imsg *m, uint32_t *v)
{
	return (m_get(m, v, sizeof(*v)));
}

static inline int
m_get_u64(struct imsg *m, uint64_t *v)
{
	return (m_get(m, v, sizeof(*v)));
}

static inline int
m_get_blob(struct imsg *m, const uint8_t **p, size_t *len, size_t max)
{
	uint32_t	n;

	if (m_get_u32(m, &n) == -1 || n > max || (size_t)(m->end - m->p) < n)
		return (-1);
	*p = m->p;
	*len = n;
	m->p += n;
	return (0);
}

static inline int
m_get_str(struct imsg *m, char *dst, size_t size)
{
	const uint8_t	*p;
	size_t		 len;

	if (size == 0 || m_get_blob(m, &p, &len, size - 1) == -1 ||
	    memchr(p, '\0', len) != NULL || m->p == m->end || *m->p++ != 0)
		return (-1);
	memcpy(dst, p, len);
	dst[len] = '\0';
	return (0);
}

static inline int
m_end(const struct imsg *m)
{
	return (m->p == m->end ? 0 : -1);
}

#endif
