/* SPDX-License-Identifier: ISC */
/*
 * A system logs in: rows 2 to 6 and 8 of tunnel-protocol.md 1.5, then the slot
 * rules of 6.4. Told in the order of the functions: login_on_login,
 * login_credentials, login_slot, perhaps login_probe, login_take, and after the
 * commit login_done.
 */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "authd/core/guest.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/cred/known.h"
#include "authd/cred/secret.h"
#include "authd/now.h"
#include "authd/redis/credcache.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/rate.h"
#include "cluster.h"
#include "guests.h"
#include "handlers.h"
#include "internal.h"
#include "login.h"
#include "manifest.h"
#include "member.h"
#include "metrics/count.h"
#include "moving.h"
#include "named.h"
#include "peer.h"
#include "proc/proc.h"

#define PROBE_MS	2000
#define BEATS_MS	10000	/* two beats: whose last is newer lives */
#define RATE_PLACES	65536
#define BUCKET_SIZE	(SYSKEY_SIZE + ADDR_SIZE + 1)
#define CLOSE_OVER	4000	/* tunnel-protocol.md, section 2 */

/* A login on its way; nothing in it outlives the answer. */
struct login {
	struct asker		asker;
	char			key[SYSKEY_SIZE], secret[SECRET_SIZE];
	char			node[NODE_SIZE], token[HEX64_SIZE];
	char			addr[ADDR_SIZE];	/* as admitted */
	uint64_t		proxyd;			/* who said so */
	struct system_row	system;
	enum known		known;		/* of its secret, and since */
	int			hinted;		/* a cache said which system */
	uint64_t		mark;
	char			session[UUID_SIZE];
	/* to take back what the store did not take */
	int			created;
	int			adopted;	/* from the store, of a cluster */
	struct session_row	row;		/* as it had it */
	char			old_hash[HEX64_SIZE], old_prev[HEX64_SIZE];
	char			new_token[HEX64_SIZE];
	uint64_t		generation;
};

static enum refusal	login_form(const struct login *, uint32_t *);
static void	login_ask(struct login *);
static void	login_look(struct login *, const char *);
static void	login_cached(enum known, const char *, void *);
static enum refusal	login_wrong(const struct login *);
static void	login_known(const struct facts *, void *);
static enum refusal	login_credentials(struct login *,
			    const struct facts *);
static void	login_slot(struct login *);
static void	login_found(struct login *, struct session *);
static void	login_slot_known(const struct answer *, void *);
static void	login_elsewhere(enum probed, void *);
static void	login_adopt(struct login *);
static void	login_probe(struct login *, struct session *);
static int	login_probed(struct chan *, struct imsg *, void *);
static void	login_go_on(const struct facts *, void *);
static void	login_take(struct login *, struct session *);
static void	login_done(void *, int);
static void	login_refuse(struct login *, enum refusal, uint32_t);
static void	login_free(struct login *);

static struct {
	struct rate	*slot, *key;
} logins;

int
login_init(void)
{
	logins.slot = rate_new(RATE_PLACES);
	logins.key = rate_new(RATE_PLACES);
	return (logins.slot == NULL || logins.key == NULL ? -1 : 0);
}

static void
login_free(struct login *lo)
{
	freezero(lo, sizeof(*lo));
}

static void
login_answer(struct chan *c, uint32_t id, int status, uint32_t retry_s,
    const char *message, const char *session, const char *token,
    const char *system_id)
{
	(void)say_login_result(c, id, -1, &(struct msg_login_result){
	    .status = (uint16_t)status, .retry_s = retry_s, .message = message,
	    .session = session, .reconnect = token, .system = system_id });
}

static unsigned
login_counted(enum refusal why)
{
	switch (why) {
	case REFUSE_CREDENTIALS:
		return (CT_LOGIN_CREDENTIALS);
	case REFUSE_DISABLED:
		return (CT_LOGIN_DISABLED);
	case REFUSE_ATTEMPTS:
		return (CT_LOGIN_RATE);
	case REFUSE_RECONNECT:
		return (CT_LOGIN_RECONNECT);
	case REFUSE_COMING:
	case REFUSE_CONNECTED:
		return (CT_LOGIN_CONNECTED);
	case REFUSE_SESSIONS:
	case REFUSE_SLOTS:
		return (CT_LOGIN_FULL);
	case REFUSE_STORE:
		return (CT_LOGIN_STORE);
	default:
		return (CT_LOGIN_OTHER);
	}
}

