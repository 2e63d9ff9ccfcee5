/* SPDX-License-Identifier: ISC */

/*
 * One table of what a peer may send and what must come of it, run against our
 * codec in stream and in message mode and against wslay, which serves where
 * messages are small: whole, byte by byte, and in pieces of three. Where wslay
 * answers with another code the table says so.
 */

#include <sys/types.h>

#include <stdint.h>

#include <wslay/wslay.h>

#include "regress/lib/tap.h"
#include "ws/ws.h"

#define INPUT_MAX	(2 * 1024 * 1024)
#define MESSAGE_MAX	(1024 * 1024)
#define K		"00000000 "	/* a mask key that changes nothing */

/* How wslay compares: */
#define SAME		(-1)
#define DIFFERS		(-2)	/* not compared: it drops a pong that waits when
				   a close follows, looks at a length only with
				   the first payload byte, and at a reason that
				   comes in pieces not at all */
#define NO_CODE		1005	/* it says only that something was wrong */

/*
 * `in`: hex digits, blanks free, `*N:hh` is N times a byte. `stream` is what
 * stream mode delivers, `msgs` what the others deliver, each message as `B:` or
 * `T:`, its text, `|`. Texts over 60 bytes are compared by length: `#N`. The
 * codes are those of the close that goes back, 0 for none and 1005 for one
 * without code. `pong` is the last one, NULL for none.
 */
struct test_case {
	const char	*name;
	enum ws_role	 role;
	const char	*in;
	const char	*stream;
	int		 stream_code;
	const char	*msgs;
	int		 msg_code;
	const char	*pong;
	int		 wslay_code;	/* or one of the above */
};

struct result {
	char		 text[512];
	size_t		 total;		/* bytes delivered */
	int		 code;
	int		 has_pong;
	char		 pong[WS_CONTROL_MAX + 1];
};

