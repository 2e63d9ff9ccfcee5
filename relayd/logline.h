/* SPDX-License-Identifier: ISC */
#ifndef LOGLINE_H
#define LOGLINE_H

#include <sys/types.h>

#include <stdint.h>

#include "base/log.h"
#include "base/request.h"

/*
 * One line of the log, taken apart. Who said it is what the parent knows, what
 * was said is the child's, and nothing in it can look like the former. Pure.
 */
struct logline {
	enum log_level	 level;
	const char	*role;
	pid_t		 pid;
	uint64_t	 instance;	/* 0: the parent's own */
	const char	*session;	/* the one it is bound to, "" */
	int		 many;		/* it has many: it may name one */
	char		 request[REQUEST_SIZE];	/* "" */
	char		 text[LOG_LINE_MAX];	/* printable ASCII */
};

/* What a child sent: level, request and text of `l`. A bad level is a warning,
   a request's id that is none is left out. */
void	logline_take(struct logline *l, const char *pkt, size_t len);
/* The text alone. Backslashes stay: what came from a peer was escaped. */
void	logline_text(struct logline *l, const char *s, size_t len);

/* As text without time and level; as an object with both (log_stamp()). */
void	logline_print(const struct logline *, char dst[LOG_WHOLE_MAX]);
void	logline_json(const struct logline *, const char *stamp,
	    char dst[LOG_WHOLE_MAX]);

#endif
