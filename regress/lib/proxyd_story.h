/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_STORY_H
#define PROXYD_STORY_H

#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "drive.h"

/*
 * The story of proxyd: this program is its authd, the far end of its streams
 * and its browsers, one step at a time.
 */
#define SESSION		"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"
#define SLUG		"0f8b1c2d3e4f5061728394a5b6c7d8e9"
#define DOMAIN		"support.example.com"
#define HOST		"web--" SLUG "." DOMAIN

/* conf_init()'s settings with the proxy domain; the test may change it. */
void	proxyd_conf(struct conf *);

/* Browsers. */
int	browser(struct drive *, int listener);
/* From another address of this machine, 127.0.0.1 + host. */
int	browser_from(struct drive *, int host);
void	put(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Read one whole answer (by Content-Length, chunked as it comes up to its
 * last chunk, or to the end); NULL when it is not whole. Valid until the next.
 */
char	*answer(int fd);
int	status_of(const char *answer);
/* The value of a header, "" if absent; `n`-th of its name from 0. */
const char *header_of(const char *answer, const char *name, int n);
const char *body_of(const char *answer);
/* Read until this text has come, or the end; what was read. */
char	*get_until(int fd, const char *text);
/* 0 at a clean end, ECONNRESET, or -1 when there is something else. */
int	end_of(int fd);
/* Whether nothing can be read within `ms`. */
int	is_quiet(int fd, int ms);

/* The far ends of the story. */
const char *proxy_token(const char *session, const char *mark);
/* Answer a GRANT with yes, with a table of one service `web`. */
void	grant_yes(struct drive *, uint64_t id);
/* The same; what stands for the token from then on. */
void	grant_yes_as(struct drive *, uint64_t id, const char *reference);
void	grant_no(struct drive *, uint16_t status, const char *message);
void	services(struct drive *, const char *name, const char *target,
	    const char *host, const char *path, const char *prefix);
/* Answer a STREAM_OPEN with yes; the far end of the stream. */
int	stream_yes(struct drive *);
void	stream_no(struct drive *, uint16_t status, const char *message);
/* The first request of all, with grant 7 and a service that closes. */
void	grant_first(struct drive *);
/*
 * Until proxyd has read all that authd has said: a browser's request would
 * overtake it otherwise. What authd hears meanwhile is told.
 */
void	flush_authd(struct drive *);
/* A GET of `path` is given its grant (0: it has one) and its stream. */
int	open_stream(struct drive *, int fd, const char *path, uint64_t grant);
/* A browser's GET of `path` on HOST with the cookie; the request as sent. */
void	get(int fd, const char *path);
/* Far end: read a request head. */
char	*request_at(int stream);

#endif
