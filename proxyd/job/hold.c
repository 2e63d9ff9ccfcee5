/* SPDX-License-Identifier: ISC */
/*
 * Bodies that are held to be rewritten. Each is taken as it comes, chunks and
 * gzip included, so that it can go on unchanged; when it is whole it waits for
 * its turn at the one work bench, on which it is counted (is there anything to
 * replace, and how long does it become?) and, in gzip, packed anew. What is not
 * packed is rewritten once more on its way out, and so takes no room.
 */
#include <sys/mman.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "hold.h"
#include "proc/proc.h"
#include "proxy.h"
#include "proxyd/http/repack.h"
#include "proxyd/http/sniff.h"

/* All that this daemon's proxyds hold; each has its share. */
#define HELD_MAX	(50 * 1024 * 1024)
#define HELD_STEP	((size_t)64 * 1024)	/* by which one grows */
#define PAGE		((size_t)4096)
/* Of a body without a length: its content and what its chunks add. */
#define RAW_MAX		(REWRITE_MAX + 512 * 1024)
/* What it may grow to: short hosts become long ones. */
#define GROWN_MAX	(4 * REWRITE_MAX)
/* A page that is made slowly, for someone who watches it. */
#define SILENT_MS	5000
#define SLOW_MS		60000
#define TURN		(256 * 1024)	/* bytes of work in one turn */
#define PIECE_MAX	(64 * 1024)

/* Anonymous memory that grows as it is used, and is counted as it is mapped. */
struct area {
	char	*p;
	size_t	 size, len;	/* mapped, and of HELD_MAX; used */
	size_t	 most;		/* what it may become */
};

enum hold_state {
	HOLD_TAKE,		/* it comes in */
	HOLD_COUNT,		/* on the bench, or waits for it */
	HOLD_PACK,
	HOLD_STRIP,		/* its chunks go */
	HOLD_ASIS,		/* it goes out as it came */
	HOLD_REWRITE,		/* it is rewritten as it goes out */
	HOLD_PACKED		/* what was packed goes out */
};

struct hold {
	TAILQ_ENTRY(hold)	 entry;		/* of the bench's queue */
	struct proxy		*p;
	hold_answer_fn		 answer;
	enum hold_state		 state;
	char			*head;		/* the answer's, as it came */
	size_t			 head_len;
	int			 gzip, chunked;
	int			 sniff;		/* not known to be a page yet */
	struct rewrite		*map;
	struct area		 body;
	struct area		 packed;
	size_t			 length;	/* when it is rewritten */
	size_t			 off, next;	/* gone out, and after this */
	uint64_t		 since_ms;
	struct timer		 timer;
};

static struct {
	size_t			 held;
	long			 processors;
	/* the work bench */
	TAILQ_HEAD(, hold)	 queue;
	struct event		 turn;		/* in the loop's next round */
	int			 busy;		/* with the first of the queue */
	struct repack		 repack;
	struct pack		 pack;
	char			 piece[PIECE_MAX];
	struct rewrite_out	 out;		/* counted; or in piece */
	struct httphead_chunk	 chunk;		/* that is stripped, */
	size_t			 from, to;	/* as far as this */
	const char		*rest;		/* of the piece, not packed */
	size_t			 rest_len;
} all = { .processors = 1 };

static void	bench_leave(struct hold *);
static void	hold_answer(struct hold *, enum hold_state);
static void	hold_late(void *);
static void	bench_turn(evutil_socket_t, short, void *);
static void	bench_soon(void);

void
hold_init(void)
{
	all.processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (all.processors < 1)
		all.processors = 1;
	TAILQ_INIT(&all.queue);
}

static int
is_on_bench(const struct hold *ho)
{
	return (ho->state >= HOLD_COUNT && ho->state <= HOLD_STRIP);
}

/* ---- memory ---- */

static size_t
share(void)
{
	unsigned long	n = (unsigned long)proc_conf()->proxyd_count;

	if (n == 0)
		n = (unsigned long)all.processors;
	/* However many there are, the longest page has room in each. */
	return (HELD_MAX / n > RAW_MAX ? HELD_MAX / n : RAW_MAX);
}