/* Retry-After is the refusal's own, unless a rate says one. */
static void
login_refuse(struct login *lo, enum refusal why, uint32_t retry_s)
{
	const struct refusal_info	*no = refusal_info(why);
	struct chan			*c = asker_chan(&lo->asker);

	count(login_counted(why));
	audit_stranger(&(struct audit){ .actor = lo->key, .address = lo->addr,
	    .action = "login", .reason = no->text });
	if (c != NULL) {
		login_answer(c, lo->asker.id, no->status,
		    retry_s != 0 ? retry_s : no->retry_s, no->text, "", "",
		    "");
		peer_set_state(peer_of(c), P_REFUSED);
	}
	login_free(lo);
}

int
login_on_login(struct chan *c, struct imsg *m)
{
	struct msg_login	 in;
	struct peer		*pe = peer_of(c);
	struct login		*lo;
	uint32_t		 retry = 0;
	enum refusal		 no;

	if (get_login(m, &in) == -1 || in.nonce != pe->nonce)
		return (-1);
	if ((lo = calloc(1, sizeof(*lo))) == NULL) {
		login_answer(c, m->id, refusal_info(REFUSE_BUSY)->status, 1,
		    refusal_info(REFUSE_BUSY)->text, "", "", "");
		peer_set_state(pe, P_REFUSED);
		return (0);
	}
	strlcpy(lo->key, in.key, sizeof(lo->key));
	strlcpy(lo->secret, in.secret, sizeof(lo->secret));
	strlcpy(lo->node, in.node, sizeof(lo->node));
	strlcpy(lo->token, in.reconnect, sizeof(lo->token));
	if (pe->admission != NULL)
		log_request(pe->admission->request);
	lo->asker = asker_of(c, m);
	peer_set_state(pe, P_LOGIN);
	/* Let in by an authd that is no more, or too long ago. */
	if (pe->admission == NULL || pe->admission->class != CLASS_TUNNEL) {
		login_refuse(lo, REFUSE_BUSY, 1);
		return (0);
	}
	strlcpy(lo->addr, pe->admission->addr, sizeof(lo->addr));
	lo->proxyd = pe->admission->proxyd;
	if ((no = login_form(lo, &retry)) != REFUSE_NOT) {
		login_refuse(lo, no, retry);
		return (0);
	}
	login_ask(lo);
	return (0);
}

/* A secret that was good a while ago: only whether the system may still. */
static void
login_ask(struct login *lo)
{
	char	id[ID_SIZE];

	lo->mark = known_mark();
	lo->known = known_find(lo->key, lo->secret, clock_ms(), id);
	if (lo->known == KNOWN_GOOD) {
		lo->hinted = 1;
		login_look(lo, id);
	} else if (lo->known == KNOWN_BAD) {
		login_refuse(lo, login_wrong(lo), 0);
	} else if (credcache_ask(lo->key, lo->secret, login_cached, lo) ==
	    -1) {
		login_look(lo, NULL);
	}
}

/* In the store: by the id that a cache has, or by key. */
static void
login_look(struct login *lo, const char *id)
{
	struct facts_keys	keys = { .asker = lo->asker.instance };

	keys.system_id = id;
	keys.system_key = id == NULL ? lo->key : NULL;
	(void)facts_ask(id != NULL ? NEED_SYSTEM : NEED_SYSTEM_BY_KEY, &keys,
	    login_known, lo);
}

/*
 * Redis has said what others found. Anybody who writes there may have: what it
 * has for bad is refused, but on its word alone nothing is held against who
 * comes, and nothing is remembered.
 */
static void
login_cached(enum known known, const char *id, void *arg)
{
	struct login	*lo = arg;

	log_request(lo->asker.request);
	if (known_forgot(lo->key, lo->mark))
		known = KNOWN_NOT;
	if (known == KNOWN_BAD) {
		explicit_bzero(lo->secret, sizeof(lo->secret));
		login_refuse(lo, REFUSE_CREDENTIALS, 0);
	} else {
		lo->hinted = known == KNOWN_GOOD;
		login_look(lo, lo->hinted ? id : NULL);
	}
	log_request(NULL);
}

static void
login_bucket(const struct login *lo, char bucket[BUCKET_SIZE])
{
	char	at[ADDR_SIZE];

	rate_address(lo->addr, at);
	snprintf(bucket, BUCKET_SIZE, "%s %s", at, lo->key);
}

