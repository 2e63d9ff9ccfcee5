/* SPDX-License-Identifier: ISC */
/*
 * One look at a time: a page of guests, the next, then the tables that are not
 * known, one by one, and at last ours, where somebody is to know them.
 */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <string.h>

#include "authd/core/guest.h"
#include "authd/now.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "guests.h"
#include "member.h"
#include "offers.h"

#define AGAIN_MS	5000		/* between two of ours of one session */
#define GAP_MS		1000		/* between two looks */
#define WRITES_MAX	64		/* of ours in one */
#define LOG_EVERY_MS	60000

static struct {
	int		 looking, wanted;	/* again, when the gap is over */
	int		 telling;		/* others are to look, too */
	int		 again;			/* once more, behind that */
	char		 after[UUID_SIZE];	/* of a page; which is asked */
	struct timer	 gap;
	after_fn	 after_turn;
	void		(*tell)(void);
	void		(*then)(int);		/* who begins, and waits */
	uint64_t	 logged_ms;
} look;

static void	look_page(void);
static void	look_tables(void);
static void	look_again(void *);
static void	tell_later(void);

void
guests_init(after_fn after, void (*tell)(void))
{
	look.after_turn = after;
	look.tell = tell;
	timer_init(&look.gap, look_again, NULL);
}

/* ---- ours, for the others ---- */

/* They are in the store; or nothing is, and the next look writes them again. */
static void
told(void *arg, int ok)
{
	struct session	*se;

	(void)arg;
	look.telling = 0;
	TAILQ_FOREACH(se, &sessions, entry) {
		if (se->table_goes && !ok) {
			se->table_told = 0;
			se->table_sum = 0;
		}
		se->table_goes = 0;
	}
	if (ok)
		look.tell();
	if (look.again)
		tell_later();
}

/* One commit at a time: what comes under way is of the next. */
static void
tell_later(void)
{
	look.again = look.telling;
	if (look.telling)
		return;
	look.telling = 1;
	look.after_turn(told, NULL);
}

/* So that the same once more is not written; 0 stands for nothing. */
static uint64_t
sum_of(const char *text, size_t len)
{
	uint8_t		h[crypto_generichash_BYTES_MIN];
	uint64_t	n;

	crypto_generichash(h, sizeof(h), (const uint8_t *)text, len, NULL, 0);
	memcpy(&n, h, sizeof(n));
	return (n | 1);
}

/* 1: it is on its way. What could not be written is by the next look. */
static int
table_write(struct session *se)
{
	size_t		 len;
	char		*text = offers_print(se->services, &len);
	uint64_t	 sum;

	if (text == NULL)
		return (0);
	if (len > OFFERS_MAX) {
		log_info("session %s: other members cannot lead to what it "
		    "offers: %zu bytes", se->row.id, len);
		cJSON_free(text);
		text = NULL;
		len = 0;
	}
	se->table_told = 1;
	sum = sum_of(text != NULL ? text : "", len);
	if (sum != se->table_sum && store_session_services(se->row.id, text,
	    len, now_at()->wall_ms) == 0) {
		se->table_goes = 1;
		se->table_sum = sum;
		se->table_ms = now_at()->ms;
	}
	cJSON_free(text);
	return (se->table_goes);
}

/*
 * Those that somebody is to know. A client that says another one all the time
 * is heard as often as this; one that has said none yet has none.
 */
static void
tell_all(void)
{
	struct session	*se;
	unsigned	 n = 0;
	int		 wrote = 0;

	if (guest_count() == 0)
		return;
	if (look.telling) {
		look.wanted = 1;
		return;
	}
	TAILQ_FOREACH(se, &sessions, entry) {
		if (se->services == NULL || se->table_told ||
		    !guest_is_of(se->row.system_id) || (se->table_ms != 0 &&
		    now_at()->ms - se->table_ms < AGAIN_MS))
			continue;
		if (++n > WRITES_MAX) {
			look.wanted = 1;
			break;
		}
		wrote |= table_write(se);
	}
	if (wrote)
		tell_later();
}