/* So much is mapped from now on. 0, or -1: too much. */
static int
area_resize(struct area *a, size_t size)
{
	void	*p;

	if (size > a->size && (size - a->size > share() ||
	    all.held > share() - (size - a->size)))
		return (-1);
	p = a->p == NULL ? mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) :
	    mremap(a->p, a->size, size, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		return (-1);
	all.held = all.held - a->size + size;
	a->p = p;
	a->size = size;
	return (0);
}

static void
area_put(struct area *a)
{
	if (a->p != NULL)
		munmap(a->p, a->size);
	all.held -= a->size;
	memset(a, 0, sizeof(*a));
}

/* Room for `n` bytes more; what is there may move. 0 or -1. */
static int
area_room(struct area *a, size_t n)
{
	size_t	want = a->len + n;

	if (want > a->most)
		return (-1);
	if (want <= a->size)
		return (0);
	want = (want + HELD_STEP - 1) / HELD_STEP * HELD_STEP;
	return (area_resize(a, want < a->most ? want : a->most));
}

/* It grows no more: its tail goes back. */
static void
area_whole(struct area *a)
{
	if (a->size - a->len >= PAGE)
		(void)area_resize(a, (a->len + PAGE - 1) / PAGE * PAGE);
}

/* ---- it comes in ---- */

int
hold_begin(struct proxy *p, const struct httphead *h, hold_answer_fn answer)
{
	struct upstream		*st = p->use.st;
	enum rewrite_kind	 kind;
	struct hold		*ho;
	size_t			 size = RAW_MAX;

	if (!session_has_hosts(p->se) || proxy_has_no_host(p) || p->x.down.done ||
	    (kind = rewrite_kind(h)) == REWRITE_NONE)
		return (0);
	if (h->flags & HTTPHEAD_LENGTH)
		size = (size_t)h->content_length;
	if ((ho = calloc(1, sizeof(*ho))) == NULL)
		return (0);
	ho->body.most = size;
	if (((h->flags & HTTPHEAD_LENGTH) &&
	    (size == 0 || area_resize(&ho->body, size) == -1)) ||
	    (ho->head = malloc(h->head_len)) == NULL) {
		hold_free(ho);
		return (0);
	}
	memcpy(ho->head, st->in->data + st->in->off, h->head_len);
	ho->head_len = h->head_len;
	buf_secret(st->in, h->head_len);
	buf_drop(st->in, h->head_len);
	ho->p = p;
	ho->answer = answer;
	ho->gzip = kind == REWRITE_GZIP;
	ho->chunked = (h->flags & HTTPHEAD_CHUNKED) != 0;
	ho->sniff = kind == REWRITE_SNIFF;
	ho->since_ms = clock_ms();
	timer_init(&ho->timer, hold_late, ho);
	p->x.hold = ho;
	p->x.phase = X_HOLD;
	return (1);
}

/* It does not come fast enough to be waited for. */
static void
hold_late(void *arg)
{
	hold_answer(arg, HOLD_ASIS);
}

static void
hold_wait(struct hold *ho)
{
	uint64_t	age = clock_ms() - ho->since_ms;

	timer_set(&ho->timer, age >= SLOW_MS ? 0 : SLOW_MS - age < SILENT_MS ?
	    SLOW_MS - age : SILENT_MS);
}

/* May it be a page, as far as it is there? */
static int
hold_sniff(struct hold *ho)
{
	int	r;

	if (ho->body.len == 0)
		return (1);
	r = (ho->chunked ? sniff_chunked : sniff_page)(ho->body.p,
	    ho->body.len, ho->p->x.down.done);
	ho->sniff = r == -1;
	return (r != 0);
}

void
hold_more(struct proxy *p)
{
	struct hold	*ho = p->x.hold;
	struct buf	*b = p->use.st->in;
	size_t		 n = p->x.down.ready - ho->body.len;
	struct names	 names;

	if (n > 0 && area_room(&ho->body, n) == -1) {
		hold_answer(ho, HOLD_ASIS);
		return;
	}
	if (n > 0) {
		memcpy(ho->body.p + ho->body.len, b->data + b->off, n);
		ho->body.len += n;
		buf_drop(b, n);
	}
	if (b != NULL && b->len == 0)
		buf_put(&p->use.st->in);
	if (ho->sniff && !hold_sniff(ho)) {
		hold_answer(ho, HOLD_ASIS);
		return;
	}
	if (!p->x.down.done) {
		hold_wait(ho);
		upstream_reading(p->use.st, 1);
		return;
	}
	timer_del(&ho->timer);
	area_whole(&ho->body);
	upstream_reading(p->use.st, 0);
	if ((ho->map = rewrite_new(proxy_names(&names, p))) == NULL) {
		hold_answer(ho, HOLD_ASIS);
		return;
	}
	ho->state = HOLD_COUNT;
	TAILQ_INSERT_TAIL(&all.queue, ho, entry);
	if (TAILQ_FIRST(&all.queue) == ho)
		bench_turn(-1, 0, NULL);
}