/* One attempt more of this address, with this key and with any. */
static enum refusal
login_wrong(const struct login *lo)
{
	const struct conf	*conf = proc_conf();
	char			 bucket[BUCKET_SIZE];
	uint32_t		 ignored;

	login_bucket(lo, bucket);
	(void)named_hit(NAMED_FAILED, lo->proxyd, bucket, conf->rate_slot,
	    conf->rate_slot_s * 1000, &ignored);
	named_offence(lo->proxyd, lo->addr, PENALTY_AUTHFAIL);
	return (REFUSE_CREDENTIALS);
}

/* Rows 2 and 3: what can be said without knowing who it is. */
static enum refusal
login_form(const struct login *lo, uint32_t *retry)
{
	char		 public[SECRET_PUBLIC_SIZE], bucket[BUCKET_SIZE];
	const char	*private;
	int		 bad;

	if (!peer_is_ready() || member_is_silent())
		return (REFUSE_STORE);
	if (member_is_draining())
		return (REFUSE_DRAINING);
	bad = secret_parse(lo->secret, public, &private) == -1;
	explicit_bzero(public, sizeof(public));
	if (lo->key[0] == '\0' || bad)
		return (login_wrong(lo));
	login_bucket(lo, bucket);
	return (named_peek(NAMED_FAILED, lo->proxyd, bucket,
	    proc_conf()->rate_slot, retry) == -1 ? REFUSE_ATTEMPTS :
	    REFUSE_NOT);
}

static void
login_known(const struct facts *f, void *arg)
{
	struct login	*lo = arg;
	enum refusal	 no;

	/* It got another secret while the store was asked. */
	if (known_forgot(lo->key, lo->mark)) {
		login_ask(lo);
		return;
	}
	/* The cache was wrong, or old. */
	if (lo->hinted && (f->got_system == STORE_NONE ||
	    (f->got_system == 0 && strcmp(f->system.key, lo->key) != 0))) {
		lo->hinted = 0;
		lo->known = KNOWN_NOT;
		login_look(lo, NULL);
		return;
	}
	no = login_credentials(lo, f);
	explicit_bzero(lo->secret, sizeof(lo->secret));
	if (no != REFUSE_NOT)
		login_refuse(lo, no, 0);
	else if (peer_find(lo->asker.instance) == NULL)
		login_free(lo);
	else
		login_slot(lo);
}

/* Is it the secret that the store has? An unknown key costs what that does. */
static int
login_is_right(struct login *lo, const struct facts *f)
{
	char		 public[SECRET_PUBLIC_SIZE];
	const char	*private;
	int		 good = 0;

	if (secret_parse(lo->secret, public, &private) == -1)
		return (0);
	if (f->got_system == STORE_NONE) {
		secret_waste(private);
	} else {
		good = secret_verify(f->system.secret_stored, private) == 0;
		good &= strlen(public) == strlen(f->system.secret_public) &&
		    sodium_memcmp(public, f->system.secret_public,
		    strlen(public)) == 0;
	}
	explicit_bzero(public, sizeof(public));
	if (lo->known != KNOWN_GOOD || !good) {
		known_put(lo->key, lo->secret, good ? f->system.id : NULL,
		    lo->mark, clock_ms());
		credcache_put(lo->key, lo->secret, good ? f->system.id :
		    NULL);
	}
	return (good);
}

/* Rows 4 and 5: who is it? */
static enum refusal
login_credentials(struct login *lo, const struct facts *f)
{
	if (f->got_system == -1)
		return (REFUSE_STORE);
	/*
	 * What is known is where to look. The row is read in any case, so that
	 * what it says of the secret counts: somebody else may have changed it.
	 */
	if (!login_is_right(lo, f) || f->got_system != 0 ||
	    strcmp(f->system.key, lo->key) != 0 ||
	    f->system.deleted_at != 0)
		return (login_wrong(lo));
	lo->system = f->system;
	return (may_connect(f));
}

static int
node_check(const char *node)
{
	return (strspn(node, "0123456789") == strlen(node) ? 0 : -1);
}

/* Row 6: attempts that passed all before. */
static int
login_rates(struct login *lo, uint32_t *retry)
{
	const struct conf	*conf = proc_conf();
	char			 slot[ID_SIZE + NODE_SIZE + 1];

	snprintf(slot, sizeof(slot), "%s %s", lo->system.id, lo->node);
	if (rate_hit(logins.key, lo->system.id, conf->rate_key,
	    conf->rate_key_s * 1000, retry) == -1)
		return (-1);
	return (rate_hit(logins.slot, slot, conf->rate_slot,
	    conf->rate_slot_s * 1000, retry));
}

