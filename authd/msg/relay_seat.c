/* SPDX-License-Identifier: ISC */
/*
 * Who comes to a relay session: the proxyd asks whether he may (ADMIT), the
 * rendd that has the connection, where it belongs (SEAT). The first one's
 * arrival starts the rendd; who comes meanwhile waits for it.
 */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "authd/store/audit.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/rate.h"
#include "handlers.h"
#include "named.h"
#include "peer.h"
#include "proc/proc.h"
#include "relay.h"

#define START_MS	1500	/* for a rendd to be there; ADMIT has 2 s */
#define ON_WAY_MS	12000	/* for a connection to reach its rendd */
#define WAITING_MAX	64	/* of one session */
#define STRAYS		60	/* ids that we have not, of one address, */
#define STRAYS_MS	60000	/* in this time */

static void	relay_let_in(struct relay *, const struct relay_wait *);
static void	waiting_late(void *);

/* `id` or `id~channel`. NULL: there is no such thing. */
static struct relay *
relay_named(const char *text, uint16_t *channel)
{
	char		 id[RELAY_TEXT];
	const char	*wrong = NULL, *p;
	struct relay	*r;

	*channel = 0;
	if (strlen(text) < RELAY_ID)
		return (NULL);
	memcpy(id, text, RELAY_ID);
	id[RELAY_ID] = '\0';
	if ((r = relay_find(id)) == NULL)
		return (NULL);
	p = text + RELAY_ID;
	if (*p == '\0')
		return (r);
	if (*p != '~' || p[1] < '0' || p[1] > '9' ||
	    (p[1] == '0' && p[2] != '\0'))
		return (NULL);
	*channel = (uint16_t)strtonum(p + 1, 0, (long long)r->channels - 1,
	    &wrong);
	return (wrong == NULL ? r : NULL);
}

/* Which slot is it for? Both are compared, whichever it is. */
static int
token_slot(const struct relay *r, const char *token)
{
	uint8_t	hash[RELAY_HASH];
	int	one, two;

	crypto_generichash(hash, sizeof(hash), (const uint8_t *)token,
	    strlen(token), NULL, 0);
	one = sodium_memcmp(hash, r->hash[SLOT_INITIATOR], sizeof(hash));
	two = sodium_memcmp(hash, r->hash[SLOT_RESPONDER], sizeof(hash));
	return (one == 0 ? SLOT_INITIATOR : two == 0 ? SLOT_RESPONDER : -1);
}

static void
relay_come(const struct asker *asker, uint64_t proxyd, const char *addr,
    const char *session, const char *token, int look)
{
	struct relay_wait	 w = { .asker = *asker, .proxyd = proxyd };
	struct relay		*r;
	int			 slot;

	if ((r = relay_named(session, &w.channel)) == NULL) {
		admit_no(asker, 404, 0, "404 page not found");
		return;
	}
	if (token[0] == '\0') {
		admit_no(asker, 401, 0, "missing session token");
		return;
	}
	if ((slot = token_slot(r, token)) == -1) {
		relay_note_refused(r, w.channel, addr);
		audit_stranger(&(struct audit){ .address = addr,
		    .action = "relay", .object = r->id,
		    .reason = "wrong token" });
		admit_no(asker, 401, 0, "unauthorized");
		return;
	}
	/* Who is seated now would hear that it is over: the next one has it. */
	if (r->leaving) {
		admit_no(asker, 503, 1, "service temporarily unavailable");
		return;
	}
	if (look) {
		admit_no(asker, 0, 0, "");
		return;
	}
	w.slot = (uint8_t)slot;
	strlcpy(w.addr, addr, sizeof(w.addr));
	strlcpy(w.session, session, sizeof(w.session));
	relay_let_in(r, &w);
}

/* He has come to a member that had it not, with what he has said. */
struct coming {
	struct asker	 asker;
	uint64_t	 proxyd;
	int		 look;
	char		 addr[ADDR_SIZE], session[UUID_SIZE];
	char		*token;
};

static void
relay_known(enum holder_at at, const struct member_row *m, void *arg)
{
	struct coming	*k = arg;

	(void)m;
	log_request(k->asker.request);
	if (at != HOLDER_HERE)
		admit_no(&k->asker, 503, 1, "service temporarily unavailable");
	else
		relay_come(&k->asker, k->proxyd, k->addr, k->session, k->token,
		    k->look);
	log_request(NULL);
	freezero(k->token, strlen(k->token));
	free(k);
}

