/* SPDX-License-Identifier: ISC */
/*
 * One look at a time: a page of guests, the next, then the tables that are not
 * known, one by one, and at last ours, where somebody is to know them.
 */
#include <cjson/cJSON.h>

#include <string.h>

#include "authd/core/guest.h"
#include "authd/core/services.h"
#include "authd/now.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "guests.h"
#include "member.h"

#define TEXT_MAX	(256 * 1024)	/* of one table */
#define AGAIN_MS	5000		/* between two of ours of one session */
#define GAP_MS		1000		/* between two looks */
#define LOG_EVERY_MS	60000

static struct {
	int		 looking, wanted;	/* again, when the gap is over */
	int		 telling;		/* others are to look, too */
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

void
guests_init(after_fn after, void (*tell)(void))
{
	look.after_turn = after;
	look.tell = tell;
	timer_init(&look.gap, look_again, NULL);
}

/* ---- ours, for the others ---- */

/* What shares a host is all that pages of siblings lead to. */
static cJSON *
table_tree(const struct services *t)
{
	cJSON			*a = cJSON_CreateArray(), *o;
	const struct service	*sv;
	unsigned		 i;

	for (i = 0; a != NULL && i < t->n; i++) {
		sv = t->v[i];
		if (sv->host[0] == '\0' || service_is_tcp(sv))
			continue;
		o = cJSON_CreateObject();
		if (!cJSON_AddStringToObject(o, "name", sv->name) ||
		    !cJSON_AddStringToObject(o, "target", sv->target) ||
		    !cJSON_AddStringToObject(o, "host", sv->host) ||
		    !cJSON_AddBoolToObject(o, "tls", sv->tls) ||
		    !cJSON_AddStringToObject(o, "path", sv->path) ||
		    !cJSON_AddStringToObject(o, "path_prefix",
		    sv->path_prefix) ||
		    !cJSON_AddStringToObject(o, "node_id", sv->node_id) ||
		    !cJSON_AddItemToArray(a, o)) {
			cJSON_Delete(o);
			cJSON_Delete(a);
			return (NULL);
		}
	}
	return (a);
}

/* It is in the store; or nothing is, and the next look writes it again. */
static void
told(void *arg, int ok)
{
	struct session	*se;

	(void)arg;
	look.telling = 0;
	if (ok)
		look.tell();
	else
		TAILQ_FOREACH(se, &sessions, entry)
			se->table_at = 0;
}

static void
tell_later(void)
{
	if (!look.telling)
		look.after_turn(told, NULL);
	look.telling = 1;
}

/* What could not be written is written by the next look. */
static void
table_write(struct session *se)
{
	cJSON	*a = table_tree(se->services);
	char	*text = a != NULL ? cJSON_PrintUnformatted(a) : NULL;
	size_t	 len = text != NULL ? strlen(text) : 0;
	int64_t	 now = now_at()->wall_ms;

	cJSON_Delete(a);
	if (text == NULL)
		return;
	if (len > TEXT_MAX) {
		log_info("session %s: other members cannot lead to what it "
		    "offers: %zu bytes", se->row.id, len);
		cJSON_free(text);
		text = NULL;
		len = 0;
	}
	if (store_session_services(se->row.id, text, len, now) == 0) {
		se->table_at = se->told_at = now;
		tell_later();
	}
	cJSON_free(text);
}

/*
 * Those that somebody is to know. A client that says another one all the time
 * is heard as often as this.
 */
static void
tell_all(void)
{
	struct session	*se;

	TAILQ_FOREACH(se, &sessions, entry)
		if (se->services != NULL && se->table_at == 0 &&
		    guest_is_of(se->row.system_id) &&
		    now_at()->wall_ms - se->told_at >= AGAIN_MS)
			table_write(se);
}

void
guests_changed(struct session *se)
{
	if (!member_is_one())
		return;
	se->table_at = 0;
	guests_look();
}

void
guests_over(const struct session *se)
{
	if (guest_is_of(se->row.system_id))
		tell_later();
}

/* ---- theirs ---- */

static int
take(char *dst, size_t size, const cJSON *o, const char *name)
{
	const char	*s = cJSON_GetStringValue(
			    cJSON_GetObjectItemCaseSensitive(o, name));

	return (s != NULL && strlcpy(dst, s, size) < size ? 0 : -1);
}

/* As good as a muxd's word: services_add() looks at all of it. */
static int
table_entry(struct services *t, const cJSON *o)
{
	struct msg_service	 w;
	char			 name[SERVICE_SIZE], target[TARGET_SIZE];
	char			 host[HOST_SIZE], path[PATH_SIZE];
	char			 prefix[PATH_SIZE], node[MODULE_SIZE];

	if (take(name, sizeof(name), o, "name") == -1 ||
	    take(target, sizeof(target), o, "target") == -1 ||
	    take(host, sizeof(host), o, "host") == -1 ||
	    take(path, sizeof(path), o, "path") == -1 ||
	    take(prefix, sizeof(prefix), o, "path_prefix") == -1 ||
	    take(node, sizeof(node), o, "node_id") == -1)
		return (-1);
	memset(&w, 0, sizeof(w));
	w.name = name;
	w.target = target;
	w.host = host;
	w.path = path;
	w.path_prefix = prefix;
	w.node_id = node;
	w.label = w.module_id = "";
	w.tls = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "tls"));
	return (services_add(t, &w) == NULL ? 0 : -1);
}

/* Of a guest; NULL: none, or it cannot be read. */
static struct services *
table_read(const struct session *se, const struct document *d)
{
	const struct session	*ours = session_of_system(se->row.system_id);
	struct services		*t = NULL;
	cJSON			*a = cJSON_ParseWithLength(d->text, d->len);
	const cJSON		*o;
	int			 n = cJSON_GetArraySize(a);

	if (cJSON_IsArray(a) && n <= SERVICES_MAX)
		t = services_new(1, (unsigned)n, se->row.system_id,
		    ours != NULL ? ours->org_id : "");
	if (t != NULL)
		cJSON_ArrayForEach(o, a)
			if (table_entry(t, o) == -1)
				log_debug("session %s: a service of it is "
				    "left out", se->row.id);
	cJSON_Delete(a);
	return (t);
}

static void
look_end(int ok)
{
	void	(*then)(int) = look.then;

	look.looking = 0;
	look.then = NULL;
	if (then != NULL)
		then(ok);
}

/* It may have gone while the store was asked. */
static void
table_known(const struct answer *a, void *arg)
{
	struct session	*se = guest_find(look.after);

	(void)arg;
	if (a->r == -1) {
		look_end(0);
		return;
	}
	if (se != NULL && a->r == 0)
		guest_table(se, a->document->at, table_read(se, a->document));
	else if (se != NULL)
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
		if (guest_note(&a->guest[i]) == -1)
			say_full();
	}
	if (a->r == 0 && a->n == STORE_MANY) {
		look_page();
		return;
	}
	guest_looked();
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
	if (!member_is_one() || look.looking) {
		then(1);
		return;
	}
	look.then = then;
	look_begin();
}
