/* SPDX-License-Identifier: ISC */
/* What a child says, as a line of text and as JSON: its own words only. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/tap.h"
#include "relayd/logline.h"

#define STAMP	"2026-11-27T10:00:00.123Z"
#define SESSION	"3f2a1b4c-0000-4000-8000-00000000000a"
#define OTHER	"11111111-2222-4333-8444-555555555555"

static char	out[LOG_WHOLE_MAX];

#define PKT(s)	line_of(s, sizeof(s) - 1)

static struct logline
line_of(const char *pkt, size_t len)
{
	struct logline	l = { .role = "muxd", .pid = 47, .instance = 9,
	    .session = "" };

	logline_take(&l, pkt, len);
	return (l);
}

static const char *
as_json(const struct logline *l)
{
	logline_json(l, STAMP, out);
	return (out);
}

/* A member of the object in `out`, which has to be one line. */
static const char *
member(const char *name)
{
	static char	 text[LOG_WHOLE_MAX];
	cJSON		*o = cJSON_ParseWithOpts(out, NULL, 1);
	const cJSON	*m = cJSON_GetObjectItemCaseSensitive(o, name);
	const char	*s;

	strlcpy(text, "(none)", sizeof(text));
	if (o == NULL || strchr(out, '\n') != NULL)
		strlcpy(text, "(no JSON)", sizeof(text));
	else if ((s = cJSON_GetStringValue(m)) != NULL)
		strlcpy(text, s, sizeof(text));
	cJSON_Delete(o);
	return (text);
}

static void
test_packets(void)
{
	struct logline	l = PKT("\2hello\n");

	is_int(l.level, LOG_LEVEL_INFO, "the level");
	is_str(l.text, "hello\\x0a", "a line end is escaped");
	is_str(l.request, "", "no request");
	l = PKT("\202ab-1\0said");
	is_int(l.level, LOG_LEVEL_INFO, "the level beside a request");
	is_str(l.request, "ab-1", "a request's id");
	is_str(l.text, "said", "and the text behind it");
	l = PKT("\202a\nb\0said");
	is_str(l.request, "", "what is no id is left out");
	is_str(l.text, "said", "and the text stays");
	l = PKT("\202said");
	is_str(l.text, "said", "an id without an end is text");
	is_int(PKT("\7x").level, LOG_LEVEL_WARN, "a level of nobody's");
	is_int(PKT("").level, LOG_LEVEL_WARN, "nothing at all");
	l = PKT("\2\"}\\x0a\xe2\x80\xa8\xff\0z");
	is_str(l.text, "\"}\\x0a\\xe2\\x80\\xa8\\xff\\x00z",
	    "U+2028, no UTF-8, NUL; escapes stay");
}

static void
test_text(void)
{
	struct logline	l = PKT("\202r1\0said");

	logline_print(&l, out);
	is_str(out, "muxd[47] 9 request r1: said", "a line of text");
	l.session = SESSION;
	l.request[0] = '\0';
	logline_print(&l, out);
	is_str(out, "muxd[47] 9 session " SESSION ": said", "of a session");
	l.instance = 0;
	l.session = "";
	logline_print(&l, out);
	is_str(out, "muxd[47]: said", "of no instance");
}

static void
test_json(void)
{
	struct logline	l = PKT("\202r1\0said");

	is_str(as_json(&l), "{\"time\":\"" STAMP "\",\"level\":\"info\","
	    "\"role\":\"muxd\",\"pid\":47,\"instance\":9,\"request\":\"r1\","
	    "\"message\":\"said\"}", "a line of JSON");
	l = PKT("\1a\",\"role\":\"parent\"}\n{\"b\\");
	(void)as_json(&l);
	is_str(member("role"), "muxd", "nobody says who he is");
	is_str(member("message"), "a\",\"role\":\"parent\"}\\x0a{\"b\\",
	    "what was said is all message");
	is_str(member("level"), "warn", "and its level");
	l = PKT("\2session " OTHER ": closed");
	(void)as_json(&l);
	is_str(member("session"), "(none)", "a worker of one names no other");
	is_str(member("message"), "session " OTHER ": closed", "in a member");
	l.many = 1;
	(void)as_json(&l);
	is_str(member("session"), OTHER, "one who has many may");
	is_str(member("message"), "closed", "it is a member then");
	l.session = SESSION;
	(void)as_json(&l);
	is_str(member("session"), SESSION, "what the parent knows wins");
	l = PKT("\2session " OTHER);
	l.many = 1;
	(void)as_json(&l);
	is_str(member("session"), "(none)", "an id at the end is text");
}

/* The longest line of the worst bytes, and every byte. */
static void
test_any(void)
{
	char		pkt[2 * LOG_LINE_MAX];
	struct logline	l;
	int		c, bad = 0;

	for (c = 0; c < 256; c++) {
		memset(pkt, c, sizeof(pkt));
		pkt[0] = LOG_LEVEL_INFO;
		l = line_of(pkt, sizeof(pkt));
		l.session = SESSION;
		memset(l.request, 'r', sizeof(l.request) - 1);
		(void)as_json(&l);
		bad += strcmp(member("message"), l.text) != 0;
		logline_print(&l, out);
		bad += strpbrk(out, "\n\r\033") != NULL;
	}
	is_int(bad, 0, "any bytes, as many as there is room for");
}

int
main(void)
{
	test_packets();
	test_text();
	test_json();
	test_any();
	return (done_testing());
}
