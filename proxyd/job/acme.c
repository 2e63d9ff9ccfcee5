/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "acme.h"
#include "answer.h"
#include "base/compat.h"
#include "http/head.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proxyd/door/conn.h"
#include "proxyd/door/route.h"

static struct {
	struct {
		char	token[ACME_TOKEN_SIZE], text[ACME_TEXT_SIZE];
	}		v[ACME_MAX];
	unsigned	n;
} acme;

int
acme_on_challenge(struct chan *c, struct imsg *m)
{
	struct msg_challenge	in;

	(void)c;
	if (get_challenge(m, &in) == -1)
		return (-1);
	if (in.anew)
		acme.n = 0;
	if (in.token[0] == '\0')
		return (0);
	if (acme.n == ACME_MAX)
		return (-1);
	strlcpy(acme.v[acme.n].token, in.token, sizeof(acme.v[0].token));
	strlcpy(acme.v[acme.n].text, in.text, sizeof(acme.v[0].text));
	acme.n++;
	return (0);
}

/* The token as it was sent: what has a % or a / in it is none. */
int
acme_answer(struct conn *c, const struct httphead *h)
{
	struct slice	token = h->path;
	const char	*text;
	unsigned	i;

	token.s += sizeof(ROUTE_ACME_PREFIX) - 1;
	token.len -= sizeof(ROUTE_ACME_PREFIX) - 1;
	for (i = 0; i < acme.n && !slice_eq(&token, acme.v[i].token); i++)
		continue;
	if (i == acme.n || (!c->is_head && !slice_eq(&h->method_name, "GET")))
		return (0);
	text = acme.v[i].text;
	answer_text(c, "application/octet-stream", text, strlen(text));
	return (1);
}
