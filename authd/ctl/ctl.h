/* SPDX-License-Identifier: ISC */
#ifndef CTL_H
#define CTL_H

#include "ctl/ctl.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "authd/msg/peer.h"
#include "authd/store/store.h"

/* A relayctl request that control has passed on; its words are as ctl.def says. */
struct ctl {
	struct asker	asker;
	uint16_t	op;
	int		force;		/* what looks like a mistake is meant */
	unsigned	n;
	char		word[CTL_ARGS_MAX][CTL_WORD_SIZE];
};

struct facts;
struct session;

/* The handler of CTL: rows, then one CTL_DONE, for every request. */
int	ctl_on_ctl(struct chan *, struct imsg *);

/* session.c */
void	ctl_close(struct ctl *, const struct facts *);
/*
 * The open session whose id is `word` or begins so, with its dashes or without;
 * NULL: none, or *many.
 */
struct session	*ctl_session(const char *word, int *many);
/* The role or type of organization that a word is, in small letters; or NULL. */
const char	*ctl_role(const char *word);
/* A name for people: something, and printable. 0, -1. */
int	ctl_name_check(const char *);

/*
 * Answer: ctl_row sends its strings (CTL_END ends them) as one row, the first
 * row being the header; ctl_done ends the request.
 */
#define CTL_END	((const char *)NULL)
void	ctl_row(const struct asker *, ...) __attribute__((sentinel));
void	ctl_done(const struct asker *, int code, const char *text);
/*
 * Answer after the commit: header and row (CTL_END-ended pairs of column and
 * cell; none: no rows), then done; 503 when the store did not take it. The
 * cells are copied and wiped.
 */
void	ctl_after(const struct asker *, ...) __attribute__((sentinel));

/*
 * list.c: the rows that the store has of a question "after this id", each
 * `size` bytes with its id first, then done.
 */
void	ctl_list(const struct ctl *, enum store_what, size_t size,
	    void (*send)(const struct asker *, const void *row));

/* show.c */
void	ctl_show_sessions(struct ctl *, const struct facts *);
void	ctl_show_tunnels(struct ctl *, const struct facts *);
void	ctl_show_services(struct ctl *, const struct facts *);
void	ctl_show_stats(struct ctl *, const struct facts *);

/* admin.c */
void	ctl_system_add(struct ctl *, const struct facts *);
void	ctl_system_list(struct ctl *, const struct facts *);
void	ctl_system_enable(struct ctl *, const struct facts *);
void	ctl_system_disable(struct ctl *, const struct facts *);
void	ctl_system_remove(struct ctl *, const struct facts *);
void	ctl_org_add(struct ctl *, const struct facts *);
void	ctl_org_list(struct ctl *, const struct facts *);
void	ctl_org_remove(struct ctl *, const struct facts *);

/* token.c */
void	ctl_token_create(struct ctl *, const struct facts *);
void	ctl_token_list(struct ctl *, const struct facts *);
void	ctl_token_revoke(struct ctl *, const struct facts *);
void	ctl_token_revoke_user(struct ctl *, const struct facts *);

#endif
