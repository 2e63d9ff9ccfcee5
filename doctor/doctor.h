/* SPDX-License-Identifier: ISC */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <sys/types.h>

#include <stdint.h>

#include "proc/conf.h"

/*
 * What relayctl doctor has looked at, one finding each; the worst of all is the
 * exit status.
 */
enum state { FINE, WARN, WRONG };

/* The exit statuses; 2 is a wrong command line. */
#define EXIT_WRONG	1
#define EXIT_WARN	4

#define UNLIMITED	UINT64_MAX

/*
 * A finding: what was looked at, what was found, what is needed ("" for
 * either: nothing to say), and what to do about it, which only one that is not
 * FINE has.
 */
void	finding(enum state, const char *check, const char *found,
	    const char *needed, const char *advice, ...)
	    __attribute__((format(printf, 5, 6)));
/* Numbers: WRONG if there are fewer than are needed. */
void	finding_least(const char *check, uint64_t found, uint64_t needed,
	    const char *advice, ...) __attribute__((format(printf, 4, 5)));
/* Print all. What the exit status is. */
int	findings_print(int json);

/*
 * The first number in a file of /proc or /sys; "max" is UNLIMITED. 0, or -1:
 * it is not there. `then` is skipped before the number, "": nothing.
 */
int	look(const char *path, const char *then, uint64_t *n);
/* A line of a file that begins so, without that; -1: none. */
int	look_line(const char *path, const char *begin, char *line,
	    size_t size);

/* The daemon that runs on this configuration; 0: none, or nobody may say. */
pid_t	running(const struct conf *);

/* Each says what it has found. */
void	check_file(const char *conf_path);
void	check_limits(const struct conf *, pid_t);
void	check_network(const struct conf *);
void	check_kernel(const struct conf *);
void	check_memory(const struct conf *, pid_t);
void	check_store(const struct conf *);
/* Of its server, which can be reached: does it let authd in? */
void	check_login(const struct conf *);
/* Does Redis, which `fd` is connected to (not taken), let authd in? */
void	check_redis(const struct conf *, int fd);

#endif
