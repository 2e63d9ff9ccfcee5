/* SPDX-License-Identifier: ISC */

/*
 * Before llhttp sees a head, the whole of it is here and every byte has been
 * looked at once: what llhttp takes leniently (bare line feeds, folded lines,
 * control characters, according to its version and build) is already refused,
 * and a head that comes byte by byte is not parsed byte by byte.
 */

#include <string.h>

#include "head_int.h"

#define ONES	0x0101010101010101ULL
#define HIGH	0x8080808080808080ULL

static int	has_control(const char *, size_t);
static int	scan_line(struct httphead_scan *, const char *, size_t, int,
		    struct httphead_fault *);

int
httphead_fault(struct httphead_fault *f, int status, const char *why)
{
	f->status = status;
	f->why = why;
	return (-1);
}

/*
 * Whether there is a control character other than HTAB. Eight bytes at a time:
 * the first test finds bytes below 0x20, the second 0x7f; both may name a byte
 * too many behind a real one, so a hit is looked at again one by one.
 */
static int
has_control(const char *s, size_t len)
{
	unsigned char	 c;
	uint64_t	 v, d;
	size_t		 i, j;

	for (i = 0; i < len; i = j) {
		j = i + 1;
		if (len - i >= sizeof(v)) {
			memcpy(&v, s + i, sizeof(v));
			d = v ^ (ONES * 0x7f);
			j = i + sizeof(v);
			if (((((v - ONES * 0x20) & ~v) | ((d - ONES) & ~d)) &
			    HIGH) == 0)
				continue;
		}
		for (; i < j; i++) {
			c = s[i];
			if ((c < 0x20 && c != '\t') || c == 0x7f)
				return (1);
		}
	}
	return (0);
}

/*
 * A line is complete; its LF is at `nl`. Returns 1 when it is the empty line
 * that ends the head, 0 to go on, -1.
 */
static int
scan_line(struct httphead_scan *sc, const char *buf, size_t nl, int skip,
    struct httphead_fault *f)
{
	size_t		 from = sc->seen, line = sc->line;

	if (nl == line || buf[nl - 1] != '\r')
		return (httphead_fault(f, 400, "bare line feed"));
	if (nl - 1 > from && has_control(buf + from, nl - 1 - from))
		return (httphead_fault(f, 400, "control character"));
	sc->seen = sc->line = nl + 1;
	if (nl - 1 == line) {
		if (sc->lines > 0)
			return (1);
		if (!skip || line != 0)
			return (httphead_fault(f, 400, "empty first line"));
		return (0);
	}
	if (buf[line] == ' ' || buf[line] == '\t')
		return (httphead_fault(f, 400, "folded line"));
	sc->lines++;
	return (0);
}

int
httphead_scan(struct httphead_scan *sc, const char *buf, size_t len,
    size_t max, int skip, size_t *head_len, struct httphead_fault *f)
{
	const char	*nl;
	size_t		 all = len;
	int		 rv;

	if (len > max)
		len = max;
	while (sc->seen < len && (nl = memchr(buf + sc->seen, '\n',
	    len - sc->seen)) != NULL) {
		rv = scan_line(sc, buf, nl - buf, skip, f);
		if (rv == 1)
			*head_len = sc->line;
		if (rv != 0)
			return (rv);
	}
	if (sc->seen < len) {
		/* A CR at the very end is judged by what follows it. */
		if (buf[len - 1] == '\r')
			len--;
		if (has_control(buf + sc->seen, len - sc->seen))
			return (httphead_fault(f, 400, "control character"));
		sc->seen = len;
	}
	if (all < max)
		return (0);
	return (sc->lines == 0 ?
	    httphead_fault(f, 414, "request line too long") :
	    httphead_fault(f, 431, "head too long"));
}