/* 6.4, 2: the token, if there is one, is the current or the previous. */
static int
login_token(const struct login *lo, const struct session_row *row)
{
	char	hash[HEX64_SIZE];

	if (lo->token[0] == '\0')
		return (proc_conf()->require_reconnect_token ? -1 : 0);
	secret_hash(lo->token, hash);
	if (row->reconnect_hash[0] != '\0' && sodium_memcmp(hash,
	    row->reconnect_hash, HEX64_SIZE) == 0)
		return (0);
	if (row->reconnect_prev[0] != '\0' && sodium_memcmp(hash,
	    row->reconnect_prev, HEX64_SIZE) == 0)
		return (0);
	return (-1);
}

/* The slot's open session; one that is overdue ends by being asked for. */
static struct session *
login_session(const struct login *lo)
{
	struct session	*se = session_by_slot(lo->system.id, lo->node);

	if (se == NULL || session_is_open(se, now_at()))
		return (se);
	session_end(se, SESSION_EXPIRED, "timeout", CLOSE_OVER, now_at());
	return (NULL);
}

/* One that has no answer yet cannot be asked whether it lives. */
static int
slot_is_moving(const struct session *se)
{
	return (se->newcomer != NULL || (se->tunnel != NULL &&
	    se->tunnel->state == TUNNEL_LOGIN));
}

static void
login_slot(struct login *lo)
{
	struct session	*se;
	uint32_t	 retry;

	if (node_check(lo->node) == -1) {
		login_refuse(lo, REFUSE_NODE, 0);
		return;
	}
	if (login_rates(lo, &retry) == -1) {
		login_refuse(lo, REFUSE_ATTEMPTS, retry);
		return;
	}
	se = login_session(lo);
	if (se == NULL && member_is_one())
		(void)store_ask(&(struct question){ .what = ASK_SLOT,
		    .key = lo->system.id, .node = lo->node,
		    .asker = lo->asker.instance }, login_slot_known, lo);
	else
		login_found(lo, se);
}

/* NULL: nobody has an open session of the slot. */
static void
login_found(struct login *lo, struct session *se)
{
	if (se != NULL && login_token(lo, &se->row) == -1)
		login_refuse(lo, REFUSE_RECONNECT, 0);
	else if (se != NULL && slot_is_moving(se))
		login_refuse(lo, REFUSE_COMING, 0);
	else if (se != NULL && se->tunnel != NULL &&
	    !proc_conf()->replace_live)
		login_probe(lo, se);
	else
		login_take(lo, se);
}

/* One that the store has and we have not: another member's, or nobody's. */
static void
login_slot_known(const struct answer *a, void *arg)
{
	const struct member_row	*m;
	struct login		*lo = arg;
	struct session		*se;

	log_request(lo->asker.request);
	if (peer_find(lo->asker.instance) == NULL) {
		login_free(lo);
	} else if (a->r == -1) {
		login_refuse(lo, REFUSE_STORE, 0);
	} else if ((se = login_session(lo)) != NULL || a->r == STORE_NONE) {
		login_found(lo, se);
	} else if (login_token(lo, a->session) == -1) {
		login_refuse(lo, REFUSE_RECONNECT, 0);
	} else {
		lo->row = *a->session;
		m = member_find(lo->row.member);
		if (m == NULL || !member_is_alive(m) ||
		    strcmp(m->name, member_self()) == 0 ||
		    proc_conf()->replace_live)
			login_adopt(lo);
		else
			cluster_probe(m->name, lo->row.id, login_elsewhere,
			    lo);
	}
	log_request(NULL);
}

/* Its member has been asked; disabled or removed while the login waited? */
static void
login_looked(const struct facts *f, void *arg)
{
	struct login	*lo = arg;
	enum refusal	 no = may_connect(f);

	if (peer_find(lo->asker.instance) == NULL)
		login_free(lo);
	else if (no != REFUSE_NOT)
		login_refuse(lo, no, 0);
	else
		login_adopt(lo);
}

static void
login_recheck(struct login *lo)
{
	(void)facts_ask(NEED_SYSTEM, &(struct facts_keys){
	    .system_id = lo->system.id, .asker = lo->asker.instance },
	    login_looked, lo);
}

/*
 * It has not answered. If it has lost Redis alone it beats all the same, and
 * its tunnel lives: the store's word of now counts, as ours may be a beat old.
 */