/* What we have not is looked for in the store: not as often as one likes. */
static int
may_stray(uint64_t proxyd, const char *addr, uint32_t *retry_s)
{
	char	key[ADDR_SIZE];

	rate_address(addr, key);
	return (named_hit(NAMED_STRAY, proxyd, key, STRAYS, STRAYS_MS,
	    retry_s) == 0);
}

static void
relay_ask(const struct asker *asker, uint64_t proxyd, const char *addr,
    const char *session, const char *token, int look)
{
	struct coming	*k;
	uint32_t	 retry_s;
	char		 id[RELAY_TEXT];

	/* Others may have it that think us gone. */
	if (!peer_is_ready() || member_is_silent()) {
		admit_no(asker, 503, 5, "service temporarily unavailable");
		return;
	}
	strlcpy(id, session, sizeof(id));
	if (!member_is_one() || strlen(id) != RELAY_ID) {
		relay_come(asker, proxyd, addr, session, token, look);
		return;
	}
	if (relay_find(id) == NULL && !may_stray(proxyd, addr, &retry_s)) {
		admit_no(asker, 429, retry_s, "too many unknown sessions");
		return;
	}
	if ((k = calloc(1, sizeof(*k))) == NULL ||
	    (k->token = strdup(token)) == NULL) {
		free(k);
		admit_no(asker, 503, 1, "server is busy");
		return;
	}
	k->asker = *asker;
	k->proxyd = proxyd;
	k->look = look;
	strlcpy(k->addr, addr, sizeof(k->addr));
	strlcpy(k->session, session, sizeof(k->session));
	relay_where(id, asker->instance, relay_known, k);
}

void
relay_init(void)
{
	admit_relays(relay_ask);
}

static void
relay_admit(struct relay *r, const struct relay_wait *w)
{
	struct admission	*a;

	a = admit_yes(&w->asker, CLASS_RELAY, w->proxyd, w->addr, r->id,
	    r->instance);
	if (a == NULL)
		return;
	a->channel = w->channel;
	a->slot = w->slot;
	r->last_ms = clock_ms();
	if (r->instance != 0)
		r->on_way++;
	else {
		r->nonce = a->nonce;
		r->begun_ms = clock_ms();
	}
}

static void
relay_let_in(struct relay *r, const struct relay_wait *w)
{
	struct relay_wait	*copy, *x;
	unsigned		 n = 0;

	if (r->instance != 0 || r->nonce == 0 ||
	    clock_ms() - r->begun_ms >= START_MS) {
		relay_admit(r, w);
		return;
	}
	STAILQ_FOREACH(x, &r->waiting, entry)
		n++;
	if (n >= WAITING_MAX || (copy = malloc(sizeof(*copy))) == NULL) {
		admit_no(&w->asker, 503, 1, "server is busy");
		return;
	}
	*copy = *w;
	STAILQ_INSERT_TAIL(&r->waiting, copy, entry);
	if (!timer_is_set(&r->late)) {
		timer_init(&r->late, waiting_late, r);
		timer_set(&r->late, START_MS);
	}
}

/* The rendd is there, or should have been: go on with those who waited. */
static void
waiting_go(struct relay *r)
{
	STAILQ_HEAD(, relay_wait)	 all;
	struct relay_wait		*w;

	timer_del(&r->late);
	STAILQ_INIT(&all);
	STAILQ_CONCAT(&all, &r->waiting);
	while ((w = STAILQ_FIRST(&all)) != NULL) {
		STAILQ_REMOVE_HEAD(&all, entry);
		relay_let_in(r, w);
		free(w);
	}
}

static void
waiting_late(void *arg)
{
	waiting_go(arg);
}

/* One process for one session: a second one, or one for none, has to go. */
void
relay_started(struct peer *pe, const char *session, int bound)
{
	const struct admission	*a = pe->admission;
	struct relay		*r = NULL;

	if (bound)
		r = relay_find(session);
	else if (a != NULL && a->class == CLASS_RELAY)
		r = relay_find(a->session);
	if (r == NULL || r->expired || r->instance != 0) {
		/* Who is new asks yet, and hears a code of his own. */
		if (bound)
			peer_close(pe, 1001, r != NULL && r->expired ?
			    "session expired" : "session closed");
		return;
	}
	pe->relay = r;
	r->instance = pe->instance;
	r->nonce = 0;
	r->on_way = bound ? 0 : 1;
	/*
	 * Of who was here before us it tells once who sits there, and who of
	 * those that knock has his place then.
	 */
	r->may_sit = bound ? 2 * SLOT_COUNT * r->channels : 0;
	if (!bound)
		(void)say_bound(proc_parent(), 0, -1, &(struct msg_bound){
		    .instance = pe->instance, .system = "", .session = r->id,
		    .addr = a->addr, .since = (uint64_t)clock_wall_ms() });
	waiting_go(r);
}

