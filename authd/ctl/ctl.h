/* SPDX-License-Identifier: ISC */
#ifndef CTL_H
#define CTL_H

#include "ctl/ctl.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "authd/msg/peer.h"

/* A relayctl request that control has passed on; its words are as ctl.def says. */
struct ctl {
	struct asker	asker;
	uint16_t	op;
	unsigned	n;
	char		word[CTL_ARGS_MAX][CTL_WORD_SIZE];
};

struct facts;

/* The handler of CTL: rows, then one CTL_DONE, for every request. */
int	ctl_on_ctl(struct chan *, struct imsg *);

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

/* ctl_show.c */
void	ctl_show_sessions(struct ctl *, const struct facts *);
void	ctl_show_tunnels(struct ctl *, const struct facts *);
void	ctl_show_services(struct ctl *, const struct facts *);
void	ctl_show_stats(struct ctl *, const struct facts *);

/* ctl_admin.c */
void	ctl_system_add(struct ctl *, const struct facts *);
void	ctl_system_list(struct ctl *, const struct facts *);
void	ctl_system_enable(struct ctl *, const struct facts *);
void	ctl_system_disable(struct ctl *, const struct facts *);
void	ctl_system_remove(struct ctl *, const struct facts *);
void	ctl_org_add(struct ctl *, const struct facts *);
void	ctl_org_list(struct ctl *, const struct facts *);
void	ctl_org_remove(struct ctl *, const struct facts *);
void	ctl_token_create(struct ctl *, const struct facts *);

#endif
