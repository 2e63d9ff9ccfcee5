/* SPDX-License-Identifier: ISC */
/*
 * A system logs in: rows 2 to 6 and 8 of tunnel-protocol.md 1.5, then the slot
 * rules of 6.4. Told in the order of the functions: login_on_login,
 * login_credentials, login_slot, perhaps login_probe, login_take, and after the
 * commit login_done.
 */
#include <sodium.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/core/admit.h"
#include "authd/facts.h"
#include "authd/store/audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "login.h"
#include "proc/proc.h"
#include "base/rate.h"
#include "authd/cred/secret.h"
#include "authd/core/session.h"
#include "authd/store/store.h"
#include "authd/core/stream.h"
#include "authd/turn.h"
#include "peer.h"

#define PROBE_MS	2000
#define RATE_PLACES	65536
#define BUCKET_SIZE	(SYSKEY_SIZE + ADDR_SIZE + 1)
#define BUSY_RETRY_S	30	/* Retry-After of a full server */
#define NOT_ENABLED	"support is not enabled for this system"

/* A login on its way; nothing in it outlives the answer. */
struct login {
	struct asker		asker;
	char			key[SYSKEY_SIZE], secret[SECRET_SIZE];
	char			node[NODE_SIZE], token[HEX64_SIZE];
	char			addr[ADDR_SIZE];	/* as admitted */
	struct system_row	system;
	char			session[UUID_SIZE];
	/* to take back what the store did not take */
	int			created;
	char			old_hash[HEX64_SIZE], old_prev[HEX64_SIZE];
	char			new_token[HEX64_SIZE];
	uint64_t		generation;
};

static int	login_form(struct login *, const char **, uint32_t *);
static void	login_known(const struct facts *, void *);
static int	login_credentials(struct login *, const struct facts *,
		    const char **, uint32_t *);
static void	login_slot(struct login *);
static void	login_probe(struct login *, struct session *);
static int	login_probed(struct chan *, struct imsg *, void *);
static void	login_go_on(const struct facts *, void *);
static void	login_take(struct login *, struct session *);
static void	login_done(void *, int);
static void	login_refuse(struct login *, int, uint32_t, const char *);
static void	login_free(struct login *);

static struct {
	struct rate	*slot, *key, *failed;
} logins;

