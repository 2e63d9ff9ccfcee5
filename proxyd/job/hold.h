/* SPDX-License-Identifier: ISC */
#ifndef HOLD_H
#define HOLD_H

#include <stddef.h>
#include <stdint.h>

struct httphead;
struct piece;
struct proxy;

/*
 * An answer whose body may name hosts of the session is held until it is all
 * there: its new length stands in its head. What need not be rewritten, or is
 * too long, too slow, corrupt, or one too many, goes on as it came.
 * operator-api.md, 7.10.
 */
struct hold;

/*
 * Answer with this head and what is held of its body, which has been rewritten
 * and has this length, or (NULL) is as it came.
 */
typedef void	(*hold_answer_fn)(struct proxy *, const char *head,
		    size_t head_len, const uint64_t *length);

/* Before the sandbox: how many processors there are. */
void	hold_init(void);
/*
 * The answer's head is at the start of p->use.st->in: is it to be held? 1: the
 * head is taken out of the buffer; hold_more() is to follow, and in time the
 * answer. 0: it is not.
 */
int	hold_begin(struct proxy *, const struct httphead *, hold_answer_fn);
/*
 * More of the body is in p->use.st->in, p->x.down says how much, or it has
 * ended. May begin to answer: p->x.phase is X_BODY then, and the connection
 * may be closed when it returns.
 */
void	hold_more(struct proxy *);
/*
 * While the answer goes out, the next bytes of its body, good until the next
 * call. 0, or -1: they are more than was announced.
 */
int	hold_next(struct proxy *, struct piece *);
/*
 * They have been used: all of them where they are rewritten, else so many. With
 * the last, p->x.hold is gone, and what follows is in p->use.st->in.
 */
void	hold_used(struct proxy *, size_t);
/* Let go of it, whatever it is at. */
void	hold_free(struct hold *);

#endif
