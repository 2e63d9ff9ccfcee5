/* SPDX-License-Identifier: ISC */
/*
 * dialerd, as authd takes it: what it is asked, when, and again; answers that
 * come late, for nobody, or are none; one that says what it may not is ended,
 * and takes nothing with it.
 */
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define ISSUER	"https://idp.test"
#define OTHER	"https://other.test"

static struct far	*control, *dialerd;
static struct rows	 rows;

/* The point of RFC 7515, A.3, and one that is beside the curve. */
static const uint8_t	x[32] = { 0x7f, 0xcd, 0xce, 0x27, 0x70, 0xf6, 0xc4,
    0x5d, 0x41, 0x83, 0xcb, 0xee, 0x6f, 0xdb, 0x4b, 0x7b, 0x58, 0x07, 0x33,
    0x35, 0x7b, 0xe9, 0xef, 0x13, 0xba, 0xcf, 0x6e, 0x3c, 0x7b, 0xd1, 0x54,
    0x45 };
static const uint8_t	y[32] = { 0xc7, 0xf1, 0x44, 0xcd, 0x1b, 0xbd, 0x9b,
    0x7e, 0x87, 0x2c, 0xdf, 0xed, 0xb9, 0xee, 0xb9, 0xf4, 0xb3, 0x69, 0x5d,
    0x6e, 0xa9, 0x0b, 0x24, 0xad, 0x8a, 0x46, 0x23, 0x28, 0x85, 0x88, 0xe5,
    0xad };

/* The id of the next question, which is about this one. */
static uint32_t
asked(const char *issuer, const char *what)
{
	struct msg_issuer_ask	 in;
	struct imsg		*m = hear_next(dialerd->fd, issuer_ask, &in);

	is_str(in.issuer, issuer, "%s", what);
	return (m->id);
}

/* About both, in either order: the id of the first, *other of the other. */
static uint32_t
asked_both(uint32_t *other, const char *what)
{
	struct msg_issuer_ask	 in;
	struct imsg		*m;
	uint32_t		 id[2] = { 0, 0 };
	int			 i;

	for (i = 0; i < 2; i++) {
		m = hear_next(dialerd->fd, issuer_ask, &in);
		id[strcmp(in.issuer, OTHER) == 0] = m->id;
	}
	ok(id[0] != 0 && id[1] != 0, "%s", what);
	*other = id[1];
	return (id[0]);
}

static void
key(uint32_t id, unsigned kind, const uint8_t *b, size_t len)
{
	say_id(dialerd->fd, id, jwk_key, .kind = (uint8_t)kind, .kid = "k",
	    .alg = "", .a = { x, sizeof(x) }, .b = { b, len });
}

static void
said(uint32_t id, const char *why)
{
	say_id(dialerd->fd, id, issuer_said, .why = why, .authorization = "",
	    .token = "", .device = "", .algs = "");
}

/* What is shown of the first one. */
static void
shows(const char *column, const char *want, const char *what)
{
	drive_sync(control);
	(void)ctl(control, &rows, CTL_SHOW_ISSUERS, CTL_END);
	is_str(cell(&rows, 1, column), want, "%s", what);
	rows_free(&rows);
}

static void
answers(void)
{
	uint32_t	id, second;

	id = asked(ISSUER, "it is asked when it is there");
	second = asked(OTHER, "about each");
	key(id, JWK_P256, y, sizeof(y));
	key(id + 100, JWK_P256, y, sizeof(y));
	said(id, "");
	shows("keys", "1", "a key is known; one for nobody is not");
	shows("reason", "-", "and nothing is wrong");
	said(second, "no such host");
	drive_clock(&authd, 1200);
	second = asked(OTHER, "who had none is asked again in a second");
	said(second, "no such host");
	drive_clock(&authd, 2300);
	second = asked(OTHER, "and then in two");
	said(second, "no such host");
}

static void
bad_keys(void)
{
	static const uint8_t	beside[32] = { 1 };
	uint32_t		id, other;

	drive_clock(&authd, 700000);
	id = asked_both(&other, "after ten minutes they are asked again");
	said(other, "no");
	key(id, JWK_P256, beside, sizeof(beside));
	key(id, JWK_P256, y, 31);
	key(id, JWK_P384, y, sizeof(y));
	key(id, JWK_RSA, y, 3);
	key(id, 99, y, sizeof(y));
	said(id, "");
	shows("keys", "1", "keys that are none replace nothing");
	shows("reason", "none of its keys is one", "and that is shown");
}

/* Its successor is asked at once, whatever the other has begun. */
static void
successor(void)
{
	uint32_t	id, other;

	drive_clock(&authd, 70000);
	id = asked_both(&other, "questions");
	key(id, JWK_ED25519, y, 0);
	far_close(dialerd);
	dialerd = drive_spawn(ROLE_DIALERD, 0);
	id = asked_both(&other, "its successor is asked at once");
	said(other, "no");
	key(id, JWK_P256, y, sizeof(y));
	said(id, "");
	shows("keys", "1", "what the other had begun is not in it");
	said(id, "");
	shows("keys", "1", "a second answer is nobody's");
}

/* No answer, for as long as that may take. */
static void
silence(void)
{
	uint32_t	id, other;

	drive_clock(&authd, 700000);
	id = asked_both(&other, "questions, of which one is not answered");
	said(other, "no");
	drive_clock(&authd, 23100);
	shows("reason", "no answer in time", "is one no more");
	key(id, JWK_P256, y, sizeof(y));
	said(id, "");
	shows("keys", "1", "what comes late is dropped");
}

static void
ended(const char *what)
{
	struct msg_offence	in;

	(void)hear(parent.fd, offence, &in);
	ok(in.instance == dialerd->instance, "%s: it is ended", what);
	far_close(dialerd);
	dialerd = drive_spawn(ROLE_DIALERD, 0);
}

static void
offences(void)
{
	uint32_t	id, other;
	int		i;

	drive_clock(&authd, 700000);
	id = asked_both(&other, "questions");
	for (i = 0; i < 33; i++)
		key(id, JWK_P256, y, sizeof(y));
	ended("33 keys");
	id = asked_both(&other, "its successor is asked");
	say_raw(dialerd->fd, IMSG_JWK_KEY, id, -1, "x", 1);
	ended("a malformed key");
	(void)asked_both(&other, "and the next");
	say_id(dialerd->fd, 7, api, .token = "t", .addr = "", .session = "",
	    .request = "");
	ended("a call of the API");
	shows("keys", "1", "and what was known is known");
}

int
main(void)
{
	authd_init();
	drive_conf.n_issuer = drive_conf.n_issuer_keys = 2;
	strlcpy(drive_conf.issuer[0], ISSUER, ISSUER_SIZE);
	strlcpy(drive_conf.issuer[1], OTHER, ISSUER_SIZE);
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	dialerd = drive_spawn(ROLE_DIALERD, 0);
	answers();
	bad_keys();
	successor();
	silence();
	offences();
	far_close(dialerd);
	far_close(control);
	is_int(authd_stop(), 0, "authd leaves in order");
	return (done_testing());
}