void
hold_free(struct hold *ho)
{
	if (ho == NULL)
		return;
	timer_del(&ho->timer);
	if (is_on_bench(ho))
		bench_leave(ho);
	if (ho->p != NULL)
		ho->p->x.hold = NULL;
	rewrite_free(ho->map);
	freezero(ho->head, ho->head_len);
	area_put(&ho->body);
	area_put(&ho->packed);
	free(ho);
}

/* ---- the bench ---- */

/* Descriptors get their turn before it; a timer would be 4 ms late. */
static void
bench_soon(void)
{
	static const struct timeval	now;

	if (!event_initialized(&all.turn))
		event_assign(&all.turn, proc_base(), -1, 0, bench_turn, NULL);
	event_want(&all.turn, &now);
}

static void
bench_clear(void)
{
	if (!all.busy)
		return;
	repack_end(&all.repack);
	if (TAILQ_FIRST(&all.queue)->state == HOLD_PACK)
		pack_end(&all.pack);
	all.busy = 0;
}

/* Done, or given up. */
static void
bench_leave(struct hold *ho)
{
	if (TAILQ_FIRST(&all.queue) == ho)
		bench_clear();
	TAILQ_REMOVE(&all.queue, ho, entry);
	ho->state = HOLD_TAKE;
	if (!TAILQ_EMPTY(&all.queue))
		bench_soon();
}

/* Begin to go through the first one's body. 0 or -1. */
static int
bench_begin(struct hold *ho)
{
	struct repack_body	body = { ho->body.p, ho->body.len, ho->chunked,
				    ho->gzip };

	memset(&all.out, 0, sizeof(all.out));
	all.out.cap = SIZE_MAX;
	all.rest_len = 0;
	if (ho->state == HOLD_PACK) {
		all.out.p = all.piece;
		all.out.cap = sizeof(all.piece);
		ho->packed.most = GROWN_MAX;
		if (area_room(&ho->packed, HELD_STEP) == -1 ||
		    pack_begin(&all.pack) == -1)
			return (-1);
		all.pack.out = ho->packed.p;
		all.pack.cap = ho->packed.size;
	}
	if (repack_begin(&all.repack, ho->map, &body) == -1) {
		if (ho->state == HOLD_PACK)
			pack_end(&all.pack);
		return (-1);
	}
	all.busy = 1;
	return (0);
}

/* As much as one turn allows is rewritten and packed: as repack_run(). */
static int
bench_pack(struct hold *ho)
{
	struct pack	*k = &all.pack;
	size_t		 effort, spent, begun;
	int		 r, last = 0;

	for (effort = 0; effort < TURN;
	    effort += all.out.len > spent ? all.out.len : spent) {
		all.out.len = 0;
		begun = all.repack.spent;
		r = repack_run(&all.repack, sizeof(all.piece), &all.out);
		if (r == -1)
			return (-1);
		spent = all.repack.spent - begun;
		last = r == 0;
		all.rest = all.piece;
		all.rest_len = all.out.len;
		while ((r = pack_add(k, &all.rest, &all.rest_len, last)) == 0) {
			ho->packed.len = k->len;
			if (area_room(&ho->packed, HELD_STEP) == -1)
				return (-1);
			k->out = ho->packed.p;
			k->cap = ho->packed.size;
		}
		if (r == -1)
			return (-1);
		if (last)
			break;
	}
	ho->packed.len = k->len;
	return (!last);
}