void
relay_gone(struct peer *pe)
{
	struct relay	*r = pe->relay;

	pe->relay = NULL;
	if (r == NULL)
		return;
	r->instance = 0;
	r->on_way = 0;
	memset(r->seats, 0, sizeof(r->seats));
	waiting_go(r);
}

/* What rendd says. */

static void
seat_say(struct chan *c, uint32_t id, unsigned status, unsigned code,
    const char *message, const struct admission *a)
{
	(void)say_seated(c, id, -1, &(struct msg_seated){
	    .status = (uint16_t)status, .code = (uint16_t)code,
	    .message = message, .session = a != NULL ? a->session : "",
	    .channel = a != NULL ? a->channel : 0,
	    .slot = a != NULL ? a->slot : 0 });
}

/* The admission that started it, or one that was let in to it. */
static struct admission *
seat_admission(struct peer *pe, uint64_t nonce)
{
	struct admission	*a = pe->admission;

	if (a != NULL && a->nonce == nonce)
		pe->admission = NULL;
	else
		a = admit_take(nonce);
	if (a != NULL && (a->class != CLASS_RELAY || (pe->relay != NULL &&
	    strcmp(a->session, pe->relay->id) != 0))) {
		admit_free(a);
		return (NULL);
	}
	return (a);
}

int
relay_on_seat(struct chan *c, struct imsg *m)
{
	struct msg_seat		 in;
	struct peer		*pe = peer_of(c);
	struct relay		*r = pe->relay;
	struct admission	*a;

	if (get_seat(m, &in) == -1 || in.nonce == 0)
		return (-1);
	if ((a = seat_admission(pe, in.nonce)) == NULL) {
		seat_say(c, m->id, 503, 0, "relay service is restarting",
		    NULL);
		return (0);
	}
	if (r != NULL && r->on_way > 0)
		r->on_way--;
	if (a->moved != NULL)
		seat_say(c, m->id, 0, 1001, a->moved, a);
	else if (r != NULL) {
		r->may_sit++;
		seat_say(c, m->id, 0, 0, "", a);
	} else if ((r = relay_find(a->session)) != NULL && !r->expired)
		seat_say(c, m->id, 503, 0, "relay service is restarting", a);
	else
		seat_say(c, m->id, 0, 1008, r != NULL ? "session expired" :
		    "session closed", a);
	admit_free(a);
	return (0);
}

/*
 * A slot is taken and left in turn, and taken at most once for each connection
 * that was told its seat: each of them is a row of the log and a write of the
 * store, of which a broken rendd has no more than its peers have connections.
 */
int
relay_on_slot(struct chan *c, struct imsg *m)
{
	struct msg_slot	 in;
	struct relay	*r = peer_of(c)->relay;
	uint8_t		 bit;

	if (get_slot(m, &in) == -1 || in.slot >= SLOT_COUNT || in.taken > 1 ||
	    in.channel >= RELAY_CHANNELS)
		return (-1);
	if (r == NULL)
		return (0);		/* it is over already */
	if (in.channel >= r->channels)
		return (-1);
	bit = (uint8_t)(1 << in.slot);
	if ((r->seats[in.channel] & bit) == (in.taken ? bit : 0))
		return (-1);
	if (in.taken && r->may_sit-- == 0)
		return (-1);
	r->seats[in.channel] ^= bit;
	r->moved = clock_wall_ms();
	if (!in.taken)
		relay_save(r, 1);
	relay_note(r, in.taken ? "attach" : "detach", in.channel, in.slot,
	    in.code, in.addr);
	return (0);
}

int
relay_on_stats(struct chan *c, struct imsg *m)
{
	struct msg_relay_stats	 in;
	struct relay		*r = peer_of(c)->relay;

	if (get_relay_stats(m, &in) == -1)
		return (-1);
	if (r == NULL)
		return (0);
	r->bytes_in += in.in;
	r->bytes_out += in.out;
	if ((int64_t)in.moved > r->moved &&
	    (int64_t)in.moved <= clock_wall_ms())
		r->moved = (int64_t)in.moved;
	relay_save(r, 0);
	return (0);
}

/* Unless somebody is on his way to it, it is not needed any more. */
int
relay_on_empty(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);
	struct relay	*r = pe->relay;

	if (get_relay_empty(m) == -1)
		return (-1);
	if (r != NULL && r->on_way > 0 && clock_ms() - r->last_ms < ON_WAY_MS)
		return (0);
	relay_gone(pe);
	peer_close(pe, 1001, "nobody is here");
	return (0);
}
