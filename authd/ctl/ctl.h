/* SPDX-License-Identifier: ISC */
#ifndef CTL_H
#define CTL_H

#include "ctl/ctl.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "authd/msg/peer.h"
#include "authd/facts.h"
#include "authd/store/store.h"

/* A request that control has passed on; its words are as ctl.def says. */
struct ctl {
	struct asker	asker;
	uint32_t	uid;		/* who asks, as control knows */
	uint16_t	op;
	int		force;		/* what looks like a mistake is meant */
	unsigned	n;
	char		word[CTL_ARGS_MAX][CTL_WORD_SIZE];
};

struct session;

/*
 * What a row of ctl.def that is authd's has here, ctl_<word>, in the file of
 * what it is about: the handler, the facts that it decides over, and which of
 * its words is the key of them; but a system's name is `name`, and a new name
 * the second word.
 */
struct ctl_handler {
	void		(*fn)(struct ctl *, const struct facts *);
	unsigned	needs, key, name;
};
#define CTL_NAMED							\
	(NEED_SYSTEM_BY_KEY | NEED_SYSTEM | NEED_SYSTEM_BY_NAME)
#define C(NAME, word, pattern, words, answers, flags, help)		\
	CTL_OF_##answers(word)
#define CTL_OF_AUTHD(word)	extern const struct ctl_handler ctl_##word;
#define CTL_OF_PARENT(word)
#include "ctl/ctl.def"
#undef C
#undef CTL_OF_AUTHD
#undef CTL_OF_PARENT

/*
 * session.c: the open session whose id is `word` or begins so, with its dashes
 * or without; NULL: none, or *many.
 */
struct session	*ctl_session(const char *word, int *many);
/*
 * session.c: the refusal where there was none, `many` or not: a session that
 * another member of the cluster has is named with that. For a handler that
 * needs NEED_SESSION.
 */
void	ctl_session_none(const struct ctl *, const struct facts *, int many);
/*
 * admin.c: the system that a word names, by its key, its id or a name that no
 * other has, and that is not deleted; NULL: the refusal is sent. For a handler
 * that needs CTL_NAMED.
 */
const struct system_row	*ctl_system(const struct ctl *, const struct facts *);
/*
 * The role or type of organization that a word is, in small letters; or NULL.
 */
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
/* A number as a cell; a few may be in use at once. */
const char	*ctl_num(uint64_t);
/*
 * The end of what memory shows: without the store nobody knows whether it is
 * all.
 */
void	ctl_shown(const struct ctl *);
/*
 * Answer after the commit: header and row (CTL_END-ended pairs of column and
 * cell; none: no rows), then done; 503 when the store did not take it. The
 * cells are copied and wiped. Or a text (a constant).
 */
void	ctl_after(const struct asker *, ...) __attribute__((sentinel));
void	ctl_after_text(const struct asker *, const char *);

/*
 * An audit event of this turn: what was done, to which session or object (""
 * none), and more about it.
 */
void	ctl_audit(const struct ctl *, const char *session, const char *object,
	    const char *more);

/*
 * list.c: each row that the store has of a question "after this id", `size`
 * bytes with its id first; then, once, `end`, with 0 or, if the store does not
 * say, -1. -1: no memory, and nothing is called.
 */
int	ctl_walk(enum store_what, size_t size,
	    void (*row)(void *arg, const void *row),
	    void (*end)(void *arg, int r), void *arg);
/*
 * list.c: the rows that the store has of a question "after this id", each
 * `size` bytes with its id first, then done.
 */
void	ctl_list(const struct ctl *, enum store_what, size_t size,
	    void (*send)(const struct asker *, const void *row));

#endif