static const struct test_case cases[] = {
	/* What is legal. */
	{ "tunnel-12(partial): an empty message", WS_SERVER, "82 80" K,
	    "", 0, "B:|", 0, NULL, SAME },
	{ "tunnel-12(partial): one masked message", WS_SERVER,
	    "82 85 37fa213d 7f9f4d5158", "Hello", 0, "B:Hello|", 0, NULL,
	    SAME },
	{ "one message from the server", WS_CLIENT, "82 05 48656c6c6f",
	    "Hello", 0, "B:Hello|", 0, NULL, SAME },
	{ "tunnel-12(partial): two messages", WS_SERVER,
	    "82 82" K "6162 82 83 01020304 626663", "abcd`", 0,
	    "B:ab|B:cd`|", 0, NULL, SAME },
	{ "tunnel-12(partial) tunnel-14(partial): fragments, a ping between",
	    WS_SERVER,
	    "02 83" K "48656c 89 82" K "6869 80 82" K "6c6f", "Hello", 0,
	    "B:Hello|", 0, "hi", SAME },
	{ "tunnel-12(partial): three fragments, the middle one empty", WS_SERVER,
	    "02 82" K "6162 00 80" K "80 81" K "63", "abc", 0, "B:abc|", 0,
	    NULL, SAME },
	{ "tunnel-12(partial): first fragment empty", WS_SERVER,
	    "02 80" K "80 81" K "63", "c", 0, "B:c|", 0, NULL, SAME },
	{ "a length of 125", WS_SERVER, "82 fd" K "*125:61",
	    "#125", 0, "B:#125|", 0, NULL, SAME },
	{ "a length of 126", WS_SERVER, "82 fe 007e" K "*126:61",
	    "#126", 0, "B:#126|", 0, NULL, SAME },
	{ "a length of 65535", WS_SERVER, "82 fe ffff" K "*65535:61",
	    "#65535", 0, "B:#65535|", 0, NULL, SAME },
	{ "a length of 65536", WS_SERVER,
	    "82 ff 0000000000010000" K "*65536:61", "#65536", 0,
	    "B:#65536|", 0, NULL, SAME },
	{ "tunnel-14(partial): a ping is answered with its payload", WS_SERVER,
	    "89 82 37fa213d 5f93", "", 0, "", 0, "hi", SAME },
	{ "an empty ping", WS_SERVER, "89 80" K, "", 0, "", 0, "", SAME },
	{ "a ping of 125 bytes", WS_SERVER, "89 fd" K "*125:61",
	    "", 0, "", 0, "#125", SAME },
	{ "of two pings the last is answered", WS_SERVER,
	    "89 81" K "61 89 81" K "62", "", 0, "", 0, "b", SAME },
	{ "a pong nobody asked for", WS_SERVER, "8a 82" K "6869 82 81" K "61",
	    "a", 0, "B:a|", 0, NULL, SAME },
	{ "a ping from the server", WS_CLIENT, "89 02 6869", "", 0, "", 0,
	    "hi", SAME },

	/* The close handshake. */
	{ "tunnel-15(partial): a close is answered with its code", WS_SERVER,
	    "88 82" K "03e8", "", 1000, "", 1000, NULL, SAME },
	{ "a close without code", WS_SERVER, "88 80" K, "", 1005, "", 1005,
	    NULL, SAME },
	{ "a close with a reason", WS_SERVER, "88 85" K "03e9 627965",
	    "", 1001, "", 1001, NULL, SAME },
	{ "what follows a close is ignored", WS_SERVER,
	    "82 81" K "61 88 82" K "03e8 82 81" K "62 ff ff", "a", 1000,
	    "B:a|", 1000, NULL, SAME },
	{ "a ping, then a close: both are answered", WS_SERVER,
	    "89 82" K "6869 88 82" K "03e8", "", 1000, "", 1000, "hi", DIFFERS },
	{ "a close between fragments", WS_SERVER,
	    "02 82" K "6162 88 82" K "03e8", "ab", 1000, "", 1000, NULL,
	    SAME },
	{ "a close with one byte", WS_SERVER, "88 81" K "03", "", 1002, "",
	    1002, NULL, NO_CODE },
	{ "a close with a reason that is not UTF-8", WS_SERVER,
	    "88 83" K "03e8ff", "", 1002, "", 1002, NULL, DIFFERS },

	/* tunnel-13(partial): violations. */
	{ "tunnel-13(partial): reserved bit 1", WS_SERVER, "c2 80" K, "", 1002, "",
	    1002, NULL, SAME },
	{ "tunnel-13(partial): reserved bit 2", WS_SERVER, "a2 80" K, "", 1002, "",
	    1002, NULL, SAME },
	{ "tunnel-13(partial): reserved bit 3", WS_SERVER, "92 80" K, "", 1002, "",
	    1002, NULL, SAME },
	{ "a reserved bit on a control frame", WS_SERVER, "c9 80" K, "",
	    1002, "", 1002, NULL, SAME },
	{ "tunnel-13(partial): an unmasked client frame", WS_SERVER, "82 02 6869",
	    "", 1002, "", 1002, NULL, SAME },
	{ "an unmasked client ping", WS_SERVER, "89 02 6869", "", 1002, "",
	    1002, NULL, SAME },
	{ "a masked server frame", WS_CLIENT, "82 82" K "6869", "", 1002, "",
	    1002, NULL, SAME },
	{ "tunnel-13(partial): a ping of 126 bytes", WS_SERVER,
	    "89 fe 007e" K "*126:61", "", 1002, "", 1002, NULL, NO_CODE },
	{ "tunnel-13(partial): a close of 126 bytes", WS_SERVER, "88 fe 007e" K, "",
	    1002, "", 1002, NULL, NO_CODE },
	{ "tunnel-13(partial): a pong with a 64-bit length", WS_SERVER,
	    "8a ff 0000000000010000" K, "", 1002, "", 1002, NULL, NO_CODE },
	{ "a fragmented ping", WS_SERVER, "09 80" K, "", 1002, "", 1002,
	    NULL, NO_CODE },
	{ "a fragmented close", WS_SERVER, "08 80" K, "", 1002, "", 1002,
	    NULL, NO_CODE },
	{ "a continuation without a message", WS_SERVER, "80 81" K "61", "",
	    1002, "", 1002, NULL, SAME },
	{ "a continuation after the last fragment", WS_SERVER,
	    "02 81" K "61 80 81" K "62 80 81" K "63", "ab", 1002, "B:ab|",
	    1002, NULL, SAME },
	{ "a new message inside a fragmented one", WS_SERVER,
	    "02 81" K "61 82 81" K "62", "a", 1002, "", 1002, NULL, SAME },
	{ "tunnel-13(partial): a length with the top bit set", WS_SERVER,
	    "82 ff 8000000000000000" K, "", 1002, "", 1002, NULL, NO_CODE },
	{ "tunnel-13(partial): a length with all bits set", WS_SERVER,
	    "82 ff ffffffffffffffff" K, "", 1002, "", 1002, NULL, NO_CODE },
	{ "16-bit length for 125 bytes", WS_SERVER, "82 fe 007d" K "*125:61",
	    "", 1002, "", 1002, NULL, NO_CODE },
	{ "64-bit length for 65535 bytes", WS_SERVER,
	    "82 ff 000000000000ffff" K, "", 1002, "", 1002, NULL, NO_CODE },
	{ "64-bit length for 0 bytes", WS_SERVER,
	    "82 ff 0000000000000000" K, "", 1002, "", 1002, NULL, NO_CODE },
	{ "payload before a fault is delivered", WS_SERVER,
	    "82 82" K "6162 83 80" K, "ab", 1002, "B:ab|", 1002, NULL, SAME },
	{ "a ping, then a fault", WS_SERVER, "89 81" K "61 83 80" K, "", 1002,
	    "", 1002, "a", DIFFERS },

	/* Sizes. */
	{ "a frame at the limit", WS_SERVER,
	    "82 ff 0000000000100000" K "*1048576:61", "#1048576", 0,
	    "B:#1048576|", 0, NULL, SAME },
	{ "tunnel-13(partial): a frame over the limit, refused by its header",
	    WS_SERVER, "82 ff 0000000000100001" K, "", 1009, "", 1009, NULL,
	    DIFFERS },
	{ "a frame of 2^63-1 bytes", WS_SERVER, "82 ff 7fffffffffffffff" K,
	    "", 1009, "", 1009, NULL, DIFFERS },
	{ "fragments over the message limit: no matter to a stream",
	    WS_SERVER, "02 ff 0000000000100000" K "*1048576:61 80 81" K "61",
	    "#1048577", 0, "", 1009, NULL, SAME },

	/* Text. */
	{ "text", WS_SERVER, "81 82" K "6869", "", 1003, "T:hi|", 0, NULL,
	    SAME },
	{ "text, a character in two fragments", WS_SERVER,
	    "01 81" K "c3 80 81" K "a9", "", 1003, "T:\303\251|", 0, NULL,
	    SAME },
	{ "text of 4-byte characters", WS_SERVER,
	    "81 88" K "f09f9880 f48fbfbf", "", 1003,
	    "T:\360\237\230\200\364\217\277\277|", 0, NULL, SAME },
	{ "text with a stray byte", WS_SERVER, "81 83" K "61ff62", "", 1003,
	    "", 1007, NULL, SAME },
	{ "text that ends inside a character", WS_SERVER, "81 82" K "61c3",
	    "", 1003, "", 1007, NULL, SAME },
	{ "text in an overlong form", WS_SERVER, "81 82" K "c0af", "", 1003,
	    "", 1007, NULL, SAME },
	{ "text in an overlong form of three", WS_SERVER, "81 83" K "e09f80",
	    "", 1003, "", 1007, NULL, SAME },
	{ "text with a surrogate", WS_SERVER, "81 83" K "eda080", "", 1003,
	    "", 1007, NULL, SAME },
	{ "text over U+10FFFF", WS_SERVER, "81 84" K "f4908080", "", 1003,
	    "", 1007, NULL, SAME },
	{ "text in an overlong form of four", WS_SERVER,
	    "81 84" K "f08f8080", "", 1003, "", 1007, NULL, SAME },
	{ "binary is not looked at", WS_SERVER, "82 82" K "6100", "a", 0,
	    "B:a|", 0, NULL, SAME }
};

