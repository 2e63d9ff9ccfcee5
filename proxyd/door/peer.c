/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rate.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "limits.h"
#include "net/brought.h"
#include "net/proxyhead.h"
#include "peer.h"
#include "proc/link.h"

#define ASK_MS		2000
#define REFUSED_MS	60000
#define SOURCES		512

/* One about which authd is asked. */
struct came {
	struct call	call;
	int		fd;
	struct plain	plain;
	struct addr	from, client;
};

static struct rate	*refused;
static void		(*enters)(int, uint32_t, const struct addr *,
			    const struct plain *);

void
peer_init(void (*came)(int, uint32_t, const struct addr *,
    const struct plain *))
{
	enters = came;
}

static int
has_failed(const struct addr *from)
{
	char		key[ADDR_SIZE];
	uint32_t	retry;

	addr_key(from, key);
	return (refused != NULL &&
	    rate_peek(refused, key, PEER_REFUSED, &retry) == -1);
}

static void
refuse(struct came *k, const char *why)
{
	char		key[ADDR_SIZE];
	uint32_t	retry;

	addr_key(&k->from, key);
	if (refused != NULL || (refused = rate_new(SOURCES)) != NULL)
		(void)rate_hit(refused, key, PEER_REFUSED, REFUSED_MS, &retry);
	brought_refuse(k->fd, &k->plain, &k->from, why);
}

static int
came_said(struct chan *c, struct imsg *m, void *arg)
{
	struct came			*k = arg;
	struct msg_peer_head_said	 in;
	char				 why[MESSAGE_SIZE];
	int				 r;

	(void)c;
	r = m == NULL ? 0 : get_peer_head_said(m, &in);
	limits_fds(-1);
	if (m == NULL || r == -1)
		brought_refuse(k->fd, &k->plain, &k->from,
		    "authd does not answer");
	else if (in.why[0] != '\0') {
		log_escape(why, sizeof(why), in.why, strlen(in.why));
		refuse(k, why);
	} else
		enters(k->fd, (in.flags & LISTEN_ALONG) | LISTEN_FORWARDED |
		    (k->plain.id != 0 ? LISTEN_TLS : 0), &k->client,
		    k->plain.id != 0 ? &k->plain : NULL);
	free(k);
	return (r);
}

void
peer_came(int fd, const struct plain *plain, const struct addr *from,
    const struct proxyhead *h, const uint8_t *head, size_t len)
{
	struct chan	*c = link_chan();
	struct came	*k;
	uint32_t	 id;

	if (has_failed(from) || len > PEER_HEAD_MAX) {
		brought_refuse(fd, plain, from, len > PEER_HEAD_MAX ?
		    "no header of a member" : "too many wrong headers");
		return;
	}
	if ((k = calloc(1, sizeof(*k))) == NULL ||
	    (id = call_start(&k->call, c, ASK_MS, came_said, k)) == 0) {
		free(k);
		brought_refuse(fd, plain, from, "authd is not there");
		return;
	}
	k->fd = fd;
	k->plain = *plain;
	k->from = *from;
	k->client = h->client;
	limits_fds(1);
	(void)say_peer_head(c, id, -1, &(struct msg_peer_head){
	    .head = { head, len } });
}
