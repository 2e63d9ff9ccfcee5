/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "base/uuid.h"
#include "logline.h"

#define UUID_LEN	36

void
logline_text(struct logline *l, const char *src, size_t len)
{
	static const char	hex[] = "0123456789abcdef";
	size_t			i, n = 0;
	unsigned char		c;

	for (i = 0; i < len && n + 5 < sizeof(l->text); i++) {
		c = (unsigned char)src[i];
		if (c >= 0x20 && c < 0x7f) {
			l->text[n++] = (char)c;
			continue;
		}
		l->text[n++] = '\\';
		l->text[n++] = 'x';
		l->text[n++] = hex[c >> 4];
		l->text[n++] = hex[c & 15];
	}
	l->text[n] = '\0';
}

void
logline_take(struct logline *l, const char *pkt, size_t len)
{
	unsigned char	 level = LOG_LEVEL_WARN;
	const char	*end;
	size_t		 n;

	l->request[0] = '\0';
	if (len > 0) {
		level = (unsigned char)*pkt++;
		len--;
	}
	if ((level & LOG_HAS_REQUEST) &&
	    (end = memchr(pkt, '\0', len)) != NULL) {
		n = (size_t)(end - pkt);
		if (request_is(pkt, n))
			memcpy(l->request, pkt, n + 1);
		pkt += n + 1;
		len -= n + 1;
	}
	level &= (unsigned char)~LOG_HAS_REQUEST;
	l->level = level <= LOG_LEVEL_DEBUG ? (enum log_level)level :
	    LOG_LEVEL_WARN;
	logline_text(l, pkt, len);
}

void
logline_print(const struct logline *l, char dst[LOG_WHOLE_MAX])
{
	char	instance[24] = "";

	if (l->instance != 0)
		snprintf(instance, sizeof(instance), " %" PRIu64, l->instance);
	snprintf(dst, LOG_WHOLE_MAX, "%s[%d]%s%s%s%s%s: %s", l->role,
	    (int)l->pid, instance, l->session[0] != '\0' ? " session " : "",
	    l->session, l->request[0] != '\0' ? " request " : "", l->request,
	    l->text);
}

/* A line about one of many sessions begins with it: authd's, proxyd's. */
static const char *
named_session(const struct logline *l, char id[UUID_LEN + 1])
{
	static const char	word[] = "session ";
	const char		*s = l->text;

	id[0] = '\0';
	if (!l->many || strncmp(s, word, sizeof(word) - 1) != 0)
		return (s);
	s += sizeof(word) - 1;
	if (strlen(s) < UUID_LEN + 2 || !uuid_is(s, UUID_LEN) ||
	    strncmp(s + UUID_LEN, ": ", 2) != 0)
		return (l->text);
	memcpy(id, s, UUID_LEN);
	id[UUID_LEN] = '\0';
	return (s + UUID_LEN + 2);
}

/* `,"name":"value"`; the value is printable. */
static void
put(char dst[LOG_WHOLE_MAX], const char *name, const char *value)
{
	size_t	n = strlen(dst);

	n += (size_t)snprintf(dst + n, LOG_WHOLE_MAX - n, ",\"%s\":\"", name);
	for (; *value != '\0' && n + 5 < LOG_WHOLE_MAX; value++) {
		if (*value == '"' || *value == '\\')
			dst[n++] = '\\';
		dst[n++] = *value;
	}
	dst[n++] = '"';
	dst[n] = '\0';
}

void
logline_json(const struct logline *l, const char *stamp,
    char dst[LOG_WHOLE_MAX])
{
	char		 id[UUID_LEN + 1];
	const char	*text = named_session(l, id);
	size_t		 n;

	n = (size_t)snprintf(dst, LOG_WHOLE_MAX, "{\"time\":\"%s\","
	    "\"level\":\"%s\",\"role\":\"%s\",\"pid\":%d", stamp,
	    log_level_name(l->level), l->role, (int)l->pid);
	if (l->instance != 0)
		snprintf(dst + n, LOG_WHOLE_MAX - n, ",\"instance\":%" PRIu64,
		    l->instance);
	if (l->session[0] != '\0' || id[0] != '\0')
		put(dst, "session", l->session[0] != '\0' ? l->session : id);
	if (l->request[0] != '\0')
		put(dst, "request", l->request);
	put(dst, "message", text);
	strlcat(dst, "}", LOG_WHOLE_MAX);
}