static uint8_t	input[INPUT_MAX];
static uint8_t	scratch[INPUT_MAX];
static uint8_t	message[MESSAGE_MAX];

static int
nibble(char c)
{
	return (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static size_t
from_hex(const char *s)
{
	size_t		 n = 0, times;
	char		*end;

	while (*s != '\0') {
		times = 1;
		if (*s == ' ') {
			s++;
			continue;
		}
		if (*s == '*') {
			times = strtoul(s + 1, &end, 10);
			s = end + 1;
		}
		if (n + times > sizeof(input))
			bail_out("a case is too long");
		memset(input + n, nibble(s[0]) << 4 | nibble(s[1]), times);
		n += times;
		s += 2;
	}
	return (n);
}

static void
add(struct result *r, const char *s, size_t len)
{
	size_t		 n = strlen(r->text);

	if (len >= sizeof(r->text) - n)
		bail_out("a result is too long");
	if (len != 0)
		memcpy(r->text + n, s, len);
	r->text[n + len] = '\0';
}

static void
add_payload(struct result *r, const char *prefix, const uint8_t *p, size_t len)
{
	char		 text[32];
	size_t		 n;

	add(r, prefix, strlen(prefix));
	if (len > 60)
		snprintf(text, sizeof(text), "#%zu", len);
	n = len;
	while (len <= 60 && n > 0 && p[n - 1] == '\0')
		n--;
	if (len > 60)
		add(r, text, strlen(text));
	else
		add(r, (const char *)p, n);
}

/* Read what goes back to the peer: pongs and a close. */
static void
read_output(struct result *r, const uint8_t *p, size_t len)
{
	uint8_t		 body[WS_CONTROL_MAX];
	size_t		 n, head;

	while (len >= 2) {
		n = p[1] & 0x7f;
		head = p[1] & 0x80 ? 6 : 2;
		memcpy(body, p + head, n);
		if (p[1] & 0x80)
			ws_mask(body, n, p + 2, 0);
		if (p[0] == 0x8a) {
			r->has_pong = 1;
			if (n > 60)
				snprintf(r->pong, sizeof(r->pong), "#%zu", n);
			else
				snprintf(r->pong, sizeof(r->pong), "%.*s",
				    (int)n, (char *)body);
		} else if (p[0] == 0x88)
			r->code = n == 0 ? 1005 : body[0] << 8 | body[1];
		p += head + n;
		len -= head + n;
	}
}

static void
on_message(void *arg, int opcode, uint8_t *data, size_t len)
{
	add_payload(arg, opcode == WS_OP_TEXT ? "T:" : "B:", data, len);
	add(arg, "|", 1);
}

static void
drain(struct ws *ws, struct result *r)
{
	static const uint8_t	 rnd[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t			 out[WS_OUTPUT_MAX];

	if (ws_pending(ws))
		read_output(r, out, ws_output(ws, out, rnd));
}

/* Ours; `stream` or messages. The input is fed in pieces of `step`. */
static void
run_ours(const struct test_case *t, size_t len, size_t step, int stream,
    struct result *r)
{
	struct ws_msg	 m = { .buf = message, .max = sizeof(message),
			    .on_message = on_message, .arg = r, .text = 1 };
	struct ws	 ws;
	static uint8_t	 all[INPUT_MAX];
	size_t		 i, n, got, total = 0;

	memset(r, 0, sizeof(*r));
	ws_init(&ws, t->role, stream ? NULL : &m);
	for (i = 0; i < len; i += n) {
		n = len - i < step ? len - i : step;
		memcpy(scratch, input + i, n);
		ws_input(&ws, scratch, n, &got);
		memcpy(all + total, scratch, got);
		total += got;
		/* Only at the end, so that pings are answered together. */
	}
	drain(&ws, r);
	if (stream)
		add_payload(r, "", all, total);
}

/* ---- wslay ---- */

struct wslay_peer {
	size_t		 len, off, step;
	uint8_t		 out[8192];
	size_t		 outlen;
	struct result	*r;
};

static ssize_t
wl_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags,
    void *arg)
{
	struct wslay_peer	*p = arg;

	(void)flags;
	if (p->off == p->len) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return (-1);
	}
	if (len > p->step)
		len = p->step;
	if (len > p->len - p->off)
		len = p->len - p->off;
	memcpy(buf, input + p->off, len);
	p->off += len;
	return (len);
}

static ssize_t
wl_send(wslay_event_context_ptr ctx, const uint8_t *buf, size_t len, int flags,
    void *arg)
{
	struct wslay_peer	*p = arg;

	(void)ctx;
	(void)flags;
	if (p->outlen + len > sizeof(p->out))
		bail_out("wslay sends too much");
	memcpy(p->out + p->outlen, buf, len);
	p->outlen += len;
	return (len);
}

static int
wl_genmask(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, void *arg)
{
	(void)ctx;
	(void)arg;
	memset(buf, 0x5a, len);
	return (0);
}

static void
wl_message(wslay_event_context_ptr ctx,
    const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct wslay_peer	*p = arg;

	(void)ctx;
	if (wslay_is_ctrl_frame(m->opcode))
		return;
	add_payload(p->r, m->opcode == WSLAY_TEXT_FRAME ? "T:" : "B:", m->msg,
	    m->msg_length);
	add(p->r, "|", 1);
}

static void
run_wslay(const struct test_case *t, size_t len, size_t step,
    struct result *r)
{
	struct wslay_event_callbacks	 cb = { .recv_callback = wl_recv,
					    .send_callback = wl_send,
					    .genmask_callback = wl_genmask,
					    .on_msg_recv_callback =
					    wl_message };
	static struct wslay_peer	 p;
	wslay_event_context_ptr		 ctx;

	memset(r, 0, sizeof(*r));
	memset(&p, 0, sizeof(p));
	p.len = len;
	p.step = step;
	p.r = r;
	if ((t->role == WS_SERVER ? wslay_event_context_server_init(&ctx, &cb,
	    &p) : wslay_event_context_client_init(&ctx, &cb, &p)) != 0)
		bail_out("wslay does not start");
	wslay_event_config_set_max_recv_msg_length(ctx, MESSAGE_MAX);
	while (p.off < p.len && wslay_event_want_read(ctx))
		if (wslay_event_recv(ctx) != 0)
			break;
	while (wslay_event_want_write(ctx))
		if (wslay_event_send(ctx) != 0)
			break;
	wslay_event_context_free(ctx);
	read_output(r, p.out, p.outlen);
}

/* ---- comparison ---- */

static void
check(const struct test_case *t, const char *who, size_t step,
    const struct result *r, const char *text, int code)
{
	const char	*how = step == 1 ? "byte by byte" :
			    step == 3 ? "by threes" : "whole";

	if (!ok(strcmp(r->text, text) == 0 && r->code == code &&
	    r->has_pong == (t->pong != NULL) &&
	    (t->pong == NULL || strcmp(r->pong, t->pong) == 0),
	    "%s (%s, %s)", t->name, who, how))
		diag("got \"%s\" %d pong %s, want \"%s\" %d pong %s", r->text,
		    r->code, r->has_pong ? r->pong : "none", text, code,
		    t->pong == NULL ? "none" : t->pong);
}

static void
run_case(const struct test_case *t)
{
	static const size_t	 steps[] = { INPUT_MAX, 1, 3 };
	struct result		 r;
	size_t			 i, len = from_hex(t->in);

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		run_ours(t, len, steps[i], 1, &r);
		check(t, "stream", steps[i], &r, t->stream, t->stream_code);
		run_ours(t, len, steps[i], 0, &r);
		check(t, "messages", steps[i], &r, t->msgs, t->msg_code);
		if (t->wslay_code == DIFFERS)
			continue;
		run_wslay(t, len, steps[i], &r);
		check(t, "wslay", steps[i], &r, t->msgs,
		    t->wslay_code == SAME ? t->msg_code : t->wslay_code);
	}
}

