/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "discover.h"
#include "machine.h"
#include "program.h"
#include "survey.h"

#define LIMIT_MS	120000		/* for a whole cluster */
#define OUT_MAX		(4 * 1024 * 1024)

static const char *const	api_vars[] = { "AGENT_ID=", "REDIS_USER=",
				    "REDIS_PASSWORD=" };
#define NVARS	(sizeof(api_vars) / sizeof(api_vars[0]))

static struct {
	const struct options	*o;
	char			*env[NVARS + 2];	/* PATH, and these */
	struct program		*program;
	void			(*fn)(void);
	struct discovered	 known;
	int			 looked;
	size_t			 said;	/* how many the log has heard of */
} discover;

static void	discover_done(void *, const char *, size_t, int);

void
discover_remember(char **envp)
{
	size_t	i, n = 1;

	for (; *envp != NULL; envp++)
		for (i = 0; i < NVARS; i++)
			if (n < NVARS + 1 && strncmp(*envp, api_vars[i],
			    strlen(api_vars[i])) == 0 &&
			    (discover.env[n] = strdup(*envp)) != NULL)
				n++;
}

void
discover_init(const struct options *o)
{
	discover.o = o;
	discover.env[0] = program_path();
	catalog_found(o->static_services, NULL, o->exclude);
	discover.said = catalog_found_count();
	log_info("%zu service%s", discover.said, PLURAL(discover.said));
}

const struct discovered *
discover_known(void)
{
	return (&discover.known);
}

int
discover_has_looked(void)
{
	return (discover.looked);
}

void
discover_now(void (*fn)(void))
{
	struct survey		survey = { .redis = discover.o->redis,
				    .ns8 = discover.known.platform ==
				    PLATFORM_NS8, .envp = discover.env };
	struct program_spec	spec = { .name = "discovery", .fd = -1,
				    .call = survey_main, .arg = &survey,
				    .out_max = OUT_MAX,
				    .limit_ms = LIMIT_MS };

	discover.fn = fn;
	if (discover.program != NULL)
		return;
	/* The new process has a copy of what stands on our stack. */
	discover.program = program_start(&spec, discover_done, NULL);
}

static void
discover_done(void *arg, const char *out, size_t len, int status)
{
	size_t	n;

	(void)arg;
	discover.program = NULL;
	if (status == 0 && discovered_read(&discover.known, out, len) == 0) {
		discover.looked = 1;
		catalog_found(discover.o->static_services,
		    &discover.known.services, discover.o->exclude);
		n = catalog_found_count();
		if (n != discover.said)
			log_info("%zu service%s", n, PLURAL(n));
		discover.said = n;
	} else
		log_warnx("discovery: failed%s, %zu service%s as before",
		    status == PROGRAM_TIMEOUT ? ", it took too long" : "",
		    catalog_found_count(), PLURAL(catalog_found_count()));
	if (discover.fn != NULL)
		discover.fn();
}

void
discover_stop(void)
{
	size_t	i;

	if (discover.program != NULL)
		program_cancel(discover.program);
	discover.program = NULL;
	for (i = 1; i < NVARS + 1 && discover.env[i] != NULL; i++) {
		freezero(discover.env[i], strlen(discover.env[i]));
		discover.env[i] = NULL;
	}
	discovered_clear(&discover.known);
}
