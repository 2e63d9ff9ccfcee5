/* SPDX-License-Identifier: ISC */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Programs that are run for what they say: plugins, the discovery of services,
 * the provisioning of users. Each is the leader of a process group, has its
 * time, and dies with us. One that hangs, floods, or leaves a child behind that
 * holds its output costs what it was run for and nothing else (T25).
 */

struct program_spec {
	const char	*name;		/* for log lines */
	/*
	 * What runs, the first that is given: a file from program_open(), which
	 * stays the caller's, with its path as argv[0]; a function in the new
	 * process, which has our environment and ends then; argv[0], looked for
	 * in the PATH of `envp`.
	 */
	int		 fd;		/* -1: none */
	void		(*call)(void *);
	void		*arg;
	char		**argv;
	char		**envp;		/* NULL: PATH alone */
	const char	*input;		/* on standard input; NULL: nothing */
	size_t		 out_max;	/* of its output; the rest is dropped */
	uint64_t	 limit_ms;
};

#define PROGRAM_TIMEOUT	(-1)	/* in place of a status */

/*
 * Run it. `fn` is called once, never before this returns, with its standard
 * output and its status as waitpid() has it; the struct is gone by then. NULL
 * when it cannot be started, after a word in the log.
 */
struct program;
typedef void	(*program_fn)(void *, const char *out, size_t len, int status);
struct program	*program_start(const struct program_spec *, program_fn,
		    void *);
/* It is killed with its group, `fn` is not called. */
void		 program_cancel(struct program *);

/*
 * A file that may be run with our rights, or -1 and why not: a regular file, no
 * symbolic link, executable, of root or of us, writable by its owner only. What
 * was looked at is what runs, whatever stands under that name then.
 */
int	program_open(const char *path, const char **why);
/*
 * The same question about a directory with such files: whoever may write to it
 * could put others there. NULL, or why not.
 */
const char	*program_dir_refused(int fd);

#endif
