/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the parts of tunnel-client share: the options, the services, the retry
 * delay. tunnel-protocol.md, section 7.
 */

#define CLIENT_SERVICES_MAX	500	/* 5.4: the whole table */
#define CLIENT_NAME_SIZE	256
#define CLIENT_TARGET_SIZE	300
#define CLIENT_PATH_SIZE	1025
#define CLIENT_MODULE_SIZE	129
#define CLIENT_NODE_SIZE	11

#define OPTION_WORDS		4

/* Strings are on the heap, none is NULL but where it says so. */
struct options {
	char		*url;
	char		*key, *secret;		/* wiped by options_clear() */
	char		*node;			/* "" none */
	char		*static_services;
	char		*exclude;
	char		*redis;			/* "" look for it; or "none" */
	char		*config;		/* "" none */
	char		*ca_file;		/* "" none */
	char		*proxy, *no_proxy;	/* the former may have a password */
	char		*diagnostics_dir;
	char		*users_dir, *users_state;
	uint64_t	 reconnect_ms, max_reconnect_ms;
	uint64_t	 discovery_ms;		/* 0: never again */
	uint64_t	 plugin_timeout_ms, diagnostics_timeout_ms;
	uint64_t	 users_plugin_ms, users_timeout_ms;
	int		 tls_insecure;
	int		 allow_plain;		/* ws:// to other machines */
	int		 no_terminal, no_commands, no_local_targets;
	int		 check;			/* only look at all this */
	int		 json;			/* `status` in JSON */
	char		*words[OPTION_WORDS];	/* behind the flags; NULL none */
	char		*status_socket, *status_group;
	char		*consent, *consent_file;
	int		 verbose;
};

/*
 * Read flags, environment and configuration file into *o; a flag wins over the
 * environment, that over the file, that over the default. Then the secrets are
 * gone from where `ps` and /proc show them: those in argv and in the strings of
 * envp are overwritten, and envp itself loses the variables of
 * tunnel-protocol.md 7.7. Returns 0; 1 when help or version was printed; after
 * saying on standard error what is wrong -1, or OPTIONS_USAGE when that is the
 * command line. *o is to be cleared in any case.
 */
#define OPTIONS_USAGE	(-2)
/* EXIT STATUS in tunnel-client(1); relayctl's are the same. */
enum { EXIT_DONE, EXIT_WRONG, EXIT_USAGE, EXIT_UNREACHED };
int	options_read(struct options *, int argc, char **argv, char **envp);
void	options_clear(struct options *);

/*
 * A duration as Go writes it: numbers with units ns us ms s m h, also joined
 * (`1m30s`), or `0`. Milliseconds, rounded down. 0 or -1.
 */
int	duration_parse(const char *, uint64_t *ms);

struct service {
	char	name[CLIENT_NAME_SIZE];
	char	target[CLIENT_TARGET_SIZE];
	char	host[CLIENT_NAME_SIZE];		/* may be "" */
	char	label[CLIENT_NAME_SIZE];
	/* Of one that was discovered; each may be "". */
	char	path[CLIENT_PATH_SIZE];
	char	path_prefix[CLIENT_PATH_SIZE];
	char	module_id[CLIENT_MODULE_SIZE];
	char	node_id[CLIENT_NODE_SIZE];
	int	tcp;				/* it speaks no HTTP */
	int	tls;
	int	tls_old;			/* TLS 1.0 and 1.1, too */
	int	added;				/* by a command */
};

/* A table of services, sorted by name; one of a name. */
struct services {
	struct service	*v;
	size_t		 n, cap;
};

void	services_clear(struct services *);
/* Add or replace by name. 0, or -1 when full or out of memory. */
int	services_put(struct services *, const struct service *);
/* Borrowed, until the next change; NULL when there is none. */
const struct service	*services_get(const struct services *, const char *);
void	services_del(struct services *, const char *name);

/*
 * `name=host:port[:host=hostname][:tcp][:tls]`, comma separated; `:tls` (or
 * `:tls-old`) must be last; the label is the name; later ones of a name win. An
 * entry that no server would keep is skipped, with a warning that says why.
 * Names that match `exclude` (a comma list of globs) are left out. Returns the
 * number of services taken, -1 when out of memory. 7.3.
 */
int	services_parse(struct services *, const char *spec,
	    const char *exclude);

/* NULL, or why no server would keep it, or we would not dial it. */
const char	*service_fault(const struct service *);

/* Does a name match one of the comma-separated globs (* ? [...], no `/`)? */
int	services_excluded(const char *name, const char *patterns);

/*
 * The catalogue: what can be asked for. Services that were found (static and
 * discovered ones) and those that an operator added; an added one shadows a
 * found one until services are found anew. catalog.c; one per process.
 */

/*
 * Find anew: the static services of `spec`, and what was discovered, which wins
 * over a static one of its name, as both do over an added one. What `exclude`
 * matches is neither found nor can it be added.
 */
void	catalog_found(const char *spec, const struct services *discovered,
	    const char *exclude);
/* A new connection: what was added to the old one is gone. 5.4 */
void	catalog_forget_added(void);
/* Borrowed, until the next change. */
const struct service	*catalog_get(const char *name);
/* How many services there are in all. */
size_t	catalog_count(void);
size_t	catalog_found_count(void);
/* Each that can be asked for; nothing may be changed in `fn`. */
void	catalog_each(void (*fn)(void *, const struct service *), void *);
/* A copy of the added ones, to put back if something fails; NULL: no memory. */
struct services	*catalog_added_copy(void);
void	catalog_added_restore(struct services *);
/* Can it not be added, by the `exclude` of the last catalog_found()? */
int	catalog_excludes(const char *name);
/* 0, or -1 when full. */
int	catalog_add(const struct service *);
/* 1: it was there. */
int	catalog_remove(const char *name);
/*
 * The manifest, 4.2: a heap string with a newline at its end, or NULL. The same
 * services give the same text.
 */
char	*catalog_manifest(void);
void	catalog_clear(void);

/* The delay before the next attempt: 6.5, with T29's jitter. */
struct backoff {
	uint64_t	first_ms, max_ms, next_ms;
	uint64_t	earned_ms;	/* of connection, for the next hurry */
	unsigned	hurries;	/* that are left */
};

#define BACKOFF_RESET_MS	60000	/* connected longer: start over */
#define BACKOFF_JITTER_PCT	20
#define BACKOFF_MOVED_MS	1000	/* at most */
#define BACKOFF_HURRIES		6	/* that can be left, */
#define BACKOFF_HURRY_MS	15000	/* and of connection for one more */

void		backoff_init(struct backoff *, uint64_t first, uint64_t max);
/*
 * How long to wait after an attempt that lasted `lasted_ms`; `retry_after_ms`
 * (0: none) is a lower bound from the server, itself bounded by an hour; where
 * it counts up to a fifth is added. `random` is any 32 random bits.
 */
uint64_t	backoff_next(struct backoff *, uint64_t lasted_ms,
		    uint64_t retry_after_ms, uint32_t random);
/*
 * The same after a server that drains has sent us to the others: at once, but
 * for BACKOFF_MOVED_MS of jitter, since an upgrade sends us away by one member
 * after the other. That is good BACKOFF_HURRIES times; time that we were
 * connected gives them back. Without any left it is backoff_next(): a server
 * that says it all the time is not met all the time.
 */
uint64_t	backoff_moved(struct backoff *, uint64_t lasted_ms,
		    uint32_t random);

#endif