int
login_init(void)
{
	logins.slot = rate_new(RATE_PLACES);
	logins.key = rate_new(RATE_PLACES);
	logins.failed = rate_new(RATE_PLACES);
	return (
	    logins.slot == NULL || logins.key == NULL || logins.failed == NULL ?
		-1 :
		0);
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

static void
login_refuse(struct login *lo, int status, uint32_t retry_s,
    const char *message)
{
	struct chan	*c = asker_chan(&lo->asker);

	audit_refusal(lo->key, lo->addr, "login", "", message);
	if (c != NULL) {
		login_answer(c, lo->asker.id, status, retry_s, message, "",
		    "", "");
		peer_set_state(peer_of(c), P_REFUSED);
	}
	login_free(lo);
}

int
login_on_login(struct chan *c, struct imsg *m)
{
	struct msg_login	 in;
	struct peer	*pe = peer_of(c);
	struct login	*lo;
	const char	*message;
	uint32_t	 retry;
	int		 status;

	if ((lo = calloc(1, sizeof(*lo))) == NULL)
		return (-1);
	if (get_login(m, &in) == -1 ||
	    in.nonce != pe->nonce) {
		login_free(lo);
		return (-1);
	}
	strlcpy(lo->key, in.key, sizeof(lo->key));
	strlcpy(lo->secret, in.secret, sizeof(lo->secret));
	strlcpy(lo->node, in.node, sizeof(lo->node));
	strlcpy(lo->token, in.reconnect, sizeof(lo->token));
	lo->asker = asker_of(c, m);
	peer_set_state(pe, P_LOGIN);
	/* Let in by an authd that is no more, or too long ago. */
	if (pe->admission == NULL || pe->admission->class != CLASS_TUNNEL) {
		login_refuse(lo, 503, 1, "server is busy");
		return (0);
	}
	strlcpy(lo->addr, pe->admission->addr, sizeof(lo->addr));
	if ((status = login_form(lo, &message, &retry)) != 0) {
		login_refuse(lo, status, retry, message);
		return (0);
	}
	(void)facts_ask(NEED_SYSTEM_BY_KEY,
	    &(struct facts_keys){ .system_key = lo->key }, login_known, lo);
	return (0);
}

static void
login_bucket(const struct login *lo, char bucket[BUCKET_SIZE])
{
	char	at[ADDR_SIZE];

	rate_address(lo->addr, at);
	snprintf(bucket, BUCKET_SIZE, "%s %s", at, lo->key);
}

/* Rows 2 and 3: what can be said without knowing who it is. */
static int
login_form(struct login *lo, const char **message, uint32_t *retry)
{
	char		 public[SECRET_PUBLIC_SIZE], bucket[BUCKET_SIZE];
	const char	*private;
	int		 bad;

	*retry = BUSY_RETRY_S;
	*message = "store is unavailable";
	if (!peer_is_ready())
		return (503);
	*retry = 0;
	*message = "invalid system credentials";
	bad = secret_parse(lo->secret, public, &private) == -1;
	explicit_bzero(public, sizeof(public));
	if (lo->key[0] == '\0' || bad)
		return (401);
	login_bucket(lo, bucket);
	*message = "too many connection attempts for this system";
	return (rate_peek(logins.failed, bucket, proc_conf()->rate_slot,
	    retry) == -1 ? 429 : 0);
}

static void
login_known(const struct facts *f, void *arg)
{
	struct login	*lo = arg;
	const char	*message;
	uint32_t	 retry;
	int		 status;

	status = login_credentials(lo, f, &message, &retry);
	explicit_bzero(lo->secret, sizeof(lo->secret));
	if (status != 0)
		login_refuse(lo, status, retry, message);
	else if (peer_find(lo->asker.instance) == NULL)
		login_free(lo);
	else
		login_slot(lo);
}

static int
system_is_barred(const struct system_row *sys)
{
	return (sys->deleted_at != 0 || !sys->support_enabled ||
	    sys->suspended_at != 0);
}

/* Rows 4 and 5: who is it? A key that nobody has costs what a wrong one does. */
static int
login_credentials(struct login *lo, const struct facts *f,
    const char **message, uint32_t *retry)
{
	const struct conf	*conf = proc_conf();
	char			 public[SECRET_PUBLIC_SIZE];
	char			 bucket[BUCKET_SIZE];
	const char		*private;
	uint32_t		 ignored;
	int			 good = 0;

	*retry = BUSY_RETRY_S;
	*message = "store is unavailable";
	if (f->got_system == -1)
		return (503);
	*retry = 0;
	if (secret_parse(lo->secret, public, &private) == -1)
		return (401);
	if (f->got_system == STORE_NONE) {
		secret_waste(private);
	} else {
		lo->system = f->system;
		good = secret_verify(lo->system.secret_stored, private) == 0;
		good &= strlen(public) == strlen(lo->system.secret_public) &&
		    sodium_memcmp(public, lo->system.secret_public,
		    strlen(public)) == 0;
		good &= lo->system.deleted_at == 0;
	}
	explicit_bzero(public, sizeof(public));
	if (!good) {
		*message = "invalid system credentials";
		login_bucket(lo, bucket);
		(void)rate_hit(logins.failed, bucket, conf->rate_slot,
		    conf->rate_slot_s * 1000, &ignored);
		return (401);
	}
	*message = NOT_ENABLED;
	return (system_is_barred(&lo->system) ? 403 : 0);
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
login_token(const struct login *lo, const struct session *se)
{
	char	hash[HEX64_SIZE];

	if (lo->token[0] == '\0')
		return (proc_conf()->require_reconnect_token ? -1 : 0);
	secret_hash(lo->token, hash);
	if (se->row.reconnect_hash[0] != '\0' && sodium_memcmp(hash,
	    se->row.reconnect_hash, HEX64_SIZE) == 0)
		return (0);
	if (se->row.reconnect_prev[0] != '\0' && sodium_memcmp(hash,
	    se->row.reconnect_prev, HEX64_SIZE) == 0)
		return (0);
	return (-1);
}

/* Is there room for one more tunnel, beside `old` that will go? */
static int
login_is_room(const struct peer *old)
{
	return (session_tunnels() - (old != NULL) < proc_conf()->max_tunnels);
}

static void
login_slot(struct login *lo)
{
	struct session	*se;
	uint32_t	 retry;

	if (node_check(lo->node) == -1) {
		login_refuse(lo, 400, 0, "invalid node_id format");
		return;
	}
	if (login_rates(lo, &retry) == -1) {
		login_refuse(lo, 429, retry,
		    "too many connection attempts for this system");
		return;
	}
	se = session_by_slot(lo->system.id, lo->node);
	if (se != NULL && !session_is_open(se))
		se = NULL;
	if (se != NULL && login_token(lo, se) == -1) {
		login_refuse(lo, 403, 0, "invalid reconnect token");
		return;
	}
	/* One that has no answer yet cannot be asked whether it lives. */
	if (se != NULL && (se->newcomer != NULL || (se->tunnel != NULL &&
	    peer_state(se->tunnel) == P_LOGIN))) {
		login_refuse(lo, 409, 0, "another tunnel is being set up");
		return;
	}
	if (se != NULL && se->tunnel != NULL &&
	    !proc_conf()->replace_live) {
		login_probe(lo, se);
		return;
	}
	login_take(lo, se);
}

/* The slot's tunnel may be dead without knowing it: ask before refusing. */
static void
login_probe(struct login *lo, struct session *se)
{
	struct peer	*pe = peer_find(lo->asker.instance);
	struct chan	*c = se->tunnel->chan;
	uint32_t	 id;

	strlcpy(lo->session, se->row.id, sizeof(lo->session));
	if ((id = chan_call(c, PROBE_MS, login_probed, lo)) == 0) {
		login_refuse(lo, 503, BUSY_RETRY_S, "server is busy");
		return;
	}
	se->newcomer = pe;
	pe->session = se;	/* until the answer: see peer_free() */
	(void)say_probe(c, id);
}

static int
login_probed(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_alive	 in = { .alive = 0 };
	struct login		*lo = arg;
	int			 bad = 0;

	(void)c;
	if (m != NULL && get_alive(m, &in) == -1)
		bad = -1;
	if (in.alive)
		login_go_on(NULL, lo);
	else
		(void)facts_ask(NEED_SYSTEM, &(struct facts_keys){
		    .system_id = lo->system.id }, login_go_on, lo);
	return (bad);
}

/* NULL: the old tunnel lives. Disabled or removed while the login waited? */
static void
login_go_on(const struct facts *f, void *arg)
{
	struct login	*lo = arg;
	struct session	*se = session_find(lo->session);
	struct peer	*pe = peer_find(lo->asker.instance);

	if (pe == NULL) {
		login_free(lo);		/* peer_free() has let the slot go */
		return;
	}
	pe->session = NULL;
	if (se != NULL)
		se->newcomer = NULL;
	if (f == NULL)
		login_refuse(lo, 409, 0,
		    "a tunnel for this system is already connected");
	else if (f->got_system == -1)
		login_refuse(lo, 503, BUSY_RETRY_S, "store is unavailable");
	else if (f->got_system != 0 || system_is_barred(&f->system))
		login_refuse(lo, 403, 0, NOT_ENABLED);
	else
		login_take(lo, se);
}

/* The old tunnel goes without disturbing the session. */
static void
login_retire(struct session *se)
{
	struct peer	*old = se->tunnel;

	log_info("session %s: its old tunnel is replaced", se->row.id);
	stream_kill_all(old, END_TUNNEL);
	stream_tunnel_gone(old);
	session_unbind(se);
	peer_close(old, proc_conf()->replace_live ? 4000 : 1001,
	    "replaced");
}

/* A new session for the slot, within its limits. */
static struct session *
login_create(struct login *lo)
{
	struct session	*se;

	if (session_count_of(lo->system.id) >= proc_conf()->max_sessions) {
		login_refuse(lo, 409, 0, "too many sessions for this system");
		return (NULL);
	}
	if ((se = session_new(&lo->system, lo->node)) == NULL) {
		login_refuse(lo, 503, BUSY_RETRY_S, "server is busy");
		return (NULL);
	}
	lo->created = 1;
	return (se);
}

/* Attach to the open session or make one; say yes after the commit. */
static void
login_take(struct login *lo, struct session *se)
{
	struct peer	*pe = peer_find(lo->asker.instance);

	if (!login_is_room(se != NULL ? se->tunnel : NULL)) {
		login_refuse(lo, 503, BUSY_RETRY_S,
		    "all tunnel slots are taken");
		return;
	}
	if (se != NULL && se->tunnel != NULL)
		login_retire(se);
	if (se == NULL && (se = login_create(lo)) == NULL)
		return;
	strlcpy(lo->session, se->row.id, sizeof(lo->session));
	strlcpy(lo->old_hash, se->row.reconnect_hash, sizeof(lo->old_hash));
	strlcpy(lo->old_prev, se->row.reconnect_prev, sizeof(lo->old_prev));
	strlcpy(se->row.reconnect_prev, lo->old_hash,
	    sizeof(se->row.reconnect_prev));
	secret_token(lo->new_token);
	secret_hash(lo->new_token, se->row.reconnect_hash);
	lo->generation = ++se->row.generation;
	pe->generation = lo->generation;
	session_attach(se, pe);
	session_touch(se);
	turn_after(login_done, lo);
}

/* The row could not be written: as if nobody had come. */
static void
login_undo(struct login *lo, struct session *se)
{
	if (se != NULL && lo->created) {
		session_unbind(se);
		session_drop(se);
	} else if (se != NULL && se->row.generation == lo->generation) {
		strlcpy(se->row.reconnect_hash, lo->old_hash,
		    sizeof(se->row.reconnect_hash));
		strlcpy(se->row.reconnect_prev, lo->old_prev,
		    sizeof(se->row.reconnect_prev));
		session_detach(se, proc_conf()->grace);
	}
	login_refuse(lo, 503, BUSY_RETRY_S, "store is unavailable");
}

static void
login_done(void *arg, int ok)
{
	struct login	*lo = arg;
	struct session	*se = session_find(lo->session);
	struct peer	*pe = peer_find(lo->asker.instance);
	struct chan	*p = proc_parent();

	if (!ok) {
		login_undo(lo, se);
		return;
	}
	if (pe == NULL || se == NULL || pe->session != se) {
		login_refuse(lo, 503, 1, "session is over");
		return;
	}
	log_info("session %s: %s by system %s%s%s from %s", se->row.id,
	    lo->created ? "made" : "continued", se->system_key,
	    se->row.node[0] != '\0' ? " node " : "", se->row.node, lo->addr);
	/* The parent first: it tells a next authd who is bound. */
	(void)say_bound(p, 0, -1, &(struct msg_bound){
	    .instance = pe->instance, .system = se->row.system_id,
	    .session = se->row.id, .generation = se->row.generation });
	peer_set_state(pe, P_BOUND);
	login_answer(pe->chan, lo->asker.id, 0, 0, "", se->row.id,
	    lo->new_token, se->row.system_id);
	login_free(lo);
}

int
login_on_up(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);

	if (get_up(m) == -1)
		return (-1);
	if (peer_state(pe) == P_CLOSING)
		return (0);	/* it was told to go meanwhile */
	peer_set_state(pe, P_UP);
	pe->since = clock_wall_ms();
	if (pe->session != NULL)
		session_up(pe->session);
	return (0);
}