void
guests_changed(struct session *se)
{
	if (!member_is_one())
		return;
	se->table_told = 0;
	guests_look();
}

void
guests_held(struct session *se)
{
	se->table_sum = 0;
	guests_changed(se);
}

void
guests_over(const struct session *se)
{
	if (guest_is_of(se->row.system_id))
		tell_later();
}

/* ---- theirs ---- */

/* Its bytes are the organization's whose sibling is here. */
static struct services *
offers_of(const struct session *se, const struct document *d)
{
	const struct session	*ours = session_of_system(se->row.system_id);

	return (offers_read(d->text, d->len, se->row.system_id,
	    ours != NULL ? ours->org_id : ""));
}

/* Who begins goes on, as soon as it is known which there are. */
static void
look_begun(int ok)
{
	void	(*then)(int) = look.then;

	look.then = NULL;
	if (then != NULL)
		then(ok);
}

static void
look_end(int ok)
{
	look.looking = 0;
	look_begun(ok);
}

/* It may have gone while the store was asked. */
static void
table_known(const struct answer *a, void *arg)
{
	struct session	*se = guest_find(look.after);
	struct services	*t;

	(void)arg;
	if (a->r == -1) {
		look_end(1);
		return;
	}
	if (se != NULL && a->r == 0) {
		t = offers_of(se, a->document);
		if (t == NULL)
			log_info("session %s: what it offers cannot be read",
			    se->row.id);
		guest_table(se, a->document->at, t);
	}
	if (se != NULL && a->r != 0)
		guest_table(se, se->told_at, NULL);
	look_tables();
}

static void
look_tables(void)
{
	const struct session	*se = guest_stale();

	if (se == NULL) {
		tell_all();
		look_end(1);
		return;
	}
	strlcpy(look.after, se->row.id, sizeof(look.after));
	(void)store_ask(&(struct question){ .what = ASK_GUEST_SERVICES,
	    .key = look.after }, table_known, NULL);
}

static void
say_full(void)
{
	if (look.logged_ms != 0 && clock_ms() - look.logged_ms < LOG_EVERY_MS)
		return;
	look.logged_ms = clock_ms();
	log_warnx("cluster: more than %d sessions with a sibling here are at "
	    "other members: to some of them nothing leads", GUESTS_MAX);
}

static void
page_known(const struct answer *a, void *arg)
{
	size_t	i;

	(void)arg;
	if (a->r == -1) {
		look_end(0);
		return;
	}
	for (i = 0; i < a->n; i++) {
		strlcpy(look.after, a->guest[i].id, sizeof(look.after));
		if (guest_note(&a->guest[i], now_at()) == -1)
			say_full();
	}
	if (a->r == 0 && a->n == STORE_MANY) {
		look_page();
		return;
	}
	guest_looked();
	look_begun(1);		/* what they offer can wait */
	look_tables();
}

static void
look_page(void)
{
	(void)store_ask(&(struct question){ .what = ASK_GUESTS,
	    .key = look.after }, page_known, NULL);
}

static void
look_begin(void)
{
	look.looking = 1;
	look.wanted = 0;
	look.after[0] = '\0';
	guest_look();
	timer_set(&look.gap, GAP_MS);
	look_page();
}

/* However many ask: at once, then once a gap. */
void
guests_look(void)
{
	if (!member_is_one())
		return;
	if (look.looking || timer_is_set(&look.gap))
		look.wanted = 1;
	else if (store_is_up())
		look_begin();
}

static void
look_again(void *arg)
{
	(void)arg;
	if (look.looking)
		timer_set(&look.gap, GAP_MS);
	else if (look.wanted)
		guests_look();
}

void
guests_begin(void (*then)(int))
{
	if (!member_is_one()) {
		then(1);
		return;
	}
	look.then = then;
	if (!look.looking)
		look_begin();
}
