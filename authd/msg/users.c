/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "authd/core/session.h"
#include "authd/cred/seal.h"
#include "authd/store/store.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "handlers.h"
#include "imsg/doc.h"
#include "peer.h"
#include "users.h"

/* Each costs reading or writing 256 KiB; a client has a few a connection. */
#define USERS_MS	60000
#define USERS_MANY	16	/* in that time */

int
users_may(struct peer *pe)
{
	uint64_t	now = clock_ms();

	if (pe->mux.users == 0 || now - pe->mux.users_ms >= USERS_MS) {
		pe->mux.users_ms = now;
		pe->mux.users = 0;
	}
	if (pe->mux.users == USERS_MANY) {
		log_info("tunnel %llu: too much about users",
		    (unsigned long long)pe->instance);
		return (0);
	}
	pe->mux.users++;
	return (1);
}

static int
users_store(struct session *se, const struct doc *doc, int credentials)
{
	char	*sealed;
	int	 r = -1;

	if ((sealed = seal(se->row.id, doc->text, doc->total)) == NULL) {
		log_info("session %s: users are not kept: %s", se->row.id,
		    errno == ENOMEM ? "out of memory" : "without a jwt secret "
		    "file nothing could seal them");
		return (-1);
	}
	if (session_users(se, strlen(sealed)) == -1)
		log_info("session %s: users are not kept: its system or "
		    "organization has its share of the store", se->row.id);
	else
		r = store_session_users(se->row.id, sealed, credentials,
		    clock_wall_ms());
	free(sealed);
	return (r);
}

/* Those that are not in the store after all keep nobody else's out. */
static void
users_kept(void *arg, int ok)
{
	struct session	*se = session_find(arg);

	if (!ok && se != NULL)
		se->row.users_good = 0;
	free(arg);
}

void
users_keep(struct session *se, const struct doc *doc, int credentials)
{
	char	*id;

	if (!credentials && se->row.users_good) {
		log_debug("session %s: users without credentials: those it "
		    "has stay", se->row.id);
		return;
	}
	if (users_store(se, doc, credentials) != 0)
		return;
	se->row.users_good = credentials;
	if (credentials && (id = strdup(se->row.id)) != NULL)
		turn_after(users_kept, id);
	log_debug("session %s: users stored", se->row.id);
}

char *
users_open(const struct document *d, size_t *len)
{
	char	*text = unseal(d->session, d->text, len);
	int	 why = errno;

	if (text == NULL)
		log_warnx("session %s: its users %s", d->session, why ==
		    ENOMEM ? "cannot be read: out of memory" :
		    "were sealed with another secret");
	errno = why;
	return (text);
}

/* What a muxd is told of them. */

static void
users_say(const struct asker *to, const char *text, size_t len)
{
	struct chan	*c = asker_chan(to);

	if (c == NULL)
		return;
	(void)say_api_result(c, to->id, -1, &(struct msg_api_result){
	    .status = 200, .total = (uint32_t)len });
	doc_say(c, to->id, text, len);
}

static void
users_got(const struct answer *a, void *arg)
{
	struct asker	*to = arg;
	size_t		 len = 0;
	char		*text;

	text = a->r == 0 ? users_open(a->document, &len) : NULL;
	users_say(to, text, len);
	if (text != NULL)
		freezero(text, len);
	free(to);
}

static void
users_ask(struct chan *c, struct imsg *m, enum store_what what,
    const char *key)
{
	struct question	 q = { .what = what, .key = key };
	struct asker	 asker = asker_of(c, m), *to;

	if (key == NULL || !users_may(peer_of(c)) ||
	    (to = malloc(sizeof(*to))) == NULL) {
		users_say(&asker, NULL, 0);
		return;
	}
	*to = asker;
	q.asker = asker.instance;
	(void)store_ask(&q, users_got, to);
}

/* Of its system the newest with credentials, from whichever open session. */
int
users_on_fetch(struct chan *c, struct imsg *m)
{
	struct session	*se = peer_session(peer_of(c));

	if (get_users_fetch(m) == -1)
		return (-1);
	users_ask(c, m, ASK_USERS_OF, se != NULL ? se->row.system_id : NULL);
	return (0);
}

/* Its own session's, if they are such as others are merged into. */
int
users_on_kept(struct chan *c, struct imsg *m)
{
	struct session	*se = peer_session(peer_of(c));

	if (get_users_kept(m) == -1)
		return (-1);
	users_ask(c, m, ASK_USERS, se != NULL && se->row.users_good ?
	    se->row.id : NULL);
	return (0);
}
