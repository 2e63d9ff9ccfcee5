/* SPDX-License-Identifier: ISC */
#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>
#include <stdint.h>

struct conn;
struct httphead;

/*
 * Answers that proxyd gives itself. Each writes the whole answer and ends the
 * request: the connection may be closed when it returns. `extra` is NULL or
 * whole header lines with their line ends. A request body that has not been
 * read closes the connection. operator-api.md, 1.2 and 12.
 */

/* `extra` of a 401 on what takes an operator's token. */
#define ANSWER_BEARER	"WWW-Authenticate: Bearer\r\n"
/* Whoever has closed will not send the rest. */
#define BODY_SHORT	"request body ends too early"

/*
 * The envelope of the operator API: `data` is JSON text (NULL: null). Where the
 * browser wants a page and `data` is NULL, a small static page says the same
 * (only on proxied hosts).
 */
void	answer_json(struct conn *, int status, const char *message,
	    const char *data, size_t data_len, const char *extra);
void	answer_error(struct conn *, int status, const char *message);
/* The same with Retry-After; 0: without. */
void	answer_later(struct conn *, int status, const char *message,
	    uint32_t retry_after_s);
/* {"error": why}, as an existing back end reads it of a terminal. */
void	answer_bare(struct conn *, int status, const char *message,
	    uint32_t retry_after_s);
/* Does whoever asks want a page? For c->html. */
int	wants_page(const struct httphead *);
/* text/plain, as the rendezvous contract has it; the same page for people. */
void	answer_plain(struct conn *, int status, const char *text);
/* A text of this type, for programs. */
void	answer_text(struct conn *, const char *type, const char *text,
	    size_t len);
/*
 * The head of an answer of `len` bytes that its job says itself; it ends the
 * request. `fields` are whole lines, together up to 1.5 KiB; NULL: those that
 * the API's answers have. 0, or -1: the connection is closed.
 */
int	answer_head(struct conn *, const char *type, const char *fields,
	    uint64_t len);
/*
 * The same for one of which nobody knows how long it will be: in chunks, or as
 * long as the connection.
 */
int	answer_stream(struct conn *, const char *type, int chunked);
/* Any of rendezvous: nothing is added to what `extra` says. */
void	answer_as(struct conn *, int status, const char *type,
	    const char *extra, const char *text, size_t len);
/* No body; `extra` says the rest. */
void	answer_empty(struct conn *, int status, const char *extra);

#endif
