/* SPDX-License-Identifier: ISC */
#ifndef USERSDOC_H
#define USERSDOC_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "discovered.h"

/*
 * What is written about users: names, passwords, the report, the state file,
 * what plugins are told and say. Pure. tunnel-protocol.md, 4.5 and 7.8.
 */

#define USERS_NAME_SIZE		64
#define USERS_PASSWORD_SIZE	21
#define USERS_JSON_MAX		(256 * 1024)	/* of a report */

/*
 * `support-` and the first, second and last part of the lower-cased key; what
 * cannot be in a name is left out, and a key that gives none means 8 random
 * letters.
 */
void	users_name(const char *key, char *out, size_t size);
/* Is it one of ours? Nothing else is ever deleted (T18). */
int	users_name_ok(const char *);
/* 20 random characters, of each class one at least. */
void	users_password(char out[USERS_PASSWORD_SIZE]);

/*
 * Of a users object, whoever wrote it: cluster_admin, domain_users and
 * local_users, as far as they are names and passwords; nothing else. NULL when
 * out of memory.
 */
cJSON	*users_credentials(const cJSON *from);
int	 users_has_credentials(const cJSON *);
/* Leave out whoever is none of ours: plugins act on names as root. */
void	 users_keep_ours(cJSON *credentials);

/*
 * The domain of each module: what discovery said; else the one that lists the
 * module as its provider, among `domains` (name: [providers]) and the users of
 * domains. id: domain.
 */
cJSON	*users_module_domains(const cJSON *modules, const cJSON *domains,
	    const cJSON *credentials);

/* The users object of 4.5. `credentials`, `apps` and `errors` may be NULL. */
struct users_facts {
	const char	*key;
	enum platform	 platform;
	int64_t		 wall_ms;		/* when it began */
	const cJSON	*credentials, *apps, *errors, *module_domains;
};
cJSON	*users_object(const struct users_facts *);
/* The document around it, on the heap; without apps if it were too long. */
char	*users_report(const struct users_facts *, uint64_t duration_ms);

/*
 * What a plugin of this name is told of the modules that it is for; NULL when
 * there are none, or out of memory. On the heap.
 */
char	*users_instances(const char *plugin, const struct discovered *,
	    const cJSON *module_domains);

/*
 * What a plugin said at setup: apps are added to the array. -1 when it said
 * something that is no app.
 */
int	users_apps(cJSON *apps, const char *out, size_t len);
/* An entry of `errors`. */
void	users_error(cJSON *errors, const char *id, const char *message);

/* What the state file keeps beside the users object. */
struct users_state {
	char		 name[USERS_NAME_SIZE];	/* "" none */
	enum platform	 platform;
	int		 planned;	/* may be made, what is not known */
	int		 plugins;	/* have been set up */
	cJSON		*credentials;	/* that we made; never fetched ones */
};
/* 0, or -1 when it is none. `credentials` is to be deleted. */
int	users_state_parse(struct users_state *, const char *text, size_t len);
/* On the heap. */
char	*users_state_text(const struct users_state *, const cJSON *object);

#endif