/* Reserved opcodes and every kind of close code: made here. */
static void
run_opcodes(void)
{
	struct test_case	 t = { .role = WS_SERVER, .stream = "",
				    .stream_code = 1002, .msgs = "",
				    .msg_code = 1002, .wslay_code = SAME };
	char			 name[64], in[64];
	int			 op;

	t.name = name;
	t.in = in;
	for (op = 0; op < 16; op++) {
		if (op <= 2 || (op >= 8 && op <= 10))
			continue;
		snprintf(name, sizeof(name), "tunnel-13(partial): reserved opcode %d",
		    op);
		snprintf(in, sizeof(in), "%02x 80" K, 0x80 | op);
		run_case(&t);
	}
}

static void
run_codes(void)
{
	static const int	 good[] = { 1000, 1001, 1002, 1003, 1007, 1008,
				    1009, 1010, 1011, 1012, 1013, 3000, 3999,
				    4000, 4999 };
	static const int	 bad[] = { 0, 1, 999, 1004, 1005, 1006, 1014,
				    1015, 1016, 2000, 2999, 5000, 65535 };
	struct test_case	 t = { .role = WS_SERVER, .stream = "",
				    .msgs = "" };
	char			 name[64], in[64];
	size_t			 i;

	t.name = name;
	t.in = in;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(name, sizeof(name), "tunnel-15(partial): code %d is "
		    "echoed", good[i]);
		snprintf(in, sizeof(in), "88 82" K "%04x", good[i]);
		t.stream_code = t.msg_code = good[i];
		/* wslay takes 1012 and 1013, newer than itself, for illegal. */
		t.wslay_code = good[i] == 1012 || good[i] == 1013 ? 1002 :
		    SAME;
		run_case(&t);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(name, sizeof(name), "tunnel-13(partial): code %d is "
		    "illegal", bad[i]);
		snprintf(in, sizeof(in), "88 82" K "%04x", bad[i]);
		t.stream_code = t.msg_code = 1002;
		t.wslay_code = SAME;
		run_case(&t);
	}
}

int
main(void)
{
	size_t		 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(&cases[i]);
	run_opcodes();
	run_codes();
	return (done_testing());
}