static void
login_beats(const struct answer *a, void *arg)
{
	struct login	*lo = arg;
	size_t		 i;

	log_request(lo->asker.request);
	for (i = 0; i < a->n; i++)
		if (strcmp(a->member[i].name, lo->row.member) == 0 &&
		    a->member[i].silent_ms < BEATS_MS)
			break;
	if (peer_find(lo->asker.instance) == NULL)
		login_free(lo);
	else if (a->r == -1)
		login_refuse(lo, REFUSE_STORE, 0);
	else if (i < a->n)
		login_refuse(lo, REFUSE_HOLDER, 0);
	else
		login_recheck(lo);
	log_request(NULL);
}

static void
login_elsewhere(enum probed how, void *arg)
{
	struct login	*lo = arg;

	if (peer_find(lo->asker.instance) == NULL)
		login_free(lo);
	else if (how == PROBED_CANNOT)
		login_refuse(lo, REFUSE_HOLDER, 0);
	else if (how == PROBED_ALIVE)
		login_refuse(lo, REFUSE_CONNECTED, 0);
	else if (how == PROBED_SILENT)
		(void)store_ask(&(struct question){ .what = ASK_MEMBERS,
		    .key = "", .asker = lo->asker.instance }, login_beats,
		    lo);
	else
		login_recheck(lo);
}

/* Ours from now on, if the store agrees: its generation says so. */
static void
login_adopt(struct login *lo)
{
	struct session	*se = login_session(lo);
	int		 was_guest;

	if (se != NULL) {
		login_refuse(lo, REFUSE_COMING, 0);
		return;
	}
	if (session_adopt(&lo->row, &lo->system, now_at()) == NULL) {
		login_refuse(lo, REFUSE_BUSY, 0);
		return;
	}
	was_guest = guest_gone(lo->row.id);
	/* One that is overdue ends. */
	if ((se = login_session(lo)) != NULL) {
		lo->adopted = 1;
		if (was_guest) {
			manifest_push(se);
			se->pushed_ms = 0;	/* what it offers comes soon */
		}
	}
	login_take(lo, se);
}

/* The slot's tunnel may be dead without knowing it: ask before refusing. */
static void
login_probe(struct login *lo, struct session *se)
{
	struct peer	*pe = peer_find(lo->asker.instance);
	struct peer	*old = peer_find(se->tunnel->instance);
	uint32_t	 id;

	strlcpy(lo->session, se->row.id, sizeof(lo->session));
	if (old == NULL ||
	    (id = chan_call(old->chan, PROBE_MS, login_probed, lo)) == 0) {
		login_refuse(lo, REFUSE_BUSY, 0);
		return;
	}
	se->newcomer = pe->tunnel;
	se->newcomer->session = se;	/* until the answer */
	(void)say_probe(old->chan, id);
}

static int
login_probed(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_alive	 in = { .alive = 0 };
	struct login		*lo = arg;
	int			 bad = 0;

	(void)c;
	log_request(lo->asker.request);
	if (m != NULL && get_alive(m, &in) == -1)
		bad = -1;
	if (in.alive)
		login_go_on(NULL, lo);
	else
		(void)facts_ask(NEED_SYSTEM, &(struct facts_keys){
		    .system_id = lo->system.id,
		    .asker = lo->asker.instance }, login_go_on, lo);
	log_request(NULL);
	return (bad);
}

/* NULL: the old tunnel lives. Disabled or removed while the login waited? */
static void
login_go_on(const struct facts *f, void *arg)
{
	struct login	*lo = arg;
	struct session	*se = session_find(lo->session);
	struct peer	*pe = peer_find(lo->asker.instance);
	enum refusal	 no;

	if (pe == NULL) {
		login_free(lo);		/* tunnel_gone() let the slot go */
		return;
	}
	pe->tunnel->session = NULL;
	if (se != NULL)
		se->newcomer = NULL;
	no = f != NULL ? may_connect(f) : REFUSE_CONNECTED;
	/* The session ended, and somebody else has begun the next one. */
	if (no == REFUSE_NOT && se == NULL && login_session(lo) != NULL)
		no = REFUSE_COMING;
	if (no != REFUSE_NOT)
		login_refuse(lo, no, 0);
	else
		login_take(lo, se);
}

