/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "ask.h"
#include "base/compat.h"
#include "base/log.h"
#include "discovery.h"
#include "fetch.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "json.h"
#include "jwks.h"
#include "proc/link.h"
#include "proc/proc.h"

/* One for each place of the configuration. */
static struct ask {
	uint32_t		 id;		/* of authd's question; 0: none */
	char			 issuer[ISSUER_SIZE];
	struct fetch		*fetch;
	struct discovery	 doc;
} asks[CONF_ISSUERS_MAX];

static void	ask_keys(struct ask *);

/* The one way out, with what there is to say. */
static void
ask_end(struct ask *a, const char *why)
{
	struct chan	*c = link_chan();
	char		 text[MESSAGE_SIZE], printable[MESSAGE_SIZE];

	strlcpy(text, why, sizeof(text));
	log_escape(printable, sizeof(printable), text, strlen(text));
	if (c != NULL)
		(void)say_issuer_said(c, a->id, -1, &(struct msg_issuer_said){
		    .why = printable, .authorization = a->doc.authorization,
		    .token = a->doc.token, .device = a->doc.device,
		    .algs = a->doc.algs });
	a->id = 0;
}

static void
ask_key(void *arg, const struct jwk *k)
{
	struct ask	*a = arg;
	struct chan	*c = link_chan();

	if (c != NULL)
		(void)say_jwk_key(c, a->id, -1, &(struct msg_jwk_key){
		    .kind = (uint8_t)k->kind, .kid = k->kid, .alg = k->alg,
		    .a = { k->a, k->a_len }, .b = { k->b, k->b_len } });
}

static void
ask_got_keys(void *arg, const char *why, const char *text, size_t len)
{
	struct ask	*a = arg;

	a->fetch = NULL;
	if (why == NULL)
		(void)jwks_read(text, len, ask_key, a, &why);
	ask_end(a, why != NULL ? why : "");
}

static void
ask_got_document(void *arg, const char *why, const char *text, size_t len)
{
	struct ask	*a = arg;

	a->fetch = NULL;
	if (why == NULL &&
	    discovery_read(text, len, a->issuer, &a->doc, &why) == 0)
		ask_keys(a);
	else
		ask_end(a, why);
}

static void
ask_fetch(struct ask *a, const char *url, fetch_fn fn)
{
	a->fetch = fetch_start(url, (unsigned)proc_conf()->keys_timeout * 1000,
	    fn, a);
	if (a->fetch == NULL)
		ask_end(a, "out of memory");
}

static void
ask_keys(struct ask *a)
{
	ask_fetch(a, a->doc.keys, ask_got_keys);
}

static void
ask_begin(struct ask *a, unsigned place)
{
	const struct conf	*conf = proc_conf();
	char			 url[URL_SIZE];

	memset(&a->doc, 0, sizeof(a->doc));
	strlcpy(a->issuer, conf->issuer[place], sizeof(a->issuer));
	if (conf->issuer_keys[place][0] != '\0') {
		strlcpy(a->doc.keys, conf->issuer_keys[place],
		    sizeof(a->doc.keys));
		ask_keys(a);
	} else if (discovery_url(a->issuer, url) == 0)
		ask_fetch(a, url, ask_got_document);
	else
		ask_end(a, "discovery: its address is too long");
}

int
ask_on_ask(struct chan *c, struct imsg *m)
{
	const struct conf	*conf = proc_conf();
	struct msg_issuer_ask	 in;
	unsigned		 i;

	if (get_issuer_ask(m, &in) == -1)
		return (-1);
	for (i = 0; i < conf->n_issuer; i++)
		if (strcmp(conf->issuer[i], in.issuer) == 0)
			break;
	if (i < conf->n_issuer && asks[i].id == 0) {
		asks[i].id = m->id;
		ask_begin(&asks[i], i);
		return (0);
	}
	/* At a reload one of us may know of it a moment before the other. */
	(void)say_issuer_said(c, m->id, -1, &(struct msg_issuer_said){
	    .why = i < conf->n_issuer ? "it is being asked" :
	    "not in the configuration", .authorization = "", .token = "",
	    .device = "", .algs = "" });
	return (0);
}

void
ask_clear(void)
{
	struct ask	*a;

	for (a = asks; a < asks + CONF_ISSUERS_MAX; a++) {
		fetch_cancel(a->fetch);
		a->fetch = NULL;
		a->id = 0;
	}
}

size_t
ask_ports(uint16_t *ports, size_t max)
{
	const struct conf	*conf = proc_conf();
	char			 host[PLACE_SIZE];
	unsigned		 i;
	size_t			 n = 0;

	for (i = 0; i < conf->n_issuer; i++) {
		if (n < max && place_of(conf->issuer[i], host, &ports[n]) == 0)
			n++;
		if (n < max && place_of(conf->issuer_keys[i], host,
		    &ports[n]) == 0)
			n++;
	}
	return (n);
}
