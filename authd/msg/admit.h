/* SPDX-License-Identifier: ISC */
#ifndef ADMIT_H
#define ADMIT_H

#include <sys/queue.h>

#include "base/index.h"
#include "authd/after.h"
#include "authd/core/budget.h"
#include "authd/core/env.h"
#include "authd/cred/jwt.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"

/*
 * A yes to ADMIT: what the connection with this nonce was let in for. Lives
 * until the worker is there, or half a minute.
 */
struct admission {
	struct link		 link;
	TAILQ_ENTRY(admission)	 entry;
	uint64_t		 nonce;
	uint64_t		 until_ms;
	int			 class;		/* enum conn_class */
	uint64_t		 proxyd;	/* who asked */
	struct claim		 place;		/* among those that wait */
	char			 addr[ADDR_SIZE];
	char			 request[REQUEST_SIZE];	/* for the log */
	/* of a terminal and of TCP */
	struct claim		 by_operator, by_session;	/* for its life */
	char			 session[UUID_SIZE];
	char			 service[SERVICE_SIZE];
	struct operator		 who;
	/* of a relay session: who has it in `session` */
	uint64_t		 instance;
	uint16_t		 channel;
	uint8_t			 slot;
	const char		*moved;	/* why it is not ours any more; NULL */
};

/* `after`: how to be called behind the commit of a turn. */
int	admit_init(after_fn);
/* Take the admission of a nonce; NULL when there is none (any more). */
struct admission	*admit_take(uint64_t nonce);
/*
 * Of a terminal or TCP from before a restart, of which only that is known: it
 * counts again, as far as there is room. NULL: no memory.
 */
struct admission	*admit_again(int role, const struct operator *,
			    const char *session);
/*
 * Let this connection in to `instance` (0: a new one): the parent hears it,
 * then the asker. The admission, until it is taken; NULL, and the asker heard
 * 503.
 */
struct admission	*admit_yes(const struct asker *, enum conn_class,
			    uint64_t proxyd, const char *addr,
			    const char *session, uint64_t instance);
void		 admit_no(const struct asker *, int status, uint32_t retry_s,
		    const char *message);
/*
 * Who decides over ADMITs of CLASS_RELAY: `look` only wants to know whether it
 * would be let in.
 */
typedef void	(*admit_relay_fn)(const struct asker *, uint64_t proxyd,
		    const char *addr, const char *session, const char *token,
		    int look);
void		 admit_relays(admit_relay_fn);
/* NULL is allowed. */
void		 admit_free(struct admission *);
/*
 * This relay session is lost to another member: who was let in to it, and is
 * still on the way, is to hear why (a constant).
 */
void		 admit_moved(const char *session, const char *why);
/* What this proxyd asked for, and no worker was started for, is void. */
void		 admit_gone(uint64_t proxyd);
/* How many wait for their worker; how many there are of a class. */
unsigned	admit_count(void);
unsigned	admit_open(enum conn_class);
/* Has who was let in to this session, for one stream, still to open it? */
int		admit_is_coming(const char *session);

#endif
