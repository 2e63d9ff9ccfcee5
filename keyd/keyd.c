/* SPDX-License-Identifier: ISC */
/*
 * keyd: the private keys of certificates, and nothing else. It touches the
 * files that the parent hands it and its channels to the tlsds; no socket of
 * anybody's comes near it. A tlsd asks for the signature of a handshake (SIGN)
 * and gets it or is ended: what is no handshake's is never signed (form.h), and
 * nothing is decrypted, since no cipher that is offered needs that.
 *
 * It also makes the keys that session tickets are sealed with, a new one each
 * hour, and tells all tlsds, so that each can open what another has sealed.
 *
 * It starts in main(); PEER, CERT and RELOAD are the parent's (proc.c). Told to
 * stop it signs on until no tlsd has a channel to it: a question that lay unread
 * would be a handshake that fails.
 */
#include <sys/queue.h>

#include <openssl/crypto.h>
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "check.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "keys.h"
#include "metrics/count.h"
#include "proc/proc.h"
#include "tls/certcheck.h"
#include "tls/crypto.h"

#define TICKET_MS	3600000		/* each key seals for so long */
#define LOOK_MS		86400000	/* at when certificates end */
#define STOP_MS		5000	/* for tlsds that turn to the next one */

struct peer {
	LIST_ENTRY(peer)	 entry;
	struct chan		*chan;
};

static struct {
	LIST_HEAD(, peer)	 peers;		/* tlsds */
	uint8_t			 keys[TLS_TICKET_KEYS][TLS_TICKET_KEY];
	unsigned		 n;		/* the newest first */
	struct timer		 turn, look;
	struct timer		 stop;
	int			 stopping;
} tickets = { .peers = LIST_HEAD_INITIALIZER(tickets.peers) };

static int	on_sign(struct chan *, struct imsg *);

static const struct dispatch	table[] = {
	PROC_ROWS
	PROC_PEER_ROW
	PROC_CERT_ROW
	PROC_RELOAD_ROWS
};

static const struct dispatch	tlsd_table[] = {
	{ IMSG_SIGN, R_TLSD, S_ANY, MF_REQUEST, on_sign },
};

static int
on_sign(struct chan *c, struct imsg *m)
{
	struct msg_sign	 in;
	uint8_t		 sig[TLS_SIG_MAX];
	size_t		 len = 0;
	enum keys_said	 said;

	if (get_sign(m, &in) == -1)
		return (-1);
	said = keys_sign(&in, sig, &len);
	count(said == KEYS_SIGNED ? CT_KEY_SIGNED : said == KEYS_UNKNOWN ?
	    CT_KEY_UNKNOWN : CT_KEY_REFUSED);
	if (said == KEYS_FORBIDDEN)
		return (-1);		/* see peer_closed() */
	if (said == KEYS_UNKNOWN)
		len = 0;
	(void)say_signed(c, m->id, -1, &(struct msg_signed){
	    .signature = { sig, len } });
	return (0);
}

/* Tickets. */

static void
tell(struct chan *c)
{
	(void)say_ticket_keys(c, 0, -1, &(struct msg_ticket_keys){
	    .keys = { tickets.keys[0], tickets.n * TLS_TICKET_KEY } });
}

/* The oldest goes, and with it what it has sealed. */
static void
tickets_turn(void *arg)
{
	struct peer	*p;

	(void)arg;
	memmove(tickets.keys[1], tickets.keys[0],
	    (TLS_TICKET_KEYS - 1) * TLS_TICKET_KEY);
	randombytes_buf(tickets.keys[0], TLS_TICKET_KEY);
	if (tickets.n < TLS_TICKET_KEYS)
		tickets.n++;
	LIST_FOREACH(p, &tickets.peers, entry)
		tell(p->chan);
	timer_set(&tickets.turn, TICKET_MS);
}

static void
look(void *arg)
{
	(void)arg;
	keys_look();
	timer_set(&tickets.look, LOOK_MS);
}

/* The tlsds. */

static void
peer_closed(struct chan *c, int offence, const char *reason)
{
	struct peer	*p = chan_arg(c);

	if (offence)
		(void)say_offence(proc_parent(), 0, -1, &(struct msg_offence){
		    .instance = chan_instance(c), .reason = reason });
	LIST_REMOVE(p, entry);
	chan_free(c);
	free(p);
	if (tickets.stopping && LIST_EMPTY(&tickets.peers))
		proc_exit(0);
}

static void
stop_now(void *arg)
{
	(void)arg;
	proc_exit(0);
}

static void
stop(void)
{
	if (LIST_EMPTY(&tickets.peers))
		proc_exit(0);
	tickets.stopping = 1;
	/* The next one has told them of newer keys. */
	timer_del(&tickets.turn);
	timer_init(&tickets.stop, stop_now, NULL);
	timer_set(&tickets.stop, STOP_MS);
}

static int
peer_came(int fd, int role, uint64_t instance, unsigned protocol)
{
	struct peer	*p = calloc(1, sizeof(*p));

	if (role != ROLE_TLSD || p == NULL || (p->chan = chan_new(proc_base(),
	    fd, role, tlsd_table, sizeof(tlsd_table) / sizeof(tlsd_table[0]),
	    peer_closed, p)) == NULL) {
		free(p);
		return (-1);
	}
	chan_speak(p->chan, protocol);
	chan_hear(p->chan, protocol);
	chan_set_instance(p->chan, instance);
	LIST_INSERT_HEAD(&tickets.peers, p, entry);
	if (tickets.n > 0)
		tell(p->chan);
	return (0);
}

static int
judge(const struct conf *conf, const char **why)
{
	(void)conf;
	return (keys_judge(why));
}

/* What the machine says about libcrypto is not for the keys. */
static void
begin(void)
{
	crypto_begin();
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
	    NULL) != 1)
		fatalx("libcrypto");
}

static void
run(void)
{
	const char	*why;

	crypto_begun();
	if (keys_judge(&why) == -1)
		fatalx("%s", why);
	timer_init(&tickets.turn, tickets_turn, NULL);
	timer_init(&tickets.look, look, NULL);
	keys_use();
	tickets_turn(NULL);
	timer_set(&tickets.look, LOOK_MS);
}

int
main(int argc, char **argv)
{
	struct proc_ops	ops;

	if (argc > 1 && strcmp(argv[1], CERTCHECK_WORD) == 0) {
		begin();
		check_main(argc, argv);
	}
	memset(&ops, 0, sizeof(ops));
	ops.role = ROLE_KEYD;
	ops.table = table;
	ops.rows = sizeof(table) / sizeof(table[0]);
	ops.counters = counts_take;
	ops.peer = peer_came;
	ops.cert = keys_take;
	ops.judge = judge;
	ops.swapped = keys_use;
	ops.begin = begin;
	ops.run = run;
	ops.stop = stop;
	if (sodium_init() == -1)
		return (1);
	proc_main(&ops, argc, argv);
}
