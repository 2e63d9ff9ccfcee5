/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_DRIVE_H
#define PROXYD_DRIVE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "proc/conf.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"

/*
 * Drives a real proxyd: this program is its parent, its authd, the far end of
 * its streams and its browsers, one step at a time. Every wait ends after
 * DRIVE_MS; what goes wrong in the harness itself ends the test.
 */
#define DRIVE_MS	10000

#define SESSION		"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"
#define SLUG		"0f8b1c2d3e4f5061728394a5b6c7d8e9"
#define DOMAIN		"support.example.com"
#define HOST		"web--" SLUG "." DOMAIN

struct drive {
	pid_t	pid;
	int	parent, log, authd;	/* our ends */
	int	port[3];		/* plain, internal, tunnel */
	int	lfd[3];
};

/* conf_init()'s settings with the proxy domain; the test may change it. */
void	drive_conf(struct conf *);
void	drive_start(struct drive *, const struct conf *);
/* How many descriptors the next one may have; 0: as many as we. */
void	drive_files(unsigned int);
/* Close its channel to the parent; its exit status, 128 + signal. */
int	drive_stop(struct drive *);
/* Give it a new channel to authd; the old one is closed first if still open. */
void	drive_channel(struct drive *);
/* Move its clock. Waits until it has done so. */
void	drive_clock(struct drive *, uint64_t ms);
/* Whether any log line so far has this text. */
int	drive_logged(struct drive *, const char *);

/* Messages: build one and send it to proxyd. */
void	m_begin(uint32_t type, uint32_t id);
void	m_u8(uint8_t);
void	m_u16(uint16_t);
void	m_u32(uint32_t);
void	m_u64(uint64_t);
void	m_str(const char *);
void	m_blob(const void *, size_t);
void	m_send(int channel, int fd);	/* fd is not closed; -1: none */

/*
 * Receive the next message; NULL when none comes within `ms` or the channel
 * has ended. Valid until the next call. A descriptor is m->fd, the caller's.
 */
struct imsg *m_recv(int channel, int ms);
/* The next message has to be of this type. */
struct imsg *m_expect(int channel, uint32_t type);

/* Browsers. */
int	browser(struct drive *, int listener);
void	put(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void	put_bytes(int fd, const void *, size_t);
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
void	grant_no(struct drive *, uint16_t status, const char *message);
void	services(struct drive *, const char *name, const char *target,
	    const char *host, const char *path, const char *prefix);
/* Answer a STREAM_OPEN with yes; the far end of the stream. */
int	stream_yes(struct drive *);
void	stream_no(struct drive *, uint16_t status, const char *message);
/* A browser's GET of `path` on HOST with the cookie; the request as sent. */
void	get(int fd, const char *path);
/* Far end: read a request head. */
char	*request_at(int stream);

#endif
