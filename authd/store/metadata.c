/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "base/text.h"
#include "metadata.h"

/* Nothing here asks for memory: what is missing would be so for good. */
struct out {
	char	*dst;
	size_t	 len;
	int	 over;
};

static void
put(struct out *o, const char *s, size_t n)
{
	if (o->over || n >= METADATA_SIZE - o->len) {
		o->over = 1;
		return;
	}
	memcpy(o->dst + o->len, s, n);
	o->len += n;
	o->dst[o->len] = '\0';
}

static void
put_name(struct out *o, const char *name)
{
	put(o, o->len > 0 ? ",\"" : "{\"", 2);
	put(o, name, strlen(name));
	put(o, "\":", 2);
}

static void
put_text(struct out *o, const char *name, const char *s)
{
	char	code[8];

	put_name(o, name);
	put(o, "\"", 1);
	for (; *s != '\0' && !o->over; s++) {
		if ((unsigned char)*s < ' ') {
			snprintf(code, sizeof(code), "\\u%04x", *s);
			put(o, code, 6);
			continue;
		}
		if (*s == '"' || *s == '\\')
			put(o, "\\", 1);
		put(o, s, 1);
	}
	put(o, "\"", 1);
}

/*
 * Words of a worker's, which may be broken: what is no text is none in JSON
 * either, and a reader would stumble over the whole page.
 */
static void
put_words(struct out *o, const char *name, const char *s)
{
	char	shown[4 * MESSAGE_SIZE];

	if (!text_is_name(s)) {
		text_printable(shown, sizeof(shown), s);
		s = shown;
	}
	put_text(o, name, s);
}

static void
put_number(struct out *o, const char *name, uint64_t n)
{
	char	text[24];

	put_name(o, name);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	put(o, text, strlen(text));
}

/* With the first `len` bytes of the outcome. 0; -1: too long. */
static int
print_some(const struct access_row *a, size_t len, char dst[METADATA_SIZE])
{
	struct out	o = { .dst = dst };
	char		outcome[MESSAGE_SIZE];

	strlcpy(outcome, a->outcome, len < sizeof(outcome) ? len + 1 :
	    sizeof(outcome));
	put_text(&o, "service", a->service);
	put_words(&o, "ip", a->ip);
	if (a->token_id[0] != '\0')
		put_text(&o, "token_id", a->token_id);
	if (a->impersonator[0] != '\0')
		put_text(&o, "impersonator", a->impersonator);
	if (a->request[0] != '\0')
		put_words(&o, "request", a->request);
	put_number(&o, "bytes_in", a->bytes_in);
	put_number(&o, "bytes_out", a->bytes_out);
	if (outcome[0] != '\0')
		put_words(&o, "outcome", outcome);
	put(&o, "}", 1);
	return (o.over ? -1 : 0);
}

void
metadata_print(const struct access_row *a, char dst[METADATA_SIZE])
{
	size_t	len = strlen(a->outcome);

	while (print_some(a, len, dst) == -1) {
		if (len == 0) {
			strlcpy(dst, "{}", METADATA_SIZE);
			return;
		}
		len /= 2;
	}
}