/* A new session for the slot, within its limits. */
static struct session *
login_create(struct login *lo)
{
	struct session	*se;
	char		 hash[HEX64_SIZE];

	if (session_count_of(lo->system.id) >= proc_conf()->max_sessions) {
		login_refuse(lo, REFUSE_SESSIONS, 0);
		return (NULL);
	}
	internal_token_new(hash);
	if ((se = session_new(&lo->system, lo->node, hash, now_at())) ==
	    NULL) {
		login_refuse(lo, REFUSE_BUSY, 0);
		return (NULL);
	}
	lo->created = 1;
	return (se);
}

/* A fresh token for the next login; the one before it is good once more. */
static void
login_rotate(struct login *lo, struct session *se)
{
	strlcpy(lo->old_hash, se->row.reconnect_hash, sizeof(lo->old_hash));
	strlcpy(lo->old_prev, se->row.reconnect_prev, sizeof(lo->old_prev));
	strlcpy(se->row.reconnect_prev, lo->old_hash,
	    sizeof(se->row.reconnect_prev));
	secret_token(lo->new_token);
	secret_hash(lo->new_token, se->row.reconnect_hash);
}

/* Attach to the open session or make one; say yes after the commit. */
static void
login_take(struct login *lo, struct session *se)
{
	struct peer	*pe = peer_find(lo->asker.instance);

	if (!session_may_connect(se, &lo->system)) {
		if (lo->adopted) {
			session_drop(se);
			guests_look();
		}
		login_refuse(lo, REFUSE_SLOTS, 0);
		return;
	}
	if (se != NULL && se->tunnel != NULL) {
		/* The old one goes without disturbing the session. */
		log_info("session %s: its old tunnel is replaced",
		    se->row.id);
		tunnel_retire(se->tunnel, proc_conf()->replace_live ?
		    CLOSE_OVER : 1001, "replaced");
	}
	if (se == NULL && (se = login_create(lo)) == NULL)
		return;
	strlcpy(lo->session, se->row.id, sizeof(lo->session));
	login_rotate(lo, se);
	lo->generation = ++se->row.generation;
	pe->tunnel->generation = lo->generation;
	session_attach(se, pe->tunnel);
	moving_comes(se);
	session_touch(se, now_at());
	turn_after(login_done, lo);
}

/* The row could not be written: as if nobody had come. */
static void
login_undo(struct login *lo, struct session *se)
{
	int	taken = se != NULL && se->taken;

	if (se != NULL && (lo->created || lo->adopted)) {
		session_drop(se);
		guests_look();
	} else if (se != NULL && se->row.generation == lo->generation) {
		strlcpy(se->row.reconnect_hash, lo->old_hash,
		    sizeof(se->row.reconnect_hash));
		strlcpy(se->row.reconnect_prev, lo->old_prev,
		    sizeof(se->row.reconnect_prev));
		session_detach(se, proc_conf()->grace, now_at());
	}
	login_refuse(lo, taken ? REFUSE_BUSY : REFUSE_STORE, 0);
}

static void
login_done(void *arg, int ok)
{
	struct login	*lo = arg;
	struct session	*se = session_find(lo->session);
	struct peer	*pe = peer_find(lo->asker.instance);
	struct chan	*p = proc_parent();

	if (!ok || (se != NULL && se->taken)) {
		login_undo(lo, se);
		return;
	}
	if (pe == NULL || se == NULL || peer_session(pe) != se) {
		login_refuse(lo, REFUSE_OVER, 0);
		return;
	}
	log_info("session %s: %s by system %s%s%s from %s", se->row.id,
	    lo->created ? "made" : "continued", se->system_key,
	    se->row.node[0] != '\0' ? " node " : "", se->row.node, lo->addr);
	count(lo->created ? CT_LOGIN_NEW : CT_LOGIN_CONTINUED);
	if (lo->adopted && lo->row.member[0] != '\0')
		(void)cluster_say(NOTE_LOSS, lo->row.member, se->row.id);
	pe->mux.counted = 1;
	strlcpy(pe->mux.addr, lo->addr, sizeof(pe->mux.addr));
	pe->mux.since = clock_wall_ms();
	/* The parent first: it tells a next authd who is bound. */
	(void)say_bound(p, 0, -1, &(struct msg_bound){
	    .instance = pe->instance, .system = se->row.system_id,
	    .session = se->row.id, .generation = se->row.generation,
	    .addr = lo->addr, .since = (uint64_t)pe->mux.since });
	peer_set_state(pe, P_BOUND);
	login_answer(pe->chan, lo->asker.id, 0, 0, "", se->row.id,
	    lo->new_token, se->row.system_id);
	login_free(lo);
}