/* It is counted: go on, or let it go as it came. */
static void
bench_counted(struct hold *ho)
{
	bench_clear();
	if (all.out.hits == 0 || all.out.len > GROWN_MAX) {
		hold_answer(ho, HOLD_ASIS);
		return;
	}
	if (ho->gzip) {
		ho->state = HOLD_PACK;
		bench_soon();
		return;
	}
	ho->length = all.out.len;
	if (!ho->chunked) {
		hold_answer(ho, HOLD_REWRITE);
		return;
	}
	memset(&all.chunk, 0, sizeof(all.chunk));
	all.chunk.lenient = 1;
	all.from = all.to = 0;
	ho->state = HOLD_STRIP;
	bench_soon();
}

/* One turn's worth of chunks goes. */
static void
bench_strip(struct hold *ho)
{
	char	*at = ho->body.p + all.from;
	size_t	 n = ho->body.len - all.from, out;

	if (n > TURN)
		n = TURN;
	if (httphead_chunk_strip(&all.chunk, at, n, &out) == -1)
		fatalx("a body is none any more");	/* it was counted */
	memmove(ho->body.p + all.to, at, out);
	all.from += n;
	all.to += out;
	if (all.from < ho->body.len && !all.chunk.done) {
		bench_soon();
		return;
	}
	ho->body.len = all.to;
	hold_answer(ho, HOLD_REWRITE);
}

static void
bench_turn(evutil_socket_t fd, short what, void *arg)
{
	struct hold	*ho = TAILQ_FIRST(&all.queue);
	int		 r;

	(void)fd;
	(void)what;
	(void)arg;
	if (ho == NULL)
		return;
	if (ho->state == HOLD_STRIP) {
		bench_strip(ho);
		return;
	}
	if (!all.busy && bench_begin(ho) == -1)
		r = -1;
	else if (ho->state == HOLD_COUNT)
		r = repack_run(&all.repack, TURN, &all.out);
	else
		r = bench_pack(ho);
	if (r == 1)
		bench_soon();
	else if (r == -1)
		hold_answer(ho, HOLD_ASIS);
	else if (ho->state == HOLD_COUNT)
		bench_counted(ho);
	else {
		ho->length = ho->packed.len;
		area_whole(&ho->packed);
		hold_answer(ho, HOLD_PACKED);
	}
}

/* ---- it goes out ---- */

static void
hold_answer(struct hold *ho, enum hold_state how)
{
	struct proxy	*p = ho->p;
	char		*head = ho->head;
	size_t		 head_len = ho->head_len;
	uint64_t	 length = ho->length;
	hold_answer_fn	 answer = ho->answer;

	timer_del(&ho->timer);
	if (is_on_bench(ho))
		bench_leave(ho);
	ho->state = how;
	ho->head = NULL;
	p->x.phase = X_BODY;
	if (how != HOLD_ASIS) {
		/* From here on the body is ours, and all there. */
		p->x.stages.n = 0;
		p->x.down.ready = (size_t)length;
		if (how == HOLD_PACKED)
			area_put(&ho->body);
	} else {
		area_put(&ho->packed);
		if (ho->body.len == 0)
			hold_free(ho);
	}
	answer(p, head, head_len, how != HOLD_ASIS ? &length : NULL);
	freezero(head, head_len);
}

int
hold_next(struct proxy *p, struct piece *b)
{
	static char		 made[PIECE_MAX];
	struct rewrite_out	 o = { made, 0, sizeof(made), 0 };
	struct hold		*ho = p->x.hold;
	struct area		*a;

	if (ho->state == HOLD_REWRITE) {
		ho->next = rewrite_run(ho->map, ho->body.p, ho->off,
		    ho->body.len, 1, &o);
		b->p = made;
		b->len = o.len;
		return (o.len > p->x.down.ready ? -1 : 0);
	}
	a = ho->state == HOLD_PACKED ? &ho->packed : &ho->body;
	b->p = a->p + ho->off;
	b->len = a->len - ho->off < PIECE_MAX ? a->len - ho->off : PIECE_MAX;
	return (0);
}

void
hold_used(struct proxy *p, size_t n)
{
	struct hold	*ho = p->x.hold;
	struct area	*a = ho->state == HOLD_PACKED ? &ho->packed : &ho->body;

	ho->off = ho->state == HOLD_REWRITE ? ho->next : ho->off + n;
	if (ho->off == a->len)
		hold_free(ho);
}
